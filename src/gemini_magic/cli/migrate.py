"""``jupyter gemini migrate``: programs and notebooks of the old SDK, brought to the new one."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_to(commands: Any) -> None:
    from gemini_magic.convert.migrate import command as words

    command = commands.add_parser("migrate", help=words.HELP, description=words.HELP)
    words.add_words(command)
    command.set_defaults(do=migrate)


def migrate(arguments: argparse.Namespace) -> None:
    """Do what the words say; the changes go to stdout, the report to stderr.

    Raises ``GeminiMagicError`` where a file cannot be migrated, after the others are, and
    ``SystemExit`` with 1 for ``--check``.
    """
    from gemini_magic.config import load
    from gemini_magic.convert.migrate.command import Face, run

    face = Face(_say, sys.stdout.write, frozenset(load().key_names))
    if run(arguments, face) and arguments.check:
        raise SystemExit(1)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
