"""A cell's question, and the answer below it, as chunks of a saved chat."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gemini_magic import media, template
from gemini_magic.cell import GeminiCell
from gemini_magic.convert.context import Context
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.constants import Constants
from gemini_magic.convert.studio.documents import LARGEST

_YOUTUBE = re.compile(r"https?://(?:(?:www\.|m\.)?youtube\.com|youtu\.be)/", re.I)
#: What an import put in the place of a file of Drive's (see ``notebooks``).
_MISSING = re.compile(r"\[this (\w+) is not here: Google Drive, ([^\]]+)\]")


class ChunkWriter:
    """Writes what cells ask as chunks. Files are read from the notebook's folder."""

    def __init__(self, constants: Constants, context: Context) -> None:
        self._constants = constants
        self._context = context

    def asked(self, cell: GeminiCell, tell: Callable[[str, str], None]) -> list[dict[str, Any]]:
        """The chunks of a question: its media, each one of its own, then its text."""
        chunks: list[dict[str, Any]] = []
        for option in ("image", "file"):
            for word in values.texts(list(_words(cell.get(option)))):
                if (held := self._held(word)) is None:
                    tell("left-out", f"--{option} {word[:60]}: AI Studio cannot be given it")
                else:
                    chunks.append({**held, "role": "user"})
        text = self._constants.filled(cell.template, raw=cell.flag("raw"))
        if not cell.flag("raw") and template.placeholders(text):
            tell("differs", "a placeholder whose value is not known stands in the text as typed")
        if text or not chunks:
            chunks.append({"text": text, "role": "user"})
        return chunks

    def _held(self, word: str) -> dict[str, Any] | None:
        """What an option's word names, as a chunk holds it; None for what none can hold."""
        if _YOUTUBE.match(word):
            split = urlsplit(word)
            name = parse_qs(split.query).get("v", [split.path.rpartition("/")[2]])[0]
            return {"youtubeVideo": {"id": name}}
        if found := _MISSING.fullmatch(self._constants.text(word) or ""):
            kind = {"file": "Document"}.get(found[1], found[1].capitalize())
            return {f"drive{kind}": {"id": found[2]}}
        path = self._context.folder / word
        try:
            if (
                not self._context.may_read(path)
                or not path.is_file()
                or path.stat().st_size > LARGEST
            ):
                return None
            data = path.read_bytes()
        except (OSError, ValueError):
            return None
        kind = media.media_type(data[: media.HEAD], path.name) or "text/plain"
        key = {"image": "inlineImage", "audio": "inlineAudio"}.get(kind.partition("/")[0])
        encoded = base64.b64encode(data).decode("ascii")
        return {key or "inlineFile": {"mimeType": kind, "data": encoded}}


def _words(value: object) -> Sequence[str]:
    return value if isinstance(value, tuple) else ()


def answer_chunks(outputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answer that a run of the cell left below it; none where it was imported, or is none."""
    told = next((found for one in outputs if (found := _told(one))), None)
    if told is None or not isinstance(told.get("request"), str):
        return []
    chunks: list[dict[str, Any]] = []
    for output in outputs[:-1]:  # the last is the footer
        data = values.mapping(output.get("data"))
        chunks += [
            {"inlineImage": {"mimeType": kind, "data": "".join(_text(value).split())},
             "role": "model"}
            for kind, value in data.items()
            if kind in ("image/png", "image/jpeg", "image/gif", "image/webp")
        ]  # fmt: skip
        is_text = (
            "text/markdown" in data or "application/json" in data or set(data) == {"text/plain"}
        )
        if is_text and (text := _text(data.get("text/plain"))):
            chunks.append({"text": text, "role": "model"})
    if chunks:
        usage = values.mapping(told.get("usage"))
        chunks[-1]["finishReason"] = values.text(told.get("finish_reason")) or "STOP"
        if (count := values.whole(usage.get("output_tokens"))) is not None:
            chunks[-1]["tokenCount"] = count
    return chunks


def _told(output: Mapping[str, Any]) -> Mapping[str, Any]:
    return values.mapping(values.mapping(output.get("metadata")).get("gemini_magic"))


def _text(value: Any) -> str:
    return "".join(values.texts(value)) if isinstance(value, list) else values.text(value)
