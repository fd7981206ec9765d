"""Finds where values stand in a JSON text, so that some can be replaced and the rest stays."""

from __future__ import annotations

import json
from json import decoder
from typing import Any

from gemini_magic.convert.migrate.source import Span

_WHITE = " \t\r\n"
_scan = json.JSONDecoder().raw_decode


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def members(text: str, at: int) -> dict[str, Span]:
    """Where the values of the object are that begins here. The text is valid JSON."""
    found: dict[str, Span] = {}
    at = _skip(text, at) + 1
    while text[at := _skip(text, at)] != "}":
        if text[at] == ",":
            at = _skip(text, at + 1)
        key, at = decoder.scanstring(text, at + 1)  # type: ignore[attr-defined]
        at = _skip(text, _skip(text, at) + 1)
        _, end = _scan(text, at)
        found[key] = Span(at, end)
        at = end
    return found


def items(text: str, at: int) -> list[Span]:
    """Where the items of the array are that begins here."""
    found: list[Span] = []
    at = _skip(text, at) + 1
    while text[at := _skip(text, at)] != "]":
        if text[at] == ",":
            at = _skip(text, at + 1)
        _, end = _scan(text, at)
        found.append(Span(at, end))
        at = end
    return found


def lines(text: str, span: Span, new: str) -> str:
    """The JSON of a text in place of this one: a list of lines where it was one, and as spaced."""
    plain = text.isascii()

    def said(value: Any) -> str:
        return json.dumps(value, ensure_ascii=plain)

    if text[span.start] != "[":
        return said(new)
    old = items(text, span.start)
    known = {json.loads(text[a:b]): text[a:b] for a, b in old}
    written = [known.get(line, said(line)) for line in new.splitlines(keepends=True)]
    if not written:
        return "[]"
    lead = text[span.start + 1 : old[0].start] if old else "\n" + " " * 4
    between = text[old[0].end : old[1].start] if len(old) > 1 else f",{lead}"
    tail = text[old[-1].end : span.end] if old else "\n" + " " * 3 + "]"
    return f"[{lead}{between.join(written)}{tail}"
