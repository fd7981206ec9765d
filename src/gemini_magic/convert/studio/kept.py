"""What a notebook's metadata keeps of a saved prompt: large values become files beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from gemini_magic import media
from gemini_magic.convert.studio import values

#: The folder of files, beside the notebook.
FOLDER = "media"
#: Characters of a text above which it is a file of its own.
LONG = 50_000
#: The same for a text that is base64.
_LONG_DATA = 2_000
_FILE, _TEXT = "$file", "$text"
_SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
    "image/heic": ".heic", "image/svg+xml": ".svg", "application/pdf": ".pdf",
    "audio/wav": ".wav", "audio/mpeg": ".mp3", "audio/ogg": ".ogg", "audio/flac": ".flac",
    "audio/mp4": ".m4a", "audio/aac": ".aac", "video/mp4": ".mp4", "video/webm": ".webm",
    "video/mov": ".mov", "text/html": ".html", "text/css": ".css", "text/csv": ".csv",
    "text/markdown": ".md", "text/x-python": ".py", "application/json": ".json",
    "text/javascript": ".js", "text/xml": ".xml",
}  # fmt: skip


class Files:
    """The files beside a notebook: each content once, under a name that its hash gives."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def add(self, data: bytes, mime_type: str = "") -> str:
        """Keep these bytes; the path from the notebook, with slashes."""
        said = mime_type.partition(";")[0].strip().lower()
        told = media.media_type(data[: media.HEAD])
        suffix = _SUFFIXES.get(told or said) or (".txt" if said.startswith("text/") else ".bin")
        name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:12]}{suffix}"
        self._files[name] = data
        return name

    def add_text(self, text: str) -> str | None:
        """Keep a text; None for one that has no UTF-8."""
        try:
            return self.add(text.encode("utf-8"), "text/plain")
        except UnicodeEncodeError:
            return None

    @property
    def all(self) -> tuple[tuple[str, bytes], ...]:
        return tuple(sorted(self._files.items()))


def outsourced(value: Any, files: Files) -> Any:
    """The JSON values, in which long texts and data are references to files."""
    if isinstance(value, Mapping):
        if isinstance(value.get("data"), str) and isinstance(value.get("mimeType"), str):
            found = _data(value["data"], value["mimeType"], files)
            value = {**value, "data": found}
            return {key: one if key == "data" else outsourced(one, files)
                    for key, one in value.items()}  # fmt: skip
        return {key: outsourced(one, files) for key, one in value.items()}
    if isinstance(value, list):
        return [outsourced(one, files) for one in value]
    if isinstance(value, str) and len(value) > LONG and (name := files.add_text(value)):
        return {_TEXT: name}
    return value


def _data(text: str, mime_type: str, files: Files) -> Any:
    """A reference, if the text is nothing but the bytes' base64 and there are many of them."""
    found = values.data(text) if len(text) > _LONG_DATA else None
    if found is None or base64.b64encode(found).decode("ascii") != text:
        return text
    return {_FILE: files.add(found, mime_type)}


def restored(value: Any, read: Callable[[str], bytes]) -> Any:
    """The JSON values with what their files hold. ``read`` raises what is wrong."""
    if isinstance(value, Mapping):
        if list(value) == [_FILE] and isinstance(value[_FILE], str):
            return base64.b64encode(read(value[_FILE])).decode("ascii")
        if list(value) == [_TEXT] and isinstance(value[_TEXT], str):
            return read(value[_TEXT]).decode("utf-8")
        return {key: restored(one, read) for key, one in value.items()}
    if isinstance(value, list):
        return [restored(one, read) for one in value]
    return value
