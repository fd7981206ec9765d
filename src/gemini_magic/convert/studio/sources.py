"""Finds what can be imported in files, folders and ZIP files: by content, not by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from gemini_magic.convert.studio.archives import Archive, is_zip
from gemini_magic.convert.studio.documents import LARGEST, NotAPrompt, too_large

#: Bytes of a file's beginning that tell whether it is text.
_HEAD = 4096
#: Folders of copies and packages, whose files nobody means.
_NOT_MEANT = frozenset({".ipynb_checkpoints", "node_modules", ".venv", ".git", "__pycache__"})
#: The files of a folder that are looked at.
_MOST = 20_000
#: Files of an app that are read; all of them have these suffixes, or none that counts.
_APP = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".json", ".html", ".py", ".local", ".env", ".example")
#: How deep archives lie in archives: a Takeout of Drive holds those of apps.
_DEEPEST = 1


class Item(NamedTuple):
    """A file that may be one to import: its name, where it is (for people), its bytes."""

    name: str
    origin: str
    data: bytes


class App(NamedTuple):
    """An app of AI Studio's Build mode: its files by their paths."""

    name: str
    origin: str
    files: Mapping[str, bytes]


class Problem(NamedTuple):
    """A file within others that cannot be read, and why."""

    origin: str
    error: NotAPrompt


def candidates(path: Path) -> Iterator[Item | App | Problem]:
    """What lies at a path. Raises ``NotAPrompt`` where nothing can be read at all."""
    try:
        if path.is_dir():
            yield from _folder(path)
            return
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if is_zip(head):
                file.seek(0)
                archive = Archive(file, path.name)
                yield from _archive(archive, path.stem, str(path), 0)
                return
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise too_large(path.name)
            data = head + file.read()
    except OSError as error:
        raise NotAPrompt(
            f"cannot read {path}: {error.strerror}.", "Name a file, a folder or a ZIP file."
        ) from None
    yield Item(path.name, str(path), data)


def _folder(folder: Path) -> Iterator[Item | App | Problem]:
    names = list(_walk(folder))
    if _is_app(set(names)):
        files = {name: (folder / name).read_bytes() for name in names if _is_of_app(name)
                 and (folder / name).stat().st_size <= LARGEST}  # fmt: skip
        yield App(folder.absolute().name, str(folder), files)
        return
    for name in names:
        path = folder / name
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
            if is_zip(head) or _may_be_meant(head, path.stat().st_size):
                yield from candidates(path)
        except NotAPrompt as error:
            yield Problem(str(path), error)
        except OSError as error:
            yield Problem(str(path), NotAPrompt(f"cannot read {path}: {error.strerror}."))


def _walk(folder: Path) -> Iterator[str]:
    """The files below a folder, as paths with slashes; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in _NOT_MEANT)
        for name in sorted(files):
            path = Path(place, name)
            if path.is_symlink() or not path.is_file():
                continue
            count += 1
            if count > _MOST:
                raise NotAPrompt(f"{folder} has more than {_MOST:,} files.", "Name a smaller one.")
            yield path.relative_to(folder).as_posix()


def _archive(
    archive: Archive, name: str, origin: str, depth: int
) -> Iterator[Item | App | Problem]:
    names = list(archive.names())
    top = _top(names)
    if _is_app({one.removeprefix(top) for one in names}):
        files = {one.removeprefix(top): archive.data(one) for one in names if _is_of_app(one)}
        yield App(name, origin, files)
        return
    for one in names:
        where = f"{origin}: {one}"
        head = archive.head(one, _HEAD)
        if is_zip(head) and depth < _DEEPEST:
            try:
                inner = Archive(archive.data(one), one)
                yield from _archive(inner, PurePosixPath(one).name, where, depth + 1)
            except NotAPrompt as error:
                yield Problem(where, error)
        elif _may_be_meant(head, archive.size(one)):
            try:
                yield Item(PurePosixPath(one).name, where, archive.data(one))
            except NotAPrompt as error:
                yield Problem(where, error)


def _top(names: list[str]) -> str:
    """The folder that everything in an archive lies in, with its slash; "" if there is none."""
    first = names[0].partition("/")[0] + "/" if names and "/" in names[0] else ""
    return first if first and all(name.startswith(first) for name in names) else ""


def _is_app(names: set[str]) -> bool:
    """Whether these are the files of a Build-mode app."""
    if "metadata.json" not in names:
        return False
    return bool(names & {"package.json", "index.html", "index.tsx", "App.tsx", "server.ts"})


def _is_of_app(name: str) -> bool:
    path = PurePosixPath(name)
    return not set(path.parts) & _NOT_MEANT and (
        path.suffix in _APP or path.name.startswith(".env")
    )


def _may_be_meant(head: bytes, size: int) -> bool:
    """Whether a file among others is looked at; what is large has to look like a prompt."""
    return _is_text(head) and (size <= LARGEST or head.lstrip()[:1] == b"{")


def _is_text(head: bytes) -> bool:
    """Whether it can be a prompt or a program: text of UTF-8."""
    if not head.strip() or b"\0" in head:
        return False
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # cut within a character
    return True
