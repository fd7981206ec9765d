"""Which gates a request has to pass: the rules and the user's words, as a plan for a store."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gemini_magic.quota import windows
from gemini_magic.quota.rules import Bucket, Closure, Limit, Rules, Stream
from gemini_magic.quota.store import Amount, Gate, Plan
from gemini_magic.quota.windows import LATE, WINDOWS

#: Micro-dollars in a dollar.
DOLLAR = 1_000_000


class Budget(NamedTuple):
    """A backend's budget for a day or a month in a time zone, in micro-dollars."""

    backend: str
    period: str
    limit: int
    zone: str = "local"

    @property
    def scope(self) -> str:
        return f"budget:{self.backend}"

    def name(self, at: float) -> str:
        """The day or month of a time, as the totals call it."""
        day = windows.day(at, self.zone)
        return day if self.period == "day" else day[:7]

    def ends(self, at: float) -> float:
        end = windows.midnight if self.period == "day" else windows.month_end
        return end(at, self.zone)


class Asking(NamedTuple):
    """Who asks, apart from how much: what plans are made for.

    ``label`` and ``tier`` are the user's words for the project and its tier ("" if none were
    said); ``seeded`` says whether Google's published limits apply, ``trusted`` whether Google
    itself answers: what others say of models, projects and the time is about their own. ``soft`` is
    whether limits that may be stale count, ``force`` whether none does.
    """

    stream: Stream
    label: str = ""
    tier: str = ""
    seeded: bool = False
    trusted: bool = False
    budgets: tuple[Budget, ...] = ()
    soft: bool = True
    force: bool = False


class Planned(NamedTuple):
    """A plan (its amount still open), the bucket with its streams, the limits behind the gates.

    ``before`` are the rules to go back to where a try after lag (``rules.probing``) is not let in.
    """

    plan: Plan
    bucket: Bucket
    scopes: tuple[str, ...]
    limits: dict[str, Limit]
    before: Rules | None = None


class Shut(NamedTuple):
    """A service admits nothing into the bucket; nobody need ask the store."""

    bucket: Bucket
    closure: Closure
    limit: Limit | None


def make(
    rules: Rules,
    version: int,
    asking: Asking,
    now: float,
    find_limit: Callable[[Bucket, str, float], Limit | None],
) -> Planned | Shut:
    """The plan for a request at a time of the ledger's clock.

    ``find_limit(bucket, window, now)`` is the limit in force, if there is one.
    """
    stream = asking.stream
    bucket = rules.bucket(stream.account, stream.model, asking.tier)
    closure = rules.closure(bucket)
    limits = {
        window: limit
        for window in WINDOWS
        if (limit := find_limit(bucket, window, now)) is not None
    }
    if closure and closure.until > now and not asking.force:
        return Shut(bucket, closure, limits.get(closure.window))
    days = _days(now)
    counted = [(stream.scope, day) for day, _ in days]
    gates: list[Gate] = []
    scopes = rules.scopes(bucket)
    for window, limit in limits.items():
        if asking.force or not (limit.firm or asking.soft):
            continue
        unit, daily = WINDOWS[window].unit, WINDOWS[window].daily
        for period, opens in days if daily else (("", 0.0),):
            gates.append(Gate(window, unit, limit.size, scopes, period, opens, limit.firm))
    until = [*(opens for _, opens in days), *_changes(now)]
    for budget in asking.budgets:
        counted.append((budget.scope, budget.name(now)))
        until.append(budget.ends(now))
        if not asking.force:
            name, ends = budget.name(now), budget.ends(now)
            gates.append(Gate("budget", "cost", budget.limit, (budget.scope,), name, ends))
    until += [known.firm_until for known in rules.limits.values()]
    until += [one.until for one in rules.closures.values()]
    valid = min((at for at in until if at > now), default=math.inf)
    plan = Plan(version, valid, stream.scope, Amount(), tuple(gates), tuple(counted))
    return Planned(plan, bucket, scopes, limits)


def _days(now: float) -> tuple[tuple[str, float], ...]:
    """The Pacific days that a request of now may be counted in by its service, each with its end.

    The present day is the first. Within ``LATE`` seconds of midnight there are two: clocks differ,
    and the safe side is to have room in both.
    """
    ends = windows.midnight(now) + LATE
    days = {windows.day(now): ends}
    days.setdefault(windows.day(now + LATE), windows.midnight(now + LATE) + LATE)
    days.setdefault(windows.day(now - LATE), windows.dawn(now) + LATE)
    return tuple(days.items())


def _changes(now: float) -> tuple[float, ...]:
    """When the days of ``_days`` are others."""
    end = windows.midnight(now)
    return (end - LATE, end, windows.dawn(now) + LATE)
