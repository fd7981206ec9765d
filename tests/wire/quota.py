"""A server's own quota: what it admits, counted as Google does per project and model."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
Unit = Literal["rpm", "rpd", "tpm"]


@dataclass(frozen=True)
class Quota:
    """Limits of one project and model; None is no limit, 0 is "not in this tier".

    `window` is the length of a minute in seconds (shorter in quick tests), `tier` the suffix of
    the quotaId ("FreeTier", "PaidTier2"), `used_today` what others spent of RPD already. Requests
    refused by the quota are not counted.
    """

    rpm: int | None = None
    rpd: int | None = None
    tpm: int | None = None
    window: float = 60.0
    tier: str = "FreeTier"
    used_today: int = 0
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class Exceeded:
    """The limits that a request broke, and the seconds until the minute's window has room."""

    units: tuple[Unit, ...]
    retry: float


@dataclass(frozen=True)
class Left:
    """What is left after a request was admitted."""

    requests: int | None
    tokens: int | None
    reset: float


class QuotaBook:
    """The counters behind a Quota; `admit` is atomic. `refused` is how often it said no."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.refused = 0
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        self._days: dict[tuple[str, str, str], int] = defaultdict(lambda: quota.used_today)

    def admit(self, project: str, model: str, tokens: int) -> Left | Exceeded:
        q = self.quota
        with self._lock:
            now = q.clock()
            day = (project, model, datetime.fromtimestamp(now, PACIFIC).date().isoformat())
            events = self._events[project, model]
            events[:] = [e for e in events if e[0] > now - q.window]
            spent = sum(n for _, n in events)
            broken: list[Unit] = []
            if q.rpd is not None and self._days[day] + 1 > q.rpd:
                broken.append("rpd")
            if q.rpm is not None and len(events) + 1 > q.rpm:
                broken.append("rpm")
            if q.tpm is not None and (spent + tokens > q.tpm or q.tpm == 0):
                broken.append("tpm")
            reset = events[0][0] + q.window - now if events else 0.0
            if broken:
                self.refused += 1
                lie = 60.0 - now % 60.0  # the real service gives a delay < 1 min for a full day too
                return Exceeded(tuple(broken), reset if events and broken != ["rpd"] else lie)
            events.append((now, tokens))
            self._days[day] += 1
            return Left(
                None if q.rpm is None else q.rpm - len(events),
                None if q.tpm is None else q.tpm - spent - tokens,
                reset or q.window,
            )
