"""The cache of replies: what it gives back, how long, to whom, and what it survives."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.config import Backend, Vertex
from gemini_magic.engine import cache as cache_module
from gemini_magic.engine.cache import Cache, Use, key, size_of
from gemini_magic.errors import ConfigError
from gemini_magic.types import (
    CANCELLED,
    CUT,
    MAX_TOKENS,
    SAFETY,
    STOP,
    TOOL_CALLS,
    Code,
    CodeOutput,
    Message,
    Part,
    Reply,
    Request,
    Settings,
    Target,
    ToolCall,
    ToolResult,
    Usage,
    digest,
)

DAY = 86_400.0
LARGE = 10**9


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "cache.db"


@pytest.fixture
def cache(path: Path, clock: Clock) -> Cache:
    return Cache(path, size=LARGE, days=30, clock=clock)


def k(name: object) -> str:
    return digest(str(name))


def reply(text: str = "Hello!") -> Reply:
    return Reply.saying(
        text,
        thoughts="hm",
        target=Target("studio", "gemini-2.5-flash"),
        model_version="gemini-2.5-flash-001",
        usage=Usage(3, 5, None, 0),
        seconds=1.25,
    )


def raw(path: Path, sql: str, *values: Any) -> list[Any]:
    with sqlite3.connect(path) as database:
        rows = database.execute(sql, values).fetchall()
    database.close()
    return rows


# --- what comes back ------------------------------------------------------------------------


def test_a_reply_comes_back_as_it_was(cache: Cache, path: Path, clock: Clock) -> None:
    assert cache.find(k(1)) is None and not path.parent.exists()
    cache.keep(k(1), reply())
    assert cache.find(k(1)) == reply()
    assert Cache(path, size=LARGE, days=30, clock=clock).find(k(1)) == reply()
    assert cache.find(k(2)) is None
    cache.keep(k(1), reply("newer"))
    assert cache.find(k(1)) == reply("newer")
    assert cache.usage().replies == 1


@given(st.text(st.characters(codec=None), min_size=1), st.text(st.characters(codec=None)))
def test_every_text_comes_back(text: str, thoughts: str) -> None:
    said = Reply.saying(text, thoughts=thoughts)
    assert cache_module._read(cache_module._written(said)) == said


def test_pictures_come_back_in_their_place(cache: Cache) -> None:
    picture = Part(data=bytes(range(256)), mime_type="image/png", signature=b"\0s")
    signed = Part(text="", signature=b"t")
    parts = (Part(text="before "), picture, Part(text="after"), picture, signed)
    said = reply().replace(text="before after", parts=parts)
    cache.keep(k(1), said)
    assert cache.find(k(1)) == said
    alone = reply().replace(text="", parts=(picture,))
    cache.keep(k(2), alone)
    assert cache.find(k(2)) == alone and alone.media == (picture,)


@pytest.mark.parametrize(
    "part",
    [
        Part(call=ToolCall("f", "{}")), Part(result=ToolResult("f", "1")),
        Part(code=Code("1")), Part(output=CodeOutput("1")), Part(text=""),
    ],
)  # fmt: skip
def test_what_functions_and_programs_said_is_not_kept(cache: Cache, path: Path, part: Part) -> None:
    text = () if part.text == "" else (Part(text="x"),)
    cache.keep(k(1), reply().replace(parts=(*text, part)))
    assert not path.exists()


def test_a_picture_larger_than_the_cache_is_not_kept(path: Path, clock: Clock) -> None:
    cache = Cache(path, size=100_000, days=30, clock=clock)
    large = Part(data=bytes(80_000), mime_type="image/png")  # too large as base64 only
    for part in (large, Part(data=bytes(100_001), mime_type="image/png")):
        cache.keep(k(1), reply().replace(parts=(part,)))
        assert not path.exists()


@pytest.mark.parametrize("reason", [MAX_TOKENS, SAFETY, TOOL_CALLS, CANCELLED, CUT, "NEW"])
def test_only_finished_replies_are_kept(cache: Cache, path: Path, reason: str) -> None:
    cache.keep(k(1), reply().replace(finish_reason=reason))
    cache.keep(k(1), reply(""))
    assert not path.exists()
    assert reply().finish_reason == STOP


def test_a_collision_of_short_ids_is_no_hit(cache: Cache) -> None:
    one = "a" * 64
    other = "a" * 63 + "b"
    cache.keep(one, reply("one"))
    assert cache.find(other) is None
    cache.keep(other, reply("other"))
    assert cache.find(one) is None and cache.find(other) == reply("other")
    assert cache.usage().replies == 1


# --- the key --------------------------------------------------------------------------------

_PARTS = st.builds(Part, text=st.text()) | st.builds(
    Part, data=st.binary(), mime_type=st.sampled_from(["image/png", "audio/wav"])
)
_REQUESTS = st.builds(
    Request,
    messages=st.lists(
        st.builds(
            Message, st.sampled_from(["user", "model"]), st.lists(_PARTS, max_size=3).map(tuple)
        ),
        max_size=3,
    ).map(tuple),
    system=st.none() | st.text(),
    settings=st.builds(
        Settings,
        temperature=st.none() | st.floats(0, 2),
        stop=st.lists(st.text(), max_size=2).map(tuple),
        seed=st.none() | st.integers(0, 9),
        thinking=st.none() | st.sampled_from(["low", 0, 128]),
    ),
    schema=st.none() | st.sampled_from(['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', "{}"]),
)
_SERVICES = st.builds(
    Backend,
    name=st.sampled_from(["one", "two"]),
    kind=st.sampled_from(["google", "openai"]),
    base_url=st.none() | st.sampled_from(["https://a", "https://b"]),
    api_version=st.none() | st.sampled_from(["v1", "v1beta"]),
    vertex=st.none() | st.builds(Vertex, st.sampled_from(["p", "q"])),
)
_ASKED = st.tuples(_SERVICES, st.sampled_from(["m", "n", "one"]), _REQUESTS)


def _named(asked: tuple[Backend, str, Request]) -> str:
    service, model, request = asked
    who = (service.name, service.kind, service.base_url, service.api_version, service.vertex)
    return repr((who, model, json.dumps(request.to_json())))


@given(_ASKED, _ASKED)
def test_the_key_is_the_same_for_the_same_question_only(
    one: tuple[Backend, str, Request], other: tuple[Backend, str, Request]
) -> None:
    assert key(*one) == key(*one) and len(key(*one)) == 64
    assert (key(*one) == key(*other)) == (_named(one) == _named(other))


@given(_ASKED, st.data())
def test_every_ingredient_changes_the_key(
    asked: tuple[Backend, str, Request], data: st.DataObject
) -> None:
    service, model, request = asked
    others = [
        (replace(service, name=service.name + "x"), model, request),
        (replace(service, kind="local"), model, request),
        (replace(service, base_url="https://c"), model, request),
        (replace(service, api_version="v2"), model, request),
        (replace(service, vertex=Vertex("r")), model, request),
        (service, model + "x", request),
        (service, model, replace(request, system="another")),
        (service, model, replace(request, schema='{"another": 1}')),
        (service, model, replace(request, settings=Settings(temperature=1.99, seed=10))),
        (service, model, replace(request, messages=(*request.messages, Message("user", ())))),
    ]
    for field in ("top_p", "top_k", "max_output_tokens"):
        settings = replace(request.settings, **{field: 1})
        others.append((service, model, replace(request, settings=settings)))
    keys = {key(*asked), *(key(*one) for one in others)}
    assert len(keys) == len(others) + 1


def test_who_pays_and_where_it_was_configured_do_not_change_the_key() -> None:
    request = Request((Message("user", (Part(text="x"),)),))
    one = Backend("a", "google", "https://a", key_env=("X",), tier="free", defined_in="here")
    assert key(one, "m", request) == key(Backend("a", "google", "https://a"), "m", request)


# --- how long, how much ---------------------------------------------------------------------


def test_a_reply_expires(cache: Cache, clock: Clock) -> None:
    cache.keep(k(1), reply())
    clock.now += 30 * DAY - 1
    assert cache.find(k(1)) == reply()
    clock.now += 2
    assert cache.find(k(1)) is None  # a use does not make it younger
    assert cache.usage().replies == 1
    cache.keep(k(2), reply())
    assert cache.usage() == Use(1, cache.usage().bytes, clock.now)


def test_a_clock_that_was_wrong_does_not_keep_replies_for_ever(cache: Cache, clock: Clock) -> None:
    cache.keep(k(1), reply())
    clock.now -= 3600
    assert cache.find(k(1)) == reply()
    clock.now -= 40 * DAY
    assert cache.find(k(1)) is None


@pytest.mark.parametrize("size, days", [(0, 30), (LARGE, 0)])
def test_a_cache_of_no_size_or_time_keeps_nothing(path: Path, size: int, days: float) -> None:
    cache = Cache(path, size=size, days=days)
    cache.keep(k(1), reply())
    assert cache.find(k(1)) is None and not path.exists()


def test_the_least_recently_used_goes_first(path: Path, clock: Clock) -> None:
    cache = Cache(path, size=LARGE, days=30, clock=clock)
    for n in range(4):
        cache.keep(k(n), reply("x" * 20_000))
        clock.now += 100
    cache.size = cache.usage().bytes
    assert cache.find(k(0)) and cache.find(k(2))
    order = []
    for n in range(4, 8):
        clock.now += 100
        cache.keep(k(n), reply("x" * 20_000))
        left = {row[0] for row in raw(path, "SELECT key FROM replies")}
        order.append([old for old in range(4) if k(old) not in left])
        assert k(n) in left and len(left) == 4 and cache.usage().bytes <= cache.size
    assert order[:2] == [[1], [1, 3]] and len(order[2]) == 3
    assert order[3] == [0, 1, 2, 3]


def test_a_use_is_written_at_most_once_a_minute(cache: Cache, path: Path, clock: Clock) -> None:
    cache.keep(k(1), reply())
    first = clock.now
    for later, written in ((30, 0), (29, 0), (2, 61), (59, 61), (2, 122)):
        clock.now += later
        cache.find(k(1))
        assert raw(path, "SELECT used FROM replies") == [(first + written,)]


def test_a_large_reply_makes_room_and_one_too_large_evicts_nobody(path: Path) -> None:
    cache = Cache(path, size=200_000, days=30)
    for n in range(50):
        cache.keep(k(n), reply("x" * 1000))
    before = cache.usage()
    cache.keep(k("huge"), reply("x" * 200_001))
    assert cache.usage() == before
    cache.keep(k("large"), reply("x" * 150_000))
    assert cache.find(k("large")) and cache.usage().bytes <= 200_000


def test_the_newest_stays_when_the_clock_went_back(path: Path, clock: Clock) -> None:
    cache = Cache(path, size=60_000, days=30, clock=clock)
    cache.keep(k(1), reply("x" * 30_000))
    clock.now -= 1000
    cache.keep(k(2), reply("y" * 30_000))
    assert cache.find(k(1)) is None and cache.find(k(2)) is not None


@pytest.mark.parametrize("lengths", [(20, 300), (2000,), (20, 300, 2000, 9000), (60_000,)])
def test_the_file_stays_below_the_cap_and_full_under_churn(
    path: Path, clock: Clock, lengths: tuple[int, ...]
) -> None:
    dice = random.Random(5)
    cap = 400_000
    cache = Cache(path, size=cap, days=30, clock=clock)
    for _ in range(4000):
        clock.now += 70
        if dice.random() < 0.3:
            cache.find(k(dice.randrange(3000)))
        else:
            cache.keep(k(dice.randrange(3000)), reply("x" * dice.choice(lengths)))
    use = cache.usage()
    content = sum(row[0] for row in raw(path, "SELECT length(reply) + 80 FROM replies"))
    assert cap * 0.4 < content < use.bytes <= cap
    assert path.stat().st_size < cap + 1.5 * max(lengths) + 50_000


def test_a_lower_cap_is_reached_in_bounded_steps(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_MOST", 10)
    large = Cache(path, size=LARGE, days=30, clock=clock)
    for n in range(100):
        large.keep(k(n), reply("x" * 1000))
    small = Cache(path, size=50_000, days=30, clock=clock)
    small.keep(k("a"), reply())
    assert small.usage().replies == 91
    for n in range(10):
        small.keep(k(n), reply())
    assert small.usage().bytes <= 50_000


def test_clear_empties_the_file_and_says_how_many(cache: Cache, path: Path) -> None:
    assert cache.clear() == 0 and not path.exists()
    for n in range(30):
        cache.keep(k(n), reply(f"secret {n} " * 1000))
    other = Cache(path, size=LARGE, days=30)
    assert other.clear() == 30
    assert cache.usage() == Use(0, 0, None) and cache.find(k(1)) is None
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"secret" not in content and len(content) < 200_000
    cache.keep(k(1), reply())
    assert other.find(k(1)) == reply()


@pytest.mark.parametrize(
    "text, size",
    [("1 GB", 10**9), ("1.5GB", 15 * 10**8), ("250 MB", 25 * 10**7), ("0.3 KB", 300), ("0 kB", 0)],
)
def test_size_of(text: str, size: int) -> None:
    assert size_of(text) == size
    assert size_of(f"{'9' * 400} GB") > 10**18


# --- who reads and writes -------------------------------------------------------------------


def test_only_the_owner_can_read_it(cache: Cache, path: Path) -> None:
    before = os.umask(0)
    try:
        cache.keep(k(1), reply())
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600} and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


_WORKER = """
import sys
from pathlib import Path
from gemini_magic.engine.cache import Cache
from gemini_magic.types import Reply, digest
cache = Cache(Path(sys.argv[1]), size=int(sys.argv[3]), days=30)
print("ready", flush=True)
sys.stdin.readline()
n = 0
while n < int(sys.argv[4]):
    cache.keep(digest(f"{sys.argv[2]} {n}"), Reply.saying(f"{n} " * 500))
    n += 1
