"""Answers as web pages, tables and JSON."""

from __future__ import annotations

import datetime
import enum
import html
import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gemini_magic.notebook.forms import frame_data, json_value, page_data, plain_value, said
from gemini_magic.notebook.pieces import reply_data
from gemini_magic.types import Reply
from tests.browser.hostile import aimed
from tests.notebook.test_blocks import Tags


def page_of(text: str) -> str:
    """The document in the frame, once the frame is known to be all that there is."""
    drawn = page_data(text, "plain")["text/html"]
    tags = Tags(drawn)
    ((tag, attributes),) = tags.found
    assert tag == "iframe" and attributes["sandbox"] is None and tags.text == ""
    assert set(attributes) == {"sandbox", "srcdoc", "style", "title", "referrerpolicy"}
    assert "$" not in drawn and "\\" not in drawn
    return attributes["srcdoc"] or ""


@given(st.text())
def test_no_text_leaves_the_frame(text: str) -> None:
    page = page_of(text)
    assert page.index("Content-Security-Policy") < page.index("<body>")
    page_of(f'"></iframe>{text}<script>alert(1)</script>\'" srcdoc="{html.escape(text)}')


def test_the_page_says_first_that_nothing_may_be_loaded() -> None:
    page = page_of("<h1>Tides</h1>")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None and html.unescape(policy[1]).startswith("default-src 'none';")
    assert page.endswith("<h1>Tides</h1></body></html>")


@pytest.mark.parametrize("name", ["base-meta", "link-rel"])
def test_what_leads_away_or_connects_ahead_is_gone(name: str) -> None:
    page = page_of(aimed("http://canary.example")[name])
    body = page.partition("<body>")[2].lower()
    assert not re.search(r"<(?:link|meta|base)", body)
    body = page_of("<a TARGET = _self href='https://x.example'>").partition("<body>")[2]
    assert "data-target = _self" in body


def test_a_fenced_page_is_unwrapped() -> None:
    page = page_of("Here it is:\n\n```html\n<h1>Tides</h1>\n```\nEnjoy!")
    assert page.endswith("<h1>Tides</h1></body></html>") and "Enjoy" not in page
    assert page_data("<b>x</b>", "<b>x</b>")["text/plain"] == "<b>x</b>"


def test_a_frame_is_shown_as_pandas_does_but_its_cells_are_text() -> None:
    frame = pandas.DataFrame(
        {"<script>alert(0)</script>": ["<script>alert(1)</script>", "<img src=x onerror=y>"],
         "$a$": ["$\\href{javascript:x}{y}$", "https://canary.example/x.png"]}
    )  # fmt: skip
    frame.index.name = "<img src=z>"
    data = frame_data(frame)
    drawn = data["text/html"]
    tags = {tag for tag, _ in Tags(drawn).found}
    assert tags <= {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p", "span"}
    assert "<script" not in drawn and "<img" not in drawn and "<a " not in drawn
    assert "$" not in drawn.replace("<span>$</span>", "")
    assert "\\" not in drawn.replace("<span>\\</span>", "")
    assert "<script>alert(1)" in data["text/plain"]
    with pandas.option_context("display.notebook_repr_html", False):
        assert "text/html" not in frame_data(frame)


class Point(NamedTuple):
    x: int
    y: float


class Colour(enum.Enum):
    RED = "red"


class Model(BaseModel):
    name: str
    at: list[int] = []


@dataclass
class Both:
    point: Point
    colour: Colour
    model: Model


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Both(Point(1, 2.5), Colour.RED, Model(name="a")),
         {"point": {"x": 1, "y": 2.5}, "colour": "red", "model": {"name": "a", "at": []}}),
        ([Colour.RED, None, True], ["red", None, True]),
        ({"a": (1, 2)}, {"a": [1, 2]}),
    ],
)  # fmt: skip
def test_objects_as_json(value: Any, wanted: Any) -> None:
    assert plain_value(value) == wanted
    assert json_value("no JSON", value) == wanted


def test_json_in_an_answer() -> None:
    assert json_value('{"a": 1}', {"b": 2}) == {"b": 2}
    assert json_value('{"a": 1}', object()) == {"a": 1}
    assert json_value('Here:\n```json\n{"a": 1}\n```\n') == {"a": 1}
    for text in ("nothing", "```json\nnothing\n```", ""):
        with pytest.raises(ValueError):
            json_value(text)
    with pytest.raises(ValueError):
        json_value("nothing", object())


DAY = datetime.date(2026, 1, 2)


@pytest.mark.parametrize(
    ("text", "parsed", "value", "words"),
    [
        ('{"items": [1, 2]}', [1, 2], [1, 2], "[\n  1,\n  2\n]"),
        ('{"value": "red"}', Colour.RED, "red", "red"),
        ('{"value": "red"}', "red", "red", "red"),
        ("red", "red", "red", "red"),
        ('{"value": 5}', 5, 5, "5"),
        ('{"items": ["2026-01-02"]}', [DAY], ["2026-01-02"], '[\n  "2026-01-02"\n]'),
        ('{"name":"a"}', Model(name="a"), {"name": "a", "at": []}, None),
        ('{"name":"a","at":[]}', Model(name="a"), {"name": "a", "at": []}, '{"name":"a","at":[]}'),
        ("[1]", [1], [1], "[1]"),
        ('{"value": true}', True, True, "true"),
    ],
)
def test_what_a_schema_put_around_an_answer_is_not_shown(
    text: str, parsed: Any, value: Any, words: str | None
) -> None:
    assert json_value(text, parsed) == value
    words = json.dumps(value, indent=2) if words is None else words
    assert said(text, parsed) == words
    reply = Reply(text, parsed=parsed)
    for form in ("json", "text"):
        assert reply_data(reply, form)["text/plain"] == words
    is_tree = isinstance(value, list | dict)
    assert ("application/json" in reply_data(reply, "json")) == is_tree


def test_a_page_in_a_word_is_shown_as_a_page() -> None:
    reply = Reply('{"value": "<h1>Tides</h1>"}', parsed="<h1>Tides</h1>")
    data = reply_data(reply, "html")
    assert data["text/plain"] == "<h1>Tides</h1>" and "value" not in data["text/html"]
    assert reply_data(reply, "markdown")["text/markdown"] == "&lt;h1>Tides&lt;/h1>"
