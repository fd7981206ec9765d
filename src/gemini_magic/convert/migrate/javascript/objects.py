"""Puts the entries of objects where the new SDK wants them, with their comments and lines."""

from __future__ import annotations

import re
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript.code import Code, Entry
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.source import Part, Span


class Piece(NamedTuple):
    """One entry of an object to be: what stands before it (white space, comments), its text, and
    the comment behind it in its line. ``deep`` is whether its lines lie a level deeper already."""

    lead: str
    parts: tuple[Part, ...]
    trail: str = ""
    deep: bool = False
    span: Span | None = None


def new(*parts: Part) -> Piece:
    """An entry that was not there."""
    return Piece("", parts)


def pieces(code: Code, opened: int, *, deep: bool = False) -> list[tuple[Entry, Piece]]:
    """The entries of an object with what stands around them."""
    found: list[tuple[Entry, Piece]] = []
    at = code.tokens[opened].end
    entries = code.entries(opened)
    for number, entry in enumerate(entries):
        span = code.span(entry.first, entry.last)
        lead = code.text[at : span.start]
        at = code.tokens[entry.last + 1].end if code.sign(entry.last + 1) == "," else span.end
        until = entries[number + 1].first if number + 1 < len(entries) else code.pair[opened]
        rest = code.text[at : code.tokens[until].start]
        trail = re.match(r"[ \t]*(?://[^\r\n]*|/\*[^\n]*?\*/[ \t]*(?=\r?\n))", rest)
        at += trail.end() if trail else 0
        found.append((entry, Piece(lead, (span,), trail[0] if trail else "", deep, span)))
    return found


def is_long(code: Code, opened: int) -> bool:
    """Whether an object's entries stand in lines of their own."""
    return "\n" in code.text[code.tokens[opened].end : code.tokens[opened + 1].start]


def written(job: Job, opened: int, top: list[Piece], config: list[Piece] | None,
            name: str = "config") -> list[Part]:  # fmt: skip
    """The object with the entries ``top``, and those of ``config`` in one that is called so."""
    code = job.code
    if not is_long(code, opened) or not any(piece.span for piece in [*top, *(config or ())]):
        return short(top, config, name)
    close = code.indent(code.tokens[opened].start)
    inner = _indent(code, opened) or close + "  "
    unit = inner.removeprefix(close) if inner.startswith(close) and inner != close else "  "
    newline = code.newline
    made: list[Part] = ["{"]
    for piece in top:
        made += [*_led(piece, inner, newline), *piece.parts, ",", piece.trail]
    if config:
        made += [newline, inner, name, ": {"]
        for piece in config:
            made += [*_led(piece, inner + unit, newline, unit if not piece.deep else ""),
                     *piece.parts, ",", piece.trail]  # fmt: skip
            if piece.span is not None and not piece.deep:
                _shift(job, piece.span, unit)
        made += [newline, inner, "},"]
    comments = "".join(f"{newline}{inner}{one}" for one in re.findall(r"//[^\r\n]*|/\*.*?\*/",
                       tail(code, opened), re.S) if not _is_told(one, top, config))  # fmt: skip
    return [*made, comments, newline, close, "}"]


def tail(code: Code, opened: int) -> str:
    """What stands behind the last entry of an object, and its comma."""
    closed = code.pair[opened]
    return code.text[code.tokens[closed - 1].end : code.tokens[closed].start]


def _is_told(comment: str, top: list[Piece], config: list[Piece] | None) -> bool:
    return any(comment.strip() in piece.trail for piece in [*top, *(config or ())])


def short(top: list[Piece], config: list[Piece] | None, name: str = "config") -> list[Part]:
    """The same in one line."""
    made: list[Part] = ["{ "]
    for number, piece in enumerate(top):
        made += [", " if number else "", *_comment(piece), *piece.parts]
    if config:
        made.append(f"{', ' if top else ''}{name}: {{ ")
        for number, piece in enumerate(config):
            made += [", " if number else "", *_comment(piece), *piece.parts]
        made.append(" }")
    return [*made, " }"]


def _comment(piece: Piece) -> list[Part]:
    """A block comment, which may stay where its entry goes in one line."""
    found = re.findall(r"/\*.*?\*/", piece.lead, re.S)
    return [f"{one} " for one in found]


def _led(piece: Piece, indent: str, newline: str, shift: str = "") -> list[Part]:
    if "\n" not in piece.lead:
        comment = piece.lead.strip()
        return [f"{newline}{indent}{comment + ' ' if comment else ''}"]
    return [re.sub(r"\n(?=[ \t]*[^\s])|\n(?=[ \t]*\Z)", lambda _: "\n" + shift, piece.lead)]


def _indent(code: Code, opened: int) -> str:
    return code.indent(code.tokens[opened + 1].start) if is_long(code, opened) else ""


def _shift(job: Job, span: Span, unit: str) -> None:
    """Put the lines of an entry a level deeper, but not those within texts."""
    code = job.code
    for found in re.finditer(r"\n(?=[^\n\r])", code.text[span.start : span.end]):
        offset = span.start + found.end()
        place = code.at_offset(offset)
        in_token = place and code.tokens[place - 1].end > offset
        if not in_token and not in_form(code, place):
            job.edits.insert(offset, unit)


def in_form(code: Code, place: int) -> bool:
    """Whether what stands before this token is the text of a template literal."""
    if place >= len(code.tokens):
        return False
    if code.tokens[place].kind == "close" or code.sign(place) == "${":
        return True
    return code.sign(code.parent[place]) == "`"
