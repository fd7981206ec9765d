"""``jupyter gemini migrate``: programs and notebooks of the old SDK, brought to the new one."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import GeminiMagicError

if TYPE_CHECKING:
    from gemini_magic.convert.migrate.files import File


def add_to(commands: Any) -> None:
    text = "bring programs and notebooks of google-generativeai to google-genai, or to openai"
    command = commands.add_parser("migrate", help=text, description=text)
    command.add_argument("paths", nargs="+", metavar="PATH", help=".py, .ipynb, or folders of them")
    command.add_argument(
        "--to", choices=("google-genai", "openai"), default="google-genai", help="the SDK to use"
    )
    command.add_argument("--base-url", metavar="URL", help="send requests there, not to Google")
    command.add_argument(
        "--key-env", metavar="NAME", help="openai: the variable that the key is in"
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true", help="show what would change (the default)")
    how.add_argument("--write", action="store_true", help="change the files")
    how.add_argument("--check", action="store_true", help="exit with 1 if a file would change")
    command.add_argument("--report", choices=("text", "json"), default="text", help="how it tells")
    command.set_defaults(do=migrate)


def migrate(arguments: argparse.Namespace) -> None:
    """Migrate what can be, and tell of every place; the changes go to stdout, the report to stderr.

    With ``--report json`` the report goes to stdout alone. Raises ``GeminiMagicError`` where a file
    cannot be migrated, after the others are, and ``SystemExit`` with 1 for ``--check``.
    """
    from gemini_magic.convert.migrate import files
    from gemini_magic.convert.migrate.job import Options

    _check_address(arguments.base_url)
    _check_variable(arguments.key_env, arguments.to)
    paths = files.find(arguments.paths)
    options = Options(
        arguments.base_url, files.project(paths), to=arguments.to, key_env=arguments.key_env
    )
    found = [files.migrate(path, options) for path in paths]
    failures = [file.error for file in found if file.error is not None]
    if arguments.write:
        for file in found:
            if file.changed:
                try:
                    files.write(file)
                except GeminiMagicError as error:
                    failures.append(error)
    shown = not (arguments.write or arguments.check)
    if arguments.report == "json":
        rows = [_row(file, files.diff(file) if shown else None) for file in found]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        if shown:
            for file in found:
                sys.stdout.write(files.diff(file))
        _tell(found, written=arguments.write)
    if failures:
        for earlier in failures[:-1]:
            print("\n".join(earlier.lines()), file=sys.stderr)
        raise failures[-1]
    if arguments.check and any(file.changed for file in found):
        raise SystemExit(1)


def _check_address(address: str | None) -> None:
    from gemini_magic.errors import UsageError

    if address is not None and not address.startswith(("https://", "http://")):
        raise UsageError(f"{address} is no address.", "--base-url https://HOST")


def _check_variable(name: str | None, to: str) -> None:
    from gemini_magic.errors import UsageError

    if name is None:
        return
    if to != "openai":
        raise UsageError("--key-env is for --to openai.", "google-genai takes GEMINI_API_KEY.")
    if not (name.isascii() and name.isidentifier()):
        raise UsageError(f"{name} is no name of a variable.", "--key-env OPENAI_API_KEY")


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


def _tell(found: list[File], *, written: bool) -> None:
    counts = {"done": 0, "assisted": 0, "left": 0}
    for file in found:
        for place in file.places:
            counts[place.verdict] += 1
            if place.verdict != "done":
                where = f"{file.path}[{place.cell}]" if place.cell else str(file.path)
                print(f"{where}:{place.line}: {place.verdict}: {place.text}", file=sys.stderr)
    changed = sum(file.changed for file in found)
    did = "changed" if written else "would change"
    print(
        f"{changed} of {len(found)} files {did}; {counts['done']} places done, "
        f"{counts['assisted']} assisted (look for TODO(gemini-magic)), {counts['left']} left",
        file=sys.stderr,
    )
