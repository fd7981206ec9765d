"""``jupyter gemini demo`` runs a notebook in a real kernel, and fails in two lines."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gemini_magic.backends import local, weights
from gemini_magic.cli import demo, main
from gemini_magic.errors import GeminiMagicError

pytestmark = pytest.mark.kernel
REAL = weights.find(weights.default())  # before a test moves the home


def written(path: Path, *cells: str) -> Path:
    """A notebook with a heading and these cells."""
    notebook = new_notebook(cells=[new_markdown_cell("# Hello"), *map(new_code_cell, cells)])
    nbformat.write(notebook, path)
    return path


def execute(path: Path) -> None:
    demo._execute(demo._read(path), path)


def failure(path: Path) -> GeminiMagicError:
    with pytest.raises(GeminiMagicError) as caught:
        execute(path)
    assert len(caught.value.lines()) == 2, "no next step"
    return caught.value


def test_it_shows_the_cells_and_what_they_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(written(tmp_path / "a.ipynb", "print(6 * 7)", "'a' + 'b'"))
    shown = capsys.readouterr().out
    assert "# Hello" in shown and "│ print(6 * 7)\n42\n" in shown and "'ab'" in shown


def test_the_whole_command(
    tmp_path: Path, home: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = weights.lookup(weights.default())
    row.path.parent.mkdir(parents=True)
    with row.path.open("wb") as file:  # looks installed; the notebook asks no model
        file.write(weights.MAGIC)
        file.truncate(row.size)
    monkeypatch.setenv("GEMINI_MAGIC_MODEL", "")  # so that what the demo sets ends with the test
    cell = "import os; print(os.environ['GEMINI_MAGIC_MODEL'])"
    main(["demo", str(written(tmp_path / "a.ipynb", cell))])
    shown = capsys.readouterr().out
    assert f"local:{weights.default()}" in shown and "Open it in JupyterLab" in shown


@pytest.mark.local_model
@pytest.mark.skipif(REAL is None, reason="the embedded model is not on this machine")
def test_the_quickstart_shows_the_quota_and_costs_none_again(
    home: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert REAL is not None
    folder = home / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / REAL.name).symlink_to(REAL)
    monkeypatch.setenv("GEMINI_MAGIC_MODEL", "")
    footers = []
    try:
        for count in (7, 8):
            main(["demo"])
            shown = capsys.readouterr().out
            assert re.search(rf"^  requests/day +≥ {count} ", shown, flags=re.M)
            footers.append(re.findall(r"^\S+ · local · (.*)$", shown, flags=re.M))
    finally:
        local.stop()
    first, second = footers
    assert len(first) == 7 and not [one for one in first if "cached" in one]
    assert len(second) == 7 and second.count("cached · 0 quota") == 6


def test_a_cell_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failure(written(tmp_path / "a.ipynb", "1 / 0", "print('after')"))
    assert "ZeroDivisionError: division by zero" in error.what and "a.ipynb" in error.next_step
    assert "│ print('after')" not in capsys.readouterr().out


def test_a_cell_without_end(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "_CELL_TIMEOUT", 1)
    assert "more than 1 s" in failure(written(tmp_path / "a.ipynb", "while True: pass")).what


def test_a_kernel_that_dies(tmp_path: Path) -> None:
    assert "died" in failure(written(tmp_path / "a.ipynb", "import os; os._exit(1)")).what


def test_no_kernel(tmp_path: Path, monkeypatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(self: object, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    error = failure(written(tmp_path / "a.ipynb", "1"))
    assert "python3" in error.what and "ipykernel install" in error.next_step


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"[]", b"{}", b"\xff\x00", b'{"nbformat": 4}', b'{"nbformat": 99}'],
)
def test_no_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(SystemExit):
        main(["demo", str(path)])  # told before any weights are fetched
    captured = capsys.readouterr()
    assert "is not a Jupyter notebook" in captured.err and captured.err.count("\n") == 2
    assert not captured.out


def test_no_file(tmp_path: Path) -> None:
    assert "cannot read" in failure(tmp_path / "none.ipynb").what
    assert "cannot read" in failure(tmp_path).what
