"""Takes one prompt out of what a session ran, with the cells that it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from gemini_magic.convert.names import Names, loaded_names
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.convert.reading import Transform, read
from gemini_magic.convert.steps import Code, Prompt, Reading
from gemini_magic.errors import UsageError
from gemini_magic.template import placeholders


def prompts_of(cell: Cell, transform: Transform, magic: str) -> tuple[Prompt, ...]:
    """The prompts in a cell."""
    if f"%{magic}" not in cell.source:
        return ()
    return tuple(
        prompt
        for step in _read([cell], transform, magic).steps
        if isinstance(step.what, Code)
        for prompt in step.what.prompts
    )


def excerpt(
    cells: Sequence[Cell], transform: Transform, magic: str, name: str, *, filled: bool
) -> Notebook:
    """A notebook of the last of these cells, and of those before it that it needs.

    ``filled`` says that the values of the last cell's placeholders are known without their code.
    A cell is needed that binds a name which a later one uses, the last of them for each name; and
    the earlier turns of a chat. What only changes a value is not seen to be needed.
    """
    last = cells[-1]
    kept = {len(cells) - 1}
    needed = _needs(last, transform, magic, filled)
    chats = _chats(last, transform, magic)
    for number in range(len(cells) - 2, -1, -1):
        names = Names(_read([cells[number]], transform, magic))
        bound = {*names.bound, *(["_"] if names.asks else [])}
        turns = _chats(cells[number], transform, magic)
        if bound & needed or turns & chats:
            kept.add(number)
            needed = (needed - bound) | _needs(cells[number], transform, magic)
    return Notebook(name, tuple(cells[number] for number in sorted(kept)))


def one_prompt(notebook: Notebook, cell_id: str, transform: Transform, magic: str) -> Notebook:
    """The prompt of one cell, and what it needs of the cells above it.

    Raises ``UsageError`` if there is no such cell, or no prompt in it.
    """
    for number, cell in enumerate(notebook.cells):
        if cell.id == cell_id and prompts_of(cell, transform, magic):
            cells = notebook.cells[: number + 1]
            return excerpt(cells, transform, magic, notebook.name, filled=False)
    raise UsageError("there is no prompt in that cell.", f"A prompt starts with %%{magic}.")


def _read(cells: Sequence[Cell], transform: Transform, magic: str) -> Reading:
    return read(Notebook("", tuple(cells)), transform, magic)


def _chats(cell: Cell, transform: Transform, magic: str) -> set[str]:
    found = (one.cell.text("chat") for one in prompts_of(cell, transform, magic))
    return {chat for chat in found if chat is not None}


def _needs(cell: Cell, transform: Transform, magic: str, filled: bool = False) -> set[str]:
    """The names that a cell uses, in its code and, unless they are ``filled``, its prompts."""
    needed: set[str] = set()
    for step in _read([cell], transform, magic).steps:
        if not isinstance(step.what, Code):
            continue
        needed |= loaded_names(step.what.tree)
        for prompt in step.what.prompts:
            for expression in _expressions(prompt, filled):
                try:
                    needed |= loaded_names(ast.parse(expression, mode="eval"))
                except (SyntaxError, ValueError, RecursionError, MemoryError):
                    continue
    return needed


def _expressions(prompt: Prompt, filled: bool) -> Iterator[str]:
    """What of a prompt is Python, or may be."""
    cell = prompt.cell
    if not cell.flag("raw") and not filled:
        yield from (one.expression for one in placeholders(cell.template))
        yield from (one.expression for one in placeholders(cell.text("system") or ""))
    for option in ("tools", "image", "file"):
        given = cell.get(option)
        yield from given if isinstance(given, tuple) else ()
    if (schema := cell.text("schema")) is not None:
        yield schema
