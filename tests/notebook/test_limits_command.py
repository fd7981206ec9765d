"""%gemini limits: the table, the days, and what it says to words that are off."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_magic.errors import UsageError
from gemini_magic.notebook import limits_command


class Notebook:
    """The part of a kernel's shell that a table needs."""

    kernel = object()

    def __init__(self) -> None:
        self.display_pub = self
        self.shown: list[dict[str, str]] = []

    def publish(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        self.shown.append(data)


def shown(capsys: pytest.CaptureFixture[str], *words: str, name: str = "gemini") -> str:
    limits_command.show(object(), list(words), name)
    return capsys.readouterr().out


def line(text: str, *words: str) -> str:
    (found,) = (row for row in text.splitlines() if all(word in row for word in words))
    return found


def test_all_is_shown_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys)
    row = line(text, "gemini-3.8-flash ", "free")
    assert "5 RPM, 250,000 TPM, 20 RPD" in row and "2026-10-01" in row and " yes " in row
    assert "aistudio.google.com" in row and "medium" in row
    assert "none: not in this tier" in line(text, "gemini-*-pro-*")
    assert "reached" not in text and "$50 spent" in line(text, "gemini-2.5-pro", "tier2")
    assert "1,500 RPD" in line(text, "gemini-2.0-flash ", "free", "2025-12-01")


def test_a_notebook_gets_html(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Notebook()
    limits_command.show(shell, ["gemini-3.5-flash-lite"], "gemini")
    (data,) = shell.shown
    assert "<td" in data["text/html"] and "500 RPD" in data["text/plain"]


def test_one_models_history_says_what_counts(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "models/gemini-2.5-flash")
    assert " yes " in line(text, "free", "2026-10-01")
    assert " no " in line(text, "free", "2025-12-07")
    assert "gemini-3.8-flash" not in text


@pytest.mark.parametrize("words", [["--as-of", "2025-12-05"], ["--as-of=2025-12-05"]])
def test_a_day_in_the_past(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "gemini-2.5-flash", *words)
    row = line(text, "free")
    assert "15 RPM, 500 RPD" in row and " yes " in row and "2026" not in text


def test_a_row_that_counts_in_part_says_for_what(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "gemini-2.5-flash", "--as-of", "2025-12-07")
    assert "  RPM  " in line(text, "free", "15 RPM, 500 RPD")


@pytest.mark.parametrize(
    ("words", "what", "step"),
    [
        (["gemini-3.8-flsh"], "gemini-3.8-flsh", "gemini-3.8-flash"),
        (["zzz"], "no model zzz", "%g limits"),
        (["a", "b"], "usage: %g limits", "%g limits gemini"),
        (["--asof", "2026-01-01"], "usage: %g limits", "%g limits gemini"),
        (["--as-of"], "takes a day", "--as-of 2025-12-31"),
        (["--as-of", "soon"], "'soon' is not a day", "--as-of 2025-12-31"),
        (["--as-of", "2026-02-30"], "not a day", "--as-of 2025-12-31"),
        (["gemini-2.5-pro", "--as-of", "2020-01-01"], "on 2020-01-01", "--as-of 2025-12-01"),
    ],
)
def test_misuse_says_what_to_do(words: list[str], what: str, step: str) -> None:
    with pytest.raises(UsageError) as caught:
        limits_command.show(object(), words, "g")
    assert what in caught.value.what and step in caught.value.next_step


def test_a_model_without_a_row_is_no_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "gemini-4-argon")
    assert "No limit of gemini-4-argon is known" in text and "https://aistudio" in text
