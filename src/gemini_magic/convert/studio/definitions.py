"""Functions and classes of a program that a cell needs by name: their text, never run."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from typing import NamedTuple

#: Statements with these would ask when they run, or change something elsewhere.
_ASKING = frozenset(
    {"generate_content", "generate_content_stream", "generate_content_async", "send_message",
     "send_message_stream", "send_message_async", "upload", "upload_file", "generate_images"}
)  # fmt: skip


class Named(NamedTuple):
    """An expression of the code, and the statements that it needs, in their order."""

    expression: str
    needs: tuple[str, ...]


class Definitions:
    """What stands at the top of a program, by the names that it binds."""

    def __init__(self, tree: ast.Module, source: str) -> None:
        self._lines = re.split(r"\r\n|\r|\n", source.removeprefix("\ufeff"))
        self._uses: dict[ast.stmt, set[str]] = {}
        self._by_name: dict[str, list[ast.stmt]] = {}
        self._known: dict[str, Named | None] = {}
        self._future = [
            one
            for one in tree.body
            if isinstance(one, ast.ImportFrom) and one.module == "__future__"
        ]
        for statement in tree.body:
            if statement not in self._future:
                bound, self._uses[statement] = _names(self._text(statement))
                for name in bound:
                    self._by_name.setdefault(name, []).append(statement)

    def named(self, expression: str) -> Named | None:
        """The expression, if what stands at the program's top is all that it needs."""
        if expression not in self._known:
            self._known[expression] = self._found(expression)
        return self._known[expression]

    def _found(self, expression: str) -> Named | None:
        names = _names(expression)[1]
        if not names & self._by_name.keys():
            return None
        found: dict[ast.stmt, None] = dict.fromkeys(self._future)
        waiting, seen = sorted(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in self._by_name and not hasattr(builtins, name):
                return None  # nobody knows where it comes from: its cell would fail
            for statement in self._by_name.get(name, ()):
                if statement in found:
                    continue
                if _asks(statement):
                    return None
                found[statement] = None
                waiting += self._uses[statement]
        ordered = sorted(found, key=lambda one: one.lineno)
        return Named(expression, tuple(map(self._text, ordered)))

    def _text(self, statement: ast.stmt) -> str:
        """A statement's lines; its decorators stand above it."""
        first = min([statement.lineno, *(one.lineno for one in
                     getattr(statement, "decorator_list", ()))])  # fmt: skip
        return "\n".join(self._lines[first - 1 : statement.end_lineno])


def _names(text: str) -> tuple[set[str], set[str]]:
    """What code binds at its top, also in ``try``, ``if`` and ``with``, and what it uses of there.

    Nothing where it is no code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the code's own
            top = symtable.symtable(text, "code", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    bound = {one.get_name() for one in top.get_symbols() if one.is_assigned() or one.is_imported()}
    used = {one.get_name() for one in top.get_symbols() if one.is_referenced()}
    waiting = top.get_children()
    while waiting:
        inner = waiting.pop()
        used |= {one.get_name() for one in inner.get_symbols() if one.is_global()}
        waiting += inner.get_children()
    return bound, {name for name in used if name.isidentifier()}


def _asks(statement: ast.stmt) -> bool:
    """Whether it would ask, or needs the old SDK, which is gone."""
    return any(
        (isinstance(one, ast.Attribute) and one.attr in _ASKING)
        or (isinstance(one, ast.Import | ast.ImportFrom) and "generativeai" in ast.unparse(one))
        for one in ast.walk(statement)
    )
