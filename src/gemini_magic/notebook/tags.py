"""Text about a file within the file: PNG, JPEG, WebP and WAV, without touching its content.

PNG takes an iTXt chunk, JPEG and WebP XMP, WAV a comment in a LIST INFO chunk. What is signed
(C2PA) or has such text already is left as it is; the caller then writes it beside the file.
"""

from __future__ import annotations

import html
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: The most bytes of text that are read.
LARGEST = 1_000_000
_KEYWORD = b"gemini_magic"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:gm="https://pypi.org/project/gemini-magic/" xmp:CreatorTool="{software}">'
    "<gm:run>{text}</gm:run></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)
_RUN = re.compile(r"<gm:run>([^<]*)</gm:run>")


def write(data: bytes, mime_type: str, text: str, said: Mapping[str, Any]) -> bytes | None:
    """The file with the text in it; None for a file that cannot take it.

    ``said`` are its values: the prompt and the software have names of their own in PNG.
    """
    try:
        match mime_type:
            case "image/png":
                return _png(data, text, said)
            case "image/jpeg":
                return _jpeg(data, _packet(text, said))
            case "image/webp":
                return _webp(data, _packet(text, said))
            case "audio/wav":
                return _wav(data, text, said)
    except (struct.error, ValueError, IndexError):
        pass
    return None


def read(path: Path) -> str | None:
    """The text in a file; None where there is none. Raises OSError and ValueError."""
    with path.open("rb") as file:
        head = file.read(16)
        if head.startswith(b"\x89PNG"):
            file.seek(8)
            while len(start := file.read(8)) == 8:
                size, kind = struct.unpack(">I4s", start)
                if kind == b"iTXt" and size <= LARGEST:
                    body = file.read(size)
                    if body.startswith(_KEYWORD + b"\0\0\0\0\0"):
                        return body[len(_KEYWORD) + 5 :].decode("utf-8")
                    file.seek(4, 1)
                elif kind == b"IDAT":  # ours stands before
                    return None
                else:
                    file.seek(size + 4, 1)
        elif head.startswith(b"\xff\xd8"):
            file.seek(2)
            while len(start := file.read(4)) == 4 and start[0] == 0xFF and start[1] != 0xDA:
                body = file.read(int.from_bytes(start[2:4], "big") - 2)
                if start[1] == 0xE1 and body.startswith(_XMP):
                    return _run(body[len(_XMP) :])
        elif head[:4] == b"RIFF":
            file.seek(12)
            while len(start := file.read(8)) == 8:
                kind, size = struct.unpack("<4sI", start)
                if kind in (b"XMP ", b"LIST") and size <= LARGEST:
                    body = file.read(size)
                    file.seek(size & 1, 1)
                    if (found := _run(body) if kind == b"XMP " else _comment(body)) is not None:
                        return found
                else:
                    file.seek(size + (size & 1), 1)
    return None


def _packet(text: str, said: Mapping[str, Any]) -> bytes:
    software = html.escape(str(said.get("software", "")))
    # XML has no control characters; JSON writes those that matter as escapes anyway.
    text = re.sub(r"[\x00-\x1f\ufffe\uffff]", " ", text)
    return _PACKET.format(software=software, text=html.escape(text)).encode()


def _run(packet: bytes) -> str | None:
    found = _RUN.search(packet.decode("utf-8"))
    return html.unescape(found[1]) if found else None


def _png(data: bytes, text: str, said: Mapping[str, Any]) -> bytes | None:
    end = 8 + 12 + int.from_bytes(data[8:12], "big")  # after IHDR
    if b"caBX" in data[end : end + 65_536] or _KEYWORD + b"\0" in data[end : end + 65_536]:
        return None
    texts = (
        (_KEYWORD, text),
        (b"Description", str(said.get("prompt", ""))),
        (b"Software", str(said.get("software", ""))),
    )
    chunks = b"".join(
        _png_chunk(b"iTXt", keyword + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))
        for keyword, value in texts
    )
    return data[:end] + chunks + data[end:]


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _jpeg(data: bytes, packet: bytes) -> bytes | None:
    body = _XMP + packet
    if len(body) > 65_533:
        return None
    at = 2
    while data[at] == 0xFF and 0xE0 <= data[at + 1] <= 0xEF:  # the applications' segments
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xEB or data.startswith(_XMP, at + 4):
            return None
        at += 2 + size
    return data[:at] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[at:]


def _webp(data: bytes, packet: bytes) -> bytes | None:
    """Source: RFC 9649, section 2.7."""
    chunks = list(_riff(data))
    kinds = [kind for kind, _ in chunks]
    if b"XMP " in kinds or b"C2PA" in kinds:
        return None
    if kinds[0] == b"VP8X":
        flags = chunks[0][1]
        chunks[0] = (b"VP8X", bytes([flags[0] | 0x04]) + flags[1:])
    else:
        from gemini_magic.pictures import look

        seen = look(data, "image/webp")
        alpha = kinds[0] == b"VP8L" and chunks[0][1][4] & 0x10
        size = (seen.width - 1).to_bytes(3, "little") + (seen.height - 1).to_bytes(3, "little")
        chunks.insert(0, (b"VP8X", bytes([0x04 | (0x10 if alpha else 0), 0, 0, 0]) + size))
    return _riff_file(b"WEBP", [*chunks, (b"XMP ", packet)])


def _wav(data: bytes, text: str, said: Mapping[str, Any]) -> bytes | None:
    chunks = list(_riff(data))
    if any(kind == b"LIST" and body[:4] == b"INFO" for kind, body in chunks):
        return None
    entries = ((b"ICMT", text), (b"ISFT", str(said.get("software", ""))))
    info = b"".join(_riff_chunk(kind, value.encode() + b"\0") for kind, value in entries)
    return _riff_file(b"WAVE", [*chunks, (b"LIST", b"INFO" + info)])


def _comment(body: bytes) -> str | None:
    if body[:4] == b"INFO":
        at = 4
        while at + 8 <= len(body):
            kind, size = struct.unpack("<4sI", body[at : at + 8])
            if kind == b"ICMT":
                return body[at + 8 : at + 8 + size].rstrip(b"\0").decode("utf-8")
            at += 8 + size + (size & 1)
    return None


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file. Raises ValueError where its sizes do not fit it."""
    if int.from_bytes(data[4:8], "little") + 8 not in (len(data), len(data) - 1):
        raise ValueError("no whole RIFF file")
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[at : at + 8])
        if at + 8 + size > len(data):
            raise ValueError("no whole RIFF file")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _riff_file(kind: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = kind + b"".join(_riff_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
