"""The SQLite store's file: opened, locked for one process at a time, set aside when damaged."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from gemini_magic import paths
from gemini_magic.errors import ConfigError
from gemini_magic.forks import close_at_forks
from gemini_magic.locks import ProcessLock
from gemini_magic.quota import sqlite_tables as sql
from gemini_magic.quota import sqlite_upgrade
from gemini_magic.quota.clock import Clock
from gemini_magic.quota.sqlite_lines import LONG_AGO, time_at
from gemini_magic.quota.sqlite_tables import SCHEMA
from gemini_magic.quota.store import NewerStore, StoreError

#: Seconds to wait for other processes before giving up.
_BUSY = 10.0
#: Seconds after which the file is looked at again: it may have been replaced.
_LOOK_AGAIN = 1.0

#: How SQLite's errors begin where a file's tables are not those of its version.
_STRANGE = ("no such table", "no such column", "no such index")
#: File systems on which processes of several machines meet, or locks are not to be trusted.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "lustre", "gpfs", "beegfs", "afs", "9p", "ceph", "glust")

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="SqliteFile")


def in_transaction(
    method: Callable[Concatenate[S, sqlite3.Cursor, P], T],
) -> Callable[Concatenate[S, P], T]:
    """A method within a transaction that nobody else's can come between; done wholly or not at all.

    Processes queue at a lock file: SQLite's own waiting lets some of them starve.
    """

    @functools.wraps(method)
    def transaction(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            try:
                database = self._open()
                _flock(self._queue, True)
                try:
                    database.execute("BEGIN IMMEDIATE")
                    done = method(self, database, *args, **kwargs)
                    database.execute("COMMIT")
                    return done
                except BaseException:
                    if database.connection.in_transaction:
                        database.connection.rollback()
                    raise
                finally:
                    _flock(self._queue, False)
            except (sqlite3.Error, OSError, ConfigError) as problem:
                raise self._told(problem) from None

    return transaction


class SqliteFile:
    """A file with mode 0600, opened with its first use; one thread at a time."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.where = str(path)
        self._path = path
        self._clock = clock
        self.lock = ProcessLock()
        self._database: sqlite3.Cursor | None = None  # one, for making them takes time
        self._inode = 0  # the file that it is connected to
        self._looked = 0.0
        self._queue = -1
        self._remote = False  # whether other machines may use the file
        self._salt: bytes | None = None  # no file changes it
        close_at_forks(self)

    def quick(self) -> bool:
        if self._database is None or self._remote or not _flock(self._queue, True, wait=False):
            return False
        _flock(self._queue, False)
        return True

    def _look(self, database: sqlite3.Cursor) -> tuple[int, float]:
        """The rules' version and the time; within a transaction neither can change."""
        reading = self._clock()
        version, ahead = database.execute(sql.LOOK, (reading.boot,)).fetchone()
        newest = LONG_AGO
        if self._remote or not reading.boot or ahead is None:
            # Others have written by other clocks, or this one was set. A boot's only goes on.
            (newest,) = database.execute(sql.NEWEST_OF_ALL).fetchone()
        return version, time_at(reading, ahead, newest)

    def close(self) -> None:
        self._disconnect()
        queue, self._queue = self._queue, -1
        if queue >= 0:
            os.close(queue)

    def _disconnect(self) -> None:
        database, self._database, self._salt = self._database, None, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()  # else its last statement keeps the file open
                database.connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Cursor]:
        with self.lock:
            try:
                yield self._open()
            except (sqlite3.Error, OSError, ConfigError) as problem:
                raise self._told(problem) from None

    def _told(self, problem: sqlite3.Error | OSError | ConfigError) -> StoreError:
        what = str(problem)
        if isinstance(problem, OSError):
            what = problem.strerror or what
        if isinstance(problem, ConfigError):
            what = problem.what
        if isinstance(problem, sqlite3.Error):
            code = getattr(problem, "sqlite_errorname", "")
            is_strange = what.startswith(_STRANGE)
            if is_strange and (newer := self._newer()):
                return newer
            if is_strange or code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                kept = self._set_aside()
                what = f"it was damaged, and is kept as {kept}" if kept else "it was damaged"
            elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return StoreError(f"{self.where}: other processes keep it locked")
        self.close()
        return StoreError(f"{self.where}: {what}")

    def _open(self) -> sqlite3.Cursor:
        now = time.monotonic()
        if self._database is not None:
            if now < self._looked + _LOOK_AGAIN:
                return self._database
            self._looked = now
            if self._inode == paths.inode(self._path):
                self._check_version(self._database)
                return self._database
        self.close()
        paths.private_folder(self._path.parent)
        paths.private_file(self._path)
        queue = self._path.with_name(f".{self._path.name}.queue")
        self._queue = os.open(queue, os.O_CREAT | os.O_RDWR, 0o600)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        self._database = database = connection.cursor()
        self._inode, self._looked = paths.inode(self._path), now
        _flock(self._queue, True)
        try:
            self._prepare(database)
        finally:
            if self._queue >= 0:
                _flock(self._queue, False)
        return database

    def _prepare(self, database: sqlite3.Cursor) -> None:
        self._check_version(database)
        database.execute("PRAGMA page_size = 2048")  # a third less to write each time than 4096
        self._remote = _is_remote(self._path)
        database.execute(f"PRAGMA journal_mode = {'TRUNCATE' if self._remote else 'WAL'}")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        try:
            found = database.execute("PRAGMA user_version").fetchone()[0]
            if not found:
                sql.create(database)
                database.execute("INSERT INTO state VALUES (1, 0, '', ?)", (os.urandom(16),))
            elif found == 1:
                sqlite_upgrade.from_version_1(database)
            reading = self._clock()
            _, now = self._look(database)
            if reading.boot:
                database.execute(
                    "INSERT OR IGNORE INTO clocks VALUES (?, ?)",
                    (reading.boot, now - reading.since_boot),
                )
        except BaseException:
            database.connection.rollback()
            raise
        database.execute("COMMIT")

    def _check_version(self, database: sqlite3.Cursor) -> None:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            self.close()
            raise NewerStore(
                f"{self.where} was written by a newer gemini_magic (version {found} of its"
                f" tables, {SCHEMA} here)"
            )

    def _newer(self) -> NewerStore | None:
        """What to say where the tables are not ours because they are those of a newer version."""
        try:
            if self._database is not None:
                self._check_version(self._database)
        except NewerStore as newer:
            return newer
        except sqlite3.Error:
            pass
        return None

    def _set_aside(self) -> Path | None:
        """Keep the damaged file under a dated name; None where another process did before us."""
        self._disconnect()
        _flock(self._queue, True)
        try:
            if self._inode != paths.inode(self._path):
                return None
            stamp = time.strftime("%Y%m%d-%H%M%S")
            names = (f"{self._path.name}.damaged-{stamp}{more}" for more in ("", *"bcdefghij"))
            kept = next(k for name in names if not (k := self._path.with_name(name)).exists())
            for ending in ("-wal", "-shm", ""):
                with suppress(OSError):
                    os.replace(f"{self._path}{ending}", f"{kept}{ending}")
            return kept
        finally:
            _flock(self._queue, False)


def _is_remote(path: Path) -> bool:
    """Whether the file system is one of a network: SQLite's WAL needs shared memory.

    Source: https://sqlite.org/wal.html#noshm
    """
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
        real = f"{path.resolve()}/"
    except OSError:
        return False
    best, kind = "", ""
    for line in mounts:
        _, place, form, *_ = line.split(" ")
        place = place.replace("\\040", " ").rstrip("/") + "/"
        if real.startswith(place) and len(place) >= len(best):
            best, kind = place, form
    return kind.startswith(_NETWORK)


try:
    import fcntl

    def _flock(handle: int, take: bool, wait: bool = True) -> bool:
        """Whether the lock was taken or given back."""
        try:
            how = fcntl.LOCK_EX if take else fcntl.LOCK_UN
            fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
        except OSError:  # some network file systems have none; SQLite's own stays
            return False
        return True

except ImportError:  # Windows

    def _flock(handle: int, take: bool, wait: bool = True) -> bool:
        return True
