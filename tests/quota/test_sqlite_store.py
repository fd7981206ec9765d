"""What only the SQLite store does: its file, and everything that can happen to a file."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.quota import sqlite_file
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.sqlite_tables import SCHEMA
from gemini_magic.quota.store import Admitted, Amount, Full, Look, NewerStore, StoreError
from tests.quota.stores import (
    LONGEST,
    NOON,
    Hands,
    SqlitePlace,
    admitted,
    gate,
    in_minute,
    in_processes,
    plan,
)

posix = pytest.mark.skipif(os.name != "posix", reason="Windows keeps folders private by itself")
DAY = "2026-11-22"
HALF = Amount(requests=1, tokens=50, images=2, cost=7, output=3)


@pytest.fixture
def store(sqlite_place: SqlitePlace) -> SqliteStore:
    return sqlite_place.open()


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store looks with every use whether its file is still there."""
    monkeypatch.setattr(sqlite_file, "_LOOK_AGAIN", 0.0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- private -------------------------------------------------------------------------------------


@posix
def test_the_file_and_its_folder_are_the_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "new" / "data" / "ledger.db")
        admitted(store.reserve(plan()))
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "data"
    assert mode(folder) == mode(folder.parent) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}


@posix
def test_a_file_that_others_may_read_is_closed_to_them(sqlite_place: SqlitePlace) -> None:
    sqlite_place.open().now()
    os.chmod(sqlite_place.path, 0o644)
    sqlite_place.open().now()
    assert mode(sqlite_place.path) == 0o600


def test_nothing_is_made_before_the_first_use(sqlite_place: SqlitePlace) -> None:
    store = sqlite_place.open()
    assert store.where == str(sqlite_place.path)
    assert not sqlite_place.path.exists()
    store.close()
    admitted(store.reserve(plan()))
    store.close()
    store.close()
    assert store.minute(["a"]) == Amount(requests=1)


# --- locks ---------------------------------------------------------------------------------------

