"""What holds for every program: bytes stay where nothing is to do, and nothing is done twice."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.genai import errors, types
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.program import migrate
from tests.convert.migrate.cases import CASES
from tests.convert.migrate.test_rules import RULES

#: Lines that have nothing to do with the SDK.
LINES = st.sampled_from(
    ["x = 1  # é\n", "\n", "\t\n", "def f():\n\treturn {'a': [1,\n  2]}\n", "s = '''\n%a\n'''\n",
     "if 1: pass; y = 2\n", "class A: pass\r\n", "z = f'{x!r:>{9}}'\n", "# generativeai\n",
     "parts = {'role': 'user', 'parts': ['x']}\n", "text = r.text\n", "\x0c\n"]
)  # fmt: skip


@given(st.lists(LINES).map("".join))
def test_other_programs_keep_every_byte(text: str) -> None:
    assert migrate(text + "# google.generativeai\n").text == text + "# google.generativeai\n"


@given(st.lists(LINES.filter(lambda line: "parts" not in line and "text" not in line)),
       st.sampled_from(sorted(CASES)))  # fmt: skip
def test_the_lines_around_keep_every_byte(lines: list[str], name: str) -> None:
    around = "".join(lines)
    if "\r" in around:
        around = around.replace("\r", "")
    alone = migrate(CASES[name]).text
    assert migrate(CASES[name] + around).text == alone + around


@pytest.mark.parametrize("name", CASES)
def test_a_second_time_changes_nothing(name: str) -> None:
    once = migrate(CASES[name])
    again = migrate(once.text)
    assert again.text == once.text != CASES[name]
    assert again.places == ()
    assert "generativeai" not in once.text


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_done_is_marked(name: str) -> None:
    made = migrate(CASES[name])
    marks = {place.text for place in made.places if place.verdict != "done"}
    for text in marks:
        assert f"# TODO(gemini-magic): {text}" in made.text
    assert made.text.count("TODO(gemini-magic)") >= len(marks)


@pytest.mark.parametrize("name", CASES)
def test_with_windows_line_ends(name: str) -> None:
    made = migrate(CASES[name].replace("\n", "\r\n")).text
    assert made.replace("\r\n", "\n") == migrate(CASES[name]).text
    assert made.count("\r\n") == made.count("\n")


def test_most_cases_need_no_look() -> None:
    """The address is a variable in all cases, which is the one thing to look at."""
    marked = {
        name for name, text in CASES.items()
        if any(place.verdict != "done" and place.rule != "configure"
               for place in migrate(text).places)
    }  # fmt: skip
    assert marked == {"tools-automatic"}


def test_every_name_is_there(tmp_path: Path) -> None:
    """No program uses a module or a client that it does not import or make."""
    texts = {**CASES, **{name: rule.before for name, rule in RULES.items()}}
    for number, (name, text) in enumerate(texts.items()):
        known = {"KEY", "ENDPOINT", "x", "n", "a", "k", "names"}
        made = "".join(f"{one} = ''\n" for one in sorted(known)) + migrate(text).text
        (tmp_path / f"p{number}.py").write_text(f"# {name}\n{made}", "utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    words = [str(ruff), "check", "--isolated", "--select=F821", "--output-format=concise", "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert "All checks passed" in done.stdout, done.stdout


def test_the_tables_name_what_is_there() -> None:
    for name in (*old_sdk.SAME_TYPES, *old_sdk.SAME_PROTOS, *old_sdk.RENAMED.values()):
        assert hasattr(types, name), name
    for name, members in old_sdk.ENUMERATIONS.values():
        assert {member.name for member in getattr(types, name)} >= set(members)
    for name, _ in old_sdk.FAILURES.values():
        assert hasattr(errors, name)
    for name in old_sdk.ALL_CATEGORIES:
        assert types.HarmCategory(name)
    for name in old_sdk.THRESHOLDS.values():
        assert types.HarmBlockThreshold(name)


def test_sixty_files_in_under_five_seconds() -> None:
    body = [
        "\n".join(f"    {line}" for line in text.splitlines() if "configure(" not in line)
        for name, text in CASES.items()
        if name.startswith(("contents-list", "settings-", "chat", "model-rebound", "safety"))
    ]
    text = "import google.generativeai as genai\ngenai.configure(api_key='k')\n"
    for number in range(100):
        text += f"def f{number}(KEY):\n{body[number % len(body)]}\n    return 0\n"
        if text.count("\n") >= 150:
            break
    ast.parse(text)
    start = time.process_time()
    for _ in range(60):
        assert migrate(text).text != text
    assert time.process_time() - start < 5
