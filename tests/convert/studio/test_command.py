"""Both faces of the import: what they write, what they tell, and what they refuse."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from gemini_magic.cli import main
from gemini_magic.convert.studio import documents
from tests.convert.studio.lab import KEY, PNG, chat, model, user

PROMPT = json.dumps(chat(user("q"), model("a")))


def run(*words: str) -> int:
    """The exit status of ``jupyter gemini import``."""
    try:
        main(["import", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def archive(path: Path, files: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("My prompt").write_text(PROMPT, "utf-8")
    assert run("My prompt", "-o", "out/deep") == 0
    assert tree(Path("out")) == ["deep", "deep/My prompt.ipynb"]
    assert "My prompt → out/deep/My prompt.ipynb" in capsys.readouterr().err.replace("\\", "/")
    held = json.loads(Path("out/deep/My prompt.ipynb").read_text("utf-8"))
    assert held["cells"][2]["source"][1:] == ["q"], "lines, for diffs"
    book = nbformat.read("out/deep/My prompt.ipynb", 4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)


def test_a_takeout_with_decoys(capsys: pytest.CaptureFixture[str]) -> None:
    archive(Path("takeout.zip"), {
        "Takeout/Drive/Google AI Studio/My prompt": PROMPT,
        "Takeout/Drive/Google AI Studio/other/My prompt": PROMPT,
        "Takeout/Drive/Google AI Studio/notes.json": '{"x": 1}',
        "Takeout/Drive/Google AI Studio/applet_access_history.json": '{"applets": []}',
        "Takeout/Drive/Google AI Studio/image(1).png": PNG,
        "Takeout/Drive/Google AI Studio/empty": "",
        "Takeout/archive_browser.html": "<html></html>",
    })  # fmt: skip
    assert run("takeout.zip", "-o", "out", "--report", "json") == 0
    assert tree(Path("out")) == ["My prompt (2).ipynb", "My prompt.ipynb"]
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["notebook"] is not None for row in rows) == 2
    skipped = [row["skipped"] for row in rows if "skipped" in row]
    assert "AI Studio's list of apps, which holds no prompt" in skipped


def test_a_folder_in_which_one_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("prompts")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/good").write_text(PROMPT, "utf-8")
    (folder / "cut").write_text(PROMPT[:100], "utf-8")
    (folder / "photo.png").write_bytes(PNG)
    assert run("prompts", "-o", "out") == 1
    assert tree(Path("out")) == ["good.ipynb"]
    said = capsys.readouterr().err
    assert "cut is no saved prompt: its JSON is broken or cut off" in said


def test_large_files_that_are_no_prompts_stand_in_nobodys_way() -> None:
    Path("folder").mkdir()
    with Path("folder/table.csv").open("wb") as file:
        file.write(b"a,b\n" * 2_000)
        file.truncate(65_000_000)
    Path("folder/p").write_text(PROMPT, "utf-8")
    assert run("folder", "-o", "out") == 0
    assert tree(Path("out")) == ["p.ipynb"]


def test_halves_of_characters_are_written_too() -> None:
    Path("p").write_text('{"chunkedPrompt": {"chunks": [{"text": "\\ud800", "role": "user"}]}}')
    assert run("p") == 0
    nbformat.validate(nbformat.read("p.ipynb", 4))  # type: ignore[no-untyped-call]


def test_nothing_is_replaced_without_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p").write_text(PROMPT, "utf-8")
    Path("q").write_text(PROMPT, "utf-8")
    Path("q.ipynb").write_text("mine", "utf-8")
    assert run("p", "q") == 1
    assert "Add --force" in capsys.readouterr().err
    assert not Path("p.ipynb").exists(), "all of it or nothing"
    assert Path("q.ipynb").read_text("utf-8") == "mine"
    assert run("p", "q", "--force") == 0
    assert Path("p.ipynb").exists() and Path("q.ipynb").read_text("utf-8") != "mine"


def test_the_same_import_again_changes_nothing() -> None:
    Path("p").write_text(PROMPT, "utf-8")
    assert run("p") == 0
    before = Path("p.ipynb").read_bytes()
    assert run("p") == 0 and Path("p.ipynb").read_bytes() == before


def test_patterns_and_missing_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a 1").write_text(PROMPT, "utf-8")
    Path("a 2").write_text(PROMPT, "utf-8")
    assert run("a *", "-o", "out") == 0
    assert len(tree(Path("out"))) == 2
    assert run("b *", "-o", "none") == 1 and run("gone", "-o", "none") == 1
    assert not Path("none").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_the_prompt_is_found_by_content_whatever_it_is_called() -> None:
    for name in ("x.json", "x.txt", "x.png", "x"):
        Path(name).write_text("\ufeff  " + PROMPT, "utf-8")
        assert run(name, "-o", f"out-{name}") == 0


# --- what is refused: a clear error, and nothing written ---


def zip_with(name: str, data: bytes = PROMPT.encode(), mode: int = 0) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        made.writestr(info, data)
    return held.getvalue()


def bomb() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(10):
            made.writestr(f"prompt {number}", b"{" + bytes(30_000_000))
    return held.getvalue()


def lying() -> bytes:
    """An archive that says its file is small, and holds 80 MB."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("prompt", b"{" + b" " * 80_000_000)
    data = bytearray(held.getvalue())
    size = (80_000_001).to_bytes(4, "little")
    at = data.rfind(size)
    data[at : at + 4] = (1_000).to_bytes(4, "little")
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(zip_with("prompt"))
    data[data.rfind(b"PK\1\2") + 8] |= 1
    return bytes(data)


NOTEBOOK = {"cells": [], "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"language_info": {"name": "R"}}}  # fmt: skip
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "binary": (bytes(range(256)) * 9, "no saved prompt"),
    "picture": (PNG, "no saved prompt"),
    "cut": (PROMPT[:200].encode(), "broken or cut off"),
    "cut in a character": ('{"runSettings": "ü'.encode()[:-1], "no text"),
    "other json": (b'{"a": 1}', "no saved prompt"),
    "a list": (b"[1]", "no saved prompt"),
    "deep": (b'{"chunkedPrompt": ' + b"[" * 200_000, "broken or cut off"),
    "deep but whole": (b'{"chunkedPrompt": {"chunks": [{"x": ' + b"[" * 900 + b"]" * 900 + b"}]}}",
                       ""),
    "no chunks": (b'{"chunkedPrompt": {"chunks": 3}, "runSettings": {}}', "chunks are not"),
    "odd chunks": (b'{"chunkedPrompt": {"chunks": [3]}, "runSettings": {}}', "chunks are not"),
    "no zip": (b"PK\3\4" + bytes(99), "refused: it cannot be read"),
    "up": (zip_with("../../evil"), "names a place outside"),
    "up with backslashes": (zip_with("..\\evil"), "names a place outside"),
    "absolute": (zip_with("/etc/cron.d/evil"), "names a place outside"),
    "drive": (zip_with("C:\\evil"), "names a place outside"),
    "link": (zip_with("prompt", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link"),
    "encrypted": (encrypted(), "is encrypted"),
    "zip of nothing": (zip_with("a.png", PNG), "nothing to import"),
    "apps alone": (zip_with("x.json", b'{"applets": []}'), "list of apps"),
    "r": (json.dumps(NOTEBOOK).encode(), "a notebook in r"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    data, words = BAD[name]
    Path("input").write_bytes(data)
    status = run("input", "-o", "out")
    said = capsys.readouterr().err
    assert "Traceback" not in said and len(said.splitlines()) <= 3
    if words:
        assert status == 1 and words in said, said
        assert tree(Path.cwd()) == ["input"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [bomb, lying], ids=["bomb", "lying"])
def test_bombs(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("input").write_bytes(make())
    assert run("input", "-o", "out") == 1
    assert "refused" in capsys.readouterr().err
    assert tree(Path.cwd()) == ["input"]


def test_a_prompt_of_100_megabytes(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("input").open("wb") as file:
        file.write(PROMPT.encode())
        file.truncate(100_000_000)
    assert run("input", "-o", "out") == 1
    assert "more than 64 MB" in capsys.readouterr().err
    assert tree(Path.cwd()) == ["input"]


def test_too_large_an_entry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert documents.LARGEST == 64_000_000
    monkeypatch.setattr("gemini_magic.convert.studio.archives.LARGEST", 1_000)
    Path("input").write_bytes(zip_with("prompt", b"{" + b" " * 2_000))
    assert run("input", "-o", "out") == 1
    assert "refused" in capsys.readouterr().err


def test_links_of_a_folder_are_not_followed() -> None:
    Path("secret").write_text(PROMPT, "utf-8")
    Path("prompts").mkdir()
    try:
        Path("prompts/link").symlink_to("../secret")
    except OSError:
        pytest.skip("links need rights here")
    assert run("prompts", "-o", "out") == 1
    assert not Path("out").exists()


def test_where_nothing_can_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p").write_text(PROMPT, "utf-8")
    Path("file").write_text("x", "utf-8")
    assert run("p", "-o", "file") == 1
    assert run("p", "-o", "file/deeper") == 1
    assert "nothing was written" in capsys.readouterr().err


def test_keys_are_told_by_their_place_and_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p").write_text(json.dumps(chat(user(f"my key: {KEY}"), model("a"))), "utf-8")
    assert run("p", "--report", "json") == 0
    told = capsys.readouterr()
    assert KEY not in told.out + told.err + Path("p.ipynb").read_text("utf-8")
    assert "GEMINI_API_KEY" in told.out


# --- the faces ---


def test_the_command_itself() -> None:
    Path("p").write_text(PROMPT, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gemini_magic", "import", "p", "--report", "json"],
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0 and json.loads(done.stdout)[0]["notebook"] == "p.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "gemini_magic", "import"], capture_output=True, text=True
    )
    assert done.returncode == 2


def test_the_way_back_from_the_command_line() -> None:
    Path("p").write_text(PROMPT, "utf-8")
    assert run("p", "-o", "out") == 0
    main(["export", "out/p.ipynb", "--to", "aistudio", "-o", "back/"])
    assert json.loads(Path("back/p").read_text("utf-8")) == json.loads(PROMPT)


@pytest.mark.kernel
def test_the_command_in_a_kernel(kernel: Any) -> None:
    Path("My prompt").write_text(PROMPT, "utf-8")
    done = kernel.run("%gemini import 'My prompt' -o 'a folder'")
    assert done.status == "ok", done.error
    assert "My prompt.ipynb" in done.text and Path("a folder/My prompt.ipynb").exists()
    assert "usage" in kernel.run("%gemini import --help").text
    done = kernel.run("%gemini import gone")
    assert done.ename == "UsageError" and "no file is called gone" in done.evalue
    assert kernel.run("%gemini import").ename == "UsageError"
    assert kernel.run("%gemini import x --no").ename == "UsageError"