"""


def worker(path: Path, name: str, size: int = LARGE, count: int = 200) -> subprocess.Popen[str]:
    """A process that keeps ``count`` replies once it is told to begin."""
    command = [sys.executable, "-c", _WORKER, str(path), name, str(size), str(count)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


def begin(*workers: subprocess.Popen[str]) -> None:
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()


def test_several_processes_share_it(cache: Cache, path: Path) -> None:
    workers = [worker(path, name) for name in "abcd"]
    begin(*workers)
    assert [one.wait(60) for one in workers] == [0] * 4
    assert cache.usage().replies == 800
    found = [cache.find(digest(f"{name} {n}")) for name in "abcd" for n in range(200)]
    assert [one.text[:3].split()[0] for one in found if one] == [str(n) for n in range(200)] * 4


def test_several_processes_hold_one_cap(cache: Cache, path: Path) -> None:
    workers = [worker(path, name, size=100_000) for name in "abcd"]
    begin(*workers)
    assert [one.wait(60) for one in workers] == [0] * 4
    assert 60_000 < cache.usage().bytes <= 100_000
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_killed_process_leaves_whole_replies(cache: Cache, path: Path) -> None:
    for round in range(8):
        one = worker(path, f"killed {round}", size=300_000, count=10**6)
        begin(one)
        time.sleep(0.03 + 0.04 * round)
        one.send_signal(signal.SIGKILL)
        one.wait(10)
        cache.keep(k(round), reply(f"round {round}"))
        assert cache.find(k(round)) == reply(f"round {round}")
        rows = raw(path, "SELECT key FROM replies")
        assert all(cache.find(row[0]) for row in rows)
    assert len(rows) > 20
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_threads_share_one(cache: Cache) -> None:
    def work(name: str) -> None:
        for n in range(100):
            cache.keep(k(f"{name} {n}"), reply(f"{name} {n}"))
            assert cache.find(k(f"{name} {n}")) == reply(f"{name} {n}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.usage().replies == 400


def test_a_forked_child_writes_too_and_outlives_its_parents_use(cache: Cache, path: Path) -> None:
    """SQLite loses what a child writes if a connection is open while the process forks."""
    cache.keep(k("parent"), reply("parent"))
    begun, done = os.pipe(), os.pipe()
    if (pid := os.fork()) == 0:
        found = cache.find(k("parent"))
        cache.keep(k("child 1"), reply("child 1"))
        os.write(begun[1], b"x")
        os.read(done[0], 1)  # the parent's last connection is closed
        cache.keep(k("child 2"), reply("child 2"))
        os._exit(0 if found == reply("parent") else 1)
    os.read(begun[0], 1)
    assert cache.find(k("child 1")) == reply("child 1")
    with cache._file.lock:
        cache._file.close()
    os.write(done[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert cache.find(k("child 2")) == reply("child 2")
    cache.keep(k("parent again"), reply())
    assert cache.usage().replies == 4


_READER = """
import sys
from pathlib import Path
from gemini_magic.engine.cache import Cache
cache = Cache(Path(sys.argv[1]), size=10**9, days=30)
print(cache.usage().replies)
with cache._file.lock:
    cache._file.close()
