"""Takes keys out of a notebook's code before it is exported: they are read from the environment.

The notebook's own file stays as it is.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeGuard

from gemini_magic.convert import pytext
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.convert.reading import Places, Transform, manager
from gemini_magic.convert.secrets import Key, keys_in
from gemini_magic.convert.steps import Note, Span


class Lifted(NamedTuple):
    """A notebook without the keys that could be taken out, and the variables that they are in.

    ``notes`` says where they stood. What could not be taken out is still there.
    """

    notebook: Notebook
    names: tuple[str, ...]
    notes: tuple[Note, ...]


def lift(notebook: Notebook, transform: Transform, key_names: Sequence[str] = ()) -> Lifted:
    """Put ``os.environ["NAME"]`` in the place of keys that are literals of the code.

    In comments and in Markdown the name stands in place of the key. A key within a magic or an
    f-string stays: whoever writes the script refuses it.
    """
    lifter = _Lifter(transform, key_names)
    cells = [lifter.cell(cell) for cell in notebook.cells]
    return Lifted(
        notebook._replace(cells=tuple(cells)), tuple(lifter.names.values()), tuple(lifter.notes)
    )


class _Lifter:
    def __init__(self, transform: Transform, key_names: Sequence[str]) -> None:
        self._transform = transform
        self._key_names = key_names
        self.names: dict[str, str] = {}
        self.notes: list[Note] = []

    def cell(self, cell: Cell) -> Cell:
        if not keys_in(cell.source, self._key_names):
            return cell
        if cell.kind == "code":
            source = self._code(cell)
        else:
            source = self._replaced(cell.source, lambda name: f"<{name}>")
        return cell._replace(source=source)

    def _name(self, key: str, found: Key) -> str:
        """The variable of a key: that of its service, or with a number if it is another's."""
        if key not in self.names:
            name, number = found.name, 1
            while name in self.names.values():
                number += 1
                name = f"{found.name}_{number}"
            self.names[key] = name
        return self.names[key]

    def _replaced(self, text: str, written: Callable[[str], str]) -> str:
        changes = []
        for found in keys_in(text, self._key_names):
            name = self._name(text[found.start : found.end], found)
            changes.append(((found.start, found.end), written(name)))
        return pytext.edited(text, changes)

    def _code(self, cell: Cell) -> str:
        try:
            source = str(manager(self._transform).transform_cell(cell.source))
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cell.source  # a broken cell is a comment of the script
        changes: list[tuple[Span, str]] = []
        for span, value in _literals(tree, Places(source)):
            if (new := self._literal(value)) is not None:
                changes.append((span, new))
                self.notes.append(Note(cell.id, "key", f"a key of it is {new} in the script"))
        needs_import = bool(changes)
        changes += self._settings(cell, tree, Places(source))
        if "__future__" in source and needs_import:  # which has to come first
            changes = [(span, new.replace("os.", '__import__("os").')) for span, new in changes]
            needs_import = False
        for span, text in _comments(source):
            changes.append((span, self._replaced(text, lambda name: f"<{name}>")))
        new = pytext.edited(source, changes)
        return f"import os\n{new}" if needs_import else new

    def _settings(self, cell: Cell, tree: ast.Module, places: Places) -> Iterator[tuple[Span, str]]:
        """``%env NAME=KEY``: the variable is there already when the script runs."""
        for node in tree.body:
            if not (isinstance(node, ast.Expr) and _is_magic(node.value)):
                continue
            given = [one.value for one in node.value.args if isinstance(one, ast.Constant)]
            if len(given) != 2 or given[0] not in ("env", "set_env"):
                continue
            name, _, value = re.sub(r"[=\s]+", "=", str(given[1]).strip(), count=1).partition("=")
            found = keys_in(value, self._key_names)
            if len(found) == 1 and value.strip("'\"") == value[found[0].start : found[0].end]:
                self.names[value[found[0].start : found[0].end]] = name
                self.notes.append(Note(cell.id, "key", f"{name} is no longer set by the script"))
                yield places.span(node), f"pass  # {name} comes from the environment"

    def _literal(self, value: str) -> str | None:
        """The expression for a text that holds keys; None where it holds none."""
        found = [one for one in keys_in(value, self._key_names) if one.name != "PRIVATE_KEY"]
        if not found:
            return None
        pieces: list[str] = []
        at = 0
        for one in found:
            if value[at : one.start]:
                pieces.append(pytext.literal(value[at : one.start]))
            pieces.append(f'os.environ["{self._name(value[one.start : one.end], one)}"]')
            at = one.end
        if value[at:]:
            pieces.append(pytext.literal(value[at:]))
        return pieces[0] if len(pieces) == 1 else f"({' + '.join(pieces)})"


def _literals(tree: ast.Module, places: Places) -> Iterator[tuple[Span, str]]:
    """The texts in code, but not those in f-strings, in patterns and in calls of magics."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr | ast.match_case) or _is_magic(node):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield places.span(node), node.value
        waiting += ast.iter_child_nodes(node)


def _is_magic(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == "get_ipython"
    )


def _comments(source: str) -> Iterator[tuple[Span, str]]:
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                start = starts[token.start[0] - 1] + token.start[1]
                yield (start, start + len(token.string)), token.string
    except (tokenize.TokenError, SyntaxError):
        return
