"""The places where stores are tested: a folder for SQLite's files, and a real Redis server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quota.stores import Place, RedisPlace, SqlitePlace


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class RedisServer:
    """A redis-server of our own on loopback, which writes nothing to disk."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self._folder = tempfile.mkdtemp(prefix="gm-redis-")
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", self._folder, *self._options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        give_up = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < give_up, "redis-server does not start"
                time.sleep(0.01)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def need_redis() -> None:
    """Skip, unless this is CI: there a missing server is a failure."""
    if shutil.which("redis-server") is None:
        reason = "redis-server is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests of this process."""
    need_redis()
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis_place(redis_server: RedisServer) -> RedisPlace:
    return RedisPlace(redis_server.url)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> SqlitePlace:
    return SqlitePlace(tmp_path)


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest) -> Place:
    """Where stores of each kind meet."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found
