"""The local log of runs: what was really sent and answered, which a notebook must not hold."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.engine.database import Database, Unusable
from gemini_magic.types import Reply, Request, digest

if TYPE_CHECKING:
    import sqlite3

#: Runs that are kept; the oldest go first.
KEEP = 5_000
#: The size of the log in bytes from which on the older half goes.
LARGEST = 200_000_000
#: A part of a request longer than this (in characters) is logged by its hash only.
_LARGEST_PART = 200_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    request TEXT NOT NULL,
    template TEXT NOT NULL,
    sent TEXT NOT NULL,
    backend TEXT NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT,
    finish_reason TEXT NOT NULL,
    seconds REAL NOT NULL,
    usage TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_by_request ON runs (request);
"""
_INSERT = (
    "INSERT INTO runs (time, request, template, sent, backend, model, model_version,"
    " finish_reason, seconds, usage, text) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)
_FORGET = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?"
_FIND = (
    "SELECT time, request, template, sent, backend, model, finish_reason, text"
    " FROM runs WHERE request = ? ORDER BY id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Logged:
    """One run: ``request`` and ``template`` are SHA-256 in hex, ``sent`` is the request."""

    time: float
    request: str
    template: str
    sent: dict[str, Any]
    backend: str
    model: str
    finish_reason: str
    text: str


class RunLog:
    """A SQLite file, readable by its owner alone. What goes wrong with it never stops a run."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA, 1)

    def add(self, reply: Reply, template: str) -> None:
        """Log a run that is over. ``template`` is the SHA-256 of its cell's template."""
        if reply.request is None or reply.target is None:
            return
        row = (
            time.time(),
            reply.request.digest,
            template,
            json.dumps(_loggable(reply.request), ensure_ascii=False),
            reply.target.backend,
            reply.target.model,
            reply.model_version,
            reply.finish_reason,
            reply.seconds,
            json.dumps(asdict(reply.usage)),
            reply.text,
        )
        with suppress(Unusable, ValueError), self._file.writing() as database:
            database.execute(_INSERT, row)
            database.execute(_FORGET, (self._room(database),))

    def find(self, request: str) -> Logged | None:
        """The newest run of the request with this digest. Raises Unusable."""
        if not self._file.exists():
            return None
        with self._file.reading() as database:
            row = database.execute(_FIND, (request,)).fetchone()
        if row is None:
            return None
        when, digest_, template, sent, *rest = row
        return Logged(when, digest_, template, json.loads(sent), *rest)

    def _room(self, database: sqlite3.Connection) -> int:
        """How many runs may stay: half as many once the file is too large."""
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
        size = (pages - free) * database.execute("PRAGMA page_size").fetchone()[0]
        if size <= LARGEST:
            return KEEP
        return int(database.execute("SELECT count(*) FROM runs").fetchone()[0]) // 2


def _loggable(request: Request) -> dict[str, Any]:
    document = request.to_json()
    for message in document["messages"]:
        for part in message["parts"]:
            for key in ("text", "data"):
                if len(value := part.get(key, "")) > _LARGEST_PART:
                    part[key] = f"sha256:{digest(value)}"
    return document