"""


def elsewhere(path: Path) -> int:
    """How many replies another process finds, which closes the file then."""
    command = [sys.executable, "-c", _READER, str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "still open"])
def test_a_second_cache_of_a_process_drops_no_lock_of_the_first(
    cache: Cache, path: Path, closed: bool
) -> None:
    """Else who closes the file next removes what the first goes on writing into."""
    cache.keep(k(1), reply())
    second = Cache(path, size=LARGE, days=30)
    assert second.find(k(1)) == reply()
    if closed:
        with second._file.lock:
            second._file.close()
    assert elsewhere(path) == 1
    cache.keep(k(2), reply())
    assert elsewhere(path) == 2


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """Nothing of other tests is collected meanwhile: a thread that lets go of a connection while
    the process forks would leave SQLite's memory locked in the child."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_fork_while_other_threads_write(cache: Cache, no_garbage: None) -> None:
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            cache.keep(k(n := n + 1), reply())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for round in range(10):
            if (pid := os.fork()) == 0:
                cache.keep(k(f"child {round}"), reply(f"child {round}"))
                os._exit(0)
            os.waitpid(pid, 0)
    finally:
        stop.set()
        thread.join()
    for round in range(10):
        assert cache.find(k(f"child {round}")) == reply(f"child {round}")


