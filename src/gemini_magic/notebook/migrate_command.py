"""``%gemini migrate``: code of the old SDK brought to the new one, from within a notebook."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import UsageError
from gemini_magic.notebook.export_command import Words
from gemini_magic.notebook.this_notebook import notebook_path, saved_when, told_path

if TYPE_CHECKING:
    from gemini_magic.config import Config


def run(shell: Any, config: Config, words: list[str], magic_name: str) -> None:
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
    if not arguments.paths:
        path = notebook_path(shell.user_ns, magic_name, "migrate")
        print(f"{path.name} as it was saved: {saved_when(path)}")
        arguments.paths = [str(path)]

    def after(changed: list[Path]) -> None:
        if not arguments.write:
            if changed:
                print(f"To change {'it' if len(arguments.paths) == 1 else 'them'}: add --write")
        elif (own := told_path(shell.user_ns)) and Path(own).resolve() in map(
            Path.resolve, changed
        ):
            print("Reload this notebook from disk before you save it, and restart its kernel.")

    names = frozenset(config.key_names)
    command.run(arguments, command.Face(print, sys.stdout.write, names, after))
