"""Reads a notebook's file into cells, and says plainly what is none.

The JSON is read as it is: to validate it, or to bring older formats up, takes longer than all
else, and would give cells new ids each time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import digest

#: Files of more bytes than this are no notebooks that anyone can open.
MOST_BYTES = 1_000_000_000


class Cell(NamedTuple):
    """One cell; ``ran_as`` is the number that its last run had, None if it was not run."""

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()
    ran_as: int | None = None


class Notebook(NamedTuple):
    """The cells of a notebook, and the name of the file that they were in."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the cells' kinds and sources: outputs and counts do not matter."""
        return digest(json.dumps([[cell.kind, cell.source] for cell in self.cells]))


class NotANotebook(GeminiMagicError):
    """A file holds no notebook that can be exported."""


def read_file(path: Path) -> Notebook:
    """The notebook in a file. Raises ``NotANotebook``."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise NotANotebook(
                f"{path} has more than {MOST_BYTES // 10**9} GB.", "Clear its outputs first."
            )
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise NotANotebook(
            f"cannot read {path}: {error.strerror}.", "Name a notebook: FILE.ipynb"
        ) from None
    except UnicodeDecodeError:
        raise NotANotebook(f"{path} is not a Jupyter notebook: it is no UTF-8 text.") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        what = "it is empty" if not text.strip() else "it is no JSON"
        raise NotANotebook(
            f"{path} is not a Jupyter notebook: {what}.", "Name a notebook: FILE.ipynb"
        ) from None
    return notebook_of(document, path.name)


def notebook_of(document: Any, name: str) -> Notebook:
    """The notebook that such JSON values are (nbformat's ``NotebookNode`` is one, too).

    Raises ``NotANotebook`` for other JSON, for formats before 4 and for kernels that do not speak
    Python.
    """
    if not isinstance(document, Mapping):
        raise NotANotebook(f"{name} is not a Jupyter notebook: it is other JSON.")
    if "worksheets" in document or document.get("nbformat") in (1, 2, 3):
        raise NotANotebook(
            f"{name} is in an old notebook format ({document.get('nbformat', '?')}).",
            f"Bring it up: jupyter nbconvert --to notebook --inplace {name}",
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise NotANotebook(f"{name} is not a Jupyter notebook: it has no cells.")
    if (language := _language(document)) not in ("", "python", "ipython", "python3"):
        raise NotANotebook(
            f"{name} is a notebook in {language}, and only Python's can be exported."
        )
    read = [_cell(cell, number) for number, cell in enumerate(cells, 1)]
    return Notebook(name, tuple(cell for cell in read if cell is not None))


def _language(document: Mapping[str, Any]) -> str:
    """The kernel's language, in lower case; empty where the notebook does not say."""
    metadata = document.get("metadata")
    for place, key in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(place) if isinstance(metadata, Mapping) else None
        if isinstance(found, Mapping) and isinstance(found.get(key), str) and found[key]:
            return str(found[key]).lower()
    return ""


def _cell(cell: Any, number: int) -> Cell | None:
    if not isinstance(cell, Mapping) or not isinstance(cell.get("cell_type"), str):
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return None
    given = cell.get("id")
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    count = cell.get("execution_count")
    return Cell(
        given if isinstance(given, str) and _plain(given) else f"cell-{number}",
        cell["cell_type"],
        source,
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        count if type(count) is int else None,
    )


def _plain(text: str) -> bool:
    """Whether an id can stand in a comment."""
    return 0 < len(text) <= 64 and all(char.isascii() and (char.isalnum() or char in "-_")
                                       for char in text)  # fmt: skip
