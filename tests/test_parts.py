"""What becomes of the value of a placeholder: text, or data with its type."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import parts_file, parts_picture
from gemini_magic.errors import PlaceholderError
from gemini_magic.parts import part_of, parts_of, table
from gemini_magic.parts_picture import shrunk
from gemini_magic.types import File, Part, Reply, ToolCall

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0 no more"
PDF = b"%PDF-1.7\n"
WAV = b"RIFF\0\0\0\0WAVEfmt "


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
    ("name", "data", "wanted"),
    [
        ("a.txt", "größe\r\n{{ x }}".encode(), Part(text="größe\r\n{{ x }}")),
        ("a.svg", b"<svg/>", Part(text="<svg/>")),
        ("empty", b"", Part(text="")),
        ("bom.txt", b"\xef\xbb\xbfx", Part(text="x")),
        ("wide.txt", "größe".encode("utf-16"), Part(text="größe")),
        ("a.json", b'{"a": 1}', Part(text='{"a": 1}')),
        ("a.png", b"no picture", Part(text="no picture")),  # it is sent only as what it is
        ("a.png", PNG, Part(data=PNG, mime_type="image/png", name="a.png")),
        ("a.png", JPEG, Part(data=JPEG, mime_type="image/jpeg", name="a.png")),
        ("a.dat", WAV, Part(data=WAV, mime_type="audio/wav", name="a.dat")),
        ("a.pdf", PDF, Part(data=PDF, mime_type="application/pdf", name="a.pdf")),
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
        ("cut.png", PNG[:6]),
        ("wrong.png", b"\x88PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ],
)
def test_a_file_that_no_model_reads(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PlaceholderError, match=rf"{name} is .*nothing was sent"):
        part_of(path)


@pytest.mark.parametrize("name", ["a.png", "a.PDF", "a.mp4"])
def test_an_empty_file_that_should_hold_something(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(PlaceholderError, match=f"{name} is empty; nothing was sent"):
        part_of(tmp_path / name)


def test_files_of_an_office(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "sales.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "x" * 100)
    with pytest.raises(PlaceholderError) as caught:
        part_of(path)
    assert caught.value.what == (
        "sales.xlsx is a spreadsheet, which services do not read; nothing was sent."
    )
    assert "pandas.read_excel" in caught.value.next_step


def unreadable(value: object) -> str:
    began = time.monotonic()
    with pytest.raises(PlaceholderError) as caught:
        parts_of(value)
    assert time.monotonic() - began < 5
    assert "nothing was sent" in caught.value.what
    return caught.value.what


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "missing.png", tmp_path / "loop", tmp_path / "gone",
                 tmp_path / "a\0b", tmp_path / ("x" * 5000), Path("~nobody-of-this-name/x"),
                 tmp_path / "\ud800"):  # fmt: skip
        assert unreadable(path).startswith("cannot read ")
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0)
    if not os.access(secret, os.R_OK):  # root reads it all the same
        assert "ermission" in unreadable(secret)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes of this kind here")
def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero"), Path("/dev/tty")):
            assert "it is a pipe, a socket or a device, not a file" in unreadable(path)


def test_a_home_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    (home / "notes.txt").write_text("mine")
    assert part_of(Path("~/notes.txt")) == Part(text="mine")


# --- large files ---------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as large from 100 kB on."""
    monkeypatch.setattr(parts_file, "LARGE", 100_000)


def test_a_large_file_is_named_and_not_read(tmp_path: Path, small: None) -> None:
    data = PDF + bytes(2_000_000)
    path = tmp_path / "report.bin"
    path.write_bytes(data[:100_000])
    assert part_of(path).data == data[:100_000]
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert part_of(path) == Part(
        file=File(str(path), len(data), digest), mime_type="application/pdf", name="report.bin"
    )


def test_a_large_file_is_hashed_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        part = part_of(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert part.file is not None and part.file.size == 200_000_000
    assert part.mime_type == "video/mp4"


def test_a_large_text(tmp_path: Path, small: None) -> None:
    path = tmp_path / "log"
    path.write_text("größe " * 300_000, "utf-8")  # pieces end within a character
    part = part_of(path)
    assert part.file is not None and part.mime_type == "text/plain"
    for data in (
        b"a" * 1_500_000 + b"\0",
        b"a" * 1_500_000 + b"\xc3",
        b"a" * 1_500_000 + b"\xff",
        b"PK\3\4" + bytes(200_000),
    ):
        path.write_bytes(data)
        assert unreadable(path).startswith("log is ")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, small: None) -> None:
    with pytest.raises(PlaceholderError, match="x changes while it is read; nothing was sent"):
        parts_file._large(io.BytesIO(b"b" * 5), b"a" * 5, tmp_path / "x", 11)
    symbols = Path("/proc/kallsyms")  # it says that it is empty, and is not
    if not symbols.exists() or len(symbols.read_bytes()) < 200_000:
        pytest.skip("there is no such file here")
    assert unreadable(symbols) == "kallsyms grows while it is read; nothing was sent."


