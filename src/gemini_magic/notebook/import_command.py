"""``%gemini import``: AI Studio's work as notebooks, from within one."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from gemini_magic.errors import UsageError
from gemini_magic.notebook.export_command import Words

if TYPE_CHECKING:
    from gemini_magic.config import Config
    from gemini_magic.convert.studio.command import Face


def run(config: Config, words: list[str], magic_name: str) -> None:
    """Do what ``%gemini import words`` says. Raises ``GeminiMagicError``."""
    from gemini_magic.convert.studio import command

    parser = Words(prog=f"%{magic_name} import", description=command.HELP, add_help=False)
    command.add_words(parser)
    if "--help" in words or "-h" in words:
        print(parser.format_help().rstrip())
        return
    arguments = parser.parse_args(words)
    for word in arguments.paths:
        if not glob.has_magic(word) and not os.path.exists(os.path.expanduser(word)):
            raise UsageError(
                f"no file is called {word}; nothing was written.",
                f"To send it as a prompt, write: %{magic_name} -- import ...",
            )
    places = command.run(arguments, face(print, print, config))
    if places:
        print(f"Open {'it' if len(places) == 1 else 'them'}, and run the cells.")


def face(
    say: Callable[[str], None], show: Callable[[str], None], config: Config | None = None
) -> Face:
    """What an import has to be told by the rooms above it."""
    from gemini_magic.config import load
    from gemini_magic.convert.studio.command import Face
    from gemini_magic.notebook.drawn import drawn

    return Face(drawn, frozenset((config or load()).key_names), say, show)
