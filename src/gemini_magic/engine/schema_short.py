"""The short form of a schema: ``name, age int: in years, tags list[str]``.

It is the one of Simon Willison's llm (docs, "Concise LLM schema syntax"), and lists beside it.
"""

from __future__ import annotations

import re
import types
from typing import Annotated, Any

from gemini_magic.engine.schema_types import record
from gemini_magic.errors import UsageError, did_you_mean, sentence

_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "list": list[str], "dict": dict[str, Any],
    "string": str, "integer": int, "number": float, "boolean": bool,
}  # fmt: skip
_LIST = re.compile(r"list(?:\s*\[\s*(\w+)\s*\]|\s+of\s+(\w+))|(\w+)\s*\[\s*\]")
_NAME = re.compile(r"[^\W\d][\w-]*")
_COMMA = re.compile(r",(?![^\[\]]*\])")  # none within brackets


def kind_of(text: str) -> Any:
    """The type of dicts with the fields that a short form names. Raises ``UsageError``."""
    fields: dict[str, Any] = {}
    parts = text.splitlines() if "\n" in text.strip() else _COMMA.split(text)
    for part in filter(None, map(str.strip, parts)):
        declared, _, description = (one.strip() for one in part.partition(":"))
        name, _, kind = declared.partition(" ")
        if not kind and description in _TYPES:  # as Python writes it
            kind, description = description, ""
        brackets = re.fullmatch(r"(.*?)\s*\[\s*\]", name)
        if brackets:  # tags[]
            name, kind = brackets[1], f"{kind or 'str'}[]"
        if not _NAME.fullmatch(name):
            raise _off(text, f"{name or part!r} is no name of a field")
        if name in fields:
            raise _off(text, f"{name!r} comes twice")
        hint = _kind(kind.strip() or "str", name, text)
        if description:
            from pydantic import Field

            hint = Annotated[hint, Field(description=description)]
        fields[name] = hint
    if not fields:
        raise _off(text, "there is no field")
    return record("Answer", fields)


def _kind(word: str, field: str, text: str) -> Any:
    if word in _TYPES:
        return _TYPES[word]
    if found := _LIST.fullmatch(word):
        inner = next(filter(None, found.groups()))
        if inner in _TYPES:
            return types.GenericAlias(list, (_TYPES[inner],))
    hint = sentence(did_you_mean(word, _TYPES))
    raise _off(text, f"{word!r}, the type of {field!r}, is not known", hint)


def _off(text: str, why: str, hint: str = "") -> UsageError:
    example = "For example: --schema 'name, age int, tags list'. Types: str, int, float, bool, list"
    return UsageError(
        f"--schema {text.strip()[:40]!r}: {why}; nothing was sent.", f"{hint} {example}".strip()
    )
