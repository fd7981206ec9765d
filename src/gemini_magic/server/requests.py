"""The routes on what was asked and what is stored: the log of runs, and the cache of replies."""

from __future__ import annotations

from typing import Any

from gemini_magic import paths
from gemini_magic.convert.secrets import keys_in
from gemini_magic.engine.cache import Cache, size_of
from gemini_magic.engine.database import Unusable
from gemini_magic.engine.runlog import Row
from gemini_magic.errors import LedgerError
from gemini_magic.keys import SHOWN
from gemini_magic.quota.plan import DOLLAR
from gemini_magic.server.desk import Desk, Given

#: How many requests are told unasked.
USUAL = 20
#: The characters of a prompt that are told.
_WORDS = 80


def read(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET requests``. Raises ``LedgerError`` where the log cannot be read."""
    return newest(desk, given.params.get("limit", USUAL))


def newest(desk: Desk, limit: int) -> list[dict[str, Any]]:
    """The newest requests of all kernels, newest first. Raises ``LedgerError``."""
    try:
        rows = desk.log.newest(limit)
    except Unusable as problem:
        raise LedgerError(f"the log of runs cannot be read: {problem}.") from None
    names = desk.key_names()
    return [_told(desk, row, names) for row in rows]


def _told(desk: Desk, row: Row, key_names: list[str]) -> dict[str, Any]:
    outputs = [row.usage.get(name) for name in ("output_tokens", "thought_tokens")]
    known = [count for count in outputs if count is not None]
    return {
        "at": row.at,
        "seconds": row.seconds,
        "backend": row.backend,
        "model": row.model,
        "input_tokens": row.usage.get("input_tokens"),
        "output_tokens": sum(known) if known else None,
        "price": None if row.cost is None else row.cost / DOLLAR,
        "status": "error" if row.failed else row.finish_reason,
        "cached": False,  # an answer that is replayed asks nobody, and is not logged
        "notebook": desk.root.relative(row.notebook) if row.notebook else None,
        "cell_id": row.cell or None,
        "prompt": _first_words(row.sent, key_names),
    }


def _first_words(sent: dict[str, Any], key_names: list[str]) -> str:
    """How the newest message begins, without a key that may stand in it."""
    asked = [one for one in sent.get("messages", ()) if one.get("role") == "user"]
    parts = asked[-1].get("parts", ()) if asked else ()
    text = next((part["text"] for part in parts if part.get("text")), "")[: 10 * _WORDS]
    for key in reversed(keys_in(text, key_names)):
        text = f"{text[: key.start]}{SHOWN}{text[key.end :]}"
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…"


# --- the cache ---


def cache(desk: Desk, given: Given) -> dict[str, int]:
    """``GET cache``. Raises ``ConfigError`` where it cannot be read."""
    use = _cache(desk).usage()
    return {"replies": use.replies, "bytes": use.bytes}


def clear(desk: Desk, given: Given) -> None:
    """``DELETE cache``. Raises ``ConfigError``."""
    _cache(desk).clear()


def _cache(desk: Desk) -> Cache:
    config = desk.config()
    size, days = size_of(config.cache["size"]), config.cache["days"]
    return Cache(paths.data_dir() / "cache.db", size=size, days=days)
