"""Builds the one ``Request`` of a cell: its options, its placeholders filled, its history."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.errors import PlaceholderError, UsageError
from gemini_magic.options import settings_of
from gemini_magic.parts import parts_of, said, table
from gemini_magic.template import Placeholder, Segment
from gemini_magic.types import CODE_EXECUTION, SEARCH, URL_CONTEXT, Message, Part, Request, Settings

if TYPE_CHECKING:
    from gemini_magic.engine.schema import Schema
    from gemini_magic.engine.toolbox import Toolbox

_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
#: What the service does on the way, by the flag that lets it.
_SERVICES = {"search": SEARCH, "url-context": URL_CONTEXT, "code-execution": CODE_EXECUTION}
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")

#: Gives the value of a Python expression in the user's namespace.
Evaluate = Callable[[str], Any]


class Built(NamedTuple):
    """A cell's request, and what the user should know about how it came about.

    ``toolbox`` holds the functions that the request offers; ``schema`` reads its answer.
    """

    request: Request
    notices: tuple[str, ...] = ()
    toolbox: Toolbox | None = None
    schema: Schema | None = None


def build(
    cell: GeminiCell,
    evaluate: Evaluate,
    *,
    presets: Mapping[str, Any] | None = None,
    history: Sequence[Message] = (),
) -> Built:
    """The request that a cell stands for.

    The pictures of ``--image`` come first, then the files of ``--file``, then the prompt. Each
    placeholder is evaluated once, left to right. ``presets`` are the configuration's run settings,
    by the names of ``types.Settings``; the cell's own win. Raises ``UsageError`` (also for an empty
    prompt) before anything is sent. May block: addresses are fetched, files read.
    """
    system = cell.text("system")
    parts = (*_given(cell, evaluate), *fill(cell.segments, evaluate))
    if not any(part.is_media or (part.text or "").strip() for part in parts):
        raise UsageError("the prompt is empty; nothing was sent.", f"Help: %{cell.magic} help")
    if isinstance(most := cell.get("max-pixels"), int):
        parts = _shrunk(parts, most)
    toolbox, schema = _toolbox(cell, evaluate), _schema(cell, evaluate)
    request = Request(
        messages=(*history, Message("user", parts)),
        system=_system(system, evaluate, raw=cell.flag("raw")) if system is not None else None,
        settings=Settings(**{**(presets or {}), **settings_of(cell.options)}),
        schema=schema.document if schema is not None else None,
        tools=toolbox.tools if toolbox is not None else (),
        services=tuple(name for flag, name in _SERVICES.items() if cell.flag(flag)),
    )
    _check_characters(request)
    alone = [] if cell.flag("raw") else template.left_alone(cell.template)
    notices = [f"sent as typed, not a placeholder: {', '.join(alone[:3])}"] if alone else []
    if bare := [tool.name for tool in request.tools if not tool.description]:
        notices.append(f"no docstring tells the model what it does: {', '.join(bare[:3])}")
    return Built(request, tuple(notices), toolbox, schema)


def _check_characters(request: Request) -> None:
    """Refuse what has no UTF-8: half a character, as ``surrogateescape`` leaves them."""
    texts = [
        request.system or "",
        request.schema or "",
        *(t for tool in request.tools for t in tool),
    ]
    texts += [part.uri or part.text or "" for turn in request.messages for part in turn.parts]
    try:
        for text in texts:
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
    texts: list[str] = []
    for segment in segments:
        if isinstance(segment, str):
            texts.append(segment)
            continue
        for part in _value(segment, evaluate):
            if part.text is not None:
                texts.append(part.text)
                continue
            if text := "".join(texts):
                parts.append(Part(text=text))
            texts.clear()
            parts.append(part)
    if text := "".join(texts):
        parts.append(Part(text=text))
    return tuple(parts)


def _value(placeholder: Placeholder, evaluate: Evaluate) -> tuple[Part, ...]:
    try:
        value = evaluate(placeholder.expression)
    except PlaceholderError as error:
        hint = f"{error.next_step} If the braces are part of the prompt, add --raw."
        raise PlaceholderError(error.what, hint.strip()) from error.__cause__
    try:
        if not placeholder.conversion and not placeholder.spec:
            return parts_of(value)
        if placeholder.conversion:
            value = _CONVERSIONS[placeholder.conversion](value)
        elif (text := table(value, placeholder.spec)) is not None:
            return (Part(text=text),)
        return (Part(text=format(value, placeholder.spec)),)
    except PlaceholderError:
        raise
    except Exception as error:  # the object's own __str__, __repr__, __format__, savefig, ...
        raise PlaceholderError(
            f"{placeholder.source} cannot be made part of the prompt: {said(error)}; "
            "nothing was sent."
        ) from error


def _given(cell: GeminiCell, evaluate: Evaluate) -> list[Part]:
    """The parts of ``--image`` and ``--file``, in that order."""
    parts: list[Part] = []
    for option in ("image", "file"):
        values = cell.get(option)
        if isinstance(values, tuple):
            from gemini_magic.parts_given import given_parts

            for text in values:
                parts += given_parts(option, text, evaluate)
    return parts


def _shrunk(parts: tuple[Part, ...], most: int) -> tuple[Part, ...]:
    from gemini_magic.parts_picture import shrunk

    return tuple(
        shrunk(part, most) if (part.mime_type or "").startswith("image/") else part
        for part in parts
    )


def _toolbox(cell: GeminiCell, evaluate: Evaluate) -> Toolbox | None:
    """The functions that ``--tools`` names, under the last words of their names."""
    names = cell.get("tools")
    if not isinstance(names, tuple):
        return None
    from gemini_magic.engine.toolbox import Toolbox

    functions: dict[str, Callable[..., Any]] = {}
    for name in names:
        if not _DOTTED.match(name):
            raise UsageError(
                f"--tools takes names of functions, not {name[:40]!r}; nothing was sent."
            )
        function, short = _function(name, evaluate), name.rpartition(".")[2]
        if not callable(function):
            raise UsageError(
                f"--tools {name} is no function but {type(function).__name__}; nothing was sent."
            )
        if short in functions:
            raise UsageError(f"--tools names two functions {short!r}; nothing was sent.")
        functions[short] = function
    bounds = {"max_hops": cell.get("max-hops"), "timeout": cell.get("tool-timeout")}
    given: dict[str, Any] = {key: value for key, value in bounds.items() if value is not None}
    return Toolbox(functions, **given)


def _function(name: str, evaluate: Evaluate) -> Any:
    try:
        return evaluate(name)
    except PlaceholderError as error:
        if hasattr(builtins, name) and error.__cause__ is None:
            raise UsageError(
                f"--tools {name}: it is built into Python, and does not say what it takes; "
                "nothing was sent.",
                f"Wrap it: def {name}_of(text: str): ... (with a docstring), and --tools {name}_of",
            ) from None
        raise UsageError(f"--tools {name}: {error.what}", error.next_step) from error.__cause__


def _schema(cell: GeminiCell, evaluate: Evaluate) -> Schema | None:
    given = cell.text("schema")
    if given is None:
        return None
    from gemini_magic.engine.schema import schema_of

    return schema_of(given, evaluate)


def _system(text: str, evaluate: Evaluate, *, raw: bool) -> str:
    parts = fill([text] if raw else template.split(text), evaluate)
    if any(part.text is None for part in parts):
        raise PlaceholderError("--system takes text only; nothing was sent.")
    return "".join(part.text or "" for part in parts)
