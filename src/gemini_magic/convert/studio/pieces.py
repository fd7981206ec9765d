"""What an import finds, whatever it was written in: turns of pieces, with options and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from gemini_magic.convert.steps import Note
from gemini_magic.options import OptionValue
from gemini_magic.types import Reply


class Text(NamedTuple):
    """Text that reaches the service as it is."""

    text: str


class Media(NamedTuple):
    """A picture, sound, film or document whose bytes are there."""

    data: bytes
    mime_type: str


class Address(NamedTuple):
    """Something that the service, or we, fetch."""

    uri: str


class Missing(NamedTuple):
    """Something that is elsewhere: ``what`` it is, and what ``id`` it has there.

    ``where`` names the place, ``link`` is its address (empty where there is none).
    """

    what: str
    id: str
    where: str
    link: str = ""


class Slot(NamedTuple):
    """A variable of the prompt, with the value it had; ``live`` is a Python expression instead."""

    name: str
    example: str = ""


Piece: TypeAlias = Text | Media | Address | Missing | Slot


class Turn(NamedTuple):
    """One question, and the answer that is stored with it.

    ``kept`` are JSON values that the cell's metadata keeps, so that writing back loses nothing.
    ``chat`` names the conversation, empty where it is none. ``above`` is a line of text that goes
    above the cell, ``needs`` is code that has to run before it.
    """

    pieces: tuple[Piece, ...]
    options: Mapping[str, OptionValue] = {}
    reply: Reply | None = None
    chat: str = ""
    kept: Mapping[str, Any] | None = None
    system: str | None = None
    above: str = ""
    needs: tuple[str, ...] = ()


class Found(NamedTuple):
    """An import before it is a notebook.

    ``kept`` goes to the notebook's metadata. ``notes`` are for the user.
    """

    title: str
    origin: str
    turns: tuple[Turn, ...]
    notes: tuple[Note, ...] = ()
    kept: Mapping[str, Any] | None = None


class Imported(NamedTuple):
    """A notebook (JSON values) called ``name`` without a suffix, and the files beside it."""

    name: str
    notebook: dict[str, Any]
    files: tuple[tuple[str, bytes], ...]
    notes: tuple[Note, ...]
    origin: str
