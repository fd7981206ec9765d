"""Files are written all or not at all, whatever goes wrong between them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemini_magic.convert.writing import changed, state, write_all
from gemini_magic.errors import GeminiMagicError


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_new_and_old_files_and_folders() -> None:
    Path("old").write_bytes(b"before")
    write_all({Path("old"): b"after", Path("new/deep/file.sh"): b"x", Path("new/plain"): b"y"})
    assert everything() == {"old": b"after", "new/deep/file.sh": b"x", "new/plain": b"y"}
    assert os.access("new/deep/file.sh", os.X_OK) and not os.access("new/plain", os.X_OK)


@pytest.mark.skipif(os.name == "nt", reason="another limit there")
@pytest.mark.parametrize("last", [True, False])
def test_what_is_half_done_is_undone(last: bool) -> None:
    """A name that is too long is found out only when the file is to get it."""
    Path("old").write_bytes(b"before")
    Path("link").symlink_to("old")
    files = {Path("old"): b"after", Path("link"): b"after", Path("new/a"): b"x"}
    bad = {Path("new", "n" * 300): b"y"}
    with pytest.raises(GeminiMagicError, match="nothing was written"):
        write_all({**files, **bad} if last else {**bad, **files})
    assert everything() == {"old": b"before", "link": b"before"}
    assert Path("link").is_symlink() and sorted(os.listdir()) == ["link", "old"]


def test_states() -> None:
    Path("a").write_bytes(b"x")
    Path("link").symlink_to("a")
    Path("folder").mkdir()
    names = ("a", "link", "folder", "none")
    assert [state(Path(name), b"x") for name in names] == ["same", "differs", "differs", "missing"]
    assert changed({Path("a"): b"y", Path("none"): b"z"}) == [Path("a")]
