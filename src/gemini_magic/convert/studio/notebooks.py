"""Writes what was found as a notebook whose cells send what was sent, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.convert.studio import stored
from gemini_magic.convert.studio.kept import LONG, Files, outsourced
from gemini_magic.convert.studio.literals import literal
from gemini_magic.convert.studio.naming import file_name, identifier, inert
from gemini_magic.convert.studio.pieces import (
    Address,
    Found,
    Imported,
    Media,
    Missing,
    Piece,
    Slot,
    Text,
    Turn,
)
from gemini_magic.options import OptionValue
from gemini_magic.types import Reply, digest

#: Draws a reply in a form (markdown, json) as the outputs that a notebook's file keeps. Then come
#: the template of the prompt that asked, and the files of the reply's media.
Draw = Callable[[Reply, str, str, Sequence[Path]], list[dict[str, Any]]]

#: Characters of a system instruction and of a schema above which they are variables.
_LONG_SYSTEM, _LONG_SCHEMA = 100, 200


def made(found: Found, draw: Draw) -> Imported:
    """The notebook of an import; the same import gives the same bytes."""
    return _Writer(found, draw).notebook()


def prompt_digest(cell: GeminiCell) -> str:
    """What tells a cell's prompt from another, whatever its run settings: template and media."""
    given = [cell.template, cell.flag("raw"), cell.get("image"), cell.get("file")]
    return digest(json.dumps(given))


def _identify(cell: dict[str, Any], number: int) -> None:
    """Give a cell an id that the same import gives again."""
    cell["id"] = f"{digest(cell['source'])[:8]}-{number}"


