"""The log of runs: what it keeps, for whom, and what it survives."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from gemini_magic.engine import runlog
from gemini_magic.engine.runlog import RunLog
from gemini_magic.types import Message, Part, Reply, Request, Target


def reply(text: str, question: str = "hello", data: bytes | None = None) -> Reply:
    parts = [Part(text=question)]
    if data is not None:
        parts.append(Part(data=data, mime_type="image/png"))
    asked = Request((Message("user", tuple(parts)),))
    return Reply(text, target=Target("test", "m"), request=asked)


def test_the_newest_run_of_a_request_is_found(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "state" / "runs.db")
    first, second = reply("one"), reply("two")
    assert first.request is not None and log.find(first.request.digest) is None
    log.add(first, "t1")
    log.add(second, "t2")
    found = log.find(first.request.digest)
    assert found is not None
    assert (found.text, found.template, found.sent) == ("two", "t2", first.request.to_json())
    assert RunLog(tmp_path / "state" / "runs.db").find(first.request.digest) == found
    assert log.find("nothing") is None


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        RunLog(tmp_path / "state" / "runs.db").add(reply("x"), "t")
    finally:
        os.umask(before)
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_it_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "KEEP", 3)
    log = RunLog(tmp_path / "runs.db")
    for n in range(6):
        log.add(reply("x", f"question {n}"), "t")
    kept = [log.find(reply("x", f"question {n}").request.digest) for n in range(6)]  # type: ignore[union-attr]
    assert [found is not None for found in kept] == [False] * 3 + [True] * 3
    picture = reply("x", data=bytes(200_000))
    log.add(picture, "t")
    assert (tmp_path / "runs.db").stat().st_size < 100_000


def test_trouble_with_it_stops_nothing_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    log = RunLog(folder / "runs.db")
    log.add(reply("x"), "t")
    shutil.rmtree(folder)
    folder.write_text("in the way")
    for _ in range(2):
        log.add(reply("y"), "t")
    folder.unlink()
    log.add(reply("z"), "t")
    log.add(reply("z"), "t")
    found = log.find(reply("z").request.digest)  # type: ignore[union-attr]
    assert found is not None and found.text == "z"


def test_a_forked_child_writes_too(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.db")
    log.add(reply("parent"), "t")
    if (pid := os.fork()) == 0:
        log.add(reply("child", "from the child"), "t")
        os._exit(0)
    os.waitpid(pid, 0)
    assert log.find(reply("", "from the child").request.digest) is not None  # type: ignore[union-attr]
    log.add(reply("parent again"), "t")
