"""The tables of the SQLite store and the longer of its statements, apart from what is done there.

Events are written like the lines of a bank's statement: each with the balance after it. So a
reservation reads the newest line of its scope and writes the next, which is one page of the file
however much there is. Whatever changes later (a settlement, a minute that ends) corrects the
balance of the newest line; those of older lines mean nothing any more.
"""

from __future__ import annotations

import sqlite3

from gemini_magic.quota.store import MINUTE, MINUTE_UNITS, UNITS

#: The version of the tables; a file with a higher one is left alone.
SCHEMA = 2

# What an event is to its minute. Those ``RESERVED`` leave in the order of their numbers, and so
# need no index that a reservation would have to write; those ``STAYING`` were answered or renewed
# since, and are in one.
FORGOTTEN, LEFT, RESERVED, STAYING = -1, 0, 1, 2


def _each(form: str, units: tuple[str, ...] = UNITS) -> str:
    return ", ".join(form.format(unit) for unit in units)


def _marks(count: int, first: int = 1) -> str:
    return ", ".join(f"?{first + each}" for each in range(count))


# The balance comes first, for a reservation reads it alone.
# Of the balance: ``minute_`` is what is live (reserved or staying), ``day_`` what ``day`` holds,
# the last that the scope counted in; other periods are in totals. No event below the number
# ``fresh`` is reserved, and nothing leaves the minute before ``next``. Of the event itself: ``m_``
# is what it takes of the minute, ``t_`` what it counts in each of the periods in ``counted``.
_TABLES = f"""
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    rules TEXT NOT NULL,
    salt BLOB NOT NULL
);
CREATE TABLE clocks (boot TEXT PRIMARY KEY, ahead REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    scope TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    fresh INTEGER NOT NULL,
    next REAL NOT NULL,
    day TEXT NOT NULL,
    {_each("minute_{} INTEGER NOT NULL", MINUTE_UNITS)},
    {_each("day_{} INTEGER NOT NULL")},
    leaves REAL NOT NULL,
    {_each("m_{} INTEGER NOT NULL", MINUTE_UNITS)},
    {_each("t_{} INTEGER NOT NULL")},
    counted TEXT NOT NULL,
    live INTEGER NOT NULL,
    PRIMARY KEY (scope, number)
) WITHOUT ROWID;
CREATE INDEX events_staying ON events (scope, leaves) WHERE live = {STAYING};
CREATE VIEW newest AS
    WITH RECURSIVE scopes (name) AS (
        SELECT min(scope) FROM events
        UNION ALL
        SELECT (SELECT min(scope) FROM events WHERE scope > name) FROM scopes
        WHERE name IS NOT NULL
    )
    SELECT events.* FROM scopes JOIN events ON scope = name
    AND number = (SELECT max(number) FROM events WHERE scope = name);
CREATE TABLE totals (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    {_each("{} INTEGER NOT NULL")},
    PRIMARY KEY (scope, period)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""


def create(database: sqlite3.Cursor) -> None:
    """Make the tables, within the caller's transaction."""
    for statement in filter(str.strip, _TABLES.split(";")):
        database.execute(statement)


#: Where the amounts of ``AT_ONCE`` and ``SETTLE_AT_ONCE`` begin among their parameters.
_FIRST = 9


def _sums(form: str, units: tuple[str, ...]) -> str:
    return ", ".join(f"{form.format(unit)} + ?{_FIRST + n}" for n, unit in enumerate(units))


def _instead(held: str, own: str, units: tuple[str, ...], first: int) -> str:
    """Assignments that put amounts in the place of an event's own, and so into the balance."""
    return ", ".join(
        f"{held}_{unit} = {held}_{unit} - {own}_{unit} + ?{n}, {own}_{unit} = ?{n}"
        for n, unit in enumerate(units, first)
    )


# --- the newest lines ---

