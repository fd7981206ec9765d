"""What every store promises: the same tests for SQLite's and for Redis'."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gemini_magic.quota.store import (
    Admitted,
    Amount,
    Full,
    Obstacle,
    Plan,
    Stale,
    Store,
)
from tests.quota.stores import (
    GRACE,
    LONGEST,
    MINUTE,
    NOON,
    TOLERANCE,
    Hands,
    Model,
    Place,
    admitted,
    ask,
    full,
    gate,
    in_minute,
    in_processes,
    plan,
)

DAY = "2026-11-22"
HALF = Amount(requests=1, tokens=50, images=2, cost=7, output=3)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def store(place: Place, clock: Hands) -> Store:
    return place.open(clock)


# --- counting ------------------------------------------------------------------------------------


def test_a_reservation_is_counted_at_once_and_everywhere(
    place: Place, clock: Hands, store: Store
) -> None:
    months = (("a", DAY), ("a", "2026-11"), ("backend:google", "2026-11"))
    taken = admitted(store.reserve(plan(amount=HALF, counted=months)))
    assert taken.at == NOON
    other = place.open(clock)
    assert other.minute(["a"]) == in_minute(HALF)
    assert other.minute(["b"]) == Amount()
    assert other.totals(["a"], DAY) == HALF
    assert other.totals(["a", "backend:google", "b"], "2026-11") == HALF + HALF
    assert other.history("") == dict.fromkeys(months, HALF)
    assert other.history("2026-11-01") == {("a", DAY): HALF}
    assert other.history("2026-12") == {}


def test_settlement_replaces_the_reservation_and_can_be_repeated(store: Store) -> None:
    taken = admitted(store.reserve(plan(amount=HALF)))
    real = Amount(requests=1, tokens=12, cost=2, output=900)
    for total in (real, real, Amount(), real):
        store.settle(taken.id, Amount(requests=1), total)
        assert store.minute(["a"]) == Amount(requests=1)
        assert store.totals(["a"], DAY) == total


def test_never_sent_leaves_no_trace_in_any_window(store: Store) -> None:
    taken = admitted(store.reserve(plan(gate(1))))
    store.settle(taken.id, Amount(), Amount())
    assert store.minute(["a"]) == store.totals(["a"], DAY) == Amount()
    admitted(store.reserve(plan(gate(1))))


def test_late_settlement_corrects_its_own_minute_and_period_only(
    clock: Hands, store: Store
) -> None:
    early = admitted(store.reserve(plan(amount=HALF)))
    clock.pass_(86_400)
    admitted(store.reserve(plan(amount=HALF, counted=(("a", "2026-11-23"),))))
    store.settle(early.id, Amount(tokens=1_000), Amount(requests=1, tokens=1_000))
    assert store.minute(["a"]) == in_minute(HALF)
    assert store.totals(["a"], "2026-11-23") == HALF
    assert store.totals(["a"], DAY) == Amount(requests=1, tokens=1_000)


def test_what_is_unknown_is_ignored(store: Store) -> None:
    admitted(store.reserve(plan()))
    store.renew("77")
    store.answered("77", 0.0)
    store.settle("77", HALF, HALF)
    store.forget(["nobody"])
    assert store.minute(["a"]) == Amount(requests=1)
    assert store.totals([], DAY) == store.minute([]) == Amount()


def test_amounts_are_exact_however_large(store: Store) -> None:
    large = Amount(1, 2**50 + 1, 0, 2**51 + 3, 12_345_678_901_234_567 % 2**53)
    admitted(store.reserve(plan(amount=large)))
    assert store.totals(["a"], DAY) == large
    assert store.minute(["a"]) == in_minute(large)


@pytest.mark.parametrize("scope", ["p/models/x:free", "naïve 名前", "a b'\"\\{}", "x" * 300])
def test_any_name_is_a_scope(store: Store, scope: str) -> None:
    taken = admitted(store.reserve(plan(gate(1, scope), scope=scope, counted=((scope, DAY),))))
    full(store.reserve(plan(gate(1, scope), scope=scope)))
    store.settle(taken.id, Amount(1), Amount(2))
    assert store.history("") == {(scope, DAY): Amount(2)}


# --- the rolling minute --------------------------------------------------------------------------


def test_without_an_answer_a_request_counts_for_a_minute_and_the_grace(
    clock: Hands, store: Store
) -> None:
    admitted(store.reserve(plan(gate(1))))
    clock.pass_(LONGEST - 0.125)
    assert full(store.reserve(plan(gate(1)))).obstacles[0].opens == NOON + LONGEST
    clock.pass_(0.125)
    assert store.minute(["a"]) == Amount()
    admitted(store.reserve(plan(gate(1))))


def test_an_answer_ends_the_minute_60_seconds_after_its_headers(clock: Hands, store: Store) -> None:
    taken = admitted(store.reserve(plan(gate(1))))
    clock.pass_(3.0)
    store.answered(taken.id, 0.5)
    obstacle = full(store.reserve(plan(gate(1)))).obstacles[0]
    assert obstacle == Obstacle(gate(1), 1, NOON + 2.5 + MINUTE)
    clock.pass_(obstacle.opens - clock.wall - 0.125)
    full(store.reserve(plan(gate(1))))
    clock.pass_(0.125)
    admitted(store.reserve(plan(gate(1))))


def test_a_renewed_request_counts_from_its_renewal(clock: Hands, store: Store) -> None:
    taken = admitted(store.reserve(plan(gate(1))))
    for _ in range(40):
        clock.pass_(4.0)
        store.renew(taken.id)
    assert full(store.reserve(plan(gate(1)))).obstacles[0].opens == clock.wall + LONGEST
    store.answered(taken.id, 0.0)
    assert full(store.reserve(plan(gate(1)))).obstacles[0].opens == clock.wall + MINUTE


def test_a_request_whose_minute_ended_can_come_back(clock: Hands, store: Store) -> None:
    """A machine sleeps while its request is on the way; when it wakes, it goes on."""
    taken = admitted(store.reserve(plan(gate(1))))
    clock.pass_(100.0)
    assert store.minute(["a"]) == Amount()
    admitted(store.reserve(plan(gate(1), scope="a")))
    store.renew(taken.id)
    assert store.minute(["a"]) == Amount(requests=2)
    clock.pass_(LONGEST)
    assert store.minute(["a"]) == Amount()


def test_a_crash_leaves_the_reservation_until_its_window_ends_and_no_longer(
    place: Place, clock: Hands
) -> None:
    admitted(place.open(clock).reserve(plan(gate(1))))  # and nobody holds that store
    other = place.open(clock)
    clock.pass_(MINUTE + GRACE - 0.125)
    full(other.reserve(plan(gate(1))))
    clock.pass_(0.125)
    admitted(other.reserve(plan(gate(1))))
    assert other.totals(["a"], DAY) == Amount(requests=2)


def test_leaves_is_when_the_next_request_leaves_the_minute(clock: Hands, store: Store) -> None:
    assert store.leaves(["a", "b"]) is store.leaves([]) is None
    first = admitted(store.reserve(plan()))
    clock.pass_(2.0)
    admitted(store.reserve(plan(scope="b")))
    assert store.leaves(["a"]) == store.leaves(["a", "b"]) == NOON + LONGEST
    assert store.leaves(["b"]) == NOON + 2.0 + LONGEST
    clock.pass_(2.0)
    store.answered(first.id, 0.0)
    assert store.leaves(["a"]) == NOON + 4.0 + MINUTE
    store.settle(first.id, Amount(requests=1), Amount())
    assert store.leaves(["a"]) == NOON + 4.0 + MINUTE
    unsent = admitted(store.reserve(plan(scope="b")))
    store.settle(unsent.id, Amount(), Amount())  # it takes no room, so none gets free
    assert store.leaves(["b"]) == NOON + 2.0 + LONGEST
    clock.pass_(MINUTE)
    assert store.leaves(["a"]) is None
    assert store.leaves(["a", "b"]) == NOON + 2.0 + LONGEST
    clock.pass_(LONGEST)
    assert store.leaves(["a", "b"]) is None


# --- gates ---------------------------------------------------------------------------------------


def test_opens_is_when_enough_has_left_and_no_sooner(clock: Hands, store: Store) -> None:
    for tokens in (30, 10, 60):
        admitted(store.reserve(plan(amount=Amount(1, tokens))))
        clock.pass_(1.0)
    for needed, when in ((1, 0.0), (30, 0.0), (31, 1.0), (40, 1.0), (41, 2.0), (100, 2.0)):
        asked = plan(gate(100, unit="tokens", window="tpm"), amount=Amount(1, needed))
        assert full(store.reserve(asked)).obstacles[0].opens == NOON + when + LONGEST
    asked = plan(gate(100, unit="tokens"), amount=Amount(1, 101))
    assert full(store.reserve(asked)).obstacles[0].opens == math.inf
    clock.wall = clock.wall + LONGEST - 2.0
    clock.since_boot = clock.since_boot + LONGEST - 2.0  # the second one leaves now
    full(store.reserve(plan(gate(100, unit="tokens"), amount=Amount(1, 41))))
    admitted(store.reserve(plan(gate(100, unit="tokens"), amount=Amount(1, 40))))


def test_a_gate_sums_all_of_its_scopes(store: Store) -> None:
    for scope in ("a", "b"):
        admitted(store.reserve(plan(scope=scope)))
    both = gate(2, "a", "b")
    assert full(store.reserve(plan(both))).obstacles == (Obstacle(both, 2, NOON + LONGEST),)
    admitted(store.reserve(plan(gate(2, "a", "c"))))
    today = gate(3, "a", "b", period=DAY, opens=NOON + 72_000.0)
    assert full(store.reserve(plan(today))).obstacles == (Obstacle(today, 3, NOON + 72_000.0),)


def test_a_period_opens_when_the_gate_says_and_never_for_too_large_a_request(store: Store) -> None:
    budget = gate(100, "team", unit="cost", period="2026-11", opens=NOON + 1e6, window="budget")
    counted = (("a", DAY), ("team", "2026-11"))
    admitted(store.reserve(plan(budget, amount=Amount(1, cost=60), counted=counted)))
    for cost, opens in ((41, NOON + 1e6), (100, NOON + 1e6), (101, math.inf)):
        asked = plan(budget, amount=Amount(1, cost=cost), counted=counted)
        assert full(store.reserve(asked)).obstacles == (Obstacle(budget, 60, opens),)
    admitted(store.reserve(plan(budget, amount=Amount(1, cost=40), counted=counted)))


def test_all_gates_in_the_way_are_told_and_nothing_is_taken(store: Store) -> None:
    admitted(store.reserve(plan(amount=Amount(1, 10))))
    soft = gate(1, hard=False)
    room = gate(5)
    day = gate(1, period=DAY, opens=NOON + 10.0)
    tokens = gate(12, unit="tokens", window="tpm")
    before = store.changes()
    outcome = full(store.reserve(plan(soft, room, day, tokens, amount=Amount(1, 3))))
    assert outcome.at == NOON
    assert outcome.obstacles == (
        Obstacle(soft, 1, NOON + LONGEST),
        Obstacle(day, 1, NOON + 10.0),
        Obstacle(tokens, 10, NOON + LONGEST),
    )
    assert store.minute(["a"]) == store.totals(["a"], DAY) == Amount(1, 10)
    assert store.changes() == before
    admitted(store.reserve(plan(room, amount=Amount(1, 3))))  # asked again without them


def test_a_window_may_hold_more_than_its_limit(clock: Hands, store: Store) -> None:
    """Settlement may find more than was reserved; nothing is lost of it."""
    taken = admitted(store.reserve(plan(gate(10, unit="tokens"), amount=Amount(1, 10))))
    store.settle(taken.id, Amount(1, 25), Amount(1, 25))
    asked = plan(gate(10, unit="tokens"), amount=Amount(1, 1))
    assert full(store.reserve(asked)).obstacles[0] == Obstacle(asked.gates[0], 25, NOON + LONGEST)
    clock.pass_(LONGEST)
    admitted(store.reserve(asked))


def test_a_limit_of_nothing_never_opens(store: Store) -> None:
    obstacles = full(store.reserve(plan(gate(0), gate(0, period=DAY, opens=NOON)))).obstacles
    assert [obstacle.opens for obstacle in obstacles] == [math.inf, math.inf]


# --- plans that are out of date ------------------------------------------------------------------


def test_a_plan_for_other_rules_is_stale(store: Store) -> None:
    assert store.replace_rules(0, "{}")
    assert store.reserve(plan()) == Stale(1, NOON)
    assert store.minute(["a"]) == Amount()
    admitted(store.reserve(plan(version=1)))
    assert store.reserve(plan(version=2)) == Stale(1, NOON)


def test_a_plan_is_stale_from_the_moment_it_ends(clock: Hands, store: Store) -> None:
    asked = plan(until=NOON + 1.0)
    clock.pass_(0.875)
    admitted(store.reserve(asked))
    clock.pass_(0.125)
    assert store.reserve(asked) == Stale(0, NOON + 1.0)


# --- rules, salt, changes, forgetting ------------------------------------------------------------


def test_rules_are_replaced_only_by_who_saw_the_newest(place: Place) -> None:
    one, two = place.open(), place.open()
    assert one.rules() == two.rules() == (0, "")
    assert one.replace_rules(0, '{"größe": "名前"}')
    assert not two.replace_rules(0, "lost")
    assert two.rules() == (1, '{"größe": "名前"}')
    assert two.replace_rules(1, "")
    assert one.rules() == (2, "")


def test_the_salt_is_random_and_shared(place: Place) -> None:
    salt = place.open().salt()
    assert len(salt) >= 16
    assert place.open().salt() == salt
    place.fresh()
    assert place.open().salt() != salt


@pytest.mark.parametrize("mine", [True, False])
def test_changes_tells_of_every_change(place: Place, clock: Hands, mine: bool) -> None:
    watching = place.open(clock)
    acting = watching if mine else place.open(clock)
    acting.now()
    watching.changes()
    id = ""

    def reserve() -> None:
        nonlocal id
        id = admitted(acting.reserve(plan())).id

    steps: list[Callable[[], Any]] = [
        reserve,
        lambda: acting.renew(id),
        lambda: acting.answered(id, 0.0),
        lambda: acting.settle(id, Amount(1, 2), Amount(1, 2)),
        lambda: acting.replace_rules(0, "x"),
        lambda: acting.correct_clock(1.0),
        lambda: acting.forget(["a"]),
    ]
    seen = watching.changes()
    for step in steps:
        assert watching.changes() == seen
        step()
        now = watching.changes()
        assert now != seen
        seen = now


def test_forgetting_leaves_the_others(clock: Hands, store: Store) -> None:
    for scope in ("a", "b"):
        admitted(store.reserve(plan(scope=scope, counted=((scope, DAY), (scope, "2026-11")))))
    store.forget(["a"])
    assert store.minute(["a"]) == Amount()
    assert set(store.history("")) == {("b", DAY), ("b", "2026-11")}
    admitted(store.reserve(plan(gate(1, "a"))))
    full(store.reserve(plan(gate(1, "b"))))


def test_a_request_on_its_way_is_forgotten_too(store: Store) -> None:
    taken = admitted(store.reserve(plan(amount=HALF)))
    store.forget(["a"])
    store.settle(taken.id, Amount(1), Amount(1))
    store.renew(taken.id)
    assert store.minute(["a"]) == store.totals(["a"], DAY) == Amount()


def test_forgotten_totals_never_fall_below_nothing(store: Store) -> None:
    """A budget is reset while a request that counts in it is on its way."""
    counted = (("a", DAY), ("budget", DAY))
    taken = admitted(store.reserve(plan(amount=Amount(1, cost=100), counted=counted)))
    store.forget(["budget"])
    admitted(store.reserve(plan(amount=Amount(1, cost=10), counted=counted)))
    store.settle(taken.id, Amount(1), Amount(1, cost=30))
    assert store.totals(["budget"], DAY) == Amount(1, cost=10)
    assert store.totals(["a"], DAY) == Amount(2, cost=40)


def test_a_scope_is_forgotten_and_the_rest_of_its_request_is_settled(store: Store) -> None:
    counted = (("a", DAY), ("budget", DAY))
    taken = admitted(store.reserve(plan(amount=Amount(1, cost=100), counted=counted)))
    store.forget(["a"])
    store.settle(taken.id, Amount(1), Amount(1, cost=30))
    assert store.history("") == {("budget", DAY): Amount(1, cost=30)}


def test_folding_changes_no_sum(clock: Hands, store: Store) -> None:
    taken = admitted(store.reserve(plan(amount=HALF)))
    store.fold()
    assert store.minute(["a"]) == in_minute(HALF)
    assert store.totals(["a"], DAY) == HALF
    clock.pass_(86_400.0)
    store.fold()
    store.settle(taken.id, Amount(1), Amount(1, 2))  # a day late is not too late
    assert store.totals(["a"], DAY) == Amount(1, 2)
    clock.pass_(3 * 86_400.0)
    admitted(store.reserve(plan()))
    store.fold()
    store.settle(taken.id, Amount(), Amount())  # too late: nothing is known of it any more
    assert store.totals(["a"], DAY) == Amount(2, 2)


def test_folding_leaves_nothing_in_a_minute_that_nobody_looked_at_since(
    clock: Hands, store: Store
) -> None:
    admitted(store.reserve(plan(gate(1), amount=Amount(1, 10))))
    clock.pass_(3 * 86_400.0)
    admitted(store.reserve(plan(scope="b", counted=(("b", DAY),))))
    store.fold()
    store.fold()
    assert store.minute(["a"]) == Amount()
    admitted(store.reserve(plan(gate(1))))


# --- the clock -----------------------------------------------------------------------------------


def test_setting_the_clock_moves_no_window_where_the_boot_is_known(
    place: Place, clock: Hands
) -> None:
    if not place.has_boots:
        pytest.skip("its clock is the server's wall clock")
    store = place.open(clock)
    admitted(store.reserve(plan(gate(1))))
    for seconds in (3_600.0, -86_400.0, 1e9):
        clock.step(seconds)
        for each in (store, place.open(clock)):
            assert each.now() == NOON
            assert full(each.reserve(plan(gate(1)))).obstacles[0].opens == NOON + LONGEST
    clock.pass_(LONGEST)
    admitted(store.reserve(plan(gate(1))))


@pytest.mark.parametrize("back", [0.125, TOLERANCE])
def test_time_stands_still_until_a_small_step_back_is_over(
    place: Place, clock: Hands, back: float
) -> None:
    clock.boot = ""
    store = place.open(clock)
    admitted(store.reserve(plan()))
    clock.step(-back)
    for each in (store, place.open(clock)):
        assert each.now() == NOON
        assert admitted(each.reserve(plan())).at == NOON
    clock.pass_(back + 1.0)
    assert store.now() == NOON + 1.0


@pytest.mark.parametrize("again", [True, False], ids=["opened again", "kept open"])
@pytest.mark.parametrize("back", [TOLERANCE + 0.125, 3_600.0, 3e8])
def test_a_future_that_was_never_true_passes(
    place: Place, clock: Hands, back: float, again: bool
) -> None:
    """The clock was ahead and is set right: what it stamped counts as of now, and then no more."""
    clock.boot = ""
    store = place.open(clock)
    admitted(store.reserve(plan(gate(1))))
    clock.step(-back)
    if again:
        store = place.open(clock)
    assert store.now() == NOON - back
    assert full(ask(store, plan(gate(1)))).obstacles[0].opens <= NOON - back + LONGEST
    clock.pass_(LONGEST)
    admitted(store.reserve(plan(gate(1))))
    assert store.now() == NOON - back + LONGEST


def test_a_day_that_never_was_is_the_present_one(place: Place, clock: Hands) -> None:
    clock.boot = ""
    clock.step(3 * 86_400.0)
    store = place.open(clock)
    counted = (("a", "2026-11-25"), ("team", "2026-11"))
    taken = admitted(store.reserve(plan(amount=HALF, counted=counted)))
    clock.step(-3 * 86_400.0)
    today = gate(1, period=DAY, opens=NOON + 100.0)
    assert full(ask(store, plan(today))).obstacles == (Obstacle(today, 1, NOON + 100.0),)
    store.settle(taken.id, Amount(1), Amount(1, 2))
    assert store.totals(["a"], DAY) == store.totals(["team"], "2026-11") == Amount(1, 2)
    assert store.totals(["a"], "2026-11-25") == Amount()


def test_suspend_counts(place: Place, clock: Hands) -> None:
    store = place.open(clock)
    admitted(store.reserve(plan(gate(1))))
    clock.pass_(8 * 3_600.0)
    assert store.now() == NOON + 8 * 3_600.0
    admitted(store.reserve(plan(gate(1))))


def test_a_reboot_keeps_what_happened_before(place: Place, clock: Hands) -> None:
    admitted(place.open(clock).reserve(plan(gate(1))))
    clock.reboot(30.0)
    store = place.open(clock)
    assert store.now() == NOON + 30.0
    assert full(store.reserve(plan(gate(1)))).obstacles[0].opens == NOON + LONGEST
    clock.pass_(LONGEST - 30.0)
    admitted(store.reserve(plan(gate(1))))


def test_after_a_reboot_with_a_wrong_clock_nothing_is_closed_for_long(
    place: Place, clock: Hands
) -> None:
    admitted(place.open(clock).reserve(plan(gate(1))))
    clock.reboot(-1e8)  # an empty battery
    store = place.open(clock)
    full(ask(store, plan(gate(1))))
    clock.pass_(LONGEST)
    admitted(store.reserve(plan(gate(1))))


@pytest.mark.parametrize("ahead", [0.25, 100.0, 7_200.0, -4.0, -100.0, -7_200.0])
def test_a_correction_moves_the_clock_for_everybody_and_no_window(
    place: Place, clock: Hands, ahead: float
) -> None:
    """A minute lasts 60 s of real time, whatever is learned of the clock in between."""
    store, other = place.open(clock), place.open(clock)
    assert other.now() == NOON
    admitted(store.reserve(plan(gate(1))))
    clock.pass_(5.0)
    store.correct_clock(ahead)
    assert store.now() == other.now() == pytest.approx(NOON + 5.0 + ahead, abs=1e-6)
    clock.pass_(LONGEST - 5.125)
    full(ask(other, plan(gate(1))))
    clock.pass_(0.25)
    admitted(ask(other, plan(gate(1))))


def test_corrections_add_up(place: Place, clock: Hands) -> None:
    store = place.open(clock)
    for ahead in (3.0, -1.5, 0.25):
        store.correct_clock(ahead)
    assert place.open(clock).now() == NOON + 1.75


def test_who_measured_the_same_skew_as_another_before_does_nothing(
    place: Place, clock: Hands
) -> None:
    first, second = place.open(clock), place.open(clock)
    seen = first.now(), second.now()
    for store, now in zip((first, second), seen, strict=True):
        store.correct_clock(100.0, now)
        assert first.now() == second.now() == NOON + 100.0
    second.correct_clock(-40.0, second.now())
    assert first.now() == NOON + 60.0


def test_a_correction_is_made_though_a_moment_passed_since_it_was_measured(
    place: Place, clock: Hands
) -> None:
    store = place.open(clock)
    seen = store.now()
    clock.pass_(0.5)
    store.correct_clock(-100.0, seen)
    assert place.open(clock).now() == NOON - 99.5


# --- against a model -----------------------------------------------------------------------------

_SCOPES = ["a", "b", "c"]
_PERIODS = [DAY, "2026-11"]
_EIGHTHS = st.integers(0, 8 * 80).map(lambda eighths: eighths / 8)
_AMOUNTS = st.builds(Amount, st.integers(0, 2), st.integers(0, 60), cost=st.integers(0, 9))
_GATES = st.builds(
    lambda limit, unit, scopes, period, hard: gate(
        limit if unit == "requests" else limit * 20,
        *scopes,
        unit=unit,
        period=period,
        opens=NOON + 40_000.0 if period else 0.0,
        hard=hard,
    ),
    st.integers(0, 6),
    st.sampled_from(["requests", "tokens"]),
    st.lists(st.sampled_from(_SCOPES), unique=True, min_size=1),
    st.sampled_from(["", "", *_PERIODS]),
    st.booleans(),
)
_PLANS = st.builds(
    Plan,
    st.just(0),
    st.sampled_from([math.inf, math.inf, NOON + 200.0]),
    st.sampled_from(_SCOPES),
    _AMOUNTS,
    st.lists(_GATES, max_size=3).map(tuple),
    # Beside its own day: another period of its own, and budgets.
    st.sets(
        st.tuples(st.sampled_from(["", "team"]), st.sampled_from([*_PERIODS, "2026-11-23"])),
        max_size=3,
    ),
)
_WHO = st.integers(0, 2)


class Ledger(RuleBasedStateMachine):
    """Three processes use one store; one of them now and then dies and is started again."""

    place: Place
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.place.fresh()
        self.clock = Hands()
        self.model = Model(self.clock)
        self.stores = [self.place.open(self.clock) for _ in range(3)]
        assert self.stores[0].now() == NOON  # from now on this boot's clock is known
        self.at: dict[str, float] = {}

    def teardown(self) -> None:
        for store in self.stores:
            store.close()

    @rule(target=ids, who=_WHO, asked=_PLANS)
    def reserve(self, who: int, asked: Plan) -> str:
        others = {(scope or asked.scope, period) for scope, period in asked.counted}
        own = (asked.scope, DAY)
        counted = (own, *sorted(others - {own}))
        asked = asked._replace(version=self.model.version, counted=counted)
        expected = self.model.reserve(asked)
        outcome = self.stores[who].reserve(asked)
        if expected is not None:
            assert outcome == expected
            return "0"
        taken = admitted(outcome)
        assert taken.at == self.clock.wall
        assert taken.id not in self.at
        self.at[taken.id] = taken.at
        self.model.take(taken.id, asked)
        return taken.id

    @rule(id=ids, who=_WHO)
    def renew(self, id: str, who: int) -> None:
        self.stores[who].renew(id)
        self.model.renew(id)

    @rule(id=consumes(ids), who=_WHO, ago=_EIGHTHS)
    def answered(self, id: str, who: int, ago: float) -> None:
        if id in self.at:
            ago = min(ago, self.clock.wall - self.at[id])
        self.stores[who].answered(id, ago)
        self.model.answered(id, ago)

    @rule(id=ids, who=_WHO, minute=_AMOUNTS, total=_AMOUNTS)
    def settle(self, id: str, who: int, minute: Amount, total: Amount) -> None:
        self.stores[who].settle(id, minute, total)
        self.model.settle(id, minute, total)

    @rule(id=consumes(ids), who=_WHO, minute=_AMOUNTS, total=_AMOUNTS, ago=_EIGHTHS)
    def settle_a_short_answer(
        self, id: str, who: int, minute: Amount, total: Amount, ago: float
    ) -> None:
        if id in self.at:
            ago = min(ago, self.clock.wall - self.at[id])
        look = self.stores[who].settle(id, minute, total, ago)
        self.model.answered(id, ago)
        self.model.settle(id, minute, total)
        if look is not None:
            assert look == self.model.look([self.model.events[id].scope])

    @rule(seconds=_EIGHTHS)
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_(seconds)

    @precondition(lambda self: self.place.has_boots)
    @rule(seconds=st.integers(-10_000, 10_000))
    def clock_is_set(self, seconds: int) -> None:
        """It moves nothing; the model goes by the time since the boot."""
        self.clock.step(seconds)
        for store in self.stores:
            assert store.now() == self.clock.wall - seconds
        self.clock.step(-seconds)

    @rule(who=_WHO)
    def dies(self, who: int) -> None:
        self.stores[who].close()
        self.stores[who] = self.place.open(self.clock)

    @rule(who=_WHO, scopes=st.lists(st.sampled_from([*_SCOPES, "team"]), unique=True, max_size=2))
    def forget(self, who: int, scopes: list[str]) -> None:
        self.stores[who].forget(scopes)
        self.model.forget(scopes)

    @rule(who=_WHO)
    def fold(self, who: int) -> None:
        self.stores[who].fold()

    @rule(who=_WHO, version=st.integers(0, 3))
    def replace_rules(self, who: int, version: int) -> None:
        assert self.stores[who].replace_rules(version, "x") is (version == self.model.version)
        self.model.version += version == self.model.version

    @invariant()
    def sums_agree(self) -> None:
        store = self.stores[len(self.at) % 3]
        for scopes in (["a"], ["b", "c"]):
            assert store.minute(scopes) == self.model.minute(scopes)
            assert store.leaves(scopes) == self.model.leaves(scopes)
            assert store.look(scopes) == self.model.look(scopes)
        nothing = Amount()
        found = {row: held for row, held in store.history("").items() if held != nothing}
        assert found == {row: held for row, held in self.model.sums.items() if held != nothing}


_QUICK = settings(
    max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
)
_LONG = settings(
    max_examples=250, stateful_step_count=60, suppress_health_check=list(HealthCheck), deadline=None
)


@pytest.mark.parametrize(
    "how", [_QUICK, pytest.param(_LONG, marks=pytest.mark.slow)], ids=["quick", "long"]
)
def test_any_history_agrees_with_the_model(place: Place, how: settings) -> None:
    machine = type("Ledger", (Ledger,), {"place": place})
    run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]


_STEPS = st.tuples(
    st.sampled_from(["reserve", "reserve", "answered", "renew", "die", "set"]),
    st.integers(0, 2),
    st.integers(0, 8 * 30).map(lambda eighths: eighths / 8),
    st.integers(0, 9),
)


@given(st.lists(_STEPS, max_size=40), st.integers(1, 4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_the_limit_in_any_60_seconds_and_never_less_than_there_is_room(
    place: Place, steps: list[tuple[str, int, float, int]], limit: int
) -> None:
    """Counted from the reservation to 60 s after the answer; without one to 65 s after the last
    sign of life."""
    place.fresh()
    clock = Hands()
    stores = [place.open(clock) for _ in range(3)]
    assert stores[0].now() == NOON  # from now on this boot's clock is known
    spans: dict[str, tuple[float, float]] = {}
    for what, who, seconds, which in steps:
        clock.pass_(seconds)
        now = clock.wall
        if what == "reserve":
            inside = sum(end > now for _, end in spans.values())
            outcome = stores[who].reserve(plan(gate(limit)))
            assert isinstance(outcome, Admitted if inside < limit else Full)
            if isinstance(outcome, Admitted):
                spans[outcome.id] = (now, now + LONGEST)
            else:
                ends = sorted(end for _, end in spans.values() if end > now)
                assert outcome.obstacles[0].opens == ends[inside - limit]
        elif what == "die":
            stores[who] = place.open(clock)
        elif what == "set" and place.has_boots:
            clock.step(60.0 * which)
            assert stores[who].now() == now
            clock.step(-60.0 * which)
        elif spans:
            id = list(spans)[which % len(spans)]
            if spans[id][1] <= now:
                continue
            begin, _ = spans[id]
            if what == "renew":
                stores[who].renew(id)
                spans[id] = (begin, now + LONGEST)
            elif what == "answered":
                ago = min(which / 8, now - begin)
                stores[who].answered(id, ago)
                spans[id] = (begin, now - ago + MINUTE)
    for store in stores:
        store.close()
    for begin, _ in spans.values():
        assert sum(start <= begin < end for start, end in spans.values()) <= limit


# --- several processes ---------------------------------------------------------------------------


def _hammer(number: int, barrier: Any, place: Place, limit: int, seconds: float) -> int:
    store, found = place.open(), 0
    barrier.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found += isinstance(store.reserve(plan(gate(limit))), Admitted)
    return found


@pytest.mark.alone
@pytest.mark.parametrize(
    ("count", "seconds"), [(4, 0.5), pytest.param(8, 4.0, marks=pytest.mark.slow)]
)
def test_hammering_processes_get_exactly_the_limit(
    place: Place, count: int, seconds: float
) -> None:
    assert sum(in_processes(count, _hammer, place, 100, seconds)) == 100
    assert place.open().minute(["a"]) == Amount(requests=100)


def _herd(number: int, barrier: Any, place: Place, rounds: int) -> list[bool]:
    store, found = place.open(), []
    for each in range(rounds):
        scope = f"round {each}"
        barrier.wait()
        outcome = store.reserve(plan(gate(5, scope), scope=scope, counted=((scope, DAY),)))
        found.append(isinstance(outcome, Admitted))
    return found


@pytest.mark.alone
@pytest.mark.parametrize("rounds", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_a_herd_released_together_gets_exactly_the_limit(place: Place, rounds: int) -> None:
    found = in_processes(8, _herd, place, rounds)
    assert [sum(each) for each in zip(*found, strict=True)] == [5] * rounds


def _send_until_killed(place: Place, server: int) -> None:
    """Requests one after the other; a byte in the pipe is one that reached the server."""
    store = place.open()
    for number in range(1_000_000):
        taken = admitted(store.reserve(plan(amount=Amount(1, 10))))
        if number % 5 == 4:  # never sent
            store.settle(taken.id, Amount(), Amount())
            continue
        os.write(server, b".")
        store.answered(taken.id, 0.0)
        store.settle(taken.id, Amount(1, 3), Amount(1, 3))


@pytest.mark.alone
@pytest.mark.parametrize("rounds", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_whatever_reached_the_server_is_counted_though_its_process_was_killed(
    place: Place, rounds: int
) -> None:
    fork, chance = multiprocessing.get_context("fork"), random.Random(rounds)
    store = place.open()
    for _ in range(rounds):
        place.open().forget(["a"])
        reading, writing = os.pipe()
        process = fork.Process(target=_send_until_killed, args=(place, writing))
        process.start()
        os.close(writing)
        arrived = len(os.read(reading, 1))  # it is at work
        time.sleep(chance.uniform(0.0, 0.015))
        process.kill()
        process.join()
        while more := os.read(reading, 65_536):
            arrived += len(more)
        os.close(reading)
        assert arrived <= store.totals(["a"], DAY).requests <= arrived + 1
        assert arrived <= store.minute(["a"]).requests <= arrived + 1
        admitted(store.reserve(plan()))  # nothing is left locked
