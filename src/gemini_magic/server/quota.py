"""The routes on quota: what is left, and what was used in the last day and fortnight."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from gemini_magic import catalog
from gemini_magic.config import Config, default_target_names
from gemini_magic.engine import reports
from gemini_magic.engine.database import Unusable
from gemini_magic.errors import GeminiMagicError
from gemini_magic.quota import windows
from gemini_magic.quota.meters import NEARLY, source
from gemini_magic.quota.plan import DOLLAR
from gemini_magic.quota.reader import Reader
from gemini_magic.quota.usage import BucketUse, BudgetUse, Snapshot, WindowUse
from gemini_magic.server import kernels
from gemini_magic.server.desk import Desk, Given

#: What a sparkline shows.
HOURS, DAYS = 24, 14
_HOUR = 3_600.0
#: The best state first.
_STATES = ("unknown", "ok", "warn", "empty")


def read(desk: Desk, given: Given) -> dict[str, Any]:
    """``GET quota``."""

    def snapshot(reader: Reader) -> dict[str, Any]:
        return told(reader.snapshot(), reader.config, active(desk, reader.config))

    return desk.reading(snapshot)


def active(desk: Desk, config: Config) -> frozenset[str]:
    """The backends that cells ask first, unless they name another one: as the kernels report it,
    or where none did, by the server's own configuration and keys."""
    if asked := kernels.first(config, reports.alive()):
        return frozenset(asked)
    with suppress(GeminiMagicError):
        return frozenset(default_target_names(config, desk.find_key)[:1])
    return frozenset()


def told(snapshot: Snapshot, config: Config, first: frozenset[str]) -> dict[str, Any]:
    """A state of the ledger for front ends; ``first`` are backends whose windows are told first."""
    now = snapshot.at
    meters = [_meter(use, config, now) for use in snapshot.buckets]
    order = {name: place for place, name in enumerate(config.backends)}
    meters.sort(key=lambda one: (order.get(one["backend"], len(order)), one["model"]))
    tightest = _tightest([one for one in meters if one["backend"] in first]) or _tightest(meters)
    return {
        "tightest": tightest,
        "text": _short(tightest) if tightest else None,
        "meters": meters,
        "budget": [_budget(one) for one in snapshot.budgets],
        "at": now or time.time(),
        "problem": snapshot.problem or None,
    }


def unread(problem: GeminiMagicError) -> dict[str, Any]:
    """The same where not even the configuration can be read."""
    return {"tightest": None, "text": None, "meters": [], "budget": [], "at": time.time(),
            "problem": str(problem)}  # fmt: skip


def _meter(use: BucketUse, config: Config, now: float) -> dict[str, Any]:
    backend = next(iter(use.backends), "")
    service = config.backends.get(backend) or config.presets.get(backend)
    shown = [_window(one, now) for one in use.windows]
    unknown = use.guessed and use.bucket.project.startswith("key:")
    return {
        "backend": backend,
        "kind": service.kind if service else None,
        "model": use.bucket.model,
        "project": None if unknown else use.bucket.project,
        "tier": use.bucket.tier or None,
        "state": max((one["state"] for one in shown), key=_STATES.index, default="unknown"),
        "windows": shown,
    }


def _window(use: WindowUse, now: float) -> dict[str, Any]:
    limit = use.limit
    closed = use.closed_until is not None and use.closed_until > now
    note = source(limit, now)
    return {
        "window": use.window.upper(),
        "used": max(0, use.used),
        "limit": limit.size if limit else None,
        "provenance": limit.provenance if limit else None,
        "note": f"closed by the service; {note}" if closed else note,
        "resets_at": _finite(use.closed_until if closed else use.resets),
        "state": "empty" if closed else _state(use.used, limit.size if limit else None),
    }


def _budget(use: BudgetUse) -> dict[str, Any]:
    return {
        "backend": use.backend,
        "period": use.period,
        "used": use.used / DOLLAR,
        "limit": use.limit / DOLLAR,
        "resets_at": use.resets,
        "state": _state(use.used, use.limit),
    }


