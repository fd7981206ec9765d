"""``jupyter gemini migrate``: shown, checked or written, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gemini_magic.cli import main
from tests.convert.migrate.cases import BEGIN, CASES
from tests.convert.migrate.test_notebook import SETUP, cell, text_of

OLD = "import google.generativeai as genai\ngenai.configure(api_key='k')\n"
KEY = "AIza" + "SyD3kQ9xTb7Lm2Vw8Rz5Np1Hc6Jf4Gs0Ya"
ASKS = OLD + "print(genai.GenerativeModel('m').generate_content('x').text)\n"


def written(name: str, text: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["migrate", *words])
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown


def test_shown_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    main(["migrate", "a.py"])
    shown = capsys.readouterr()
    assert "--- a.py\n" in shown.out and "+from google import genai\n" in shown.out
    assert "1 of 1 files would change" in shown.err
    assert path.read_text() == ASKS


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is needed")
def test_the_diff_can_be_applied() -> None:
    written("a.py", ASKS)
    run = [sys.executable, "-m", "gemini_magic", "migrate", "a.py"]
    made = subprocess.run([*run, "--diff"], capture_output=True, check=True)
    patched = subprocess.run(["patch", "-o", "-", "a.py"], input=made.stdout,
                             capture_output=True, check=True)  # fmt: skip
    subprocess.run([*run, "--write"], capture_output=True, check=True)
    assert Path("a.py").read_bytes() in patched.stdout


def test_written_and_then_nothing_is_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    program = written("deep/a.py", ASKS)
    program.chmod(0o755)
    notebook = written("deep/b.ipynb", text_of(cell(SETUP), cell("x = 1")))
    other = written("deep/c.py", "x = 1\n")
    for skipped in ("deep/.git/d.py", "deep/env/pyvenv.cfg", "deep/env/e.py", "deep/f.txt"):
        written(skipped, ASKS)
    os.symlink("a.py", "deep/link.py")
    main(["migrate", "deep", "--write"])
    assert "2 of 3 files changed" in capsys.readouterr().err
    assert "genai.Client(" in program.read_text() and "genai.Client(" in notebook.read_text()
    assert program.stat().st_mode & 0o777 == 0o755 and other.read_text() == "x = 1\n"
    assert Path("deep/.git/d.py").read_text() == Path("deep/env/e.py").read_text() == ASKS
    assert sorted(os.listdir("deep")) == [".git", "a.py", "b.ipynb", "c.py", "env", "f.txt",
                                          "link.py"]  # fmt: skip
    main(["migrate", "deep", "--check"])


def test_a_link_stays_one() -> None:
    target = written("real/a.py", ASKS)
    os.symlink(target.absolute(), "link.py")
    main(["migrate", "link.py", "--write"])
    assert Path("link.py").is_symlink() and "genai.Client(" in target.read_text()


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    assert "would change" in failure(capsys, "a.py", "--check")
    assert path.read_text() == ASKS
    written("b.py", "from google.generativeai import *\n")
    main(["migrate", "b.py", "--check"])


def test_report_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.py", OLD + "genai.create_tuned_model()\n")
    written("b.ipynb", text_of(cell(SETUP)))
    main(["migrate", "a.py", "b.ipynb", "--report", "json"])
    program, notebook = json.loads(capsys.readouterr().out)
    assert program["changed"] and "+from google import genai" in program["diff"]
    assert program["places"][-1] == {
        "line": 3, "verdict": "left", "rule": "unknown",
        "text": "the new SDK has no create_tuned_model",
    }  # fmt: skip
    assert {place["cell"] for place in notebook["places"]} == {"c1"}
    assert "[c1]" in notebook["diff"]


def test_another_address(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    assert "no address" in failure(capsys, "a.py", "--base-url", "proxy")
    main(["migrate", "a.py", "--write", "--base-url", "https://proxy.example"])
    assert "base_url='https://proxy.example'" in path.read_text()


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.py", OLD.encode() + b"print 'x'\n", "Python 2"),
        ("a.py", OLD.encode() + b"x = (\n", "line 3"),
        ("a.py", OLD.encode() + b"\0\0", "binary"),
        ("a.py", OLD.encode() + b"x = '\xff'\n", "no text in utf-8"),
        ("a.py", b"# coding: nonsense\n" + OLD.encode(), "no text"),
        ("a.py", OLD.encode() + b"x = " + b"(" * 5000 + b")" * 5000, "a.py"),
        ("a.py", OLD.encode() + b"#" * 11_000_000, "11 MB"),
        ("a.ipynb", b'{"cells": [', "no JSON"),
        ("a.ipynb", b"google.generativeai", "no JSON"),
        ("a.ipynb", b"\x89PNG\0", "binary"),
        ("a.ipynb", b"[" * 100_000, "no JSON"),
        ("a.ipynb", text_of(metadata={"kernelspec": {"language": "julia"}}).encode(), "julia"),
        ("a.txt", b"x", "neither"),
    ],
)
def test_bad_input(name: str, data: bytes, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(name, data)
    assert word in failure(capsys, name, "--write")
    assert path.read_bytes() == data and os.listdir() == [name]


def test_one_bad_file_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    good = written("a.py", ASKS)
    written("b.py", OLD + "x = (")
    shown = failure(capsys, "a.py", "b.py", "--write")
    assert "b.py: line 3" in shown and "genai.Client(" in good.read_text()
    assert "no file" in failure(capsys, "missing.py")


def test_read_only(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    path.chmod(0o444)
    shown = failure(capsys, "a.py", "--write")
    assert "read-only" in shown and "0 of 1 files changed; 0 places done" in shown
    assert path.read_text() == ASKS and os.listdir() == ["a.py"]
    written("b.py", ASKS)
    with pytest.raises(SystemExit):
        main(["migrate", "a.py", "b.py", "--write", "--report", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["changed"] for row in rows] == [False, True]
    assert "read-only" in rows[0]["error"] and rows[0]["places"] == [] and "error" not in rows[1]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("# -*- coding: latin-1 -*-\n# é\n" + ASKS, "latin-1"),
        ("# é\n" + ASKS, "utf-8-sig"),
        (ASKS.replace("\n", "\r\n"), "utf-8"),
    ],
)
def test_encodings_and_line_ends_stay(data: str, encoding: str) -> None:
    path = written("a.py", data.encode(encoding))
    main(["migrate", "a.py", "--write"])
    made = path.read_bytes().decode(encoding)
    assert "genai.Client(" in made
    first = data.partition("import")[0]
    assert made.startswith(first)
    assert made.count("\r\n") == (made.count("\n") if "\r" in data else 0)


def test_to_openai(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    words = ["--to", "openai", "--base-url", "https://proxy/v1", "--key-env", "PROXY_KEY"]
    main(["migrate", "a.py", *words, "--write"])
    shown = capsys.readouterr()
    assert "1 of 1 files changed" in shown.err
    made = path.read_text()
    assert 'OpenAI(api_key=os.environ["PROXY_KEY"], base_url="https://proxy/v1")' in made
    assert "generativeai" not in made
    main(["migrate", "a.py", *words, "--check"])


def test_a_notebook_installs_openai(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.ipynb", text_of(cell("!pip install google-generativeai"), cell(SETUP)))
    main(["migrate", "a.ipynb", "--to", "openai", "--write"])
    assert "!pip install openai" in path.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "openai", "--key-env", 'A"]'], "no name of a variable"),
        (["--key-env", "A"], "is for --to openai"),
    ],
)
def test_a_wrong_variable(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", ASKS)
    assert said in failure(capsys, "a.py", "--write", *words)
    assert path.read_text() == ASKS


def test_a_model_of_another_file(capsys: pytest.CaptureFixture[str]) -> None:
    written("llm.py", OLD + "model = genai.GenerativeModel('m')\n")
    path = written("main.py", "import llm\nprint(llm.model.generate_content('x').text)\n")
    main(["migrate", "llm.py", "main.py", "--write"])
    assert "2 of 2 files changed" in capsys.readouterr().err
    assert "client.models.generate_content(contents='x', **llm.model)" in path.read_text()


def test_keys_and_retired_models_are_told_and_no_key_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = ASKS.replace("'k'", f"'{KEY}'").replace("'m'", "'models/gemini-1.5-pro'")
    path = written("a.py", text)
    for words in ((), ("--report", "json"), ("--check",)):
        with suppress(SystemExit):
            main(["migrate", "a.py", *words])
        told = capsys.readouterr()
        assert KEY not in told.out + told.err
        if words != ("--check",):
            assert "[GEMINI_API_KEY]" in told.out
        assert "gemini-1.5-pro is retired" in told.out + told.err
        assert "into the environment as GEMINI_API_KEY" in told.out + told.err
    main(["migrate", "a.py", "--write"])
    made = path.read_text("utf-8")
    assert KEY in made and "models/gemini-1.5-pro" in made, "the requests are the same"


PROXY = "q7Zp0L2mXw9Rt4Vb"


@pytest.mark.parametrize("words", [(), ("--report", "json"), ("--to", "openai")])
@pytest.mark.parametrize(
    ("name", "text", "variable"),
    [
        ("a.py", ASKS.replace("'k'", f'"{PROXY}"'), "GEMINI_API_KEY"),
        ("a.py", ASKS.replace("'k'", f"(\n  '{PROXY}')"), "GEMINI_API_KEY"),
        ("a.py", f"MY_TOKEN: str = '{PROXY}'\n{ASKS}", "MY_TOKEN"),
        ("a.py", f"import os\nos.environ['MY_SECRET'] = '{PROXY}'\n{ASKS}", "MY_SECRET"),
        ("a.py", f"import os\nx = os.getenv('MY_KEY', '{PROXY}')\n{ASKS}", "MY_KEY"),
        ("a.ipynb", text_of(cell(SETUP.replace("'k'", f"'{PROXY}'"))), "GEMINI_API_KEY"),
        ("a.ipynb", text_of(cell(f"%env MY_API_KEY={PROXY}\n{SETUP}")), "MY_API_KEY"),
        ("a.ipynb", text_of(cell(f"!export MY_TOKEN={PROXY}; run\n{SETUP}")), "MY_TOKEN"),
        (
            "a.js",
            'import { GoogleGenerativeAI } from "@google/generative-ai";\n'
            f'const genAI = new GoogleGenerativeAI("{PROXY}");\n'
            'const model = genAI.getGenerativeModel({ model: "m" });\n',
            "GEMINI_API_KEY",
        ),
    ],
)  # fmt: skip
def test_a_key_of_no_known_shape_is_told_and_not_shown(
    name: str, text: str, variable: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert PROXY in text
    written(name, text)
    main(["migrate", name, *words])
    told = capsys.readouterr()
    assert PROXY not in told.out + told.err and f"[{variable}]" in told.out
    assert f"into the environment as {variable}" in told.out + told.err


def test_a_key_of_the_environment_is_told_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", PROXY)
    written("a.py", ASKS.replace("print(", f"print('{PROXY}', "))
    main(["migrate", "a.py"])
    told = capsys.readouterr()
    assert PROXY not in told.out + told.err and "[OPENROUTER_API_KEY]" in told.out
    assert "into the environment as OPENROUTER_API_KEY" in told.err


@pytest.mark.parametrize(
    "line",
    ["KEY_ENV = 'GEMINI_API_KEY'", "API_KEY = 'YOUR_API_KEY_1'", "API_KEY = f'{x}-123456'",
     "widget(key='chat_input')", "MONKEY_BUSINESS = 'bananas'"],
)  # fmt: skip
def test_what_is_no_key_is_shown(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    written("a.py", f"{OLD}{line}\n")
    main(["migrate", "a.py"])
    told = capsys.readouterr()
    assert f" {line}\n" in told.out and "a key stands here" not in told.err


def test_one_of_100_megabytes(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.py", OLD)
    os.truncate(path, 100_000_000)
    assert "100 MB" in failure(capsys, "a.py", "--write")
    assert path.stat().st_size == 100_000_000 and os.listdir() == ["a.py"]


@pytest.mark.alone
def test_sixty_files_take_no_time() -> None:
    """Of 150 lines each, full of the old SDK. They take two seconds here."""
    programs = [text for text in CASES.values() if text.startswith(BEGIN) and "try:" not in text]
    for number in range(60):
        lines, at = BEGIN.splitlines(), number
        while len(lines) < 150:
            body = programs[at % len(programs)].removeprefix(BEGIN).splitlines()
            lines += [
                f"def part_{len(lines)}():",
                *(f"    {line}" for line in body),
                "    pass",
                "",
            ]
            at += 7
        written(f"src/part_{number}.py", "\n".join(lines) + "\n")
    began = time.process_time()
    main(["migrate", "src", "--write"])
    assert time.process_time() - began < 20  # other machines are slower, and this one may be busy
    assert all("generativeai" not in path.read_text("utf-8") for path in Path("src").iterdir())
