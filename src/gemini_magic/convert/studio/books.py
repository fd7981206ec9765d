"""Notebooks that come from elsewhere: Google's templates, and cells of other extensions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import PurePosixPath
from typing import Any

from gemini_magic.convert.lifting import lift
from gemini_magic.convert.notebook_file import NotANotebook, Notebook, notebook_of
from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import extensions, templates
from gemini_magic.convert.studio.documents import NotAPrompt
from gemini_magic.convert.studio.naming import file_name
from gemini_magic.convert.studio.pieces import Found, Imported
from gemini_magic.convert.studio.programs import turns_and_notes
from gemini_magic.convert.studio.redacted import without_keys


def found_in(
    document: Mapping[str, Any], name: str, key_names: Set[str], notes: dict[Note, None]
) -> Found | Imported | str:
    """What a notebook holds for us; a text says that it is nothing.

    Raises ``NotAPrompt`` for one that is broken, or not Python's.
    """
    try:
        notebook = notebook_of(document, name)
    except NotANotebook as problem:
        what = problem.what.rstrip(".").replace("can be exported", "can be imported")
        raise NotAPrompt(f"{what}; nothing was written.", problem.next_step) from None
    sources = [cell.source for cell in notebook.cells if cell.kind == "code"]
    title = PurePosixPath(name).stem
    if templates.is_ours(sources):
        call = templates.call_of([*without_keys(sources, key_names, notes)])
        turns = turns_and_notes([call], notes)
        return Found(title, f"Google's template {name!r}", tuple(turns))
    clean = _without_keys(notebook, key_names, notes)
    made = extensions.changed(clean, notes)
    if not made.asking:
        return "a notebook without cells of other extensions (code: jupyter gemini migrate)"
    return Imported(file_name(title), made.document, (), (), name)


def _without_keys(
    notebook: Notebook, key_names: Set[str], notes: dict[Note, None]
) -> dict[str, Any]:
    """The notebook's document, whose code takes its keys from the environment."""
    document = dict(notebook.document or {})
    lifted = lift(notebook, lambda lines: lines, sorted(key_names))
    notes |= dict.fromkeys(lifted.notes)
    cells = document["cells"]
    if len(cells) == len(notebook.cells):
        pairs = zip(cells, notebook.cells, lifted.notebook.cells, strict=True)
        cells = [
            cell if old.source == new.source else {**cell, "source": new.source}
            for cell, old, new in pairs
        ]
    if notebook.format != 4:  # it was brought up: its cells have no ids, and need none before 4.5
        cells = [{key: value for key, value in cell.items() if key != "id"} for cell in cells]
        document["nbformat_minor"] = 4
    cleaned: dict[str, Any] = without_keys({**document, "cells": cells}, key_names, notes)
    return cleaned
