"""The local log of runs: what was really sent and answered, which a notebook must not hold."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import paths
from gemini_magic.engine.database import Database, Unusable
from gemini_magic.engine.run import Origin
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
CREATE TABLE IF NOT EXISTS origins (
    run INTEGER PRIMARY KEY,
    notebook TEXT NOT NULL,
    cell TEXT NOT NULL,
    failed INTEGER NOT NULL,
    cost INTEGER
);
"""
_INSERT = (
    "INSERT INTO runs (time, request, template, sent, backend, model, model_version,"
    " finish_reason, seconds, usage, text) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)
# An answer that is more than its text has a row of its own.
_INSERT_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?)"
_INSERT_ORIGIN = "INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?"
_FORGET_MORE = (
    "DELETE FROM answers WHERE run < (SELECT min(id) FROM runs)",
    "DELETE FROM origins WHERE run < (SELECT min(id) FROM runs)",
)
_FIND = (
    "SELECT time, request, template, sent, backend, model, finish_reason, text, parts"
    " FROM runs LEFT JOIN answers ON answers.run = id LEFT JOIN origins ON origins.run = id"
    " WHERE request = ? AND NOT (coalesce(failed, 0) AND text = '') ORDER BY id DESC LIMIT 1"
)
_NEWEST = (
    "SELECT time, seconds, backend, model, finish_reason, usage, sent, notebook, cell, failed, cost"
    " FROM runs LEFT JOIN origins ON run = id ORDER BY id DESC LIMIT ?"
)
_SINCE = (
    "SELECT time, backend, model, usage, cost FROM runs LEFT JOIN origins ON run = id"
    " WHERE time >= ? AND NOT coalesce(failed, 0)"
)


def open_log() -> RunLog:
    """The user's log, which need not be there yet."""
    return RunLog(Path(paths.state_dir()) / "runs.db")


class Row(NamedTuple):
    """A run as a list of them shows it: ``at`` is Unix time, ``cost`` micro-dollars if known.

    ``notebook`` is the path of a file, empty where it is not known, as ``cell`` (an id).
    """

    at: float
    seconds: float
    backend: str
    model: str
    finish_reason: str
    usage: dict[str, int | None]
    sent: dict[str, Any]
    notebook: str
    cell: str
    failed: bool
    cost: int | None


class Spent(NamedTuple):
    """What a run took; ``cost`` in micro-dollars if known."""

    at: float
    backend: str
    model: str
    usage: dict[str, int | None]
    cost: int | None


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
        self._file = Database(path, _SCHEMA, 3)

    def add(self, reply: Reply, origin: Origin) -> None:
        """Log a run that is over."""
        if reply.request is None or reply.target is None:
            return
        row = (
            time.time(),
            reply.request.digest,
            origin.template,
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
            run = database.execute(_INSERT, row).lastrowid
            cost = reply.cost.paid if reply.cost else None
            failed = int(origin.failed)
            database.execute(_INSERT_ORIGIN, (run, origin.notebook, origin.cell, failed, cost))
            if any(part.text is None for part in reply.parts):
                parts = json.dumps([*map(_brief, reply.parts)], ensure_ascii=False)
                database.execute(_INSERT_ANSWER, (run, parts))
            if database.execute(_FORGET, (self._room(database),)).rowcount:
                for statement in _FORGET_MORE:
                    database.execute(statement)

    def find(self, request: str) -> Logged | None:
        """The newest run of the request with this digest that was answered. Raises Unusable."""
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

    def newest(self, limit: int) -> list[Row]:
        """The newest runs, newest first. Raises Unusable."""
        if not self._file.exists():
            return []
        with self._file.reading() as database:
            rows = database.execute(_NEWEST, (limit,)).fetchall()
        return [
            Row._make(
                (*row[:5], json.loads(row[5]), json.loads(row[6]), row[7] or "", row[8] or "",
                 bool(row[9]), row[10])
            )
            for row in rows
        ]  # fmt: skip

    def since(self, at: float) -> list[Spent]:
        """What each run that did not fail took since a Unix time. Raises Unusable."""
        if not self._file.exists():
            return []
        with self._file.reading() as database:
            rows = database.execute(_SINCE, (at,)).fetchall()
        return [Spent._make((*row[:3], json.loads(row[3]), row[4])) for row in rows]

    def changes(self) -> int:
        """A number that differs from the last call's when another process logged a run."""
        if not self._file.exists():
            return 0
        with suppress(Unusable), self._file.reading() as database:
            return int(database.execute("PRAGMA data_version").fetchone()[0])
        return -1

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