# --- objects -------------------------------------------------------------------------------------


def test_bytes_of_a_known_type() -> None:
    for value in (PNG, bytearray(PNG), memoryview(PNG)):
        part = part_of(value)
        assert part == Part(data=PNG, mime_type="image/png") and type(part.data) is bytes
    assert part_of(b"ID3 is a tag") == Part(text="b'ID3 is a tag'")
    assert part_of(bytearray(b"x")) == Part(text="bytearray(b'x')")


def test_open_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        file.read()
        for _ in range(2):  # whatever was read of it
            assert part_of(file) == Part(data=PNG, mime_type="image/png", name="a.png")
    with tempfile.NamedTemporaryFile("w") as temporary:
        temporary.write("x")
        temporary.flush()
        assert part_of(temporary) == Part(text="x")
    assert part_of(io.StringIO("x")) == Part(text="x")
    assert part_of(io.BytesIO(PNG)).mime_type == "image/png"
    assert part_of(io.BytesIO(b"x")) == Part(text="x")
    assert "BytesIO object is no picture" in unreadable(io.BytesIO(b"\xff\0"))
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert "names no file" in unreadable(pipe)


def test_what_ipython_displays(tmp_path: Path) -> None:
    from IPython.display import SVG, Audio, Image, Video

    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert part_of(Image(data=PNG)) == Part(data=PNG, mime_type="image/png")
    assert part_of(Image(filename=str(path))).data == PNG
    sound = part_of(Audio(data=[0.0, 0.5, -0.5] * 100, rate=8000))
    assert sound.mime_type == "audio/wav" and sound.data
    assert part_of(SVG(data="<svg/>")) == Part(text="<svg/>")
    film = tmp_path / "a.mp4"
    film.write_bytes(b"\0\0\0\x18ftypisom\0\0")
    assert part_of(Video(str(film))).mime_type == "video/mp4"
    assert part_of(Video(str(film), embed=True)).mime_type == "video/mp4"
    assert "names an address" in unreadable(Image(url="https://example.invalid/x.png"))
    assert "no picture, sound or film" in unreadable(of_package("IPython", "Audio", data=b"?"))


def test_objects_without_their_package() -> None:
    frame = of_package(
        "pandas", "DataFrame", shape=(1, 1), to_csv=lambda self, file: file.write(",a\n0,1\n")
    )
    assert part_of(frame) == Part(text=",a\n0,1\n")
    figure = of_package(
        "matplotlib", "Figure", savefig=lambda self, file, **_: file.write(PNG) and None
    )
    assert part_of(figure) == Part(data=PNG, mime_type="image/png")
    other = of_package("mypandas", "DataFrame", __str__=lambda self: "mine")
    assert part_of(other) == Part(text="mine")
    tall = of_package("polars", "DataFrame", shape=(1, 2), write_csv=lambda self: "a,b\n1,2\n")
    assert table(tall, "markdown") == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_a_text_of_another_class_is_made_a_plain_one() -> None:
    class Mine(str):
        def __str__(self) -> str:
            return "other"

    part = part_of(Mine("x"))
    assert part.text == "x" and type(part.text) is str


def test_a_reply_gives_its_text_and_its_pictures() -> None:
    picture = Part(data=PNG, mime_type="image/png", name="1.png", signature=b"opaque")
    plain = Part(data=PNG, mime_type="image/png", name="1.png")
    call = Part(call=ToolCall("f", "{}"))
    text = Part(text="Here:", signature=b"opaque")
    assert parts_of(Reply("Here:", parts=(text, call))) == (Part(text="Here:"),)
    assert parts_of(Reply("", parts=(picture,))) == (plain,)
    assert parts_of(Reply("Here:", parts=(text, call, picture))) == (Part(text="Here:"), plain)
    assert parts_of([Reply("", parts=(picture,)), "and", plain]) == (plain, Part(text="and"), plain)
    with pytest.raises(PlaceholderError, match="2 parts"):
        part_of(Reply("Here:", parts=(text, picture)))


def test_lists(tmp_path: Path) -> None:
    picture = Part(data=PNG, mime_type="image/png")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.png").write_bytes(PNG)
    assert parts_of([PNG, PNG]) == (picture, picture)
    assert parts_of(("first", bytearray(PNG), "second")) == (
        Part(text="first"),
        picture,
        Part(text="second"),
    )
    assert [part.name for part in parts_of(sorted(tmp_path.glob("*.*")))] == ["", "b.png"]
    for value in ([], (), ["a"], [1, PNG], ["a", tmp_path], [[PNG]], {"a": PNG}, {PNG}):
        assert parts_of(value) == (Part(text=str(value)),)


