"""The texts and values that a notebook's own cells give to names, without running them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from gemini_magic import template


class Constants:
    """The assignments of literals in these sources; the last one of a name counts.

    ``read`` gives a file beside the notebook.
    """

    def __init__(self, sources: Sequence[str], read: Callable[[str], bytes]) -> None:
        self._read = read
        self._values: dict[str, Any] = {}
        for source in sources:
            plain = "\n".join("" if line.startswith(("%", "!")) else line
                              for line in source.split("\n"))  # fmt: skip
            if source.lstrip().startswith("%%"):
                continue
            try:
                body = ast.parse(plain).body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            for statement in body:
                self._take(statement)

    def _take(self, statement: ast.stmt) -> None:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            try:
                self._values[target.id] = ast.literal_eval(statement.value)
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                self._values.pop(target.id, None)

    def value(self, name: str) -> Any:
        """What a name stands for; None where that is not known."""
        return self._values.get(name)

    def text(self, expression: str) -> str | None:
        """The text that an expression stands for, None where that is not known."""
        if isinstance(found := self._values.get(expression), str):
            return found
        name = _file_named(expression)
        return None if name is None else self._read(name).decode("utf-8", "replace")

    def filled(self, text: str, *, raw: bool = False) -> str:
        """A template with the placeholders filled that can be; the others stay as typed."""
        if raw:
            return text
        return "".join(
            one if isinstance(one, str) else self._filled(one) for one in template.split(text)
        )

    def _filled(self, found: template.Placeholder) -> str:
        known = None if found.conversion or found.spec else self.text(found.expression)
        return found.source if known is None else known


def _file_named(expression: str) -> str | None:
    """The file of ``Path("media/x.txt").read_bytes().decode()``, as imports write it."""
    head, tail = "Path(", ").read_bytes().decode()"
    if not (expression.startswith(head) and expression.endswith(tail)):
        return None
    try:
        name = ast.literal_eval(expression[len(head) : -len(tail)])
    except (ValueError, SyntaxError):
        return None
    return name if isinstance(name, str) else None
