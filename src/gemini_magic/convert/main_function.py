"""Puts code with top-level ``await`` into a coroutine, so that plain Python runs it."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

from gemini_magic.convert.pytext import shifted


def first_await(tree: ast.Module) -> ast.AST | None:
    """What awaits outside of all functions; None where nothing does."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return node
        if isinstance(node, ast.comprehension) and node.is_async:
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += getattr(node, "decorator_list", [])
            continue
        todo += ast.iter_child_nodes(node)
    return None


def in_main(source: str, before: str, name: str) -> str:
    """The code as the body of ``async def NAME()``; ``before`` is what stands above it.

    Names are made global that code above reads or binds, and those that functions of the code
    declare global themselves.
    """
    body = shifted(source)
    head = f"async def {name}() -> None:\n"
    whole = f"{head}{body}\n    pass\n"
    try:
        table = symtable.symtable(whole, "script", "exec").get_children()[0]
    except SyntaxError:  # ``import *``, a name that is annotated: these stay as they are
        return whole.removesuffix("\n    pass\n")
    assert isinstance(table, symtable.Function)
    own = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    shared = own & (set(_names(before)) | set(_declared(source)))
    shared -= set(_annotated(source))
    if not shared:
        return whole.removesuffix("\n    pass\n")
    return f"{head}    global {', '.join(sorted(shared))}\n\n{body}"


def _names(source: str) -> Iterator[str]:
    """All names that code binds or reads, in whatever scope."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.alias(name=name, asname=asname):
                yield (asname or name).partition(".")[0]


def _declared(source: str) -> Iterator[str]:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for node in ast.walk(compile(source, "cell", "exec", flags, dont_inherit=True)):
        if isinstance(node, ast.Global):
            yield from node.names


def _annotated(source: str) -> Iterator[str]:
    """Names with an annotation of their own, which Python does not let be global."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for node in ast.walk(compile(source, "cell", "exec", flags, dont_inherit=True)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
