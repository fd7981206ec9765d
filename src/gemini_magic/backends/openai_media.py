"""Files of a prompt on OpenAI's wire: weighed first, and only then read and encoded."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterable

from gemini_magic.backends.openai_dialects import Dialect, refused
from gemini_magic.errors import UsageError
from gemini_magic.types import Message, Part

#: Documents that every model reads as text, beside ``text/...``.
_TEXTS = {
    "application/json", "application/ld+json", "application/xml", "application/yaml",
    "application/x-yaml", "application/toml", "application/javascript", "application/sql",
    "application/x-sh", "application/x-python", "application/x-ipynb+json", "application/x-ndjson",
}  # fmt: skip


def weigh(messages: Iterable[Message], dialect: Dialect) -> None:
    """Raise ``UsageError`` where the files of a prompt are more than a request may hold."""
    files = [p for m in messages for p in m.parts if p.data is not None or p.file is not None]
    total = sum(part.size for part in files)
    if total <= dialect.inline:
        return
    largest = max(files, key=lambda part: part.size)
    if len(files) == 1 or largest.size > dialect.inline:
        what = f"{name_of(largest)} has {largest.size / 1e6:.1f} MB"
    else:
        what = f"the {len(files)} files of the prompt have {total / 1e6:.1f} MB together"
    raise refused(
        f"{what}, more than the {dialect.inline / 1e6:.0f} MB that one request may hold here",
        "a google backend takes it by its Files API",
    )


def content(part: Part) -> bytes:
    """The bytes of a part with data or a file; blocks. Raises ``UsageError``."""
    if part.data is not None:
        return part.data
    file = part.file
    if file is None:
        raise ValueError("an address has no bytes here")
    try:
        with open(file.path, "rb") as opened:
            data = opened.read(file.size + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(f"cannot read {name_of(part)}: {why}; nothing was sent.") from None
    if len(data) != file.size:
        raise UsageError(
            f"{name_of(part)} has changed since the cell was read; nothing was sent.",
            "run the cell again.",
        )
    return data


def encoded(part: Part) -> str:
    """The part's bytes in base64; blocks."""
    return base64.b64encode(content(part)).decode("ascii")


def data_url(part: Part) -> str:
    return f"data:{part.mime_type};base64,{encoded(part)}"


def is_text(part: Part) -> bool:
    """Whether a part is a document that is sent as text."""
    kind = (part.mime_type or "").partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXTS


def text_of(part: Part) -> str:
    """A text document with its name around it; blocks. Raises ``UsageError``."""
    try:
        text = content(part).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{name_of(part)} is no UTF-8 text; nothing was sent.", "save it as UTF-8."
        ) from None
    name = name_of(part)
    return f"\n--- {name} ---\n{text}\n--- end of {name} ---\n"


def name_of(part: Part) -> str:
    """The file's name, without its folder; made up from the type where it has none."""
    given = part.name or (part.file.path if part.file else "")
    name = " ".join(given.replace("\\", "/").rpartition("/")[2].split())
    if name:
        return name[:120]
    kind = part.mime_type or "application/octet-stream"
    return f"file{mimetypes.guess_extension(kind, strict=False) or '.bin'}"
