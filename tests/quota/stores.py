"""What the tests of stores share: a clock to turn, places where stores meet, a model of a store."""

from __future__ import annotations

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemini_magic.quota.clock import TOLERANCE, Clock, Reading, system_clock
from gemini_magic.quota.redis_store import RedisStore
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.store import (
    GRACE,
    MINUTE,
    MINUTE_UNITS,
    Admitted,
    Amount,
    Full,
    Gate,
    Look,
    Obstacle,
    Outcome,
    Plan,
    Stale,
    Store,
)
from gemini_magic.quota.windows import day, room_at

#: Noon in UTC on a day in November 2026. Tests step by eighths, so that sums of times are exact.
NOON = 1_795_348_800.0
#: How long a reservation counts if nothing more is heard of its request.
LONGEST = MINUTE + GRACE


@dataclass
class Hands:
    """A clock that is moved by hand."""

    wall: float = NOON
    since_boot: float = 1_000.0
    boot: str = "first boot"

    def __call__(self) -> Reading:
        return Reading(self.wall, self.since_boot, self.boot)

    def pass_(self, seconds: float) -> None:
        """Time passes; a suspended machine's does, too."""
        self.wall += seconds
        self.since_boot += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall += seconds

    def reboot(self, seconds: float) -> None:
        """The machine is down for some seconds."""
        self.wall += seconds
        self.since_boot = 20.0
        self.boot += "+"


class Place:
    """Where stores of one kind meet: each ``open`` stands for another process."""

    kind = ""

    def open(self, clock: Clock | None = None) -> Store:
        raise NotImplementedError

    def fresh(self) -> None:
        """Everything there is gone."""
        raise NotImplementedError

    @property
    def has_boots(self) -> bool:
        """Whether the time since the boot counts there, not the wall clock."""
        return self.kind == "sqlite"


class SqlitePlace(Place):
    kind = "sqlite"
    path: Path

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fresh()

    def open(self, clock: Clock | None = None) -> SqliteStore:
        return SqliteStore(self.path, clock or system_clock)

    def fresh(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=self._folder)) / "ledger.db"


class RedisPlace(Place):
    kind = "redis"

    def __init__(self, url: str) -> None:
        self.url = url
        self.fresh()

    def open(self, clock: Clock | None = None) -> RedisStore:
        return RedisStore(self.url, clock=clock)

    def fresh(self) -> None:
        from redis import Redis

        with Redis.from_url(self.url) as server:
            server.flushall()


def gate(limit: int, *scopes: str, unit: str = "requests", **others: Any) -> Gate:
    window = others.pop("window", "rpm" if not others.get("period") else "rpd")
    return Gate(window, unit, limit, scopes or ("a",), **others)


def plan(*gates: Gate, scope: str = "a", **others: Any) -> Plan:
    """One request of ``scope``, counted in its day."""
    asked = Plan(0, float("inf"), scope, Amount(requests=1), gates, ((scope, "2026-11-22"),))
    return asked._replace(**others)


def admitted(outcome: Outcome) -> Admitted:
    assert isinstance(outcome, Admitted), outcome
    return outcome


def ask(store: Store, asked: Plan) -> Outcome:
    """Reserve as a ledger does: once more where only the time was other than thought."""
    outcome = store.reserve(asked)
    stale = isinstance(outcome, Stale) and outcome.version == asked.version
    return store.reserve(asked) if stale else outcome


def in_minute(amount: Amount) -> Amount:
    """What a rolling minute counts of an amount."""
    return Amount(*amount.values[: len(MINUTE_UNITS)])


def full(outcome: Outcome) -> Full:
    assert isinstance(outcome, Full), outcome
    return outcome


# --- the model -----------------------------------------------------------------------------------


@dataclass
class Event:
    scope: str
    at: float
    leaves: float
    minute: Amount
    total: Amount
    counted: tuple[tuple[str, str], ...]


