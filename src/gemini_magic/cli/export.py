"""``jupyter gemini export``: notebooks as scripts that need nothing but the official SDK."""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import GeminiMagicError, UsageError

if TYPE_CHECKING:
    from gemini_magic.convert.context import Context
    from gemini_magic.convert.exported import Exported

_TARGETS = ("python-genai", "python-openai")


def add_to(commands: Any) -> None:
    text = "write a notebook as a script that needs nothing but the official SDK"
    command = commands.add_parser("export", help=text, description=text)
    command.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="a file, or a pattern")
    command.add_argument("--to", choices=_TARGETS, default=_TARGETS[0], help="which SDK it uses")
    command.add_argument(
        "-o", "--output", metavar="PATH", help="a file or a folder; - writes to the terminal"
    )
    command.add_argument("--force", action="store_true", help="replace files that are there")
    command.add_argument(
        "--report", choices=("text", "json"), default="text", help="what could not be exported"
    )
    command.set_defaults(do=export)


def export(arguments: argparse.Namespace) -> None:
    """Write the scripts, and say on stderr what the user should know of them.

    With several notebooks, those that can be exported are. Raises ``GeminiMagicError`` where one
    cannot be: nothing of that one is written.
    """
    paths = _notebooks(arguments.notebooks)
    places = _places(paths, arguments.output)
    if not arguments.force:
        _check_free(places)
    failures: list[GeminiMagicError] = []
    report: list[dict[str, Any]] = []
    for path, place in zip(paths, places, strict=True):
        row: dict[str, Any] = {"notebook": str(path), "script": str(place or "-"), "notes": []}
        try:
            made = exported(path, arguments.to)
            _write(made.text, place)
            row["notes"] = [one.to_json() for one in made.notes]
        except GeminiMagicError as problem:
            failures.append(problem)
            row |= {"script": None, "error": problem.what}
        report.append(row)
    if arguments.report == "json":
        print(json.dumps(report, indent=2, ensure_ascii=False), file=_beside(arguments.output))
    else:
        _tell(report)
    if failures:
        for earlier in failures[:-1]:
            print("\n".join(earlier.lines()), file=sys.stderr)
        raise failures[-1]


def exported(path: Path, target: Any) -> Exported:
    """The script of the notebook in a file. Raises ``GeminiMagicError``."""
    from gemini_magic.convert.notebook_file import read_file
    from gemini_magic.convert.targets import export as write

    return write(read_file(path), context_of(path.absolute().parent), target)


def context_of(folder: Path) -> Context:
    """What the rooms above ``convert`` know, for a notebook in this folder."""
    from gemini_magic import config as configuration
    from gemini_magic.convert.context import Context
    from gemini_magic.engine import targets
    from gemini_magic.notebook.transform import transform

    config = configuration.load(folder=folder)

    def choose(cell: Any, used: str | None) -> Any:
        asked = config
        if used is not None:
            routes = ("default", *config.routes, *config.backends, *config.presets)
            override = {"route": used} if used in routes else {"model": used}
            asked = configuration.load(folder=folder, overrides=override)
        return targets.choose(
            asked,
            lambda _: "a script takes its key from the environment",
            model=cell.text("model"),
            route=cell.text("route"),
            fallback=not cell.flag("no-fallback"),
        )

    def schema(text: str, evaluate: Callable[[str], Any]) -> str:
        from gemini_magic.engine.schema import schema_of

        return schema_of(text, evaluate).document

    def tool(name: str, function: Callable[..., Any]) -> Any:
        from gemini_magic.engine.tool_function import Function

        return Function(name, function).tool

    magic = config.magic_name
    return Context(config, choose, schema, tool, partial(transform, magic=magic), folder, magic)


def _notebooks(words: list[str]) -> list[Path]:
    """The files that the words name; patterns are for shells that know none."""
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.exists() or not glob.has_magic(word):
            found.append(path)
            continue
        matching = sorted(map(Path, glob.glob(word, recursive=True)))
        if not matching:
            raise UsageError(f"no file is called {word}.", "Name a notebook: FILE.ipynb")
        found += matching
    return list(dict.fromkeys(found))


def _places(paths: list[Path], output: str | None) -> list[Path | None]:
    """Where the scripts go, None for the terminal: beside the notebooks if nothing is said."""
    if output == "-":
        return [None] * len(paths)
    names = [f"{path.stem}.py" for path in paths]
    if output is None:
        return [path.with_suffix(".py") for path in paths]
    target = Path(output)
    if target.is_dir() or output.endswith(("/", os.sep)) or len(paths) > 1:
        if target.exists() and not target.is_dir():
            raise UsageError(f"{output} is a file, and {len(paths)} scripts need a folder.")
        if twice := {name for name in names if names.count(name) > 1}:
            raise UsageError(
                f"two notebooks would be written to {sorted(twice)[0]}.", "Export them one by one."
            )
        return [target / name for name in names]
    return [target]


def _check_free(places: list[Path | None]) -> None:
    for place in places:
        if place is not None and (place.exists() or place.is_symlink()):
            raise UsageError(f"{place} is there already; nothing was written.", "Add --force.")


def _write(text: str, place: Path | None) -> None:
    """Write a script whole or not at all."""
    data = text.encode("utf-8")
    if place is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
            os.replace(name, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise GeminiMagicError(
            f"cannot write {place}: {error.strerror}; nothing was written.",
            "Name another place: -o PATH",
        ) from None


def _beside(output: str | None) -> Any:
    """The report goes where the script does not."""
    return sys.stderr if output == "-" else sys.stdout


def _tell(report: list[dict[str, Any]]) -> None:
    for row in report:
        if row["script"] is None:
            continue
        print(f"{row['notebook']} → {row['script']}", file=sys.stderr)
        for note in row["notes"]:
            where = f"cell {note['cell']}: " if note["cell"] else ""
            print(f"  {note['kind']}: {where}{note['text']}", file=sys.stderr)
