"""Takes IPython and Colab out of a cell's code: their imports, and calls of ``get_ipython``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gemini_magic.convert.pytext import OWN, comment, indent_at, literal
from gemini_magic.convert.reading import Places
from gemini_magic.convert.steps import Code, Span

if TYPE_CHECKING:
    from gemini_magic.convert.asking import Asking

#: Names of IPython.display, and the helper that stands for each.
_DISPLAY = {
    "display": "display",
    "clear_output": "clear_output",
    **dict.fromkeys(
        ("Markdown", "HTML", "Latex", "Code", "JSON", "Pretty", "Image", "Audio", "Video", "SVG",
         "Javascript", "Math", "IFrame", "FileLink", "FileLinks", "YouTubeVideo"),
        "Markdown",
    ),
}  # fmt: skip
_MODULES = ("IPython.display", "IPython.core.display")
#: What a name of IPython's stands for that a program has not: answers, and cells.
_REMEMBERED = re.compile(r"(?:Out|In|_{2,3}|_i{0,3}\d*|_ih|_oh|_dh)\Z")


def without_ipython(
    code: Code, inside: list[Span], asking: Asking, note: Callable[[str, str], None]
) -> list[tuple[Span, str]]:
    """The changes that leave no IPython in the code, but for what is ``inside`` other changes."""
    at = Places(code.source)
    changes: list[tuple[Span, str]] = []
    optional = set(tried(code.tree))
    own = asking.bound
    for node in ast.walk(code.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            asking.futures |= {one.name for one in node.names}
            changes.append((at.span(node), _gone(code.source, at.span(node))))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if _is_strange(node):
                span = at.span(node)
                if node in optional:
                    new = 'raise ImportError("outside of a notebook there is no such module")'
                    note("differs", f"{', '.join(_origins(node))}: to import it fails in a script")
                else:
                    new = _replaced(node, code.source, span, asking, note)
                changes.append((span, new))
        elif not isinstance(node, ast.Name):
            continue
        elif node.id == "get_ipython" and not own.get("get_ipython", set()) - {
            "IPython.get_ipython"
        }:
            span = at.span(node)
            if not any(start <= span[0] < end for start, end in inside):
                changes.append((span, "(lambda: None)"))
                note("differs", "IPython's shell is None in a script")
        elif node.id == "display" and "display" in asking.display_names - set(_bound(code)):
            asking.helpers.add("display")
        elif _REMEMBERED.match(node.id) and node.id != "_" and node.id not in own:
            note("undefined", f"{node.id} is what IPython remembers of earlier cells")
    return changes


def tried(tree: ast.AST) -> Iterator[ast.AST]:
    """The imports whose failure is expected."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
            one.type is None
            or _EXPECTED & {n.id for n in ast.walk(one.type) if isinstance(n, ast.Name)}
            for one in node.handlers
        ):
            for one in node.body:
                yield from ast.walk(one)


_EXPECTED = frozenset({"ImportError", "ModuleNotFoundError", "Exception"})


def _gone(source: str, span: Span) -> str:
    """What stands in place of a statement that goes."""
    start = source.rfind("\n", 0, span[0]) + 1
    alone = not source[start : span[0]] and not _followed(source, span[1])
    return comment(source[span[0] : span[1]]) if alone else "pass"


def _bound(code: Code) -> Iterator[str]:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _origins(node: ast.Import | ast.ImportFrom) -> list[str]:
    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return [f"{module}{one.name}" for one in node.names]


def _is_strange(node: ast.Import | ast.ImportFrom) -> bool:
    return any(map(is_strange_name, _origins(node)))


def is_strange_name(origin: str) -> bool:
    words = origin.split(".")
    return words[0] == "IPython" or words[:2] == ["google", "colab"]


def _replaced(
    node: ast.Import | ast.ImportFrom,
    source: str,
    span: Span,
    asking: Asking,
    note: Callable[[str, str], None],
) -> str:
    """What stands in a script for such an import."""
    lines: list[str] = []
    lost: list[str] = []
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    for one in node.names:
        name = one.asname or one.name.partition(".")[0]
        origin = f"{module}.{one.name}" if module else one.name
        helper = _DISPLAY.get(one.name) if module in _MODULES else None
        if one.name == "*" and module in _MODULES:
            asking.helpers |= set(_DISPLAY.values())
            others = sorted(name for name, made in _DISPLAY.items() if made != name)
            lines.append(f"{' = '.join(others)} = {OWN}Markdown")
            continue
        if origin == "google.colab.userdata":
            helper = "userdata"
            note("differs", "Colab's secrets are read from the environment")
        elif origin in ("IPython", "IPython.display", "IPython.core.display"):
            helper = "notebook_display"
            if origin == "IPython" or (isinstance(node, ast.Import) and not one.asname):
                helper = "IPython"
        elif not is_strange_name(origin):
            how = f" as {one.asname}" if one.asname else ""
            lines.append(
                f"from {module} import {one.name}{how}" if module else f"import {one.name}{how}"
            )
            continue
        if helper is None:
            lost.append(origin)
            if origin != "IPython.get_ipython" and one.name != "*":
                asking.helpers.add("NotHere")
                lines.append(f"{name} = {OWN}NotHere({literal(origin)})")
            continue
        asking.helpers.add(helper)
        if name != helper:
            lines.append(f"{name} = {OWN}{helper}")
    if lost:
        note("left-out", f"{', '.join(lost)}: there is no such thing outside of a notebook")
    indent = indent_at(source, span[0])
    start = source.rfind("\n", 0, span[0]) + 1
    before, followed = source[start : span[0]], _followed(source, span[1])
    if not lines and (indent or before.strip() or followed):
        return "pass"
    if before.strip() or followed:  # several statements in a line
        return "; ".join(lines)
    kept = comment(source[span[0] : span[1]].replace("get_ipython", "IPython's shell"))
    return f"\n{indent}".join(lines) if lines else kept.replace("\n", f"\n{indent}")


def _followed(source: str, end: int) -> bool:
    return source[end:].lstrip(" \t").startswith(";")
