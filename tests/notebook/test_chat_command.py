"""``%gemini chat show``: turns whose questions and answers are more than text."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic.notebook.chat import Conversation
from gemini_magic.notebook.chat_command import show
from gemini_magic.types import Message, Part, Reply, Step, ToolCall, ToolResult
from tests.notebook.media_values import png, wav
from tests.notebook.test_blocks import Tags

CALL = ToolCall("look", '{"at": "<b>"}')
TURNS = (
    (Part("Draw <b>$it$</b>"), png()),
    (Part("Here: "), Part("", signature=b"s"), png(), Part(step=Step("SEARCH", "{}")), Part("!")),
), (
    (Part("Say it"),),
    (Part(call=CALL), Part(result=ToolResult("look", "1")), Part(data=wav(), mime_type="audio/wav"),
     Part(data=b"<script>", mime_type="image/png", name="<i>x.png")),
)  # fmt: skip


@pytest.fixture
def chat() -> Conversation:
    made = Conversation("art")
    for asked, said in TURNS:
        text = "".join(part.text or "" for part in said)
        made.add(None, Message("user", asked), Reply(text, parts=said))
    return made


def test_what_was_no_text_is_named_and_pictures_are_seen(chat: Conversation) -> None:
    published: list[Any] = []
    pub = SimpleNamespace(publish=lambda data, metadata: published.append(data))
    show(SimpleNamespace(kernel=object(), display_pub=pub), chat)
    (data,) = published
    drawn = Tags(data["text/html"])
    pictures = [attributes for tag, attributes in drawn.found if tag == "img"]
    assert len(pictures) == 2
    assert all((one["src"] or "").startswith("data:image/png;base64,") for one in pictures)
    assert {tag for tag, _ in drawn.found} <= {
        "table", "thead", "tbody", "tr", "th", "td", "br", "img", "span",
    }  # fmt: skip
    assert "Draw <b>" in drawn.text and "<sound, " in drawn.text and "call of look" in drawn.text
    plain = data["text/plain"]
    assert (
        "<picture 32x20>" in plain and "<sound, " in plain and "no picture that is known" in plain
    )


def test_a_terminal_gets_words(chat: Conversation, capsys: pytest.CaptureFixture[str]) -> None:
    show(object(), chat)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "Here:  <picture 32x20> !" in lines[2]
