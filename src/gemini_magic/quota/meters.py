"""How a ledger's state is told, whatever it is drawn with: a meter per window, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from gemini_magic.quota.money import dollars
from gemini_magic.quota.rules import LEARNED, SEED, USER, Limit
from gemini_magic.quota.usage import BucketUse, BudgetUse, Snapshot, WindowUse
from gemini_magic.quota.windows import PACIFIC, WINDOWS, zone

#: Used shares from which on a meter warns.
NEARLY = 0.8

_AT_LEAST = "≥: at least; what others use of the project shows only when it refuses."
_STALE = "seed: a published limit that may be stale: it paces, and never refuses."
_OLD = "old: a learned limit of a day before: it paces, and never refuses."
_NAMES = {"rpm": "requests/min", "tpm": "tokens/min", "ipm": "pictures/min", "rpd": "requests/day",
          "tpd": "tokens/day"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meter:
    """One window or budget in words. ``share`` is 0 to 1, None where no limit is known.

    ``status`` says what is left and when there is more; ``when`` is the same for a narrow column.
    """

    label: str
    share: float | None
    amount: str
    exactly: str
    status: str
    when: str
    source: str = ""
    firm: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """What a project's heading stands above: rows of (name, what else it is called, meters)."""

    title: str
    details: str
    hint: str
    rows: tuple[tuple[str, str, tuple[Meter, ...]], ...]


# --- values ---------------------------------------------------------------------------------------


def groups(snapshot: Snapshot, now: float) -> Iterator[Group]:
    """The snapshot by project; budgets come last. ``now`` is a time of the ledger's clock."""

    def owner(use: BucketUse) -> tuple[bool, str, str]:
        return use.guessed, use.bucket.project, use.bucket.tier

    for (guessed, project, tier), found in groupby(sorted(snapshot.buckets, key=owner), owner):
        uses = sorted(found, key=lambda use: use.bucket.model)
        backends = list(dict.fromkeys(_name(name) for use in uses for name in use.backends))
        details = [f"tier {_name(tier)}"] if tier else []
        if backends and backends != [project]:
            details.append(f"asked as {', '.join(backends)}")
        title, hint = _name(project), ""
        if guessed and project.startswith("key:"):
            title = f"one key, project unknown (#{_name(project[4:])[:6]})"
            where = f"[backends.{backends[0]}]" if backends else "its backend"
            hint = f'This key counts by itself. Say whose it is: project = "..." in {where}'
        yield Group(
            title,
            " · ".join(details),
            hint,
            tuple((_name(use.bucket.model), _also(use), _meters(use, now)) for use in uses),
        )
    if snapshot.budgets:
        spent = sorted(snapshot.budgets, key=lambda budget: budget.backend)
        rows = [
            (_name(backend), "", tuple(_budget(one, now) for one in found))
            for backend, found in groupby(spent, lambda budget: budget.backend)
        ]
        yield Group("Budgets", "", "", tuple(rows))


def notes(snapshot: Snapshot, now: float) -> Iterator[str]:
    """What explains the meters that are there, a line each."""
    limits = [one.limit for use in snapshot.buckets for one in use.windows if one.limit]
    if snapshot.buckets:
        yield _AT_LEAST
    if any(limit.provenance == SEED for limit in limits):
        yield _STALE
    if any(limit.provenance == LEARNED and not limit.firm for limit in limits):
        yield _OLD
    where = f" · counted in {_shortened(snapshot.where)}" if snapshot.where else ""
    yield f"As of {datetime.fromtimestamp(now):%d %b %Y, %H:%M}{where}"


def _meters(use: BucketUse, now: float) -> tuple[Meter, ...]:
    return tuple(_meter(one, now) for one in use.windows)


