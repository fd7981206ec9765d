"""The turns of imported conversations as a file, from which the kernel's chats go on."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.documents import LARGEST
from gemini_magic.convert.studio.kept import LONG, Files
from gemini_magic.convert.studio.pieces import Address, Media, Missing, Piece, Slot, Text, Turn
from gemini_magic.errors import GeminiMagicError, PlaceholderError
from gemini_magic.parts_file import part_of_file, printable
from gemini_magic.parts_given import YOUTUBE
from gemini_magic.types import STOP, Message, Part, Reply, Target, digest

_FORMAT = 1


class Stored(NamedTuple):
    """A turn: its cell's id, the SHA-256 of the cell's template, what was asked and answered.

    ``reply`` is None where there was no answer.
    """

    cell: str
    template: str
    question: Message
    reply: Reply | None


def keep(turns: Iterable[tuple[str, GeminiCell, Turn]], files: Files) -> str | None:
    """Keep the turns of all chats in a file beside the notebook; its path from there.

    Given are the cells' ids, the cells and what they are made of. None where no answer is stored.
    """
    chats: dict[str, list[dict[str, Any]]] = {}
    for name, cell, turn in turns:
        if turn.chat:
            chats.setdefault(turn.chat, []).append(_turn(name, cell, turn, files))
    chats = {name: rows for name, rows in chats.items() if any("answered" in one for one in rows)}
    if not chats:
        return None
    text = json.dumps({"format": _FORMAT, "chats": chats}, indent=1)
    return files.add(text.encode("ascii"), "application/json")


def _turn(name: str, cell: GeminiCell, turn: Turn, files: Files) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cell": name,
        "template": digest(cell.template),
        "asked": [_asked(one, files) for one in turn.pieces],
    }
    if turn.reply is not None:
        # A signature means nothing to another model.
        signed = turn.reply.model == cell.text("model")
        row["model"] = turn.reply.model
        row["finish_reason"] = turn.reply.finish_reason
        row["answered"] = [_part(one, files, signed=signed) for one in turn.reply.parts]
    return row


def _asked(piece: Piece, files: Files) -> dict[str, Any]:
    """What a piece of a question is when its cell runs as it was imported."""
    if isinstance(piece, Text):
        return _part(Part(text=piece.text), files)
    if isinstance(piece, Media):
        return _file(files.add(piece.data, piece.mime_type))
    if isinstance(piece, Address):
        return _address(piece.uri)
    return {"text": piece.example if isinstance(piece, Slot) else said_of(piece)}


def _address(uri: str) -> dict[str, Any]:
    """What the service fetches by itself; in a history, nothing else is fetched."""
    if YOUTUBE.match(uri):
        return {"uri": uri, "mime_type": "video/mp4"}
    if uri.startswith("gs://") and (kind := mimetypes.guess_type(uri)[0]):
        return {"uri": uri, "mime_type": kind}
    return {"text": f"[{uri}]"}


def said_of(piece: Missing) -> str:
    """What a model is told in the place of something that is elsewhere."""
    return f"[this {piece.what} is not here: {piece.where}, {piece.id}]"


def _part(part: Part, files: Files, *, signed: bool = False) -> dict[str, Any]:
    if part.data is not None:
        return _file(files.add(part.data, part.mime_type or ""))
    if part.text is not None and len(part.text) > LONG and (name := files.add_text(part.text)):
        return _file(name)
    document = part.to_json()
    if not signed:
        document.pop("signature", None)
    return document


def _file(name: str) -> dict[str, Any]:
    return {"file": name.rpartition("/")[2]}


# --- and back ---


def read(path: Path, missing: Callable[[str], object]) -> dict[str, list[Stored]]:
    """The conversations in such a file. Raises ``GeminiMagicError`` for any other.

    ``missing`` is told the name of each file beside it that cannot be read; in the conversation
    words stand in its place.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        document = json.loads(path.read_text("utf-8"))
        if document["format"] > _FORMAT:
            raise GeminiMagicError(f"{path} is of a newer version.", "Update gemini-magic.")
        return {
            name: [_stored(row, path.parent, missing) for row in rows]
            for name, rows in document["chats"].items()
        }
    except OSError as error:
        raise GeminiMagicError(
            f"cannot read {path}: {error.strerror}.", "Put the notebook's files beside it again."
        ) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise GeminiMagicError(
            f"{path} holds no conversation.", "Import the prompt again: %gemini import PATH"
        ) from None


def _stored(row: Mapping[str, Any], folder: Path, missing: Callable[[str], object]) -> Stored:
    question = Message("user", tuple(_parts(row["asked"], folder, missing)))
    reply = None
    if "answered" in row:
        parts = tuple(_parts(row["answered"], folder, missing))
        reply = Reply(
            text="".join(part.text or "" for part in parts),
            finish_reason=values.text(row.get("finish_reason")) or STOP,
            target=Target("aistudio", values.text(row.get("model")) or "?"),
            parts=parts,
            exchanged=tuple(_exchanged(parts)),
        )
    return Stored(str(row["cell"]), str(row["template"]), question, reply)


def _parts(
    rows: Sequence[Mapping[str, Any]], folder: Path, missing: Callable[[str], object]
) -> Iterator[Part]:
    for row in rows:
        if "file" not in row:
            yield Part.from_json(row)
            continue
        name = row["file"]
        if name in ("", "..") or name != Path(name).name or "\\" in name:
            raise ValueError(name)
        if (folder / name).is_symlink():
            raise ValueError(name)
        try:
            yield part_of_file(folder / name)
        except PlaceholderError:
            missing(printable(name))
            yield Part(text=f"[{printable(name)} is not here]")


def _exchanged(parts: Sequence[Part]) -> Iterator[Message]:
    """The messages of an answer: what functions gave back is said by the user's side."""
    for given, group in groupby(parts, lambda part: part.result is not None):
        yield Message("user" if given else "model", tuple(group))
