"""The local log of runs: what was really sent and answered, which a notebook must not hold."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.engine.database import Database, Unusable
from gemini_magic.types import Part, Reply, Request, digest

if TYPE_CHECKING:
    import sqlite3

#: Runs that are kept; the oldest go first.
KEEP = 5_000
#: The size of the log in bytes from which on the older half goes.
LARGEST = 200_000_000
#: A part longer than this (in characters) is logged by its hash only.
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
CREATE TABLE IF NOT EXISTS answers (run INTEGER PRIMARY KEY, parts TEXT NOT NULL);
"""
_INSERT = (
    "INSERT INTO runs (time, request, template, sent, backend, model, model_version,"
    " finish_reason, seconds, usage, text) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)
# An answer that is more than its text has a row of its own.
_INSERT_ANSWER = "INSERT OR REPLACE INTO answers VALUES (last_insert_rowid(), ?)"
_FORGET = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?"
_FORGET_ANSWERS = "DELETE FROM answers WHERE run < (SELECT min(id) FROM runs)"
_FIND = (
    "SELECT time, request, template, sent, backend, model, finish_reason, text, parts"
    " FROM runs LEFT JOIN answers ON run = id WHERE request = ? ORDER BY id DESC LIMIT 1"
)


class Logged(NamedTuple):
    """One run: ``request`` and ``template`` are SHA-256 in hex, ``sent`` is the request.

    ``parts`` are the answer's; in them and in ``sent``, what is large is told by its SHA-256.
    """

    time: float
    request: str
    template: str
    sent: dict[str, Any]
    backend: str
    model: str
    finish_reason: str
    text: str
    parts: tuple[dict[str, Any], ...]


class RunLog:
    """A SQLite file, readable by its owner alone. What goes wrong with it never stops a run."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA, 2)

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
            json.dumps(reply.usage._asdict()),
            reply.text,
        )
        with suppress(Unusable, ValueError), self._file.writing() as database:
            database.execute(_INSERT, row)
            if any(part.text is None for part in reply.parts):
                parts = json.dumps([*map(_brief, reply.parts)], ensure_ascii=False)
                database.execute(_INSERT_ANSWER, (parts,))
            if database.execute(_FORGET, (self._room(database),)).rowcount:
                database.execute(_FORGET_ANSWERS)

    def find(self, request: str) -> Logged | None:
        """The newest run of the request with this digest. Raises Unusable."""
        if not self._file.exists():
            return None
        with self._file.reading() as database:
            row = database.execute(_FIND, (request,)).fetchone()
        if row is None:
            return None
        *_, text, parts = row
        said = json.loads(parts) if parts else [{"text": text}] if text else []
        values = (*row[:3], json.loads(row[3]), *row[4:-1], tuple(said))
        return Logged._make(values)

    def _room(self, database: sqlite3.Connection) -> int:
        """How many runs may stay: half as many once the file is too large."""
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
        size = (pages - free) * database.execute("PRAGMA page_size").fetchone()[0]
        if size <= LARGEST:
            return KEEP
        return int(database.execute("SELECT count(*) FROM runs").fetchone()[0]) // 2


def _loggable(request: Request) -> dict[str, Any]:
    document = request.to_json(brief=True)
    for message, logged in zip(request.messages, document["messages"], strict=True):
        logged["parts"] = [*map(_brief, message.parts)]
    return document


def _brief(part: Part) -> dict[str, Any]:
    """A part as JSON values, large texts and data by their SHA-256 alone."""
    document = part.to_json(brief=len(part.data or b"") > _LARGEST_PART * 3 // 4)  # as base64
    for values in (document, *(one for one in document.values() if isinstance(one, dict))):
        for key, value in values.items():
            if isinstance(value, str) and len(value) > _LARGEST_PART:
                values[key] = f"sha256:{digest(value)}"
    return document
