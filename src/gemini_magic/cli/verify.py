"""``jupyter gemini verify``: does a notebook's script ask what the notebook asks?"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import UsageError

if TYPE_CHECKING:
    from gemini_magic.convert.notebook_file import Notebook

_DESCRIPTION = """\
Runs the notebook, exports it, runs the script, and compares what both ask, field by field.

All cells of the notebook are executed, and its script, in the notebook's folder, as if you had
run them yourself: do that with notebooks that you trust. Models are not asked: all backends are
led to a server on this machine, which answers each request with the same text, or with JSON that
fits its schema. Keys, quota, cache and run log are not touched. Functions of --tools are declared,
and never called.
"""


def add_to(commands: Any) -> None:
    from gemini_magic.convert.targets import TARGETS

    command = commands.add_parser(
        "verify", help="run a notebook and its script, and compare what they ask",
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    command.add_argument("--to", choices=TARGETS, default=TARGETS[0], help="which script")
    command.add_argument("--yes", action="store_true", help="do not ask whether to run the code")
    command.add_argument(
        "--timeout", type=_seconds, default=600.0, metavar="SECONDS",
        help="what the notebook, and the script, may take each (600)",
    )  # fmt: skip
    command.add_argument(
        "--report", choices=("text", "json"), default="text", help="how to tell what was found"
    )
    command.set_defaults(do=verify)


def verify(arguments: argparse.Namespace) -> None:
    """Print what was asked; exit status 1 where the script asks something else, or fails.

    Raises ``GeminiMagicError`` where there is nothing to compare.
    """
    from gemini_magic.cli.verify_compare import printable
    from gemini_magic.convert.notebook_file import read_file

    path: Path = arguments.notebook
    notebook = read_file(path)
    if not arguments.yes:
        cells = sum(cell.kind == "code" for cell in notebook.cells)
        _ask_leave(f"Run the {cells} code cells of {printable(path.name)} and its script?")
    found = checked(path, arguments.to, arguments.timeout)
    if arguments.report == "json":
        print(json.dumps(found, indent=2, ensure_ascii=True))
    else:
        _show(found)
    if not found["equal"]:
        raise SystemExit(1)


def checked(path: Path, target: str, seconds: float) -> dict[str, Any]:
    """The report: whether all is equal, the requests, the exporter's notes, and the problem.

    Raises ``GeminiMagicError`` where the notebook does not run, or cannot be exported.
    """
    import nbformat

    from gemini_magic import config as configuration
    from gemini_magic.cli import verify_runs, verify_setting
    from gemini_magic.cli.verify_compare import compared
    from gemini_magic.cli.verify_server import Asked, Recorder
    from gemini_magic.convert.notebook_file import notebook_of, read_file
    from gemini_magic.convert.options import Options
    from gemini_magic.convert.targets import SUFFIXES, export
    from gemini_magic.notebook.export_context import context_of

    notebook = read_file(path)
    folder = path.absolute().parent
    document = nbformat.from_dict(_document(notebook))  # type: ignore[no-untyped-call]
    asked: list[tuple[str, Asked]] = []
    with (
        verify_runs.ended_as_interrupted(),
        tempfile.TemporaryDirectory(prefix="gemini-verify-", ignore_cleanup_errors=True) as place,
        Recorder() as recorder,
    ):
        home = Path(place) / "home"
        config = configuration.load(folder=folder)
        environ = verify_setting.environment(config, recorder, home)

        def after(cell: str) -> None:
            asked.extend((cell, one) for one in recorder.taken())

        script = Path(place) / f"script{SUFFIXES[target]}"
        words = verify_runs.command(target, script, folder)
        with verify_setting.at(home):  # what cannot be exported need not run
            made = export(notebook, context_of(folder), target)
        names = [cell.id for cell in notebook.cells]
        verify_runs.run_notebook(document, names, folder, environ, seconds, after)
        if not target.startswith("python-"):
            with verify_setting.at(home):
                executed = notebook_of(document, path.name)
                made = export(executed, context_of(folder), target, Options(freeze=True))
        for name, data in ((script.name, made.text.encode()), *made.files):
            (script.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (script.parent / name).write_bytes(data)
        problem = verify_runs.run_script(words, folder, environ, seconds)
        rows = compared(asked, recorder.taken())
    return {
        "notebook": str(path),
        "target": target,
        "equal": not problem and all(row.is_equal for row in rows),
        "problem": problem or None,
        "requests": [
            {**row._asdict(), "equal": row.is_equal,
             "fields": [field._asdict() for field in row.fields]}
            for row in rows
        ],
        "notes": [note.to_json() for note in made.notes],
    }  # fmt: skip


def _document(notebook: Notebook) -> dict[str, Any]:
    """A notebook as it is executed: as it was read, without outputs."""
    cells = [
        {"cell_type": cell.kind, "id": cell.id, "metadata": {"tags": list(cell.tags)},
         "source": cell.source, **({"outputs": []} if cell.kind == "code" else {})}
        for cell in notebook.cells
    ]  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _ask_leave(question: str) -> None:
    """Raises ``UsageError`` where the user says no, or cannot be asked."""
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("verify runs the notebook's code, and nobody can be asked.", "Add --yes.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was run.")


def _show(found: dict[str, Any]) -> None:
    from gemini_magic.cli.verify_compare import Field, printable, shown

    head = ("request", "cell", "backend", "call", "result")
    rows = [
        (str(number), *(printable(row[name])[:60] for name in head[1:]))
        for number, row in enumerate(found["requests"], 1)
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row, request in zip([head, *rows], [None, *found["requests"]], strict=True):
        print("  ".join(map(str.ljust, row, widths)).rstrip())
        for field in request["fields"] if request else ():
            ours, theirs = shown(Field(**field))
            print(
                f"    {printable(field['name'])}\n      notebook  {ours}\n      script    {theirs}"
            )
    if found["problem"]:
        print(found["problem"])
    different = sum(not row["equal"] for row in found["requests"])
    if not rows:
        print("Neither asks anything.")
    elif found["equal"]:
        print(f"The script asks what the notebook asks ({len(rows)}).")
    else:
        print(f"{different} of {len(rows)} requests differ.")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError("a number of seconds")
    return seconds
