"""The old SDK's settings, safety settings and tools as one ``GenerateContentConfig``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

from gemini_magic.convert.migrate import arguments, safety, tools
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part, Span

#: Arguments of the old SDK that go into the config.
FIELDS = ("generation_config", "safety_settings", "tools", "tool_config", "system_instruction",
          "request_options", "cached_content")  # fmt: skip

Items = list[tuple[str, list[Part]]]


class Old(NamedTuple):
    """What was given to a model or to a call; None where nothing was."""

    generation: ast.expr | None = None
    safety: ast.expr | None = None
    tools: ast.expr | None = None
    tool_config: ast.expr | None = None
    system: ast.expr | None = None
    request: ast.expr | None = None
    cached: ast.expr | None = None

    @staticmethod
    def of(given: Mapping[str, ast.expr]) -> Old:
        found = (given.get(name) for name in FIELDS)
        return Old(*(None if _none(one) else one for one in found))

    def __bool__(self) -> bool:
        return any(one is not None for one in self)


def _none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def created(job: Job, old: Old, indent: str, *, automatic: bool = False) -> list[Part]:
    """A new config; ``automatic``: functions are called by the SDK, as chats could be told to."""
    extras = _extras(job, old, automatic=automatic)
    made = f"{job.types}.GenerateContentConfig"
    generation = old.generation
    if generation is None:
        return [f"{made}(", *_listed(job, extras, indent), ")"]
    settings = job.kinds.tag(generation) == "settings"
    if isinstance(generation, ast.Call) and settings and not generation.args:
        _append(job, generation, generation.keywords, extras, named=True)
        return [job.span(generation)]  # its name is changed where names are
    if _literal(generation):
        assert isinstance(generation, ast.Dict)
        arguments.of_literal(job, generation, made)
        _append(job, generation, generation.values, extras, named=True)
        return [job.span(generation)]
    atom = job.atom(generation)
    if settings:
        if not extras:
            return atom
        return [*atom, ".model_copy(update={", *_pairs(extras), "})"]
    if _is_dict(job, generation):
        return [f"{made}(", *_listed(job, [("**", atom), *extras], indent), ")"]
    if not extras:
        return [f"{made}(**dict(", *atom, " or {}))"]
    return [f"{made}(**{{**dict(", *atom, " or {}), ", *_pairs(extras), "})"]


def merged(
    job: Job, base: Sequence[Part], old: Old, indent: str, together: list[Part] | None = None
) -> list[Part]:
    """What a call's own settings make of the model's, which ``base`` is.

    ``together`` are the safety settings of both, where they are known.
    """
    if old.safety is not None and together is None:
        together = safety.as_objects(job, old.safety)
    extras = _extras(job, old, automatic=False, together=together)
    generation = old.generation
    update: list[Part]
    if generation is None and not extras:
        return list(base)
    if generation is None:
        update = ["{", *_pairs(extras), "}"]
    elif isinstance(generation, ast.Call) and job.kinds.tag(generation) == "settings":
        _as_pairs(job, generation)
        _append(job, generation, generation.keywords, extras, named=False)
        update = [job.span(generation)]
    elif _literal(generation):
        _append(job, generation, generation.values, extras, named=False)
        update = [job.span(generation)]
    else:
        atom = job.atom(generation)
        if job.kinds.tag(generation) == "settings":
            values: list[Part] = [*atom, ".model_dump(exclude_none=True)"]
        elif _is_dict(job, generation):
            values = atom
        else:
            values = ["{k: v for k, v in dict(", *atom, " or {}).items() if v is not None}"]
        update = values
        if extras:
            update = ["{**", *values, ", ", *_pairs(extras), "}"]
    return [*base, ".model_copy(update=", *update, ")"]


def _extras(job: Job, old: Old, *, automatic: bool, together: list[Part] | None = None) -> Items:
    extras: Items = []
    if old.system is not None:
        extras.append(("system_instruction", [job.whole(old.system)]))
    if old.safety is not None:
        extras.append(("safety_settings", together or safety.converted(job, old.safety)))
    if old.tools is not None:
        extras.append(("tools", tools.converted(job, old.tools)))
    if old.tool_config is not None:
        extras.append(("tool_config", tools.tool_config(job, old.tool_config)))
    if old.tools is not None and not automatic and tools.callable_ones(job, old.tools):
        off = f"{job.types}.AutomaticFunctionCallingConfig(disable=True)"
        extras.append(("automatic_function_calling", [off]))
    if old.cached is not None:
        extras.append(("cached_content", [*job.atom(old.cached), ".name"]))
    if old.request is not None and (made := _http_options(job, old.request)):
        extras.append(("http_options", made))
    return extras


def _http_options(job: Job, node: ast.expr) -> list[Part]:
    """``request_options``: seconds of a timeout become milliseconds."""
    if isinstance(node, ast.Dict):
        made: list[Part] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "timeout":
                if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                    made = [f"{job.types}.HttpOptions(timeout={round(value.value * 1000)})"]
                else:
                    made = [f"{job.types}.HttpOptions(timeout=int(1000 * (", job.span(value), ")))"]
            else:
                said = job.code(key) if key is not None else "**"
                job.assisted(node, "request-options", f"request_options[{said}] was taken out; "
                             "retries are types.HttpOptions(retry_options=...)")  # fmt: skip
        return made
    job.assisted(node, "request-options", "request_options was taken out; a timeout is "
                 "http_options=types.HttpOptions(timeout=MILLISECONDS)")  # fmt: skip
    return []


def _literal(node: ast.expr) -> TypeGuard[ast.Dict]:
    """Whether it is a dict whose keys can be names of arguments."""
    return isinstance(node, ast.Dict) and all(
        isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier()
        for key in node.keys
    )


def _is_dict(job: Job, node: ast.expr) -> bool:
    return all(
        isinstance(one, ast.Dict)
        or (isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "dict")
        for one in job.kinds.values(node)
    )


def _as_pairs(job: Job, call: ast.Call) -> None:
    """``GenerationConfig(a=1)`` becomes ``{"a": 1}`` where it stands."""
    job.edits.replace(Span(job.span(call).start, job.after_open(call)), "{")
    job.edits.replace(Span(job.span(call).end - 1, job.span(call).end), "}")
    for keyword in call.keywords:
        start, value = job.span(keyword).start, job.span(keyword.value).start
        after = job.source.text.index("=", start) + 1
        name = f'"{keyword.arg}": ' if keyword.arg else "**"
        job.edits.replace(Span(start, after if keyword.arg else value), name)


def _append(
    job: Job, node: ast.expr, values: Sequence[ast.AST], extras: Items, *, named: bool
) -> None:
    """Add items to a literal, before its closing bracket and in its layout."""
    if not extras:
        return
    span = job.span(node)
    text, end = job.source.text, span.end - 1
    last = job.span(values[-1]).end if values else None
    pieces = [[f"{name}=", *parts] if named else [f'"{name}": ', *parts] for name, parts in extras]
    if last is None:
        job.edits.insert(end, *_flat(pieces))
        return
    tail = text[last:end]
    comma = _comma(tail)
    at = last + comma + 1 if comma >= 0 else _past_parentheses(text, last, end)
    spread = "\n" in text[span.start : job.span(values[0]).start]
    between = "," + (job.source.newline + job.source.indent(job.span(values[0]).start)
                     if spread else " ")  # fmt: skip
    lead = between if comma < 0 else between[1:]
    closing = "," if spread and comma >= 0 else ""
    job.edits.insert(at, lead, *_flat(pieces, between), closing)


def _comma(tail: str) -> int:
    """Where the trailing comma is, -1 where there is none; comments may hold some."""
    at = 0
    while at < len(tail):
        if tail[at] == "#":
            at = tail.find("\n", at)
            if at < 0:
                return -1
        elif tail[at] == ",":
            return at
        at += 1
    return -1


def _past_parentheses(text: str, start: int, end: int) -> int:
    at = start
    for position in range(start, end):
        if text[position] == ")":
            at = position + 1
        elif not text[position].isspace():
            break
    return at


def _flat(pieces: Sequence[Sequence[Part]], between: str = ", ") -> list[Part]:
    made: list[Part] = []
    for piece in pieces:
        made += [*([between] if made else []), *piece]
    return made


def _pairs(extras: Items) -> list[Part]:
    return _flat([[f'"{name}": ', *parts] for name, parts in extras])


def _listed(job: Job, extras: Items, indent: str) -> list[Part]:
    """Arguments on one line, or each on its own where that is long."""
    pieces = [[name if name == "**" else f"{name}=", *parts] for name, parts in extras]
    size = sum(len(part) if isinstance(part, str) else part.end - part.start
               for piece in pieces for part in piece)  # fmt: skip
    if len(pieces) < 2 or size < 60:
        return _flat(pieces)
    newline = job.source.newline
    inner = f"{newline}{indent}    "
    return [inner, *_flat(pieces, f",{inner}"), f",{newline}{indent}"]
