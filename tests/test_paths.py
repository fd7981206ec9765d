"""Files of ours lie where they should, and private ones are private whatever the umask says."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_magic import paths
from gemini_magic.errors import ConfigError

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_one_variable_moves_all(home: Path) -> None:
    assert paths.config_file() == home / "config" / "gemini_magic.toml"
    assert paths.data_dir() == home / "data"
    assert paths.state_dir() == home / "state"
    assert paths.cache_dir() == home / "cache"
    assert paths.runtime_dir() == home / "state" / "runtime"
    assert not home.exists(), "naming a folder makes nothing"


def test_without_it_the_platform_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_MAGIC_HOME", raising=False)
    folders = {paths.data_dir(), paths.state_dir(), paths.cache_dir(), paths.config_file().parent}
    assert all("gemini_magic" in str(folder) for folder in folders)


@posix
@pytest.mark.parametrize(("bits", "ours"), [(0o700, True), (0o755, False), (0o777, False)])
@pytest.mark.skipif(sys.platform != "linux", reason="XDG")
def test_runtime_folder_is_the_platforms_only_if_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, ours: bool
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    run.chmod(bits)
    monkeypatch.delenv("GEMINI_MAGIC_HOME", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    expected = run / "gemini_magic" if ours else paths.state_dir() / "runtime"
    assert paths.runtime_dir() == expected


@posix
def test_a_linked_runtime_folder_is_not_ours(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(real)
    assert paths.is_ours_alone(real)
    assert not paths.is_ours_alone(link)


@posix
def test_folders_and_files_are_private_with_umask_0(home: Path, open_umask: None) -> None:
    file = paths.data_dir() / "deep" / "file"
    paths.write_private(file, b"x")
    assert mode(file) == 0o600
    assert {mode(folder) for folder in (home, home / "data", file.parent)} == {0o700}


@posix
def test_an_open_folder_of_ours_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    assert mode(paths.private_folder(folder)) == 0o700


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        paths.private_folder(tmp_path / "file" / "folder")


def test_a_failed_write_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "folder" / "file"
    paths.write_private(file, b"old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        paths.write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert [entry.name for entry in file.parent.iterdir()] == ["file"]


def test_a_lock_keeps_other_threads_out(tmp_path: Path) -> None:
    file = tmp_path / "count"
    paths.write_private(file, b"0")

    def count() -> None:
        for _ in range(20):
            with paths.locked(file):
                paths.write_private(file, str(int(file.read_bytes()) + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_bytes() == b"80"


def test_importing_costs_nothing_that_is_not_needed() -> None:
    code = (
        "import sys, gemini_magic.config, gemini_magic.catalog, gemini_magic.keys;"
        "heavy = {'platformdirs', 'keyring', 'tomllib', 'tempfile', 'asyncio', 'pydantic'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
