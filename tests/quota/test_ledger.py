"""The ledger over a real SQLite file, with a clock that is turned by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gemini_magic.quota.ledger import Denied, Grant, Ledger
from gemini_magic.quota.lessons import Lesson, Told
from gemini_magic.quota.limits import seed
from gemini_magic.quota.plan import DOLLAR, Asking, Budget
from gemini_magic.quota.rules import LAG_PAUSE, LEARNED, SEED, USER, Bucket, Stream
from gemini_magic.quota.store import Amount
from gemini_magic.quota.windows import LATE, dawn, day, midnight
from tests.quota.stores import LONGEST, NOON, Hands, SqlitePlace

FLASH = "gemini-2.5-flash"
STREAM = Stream("key:1", FLASH, "studio", "host")
ASKING = Asking(STREAM, seeded=True, trusted=True)
#: What is published for it: 5 requests a minute, 20 a day.
SEEDS = {name: limit.size for name in ("rpm", "rpd", "tpm") if (limit := seed(FLASH, "", name))}
ONE = Amount(1, 10)
BUCKET = Bucket("key:1", FLASH)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def open_ledger(sqlite_place: SqlitePlace, clock: Hands) -> Iterator[Callable[[], Ledger]]:
    """Each call is another process with the same file and clock."""
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(Ledger(sqlite_place.open(clock)))
        return opened[-1]

    yield make
    for one in opened:
        one.store.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()


def admit(ledger: Ledger, asking: Asking = ASKING, amount: Amount = ONE) -> Grant:
    grant = ledger.admit(asking, amount)
    assert isinstance(grant, Grant), grant
    return grant


def denied(ledger: Ledger, asking: Asking = ASKING, amount: Amount = ONE) -> Denied:
    answer = ledger.admit(asking, amount)
    assert isinstance(answer, Denied), answer
    return answer


def succeed(ledger: Ledger, count: int = 1, asking: Asking = ASKING, **told: Any) -> None:
    for _ in range(count):
        ledger.settle(admit(ledger, asking), "answered", tokens=10, **told)


def refuse(ledger: Ledger, lesson: Lesson, asking: Asking = ASKING) -> None:
    """A request is sent, and the service refuses it."""
    grant = admit(ledger, asking)
    ledger.learn(grant, lesson)
    ledger.settle(grant, "refused")


def full(window: str, size: int | None = None, **more: Any) -> Lesson:
    sizes = (Told(window, size),) if size else ()
    return Lesson("window", window, sizes, **more)


def pacific(*wall: int) -> float:
    return dawn(datetime(*wall, 20, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


def asks(asking: Asking = ASKING, **more: Any) -> Asking:
    """The same asking, but for some of its words."""
    return asking._replace(**more)


def window(ledger: Ledger, name: str, bucket: int = 0) -> Any:
    uses = ledger.snapshot(lambda host: host == "host").buckets[bucket].windows
    return next((use for use in uses if use.window == name), None)


# --- limits that may be stale --------------------------------------------------------------------


def test_a_seed_paces_but_is_not_firm(ledger: Ledger, clock: Hands) -> None:
    for _ in range(SEEDS["rpm"]):
        admit(ledger)
        clock.pass_(1)
    answer = denied(ledger)
    (wall,) = answer.walls
    assert (wall.window, wall.used, wall.size, wall.firm) == ("rpm", 5, 5, False)
    assert not answer.firm and wall.limit and wall.limit.provenance == SEED
    assert wall.opens == NOON + LONGEST  # the first may reach the service a little late
    assert admit(ledger, asks(soft=False))


def test_the_minute_opens_when_its_first_request_leaves(ledger: Ledger, clock: Hands) -> None:
    grants = [admit(ledger) for _ in range(5)]
    clock.pass_(2)
    for grant in grants:
        ledger.answered(grant, 0.5)
    assert denied(ledger).last.opens == NOON + 1.5 + 60
    clock.pass_(59.375)
    denied(ledger)
    clock.pass_(0.125)
    admit(ledger)


def test_a_request_without_an_answer_stays_as_long_as_it_is_renewed(
    ledger: Ledger, clock: Hands
) -> None:
    asking = Asking(STREAM)
    ledger.configure({"key:1": {FLASH: {"rpm": 1}}}, NOON)
    grant = admit(ledger, asking)
    for _ in range(20):
        clock.pass_(4)
        ledger.renew(grant)
    assert denied(ledger, asking).last.opens == clock.wall + LONGEST
    ledger.answered(grant, 0)
    assert denied(ledger, asking).last.opens == clock.wall + 60


def test_nothing_is_assumed_of_other_services(ledger: Ledger) -> None:
    for _ in range(30):
        admit(ledger, Asking(STREAM, seeded=False))


def test_a_seed_of_the_day_is_not_firm_either_and_leaves_no_trace(ledger: Ledger) -> None:
    asking = asks(soft=False)
    succeed(ledger, SEEDS["rpd"] + 5, asking)
    assert not denied(ledger).firm
    assert window(ledger, "rpd").used == 25 and window(ledger, "rpd").limit.size == 20


def test_a_prompt_larger_than_a_whole_window_will_never_fit(ledger: Ledger) -> None:
    answer = denied(ledger, amount=Amount(1, SEEDS["tpm"] + 1))
    assert answer.last.window == "tpm" and math.isinf(answer.last.opens)


# --- limits that hold ----------------------------------------------------------------------------


def test_a_users_limit_refuses(ledger: Ledger) -> None:
    ledger.set_limits(BUCKET, {"rpd": 2})
    succeed(ledger, 2)
    answer = denied(ledger, asks(soft=False))
    assert answer.firm and answer.last.limit and answer.last.limit.provenance == USER
    assert answer.last.opens == midnight(NOON) + LATE
    ledger.set_limits(BUCKET, {"rpd": None})
    admit(ledger)


@pytest.mark.parametrize("window", ["rpm", "rpd", "tpm"])
def test_a_learned_limit_refuses_once_the_window_is_open_again(
    ledger: Ledger, clock: Hands, window: str
) -> None:
    refuse(ledger, full(window, 3, tier="free", wait=2.0))
    if window == "rpd":
        assert denied(ledger).last.closed
        return
    clock.pass_(LONGEST)
    if window == "rpm":
        succeed(ledger, 3)
        assert denied(ledger, asks(soft=False)).firm
    else:
        answer = denied(ledger, amount=Amount(1, 4))
        assert answer.firm and math.isinf(answer.last.opens)


def test_a_learned_limit_rises_when_a_request_above_it_succeeds(
    ledger: Ledger, clock: Hands
) -> None:
    refuse(ledger, full("rpm", 2, tier="free", wait=1.0))
    clock.pass_(LONGEST)
    succeed(ledger, 2)
    assert denied(ledger).firm
    succeed(ledger, 1, asks(force=True))
    answer = denied(ledger)
    assert not answer.firm and answer.last.limit is not None
    assert (answer.last.limit.provenance, answer.last.limit.size) == (LEARNED, 3)


def test_an_upgraded_user_is_not_held_by_yesterdays_limit(ledger: Ledger, clock: Hands) -> None:
    refuse(ledger, full("rpd", 20, tier="free"))
    assert denied(ledger, asks(soft=False)).firm
    clock.pass_(midnight(NOON) + LATE - NOON)
    for _ in range(40):  # the day's requests of a tier that allows for more
        succeed(ledger, 1, asks(soft=False))
        clock.pass_(LONGEST)
    assert window(ledger, "rpd").limit.size == 40


def test_a_user_who_says_that_he_upgraded_is_not_held_today(ledger: Ledger) -> None:
    refuse(ledger, full("rpd", 20, tier="free"))
    assert denied(ledger).firm
    paid = asks(tier="tier1")
    admit(ledger, paid)


def test_the_newest_of_the_users_and_the_services_word_wins(ledger: Ledger, clock: Hands) -> None:
    refuse(ledger, full("rpm", 2, tier="free", wait=1.0))
    clock.pass_(LONGEST)
    ledger.set_limits(BUCKET, {"rpm": 4})
    succeed(ledger, 4)
    assert denied(ledger).last.size == 4
    clock.pass_(LONGEST)
    refuse(ledger, full("rpm", 3, tier="free", wait=1.0))
    clock.pass_(LONGEST)
    succeed(ledger, 3)
    assert denied(ledger).last.size == 3


@pytest.mark.parametrize(
    ("since", "size"), [(NOON - 10, 2), (NOON + 10, 7)], ids=["older file", "newer file"]
)
def test_the_files_limit_is_as_new_as_the_file(
    ledger: Ledger, clock: Hands, since: float, size: int
) -> None:
    ledger.configure({"mine": {FLASH: {"rpm": 7}}}, since)
    asking = asks(label="mine")
    refuse(ledger, full("rpm", 2, tier="free", wait=1.0), asking)
    clock.pass_(LONGEST)
    for _ in range(size):
        admit(ledger, asking)
    assert denied(ledger, asking).last.size == size


def test_a_limit_of_the_file_holds_for_all_names_of_its_bucket(ledger: Ledger) -> None:
    ledger.configure({"mine": {"gemini-flash-latest": {"rpm": 2}}}, NOON)
    asking = Asking(Stream("key:1", "gemini-flash-latest"), trusted=True, label="mine")
    grant = admit(ledger, asking)
    ledger.settle(grant, "answered", tokens=10)
    ledger.answers_as(grant, "gemini-3.8-flash")
    admit(ledger, asking)
    assert denied(ledger, asking).firm
    assert denied(
        ledger, Asking(Stream("key:1", "gemini-3.8-flash"), trusted=True, label="mine")
    ).firm


def test_force_goes_through_every_wall_and_is_counted(ledger: Ledger) -> None:
    ledger.set_limits(BUCKET, {"rpm": 1, "rpd": 1})
    refuse(ledger, Lesson("limit0", tier="free"))
    succeed(ledger, 3, asks(force=True))
    assert ledger.store.totals([STREAM.scope], day(NOON)).requests == 3


def test_reset_forgets_what_was_learned_and_with_counts_what_was_used(ledger: Ledger) -> None:
    succeed(ledger, 3)
    refuse(ledger, full("rpd", 20, tier="free"))
    ledger.reset(BUCKET)
    admit(ledger)
    assert window(ledger, "rpd").used == 4 and window(ledger, "rpd").limit.provenance == SEED
    ledger.reset(BUCKET, counts=True)
    assert ledger.store.totals([STREAM.scope], day(NOON)) == Amount()


# --- what services refuse ------------------------------------------------------------------------


def test_a_refusal_for_the_day_closes_to_midnight_and_half_a_minute(
    ledger: Ledger, clock: Hands
) -> None:
    refuse(ledger, full("rpd", 20, tier="free"))
    for moment, opens in ((0.0, False), (LATE - 1, False), (LATE, True)):
        clock.pass_(midnight(NOON) + moment - clock.wall)
        answer = ledger.admit(ASKING, ONE)
        assert isinstance(answer, Grant) is opens
    assert day(clock.wall) != day(NOON)


def test_a_refusal_for_the_day_shows_a_full_window(ledger: Ledger) -> None:
    refuse(ledger, full("rpd", 20, tier="free"))
    use = window(ledger, "rpd")
    assert (use.used, use.left) == (20, 0) and use.limit.provenance == LEARNED
    assert use.closed_until == midnight(NOON) + LATE
    assert ledger.store.totals([STREAM.scope], day(NOON)).requests == 0  # a 429 costs nothing


def test_a_limit_of_0_closes_without_a_size(ledger: Ledger) -> None:
    refuse(ledger, Lesson("limit0", "rpd", tier="free"))
    wall = denied(ledger).last
    assert wall.window == "limit0" and wall.firm and wall.closed


@pytest.mark.parametrize("kind", ["spend", "prepaid", "tool", "shared", "unknown"])
def test_what_is_no_window_of_the_model_closes_nothing(ledger: Ledger, kind: Any) -> None:
    refuse(ledger, Lesson(kind))
    admit(ledger)


def test_a_refusal_for_the_minute_closes_as_long_as_it_says(ledger: Ledger, clock: Hands) -> None:
    refuse(ledger, full("rpm", 10, tier="free", wait=7.0))
    answer = denied(ledger)
    assert answer.firm and answer.last.opens == NOON + 7
    clock.pass_(7)
    admit(ledger)


def test_a_prompt_that_never_fits_does_not_hold_others_up(ledger: Ledger, clock: Hands) -> None:
    grant = admit(ledger, amount=Amount(1, 500))
    ledger.learn(grant, full("tpm", 400, tier="free", wait=1.0))
    ledger.settle(grant, "refused")
    clock.pass_(1)
    admit(ledger)
    assert math.isinf(denied(ledger, amount=Amount(1, 500)).last.opens)


# --- answers that cross a refusal ----------------------------------------------------------------


@pytest.mark.parametrize("lesson", [full("rpd", 20, tier="free"), full("rpm", 20, wait=50.0)])
def test_an_older_answer_does_not_undo_a_newer_refusal(
    ledger: Ledger, clock: Hands, lesson: Lesson
) -> None:
    older = admit(ledger)
    clock.pass_(1)
    refuse(ledger, lesson)
    clock.pass_(1)
    ledger.settle(older, "answered", tokens=10)
    assert denied(ledger).last.closed
    newer = admit(ledger, asks(force=True))
    ledger.settle(newer, "answered", tokens=10)
    admit(ledger)


def test_older_answers_do_not_lift_a_newer_limit(ledger: Ledger, clock: Hands) -> None:
    older = [admit(ledger) for _ in range(3)]
    clock.pass_(1)
    refuse(ledger, full("rpm", 2, tier="free", wait=0.5))
    clock.pass_(1)
    for grant in older:
        ledger.settle(grant, "answered", tokens=10)
    limit = window(ledger, "rpm").limit
    assert (limit.size, limit.provenance, limit.firm) == (2, LEARNED, True)
    ledger.settle(admit(ledger, asks(force=True)), "answered", tokens=10)
    limit = window(ledger, "rpm").limit
    assert (limit.size, limit.provenance, limit.firm) == (5, LEARNED, False)


# --- midnight ------------------------------------------------------------------------------------

DAYS = [(2026, 11, 22), (2026, 3, 8), (2026, 11, 1)]


@pytest.mark.parametrize("wall", DAYS, ids=["24 h", "23 h", "25 h"])
@pytest.mark.parametrize("offset", [-31.0, -30.0, -1.0, 0.0, 1.0, 29.0, 30.0])
def test_half_a_minute_around_midnight_needs_room_in_both_days(
    ledger: Ledger, clock: Hands, wall: tuple[int, int, int], offset: float
) -> None:
    begin = pacific(*wall)
    end = midnight(begin)
    clock.wall = end - 3600
    ledger.set_limits(BUCKET, {"rpd": 1})
    succeed(ledger)
    clock.pass_(3600 + offset)
    answer = ledger.admit(ASKING, ONE)
    assert isinstance(answer, Grant) is (offset >= LATE)
    if isinstance(answer, Denied):
        assert answer.last.opens == end + LATE


@pytest.mark.parametrize(
    ("offset", "both"), [(-31.0, False), (-30.0, True), (0.0, True), (29.0, True), (30.0, False)]
)
def test_half_a_minute_around_midnight_a_request_counts_in_both_days(
    ledger: Ledger, clock: Hands, offset: float, both: bool
) -> None:
    """The service may have counted it in either."""
    clock.wall = midnight(NOON) + offset
    succeed(ledger)
    days = [day(NOON), day(NOON + 86_400)]
    counted = [ledger.store.totals([STREAM.scope], one).requests for one in days]
    assert counted == ([1, 1] if both else [1, 0] if offset < 0 else [0, 1])


@pytest.mark.parametrize("wall", DAYS, ids=["24 h", "23 h", "25 h"])
def test_a_day_is_as_long_as_the_pacific_one(
    ledger: Ledger, clock: Hands, wall: tuple[int, int, int]
) -> None:
    begin = pacific(*wall)
    clock.wall = begin + LATE
    ledger.set_limits(BUCKET, {"rpd": 3})
    for _ in range(3):
        succeed(ledger)
        clock.pass_((midnight(begin) - begin - 2 * LATE) / 3)
    assert denied(ledger).last.opens == midnight(begin) + LATE
    clock.pass_(midnight(begin) + LATE - clock.wall)
    succeed(ledger, 3)


@pytest.mark.parametrize("after", [0.0, 31.0, 599.0])
def test_shortly_after_midnight_a_refusal_for_the_day_is_lag(
    ledger: Ledger, clock: Hands, after: float
) -> None:
    clock.wall = midnight(NOON) + after
    refuse(ledger, full("rpd", 20, tier="free"))
    assert denied(ledger).last.opens == clock.wall + LAG_PAUSE
    clock.pass_(LAG_PAUSE)
    admit(ledger)


def test_ten_minutes_after_midnight_it_is_the_day(ledger: Ledger, clock: Hands) -> None:
    clock.wall = midnight(NOON) + 600
    refuse(ledger, full("rpd", 20, tier="free"))
    assert denied(ledger).last.opens == midnight(clock.wall) + LATE


def test_after_lag_one_request_of_all_processes_tries(
    open_ledger: Callable[[], Ledger], clock: Hands
) -> None:
    first, second = open_ledger(), open_ledger()
    clock.wall = midnight(NOON) + 60
    refuse(first, full("rpd", 20, tier="free"))
    assert denied(second).firm
    clock.pass_(LAG_PAUSE)
    probe = admit(second)
    assert denied(first).last.opens == clock.wall + LAG_PAUSE
    second.settle(probe, "answered", tokens=10)
    admit(first)


def test_a_probe_that_is_refused_closes_again_and_after_ten_minutes_for_the_day(
    ledger: Ledger, clock: Hands
) -> None:
    clock.wall = start = midnight(NOON) + 60
    lesson = full("rpd", 20, tier="free")
    tries = 0
    while clock.wall < start + 1200:
        if isinstance(grant := ledger.admit(ASKING, ONE), Grant):
            tries += 1
            ledger.learn(grant, lesson)
            ledger.settle(grant, "refused")
        clock.pass_(1)
    assert tries == 6  # at 1, 3, 5, 7 and 9 minutes, and once after ten
    assert denied(ledger).last.opens == midnight(clock.wall) + LATE


def test_a_probe_that_is_not_let_in_leaves_the_try_to_the_next(
    ledger: Ledger, clock: Hands
) -> None:
    clock.wall = midnight(NOON) + 60
    ledger.set_limits(BUCKET, {"rpm": 1})
    refuse(ledger, full("rpd", 20, tier="free"))
    clock.pass_(LAG_PAUSE - 10)
    grant = admit(ledger, asks(force=True))
    ledger.settle(grant, "failed")
    clock.pass_(10)
    assert denied(ledger).last.window == "rpm"
    clock.pass_(LONGEST - 10)
    admit(ledger)


def test_a_probe_that_came_to_nothing_is_followed_by_another(ledger: Ledger, clock: Hands) -> None:
    clock.wall = midnight(NOON) + 60
    refuse(ledger, full("rpd", 20, tier="free"))
    clock.pass_(LAG_PAUSE)
    ledger.settle(admit(ledger), "failed")
    assert denied(ledger).firm
    clock.pass_(LAG_PAUSE)
    ledger.settle(admit(ledger), "answered", tokens=10)
    admit(ledger)


# --- who is who ----------------------------------------------------------------------------------


def test_an_alias_merges_the_counts_of_both_names_at_once(ledger: Ledger) -> None:
    latest = Asking(Stream("key:1", "gemini-flash-latest"), trusted=True)
    real = Asking(Stream("key:1", "gemini-3.8-flash"), trusted=True)
    ledger.set_limits(Bucket("key:1", "gemini-3.8-flash"), {"rpm": 4})
    succeed(ledger, 2, real)
    succeed(ledger, 1, latest)
    grant = admit(ledger, latest)
    ledger.answers_as(grant, "gemini-3.8-flash")
    for asking in (latest, real):
        answer = denied(ledger, asking)
        assert (answer.last.used, answer.last.size) == (4, 4)
        assert answer.bucket.model == "gemini-3.8-flash"


@pytest.mark.parametrize("version", ["gemini-2.5-flash", "gemini-2.5-flash-001"])
def test_a_dated_version_is_no_alias(ledger: Ledger, version: str) -> None:
    ledger.answers_as(admit(ledger), version)
    assert [bucket.model for bucket in ledger.buckets()] == [FLASH]


def test_a_refusal_names_the_model_whose_quota_it_is(ledger: Ledger) -> None:
    latest = Asking(Stream("key:1", "gemini-flash-latest"), trusted=True)
    refuse(ledger, full("rpd", 20, tier="free", model="gemini-3.8-flash"), latest)
    assert denied(ledger, Asking(Stream("key:1", "gemini-3.8-flash"), trusted=True)).last.closed


def test_two_keys_of_one_labelled_project_share_its_limits(ledger: Ledger) -> None:
    first, second = (Asking(Stream(f"key:{n}", FLASH), label="mine") for n in (1, 2))
    ledger.set_limits(Bucket("mine", FLASH), {"rpd": 3})
    succeed(ledger, 1, first)
    succeed(ledger, 2, second)
    assert denied(ledger, first).last.used == 3


def test_a_label_given_later_merges_the_history(ledger: Ledger) -> None:
    keys = [Asking(Stream(f"key:{n}", FLASH), trusted=True) for n in (1, 2)]
    for asking in keys:
        succeed(ledger, 2, asking)
    labelled = [asks(asking, label="mine") for asking in keys]
    ledger.set_limits(Bucket("mine", FLASH), {"rpd": 5})
    succeed(ledger, 1, labelled[0])
    ledger.admit(labelled[1], ONE)  # says whose the second key is
    assert denied(ledger, labelled[0]).last.used == 5


def test_a_project_that_errors_name_merges_the_keys_that_share_it(ledger: Ledger) -> None:
    keys = [Asking(Stream(f"key:{n}", FLASH), trusted=True) for n in (1, 2)]
    for asking in keys:
        refuse(ledger, Lesson("tool", project="projects/7"), asking)
    ledger.set_limits(Bucket("projects/7", FLASH), {"rpd": 2})
    for asking in keys:
        succeed(ledger, 1, asking)
    assert denied(ledger, keys[0]).bucket.project == "projects/7"


@pytest.mark.parametrize("trusted", [True, False])
def test_only_google_itself_says_who_is_who(ledger: Ledger, trusted: bool) -> None:
    """What a gateway says of models and projects is about its own, not about the user's."""
    latest = asks(stream=Stream("key:1", "gemini-flash-latest"), trusted=trusted)
    grant = admit(ledger, latest)
    ledger.learn(grant, Lesson("tool", project="projects/7"))
    ledger.answers_as(grant, "gemini-3.8-flash")
    ledger.settle(grant, "answered", tokens=10)
    own = Bucket("projects/7", "gemini-3.8-flash")
    assert list(ledger.buckets()) == [own if trusted else Bucket("key:1", "gemini-flash-latest")]


