"""Turns a file, or bytes, into a part of a message; a large file is named, not read.

Between building a request and sending it a large file may change: whoever sends it compares its
size and digest with what is noted here.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import mimetypes
import os
import stat
from pathlib import Path
from typing import BinaryIO

from gemini_magic import media
from gemini_magic.errors import PlaceholderError
from gemini_magic.types import File, Part

#: Files with more bytes than this are not held in memory.
LARGE = 8_000_000
#: Bytes that are read at a time where a file is not held.
_PIECE = 1 << 20

#: Pictures that no service takes, and that become PNG.
_CONVERTED = ("image/avif", "image/bmp", "image/tiff")


def part_of_file(path: Path) -> Part:
    """The part that a file is, by its content: text, or a picture, sound, film or PDF.

    More than ``LARGE`` bytes become a ``File``. Raises ``PlaceholderError`` for what cannot be
    read, for what no service reads, and for what is no file (a folder, a pipe, a device).
    """
    try:
        path = Path(os.path.abspath(path.expanduser()))
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(media.HEAD) or b""
            if size <= LARGE:
                data = head + (file.read(LARGE + 1 - len(head)) or b"")
                if len(data) > LARGE:
                    raise _problem(path, "grows while it is read")
                return part_of_bytes(data, path.name)
            if media.media_type(head, path.name) in _CONVERTED:
                from gemini_magic.parts_picture import to_png

                return Part(data=to_png(path, path.name), mime_type="image/png", name=_name(path))
            return _large(file, head, path, size)
    except OSError as error:
        raise PlaceholderError(
            f"cannot read {path}: {error.strerror or error}; nothing was sent."
        ) from None
    except (RuntimeError, UnicodeEncodeError) as error:  # no such home; half a character
        raise PlaceholderError(f"cannot read {path}: {error}; nothing was sent.") from None


def part_of_bytes(data: bytes, name: str) -> Part:
    """The part that the bytes of a file are. Raises as ``part_of_file``."""
    if not data and (mimetypes.guess_type(name)[0] or "").startswith(_MEDIA):
        raise _problem(Path(name), "is empty")
    if (found := media.text(data)) is not None:
        return Part(text=found)
    if (part := media_part(data, name)) is not None:
        return part
    raise _unread(data[: media.HEAD], name)


def media_part(data: bytes, name: str = "") -> Part | None:
    """The bytes as a picture, sound, film or PDF; None if they are none of these."""
    kind = media.media_type(data[: media.HEAD], name)
    if kind in _CONVERTED:
        from gemini_magic.parts_picture import to_png

        return Part(data=to_png(data, name), mime_type="image/png", name=printable(name))
    return Part(data=data, mime_type=kind, name=printable(name)) if kind else None


def printable(name: str) -> str:
    """A file's name in one line that can be sent: no control characters, no half characters."""
    name = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else "?" for char in name)


_MEDIA = ("image/", "audio/", "video/", "application/pdf")


def _opened(path: Path) -> BinaryIO:
    """The file, open for reading. A pipe is never waited for, a device never touched."""
    if "\0" in str(path):
        raise FileNotFoundError(errno.ENOENT, "there is no such file")
    _check_regular(path, path.stat().st_mode)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags | getattr(os, "O_CLOEXEC", 0)), "rb")
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # it may be another one by now
    except BaseException:
        file.close()
        raise
    return file


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file")


def _large(file: BinaryIO, head: bytes, path: Path, size: int) -> Part:
    """The file by its name, with the digest of its content; it is read in pieces."""
    kind = media.media_type(head, path.name)
    decoder = None if kind else codecs.getincrementaldecoder("utf-8")()
    digest, length, piece = hashlib.sha256(), 0, head
    try:
        while piece:
            digest.update(piece)
            length += len(piece)
            if decoder is not None and "\0" in decoder.decode(piece):
                raise _unread(head, path.name)
            piece = file.read(_PIECE)
        if decoder is not None:
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _unread(head, path.name) from None
    if length != size:
        raise _problem(path, "changes while it is read")
    return Part(
        file=File(str(path), size, digest.hexdigest()),
        mime_type=kind or "text/plain",
        name=_name(path),
    )


def _name(path: Path) -> str:
    return printable(path.name)


def _problem(path: Path, what: str) -> PlaceholderError:
    return PlaceholderError(f"{printable(path.name)} {what}; nothing was sent.")


def _unread(head: bytes, name: str) -> PlaceholderError:
    if kind := media.refused(head):
        what = f"{printable(name)} is {kind.what}, which services do not read; nothing was sent."
        return PlaceholderError(what, kind.instead)
    return PlaceholderError(
        f"{printable(name)} is no picture, PDF, audio, video or UTF-8 text; nothing was sent."
    )
