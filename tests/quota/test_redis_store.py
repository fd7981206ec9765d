"""What only the Redis store does: addresses, failures of a network, keys that expire, versions."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from gemini_magic.errors import MissingExtra
from gemini_magic.quota import redis_store
from gemini_magic.quota.redis_store import PREFIX, SCHEMA, RedisStore
from gemini_magic.quota.store import Amount, NewerStore, StoreError
from tests.quota.conftest import RedisServer, free_port, need_redis
from tests.quota.stores import LONGEST, NOON, Hands, RedisPlace, admitted, full, gate, plan


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that may be stopped; its password is "s3cret"."""
    need_redis()
    server = RedisServer("--requirepass", "s3cret")
    yield server
    server.close()


@pytest.fixture
def server(redis_place: RedisPlace) -> Iterator[Redis]:
    with Redis.from_url(redis_place.url) as client:
        yield client


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://example.org", "redis://example.org:6379/0"),
        ("redis://me:s3cret@example.org:7000/3", "redis://example.org:7000/3"),
        ("rediss://:s3cret@[::1]:7000", "rediss://::1:7000/0"),
        ("redis://h/1?password=s3cret&db=4", "redis://h:6379/4"),
        ("redis://h/1?password=s3cret@", "the Redis server"),
        ("redis://:s3c@ret@h/1", "redis://h:6379/1"),
        ("redis://:s3cret/0", "the Redis server"),
        ("redis://:s3/cret@h", "redis://h:6379/0"),
        ("unix://:s3cret@/run/redis.sock?db=2", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, where: str) -> None:
    assert RedisStore(url).where == where


@pytest.mark.parametrize("url", ["redis://:s3/cret@h", "http://h", "h:6379", "redis://h:port", ""])
def test_an_address_of_something_else_is_an_error_without_secrets(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        RedisStore(url).now()
    assert "not one of a Redis server" in str(caught.value)
    assert "cret" not in str(caught.value)


def test_the_password_may_come_apart_from_the_address(own_server: RedisServer) -> None:
    with pytest.raises(StoreError, match=r"(?i)auth"):
        RedisStore(own_server.url).now()
    with pytest.raises(StoreError, match=r"(?i)password") as caught:
        RedisStore(own_server.url, "wr0ng").now()
    assert "wr0ng" not in str(caught.value)
    assert RedisStore(own_server.url, "s3cret").now() == pytest.approx(time.time(), abs=5)
    inside = own_server.url.replace("://", "://:wr0ng@")
    assert RedisStore(inside, "s3cret").rules() == (0, "")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "redis" else find(name)
    )
    with pytest.raises(MissingExtra, match="redis"):
        RedisStore("redis://h")


# --- failures ------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_one_line_and_comes_back(own_server: RedisServer) -> None:
    store = RedisStore(own_server.url, "s3cret")
    admitted(store.reserve(plan()))
    own_server.stop()
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            store.now()
        assert str(caught.value).startswith(f"redis://127.0.0.1:{own_server.port}/0: ")
        assert "\n" not in str(caught.value)
    own_server.start()
    assert store.minute(["a"]) == Amount()  # nothing is on its disk
    admitted(store.reserve(plan()))


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(StoreError):
            store.now()
        assert time.monotonic() - begin < 2


def test_patience_is_a_few_seconds() -> None:
    assert redis_store._PATIENCE <= 5
    with pytest.raises(StoreError, match=r"redis://127\.0\.0\.1:\d+/0: .*(?i:refused)"):
        RedisStore(f"redis://127.0.0.1:{free_port()}").now()