@pytest.mark.parametrize("trusted", [True, False])
def test_only_google_itself_closes_another_name_than_was_asked(
    ledger: Ledger, trusted: bool
) -> None:
    real = Asking(Stream("key:1", "gemini-3.8-flash"), trusted=True)
    asked = asks(stream=Stream("key:1", "gemini-flash-latest"), trusted=trusted)
    refuse(ledger, full("rpd", 20, tier="free", model="gemini-3.8-flash"), asked)
    assert denied(ledger, asked).last.closed
    assert isinstance(ledger.admit(real, ONE), Denied) is trusted


def test_what_is_left_is_told_of_the_bucket_as_it_is_known_by_then(ledger: Ledger) -> None:
    grant = admit(ledger)
    ledger.learn(grant, full("rpm", 3, tier="free", model="gemini-3.8-flash", wait=1.0))
    left = {one.window: one for one in ledger.settle(grant, "refused")}
    assert (left["rpm"].used, left["rpm"].size, left["rpm"].provenance) == (3, 3, LEARNED)


# --- budgets -------------------------------------------------------------------------------------

DAY = Budget("proxy", "day", DOLLAR, "UTC")
PAID = Asking(Stream("key:9", "m", "proxy"), budgets=(DAY,))


def costing(cost: int) -> Amount:
    return Amount(1, 10, cost=cost)


