"""What kind of file some bytes are the beginning of: by their content, never by a name alone."""

from __future__ import annotations

from typing import NamedTuple

#: How many bytes of a file's beginning are enough.
HEAD = 1 << 16

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"ADIF", "audio/aac"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/wmv"),
)
#: The forms of RIFF and IFF.
_FORMS = {
    b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/avi",
    b"AIFF": "audio/aiff", b"AIFC": "audio/aiff",
}  # fmt: skip
#: The brands of ISO's base media files that are no film. Source: https://mp4ra.org/registered-types/brands
_BRANDS = {
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "), "audio/mp4"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"
    ),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    b"qt  ": "video/mov",
}
#: Brands that say only that it is a picture; what stands beside them says which.
_ANY_PICTURE = (b"mif1", b"mif2", b"msf1", b"miaf")

#: The sizes of the header of a BMP that there are.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


class Refused(NamedTuple):
    """A kind of file that no service reads: what it is, and what to send instead."""

    what: str
    instead: str


_WORD = Refused("a word processor's document", "Save it as PDF, and send that.")
_SHEET = Refused("a spreadsheet", "Read it with pandas.read_excel, and send the DataFrame.")
_SLIDES = Refused("a presentation", "Save it as PDF, and send that.")
_OFFICE = Refused("an Office document", "Save it as PDF, and send that.")
_ARCHIVE = Refused("an archive", "Unpack it, and send what is in it.")

#: What the beginning of a ZIP file holds if it is a document.
_ZIPPED = (
    (b"word/", _WORD),
    (b"xl/", _SHEET),
    (b"ppt/", _SLIDES),
    (b"opendocument.text", _WORD),
    (b"opendocument.spreadsheet", _SHEET),
    (b"opendocument.presentation", _SLIDES),
    (b"[Content_Types].xml", _OFFICE),
)
_PACKED = (
    b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!",
    b"\x28\xb5\x2f\xfd",
)  # fmt: skip


def media_type(head: bytes, name: str = "") -> str | None:
    """The type of the picture, sound, film or PDF that begins with these bytes; else None.

    ``name`` is asked only where the same container holds sound and films. The names of the types
    are those of Google's documentation. Text may look like a type of few letters ("ID3"), so
    whoever has all of the bytes asks ``text`` first.
    """
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head[:4] in (b"RIFF", b"FORM"):
        return _FORMS.get(head[8:12])
    if head[:4] == b"OggS":
        return "video/ogg" if b"\x80theora" in head[:512] else "audio/ogg"
    if head[:4] == b"\x1aE\xdf\xa3":
        sound = name.lower().endswith((".weba", ".mka"))
        kind = "webm" if b"webm" in head[:128] else "x-matroska"
        return f"{'audio' if sound else 'video'}/{kind}"
    if head[4:8] == b"ftyp":
        return _iso(head, name)
    if head[4:8] in (b"moov", b"mdat", b"wide"):  # QuickTime before it had brands
        return "video/mov"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    return _frames(head)


def text(data: bytes) -> str | None:
    """The text that the bytes are, in UTF-8, or in UTF-16 or UTF-32 with its mark; else None."""
    if data.startswith(b"%PDF-"):
        return None
    encoding = "utf-8-sig"
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        encoding = "utf-32"
    elif data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        found = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in found else found


def refused(head: bytes) -> Refused | None:
    """Whether these bytes begin a file that people send and no service reads."""
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _OFFICE
    if head.startswith(b"PK\3\4"):
        return next((kind for mark, kind in _ZIPPED if mark in head), _ARCHIVE)
    return _ARCHIVE if head.startswith(_PACKED) else None


def _iso(head: bytes, name: str) -> str:
    """The type of an ISO base media file, by its brand, or by those that it is compatible with."""
    brand = head[8:12]
    if brand in _ANY_PICTURE:
        end = min(int.from_bytes(head[:4], "big"), len(head))
        others = [head[start : start + 4] for start in range(16, end, 4)]
        return next((_BRANDS[one] for one in others if one in _BRANDS), "image/heif")
    if brand in _BRANDS:
        return _BRANDS[brand]
    if brand[:2] == b"3g":
        return "video/3gpp"
    return "audio/mp4" if name.lower().endswith((".m4a", ".m4b")) else "video/mp4"


def _frames(head: bytes) -> str | None:
    """Sound that is nothing but frames: MPEG layer II or III, or AAC (ADTS)."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac" if head[2] >> 2 & 0xF < 13 else None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, sampling = head[2] >> 4, head[2] >> 2 & 3
    if head[1] & 0xE0 == 0xE0 and version != 1 and layer in (1, 2) and rate != 15 and sampling != 3:
        return "audio/mpeg"
    return None
