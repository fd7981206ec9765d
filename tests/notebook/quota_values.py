"""States of a ledger to draw: an ordinary one, and one that wants to break what draws it."""

from __future__ import annotations

from datetime import UTC, datetime

from gemini_magic.quota.rules import LEARNED, SEED, USER, Bucket, Limit
from gemini_magic.quota.usage import BucketUse, BudgetUse, Snapshot, WindowUse

#: 2026-11-21, 14:05 UTC, which is 06:05 in California.
NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 22, 8, 0, 30, tzinfo=UTC).timestamp()
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
HOSTILE = (
    "</div><script>alert(1)</script><img src=x onerror=\"alert('2')\">\x1b[31m\u202e{{x}} $\\frac$"
)


def seed(window: str, size: int) -> Limit:
    return Limit(window, size, SEED, False, OCTOBER, "medium", "https://example.org")


def yours(window: str, size: int) -> Limit:
    return Limit(window, size, USER, True, NOW - 9e5)


def learned(window: str, size: int, *, firm: bool = True) -> Limit:
    return Limit(window, size, LEARNED, firm, NOW - (180 if firm else 3 * 86_400))


def ordinary(now: float = NOW) -> Snapshot:
    """A named project, a key without a name, a backend without limits, and budgets."""
    flash = BucketUse(
        Bucket("my-project", "gemini-2.5-flash", "free"),
        ("studio", "studio2"),
        ("gemini-2.5-flash", "gemini-flash-latest"),
        False,
        (
            WindowUse("rpm", 3, seed("rpm", 15), now + 12),
            WindowUse("tpm", 12_345, seed("tpm", 250_000), now + 12),
            WindowUse("rpd", 17, learned("rpd", 20), MIDNIGHT),
        ),
    )
    pro = BucketUse(
        Bucket("my-project", "gemini-2.5-pro", "free"),
        ("studio",),
        ("gemini-2.5-pro",),
        False,
        (
            WindowUse("rpm", 5, yours("rpm", 5), now + 41),
            WindowUse("tpm", 300_000, learned("tpm", 250_000, firm=False), now + 41),
            WindowUse("rpd", 25, learned("rpd", 25), MIDNIGHT, closed_until=MIDNIGHT),
        ),
    )
    unnamed = BucketUse(
        Bucket("key:9f8e7d6c5b4a", "gemini-3.8-flash"),
        ("paid",),
        ("gemini-3.8-flash",),
        True,
        (
            WindowUse("rpm", 0, yours("rpm", 1000)),
            WindowUse("ipm", 2, yours("ipm", 0), now + 30),
            WindowUse("rpd", 4_200_000, None, MIDNIGHT),
        ),
    )
    local = BucketUse(
        Bucket("local", "qwen2.5-0.5b"), ("local",), ("qwen2.5-0.5b",), True,
        (WindowUse("rpd", 8, None, MIDNIGHT),),
    )  # fmt: skip
    budgets = (
        BudgetUse("proxy", "day", 420_000, 1_000_000, MIDNIGHT),
        BudgetUse("proxy", "month", 19_400_000, 20_000_000, MIDNIGHT + 8 * 86_400),
    )
    where = "redis://team.example.org/0"
    return Snapshot(now, (flash, pro, unnamed, local), budgets, where)


def hostile() -> Snapshot:
    limit = Limit("rpm", 9, SEED, False, OCTOBER, HOSTILE, HOSTILE)
    use = BucketUse(
        Bucket(HOSTILE, HOSTILE, HOSTILE), (HOSTILE,), (HOSTILE, HOSTILE + "2"), True,
        (WindowUse("rpm", 1, limit, NOW + 1), WindowUse(HOSTILE, 2**62, limit)),
    )  # fmt: skip
    key = BucketUse(Bucket("key:" + HOSTILE, "a"), (HOSTILE,), (), True, ())
    budget = BudgetUse(HOSTILE, HOSTILE, 2**60, 1, NOW + 5)
    return Snapshot(NOW, (use, key), (budget,), HOSTILE, HOSTILE)


def many(count: int = 50) -> Snapshot:
    uses = tuple(
        BucketUse(
            Bucket(f"project-{n % 7}", f"model-{n}"), ("studio",), (f"model-{n}",), False,
            (WindowUse("rpm", n, yours("rpm", 40), NOW + n), WindowUse("rpd", n * n, None)),
        )
        for n in range(count)
    )  # fmt: skip
    return Snapshot(NOW, uses)
