"""What the SQLite store reads out of lines and plans: meters, events, and the ledger's time."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from gemini_magic.quota import sqlite_tables as sql
from gemini_magic.quota.clock import TOLERANCE, Reading
from gemini_magic.quota.store import MINUTE_UNITS, UNITS, Amount, Gate, Plan

NEVER = float("inf")
LONG_AGO = -NEVER
NOTHING = (0,) * len(UNITS)
#: How many of an amount's values a minute counts.
IN_MINUTE = len(MINUTE_UNITS)


def time_at(reading: Reading, ahead: float | None, newest: float) -> float:
    """The ledger's time; before ``newest`` only where that cannot be true."""
    if reading.boot and ahead is not None:
        now = reading.since_boot + ahead
    else:
        now = reading.wall + (ahead or 0.0)
    return newest if now < newest <= now + TOLERANCE else now


class Meter(NamedTuple):
    """What the newest line of a scope says; ``held`` is what is live, then what the day holds."""

    number: int
    at: float
    fresh: int
    next: float
    day: str
    held: tuple[int, ...]


def meter_of(row: tuple[Any, ...] | None) -> Meter:
    """The meter in the row of a newest line; an empty one for a scope that has none."""
    if row is None or row[0] is None:
        return _UNUSED
    number, at, fresh, next_, today = row[: sql.HEAD]
    return Meter(number, at, fresh, next_, today, row[sql.HEAD :])


_UNUSED = Meter(0, LONG_AGO, 0, NEVER, "", NOTHING[:IN_MINUTE] + NOTHING)


class Short(NamedTuple):
    """What ``SqliteStore._at_once`` makes of a plan; it has no statement for one less simple."""

    gates: tuple[Gate, ...]
    pairs: tuple[tuple[str, str], ...]
    statement: str
    day: str = ""
    counted: str = ""

    @classmethod
    def of(cls, plan: Plan) -> Short:
        (scope, today), *others = plan.counted
        simple = scope == plan.scope and not others
        if not simple or any(
            gate.scopes != (scope,) or gate.period not in ("", today) for gate in plan.gates
        ):
            return cls(plan.gates, plan.counted, "")
        rooms = (
            sql.has_room("day" if gate.period else "minute", gate.unit, gate.limit)
            for gate in plan.gates
        )
        statement = sql.AT_ONCE.format("".join(rooms))
        return cls(plan.gates, plan.counted, statement, today, counted_in(scope, plan.counted))


class Event(NamedTuple):
    scope: str
    number: int
    live: int
    minute: Amount
    total: Amount
    counted: str


@functools.lru_cache(maxsize=64)
def counted_in(scope: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Where an event of ``scope`` counts, as one text; its own scope is left out of it."""
    return "\n".join(f"{own if own != scope else ''}\t{period}" for own, period in pairs)


def periods_of(scope: str, counted: str) -> list[tuple[str, str]]:
    pairs = (line.rpartition("\t") for line in counted.split("\n") if line)
    return [(own or scope, period) for own, _, period in pairs]
