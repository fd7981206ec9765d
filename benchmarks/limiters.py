"""Times limiters, in whatever Python has them: ``python limiters.py WAY PLACE PROCESSES``.

So many processes wait for each other, then each acquires without a pause. Every limit is far
away: what is timed is an acquisition that succeeds. Prints one line of JSON: p50, p99 and max of
an acquisition in seconds, acquisitions a second of all together, and how many were refused.
Needs nothing but the standard library and the limiter.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What no run reaches.
ENDLESS = 1_000_000_000
#: Acquisitions of a process, and the seconds after which a slow one stops.
_COUNT, _SECONDS = 1_000, 1.0
_STREAM = "key:0123456789ab/gemini-2.5-flash"
_TOKENS = 500
#: The history: days, streams, and requests of each stream on each day.
_DAYS, _STREAMS, _DAILY = 365, 8, 120

#: Acquires once; whether it was admitted.
Acquire = Callable[[], bool]


def bare(place: str) -> Acquire:
    """No limiter: one row of the size of an event of ours."""
    database = sqlite3.connect(place, timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, scope TEXT, at REAL,"
        " requests INTEGER, tokens INTEGER, day TEXT)"
    )
    insert = "INSERT INTO events (scope, at, requests, tokens, day) VALUES (?, ?, ?, ?, ?)"

    def acquire() -> bool:
        database.execute("BEGIN IMMEDIATE")
        database.execute(insert, (_STREAM, time.time(), 1, _TOKENS, f"{_STREAM} 2026-11-22"))
        database.execute("COMMIT")
        return True

    return acquire


def bare_queue(place: str) -> Acquire:
    """The same, with the processes in a queue, so that none of them starves."""
    import fcntl

    write = bare(place)
    queue = open(f"{place}.queue", "w")  # noqa: SIM115 - to the end of the process

    def acquire() -> bool:
        fcntl.flock(queue, fcntl.LOCK_EX)
        try:
            return write()
        finally:
            fcntl.flock(queue, fcntl.LOCK_UN)

    return acquire


# --- ours ----------------------------------------------------------------------------------------


def _plan(day: str, at: float, scope: str = _STREAM, requests: int = 1) -> Any:
    from gemini_magic.quota.store import Amount, Gate, Plan

    gates = (
        Gate("rpm", "requests", ENDLESS, (scope,)),
        Gate("tpm", "tokens", ENDLESS, (scope,)),
        Gate("rpd", "requests", ENDLESS, (scope,), day, at + 86_400),
    )
    amount = Amount(requests, requests * _TOKENS)
    return Plan(0, float("inf"), scope, amount, gates, ((scope, day),))


def _reserving(store: Any) -> Acquire:
    from gemini_magic.quota import windows
    from gemini_magic.quota.store import Admitted

    now = time.time()
    plan = _plan(windows.day(now), now)
    return lambda: isinstance(store.reserve(plan), Admitted)


def reserve(place: str) -> Acquire:
    from gemini_magic.quota.sqlite_store import SqliteStore

    return _reserving(SqliteStore(Path(place)))


def reserve_redis(place: str) -> Acquire:
    from gemini_magic.quota.redis_store import RedisStore

    return _reserving(RedisStore(place))


def admit(place: str) -> Acquire:
    """The whole ledger: limits, plan, reservation and what the engine keeps of it."""
    from gemini_magic.quota.ledger import Grant, Ledger
    from gemini_magic.quota.plan import Asking
    from gemini_magic.quota.rules import Stream
    from gemini_magic.quota.sqlite_store import SqliteStore
    from gemini_magic.quota.store import Amount

    ledger = Ledger(SqliteStore(Path(place)))
    sizes = {"rpm": ENDLESS, "tpm": ENDLESS, "rpd": ENDLESS}
    ledger.configure({"bench": {"gemini-2.5-flash": sizes}}, time.time())
    account, _, model = _STREAM.partition("/")
    asking = Asking(Stream(account, model, "studio", "localhost"), label="bench", seeded=True)
    amount = Amount(1, _TOKENS)
    return lambda: isinstance(ledger.admit(asking, amount), Grant)


def with_history(place: str) -> None:
    """A year of use: the totals of every day, and the single events of the last two."""
    from gemini_magic.quota import windows
    from gemini_magic.quota.clock import Reading
    from gemini_magic.quota.sqlite_store import SqliteStore

    now = time.time()
    at = now - _DAYS * 86_400
    store = SqliteStore(Path(place), clock=lambda: Reading(at))
    for ago in range(_DAYS, 0, -1):
        at = now - ago * 86_400 + 60
        singly = ago <= 2
        for stream in range(_STREAMS):
            scope = _STREAM if not stream else f"{_STREAM}-{stream}"
            plan = _plan(windows.day(at), at, scope, 1 if singly else _DAILY)
            for _ in range(_DAILY if singly else 1):
                store.reserve(plan)
    at = now - 60
    store.fold()
    store.close()


# --- others --------------------------------------------------------------------------------------


def gemini_router(place: str) -> Acquire:
    """What its router asks and writes of its ledger before a request, without its pauses."""
    from gemini_router.ledger import Ledger, pt_midnight_ts

    ledger = Ledger(place)

    def acquire() -> bool:
        now = time.time()
        midnight = pt_midnight_ts("America/Los_Angeles", now)
        day, rolling = ledger.rpd_spent("key", "model", midnight, now - 86_400, now - 300)
        calls, tokens, _ = ledger.window_usage("key", "model", now - 60, now - 300)
        if ledger.cooldown("key", "model", now) or max(day, rolling, calls, tokens) > ENDLESS:
            return False
        ledger.last_call_ts("key", "model")
        ledger.plan(
            key_id="key", model="model", kind="single", est_tokens=_TOKENS, request_id=None,
            source="cli",
        )  # fmt: skip
        return True

    return acquire


def _pyrate(place: str, *, use_file_lock: bool) -> Acquire:
    from pyrate_limiter import Duration, Limiter, Rate, SQLiteBucket

    rates = [Rate(ENDLESS, Duration.MINUTE)]
    bucket = SQLiteBucket.init_from_file(rates, db_path=place, use_file_lock=use_file_lock)
    limiter = Limiter(bucket)
    return lambda: bool(limiter.try_acquire("key", blocking=False))


def pyrate(place: str) -> Acquire:
    return _pyrate(place, use_file_lock=False)


def pyrate_file_lock(place: str) -> Acquire:
    return _pyrate(place, use_file_lock=True)


def limits(place: str) -> Acquire:
    """Its moving window on Redis; requests only."""
    from limits import RateLimitItemPerMinute
    from limits.storage import RedisStorage
    from limits.strategies import MovingWindowRateLimiter

    limiter, rate = MovingWindowRateLimiter(RedisStorage(place)), RateLimitItemPerMinute(ENDLESS)
    return lambda: bool(limiter.hit(rate, "key", "model"))


def token_throttle(place: str) -> Acquire:
    from token_throttle import (
        PerModelConfig,
        Quota,
        SyncRateLimiter,
        SyncSqliteBackendBuilder,
        UsageQuotas,
    )

    quotas = [
        Quota(metric="requests", limit=ENDLESS, per_seconds=60),
        Quota(metric="tokens", limit=ENDLESS, per_seconds=60),
        Quota(metric="requests", limit=ENDLESS, per_seconds=86_400),
    ]
    limiter = SyncRateLimiter(
        PerModelConfig(quotas=UsageQuotas(quotas)),
        backend=SyncSqliteBackendBuilder(place, key_prefix="bench"),
    )
    usage = {"requests": 1, "tokens": _TOKENS}
    return lambda: limiter.acquire_capacity(usage, model="model") is not None


WAYS: dict[str, Callable[[str], Acquire]] = {
    one.__name__: one
    for one in (
        bare, bare_queue, reserve, reserve_redis, admit, gemini_router, pyrate, pyrate_file_lock,
        limits, token_throttle,
    )
}  # fmt: skip


# --- the measurement -----------------------------------------------------------------------------


def _work(make: Callable[[str], Acquire], place: str, ready: Any, answers: Any) -> None:
    took: list[float] = []
    refused, why = 0, ""
    try:
        acquire = make(place)
        for _ in range(3):
            acquire()
    except Exception as error:
        refused, why = 1, repr(error)
    ready.wait()
    began = now = time.perf_counter()
    while not why and len(took) + refused < _COUNT and now < began + _SECONDS:
        at = time.perf_counter()
        try:
            good = acquire()
        except Exception as error:
            good, last = False, repr(error)
            why = last if not took and refused > 100 else ""
        now = time.perf_counter()
        if good:
            took.append(now - at)
        else:
            refused += 1
    answers.put((took, refused, now - began, why))


def main() -> None:
    way, place, count, *history = sys.argv[1:]
    make, processes = WAYS[way], int(count)
    if history:
        with_history(place)
    if place.startswith("redis:"):
        from redis import Redis

        Redis.from_url(place).flushall()
    fork = multiprocessing.get_context("fork")
    first = fork.Process(target=lambda: make(place)())
    first.start()  # files and tables are made by one process, not in a race
    first.join()
    ready, answers = fork.Barrier(processes), fork.SimpleQueue()
    running = [
        fork.Process(target=_work, args=(make, place, ready, answers)) for _ in range(processes)
    ]
    for one in running:
        one.start()
    found = [answers.get() for _ in running]
    for one in running:
        one.join()
    took = sorted(seconds for one, *_ in found for seconds in one)
    if len(took) < 20:
        sys.exit(next((why for *_, why in found if why), "nothing was admitted"))
    print(
        json.dumps(
            {
                "p50": took[len(took) // 2],
                "p99": took[len(took) * 99 // 100],
                "max": took[-1],
                "rate": len(took) / max(seconds for _, _, seconds, _ in found),
                "refused": sum(refused for _, refused, _, _ in found),
            }
        )
    )


if __name__ == "__main__":
    main()