def _state(used: int, size: int | None) -> str:
    if size is None:
        return "unknown"
    if used >= size:
        return "empty"
    return "warn" if used >= NEARLY * size else "ok"


def _finite(at: float | None) -> float | None:
    return at if at is not None and math.isfinite(at) else None


def _tightest(meters: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The window that runs out first: of the worst state, the one that is used most."""
    known = [
        {**window, "backend": one["backend"], "model": one["model"], "project": one["project"]}
        for one in meters
        for window in one["windows"]
        if window["state"] != "unknown"
    ]

    def need(one: dict[str, Any]) -> tuple[int, float]:
        return _STATES.index(one["state"]), one["used"] / one["limit"] if one["limit"] else 1.0

    return max(known, key=need, default=None)


def _short(one: dict[str, Any]) -> str:
    """A window for a status bar: ``RPD 7/20 · 2.5-flash``."""
    limit = f"/{one['limit']:,}" if one["limit"] is not None else ""
    model = catalog.bare(one["model"]).rpartition("/")[2].removeprefix("gemini-")
    return f"{one['window']} {one['used']:,}{limit} · {model}"


# --- history ---


def history(desk: Desk, given: Given) -> dict[str, Any]:
    """``GET quota/history``: hours by the log of runs, days by the ledger."""
    backend, model = given.params.get("backend"), given.params.get("model")

    def days(reader: Reader) -> tuple[list[dict[str, Any]], frozenset[str], float]:
        snapshot = reader.snapshot()
        names = _names(snapshot.buckets, backend, model)
        now = snapshot.at or time.time()
        uses = [
            (windows.dawn_of(use.day), use.requests, use.tokens + use.output,
             use.cost if use.priced else None)
            for use in reader.history(DAYS)
            if backend in (None, use.backend) and (model is None or use.model in names)
        ]  # fmt: skip
        starts = [windows.dawn(now)]
        while len(starts) < DAYS:
            starts.append(windows.dawn(starts[-1] - _HOUR))
        return _points(starts[::-1], uses), names, now

    daily, names, now = desk.reading(days)
    last = now - now % _HOUR
    starts = [last - _HOUR * ago for ago in reversed(range(HOURS))]
    runs = []
    with suppress(Unusable):  # where nothing is logged, days are all that is known
        runs = [
            (run.at, 1, _tokens(run.usage), run.cost)
            for run in desk.log.since(starts[0])
            if backend in (None, run.backend)
            and (model is None or catalog.bare(run.model).lower() in names)
        ]
    return {"hours": _points(starts, runs), "days": daily}


def _names(buckets: Sequence[BucketUse], backend: str | None, model: str | None) -> frozenset[str]:
    """The names under which a meter's model is asked."""
    if model is None:
        return frozenset()
    found = {model, catalog.bare(model).lower()}
    for use in buckets:
        if use.bucket.model == model and (backend is None or backend in use.backends):
            found.update(use.models)
    return frozenset(found)


def _tokens(usage: dict[str, int | None]) -> int:
    return sum(usage.get(name) or 0 for name in ("input_tokens", "output_tokens", "thought_tokens"))


def _points(
    starts: Sequence[float], uses: Iterable[tuple[float, int, int, int | None]]
) -> list[dict[str, Any]]:
    """Uses (time, requests, tokens, micro-dollars) summed up from each start to the next.

    A price is null where nobody knows one of them.
    """
    sums: list[list[Any]] = [[0, 0, 0] for _ in starts]
    for at, requests, tokens, cost in uses:
        place = max((i for i, start in enumerate(starts) if start <= at), default=None)
        if place is None:
            continue
        one = sums[place]
        one[0] += requests
        one[1] += tokens
        one[2] = None if cost is None or one[2] is None else one[2] + cost
    return [
        {"at": start, "requests": requests, "tokens": tokens,
         "price": None if cost is None else cost / DOLLAR}
        for start, (requests, tokens, cost) in zip(starts, sums, strict=True)
    ]  # fmt: skip
