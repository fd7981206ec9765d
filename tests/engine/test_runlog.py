"""The log of runs: what it keeps, for whom, and what it survives."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from gemini_magic.engine import runlog
from gemini_magic.engine.run import Origin
from gemini_magic.engine.runlog import RunLog
from gemini_magic.types import (
    Code,
    Cost,
    Message,
    Part,
    Reply,
    Request,
    Target,
    ToolCall,
    ToolResult,
    Usage,
    digest,
)


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
    log.add(first, Origin("t1"))
    log.add(second, Origin("t2"))
    found = log.find(first.request.digest)
    assert found is not None
    assert (found.text, found.template, found.sent) == ("two", "t2", first.request.to_json())
    assert RunLog(tmp_path / "state" / "runs.db").find(first.request.digest) == found
    assert log.find("nothing") is None


def test_the_parts_of_an_answer_are_kept(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.db")
    small = Part(data=b"small", mime_type="image/png")
    large = Part(data=bytes(200_000), mime_type="image/png", name="large.png")
    said = (
        Part(text="look"),
        small,
        large,
        Part(call=ToolCall("f", '{"a": 1}')),
        Part(result=ToolResult("f", "x" * 300_000)),
    )
    log.add(reply("look").replace(parts=said), Origin("t"))
    found = log.find(reply("look").request.digest)  # type: ignore[union-attr]
    assert found is not None
    assert found.parts[:2] == ({"text": "look"}, small.to_json())
    assert found.parts[2] == large.to_json(brief=True)
    assert found.parts[3]["call"]["arguments"] == '{"a": 1}'
    assert found.parts[4]["result"]["content"] == f"sha256:{digest('x' * 300_000)}"
    log.add(reply("plain").replace(parts=(Part(text="plain"),)), Origin("t"))
    found = log.find(reply("plain").request.digest)  # type: ignore[union-attr]
    assert found is not None and found.parts == ({"text": "plain"},)


def test_a_log_of_the_version_before_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    RunLog(path).add(reply("old"), Origin("t"))
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE answers")
        database.execute("PRAGMA user_version = 1")
    database.close()
    log = RunLog(path)
    picture = Part(data=b"p", mime_type="image/png")
    log.add(reply("", "new").replace(parts=(picture,)), Origin("t"))
    for question, parts in (("hello", ({"text": "old"},)), ("new", (picture.to_json(),))):
        found = log.find(reply("", question).request.digest)  # type: ignore[union-attr]
        assert found is not None and found.parts == parts


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        RunLog(tmp_path / "state" / "runs.db").add(reply("x"), Origin("t"))
    finally:
        os.umask(before)
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_it_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "KEEP", 3)
    log = RunLog(tmp_path / "runs.db")
    for n in range(6):
        log.add(reply("x", f"question {n}"), Origin("t"))
    kept = [log.find(reply("x", f"question {n}").request.digest) for n in range(6)]  # type: ignore[union-attr]
    assert [found is not None for found in kept] == [False] * 3 + [True] * 3
    with sqlite3.connect(tmp_path / "runs.db") as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (0,)
    database.close()
    for n in range(6):
        log.add(reply("x", f"{n}").replace(parts=(Part(code=Code("1")),)), Origin("t"))
    with sqlite3.connect(tmp_path / "runs.db") as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (3,)
    database.close()
    picture = reply("x", data=bytes(200_000))
    log.add(picture, Origin("t"))
    assert (tmp_path / "runs.db").stat().st_size < 100_000


def test_trouble_with_it_stops_nothing_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    log = RunLog(folder / "runs.db")
    log.add(reply("x"), Origin("t"))
    shutil.rmtree(folder)
    folder.write_text("in the way")
    for _ in range(2):
        log.add(reply("y"), Origin("t"))
    folder.unlink()
    log.add(reply("z"), Origin("t"))
    log.add(reply("z"), Origin("t"))
    found = log.find(reply("z").request.digest)  # type: ignore[union-attr]
    assert found is not None and found.text == "z"


def test_a_forked_child_writes_too(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.db")
    log.add(reply("parent"), Origin("t"))
    if (pid := os.fork()) == 0:
        log.add(reply("child", "from the child"), Origin("t"))
        os._exit(0)
    os.waitpid(pid, 0)
    assert log.find(reply("", "from the child").request.digest) is not None  # type: ignore[union-attr]
    log.add(reply("parent again"), Origin("t"))


def test_runs_are_listed_with_where_they_came_from(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    log, other = RunLog(path), RunLog(path)
    assert other.newest(5) == [] and other.since(0) == [] and other.changes() == 0
    cost = Cost(1_500, 3_000)
    usage = Usage(7, 5, 2)
    began = time.time()
    log.add(
        reply("one", "first").replace(cost=cost, usage=usage), Origin("t", "/a/b.ipynb", "cell-id")
    )
    before = other.changes()
    log.add(reply("", "second"), Origin("t", failed=True))
    assert other.changes() != before
    log.add(reply("three", "third"), Origin("t"))
    newest = other.newest(2)
    assert [row.sent["messages"][0]["parts"][0]["text"] for row in newest] == ["third", "second"]
    assert [row.failed for row in newest] == [False, True]
    last = other.newest(9)[-1]
    assert (last.notebook, last.cell, last.cost) == ("/a/b.ipynb", "cell-id", 1_500)
    assert last.usage["input_tokens"] == 7 and last.usage["thought_tokens"] == 2
    assert last.at >= began and (last.backend, last.model) == ("test", "m")
    assert [one.cost for one in other.since(began)] == [1_500, None]  # failures took nothing known
    assert other.since(time.time() + 60) == []


def test_an_answer_is_found_behind_a_failure(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.db")
    log.add(reply("answered"), Origin("t"))
    log.add(reply(""), Origin("t", failed=True))
    found = log.find(reply("").request.digest)  # type: ignore[union-attr]
    assert found is not None and found.text == "answered"
    log.add(reply("half of"), Origin("t", failed=True))
    found = log.find(reply("").request.digest)  # type: ignore[union-attr]
    assert found is not None and found.text == "half of"


def test_a_log_without_origins_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    RunLog(path).add(reply("old"), Origin("t", "/lost.ipynb"))
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE origins")
        database.execute("PRAGMA user_version = 2")
    database.close()
    log = RunLog(path)
    (row,) = log.newest(3)
    assert (row.notebook, row.cell, row.failed, row.cost) == ("", "", False, None)
    assert log.find(reply("").request.digest).text == "old"  # type: ignore[union-attr]
    log.add(reply("new"), Origin("t", "/a.ipynb", "c"))
    assert [row.notebook for row in log.newest(3)] == ["/a.ipynb", ""]


def test_origins_go_with_their_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "KEEP", 3)
    log = RunLog(tmp_path / "runs.db")
    for n in range(6):
        log.add(reply("x", f"question {n}"), Origin("t", f"/{n}.ipynb"))
    assert [row.notebook for row in log.newest(9)] == ["/5.ipynb", "/4.ipynb", "/3.ipynb"]
    with sqlite3.connect(tmp_path / "runs.db") as database:
        assert database.execute("SELECT count(*) FROM origins").fetchone() == (3,)
    database.close()