def test_a_budget_is_reserved_settled_and_refuses(ledger: Ledger) -> None:
    grant = admit(ledger, PAID, costing(600_000))
    wall = denied(ledger, PAID, costing(400_001)).last
    assert (wall.window, wall.used, wall.size, wall.firm) == ("budget", 600_000, DOLLAR, True)
    assert wall.opens == midnight(NOON, "UTC")
    ledger.settle(grant, "answered", tokens=10, cost=100_000)
    admit(ledger, PAID, costing(900_000))


def test_what_will_never_fit_a_budget_is_told_so(ledger: Ledger) -> None:
    assert math.isinf(denied(ledger, PAID, costing(DOLLAR + 1)).last.opens)


def test_a_request_may_cost_all_that_the_budget_leaves(ledger: Ledger) -> None:
    first = admit(ledger, PAID, costing(400_000))
    assert first.allowance == DOLLAR
    second = admit(ledger, PAID, costing(600_000))
    assert second.allowance == 600_000
    assert admit(ledger, asks(PAID, force=True), costing(1)).allowance is None


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kathmandu", "local"])
@pytest.mark.parametrize("period", ["day", "month"])
def test_a_budget_opens_when_its_period_ends_in_its_zone(
    ledger: Ledger, clock: Hands, period: str, zone: str
) -> None:
    budget = Budget("proxy", period, 100, zone)
    asking = asks(PAID, budgets=(budget,))
    succeed(ledger, 1, asking, cost=100)
    opens = denied(ledger, asking, costing(1)).last.opens
    assert opens == budget.ends(NOON) > NOON
    clock.pass_(opens - NOON - 0.125)
    denied(ledger, asking, costing(1))
    clock.pass_(0.125)
    admit(ledger, asking, costing(100))


