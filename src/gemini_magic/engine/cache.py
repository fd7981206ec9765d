"""The cache of replies: what was answered once need not cost the quota again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.engine.database import Database, Unusable
from gemini_magic.errors import ConfigError
from gemini_magic.types import STOP, Part, Reply, Request, Target, Usage, digest

if TYPE_CHECKING:
    import sqlite3

    from gemini_magic.config import Backend

#: The version of the tables; a file with a higher one is left alone.
SCHEMA = 1
#: Seconds between two notes of a reply's use: a read that writes costs several times as much.
_TOUCH = 60.0
#: The most replies that make room for one; a cap that was lowered is reached step by step.
_MOST = 1_000
#: Beyond this, a number is none that ``_written`` wrote or that SQLite could hold.
_LARGEST = 2.0**62
_DAY = 86_400.0
_UNITS = {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}

# ``id`` is the beginning of the key: lookups need no index of their own, and new rows fill the
# gaps that old ones leave.
_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    kept REAL NOT NULL,
    used REAL NOT NULL,
    reply BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_by_age ON replies (kept);
CREATE INDEX IF NOT EXISTS replies_by_use ON replies (used);
"""
_FIND = "SELECT kept, used, reply FROM replies WHERE id = ? AND key = ?"
_USED = "UPDATE replies SET used = ? WHERE id = ?"
_INSERT = "INSERT INTO replies VALUES (?, ?, ?, ?, ?)"
_EXPIRE = (
    "DELETE FROM replies WHERE id IN (SELECT id FROM replies WHERE kept <= ? ORDER BY kept LIMIT ?)"
)
_EVICT = (
    "DELETE FROM replies WHERE id = (SELECT id FROM replies WHERE id <> ? ORDER BY used LIMIT 1)"
)
_PAGES = (
    "SELECT (page_count - freelist_count) * page_size"
    " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)


class Use(NamedTuple):
    """How many replies are kept, the bytes of disk they take, and the Unix time of the oldest."""

    replies: int
    bytes: int
    oldest: float | None


def key(service: Backend, model: str, request: Request) -> str:
    """What a reply is found by, SHA-256 in hex: who is asked, under which address, and what.

    ``model`` is the name that the service itself uses.
    """
    who = [service.name, service.kind, service.base_url, service.api_version, service.vertex, model]
    return digest(json.dumps([*who, request.digest]))


def size_of(text: str) -> int:
    """The bytes in a size that ``config_schema`` accepts, such as "1 GB" (a thousand MB)."""
    return round(min(float(text[:-2]) * _UNITS[text[-2:]], _LARGEST))


class Cache:
    """A SQLite file, readable by its owner alone. What goes wrong with it never stops a run.

    It takes about ``size`` bytes of disk at most, and keeps a reply for ``days`` days; where there
    is no more room, the reply goes that was not used for the longest time. ``clock`` tells Unix
    time.
    """

    def __init__(
        self, path: Path, *, size: int, days: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.size = size
        self.days = days
        self._clock = clock
        self._file = Database(path, _TABLES, SCHEMA, disposable=True)

    def find(self, key: str) -> Reply | None:
        """The reply as it was kept, without its request; ``usage`` is what it cost then."""
        if not self._file.exists():
            return None
        now = self._clock()
        row = None
        with suppress(Unusable), self._file.reading() as database:
            row = database.execute(_FIND, (_id(key), key)).fetchone()
        if row is None:
            return None
        kept, used, content = row
        if not _is_number(kept) or abs(now - kept) >= self.days * _DAY:
            return None
        reply = _read(content)
        if reply is not None and (not _is_number(used) or abs(now - used) > _TOUCH):
            with suppress(Unusable), self._file.impatient() as database:
                database.execute(_USED, (now, _id(key)))
        return reply

    def keep(self, key: str, reply: Reply) -> None:
        """Keep a reply that the model ended by itself, in place of an older one; no other."""
        if reply.finish_reason != STOP or not self.days or not _is_sound(reply):
            return
        if sum(part.size for part in reply.parts) > self.size:
            return  # before it is encoded
        content = _written(reply)
        if len(content) > self.size:
            return
        now = self._clock()
        with suppress(Unusable), self._file.writing() as database:
            database.execute("DELETE FROM replies WHERE id = ?", (_id(key),))
            database.execute(_INSERT, (_id(key), key, now, now, content))
            database.execute(_EXPIRE, (now - self.days * _DAY, _MOST))
            self._make_room(database, _id(key))

    def clear(self) -> int:
        """Forget all replies, and say how many they were. Raises ConfigError."""
        if not self._file.exists():
            return 0
        try:
            with self._file.writing() as database:
                count = database.execute("DELETE FROM replies").rowcount
            with suppress(Unusable), self._file.reading() as database:  # the disk's room, too
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Unusable as problem:
            raise self._trouble(problem) from problem
        return count

    def usage(self) -> Use:
        """What is kept now. Raises ConfigError."""
        if not self._file.exists():
            return Use(0, 0, None)
        try:
            with self._file.reading() as database:
                replies = database.execute("SELECT count(*) FROM replies").fetchone()[0]
                oldest = database.execute("SELECT min(kept) FROM replies").fetchone()[0]
                size = _bytes(database) if replies else 0
        except Unusable as problem:
            raise self._trouble(problem) from problem
        return Use(replies, size, oldest if _is_number(oldest) else None)

    def _make_room(self, database: sqlite3.Connection, newest: int) -> None:
        for _ in range(_MOST):
            if _bytes(database) <= self.size:
                return
            if not database.execute(_EVICT, (newest,)).rowcount:
                return

    def _trouble(self, problem: Unusable) -> ConfigError:
        return ConfigError(
            f"the cache {self.path} cannot be used: {problem}.",
            "Cells are answered without it.",
        )


def _bytes(database: sqlite3.Connection) -> int:
    """The bytes of all pages in use; SQLite keeps these counts in the file's header."""
    return int(database.execute(_PAGES).fetchone()[0])


def _id(key: str) -> int:
    return int(key[:15], 16)


def _written(reply: Reply) -> bytes:
    target = reply.target
    document = {
        "parts": [part.to_json() for part in reply.parts],
        "thoughts": reply.thoughts,
        "target": [target.backend, target.model] if target else None,
        "model_version": reply.model_version,
        "usage": reply.usage._asdict(),
        "seconds": reply.seconds,
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _read(content: Any) -> Reply | None:
    """The reply in a stored row; None where it holds anything else than ``_written`` writes."""
    try:
        document = json.loads(content.decode("utf-8", "surrogatepass"))
        parts = tuple(map(Part.from_json, document["parts"]))
        reply = Reply(
            text="".join(part.text or "" for part in parts),
            parts=parts,
            thoughts=document["thoughts"],
            finish_reason=STOP,
            target=None if document["target"] is None else Target(*document["target"]),
            model_version=document["model_version"],
            usage=Usage(**document["usage"]),
            seconds=document["seconds"],
        )
        return reply if _is_sound(reply) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_sound(reply: Reply) -> bool:
    texts = [reply.text, reply.thoughts, reply.model_version or ""]
    if reply.target:
        texts += [reply.target.backend, reply.target.model]
    counts = [count for count in reply.usage._asdict().values() if count is not None]
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(count, int) for count in counts)
        and all(_is_number(number) and number >= 0 for number in (*counts, reply.seconds))
        and all(map(_is_plain, reply.parts))
        and any(map(bool, (part.text or part.data for part in reply.parts)))
    )


def _is_plain(part: Part) -> bool:
    """Whether it is text or media; what functions and programs said may be another tomorrow."""
    words = (part.mime_type or "", part.name)
    kept = isinstance(part.text, str) or part.data is not None
    return kept and all(isinstance(word, str) for word in words)


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) < _LARGEST
