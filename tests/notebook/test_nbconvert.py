"""nbconvert's doors: its command, and a real Jupyter server as JupyterLab asks it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import urllib.error
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_magic.cli import main
from gemini_magic.convert.targets import SUFFIXES
from tests.convert.lab import document
from tests.jupyter_server import Server

DOORS = {
    "gemini_python": "python-genai",
    "gemini_openai": "python-openai",
    "gemini_node": "node-genai",
    "gemini_curl": "curl",
}
CELLS = ["x = 'ü'", "%%gemini -m studio:gemini-2.5-pro\nHello {{ x }}", "%nonsense"]
KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"


def written(name: str, *cells: str, ids: bool = True) -> Path:
    made = document(*cells)
    if not ids:
        made["nbformat_minor"] = 4
        for cell in made["cells"]:
            del cell["id"]
    Path(name).write_text(json.dumps(made), "utf-8")
    return Path(name)


def nbconvert(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbconvert", *words],
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_the_command_writes_what_export_writes(door: str) -> None:
    written("a b.ipynb", *CELLS)
    suffix = SUFFIXES[DOORS[door]]
    main(["export", "a b.ipynb", "--to", DOORS[door], "-o", "ours/"])
    done = nbconvert("--to", door, "a b.ipynb", "--output-dir", "theirs")
    assert done.returncode == 0, done.stderr
    name = f"a b{suffix}"
    assert Path("theirs", name).read_bytes() == Path("ours", name).read_bytes()
    beside = {path.relative_to("ours") for path in Path("ours").rglob("*") if path.is_file()}
    assert beside == {p.relative_to("theirs") for p in Path("theirs").rglob("*") if p.is_file()}
    assert "unknown-magic: cell c3" in done.stderr


def test_its_options() -> None:
    written("a.ipynb", *CELLS)
    main(["export", "a.ipynb", "--retry", "-o", "ours.py"])
    done = nbconvert("--to", "gemini_python", "a.ipynb", "--GeminiPython.retry=True")
    assert done.returncode == 0, done.stderr
    assert Path("a.py").read_bytes() == Path("ours.py").read_bytes()


@pytest.mark.parametrize(
    ("text", "word"),
    [(json.dumps(document(f"key = '{KEY}'")), "a key stands in cell c1"), ("no", "no JSON")],
)
def test_what_is_wrong_is_told_in_a_line(text: str, word: str) -> None:
    Path("a.ipynb").write_text(text, "utf-8")
    done = nbconvert("--to", "gemini_python", "a.ipynb")
    assert done.returncode == 1 and word in done.stderr
    assert "Traceback" not in done.stderr and KEY not in done.stderr
    assert os.listdir() == ["a.ipynb"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.close()


@pytest.mark.kernel
def test_a_server_lists_them_and_writes_what_export_writes(server: Server) -> None:
    listed = json.loads(server.get("/api/nbconvert"))
    for door in DOORS:
        assert door in listed, listed
    assert listed["gemini_python"]["output_mimetype"] == "text/x-python"
    for ids in (True, False):
        written("a.ipynb", *CELLS, ids=ids)
        for door, target in DOORS.items():
            main(["export", "a.ipynb", "--to", target, "-o", "ours/", "--force"])
            suffix = SUFFIXES[target]
            ours = {p.name: p.read_bytes() for p in Path("ours").rglob("*") if p.is_file()}
            got = server.get(f"/nbconvert/{door}/a.ipynb?download=true")
            if len(ours) == 1:
                assert got == ours[f"a{suffix}"]
            else:  # the server puts several files into an archive, without their folders
                archive = zipfile.ZipFile(io.BytesIO(got))
                assert {name: archive.read(name) for name in archive.namelist()} == ours
            for path in sorted(Path("ours").rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
    written("b.ipynb", f"key = '{KEY}'")
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.get("/nbconvert/gemini_python/b.ipynb?download=true")
    page = caught.value.read().decode()
    assert caught.value.code == 500 and "a key stands in cell c1" in page and KEY not in page
    assert KEY not in server.log.read_text("utf-8")