def test_the_smaller_of_two_budgets_holds(ledger: Ledger) -> None:
    budgets = (Budget("proxy", "day", 100, "UTC"), Budget("proxy", "month", 150, "UTC"))
    asking = asks(PAID, budgets=budgets)
    assert admit(ledger, asking, costing(90)).allowance == 100
    assert denied(ledger, asking, costing(20)).last.size == 100
    assert admit(ledger, asking, costing(10)).allowance == 10


def test_a_budget_is_the_backends_whatever_model_is_asked(ledger: Ledger) -> None:
    admit(ledger, PAID, costing(DOLLAR))
    other = asks(PAID, stream=Stream("key:9", "other", "proxy"))
    assert denied(ledger, other, costing(1)).last.window == "budget"


# --- what faces show -----------------------------------------------------------------------------


def test_a_snapshot_shows_what_is_in_use(ledger: Ledger, clock: Hands) -> None:
    succeed(ledger, 2)
    admit(ledger, PAID, costing(5))
    seen = ledger.snapshot(lambda host: host == "host", [DAY])
    flash, proxy = sorted(seen.buckets, key=lambda use: use.bucket.model)
    assert flash.backends == ("studio",) and flash.models == (FLASH,) and flash.guessed
    used = {use.window: (use.used, use.limit and use.limit.size) for use in flash.windows}
    assert used == {"rpm": (2, 5), "tpm": (20, SEEDS["tpm"]), "rpd": (2, 20)}
    assert {use.window: use.limit for use in proxy.windows} == {"rpd": None}
    (budget,) = seen.budgets
    assert (budget.used, budget.limit, budget.resets) == (5, DOLLAR, midnight(NOON, "UTC"))
    assert seen.at == NOON and seen.where.endswith("ledger.db")