def _meter(use: WindowUse, now: float) -> Meter:
    known = WINDOWS.get(use.window)
    label = _NAMES.get(use.window, _name(use.window, 12))
    daily = known is not None and known.daily
    what = known.label if known else label
    size = use.limit.size if use.limit else None
    closed = use.closed_until is not None and use.closed_until > now
    share = _share(use.used, size)
    states = []
    if closed and use.closed_until is not None:
        share = 1.0
        when = f"closed to {_clock(use.closed_until, now)}"
        states.append(f"closed until {both(use.closed_until, now)}")
    else:
        if size is not None:
            states.append(_left(use.used, size))
        when = ""
        if use.resets is not None and size != 0:
            when = _clock(use.resets, now) if daily else f"in {span(use.resets - now)}"
            opens = f"resets {both(use.resets, now)}, in " if daily else "frees in "
            states.append(opens + span(use.resets - now))
    amount, exactly = f"≥ {_count(use.used)}", f"at least {use.used:,}"
    if size is not None:
        amount, exactly = f"{amount} / {_count(size)}", f"{exactly} of {size:,}"
    return Meter(
        label, share, amount, f"{exactly} {what}", " · ".join(states), when,
        source(use.limit, now), use.limit is None or use.limit.firm,
    )  # fmt: skip


def _budget(use: BudgetUse, now: float) -> Meter:
    over = use.used - use.limit
    left = f"{dollars(-over)} left" if over < 0 else f"over by {dollars(over)}" if over else "spent"
    when, period = _clock(use.resets, now), f"a {_name(use.period, 10)}"
    return Meter(
        period,
        _share(use.used, use.limit),
        f"{dollars(use.used)} / {dollars(use.limit)}",
        f"{dollars(use.used)} of {dollars(use.limit)} {period}",
        f"{left} · resets {when}, in {span(use.resets - now)}",
        when,
        "yours",
    )


def _share(used: int, size: int | None) -> float | None:
    if size is None:
        return None
    return 1.0 if used >= size else max(0.0, used / size)


def _left(used: int, size: int) -> str:
    if size == 0:
        return "nothing is allowed"
    if used < size:
        return f"{_count(size - used)} left"
    return "full" if used == size else f"over by {_count(used - size)}"


def source(limit: Limit | None, now: float) -> str:
    """Where a limit comes from, for people."""
    if limit is None:
        return "no limit known"
    if limit.provenance == USER:
        return "yours"
    if limit.provenance == LEARNED:
        when = _clock(limit.as_of, now)
        return f"learned {when}" if limit.firm else f"learned {when}, old"
    month = datetime.fromtimestamp(limit.as_of, UTC).strftime("%b %Y")
    return ", ".join(filter(None, ("seed", month, _name(limit.confidence, 10))))


def _also(use: BucketUse) -> str:
    others = [_name(model) for model in use.models if model != use.bucket.model]
    return f"also {', '.join(others)}" if others else ""


# --- words ----------------------------------------------------------------------------------------


def _count(number: int) -> str:
    """A count of at most 9 characters; exact below ten millions."""
    if abs(number) < 10_000_000:
        return f"{number:,}"
    for name in ("M", "G", "T"):
        number //= 1000
        if abs(number) < 1_000_000:
            return f"{number / 1000:.4g}{name}"
    return f"{number / 1000:.1e}T"


def plain(text: str) -> str:
    """A foreign text in one line: nothing that a terminal obeys or that turns text round."""
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))


def _name(text: str, most: int = 60) -> str:
    line = plain(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def _shortened(where: str) -> str:
    home = str(Path.home())
    return _name("~" + where[len(home) :] if where.startswith(home) else where)


def _clock(at: float, now: float) -> str:
    """A time of this machine's zone, with its day where that is not clear."""
    local, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now).date()
    days = (local.date() - today).days
    if days == 0 or 0 < at - now < 20 * 3600:
        return f"{local:%H:%M}"
    if 0 < days < 7:
        return f"{local:%a %H:%M}"
    return f"{local.day} {local:%b}" + ("" if local.year == today.year else f" {local.year}")


def both(at: float, now: float) -> str:
    """A time in this machine's zone and in Google's, where they differ."""
    pacific = datetime.fromtimestamp(at, zone(PACIFIC))
    here = datetime.fromtimestamp(at).astimezone()
    if here.utcoffset() == pacific.utcoffset():
        return f"{_clock(at, now)} {pacific:%Z}"
    return f"{_clock(at, now)} ({pacific:%H:%M %Z})"


def span(seconds: float) -> str:
    """A time to wait: rounded up below two minutes, since it counts down to zero."""
    if seconds < 120:
        return f"{max(0, -int(-seconds // 1))} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 10:
        return f"{hours} h {minutes} min"
    if hours < 48:
        return f"{round(seconds / 3600)} h"
    return f"{hours // 24} d {hours % 24} h"
