"""What the bytes of a picture, sound or film really are, before anyone decodes or shows them.

A type is told by the first bytes; what a service says of it counts only where they tell nothing.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from gemini_magic.errors import GeminiMagicError, MissingExtra, UsageError
from gemini_magic.media import HEAD, media_type

#: The most bytes and pixels of a picture that is shown or decoded (64 megapixels: 256 MB decoded).
MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000

#: The pictures that are decoded, by what Pillow calls them.
_FORMATS = {
    "image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP",
    "image/avif": "AVIF",
}  # fmt: skip
_SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
    "image/avif": ".avif", "image/heic": ".heic", "image/svg+xml": ".svg",
    "audio/wav": ".wav", "audio/mpeg": ".mp3", "audio/ogg": ".ogg",
    "audio/flac": ".flac", "audio/mp4": ".m4a", "audio/aac": ".aac", "video/mp4": ".mp4",
    "video/webm": ".webm",
}  # fmt: skip
#: Films that browsers play by another name.
_PLAYED_AS = {
    "video/mov": "video/mp4", "video/3gpp": "video/mp4", "video/x-matroska": "video/webm",
}  # fmt: skip
_SVG = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.S | re.I
)
_EXTENTS = re.compile(rb"ispe\0\0\0\0(.{8})", re.S)
_HEAD_OF_HEIF = 100_000
_RAW_SOUND = re.compile(r"audio/(?:l16|pcm)\b(?:.*?\brate=(\d+))?(?:.*?\bchannels=(\d+))?", re.I)


class Media(NamedTuple):
    """A picture, sound or film that is what it says. ``kind`` is picture, sound or film.

    ``data`` are its bytes as a file holds them. Width and height are pixels, 0 where unknown.
    """

    kind: str
    mime_type: str
    data: bytes
    width: int = 0
    height: int = 0

    @property
    def suffix(self) -> str:
        """What its file's name ends with."""
        return _SUFFIXES[self.mime_type]

    @property
    def label(self) -> str:
        """A few words: "picture 1024x1024", "sound, 1.2 MB"."""
        if self.width:
            return f"{self.kind} {self.width}x{self.height}"
        return f"{self.kind}, {amount(len(self.data))}"


class Unshowable(Exception):
    """These bytes are not shown; the message says why, in a few words."""


def look(data: bytes, mime_type: str) -> Media:
    """What these bytes are, which a service calls ``mime_type``. Raises ``Unshowable``."""
    said = mime_type.partition(";")[0].strip().lower()
    found = _told(data)
    if found is None and (raw := _RAW_SOUND.match(mime_type)):
        return Media("sound", "audio/wav", wav(data, int(raw[1] or 24_000), int(raw[2] or 1)))
    if found is None:
        kind = said.partition("/")[0]
        what = {"image": "picture", "audio": "sound", "video": "film"}.get(kind)
        problem = f"no {what} that is known" if what else "a file that is not shown"
        raise Unshowable(f"{problem} ({_words(said)}, {amount(len(data))})")
    if found.startswith("image/"):
        return _picture(data, found)
    if (said == "audio/webm" and found == "video/webm") or said == "audio/mp4" == found:
        return Media("sound", found, data)
    return Media("film" if found.startswith("video/") else "sound", found, data)


def pil(data: bytes, mime_type: str) -> Any:
    """A picture as a ``PIL.Image.Image``, decoded.

    Raises ``UsageError`` for what is none or too large, ``MissingExtra`` without Pillow.
    """
    try:
        seen = look(data, mime_type)
        if not _decodes(seen.mime_type):
            raise Unshowable(f"a {seen.kind} ({seen.mime_type}) that Pillow is not given")
        image = _opened(seen.data, seen.mime_type)
        if image is None:
            raise MissingExtra("pillow", "all")
        image.load()
    except Unshowable as problem:
        raise UsageError(f"this is {problem}.", "Its bytes are in part.data.") from None
    except GeminiMagicError:
        raise
    except Exception as problem:  # Pillow raises whatever a broken file leads it to
        raise UsageError(
            f"this is a picture that cannot be decoded: {problem}.",
            "Its bytes are in part.data.",
        ) from None
    return image


def decoded(pictures: Iterable[tuple[bytes, str]]) -> tuple[Any, ...]:
    """Those of these pictures that can be decoded. Raises ``MissingExtra`` without Pillow."""
    found = []
    for data, mime_type in pictures:
        with suppress(UsageError):
            found.append(pil(data, mime_type))
    return tuple(found)


