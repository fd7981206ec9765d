"""What the bytes of pictures, sounds and films are taken for."""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import pictures
from gemini_magic.errors import UsageError
from gemini_magic.pictures import Unshowable, look, pil, thumbnail
from gemini_magic.types import Part
from tests.notebook.media_values import HEIC, MP4, SVG, bomb, picture, png, wav


@pytest.mark.parametrize(
    ("data", "said", "kind", "found", "size"),
    [
        (picture("PNG"), "image/png", "picture", "image/png", (32, 20)),
        (picture("PNG", mode="RGBA"), "image/jpeg", "picture", "image/png", (32, 20)),
        (picture("JPEG"), "image/png", "picture", "image/jpeg", (32, 20)),
        (picture("JPEG", progressive=True), "", "picture", "image/jpeg", (32, 20)),
        (
            picture("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
            "",
            "picture",
            "image/jpeg",
            (32, 20),
        ),
        (picture("GIF"), "image/gif", "picture", "image/gif", (32, 20)),
        (picture("WEBP"), "image/webp", "picture", "image/webp", (32, 20)),
        (picture("WEBP", lossless=True), "image/webp", "picture", "image/webp", (32, 20)),
        (picture("WEBP", exif=b"Exif\0\0"), "image/webp", "picture", "image/webp", (32, 20)),
        (picture("AVIF"), "image/avif", "picture", "image/avif", (32, 20)),
        (HEIC, "image/heic", "picture", "image/heic", (64, 48)),
        (SVG, "image/png", "picture", "image/svg+xml", (0, 0)),
        (wav(), "audio/wav", "sound", "audio/wav", (0, 0)),
        (b"ID3\x04rest", "audio/mpeg", "sound", "audio/mpeg", (0, 0)),
        (b"\xff\xfb\x90rest", "audio/mpeg", "sound", "audio/mpeg", (0, 0)),
        (b"OggSrest", "audio/ogg", "sound", "audio/ogg", (0, 0)),
        (MP4, "video/mp4", "film", "video/mp4", (0, 0)),
        (b"\x1aE\xdf\xa3rest", "video/webm", "film", "video/webm", (0, 0)),
    ],
)
def test_a_type_is_told_by_the_bytes(
    data: bytes, said: str, kind: str, found: str, size: tuple[int, int]
) -> None:
    seen = look(data, said or "x/y")
    assert (seen.kind, seen.mime_type, (seen.width, seen.height)) == (kind, found, size)
    assert seen.suffix.startswith(".") and seen.data is data


def test_what_pillow_cannot_decode_is_kept_and_not_drawn() -> None:
    with pytest.raises(UsageError, match="Pillow is not given"):
        pil(HEIC, "image/heic")
    assert thumbnail(HEIC, 50) is None
    image = pil(picture("AVIF"), "image/avif")
    assert image.size == (32, 20)
    small = thumbnail(picture("AVIF"), 16)
    assert small is not None and look(small, "").width == 16


def test_raw_speech_becomes_a_wav_file() -> None:
    part = Part(data=b"\x01\x00" * 2400 + b"!", mime_type="audio/L16;codec=pcm;rate=24000")
    seen = look(part.data or b"", part.mime_type or "")
    assert seen.mime_type == "audio/wav" and seen.kind == "sound"
    with wave.open(io.BytesIO(seen.data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.readframes(10_000) == b"\x01\x00" * 2400


@pytest.mark.parametrize(
    ("data", "mime_type", "why"),
    [
        (b"hello, I am a picture", "image/png", "no picture that is known"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "image/png", "no picture that can be read"),
        (picture("PNG")[:60], "image/png", "no picture that can be read"),
        (picture("PNG")[:70] + b"x" + picture("PNG")[71:], "image/png", "can be read"),
        (picture("JPEG")[:30], "image/jpeg", "no picture that can be read"),
        (bomb(), "image/png", "60000x60000 pixels, too large"),
        (bomb(0, 5), "image/png", "can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(pictures.MAX_BYTES), "image/png", "50.0 MB, too large"),
        (b"", "image/png", "no picture that is known"),
        (b"%PDF-1.7", "application/pdf", "not shown (application/pdf, 8 bytes)"),
        (b"<html>", "text/html\"><script>", "not shown (text/htmlscript"),
        (b"x", "audio/x", "no sound that is known"),
        (b"x", "video/x", "no film that is known"),
        (b"\0\0\0\x18ftypheic", "image/heic", "no picture that can be read"),
        (HEIC.replace(b"\0\0\0\x40", b"\x10\0\0\0"), "image/heic", "pixels, too large"),
        (picture("AVIF")[:100], "image/avif", "no picture that can be read"),
    ],
)  # fmt: skip
def test_what_is_no_picture_says_so(data: bytes, mime_type: str, why: str) -> None:
    part = Part(data=data, mime_type=mime_type)
    with pytest.raises(Unshowable) as raised:
        look(part.data or b"", part.mime_type or "")
    assert why in str(raised.value)
    with pytest.raises(UsageError, match="this is"):
        pil(part.data or b"", part.mime_type or "")
    assert thumbnail(data, 50) is None


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            *(
                picture(f)[:n]
                for f in ("PNG", "JPEG", "GIF", "WEBP")
                for n in (12, 20, 30, 100, 400)
            ),
        ]
    ),
    st.text(max_size=20),
)
def test_no_bytes_do_harm(rest: bytes, start: bytes, mime_type: str) -> None:
    part = Part(data=start + rest, mime_type=f"image/{mime_type}")
    with suppress(Unshowable):
        look(part.data or b"", part.mime_type or "")
    with suppress(UsageError):
        pil(part.data or b"", part.mime_type or "")
    thumbnail(start + rest, 10)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_become_pil_images(form: str) -> None:
    image = pil(picture(form), "image/png")
    assert image.size == (32, 20) and image.format == form
    small = thumbnail(picture(form, (400, 200)), 50)
    assert small is not None and pil(small, "image/png").size == (50, 25)


def test_only_bitmaps_become_pil_images() -> None:
    for data in (SVG, wav(), MP4):
        with pytest.raises(UsageError, match="Pillow is not given"):
            pil(data, "image/png")
    with pytest.raises(UsageError, match="a file that is not shown"):
        pil(b"", "")


def test_a_picture_is_known_without_pillow() -> None:
    code = """
import sys
sys.modules["PIL"] = None
from gemini_magic.errors import MissingExtra
from gemini_magic.pictures import look, pil, thumbnail
from gemini_magic.types import Part
part = Part(data=sys.stdin.buffer.read(), mime_type="image/png")
print(look(part.data or b"", part.mime_type or "").label, thumbnail(part.data, 10))
try:
    pil(part.data or b"", part.mime_type or "")
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], input=png().data, capture_output=True)
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "picture 32x20 None" and "pillow" in lines[1], done.stderr
