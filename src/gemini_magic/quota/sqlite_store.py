"""The default store: one SQLite file that all kernels of the machine share."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from pathlib import Path

from gemini_magic.errors import ConfigError
from gemini_magic.quota import sqlite_tables as sql
from gemini_magic.quota.clock import TOLERANCE, Clock, system_clock
from gemini_magic.quota.sqlite_file import SqliteFile, in_transaction
from gemini_magic.quota.sqlite_lines import (
    IN_MINUTE,
    NEVER,
    NOTHING,
    Event,
    Meter,
    Short,
    counted_in,
    meter_of,
    periods_of,
    time_at,
)
from gemini_magic.quota.store import (
    GRACE,
    MINUTE,
    MOVED,
    UNITS,
    Admitted,
    Amount,
    Full,
    Gate,
    Look,
    Obstacle,
    Outcome,
    Plan,
    Stale,
)
from gemini_magic.quota.windows import day, room_at

#: Seconds that single events are kept for late settlements, once no window needs them.
_KEPT = 2 * 86_400.0
#: Seconds that a reservation may wait for others before its minute begins anew.
_LONG = 1.0
#: Where each unit is in an amount's values.
_PLACES = {unit: place for place, unit in enumerate(UNITS)}


class SqliteStore(SqliteFile):
    """A SQLite file with mode 0600. Opened with its first use; one thread at a time.

    ``clock`` tells the machine's time (tests have their own).
    """

    def __init__(self, path: Path, clock: Clock = system_clock) -> None:
        super().__init__(path, clock)
        self._ahead: float | None = None  # as it was last seen; the file's own word holds
        self._short: Short | None = None

    # --- time ---

    def now(self) -> float:
        with self._reading() as database:
            return self._look(database)[1]

    @in_transaction
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

    def _disbelieve(self, database: sqlite3.Cursor, now: float) -> None:
        """What a wrong clock stamped with a time to come counts as having happened just now.

        That is the safe side, and it passes.
        """
        today, leaves = day(now), now + MINUTE + GRACE
        future = database.execute(sql.FUTURE, (now + TOLERANCE,)).fetchall()
        for scope, number, counted, *total in future:
            periods = periods_of(scope, counted)
            moved = [(own, today if own == scope and p > today else p) for own, p in periods]
            amount = Amount(*total)
            for change, pairs in ((Amount() - amount, periods), (amount, moved)):
                for own, period in pairs:
                    self._count(database, own, period, change)
            there = counted_in(scope, tuple(moved))
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

    @in_transaction
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
            self._short = known = Short.of(plan)
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

    @in_transaction
    def _weighed(self, database: sqlite3.Cursor, plan: Plan) -> Outcome:
        scope, reading = plan.scope, self._clock()
        row = database.execute(sql.LOOK_AT, (reading.boot, scope)).fetchone()
        version, ahead, meter = row[0], row[1], meter_of(row[2:])
        self._ahead = ahead if reading.boot else None
        meters, newest = {scope: meter}, meter.at
        for gate in plan.gates:
            for other in gate.scopes:
                if other not in meters:
                    meter = meter_of(database.execute(sql.NEWEST, (other,)).fetchone())
                    meters[other], newest = meter, max(newest, meter.at)
        now = time_at(reading, ahead, newest)
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

    def _take(self, database: sqlite3.Cursor, plan: Plan, meter: Meter, now: float) -> int:
        """Write the next line of the plan's scope; its number."""
        scope, pairs, amount = plan.scope, plan.counted, plan.amount.values
        number, leaves = meter.number + 1, now + MINUTE + GRACE
        first, today = pairs[0]
        if first == scope:
            if meter.day != today:
                meter = self._turn_page(database, scope, meter, today)
            others, added = pairs[1:], amount[:IN_MINUTE] + amount
        else:
            others, added = pairs, amount[:IN_MINUTE] + NOTHING
        held = map(add, meter.held, added)
        balance = (meter.fresh, min(meter.next, leaves), meter.day, *held)
        event = (leaves, *amount, counted_in(scope, pairs))
        database.execute(sql.INSERT, (scope, number, now, *balance, *event))
        for other, period in others:
            self._count(database, other, period, plan.amount)
        return number

    def _turn_page(self, database: sqlite3.Cursor, scope: str, meter: Meter, today: str) -> Meter:
        """The meter with ``today`` as the day that it counts."""
        if meter.day:
            database.execute(sql.COUNT, (scope, meter.day, *meter.held[IN_MINUTE:]))
        row = database.execute(sql.TOTALS, (scope, today)).fetchone()
        if row is not None:
            database.execute("DELETE FROM totals WHERE scope = ? AND period = ?", (scope, today))
        return meter._replace(day=today, held=meter.held[:IN_MINUTE] + (row or NOTHING))

    def _leave(self, database: sqlite3.Cursor, scope: str, meter: Meter, now: float) -> Meter:
        """The meter of a scope once what has left the minute is taken out of it."""
        row = database.execute(sql.FIRST_RESERVED, (scope, meter.fresh, now)).fetchone()
        fresh, next_reserved = row or (meter.number + 1, NEVER)
        left = database.execute(sql.LEAVE_RESERVED, (scope, meter.fresh, fresh)).fetchall()
        left += database.execute(sql.LEAVE_STAYING, (scope, now)).fetchall()
        (next_staying,) = database.execute(sql.FIRST_STAYING, (scope,)).fetchone()
        next_ = min(next_reserved, NEVER if next_staying is None else next_staying)
        minute = tuple(
            have - sum(gone) for have, *gone in zip(meter.held[:IN_MINUTE], *left, strict=True)
        )
        database.execute(sql.HAVE_LEFT, (fresh, next_, *minute, scope))
        return meter._replace(fresh=fresh, next=next_, held=minute + meter.held[IN_MINUTE:])

    def _obstacles(
        self, database: sqlite3.Cursor, plan: Plan, meters: Mapping[str, Meter], now: float
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
                    used += meter.held[IN_MINUTE + unit]
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

    @in_transaction
    def _stay(self, database: sqlite3.Cursor, id: str, longer: float) -> None:
        event = self._event(database, id)
        if event is not None:
            self._prolong(database, event, longer)

    def _prolong(self, database: sqlite3.Cursor, event: Event, longer: float) -> None:
        """Keep an event in the minute until a minute and ``longer`` from now."""
        if event.live == sql.FORGOTTEN:
            return
        reading, key = self._clock(), (event.scope, event.number)
        row = database.execute(sql.LOOK_AT, (reading.boot, event.scope)).fetchone()
        ahead, meter = row[1], meter_of(row[2:])
        now = time_at(reading, ahead, meter.at)
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
            line = (now, ends, counted_in(scope, ((scope, today),)), scope, today, int(number))
            amounts = (*minute.values[:IN_MINUTE], *total.values)
            settled = database.execute(sql.SETTLE_AT_ONCE, (*line, reading.boot, ahead, *amounts))
            for version, *held in settled.fetchall():
                return Look(version, now, Amount(*held[:IN_MINUTE]), Amount(*held[IN_MINUTE:]))
        return None

    @in_transaction
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
        values = (*minute.values[:IN_MINUTE], *total.values)
        database.execute(sql.SETTLE, (*values, event.scope, event.number))
        if event.live > sql.LEFT:
            self._add_to_minute(database, event.scope, minute - event.minute)
        for scope, period in periods_of(event.scope, event.counted):
            self._count(database, scope, period, total - event.total)

    def _event(self, database: sqlite3.Cursor, id: str) -> Event | None:
        number, _, scope = id.partition("@")
        row = database.execute(sql.EVENT, (scope, int(number))).fetchone()
        if row is None:
            return None
        live, counted, *amounts = row
        minute, total = Amount(*amounts[:IN_MINUTE]), Amount(*amounts[IN_MINUTE:])
        return Event(scope, int(number), live, minute, total, counted)

    def _add_to_minute(self, database: sqlite3.Cursor, scope: str, change: Amount) -> None:
        values = change.values[:IN_MINUTE]
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
                meter = meter_of(database.execute(sql.NEWEST, (scope,)).fetchone())
                held = meter.held[:IN_MINUTE]
                if meter.next <= now:
                    row = database.execute(sql.SUM_OF_MINUTE, (scope, now)).fetchone()
                    held = tuple(map(int, row))
                minute += Amount(*held)
                if meter.day == today:
                    total += Amount(*meter.held[IN_MINUTE:])
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

    @in_transaction
    def forget(self, database: sqlite3.Cursor, scopes: Sequence[str]) -> None:
        for scope in scopes:
            database.execute("DELETE FROM totals WHERE scope = ?", (scope,))
            database.execute(sql.FORGET, (scope,))
            counting = database.execute(sql.COUNTING, (scope, f"{scope}\t")).fetchall()
            for owner, number, counted in counting:
                others = tuple(pair for pair in periods_of(owner, counted) if pair[0] != scope)
                database.execute(sql.RECOUNT, (counted_in(owner, others), owner, number))

    def changes(self) -> int:
        with self._reading() as database:
            other = database.execute("PRAGMA data_version").fetchone()[0]
            return int(other) * 1_000_000 + database.connection.total_changes

    @in_transaction
    def fold(self, database: sqlite3.Cursor) -> None:
        _, now = self._look(database)
        # What goes has to be out of its minute's sum, also where nobody has asked since.
        for (scope,) in database.execute(sql.LATE, (now,)).fetchall():
            meter = meter_of(database.execute(sql.NEWEST, (scope,)).fetchone())
            self._leave(database, scope, meter, now)
        database.execute(sql.FOLD, (now - _KEPT,))
