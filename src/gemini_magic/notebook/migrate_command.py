"""``%gemini migrate``: code of the old SDK brought to the new one, from within a notebook."""

from __future__ import annotations

import os
import sys
from typing import Any

from gemini_magic.errors import UsageError
from gemini_magic.notebook.export_command import Words
from gemini_magic.notebook.this_notebook import notebook_path, saved_when


def run(shell: Any, words: list[str], magic_name: str) -> None:
    """Do what ``%gemini migrate words`` says. Raises ``GeminiMagicError``."""
    from gemini_magic.convert.migrate import command

    parser = Words(prog=f"%{magic_name} migrate", description=command.HELP, add_help=False)
    command.add_words(parser, path_needed=False)
    if "--help" in words or "-h" in words:
        print(parser.format_help().rstrip())
        return
    arguments = parser.parse_args(words)
    for word in arguments.paths:
        if not os.path.lexists(word):
            raise UsageError(
                f"no file is called {word}.",
                f"To send it as a prompt, write: %{magic_name} -- migrate ...",
            )
    own = not arguments.paths
    if own:
        path = notebook_path(shell.user_ns, magic_name, "migrate")
        print(f"{path.name} as it was saved: {saved_when(path)}")
        arguments.paths = [str(path)]
    changed = command.run(arguments, command.Face(print, sys.stdout.write))
    if changed and arguments.write:
        if own:
            print("Reload this notebook from disk before you save it, and restart its kernel.")
    elif changed:
        print(f"To change {'it' if len(arguments.paths) == 1 else 'them'}: add --write")
