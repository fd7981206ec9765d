"""The chunks of a saved chat as turns: what was asked, and what was answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.pieces import Address, Media, Missing, Piece, Text

Chunk: TypeAlias = Mapping[str, Any]

#: Data within a chunk.
INLINE = ("inlineImage", "inlineFile", "inlineAudio", "inlineVideo", "inlineData")
_DRIVE = "https://drive.google.com/open?id="


class Group(NamedTuple):
    """The chunks of one question (with its pictures and files), and those of its answer."""

    asked: tuple[Chunk, ...]
    answered: tuple[Chunk, ...]


def groups(chunks: Sequence[Chunk]) -> list[Group]:
    """The turns of a chat; the first has nothing asked where the model spoke first."""
    found: list[tuple[list[Chunk], list[Chunk]]] = []
    for chunk in chunks:
        answer = chunk.get("role") == "model" or _is_result(chunk)
        if not found or (not answer and found[-1][1]):
            found.append(([], []))
        found[-1][answer].append(chunk)
    return [Group(tuple(asked), tuple(answered)) for asked, answered in found]


def _is_result(chunk: Chunk) -> bool:
    """Whether it is what a function gave back: that is part of an answer, whoever says it."""
    parts = values.mappings(chunk.get("parts"))
    return "functionResponse" in chunk or any("functionResponse" in part for part in parts)


def pieces_of(chunks: Sequence[Chunk]) -> tuple[Piece, ...]:
    """What the chunks of a question hold; texts one after another become one, with a blank line."""
    found: list[Piece] = []
    for chunk in chunks:
        for piece in _pieces(chunk):
            before = found[-1] if found else None
            if isinstance(piece, Text) and isinstance(before, Text):
                found[-1] = Text(f"{before.text}\n\n{piece.text}")
            else:
                found.append(piece)
    return tuple(found)


def _pieces(chunk: Chunk) -> Iterator[Piece]:
    media = [piece for key, value in chunk.items() if (piece := _media(key, value)) is not None]
    yield from media
    if text := values.text(chunk.get("text")):
        yield Text(text)
        return
    if media:
        return
    # Files of some tools hold parts alone; where both are, they say the same twice.
    for part in values.mappings(chunk.get("parts")):
        for key, value in part.items():
            if key == "text" and values.text(value) and part.get("thought") is not True:
                yield Text(value)
            elif (piece := _media(key, value)) is not None:
                yield piece


def _media(key: str, value: Any) -> Piece | None:
    """What a key of a chunk stands for, None for what is no picture, film or file."""
    if not isinstance(value, Mapping):
        return None
    if key in INLINE:
        data = values.data(value.get("data"))
        return Media(data, values.text(value.get("mimeType"))) if data else None
    name = values.text(value.get("id"))
    if key == "youtubeVideo" and name.replace("-", "").replace("_", "").isalnum():
        return Address(f"https://www.youtube.com/watch?v={name}")
    if key.startswith("drive") and name:
        what = {"driveDocument": "file"}.get(key, key.removeprefix("drive").lower() or "file")
        return Missing(what, name, "Google Drive", f"{_DRIVE}{name}")
    uri = values.text(value.get("fileUri"))
    if key == "fileData" and uri:
        if uri.startswith("gs://"):
            return Address(uri)
        return Missing("file", uri, "the Files API, which keeps files for two days")
    return None
