"""Writes the files of an export: each of them whole, and all of them or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gemini_magic.errors import GeminiMagicError, UsageError

#: How files are called while they are written; so short that any name that can be has room.
_STAGED = ".gemini-"


class InTheWay(UsageError):
    """Something is already where a file should go."""


def changed(files: Mapping[Path, bytes]) -> list[Path]:
    """Those of the places where something else is already."""
    return [place for place, data in files.items() if state(place, data) == "differs"]


def state(place: Path, data: bytes) -> str:
    """``same``, ``differs`` or ``missing``."""
    if not os.path.lexists(place):
        return "missing"
    try:
        return "same" if not place.is_symlink() and place.read_bytes() == data else "differs"
    except OSError:
        return "differs"


def write_all(files: Mapping[Path, bytes]) -> None:
    """Put the files in their places; what is there is replaced, a link itself and not its target.

    Raises ``GeminiMagicError``, and then all is as it was. Shell scripts may be run.
    """
    staged: list[tuple[str, Path]] = []
    folders: list[Path] = []
    place = Path()
    try:
        for place, data in files.items():
            _check(place)
            folders += _made(place.parent)
            staged.append((_stage(place, data), place))
        _put(staged)
        folders = []
    except OSError as error:
        raise GeminiMagicError(
            f"cannot write {place}: {error.strerror or error}; nothing was written.",
            "Name another place: -o PATH",
        ) from None
    finally:
        for name, _ in staged:
            with suppress(OSError):
                os.unlink(name)
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()


def _check(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        raise UsageError(f"{place} is a folder; nothing was written.", f"-o {place}{os.sep}")
    if place.is_file() and not place.stat().st_mode & 0o222:
        raise GeminiMagicError(
            f"{place} is read-only; nothing was written.", "Name another place: -o PATH"
        )


def _made(folder: Path) -> list[Path]:
    """Make a folder; the ones that were not there, from the top."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _stage(place: Path, data: bytes) -> str:
    """Write a file beside its place; its name there."""
    number, name = tempfile.mkstemp(prefix=_STAGED, dir=place.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, (0o777 if place.suffix == ".sh" else 0o666) & ~mask)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    return name


def _put(staged: list[tuple[str, Path]]) -> None:
    """Give the staged files their names; where one cannot have it, all is put back."""
    if len(staged) == 1:
        os.replace(*staged[0])
        return
    done: list[tuple[Path, str | None]] = []
    try:
        for name, place in staged:
            kept = None
            if os.path.lexists(place):
                kept = f"{name}.kept"
                os.replace(place, kept)
            done.append((place, kept))
            os.replace(name, place)
    except BaseException:
        for place, kept in reversed(done):
            with suppress(OSError):
                if kept is None:
                    os.unlink(place)
                else:
                    os.replace(kept, place)
        raise
    for _, kept in done:
        if kept is not None:
            with suppress(OSError):
                os.unlink(kept)
