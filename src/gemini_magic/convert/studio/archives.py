"""Reads ZIP files that come from anywhere: nothing is unpacked, and hostile ones are refused."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from gemini_magic.convert.studio.documents import LARGEST, NotAPrompt

#: The most entries, and what they may come to in bytes if they are packed tightly.
_ENTRIES, _BYTES = 20_000, 200_000_000
#: How much larger than its file a large archive may be.
_RATIO = 100


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\3\4", b"PK\5\6"))


class Archive:
    """A ZIP file that is open. Raises ``NotAPrompt`` for one that is broken or hostile."""

    def __init__(self, file: BinaryIO | bytes, name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError) as problem:
            raise self._refused(f"it cannot be read ({problem})") from None
        infos = self._zip.infolist()
        if len(infos) > _ENTRIES:
            raise self._refused(f"it has more than {_ENTRIES:,} entries")
        size, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
        if size > _BYTES and size > _RATIO * packed:
            raise self._refused("it unpacks to far more than it is (a ZIP bomb)")
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            self._check(info)
            if not info.is_dir():
                self._infos[info.filename] = info

    def names(self) -> Iterator[str]:
        """The names of the files, in the archive's order."""
        yield from self._infos

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a file."""
        return self._read(name, size)

    def size(self, name: str) -> int:
        """The bytes that a file says it has."""
        return self._infos[name].file_size

    def data(self, name: str) -> bytes:
        """A whole file; one that is larger than any prompt is refused."""
        data = self._read(name, LARGEST + 1)
        if len(data) > LARGEST:
            raise self._refused(f"{name!r} in it has more than {LARGEST // 10**6} MB")
        return data

    def _read(self, name: str, size: int) -> bytes:
        try:
            with self._zip.open(self._infos[name]) as file:
                return file.read(size)
        except (
            zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError,
            ValueError,
        ) as problem:  # fmt: skip
            raise self._refused(f"{name!r} in it cannot be read ({problem})") from None

    def _check(self, info: zipfile.ZipInfo) -> None:
        for name in (info.filename, info.orig_filename):
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or (name[1:2] == ":" and name[0].isalpha()):
                raise self._refused(f"it names a place outside of itself ({name[:80]!r})")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise self._refused(f"{info.filename[:80]!r} in it is a link")
        if info.flag_bits & 0x1:
            raise self._refused(f"{info.filename[:80]!r} in it is encrypted")

    def _refused(self, why: str) -> NotAPrompt:
        return NotAPrompt(
            f"{self._name}: this ZIP file is refused: {why}; nothing was written.",
            "Name a ZIP file of Google Takeout, Drive or AI Studio.",
        )

    def close(self) -> None:
        self._zip.close()
