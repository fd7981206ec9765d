"""The default store: one SQLite file that all kernels of the machine share."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from gemini_magic import paths
from gemini_magic.errors import ConfigError
from gemini_magic.forks import close_at_forks
from gemini_magic.locks import ProcessLock
from gemini_magic.quota.clock import TOLERANCE, Clock, Reading, system_clock
from gemini_magic.quota.store import (
    GRACE,
    MINUTE,
    MINUTE_UNITS,
    MOVED,
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
from gemini_magic.quota.windows import day, room_at

#: The version of the tables; a file with a higher one is left alone.
SCHEMA = 1
#: Seconds that single events are kept for late settlements, once no window needs them.
_KEPT = 2 * 86_400.0
#: Seconds to wait for other processes before giving up.
_BUSY = 10.0
#: Seconds after which the file is looked at again: it may have been replaced.
_LOOK_AGAIN = 1.0

_UNITS = ", ".join(UNITS)
_DELTA = ", ".join(f"{unit} = {unit} + ?" for unit in UNITS)
_M_DELTA = ", ".join(f"m_{unit} = m_{unit} + ?" for unit in MINUTE_UNITS)
_M_UNITS = ", ".join(f"m_{unit}" for unit in MINUTE_UNITS)

# An event is ``live`` while it is in the rolling minute. A row of meters holds what is live of a
# scope and the day that it last counted in, so that a reservation reads and writes one row
# however much there is; other periods are in totals.
_TABLES = f"""
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    rules TEXT NOT NULL,
    salt BLOB NOT NULL
);
CREATE TABLE clocks (boot TEXT PRIMARY KEY, ahead REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    at REAL NOT NULL,
    leaves REAL NOT NULL,
    live INTEGER NOT NULL,
    {", ".join(f"m_{unit} INTEGER NOT NULL" for unit in MINUTE_UNITS)},
    total TEXT NOT NULL,
    counted TEXT NOT NULL
);
CREATE INDEX events_live ON events (scope, leaves) WHERE live = 1;
CREATE TABLE meters (
    scope TEXT PRIMARY KEY,
    day TEXT NOT NULL,
    {", ".join(f"m_{unit} INTEGER NOT NULL" for unit in MINUTE_UNITS)},
    {", ".join(f"{unit} INTEGER NOT NULL" for unit in UNITS)}
) WITHOUT ROWID;
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
_METER_ROW = (
    f"day, {_M_UNITS}, {_UNITS},"
    " (SELECT min(leaves) FROM events WHERE events.scope = meters.scope AND live = 1)"
)
_METER = f"SELECT {_METER_ROW} FROM meters WHERE scope = ?"
_LOOK_AT = _LOOK.replace(" FROM state", f", {_METER_ROW} FROM state LEFT JOIN meters ON scope = ?")
_LEAVE = (
    f"UPDATE events SET live = 0 WHERE scope = ? AND live = 1 AND leaves <= ? RETURNING {_M_UNITS}"
)
_LEAVING = "SELECT leaves, m_{} FROM events WHERE scope = ? AND live = 1 AND leaves > ?"
_NEXT = (
    "SELECT min(leaves) FROM events WHERE scope = ? AND live = 1 AND leaves > ? AND m_requests > 0"
)
_TOTALS = f"SELECT {_UNITS} FROM totals WHERE scope = ? AND period = ?"
_INSERT = (
    f"INSERT INTO events (scope, at, leaves, live, {_M_UNITS}, total, counted)"
    f" VALUES (?, ?, ?, 1{', ?' * len(MINUTE_UNITS)}, ?, ?)"
)
_TAKE = f"UPDATE meters SET {_M_DELTA}, {_DELTA} WHERE scope = ?"
_COUNT = (
    f"INSERT INTO totals VALUES (?, ?{', ?' * len(UNITS)}) ON CONFLICT DO UPDATE SET"
    f" {', '.join(f'{unit} = {unit} + excluded.{unit}' for unit in UNITS)}"
)
_NOTHING = (0,) * len(UNITS)
#: Where each unit is in an amount's values.
_PLACES = {unit: place for place, unit in enumerate(UNITS)}
#: Where a meter's minute ends in its row, and its day begins.
_SPLIT = 1 + len(MINUTE_UNITS)
#: File systems on which processes of several machines meet, or locks are not to be trusted.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "lustre", "gpfs", "beegfs", "afs", "9p", "ceph", "glust")