_HELD = f"{_each('minute_{}', MINUTE_UNITS)}, {_each('day_{}')}"
_LINE = f"number, at, fresh, next, day, {_HELD}"
#: How many columns come before what is held.
HEAD = 5
#: That of a scope.
NEWEST = f"SELECT {_LINE} FROM events WHERE scope = ? ORDER BY number DESC LIMIT 1"
_CLOCK = "version, (SELECT ahead FROM clocks WHERE boot = ?)"
#: The same after the rules' version and the clock of a boot.
LOOK_AT = (
    f"SELECT {_CLOCK}, {_LINE} FROM state LEFT JOIN events ON scope = ? WHERE state.id = 1"
    " ORDER BY number DESC LIMIT 1"
)
#: Those alone.
LOOK = f"SELECT {_CLOCK} FROM state"
#: When the newest event of all was; takes longer the more scopes there are.
NEWEST_OF_ALL = "SELECT coalesce(max(at), -9e999) FROM newest"
_BALANCE = 1 + HEAD + len(MINUTE_UNITS) + len(UNITS)
_AMOUNT = _BALANCE + 2
#: A line as it stands in the table.
LINE = f"INSERT INTO events VALUES ({_marks(_AMOUNT + len(MINUTE_UNITS) + len(UNITS) + 1)})"
#: The next line of a scope. Its event takes of the minute what it counts in the periods.
INSERT = (
    f"INSERT INTO events VALUES ({_marks(_BALANCE + 1)}, {_marks(len(MINUTE_UNITS), _AMOUNT)},"
    f" {_marks(len(UNITS) + 1, _AMOUNT)}, {RESERVED})"
)
#: The newest line of the scope ?4, where it counts the day ?5 and nothing has left its minute by
#: the time ?1, of a clock that is ?8 ahead of the boot ?7.
_AS_IT_WAS = (
    "scope = ?4 AND number = (SELECT max(number) FROM events WHERE scope = ?4) AND day = ?5"
    " AND at <= ?1 AND next > ?1 AND (SELECT ahead FROM clocks WHERE boot = ?7) = ?8"
)
#: The next line with nothing read before it, for the plan of one scope and one day. It writes none
#: where anything is otherwise.
AT_ONCE = (
    "INSERT INTO events SELECT scope, number + 1, ?1, fresh, min(next, ?2), day,"
    f" {_sums('minute_{}', MINUTE_UNITS)}, {_sums('day_{}', UNITS)}, ?2,"
    f" {_marks(len(MINUTE_UNITS), _FIRST)}, {_marks(len(UNITS), _FIRST)}, ?3, {RESERVED}"
    f" FROM events WHERE {_AS_IT_WAS} AND (SELECT version FROM state) = ?6{{}} RETURNING number"
)
_ENDS = f"max(?2, at + {MINUTE})"
#: Settles the newest line's own event, whose number is ?6 and whose minute ends at ?2 or when it is
#: over, and tells what the scope holds then. It changes nothing where that counts in more than one
#: scope and day, or where anything is otherwise.
SETTLE_AT_ONCE = (
    f"UPDATE events SET leaves = {_ENDS}, next = min(next, {_ENDS}), live = {STAYING},"
    f" {_instead('minute', 'm', MINUTE_UNITS, _FIRST)},"
    f" {_instead('day', 't', UNITS, _FIRST + len(MINUTE_UNITS))}"
    f" WHERE {_AS_IT_WAS} AND number = ?6 AND live = {RESERVED} AND counted = ?3 AND {_ENDS} > ?1"
    f" RETURNING (SELECT version FROM state), {_HELD}"
)


def has_room(column: str, unit: str, limit: int) -> str:
    """A condition to add to ``AT_ONCE``: that the amount of ``unit`` fits into a limit."""
    return f" AND {column}_{unit} + ?{_FIRST + UNITS.index(unit)} <= {limit:d}"


_OF_NEWEST = "WHERE (scope, number) = (SELECT scope, max(number) FROM events WHERE scope = ?)"
ADD_TO_MINUTE = (
    f"UPDATE events SET {_each('minute_{0} = minute_{0} + ?', MINUTE_UNITS)} {_OF_NEWEST}"
)
ADD_TO_DAY = f"UPDATE events SET {_each('day_{0} = day_{0} + ?')} {_OF_NEWEST} AND day = ?"
LEAVES_SOONER = f"UPDATE events SET next = min(next, ?) {_OF_NEWEST}"
HAVE_LEFT = (
    f"UPDATE events SET fresh = ?, next = ?, {_each('minute_{} = ?', MINUTE_UNITS)} {_OF_NEWEST}"
)

# --- the minute ---