# --- trouble --------------------------------------------------------------------------------


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def _holes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 300] = b"\xaa" * 300
    path.write_bytes(content)


def _other_tables(path: Path) -> None:
    raw(path, "DROP TABLE replies")


def _empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [_garbage, _truncated, _holes, _other_tables, _empty])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_damaged_file_is_made_anew(path: Path, damage: Any, is_open: bool) -> None:
    cache = Cache(path, size=LARGE, days=30)
    for n in range(100):
        cache.keep(k(n), reply("x" * 1000))
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    with cache._file.lock:
        cache._file.close()
    if is_open:
        assert cache.find(k(1))
    damage(path)
    for n in range(3):
        cache.find(k(n))
        cache.keep(k(f"new {n}"), reply("new"))
    assert cache.find(k("new 2")) == reply("new")
    assert Cache(path, size=LARGE, days=30).find(k("new 2")) == reply("new")
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]
    assert cache.clear() >= 1 and cache.usage() == Use(0, 0, None)


def test_a_file_that_was_removed_or_replaced(cache: Cache, path: Path) -> None:
    cache.keep(k(1), reply())
    for file in list(path.parent.iterdir()):
        file.unlink()
    assert cache.find(k(1)) is None
    cache.keep(k(2), reply("two"))
    assert cache.find(k(2)) == reply("two") and cache.usage().replies == 1