P = ParamSpec("P")
T = TypeVar("T")


def _in_transaction(
    method: Callable[Concatenate[SqliteStore, sqlite3.Connection, P], T],
) -> Callable[Concatenate[SqliteStore, P], T]:
    """A method within a transaction that nobody else's can come between; done wholly or not at all.

    Processes queue at a lock file: SQLite's own waiting lets some of them starve. It is no context
    manager because that would take a twentieth of a reservation's time.
    """

    @functools.wraps(method)
    def transaction(self: SqliteStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
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
                    if database.in_transaction:
                        database.rollback()
                    raise
                finally:
                    _flock(self._queue, False)
            except (sqlite3.Error, OSError, ConfigError) as problem:
                raise self._told(problem) from None

    return transaction


class SqliteStore:
    """A SQLite file with mode 0600. Opened with its first use; one thread at a time.

    ``clock`` tells the machine's time (tests have their own).
    """

    def __init__(self, path: Path, clock: Clock = system_clock) -> None:
        self.where = str(path)
        self._path = path
        self._clock = clock
        self.lock = ProcessLock()
        self._database: sqlite3.Connection | None = None
        self._inode = 0  # the file that it is connected to
        self._looked = 0.0
        self._queue = -1
        close_at_forks(self)

    # --- time ---

    def now(self) -> float:
        with self._reading() as database:
            return self._look(database)[1]

    @_in_transaction
    def correct_clock(
        self, database: sqlite3.Connection, ahead: float, seen: float | None = None
    ) -> None:
        reading = self._clock()
        _, now = self._look(database)
        if seen is not None and abs(now - seen) > MOVED:
            return
        now += ahead
        base = reading.since_boot if reading.boot else reading.wall
        database.execute("INSERT OR REPLACE INTO clocks VALUES (?, ?)", (reading.boot, now - base))
        # A minute lasts a minute, whatever is learned of the clock within it.
        database.execute("UPDATE events SET at = at + ?1, leaves = leaves + ?1", (ahead,))

    def _look(self, database: sqlite3.Connection) -> tuple[int, float]:
        """The rules' version and the time; within a transaction neither can change."""
        reading = self._clock()
        version, ahead, newest = database.execute(_LOOK, (reading.boot,)).fetchone()
        now = _time(reading, ahead, newest)
        if newest is not None and newest > now and database.in_transaction:
            self._disbelieve(database, now)
        return version, now

    def _disbelieve(self, database: sqlite3.Connection, now: float) -> None:
        """What a wrong clock stamped with a time to come counts as having happened just now.

        That is the safe side, and it passes.
        """
        today = day(now)
        future = "FROM events WHERE at > ?"
        rows = database.execute(f"SELECT id, scope, total, counted {future}", (now + TOLERANCE,))
        for id, scope, total, counted in rows.fetchall():
            periods = _periods(counted)
            moved = [(own, today if own == scope and p > today else p) for own, p in periods]
            amount = _amount(total)
            for change, pairs in ((Amount() - amount, periods), (amount, moved)):
                for own, period in pairs:
                    self._count(database, own, period, change)
            database.execute(
                "UPDATE events SET at = ?, leaves = ?, counted = ? WHERE id = ?",
                (now, now + MINUTE + GRACE, _counted(tuple(moved)), id),
            )

    # --- the rules ---

    def salt(self) -> bytes:
        with self._reading() as database:
            return bytes(database.execute("SELECT salt FROM state").fetchone()[0])

    def rules(self) -> tuple[int, str]:
        with self._reading() as database:
            version, rules = database.execute("SELECT version, rules FROM state").fetchone()
            return version, rules

    @_in_transaction
    def replace_rules(self, database: sqlite3.Connection, version: int, document: str) -> bool:
        done = database.execute(
            "UPDATE state SET version = version + 1, rules = ? WHERE version = ?",
            (document, version),
        )
        return done.rowcount == 1

    # --- counting ---

    @_in_transaction
    def reserve(self, database: sqlite3.Connection, plan: Plan) -> Outcome:
        reading = self._clock()
        row = database.execute(_LOOK_AT, (reading.boot, plan.scope)).fetchone()
        version, ahead, newest, *meter = row
        now = _time(reading, ahead, newest)
        if newest is not None and newest > now:
            self._disbelieve(database, now)
            return Stale(version, now)
        if version != plan.version or now >= plan.until:
            return Stale(version, now)
        meters = {plan.scope: self._live(database, plan.scope, meter, now)}
        obstacles = tuple(self._obstacles(database, plan, meters, now))
        if obstacles:
            return Full(obstacles, now)
        amount = plan.amount.values
        minute = amount[: len(MINUTE_UNITS)]
        counted = _counted(plan.counted)
        row = (plan.scope, now, now + MINUTE + GRACE, *minute, _text(amount), counted)
        number = database.execute(_INSERT, row).lastrowid
        self._turn_page(database, plan, meters[plan.scope])
        (first, _), *others = plan.counted
        own = first == plan.scope
        database.execute(_TAKE, (*minute, *(amount if own else _NOTHING), plan.scope))
        for scope, period in others if own else plan.counted:
            self._count(database, scope, period, plan.amount)
        return Admitted(str(number), now)

    def _live(
        self, database: sqlite3.Connection, scope: str, row: Sequence[Any] | None, now: float
    ) -> _Meter | None:
        """What a scope holds, once what has left the minute is taken out of it."""
        if row is None or row[0] is None:
            return None
        today, minute, amount, first = row[0], row[1:_SPLIT], row[_SPLIT:-1], row[-1]
        if first is not None and first <= now:
            left = database.execute(_LEAVE, (scope, now)).fetchall()
            minute = [have - sum(gone) for have, *gone in zip(minute, *left, strict=True)]
            database.execute(
                f"UPDATE meters SET ({_M_UNITS}) = (?, ?, ?) WHERE scope = ?", (*minute, scope)
            )
        return _Meter(today, minute, amount)

    def _turn_page(self, database: sqlite3.Connection, plan: Plan, meter: _Meter | None) -> None:
        """Make the plan's day the one that the meter of its scope counts."""
        scope, (first, today) = plan.scope, plan.counted[0]
        if meter is not None and (meter.day == today or first != scope):
            return
        row = database.execute(_TOTALS, (scope, today)).fetchone() or _NOTHING
        database.execute("DELETE FROM totals WHERE scope = ? AND period = ?", (scope, today))
        minute: Sequence[int] = (0,) * len(MINUTE_UNITS)
        if meter is not None:
            minute = meter.minute
            database.execute(_COUNT, (scope, meter.day, *meter.amount))
        values = f"(?, ?{', ?' * (len(minute) + len(row))})"
        database.execute(
            f"INSERT OR REPLACE INTO meters VALUES {values}", (scope, today, *minute, *row)
        )

    def _obstacles(
        self,
        database: sqlite3.Connection,
        plan: Plan,
        meters: dict[str, _Meter | None],
        now: float,
    ) -> Iterator[Obstacle]:
        amount = plan.amount.values
        for gate in plan.gates:
            used, unit = 0, _PLACES[gate.unit]
            for scope in gate.scopes:
                if scope not in meters:
                    row = database.execute(_METER, (scope,)).fetchone()
                    meters[scope] = self._live(database, scope, row, now)
                meter = meters[scope]
                if not gate.period:
                    used += meter.minute[unit] if meter else 0
                elif meter and meter.day == gate.period:
                    used += meter.amount[unit]
                else:
                    row = database.execute(_TOTALS, (scope, gate.period)).fetchone()
                    used += row[unit] if row else 0
            needed = amount[unit]
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

    def renew(self, id: str) -> None:
        self._stay(id, GRACE)

    def answered(self, id: str, ago: float) -> None:
        self._stay(id, -max(0.0, ago))

    @_in_transaction
    def _stay(self, database: sqlite3.Connection, id: str, longer: float) -> None:
        """Keep an event in the minute until a minute and ``longer`` from now."""
        _, now = self._look(database)
        event = self._event(database, id)
        if event is None:
            return
        database.execute(
            "UPDATE events SET leaves = max(?, at + ?), live = 1 WHERE id = ?",
            (now + MINUTE + longer, MINUTE, event.number),
        )
        if not event.live:  # it had left too early
            self._add_to_minute(database, event.scope, event.minute)

    @_in_transaction
    def settle(self, database: sqlite3.Connection, id: str, minute: Amount, total: Amount) -> None:
        event = self._event(database, id)
        if event is None:
            return
        database.execute(
            f"UPDATE events SET ({_M_UNITS}) = (?, ?, ?), total = ? WHERE id = ?",
            (
                *minute.values[: len(MINUTE_UNITS)],
                _text(total.values),
                event.number,
            ),
        )
        if event.live:
            self._add_to_minute(database, event.scope, minute - event.minute)
        for scope, period in _periods(event.counted):
            self._count(database, scope, period, total - event.total)

    def _event(self, database: sqlite3.Connection, id: str) -> _Event | None:
        row = database.execute(
            f"SELECT id, scope, live, total, counted, {_M_UNITS} FROM events WHERE id = ?",
            (int(id),),
        ).fetchone()
        if row is None:
            return None
        number, scope, live, total, counted, *minute = row
        return _Event(number, scope, live, Amount(*minute), _amount(total), counted)

    def _add_to_minute(self, database: sqlite3.Connection, scope: str, change: Amount) -> None:
        values = change.values[: len(MINUTE_UNITS)]
        if any(values):
            database.execute(f"UPDATE meters SET {_M_DELTA} WHERE scope = ?", (*values, scope))

    def _count(self, database: sqlite3.Connection, scope: str, period: str, change: Amount) -> None:
        values = change.values
        if not any(values):
            return
        done = database.execute(
            f"UPDATE meters SET {_DELTA} WHERE scope = ? AND day = ?", (*values, scope, period)
        )
        if not done.rowcount:
            database.execute(_COUNT, (scope, period, *values))

    def minute(self, scopes: Iterable[str]) -> Amount:
        with self._reading() as database:
            _, now = self._look(database)
            sums = ", ".join(f"total(m_{unit})" for unit in MINUTE_UNITS)
            live = f"SELECT {sums} FROM events WHERE scope = ? AND live = 1 AND leaves > ?"
            rows = [database.execute(live, (scope, now)).fetchone() for scope in scopes]
            return sum((Amount(*map(int, row)) for row in rows), Amount())

    def leaves(self, scopes: Iterable[str]) -> float | None:
        with self._reading() as database:
            _, now = self._look(database)
            rows = [database.execute(_NEXT, (scope, now)).fetchone() for scope in scopes]
            return min((at for (at,) in rows if at is not None), default=None)

    def totals(self, scopes: Iterable[str], period: str) -> Amount:
        with self._reading() as database:
            found = Amount()
            for scope in scopes:
                rows = database.execute(
                    f"{_TOTALS} UNION ALL SELECT {_UNITS} FROM meters WHERE scope = ? AND day = ?",
                    (scope, period) * 2,
                )
                found = sum((Amount(*row) for row in rows), found)
            return found

    def history(self, since: str) -> Mapping[tuple[str, str], Amount]:
        with self._reading() as database:
            rows = database.execute(
                "SELECT * FROM totals WHERE period >= ?1"
                f" UNION ALL SELECT scope, day, {_UNITS} FROM meters WHERE day >= ?1",
                (since,),
            )
            return {(scope, period): Amount(*amounts) for scope, period, *amounts in rows}

    @_in_transaction
    def forget(self, database: sqlite3.Connection, scopes: Sequence[str]) -> None:
        for scope in scopes:
            database.execute("DELETE FROM meters WHERE scope = ?", (scope,))
            database.execute("DELETE FROM totals WHERE scope = ?", (scope,))
            database.execute(  # not deleted: its number must not be given to another
                "UPDATE events SET scope = '', live = 0 WHERE scope = ?", (scope,)
            )
            rows = database.execute(
                "SELECT id, counted FROM events WHERE instr(counted, ?)", (f"{scope}\t",)
            )
            for number, counted in rows.fetchall():
                others = [pair for pair in _periods(counted) if pair[0] != scope]
                database.execute(
                    "UPDATE events SET counted = ? WHERE id = ?", (_counted(tuple(others)), number)
                )

    def changes(self) -> int:
        with self._reading() as database:
            other = database.execute("PRAGMA data_version").fetchone()[0]
            return int(other) * 1_000_000 + database.total_changes

    @_in_transaction
    def fold(self, database: sqlite3.Connection) -> None:
        _, now = self._look(database)
        old = "at < ?1 AND leaves < ?1 AND id < (SELECT max(id) FROM events)"
        database.execute(f"DELETE FROM events WHERE {old}", (now - _KEPT,))

    # --- the file ---

    def close(self) -> None:
        self._disconnect()
        queue, self._queue = self._queue, -1
        if queue >= 0:
            os.close(queue)

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
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
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                kept = self._set_aside()
                what = f"it was damaged, and is kept as {kept}" if kept else "it was damaged"
            elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return StoreError(f"{self.where}: other processes keep it locked")
        self.close()
        return StoreError(f"{self.where}: {what}")

    def _open(self) -> sqlite3.Connection:
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
        self._database = database = sqlite3.connect(
            self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        self._inode, self._looked = paths.inode(self._path), now
        _flock(self._queue, True)
        try:
            self._prepare(database)
        finally:
            if self._queue >= 0:
                _flock(self._queue, False)
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        self._check_version(database)
        database.execute("PRAGMA page_size = 2048")  # a third less to write each time than 4096
        database.execute(f"PRAGMA journal_mode = {'TRUNCATE' if _is_remote(self._path) else 'WAL'}")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        try:
            if not database.execute("PRAGMA user_version").fetchone()[0]:
                for statement in filter(str.strip, _TABLES.split(";")):
                    database.execute(statement)
                database.execute("INSERT INTO state VALUES (1, 0, '', ?)", (os.urandom(16),))
            reading = self._clock()
            _, now = self._look(database)
            if reading.boot:
                database.execute(
                    "INSERT OR IGNORE INTO clocks VALUES (?, ?)",
                    (reading.boot, now - reading.since_boot),
                )
        except BaseException:
            database.rollback()
            raise
        database.execute("COMMIT")

    def _check_version(self, database: sqlite3.Connection) -> None:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            self.close()
            raise NewerStore(
                f"{self.where} was written by a newer gemini_magic (version {found} of its"
                f" tables, {SCHEMA} here)"
            )

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


def _time(reading: Reading, ahead: float | None, newest: float | None) -> float:
    """The ledger's time; before ``newest`` only where that cannot be true."""
    if reading.boot and ahead is not None:
        now = reading.since_boot + ahead
    else:
        now = reading.wall + (ahead or 0.0)
    if newest is not None and now < newest <= now + TOLERANCE:
        return newest
    return now


class _Meter(NamedTuple):
    """What is live of a scope, and what its present day holds, in the order of the units."""

    day: str
    minute: Sequence[int]
    amount: Sequence[int]


class _Event(NamedTuple):
    number: int
    scope: str
    live: bool
    minute: Amount
    total: Amount
    counted: str


def _text(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _amount(text: str) -> Amount:
    return Amount(*map(int, text.split(",")))


@functools.lru_cache(maxsize=64)
def _counted(pairs: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"{scope}\t{period}" for scope, period in pairs)


def _periods(counted: str) -> list[tuple[str, str]]:
    pairs = (line.rpartition("\t") for line in counted.split("\n") if line)
    return [(scope, period) for scope, _, period in pairs]


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
        try:  # noqa: SIM105 - ``suppress`` would take as long as the lock
            fcntl.flock(handle, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
        except OSError:  # some network file systems have none; SQLite's own stays
            pass

except ImportError:  # Windows

    def _flock(handle: int, take: bool) -> None:
        pass
