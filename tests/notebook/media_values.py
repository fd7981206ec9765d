"""Small pictures and sounds, real ones and others."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from typing import Any

from PIL import Image

from gemini_magic.types import Part


def picture(form: str = "PNG", size: tuple[int, int] = (32, 20), **more: Any) -> bytes:
    """A picture with some colours in it."""
    image = Image.radial_gradient("L").resize(size).convert(more.pop("mode", "RGB"))
    kept = io.BytesIO()
    image.save(kept, form, **more)
    return kept.getvalue()


def png(size: tuple[int, int] = (32, 20)) -> Part:
    return Part(data=picture("PNG", size), mime_type="image/png")


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that says it is huge."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    rows = zlib.compress(b"\0" * 1_000)
    ends = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + ends


def wav(seconds: float = 0.1, rate: int = 8_000) -> bytes:
    kept = io.BytesIO()
    with wave.open(kept, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack("<h", 500) * int(seconds * rate))
    return kept.getvalue()


#: What begins as a HEIC of 64x48 pixels does; nothing here can decode one.
HEIC = (
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", 16, 16)
    + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", 64, 48)
)  # fmt: skip
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
