"""Exports one notebook for a face: from its file on, and with what is done to it before."""

from __future__ import annotations

from pathlib import Path

from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import Notebook, read_file
from gemini_magic.convert.options import Options
from gemini_magic.convert.steps import Note
from gemini_magic.convert.targets import export


def key_names(context: Context) -> list[str]:
    """The environment's variables that hold keys, by the configuration."""
    names = (name for one in context.config.backends.values() for name in one.key_env)
    return [*dict.fromkeys(names)]


def export_file(
    path: Path, context: Context, target: str, options: Options, *, lift_keys: bool = False
) -> Exported:
    """The script of the notebook in a file. Raises ``GeminiMagicError``."""
    return export_notebook(read_file(path), context, target, options, lift_keys=lift_keys)


def export_notebook(
    notebook: Notebook, context: Context, target: str, options: Options, *, lift_keys: bool = False
) -> Exported:
    """The script of a notebook, with notes on what was done before it, in the order of its cells.

    Raises ``GeminiMagicError``.
    """
    notes: tuple[Note, ...] = ()
    if notebook.format != 4:
        notes = (Note("", "format", f"the notebook is in format {notebook.format}: brought up"),)
    if lift_keys:
        from gemini_magic.convert.lifting import lift

        notebook, _, lifted = lift(notebook, context.transform, key_names(context))
        notes += lifted
    made = export(notebook, context, target, options)
    places = {cell.id: number for number, cell in enumerate(notebook.cells)}
    found = sorted(made.notes, key=lambda note: places.get(note.cell, -1))
    return made._replace(notes=(*notes, *found))
