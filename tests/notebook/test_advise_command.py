"""%gemini advise: the table and its text, what is pasted, and what is refused."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic.backends.memory import machine_memory
from gemini_magic.config import load
from gemini_magic.errors import UsageError
from gemini_magic.notebook import advise_command
from gemini_magic.quota.advice import Advice, Way
from gemini_magic.quota.usage import DayUse

TERMINAL = SimpleNamespace()


class Notebook:
    """The part of a kernel's shell that a table needs."""

    kernel = object()

    def __init__(self) -> None:
        self.display_pub = self
        self.shown: list[dict[str, str]] = []

    def publish(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        self.shown.append(data)


def way(title: str, **rows: Any) -> Way:
    names = ("effort", "limits", "cost", "card", "stability", "best")
    lines = {name: rows.pop(name, (f"{name} of {title}",)) for name in names}
    return Way(title, **lines, **rows)


def advice(**first: Any) -> Advice:
    ways = (way("one", **first), way("two"), way("three"))
    return Advice("A verdict.", ("A note.",), (), ways, "~/gemini_magic.toml")


class Tags(HTMLParser):
    """What a page consists of, and what its <pre> elements say."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pre: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "pre":
            self._inside = True
            self.pre.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.pre[-1] += data


def test_a_terminal_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    advise_command.show(TERMINAL, advice(commands=("use x",)), "ask")
    text = capsys.readouterr().out
    head = text.splitlines()[4]
    assert text.startswith("A verdict.\n\nA note.\n") and re.split(r"\s{2,}", head.strip()) == [
        "one", "two", "three",
    ]  # fmt: skip
    for row in ("setup effort", "limits", "cost", "card needed", "stability", "best use"):
        assert re.search(rf"^{row}  ", text, re.M)
    assert "\n    %ask use x\n" in text


def test_a_notebook_gets_both() -> None:
    shell = Notebook()
    advise_command.show(shell, advice(), "gemini")
    (data,) = shell.shown
    assert data["text/plain"] == advise_command.advice_text(advice(), "gemini")
    page = Tags(data["text/html"])
    assert page.tags.count("th") == 3 + 7 and page.tags.count("tr") == 8


def test_long_words_stay_in_their_column_and_lines_to_paste_whole() -> None:
    config = 'targets = ["studio", { backend = "openrouter", when = ["rpd", "overloaded"] }]'
    text = advise_command.advice_text(advice(limits=("x" * 80,), config=config), "gemini")
    assert f"\n  into ~/gemini_magic.toml:\n    {config}\n" in text
    assert max(map(len, text.splitlines())) < 115


def test_lines_to_paste_survive_html() -> None:
    config = '[backends.x]\nkey = "$a <b> $c \\\\ &amp;"\n\n[routes.default]'
    html = advise_command.advice_html(advice(config=config, commands=("use x", "quota")), "gemini")
    assert Tags(html).pre == [config, "%gemini use x\n%gemini quota"]


def test_foreign_names_do_no_harm() -> None:
    evil = "<img src=x onerror=alert(1)> \x1b[31m \u202e $x$"
    said = advice(effort=(evil,), commands=(evil,), config=evil)
    html = advise_command.advice_html(said, "gemini")
    assert not set(Tags(html).tags) - {"div", "table", "tbody", "tr", "td", "th", "pre", "code",
                                       "span"}  # fmt: skip
    for shown in (html, advise_command.advice_text(said, "gemini")):
        assert "\x1b" not in shown and "\u202e" not in shown
    assert "$x$" not in html  # Lab would set it as a formula


def test_the_command_puts_it_together(capsys: pytest.CaptureFixture[str]) -> None:
    days = [
        DayUse(f"2026-11-{n}", "studio", "p", "gemini-2.5-flash", "free", 20, 9000, 900)
        for n in (18, 19, 20)
    ]
    advise_command.run(TERMINAL, days, load(), [], "gemini")
    text = capsys.readouterr().out
    assert "gemini-2.5-flash reached its 20 requests a day on 3 of 3 days" in text
    assert "https://aistudio.google.com/billing" in text and "qwen2.5-coder" in text


def test_other_words_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        advise_command.run(TERMINAL, [], load(), ["me"], "ask")
    assert "%ask advise" in caught.value.what and "%ask -- advise" in caught.value.next_step


def test_the_machine_has_memory() -> None:
    assert 0 <= machine_memory() < 1 << 50
