"""``jupyter gemini import``: AI Studio's saved prompts, code and apps as notebooks."""

from __future__ import annotations

import argparse
import sys
from typing import Any

_EXAMPLES = """\
examples:
  jupyter gemini import 'My prompt'                    a saved prompt, as it lies in Drive
  jupyter gemini import takeout-2026.zip -o notebooks  all prompts of a Takeout
  jupyter gemini import app.zip getcode.py             a Build-mode app; "Get code"

exit status: 0 all is written, 1 something is not, 2 the words are off
"""


def add_to(commands: Any) -> None:
    from gemini_magic.convert.studio import command as words

    command = commands.add_parser(
        "import", help=words.HELP, description=words.HELP, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    words.add_words(command)
    command.set_defaults(do=import_)


def import_(arguments: argparse.Namespace) -> None:
    """Do what the words say. Raises ``GeminiMagicError``, when all that could be done is."""
    from gemini_magic.convert.studio.command import run
    from gemini_magic.notebook.import_command import face

    run(arguments, face(_say, print))


def _say(line: str) -> None:
    print(line, file=sys.stderr)
