"""What ``--image`` and ``--file`` name: an address, a file, or a Python expression."""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gemini_magic.errors import PlaceholderError, nearest
from gemini_magic.parts import parts_of, said
from gemini_magic.types import Part

#: The most bytes that are fetched, and how many seconds that may take.
_FETCHED, _SECONDS = 100_000_000, 120.0

#: Addresses that Google's service reads by itself.
#: Source: https://ai.google.dev/gemini-api/docs/video-understanding#youtube
YOUTUBE = re.compile(
    r"https?://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?|shorts/|live/)|youtu\.be/)\S", re.I
)
_WEB = re.compile(r"https?://", re.I)
#: How many names of a folder are looked at for one that is meant.
_NAMES = 2_000
#: How many files of one kind are named, and how much of a folder's path.
_SAME, _LONGEST = 3, 120


def given_parts(option: str, text: str, evaluate: Callable[[str], Any]) -> tuple[Part, ...]:
    """The parts that one ``--image`` or ``--file`` (``option``, without dashes) stands for.

    An address is fetched, whoever it belongs to: the user typed it. One of YouTube or ``gs://`` is
    left to the service. Else it is a file that exists, else an expression. A file of text begins
    with a line that names it: ``--- notes.py ---``. Raises ``PlaceholderError``; may block.
    """
    words = f"--{option} {text if len(text) <= 80 else f'{text[:79]}…'}"
    found: tuple[Part, ...]
    if (part := _address(text, words)) is not None:
        found, name = (part,), part.name
    else:
        found, name = _file_or_value(text, words, evaluate)
    if option == "image" and not all((part.mime_type or "").startswith("image/") for part in found):
        what = next(part.mime_type or "text" for part in found if not _is_image(part))
        raise PlaceholderError(
            f"{words} is no picture ({what}); nothing was sent.",
            _is_a_name(found) or f"Other files: --file {text[:80]}",
        )
    if option == "file" and (hint := _is_a_name(found)):
        raise PlaceholderError(f"{words} is a text that names a file; nothing was sent.", hint)
    return tuple(part if part.text is None else _headed(part.text, name) for part in found)


def _is_image(part: Part) -> bool:
    return (part.mime_type or "").startswith("image/")


def _headed(text: str, name: str) -> Part:
    """A file's text, with its name before it and an empty line after it."""
    end = "" if not text or text.endswith("\n") else "\n"
    return Part(text=f"--- {name} ---\n{text}{end}\n")


def _address(text: str, words: str) -> Part | None:
    """What an address stands for; None for what is no address."""
    if YOUTUBE.match(text):
        return Part(uri=text, mime_type="video/mp4")
    if text.startswith("gs://"):
        kind = mimetypes.guess_type(text)[0]
        if kind is None:
            raise PlaceholderError(
                f"{words} does not say what it is; nothing was sent.",
                "Its name has to end in .png, .pdf, .mp4 or the like.",
            )
        return Part(uri=text, mime_type=kind, name=_last_of(text))
    if not _WEB.match(text):
        return None
    from gemini_magic.parts_file import part_of_bytes, printable
    from gemini_magic.web import FetchError, fetch

    try:
        fetched = fetch(text, limit=_FETCHED, public=False, timeout=_SECONDS)
    except FetchError as error:
        what = str(error).rstrip(".")
        raise PlaceholderError(f"{words} was not fetched: {what}; nothing was sent.") from None
    name = printable(_last_of(text))
    if not fetched.data:
        raise PlaceholderError(f"{words} is empty; nothing was sent.")
    part = part_of_bytes(fetched.data, name)
    return part if part.text is None else Part(text=part.text, name=name)


def _last_of(url: str) -> str:
    """The name of what an address stands for: the end of its path, else its host."""
    with suppress(ValueError):
        split = urlsplit(url)
        return unquote(split.path.rstrip("/").rpartition("/")[2]) or split.hostname or url
    return url


def _file_or_value(
    text: str, words: str, evaluate: Callable[[str], Any]
) -> tuple[tuple[Part, ...], str]:
    """The parts, and the name of what they are."""
    from gemini_magic.parts_file import part_of_file, printable

    path = Path(text)
    with suppress(RuntimeError):  # there is no such user
        path = path.expanduser()
    mode = _mode(path, words)
    if mode is not None and not stat.S_ISDIR(mode):
        return (part_of_file(path),), printable(path.name)
    try:
        value = evaluate(text)
    except PlaceholderError as error:
        if mode is not None:
            raise PlaceholderError(f"{words} is a folder; nothing was sent.") from None
        raise _unknown(path, words, error) from error.__cause__
    try:
        return parts_of(value), printable(value.name if isinstance(value, Path) else text)
    except PlaceholderError:
        raise
    except Exception as error:  # the object's own methods
        raise PlaceholderError(
            f"{words} cannot be made part of the prompt: {said(error)}; nothing was sent."
        ) from error


def _mode(path: Path, words: str) -> int | None:
    """What kind of file it is; None where there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        if len(str(path)) > 255:  # too long for a file's name, and so it is none
            return None
        raise PlaceholderError(
            f"{words} cannot be read: {error.strerror}; nothing was sent."
        ) from None


def _unknown(path: Path, words: str, error: PlaceholderError) -> PlaceholderError:
    """An error about what is neither a file nor an expression, with what is like it."""
    from gemini_magic.parts_file import printable

    is_name = bool(path.suffix) or len(path.parts) > 1  # a file's, and hardly a variable's
    there = _names(path.parent)
    folder = printable(_whole(path.parent))
    no_file = f"no such file in {folder}" if there is not None else f"no such folder: {folder}"
    cause = error.__cause__
    if cause is None or (isinstance(cause, AttributeError) and is_name):
        nor = "" if is_name else " and no such variable"
        what = f"{words}: there is {no_file}{nor}; nothing was sent."
    else:
        what = f"{words}: there is {no_file}, and {error.what}"
    alike = [printable(name) for name in nearest(path.name, there or ())]
    kind = path.suffix.lower()
    same = [printable(name) for name in there or () if Path(name).suffix.lower() == kind]
    hints = [] if is_name else [error.next_step]
    if alike:
        hints.insert(0, f"Did you mean the file {' or '.join(alike)}?")
    elif is_name and same:
        hints = [f"Such files are there: {', '.join(sorted(same)[:_SAME])}."]
    return PlaceholderError(what, " ".join(hints).strip())


def _whole(folder: Path) -> str:
    """The end of a folder's whole path."""
    with suppress(OSError):  # the working directory is gone
        folder = folder.absolute()
    text = str(folder)
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"


def _names(folder: Path) -> list[str] | None:
    """What is in a folder; None where there is no such folder."""
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) == _NAMES:
                    break
    except (OSError, ValueError):
        return None
    return names


def _is_a_name(parts: tuple[Part, ...]) -> str:
    """What to write instead, where a value is a text that is the name of something."""
    text = parts[0].text if len(parts) == 1 else None
    if text is None or not text.strip() or len(text) > 500 or "\n" in text:
        return ""
    if _WEB.match(text):
        return f"Write the address itself after the option: {text}"
    with suppress(OSError, ValueError):
        if Path(text).expanduser().is_file():
            return "For a file that a variable names, make that a pathlib.Path."
    return ""
