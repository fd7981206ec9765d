"""Files and folders that are to be migrated: found, read, and written in place."""

from __future__ import annotations

import difflib
import io
import os
import shutil
import tempfile
import tokenize
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gemini_magic.convert.migrate import notebook, program
from gemini_magic.convert.migrate.javascript import archive
from gemini_magic.convert.migrate.javascript import files as javascript
from gemini_magic.convert.migrate.javascript.project import Projects
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.project import Project
from gemini_magic.convert.migrate.report import Place
from gemini_magic.convert.secrets import keys_given, without_values
from gemini_magic.convert.studio.redacted import text_without_keys
from gemini_magic.errors import GeminiMagicError, UsageError

SUFFIXES = (".py", ".ipynb")
#: A program of more bytes than this was not written by anyone.
MOST_BYTES = {".ipynb": 500_000_000, archive.SUFFIX: 200_000_000}
_MOST_BYTES = 10_000_000
_SKIPPED = {"__pycache__", "node_modules", "site-packages", ".ipynb_checkpoints"}


class File(NamedTuple):
    """A file as it is and as it will be; ``error`` where it cannot be migrated."""

    path: Path
    old: bytes = b""
    new: bytes = b""
    places: tuple[Place, ...] = ()
    error: GeminiMagicError | None = None

    @property
    def changed(self) -> bool:
        return self.old != self.new


def find(words: Iterable[str]) -> list[Path]:
    """The files that paths name, and those in folders. Raises ``UsageError``."""
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            found += sorted(_inside(path))
        elif not os.path.lexists(path):
            raise UsageError(f"no file is called {word}.", "Name programs, notebooks, folders.")
        elif path.suffix not in (*SUFFIXES, archive.SUFFIX) and not javascript.handles(path):
            raise UsageError(
                f"{word} is neither a program of Python or JavaScript nor a notebook.",
                "Name programs, notebooks, package.json, HTML, folders or ZIP files of them.",
            )
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders
            if name not in _SKIPPED and not name.startswith(".")
            and not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))
        )  # fmt: skip
        for name in names:
            path = Path(root, name)
            known = path.suffix in SUFFIXES or (
                javascript.handles(path) and not javascript.is_built(path.relative_to(folder))
            )
            if known and not path.is_symlink():
                yield path


def migrate(path: Path, options: Options = Options()) -> File:  # noqa: B008
    """What a file will be; nothing is written."""
    try:
        old = _read(path)
        options = options._replace(path=path)
        if path.suffix == archive.SUFFIX:
            data, places = archive.migrate(old, path, options)
            return File(path, old, data, places)
        ours = javascript.handles(path)
        concerns = javascript.concerns if ours else program.concerns
        if path.suffix != ".ipynb" and not concerns(old.decode("latin-1"), options):
            return File(path, old, old)
        text, encoding = _decoded(old, path)
        if ours:
            made = javascript.migrate(text, path, options)
        elif path.suffix == ".ipynb":
            made = notebook.migrate(text, path.name, options)
        else:
            made = program.migrate(text, options)
        return File(path, old, made.text.encode(encoding), made.places)
    except GeminiMagicError as error:
        return File(path, error=type(error)(f"{path}: {error.what}", error.next_step))


def project(paths: Iterable[Path]) -> Project | None:
    """What these files know of each other; None where there is but one."""
    texts: dict[Path, str] = {}
    for path in (one for one in paths if one.suffix in SUFFIXES):
        with suppress(GeminiMagicError):  # it is told when the file's turn comes
            text = _decoded(_read(path), path)[0]
            texts[path] = text if path.suffix == ".py" else notebook.python_of(text)
    return Project(texts) if len(texts) > 1 else None


