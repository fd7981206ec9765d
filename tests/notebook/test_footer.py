"""The lines around an answer."""

from __future__ import annotations

import json
from pathlib import Path

from gemini_magic.config import load
from gemini_magic.engine.request import Built
from gemini_magic.notebook.footer import dry_run, footer, metadata
from gemini_magic.quota.estimate import estimate
from gemini_magic.types import (
    MAX_TOKENS,
    SAFETY,
    Cost,
    Message,
    Part,
    Reply,
    Request,
    Settings,
    Target,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    digest,
)

REPLY = Reply(
    "the answer",
    target=Target("studio", "gemini-x"),
    usage=Usage(1234, 56, thought_tokens=7),
    seconds=1.26,
    request=Request((Message("user", (Part(text="my private prompt"),)),)),
)


def test_a_footer_names_model_backend_tokens_and_seconds() -> None:
    assert footer(REPLY) == "gemini-x · studio · 1,234 → 56 tokens (+7 thinking) · 1.3 s"
    assert footer(Reply("x")) == "0.0 s"
    free, paid = Cost(0, 1_234), Cost(12_345_678_901, 12_345_678_901)
    assert footer(REPLY.replace(cost=free)).endswith(" · $0 (list $0.0012)")
    assert footer(REPLY.replace(cost=paid)).endswith(" · $12,345.68")
    assert footer(REPLY.replace(usage=Usage(None, 0))) == "gemini-x · studio · ? → 0 tokens · 1.3 s"


def test_a_footer_says_how_an_answer_ended_and_what_else_is_to_know() -> None:
    for reason, words in (
        (MAX_TOKENS, "cut at the longest output (--max-output-tokens)"),
        (SAFETY, "ended: SAFETY"),
    ):
        reply = Reply("x", finish_reason=reason, notices=("a", "b"))
        assert footer(reply) == f"0.0 s · {words} · a · b"


def test_the_metadata_holds_nothing_that_was_said() -> None:
    kept = metadata(REPLY, digest("my {{ private }} template"))
    text = json.dumps(kept)
    assert "private" not in text and "answer" not in text
    assert kept["request"] == REPLY.request.digest  # type: ignore[union-attr]
    assert kept["usage"] == {"input_tokens": 1234, "output_tokens": 56, "thought_tokens": 7}
    assert (kept["backend"], kept["model"], kept["finish_reason"]) == ("studio", "gemini-x", "STOP")
    assert metadata(Reply(), "t") == {
        "request": None,
        "template": "t",
        "backend": None,
        "model": None,
        "finish_reason": "STOP",
        "usage": {},
    }


def test_a_dry_run_shows_all_that_would_be_sent() -> None:
    picture = Part(data=b"x" * 2000, mime_type="image/png")
    request = Request(
        (
            Message("user", (Part(text="first"),)),
            Message("model", (Part(text="reply"),)),
            Message("user", (Part(text="look:\n{x}"), picture)),
        ),
        system="be brief",
        settings=Settings(temperature=0, stop=("a", "b")),
        schema='{"type": "object"}',
    )
    targets = (Target("studio", "gemini-x"), Target("local", "tiny"))
    text = dry_run(Built(request, ("a note",)), targets, load())
    assert text.splitlines() == [
        "would ask  gemini-x on studio (https://generativelanguage.googleapis.com)",
        "or, if that fails, tiny on local (this machine)",
        f"tokens     about {estimate(request):,} (an estimate); nothing was sent",
        "settings   temperature = 0.0, stop = ('a', 'b')",
        "--- system ---",
        "be brief",
        "--- user ---",
        "first",
        "--- model ---",
        "reply",
        "--- user ---",
        "look:",
        "{x}",
        "[image/png, 2,000 bytes]",
        "--- schema ---",
        '{"type": "object"}',
        "a note",
    ]


def test_a_footer_counts_calls_and_rounds() -> None:
    call = ToolCall("f", "{}")
    use = ToolUse(call, ToolResult("f", "1"), 0.1)
    asked, gave = Message("model", (Part(call=call),)), Message("user", (Part(result=use.result),))
    said = Message("model", (Part(text="x"),))
    reply = Reply("x", tool_calls=(use, use, use), exchanged=(asked, gave, asked, gave, said))
    assert footer(reply) == "0.0 s · 3 calls in 2 rounds"
    assert footer(Reply("x", tool_calls=(use,), exchanged=(asked, gave, said))) == "0.0 s · 1 call"


def test_a_footer_counts_pictures_and_says_where_they_are() -> None:
    picture = Part(data=b"x", mime_type="image/png")
    sound = Part(data=b"x", mime_type="audio/wav")
    film = Part(data=b"x", mime_type="video/mp4")
    document = Part(data=b"x", mime_type="application/pdf")
    here = Path.cwd() / "gemini_outputs"
    two = Reply(parts=(picture, Part(text="x"), picture))
    assert footer(two) == "0.0 s · 2 pictures"
    both = (here / "a.png", here / "b.png")
    assert footer(two, both) == "0.0 s · 2 pictures · saved in gemini_outputs/"
    assert footer(two, (None, here / "b.png")).endswith("2 pictures · 1 saved in gemini_outputs/")
    all_kinds = Reply(parts=(picture, sound, film, document), cached=True)
    assert footer(all_kinds, (None,) * 4) == (
        "1 picture, 1 sound, 1 film, 1 file · cached · 0 quota"
    )
    assert footer(Reply(parts=(sound,)), (Path("/else/a.wav"),)).endswith("saved in /else/")
