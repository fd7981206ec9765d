"""Builds the one ``Request`` of a cell: its options, its placeholders filled, its history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.errors import PlaceholderError, UsageError
from gemini_magic.options import settings_of
from gemini_magic.parts import part_of
from gemini_magic.template import Placeholder, Segment
from gemini_magic.types import Message, Part, Request, Settings

_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}

#: Gives the value of a Python expression in the user's namespace.
Evaluate = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Built:
    """A cell's request, and what the user should know about how it came about."""

    request: Request
    notices: tuple[str, ...] = ()


def build(
    cell: GeminiCell,
    evaluate: Evaluate,
    *,
    presets: Mapping[str, Any] | None = None,
    history: Sequence[Message] = (),
) -> Built:
    """The request that a cell stands for.

    Each placeholder is evaluated once, left to right. ``presets`` are the configuration's run
    settings, by the names of ``types.Settings``; the cell's own win. Raises ``UsageError`` (also
    for an empty prompt) before anything is sent.
    """
    system = cell.text("system")
    segments = cell.segments
    parts = fill(segments, evaluate)
    if not any(part.data is not None or (part.text or "").strip() for part in parts):
        raise UsageError("the prompt is empty; nothing was sent.", f"Help: %{cell.magic} help")
    schema = cell.text("schema")
    request = Request(
        messages=(*history, Message("user", parts)),
        system=_system(system, evaluate, raw=cell.flag("raw")) if system is not None else None,
        settings=Settings(**{**(presets or {}), **settings_of(cell.options)}),
        schema=_schema(schema, evaluate) if schema is not None else None,
    )
    _check_characters(request)
    alone = [] if cell.flag("raw") else template.left_alone(cell.template)
    notices = (f"sent as typed, not a placeholder: {', '.join(alone[:3])}",) if alone else ()
    return Built(request, notices)


def _check_characters(request: Request) -> None:
    """Refuse what has no UTF-8: half a character, as ``surrogateescape`` leaves them."""
    texts = [request.system or "", request.schema or ""]
    try:
        for text in (*texts, *(message.text for message in request.messages)):
            text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the prompt holds half a character (U+{ord(error.object[error.start]):04X}), which "
            "cannot be sent; nothing was sent.",
            'Mend it: text.encode("utf-8", "replace").decode()',
        ) from None


def fill(segments: Sequence[Segment], evaluate: Evaluate) -> tuple[Part, ...]:
    """The segments as parts; neighbouring texts are joined, values are not looked at again."""
    parts: list[Part] = []
    for segment in segments:
        part = Part(text=segment) if isinstance(segment, str) else _value(segment, evaluate)
        if part.text is not None and parts and parts[-1].text is not None:
            parts[-1] = Part(text=parts[-1].text + part.text)
        elif part.text != "":
            parts.append(part)
    return tuple(parts)


def _value(placeholder: Placeholder, evaluate: Evaluate) -> Part:
    try:
        value = evaluate(placeholder.expression)
    except PlaceholderError as error:
        hint = f"{error.next_step} If the braces are part of the prompt, add --raw."
        raise PlaceholderError(error.what, hint.strip()) from error.__cause__
    try:
        if not placeholder.conversion and not placeholder.spec:
            return part_of(value)
        if placeholder.conversion:
            value = _CONVERSIONS[placeholder.conversion](value)
        return Part(text=format(value, placeholder.spec))
    except PlaceholderError:
        raise
    except Exception as error:  # the user's own __str__, __repr__ or __format__
        raise PlaceholderError(
            f"{placeholder.source} cannot be written as text: {type(error).__name__}: {error}; "
            "nothing was sent."
        ) from error


def _system(text: str, evaluate: Evaluate, *, raw: bool) -> str:
    parts = fill([text] if raw else template.split(text), evaluate)
    if any(part.data is not None for part in parts):
        raise PlaceholderError("--system takes text only; nothing was sent.")
    return "".join(part.text or "" for part in parts)


def _schema(given: str, evaluate: Evaluate) -> str:
    """A JSON schema as JSON text, given as JSON or as the name of a dict."""
    value = given if given[:1] in ("{", "[") else evaluate(given)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise UsageError(
            f"--schema {given[:40]} is no JSON schema (a dict); nothing was sent.",
            'For example: --schema {"type": "object", "properties": {"name": {"type": "string"}}}',
        )
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"--schema {given[:40]}: {error}; nothing was sent.") from None
