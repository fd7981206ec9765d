"""Errors are two lines that say what happened and what to do next."""

from __future__ import annotations

import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import errors
from gemini_magic.config_schema import WHEN
from gemini_magic.errors import (
    BackendError,
    GeminiMagicError,
    Interrupted,
    MissingExtra,
    QuotaExceeded,
    UsageError,
    WireError,
    did_you_mean,
    nearest,
    sentence,
)

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, GeminiMagicError)
]


def test_the_two_lines() -> None:
    error = UsageError("it  broke\n here ", " do\nthis ")
    assert error.lines() == ["UsageError: it broke here", "  → do this"]
    assert str(error) == "it broke here do this"
    assert UsageError("it broke.").lines() == ["UsageError: it broke."]
    assert str(UsageError("it broke.")) == "it broke."


@given(st.text(), st.text())
def test_a_line_is_a_line(what: str, next_step: str) -> None:
    for line in UsageError(what, next_step).lines():
        assert len(line.splitlines()) <= 1


def test_outside_of_ipython_the_lines_are_all_there_is() -> None:
    error = UsageError("a", "b")
    assert error._render_traceback_() == error._render_traceback_() == error.lines()


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_says_what_it_is_and_what_a_route_makes_of_it(
    cls: type[GeminiMagicError],
) -> None:
    assert cls.__doc__ or cls.__base__ is BackendError
    assert cls.when in ("", *WHEN)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_a_process_boundary(cls: type[GeminiMagicError]) -> None:
    error = MissingExtra("numpy", "all") if cls is MissingExtra else cls("what", "next")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls and again.lines() == error.lines()
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("window", "when"),
    [
        ("rpm", "rpm"), ("tpm", "tpm"), ("ipm", "rpm"), ("rpd", "rpd"), ("tpd", "rpd"),
        ("limit0", "limit0"), ("budget", "budget"), ("", "rpm"),
    ],
)  # fmt: skip
def test_a_window_is_a_word_of_routes(window: str, when: str) -> None:
    assert QuotaExceeded("x", window=window).when == when
    assert when in WHEN


def test_an_interrupt_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        raise Interrupted("you stopped it.")
    assert not issubclass(GeminiMagicError, KeyboardInterrupt)


def test_a_missing_extra_names_it() -> None:
    assert "pip install 'gemini-magic[local]'" in MissingExtra("xllamacpp", "local").next_step


def test_a_wire_error_keeps_the_facts() -> None:
    headers = {"a": "b"}
    error = WireError("headers", 429, {"x": 1}, headers, "d")
    headers.clear()
    assert (error.phase, error.status, error.body) == ("headers", 429, {"x": 1})
    assert (error.headers, error.detail) == ({"a": "b"}, "d")
    assert not isinstance(error, GeminiMagicError)


def test_the_nearest_words() -> None:
    known = ["temperature", "top-p", "Top-K", "model"]
    assert nearest("temprature", known) == ["temperature"]
    assert nearest("TOP-K", known)[0] == "Top-K"
    assert nearest("zzz", known) == []
    assert did_you_mean("temprature", known) == "did you mean temperature?"
    assert did_you_mean("top-q", known) == "did you mean top-p or Top-K?"
    assert did_you_mean("zzz", known) == did_you_mean("x", []) == ""


def test_a_sentence_keeps_the_names_in_it() -> None:
    assert sentence("did you mean myData?") == "Did you mean myData?"
    assert sentence("") == ""
