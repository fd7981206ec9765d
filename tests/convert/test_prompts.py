"""Prompts of every kind survive into a script's request byte for byte."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.cli.export import context_of
from gemini_magic.convert import pytext
from gemini_magic.convert.notebook_file import notebook_of
from gemini_magic.convert.targets import export
from gemini_magic.template import Placeholder, placeholders, split
from tests import corpus
from tests.convert.lab import GEMINI, document, run_script, script_of, setting

NASTY = [
    '"', "'", '"""', "'''", "\\", "\\\\", "{", "}", "{{", "}}", "\r\n", "\r", "\n", "\0", "\t",
    "\\N{DASH}", "\\u0041", "\u2028", "\u202e", "\x85", "\ufeff", "é", "👩‍👩‍👧", "{x}", "$x",
    "%", "#", "{{ x }}", "\\{{", "{{ not x }}", "x" * 90,
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(NASTY) | st.text(max_size=6), max_size=12).map("".join)


def value_of(expression: str, values: dict[str, Any] | None = None) -> Any:
    return eval(pytext.settled(expression, {}), values)


@given(TEXTS)
def test_a_literal_is_its_text(text: str) -> None:
    assert ast.literal_eval(pytext.literal(text)) == text
    assert "".join(map(ast.literal_eval, pytext.pieces(text))) == text
    assert value_of(pytext.text_expression([text] if text else [])) == text
    assert value_of(pytext.value({text: [text, 1, None, True]})) == {text: [text, 1, None, True]}
    assert all(line.startswith("#") for line in pytext.comment(text).split("\n"))


@given(TEXTS, st.sampled_from(["7", "text", "{{ x }}", "'\"\\"]))
def test_a_template_is_filled_as_the_notebook_fills_it(text: str, x: str) -> None:
    segments = split(text)
    wanted = "".join(x if isinstance(one, Placeholder) else one for one in segments)
    if all(isinstance(one, str) or one.expression == "x" for one in segments):
        assert value_of(pytext.text_expression(segments), {"x": x}) == wanted


@pytest.mark.parametrize(
    "expression",
    ['d["k"]', "d['k']", "d['k'].join([\"a\"])", "f(x)[0]"],
)
def test_quotes_within_a_placeholder(expression: str) -> None:
    found = split(f"a {{{{ {expression}!r:>10 }}}} b {{{{x}}}}")
    values = {"d": {"k": "v"}, "f": lambda x: [x], "x": 1}
    wanted = f"a {eval(expression, dict(values))!r:>10} b 1"
    assert value_of(pytext.text_expression(found), values) == wanted


@settings(max_examples=60)
@given(TEXTS.filter(str.strip), st.booleans())
def test_the_expression_in_the_script_is_the_prompt(text: str, raw: bool) -> None:
    cell = f"%%gemini{' --raw' if raw else ''}\n{text}\n"
    if not raw and (placeholders(text) or "\\{{" in text):
        return
    made = export(notebook_of(document(cell), "t.ipynb"), context_of(Path.cwd()), "python-genai")
    tree = ast.parse(made.text)
    (asked,) = [
        node.value for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]  # fmt: skip
    assert ast.literal_eval(asked.args[2]) == text
    made.text.encode()


def test_the_corpus_arrives_byte_for_byte(
    google_server, openai_server, configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, f"gem:{GEMINI}"))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    prompts = [prompt for prompt in corpus.ALL.values() if prompt.strip()]
    cells = [f"%%gemini --raw --quiet\n{prompt}\n" for prompt in prompts]
    cells += [f"%%gemini --raw --quiet -m oai:gpt-4o-mini\n{prompt}\n" for prompt in prompts]
    done = run_script(script_of(*cells).text, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    sent = [call.json["contents"][0]["parts"] for call in google.generate_calls]
    assert sent == [[{"text": prompt}] for prompt in prompts]
    sent = [call.json["messages"][0]["content"] for call in openai.generate_calls]
    assert sent == prompts
