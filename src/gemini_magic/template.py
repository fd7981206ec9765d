"""Placeholders: where ``{{ name }}`` in a prompt is Python, and where it is just braces.

A placeholder is a name, then any of ``.attr``, ``[...]`` and calls, then ``!r``, ``!s`` or ``!a``,
then ``:spec``; everything in it would be valid between the braces of an f-string. All other double
braces stay as they were typed, and single ones are never looked at.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias


class Placeholder(NamedTuple):
    """``{{ expression!conversion:spec }}``; ``source`` is the text with its braces."""

    expression: str
    conversion: str
    spec: str
    source: str

    @property
    def name(self) -> str:
        """The variable that the expression starts with."""
        match = _NAME.match(self.expression)
        assert match is not None
        return match.group()


#: Literal text, or a placeholder.
Segment: TypeAlias = str | Placeholder

_NAME = re.compile(r"[^\W\d]\w*")
_OPEN = re.compile(r"\\?\{\{+")
_TAIL = re.compile(r"[ \t]*+(?:!([rsa]))?(?::([^{}'\"\n\\]*+)|[ \t]*+)\}\}")
_TEX_COMMAND = re.compile(r"\\[A-Za-z]+\*?\Z")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
#: How far back a TeX command is looked for, in characters.
_TEX_REACH = 40
#: How deep brackets are nested and how long an expression is before it is no placeholder; so the
#: time that a prompt takes grows no faster than its length.
_DEEPEST, _LONGEST = 20, 2_000


def split(template: str) -> list[Segment]:
    r"""The template as literal texts and placeholders, in order; ``\{{`` becomes ``{{``."""
    segments: list[Segment] = []
    literal: list[str] = []
    done = 0
    for start, end, found in _scan(template):
        literal.append(template[done:start])
        done = end
        if isinstance(found, Placeholder):
            if text := "".join(literal):
                segments.append(text)
            literal = []
            segments.append(found)
        else:
            literal.append(found)
    literal.append(template[done:])
    if text := "".join(literal):
        segments.append(text)
    return segments


def placeholders(template: str) -> list[Placeholder]:
    """The template's placeholders, in order; one that stands twice is there twice."""
    return [found for _, _, found in _scan(template) if isinstance(found, Placeholder)]


def left_alone(template: str) -> list[str]:
    """What follows double braces that look like placeholders and are none, shortened."""
    out: list[str] = []
    done = 0
    for start, end, _ in [*_scan(template), (len(template), 0, "")]:
        for match in _OPEN.finditer(template, done, start):
            if match.group() == "{{" and not _is_literal(template, match.start()):
                excerpt = template[match.start() : match.start() + 40].split("\n", 1)[0]
                out.append(excerpt[: excerpt.find("}}") + 2] if "}}" in excerpt else excerpt)
        done = end
    return out


def escape(text: str) -> str | None:
    r"""A template that stands for ``text`` itself, or None where only ``--raw`` can write it."""
    if r"\{{" in text:
        return None
    out: list[str] = []
    done = 0
    for start, _, _ in _scan(text, nested=True):
        out += [text[done:start], "\\"]
        done = start
    return "".join([*out, text[done:]])


def _scan(template: str, nested: bool = False) -> Iterator[tuple[int, int, Placeholder | str]]:
    """(start, end, placeholder or the literal that replaces it), left to right.

    With ``nested`` also what would be a placeholder if the one around it were none.
    """
    position = closed = 0
    while match := _OPEN.search(template, position):
        start, braces = match.start(), match.group()
        position = match.end()
        if braces == r"\{{":
            yield start, position, "{{"
        elif braces == "{{" and (start == closed > 0 or not _is_literal(template, start)):
            found = _read(template, start)
            if found is not None:
                closed = start + len(found.source)
                position = position if nested else closed
                yield start, closed, found


def _is_literal(template: str, start: int) -> bool:
    """Whether what stands before the braces says that they are no placeholder.

    ``}}`` before them says so too (TeX's second argument), unless it closed a placeholder.
    """
    before = template[max(0, start - _TEX_REACH) : start]
    return before.endswith(("$", "}}", "_", "^")) or bool(_TEX_COMMAND.search(before))


def _read(template: str, start: int) -> Placeholder | None:
    position = start + 2
    while template[position : position + 1] in (" ", "\t"):
        position += 1
    begin = position
    name = _NAME.match(template, position)
    if name is None or keyword.iskeyword(name.group()):
        return None
    end = _end_of_expression(template, name.end())
    tail = _TAIL.match(template, end) if end is not None else None
    if end is None or tail is None:
        return None
    expression = template[begin:end]
    if len(expression) > _LONGEST:
        return None
    conversion, spec = tail.group(1) or "", tail.group(2) or ""
    spec = spec.rstrip() or spec
    if not _fits_an_f_string(expression, conversion, spec):
        return None
    return Placeholder(expression, conversion, spec, template[start : tail.end()])


def _end_of_expression(template: str, position: int) -> int | None:
    """The position after ``.attr``, ``[...]`` and calls; None if a bracket stays open."""
    while True:
        char = template[position : position + 1]
        if char == "." and (attribute := _NAME.match(template, position + 1)):
            position = attribute.end()
        elif char in ("(", "["):
            closed = _closing_bracket(template, position)
            if closed is None:
                return None
            position = closed
        else:
            return position


def _closing_bracket(template: str, position: int) -> int | None:
    """The position after the bracket that closes the one at ``position``, on the same line."""
    stack: list[str] = []
    quote = ""
    while position < len(template):
        char = template[position]
        if char in "\n\\":
            return None
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in _CLOSING:
            stack.append(_CLOSING[char])
            if len(stack) > _DEEPEST:
                return None
        elif char in ")]}":
            if stack.pop() != char:
                return None
            if not stack:
                return position + 1
        position += 1
    return None


def _fits_an_f_string(expression: str, conversion: str, spec: str) -> bool:
    """Whether an f-string of Python 3.11 could hold it: no backslash, no comment, one quote."""
    if "\\" in expression or "#" in expression:
        return False
    tail = f"{'!' if conversion else ''}{conversion}{':' if spec else ''}{spec}"
    quote = "'''" if '"' in expression else '"""'
    if quote in expression:  # Python 3.12 would take it
        return False
    try:
        tree = ast.parse(f"f{quote}{{{expression}{tail}}}{quote}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return (
        isinstance(tree, ast.JoinedStr)
        and len(tree.values) == 1
        and isinstance(tree.values[0], ast.FormattedValue)
    )
