"""Turns the value of a placeholder into a part of a message: text, or a picture, sound or file."""

from __future__ import annotations

import io
import mimetypes
from pathlib import Path
from typing import Any

from gemini_magic.errors import PlaceholderError
from gemini_magic.types import Part

#: The most bytes that are sent within a request (Gemini's whole request may have 20 MB).
MAX_INLINE = 14_000_000

#: The modes that Pillow writes as PNG; others (CMYK, YCbCr, LAB, HSV, I, F) are made RGB.
_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")

#: The kinds of file that are sent as data.
_SENT = ("image/", "audio/", "video/", "application/pdf")

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
)


def part_of(value: Any) -> Part:
    """The part that stands for a Python object.

    Pictures (PIL, matplotlib, uint8 arrays of shape (height, width, 3 or 4)), IPython's
    ``Image``, ``Audio`` and ``Video`` and files named by a ``pathlib.Path`` become data,
    DataFrames become CSV, and all else becomes ``str(value)``. Raises ``PlaceholderError`` where
    a file cannot be read or is too large.
    """
    if isinstance(value, Part):
        return value
    if isinstance(value, str):
        return Part(text=value)
    if isinstance(value, Path):
        return _file(value)
    if (data := _picture(value)) is not None:
        return _data(data, "image/png", type(value).__name__)
    if (shown := _displayed(value)) is not None:
        return shown
    if _is_a(value, "pandas", "DataFrame", "Series"):
        return Part(text=value.to_csv())
    return Part(text=str(value))


def mime_type(data: bytes, name: str = "") -> str | None:
    """A file's type by its first bytes, else by its name; None for what is neither."""
    for signature, found in _SIGNATURES:
        if data.startswith(signature):
            return found
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in (b"M4A ", b"M4B "):
            return "audio/mp4"
        return "image/heic" if brand in (b"heic", b"heix", b"mif1", b"hevc") else "video/mp4"
    return mimetypes.guess_type(name)[0]


def _file(path: Path) -> Part:
    try:
        size = path.stat().st_size
        if size > MAX_INLINE:
            raise PlaceholderError(
                f"{path.name} has {size / 1e6:.1f} MB, more than the {MAX_INLINE / 1e6:.0f} MB "
                "that fit into a request; nothing was sent."
            )
        data = path.read_bytes()
    except OSError as error:
        raise PlaceholderError(
            f"cannot read {path}: {error.strerror or error}; nothing was sent."
        ) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and "\0" not in text and not data.startswith(b"%PDF-"):
        return Part(text=text)
    found = mime_type(data, path.name)
    if found is None or not found.startswith(_SENT):
        raise PlaceholderError(
            f"{path.name} is no picture, PDF, audio, video or UTF-8 text; nothing was sent."
        )
    return _data(data, found, path.name)


def _data(data: bytes, found: str, what: str) -> Part:
    if len(data) > MAX_INLINE:
        raise PlaceholderError(
            f"{what} has {len(data) / 1e6:.1f} MB, more than the {MAX_INLINE / 1e6:.0f} MB "
            "that fit into a request; nothing was sent."
        )
    return Part(data=data, mime_type=found)


def _picture(value: Any) -> bytes | None:
    """The value as a PNG, if it is a picture of a well-known library."""
    buffer = io.BytesIO()
    if _is_a(value, "PIL", "Image"):
        if value.mode not in _PNG_MODES:
            value = value.convert("RGB")
        value.save(buffer, format="PNG")
    elif _is_a(value, "matplotlib", "Figure"):
        value.savefig(buffer, format="png", bbox_inches="tight")
    elif _is_a(value, "numpy", "ndarray") and str(value.dtype) == "uint8" and value.ndim == 3:
        if value.shape[2] not in (3, 4):
            return None
        try:
            from PIL import Image
        except ImportError:
            raise PlaceholderError(
                "sending an array as a picture needs Pillow; nothing was sent.",
                "run: pip install pillow",
            ) from None
        Image.fromarray(value).save(buffer, format="PNG")
    else:
        return None
    return buffer.getvalue()


def _displayed(value: Any) -> Part | None:
    """What IPython's ``Image``, ``Audio`` or ``Video`` object shows."""
    if not _is_a(value, "IPython", "Image", "Audio", "Video"):
        return None
    data = getattr(value, "data", None)
    if not isinstance(data, bytes):
        return None
    found = mime_type(data) or getattr(value, "mimetype", None)
    return _data(data, found or "application/octet-stream", type(value).__name__)


def _is_a(value: Any, package: str, *names: str) -> bool:
    """Whether a base class of the value has one of these names in that package (no import)."""
    return any(
        cls.__name__ in names and cls.__module__.partition(".")[0] == package
        for cls in type(value).__mro__
    )
