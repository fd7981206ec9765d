"""Which project files the user has accepted, by their content: a changed file loses its trust."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from gemini_magic import paths


def is_trusted(path: Path, content: bytes) -> bool:
    """Whether the user accepted the project file ``path`` with exactly this content."""
    return _accepted().get(_name(path)) == _hash(content)


def trust(path: Path, content: bytes) -> str:
    """Accept the project file ``path``; its SHA-256 in hex is returned.

    ``content`` is what the user was shown: should the file have changed since, the new content
    stays unaccepted.
    """
    digest = _hash(content)
    with paths.locked(_file()):
        _write({**_load(_file()), _name(path): digest})
    return digest


def untrust(path: Path) -> bool:
    """Take the acceptance of ``path`` back; whether there was one."""
    with paths.locked(_file()):
        accepted = _load(_file())
        known = accepted.pop(_name(path), None) is not None
        if known:
            _write(accepted)
    return known


def _file() -> Path:
    return paths.state_dir() / "trust.json"


def _name(path: Path) -> str:
    return str(path.resolve())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _accepted() -> dict[str, str]:
    """The accepted files and their hashes; none where the list is missing or damaged."""
    path = _file()
    try:
        status = path.stat()
    except OSError:
        return {}
    return _read(path, status.st_mtime_ns, status.st_size, status.st_ino)


@functools.lru_cache(maxsize=4)
def _read(path: Path, *_signature: int) -> dict[str, str]:
    return _load(path)


def _load(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(accepted: dict[str, str]) -> None:
    paths.write_private(_file(), json.dumps(accepted, indent=1, sort_keys=True).encode())
