"""``%gemini code``: a prompt of the session as a program that sends the same."""

from __future__ import annotations

import ast
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.convert.lab import bodies, run_script, setting
from tests.kernels import Kernel
from tests.wire import Fault

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def asked(google_server, openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, "gem:gemini-2.5-flash"))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    return google


def program(kernel: Kernel, words: str = "") -> str:
    done = kernel.run(f"%gemini code --to python-genai {words}")
    assert done.status == "ok", done.error
    text = done.texts("text/plain")[0]
    ast.parse(text)
    return text


@pytest.mark.kernel
def test_the_program_sends_what_the_cell_sent(asked, kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("topic = 'light'", cell_id="a")
    kernel.run("unrelated = 5", cell_id="u")
    kernel.run(
        "def weather(city: str) -> str:\n    '''The weather.'''\n    return 'sun'", cell_id="b"
    )
    kernel.run("%%gemini -t 0.3 --tools weather\nExplain {{ topic }}", cell_id="c")
    (wanted,) = bodies(asked)
    for words in ("", "--live", "-i c", "-i 5", "-i -1", "-i c --retry"):
        text = program(kernel, words)
        assert "unrelated" not in text and ("topic" in text) == ("--live" in words)
        asked.clear()
        done = run_script(text, tmp_path)
        assert done.returncode == 0, done.stderr
        assert bodies(asked) == [wanted], text
    done = kernel.run("%gemini code -i nope")
    assert done.ename == "UsageError" and "'nope'" in done.error


@pytest.mark.kernel
def test_before_and_after(asked, kernel: Kernel) -> None:
    done = kernel.run("%gemini code")
    assert done.ename == "UsageError" and "nothing was asked" in done.error
    kernel.run("%%gemini\nfirst", cell_id="a")
    asked.set_script(Fault("refuse"))
    assert kernel.run("%%gemini --no-fallback\nsecond", cell_id="b").status == "error"
    assert "second" in program(kernel) and "first" in program(kernel, "-i -2")
    kernel.run("x = 1")
    assert "second" in program(kernel)
    assert "no such prompt" in kernel.run("%gemini code -i -9").error
    help_text = kernel.run("%gemini code --help").text
    assert "--live" in help_text
    assert kernel.complete("%gemini code --li")["matches"] == ["--live"]


@pytest.mark.kernel
def test_tabs_and_what_a_saved_notebook_keeps(asked, kernel: Kernel) -> None:
    hostile = "<script>alert(1)</script> $x$ </textarea></pre><img src=x onerror=alert(2)>"
    kernel.run(f"%%gemini --raw\n{hostile}", cell_id="a")
    request = kernel.start("%gemini code", cell_id="b")
    done = kernel.finish(request)
    (shown,) = [output for output in done.outputs if output["kind"] == "display_data"]
    assert WIDGET in shown["data"]
    markup = shown["data"]["text/html"]
    assert "<script" not in markup and "<img" not in markup and "onerror=alert(2)&gt;" in markup
    assert set(re.findall(r"<(\w+)", markup)) <= {
        "details", "summary", "pre", "code", "div", "span"
    }  # fmt: skip
    assert markup.count("<details") >= 4 and markup.count("<details open>") == 1
    states = [
        message["content"]["data"]["state"]
        for _, message in done.messages
        if message["msg_type"] == "comm_open"
    ]
    texts = [one["value"] for one in states if one.get("_model_name") == "TextareaModel"]
    assert any("google" in text and "<script>" in text for text in texts)
    for one in states:
        if one.get("_model_name") == "HTMLModel":
            assert "<script" not in one["value"] and "<img" not in one["value"]
    first = html.unescape(
        re.sub(r"<[^>]+>", "", markup.partition("<code>")[2].partition("</code>")[0])
    )
    assert first == texts[0]
    json.dumps(shown)


@pytest.mark.kernel
def test_without_cell_ids_there_are_no_widgets(asked, kernel: Kernel) -> None:
    kernel.run("%%gemini\nhello")
    (shown,) = [one for one in kernel.run("%gemini code").outputs if one["kind"] == "display_data"]
    assert WIDGET not in shown["data"] and "<details" in shown["data"]["text/html"]


@pytest.mark.kernel
def test_a_turn_of_a_chat(asked, kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%%gemini --chat t\none", cell_id="a")
    kernel.run("%%gemini\nother", cell_id="b")
    kernel.run("%%gemini --chat t\ntwo", cell_id="c")
    wanted = bodies(asked)[-1]
    text = program(kernel)
    assert "other" not in text
    asked.clear()
    done = run_script(text, tmp_path)
    assert done.returncode == 0, done.stderr
    assert bodies(asked)[-1] == wanted


def test_in_a_terminal_it_is_text() -> None:
    code = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell as Shell\n"
        "shell = Shell.instance()\n"
        "for cell in ('%load_ext gemini_magic', '%%gemini -m gemini-2.5-pro\\nHello there', "
        "'%gemini code', '%gemini code --to curl'): shell.run_cell(cell, store_history=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert "ask_gemini" in done.stdout and "# Others: %gemini code --to TARGET" in done.stdout
    assert "#!/usr/bin/env bash" in done.stdout and "<details" not in done.stdout
    assert done.stdout.count("Hello there") == 2, done.stdout[-2000:]
