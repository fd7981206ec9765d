"""What ``jupyter gemini import`` and ``%gemini import`` share: their words, and what is done."""

from __future__ import annotations

import argparse
import glob
import json
import os
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.convert import writing
from gemini_magic.convert.studio.importing import Outcome, import_path, unique
from gemini_magic.convert.studio.notebooks import Draw
from gemini_magic.convert.studio.pieces import Imported
from gemini_magic.errors import GeminiMagicError, UsageError

HELP = "make notebooks of AI Studio's saved prompts, code and apps"


class Face(NamedTuple):
    """How a face takes part.

    ``draw`` draws stored answers. ``key_names`` are the environment's variables that hold keys
    here. ``say`` tells a line to people, ``print`` gives what was asked for.
    """

    draw: Draw
    key_names: Set[str]
    say: Callable[[str], None]
    print: Callable[[str], None]


def add_words(parser: argparse.ArgumentParser) -> None:
    """The options of both faces."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, a folder, a ZIP file, or a pattern"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default=".", help="where the notebooks go (here)"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument(
        "--report", choices=("text", "json"), default="text", help="what should be known of them"
    )


def run(arguments: argparse.Namespace, face: Face) -> list[Path]:
    """Write the notebooks, all of them or none, and tell what should be known; their places.

    Of many files those that can be imported are; then the first problem is raised. Raises
    ``GeminiMagicError``.
    """
    outcomes: list[Outcome] = []
    problems: list[GeminiMagicError] = []
    for path in _paths(arguments.paths):
        try:
            outcomes += import_path(path, face.draw, face.key_names)
        except GeminiMagicError as error:
            outcomes.append(Outcome(str(path), None, error))
    problems = [one.error for one in outcomes if one.error is not None]
    named = unique([one.imported for one in outcomes if one.imported is not None])
    folder = Path(arguments.output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; nothing was written.", "Name a folder: -o DIR")
    places = [folder / f"{one.name}.ipynb" for one in named]
    if named:
        files = files_of(folder, named, places)
        if not arguments.force and (there := writing.changed(files)):
            raise writing.InTheWay(
                f"{there[0]} is there already; nothing was written.", "Add --force."
            )
        writing.write_all(files)
    _report(arguments, face, outcomes, places)
    for earlier in problems[:-1]:
        for line in earlier.lines():
            face.say(line)
    if problems:
        raise problems[-1]
    return places


def _paths(words: Sequence[str]) -> list[Path]:
    """What the words name; patterns are for shells that know none. Raises ``UsageError``."""
    found: list[Path] = []
    for word in words:
        path = Path(word).expanduser()
        if os.path.lexists(path):
            found.append(path)
            continue
        if not (matching := sorted(map(Path, glob.glob(word, recursive=True)))):
            raise UsageError(
                f"no file is called {word}; nothing was written.",
                "Name a saved prompt, a folder or a ZIP file.",
            )
        found += matching
    return list(dict.fromkeys(found))


def files_of(folder: Path, named: Sequence[Imported], places: Sequence[Path]) -> dict[Path, bytes]:
    """What is to be written; each notebook after the files that it reads."""
    files: dict[Path, bytes] = {}
    for one, place in zip(named, places, strict=True):
        files |= {folder / name: data for name, data in one.files}
        files[place] = as_bytes(one.notebook)
    return files


def as_bytes(notebook: dict[str, Any]) -> bytes:
    """A notebook's file, as Jupyter writes it: sources are lists of lines."""
    cells = [
        {**cell, "source": _lines(cell["source"])} if isinstance(cell, dict) else cell
        for cell in notebook["cells"]
    ]
    notebook = {**notebook, "cells": cells}
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half characters, which only an escape can say
        return (json.dumps(notebook, indent=1) + "\n").encode("ascii")


def _lines(source: Any) -> Any:
    if not isinstance(source, str):
        return source
    *lines, last = source.split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def _report(
    arguments: argparse.Namespace,
    face: Face,
    outcomes: Sequence[Outcome],
    places: Sequence[Path],
) -> None:
    rows: list[dict[str, Any]] = []
    left = iter(places)
    for one in outcomes:
        row: dict[str, Any] = {"source": one.origin, "notebook": None, "files": [], "notes": []}
        if one.imported is not None:
            row["notebook"] = str(next(left))
            row["files"] = [name for name, _ in one.imported.files]
            row["notes"] = [note.to_json() for note in one.imported.notes]
        elif one.error is not None:
            row["error"] = one.error.what
        else:
            row["skipped"] = one.skipped
        rows.append(row)
    if arguments.report == "json":
        face.print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        if row["notebook"] is not None:
            face.say(f"{row['source']} → {row['notebook']}")
        elif "skipped" in row:
            face.say(f"{row['source']}: skipped, {row['skipped']}")
        for note in row["notes"]:
            face.say(f"  {note['kind']}: {note['text']}")
