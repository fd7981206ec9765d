"""Reads what a function's docstring says: what it does, and what its parameters mean."""

from __future__ import annotations

import re
from typing import NamedTuple

_SECTION = re.compile(
    r"(args|arguments|parameters|params|keyword args|other parameters)\s*:?", re.I
)
_ANY_SECTION = re.compile(
    r"(returns?|yields?|raises?|examples?|notes?|warnings?|see also|references|attributes|todo"
    r"|args|arguments|parameters|params|keyword args|other parameters)\s*:?", re.I)  # fmt: skip
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_GOOGLE = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_RULE = re.compile(r"-{3,}|={3,}")


class Described(NamedTuple):
    """The first paragraph, and each parameter's text by its name."""

    summary: str
    parameters: dict[str, str]


def describe(doc: str | None) -> Described:
    """Reads Google's, NumPy's and Sphinx' style; ``doc`` is cleaned of its indentation."""
    lines = (doc or "").strip().splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith(":") or _heads(line):
            break
        summary.append(line.strip())
    return Described(" ".join(summary), _parameters(lines))


def _heads(line: str) -> bool:
    return line.endswith(":") and _ANY_SECTION.fullmatch(line.strip()) is not None


def _parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    names: list[str] = []  # whose text it is that goes on
    style, depth = "", 0
    for at, line in enumerate(lines):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        below = lines[at + 1].strip() if at + 1 < len(lines) else ""
        if match := _SPHINX.match(text):
            names, style, depth = [match[1]], "sphinx", indent
            found[match[1]] = [match[2]]
        elif indent == 0 and text and _ANY_SECTION.fullmatch(text):
            ours = _SECTION.fullmatch(text) is not None
            style = ("numpy" if _RULE.fullmatch(below) else "google") if ours else ""
            names, depth = [], -1
        elif not text or _RULE.fullmatch(text):
            names = names if style != "sphinx" else []
        elif style == "google" and indent > 0 and (depth < 0 or indent <= depth):
            depth = indent
            match = _GOOGLE.match(text)
            names = [match[1]] if match else []
            if match:
                found[match[1]] = [match[2]]
        elif style == "numpy" and indent == 0:
            match = _NUMPY.fullmatch(text)
            names = [one.strip().lstrip("*") for one in match[1].split(",")] if match else []
            found.update({name: [] for name in names})
        elif names and indent > (0 if style == "numpy" else depth):
            for name in names:
                found[name].append(text)
        else:
            style, names = "", []
    return {name: " ".join(filter(None, texts)) for name, texts in found.items() if any(texts)}
