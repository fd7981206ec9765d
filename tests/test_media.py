"""What a file is, by its first bytes; and what only looks like one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import media
from gemini_magic.media import media_type, refused, text


def iso(brand: bytes, *others: bytes) -> bytes:
    return (16 + 4 * len(others)).to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + b"".join(others)


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (b"\x89PNG\r\n\x1a\n", "x.jpg", "image/png"),
        (b"\x89PNG", "x.png", None),
        (b"\xff\xd8\xff\xe0", "x.png", "image/jpeg"),
        (b"GIF89a", "", "image/gif"),
        (b"GIF88a", "x.gif", None),
        (b"RIFF\0\0\0\0WEBPVP8 ", "", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "x.bin", "audio/wav"),
        (b"RIFF\0\0\0\0AVI LIST", "", "video/avi"),
        (b"RIFF\0\0\0\0ACON", "x.ani", None),
        (b"FORM\0\0\0\0AIFFCOMM", "", "audio/aiff"),
        (b"%PDF-1.7", "", "application/pdf"),
        (b"II*\0\x08", "", "image/tiff"),
        (b"MM\0*\0", "", "image/tiff"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "", "image/bmp"),
        (b"BMW is a car, not a picture", "x.bmp", None),
        (b"ID3\4\0", "", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "x.mp3", "audio/mpeg"),
        (b"\xff\xf3\x90\x64", "", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "", "audio/aac"),
        (b"\xff\xf1\xf4\x80", "", None),
        (b"\xff\xfb\xf0\x00", "", None),
        (b"\xff\xfb\x9c\x00", "", None),
        (b"\xff\xeb\x90\x00", "", None),
        (b"\xff\xfe<\0a\0", "x.html", None),  # UTF-16, and no sound
        (b"\xff\xff\xff\xff", "", None),
        (b"OggS\0\2", "", "audio/ogg"),
        (b"OggS\0\2" + bytes(22) + b"\x80theora", "", "video/ogg"),
        (b"fLaC\0", "", "audio/flac"),
        (iso(b"heic"), "", "image/heic"),
        (iso(b"mif1", b"mif1", b"heic"), "", "image/heic"),
        (iso(b"mif1", b"miaf"), "", "image/heif"),
        (iso(b"avif"), "x.mp4", "image/avif"),
        (iso(b"mif1", b"avif"), "", "image/avif"),
        (b"\xff\xff\xff\xffftypmif1", "", "image/heif"),
        (iso(b"M4A "), "x.mp4", "audio/mp4"),
        (iso(b"isom"), "x.m4a", "audio/mp4"),
        (iso(b"isom"), "", "video/mp4"),
        (iso(b"qt  "), "", "video/mov"),
        (b"\0\0\0\x08wide", "", "video/mov"),
        (iso(b"3gp4"), "", "video/3gpp"),
        (b"\x1aE\xdf\xa3\x9fB\x82\x84webm", "", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x82\x84webm", "x.weba", "audio/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x82\x88matroska", "", "video/x-matroska"),
        (b"\0\0\x01\xba\x44", "", "video/mpeg"),
        (b"\0\0\x01\xb3\x14", "", "video/mpeg"),
        (b"\0\0\x01\0", "x.ico", None),
        (b"FLV\x01\5", "", "video/x-flv"),
        (b"<svg/>", "x.svg", None),
        (b"\x00\x01", "x.png", None),
        (b"", "x.png", None),
    ],
)
def test_the_type_of_data(data: bytes, name: str, wanted: str | None) -> None:
    assert media_type(data, name) == wanted


def test_the_type_of_what_pillow_writes() -> None:
    from PIL import Image, features

    forms = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]
    forms += ["AVIF"] * bool(features.check("avif"))
    for form in forms:
        buffer = io.BytesIO()
        Image.new("RGB", (9, 9)).save(buffer, format=form)
        assert media_type(buffer.getvalue()) == f"image/{form.lower()}"
        assert text(buffer.getvalue()) is None


@given(st.binary(max_size=64))
def test_nothing_makes_it_fail(data: bytes) -> None:
    media_type(data), text(data), refused(data)
    for head in (b"\0\0\0\x40ftypmif1", b"\xff\xfb", b"RIFF", b"\x1aE\xdf\xa3", b"BM", b"PK\3\4"):
        media_type(head + data), text(head + data), refused(head + data)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_is_text(said: str) -> None:
    if not said.startswith(("%PDF-", "\ufeff")):
        assert text(said.encode()) == said
        assert text(said.encode("utf-8-sig")) == said
        assert text(said.encode("utf-16")) == said
        assert text(said.encode("utf-32")) == said


def test_what_is_no_text() -> None:
    for data in (b"a\0b", b"\xff", "größe".encode("latin-1"), b"%PDF-1.4 all ASCII", b"\xff\xfea"):
        assert text(data) is None


def test_files_that_people_send_and_no_service_reads() -> None:
    import zipfile

    wanted = {
        "word/document.xml": "word", "xl/workbook.xml": "spreadsheet", "ppt/x.xml": "presentation",
        "[Content_Types].xml": "Office", "notes.txt": "archive",
    }  # fmt: skip
    for name, word in wanted.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, "x" * 100)
        kind = refused(buffer.getvalue())
        assert kind is not None and word in kind.what and kind.instead
    old = refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    assert old is not None and "Office" in old.what
    assert refused(b"\x1f\x8b\x08") == media.refused(b"BZh9")
    assert refused(b"\x89PNG") is None
