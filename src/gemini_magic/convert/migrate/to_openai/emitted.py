"""Copies functions of the library into programs, with what they use."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache

from gemini_magic.convert.migrate.to_openai import library


@cache
def _library() -> tuple[dict[str, str], dict[str, frozenset[str]], dict[str, str]]:
    """Each function's text, the names that it uses, and the imports by the names that they bind."""
    text = inspect.getsource(library)
    texts: dict[str, str] = {}
    uses: dict[str, frozenset[str]] = {}
    imports: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            texts[node.name] = ast.get_source_segment(text, node) or ""
            uses[node.name] = frozenset(
                one.id for one in ast.walk(node) if isinstance(one, ast.Name)
            )
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                imports[alias.name] = ast.unparse(
                    ast.Import([alias]) if isinstance(node, ast.Import)
                    else ast.ImportFrom(node.module, [alias], node.level)
                )  # fmt: skip
    return texts, uses, imports


def names() -> list[str]:
    return list(_library()[0])


def copied(wanted: Iterable[str], called: Mapping[str, str]) -> tuple[list[str], str]:
    """The imports, and the text, of these functions and those that they use.

    ``called`` are other names for them, where a program has such names already.
    """
    texts, uses, imports = _library()
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += uses[name] & texts.keys()
    used = frozenset[str]().union(*(uses[name] for name in found))
    text = "\n\n\n".join(texts[name] for name in texts if name in found)
    text = re.sub(r"  # (?:fmt: skip|type: ignore\S*)$", "", text, flags=re.M)
    for old, new in called.items():
        if old in found and old != new:
            text = re.sub(rf"\b{old}\b", new, text)
    return [line for name, line in imports.items() if name in used], text
