"""Functions and classes of a program that a cell needs by name: their text, never run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
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
        self._lines = source.removeprefix("\ufeff").splitlines()
        self._by_name: dict[str, ast.stmt] = {}
        self._known: dict[str, Named | None] = {}
        self._future = [
            one
            for one in tree.body
            if isinstance(one, ast.ImportFrom) and one.module == "__future__"
        ]
        for statement in tree.body:
            for name in _bound(statement):
                self._by_name[name] = statement

    def named(self, expression: str) -> Named | None:
        """The expression, if what stands at the program's top is all that it needs."""
        if expression not in self._known:
            self._known[expression] = self._found(expression)
        return self._known[expression]

    def _found(self, expression: str) -> Named | None:
        try:
            tree = ast.parse(expression, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        names = set(_used(tree))
        own = names & self._by_name.keys()
        if not own or any(name not in own and not hasattr(builtins, name) for name in names):
            return None
        found: dict[ast.stmt, None] = dict.fromkeys(self._future)
        waiting = sorted(own)
        while waiting:
            statement = self._by_name[waiting.pop()]
            if statement in found:
                continue
            if _asks(statement):
                return None
            found[statement] = None
            waiting += {*_used(statement)} & self._by_name.keys()
        ordered = sorted(found, key=lambda one: one.lineno)
        return Named(expression, tuple(map(self._text, ordered)))

    def _text(self, statement: ast.stmt) -> str:
        """A statement's lines; its decorators stand above it."""
        first = min([statement.lineno, *(one.lineno for one in
                     getattr(statement, "decorator_list", ()))])  # fmt: skip
        return "\n".join(self._lines[first - 1 : statement.end_lineno])


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        if getattr(statement, "module", "") != "__future__":
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id


def _used(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def _asks(statement: ast.stmt) -> bool:
    """Whether it would ask, or needs the old SDK, which is gone."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return "generativeai" in ast.unparse(statement)
    return any(
        isinstance(one, ast.Attribute) and one.attr in _ASKING for one in ast.walk(statement)
    )
