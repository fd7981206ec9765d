"""What an export gives back, and that no key gets into it."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.secrets import lines_with_keys
from gemini_magic.convert.steps import Note
from gemini_magic.errors import GeminiMagicError


class Exported(NamedTuple):
    """A script, and what the user should know of it.

    ``files`` are those it reads beside itself: their names (``inputs/1a2b3c4d.png``) and contents.
    """

    text: str
    notes: tuple[Note, ...]
    files: tuple[tuple[str, bytes], ...] = ()


class KeyFound(GeminiMagicError):
    """A key stands in what would be written."""


def refuse_keys(notebook: Notebook, text: str, names: Set[str]) -> None:
    """Raise ``KeyFound`` where a key is in the notebook or the script.

    ``names`` are the environment's variables that hold keys here.
    """
    for cell in notebook.cells:
        if lines := lines_with_keys(cell.source, names):
            raise KeyFound(
                f"{notebook.name}: a key stands in cell {cell.id}, line {lines[0]}; "
                "nothing was written.",
                'Take it out: key = os.environ["GEMINI_API_KEY"]; or --lift-keys does that in the '
                "script alone. Make a new one where it was shown to others.",
            )
    if lines := lines_with_keys(text, names):
        raise KeyFound(
            f"{notebook.name}: a key would stand in line {lines[0]} of the script; "
            "nothing was written.",
            "Put it into the environment.",
        )
