"""JavaScript's text: literals of JSON values, template literals, comments, names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemini_magic.convert import pytext

INDENT = "  "
_WIDTH = 96
_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$]*\Z", re.A)
#: Words that are no names in a module. Source: ECMA-262, ReservedWord, and strict mode's own.
_WORDS = """
await break case catch class const continue debugger default delete do else enum export extends
false finally for function if import in instanceof new null return super switch this throw true try
typeof var void while with yield let static implements interface package private protected public
arguments eval undefined NaN Infinity async of
"""
#: What these modules use of their surroundings, and what they call their own.
_USED = """
process console Buffer URL JSON Object Array Error Number String Boolean Symbol Math Promise Map Set
RegExp Date globalThis fetch client GoogleGenAI OpenAI readFileSync writeFileSync mkdirSync dirname
isDeepStrictEqual key given inputFile parsed recorded save wave askGemini partsOf askOpenAI answerOf
drawOpenAI toFile
"""
TAKEN = frozenset(f"{_WORDS} {_USED}".split())

#: Says what stands for a slot of this number.
Slots = Callable[[int], str]


def text(value: str, mark: str = "", slots: Slots | None = None) -> str:
    """A text's literal: on one line where it is one, else a template with its lines as they are."""
    pieces = split(value, mark) if slots is not None else [value]
    if pieces == [value] and "\n" not in value.rstrip("\n"):
        return _quoted(value)
    written = [
        "".join(char if char == "\n" else _escaped(char, "`") for char in one).replace("${", "\\${")
        if isinstance(one, str)
        else f"${{{slots(one) if slots else ''}}}"
        for one in pieces
    ]
    return f"`{''.join(written)}`"


def _quoted(value: str) -> str:
    return '"' + "".join(_escaped(char, '"') for char in value) + '"'


def split(value: str, mark: str) -> list[str | int]:
    """A text as pieces: texts, and the numbers of slots."""
    if not mark or mark not in value:
        return [value]
    found = re.split(rf"{re.escape(mark)}(\d+){re.escape(mark)}", value)
    pieces: list[str | int] = [int(one) if i % 2 else one for i, one in enumerate(found)]
    return [one for one in pieces if one != ""] or [""]


def _escaped(char: str, quote: str) -> str:
    if char in (quote, "\\"):
        return f"\\{char}"
    if char == "\n":
        return "\\n"
    if char == "\t":
        return "\\t"
    if char == "\r":
        return "\\r"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\u{{{code:x}}}"


def value(thing: Any, mark: str = "", slots: Slots | None = None, indent: str = "") -> str:
    """A JSON value, on one line where it is short."""
    if isinstance(thing, str):
        return text(thing, mark, slots)
    if not isinstance(thing, list | Mapping):
        return json.dumps(thing)
    if not thing:
        return "{}" if isinstance(thing, Mapping) else "[]"
    inner = indent + INDENT
    if isinstance(thing, Mapping):
        rows = [f"{name(key)}: {value(one, mark, slots, inner)}" for key, one in thing.items()]
        flat = f"{{ {', '.join(rows)} }}"
    else:
        rows = [value(one, mark, slots, inner) for one in thing]
        flat = f"[{', '.join(rows)}]"
    if "\n" not in flat and len(indent) + len(flat) <= _WIDTH:
        return flat
    lines = "".join(f"{inner}{row},\n" for row in rows)
    return f"{{\n{lines}{indent}}}" if isinstance(thing, Mapping) else f"[\n{lines}{indent}]"


def call(name: str, arguments: Sequence[Callable[[str], str]]) -> str:
    """A call on one line where it fits, else one argument on each; they are told how far in."""
    flat = f"{name}({', '.join(one('') for one in arguments)})"
    if len(flat) <= _WIDTH and "\n" not in flat:
        return flat
    rows = "".join(f"{INDENT}{one(INDENT)},\n" for one in arguments)
    return f"{name}(\n{rows})"


def name(key: str) -> str:
    """A property's name. A key ``__proto__`` is a property only where it is computed."""
    if key == "__proto__":
        return '["__proto__"]'
    return key if _PLAIN_KEY.match(key) else _quoted(key)


def comment(said: str) -> str:
    lines = pytext.comment(said).split("\n")
    return "\n".join(f"//{line[1:]}" for line in lines)
