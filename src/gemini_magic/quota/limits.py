"""What is assumed of limits that nobody told us: the dated rows of ``limits.toml``."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.quota.rules import SEED, Limit
from gemini_magic.quota.windows import WINDOWS

#: The tiers of Google's, and the one that "" means.
TIERS = ("free", "tier1", "tier2", "tier3")
FREE = TIERS[0]

#: How sure a row is, best first.
CONFIDENCE = ("high", "medium", "low")


class Row(NamedTuple):
    """What somebody saw of a model's limits in a tier.

    ``model`` is a name or a pattern (fnmatch). ``limits`` are sizes by window; 0 says that the
    tier has none at all. ``counts`` are the windows for which this row is the one that counts.
    """

    model: str
    tier: str
    limits: tuple[tuple[str, int], ...]
    as_of: date
    source: str
    confidence: str
    note: str = ""
    counts: tuple[str, ...] = ()

    def size(self, window: str) -> int | None:
        """The size of a window; None where the row does not say."""
        return dict(self.limits).get(window)

    @property
    def is_pattern(self) -> bool:
        return any(mark in self.model for mark in "*?[")


@functools.lru_cache(maxsize=4096)
def seed(model: str, tier: str, window: str) -> Limit | None:
    """The limit that is assumed for a window of a model; None where no row says anything.

    The tier "" is the free one. The limit is not firm: it may be out of date. Its ``as_of`` is the
    midnight (UTC) with which the row's day begins, so what is learned on that day is newer.
    """
    row = _winner(_about(catalog.bare(model)), tier or FREE, window)
    size = row.size(window) if row else None
    if row is None or size is None:
        return None
    as_of = datetime.combine(row.as_of, datetime.min.time(), UTC).timestamp()
    return Limit(window, size, SEED, False, as_of, row.confidence, row.source)


def rows(model: str = "", as_of: date | None = None) -> tuple[Row, ...]:
    """What is known of a model (of all, if ""), history included: by model and tier, newest first.

    With ``as_of``: what was known on that day. ``counts`` says which rows count then.
    """
    name = catalog.bare(model)
    found = [
        row for row in (_about(name) if name else _all()) if as_of is None or row.as_of <= as_of
    ]

    def marked(row: Row) -> Row:
        rivals = found if name else [one for one in found if _covers(one.model, row.model)]
        wins = (w for w, _ in row.limits if _winner(rivals, row.tier, w) == row)
        return row._replace(counts=tuple(wins))

    order = sorted(found, key=lambda row: (row.model, row.tier, -row.as_of.toordinal()))
    return tuple(marked(row) for row in order)


def names() -> tuple[str, ...]:
    """The models that are named in the rows; patterns are left out."""
    return tuple(dict.fromkeys(row.model for row in _all() if not row.is_pattern))


def _covers(pattern: str, model: str) -> bool:
    return pattern == model or fnmatchcase(model, pattern)


def _about(model: str) -> tuple[Row, ...]:
    return tuple(row for row in _all() if _covers(row.model, model))


def _winner(among: tuple[Row, ...] | list[Row], tier: str, window: str) -> Row | None:
    """The row of the best confidence, of these the newest; a name goes before a pattern."""
    saying = [row for row in among if row.tier == tier and row.size(window) is not None]
    return min(
        saying,
        key=lambda row: (
            CONFIDENCE.index(row.confidence),
            -row.as_of.toordinal(),
            row.is_pattern,
        ),
        default=None,
    )


@functools.cache
def _all() -> tuple[Row, ...]:
    import tomllib

    read = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return tuple(_row(row, model) for row in read["limits"] for model in row["models"])


def _row(row: dict[str, Any], model: str) -> Row:
    return Row(
        model=model,
        tier=row["tier"],
        limits=tuple((window, row[window]) for window in WINDOWS if window in row),
        as_of=row["as_of"],
        source=row["source"],
        confidence=row["confidence"],
        note=row.get("note", ""),
    )