def scripts(paths: Iterable[Path], options: Options) -> Projects | None:
    """What the JavaScript files among these know of each other; None where there is but one."""
    texts: dict[Path, str] = {}
    for path in (one for one in paths if one.suffix in javascript.SUFFIXES):
        with suppress(GeminiMagicError):
            texts[path] = _decoded(_read(path), path)[0]
    return javascript.projects(texts, options)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES.get(path.suffix, _MOST_BYTES):
            raise GeminiMagicError(f"it has {size // 1_000_000} MB, which is no program.")
        return path.read_bytes()
    except OSError as error:
        raise GeminiMagicError(f"it cannot be read: {error.strerror}.") from None


def _decoded(data: bytes, path: Path) -> tuple[str, str]:
    """The text, and its encoding; line ends stay as they are."""
    if b"\0" in data:
        raise GeminiMagicError("it is binary.")
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        if path.suffix == ".py":
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding), encoding
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise GeminiMagicError(f"it is no text in {encoding}.") from None


def write(file: File) -> None:
    """Put the new text in the place of the old one, whole or not at all.

    Raises ``GeminiMagicError``, and then the file is as it was.
    """
    place = file.path.resolve()
    name = ""
    try:
        if not os.access(place, os.W_OK) or not place.stat().st_mode & 0o222:
            raise GeminiMagicError(f"{file.path} is read-only; nothing was written.")
        if place.read_bytes() != file.old:
            raise GeminiMagicError(f"{file.path} was changed meanwhile; nothing was written.")
        number, name = tempfile.mkstemp(prefix=".gemini-", dir=place.parent)
        with os.fdopen(number, "wb") as staged:
            staged.write(file.new)
        shutil.copymode(place, name)
        os.replace(name, place)
        name = ""
    except OSError as error:
        raise GeminiMagicError(
            f"cannot write {file.path}: {error.strerror}; nothing was written."
        ) from None
    finally:
        if name:
            with suppress(OSError):
                os.unlink(name)


def diff(file: File, key_names: Set[str] = frozenset()) -> str:
    """The changes as a unified diff; a notebook's by cell. Keys are names in brackets.

    ``key_names`` are the environment's variables that hold keys here.
    """
    if not file.changed:
        return ""
    both = [*_texts(file)]
    path = file.path
    shown = "".join(
        _diff(old, new, f"{path}[{name}]" if name else str(path)) for name, old, new in both
    )
    return _shown(shown, both, key_names)


def before_and_after(file: File, key_names: Set[str] = frozenset()) -> tuple[str, str]:
    """What people read of a program or notebook, and of what it will be; keys as in ``diff``."""
    both = [*_texts(file)]
    if file.path.suffix == ".ipynb":
        before, after = (
            "\n\n".join(f"# %% [{row[0]}]\n{row[at]}" for row in both) for at in (1, 2)
        )
    else:
        [(_, before, after)] = both
    return _shown(before, both, key_names), _shown(after, both, key_names)


def _shown(text: str, both: Iterable[tuple[str, str, str]], key_names: Set[str]) -> str:
    """A text of a file's, without the keys that stand in its old texts or its new ones."""
    keys = {one[key.start : key.end]: key.name for _, *pair in both for one in pair
            for key in keys_given(one)}  # fmt: skip
    return text_without_keys(without_values(text, keys), key_names, {})


def _texts(file: File) -> Iterator[tuple[str, str, str]]:
    """What people read of it: a cell's or an entry's name, the old text and the new one."""
    if file.path.suffix == ".ipynb":
        olds, news = (notebook.cells_of(data.decode("utf-8-sig")) for data in (file.old, file.new))
        for (name, old), (_, new) in zip(olds, news, strict=True):
            yield name, old, new
    elif file.path.suffix == archive.SUFFIX:
        after = archive.texts(file.new, file.path.name)
        for name, old in archive.texts(file.old, file.path.name).items():
            yield name, old, after[name]
    else:
        (old, _), (new, _) = (_decoded(data, file.path) for data in (file.old, file.new))
        yield "", old, new


def _diff(old: str, new: str, label: str) -> str:
    made = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), label, label
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in made)
