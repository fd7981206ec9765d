"""What ``jupyter gemini migrate`` and ``%gemini migrate`` share: their words, and what is done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.errors import GeminiMagicError, UsageError

if TYPE_CHECKING:  # the rules are many, and other commands need the words alone
    from gemini_magic.convert.migrate.files import File

HELP = "bring programs and notebooks of google-generativeai to google-genai, or to openai"


class Face(NamedTuple):
    """How a face takes part: ``say`` tells a line to people, ``write`` gives what was asked for.

    ``key_names`` are the environment's variables that hold keys. ``after`` is given the files that
    change, also where others cannot be migrated.
    """

    say: Callable[[str], object]
    write: Callable[[str], object]
    key_names: Set[str] = frozenset()
    after: Callable[[list[Path]], object] = lambda _: None


def add_words(parser: argparse.ArgumentParser, *, path_needed: bool = True) -> None:
    """The options of both faces."""
    parser.add_argument("paths", nargs="+" if path_needed else "*", metavar="PATH",
                        help="programs, notebooks, or folders of them"
                        + ("" if path_needed else " (this notebook)"))  # fmt: skip
    parser.add_argument(
        "--to", choices=("google-genai", "openai"), default="google-genai", help="the SDK to use"
    )
    parser.add_argument("--base-url", metavar="URL", help="send requests there, not to Google")
    parser.add_argument("--key-env", metavar="NAME", help="openai: the variable that the key is in")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true", help="show what would change (the default)")
    how.add_argument("--write", action="store_true", help="change the files")
    how.add_argument("--check", action="store_true", help="exit with 1 if a file would change")
    parser.add_argument("--report", choices=("text", "json"), default="text", help="how it tells")


def run(arguments: argparse.Namespace, face: Face) -> bool:
    """Migrate what can be, and tell of every place; whether a file changes.

    With ``--report json`` the report is what was asked for, else the changes are. Keys are shown in
    neither. Raises ``GeminiMagicError`` where a file cannot be migrated, after the others are.
    """
    from gemini_magic.convert.migrate import files
    from gemini_magic.convert.migrate.job import Options

    _check_address(arguments.base_url)
    _check_variable(arguments.key_env, arguments.to)
    paths = files.find(arguments.paths)
    options = Options(arguments.base_url, files.project(paths), to=arguments.to,
                      key_env=arguments.key_env, key_names=face.key_names)  # fmt: skip
    options = options._replace(scripts=files.scripts(paths, options))
    found = [files.migrate(path, options) for path in paths]
    if arguments.write:
        found = [_written(file) for file in found]
    shown = not (arguments.write or arguments.check)
    if arguments.report == "json":
        rows = [_row(file, files.diff(file, face.key_names) if shown else None) for file in found]
        face.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        if shown:
            face.write("".join(files.diff(file, face.key_names) for file in found))
        _tell(found, face, written=arguments.write)
    face.after([file.path for file in found if file.changed])
    failures = [file.error for file in found if file.error is not None]
    if failures:
        for earlier in failures[:-1]:
            face.say("\n".join(earlier.lines()))
        raise failures[-1]
    return any(file.changed for file in found)


def _check_address(address: str | None) -> None:
    if address is not None and not address.startswith(("https://", "http://")):
        raise UsageError(f"{address} is no address.", "--base-url https://HOST")


def _check_variable(name: str | None, to: str) -> None:
    if name is None:
        return
    if to != "openai":
        raise UsageError("--key-env is for --to openai.", "google-genai takes GEMINI_API_KEY.")
    if not (name.isascii() and name.isidentifier()):
        raise UsageError(f"{name} is no name of a variable.", "--key-env OPENAI_API_KEY")


def _written(file: File) -> File:
    """The file when it is written; with an error, and no change, where it cannot be."""
    from gemini_magic.convert.migrate import files

    if not file.changed:
        return file
    try:
        files.write(file)
    except GeminiMagicError as error:
        return files.File(file.path, error=error)
    return file


def _row(file: File, diff: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": str(file.path),
        "changed": file.changed,
        "places": [place.to_json() for place in file.places],
    }
    if diff is not None:
        row["diff"] = diff
    if file.error is not None:
        row["error"] = file.error.what
    return row


def _tell(found: list[File], face: Face, *, written: bool) -> None:
    counts = {"done": 0, "assisted": 0, "left": 0}
    for file in found:
        for place in file.places:
            counts[place.verdict] += 1
            if place.text:
                where = f"{file.path}[{place.cell}]" if place.cell else str(file.path)
                what = "note" if place.verdict == "done" else place.verdict
                face.say(f"{where}:{place.line}: {what}: {place.text}")
    changed = sum(file.changed for file in found)
    did = "changed" if written else "would change"
    face.say(
        f"{changed} of {len(found)} files {did}; {counts['done']} places done, "
        f"{counts['assisted']} assisted (look for TODO(gemini-magic)), {counts['left']} left"
    )
