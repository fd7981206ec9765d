"""The editor reads cells as the kernel does: both are held to the cases of its own tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gemini_magic import options
from gemini_magic.template import placeholders

CASES = Path(__file__).parent.parent / "labextension" / "tests" / "editor"


def cases(name: str) -> list[Any]:
    found: list[Any] = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(("template", "sources"), cases("placeholders"))
def test_placeholders(template: str, sources: list[str]) -> None:
    assert [one.source for one in placeholders(template)] == sources


@pytest.mark.parametrize(("line", "given", "prompt"), cases("firstLines"))
def test_first_lines(line: str, given: list[list[Any]], prompt: str) -> None:
    expected: dict[str, Any] = {}
    for name, text in given:
        option = options.BY_NAME[name]
        value = True if text is True else options.convert(option, text)
        expected[name] = (*expected.get(name, ()), *value) if option.repeat else value
    assert options.read(line) == (expected, prompt)