_RESERVED = f"scope = ? AND live = {RESERVED} AND number >= ?"
#: The first to stay when what leaves by a time is gone.
FIRST_RESERVED = (
    f"SELECT number, leaves FROM events WHERE {_RESERVED} AND leaves > ? ORDER BY number LIMIT 1"
)
FIRST_STAYING = f"SELECT min(leaves) FROM events WHERE scope = ? AND live = {STAYING}"
_LEAVE = f"UPDATE events SET live = {LEFT} WHERE {{}} RETURNING {_each('m_{}', MINUTE_UNITS)}"
LEAVE_RESERVED = _LEAVE.format(f"{_RESERVED} AND number < ?")
LEAVE_STAYING = _LEAVE.format(f"scope = ? AND live = {STAYING} AND leaves <= ?")
_LIVE = (
    f"SELECT leaves, {_each('m_{}', MINUTE_UNITS)} FROM events"
    f" WHERE scope = ?1 AND live = {STAYING} AND leaves > ?2 UNION ALL"
    f" SELECT leaves, {_each('m_{}', MINUTE_UNITS)} FROM events"
    f" WHERE scope = ?1 AND live = {RESERVED} AND leaves > ?2 AND number >="
    " (SELECT fresh FROM events WHERE scope = ?1 ORDER BY number DESC LIMIT 1)"
)
#: What of a scope is in the minute at a time.
SUM_OF_MINUTE = f"SELECT {_each('total(m_{})', MINUTE_UNITS)} FROM ({_LIVE})"
NEXT = f"SELECT min(leaves) FROM ({_LIVE}) WHERE m_requests > 0"
LEAVING = f"SELECT leaves, m_{{}} FROM ({_LIVE})"

# --- single events ---

EVENT = (
    f"SELECT live, counted, {_each('m_{}', MINUTE_UNITS)}, {_each('t_{}')}"
    " FROM events WHERE scope = ? AND number = ?"
)
SETTLE = (
    f"UPDATE events SET {_each('m_{} = ?', MINUTE_UNITS)}, {_each('t_{} = ?')}"
    " WHERE scope = ? AND number = ?"
)
#: Its minute ends at a time, or a whole minute after it began where that is later.
STAY = (
    f"UPDATE events SET leaves = max(?, at + ?), live = {STAYING}"
    " WHERE scope = ? AND number = ? RETURNING leaves"
)
#: A minute lasts a minute, whatever is learned of the clock within it.
MOVE = "UPDATE events SET at = at + ?1, leaves = leaves + ?1, next = next + ?1"
#: What a wrong clock stamped with a time to come.
FUTURE = f"SELECT scope, number, counted, {_each('t_{}')} FROM events WHERE at > ?"
BELIEVE = (
    "UPDATE events SET at = ?, leaves = ?, counted = ?,"
    f" live = CASE WHEN live > {LEFT} THEN {STAYING} ELSE live END"
    " WHERE scope = ? AND number = ?"
)
#: Their numbers stay, lest they be given to others; so does what other scopes count of them.
FORGET = (
    f"UPDATE events SET live = {FORGOTTEN}, day = '', next = 9e999,"
    f" {_each('minute_{} = 0', MINUTE_UNITS)}, {_each('day_{} = 0')} WHERE scope = ?"
)
#: The events of a scope, and those of others that may count in it.
COUNTING = "SELECT scope, number, counted FROM events WHERE scope = ? OR instr(counted, ?)"
RECOUNT = "UPDATE events SET counted = ? WHERE scope = ? AND number = ?"
#: The scopes that something has left since they were used last.
LATE = "SELECT scope FROM newest WHERE next <= ?"
FOLD = (
    "DELETE FROM events WHERE at < ?1 AND leaves < ?1 AND number <"
    " (SELECT max(number) FROM events AS newer WHERE newer.scope = events.scope)"
)

# --- totals ---

TOTALS = f"SELECT {_each('{}')} FROM totals WHERE scope = ? AND period = ?"
COUNT = (
    f"INSERT INTO totals VALUES ({_marks(2 + len(UNITS))}) ON CONFLICT DO UPDATE SET"
    f" {_each('{0} = {0} + excluded.{0}')}"
)
EVERYWHERE = f"{TOTALS} UNION ALL SELECT {_each('day_{}')} FROM events {_OF_NEWEST} AND day = ?"
HISTORY = (
    "SELECT * FROM totals WHERE period >= ?1"
    f" UNION ALL SELECT scope, day, {_each('day_{}')} FROM newest WHERE day >= ?1 AND day <> ''"
)
