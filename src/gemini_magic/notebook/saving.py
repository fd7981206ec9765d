"""Puts an answer's pictures, sound and films into files that say how they came about."""

from __future__ import annotations

import errno
import json
import os
import re
import time
import unicodedata
import uuid
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.notebook import tags
from gemini_magic.pictures import Media, Unshowable, look
from gemini_magic.types import Reply

#: Where files go by default, below the notebook's folder.
FOLDER = "gemini_outputs"
#: Characters of the prompt in a file's name, and its longest in bytes (file systems allow 255).
_SLUG, _SLUG_BYTES = 40, 120
#: Tries to find a name that nobody else takes at the same time.
_TRIES = 1_000
#: Characters of a prompt that go into a file.
_LONGEST = 100_000


class Saved(NamedTuple):
    """The files of ``reply.media`` in their order, None for one without; what went wrong."""

    paths: tuple[Path | None, ...] = ()
    problem: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path in self.paths if path is not None)


def save(
    reply: Reply, folder: Path, *, prompt: str, cell: str = "", at: float | None = None
) -> Saved:
    """Save the media of a reply below ``folder``, which is made if it is not there.

    ``prompt`` is what the user wrote, ``cell`` the whole cell; ``at`` is Unix time (None: now).
    Never raises: what cannot be saved stays in the reply, and ``problem`` says so in one line.
    """
    paths: list[Path | None] = []
    at = time.time() if at is None else at
    said = about(reply, prompt, at, cell)
    for part in reply.media:
        try:
            seen = look(part.data or b"", part.mime_type or "")
        except Unshowable:
            paths.append(None)
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths.append(_write(folder, _stem(prompt, seen.kind, at), seen, said))
        except OSError as problem:
            paths += [None] * (len(reply.media) - len(paths))
            why = problem.strerror or type(problem).__name__
            return Saved(
                tuple(paths), f"not saved in {folder}: {why}; the bytes are in reply.media"
            )
    return Saved(tuple(paths))


def about(reply: Reply, prompt: str, at: float, cell: str = "") -> dict[str, Any]:
    """What a file says of itself: JSON values."""
    request = reply.request
    document: dict[str, Any] = {
        "prompt": prompt[:_LONGEST],
        "model": reply.model_version or reply.model,
        "backend": reply.backend,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        "software": f"gemini_magic {_version()}",
    }
    if reply.model_version and reply.model != reply.model_version:
        document["asked"] = reply.model
    if cell and len(cell) <= _LONGEST:
        document["cell"] = cell
    if request is not None and (settings := request.settings.to_json()):
        document["settings"] = settings
        if request.settings.seed is not None:
            document["seed"] = request.settings.seed
    return document


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What a saved file says of itself (see ``about``); None where it says nothing.

    Never raises; what is in a file from elsewhere is anyone's word.
    """
    with suppress(OSError, ValueError, RecursionError):
        said = tags.read(path)
        if said is None and (beside := _beside(path)).stat().st_size <= tags.LARGEST:
            said = beside.read_text("utf-8")
        found = json.loads(said) if said else None
        if isinstance(found, dict):
            return found
    return None


def _write(folder: Path, stem: str, seen: Media, said: dict[str, Any]) -> Path:
    """Write a file under a free name, all of it or nothing. Raises OSError."""
    text = json.dumps(said, ensure_ascii=False)
    text = text.encode("utf-8", "replace").decode("utf-8")
    tagged = tags.write(seen.data, seen.mime_type, text, said)
    path = _put(folder, stem, seen.suffix, seen.data if tagged is None else tagged)
    if tagged is None:
        try:
            _complete(_temporary(folder, text.encode()), _beside(path))
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise
    return path


def _put(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    temporary = _temporary(folder, data)
    try:
        first = 1 + max(_numbers(folder, stem), default=0)
        for number in range(first, first + _TRIES):
            path = folder / f"{stem}-{number}{suffix}"
            if _beside(path).exists():
                continue
            with suppress(FileExistsError):
                _claim(temporary, path)
                return path
        raise FileExistsError(errno.EEXIST, "no free name")
    finally:
        with suppress(OSError):
            temporary.unlink()


def _temporary(folder: Path, data: bytes) -> Path:
    """A complete file under a name that nobody looks for."""
    path = folder / f".gemini_magic-{uuid.uuid4().hex}.part"
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def _claim(temporary: Path, path: Path) -> None:
    """Give a file its name, if nobody has it. Raises FileExistsError."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError):  # a file system without links
        with path.open("xb"):
            pass
        _complete(temporary, path)


def _complete(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _numbers(folder: Path, stem: str) -> Iterable[int]:
    pattern = re.compile(re.escape(stem) + r"-(\d{1,9})\.\w+")
    return [int(found[1]) for name in os.listdir(folder) if (found := pattern.fullmatch(name))]


def _stem(prompt: str, kind: str, at: float) -> str:
    """The date and the first words of a prompt: letters, digits and hyphens of any script."""
    words = unicodedata.normalize("NFKC", prompt[:1_000]).lower()
    slug = re.sub(r"[\W_]+", "-", words, flags=re.UNICODE).strip("-")[:_SLUG]
    slug = slug.encode("utf-8", "ignore")[:_SLUG_BYTES].decode("utf-8", "ignore").strip("-")
    return f"{time.strftime('%Y-%m-%d', time.localtime(at))}-{slug or kind}"


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _version() -> str:
    try:
        return version("gemini-magic")
    except PackageNotFoundError:
        return "?"
