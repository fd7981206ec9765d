"""The default store: one SQLite file that all kernels of the machine share."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from operator import add
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from gemini_magic import paths
from gemini_magic.errors import ConfigError
from gemini_magic.forks import close_at_forks
from gemini_magic.locks import ProcessLock
from gemini_magic.quota import sqlite_tables as sql
from gemini_magic.quota import sqlite_upgrade
from gemini_magic.quota.clock import TOLERANCE, Clock, Reading, system_clock
from gemini_magic.quota.sqlite_tables import SCHEMA
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
    Look,
    NewerStore,
    Obstacle,
    Outcome,
    Plan,
    Stale,
    StoreError,
)
from gemini_magic.quota.windows import day, room_at

#: Seconds that single events are kept for late settlements, once no window needs them.
_KEPT = 2 * 86_400.0
#: Seconds to wait for other processes before giving up.
_BUSY = 10.0
#: Seconds that a reservation may wait for others before its minute begins anew.
_LONG = 1.0
#: Seconds after which the file is looked at again: it may have been replaced.
_LOOK_AGAIN = 1.0

_NOTHING = (0,) * len(UNITS)
#: Where each unit is in an amount's values.
_PLACES = {unit: place for place, unit in enumerate(UNITS)}
#: How many of an amount's values a minute counts.
_MINUTE = len(MINUTE_UNITS)
#: How SQLite's errors begin where a file's tables are not those of its version.
_STRANGE = ("no such table", "no such column", "no such index")
#: File systems on which processes of several machines meet, or locks are not to be trusted.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "lustre", "gpfs", "beegfs", "afs", "9p", "ceph", "glust")


P = ParamSpec("P")
T = TypeVar("T")


def _in_transaction(
    method: Callable[Concatenate[SqliteStore, sqlite3.Cursor, P], T],
) -> Callable[Concatenate[SqliteStore, P], T]:
    """A method within a transaction that nobody else's can come between; done wholly or not at all.

    Processes queue at a lock file: SQLite's own waiting lets some of them starve.
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
                    if database.connection.in_transaction:
                        database.connection.rollback()
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
        self._database: sqlite3.Cursor | None = None  # one, for making them takes time
        self._inode = 0  # the file that it is connected to
        self._looked = 0.0
        self._queue = -1
        self._remote = False  # whether other machines may use the file
        self._ahead: float | None = None  # as it was last seen; the file's own word holds
        self._salt: bytes | None = None  # no file changes it
        self._short: _Short | None = None
        close_at_forks(self)

    def quick(self) -> bool:
        if self._database is None or self._remote or not _flock(self._queue, True, wait=False):
            return False
        _flock(self._queue, False)
        return True

    # --- time ---

    def now(self) -> float:
        with self._reading() as database:
            return self._look(database)[1]

    @_in_transaction
    def correct_clock(
        self, database: sqlite3.Cursor, ahead: float, seen: float | None = None
    ) -> None:
        reading = self._clock()
        _, now = self._look(database)
        if seen is not None and abs(now - seen) > MOVED:
            return
        now += ahead
        base = reading.since_boot if reading.boot else reading.wall
        database.execute("INSERT OR REPLACE INTO clocks VALUES (?, ?)", (reading.boot, now - base))
        database.execute(sql.MOVE, (ahead,))

    def _look(self, database: sqlite3.Cursor) -> tuple[int, float]:
        """The rules' version and the time; within a transaction neither can change."""
        reading = self._clock()
        version, ahead = database.execute(sql.LOOK, (reading.boot,)).fetchone()
        newest = _LONG_AGO
        if self._remote or not reading.boot or ahead is None:
            # Others have written by other clocks, or this one was set. A boot's only goes on.
            (newest,) = database.execute(sql.NEWEST_OF_ALL).fetchone()
        return version, _time(reading, ahead, newest)

    def _disbelieve(self, database: sqlite3.Cursor, now: float) -> None:
        """What a wrong clock stamped with a time to come counts as having happened just now.

        That is the safe side, and it passes.
        """
        today, leaves = day(now), now + MINUTE + GRACE
        future = database.execute(sql.FUTURE, (now + TOLERANCE,)).fetchall()
        for scope, number, counted, *total in future:
            periods = _periods(scope, counted)
            moved = [(own, today if own == scope and p > today else p) for own, p in periods]
            amount = Amount(*total)
            for change, pairs in ((Amount() - amount, periods), (amount, moved)):
                for own, period in pairs:
                    self._count(database, own, period, change)
            there = _counted(scope, tuple(moved))
            database.execute(sql.BELIEVE, (now, leaves, there, scope, number))
            database.execute(sql.LEAVES_SOONER, (leaves, scope))

    # --- the rules ---

    def salt(self) -> bytes:
        with self._reading() as database:
            if self._salt is None:
                self._salt = bytes(database.execute("SELECT salt FROM state").fetchone()[0])
            return self._salt

    def rules(self) -> tuple[int, str]:
        with self._reading() as database:
            version, rules = database.execute("SELECT version, rules FROM state").fetchone()
            return version, rules

    @_in_transaction
    def replace_rules(self, database: sqlite3.Cursor, version: int, document: str) -> bool:
        done = database.execute(
            "UPDATE state SET version = version + 1, rules = ? WHERE version = ?",
            (document, version),
        )
        return done.rowcount == 1

    # --- counting ---

    def reserve(self, plan: Plan) -> Outcome:
        return self._at_once(plan) or self._weighed(plan)

    def _at_once(self, plan: Plan) -> Admitted | None:
        """Reserve with one statement, which takes two thirds of the time; None where that fails.

        It fails where a window is full, where something has left the minute, where more than one
        scope or day is looked at, and before the first line of a scope.
        """
        known = self._short
        if known is None or known.gates is not plan.gates or known.pairs is not plan.counted:
            self._short = known = _Short.of(plan)
        ahead, amount = self._ahead, plan.amount.values
        if not known.statement or ahead is None or self._remote:
            return None
        with self.lock:
            try:
                database, reading, began = self._open(), self._clock(), time.monotonic()
                now = reading.since_boot + ahead
                if now >= plan.until or not reading.boot:
                    return None
                line = (now, now + MINUTE + GRACE, known.counted, plan.scope, known.day)
                clock = (plan.version, reading.boot, ahead)
                written = database.execute(known.statement, (*line, *clock, *amount)).fetchall()
            except (sqlite3.Error, OSError, ConfigError) as problem:
                raise self._told(problem) from None
        if not written:
            return None
        id = f"{written[0][0]}@{plan.scope}"
        if time.monotonic() - began > _LONG:
            self.renew(id)
        return Admitted(id, now)

    @_in_transaction
    def _weighed(self, database: sqlite3.Cursor, plan: Plan) -> Outcome:
        scope, reading = plan.scope, self._clock()
        row = database.execute(sql.LOOK_AT, (reading.boot, scope)).fetchone()
        version, ahead, meter = row[0], row[1], _meter(row[2:])
        self._ahead = ahead if reading.boot else None
        meters, newest = {scope: meter}, meter.at
        for gate in plan.gates:
            for other in gate.scopes:
                if other not in meters:
                    meter = _meter(database.execute(sql.NEWEST, (other,)).fetchone())
                    meters[other], newest = meter, max(newest, meter.at)
        now = _time(reading, ahead, newest)
        if newest > now:
            self._disbelieve(database, now)
            return Stale(version, now)
        if version != plan.version or now >= plan.until:
            return Stale(version, now)
        for each, meter in meters.items():
            if meter.next <= now:
                meters[each] = self._leave(database, each, meter, now)
        obstacles = self._obstacles(database, plan, meters, now)
        if obstacles:
            return Full(tuple(obstacles), now)
        number = self._take(database, plan, meters[scope], now)
        return Admitted(f"{number}@{scope}", now)

    def _take(self, database: sqlite3.Cursor, plan: Plan, meter: _Meter, now: float) -> int:
        """Write the next line of the plan's scope; its number."""
        scope, pairs, amount = plan.scope, plan.counted, plan.amount.values
        number, leaves = meter.number + 1, now + MINUTE + GRACE
        first, today = pairs[0]
        if first == scope:
            if meter.day != today:
                meter = self._turn_page(database, scope, meter, today)
            others, added = pairs[1:], amount[:_MINUTE] + amount
        else:
            others, added = pairs, amount[:_MINUTE] + _NOTHING
        held = map(add, meter.held, added)
        balance = (meter.fresh, min(meter.next, leaves), meter.day, *held)
        event = (leaves, *amount, _counted(scope, pairs))
        database.execute(sql.INSERT, (scope, number, now, *balance, *event))
        for other, period in others:
            self._count(database, other, period, plan.amount)
        return number

    def _turn_page(self, database: sqlite3.Cursor, scope: str, meter: _Meter, today: str) -> _Meter:
        """The meter with ``today`` as the day that it counts."""
        if meter.day:
            database.execute(sql.COUNT, (scope, meter.day, *meter.held[_MINUTE:]))
        row = database.execute(sql.TOTALS, (scope, today)).fetchone()
        if row is not None:
            database.execute("DELETE FROM totals WHERE scope = ? AND period = ?", (scope, today))
        return meter._replace(day=today, held=meter.held[:_MINUTE] + (row or _NOTHING))

    def _leave(self, database: sqlite3.Cursor, scope: str, meter: _Meter, now: float) -> _Meter:
        """The meter of a scope once what has left the minute is taken out of it."""
        row = database.execute(sql.FIRST_RESERVED, (scope, meter.fresh, now)).fetchone()
        fresh, next_reserved = row or (meter.number + 1, _NEVER)
        left = database.execute(sql.LEAVE_RESERVED, (scope, meter.fresh, fresh)).fetchall()
        left += database.execute(sql.LEAVE_STAYING, (scope, now)).fetchall()
        (next_staying,) = database.execute(sql.FIRST_STAYING, (scope,)).fetchone()
        next_ = min(next_reserved, _NEVER if next_staying is None else next_staying)
        minute = tuple(
            have - sum(gone) for have, *gone in zip(meter.held[:_MINUTE], *left, strict=True)
        )
        database.execute(sql.HAVE_LEFT, (fresh, next_, *minute, scope))
        return meter._replace(fresh=fresh, next=next_, held=minute + meter.held[_MINUTE:])

    def _obstacles(
        self, database: sqlite3.Cursor, plan: Plan, meters: Mapping[str, _Meter], now: float
    ) -> list[Obstacle]:
        found = []
        amount = plan.amount.values
        for gate in plan.gates:
            used, unit, period = 0, _PLACES[gate.unit], gate.period
            for scope in gate.scopes:
                meter = meters[scope]
                if not period:
                    used += meter.held[unit]
                elif meter.day == period:
                    used += meter.held[_MINUTE + unit]
                else:
                    row = database.execute(sql.TOTALS, (scope, period)).fetchone()
                    used += row[unit] if row else 0
            needed = amount[unit]
            if used + needed > gate.limit:
                opens = self._opens(database, gate, used, needed, now)
                found.append(Obstacle(gate, used, opens))
        return found

    def _opens(
        self, database: sqlite3.Cursor, gate: Gate, used: int, needed: int, now: float
    ) -> float:
        if gate.period:
            return gate.opens if needed <= gate.limit else float("inf")
        leaving = [
            (at, amount)
            for scope in gate.scopes
            for at, amount in database.execute(sql.LEAVING.format(gate.unit), (scope, now))
        ]
        return room_at(sorted(leaving), used, needed, gate.limit)

    def renew(self, id: str) -> None:
        self._stay(id, GRACE)

    def answered(self, id: str, ago: float) -> None:
        self._stay(id, -max(0.0, ago))

    @_in_transaction
    def _stay(self, database: sqlite3.Cursor, id: str, longer: float) -> None:
        event = self._event(database, id)
        if event is not None:
            self._prolong(database, event, longer)

    def _prolong(self, database: sqlite3.Cursor, event: _Event, longer: float) -> None:
        """Keep an event in the minute until a minute and ``longer`` from now."""
        if event.live == sql.FORGOTTEN:
            return
        reading, key = self._clock(), (event.scope, event.number)
        row = database.execute(sql.LOOK_AT, (reading.boot, event.scope)).fetchone()
        ahead, meter = row[1], _meter(row[2:])
        now = _time(reading, ahead, meter.at)
        until = (now + MINUTE + longer, MINUTE, *key)
        ((leaves,),) = database.execute(sql.STAY, until).fetchall()
        if leaves < meter.next:
            database.execute(sql.LEAVES_SOONER, (leaves, event.scope))
        if event.live == sql.LEFT:  # too early
            self._add_to_minute(database, event.scope, event.minute)

    def settle(
        self, id: str, minute: Amount, total: Amount, ago: float | None = None
    ) -> Look | None:
        look = None if ago is None else self._settle_at_once(id, minute, total, ago)
        if look is None:
            self._settle(id, minute, total, ago)
        return look

    def _settle_at_once(self, id: str, minute: Amount, total: Amount, ago: float) -> Look | None:
        """Settle a short answer with one statement, and look at its scope; None where that fails.

        It fails where ``_at_once`` would, and where another request of the scope has come since.
        """
        ahead = self._ahead
        if ahead is None or self._remote:
            return None
        number, _, scope = id.partition("@")
        with self._reading() as database:
            reading = self._clock()
            if not reading.boot:
                return None
            now = reading.since_boot + ahead
            today = day(now)
            ends = now + MINUTE - max(0.0, ago)
            line = (now, ends, _counted(scope, ((scope, today),)), scope, today, int(number))
            amounts = (*minute.values[:_MINUTE], *total.values)
            settled = database.execute(sql.SETTLE_AT_ONCE, (*line, reading.boot, ahead, *amounts))
            for version, *held in settled.fetchall():
                return Look(version, now, Amount(*held[:_MINUTE]), Amount(*held[_MINUTE:]))
        return None

    @_in_transaction
    def _settle(
        self,
        database: sqlite3.Cursor,
        id: str,
        minute: Amount,
        total: Amount,
        ago: float | None,
    ) -> None:
        event = self._event(database, id)
        if event is None:
            return
        if ago is not None and event.live != sql.FORGOTTEN:
            self._prolong(database, event, -max(0.0, ago))
            event = event._replace(live=sql.STAYING)
        values = (*minute.values[:_MINUTE], *total.values)
        database.execute(sql.SETTLE, (*values, event.scope, event.number))
        if event.live > sql.LEFT:
            self._add_to_minute(database, event.scope, minute - event.minute)
        for scope, period in _periods(event.scope, event.counted):
            self._count(database, scope, period, total - event.total)

    def _event(self, database: sqlite3.Cursor, id: str) -> _Event | None:
        number, _, scope = id.partition("@")
        row = database.execute(sql.EVENT, (scope, int(number))).fetchone()
        if row is None:
            return None
        live, counted, *amounts = row
        minute, total = Amount(*amounts[:_MINUTE]), Amount(*amounts[_MINUTE:])
        return _Event(scope, int(number), live, minute, total, counted)

    def _add_to_minute(self, database: sqlite3.Cursor, scope: str, change: Amount) -> None:
        values = change.values[:_MINUTE]
        if any(values):
            database.execute(sql.ADD_TO_MINUTE, (*values, scope))

    def _count(self, database: sqlite3.Cursor, scope: str, period: str, change: Amount) -> None:
        values = change.values
        if not any(values):
            return
        if not database.execute(sql.ADD_TO_DAY, (*values, scope, period)).rowcount:
            database.execute(sql.COUNT, (scope, period, *values))

    def look(self, scopes: Sequence[str]) -> Look:
        with self._reading() as database:
            version, now = self._look(database)
            today, minute, total = day(now), Amount(), Amount()
            for scope in scopes:
                meter = _meter(database.execute(sql.NEWEST, (scope,)).fetchone())
                held = meter.held[:_MINUTE]
                if meter.next <= now:
                    row = database.execute(sql.SUM_OF_MINUTE, (scope, now)).fetchone()
                    held = tuple(map(int, row))
                minute += Amount(*held)
                if meter.day == today:
                    total += Amount(*meter.held[_MINUTE:])
                else:
                    rows = database.execute(sql.EVERYWHERE, (scope, today) * 2)
                    total = sum((Amount(*row) for row in rows), total)
            return Look(version, now, minute, total)

    def minute(self, scopes: Iterable[str]) -> Amount:
        with self._reading() as database:
            _, now = self._look(database)
            found = Amount()
            for scope in scopes:
                row = database.execute(sql.SUM_OF_MINUTE, (scope, now)).fetchone()
                found += Amount(*map(int, row))
            return found

    def leaves(self, scopes: Iterable[str]) -> float | None:
        with self._reading() as database:
            _, now = self._look(database)
            rows = [database.execute(sql.NEXT, (scope, now)).fetchone() for scope in scopes]
            return min((at for (at,) in rows if at is not None), default=None)

    def totals(self, scopes: Iterable[str], period: str) -> Amount:
        with self._reading() as database:
            rows = [
                Amount(*row)
                for scope in scopes
                for row in database.execute(sql.EVERYWHERE, (scope, period) * 2)
            ]
            return sum(rows, Amount())

    def history(self, since: str) -> Mapping[tuple[str, str], Amount]:
        with self._reading() as database:
            rows = database.execute(sql.HISTORY, (since,))
            return {(scope, period): Amount(*amounts) for scope, period, *amounts in rows}

    @_in_transaction
    def forget(self, database: sqlite3.Cursor, scopes: Sequence[str]) -> None:
        for scope in scopes:
            database.execute("DELETE FROM totals WHERE scope = ?", (scope,))
            database.execute(sql.FORGET, (scope,))
            counting = database.execute(sql.COUNTING, (scope, f"{scope}\t")).fetchall()
            for owner, number, counted in counting:
                others = tuple(pair for pair in _periods(owner, counted) if pair[0] != scope)
                database.execute(sql.RECOUNT, (_counted(owner, others), owner, number))

    def changes(self) -> int:
        with self._reading() as database:
            other = database.execute("PRAGMA data_version").fetchone()[0]
            return int(other) * 1_000_000 + database.connection.total_changes

    @_in_transaction
    def fold(self, database: sqlite3.Cursor) -> None:
        _, now = self._look(database)
        # What goes has to be out of its minute's sum, also where nobody has asked since.
        for (scope,) in database.execute(sql.LATE, (now,)).fetchall():
            meter = _meter(database.execute(sql.NEWEST, (scope,)).fetchone())
            self._leave(database, scope, meter, now)
        database.execute(sql.FOLD, (now - _KEPT,))

    # --- the file ---

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


