"""What ``jupyter gemini export`` and ``%gemini export`` do."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic.convert import places, writing
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.exporting import export_file
from gemini_magic.convert.options import Options
from gemini_magic.convert.steps import Note, told
from gemini_magic.convert.targets import TARGETS
from gemini_magic.errors import GeminiMagicError, UsageError


class Face(NamedTuple):
    """How a face takes part.

    ``context_of(folder)`` is the context of a notebook there. ``ask`` puts a question that is
    answered with yes or no, None where nobody can be asked. ``say`` tells a line to people,
    ``print`` gives what was asked for, ``write`` the bytes of a script (``-o -``).
    """

    program: str
    context_of: Callable[[Path], Context]
    ask: Callable[[str], bool] | None
    say: Callable[[str], None]
    print: Callable[[str], None]
    write: Callable[[bytes], None]


class NotUpToDate(GeminiMagicError):
    """``--check``: a script is missing, or is not what would be written."""


class Made(NamedTuple):
    """What became of one notebook: its script's place (None: the terminal), or the problem."""

    path: Path
    place: Path | None
    exported: Exported | None
    problem: GeminiMagicError | None = None

    @property
    def files(self) -> dict[Path, bytes]:
        """What is to be written, the script last: it is there only when all that it reads is."""
        if self.exported is None or self.place is None:
            return {}
        folder = self.place.parent
        beside = {folder / name: data for name, data in self.exported.files}
        return {**beside, self.place: self.exported.text.encode("utf-8")}

    def row(self) -> dict[str, Any]:
        """The report, for machines."""
        if self.exported is None:
            problem = self.problem.what if self.problem else ""
            return {"notebook": str(self.path), "script": None, "notes": [], "error": problem}
        return {
            "notebook": str(self.path),
            "script": str(self.place or "-"),
            "files": [name for name, _ in self.exported.files],
            "notes": [one.to_json() for one in self.exported.notes],
        }


def options_of(arguments: argparse.Namespace) -> Options:
    return Options(arguments.freeze, arguments.params, arguments.retry)


def run(arguments: argparse.Namespace, face: Face) -> None:
    """Write the scripts, or compare them, and say what the user should know of them.

    With several notebooks, those that can be exported are. Raises ``GeminiMagicError`` where one
    cannot be: nothing of that one is written.
    """
    if arguments.bundle is not None or arguments.git is not None:
        from gemini_magic.convert import publishing

        publishing.run(arguments, face)
        return
    if arguments.branch is not None or arguments.yes:
        raise UsageError("--branch and --yes are for --git.", "Add --git DIR|REMOTE.")
    target = arguments.to or TARGETS[0]
    if arguments.check and arguments.output == "-":
        raise UsageError("--check compares files, and -o - writes none.", "Leave one of them out.")
    paths = places.notebooks(arguments.notebooks)
    made = [
        _made(path, place, target, arguments, face)
        for path, place in zip(
            paths, places.places(paths, arguments.output, target), strict=True
        )
    ]  # fmt: skip
    if arguments.check:
        _compare(made, arguments, face)
        return
    if not arguments.force:
        may_replace({place: data for one in made for place, data in one.files.items()}, face)
    made = [_written(one, face) for one in made]
    _tell(made, arguments, face)
    raise_first([one.problem for one in made], face)


def _made(
    path: Path, place: Path | None, target: str, arguments: argparse.Namespace, face: Face
) -> Made:
    try:
        made = export_file(
            path, face.context_of(path.absolute().parent), target, options_of(arguments),
            lift_keys=arguments.lift_keys,
        )  # fmt: skip
    except GeminiMagicError as problem:
        return Made(path, place, None, problem)
    return Made(path, place, made)


def _written(one: Made, face: Face) -> Made:
    if one.exported is None:
        return one
    if one.place is None:
        face.write(one.exported.text.encode("utf-8"))
        missing = [Note("", "files", f"it reads {name}, which -o - does not write")
                   for name, _ in one.exported.files]  # fmt: skip
        notes = (*one.exported.notes, *missing)
        return one._replace(exported=one.exported._replace(notes=notes))
    try:
        writing.write_all(one.files)
    except GeminiMagicError as problem:
        return one._replace(exported=None, problem=problem)
    return one


def may_replace(files: Mapping[Path, bytes], face: Face) -> None:
    """Raise ``UsageError`` unless nothing is in the way, or the user says that it may go."""
    there = writing.changed(files)
    if not there:
        return
    more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
    what = f"{there[0]}{more} there already"
    if face.ask is None or not face.ask(f"{what}. Replace?"):
        raise writing.InTheWay(f"{what}; nothing was written.", "Add --force.")


def _compare(made: Sequence[Made], arguments: argparse.Namespace, face: Face) -> None:
    rows = []
    stale: list[Path] = []
    for one in made:
        found = {place: writing.state(place, data) for place, data in one.files.items()}
        states = set(found.values())
        state = next((word for word in ("missing", "differs") if word in states), "same")
        row = one.row()
        if one.exported is not None:
            row["state"] = state
        rows.append(row)
        wrong = [f"{place} {_STATES[word]}" for place, word in found.items() if word != "same"]
        for line in wrong if arguments.report == "text" else ():
            face.say(line)
        stale += [one.path] * bool(wrong)
    if arguments.report == "json":
        face.print(json.dumps(rows, indent=2, ensure_ascii=False))
    raise_first([one.problem for one in made], face)
    if stale:
        many = f"{len(stale)} scripts are" if len(stale) > 1 else "1 script is"
        raise NotUpToDate(f"{many} not up to date.", mending(stale, arguments, face.program))


_STATES = {"missing": "is missing", "differs": "is not what would be written"}


def mending(paths: Sequence[Path], arguments: argparse.Namespace, program: str) -> str:
    """The command that writes what ``--check`` missed."""
    words = [*map(str, paths)]
    for name in ("to", "output", "bundle"):
        if (value := getattr(arguments, name, None)) is not None:
            words += [f"--{name}", value]
    for name in ("freeze", "params", "retry", "lift_keys"):
        words += [f"--{name.replace('_', '-')}"] * bool(getattr(arguments, name))
    return f"{program} {shlex.join([*words, '--force'])}"


def raise_first(problems: Sequence[GeminiMagicError | None], face: Face) -> None:
    """Tell all problems but the last, and raise that."""
    found = [one for one in problems if one is not None]
    for earlier in found[:-1]:
        face.say("\n".join(earlier.lines()))
    if found:
        raise found[-1]


def _tell(made: Sequence[Made], arguments: argparse.Namespace, face: Face) -> None:
    if arguments.report == "json":
        report = json.dumps([one.row() for one in made], indent=2, ensure_ascii=False)
        (face.say if arguments.output == "-" else face.print)(report)
        return
    for one in made:
        if one.exported is not None:
            names = "".join(f", {name}" for name, _ in one.exported.files)
            face.say(f"{one.path} → {one.place or '-'}{names}")
            tell_notes(one.exported.notes, face)


def tell_notes(notes: Sequence[Note], face: Face) -> None:
    for kind, text in told(notes):
        face.say(f"  {kind}: {text}")
