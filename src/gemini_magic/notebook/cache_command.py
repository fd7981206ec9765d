"""``%gemini cache``: what is kept of earlier replies, and how to be rid of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import UsageError
from gemini_magic.notebook.tables import show_table

if TYPE_CHECKING:
    from gemini_magic.engine.cache import Cache

_HEAD = ("replies", "size", "at most", "oldest", "kept for", "where")


def run(shell: Any, cache: Cache | None, words: list[str], magic_name: str) -> None:
    """Do what ``%gemini cache words`` says; ``cache`` is None where replies are not kept.

    Raises UsageError if the words are off, ConfigError where the file cannot be used.
    """
    if words not in ([], ["size"], ["clear"]):
        raise UsageError(
            f"usage: %{magic_name} cache [clear|size]",
            f"To send it as a prompt, write: %{magic_name} -- cache ...",
        )
    if cache is None:
        print(
            "Replies are not kept. To keep them, write under [settings] of your gemini_magic.toml:"
            ' cache = { size = "1 GB", days = 30 }'
        )
    elif words == ["clear"]:
        count = cache.clear()
        print(f"{_replies(count)} forgotten; the next run of each cell asks again.")
    elif words == ["size"]:
        use = cache.usage()
        print(f"{_amount(use.bytes)} of {_amount(cache.size)}, {_replies(use.replies)}")
    else:
        use = cache.usage()
        oldest = "" if use.oldest is None else _day(use.oldest)
        sizes = (_amount(use.bytes), _amount(cache.size))
        row = (f"{use.replies:,}", *sizes, oldest, f"{cache.days:g} days", cache.path)
        show_table(shell, _HEAD, [row])
        print(f"To empty it: %{magic_name} cache clear")


def _replies(count: int) -> str:
    return "1 reply" if count == 1 else f"{count:,} replies"


def _day(when: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
    except (OverflowError, OSError, ValueError):  # no time that a calendar has
        return "?"


def _amount(count: int) -> str:
    """A number of bytes in the units of the configuration: 999 bytes, 1.5 kB, 1 GB."""
    for unit, worth in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= worth:
            return f"{count / worth:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"
