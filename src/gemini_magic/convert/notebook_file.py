"""Reads a notebook's file into cells, and says plainly what is none.

The JSON is read as it is: to validate it, or to bring older formats up, takes longer than all
else, and would give cells new ids each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import digest

#: Files of more bytes than this are no notebooks that anyone can open.
MOST_BYTES = 1_000_000_000


class Asked(NamedTuple):
    """What an output tells of the request behind it: hashes in hex, and who answered."""

    request: str
    template: str
    backend: str
    model: str


class Cell(NamedTuple):
    """One cell; ``ran_as`` is the number that its last run had, None if it was not run.

    ``asked`` are the requests whose answers stand below it.
    """

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()
    ran_as: int | None = None
    asked: tuple[Asked, ...] = ()


class Notebook(NamedTuple):
    """The cells of a notebook, and the name of the file that they were in.

    ``format`` is the notebook format of the file; cells are those of format 4. ``document`` is
    all of its JSON values, in format 4.
    """

    name: str
    cells: tuple[Cell, ...]
    format: int = 4
    document: Mapping[str, Any] | None = None

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

    Formats before 4 are brought up. Raises ``NotANotebook`` for other JSON, for newer formats and
    for kernels that do not speak Python.
    """
    if not isinstance(document, Mapping):
        raise NotANotebook(f"{name} is not a Jupyter notebook: it is other JSON.")
    given = document.get("nbformat")
    given = given if type(given) is int else 3 if "worksheets" in document else 4
    if given > 4:
        raise NotANotebook(
            f"{name} is in notebook format {given}, which is newer than this program.",
            "Save it in format 4.",
        )
    old = "worksheets" in document or given in (1, 2, 3)
    if old:
        document = _brought_up({**document, "nbformat": given}, name)
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise NotANotebook(f"{name} is not a Jupyter notebook: it has no cells.")
    if (language := _language(document)) not in ("", "python", "ipython", "python3"):
        raise NotANotebook(
            f"{name} is a notebook in {language}, and only Python's can be exported."
        )
    read = [_cell(cell, number) for number, cell in enumerate(cells, 1)]
    found = tuple(cell for cell in read if cell is not None)
    return Notebook(name, found, given if old else 4, document)


def _brought_up(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A notebook of an older format in format 4, without the ids that cells get there by chance."""
    import warnings

    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            upgraded: Any = nbformat.reads(json.dumps(document), as_version=4)  # type: ignore[no-untyped-call]
        return {
            **upgraded,
            "cells": [{**cell, "id": None} for cell in upgraded["cells"]],
        }
    except Exception as problem:  # whatever it stumbles over
        raise NotANotebook(
            f"{name} is in an old notebook format, and cannot be brought up: {problem}",
            f"Try: jupyter nbconvert --to notebook --inplace {name}",
        ) from None


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
        tuple(_asked(cell.get("outputs"))),
    )


def _asked(outputs: Any) -> Iterator[Asked]:
    for output in outputs if isinstance(outputs, list) else ():
        metadata = output.get("metadata") if isinstance(output, Mapping) else None
        told = metadata.get("gemini_magic") if isinstance(metadata, Mapping) else None
        if not isinstance(told, Mapping):
            continue
        compared = told.get("compare")
        for one in compared if isinstance(compared, list) else (told,):
            if isinstance(one, Mapping) and isinstance(one.get("request"), str):
                texts = (one.get(name) for name in Asked._fields)
                yield Asked(*(text if isinstance(text, str) else "" for text in texts))


def _plain(text: str) -> bool:
    """Whether an id can stand in a comment."""
    return 0 < len(text) <= 64 and all(char.isascii() and (char.isalnum() or char in "-_")
                                       for char in text)  # fmt: skip
