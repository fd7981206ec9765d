"""``%gemini migrate`` in a real kernel: shown first, written when told, never with a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_migrate import ASKS, OLD
from tests.convert.lab import document
from tests.kernels import Kernel

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"

pytestmark = pytest.mark.kernel


def test_a_program_is_shown_and_then_written(kernel: Kernel) -> None:
    path = Path("my code/a.py")
    path.parent.mkdir()
    path.write_text(ASKS, "utf-8")
    done = kernel.run("%gemini migrate 'my code/a.py'")
    assert done.status == "ok", done.error
    assert "+from google import genai" in done.text and "add --write" in done.text
    assert path.read_text("utf-8") == ASKS
    assert "+from openai import OpenAI" in kernel.run("%gemini migrate 'my code' --to openai").text
    done = kernel.run("%gemini migrate 'my code' --write")
    assert "1 of 1 files changed" in done.text and "genai.Client(" in path.read_text("utf-8")
    again = kernel.run("%gemini migrate 'my code' --check")
    assert again.status == "ok" and "0 of 1 files would change" in again.text


def test_words_that_are_off(kernel: Kernel) -> None:
    shown = " ".join(kernel.run("%gemini migrate --help").text.split())
    assert "--base-url" in shown and "this notebook" in shown
    for words, said in (("gone.py", "no file is called gone.py"), ("--no", "unrecognized"),
                        (". --to cobol", "invalid choice"), ("", "does not know its")):  # fmt: skip
        done = kernel.run(f"%gemini migrate {words}")
        assert done.ename == "UsageError" and said in done.error, words
        assert len(done.traceback) <= 3
    Path("a.py").write_text(OLD + "x = (", "utf-8")
    done = kernel.run("%gemini migrate a.py --write")
    assert done.status == "error" and "line 3" in done.error and len(done.traceback) <= 3


def test_the_notebook_that_it_runs_in() -> None:
    path = Path("mine.ipynb")
    code = "%env MY_TOKEN=q7Zp0L2mXw9Rt4Vb\n" + OLD.replace("'k'", f"'{KEY}'")
    path.write_text(json.dumps(document(code, "x = 1")), "utf-8")
    with Kernel(env={"JPY_SESSION_NAME": str(path.absolute())}) as kernel:
        done = kernel.run("%gemini migrate")
        assert (
            "mine.ipynb as it was saved" in done.text and "+from google import genai" in done.text
        )
        assert "%env MY_TOKEN=[MY_TOKEN]" in done.text and "q7Zp0L2m" not in str(done.messages)
        assert KEY not in str(done.messages) and "put it into the environment" in done.text
        other = Path("locked.py")
        other.write_text(OLD, "utf-8")
        other.chmod(0o444)
        done = kernel.run("%gemini migrate . --write")
        assert "Reload this notebook" in done.text and "read-only" in done.error
    assert "genai.Client(" in path.read_text("utf-8")
