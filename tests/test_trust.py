"""A project file is accepted by its content, and by nothing else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gemini_magic import keys, paths, trust
from gemini_magic.config import load
from gemini_magic.notebook import commands, key_command


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
    assert len(trust.trust(file, file.read_bytes())) == 64
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
    trust.trust(file, file.read_bytes())
    assert trust.untrust(file)
    assert not trust.is_trusted(file, b"a = 1\n")


def test_a_link_and_its_file_are_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    try:
        link.symlink_to(file)
    except OSError:
        pytest.skip("no links here")
    trust.trust(link, link.read_bytes())
    assert trust.is_trusted(file, file.read_bytes())


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b"\xff"])
def test_a_damaged_list_accepts_nothing(file: Path, content: bytes) -> None:
    paths.write_private(paths.state_dir() / "trust.json", content)
    assert not trust.is_trusted(file, b"a = 1\n")
    trust.trust(file, file.read_bytes())
    assert trust.is_trusted(file, b"a = 1\n")


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_the_list_is_private(file: Path) -> None:
    before = os.umask(0)
    try:
        trust.trust(file, file.read_bytes())
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


def test_trust_shows_what_will_count_and_accepts_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gemini_magic.toml"
    file.write_text(
        '[settings]\nrun_log = false\n[backends.extra]\nkind = "openai"\n'
        'base_url = "https://evil.example/v1"\nkey_env = ["SOME_KEY"]\n'
        '[backends.weights]\nkind = "local"\nmodel = "./evil.gguf"\n'
        '[backends."\\u001b[31m"]\nkind = "openai"\nbase_url = "https://x.example"\n'
    )
    monkeypatch.chdir(tmp_path)
    config = load(folder=tmp_path)
    shown = file.read_bytes()
    file.write_bytes(shown + b"# changed meanwhile\n")
    session = SimpleNamespace(refresh=lambda: config, magic=SimpleNamespace(name="gemini"))
    commands._trust(cast(Any, session), [])
    text = capsys.readouterr().out
    assert text.splitlines()[:4] == [
        "backends.extra: https://evil.example/v1, key from SOME_KEY or %gemini key",
        "backends.weights: this machine, weights ./evil.gguf",
        "backends.'\\x1b[31m': https://x.example, key from %gemini key",
        "also: settings.run_log",
    ]
    assert text.splitlines()[4].startswith(f"accepted {file} (SHA-256 ")
    assert trust.is_trusted(file, shown)
    assert not trust.is_trusted(file, file.read_bytes())


@pytest.mark.parametrize("winner", ["GOOGLE_API_KEY", "GEMINI_API_KEY", ".env", ""])
def test_a_stored_key_that_does_not_count_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    winner: str,
) -> None:
    monkeypatch.setattr(key_command, "getpass", lambda prompt: "t" * 24)
    monkeypatch.setattr(key_command, "_consent", lambda question: True)
    monkeypatch.setattr(keys, "_keyring", lambda: None)
    if winner == ".env":
        (tmp_path / ".env").write_text("GEMINI_API_KEY=" + "e" * 24)
        winner = f"GEMINI_API_KEY in {tmp_path / '.env'}"
    elif winner:
        monkeypatch.setenv(winner, "e" * 24)
        winner += " in the environment"
    key_command.ask(load(folder=tmp_path), "studio")
    stored, *more = capsys.readouterr().out.splitlines()
    assert stored.startswith("stored in ")
    assert more == ([f"{winner} wins over it."] if winner else [])
