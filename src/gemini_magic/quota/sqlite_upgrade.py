"""Brings a SQLite store's file that an older gemini_magic wrote to the tables of today."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from gemini_magic.quota import sqlite_tables as sql
from gemini_magic.quota.store import MINUTE_UNITS, UNITS

_M_UNITS = ", ".join(f"m_{unit}" for unit in MINUTE_UNITS)
_EVENTS = f"SELECT scope, id, at, leaves, live, {_M_UNITS}, total, counted FROM old_events"
_LEFT_OUT = "SELECT 1 FROM events WHERE events.scope = old_meters.scope"


def from_version_1(database: sqlite3.Cursor) -> None:
    """Version 1 kept what a scope holds in a row of its own (``meters``), and events as they are.

    Within the caller's transaction. Raises sqlite3.OperationalError ("no such table", "no such
    column") where the file is none of that version.
    """
    database.execute("DROP INDEX events_live")
    kept = ("state", "clocks", "totals")
    for table in (*kept, "events", "meters"):
        database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    sql.create(database)
    for table in kept:
        database.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")
    columns = f"scope, day, {', '.join(UNITS)}"
    days = {row[0]: row[1:] for row in database.execute(f"SELECT {columns} FROM old_meters")}
    rows = database.execute(f"{_EVENTS} WHERE scope <> '' ORDER BY scope, id").fetchall()
    for scope, events in groupby(rows, itemgetter(0)):
        database.executemany(sql.LINE, _lines(scope, [*events], days.get(scope)))
    unwritten = f"SELECT {columns} FROM old_meters WHERE day <> '' AND NOT EXISTS ({_LEFT_OUT})"
    for row in database.execute(unwritten).fetchall():
        database.execute(sql.COUNT, row)
    for table in (*kept, "events", "meters"):
        database.execute(f"DROP TABLE old_{table}")


def _lines(
    scope: str, events: list[tuple[Any, ...]], day: tuple[Any, ...] | None
) -> Iterator[tuple[Any, ...]]:
    """The lines of one scope, each with the balance of the last: no other is ever read.

    What was live stays so until it leaves by its own time.
    """
    today, *held_today = day or ("", *(0 for _ in UNITS))
    live = [event for event in events if event[4]]
    sums = [sum(event[5 + unit] for event in live) for unit in range(len(MINUTE_UNITS))]
    fresh = events[-1][1] + 1
    leaves_first = min((event[3] for event in live), default=float("inf"))
    balance = (fresh, leaves_first, today, *sums, *held_today)
    for _, number, at, leaves, is_live, *minute, total, counted in events:
        taken = (*minute, *map(int, total.split(",")))
        state = sql.STAYING if is_live else sql.LEFT
        yield (scope, number, at, *balance, leaves, *taken, counted, state)
