"""``--dry-run`` shows every kind of part, and what the model may use."""

from __future__ import annotations

from gemini_magic import config as configuration
from gemini_magic.engine.request import Built
from gemini_magic.notebook.footer import dry_run
from gemini_magic.types import (
    SEARCH,
    Code,
    CodeOutput,
    File,
    Message,
    Part,
    Request,
    Target,
    Tool,
    ToolCall,
    ToolResult,
)


def test_all_that_would_be_sent_is_shown() -> None:
    parts = (
        Part(data=b"12345", mime_type="image/png"),
        Part(file=File("/far/film.mp4", 12_345_678, "0" * 64), mime_type="video/mp4", name="f.mp4"),
        Part(uri="https://youtu.be/x", mime_type="video/mp4"),
        Part(call=ToolCall("book", '{"n": 1}')),
        Part(result=ToolResult("book", "true")),
        Part(code=Code("print(1)")),
        Part(output=CodeOutput("1")),
        Part(text="Look."),
    )
    tool = Tool("book", "Books it.", '{"type": "object"}')
    request = Request((Message("user", parts),), tools=(tool,), services=(SEARCH,))
    shown = dry_run(Built(request), (Target("studio", "m"),), configuration.load())
    lines = shown.splitlines()
    assert lines[lines.index("--- user ---") + 1 :] == [
        "[image/png, 5 bytes]",
        "[f.mp4, video/mp4, 12,345,678 bytes]",
        "[video/mp4, https://youtu.be/x]",
        '[call of book with {"n": 1}]',
        "[book gave true]",
        "print(1)",
        "1",
        "Look.",
        "--- the function book ---",
        "Books it.",
        '{"type": "object"}',
    ]
    assert "services   search" in lines and "/far" not in shown