def _time(reading: Reading, ahead: float | None, newest: float) -> float:
    """The ledger's time; before ``newest`` only where that cannot be true."""
    if reading.boot and ahead is not None:
        now = reading.since_boot + ahead
    else:
        now = reading.wall + (ahead or 0.0)
    return newest if now < newest <= now + TOLERANCE else now


class _Meter(NamedTuple):
    """What the newest line of a scope says; ``held`` is what is live, then what the day holds."""

    number: int
    at: float
    fresh: int
    next: float
    day: str
    held: tuple[int, ...]


def _meter(row: tuple[Any, ...] | None) -> _Meter:
    """The meter in the row of a newest line; an empty one for a scope that has none."""
    if row is None or row[0] is None:
        return _UNUSED
    number, at, fresh, next_, today = row[: sql.HEAD]
    return _Meter(number, at, fresh, next_, today, row[sql.HEAD :])


_NEVER = float("inf")
_LONG_AGO = -_NEVER
_UNUSED = _Meter(0, _LONG_AGO, 0, _NEVER, "", _NOTHING[:_MINUTE] + _NOTHING)


class _Short(NamedTuple):
    """What ``SqliteStore._at_once`` makes of a plan; it has no statement for one less simple."""

    gates: tuple[Gate, ...]
    pairs: tuple[tuple[str, str], ...]
    statement: str
    day: str = ""
    counted: str = ""

    @classmethod
    def of(cls, plan: Plan) -> _Short:
        (scope, today), *others = plan.counted
        simple = scope == plan.scope and not others
        if not simple or any(
            gate.scopes != (scope,) or gate.period not in ("", today) for gate in plan.gates
        ):
            return cls(plan.gates, plan.counted, "")
        rooms = (
            sql.has_room("day" if gate.period else "minute", gate.unit, gate.limit)
            for gate in plan.gates
        )
        statement = sql.AT_ONCE.format("".join(rooms))
        return cls(plan.gates, plan.counted, statement, today, _counted(scope, plan.counted))


class _Event(NamedTuple):
    scope: str
    number: int
    live: int
    minute: Amount
    total: Amount
    counted: str


@functools.lru_cache(maxsize=64)
def _counted(scope: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Where an event of ``scope`` counts, as one text; its own scope is left out of it."""
    return "\n".join(f"{own if own != scope else ''}\t{period}" for own, period in pairs)


def _periods(scope: str, counted: str) -> list[tuple[str, str]]:
    pairs = (line.rpartition("\t") for line in counted.split("\n") if line)
    return [(own or scope, period) for own, _, period in pairs]


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
