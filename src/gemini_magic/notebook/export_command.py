"""``%gemini export``: the notebook that it runs in, or another, as a program."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from gemini_magic.errors import UsageError
from gemini_magic.notebook.export_context import context_of
from gemini_magic.notebook.this_notebook import notebook_path, saved_when

if TYPE_CHECKING:
    from gemini_magic.convert.command import Face


class Words(argparse.ArgumentParser):
    """A parser whose complaints are ours, and end no kernel."""

    def error(self, message: str) -> NoReturn:
        magic, _, word = self.prog.partition(" ")
        raise UsageError(
            f"{self.prog}: {message}.",
            f"See {self.prog} --help. To send it as a prompt, write: {magic} -- {word} ...",
        )


def parser(magic_name: str) -> Words:
    """The words of the command; ``--help`` is ``help`` in what it gives."""
    from gemini_magic.convert.words import HELP, add_words

    words = Words(prog=f"%{magic_name} export", description=HELP, add_help=False)
    words.add_argument("-h", "--help", action="store_true", help="this help")
    add_words(words, notebook_needed=False)
    return words


def options(magic_name: str) -> list[str]:
    """All long options, for completion."""
    return [word for one in parser(magic_name)._actions for word in one.option_strings
            if word.startswith("--")]  # fmt: skip


def run(shell: Any, words: list[str], magic_name: str) -> None:
    """Do what ``%gemini export words`` says. Raises ``GeminiMagicError``."""
    from gemini_magic.convert import command

    known = parser(magic_name)
    arguments = known.parse_args(words)
    if arguments.help:
        print(known.format_help().rstrip())
        return
    for word in arguments.notebooks:
        if not glob.has_magic(word) and not os.path.exists(word):
            raise UsageError(
                f"no file is called {word}.",
                f"To send it as a prompt, write: %{magic_name} -- export ...",
            )
    if not arguments.notebooks:
        path = notebook_path(shell.user_ns, magic_name)
        print(f"{path.name} as it was saved: {saved_when(path)}")
        arguments.notebooks = [str(path)]
    command.run(arguments, _face(magic_name))


def _face(magic_name: str) -> Face:
    from gemini_magic.convert.command import Face

    # A question would stop "Run all", and nobody can answer it where a notebook runs by itself.
    return Face(f"%{magic_name} export", context_of, None, print, print, _write)


def _write(data: bytes) -> None:
    sys.stdout.write(data.decode("utf-8"))
