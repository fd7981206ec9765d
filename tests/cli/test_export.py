"""``jupyter gemini export``: files in, scripts out, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.cli import main
from gemini_magic.convert.notebook_file import MOST_BYTES
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
    [
        ("", "empty"),
        (" \n", "empty"),
        ("no", "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"a": 1}', "no cells"),
        ("[1]", "other JSON"),
        ('{"cells": {}}', "no cells"),
        ('{"nbformat": 5, "cells": []}', "newer"),
        ('{"nbformat": 3, "worksheets": 1}', "brought up"),
        ('{"nbformat": 1}', "brought up"),
        ('{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "notebook in r"),
    ],
)
def test_what_is_no_notebook(text: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ipynb").write_text(text, "utf-8")
    shown = failure(capsys, "a.ipynb")
    assert word in shown and "Traceback" not in shown and os.listdir() == ["a.ipynb"]


def test_bytes_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ipynb").write_bytes(b"PK\3\4\xff\xfe")
    assert "no UTF-8 text" in failure(capsys, "a.ipynb")


def test_a_huge_file_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("a.ipynb").open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # sparse
    assert "1 GB" in failure(capsys, "a.ipynb") and os.listdir() == ["a.ipynb"]


@pytest.mark.parametrize("stated", [True, False])
def test_an_old_format_is_brought_up(stated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Hi"], "metadata": {}},
        {"cell_type": "code", "language": "python", "input": ["x = 1\n", "x"], "metadata": {},
         "outputs": [], "collapsed": False, "prompt_number": 3},
        {"cell_type": "code", "language": "python", "input": "%%gemini\nHello {{ x }}",
         "metadata": {}, "outputs": [], "collapsed": False},
    ]  # fmt: skip
    old = {"worksheets": [{"cells": cells, "metadata": {}}], "metadata": {"name": ""}}
    if stated:
        old |= {"nbformat": 3, "nbformat_minor": 0}
    Path("a.ipynb").write_text(json.dumps(old), "utf-8")
    main(["export", "a.ipynb", "-o", "1.py"])
    main(["export", "a.ipynb", "-o", "2.py"])
    text = Path("1.py").read_text("utf-8")
    assert text == Path("2.py").read_text("utf-8")  # no ids made by chance
    assert "# # Hi" in text or "# ## Hi" in text
    assert "# %% [cell-2]\nx = 1\nshow(x)" in text and 'f"Hello {x}"' in text
    assert "format: the notebook is in format 3" in capsys.readouterr().err


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


def test_a_folder_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    Path("a.py").mkdir()
    assert "a.py is a folder" in failure(capsys, "a.ipynb", "--force")
    assert "a.py is there already" in failure(capsys, "a.ipynb")
    assert sorted(os.listdir()) == ["a.ipynb", "a.py"] and not os.listdir("a.py")


def test_a_read_only_file_stays(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    Path("a.py").write_text("mine", "utf-8")
    Path("a.py").chmod(0o444)
    assert "a.py is read-only" in failure(capsys, "a.ipynb", "--force")
    assert Path("a.py").read_text("utf-8") == "mine"


def test_a_notebook_is_never_replaced_by_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["nb.py"], ["nb.py", "-o", "./nb.py"], ["nb.py", "-o", "."]):
        before = written("nb.py", "x = 1").read_bytes()
        assert "the notebook itself" in failure(capsys, *words, "--force")
        assert Path("nb.py").read_bytes() == before


def test_a_link_is_replaced_and_not_what_it_names() -> None:
    written("a.ipynb", "x = 1")
    Path("precious").write_text("mine", "utf-8")
    Path("a.py").symlink_to("precious")
    main(["export", "a.ipynb", "--force"])
    assert Path("precious").read_text("utf-8") == "mine" and not Path("a.py").is_symlink()


def test_the_longest_name_that_can_be() -> None:
    name = "n" * (255 - len(".ipynb"))
    written(f"{name}.ipynb", "x = 1")
    main(["export", f"{name}.ipynb"])
    assert "x = 1" in Path(f"{name}.py").read_text("utf-8")


def test_the_same_again_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.ipynb", "x = 1")
    main(["export", "a.ipynb"])
    main(["export", "a.ipynb"])
    written("a.ipynb", "x = 2")
    assert "there already" in failure(capsys, "a.ipynb")


def test_a_folder_stands_for_its_notebooks() -> None:
    for name in ("in/a.ipynb", "in/deep/b.ipynb", "in/.ipynb_checkpoints/c.ipynb"):
        written(name, "x = 1")
    main(["export", "in", "-o", "out/"])
    assert sorted(os.listdir("out")) == ["a.py", "b.py"]
    Path("none").mkdir()
    with pytest.raises(SystemExit):
        main(["export", "none"])


def in_process(*words: str, before: str = "", **given: Any) -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{before}\nfrom gemini_magic.cli import main\nmain(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, "export", *words],
        capture_output=True, text=True, encoding="utf-8", **given,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="no limits on files there")
def test_a_full_disk_leaves_nothing() -> None:
    written("a.ipynb", *["x = 'a long line of code'"] * 500)
    Path("out.py").write_text("mine", "utf-8")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    for words in (["-o", "new/deep/a.py"], ["-o", "out.py", "--force"]):
        done = in_process("a.ipynb", *words, before=limit)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "nothing was written" in done.stderr
    assert Path("out.py").read_text("utf-8") == "mine"
    assert sorted(os.listdir()) == ["a.ipynb", "out.py"]


@pytest.mark.skipif(os.name == "nt", reason="no terminals of that kind there")
@pytest.mark.parametrize(("answer", "text"), [("y", "x = 1"), ("n", "mine"), ("", "mine")])
def test_on_a_terminal_it_asks(answer: str, text: str) -> None:
    import pty

    written("a.ipynb", "x = 1")
    Path("a.py").write_text("mine", "utf-8")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "gemini_magic", "export", "a.ipynb"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "a.py is there already. Replace? [y/N]" in shown
    assert text in Path("a.py").read_text("utf-8")
    assert done.returncode == (0 if answer == "y" else 1)


def test_check_says_what_is_stale_and_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    written("a b.ipynb", "x = 1")
    written("c.ipynb", "y = 1")
    words = ["a b.ipynb", "c.ipynb", "-o", "out", "--retry"]
    shown = failure(capsys, *words, "--check")
    assert f"out{os.sep}a b.py is missing" in shown and not Path("out").exists()
    mending = next(line for line in shown.splitlines() if line.startswith("  → "))
    assert mending == ("  → jupyter gemini export 'a b.ipynb' c.ipynb --output out --retry --force")
    main(["export", *words])
    capsys.readouterr()
    main(["export", *words, "--check"])
    assert capsys.readouterr().err == ""
    written("c.ipynb", "y = 2")
    before = Path("out/c.py").read_bytes()
    shown = failure(capsys, *words, "--check")
    assert "c.py is not what would be written" in shown and "a b" not in shown
    assert Path("out/c.py").read_bytes() == before
    main_rows = ["--check", "--report", "json"]
    with pytest.raises(SystemExit):
        main(["export", *words, *main_rows])
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["same", "differs"]
    assert "-o -" in failure(capsys, "c.ipynb", "--check", "-o", "-")


def test_help_shows_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", "--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0 and "examples:" in shown and "exit status" in shown
    with pytest.raises(SystemExit) as caught:
        main(["export", "a.ipynb", "--to", "cobol"])
    assert caught.value.code == 2


def test_lifted_keys_are_read_from_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    before = written("a.ipynb", f"key = '{KEY}'  # or {KEY}\nprint(key)").read_bytes()
    assert "--lift-keys" in failure(capsys, "a.ipynb")
    main(["export", "a.ipynb", "--lift-keys"])
    text = Path("a.py").read_text("utf-8")
    assert 'key = os.environ["GEMINI_API_KEY"]  # or <GEMINI_API_KEY>' in text and KEY not in text
    assert Path("a.ipynb").read_bytes() == before
    assert "key: cell c1" in capsys.readouterr().err
