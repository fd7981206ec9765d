"""Kernels say which backends they have keys for; what is no report of theirs is passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_magic import config, keys
from gemini_magic.config_backends import Backend
from gemini_magic.engine import reports
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.reports import Report, Reported, Reporter

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files and signals")

#: A process that reports, says so, and waits to be told to end.
CHILD = """\
import os, sys
from gemini_magic import config
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.reports import Reporter
Reporter(Connections(config.load(), os.environ)).tell("/work/child.ipynb")
print("told", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def reporter(home: Path) -> Iterator[Reporter]:
    made = Reporter(Connections(config.load(), os.environ))
    yield made
    made.close()


def folder(home: Path) -> Path:
    return home / "state" / "kernels"


def files(home: Path) -> list[str]:
    return sorted(path.suffix for path in folder(home).iterdir())


def by_name(report: Report) -> dict[str, Reported]:
    return {one.name: one for one in report.backends}


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_is_written_before_anything_is_told(reporter: Reporter, home: Path) -> None:
    assert reports.alive() == [] and reports.changes() == ()
    assert not folder(home).exists()


def test_where_each_key_is_and_nothing_of_it(
    home: Path, configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = (
        '[backends.{0}]\nkind = "openai"\nbase_url = "https://{0}.example/v1"\nkey_env = "{1}"\n'
    )
    rows = {"dot": "DOT_KEY", "file": "FILE_KEY", "none": "NO_KEY"}
    configure("".join(table.format(*row) for row in rows.items()))
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    Path(".env").write_text(f"DOT_KEY={KEY}dot\n")
    keys.store("file", f"{KEY}file", consent=lambda _: True)
    reporter = Reporter(Connections(config.load(), os.environ))
    reporter.tell("/work/harbour.ipynb")
    (report,) = reports.alive()
    assert report.notebook == "/work/harbour.ipynb"
    known = by_name(report)
    assert known["studio"] == (
        "studio", "generativelanguage.googleapis.com", "environment", 0,
    )  # fmt: skip
    assert known["dot"] == ("dot", "dot.example", ".env", None)
    assert known["file"] == ("file", "file.example", "file", None)
    assert known["none"] == ("none", "none.example", None, None)
    assert known["local"] == ("local", "this machine", None, None)
    written = b"".join(path.read_bytes() for path in folder(home).iterdir())
    assert b"AIza" not in written and b"hash" not in written and b"_KEY" not in written
    reporter.close()
    assert files(home) == [] and reports.alive() == []


def test_a_report_is_replaced_only_where_it_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch, reporter: Reporter
) -> None:
    reporter.tell("/work/a.ipynb")
    (report,) = reports.alive()
    assert by_name(report)["studio"].key is None
    assert by_name(report)["local"].turn == 0  # without a key the embedded model is asked
    before = reports.changes()
    reporter.tell("/work/a.ipynb")
    reporter.tell()  # who does not know the notebook takes nothing back
    assert reports.changes() == before
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    reporter.tell("/work/a.ipynb")
    assert reports.changes() != before
    (report,) = reports.alive()
    assert by_name(report)["studio"][2:] == ("environment", 0)
    assert files(home) == [".json", ".lock"]


def test_what_closed_tells_nothing_more(home: Path, reporter: Reporter) -> None:
    reporter.close()
    reporter.tell("/work/late.ipynb")
    assert not folder(home).exists()


def test_a_file_of_keys_that_others_can_read_is_no_word(home: Path, reporter: Reporter) -> None:
    keys.store("studio", KEY, consent=lambda _: True)
    (home / "data" / "keys.json").chmod(0o644)
    reporter.tell()
    (report,) = reports.alive()
    expected = () if os.name == "posix" else ("studio",)
    assert tuple(name for name in by_name(report) if name == "studio") == expected


@posix
@pytest.mark.parametrize("kill", [True, False])
def test_who_is_gone_reports_nothing(home: Path, kill: bool) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == b"told\n"
        (report,) = reports.alive()
        assert report.notebook == "/work/child.ipynb" and files(home) == [".json", ".lock"]
        if kill:
            child.send_signal(signal.SIGKILL)
        else:
            child.stdin.close()
        child.wait(60)
        assert files(home) == ([".json", ".lock"] if kill else [])
        assert reports.alive() == []
        assert files(home) == [], "what the dead left is still there"
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@posix
def test_a_forked_child_is_a_kernel_of_its_own(home: Path, reporter: Reporter) -> None:
    reporter.tell("/work/parent.ipynb")
    told, tell = os.pipe()
    if (child := os.fork()) == 0:
        try:
            reporter.close()  # leaves the parent's
            again = Reporter(Connections(config.load(), os.environ))
            again.tell("/work/forked.ipynb")
            os.write(tell, b"x")
            signal.pause()
        finally:
            os._exit(0)
    try:
        assert os.read(told, 1) == b"x"
        names = {report.notebook for report in reports.alive()}
        assert names == {"/work/parent.ipynb", "/work/forked.ipynb"}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)
    assert [report.notebook for report in reports.alive()] == ["/work/parent.ipynb"]


