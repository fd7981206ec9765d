"""``jupyter gemini export``: files in, scripts out, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_magic.cli import main
from tests.convert.lab import document

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"


def written(name: str, *cells: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(*cells)), "utf-8")
    return path


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["export", *words])
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_beside_the_notebook_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1", "%%sql\nselect")
    main(["export", "a.ipynb"])
    assert "x = 1" in Path("a.py").read_text("utf-8")
    shown = capsys.readouterr()
    assert (
        shown.out == "" and "a.ipynb → a.py" in shown.err and "unknown-magic: cell c2" in shown.err
    )


def test_to_the_terminal_with_a_report(capfdbinary) -> None:  # type: ignore[no-untyped-def]
    written("a.ipynb", "s = 'ü'", "%gemini -m studio:gemini-2.5-pro {{ s }}")
    main(["export", "a.ipynb", "-o", "-", "--to", "python-openai", "--report", "json"])
    shown = capfdbinary.readouterr()
    assert "s = 'ü'" in shown.out.decode() and b"chat.completions.create" in shown.out
    (row,) = json.loads(shown.err)
    assert row["script"] == "-" and row["notes"][0]["kind"] == "differs"
    assert os.listdir() == ["a.ipynb"]


def test_many_into_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("in/a.ipynb", "in/b c.ipynb", "in/ü.ipynb"):
        written(name, "x = 1")
    main(["export", "in/*.ipynb", "-o", "out/deep", "--report", "json"])
    assert sorted(os.listdir("out/deep")) == ["a.py", "b c.py", "ü.py"]
    assert len(json.loads(capsys.readouterr().out)) == 3
    written("other/a.ipynb", "x")
    assert "one by one" in failure(capsys, "in/a.ipynb", "other/a.ipynb", "-o", "new/")


def test_what_is_there_stays(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    Path("a.py").write_text("mine", "utf-8")
    assert "--force" in failure(capsys, "a.ipynb")
    assert Path("a.py").read_text("utf-8") == "mine"
    main(["export", "a.ipynb", "--force"])
    assert "x = 1" in Path("a.py").read_text("utf-8") and sorted(os.listdir()) == [
        "a.ipynb",
        "a.py",
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "empty"), ("no", "JSON"), ('{"a": 1}', "no cells"), ('{"worksheets": []}', "nbconvert")],
)
def test_what_is_no_notebook(text: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ipynb").write_text(text, "utf-8")
    shown = failure(capsys, "a.ipynb")
    assert word in shown and "Traceback" not in shown and os.listdir() == ["a.ipynb"]


def test_bad_places(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    assert "cannot read" in failure(capsys, "missing.ipynb")
    assert "no file" in failure(capsys, "missing*.ipynb")
    Path("file").touch()
    assert "cannot write" in failure(capsys, "a.ipynb", "-o", "file/a.py")
    assert sorted(os.listdir()) == ["a.ipynb", "file"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_place(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    Path("out").mkdir(mode=0o500)
    assert "cannot write" in failure(capsys, "a.ipynb", "-o", "out/")


def test_a_key_is_refused_and_the_others_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    written("b.ipynb", f"key = '{KEY}'")
    written("c.ipynb", "z = 1")
    shown = failure(capsys, "a.ipynb", "b.ipynb", "c.ipynb")
    assert "a key stands in cell c1" in shown and KEY not in shown
    assert sorted(path.name for path in Path().glob("*.py")) == ["a.py", "c.py"]


def test_as_a_process_writes_the_same_bytes() -> None:
    written("a.ipynb", "x = 1", "%%gemini -m studio:gemini-2.5-pro --top-k 3\n{{ x }}")
    made = [
        subprocess.run(
            [sys.executable, "-m", "gemini_magic", "export", "a.ipynb", "-o", "-"],
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert made[0] == made[1] != b""