def test_a_reservation_whose_answer_is_lost_is_not_repeated(redis_place: RedisPlace) -> None:
    """A proxy between store and server cuts the line before the answer comes back."""
    port = int(redis_place.url.rpartition(":")[2].partition("/")[0])
    store = redis_place.open()
    store.now()  # the script is loaded
    cut = threading.Event()

    def pump(one: socket.socket, other: socket.socket, back: bool) -> None:
        try:
            while data := one.recv(65_536):
                if back and cut.is_set():
                    break
                other.sendall(data)
        except OSError:
            pass
        finally:
            for end in (one, other):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def serve() -> None:
            while True:
                try:
                    near, _ = proxy.accept()
                except OSError:
                    return
                far = socket.create_connection(("127.0.0.1", port))
                for ends in ((near, far, False), (far, near, True)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        through = RedisStore(f"redis://127.0.0.1:{proxy.getsockname()[1]}")
        admitted(through.reserve(plan()))
        cut.set()
        with pytest.raises(StoreError):
            through.reserve(plan())
        assert store.totals(["a"], "2026-11-22") == Amount(requests=2)
        cut.clear()
        admitted(through.reserve(plan()))
        proxy.shutdown(socket.SHUT_RDWR)


def test_keys_of_another_kind_are_an_error(redis_place: RedisPlace, server: Redis) -> None:
    server.set(f"{PREFIX}state", "x")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        redis_place.open().rules()


def test_a_flushed_script_is_loaded_again(redis_place: RedisPlace, server: Redis) -> None:
    store = redis_place.open()
    admitted(store.reserve(plan()))
    server.script_flush()
    admitted(store.reserve(plan()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_connection_of_its_own(redis_place: RedisPlace) -> None:
    store = redis_place.open()
    admitted(store.reserve(plan()))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for _ in range(50):
                admitted(store.reserve(plan()))
            status = 0
        finally:
            os._exit(status)
    for _ in range(50):
        admitted(store.reserve(plan()))
    assert os.waitpid(child, 0)[1] == 0
    assert store.minute(["a"]) == Amount(requests=101)


def test_a_closed_store_opens_again(redis_place: RedisPlace) -> None:
    store = redis_place.open()
    store.close()
    admitted(store.reserve(plan()))
    store.close()
    store.close()
    assert store.minute(["a"]) == Amount(requests=1)


# --- keys ----------------------------------------------------------------------------------------


def test_the_time_is_the_servers_and_the_correction_everybodys(redis_place: RedisPlace) -> None:
    one, two = redis_place.open(), redis_place.open()
    assert one.now() == pytest.approx(time.time(), abs=2)
    one.correct_clock(1_000.0)
    assert two.now() == pytest.approx(time.time() + 1_000, abs=2)
    assert admitted(two.reserve(plan())).at == pytest.approx(time.time() + 1_000, abs=2)


def test_all_keys_share_one_slot_and_all_but_a_few_expire(
    redis_place: RedisPlace, server: Redis
) -> None:
    store = redis_place.open()
    store.salt()
    for scope in ("a", "b"):
        taken = admitted(store.reserve(plan(scope=scope, counted=((scope, "2026-11-22"),))))
        store.answered(taken.id, 0.0)
        store.settle(taken.id, Amount(1), Amount(1))
    kept = set()
    for key in server.scan_iter():
        name = key.decode()
        assert name.startswith("{gemini_magic}:")
        left = server.ttl(key)
        if left == -1:
            kept.add(name.removeprefix(PREFIX))
        elif "totals" in name:
            assert 399 * 86_400 < left <= 400 * 86_400
        elif "minute" in name or "meter" in name:
            assert left <= 2 * 3_600
        else:
            assert left <= 2 * 86_400
    assert kept == {"schema", "state", "events", "periods"}


def test_nothing_grows_with_the_days(redis_place: RedisPlace, server: Redis) -> None:
    clock = Hands()
    store = redis_place.open(clock)
    sizes = []
    for day in range(12):
        for _ in range(20):
            counted = (("a", f"2026-11-{10 + day}"),)
            taken = admitted(store.reserve(plan(counted=counted)))
            store.settle(taken.id, Amount(1), Amount(1))
            clock.pass_(86_400 / 20)
        sizes.append(server.dbsize() - len(store.history("")))
    assert sizes[-1] == sizes[4]
    assert server.zcard(f"{PREFIX}events") <= 41
    clock.pass_(3 * 86_400)
    store.fold()
    assert server.zcard(f"{PREFIX}events") == 0
    for key in server.scan_iter(f"{PREFIX}totals:*"):
        server.delete(key)  # as if 400 days had passed
    assert store.history("") == {}
    store.fold()
    assert server.zcard(f"{PREFIX}periods") == 0


def test_an_event_whose_key_is_gone_does_no_harm(redis_place: RedisPlace, server: Redis) -> None:
    clock = Hands(boot="")
    store = redis_place.open(clock)
    taken = admitted(store.reserve(plan(gate(1))))
    server.delete(f"{PREFIX}event:{taken.id}")
    full(store.reserve(plan(gate(1))))
    store.answered(taken.id, 0.0)
    store.settle(taken.id, Amount(), Amount())
    store.correct_clock(1.0)
    store.forget(["b"])
    clock.pass_(LONGEST)
    admitted(store.reserve(plan(gate(1))))
    clock.step(-1e6)
    store.reserve(plan())
    admitted(store.reserve(plan(gate(5))))


@pytest.mark.parametrize("name", ["minute:a", "meter:a"])
def test_sums_and_what_they_sum_agree_after_one_was_evicted(
    redis_place: RedisPlace, server: Redis, name: str
) -> None:
    clock = Hands()
    store = redis_place.open(clock)
    for _ in range(3):
        admitted(store.reserve(plan(amount=Amount(1, 10))))
    server.delete(f"{PREFIX}{name}")
    assert store.minute(["a"]) == (Amount(3, 30) if name == "meter:a" else Amount())
    admitted(store.reserve(plan(amount=Amount(1, 10))))
    clock.pass_(LONGEST)
    assert store.minute(["a"]) == Amount()


def test_a_full_minute_of_thousands_opens_when_enough_has_left(redis_place: RedisPlace) -> None:
    clock = Hands()
    store = redis_place.open(clock)
    for number in range(700):
        scope = "ab"[number % 2]
        admitted(store.reserve(plan(scope=scope, counted=((scope, "2026-11-22"),))))
        clock.pass_(1 / 32)
    asked = plan(gate(700, "a", "b"))
    for needed in (1, 2, 63, 64, 65, 127, 130, 511, 513, 699, 700):
        outcome = store.reserve(asked._replace(amount=Amount(needed)))
        assert full(outcome).obstacles[0].opens == NOON + LONGEST + (needed - 1) / 32


def test_the_script_is_loaded_once_and_called_by_its_name(
    redis_place: RedisPlace, server: Redis
) -> None:
    store = redis_place.open()
    server.script_flush()
    server.config_resetstat()
    for _ in range(10):
        admitted(store.reserve(plan()))
    calls = {name: row["calls"] for name, row in server.info("commandstats").items()}
    assert calls["cmdstat_evalsha"] == 11  # the first found no script
    assert calls["cmdstat_script|load"] == 1
    assert "cmdstat_eval" not in calls


def test_the_script_lies_beside_its_module() -> None:
    assert Path(redis_store.__file__).with_suffix(".lua").is_file()


# --- versions ------------------------------------------------------------------------------------


def test_what_a_newer_version_wrote_is_left_alone(redis_place: RedisPlace, server: Redis) -> None:
    old = redis_place.open()
    taken = admitted(old.reserve(plan()))
    server.set(f"{PREFIX}schema", SCHEMA + 1)
    before = {key: server.dump(key) for key in server.scan_iter()}
    for store in (old, redis_place.open()):
        for use in (
            lambda store=store: store.reserve(plan()),
            lambda store=store: store.settle(taken.id, Amount(), Amount()),
            lambda store=store: store.replace_rules(0, "x"),
            lambda store=store: store.forget(["a"]),
            lambda store=store: store.salt(),
            lambda store=store: store.now(),
        ):
            with pytest.raises(NewerStore, match=r"newer gemini_magic \(version 2 of its keys"):
                use()
    assert {key: server.dump(key) for key in server.scan_iter()} == before
    server.set(f"{PREFIX}schema", SCHEMA)
    assert old.minute(["a"]) == Amount(requests=1)
