"""``jupyter gemini enable|disable`` adds lines to one file, and takes out those lines only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets.config import PyFileConfigLoader

from gemini_magic.cli import enable, main, parser

HEADER = "c = get_config()  # noqa: F821\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prefix = tmp_path / "prefix"
    monkeypatch.setattr(sys, "prefix", str(prefix))
    return prefix / "etc" / "ipython" / "ipython_config.py"


def extensions(path: Path) -> list[str]:
    """What IPython would load on account of the file, on top of another file's list."""
    config = PyFileConfigLoader(path.name, str(path.parent)).load_config()
    config.InteractiveShellApp.setdefault("extra_extensions", [])
    found = config.InteractiveShellApp.extra_extensions
    return list(found if isinstance(found, list) else found.get_value([]))


def test_on_and_off_again(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enable.config_file() == path
    main(["enable"])
    assert extensions(path) == ["gemini_magic"]
    text = path.read_text()
    assert capsys.readouterr().out.startswith(f"enabled in {path}")
    main(["enable"])
    assert path.read_text() == text
    assert capsys.readouterr().out.startswith("already enabled")
    main(["disable"])
    assert not path.exists()
    assert capsys.readouterr().out.startswith(f"disabled in {path}")
    main(["disable"])
    assert capsys.readouterr().out == "it was not enabled\n"


@pytest.mark.parametrize(
    "own",
    [
        "c.InteractiveShell.autocall = 1\n",
        f'{HEADER}c.InteractiveShellApp.extra_extensions = ["other"]\n',
        f'{HEADER}c.InteractiveShellApp.extra_extensions.append("other")',
        "# größe\n\n\n",
        f"{HEADER}\n\nx = '''\n\n\n'''\n",
    ],
)
def test_what_the_user_wrote_stays(path: Path, own: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(own, "utf-8")
    main(["enable"])
    before = ["other"] if "other" in own else []
    assert extensions(path) == [*before, "gemini_magic"]
    main(["disable"])
    assert path.read_text("utf-8") == own.rstrip() + "\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.text(st.characters(codec="utf-8", exclude_characters="\r")),
    after=st.text(st.characters(codec="utf-8", exclude_characters="\r")),
)
def test_our_lines_are_taken_out_wherever_they_stand(path: Path, before: str, after: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"x{before}", "utf-8")
    main(["enable"])
    path.write_text(path.read_text("utf-8") + after, "utf-8")
    main(["disable"])
    assert path.read_text("utf-8") == f"x{before}".rstrip() + "\n" + after


def test_a_block_without_its_end_is_not_guessed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("# >>> gemini_magic >>>\nx = 1\n")
    with pytest.raises(SystemExit):
        main(["disable"])
    assert path.read_text() == "# >>> gemini_magic >>>\nx = 1\n"
    assert "without its end" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="POSIX folders")
def test_a_folder_that_cannot_be_written_is_two_lines(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.parent.parent.mkdir()
    path.parent.parent.write_text("a file where a folder should be")
    with pytest.raises(SystemExit) as caught:
        main(["enable"])
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[0].startswith("ConfigError: cannot change")
    assert ".venv" in lines[1]


def test_a_file_in_another_encoding_is_left_alone(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"# gr\xf6\xdfe\n")
    with pytest.raises(SystemExit):
        main(["enable"])
    assert path.read_bytes() == b"# gr\xf6\xdfe\n"
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["enable", "--help"], ["disable", "--help"]])
def test_the_help_writes_percent_signs_as_they_are(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(words)
    out = capsys.readouterr().out
    assert "%%%" not in out
    assert "%%gemini" in out


def test_a_real_ipython_reads_the_file(path: Path, tmp_path: Path) -> None:
    main(["enable"])
    code = (
        f"import sys; sys.prefix = {str(path.parents[2])!r};"
        "from IPython.terminal.ipapp import TerminalIPythonApp as App;"
        "app = App.instance(); app.initialize(['--no-banner', '--simple-prompt',"
        " '--HistoryManager.enabled=False', '-c', 'print(\"gemini\" in get_ipython()"
        '.magics_manager.magics["cell"])\']); app.start()'
    )
    env = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60
    )
    assert "True" in done.stdout, done.stdout + done.stderr