@dataclass
class Model:
    """What a store should hold, in the plainest words."""

    clock: Hands
    version: int = 0
    events: dict[str, Event] = field(default_factory=dict)
    sums: dict[tuple[str, str], Amount] = field(default_factory=dict)

    def now(self) -> float:
        return self.clock.wall

    def minute(self, scopes: Sequence[str]) -> Amount:
        inside = (e for e in self.events.values() if e.leaves > self.now())
        return in_minute(sum((e.minute for e in inside if e.scope in scopes), Amount()))

    def leaves(self, scopes: Sequence[str]) -> float | None:
        inside = (e for e in self.events.values() if e.leaves > self.now() and e.minute.requests)
        return min((e.leaves for e in inside if e.scope in scopes), default=None)

    def totals(self, scopes: Sequence[str], period: str) -> Amount:
        return sum((self.sums.get((scope, period), Amount()) for scope in scopes), Amount())

    def look(self, scopes: Sequence[str]) -> Look:
        now = self.now()
        return Look(self.version, now, self.minute(scopes), self.totals(scopes, day(now)))

    def reserve(self, asked: Plan) -> Stale | Full | None:
        """None where it is admitted; ``take`` counts it then."""
        if asked.version != self.version or self.now() >= asked.until:
            return Stale(self.version, self.now())
        obstacles = []
        for one in asked.gates:
            held = self.totals(one.scopes, one.period) if one.period else self.minute(one.scopes)
            used, needed = getattr(held, one.unit), getattr(asked.amount, one.unit)
            if used + needed > one.limit:
                obstacles.append(Obstacle(one, used, self._opens(one, used, needed)))
        return Full(tuple(obstacles), self.now()) if obstacles else None

    def _opens(self, one: Gate, used: int, needed: int) -> float:
        if needed > one.limit:
            return float("inf")
        if one.period:
            return one.opens
        leaving = sorted(
            (e.leaves, getattr(e.minute, one.unit))
            for e in self.events.values()
            if e.scope in one.scopes and e.leaves > self.now()
        )
        return room_at(leaving, used, needed, one.limit)

    def take(self, id: str, asked: Plan) -> None:
        now = self.now()
        self.events[id] = Event(
            asked.scope, now, now + LONGEST, asked.amount, asked.amount, asked.counted
        )
        for row in asked.counted:
            self.sums[row] = self.sums.get(row, Amount()) + asked.amount

    def renew(self, id: str) -> None:
        if id in self.events:
            self.events[id].leaves = self.now() + LONGEST

    def answered(self, id: str, ago: float) -> None:
        if id in self.events:
            self.events[id].leaves = self.now() - ago + MINUTE

    def settle(self, id: str, minute: Amount, total: Amount) -> None:
        if id in self.events:
            event = self.events[id]
            for row in event.counted:
                self.sums[row] = self.sums.get(row, Amount()) + (total - event.total)
            event.minute, event.total = minute, total

    def forget(self, scopes: Sequence[str]) -> None:
        self.sums = {row: held for row, held in self.sums.items() if row[0] not in scopes}
        for event in self.events.values():
            event.counted = tuple(row for row in event.counted if row[0] not in scopes)
            if event.scope in scopes:
                event.leaves, event.scope = 0.0, ""


# --- processes -----------------------------------------------------------------------------------


def in_processes(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What ``work(number, barrier, *arguments)`` returns in so many forked processes."""
    fork = multiprocessing.get_context("fork")
    barrier, answers = fork.Barrier(count), fork.SimpleQueue()

    def run(number: int) -> None:
        try:
            answers.put((True, work(number, barrier, *arguments)))
        except BaseException:
            barrier.abort()
            answers.put((False, traceback.format_exc()))

    running = [fork.Process(target=run, args=(number,)) for number in range(count)]
    for process in running:
        process.start()
    found = [answers.get() for _ in running]
    for process in running:
        process.join()
    failures = [text for good, text in found if not good]
    assert not failures, failures[0]
    return [answer for _, answer in found]


__all__ = [
    "GRACE", "LONGEST", "MINUTE", "NOON", "TOLERANCE", "Hands", "Model", "Place", "RedisPlace",
    "SqlitePlace", "admitted", "ask", "full", "gate", "in_minute", "in_processes", "plan",
]  # fmt: skip
