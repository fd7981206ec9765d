"""One prompt of a notebook, with the cells that it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemini_magic.cli.export import context_of
from gemini_magic.convert.excerpt import one_prompt
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.errors import UsageError

CELLS = (
    Cell("a", "code", "day, other = 1, 2"),
    Cell("b", "code", "%%gemini\nhello"),
    Cell("c", "code", "%%gemini\nThe tides of {{ day }}"),
    Cell("d", "code", "day = 3"),
)


def kept(cell: str) -> list[str]:
    context = context_of(Path())
    notebook = Notebook("tides.ipynb", CELLS)
    return [one.id for one in one_prompt(notebook, cell, context.transform, context.magic).cells]


def test_a_prompt_comes_with_what_it_needs_of_the_cells_above() -> None:
    assert kept("c") == ["a", "c"]
    assert kept("b") == ["b"]


@pytest.mark.parametrize("cell", ["a", "d", "unheard", ""])
def test_what_is_no_prompt_is_refused(cell: str) -> None:
    with pytest.raises(UsageError, match="no prompt in that cell"):
        kept(cell)