def test_a_snapshot_knows_the_tier_that_the_user_told(ledger: Ledger) -> None:
    succeed(ledger, 1, asks(tier="tier1"))
    seen = ledger.snapshot(lambda host: True, tiers={"studio": "tier1"}).buckets[0]
    assert seen.bucket.tier == "tier1"
    free, paid = seed(FLASH, "free", "rpm"), seed(FLASH, "tier1", "rpm")
    limits = {use.window: use.limit for use in seen.windows}
    assert free != paid and limits["rpm"] == paid


def test_a_bucket_that_nobody_used_for_a_week_is_not_shown(ledger: Ledger, clock: Hands) -> None:
    succeed(ledger)
    clock.pass_(8 * 86_400)
    assert ledger.snapshot(lambda host: True).buckets == ()


def test_the_history_adds_up_by_day_and_model(ledger: Ledger, clock: Hands) -> None:
    succeed(ledger, 2, output=5, cost=3)
    clock.pass_(86_400)
    succeed(ledger, 1, asks(stream=Stream("key:1", "pro", "studio")))
    rows = [(use.day, use.model, use.requests, use.output, use.cost) for use in ledger.history(7)]
    assert rows == [(day(NOON), FLASH, 2, 10, 6), (day(clock.wall), "pro", 1, 0, 0)]
    assert [use.model for use in ledger.history(1)] == ["pro"]


