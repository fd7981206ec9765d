"""Turns any Python object into parts of a message: text, or pictures, sound, films, documents."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from gemini_magic.errors import PlaceholderError
from gemini_magic.types import Part, Reply


def part_of(value: Any) -> Part:
    """The one part that stands for a Python object; see ``parts_of``.

    Raises ``PlaceholderError`` also for what becomes several parts, or none.
    """
    parts = parts_of(value)
    if len(parts) != 1:
        raise PlaceholderError(f"{len(parts)} parts stand where there is room for one.")
    return parts[0]


def parts_of(value: Any) -> tuple[Part, ...]:
    """The parts that stand for a Python object, in order.

    Pictures (PIL, matplotlib's figures and axes, NumPy arrays that are some), IPython's ``Image``,
    ``Audio`` and ``Video``, bytes of a known type, files named by a ``pathlib.Path`` and open files
    become data; a file of text becomes its text, a DataFrame CSV, a reply its text and pictures.
    Lists of pictures, maybe with texts between them, become what they hold, and all else is
    ``str(value)``. Raises ``PlaceholderError`` where a file cannot be read or is of no use, and
    whatever the object's own methods raise.
    """
    if isinstance(value, str):
        return (Part(text=str.__str__(value)),)
    if isinstance(value, Part):
        return (value,)
    if isinstance(value, Reply):
        return _reply(value)
    if isinstance(value, list | tuple) and _holds_media(value):
        return tuple(part for one in value for part in parts_of(one))
    if _is_table(value):
        return (Part(text=table(value)),)
    made = _media(value)
    return (made if made is not None else Part(text=str(value)),)


def table(value: Any, form: str = "csv") -> str | None:
    """A table as text in one of the forms ``csv``, ``markdown`` and ``md``.

    None for what is no table, and for a form that is none of these.
    """
    if not _is_table(value):
        return None
    from gemini_magic.parts_table import FORMS, table_text

    return table_text(value, form) if form in FORMS else None


def said(error: Exception) -> str:
    """What an object of the user's says went wrong, in a few words."""
    try:
        text = str(error)[:160]
    except Exception:
        text = "its message cannot be read"
    return f"{type(error).__name__}: {text}"


def _is_table(value: Any) -> bool:
    return _is_a(value, "pandas", "DataFrame", "Series") or (
        _is_a(value, "polars", "DataFrame", "Series")
    )


def _reply(reply: Reply) -> tuple[Part, ...]:
    """What an answer says and shows, without what only its service understands."""
    if not any(part.is_media for part in reply.parts):
        return (Part(text=reply.text),)
    return tuple(
        Part(
            text=part.text, data=part.data, file=part.file, uri=part.uri,
            mime_type=part.mime_type, name=part.name,
        )
        for part in reply.parts
        if part.text is not None or part.is_media
    )  # fmt: skip


def _holds_media(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether it is pictures, maybe with texts between them, or files, and nothing else."""
    return (
        bool(values)
        and all(isinstance(one, str | Path) or _may_be_media(one) for one in values)
        and (any(map(_may_be_media, values)) or all(isinstance(one, Path) for one in values))
    )


def _may_be_media(value: Any) -> bool:
    if isinstance(value, Part):
        return value.is_media
    if isinstance(value, Reply):
        return any(part.is_media for part in value.parts)
    if isinstance(value, bytes | bytearray):
        from gemini_magic.media import HEAD, media_type

        return media_type(bytes(value[:HEAD])) is not None
    return (
        _is_a(value, "PIL", "Image")
        or _is_a(value, "matplotlib", "Figure", "SubFigure", "Axes")
        or _is_a(value, "IPython", "Image", "Audio", "Video")
        or (_is_a(value, "numpy", "ndarray") and _is_picture(value))
    )


def _media(value: Any) -> Part | None:
    """The data that the object is; None for what is text."""
    if isinstance(value, Path):
        return _file(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _data(bytes(value))
    if isinstance(value, io.BytesIO):
        return _bytes(value.getvalue())
    if isinstance(value, io.StringIO):
        return Part(text=value.getvalue())
    if _is_a(value, "PIL", "Image"):
        from gemini_magic.parts_picture import part_of_pillow

        return part_of_pillow(value)
    if _is_a(value, "matplotlib", "Figure", "SubFigure", "Axes"):
        from gemini_magic.parts_picture import part_of_figure

        return part_of_figure(value)
    if _is_a(value, "numpy", "ndarray") and _is_picture(value):
        from gemini_magic.parts_picture import part_of_array

        return part_of_array(value)
    if _is_a(value, "IPython", "Image", "Audio", "Video", "SVG"):
        return _displayed(value)
    if isinstance(value, io.IOBase) or _is_a(value, "tempfile", "_TemporaryFileWrapper"):
        return _open_file(value)
    return None


def _is_picture(array: Any) -> bool:
    from gemini_magic.parts_picture import is_picture

    return is_picture(array)


def _file(path: Path) -> Part:
    from gemini_magic.parts_file import part_of_file

    return part_of_file(path)


def _data(data: bytes) -> Part | None:
    from gemini_magic import media
    from gemini_magic.parts_file import media_part

    return media_part(data) if media.text(data) is None else None


def _bytes(data: bytes) -> Part:
    from gemini_magic.parts_file import part_of_bytes

    return part_of_bytes(data, "the BytesIO object")


def _open_file(value: Any) -> Part:
    """What a file that is open holds, from its beginning, whatever was read of it."""
    name = getattr(value, "name", None)
    if not isinstance(name, str):
        raise PlaceholderError(
            f"a {type(value).__name__} that names no file is not read; nothing was sent.",
            "Put what it holds into the prompt: {{ file.read() }}",
        )
    return _file(Path(name))


def _displayed(value: Any) -> Part:
    """What IPython's ``Image``, ``Audio``, ``Video`` or ``SVG`` object shows."""
    kind = type(value).__name__
    data = getattr(value, "data", None)
    if isinstance(data, str) and _is_a(value, "IPython", "SVG"):
        return Part(text=data)
    if isinstance(data, bytes):
        if (part := _data(data)) is not None:
            return part
        raise PlaceholderError(
            f"the {kind} holds no picture, sound or film of a known kind; nothing was sent."
        )
    if filename := getattr(value, "filename", None) or (data if isinstance(data, str) else None):
        return _file(Path(filename))
    raise PlaceholderError(
        f"the {kind} names an address, and does not hold what is there; nothing was sent.",
        f"Write it as an option: --file {getattr(value, 'url', None) or 'URL'}",
    )


def _is_a(value: Any, package: str, *names: str) -> bool:
    """Whether a base class of the value has one of these names in that package (no import)."""
    return any(
        cls.__name__ in names and cls.__module__.partition(".")[0] == package
        for cls in type(value).__mro__
    )
