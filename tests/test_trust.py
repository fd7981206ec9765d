"""A project file is accepted by its content, and by nothing else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_magic import paths, trust
from gemini_magic.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gemini_magic.toml"
    path.write_bytes(b"a = 1\n")
    return path


def test_accepted_until_it_changes(file: Path) -> None:
    assert not trust.is_trusted(file, b"a = 1\n")
    assert len(trust.trust(file)) == 64
    assert trust.is_trusted(file, b"a = 1\n")
    assert not trust.is_trusted(file, b"a = 2\n")
    assert not trust.is_trusted(file.with_name("other.toml"), b"a = 1\n")


def test_what_was_shown_is_what_is_accepted(file: Path) -> None:
    shown = file.read_bytes()
    file.write_bytes(b"evil = 1\n")
    trust.trust(file, shown)
    assert not trust.is_trusted(file, file.read_bytes())


def test_untrust(file: Path) -> None:
    assert not trust.untrust(file)
    trust.trust(file)
    assert trust.untrust(file)
    assert not trust.is_trusted(file, b"a = 1\n")


def test_a_link_and_its_file_are_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    try:
        link.symlink_to(file)
    except OSError:
        pytest.skip("no links here")
    trust.trust(link)
    assert trust.is_trusted(file, file.read_bytes())


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b"\xff"])
def test_a_damaged_list_accepts_nothing(file: Path, content: bytes) -> None:
    paths.write_private(paths.state_dir() / "trust.json", content)
    assert not trust.is_trusted(file, b"a = 1\n")
    trust.trust(file)
    assert trust.is_trusted(file, b"a = 1\n")


def test_an_unreadable_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        trust.trust(tmp_path / "missing.toml")


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_the_list_is_private(file: Path) -> None:
    before = os.umask(0)
    try:
        trust.trust(file)
    finally:
        os.umask(before)
    listed = paths.state_dir() / "trust.json"
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    assert stat.S_IMODE(listed.parent.stat().st_mode) == 0o700


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gemini_magic import trust\n"
        "for i in range(10): trust.trust(Path(f'{sys.argv[1]}-{i}'), b'x')"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"file{n}")]) for n in range(4)
    ]
    assert [process.wait(60) for process in started] == [0] * 4
    assert len(json.loads((paths.state_dir() / "trust.json").read_bytes())) == 40
