"""``--bundle`` and ``--git``: all targets at once, into an archive or onto a branch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gemini_magic.convert import git, git_branch, places, writing
from gemini_magic.convert.bundle import Bundle, bundle
from gemini_magic.convert.command import (
    Face,
    NotUpToDate,
    may_replace,
    mending,
    options_of,
    tell_notes,
)
from gemini_magic.convert.targets import TARGETS
from gemini_magic.errors import UsageError


def run(arguments: argparse.Namespace, face: Face) -> None:
    """Do what the words say. Raises ``GeminiMagicError``, and then nothing is written."""
    if arguments.output is not None:
        raise UsageError("-o is for single scripts.", "Leave it out.")
    if arguments.to is not None and arguments.to not in TARGETS:
        raise UsageError(f"{arguments.to} is no program, and a bundle holds programs.")
    if arguments.git is None and (arguments.branch is not None or arguments.yes):
        raise UsageError("--branch and --yes are for --git.", "Add --git DIR|REMOTE.")
    if arguments.git is not None and arguments.check:
        raise UsageError("--check compares files.", "Leave --git out.")
    if arguments.git is not None:
        git.is_remote(arguments.git)  # before anything of it is told
    paths = places.notebooks(arguments.notebooks)
    made = bundle(
        paths, face.context_of, options_of(arguments),
        targets=[arguments.to] if arguments.to else TARGETS, lift_keys=arguments.lift_keys,
    )  # fmt: skip
    if arguments.bundle is not None:
        _archive(made, paths, arguments, face)
    if arguments.git is not None:
        tell(made, arguments.git, arguments, face)
        names = ", ".join(dict.fromkeys(path.name for path in paths))
        branch = git_branch.BRANCH if arguments.branch is None else arguments.branch
        git_branch.put(
            made.files, arguments.git, branch,
            f"Export {' '.join(names.split())}", yes=arguments.yes, face=face,
        )  # fmt: skip


def _archive(made: Bundle, paths: list[Path], arguments: argparse.Namespace, face: Face) -> None:
    place = Path(arguments.bundle)
    if place.is_dir():
        raise UsageError(f"{place} is a folder.", f"--bundle {place / 'bundle.zip'}")
    if place.resolve() in [path.resolve() for path in paths]:
        raise UsageError(f"{place} is the notebook itself.", "Name another place.")
    files = {place: made.to_zip()}
    if arguments.check:
        if (state := writing.state(place, files[place])) != "same":
            what = "is missing" if state == "missing" else "is not what would be written"
            raise NotUpToDate(f"{place} {what}.", mending(paths, arguments, face.program))
        return
    if not arguments.force:
        may_replace(files, face)
    writing.write_all(files)
    tell(made, str(place), arguments, face)


def tell(made: Bundle, where: str, arguments: argparse.Namespace, face: Face) -> None:
    """Say what is in the bundle."""
    if arguments.report == "json":
        rows = [
            {"notebook": str(one.notebook), "script": one.name, "target": one.target,
             "notes": [note.to_json() for note in one.notes]}
            for one in made.scripts
        ]  # fmt: skip
        document = {"bundle": where, "files": list(made.files), "scripts": rows,
                    "missing": list(made.missing)}  # fmt: skip
        (face.say if arguments.git else face.print)(
            json.dumps(document, indent=2, ensure_ascii=False)
        )
        return
    face.say(f"{', '.join(sorted({str(one.notebook) for one in made.scripts}))} → {where}")
    for one in made.scripts:
        face.say(f"  {one.name}")
        tell_notes([note._replace(kind=f"  {note.kind}") for note in one.notes], face)
    for path, target, problem in made.refused:
        face.say(f"  not written: {path} for {target}: {problem.what}")
    for name in made.missing:
        face.say(f"  not in it: {name}, which the scripts read")
