"""Puts code with top-level ``await`` into a coroutine, so that plain Python runs it."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Set

from gemini_magic.convert.pytext import edited, shifted
from gemini_magic.convert.reading import Places


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
            todo += [*getattr(node, "decorator_list", []), *node.args.defaults]
            todo += [one for one in node.args.kw_defaults if one is not None]
            continue
        todo += ast.iter_child_nodes(node)
    return None


def without_stars(source: str) -> tuple[str, list[str]]:
    """The code without ``from x import *``, which no function may hold, and these statements."""
    at, changes, stars = Places(source), [], []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.ImportFrom) and any(one.name == "*" for one in node.names):
            stars.append(f"{ast.unparse(node)}  # noqa: F403")
            changes.append((at.span(node), "pass"))
    return edited(source, changes), list(dict.fromkeys(stars))


def in_main(source: str, before: str, name: str) -> str:
    """The code as the body of ``async def NAME()``; ``before`` is what stands above it.

    Names are made global that code above reads or binds, and those that functions of the code
    declare global themselves; all of them where code looks names up as it runs. What is global
    loses its annotation: Python wants it so.
    """
    head = f"async def {name}() -> None:\n"
    own = _own(f"{head}{shifted(source)}\n    pass\n")
    dynamic = not _DYNAMIC.isdisjoint(_names(source))
    shared = own if dynamic else own & (set(_names(before)) | set(_declared(source)))
    if not shared and not dynamic:
        return f"{head}{shifted(source)}"
    plain = _without_annotations(source, shared)
    body = shifted(_with_globals(plain) if dynamic else plain)
    told = f"    global {', '.join(sorted(shared))}\n\n" if shared else ""
    return f"{head}{told}{body}"


#: Whoever calls these looks names up while the program runs.
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars"})


def _with_globals(source: str) -> str:
    """The code whose ``exec`` and ``eval`` outside of functions see and make global names."""
    at, changes = Places(source), []
    todo: list[ast.AST] = list(_tree(source).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        todo += ast.iter_child_nodes(node)
        match node:
            case ast.Call(func=ast.Name(id="exec" | "eval"), args=[only], keywords=[]):
                end = at.span(node)[1] - 1
                comma = "" if "," in source[at.span(only)[1] : end] else ","
                changes.append(((end, end), f"{comma} globals()"))
            case ast.Call(func=ast.Name(id="locals" | "vars"), args=[], keywords=[]):
                changes.append((at.span(node.func), "globals"))
    return edited(source, changes)


def _own(function: str) -> set[str]:
    """The names that a function's code binds in its own scope."""
    table = symtable.symtable(function, "script", "exec").get_children()[0]
    return {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}


def _without_annotations(source: str, names: Set[str]) -> str:
    """The code with the annotations of these names, outside of functions and classes, taken out."""
    at, changes = Places(source), []
    todo: list[ast.AST] = list(_tree(source).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.target.id in names and node.value is None:
                changes.append((at.span(node), "pass"))
            elif node.target.id in names:
                assert node.value is not None
                start, end = at.span(node.annotation)
                start = source.rindex(":", at.span(node.target)[1], start)
                changes.append(((start, end), ""))
    return edited(source, changes)


def _tree(source: str) -> ast.Module:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(source, "cell", "exec", flags, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


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
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Global):
            yield from node.names