# --- what is no report ---

_ROW = {"name": "studio", "host": "h", "key": "environment", "turn": 0}
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(_ROW, _VALUES))
_DOCUMENTS = _VALUES | st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "notebook": _VALUES,
        "backends": _VALUES | st.lists(_ROWS | st.just(_ROW), max_size=3),
    },
)


def write(home: Path, content: bytes) -> Path:
    path = folder(home) / "1-feed.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (path.parent.parent, path.parent):
        name.chmod(0o700)
    path.write_bytes(content)
    path.with_suffix(".lock").touch()
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(_DOCUMENTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
def test_garbage_is_no_report(home: Path, content: bytes) -> None:
    from gemini_magic import paths

    path = write(home, content)
    with paths.held(path.with_suffix(".lock")):  # its writer lives
        found = reports.alive()
        assert path.exists()
    for report in found:
        assert isinstance(report.notebook, str) and report.notebook.isprintable()
        for one in report.backends:
            assert one.name.isprintable() and one.key in (None, *keys.PLACES)
            assert one.turn is None or type(one.turn) is int
    assert reports.alive() == [] and not path.exists()


def a_report(**more: Any) -> bytes:
    return json.dumps({"version": 1, "notebook": "", "backends": [_ROW], **more}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        a_report(backends=[_ROW] * 201),
        a_report(notebook="x" * 70_000),
        a_report(notebook="a\u202eb"),
        a_report(version=2),
        a_report(backends=[{**_ROW, "key": "the moon"}]),
        a_report(backends=[{**_ROW, "turn": True}]),
        a_report(backends=[{**_ROW, "name": ["studio"]}]),
        a_report(backends={"name": "studio"}),
    ],
)
def test_what_is_too_much_or_of_another_shape(home: Path, content: bytes) -> None:
    from gemini_magic import paths

    path = write(home, a_report())
    with paths.held(path.with_suffix(".lock")):
        assert [by_name(report)["studio"].key for report in reports.alive()] == ["environment"]
        path.write_bytes(content)
        assert reports.alive() == []


@posix
def test_links_pipes_and_folders_of_others_are_passed_over(home: Path, tmp_path: Path) -> None:
    from gemini_magic import paths

    real = tmp_path / "elsewhere.json"
    real.write_bytes(a_report())
    path = write(home, b"")
    with paths.held(path.with_suffix(".lock")):
        path.unlink()
        path.symlink_to(real)
        assert reports.alive() == [] and real.exists()
        path.unlink()
        os.mkfifo(path)
        assert reports.alive() == []
        path.unlink()
        path.write_bytes(a_report())
        folder(home).chmod(0o777)
        assert reports.alive() == [] and reports.changes() == ()
        folder(home).chmod(0o700)
        assert len(reports.alive()) == 1


def test_hosts(home: Path) -> None:
    assert Backend("x", "openai", base_url="https://a.example:8443/v1").host == "a.example"
    assert Backend("x", "local").host == "this machine"
