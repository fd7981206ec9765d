"""Finds and reads configuration files, and says on which line one is wrong."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic import paths
from gemini_magic.config_schema import PROJECT, SETTINGS, TABLES, Mismatch, table
from gemini_magic.errors import ConfigError, did_you_mean

PROJECT_FILE = "gemini_magic.toml"
SHARED_FILE = "pyproject.toml"

#: No configuration is larger, in bytes.
MAX_SIZE = 1_000_000


class Document:
    """A configuration file as it was read: ``raw`` tables, not checked yet.

    Equal only to itself: an unchanged file is read once, a changed one is another document.
    """

    def __init__(self, path: Path, content: bytes, raw: dict[str, Any], root: tuple[str, ...]):
        self.path = path
        self.content = content
        self.raw = raw
        self._root = root

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def checked(self, raw: dict[str, Any]) -> dict[str, Any]:
        """``raw``, or a part of it, checked. Raises ConfigError with file, line and hint."""
        try:
            kept: dict[str, Any] = table(TABLES)(raw)
        except Mismatch as mismatch:
            raise self.error(mismatch) from None
        return kept

    def error(self, mismatch: Mismatch) -> ConfigError:
        return config_error(self.where(mismatch.path), mismatch)

    def where(self, path: tuple[str, ...]) -> str:
        """The file and the line that sets ``path``, for people."""
        line = line_of(self.content.decode("utf-8", "replace"), (*self._root, *path))
        return f"{self.path}, line {line}" if line else str(self.path)

    def split(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What a project file may say unasked, and the dotted names of all else it says.

        What no configuration may say is left in, for the check to refuse.
        """
        allowed: dict[str, Any] = {}
        beyond: list[str] = []
        for name, content in self.raw.items():
            if name not in TABLES or not isinstance(content, dict):
                allowed[name] = content
                continue
            for key, value in content.items():
                if name not in PROJECT or (name == "settings" and _is_ours(key)):
                    beyond.append(f"{name}.{printable(key)}")
                else:
                    allowed.setdefault(name, {})[key] = value
        return allowed, tuple(beyond)


def _is_ours(setting: str) -> bool:
    return setting in SETTINGS and setting not in PROJECT["settings"]


def config_error(where: str, mismatch: Mismatch) -> ConfigError:
    """A Mismatch in the user's words."""
    name = ".".join(map(printable, mismatch.path))
    if mismatch.known:
        hint = did_you_mean(mismatch.path[-1], mismatch.known)
        choice = f"known here: {', '.join(mismatch.known)}"
        return ConfigError(f"{where}: unknown key {name}.", hint or choice)
    return ConfigError(f"{where}: {name} should be {mismatch.expected}{mismatch.got}.")


def printable(key: str) -> str:
    """A key as it may be shown: a file could hold codes that a terminal obeys."""
    return key if key.isprintable() else ascii(key)


def user_document() -> Document | None:
    """The user's own configuration."""
    return _document(str(paths.config_file()))


def project_document(folder: Path) -> Document | None:
    """The nearest project file from ``folder`` upward.

    The search ends at the first folder that holds a ``.git``, at the home directory, and before a
    folder where everyone may put files (``/tmp``).
    """
    for place in _upward(str(folder), os.path.expanduser("~")):
        if place.above and _is_public(place.folder):
            return None
        for file in place.files:
            if found := _document(file):
                return found
        if place.last or os.path.exists(place.git):
            return None
    return None


class _Place(NamedTuple):
    """A folder in which a project file may lie; all of it as text, which is looked at for every
    cell."""

    folder: str
    files: tuple[str, str]
    git: str
    above: bool
    last: bool


@functools.lru_cache(maxsize=16)
def _upward(folder: str, home: str) -> tuple[_Place, ...]:
    """The folders from ``folder`` upward, each ``above`` but the first; the home is the last."""
    start = Path(folder).absolute()
    ends = {Path(home), Path(home).resolve()}
    return tuple(
        _Place(
            str(place),
            (str(place / PROJECT_FILE), str(place / SHARED_FILE)),
            str(place / ".git"),
            place != start,
            place in ends,
        )
        for place in (start, *start.parents)
    )


def _is_public(folder: str) -> bool:
    try:
        mode = os.stat(folder).st_mode
    except OSError:
        return True
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def _document(file: str) -> Document | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size > MAX_SIZE:
        if os.path.basename(file) == SHARED_FILE:
            return None
        raise ConfigError(f"{file} is too large for a configuration file.")
    signature = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return _read(Path(file), signature)


@functools.lru_cache(maxsize=32)
def _read(path: Path, _signature: tuple[int, ...]) -> Document | None:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}.") from problem
    shared = path.name == SHARED_FILE
    if shared and b"gemini_magic" not in content:
        return None  # not ours, and not ours to complain about

    import tomllib

    try:
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", "save it as UTF-8") from None
    except (ValueError, RecursionError) as problem:  # also: numbers too long, lists too deep
        said = re.match(r"(.*?) ?\(at (?:line (\d+)|end).*\)", str(problem))
        why, line = (said[1], said[2] or len(content.splitlines())) if said else (problem, 1)
        raise ConfigError(f"{path}, line {line}: this is not TOML ({why}).") from None
    if not shared:
        return Document(path, content, raw, ())
    tool = raw.get("tool")
    ours = tool.get("gemini_magic") if isinstance(tool, dict) else None
    if not isinstance(ours, dict):
        return None
    return Document(path, content, ours, ("tool", "gemini_magic"))


def line_of(toml: str, path: tuple[str, ...]) -> int | None:
    """The line that opens the table or sets the key ``path``; good enough to point at it."""
    header: tuple[str, ...] = ()
    for number, line in enumerate(toml.splitlines(), 1):
        line = line.strip()
        if line.startswith("["):
            header = _dotted(line.strip("["))
            if header[: len(path)] == path:
                return number
        elif "=" in line and not line.startswith("#"):
            key = header + _dotted(line)
            if key == path[: len(key)]:
                return number
    return None


def _dotted(line: str) -> tuple[str, ...]:
    """The dotted key at the start of a line, taken apart."""
    keys = re.match(r"""(?:\s*(?:"[^"]*"|'[^']*'|[\w-]+)\s*\.?)+""", line)
    found = re.findall(r""""[^"]*"|'[^']*'|[\w-]+""", keys[0] if keys else "")
    return tuple(key.strip("\"'") for key in found)
