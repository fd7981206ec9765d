"""``jupyter gemini export``: notebooks as programs that need nothing but the official SDK."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from gemini_magic.notebook.export_context import context_of

__all__ = ["add_to", "context_of", "export"]

_EXAMPLES = """\
examples:
  jupyter gemini export report.ipynb                          report.py, with google-genai
  jupyter gemini export report.ipynb --to python-openai -o -  to the terminal
  jupyter gemini export 'work/*.ipynb' -o scripts/            many, into a folder
  jupyter gemini export report.ipynb --freeze --retry         what was asked; with patience
  jupyter gemini export notebooks/ --check                    for CI: fail where a script is stale
  jupyter gemini export report.ipynb --bundle report.zip      all targets, ready to be sent
  jupyter gemini export report.ipynb --git git@host:me/x.git  the same as a branch, shown first

exit status: 0 all is written (or up to date), 1 something is not, 2 the words are off
"""


def add_to(commands: Any) -> None:
    from gemini_magic.convert import words

    command = commands.add_parser(
        "export", help=words.HELP, description=words.HELP, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    words.add_words(command, notebook_needed=True)
    command.set_defaults(do=export)


def export(arguments: argparse.Namespace) -> None:
    """Do what the words say. Raises ``GeminiMagicError``, when all that could be done is."""
    from gemini_magic.convert.command import Face, run

    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    run(
        arguments,
        Face("jupyter gemini export", context_of, _ask if terminal else None, _say, print, _write),
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _ask(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
