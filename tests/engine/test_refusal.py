"""What a request that waits or is not let in is told."""

from __future__ import annotations

import math

import pytest

from gemini_magic.engine import refusal
from gemini_magic.quota.ledger import Denied, Wall
from gemini_magic.quota.plan import DOLLAR
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.windows import WINDOWS
from gemini_magic.types import Target
from tests.quota.stores import NOON

TARGET = Target("proxy", "m")
BUDGET = Wall("budget", 420_000, DOLLAR, NOON + 30, True)


def test_who_waits_for_a_budget_is_told_how_much_of_it_is_used() -> None:
    told = refusal.waiting_for(BUDGET, TARGET)
    assert told == "proxy:m: $0.42 of the budget of $1.00 are used"
    assert "$0.42 of the budget" in refusal.beyond(
        Denied(Bucket("p", "m"), (BUDGET,), NOON), TARGET
    )


@pytest.mark.parametrize("window", [*WINDOWS, "budget", "limit0", "", "new"])
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("size", [None, 0, 10])
@pytest.mark.parametrize("opens", [NOON + 30, math.inf])
def test_every_wall_has_its_words(
    window: str, closed: bool, size: int | None, opens: float
) -> None:
    wall = Wall(window, 3, size, opens, True, closed=closed)
    denied = Denied(Bucket("p", "m"), (wall,), NOON)
    said = (
        refusal.waiting_for(wall, TARGET),
        refusal.beyond(denied, TARGET),
        *(() if size is None else refusal.refused(TARGET, denied, 90.0, "").lines()),
    )
    for line in said:
        assert line and "None" not in line and "\n" not in line