_OTHER_KERNEL = """
import sys
from pathlib import Path
from gemini_magic.quota.sqlite_store import SqliteStore
from gemini_magic.quota.store import Admitted, Amount, Gate, Plan
gate = Gate("rpm", "requests", 4, ("a",))
asked = Plan(0, float("inf"), "a", Amount(requests=1), (gate,), (("a", "2026-11-22"),))
store = SqliteStore(Path(sys.argv[1]))
for line in sys.stdin:
    if line == "read\\n":
        print(store.minute(["a"]).requests, flush=True)
        store.close()
    else:
        print(int(isinstance(store.reserve(asked), Admitted)), flush=True)
"""


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "still open"])
def test_a_second_store_of_a_process_drops_no_lock_of_the_first(
    sqlite_place: SqlitePlace, closed: bool
) -> None:
    """Else who closes the file next takes it for nobody's, and each goes on counting alone."""
    first, second = sqlite_place.open(), sqlite_place.open()
    taken = int(isinstance(first.reserve(plan(gate(4))), Admitted))
    assert second.minute(["a"]).requests == 1
    if closed:
        second.close()
    command = [sys.executable, "-c", _OTHER_KERNEL, str(sqlite_place.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as kernel:

        def told(word: str) -> int:
            assert kernel.stdin is not None and kernel.stdout is not None
            kernel.stdin.write(f"{word}\n")
            return int(kernel.stdout.readline())

        assert told("read") == 1
        for _ in range(4):
            taken += isinstance(first.reserve(plan(gate(4))), Admitted)
            taken += told("reserve")
        assert taken == told("read") == first.minute(["a"]).requests == 4


# --- damage --------------------------------------------------------------------------------------


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xffnot a database" * 500)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scribbled(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(1_024)
        file.write(b"\xa5" * (size - 1_024))


def closed_for_good(place: SqlitePlace) -> None:
    """All is in the one file."""
    store = place.open()
    admitted(store.reserve(plan()))
    store.close()
    assert [file.name for file in place.path.parent.glob("ledger.db*")] == ["ledger.db"]


@pytest.mark.parametrize("damage", [_garbage, _cut, _scribbled])
def test_a_damaged_file_is_set_aside_under_a_dated_name(
    sqlite_place: SqlitePlace, damage: Callable[[Path], None]
) -> None:
    closed_for_good(sqlite_place)
    damage(sqlite_place.path)
    spoiled = sqlite_place.path.read_bytes()
    store = sqlite_place.open()
    with pytest.raises(StoreError) as caught:
        for _ in range(3):
            store.reserve(plan())
    (kept,) = sqlite_place.path.parent.glob("ledger.db.damaged-*")
    assert re.search(r"damaged-\d{8}-\d{6}", kept.name)
    assert str(kept) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept.read_bytes() == spoiled
    admitted(store.reserve(plan(gate(1))))
    assert sqlite_place.open().minute(["a"]) == Amount(requests=1)


def test_who_still_has_a_damaged_file_leaves_the_new_one_alone(sqlite_place: SqlitePlace) -> None:
    closed_for_good(sqlite_place)
    first, second = sqlite_place.open(), sqlite_place.open()
    first.now()
    second.now()
    _garbage(sqlite_place.path)
    with pytest.raises(StoreError):
        for _ in range(3):
            first.reserve(plan())
    for _ in range(3):
        admitted(first.reserve(plan()))
    for _ in range(3):
        try:
            second.reserve(plan(amount=Amount()))
        except StoreError:
            continue
    assert sqlite_place.open().minute(["a"]) == Amount(requests=3)
    assert first.minute(["a"]) == Amount(requests=3)


# --- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_newer_file_is_left_untouched(sqlite_place: SqlitePlace, journal: str) -> None:
    path = sqlite_place.path
    path.parent.mkdir(mode=0o700, exist_ok=True)
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA journal_mode = {journal}")
    newer.execute("CREATE TABLE later (x)")
    newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    store = sqlite_place.open()
    uses: list[Callable[[], Any]] = [
        store.now,
        lambda: store.reserve(plan()),
        lambda: store.replace_rules(0, ""),
    ]
    for use in uses:
        with pytest.raises(NewerStore, match=f"newer gemini_magic \\(version {SCHEMA + 1}"):
            use()
    store.close()
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*damaged*"))


def test_a_file_that_a_newer_version_changes_while_it_is_open_is_left_alone(
    sqlite_place: SqlitePlace, looks_at_once: None
) -> None:
    store = sqlite_place.open()
    admitted(store.reserve(plan()))
    upgraded = sqlite3.connect(sqlite_place.path)
    upgraded.execute("ALTER TABLE events ADD COLUMN later TEXT NOT NULL DEFAULT ''")
    upgraded.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    upgraded.commit()
    with pytest.raises(NewerStore):
        store.reserve(plan())
    upgraded.close()


# --- the file goes away --------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["ledger.db", "ledger.db*"])
def test_a_file_that_is_removed_is_made_again(
    sqlite_place: SqlitePlace, looks_at_once: None, names: str
) -> None:
    first, second = sqlite_place.open(), sqlite_place.open()
    for store in (first, second):
        admitted(store.reserve(plan()))
    for file in sqlite_place.path.parent.glob(names):
        file.unlink()
    admitted(first.reserve(plan(gate(1))))
    assert first.minute(["a"]) == second.minute(["a"]) == Amount(requests=1)
    shutil.rmtree(sqlite_place.path.parent)
    admitted(second.reserve(plan(gate(1))))
    assert first.minute(["a"]) == Amount(requests=1)


def test_a_file_that_is_replaced_is_used_as_it_is_now(
    sqlite_place: SqlitePlace, tmp_path: Path, looks_at_once: None
) -> None:
    store = sqlite_place.open()
    admitted(store.reserve(plan()))
    other = SqlitePlace(tmp_path)
    elsewhere = other.open()
    for _ in range(3):
        admitted(elsewhere.reserve(plan(scope="b", counted=(("b", DAY),))))
    elsewhere.close()
    for file in sqlite_place.path.parent.glob("ledger.db-*"):
        file.unlink()  # who puts a file there must take these away. https://sqlite.org/howtocorrupt
    os.replace(other.path, sqlite_place.path)
    assert store.minute(["b"]) == Amount(requests=3)
    assert store.minute(["a"]) == Amount()
    admitted(store.reserve(plan(gate(4, "b"), scope="b", counted=(("b", DAY),))))
    assert sqlite_place.open().minute(["b"]) == Amount(requests=4)


# --- places that cannot be written ---------------------------------------------------------------


def test_a_folder_that_cannot_be_is_a_store_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError) as caught:
        SqliteStore(blocked / "ledger.db").now()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder to read only")
def test_a_folder_to_read_only_is_a_store_error() -> None:
    with pytest.raises(StoreError):
        SqliteStore(Path("/proc/self/ledger.db")).now()


def _another_user(number: int, barrier: Any, path: Path) -> str:
    os.setgid(65_534)
    os.setuid(65_534)
    try:
        SqliteStore(path).now()
    except StoreError as problem:
        return str(problem)
    return ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can")
def test_another_users_file_is_a_store_error(sqlite_place: SqlitePlace) -> None:
    store = sqlite_place.open()
    admitted(store.reserve(plan()))
    assert in_processes(1, _another_user, sqlite_place.path) != [""]
    assert store.minute(["a"]) == Amount(requests=1)


def _fill(number: int, barrier: Any, place: SqlitePlace) -> tuple[int, str, int]:
    """Reserve until the disk is full, then once more when it has room again."""
    import resource

    store = place.open()
    store.now()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    done, told = 0, ""
    try:
        for _ in range(5_000):
            counted = ((f"{done}" + "x" * 300, DAY),)
            admitted(store.reserve(plan(scope=counted[0][0], counted=counted)))
            done += 1
    except StoreError as problem:
        told = str(problem)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    admitted(store.reserve(plan()))
    return done, told, len(store.history(""))


@posix
def test_a_full_disk_is_told_and_loses_nothing(sqlite_place: SqlitePlace) -> None:
    ((done, told, counted),) = in_processes(1, _fill, sqlite_place)
    assert told.startswith(str(sqlite_place.path))
    assert "\n" not in told
    assert done > 10
    assert counted == done + 1
    assert len(sqlite_place.open().history("")) == done + 1
    assert not list(sqlite_place.path.parent.glob("*damaged*"))


@pytest.mark.parametrize("remote", [True, False])
def test_a_network_home_has_no_wal(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    place = sqlite_place.path.parent.resolve()
    kind = "nfs4" if remote else "xfs"
    text = f"/dev/sda / ext4 rw 0 0\nserver:/x {place} {kind} rw 0 0\n"
    read = Path.read_text

    def read_text(self: Path, *arguments: Any, **named: Any) -> str:
        return text if str(self) == "/proc/self/mounts" else read(self, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", read_text)
    one, two = sqlite_place.open(), sqlite_place.open()
    for store in (one, two, one):
        admitted(store.reserve(plan()))
    assert two.minute(["a"]) == Amount(requests=3)
    # The 19th byte is 2 for WAL. Source: https://sqlite.org/fileformat2.html, section 1.3.3
    assert sqlite_place.path.read_bytes()[18] == (1 if remote else 2)
    assert sqlite_place.path.with_name("ledger.db-wal").exists() is not remote


def test_time_never_goes_back_behind_what_another_machine_wrote(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_is_remote", lambda _: True)
    mine, theirs = Hands(), Hands()
    theirs.boot = "of another machine"
    one, two = sqlite_place.open(mine), sqlite_place.open(theirs)
    assert one.now() == two.now()
    theirs.pass_(3.0)  # their clock is ahead
    written = admitted(two.reserve(plan(scope="b", counted=(("b", DAY),)))).at
    assert one.now() == written
    assert admitted(one.reserve(plan(gate(5, "a", "b")))).at == written
    mine.pass_(4.0)
    assert one.now() == written + 1.0


@pytest.mark.parametrize(
    ("mounts", "remote"),
    [
        ("tmpfs / tmpfs rw 0 0", False),
        ("s:/h /home nfs rw 0 0", True),
        ("s:/h /home fuse.sshfs rw 0 0", True),
        ("s:/h /hom nfs rw 0 0", False),
        ("s:/h / nfs rw 0 0\n/dev/sda /home/me/my\\040data ext4 rw 0 0", False),
        ("/dev/sda /home ext4 rw 0 0\ns:/h /home nfs rw 0 0", True),  # the upper one is seen
        ("", False),
    ],
)
def test_what_is_a_network_home(monkeypatch: pytest.MonkeyPatch, mounts: str, remote: bool) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: mounts)
    assert sqlite_file._is_remote(Path("/home/me/my data/ledger.db")) is remote


# --- other processes -----------------------------------------------------------------------------


@posix
def test_a_forked_child_opens_the_file_itself(store: SqliteStore) -> None:
    admitted(store.reserve(plan()))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for _ in range(50):
                admitted(store.reserve(plan()))
            store.close()
            status = 0
        finally:
            os._exit(status)
    for _ in range(50):
        admitted(store.reserve(plan()))
    assert os.waitpid(child, 0)[1] == 0
    assert store.minute(["a"]) == Amount(requests=101)


def _hold(number: int, barrier: Any, path: Path, seconds: float) -> None:
    if number:
        barrier.wait()
        begin = time.monotonic()
        admitted(SqliteStore(path).reserve(plan()))
        assert 0.5 * seconds < time.monotonic() - begin < seconds + 5
        return
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    barrier.wait()  # the others ask from now on
    time.sleep(seconds)
    database.execute("COMMIT")


def test_a_locked_file_is_waited_for(sqlite_place: SqlitePlace) -> None:
    sqlite_place.open().now()
    in_processes(3, _hold, sqlite_place.path, 1.0)
    assert sqlite_place.open().minute(["a"]) == Amount(requests=2)


def test_a_file_that_stays_locked_is_given_up(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY", 0.1)
    store = sqlite_place.open()
    admitted(store.reserve(plan()))
    other = sqlite3.connect(sqlite_place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.reserve(plan())
    other.execute("ROLLBACK")
    other.close()
    admitted(store.reserve(plan()))


# --- size ----------------------------------------------------------------------------------------


def test_the_file_does_not_grow_with_the_days(sqlite_place: SqlitePlace) -> None:
    clock = Hands()
    store = sqlite_place.open(clock)
    sizes = []
    for day in range(30):
        for _ in range(20):
            counted = (("a", f"2026-11-{1 + day:02}"),)
            taken = admitted(store.reserve(plan(counted=counted)))
            store.settle(taken.id, Amount(1), Amount(1))
            clock.pass_(86_400 / 20)
        store.fold()
        with sqlite3.connect(sqlite_place.path) as database:
            sizes.append(database.execute("SELECT count(*) FROM events").fetchone()[0])
    assert sizes[-1] == sizes[5] <= 60
    assert len(store.history("")) == 30


# --- the short way ------------------------------------------------------------------------------


def test_a_simple_plan_takes_one_statement_and_no_more_than_there_is(store: SqliteStore) -> None:
    simple = plan(gate(3), gate(5, period=DAY))
    said: list[str] = []
    admitted(store.reserve(simple))
    assert store._database is not None
    store._database.connection.set_trace_callback(said.append)
    ids = {admitted(store.reserve(simple)).id for _ in range(2)}
    assert len(ids) == 2 and not any("BEGIN" in statement for statement in said)
    full = store.reserve(simple)
    assert isinstance(full, Full) and [one.used for one in full.obstacles] == [3]
    assert any("BEGIN" in statement for statement in said)
    assert store.totals((simple.scope,), DAY).requests == 3


def test_two_plans_without_gates_are_not_taken_for_each_other(store: SqliteStore) -> None:
    for scope in ("one", "other") * 3:
        admitted(store.reserve(plan(scope=scope, gates=())))
    assert store.totals(("one",), DAY) == store.totals(("other",), DAY) == Amount(3)


def test_a_short_answer_is_settled_and_looked_at_with_one_statement(
    sqlite_place: SqlitePlace,
) -> None:
    clock = Hands()
    store = sqlite_place.open(clock)
    admitted(store.reserve(plan(amount=HALF)))
    taken = admitted(store.reserve(plan(amount=HALF)))
    clock.pass_(0.5)
    said: list[str] = []
    assert store._database is not None
    store._database.connection.set_trace_callback(said.append)
    minute, total = Amount(1, 12), Amount(1, 12, cost=2, output=900)
    look = store.settle(taken.id, minute, total, 0.25)
    assert len(said) == 1
    assert look == store.look(["a"])
    assert look == Look(0, NOON + 0.5, in_minute(HALF) + minute, HALF + total)
    clock.pass_(59.625)
    assert store.minute(["a"]) == in_minute(HALF) + minute  # a minute after it began to answer
    clock.pass_(0.125)
    assert store.minute(["a"]) == in_minute(HALF)


@pytest.mark.parametrize("meanwhile", ["another", "renewed", "midnight", "elsewhere", "left"])
def test_what_happened_since_is_settled_the_long_way(
    sqlite_place: SqlitePlace, meanwhile: str
) -> None:
    clock = Hands()
    store = sqlite_place.open(clock)
    admitted(store.reserve(plan(scope="b", amount=HALF)))
    more = (("a", "2026-11"),) if meanwhile == "elsewhere" else ()
    taken = admitted(store.reserve(plan(amount=HALF, counted=(("a", DAY), *more))))
    if meanwhile == "another":
        admitted(store.reserve(plan(amount=HALF)))
    elif meanwhile == "renewed":
        store.renew(taken.id)
    elif meanwhile == "midnight":
        clock.pass_(86_400)
    elif meanwhile == "left":
        clock.pass_(LONGEST)
    assert store.settle(taken.id, Amount(1, 7), Amount(1, 7), 0.0) is None
    others = Amount() if meanwhile != "another" else HALF
    assert store.totals(["a"], DAY) == others + Amount(1, 7)
    assert store.minute(["a"]) == in_minute(others) + Amount(1, 7)
