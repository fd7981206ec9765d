"""The option table, and how options are read, written and refused."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.errors import UsageError
from gemini_magic.option_table import ALL_KINDS, OPTIONS
from gemini_magic.options import (
    BY_NAME,
    OptionValue,
    find,
    read,
    settings_of,
    write,
)
from gemini_magic.types import Settings
from tests.strategies import TEXTS, options


def test_the_table_is_consistent() -> None:
    assert len({o.name for o in OPTIONS}) == len(OPTIONS)
    shorts = [o.short for o in OPTIONS if o.short]
    assert len(set(shorts)) == len(shorts) and all(len(short) == 1 for short in shorts)
    for option in OPTIONS:
        assert option.help and option.group and set(option.kinds) <= set(ALL_KINDS)
        assert option.flag == (option.value_hint == "")
        assert (
            bool(option.choices) == (option.type in ("choice", "thinking"))
            or option.type == "names"
        )
        assert find(f"--{option.name}") is option
        assert not option.short or find(f"-{option.short}") is option


def test_the_settings_of_the_table_are_those_of_a_request() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert {o.key for o in OPTIONS if o.setting} == fields


@pytest.mark.parametrize(
    ("line", "given", "rest"),
    [
        ("", {}, ""),
        ("   ", {}, ""),
        ("hello -m x", {}, "hello -m x"),
        (" \t -m x hello", {"model": "x"}, "hello"),
        ("-m=x", {"model": "x"}, ""),
        ("--model=x", {"model": "x"}, ""),
        ("--model x", {"model": "x"}, ""),
        ("--model\tx", {"model": "x"}, ""),
        ("--model='a b' y", {"model": "a b"}, "y"),
        ("-m apiyi:gemini-2.5-flash", {"model": "apiyi:gemini-2.5-flash"}, ""),
        ("-s 'it is' x", {"system": "it is"}, "x"),
        ('-s "it\'s \\"x\\"\\n\\t\\\\ \\q" y', {"system": 'it\'s "x"\n\t\\ \\q'}, "y"),
        ("-s 'a\\n'", {"system": "a\\n"}, ""),
        ("-s ''", {"system": ""}, ""),
        ("-t 0.5", {"temperature": 0.5}, ""),
        ("-t 1", {"temperature": 1.0}, ""),
        ("--seed -5 x", {"seed": -5}, "x"),
        ("--top-k 40", {"top-k": 40}, ""),
        ("--stop a --stop b", {"stop": ("a", "b")}, ""),
        ("--thinking off", {"thinking": "off"}, ""),
        ("--thinking 1024", {"thinking": 1024}, ""),
        ("--as json", {"as": "json"}, ""),
        ("-q --raw x", {"quiet": True, "raw": True}, "x"),
        ('--schema {"a": {"b": "} x"}} y', {"schema": '{"a": {"b": "} x"}}'}, "y"),
        ("--schema Recipe y", {"schema": "Recipe"}, "y"),
        ("--schema '{\"a\": 1}' y", {"schema": '{"a": 1}'}, "y"),
        ("-- -m x", {}, "-m x"),
        ("--", {}, ""),
        ("-- ", {}, ""),
        ("-- -- x", {}, "-- x"),
        ("-q -- x", {"quiet": True}, "x"),
        ("--- hr", {}, "--- hr"),
        ("-5 apples", {}, "-5 apples"),
        ("- item", {}, "- item"),
        ("-item", {}, "-item"),
        ("-m x \u00a0y", {"model": "x"}, "\u00a0y"),
        ("— dash", {}, "— dash"),
    ],
)
def test_what_is_read(line: str, given: dict[str, OptionValue], rest: str) -> None:
    assert read(line) == (given, rest)


@pytest.mark.parametrize(
    ("line", "what", "next_step"),
    [
        ("--temprature 1", "no option --temprature", "Did you mean --temperature?"),
        ("-z", "no option -z", "Write -- before a prompt"),
        ("--Model x", "no option --Model", "Did you mean --model?"),
        ("-m", "--model needs a value", "--model MODEL: the model"),
        ("-m -q", "--model needs a value", "MODEL"),
        ("-m --", "--model needs a value", "MODEL"),
        ("-m -- x", "--model needs a value", "MODEL"),
        ("--model= x", "--model needs a value", "MODEL"),
        ("-m 'x", "a quote that is not closed", "MODEL"),
        ('-m "x\\"', "a quote that is not closed", "MODEL"),
        ("--raw=1", "--raw takes no value", "--raw: "),
        ("-m x -m y", "--model was given twice", "MODEL"),
        ("--raw --raw", "--raw was given twice", "--raw"),
        ("-t warm", "a number, not 'warm'", "--temperature N: randomness"),
        ("-t nan", "from 0 to 2, not 'nan'", "N"),
        ("-t -0.1", "from 0 to 2, not '-0.1'", "N"),
        ("-t 2.1", "from 0 to 2", "N"),
        ("--top-p 1.01", "from 0 to 1", "N"),
        ("--top-k 0", "1 or more", "K"),
        ("--top-k 1.5", "a whole number, not '1.5'", "K"),
        ("--timeout 0", "from 0.1 to 3600", "S"),
        ("--timeout inf", "from 0.1 to 3600", "S"),
        ("--seed x", "a whole number", "N"),
        pytest.param(f"--seed {'9' * 5000}", "a whole number, not '999", "N", id="long"),
        ("--as jsn", "cannot be 'jsn'", "Did you mean json?"),
        ("--as 9", "cannot be '9'", "Choose from markdown, text, json, code, html, df."),
        ("--thinking lots", "cannot be 'lots'", "off, low, medium, high, or a number"),
        ("--thinking -1", "cannot be '-1'", "number of tokens"),
        ("--thinking ²", "cannot be", "number of tokens"),
        ("-o 1x", "a name such as answer_1, not '1x'", "NAME"),
        ("-c 'my chat'", "a name such as answer_1", "NAME"),
        ("-o ''", "a name such as answer_1", "NAME"),
        ("--schema {a: 1}", "not followed by JSON (Expecting property name", "TYPE|JSON"),
        pytest.param("--schema " + "[" * 10**5, "JSON that cannot be read", "TYPE", id="deep"),
        pytest.param(f"--schema [{'9' * 5000}]", "JSON that cannot be read", "TYPE", id="digits"),
    ],
)
def test_what_is_refused(line: str, what: str, next_step: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    error = caught.value
    assert what in error.what and error.what.endswith("; nothing was sent.")
    assert next_step in error.next_step
    assert all(len(shown) < 200 for shown in error.lines())


@given(options(), st.text())
def test_written_options_are_read_again(
    given: tuple[tuple[str, OptionValue], ...], rest: str
) -> None:
    line = write(given)
    assert "\n" not in line
    assert read(line) == (dict(given), "")
    assert read(f"{line} -- {rest}") == (dict(given), rest.lstrip(" \t\r\f\v"))


@given(TEXTS)
def test_any_text_can_be_a_value(text: str) -> None:
    for name in ("model", "system", "schema"):
        assert read(write([(name, text)])) == ({name: text}, "")
    assert read(write([("stop", (text, text))])) == ({"stop": (text, text)}, "")


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        given, rest = read(line)
    except UsageError:
        return
    assert line.endswith(rest)
    assert set(given) <= set(BY_NAME)


def test_settings_of_options() -> None:
    given, _ = read("-m x -t 0.5 --stop a --max-output-tokens 7 -q")
    assert settings_of(given.items()) == {
        "temperature": 0.5,
        "stop": ("a",),
        "max_output_tokens": 7,
    }


def test_a_long_line_is_read_in_a_moment() -> None:
    began = time.process_time()
    read(f"-s '{'x' * 100_000}' " + "--stop a " * 10_000 + "y" * 100_000)
    assert time.process_time() - began < 3