def test_a_change_of_any_process_is_noticed(open_ledger: Callable[[], Ledger]) -> None:
    first, second = open_ledger(), open_ledger()
    before = first.changes()
    assert first.changes() == before
    succeed(second)
    assert first.changes() != before


# --- several processes ---------------------------------------------------------------------------


def test_what_one_process_learns_holds_the_others_at_once(
    open_ledger: Callable[[], Ledger],
) -> None:
    first, second = open_ledger(), open_ledger()
    succeed(first)
    succeed(second)
    refuse(first, full("rpd", 20, tier="free"))
    assert denied(second).last.closed
    second.reset(BUCKET)
    admit(first)
    second.set_limits(BUCKET, {"rpm": 3})
    assert denied(first).last.size == 3


def test_after_a_damaged_file_all_processes_hash_keys_alike(
    open_ledger: Callable[[], Ledger], sqlite_place: SqlitePlace
) -> None:
    first, second = open_ledger(), open_ledger()
    before = first.salt
    assert second.salt == before
    for one in (first, second):
        one.store.close()
    sqlite_place.path.write_bytes(b"no database" * 1000)
    with pytest.raises(Exception, match="damaged"):
        first.admit(ASKING, ONE)
    assert first.salt == second.salt != before
    admit(first)
    admit(second)


