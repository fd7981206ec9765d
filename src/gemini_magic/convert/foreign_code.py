"""What a cell's Python does beside asking, and where in it a prompt stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gemini_magic.convert.foreign_values import targets
from gemini_magic.convert.reading import Places
from gemini_magic.convert.steps import Code, Embedded, Install, Nothing, Prompt


def is_lost(code: Code, known: set[str]) -> bool:
    """Whether a cell's Python does more than what is said without it."""
    places = Places(code.source)
    said = {one.span for one in code.embedded
            if isinstance(one.meaning, Prompt | Nothing | Install)}  # fmt: skip
    for node in code.tree.body:
        value = getattr(node, "value", None)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        if isinstance(node, ast.Expr) and isinstance(value, ast.Constant):
            continue
        if value is not None and places.span(value) in said:
            continue
        if not (names := {one.id for one in targets(node)}) or names - known:
            return True
    return False


def asks_now(prompt: Prompt) -> bool:
    cell = prompt.cell
    return not (cell.flag("help") or cell.flag("dry-run")) and cell.text("def") is None


def at_top(code: Code, one: Embedded) -> ast.stmt | None:
    """The statement at a cell's top level that a magic is, or whose whole value it is."""
    places = Places(code.source)
    for node in code.tree.body:
        value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
        if value is None or places.span(value) != one.span:
            continue
        if isinstance(node, ast.Expr):
            return node
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return node if isinstance(node.targets[0], ast.Name) else None
    return None


def globals_of(code: Code) -> Iterator[str]:
    """The names that its functions change from within."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Global):
            yield from node.names
