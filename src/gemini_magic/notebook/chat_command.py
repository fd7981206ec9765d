"""``%gemini chat show NAME`` and ``load FILE``: turns for people, and turns out of a file."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gemini_magic.notebook.chat import Conversation, Conversations, Turn
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
            _told(keys_of(turn.reply)) if turn.reply is not None else "",
        )
        for number, turn in enumerate(chat.turns, 1)
    ]
    show_table(shell, ("", "", "asked", "answered"), rows)


def load(chats: Conversations, path: Path) -> None:
    """Go on from the conversations in an import's file, and say so; one that has begun here stays.

    A file that is not there, or one that it names, is told and is no error: it would stop all cells
    of a notebook that was moved without its files. Raises ``GeminiMagicError`` for one that is none
    of ours.
    """
    from gemini_magic.convert.studio import stored

    if not path.exists():
        print(f"{path} is not here: chats begin anew. It belongs beside the notebook.")
        return
    missing: list[str] = []
    read = stored.read(path, missing.append)
    if names := ", ".join(dict.fromkeys(missing)):
        print(
            f"cannot read {names}: chats go on without. Put the notebook's files beside it again."
        )
    for name, turns in read.items():
        chat = chats.open(name)
        if chat.turns:
            print(f"chat {name} has begun here already, and stays as it is.")
            continue
        chat.begin([Turn((one.cell, 0), one.question, one.reply, template=one.template)
                    for one in turns])  # fmt: skip
        chats.keep(chat)
        said = sum(turn.reply is not None for turn in turns)
        print(f"chat {name}: {said} stored {'turn' if said == 1 else 'turns'}")


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
