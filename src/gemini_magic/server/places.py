"""Which files a request may name: those below the server's root that Jupyter itself would show."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from gemini_magic.errors import GeminiMagicError


class NotThere(GeminiMagicError):
    """No such file for the front end: it is missing, hidden, or not below the root."""

    status = 404


class Root:
    """The folder that a Jupyter Server shows; ``hidden`` files are shown if its user wants that."""

    def __init__(self, folder: Path, hidden: bool = False) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._hidden = hidden

    @classmethod
    def of(cls, contents: Any) -> Root | None:
        """The root of a contents manager; None where its files are not on this machine."""
        folder = getattr(contents, "root_dir", "")
        if not isinstance(folder, str) or not folder or not os.path.isdir(folder):
            return None
        return cls(Path(folder), bool(getattr(contents, "allow_hidden", False)))

    def file(self, path: str) -> Path:
        """The file or folder that is there. Raises ``NotThere``."""
        place = self.place(path)
        if not os.path.lexists(place):
            raise NotThere(f"there is no {_shown(path)}.", "Save it, or name another file.")
        return place

    def notebook(self, path: str, *, there: bool = True) -> Path:
        """The notebook that is there, or with ``there`` false might be. Raises ``NotThere``."""
        place = self.file(path) if there else self.place(path)
        if place.suffix != ".ipynb" or place.is_dir():
            raise NotThere(f"{_shown(path)} is no notebook.", "Name a file that ends with .ipynb")
        return place

    def place(self, path: str) -> Path:
        """Where a path leads, links followed, whether something is there or not.

        ``path`` is as the contents API writes it: below the root, with slashes. Raises
        ``NotThere`` for what the contents API would not show either.
        """
        problem = NotThere(f"{_shown(path)} is not among this server's files.")
        try:
            named = Path(os.path.normpath(self.folder / path.strip("/")))
            place = Path(os.path.realpath(named))
            named.relative_to(self.folder)
            inside = place.relative_to(self.folder)
        except (ValueError, OSError, UnicodeError):  # outside; a null byte; half a character
            raise problem from None
        if os.sep != "/" and (os.sep in path or ":" in path):
            raise problem
        if not self._hidden and any(map(self._is_hidden, (named, place))):
            raise problem
        parts = [len(os.fsencode(part)) for part in inside.parts]
        if any(size > 255 for size in parts) or sum(parts) > 4_000:
            raise problem
        return place

    def shows(self, place: Path) -> bool:
        """Whether a file, links followed, is one that may be named."""
        try:
            self.place(str(Path(os.path.abspath(place)).relative_to(self.folder)))
        except (GeminiMagicError, ValueError, OSError):
            return False
        return True

    def relative(self, place: Path | str) -> str | None:
        """A place as the front end knows it; None where it is not below the root."""
        try:
            return Path(os.path.realpath(place)).relative_to(self.folder).as_posix()
        except (ValueError, OSError):
            return None

    def _is_hidden(self, place: Path) -> bool:
        at = self.folder
        for part in place.relative_to(self.folder).parts:
            at /= part
            if part.startswith(".") or _is_marked(at):
                return True
        return False


def _is_marked(place: Path) -> bool:
    """Whether the file system itself says that a file is hidden (macOS, Windows)."""
    try:
        status = os.lstat(place)
    except OSError:
        return False
    flags = getattr(status, "st_flags", 0) & stat.UF_HIDDEN
    return bool(flags or getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)


def _shown(path: str) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in path)
    return plain if len(plain) <= 200 else f"{plain[:199]}…"
