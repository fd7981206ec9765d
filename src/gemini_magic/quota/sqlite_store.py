"""The default store: one SQLite file that all kernels of the machine share."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gemini_magic import paths
from gemini_magic.quota.clock import TOLERANCE, Clock, system_clock
from gemini_magic.quota.store import (
    GRACE,
    MINUTE,
    UNITS,
    Admitted,
    Amount,
    Full,
    Gate,
    NewerStore,
    Obstacle,
    Outcome,
    Plan,
    Stale,
    StoreError,
)
from gemini_magic.quota.windows import room_at

#: The version of the tables; a file with a higher one is left alone.
SCHEMA = 1
#: Seconds that single events are kept for late settlements, once no window needs them.
_KEPT = 2 * 86_400.0
#: Seconds to wait for other processes before giving up.
_BUSY = 10.0

_TABLES = f"""
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    rules TEXT NOT NULL,
    salt BLOB NOT NULL
);
CREATE TABLE clocks (boot TEXT PRIMARY KEY, ahead REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    at REAL NOT NULL,
    leaves REAL NOT NULL,
    counted TEXT NOT NULL,
    {", ".join(f"m_{unit} INTEGER NOT NULL, t_{unit} INTEGER NOT NULL" for unit in UNITS)}
);
CREATE INDEX events_minute ON events (scope, leaves, {", ".join(f"m_{u}" for u in UNITS)});
CREATE TABLE totals (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    {", ".join(f"{unit} INTEGER NOT NULL" for unit in UNITS)},
    PRIMARY KEY (scope, period)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""
_LOOK = (
    "SELECT version, (SELECT ahead FROM clocks WHERE boot = ?),"
    " (SELECT at FROM events ORDER BY id DESC LIMIT 1) FROM state"
)
_MINUTE = (
    f"SELECT {', '.join(f'total(m_{u})' for u in UNITS)} FROM events WHERE scope = ? AND leaves > ?"
)
_LEAVING = "SELECT leaves, m_{} FROM events WHERE scope = ? AND leaves > ?"
_TOTALS = f"SELECT {', '.join(UNITS)} FROM totals WHERE scope = ? AND period = ?"
_INSERT = (
    "INSERT INTO events (scope, at, leaves, counted,"
    f" {', '.join(f'm_{u}, t_{u}' for u in UNITS)}) VALUES (?,?,?,?{',?' * 2 * len(UNITS)})"
)
_COUNT = (
    f"INSERT INTO totals VALUES (?,?{',?' * len(UNITS)}) ON CONFLICT DO UPDATE SET"
    f" {', '.join(f'{u} = {u} + excluded.{u}' for u in UNITS)}"
)
_EVENT = f"SELECT counted, {', '.join(f't_{u}' for u in UNITS)} FROM events WHERE id = ?"
_SETTLE = f"UPDATE events SET {', '.join(f'm_{u} = ?, t_{u} = ?' for u in UNITS)} WHERE id = ?"
#: File systems on which processes of several machines meet, or locks are not to be trusted.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "lustre", "gpfs", "beegfs", "afs", "9p", "ceph", "glust")


class SqliteStore:
    """A SQLite file with mode 0600. Opened with its first use; one thread at a time.

    ``clock`` tells the machine's time (tests have their own).
    """

    def __init__(self, path: Path, clock: Clock = system_clock) -> None:
        self.where = str(path)
        self._path = path
        self._clock = clock
        self._kept: tuple[tuple[int, int], sqlite3.Connection] | None = None
        self._lock: int | None = None
        self._settled = 0

    # --- time ---

    def now(self) -> float:
        with self._reading() as database:
            return self._look(database)[1]

    def correct_clock(self, ahead: float) -> None:
        with self._writing() as database:
            reading = self._clock()
            _, now = self._look(database)
            base = reading.since_boot if reading.boot else reading.wall
            database.execute(
                "INSERT OR REPLACE INTO clocks VALUES (?, ?)", (reading.boot, now + ahead - base)
            )

    def _look(self, database: sqlite3.Connection) -> tuple[int, float]:
        """The rules' version and the time; within a transaction neither can change."""
        reading = self._clock()
        version, ahead, newest = database.execute(_LOOK, (reading.boot,)).fetchone()
        if reading.boot:
            now = reading.since_boot + ahead if ahead is not None else reading.wall
        else:
            now = reading.wall + (ahead or 0.0)
        if newest is not None and now < newest <= now + TOLERANCE:
            now = newest
        return version, now

    def _settle_clock(self, database: sqlite3.Connection, now: float) -> None:
        """Remember this boot's clock, and disbelieve events from the future.

        What a wrong clock stamped with a time to come counts as having happened just now: that
        is the safe side, and it passes.
        """
        reading = self._clock()
        if reading.boot:
            database.execute(
                "INSERT OR IGNORE INTO clocks VALUES (?, ?)",
                (reading.boot, now - reading.since_boot),
            )
        database.execute(
            "UPDATE events SET at = ?1, leaves = ?1 + ?2 WHERE at > ?1 + ?3",
            (now, MINUTE + GRACE, TOLERANCE),
        )

    # --- the rules ---

    def salt(self) -> bytes:
        with self._reading() as database:
            return bytes(database.execute("SELECT salt FROM state").fetchone()[0])

    def rules(self) -> tuple[int, str]:
        with self._reading() as database:
            version, rules = database.execute("SELECT version, rules FROM state").fetchone()
            return version, rules

    def replace_rules(self, version: int, document: str) -> bool:
        with self._writing() as database:
            done = database.execute(
                "UPDATE state SET version = version + 1, rules = ? WHERE version = ?",
                (document, version),
            )
            return done.rowcount == 1

    # --- counting ---

    def reserve(self, plan: Plan) -> Outcome:
        with self._writing() as database:
            version, now = self._look(database)
            if version != plan.version or now >= plan.until:
                return Stale(version, now)
            obstacles = tuple(self._obstacles(database, plan, now))
            if obstacles:
                return Full(obstacles, now)
            amount = [getattr(plan.amount, unit) for unit in UNITS]
            doubled = [value for value in amount for _ in (0, 1)]
            counted = "\n".join(f"{scope}\t{period}" for scope, period in plan.counted)
            row = (plan.scope, now, now + MINUTE + GRACE, counted, *doubled)
            id = database.execute(_INSERT, row).lastrowid
            for scope, period in plan.counted:
                database.execute(_COUNT, (scope, period, *amount))
            return Admitted(str(id), now)

    def _obstacles(
        self, database: sqlite3.Connection, plan: Plan, now: float
    ) -> Iterator[Obstacle]:
        sums: dict[tuple[tuple[str, ...], str], Amount] = {}
        for gate in plan.gates:
            key = gate.scopes, gate.period
            if key not in sums:
                sums[key] = self._sum(database, gate.scopes, gate.period, now)
            used = getattr(sums[key], gate.unit)
            needed = getattr(plan.amount, gate.unit)
            if used + needed > gate.limit:
                yield Obstacle(gate, used, self._opens(database, gate, used, needed, now))

    def _opens(
        self, database: sqlite3.Connection, gate: Gate, used: int, needed: int, now: float
    ) -> float:
        if gate.period:
            return gate.opens if needed <= gate.limit else float("inf")
        leaving = [
            (at, amount)
            for scope in gate.scopes
            for at, amount in database.execute(_LEAVING.format(gate.unit), (scope, now))
        ]
        return room_at(sorted(leaving), used, needed, gate.limit)

    def _sum(
        self, database: sqlite3.Connection, scopes: Iterable[str], period: str, now: float
    ) -> Amount:
        found: Amount | None = None
        for scope in scopes:
            if period:
                row = database.execute(_TOTALS, (scope, period)).fetchone()
            else:
                row = map(int, database.execute(_MINUTE, (scope, now)).fetchone())
            if row is not None:
                found = Amount(*row) if found is None else found + Amount(*row)
        return found or Amount()

    def renew(self, id: str) -> None:
        with self._writing() as database:
            _, now = self._look(database)
            database.execute(
                "UPDATE events SET leaves = ? WHERE id = ?", (now + MINUTE + GRACE, int(id))
            )

    def answered(self, id: str, ago: float) -> None:
        with self._writing() as database:
            _, now = self._look(database)
            leaves = now - max(0.0, ago) + MINUTE
            database.execute("UPDATE events SET leaves = ? WHERE id = ?", (leaves, int(id)))

    def settle(self, id: str, minute: Amount, total: Amount) -> None:
        with self._writing() as database:
            row = database.execute(_EVENT, (int(id),)).fetchone()
            if row is None:
                return
            change = total - Amount(*row[1:])
            values = [getattr(part, unit) for unit in UNITS for part in (minute, total)]
            database.execute(_SETTLE, (*values, int(id)))
            if change != Amount():
                delta = [getattr(change, unit) for unit in UNITS]
                for line in row[0].splitlines():
                    scope, _, period = line.rpartition("\t")
                    database.execute(_COUNT, (scope, period, *delta))
        self._settled += 1
        if self._settled % 500 == 1:
            self.fold()

    def minute(self, scopes: Iterable[str]) -> Amount:
        with self._reading() as database:
            return self._sum(database, scopes, "", self._look(database)[1])

    def totals(self, scopes: Iterable[str], period: str) -> Amount:
        with self._reading() as database:
            return self._sum(database, scopes, period, 0.0)

    def history(self, since: str) -> Mapping[tuple[str, str], Amount]:
        with self._reading() as database:
            rows = database.execute("SELECT * FROM totals WHERE period >= ?", (since,))
            return {(scope, period): Amount(*amounts) for scope, period, *amounts in rows}

    def forget(self, scopes: Sequence[str]) -> None:
        with self._writing() as database:
            for scope in scopes:
                database.execute("DELETE FROM events WHERE scope = ?", (scope,))
                database.execute("DELETE FROM totals WHERE scope = ?", (scope,))

    def changes(self) -> int:
        with self._reading() as database:
            other = database.execute("PRAGMA data_version").fetchone()[0]
            return int(other) * 1_000_000 + database.total_changes

    def fold(self) -> None:
        with self._writing() as database:
            _, now = self._look(database)
            old = "at < ? AND leaves < ?"
            database.execute(f"DELETE FROM events WHERE {old}", (now - _KEPT, now))

    # --- the file ---

    def close(self) -> None:
        if self._kept is not None:
            with suppress(sqlite3.Error):
                self._kept[1].close()
            self._kept = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            yield self._open()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else's can come between; done wholly or not at all."""
        with self._told():
            database = self._open()
            with self._turn():
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.rollback()
                    raise
                database.execute("COMMIT")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for our turn in a queue: SQLite's own waiting lets some processes starve."""
        if self._lock is None:
            yield
            return
        _flock(self._lock, True)
        try:
            yield
        finally:
            _flock(self._lock, False)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            self.close()
            if _is_corrupt(problem):
                kept = self._set_aside()
                raise StoreError(f"{self.where} was damaged; it is kept as {kept}") from None
            raise StoreError(f"{self.where}: {problem}") from None
        except OSError as problem:
            self.close()
            raise StoreError(f"{self.where}: {problem.strerror or problem}") from None

    def _open(self) -> sqlite3.Connection:
        if self._kept is not None and self._kept[0] == self._identity():
            return self._kept[1]
        self.close()
        paths.private_folder(self._path.parent)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        os.chmod(self._path, 0o600)
        lock = self._path.with_name(f".{self._path.name}.queue")
        database = sqlite3.connect(
            self._path,
            timeout=_BUSY,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        self._kept = (self._identity(), database)
        self._lock = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        with self._turn():
            self._prepare(database)
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            self.close()
            raise NewerStore(
                f"{self.where} was written by a newer gemini_magic (version {found} of its"
                f" tables, {SCHEMA} here)"
            )
        database.execute(f"PRAGMA journal_mode = {'TRUNCATE' if _is_remote(self._path) else 'WAL'}")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        try:
            if not database.execute("PRAGMA user_version").fetchone()[0]:
                for statement in filter(str.strip, _TABLES.split(";")):
                    database.execute(statement)
                database.execute("INSERT INTO state VALUES (1, 0, '', ?)", (os.urandom(16),))
            _, now = self._look(database)
            self._settle_clock(database, now)
        except BaseException:
            database.rollback()
            raise
        database.execute("COMMIT")

    def _identity(self) -> tuple[int, int]:
        """This process and the file that is there now (inode, 0 where there is none)."""
        try:
            return os.getpid(), os.stat(self._path).st_ino
        except OSError:
            return os.getpid(), 0

    def _set_aside(self) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        kept = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.replace(f"{self._path}{ending}", f"{kept}{ending}")
        return kept


def _is_corrupt(problem: sqlite3.Error) -> bool:
    name = getattr(problem, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


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

    def _flock(handle: int, take: bool) -> None:
        with suppress(OSError):  # some network file systems have none; SQLite's own stays
            fcntl.flock(handle, fcntl.LOCK_EX if take else fcntl.LOCK_UN)

except ImportError:  # Windows

    def _flock(handle: int, take: bool) -> None:
        pass
