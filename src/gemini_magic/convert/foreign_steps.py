"""What a program in another language is made of: cells of comments, constants and asks."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from gemini_magic.config import Backend
from gemini_magic.convert.foreign_values import Slot
from gemini_magic.convert.steps import Note
from gemini_magic.types import Request, ToolCall, ToolResult


class Ask(NamedTuple):
    """One prompt of a program.

    ``slots`` are the texts to be filled in: number n stands as ``mark`` n ``mark`` in the request.
    ``whole`` says that the request holds all that was said in the ``chat`` before. ``results`` are
    what functions gave back when the notebook ran, None where that is not known. ``name`` is what
    the answer is called later on.
    """

    backend: Backend
    model: str
    request: Request
    mark: str = ""
    slots: tuple[Slot, ...] = ()
    chat: str = ""
    whole: bool = False
    results: tuple[tuple[ToolCall, ToolResult], ...] | None = None
    hops: int = 8
    quiet: bool = False
    save: str = ""
    name: str = ""


class Comment(NamedTuple):
    text: str


class Constant(NamedTuple):
    """A variable that is a text or a number."""

    name: str
    value: str | int


Item: TypeAlias = Ask | Comment | Constant


class Piece(NamedTuple):
    """A cell: what its marker says, and what it does."""

    marker: str
    items: tuple[Item, ...]


class Program(NamedTuple):
    pieces: tuple[Piece, ...]
    notes: tuple[Note, ...]

    @property
    def asks(self) -> tuple[Ask, ...]:
        return tuple(one for piece in self.pieces for one in piece.items if isinstance(one, Ask))


def chats(asks: tuple[Ask, ...]) -> set[str]:
    """The chats that go on in the program: of one that is wholly recorded, no history is kept."""
    return {ask.chat for ask in asks if ask.chat and not ask.whole}