# --- pictures ------------------------------------------------------------------------------------


def opened(part: Part) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(part.data or b""))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "F", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_pictures_of_pillow(mode: str) -> None:
    from PIL import Image

    part = part_of(Image.new(mode, (2, 2)))
    assert part.mime_type == "image/png" and (part.data or b"").startswith(PNG[:8])


def photo(size: tuple[int, int] = (40, 20), form: str = "JPEG", turned: int | None = None) -> bytes:
    """A picture that is red on its left and blue on its right, maybe with the camera turned."""
    from PIL import Image

    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    exif = Image.Exif()
    if turned:
        exif[0x0112] = turned
    buffer = io.BytesIO()
    picture.save(buffer, format=form, exif=exif)
    return buffer.getvalue()


def test_a_photo_stays_a_jpeg_and_stands_upright() -> None:
    from PIL import Image

    part = part_of(Image.open(io.BytesIO(photo())))
    assert part.mime_type == "image/jpeg"
    turned = opened(part_of(Image.open(io.BytesIO(photo(turned=6)))))
    assert turned.format == "JPEG" and turned.size == (20, 40)
    red, _, blue = turned.convert("RGB").getpixel((10, 35))
    assert blue > 200 > 50 > red  # a quarter to the right: what was right is below
    changed = Image.open(io.BytesIO(photo())).resize((4, 4))
    assert part_of(changed).mime_type == "image/png"


def test_equal_pictures_are_equal_parts() -> None:
    from matplotlib.figure import Figure
    from PIL import Image

    for make in (lambda: Image.new("RGB", (9, 9), "red"), Figure):
        assert part_of(make()) == part_of(make())


def test_pictures_that_services_do_not_take_become_png(tmp_path: Path) -> None:
    from PIL import features

    for form in ("BMP", "TIFF", *["AVIF"] * bool(features.check("avif"))):
        for part in (part_of(photo(form=form)), part_of(_write(tmp_path, form, photo(form=form)))):
            assert part.mime_type == "image/png"
            red, green, blue = opened(part).convert("RGB").getpixel((1, 1))
            assert red > 240 and max(green, blue) < 15
    assert "broken" in unreadable(photo(form="TIFF")[:60])