class _Writer:
    def __init__(self, found: Found, draw: Draw) -> None:
        self._found = found
        self._draw = draw
        self._files = Files()
        self._names: dict[str, str] = {}
        self._known: dict[tuple[str, str], str] = {}
        self._comments: dict[str, str] = {}
        self._cells: list[dict[str, Any]] = []
        self._asked: list[tuple[dict[str, Any], GeminiCell, Turn]] = []
        self._defined: set[str] = set()
        self._paths = False

    def notebook(self) -> Imported:
        for turn in self._found.turns:
            self._turn(turn)
        for number, cell in enumerate(self._cells, 2):  # below the title and the setup
            _identify(cell, number)
        setup = ["%load_ext gemini_magic"]
        told = [(cell["id"], parsed, turn) for cell, parsed, turn in self._asked]
        if (said := stored.keep(told, self._files)) is not None:
            setup += ["# What was said already: any cell can be run without those above it.",
                      f"%gemini chat load {said}"]  # fmt: skip
        if self._paths:
            setup += ["", "from pathlib import Path"]
        for name, value in self._names.items():
            setup += ["", f"{self._comments.get(name, '')}{name} = {value}"]
        head = [self._markdown(self._title()), self._code("\n".join(setup))]
        kept = self._found.kept
        metadata: dict[str, Any] = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        if kept is not None:
            metadata["gemini_magic"] = {"aistudio": outsourced(kept, self._files)}
        for number, cell in enumerate(head):
            _identify(cell, number)
        cells = [*head, *self._cells]
        notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        found = self._found
        return Imported(
            file_name(found.title), notebook, self._files.all, found.notes, found.origin
        )

    def _title(self) -> str:
        lines = [f"# {inert(self._found.title)}", "", f"Imported from {inert(self._found.origin)}."]
        told = [f"- {inert(note.text)}" for note in self._found.notes]
        return "\n".join([*lines, *([""] if told else []), *told])

    # --- cells ---

    def _markdown(self, source: str) -> dict[str, Any]:
        return {"cell_type": "markdown", "metadata": {}, "source": source}

    def _code(
        self, source: str, kept: Any = None, outputs: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        metadata = {} if kept is None else {"gemini_magic": {"aistudio": kept}}
        return {
            "cell_type": "code", "execution_count": None, "metadata": metadata,
            "outputs": outputs or [], "source": source,
        }  # fmt: skip

    def _turn(self, turn: Turn) -> None:
        if turn.above:
            self._cells.append(self._markdown(inert(turn.above)))
        if new := [one for one in turn.needs if one not in self._defined]:
            self._defined.update(new)
            self._cells.append(self._code("\n\n".join(new)))
        cell = self._cell(turn)
        kept = None
        if turn.kept is not None:
            kept = {**outsourced(turn.kept, self._files), "prompt": prompt_digest(cell)}
        outputs = []
        if turn.reply is not None:
            form = "json" if cell.get("schema") is not None else "markdown"
            media = turn.reply.media
            saved = [Path(self._files.add(one.data or b"", one.mime_type or "")) for one in media]
            outputs = self._draw(turn.reply, form, cell.template, saved)
        self._cells.append(self._code(cell.to_source(), kept, outputs))
        self._asked.append((self._cells[-1], cell, turn))

    def _cell(self, turn: Turn) -> GeminiCell:
        given = dict(turn.options)
        if turn.chat:
            given["chat"] = turn.chat
        schema = given.get("schema")
        if isinstance(schema, str) and len(schema) > _LONG_SCHEMA and schema[:1] == "{":
            given["schema"] = self._schema(schema)
        pieces = self._in_front(turn.pieces, given)
        prompt, raw = self._template(pieces)
        if raw:
            given["raw"] = True
        if turn.system:
            given["system"] = self._system(turn.system, raw)
        cell = GeminiCell.of(prompt, given)
        assert GeminiCell.parse(cell.to_source()) == cell
        return cell

    def _in_front(
        self, pieces: tuple[Piece, ...], given: dict[str, OptionValue]
    ) -> tuple[Piece, ...]:
        """Make options of the media before the first text, and give what is left.

        An address is an option wherever it stands: a prompt's text cannot hold one.
        """
        first = next((n for n, one in enumerate(pieces) if isinstance(one, Text | Slot)), None)
        front = list(pieces if first is None else pieces[:first])
        rest = [] if first is None else list(pieces[first:])
        front += [one for one in rest if isinstance(one, Address)]
        words: list[str] = []
        for one in front:
            if isinstance(one, Media):
                words.append(self._files.add(one.data, one.mime_type))
            elif isinstance(one, Address):
                words.append(one.uri)
            elif isinstance(one, Missing):
                words.append(self._missing(one))
        if words:
            pictures = all(isinstance(o, Media) and o.mime_type.startswith("image/") for o in front)
            given["image" if pictures else "file"] = tuple(words)
        return tuple(one for one in rest if not isinstance(one, Address))

    def _template(self, pieces: tuple[Piece, ...]) -> tuple[str, bool]:
        """A template that stands for the pieces, and whether it needs ``--raw``."""
        if all(isinstance(one, Text) and len(one.text) <= LONG for one in pieces):
            text = "".join(one.text for one in pieces if isinstance(one, Text))
            escaped = template.escape(text)
            if escaped is not None and "".join(map(str, template.split(escaped))) == text:
                return escaped, False
            return text, True
        inline = [self._words(one) for one in pieces]
        written = "".join(inline)
        if template.split(written) == self._segments(pieces):
            return written, False
        # Where texts and braces meet and read as something else, each text is a variable.
        return "".join(
            f"{{{{ {self._name('text', literal(one.text))} }}}}"
            if isinstance(one, Text) and len(one.text) <= LONG
            else words
            for one, words in zip(pieces, inline, strict=True)
        ), False

    def _words(self, piece: Piece) -> str:
        if isinstance(piece, Text) and len(piece.text) <= LONG:
            escaped = template.escape(piece.text)
            return piece.text if escaped is None else escaped
        return f"{{{{ {self._expression(piece)} }}}}"

    def _segments(self, pieces: tuple[Piece, ...]) -> list[template.Segment]:
        """What the template has to be read as."""
        return [
            one.text
            if isinstance(one, Text) and len(one.text) <= LONG
            else template.Placeholder(
                self._expression(one), "", "", f"{{{{ {self._expression(one)} }}}}"
            )
            for one in pieces
        ]

    def _expression(self, piece: Piece) -> str:
        """The Python expression that a piece is in a placeholder."""
        if isinstance(piece, Text):
            if (name := self._files.add_text(piece.text)) is None:
                return self._name("text", ascii(piece.text))
            self._paths = True
            return f'Path("{name}").read_bytes().decode()'
        if isinstance(piece, Media):
            self._paths = True
            return f'Path("{self._files.add(piece.data, piece.mime_type)}")'
        if isinstance(piece, Slot):
            return self._name(piece.name, literal(piece.example))
        assert isinstance(piece, Missing)
        return self._missing(piece)

    # --- variables ---

    def _missing(self, piece: Missing) -> str:
        """A variable that says what is missing, and how to put it in its place."""
        self._paths = True
        said = stored.said_of(piece)
        link = f" ({piece.link})" if piece.link and piece.link.isprintable() else ""
        kind = identifier(piece.what, "file")
        self._comments[name := self._name(f"missing_{kind}", literal(said))] = (
            f'# A {piece.what} that is not here{link}: Path("...") puts it in its place.\n'
        )
        return name

    def _schema(self, schema: str) -> str:
        return self._name("answer_schema", literal(json.loads(schema)))

    def _system(self, system: str, raw: bool) -> str:
        """The option's text: the instruction itself where it is short, else a variable."""
        if raw:
            return system
        escaped = template.escape(system)
        short = len(system) <= _LONG_SYSTEM and system.isprintable()
        if escaped is not None and short:
            return escaped
        return f"{{{{ {self._name('system_instruction', literal(system))} }}}}"

    def _name(self, wanted: str, value: str) -> str:
        """The variable of this value; another number where the name is taken."""
        if (known := self._known.get((wanted, value))) is not None:
            return known
        name, number = wanted, 1
        while name in self._names or name in ("Path", "_"):
            number += 1
            name = f"{wanted}_{number}"
        self._names[name] = value
        self._known[wanted, value] = name
        return name
