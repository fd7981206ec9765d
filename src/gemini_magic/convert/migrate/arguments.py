"""The arguments of a call, and changing some of them while the others stay as they are."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part, Span


def bound(call: ast.Call, names: Sequence[str]) -> dict[str, ast.expr] | None:
    """The arguments by name; ``names`` are those that may be given by position.

    None where ``*`` or ``**`` hides them.
    """
    found: dict[str, ast.expr] = {}
    if len(call.args) > len(names):
        return None
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, ast.Starred):
            return None
        found[name] = value
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        found[keyword.arg] = keyword.value
    return found


def rewrite(
    job: Job,
    call: ast.Call,
    *,
    names: Sequence[str] = (),
    rename: Mapping[str, str | None] | None = None,
    drop: Sequence[str] = (),
    lead: Sequence[Sequence[Part]] = (),
    more: Sequence[Sequence[Part]] = (),
) -> None:
    """Change a call's arguments where they stand.

    Those given by position get the names in ``names``, all of them ``rename`` (None: no name).
    ``drop`` are taken out; ``lead`` come first; ``more`` in the place of what was taken out, or
    last.
    """
    rename = rename or {}
    items: list[tuple[str, Span, ast.expr, bool]] = []
    for name, value in zip([*names, *[""] * len(call.args)], call.args, strict=False):
        items.append((name, job.whole(value), value, False))
    for keyword in call.keywords:
        items.append((keyword.arg or "", job.span(keyword), keyword.value, True))
    items.sort(key=lambda one: one[1])
    kept = [item for item in items if item[0] not in drop or not item[0]]
    opened = job.after_open(call)
    first = kept[0][1].start if kept else items[0][1].start if items else opened
    apart = _apart(job, opened, items[0][1].start) if items else None
    comma = f",{apart}" if apart else ", "
    waiting = [list(one) for one in more]
    before = _joined(lead, comma)
    if before:
        before.append(comma if kept or waiting else "")
        job.edits.insert(first, *before)
    _name(job, kept, rename)
    placed = False
    for number, (name, span, _, _) in enumerate(items):
        if (name, span) in ((one[0], one[1]) for one in kept):
            continue
        ahead = any(one[1] < span for one in kept)
        if waiting and not placed and name != "stream":
            placed = True
            job.edits.replace(span, *_joined(waiting, comma))
        elif ahead or placed:
            job.edits.replace(Span(items[number - 1][1].end, span.end))
        elif number + 1 < len(items):
            job.edits.replace(Span(span.start, items[number + 1][1].start))
        else:
            job.edits.replace(span, *([] if not waiting else _joined(waiting, comma)))
            placed = bool(waiting)
    if waiting and not placed:
        if kept:
            job.edits.insert(kept[-1][1].end, comma, *_joined(waiting, comma))
        else:
            job.edits.insert(opened, *_joined(waiting, comma))


def of_literal(job: Job, node: ast.Dict, made: str) -> None:
    """``{"a": 1}`` becomes ``made(a=1)`` where it stands."""
    span = job.span(node)
    text = job.source.text
    job.edits.replace(Span(span.start, span.start + 1), f"{made}(")
    job.edits.replace(Span(span.end - 1, span.end), ")")
    for key, value in zip(node.keys, node.values, strict=True):
        assert isinstance(key, ast.Constant) and isinstance(key.value, str)
        at = text.index(":", job.span(key).end) + 1
        while at < job.span(value).start and text[at] in " \t":
            at += 1
        job.edits.replace(Span(job.span(key).start, at), f"{key.value}=")


def _name(
    job: Job,
    kept: Sequence[tuple[str, Span, ast.expr, bool]],
    rename: Mapping[str, str | None],
) -> None:
    for name, span, value, named in kept:
        new = rename.get(name, name)
        if not named and new and name in rename:
            job.edits.insert(span.start, f"{new}=")
        elif named and name in rename and new != name:
            job.edits.replace(Span(span.start, job.span(value).start), f"{new}=" if new else "")


def _apart(job: Job, opened: int, first: int) -> str | None:
    """What is between arguments that stand on lines of their own."""
    between = job.source.text[opened:first]
    if "\n" not in between:
        return None
    return job.source.newline + job.source.indent(first)


def _joined(pieces: Sequence[Sequence[Part]], comma: str) -> list[Part]:
    made: list[Part] = []
    for piece in pieces:
        made += [*([comma] if made else []), *piece]
    return made
