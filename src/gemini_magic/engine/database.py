"""A private SQLite file that a run can do without: the log of runs and the cache of replies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_magic import paths
from gemini_magic.errors import ConfigError
from gemini_magic.forks import close_at_forks
from gemini_magic.locks import ProcessLock

if TYPE_CHECKING:
    import sqlite3

#: Seconds to wait for other processes before giving up.
_BUSY = 2.0
#: SQLite's names for what cannot pass: the file is no database, or its tables are not ours.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")


class Unusable(Exception):
    """The file cannot be read or written; the message says why, in one line."""


class Database:
    """A SQLite file with mode 0600, made with its first use, for one thread at a time.

    ``tables`` is the SQL that makes its tables where they are not there yet, ``version`` (from 1
    on) is theirs; a file with a higher one is left alone. A damaged file is removed if it is
    ``disposable``. One connection is kept, until the file at ``path`` is another.
    """

    def __init__(self, path: Path, tables: str, version: int, *, disposable: bool = False) -> None:
        self.path = path
        self._tables = tables
        self._version = version
        self._disposable = disposable
        self.lock = ProcessLock()
        self._kept: tuple[int, sqlite3.Connection] | None = None
        close_at_forks(self)

    def exists(self) -> bool:
        """Whether anything was ever written; never raises."""
        return os.path.exists(self.path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; each statement is a transaction of its own. Raises Unusable."""
        import sqlite3

        with self.lock:
            try:
                yield self._open()
            except sqlite3.Error as problem:
                name: str = getattr(problem, "sqlite_errorname", "")
                why = str(problem)
                if self._disposable and name.startswith(_DAMAGED) and self._remove():
                    why = f"it was damaged ({problem}) and is removed"
                self.close()
                raise Unusable(why) from problem
            except (OSError, ConfigError) as problem:
                self.close()
                raise Unusable(getattr(problem, "strerror", None) or str(problem)) from problem

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, done wholly or not at all. Raises Unusable."""
        with self.reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.rollback()

    @contextmanager
    def impatient(self) -> Iterator[sqlite3.Connection]:
        """The same as ``reading``, but a write fails at once while another process writes."""
        with self.reading() as database:
            database.execute("PRAGMA busy_timeout = 0")
            try:
                yield database
            finally:
                database.execute(f"PRAGMA busy_timeout = {_BUSY * 1000:.0f}")

    def close(self) -> None:
        """Let go of the file until its next use. The caller holds ``lock``."""
        import sqlite3

        if self._kept is not None:
            with suppress(sqlite3.Error):
                self._kept[1].close()
            self._kept = None

    def _open(self) -> sqlite3.Connection:
        if self._kept is None or self._kept[0] != paths.inode(self.path):
            self.close()
            with self._alone():
                self._connect()
        assert self._kept is not None
        database = self._kept[1]
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > self._version:
            self.close()
            raise Unusable("a newer gemini_magic wrote it; it is left alone")
        return database

    def _connect(self) -> None:
        import sqlite3

        paths.private_file(self.path)
        database = sqlite3.connect(
            self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        self._kept = (paths.inode(self.path), database)
        database.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last rows
        if database.execute("PRAGMA user_version").fetchone()[0] < self._version:
            database.execute("PRAGMA journal_mode = WAL")
            end = f"PRAGMA user_version = {self._version}; COMMIT"
            database.executescript(f"BEGIN IMMEDIATE; {self._tables} {end}")

    def _remove(self) -> bool:
        """Remove the file, unless it is another by now than the one that was used."""
        if self._kept is None:
            return False
        with suppress(OSError, ConfigError), self._alone():
            if self._kept[0] == paths.inode(self.path):
                for ending in ("-wal", "-shm", ""):  # in this order nobody opens a part of it
                    Path(f"{self.path}{ending}").unlink(missing_ok=True)
            return True
        return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from opening and removing the file meanwhile."""
        lock = paths.private_folder(self.path.parent) / f".{self.path.name}.lock"
        end = time.monotonic() + _BUSY
        with paths.held(lock, lambda: time.monotonic() > end) as mine:
            if not mine:
                raise OSError("another process holds it")
            yield
