"""JSON values as Python literals for people: a long text has a line for each of its own."""

from __future__ import annotations

import pprint
from typing import Any


def literal(value: Any) -> str:
    """An expression of this value, on one line where that is short."""
    if not isinstance(value, str):
        return pprint.pformat(value, width=96, sort_dicts=False)
    lines = value.splitlines(keepends=True)
    if len(lines) < 2:
        return _text(value)
    return "(\n" + "".join(f"    {_text(line)}\n" for line in lines) + ")"


def _text(text: str) -> str:
    """A text's literal: what cannot be seen is escaped, and quotes are those that fit."""
    shown = repr(text)
    if shown.startswith("'") and '"' not in text:
        shown = f'"{shown[1:-1]}"'.replace("\\'", "'")
    return shown if shown.isprintable() else ascii(text)
