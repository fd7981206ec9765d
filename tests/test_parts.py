"""What becomes of the value of a placeholder: text, or data with its type."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest

from gemini_magic import parts
from gemini_magic.errors import PlaceholderError
from gemini_magic.parts import mime_type, part_of
from gemini_magic.types import Part, Reply

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
WAV = b"RIFF\0\0\0\0WAVEfmt "


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def of_package(package: str, name: str, **members: Any) -> Any:
    """An object whose class says that it is of a package (which need not be installed)."""
    cls = types.new_class(name, (), {}, lambda body: body.update(members))
    cls.__module__ = f"{package}.inner"
    return types.new_class("Derived", (cls,))()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a {{ b }}", "a {{ b }}"),
        ("", ""),
        (1, "1"),
        (None, "None"),
        (["a"], "['a']"),
        (b"x", "b'x'"),
        (Reply("an earlier answer"), "an earlier answer"),
    ],
)
def test_text(value: object, text: str) -> None:
    assert part_of(value) == Part(text=text)


def test_a_part_stays_as_it_is() -> None:
    part = Part(data=b"x", mime_type="image/png")
    assert part_of(part) is part


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (PNG, "", "image/png"),
        (b"\xff\xd8\xff\xe0", "x.png", "image/jpeg"),
        (b"GIF89a", "", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "", "image/webp"),
        (WAV, "x.bin", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", "x.avi", None),
        (b"%PDF-1.7", "", "application/pdf"),
        (b"ID3\4", "", "audio/mpeg"),
        (b"OggS", "", "audio/ogg"),
        (b"fLaC", "", "audio/flac"),
        (b"\0\0\0\x18ftypheic", "", "image/heic"),
        (b"\0\0\0\x18ftypmif1", "", "image/heic"),
        (b"\0\0\0\x18ftypM4A ", "x.m4a", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "", "video/mp4"),
        (b"\xff\xfb\x90", "x.mp3", "audio/mpeg"),
        (b"\x1aE\xdf\xa3", "x.webm", "video/webm"),
        (b"\x00\x01", "x", None),
        (b"", "", None),
    ],
)
def test_the_type_of_data(data: bytes, name: str, wanted: str | None) -> None:
    assert mime_type(data, name) == wanted


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("a.txt", "größe\r\n{{ x }}".encode(), Part(text="größe\r\n{{ x }}")),
        ("a.svg", b"<svg/>", Part(text="<svg/>")),
        ("empty", b"", Part(text="")),
        ("a.png", PNG, Part(data=PNG, mime_type="image/png")),
        ("a.dat", WAV, Part(data=WAV, mime_type="audio/wav")),
        ("a.pdf", b"%PDF-1.7\n", Part(data=b"%PDF-1.7\n", mime_type="application/pdf")),
    ],
)
def test_a_file(tmp_path: Path, name: str, data: bytes, wanted: Part) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert part_of(path) == wanted


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", b"PK\3\4\xff"),
        ("latin1.txt", b"gr\xf6\xdfe"),
        ("x.bin", b"\0\xff"),
        ("nul", b"a\0"),
    ],
)
def test_a_file_that_no_model_reads(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PlaceholderError, match=rf"{name} is no picture.*nothing was sent"):
        part_of(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(PlaceholderError, match=r"cannot read .*; nothing was sent"):
            part_of(path)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(PNG)
    monkeypatch.setattr(parts, "MAX_INLINE", len(PNG))
    assert part_of(path).data == PNG
    monkeypatch.setattr(parts, "MAX_INLINE", len(PNG) - 1)
    with pytest.raises(PlaceholderError, match=r"x.png has 0.0 MB.*nothing was sent"):
        part_of(path)
    image = of_package("IPython", "Image", data=PNG)
    with pytest.raises(PlaceholderError, match="Derived has"):
        part_of(image)


def test_ipythons_objects() -> None:
    from IPython.display import Audio, Image

    assert part_of(Image(data=PNG)) == Part(data=PNG, mime_type="image/png")
    assert part_of(Audio(data=WAV)) == Part(data=WAV, mime_type="audio/wav")
    odd = of_package("IPython", "Video", data=b"?", mimetype="video/x-odd")
    assert part_of(odd) == Part(data=b"?", mime_type="video/x-odd")
    assert part_of(of_package("IPython", "Audio", data=b"?")).mime_type == (
        "application/octet-stream"
    )


def test_objects_of_packages_are_known_by_their_class_and_nothing_is_imported() -> None:
    frame = of_package("pandas", "DataFrame", to_csv=lambda self: ",a\n0,1\n")
    assert part_of(frame) == Part(text=",a\n0,1\n")
    figure = of_package(
        "matplotlib", "Figure", savefig=lambda self, file, **_: file.write(PNG) and None
    )
    assert part_of(figure) == Part(data=PNG, mime_type="image/png")
    other = of_package("mypandas", "DataFrame", __str__=lambda self: "mine")
    assert part_of(other) == Part(text="mine")


@needs("PIL")
@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "I", "F", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_pictures_of_pillow(mode: str) -> None:
    from PIL import Image

    part = part_of(Image.new(mode, (2, 2)))
    assert part.mime_type == "image/png" and (part.data or b"").startswith(PNG[:8])


@needs("PIL")
@needs("numpy")
def test_arrays() -> None:
    import numpy as np

    for depth in (3, 4):
        part = part_of(np.zeros((2, 2, depth), "uint8"))
        assert part.mime_type == "image/png"
    for array in (np.zeros((2, 2), "uint8"), np.zeros((2, 2, 3)), np.zeros((2, 2, 5), "uint8")):
        assert part_of(array) == Part(text=str(array))


@needs("pandas")
def test_frames() -> None:
    import pandas as pd

    assert part_of(pd.DataFrame({"a": [1]})) == Part(text=",a\n0,1\n")
    assert part_of(pd.Series([1], name="s")) == Part(text=",s\n0,1\n")


@needs("matplotlib")
def test_figures() -> None:
    from matplotlib.figure import Figure

    part = part_of(Figure())
    assert part.mime_type == "image/png" and (part.data or b"").startswith(PNG[:8])
