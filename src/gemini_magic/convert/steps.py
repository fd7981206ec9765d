"""What a notebook is to an emitter: ordered steps, whatever the target's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.notebook_file import Cell
from gemini_magic.errors import GeminiMagicError

#: Where a piece of code stands in its text: characters from and to.
Span: TypeAlias = tuple[int, int]


class Note(NamedTuple):
    """One line of the report: what could not be said, was left out, or has to be looked at.

    ``kind`` is a word for machines: ``broken``, ``unknown-magic``, ``left-out``, ``differs``,
    ``undefined``, ``command``, ``route``, ``dependency``, ``order``, ``format``, ``key`` or
    ``files``. ``cell`` is empty for what concerns all.
    """

    cell: str
    kind: str
    text: str

    def to_json(self) -> dict[str, str]:
        return self._asdict()


def told(notes: Iterable[Note]) -> Iterator[tuple[str, str]]:
    """Kinds and texts of notes for people: what is said of several cells is said once."""
    cells: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        cells.setdefault((note.kind, note.text), []).append(note.cell)
    for (kind, text), found in cells.items():
        named = list(dict.fromkeys(filter(None, found)))
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        several = "cells" if len(named) > 1 else "cell"
        yield kind, f"{several} {', '.join(named[:_NAMED])}{more}: {text}" if named else text


#: How many cells are named.
_NAMED = 5


def problem_of(error: GeminiMagicError) -> str:
    """What a prompt's error says, for a comment and a note."""
    return error.what.replace("; nothing was sent", "").rstrip(".")


class Prompt(NamedTuple):
    """Asks a model. ``used`` is the session's choice (``%gemini use``) at this place."""

    cell: GeminiCell
    used: str | None = None


class Shell(NamedTuple):
    """Runs a command, or with ``program`` a whole script; ``captured`` gives its lines back.

    ``live`` says that IPython fills ``{x}`` and ``$x`` from the variables, which it always does in
    ``words``, the program's arguments. ``out`` is the variable that gets what a program prints.
    """

    command: str
    program: str = ""
    captured: bool = False
    live: bool = True
    words: tuple[str, ...] = ()
    out: str = ""


class Install(NamedTuple):
    """Packages that have to be there, as pip names them."""

    packages: tuple[str, ...]
    source: str


class Action(NamedTuple):
    """A magic with a plain meaning: ``chdir``, ``setenv``, ``getcwd``, ``write``, ``run``.

    ``words`` are its arguments.
    """

    what: Literal["chdir", "setenv", "getenv", "getcwd", "write", "append", "run"]
    words: tuple[str, ...]


class Nothing(NamedTuple):
    """A magic that means nothing in a program, or that nobody knows; ``why`` is for people."""

    source: str
    why: str = ""


#: What a call of a magic stands for. A text is Python code that stands for itself.
Meaning: TypeAlias = Prompt | Shell | Install | Action | Nothing | str


class Embedded(NamedTuple):
    """A magic within Python code: where its call stands, and what it means.

    ``statement`` says that the call is a whole statement, so that it may become several or none.
    """

    span: Span
    meaning: Meaning
    statement: bool


class Code(NamedTuple):
    """Python code, in which ``embedded`` calls of magics stand, in their order.

    ``shown`` is where the expression stands whose value the notebook shows. ``tree`` is the syntax
    tree of the code (an ``ast.Module``).
    """

    source: str
    embedded: tuple[Embedded, ...]
    shown: Span | None
    tree: Any

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return tuple(one.meaning for one in self.embedded if isinstance(one.meaning, Prompt))


class Text(NamedTuple):
    """Markdown."""

    source: str


class Broken(NamedTuple):
    """A cell that cannot be read; it is kept as a comment."""

    source: str
    why: str


class Step(NamedTuple):
    """A cell of the notebook: its id, its tags, what it is, and the cell as it was read."""

    id: str
    what: Code | Text | Broken
    tags: tuple[str, ...] = ()
    cell: Cell = Cell("", "code", "")


class Reading(NamedTuple):
    """A notebook, read. ``digest`` is the SHA-256 of its cells' sources, in hex."""

    name: str
    digest: str
    steps: tuple[Step, ...]
    notes: tuple[Note, ...]
