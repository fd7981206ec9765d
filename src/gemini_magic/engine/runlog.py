"""The local log of runs: what was really sent and answered, which a notebook must not hold."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gemini_magic.types import Reply, Request, digest

#: Runs that are kept; the oldest go first.
KEEP = 5_000
#: Data in a request longer than this (in base64 characters) is logged by its hash only.
_LARGEST_DATA = 100_000
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
        self._path = path

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
        with suppress(sqlite3.Error, OSError), self._open() as database:
            database.execute(
                "INSERT INTO runs (time, request, template, sent, backend, model, model_version,"
                " finish_reason, seconds, usage, text) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                row,
            )
            database.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?", (KEEP,))

    def find(self, request: str) -> Logged | None:
        """The newest run of the request with this digest."""
        if not self._path.exists():
            return None
        with self._open() as database:
            row = database.execute(
                "SELECT time, request, template, sent, backend, model, finish_reason, text"
                " FROM runs WHERE request = ? ORDER BY id DESC LIMIT 1",
                (request,),
            ).fetchone()
        if row is None:
            return None
        when, digest_, template, sent, *rest = row
        return Logged(when, digest_, template, json.loads(sent), *rest)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(self._path, timeout=2)) as database, database:
            database.executescript(_SCHEMA)
            yield database


def _loggable(request: Request) -> dict[str, Any]:
    document = request.to_json()
    for message in document["messages"]:
        for part in message["parts"]:
            if len(data := part.get("data", "")) > _LARGEST_DATA:
                part["data"] = f"sha256:{digest(data)}"
    return document
