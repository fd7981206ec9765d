"""Tells a Jupyter server which backends each kernel has keys for: a small file of each kernel's.

It says where a key is (the environment, a file, the keyring), and nothing of the key.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic import keys, paths
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.targets import choose
from gemini_magic.errors import GeminiMagicError
from gemini_magic.locks import ProcessLock

_VERSION = 1
#: No report is larger, in bytes; it tells of no more backends than that.
_LARGEST = 64_000
_MOST = 200


class Reported(NamedTuple):
    """A backend as a kernel is configured: ``key`` is one of ``keys.PLACES``, None without one.

    ``turn`` is its place along the kernel's route, from 0 on; None where it is not in it.
    """

    name: str
    host: str
    key: str | None
    turn: int | None


class Report(NamedTuple):
    """What one kernel says; ``notebook`` is the path of its file, empty where it is not known."""

    notebook: str
    backends: tuple[Reported, ...]


# --- the kernel's side --------------------------------------------------------------------------


class Reporter:
    """Keeps this process's report until it is closed, or the process ends. For any thread.

    The report is replaced when it changed. Beside it is a lock that the process holds: the system
    drops it whichever way the process ends.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = ProcessLock()
        self._closed = False
        self._pid = 0
        self._file = Path()
        self._held = ExitStack()
        self._notebook = ""
        self._told: dict[str, Any] | None = None

    def tell(self, notebook: str = "") -> None:
        """Report what is so now; what goes wrong with it is nobody's concern."""
        with self._lock, suppress(OSError, GeminiMagicError):
            if self._closed:
                return
            if notebook.isprintable():
                self._notebook = notebook or self._notebook
            report = self._report()
            if self._pid != os.getpid():  # the first time, or a forked child
                self._begin()
            elif report == self._told:
                return
            content = json.dumps({**report, "at": time.time()}).encode()
            if len(content) <= _LARGEST:
                paths.write_private(self._file, content)
                self._told = report

    def close(self) -> None:
        """Take the report back, and tell nothing more."""
        with self._lock, suppress(OSError):
            self._closed = True
            if self._pid != os.getpid():
                return  # it is the parent's, or none
            self._pid = 0
            atexit.unregister(self.close)
            self._file.unlink(missing_ok=True)
            self._held.close()
            _lock_of(self._file).unlink(missing_ok=True)

    def _begin(self) -> None:
        folder = paths.private_folder(_folder())
        self._file = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        self._held = ExitStack()  # a child leaves the parent's lock to the parent
        self._held.enter_context(paths.held(_lock_of(self._file)))
        self._pid = os.getpid()
        atexit.register(self.close)

    def _report(self) -> dict[str, Any]:
        config, place = self._connections.config, self._connections.key_place
        turns: dict[str, int] = {}
        with suppress(GeminiMagicError):  # a route that leads nowhere
            targets = choose(config, place)
            route = dict.fromkeys(target.backend for target in targets)
            turns = {name: turn for turn, name in enumerate(route)}
        named = [config.presets[name] for name in turns if name in config.presets]
        rows = []
        for service in (*named, *config.backends.values())[:_MOST]:
            with suppress(GeminiMagicError):  # a file of keys that cannot be used: no word of it
                turn = turns.get(service.name)
                row = Reported(service.name, service.host, place(service), turn)
                rows.append(row._asdict())
        return {
            "version": _VERSION,
            "pid": os.getpid(),
            "notebook": self._notebook,
            "backends": rows,
        }


# --- the server's side --------------------------------------------------------------------------


def alive() -> list[Report]:
    """What the kernels that live report; the files of those that do not are removed.

    What is no report of this user's is passed over.
    """
    return [report for path in _files() if (report := _read(path)) is not None]


def changes() -> object:
    """Something that differs from the last call's where a report came, went or changed."""
    return _listed()


def _files() -> Iterable[Path]:
    return [_folder() / name for name, _ in _listed()]


def _listed() -> tuple[tuple[str, int], ...]:
    """The files by name, with what tells one from the next that replaces it."""
    folder = _folder()
    if not paths.is_ours_alone(folder):
        return ()
    with suppress(OSError), os.scandir(folder) as found:
        files = [one for one in found if one.name.endswith(".json") and one.name[0] != "."]
        return tuple(sorted((one.name, one.inode()) for one in files))
    return ()


def _read(path: Path) -> Report | None:
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        content = _content(path)
        if _lives(path):
            return _report(json.loads(content))
    return None


def _content(path: Path) -> bytes:
    """A plain file's content. Raises OSError and ValueError for what is none of ours."""
    more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | more)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ValueError("no report")
        if os.name == "posix" and status.st_uid != os.geteuid():
            raise ValueError("somebody else's")
        return file.read(_LARGEST)


def _lives(path: Path) -> bool:
    """Whether the process that wrote it lives; the report of one that does not is removed."""
    lock = _lock_of(path)
    if lock.is_file() and not lock.is_symlink():
        with paths.held(lock, lambda: True) as free:
            if not free:
                return True
    path.unlink(missing_ok=True)
    lock.unlink(missing_ok=True)
    return False


def _report(told: Any) -> Report:
    """A report that was read, checked. Raises TypeError, ValueError and KeyError."""
    if told["version"] != _VERSION:
        raise ValueError("another version's")
    rows = told["backends"]
    if not isinstance(rows, list) or len(rows) > _MOST:
        raise ValueError("no list of backends")
    return Report(_text(told["notebook"]), tuple(map(_reported, rows)))


def _reported(row: Any) -> Reported:
    key, turn = row["key"], row["turn"]
    if key is not None and key not in keys.PLACES:
        raise ValueError("no place of keys")
    if turn is not None and type(turn) is not int:
        raise TypeError("no place along a route")
    return Reported(_text(row["name"]), _text(row["host"]), key, turn)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError("no line of text")
    return value


def _folder() -> Path:
    return paths.state_dir() / "kernels"


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")
