"""``%gemini chat show NAME``: what was asked and answered, pictures and sound included."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from gemini_magic.notebook.chat import Conversation
from gemini_magic.notebook.footer import part_line
from gemini_magic.notebook.pieces import Key, keys_of
from gemini_magic.notebook.tables import Rich, show_table
from gemini_magic.pictures import Unshowable, amount, look, thumbnail
from gemini_magic.types import Part, ToolCall
from gemini_magic.widgets.markup import escaped

#: Pixels of a picture's longer side in the table.
_SIDE = 120


def show(shell: Any, chat: Conversation) -> None:
    """Draw the turns of a conversation."""
    rows = [
        (
            number,
            "stale" if turn.stale else "",
            _told(turn.question.parts),
            _told(keys_of(turn.reply)),
        )
        for number, turn in enumerate(chat.turns, 1)
    ]
    show_table(shell, ("", "", "asked", "answered"), rows)


def _told(pieces: Iterable[Key]) -> Rich:
    """A message as text, and as HTML with its pictures; both in the order of its parts."""
    plain, drawn = [], []
    for piece in pieces:
        if isinstance(piece, str):
            piece = Part(text=piece)
        elif isinstance(piece, ToolCall):
            piece = Part(call=piece)
        words, page = _piece(piece)
        plain.append(words)
        drawn.append(page)
    return Rich.of(" ".join(plain), "<br>".join(drawn))


def _piece(part: Part) -> tuple[str, str]:
    if part.data is None:
        words = part_line(part)
        return words, escaped(words)
    try:
        seen = look(part.data, part.mime_type or "")
    except Unshowable as problem:
        words = f"<{problem}>"
        return words, escaped(words)
    what = seen.label if seen.kind == "picture" else f"{seen.kind}, {amount(len(seen.data))}"
    words = f"<{', '.join(filter(None, (part.name, what)))}>"
    small = thumbnail(part.data, _SIDE) if seen.kind == "picture" else None
    if small is None:
        return words, escaped(words)
    encoded = base64.b64encode(small).decode("ascii")
    return words, f'<img alt="a picture" src="data:image/png;base64,{encoded}">'
