"""Turns pictures of well-known libraries into the bytes of a picture, and shrinks pictures.

Pillow is imported with the first picture that needs it.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import PlaceholderError
from gemini_magic.types import Part

if TYPE_CHECKING:
    from PIL import Image

#: More pixels are taken for a trap: a small file that fills the memory when it is opened.
_MOST_PIXELS = 180_000_000
#: The modes that Pillow writes as PNG; others (CMYK, YCbCr, LAB, HSV, I, F) are made RGB.
_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
#: The EXIF tag that says how a camera was held.
_ORIENTATION = 0x0112
#: Arrays of numbers are pictures from this many pixels on each side.
_SMALLEST = 32

#: The formats that Pillow writes by itself, by type.
_WRITTEN = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}


def part_of_pillow(picture: Any) -> Part:
    """A picture of Pillow: one that was a JPEG as JPEG (a photo would grow tenfold), else as PNG.

    It is upright, however the camera was held.
    """
    with _pixels("the picture"):
        _check_size(picture, "the picture")
        upright = _upright(picture)
        buffer = io.BytesIO()
        if getattr(picture, "format", None) in ("JPEG", "MPO") and upright.mode in ("L", "RGB"):
            same = upright is picture and picture.format == "JPEG"
            upright.save(buffer, format="JPEG", quality="keep" if same else 95)
            return Part(data=buffer.getvalue(), mime_type="image/jpeg")
        _save_png(upright, buffer)
    return Part(data=buffer.getvalue(), mime_type="image/png")


def part_of_figure(figure: Any) -> Part:
    """A figure of matplotlib as it is shown in a notebook; of axes the figure that they are in."""
    while not hasattr(figure, "savefig"):
        figure = figure.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return Part(data=buffer.getvalue(), mime_type="image/png")


def is_picture(array: Any) -> bool:
    """Whether a NumPy array is one: uint8, or floats from 0 to 1, in grey, RGB or RGBA.

    Grey ones count from 32 pixels a side on; smaller arrays are numbers to be read.
    """
    shape, kind = array.shape, str(array.dtype)
    if len(shape) not in (2, 3) or 0 in shape or kind not in ("uint8", "float32", "float64"):
        return False
    grey = len(shape) == 2 or shape[2] == 1
    if min(shape[:2]) < _SMALLEST if grey else shape[2] not in (3, 4):
        return False
    return kind == "uint8" or bool(array.min() >= 0 and array.max() <= 1)  # NaN is neither


def part_of_array(array: Any) -> Part:
    """A NumPy array that is a picture, as PNG."""
    from PIL import Image

    if str(array.dtype) != "uint8":
        array = (array * 255).round().astype("uint8")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return Part(data=buffer.getvalue(), mime_type="image/png")


def to_png(source: bytes | Path, name: str) -> bytes:
    """A picture's file in a format that services do not take, as PNG (its first page)."""
    with _pixels(name), _open(source, name) as picture:
        buffer = io.BytesIO()
        _save_png(_upright(picture), buffer)
    return buffer.getvalue()


def shrunk(part: Part, most: int) -> Part:
    """The part, with at most so many pixels; one that has no more stays as it is.

    Its proportions and format stay, and it is upright, however the camera was held. What else the
    camera noted (the place) is left out. Of a picture that moves the first frame is left.
    """
    if part.data is None and part.file is None:
        return part
    name = part.name or "the picture"
    mime_type = part.mime_type or ""
    source = part.data if part.data is not None else Path(part.file.path if part.file else "")
    _prepare(mime_type, name)
    with _pixels(name), _open(source, name) as picture:
        if picture.width * picture.height <= most:
            return part
        width, height = _within(picture.width, picture.height, most)
        picture.draft(None, (width, height))  # a JPEG is decoded no larger than it has to be
        small = _resizable(picture).resize((width, height), reducing_gap=3.0)
        small = _upright(small, of=picture)
        form = _WRITTEN.get(mime_type)
        if form is None:  # HEIC, AVIF
            form = "PNG" if small.mode in ("LA", "RGBA") else "JPEG"
            mime_type = "image/png" if form == "PNG" else "image/jpeg"
        more: dict[str, Any] = {} if form in ("PNG", "GIF") else {"quality": 90}
        if profile := picture.info.get("icc_profile"):
            more["icc_profile"] = profile
        buffer = io.BytesIO()
        small.save(buffer, format=form, **more)
    return Part(data=buffer.getvalue(), mime_type=mime_type, name=part.name)


def _within(width: int, height: int, most: int) -> tuple[int, int]:
    scale = math.sqrt(most / (width * height))
    wide = min(most, max(1, int(width * scale)))
    high = max(1, min(int(height * scale), most // wide))
    return min(wide, most // high), high


def _prepare(mime_type: str, name: str) -> None:
    """HEIC is read by a plug-in of Pillow's, which is large and seldom needed."""
    if mime_type not in ("image/heic", "image/heif"):
        return
    try:
        import pillow_heif
    except ImportError:
        raise PlaceholderError(
            f"{name} is HEIC, which --max-pixels shrinks only with pillow-heif; nothing was sent.",
            "Run: pip install pillow-heif; or send it as it is, without --max-pixels.",
        ) from None
    pillow_heif.register_heif_opener()


def _open(source: bytes | Path, name: str) -> Image.Image:
    from PIL import Image

    picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    _check_size(picture, name)
    return picture


def _check_size(picture: Any, name: str) -> None:
    if picture.width * picture.height > _MOST_PIXELS:
        raise _too_large(name, f"{picture.width:,} × {picture.height:,} pixels")


def _upright(picture: Any, of: Any = None) -> Any:
    """The picture, turned as the camera's note (on ``of``) says that it should be."""
    from PIL import Image

    turns = Image.Transpose
    how = (of or picture).getexif().get(_ORIENTATION)
    turn = {
        2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE, 6: turns.ROTATE_270, 7: turns.TRANSVERSE, 8: turns.ROTATE_90,
    }.get(how)  # fmt: skip
    return picture if turn is None else picture.transpose(turn)


def _resizable(picture: Any) -> Any:
    """The picture in a mode whose pixels can be averaged."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return picture
    return picture.convert("RGBA" if "transparency" in picture.info else "RGB")


def _save_png(picture: Any, buffer: io.BytesIO) -> None:
    if picture.mode not in _PNG_MODES:
        picture = picture.convert("RGB")
    picture.save(buffer, format="PNG")


@contextmanager
def _pixels(name: str) -> Iterator[None]:
    """Says in our words what Pillow says of a picture that it cannot read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is broken or large, which raises
            yield
    except PlaceholderError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name, "too many pixels") from None
    except Exception as error:  # Pillow's readers raise what they like about a broken file
        what = "broken" if isinstance(error, OSError | SyntaxError | ValueError) else "unreadable"
        raise PlaceholderError(
            f"{name} is {what} ({' '.join(str(error).split())[:120]}); nothing was sent."
        ) from error


def _too_large(name: str, what: str) -> PlaceholderError:
    return PlaceholderError(f"{name} has {what}; nothing was sent.", "Make it smaller first.")
