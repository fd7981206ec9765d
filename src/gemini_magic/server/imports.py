"""The routes that bring work in: AI Studio's prompts as notebooks, old code to the new SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gemini_magic.convert import writing
from gemini_magic.convert.migrate import files as migrating
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Place
from gemini_magic.convert.studio.command import files_of
from gemini_magic.convert.studio.importing import import_path, unique
from gemini_magic.convert.studio.redacted import text_without_keys
from gemini_magic.errors import UsageError
from gemini_magic.notebook.import_command import face
from gemini_magic.server.desk import Desk, Given, Refused


def import_(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST import``: notebooks of a file, a folder or an archive; all are written, or none."""
    root = desk.files()
    source = root.file(given.body["path"])
    to = given.body.get("to")
    folder = source.parent if to is None else root.place(to)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder.name} is a file; nothing was written.", "Name a folder.")
    shown = face(_nobody, _nobody, desk.config())
    outcomes = import_path(source, shown.draw, shown.key_names)
    named = unique([one.imported for one in outcomes if one.imported is not None])
    places = [root.place(f"{root.relative(folder)}/{one.name}.ipynb") for one in named]
    files = files_of(folder, named, places)
    for place in files:
        if root.place(str(root.relative(place.parent)) + f"/{place.name}") != place:
            raise UsageError(f"{place.name} is a link to another file; nothing was written.")
    if not given.body.get("overwrite", False) and (there := writing.changed(files)):
        raise writing.InTheWay(f"{there[0].name} is there already.", "Replace it?")
    writing.write_all(files)
    notes = [note.to_json() for one in named for note in one.notes]
    for one in outcomes:
        if one.imported is None:
            why = one.error.what if one.error else f"skipped, {one.skipped}"
            text = desk.shortened(f"{one.origin}: {why}")
            notes.append({"cell": "", "kind": "error" if one.error else "left-out", "text": text})
    return {
        "written": [root.relative(place) for place in files],
        "notebooks": [root.relative(place) for place in places],
        "notes": notes,
    }


def _nobody(_: str) -> None:
    """Nobody is told line by line: the answer tells all."""


def migrate(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST migrate``: what a program or notebook would be on another SDK, or make it so."""
    body = given.body
    root = desk.files()
    place = root.file(body["path"])
    if place.is_dir() or place.suffix not in migrating.SUFFIXES:
        known = ", ".join(migrating.SUFFIXES)
        raise UsageError(f"{place.name} cannot be migrated.", f"Name a file of these: {known}")
    made = migrating.migrate(place, Options(body.get("base_url"), to=body["to"]))
    if made.error is not None:
        raise made.error
    # A cell that holds a key is shown without it; the file itself keeps its own.
    relative = str(root.relative(place))
    before, after = migrating.before_and_after(made)
    if body.get("before", before) != before:
        raise Refused(f"{place.name} was changed meanwhile.", "Look at it again.", status=409)
    write = body.get("write", False)
    if write and made.changed:
        migrating.write(made)
    return {
        "path": relative,
        "before": before,
        "after": after,
        "diff": migrating.diff(made._replace(path=Path(relative))),
        "places": _places(made),
        "written": write and made.changed,
    }


def _plain(text: str) -> str:
    return text_without_keys(text, frozenset(), {})


def _places(made: migrating.File) -> list[dict[str, Any]]:
    numbers = _numbers(made)

    def told(one: Place) -> dict[str, Any]:
        return {"line": one.line, "verdict": one.verdict, "why": _plain(one.text or one.rule),
                "cell": one.cell or None, "index": numbers.get(one.cell)}  # fmt: skip

    return [told(one) for one in made.places]


def _numbers(made: migrating.File) -> dict[str, int]:
    """The places of a notebook's cells from 0, by the names that a migration gives them."""
    if made.path.suffix != ".ipynb":
        return {}
    cells = json.loads(made.old.decode("utf-8-sig")).get("cells", ())
    named = {}
    for number, cell in enumerate(cells):
        given = cell.get("id") if isinstance(cell, dict) else None
        named[given if isinstance(given, str) else f"cell-{number + 1}"] = number
    return named
