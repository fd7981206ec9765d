"""Takes IPython and Colab out of a cell's code: their imports, and calls of ``get_ipython``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gemini_magic.convert.pytext import OWN, comment, indent_at
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
         "Javascript", "Math"),
        "Markdown",
    ),
}  # fmt: skip


def without_ipython(
    code: Code, inside: list[Span], asking: Asking, note: Callable[[str, str], None]
) -> list[tuple[Span, str]]:
    """The changes that leave no IPython in the code, but for what is ``inside`` other changes."""
    at = Places(code.source)
    changes: list[tuple[Span, str]] = []
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if _is_strange(node):
                span = at.span(node)
                changes.append((span, _replaced(node, code.source, span, asking, note)))
        elif isinstance(node, ast.Name) and node.id == "get_ipython":
            span = at.span(node)
            if not any(start <= span[0] < end for start, end in inside):
                changes.append((span, "(lambda: None)"))
                note("differs", "get_ipython() is None in a script")
        elif isinstance(node, ast.Name) and node.id == "display" and "display" in (
            asking.display_names - set(_bound(code))
        ):  # fmt: skip
            asking.helpers.add("display")
    return changes


def _bound(code: Code) -> Iterator[str]:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _is_strange(node: ast.Import | ast.ImportFrom) -> bool:
    modules = (
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
    )
    return any(
        module.partition(".")[0] == "IPython" or module.startswith("google.colab")
        or (module == "google" and any(one.name == "colab" for one in node.names))
        for module in modules
    )  # fmt: skip


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
    module = node.module if isinstance(node, ast.ImportFrom) else ""
    for one in node.names:
        name = one.asname or one.name
        helper = None
        if module in ("IPython.display", "IPython.core.display"):
            helper = _DISPLAY.get(one.name)
        elif module == "google.colab" and one.name == "userdata":
            helper = "userdata"
            note("differs", "Colab's secrets are read from the environment")
        if isinstance(node, ast.Import) and not one.name.startswith(("IPython", "google.colab")):
            lines.append(f"import {one.name}" + (f" as {one.asname}" if one.asname else ""))
        elif helper is None:
            lost.append(f"{module}.{one.name}" if module else one.name)
        else:
            asking.helpers.add(helper)
            if name != helper:
                lines.append(f"{name} = {OWN}{helper}")
    if lost:
        note("left-out", f"{', '.join(lost)}: there is no such thing outside of a notebook")
    kept = comment(source[span[0] : span[1]])
    indent = indent_at(source, span[0])
    start = source.rfind("\n", 0, span[0]) + 1
    if not lines and (indent or source[start : span[0]].strip() or _followed(source, span[1])):
        return "pass"
    return f"\n{indent}".join(lines) if lines else kept.replace("\n", f"\n{indent}")


def _followed(source: str, end: int) -> bool:
    return source[end:].lstrip(" \t").startswith(";")