def test_a_newer_file_is_left_alone(cache: Cache, path: Path) -> None:
    cache.keep(k(1), reply())
    raw(path, "ALTER TABLE replies RENAME TO answers")
    raw(path, f"PRAGMA user_version = {cache_module.SCHEMA + 1}")
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    for one in (cache, Cache(path, size=LARGE, days=30)):
        one.keep(k(2), reply())
        assert one.find(k(1)) is None
        for command in (one.clear, one.usage):
            with pytest.raises(ConfigError, match="newer gemini_magic"):
                command()
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", ["below a file", "/proc/nobody/cache.db", "a folder"])
def test_a_home_that_cannot_be_written(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder" / "cache.db").mkdir(parents=True)
    below = {"below a file": "file", "a folder": "folder"}
    path = tmp_path / below[where] / "cache.db" if where in below else Path(where)
    cache = Cache(path, size=LARGE, days=30)
    for _ in range(2):
        cache.keep(k(1), reply())
        assert cache.find(k(1)) is None
    if where == "a folder":
        with pytest.raises(ConfigError, match="cannot be used"):
            cache.usage()
    else:
        assert cache.usage() == Use(0, 0, None) and cache.clear() == 0


_FULL = """
import resource, signal, sys
from pathlib import Path
from gemini_magic.engine.cache import Cache
from gemini_magic.types import Reply, digest
clock = [1e9]
cache = Cache(Path(sys.argv[1]), size=10**9, days=30, clock=lambda: clock[0])
cache.keep(digest("before"), Reply.saying("before"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
for n in range(100):
    cache.keep(digest(str(n)), Reply.saying("x" * 10_000))
clock[0] += 100  # so that a find would note its use
assert cache.find(digest("before")) == Reply.saying("before")
there = [n for n in range(100) if cache.find(digest(str(n))) == Reply.saying("x" * 10_000)]
assert 0 < len(there) < 100, there
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
cache.keep(digest("after"), Reply.saying("after"))
assert cache.find(digest("after")) == Reply.saying("after")
assert cache.usage().replies == len(there) + 2
"""


def test_a_full_disk_costs_nothing_but_the_reply(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_locked_file_delays_a_find_not_at_all(cache: Cache, path: Path, clock: Clock) -> None:
    cache.keep(k(1), reply())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.perf_counter()
    assert cache.find(k(1)) == reply()
    clock.now += 100
    assert cache.find(k(1)) == reply()  # its use cannot be noted
    assert time.perf_counter() - began < 1
    other.execute("ROLLBACK")
    other.close()
    assert cache.find(k(1)) == reply()


GOOD = json.loads(cache_module._written(reply()))


@pytest.mark.parametrize(
    "content",
    [
        None, 5, 1.5, "text", b"", b"\xff\xfe", b"null", b"[]", b'"x"', b"{}", b"[" * 100_000,
        b'{"a":' * 100_000, b"1" * 5000, json.dumps(GOOD),
        *(
            json.dumps({**GOOD, **change}).encode()
            for change in (
                *({"parts": parts} for parts in (
                    None, 5, "x", {}, [], [5], [None], [{}], [{"text": ""}], [{"text": None}],
                    [{"text": ["x"]}], [{"text": 5}], [{"text": "x", "data": "eA=="}],
                    [{"data": "eA=="}], [{"data": "é", "mime_type": "image/png"}],
                    [{"data": 5, "mime_type": "image/png"}], [{"data": "eA==", "mime_type": 5}],
                    [{"text": "x", "name": 5}], [{"text": "x", "signature": "!"}],
                    [{"text": "x"}, {"call": {"name": "f", "arguments": "{}"}}],
                    [{"file": "ab", "mime_type": "image/png"}],
                    [{"uri": "https://x", "mime_type": "image/png"}],
                )),
                {"thoughts": None},
                {"target": []}, {"target": "ab"[:1]}, {"target": [1, 2]}, {"target": ["a"]},
                {"target": {"backend": 1}}, {"usage": None}, {"usage": [1]},
                {"usage": {"input_tokens": -1}}, {"usage": {"input_tokens": "1"}},
                {"usage": {"input_tokens": True}}, {"usage": {"input_tokens": 1.5}},
                {"usage": {"unknown": 1}}, {"usage": {"input_tokens": 10**400}},
                {"seconds": None}, {"seconds": -1}, {"seconds": float("nan")},
                {"seconds": float("inf")}, {"seconds": 10**400}, {"model_version": 5},
                {"model_version": ["x"]},
            )
        ),
        *(json.dumps({n: v for n, v in GOOD.items() if n != name}).encode() for name in GOOD),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_counts_as_missing(
    cache: Cache, path: Path, content: object
) -> None:
    cache.keep(k(1), reply())
    raw(path, "CREATE TABLE loose (id INTEGER PRIMARY KEY, key, kept, used, reply)")
    raw(path, "INSERT INTO loose SELECT * FROM replies")
    raw(path, "DROP TABLE replies")
    raw(path, "ALTER TABLE loose RENAME TO replies")
    raw(path, "UPDATE replies SET reply = ?", content)
    assert cache.find(k(1)) is None
    cache.keep(k(1), reply())
    assert cache.find(k(1)) == reply()
    raw(path, "UPDATE replies SET reply = ?", cache_module._written(reply("again")))
    assert cache.find(k(1)) == reply("again")


@pytest.mark.parametrize("value", [None, "text", b"bytes", float("inf"), "9e999"])
@pytest.mark.parametrize("column", ["kept", "used"])
def test_times_that_are_none(path: Path, value: object, column: str) -> None:
    cache = Cache(path, size=LARGE, days=30)
    cache.keep(k(1), reply())
    loose = "CREATE TABLE loose (id INTEGER PRIMARY KEY, key, kept, used, reply)"
    for sql in (loose, "INSERT INTO loose SELECT * FROM replies", "DROP TABLE replies",
                "ALTER TABLE loose RENAME TO replies"):  # fmt: skip
        raw(path, sql)
    raw(path, f"UPDATE replies SET {column} = ?", value)
    assert cache.find(k(1)) == (None if column == "kept" else reply())
    assert cache.usage().replies == 1
