"""``jupyter gemini verify``: real kernels, real scripts, and nothing of the user's is touched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from gemini_magic.cli import main
from tests.convert.lab import document, setting

pytestmark = pytest.mark.kernel

GEM, OAI = "gem:gemini-2.5-flash", "oai:gpt-4o-mini"


def written(*cells: Any, name: str = "work.ipynb") -> Path:
    path = Path(name)
    path.write_text(json.dumps(document(*cells)), "utf-8")
    return path


def verified(path: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status, and what was printed."""
    status = 0
    try:
        main(["verify", str(path), "--yes", *words])
    except SystemExit as end:
        status = int(end.code or 0)
    told = capsys.readouterr()
    return status, told.out + told.err


@pytest.fixture
def backends(google_server, openai_server, configure, monkeypatch, home):  # type: ignore[no-untyped-def]
    """Two configured backends that nobody is to ask, and keys that nobody is to see."""
    google, openai = google_server(), openai_server()
    text = setting(google, openai, GEM).replace(
        "[settings]", "[generation]\ntop_p = 0.5\n[settings]"
    )
    configure(text)
    for name in ("GEM_KEY", "OAI_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "the-users-own-key")
    monkeypatch.setenv("TMPDIR", str(home.parent / "tmp"))
    (home.parent / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    yield google, openai
    assert not google.generate_calls and not openai.generate_calls, "a real service was asked"
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["gemini_magic.toml"]
    assert not [*(home.parent / "tmp").glob("gemini-verify-*")], "a folder was left behind"


def test_a_script_that_asks_the_same(backends, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = written(
        "%load_ext gemini_magic\nfrom pathlib import Path\nx = Path('near.txt').read_text()",
        "%%gemini -t 0.5 --out first\nHello {{ x }}, 'x' {\"a\": 1}",
        {"cell_type": "markdown", "source": "# words"},
        f'%%gemini -m {OAI} --schema \'name, age int, kind: Literal["a", "b"]\' --out who\nWho?',
        "assert set(who.parsed) == {'name', 'age', 'kind'} or who.parsed.name",
        "%%gemini --chat c --system 'Be brief'\n{{ first }}",
        "for word in ['same', 'same']:\n    %gemini --chat c Tell {{ word }}",
        f"%%gemini --compare {GEM},{OAI},gem:gemini-2.5-pro\nHi",
        "def look(place: str) -> str:\n    raise SystemError('nobody may call this')",
        "%%gemini --tools look\nWhere?",
        "import os\nfrom google import genai\nfrom openai import OpenAI\n"
        "client = genai.Client()\n"
        "client.models.generate_content(model='own', contents=x).text",
        "OpenAI().chat.completions.create(model='own', messages=[{'role': 'user', 'content': x}])",
        "assert os.environ['GEMINI_API_KEY'] != 'the-users-own-key'",
        {"source": "1/0", "metadata": {"tags": ["skip"]}},
    )
    Path("near.txt").write_text("wörld")
    monkeypatch.setenv("GEMINI_MAGIC_MODEL", GEM)
    before = sorted(Path.cwd().iterdir())
    status, told = verified(path, "--report", "json", capsys=capsys)
    found = json.loads(told)
    assert status == 0 and found["equal"] and found["problem"] is None, told
    assert [row["cell"] for row in found["requests"]] == [
        "c2", "c4", "c6", "c7", "c7", "c8", "c8", "c8", "c10", "c11", "c12",
    ]  # fmt: skip
    assert {row["result"] for row in found["requests"]} == {"equal"}
    assert [row["backend"] for row in found["requests"]][-2:] == [
        "GOOGLE_GEMINI_BASE_URL", "OPENAI_BASE_URL",
    ]  # fmt: skip
    assert sorted(Path.cwd().iterdir()) == before
    status, told = verified(path, "--to", "python-openai", capsys=capsys)
    assert status == 0 and told.count("equal, on another wire") == 7, told
    assert "The script asks what the notebook asks (11)." in told


def test_a_script_that_asks_something_else(backends, capsys) -> None:  # type: ignore[no-untyped-def]
    hostile = "\x1b[31m\u202e" + "long " * 100
    path = written(
        "import sys\nlive = sys.modules.get('IPython') is not None",
        f"%%gemini\nBefore {{{{ live }}}} {hostile}",
        "if live:\n    %gemini Only here",
        "%%gemini\nThe same",
        "if not live:\n    %gemini Only there",
    )
    status, told = verified(path, capsys=capsys)
    lines = told.splitlines()
    assert status == 1
    rows = [line.split("  ") for line in lines[1:-1] if line[0] != " "]
    assert [(row[0], row[-1]) for row in rows] == [
        ("1", "differs"),
        ("2", "only the notebook asked"),
        ("3", "equal"),
        ("4", "only the script asked"),
    ]
    assert lines[2:5] == [
        "    contents[0].parts[0].text",
        '      notebook  "Before True \\u001b[31m\\u202elong long long long long long long l…',
        '      script    "Before False \\u001b[31m\\u202elong long long long long long long …',
    ]
    assert lines[-1] == "3 of 4 requests differ."
    assert "\x1b" not in told and "\u202e" not in told


@pytest.mark.parametrize(
    ("cells", "words", "says"),
    [
        (["%%gemini\nHi", "x = 1\n1/0"], [], "cell c2 of the notebook failed: ZeroDivisionError"),
        (["import os\nos._exit(3)"], [], "the notebook's kernel died in cell c1"),
        (["input('name?')"], [], "cell c1 of the notebook failed: StdinNotImplementedError"),
        (["%%gemini\nHi", "import time\ntime.sleep(60)"], ["--timeout", "6"],
         "the notebook (at cell c2) took more than 6 s, and was ended"),
        (["%%gemini\nHi", "import gemini_magic"], [], "the script failed: ModuleNotFoundError"),
        (["import sys, time", "if not sys.modules['IPython']: time.sleep(60)", "%%gemini\nHi"],
         ["--timeout", "8"], "the script took more than 8 s, and was ended"),
        (["raise ValueError('a\\x1b[31mb\\nc')"], [], "ValueError: a\\x1b[31mb"),
        (["%%gemini\nHi"], ["--to", "node-genai"], "@google/genai is not installed beside"),
        (["key = 'AIza" + "SyA1234567890abcdefghijklmnopqrstuv'"], [], "a key stands in cell c1"),
    ],
)  # fmt: skip
def test_what_does_not_run(cells, words, says, backends, capsys) -> None:  # type: ignore[no-untyped-def]
    status, told = verified(written(*cells), *words, capsys=capsys)
    assert status == 1 and says in told, told
    assert "Traceback" not in told and "\x1b" not in told


def test_nothing_runs_without_leave(backends, capsys) -> None:  # type: ignore[no-untyped-def]
    path = written("open('ran', 'w').close()")
    with pytest.raises(SystemExit) as end:
        main(["verify", str(path)])
    assert end.value.code == 1 and "Add --yes" in capsys.readouterr().err
    assert not Path("ran").exists()


def test_a_notebook_that_asks_nothing_and_has_a_hostile_name(backends, capsys) -> None:  # type: ignore[no-untyped-def]
    cells = document("x = 1", {"cell_type": "raw", "source": "y"}, {"source": ["x\n", "x"]})
    for cell in cells["cells"]:
        cell["id"] = "$(touch ran) \x1b"
    path = Path("-a \"b' $(touch ran); \x1b[31m\n.ipynb")
    path.write_text(json.dumps(cells), "utf-8")
    status, told = verified(path.absolute(), capsys=capsys)
    assert (status, told.splitlines()[-1]) == (0, "Neither asks anything.")
    assert not Path("ran").exists() and "\x1b" not in told


def test_curl(backends, capsys) -> None:  # type: ignore[no-untyped-def]
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl and jq are needed")
    path = written("x = 'some'", "%%gemini --chat c\n{{ x }} words", "%%gemini --chat c\nMore")
    status, told = verified(path, "--to", "curl", capsys=capsys)
    assert status == 0 and "(2)" in told, told


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("where", "sign", "ignored"),
    [
        ("notebook", "SIGINT", False),
        ("notebook", "SIGTERM", True),
        ("script", "SIGINT", False),
        ("script", "SIGHUP", True),
    ],
)
def test_an_interrupt_leaves_nothing_behind(where, sign, ignored, backends) -> None:  # type: ignore[no-untyped-def]
    """``ignored``: a shell that has no job control starts what runs beside it without Ctrl-C."""
    live = "sys.modules.get('IPython') is not None"
    path = written(
        "import os, subprocess, sys, time\nfrom pathlib import Path",
        f"if ({live}) == {where == 'notebook'}:\n"
        "    child = subprocess.Popen(['sleep', '300'])\n"
        "    Path('new').write_text(f'{os.getpid()} {child.pid}')\n"
        "    Path('new').rename('pids')\n"
        "    time.sleep(300)",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gemini_magic", "verify", str(path), "--yes"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
    )  # fmt: skip
    pids = Path("pids")
    until = time.monotonic() + 60
    while not pids.exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.05)
    process.send_signal(getattr(signal, sign))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err, err
    left = [int(pid) for pid in pids.read_text().split() if _runs(int(pid))]
    until = time.monotonic() + 10
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = [pid for pid in left if _runs(pid)]
    assert not left


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
