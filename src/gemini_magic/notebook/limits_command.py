"""``%gemini limits``: what is assumed of Google's limits, since when, and who says so."""

from __future__ import annotations

from datetime import date
from typing import Any

from gemini_magic import catalog
from gemini_magic.errors import UsageError, did_you_mean
from gemini_magic.notebook.tables import show_table
from gemini_magic.quota import limits

_USAGE = "limits [MODEL] [--as-of DATE]"

#: Where the owner of a project sees its true limits.
_TRUTH = "https://aistudio.google.com/rate-limit"


def show(session_shell: Any, words: list[str], magic_name: str) -> None:
    """Draw what is known of a model's limits, or of all; with a day, what was known on it.

    Raises ``UsageError`` for other words, unknown models and days before the first row.
    """
    model, as_of = _read(words, magic_name)
    found = limits.rows(model, as_of)
    if not found and limits.rows(model):
        first = min(row.as_of for row in limits.rows(model))
        raise UsageError(
            f"nothing is known of the limits on {as_of}.",
            f"The oldest row is of {first}: %{magic_name} limits --as-of {first}",
        )
    if not found and model in _known():
        print(f"No limit of {model} is known here. Yours are at {_TRUTH}")
        return
    if not found:
        hint = did_you_mean(model, _known()) or f"See all: %{magic_name} limits"
        raise UsageError(f"there is no model {model} in the table of limits.", hint)
    head = ("model", "tier", "limits", "as of", "confidence", "counts", "source")
    show_table(session_shell, head, [_cells(row) for row in found])
    print(f"These only pace requests and warn. The limits of your project: {_TRUTH}")


def _read(words: list[str], magic_name: str) -> tuple[str, date | None]:
    """The model ("" if none was named) and the day."""
    names: list[str] = []
    as_of = None
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option == "--as-of":
            as_of = _day(value if equals else next(rest, ""), magic_name)
        else:
            names.append(word)
    if len(names) > 1 or any(name.startswith("-") for name in names):
        raise UsageError(
            f"usage: %{magic_name} {_USAGE}",
            f"For example: %{magic_name} limits {catalog.default_model()}",
        )
    return catalog.bare("".join(names)), as_of


def _day(text: str, magic_name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        what = f"{text!r} is not a day" if text else "--as-of takes a day"
        example = f"%{magic_name} limits --as-of 2025-12-31"
        raise UsageError(f"{what}.", f"For example: {example}") from None


def _known() -> tuple[str, ...]:
    catalogued = (model.name for model in catalog.google_models())
    return tuple(dict.fromkeys((*limits.names(), *catalogued)))


def _cells(row: limits.Row) -> tuple[str, ...]:
    if not any(size for _, size in row.limits):
        sizes = "none: not in this tier"
    else:
        sizes = ", ".join(f"{size:,} {window.upper()}" for window, size in row.limits)
    if len(row.counts) == len(row.limits):
        counts = "yes"
    else:
        counts = ", ".join(window.upper() for window in row.counts) or "no"
    source = f"{row.source} ({row.note})" if row.note else row.source
    return (row.model, row.tier, sizes, row.as_of.isoformat(), row.confidence, counts, source)