# --- the clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [-3600.0, -4.0, 4.0, 3600.0])
def test_a_services_clock_moves_the_ledgers(ledger: Ledger, clock: Hands, ahead: float) -> None:
    grant = admit(ledger)
    ledger.answered(grant, 0.25, NOON + ahead)
    assert ledger.store.now() == pytest.approx(NOON + ahead + 0.25)
    for _ in range(4):
        admit(ledger)
    assert denied(ledger).last.used == 5  # a minute lasts a minute, whatever the clock


@pytest.mark.parametrize("ahead", [-2.5, 0.0, 2.5])
def test_the_inexactness_of_a_date_moves_nothing(
    ledger: Ledger, clock: Hands, ahead: float
) -> None:
    ledger.answered(admit(ledger), 0.0, NOON + ahead)
    assert ledger.store.now() == NOON


@pytest.mark.parametrize("ahead", [-1e9, -86_400.0, 86_400.0, 1e9, 1e300])
def test_a_date_that_is_a_day_off_is_not_believed(ledger: Ledger, ahead: float) -> None:
    ledger.answered(admit(ledger), 0.0, NOON + ahead)
    assert ledger.store.now() == NOON


def test_a_date_that_is_nearly_a_day_off_is_believed(ledger: Ledger) -> None:
    ledger.answered(admit(ledger), 0.0, NOON + 86_399.0)
    assert ledger.store.now() == NOON + 86_399.0
