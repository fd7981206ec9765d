"""The table of what happened and what counts, as a value and in a ledger's own windows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gemini_magic.quota.ledger import Grant, Ledger
from gemini_magic.quota.plan import Asking, Budget
from gemini_magic.quota.rules import Stream
from gemini_magic.quota.settlement import Fate, settled
from gemini_magic.quota.store import Amount
from gemini_magic.quota.windows import dawn, day, midnight
from tests.quota.stores import NOON, Hands, SqlitePlace

STREAM = Stream("key:1", "flash")
BUDGET = Budget("proxy", "day", 1_000_000, "UTC")
#: What is reserved, and what the service says in the end where it says something.
PLANNED = Amount(1, 100, cost=50)
TOLD = {"tokens": 80, "output": 30, "cost": 12}

#: What happened; what counts in the minute (requests, tokens), and in the day (requests, tokens,
#: output, cost).
TABLE: list[tuple[Fate, tuple[int, int], tuple[int, int, int, int]]] = [
    ("unsent", (0, 0), (0, 0, 0, 0)),
    ("refused", (1, 0), (0, 0, 0, 0)),
    ("failed", (1, 100), (1, 100, 0, 0)),
    ("cut", (1, 100), (1, 100, 30, 12)),
    ("answered", (1, 80), (1, 80, 30, 12)),
]


def told(fate: Fate) -> dict[str, int | None]:
    """What the books know of a request: of its input nothing, unless it was answered."""
    if fate == "answered":
        return dict(TOLD)
    return {"tokens": None, "output": TOLD["output"], "cost": TOLD["cost"]} if fate == "cut" else {}


@pytest.mark.parametrize(("fate", "minute", "total"), TABLE)
def test_what_counts_of_a_request(fate: Fate, minute, total) -> None:
    in_minute, in_day = settled(fate, PLANNED, **told(fate))
    assert (in_minute.requests, in_minute.tokens) == minute
    assert (in_day.requests, in_day.tokens, in_day.output, in_day.cost) == total


def test_failures_need_not_count_in_the_day() -> None:
    minute, total = settled("failed", PLANNED, failures_count=False)
    assert minute == Amount(1, 100) and total == Amount()


def test_pictures_count_in_their_minute_and_their_day() -> None:
    minute, total = settled("answered", PLANNED, tokens=10, images=2)
    assert minute.images == total.images == 2


# --- in a ledger ---------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def ledger(sqlite_place: SqlitePlace, clock: Hands) -> Iterator[Ledger]:
    made = Ledger(sqlite_place.open(clock))
    yield made
    made.store.close()


def reserved(ledger: Ledger, budgets: tuple[Budget, ...] = ()) -> Grant:
    grant = ledger.admit(Asking(STREAM, budgets=budgets), PLANNED)
    assert isinstance(grant, Grant), grant
    return grant


def in_minute(ledger: Ledger) -> tuple[int, int]:
    held = ledger.store.minute([STREAM.scope])
    return held.requests, held.tokens


def in_day(ledger: Ledger, at: float) -> tuple[int, int, int, int]:
    held = ledger.store.totals([STREAM.scope], day(at))
    return held.requests, held.tokens, held.output, held.cost


@pytest.mark.parametrize(("fate", "minute", "total"), TABLE)
def test_a_reservation_counts_in_full_until_it_is_settled(
    ledger: Ledger, fate: Fate, minute, total
) -> None:
    grant = reserved(ledger)
    assert in_minute(ledger) == (1, 100) and in_day(ledger, NOON) == (1, 100, 0, 50)
    ledger.settle(grant, fate, **told(fate))
    assert in_minute(ledger) == minute and in_day(ledger, NOON) == total


def test_settling_twice_is_settling_once(ledger: Ledger) -> None:
    grant = reserved(ledger)
    for _ in range(2):
        ledger.settle(grant, "answered", **TOLD)
    assert in_minute(ledger) == (1, 80) and in_day(ledger, NOON) == (1, 80, 30, 12)


@pytest.mark.parametrize(("fate", "minute", "total"), TABLE)
def test_a_late_settlement_corrects_the_day_of_its_reservation(
    ledger: Ledger, clock: Hands, fate: Fate, minute, total
) -> None:
    clock.wall = before = midnight(NOON) - 60
    grant = reserved(ledger)
    clock.pass_(300)
    assert reserved(ledger)  # the new day's own
    ledger.settle(grant, fate, **told(fate))
    assert in_day(ledger, before) == total
    assert in_day(ledger, clock.wall) == (1, 100, 0, 50)
    assert in_minute(ledger) == (1, 100)  # the old one left long ago, whatever it took


@pytest.mark.parametrize(("fate", "minute", "total"), TABLE)
def test_a_budget_is_charged_what_it_cost_on_the_day_of_the_reservation(
    ledger: Ledger, clock: Hands, fate: Fate, minute, total
) -> None:
    clock.wall = before = midnight(NOON, "UTC") - 60
    grant = reserved(ledger, (BUDGET,))
    assert ledger.store.totals([BUDGET.scope], BUDGET.name(before)).cost == 50
    clock.pass_(300)
    ledger.settle(grant, fate, **told(fate))
    assert ledger.store.totals([BUDGET.scope], BUDGET.name(before)).cost == total[-1]
    assert ledger.store.totals([BUDGET.scope], BUDGET.name(clock.wall)).cost == 0


@pytest.mark.parametrize("wall", [(2026, 3, 8), (2026, 11, 1)])
def test_a_settlement_on_a_day_of_23_or_25_hours(
    ledger: Ledger, clock: Hands, wall: tuple[int, int, int]
) -> None:
    begin = dawn(datetime(*wall, 20, tzinfo=UTC).timestamp())
    clock.wall = begin + 60
    first = reserved(ledger)
    clock.pass_(midnight(begin) - begin - 120)
    assert reserved(ledger) and day(begin) == day(clock.wall)
    ledger.settle(first, "answered", **TOLD)
    assert in_day(ledger, begin) == (2, 180, 30, 62)


def test_a_late_settlement_after_the_project_was_named_still_finds_its_window(
    ledger: Ledger,
) -> None:
    grant = reserved(ledger)
    named = ledger.admit(Asking(STREAM, label="mine"), PLANNED)
    assert isinstance(named, Grant) and named.bucket.project == "mine"
    left = {one.window: one.used for one in ledger.settle(grant, "answered", **TOLD)}
    assert left == {"rpd": 2}