def thumbnail(data: bytes, side: int) -> bytes | None:
    """A PNG of at most ``side`` x ``side`` pixels; None where there is no picture or no Pillow."""
    try:
        seen = look(data, "image/png")
        image = _opened(seen.data, seen.mime_type) if _decodes(seen.mime_type) else None
        if image is None:
            return None
        image.draft("RGB", (side, side))  # a JPEG is decoded at a fraction of its size
        image.thumbnail((side, side))
        kept = io.BytesIO()
        (image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGBA")).save(kept, "PNG")
        return kept.getvalue()
    except Exception:
        return None


def amount(count: int) -> str:
    """A number of bytes for people: 999 bytes, 12 kB, 1.5 MB."""
    if count >= 1_000_000:
        return f"{count / 1e6:,.1f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1_000 else f"{count} bytes"


def _words(text: str) -> str:
    return re.sub(r"[^\w./+-]", "", text)[:40] or "unknown"


def _told(data: bytes) -> str | None:
    """The type that the first bytes tell, where browsers show it."""
    found = media_type(data[:HEAD])
    found = _PLAYED_AS.get(found or "", found)
    if found in _SUFFIXES:
        return found
    return "image/svg+xml" if found is None and _SVG.match(data[:4096]) else None


def _picture(data: bytes, found: str) -> Media:
    if len(data) > MAX_BYTES:
        raise Unshowable(f"a picture of {amount(len(data))}, too large to show")
    if found == "image/svg+xml":
        return Media("picture", found, data)
    try:
        width, height = _SIZES[found](data)
    except (struct.error, IndexError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise Unshowable(f"no picture that can be read ({found}, {amount(len(data))})")
    if width * height > MAX_PIXELS:
        raise Unshowable(f"a picture of {width}x{height} pixels, too large to show")
    try:
        if _decodes(found) and (image := _opened(data, found)) is not None:
            image.verify()
    except Unshowable:
        raise
    except Exception:
        raise Unshowable(f"no picture that can be read ({found}, {amount(len(data))})") from None
    return Media("picture", found, data, width, height)


def _decodes(found: str) -> bool:
    """Whether Pillow, where it is there, reads this kind: AVIF not everywhere, HEIC never."""
    if found != "image/avif":
        return found in _FORMATS
    try:
        from PIL import features
    except ImportError:
        return False
    return bool(features.check("avif"))


def _opened(data: bytes, found: str) -> Any:
    """The picture as Pillow opens it, not decoded yet; None without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        return None
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of decompression bombs: there is a limit of our own
        image = Image.open(io.BytesIO(data), formats=[_FORMATS[found]])
    if image.width * image.height > MAX_PIXELS:
        raise Unshowable(f"a picture of {image.width}x{image.height} pixels, too large to show")
    return image


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    """Of the first frame. Source: ITU-T T.81, annex B."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    """Source: RFC 9649, sections 2.5 to 2.7."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind != b"VP8 ":
        raise ValueError
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _heif(data: bytes) -> tuple[int, int]:
    """The largest of the sizes that AVIF and HEIC note: a picture's, its tiles', its thumbnail's.

    Source: ISO/IEC 23008-12, ImageSpatialExtentsProperty.
    """
    found = [struct.unpack(">II", one[1]) for one in _EXTENTS.finditer(data[:_HEAD_OF_HEIF])]
    return max(found, key=lambda size: size[0] * size[1])


_SIZES = {
    "image/png": _png, "image/jpeg": _jpeg, "image/gif": _gif, "image/webp": _webp,
    "image/avif": _heif, "image/heic": _heif,
}  # fmt: skip


def wav(samples: bytes, rate: int, channels: int = 1) -> bytes:
    """16-bit samples, little-endian, as a WAV file; ``rate`` in Hz.

    Gemini's speech comes so, as ``audio/L16;codec=pcm;rate=24000``.
    Source: https://ai.google.dev/gemini-api/docs/speech-generation
    """
    rate, channels = min(max(rate, 1), 768_000), min(max(channels, 1), 16)
    samples = samples[: len(samples) // (2 * channels) * 2 * channels]
    shape = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16)
    return head + shape + struct.pack("<4sI", b"data", len(samples)) + samples
