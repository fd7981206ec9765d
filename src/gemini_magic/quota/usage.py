"""What faces show of a ledger: values that say how much of what is used, and what was used when."""

from __future__ import annotations

from typing import NamedTuple

from gemini_magic.quota.rules import Bucket, Limit


class WindowUse(NamedTuple):
    """One window of a bucket. ``window`` is rpm, tpm, ipm, rpd or tpd.

    ``used`` is what this ledger counted (others may have used more: "at least"); after a refusal
    it is the whole limit until ``closed_until``. ``resets`` is when the day ends, or when the next
    request leaves the rolling minute; None while nothing is used. Times are Unix seconds.
    """

    window: str
    used: int
    limit: Limit | None = None
    resets: float | None = None
    closed_until: float | None = None

    @property
    def left(self) -> int | None:
        return None if self.limit is None else max(0, self.limit.size - self.used)


class BucketUse(NamedTuple):
    """One bucket in use. ``guessed`` says that its project is only guessed from a key.

    ``backends`` are the names under which it is asked, ``models`` the names that share it.
    """

    bucket: Bucket
    backends: tuple[str, ...]
    models: tuple[str, ...]
    guessed: bool
    windows: tuple[WindowUse, ...]


class BudgetUse(NamedTuple):
    """A backend's budget: ``period`` is day or month; amounts in micro-dollars."""

    backend: str
    period: str
    used: int
    limit: int
    resets: float


class Snapshot(NamedTuple):
    """All that is in use, at one time of the ledger's clock (``at``).

    ``problem`` is one line on why the ledger could not be read; empty where it could.
    """

    at: float
    buckets: tuple[BucketUse, ...] = ()
    budgets: tuple[BudgetUse, ...] = ()
    where: str = ""
    problem: str = ""


class DayUse(NamedTuple):
    """What one model of one backend used on one Pacific day (ISO 8601).

    ``cost`` is in micro-dollars (what it cost); where it is not ``priced``, nobody knows.
    ``tokens`` are input tokens, ``output`` those of the answers, thinking included.
    """

    day: str
    backend: str
    project: str
    model: str
    tier: str
    requests: int
    tokens: int
    output: int
    images: int = 0
    cost: int = 0
    priced: bool = True
