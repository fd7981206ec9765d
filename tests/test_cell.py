"""The one grammar: what is written is read, and what is read is written again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from gemini_magic import cell as grammar
from gemini_magic.cell import SUBCOMMANDS, GeminiCell, cell_parts, help_text, subcommand
from gemini_magic.errors import UsageError
from gemini_magic.option_table import OPTIONS
from tests import corpus
from tests.strategies import CELLS


def of(prompt: str, **given: Any) -> GeminiCell:
    return GeminiCell.of(prompt, given)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%%gemini", of("")),
        ("%%gemini\n", of("")),
        ("%%gemini\nhello", of("hello")),
        ("%%gemini\nhello\n", of("hello")),
        ("%%gemini\nhello\n\n", of("hello\n")),
        ("%%gemini hello", of("hello")),
        ("%%gemini hello\n", of("hello")),
        ("%%gemini hello\n\n", of("hello")),
        ("%%gemini hello\n\nworld", of("hello\n\nworld")),
        ("%%gemini hello\nworld", of("hello\nworld")),
        ("%%gemini \t hello  \nworld ", of("hello  \nworld ")),
        ("%%gemini   \n  hello", of("  hello")),
        ("%%gemini\n \n", of(" ")),
        ("%%gemini\r\nhello\r\n", of("hello\r")),
        ("%%gemini \u3000\nhello", of("\u3000\nhello")),
        ("%%gemini -m x hello", of("hello", model="x")),
        ("%%gemini -m x\nhello", of("hello", model="x")),
        ("%%gemini -m x\r\nhello", of("hello", model="x")),
        ("%%gemini -m x -- -t 1", of("-t 1", model="x")),
        ("%%gemini -- -t 1\n-q", of("-t 1\n-q")),
        ("%%gemini --\nhello", of("hello")),
        ("%%gemini hello -m x", of("hello -m x")),
        ("%%gemini -5", of("-5")),
        ("%%gemini --- hr", of("--- hr")),
        ("%%gemini - item", of("- item")),
        ("%%gemini models", of("models")),
        ("%%gemini it's \"odd", of("it's \"odd")),
        ('%%gemini {"a": 1}', of('{"a": 1}')),
        ("%%gemini\n-m x", of("-m x")),
    ],
)
def test_a_cell(text: str, wanted: GeminiCell) -> None:
    assert GeminiCell.parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "prompt", "preamble"),
    [
        ("%gemini hello", "hello", ""),
        ("%gemini hello\n", "hello", ""),
        ("%gemini hello\r\n", "hello", ""),
        ("%gemini hello  ", "hello  ", ""),
        ("%gemini -- models are what", "models are what", ""),
        ("# why\n\n  # how\n%gemini hello\n\n", "hello", "# why\n\n  # how\n"),
    ],
)
def test_a_line(text: str, prompt: str, preamble: str) -> None:
    assert GeminiCell.parse(text) == GeminiCell(prompt, line=True, preamble=preamble)


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "%%gemini2 x", "%%geminix", "%%gemini?", "%gemini?", "%%%gemini x",
        "x\n%%gemini", " %%gemini x", "%% gemini x", "%%bash\n%%gemini", "# x %%gemini",
        "%GEMINI x",
    ],
)  # fmt: skip
def test_no_cell(text: str) -> None:
    with pytest.raises(UsageError, match="this is not a %%gemini cell"):
        GeminiCell.parse(text)
    assert cell_parts(text) is None


def test_a_line_takes_one_line() -> None:
    with pytest.raises(UsageError, match="takes one line; write %%gemini"):
        GeminiCell.parse("%gemini hello\nworld")


def test_another_name() -> None:
    cell = GeminiCell.parse("%%ask.me hello", "ask.me")
    assert (cell.template, cell.magic, cell.to_source()) == ("hello", "ask.me", "%%ask.me\nhello")
    with pytest.raises(UsageError):
        GeminiCell.parse("%%askXme hello", "ask.me")


@pytest.mark.parametrize("text", corpus.ALL.values(), ids=corpus.ALL.keys())
def test_a_prompt_of_the_corpus_is_the_cells_body_byte_for_byte(text: str) -> None:
    for options in ("", " -m x --raw", " -- "):
        for end in ("", "\n"):
            source = f"%%gemini{options}\n{text}{end}"
            wanted = text if end else text.removesuffix("\n")
            assert GeminiCell.parse(source).template == wanted
    assert GeminiCell.parse(of(text).to_source()).template == text


@pytest.mark.parametrize("text", corpus.ALL.values(), ids=corpus.ALL.keys())
def test_a_prompt_of_the_corpus_may_begin_on_the_first_line(text: str) -> None:
    first = text.lstrip(" \t\r\f\v")
    if first.startswith("\n") or not first:
        return
    assert GeminiCell.parse(f"%%gemini -q -- {first}\n").template == first


@given(CELLS)
def test_a_cell_written_is_the_cell_read(cell: GeminiCell) -> None:
    source = cell.to_source()
    again = GeminiCell.parse(source, cell.magic)
    assert again == cell
    assert again.to_source() == source
    parts = cell_parts(source, cell.magic)
    assert (parts is None) == cell.line
    if parts is not None:
        assert GeminiCell.from_magic(*parts, cell.preamble, cell.magic) == cell


@given(CELLS)
def test_cells_are_values(cell: GeminiCell) -> None:
    assert hash(GeminiCell.parse(cell.to_source(), cell.magic)) == hash(cell)


def test_no_option_is_lost_or_invented() -> None:
    cell = GeminiCell.parse("%%gemini --stop a -t 0.5 --stop 'b c' --raw -m x")
    assert cell.options == (
        ("model", "x"),
        ("raw", True),
        ("temperature", 0.5),
        ("stop", ("a", "b c")),
    )
    assert cell.get("model") == cell.text("model") == "x"
    assert cell.text("temperature") is None and cell.get("out") is None
    assert cell.flag("raw") and not cell.flag("quiet")
    assert cell.to_source() == "%%gemini --model x --raw --temperature 0.5 --stop a --stop 'b c'"


def test_raw_has_no_placeholders() -> None:
    assert of("{{ x }}", raw=True).segments == ["{{ x }}"]
    assert of(r"\{{ x }}", raw=True).segments == [r"\{{ x }}"]
    assert of("", raw=True).segments == []
    assert len(of("a {{ x }}").segments) == 2


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("models", ("models", "")),
        ("  models  flash ", ("models", "flash")),
        ("models\tflash", ("models", "flash")),
        ("local install  x", ("local", "install  x")),
        ("model", None),
        ("Models", None),
        ("-- models", None),
        ("", None),
        ("  ", None),
        ("models?", None),
    ],
)
def test_a_subcommand(line: str, wanted: tuple[str, str] | None) -> None:
    assert subcommand(line) == wanted


def test_the_reserved_words() -> None:
    later = "quota limits usage advise cache gallery panel export code import migrate"
    now = "models use backends doctor chat last local key trust version help"
    assert set(SUBCOMMANDS) == {*later.split(), *now.split()}


@pytest.mark.parametrize("word", SUBCOMMANDS)
def test_a_line_whose_prompt_begins_with_a_reserved_word_is_guarded(word: str) -> None:
    cell = GeminiCell(f"{word} or what?", line=True)
    assert cell.to_source() == f"%gemini -- {word} or what?"
    assert subcommand(cell.to_source().removeprefix("%gemini")) is None


def test_the_help_names_every_option_and_fits_a_terminal() -> None:
    text = help_text("ask")
    assert "%%ask [options]" in text and "%ask " in text
    for option in OPTIONS:
        assert f"--{option.name}" in text and option.help in text
        assert not option.short or f"-{option.short}, --{option.name}" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_grammar_needs_the_standard_library_only() -> None:
    names = "json, sys; before = set(sys.modules)"
    code = (
        f"import {names}; import gemini_magic.cell, gemini_magic.types, gemini_magic.errors;"
        "print(json.dumps(sorted({n.partition('.')[0] for n in set(sys.modules) - before})))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(out.stdout)) - set(sys.stdlib_module_names)
    assert loaded == {"gemini_magic"}


def test_a_cell_of_many_comment_lines_is_read_in_a_moment() -> None:
    text = "# x\n \t \n" * 20_000
    assert GeminiCell.parse(f"{text}%%gemini y").preamble == text
    assert cell_parts(text + "x") is None
    assert cell_parts(" " * 100_000 + "x") is None


def test_settings_have_options() -> None:
    assert grammar.option_keys() == (
        "temperature", "top_p", "top_k", "max_output_tokens", "stop", "seed",
        "presence_penalty", "frequency_penalty", "thinking", "safety", "media_resolution",
        "modalities", "size", "aspect", "quality", "count", "voice",
    )  # fmt: skip
