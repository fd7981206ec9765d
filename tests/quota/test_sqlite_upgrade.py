"""A ledger that version 1 of the tables wrote is read on, whole; a stranger's file is set aside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.quota import sqlite_file
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.sqlite_tables import SCHEMA
from gemini_magic.quota.store import Amount, Full, NewerStore, StoreError
from tests.quota.stores import Hands, SqlitePlace, admitted, gate, in_processes, plan

#: Written by gemini_magic when its tables had version 1, at ``THEN`` by its clock: three days of
#: use, a scope that was forgotten, one whose events are folded, settled and late events.
OLD = Path(__file__).with_name("ledger_version_1.sql")
THEN = Hands(1_795_608_079.0, 260_279.0)
DAY, DAY_BEFORE = "2026-11-22", "2026-11-21"
#: What the old code itself said of that file.
MINUTE = {
    "a": Amount(3, 901, 1), "b": Amount(2, 101, 1), 'c"é': Amount(2, 101, 1), "key": Amount(1),
    "gone": Amount(), "idle": Amount(),
}  # fmt: skip
LEAVES = {
    "a": 1_795_608_095.0, "b": 1_795_608_135.5, 'c"é': 1_795_608_138.5, "key": 1_795_608_144.0,
    "gone": None, "idle": None,
}  # fmt: skip
HISTORY = {
    ("a", DAY_BEFORE): Amount(3, 300),
    ("a", DAY): Amount(3, 901, 1, 6, 40),
    ("b", DAY): Amount(3, 101, 1),
    ('c"é', DAY): Amount(2, 101, 1),
    ("idle", DAY_BEFORE): Amount(1, 9),
    ("key", DAY_BEFORE): Amount(3, 300),
    ("key", DAY): Amount(7, 1103, 3, 6, 40),
}


@pytest.fixture
def old(sqlite_place: SqlitePlace) -> SqlitePlace:
    write(sqlite_place.path, OLD.read_text("utf-8"))
    return sqlite_place


def write(path: Path, script: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(script)


def test_everything_that_was_counted_still_is(old: SqlitePlace) -> None:
    store = old.open(THEN)
    assert store.now() == THEN.wall
    assert store.rules() == (1, '{"version": 1}')
    assert store.salt().hex() == "e4d46fb9476d8228d4fa120933b664fc"
    assert {scope: store.minute([scope]) for scope in MINUTE} == MINUTE
    assert {scope: store.leaves([scope]) for scope in LEAVES} == LEAVES
    assert store.history("2000") == HISTORY
    assert {pair: store.totals([pair[0]], pair[1]) for pair in HISTORY} == HISTORY
    store.close()
    with closing(sqlite3.connect(old.path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert not database.execute(
            "SELECT name FROM sqlite_master WHERE name GLOB 'old*'"
        ).fetchall()
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_was_live_leaves_by_its_own_time(old: SqlitePlace) -> None:
    clock = Hands(THEN.wall, THEN.since_boot)
    store = old.open(clock)
    full = store.reserve(plan(gate(3, "a"), version=1))
    assert isinstance(full, Full) and full.obstacles[0].opens == LEAVES["a"]
    clock.pass_(16.0)
    admitted(store.reserve(plan(gate(3, "a"), version=1)))
    assert store.minute(["a"]) == Amount(3, 101, 1)
    clock.pass_(120.0)
    assert {scope: store.minute([scope]) for scope in MINUTE} == dict.fromkeys(MINUTE, Amount())
    assert store.totals(["a"], DAY) == HISTORY["a", DAY] + Amount(1)
    store.fold()
    clock.pass_(3 * 86_400.0)
    store.fold()
    assert store.totals(["a"], DAY) == HISTORY["a", DAY] + Amount(1)


def test_an_event_of_before_is_settled(old: SqlitePlace) -> None:
    store = old.open(THEN)
    store.settle("7@a", Amount(1, 20), Amount(1, 20, output=3), ago=0.0)
    assert store.minute(["a"]) == Amount(3, 871, 1)
    assert store.totals(["a"], DAY) == Amount(3, 871, 1, 6, 43)
    assert store.totals(["key"], DAY) == Amount(7, 1073, 3, 6, 43)


def upgrade(_: int, barrier: Any, path: Path) -> int:
    barrier.wait()
    return SqliteStore(path, THEN).totals(["key"], DAY).requests


def test_many_processes_upgrade_it_once(old: SqlitePlace) -> None:
    assert in_processes(6, upgrade, old.path) == [7] * 6


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(
    old: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("gemini_magic.quota.sqlite_upgrade._lines", fail)
        with pytest.raises(StoreError, match="disk is full"):
            old.open(THEN).now()
    assert old.open(THEN).history("2000") == HISTORY


@pytest.mark.parametrize(
    "tables",
    [
        "CREATE TABLE events (scope TEXT, number INTEGER); PRAGMA user_version = 1;",
        f"CREATE TABLE state (x INTEGER); PRAGMA user_version = {SCHEMA};",
        "CREATE TABLE somebody_elses (x INTEGER); PRAGMA user_version = 1;",
    ],
)
def test_a_file_without_its_tables_is_set_aside(sqlite_place: SqlitePlace, tables: str) -> None:
    write(sqlite_place.path, tables)
    store = sqlite_place.open(THEN)
    with pytest.raises(StoreError, match=r"damaged, and is kept as .*ledger.db.damaged-"):
        store.reserve(plan())
    admitted(store.reserve(plan()))
    assert len([*sqlite_place.path.parent.glob("ledger.db.damaged-*[0-9a-z]")]) >= 1


def test_tables_that_change_under_a_running_kernel_are_not_damage(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_LOOK_AGAIN", 1e9)
    store = sqlite_place.open(THEN)
    admitted(store.reserve(plan()))
    with closing(sqlite3.connect(sqlite_place.path)) as newer:
        newer.executescript(
            "DROP VIEW newest; ALTER TABLE events RENAME TO lines;"
            f"PRAGMA user_version = {SCHEMA + 1}"
        )
    with pytest.raises(NewerStore):
        store.minute(["a"])
    assert not [*sqlite_place.path.parent.glob("*damaged*")]