def test_a_large_bitmap_becomes_png(tmp_path: Path, small: None) -> None:
    part = part_of(_write(tmp_path, "a.bmp", photo((300, 300), "BMP")))
    assert part.mime_type == "image/png" and part.data and part.name == "a.bmp"


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def bomb(form: str = "PNG") -> bytes:
    """A small file of 400 million pixels."""
    if form == "BMP":
        head = b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
        return head + (20_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    return PNG[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_picture_that_is_a_bomb_is_never_opened() -> None:
    from PIL import Image

    assert part_of(bomb()).data == bomb()  # it is sent as it is, nobody opens it here
    with pytest.raises(PlaceholderError, match=r"pixels; nothing was sent"):
        shrunk(part_of(bomb()), 1000)
    assert "pixels" in unreadable(bomb("BMP"))
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # as many a notebook does
    try:
        assert "20,000 × 20,000 pixels" in unreadable(Image.open(io.BytesIO(bomb())))
        with pytest.raises(PlaceholderError, match="20,000 × 20,000 pixels"):
            shrunk(part_of(bomb()), 1000)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def test_arrays() -> None:
    import numpy as np

    for depth in (3, 4):
        for kind in ("uint8", "float32", "float64"):
            assert part_of(np.zeros((2, 2, depth), kind)).mime_type == "image/png"
    for shape in ((40, 40), (40, 40, 1)):
        grey = opened(part_of(np.full(shape, 0.5)))
        assert grey.mode == "L" and grey.getpixel((0, 0)) == 128
    nan = np.zeros((2, 2, 3))
    nan[0, 0, 0] = np.nan
    numbers = [
        np.zeros((31, 99), "uint8"), np.zeros((1000, 3)), np.zeros((2, 2, 5), "uint8"),
        np.full((50, 50), 1.1), np.full((50, 50), -0.1), nan, np.zeros((50, 50), "int64"),
        np.zeros((0, 50, 3), "uint8"), np.zeros((50, 50), bool), np.array("x"),
        np.zeros((2, 2, 2, 3), "uint8"), np.array([[None] * 40] * 40),
    ]  # fmt: skip
    for array in numbers:
        assert part_of(array) == Part(text=str(array))


def test_figures() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(1, 2)
    sub = Figure().subfigures(1, 2)[0]
    for value in (figure, axes[0], sub, sub.subplots()):
        part = part_of(value)
        assert part.mime_type == "image/png" and (part.data or b"").startswith(PNG[:8])
    assert part_of(axes[0]) == part_of(figure)
    assert len(parts_of(["Compare", figure, figure])) == 3


# --- tables --------------------------------------------------------------------------------------


def test_frames() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a|b": [1], "c": ["x\ny \\"]})
    assert part_of(frame[["a|b"]]) == Part(text=",a|b\n0,1\n")
    assert part_of(pd.Series([1], name="s")) == Part(text=",s\n0,1\n")
    wanted = "|  | a\\|b | c |\n| --- | --- | --- |\n| 0 | 1 | x y \\\\ |\n"
    assert table(frame, "markdown") == table(frame, "md") == wanted
    assert table(frame, "csv") == frame.to_csv()
    assert table(frame, ".2f") is None and table("text", "csv") is None
    assert table(pd.DataFrame(), "markdown") is not None


def test_a_table_that_fits_no_prompt() -> None:
    import pandas as pd

    with pytest.raises(PlaceholderError) as caught:
        part_of(pd.DataFrame({"a": range(10_000_000)}))
    assert caught.value.what == (
        "a table of 10,000,000 rows and 1 columns is too large for a prompt; nothing was sent."
    )
    assert "df.head(1000)" in caught.value.next_step
    long = "x" * 10_000_000
    began = time.process_time()
    assert "more than 8 million characters" in unreadable(pd.Series([long] * 100_000))
    assert time.process_time() - began < 5  # it is not written to its end


# --- shrinking -----------------------------------------------------------------------------------


def test_a_picture_is_shrunk_only_where_it_has_more_pixels() -> None:
    part = part_of(photo((40, 20)))
    assert shrunk(part, 800) is part
    small = shrunk(part, 799)
    assert opened(small).size == (39, 19) and small.mime_type == "image/jpeg"
    text = Part(text="x")
    assert shrunk(text, 1) is text


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_shrunk_picture_keeps_its_format(form: str) -> None:
    part = Part(data=photo((400, 200), form), mime_type=f"image/{form.lower()}", name="a.x")
    small = shrunk(part, 5_000)
    assert (small.mime_type, small.name) == (part.mime_type, "a.x")
    picture = opened(small)
    assert picture.format == form and picture.size == (100, 50)
    red, _, blue = picture.convert("RGB").getpixel((10, 25))
    assert red > 200 > 50 > blue


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_any_mode_is_shrunk(mode: str) -> None:
    from PIL import Image

    picture = Image.new(mode, (50, 50), 40_000 if mode == "I;16" else 1)
    small = opened(shrunk(part_of(picture), 100))
    assert small.size == (10, 10)
    if mode == "I;16":
        assert small.getpixel((5, 5)) == 40_000 // 256


def test_a_shrunk_picture_is_upright_and_tells_no_place() -> None:
    small = opened(shrunk(part_of(photo((400, 200), turned=8)), 5_000))
    assert small.size == (50, 100) and not dict(small.getexif())
    red, _, blue = small.convert("RGB").getpixel((25, 10))
    assert blue > 200 > 50 > red  # a quarter to the left: what was right is above


def test_heic_is_shrunk_with_another_package_or_not_at_all() -> None:
    heic = part_of(b"\0\0\0\x18ftypheic" + bytes(20))
    assert heic.mime_type == "image/heic"
    with pytest.raises(PlaceholderError) as caught:
        shrunk(heic, 1000)
    if importlib.util.find_spec("pillow_heif") is None:
        assert "pip install pillow-heif" in caught.value.next_step


def test_a_broken_picture_is_not_shrunk() -> None:
    for data in (PNG, photo((400, 200))[:700], JPEG):
        with pytest.raises(PlaceholderError, match=r"nothing was sent"):
            shrunk(part_of(data), 100)


def test_a_large_picture_is_shrunk_from_its_file(tmp_path: Path, small: None) -> None:
    path = _write(tmp_path, "a.png", photo((400, 200), "PNG") + bytes(200_000))
    part = part_of(path)
    assert part.file is not None
    assert opened(shrunk(part, 5_000)).size == (100, 50)


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 10**8))
def test_a_size_within(width: int, height: int, most: int) -> None:
    if width * height <= most:
        return
    wide, high = parts_picture._within(width, height, most)
    assert 1 <= wide <= width and 1 <= high <= height and wide * high <= most


def test_plain_values_load_nothing() -> None:
    code = (
        "import sys; from gemini_magic.parts import parts_of; parts_of('a'); parts_of(1);"
        "print(*(name for name in sys.modules if name.startswith(('gemini_magic.parts_', 'PIL', "
        "'gemini_magic.web', 'numpy', 'http', 'ssl'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
