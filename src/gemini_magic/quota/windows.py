"""The windows that quotas are counted in: what each counts, and when a day begins and ends."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

#: The zone whose midnight begins Google's day.
#: Source: https://ai.google.dev/gemini-api/docs/rate-limits
PACIFIC = "America/Los_Angeles"
#: Seconds after midnight from which on the new day is trusted: services are not on the second.
LATE = 30.0
#: Seconds after midnight in which a refusal for the day may still mean the day before.
LAG = 600.0


class Window(NamedTuple):
    """A window: the unit of ``store.Amount`` that it counts, and whether it lasts a day."""

    name: str
    unit: str
    daily: bool
    label: str


WINDOWS: dict[str, Window] = {
    "rpm": Window("rpm", "requests", False, "requests a minute"),
    "tpm": Window("tpm", "tokens", False, "input tokens a minute"),
    "ipm": Window("ipm", "images", False, "pictures a minute"),
    "rpd": Window("rpd", "requests", True, "requests a day"),
    "tpd": Window("tpd", "tokens", True, "input tokens a day"),
}


@functools.cache
def zone(name: str) -> tzinfo:
    """A time zone by its name; "local" is this machine's. Raises ``KeyError`` for unknown names.

    Without a zone database Pacific time is computed by the rule of the United States.
    """
    if name == "local":
        return _Local()
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        if name == PACIFIC:
            return _PacificRule()
        raise KeyError(name) from None


def day(at: float, name: str = PACIFIC) -> str:
    """The day of a time in a zone, as ISO 8601 (such days sort as text)."""
    return datetime.fromtimestamp(at, zone(name)).date().isoformat()


def month(at: float, name: str) -> str:
    """The month of a time in a zone: ``2026-11``."""
    return day(at, name)[:7]


def midnight(at: float, name: str = PACIFIC) -> float:
    """The end of the day of a time in a zone, in Unix seconds; days may have 23 or 25 hours."""
    return _begin(datetime.fromtimestamp(at, zone(name)).date() + timedelta(days=1), name)


def dawn(at: float, name: str = PACIFIC) -> float:
    """The beginning of the day of a time in a zone, in Unix seconds."""
    return _begin(datetime.fromtimestamp(at, zone(name)).date(), name)


def dawn_of(day: str) -> float:
    """The beginning of a Pacific day (ISO 8601), in Unix seconds."""
    return _begin(date.fromisoformat(day), PACIFIC)


def month_end(at: float, name: str) -> float:
    """The end of the month of a time in a zone, in Unix seconds."""
    first = datetime.fromtimestamp(at, zone(name)).date().replace(day=1)
    return _begin((first + timedelta(days=32)).replace(day=1), name)


def _begin(of: date, name: str) -> float:
    return datetime.combine(of, datetime.min.time(), zone(name)).timestamp()


def room_at(leaving: Sequence[tuple[float, int]], used: int, needed: int, limit: int) -> float:
    """When a rolling window will have room for ``needed``, if nothing more is taken.

    ``leaving`` are (time, amount) of what is in it, by time. ``inf`` where it never will.
    """
    if needed > limit:
        return float("inf")
    over = used + needed - limit
    for at, amount in leaving:
        over -= amount
        if over <= 0:
            return at
    return float("inf") if over > 0 else 0.0


class _Local(tzinfo):
    """The machine's own zone, with its summer time."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        assert when is not None
        return when.replace(tzinfo=None).astimezone().utcoffset() or timedelta(0)

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> str | None:
        return when.replace(tzinfo=None).astimezone().tzname() if when else None

    def fromutc(self, when: datetime) -> datetime:
        return when.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


class _PacificRule(tzinfo):
    """Pacific time from 2007 on: summer time from March's second Sunday to November's first, 2 h.

    Source: Energy Policy Act of 2005, section 110.
    """

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=-8) + self.dst(when)

    def dst(self, when: datetime | None) -> timedelta:
        assert when is not None
        wall = when.replace(tzinfo=None)
        begin = _sunday(wall.year, 3, 2) + timedelta(hours=2)
        end = _sunday(wall.year, 11, 1) + timedelta(hours=2)
        if begin <= wall < end - timedelta(hours=1):
            return timedelta(hours=1)
        twice = end - timedelta(hours=1) <= wall < end  # the hour that comes twice
        return timedelta(hours=1) if twice and not when.fold else timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "PDT" if self.dst(when) else "PST"

    def fromutc(self, when: datetime) -> datetime:
        standard = (when - timedelta(hours=8)).replace(tzinfo=None)
        begin = _sunday(standard.year, 3, 2) + timedelta(hours=2)
        end = _sunday(standard.year, 11, 1) + timedelta(hours=1)
        if begin <= standard < end:
            return (standard + timedelta(hours=1)).replace(tzinfo=self)
        repeated = end <= standard < end + timedelta(hours=1)
        return standard.replace(tzinfo=self, fold=int(repeated))


def _sunday(year: int, month: int, nth: int) -> datetime:
    first = datetime(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))
