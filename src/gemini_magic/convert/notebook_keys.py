"""Finds the keys in a notebook's cells, outputs and metadata, and takes them out of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from gemini_magic.convert.key_literals import is_python, with_expression
from gemini_magic.convert.secrets import PRIVATE, Key, keys_in
from gemini_magic.errors import UsageError

Where: TypeAlias = Literal["source", "output", "metadata"]

#: Types of media in which anything can stand by chance.
_DATA = re.compile(r"(?:image/(?!svg)|audio/|video/|application/(?:pdf|octet-stream))")
_END = re.compile(r"-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
#: A private key's lines, in a file or a literal: their ends may be written as escapes.
_PIECE = re.compile(r"\\{1,9}[nrt]|(?P<piece>(?:[^\\\r\n]|\\(?!\\{0,8}[nrt]))+)")
_RANDOM = re.compile(r"[A-Za-z0-9+/]{16,}")
_BASE64 = re.compile(
    r"[\s\"'#>,(]*(?P<base64>[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]+={1,2})[\s\"',)\\]*\Z"
)
_NOTHING = re.compile(r"(?!.*(?:\"{3}|'{3}))[\s\"'#>,()+\\]*\Z")
_PEM_HEADER = re.compile(r"\s*[A-Z][A-Za-z-]*: ")
#: The same key has the same id for as long as the process lives, and it tells nothing of the key.
_SALT = os.urandom(16)
#: A key shorter than this is not even shown in part.
_SHOWABLE = 20


class Spot(NamedTuple):
    """Where a text stands: the cell's number from 0 (None: the notebook's own) and its id."""

    cell: int | None
    cell_id: str | None
    where: Where
    code: bool = False


class Finding(NamedTuple):
    """A key in one place; in all its places it has the same ``id``.

    ``kind`` is the name of the variable that such a key usually has, ``shown`` its two ends;
    ``line`` counts from 1 in the text.
    """

    id: str
    cell: int | None
    cell_id: str | None
    where: Where
    kind: str
    shown: str
    line: int


#: Gives a new text for one that stands at a spot.
_Change: TypeAlias = Callable[[str, Spot], str]


def find(document: Mapping[str, Any], key_names: Collection[str] = ()) -> list[Finding]:
    """The keys of a notebook, in the order of its cells; those in a cell's source come first."""
    found: dict[Finding, None] = {}

    def look(text: str, spot: Spot) -> str:
        for key, value in _keys(text, key_names):
            found[
                Finding(
                    _id(value), spot.cell, spot.cell_id, spot.where, key.name, _shown(key, value),
                    key.line,
                )
            ] = None  # fmt: skip
        return text

    _changed(document, look)
    order = ("source", "output", "metadata")
    return sorted(found, key=lambda one: (one.cell is None, one.cell or 0, order.index(one.where)))


def redacted(
    document: Mapping[str, Any], ids: Collection[str], key_names: Collection[str] = ()
) -> dict[str, Any]:
    """The notebook with a name in brackets in the place of these keys."""

    def take_out(text: str, spot: Spot) -> str:
        for key, value in reversed(_keys(text, key_names)):
            if _id(value) in ids:
                text = f"{text[: key.start]}<{key.name}>{text[key.end :]}"
        return text

    changed: dict[str, Any] = _changed(document, take_out)
    return changed


def key_of(document: Mapping[str, Any], id: str, key_names: Collection[str] = ()) -> str | None:
    """The key with this id; None if it is not in the notebook."""
    known: list[str] = []

    def look(text: str, spot: Spot) -> str:
        known.extend(value for _, value in _keys(text, key_names) if _id(value) == id)
        return text

    _changed(document, look)
    return known[0] if known else None


def replaced(
    document: Mapping[str, Any], id: str, expression: str, key_names: Collection[str] = ()
) -> dict[str, Any]:
    """The notebook with a Python expression in the place of a key's literals.

    Outside of code it is redacted. Raises ``UsageError`` where it stands in code, but is no plain
    literal of Python's there.
    """
    python = is_python(document)

    def put_in(text: str, spot: Spot) -> str:
        for key, value in reversed(_keys(text, key_names)):
            if _id(value) != id:
                continue
            if spot.code and not python:
                raise UsageError(
                    f"the key in line {key.line} stands in code that is not Python's.",
                    "Take it out instead (redact).",
                )
            if spot.code:  # an expression after it in the same literal has moved it
                start = text.index(value, key.start)
                key = key._replace(start=start, end=start + len(value))
                text = with_expression(text, key, expression)
            else:
                text = f"{text[: key.start]}<{key.name}>{text[key.end :]}"
        return text

    changed: dict[str, Any] = _changed(document, put_in)
    return changed


# --- keys of one text ---


def _keys(text: str, key_names: Iterable[str]) -> list[tuple[Key, str]]:
    """The keys of a text; a private key with all of its lines."""
    found: list[tuple[Key, str]] = []
    for key in keys_in(text, key_names):
        if key.name == "PRIVATE_KEY":
            end = _private_end(text, key.end)
            if end is None:  # its name alone
                continue
            key = key._replace(end=end)
        if not found or key.start >= found[-1][0].end:
            found.append((key, text[key.start : key.end]))
    return found


def _private_end(text: str, at: int) -> int | None:
    """Where a private key ends whose BEGIN ends at ``at``; None where none follows.

    That is its END, if what is before it is base64 in the main, else the last line of base64.
    """
    following = PRIVATE.search(text, at)
    if stop := _END.search(text, at, following.start() if following else len(text)):
        between = text[at : stop.start()]
        if between and 2 * sum(map(len, _RANDOM.findall(between))) >= len(between):
            return stop.end()
    end = None
    for line in _PIECE.finditer(text, at):
        piece = line["piece"] or ""
        if found := _BASE64.match(piece):
            end = line.start() + found.end("base64")
        elif not _NOTHING.match(piece) and (end is not None or not _PEM_HEADER.match(piece)):
            break
    return end


def _id(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "replace"), key=_SALT, digest_size=8).hexdigest()


def _shown(key: Key, value: str) -> str:
    if key.name == "PRIVATE_KEY":
        return "PRIVATE KEY"
    return f"{value[:4]}…{value[-2:]}" if len(value) >= _SHOWABLE else "…"


# --- texts of a notebook ---


def _changed(document: Mapping[str, Any], change: _Change) -> Any:
    """The notebook, with every text of it as ``change`` gives it."""
    own = Spot(None, None, "metadata")
    return {
        name: [_cell(cell, number, change) for number, cell in enumerate(value)]
        if name == "cells" and isinstance(value, list)
        else _walked(value, own, change)
        for name, value in document.items()
    }


def _cell(cell: Any, number: int, change: _Change) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    given = cell.get("id")
    spot = Spot(number, given if isinstance(given, str) else None, "metadata")
    code = cell.get("cell_type") == "code"
    made: dict[str, Any] = {}
    for name, value in cell.items():
        if name == "source":
            made[name] = _lines(value, spot._replace(where="source", code=code), change)
        elif name == "outputs":
            made[name] = _walked(value, spot._replace(where="output"), change)
        elif name in ("id", "cell_type"):
            made[name] = value
        else:
            made[name] = _walked(value, spot, change)
    return made


def _walked(value: Any, spot: Spot, change: _Change) -> Any:
    if isinstance(value, Mapping):
        return {
            name: one if isinstance(name, str) and _DATA.match(name) else _walked(one, spot, change)
            for name, one in value.items()
        }
    if isinstance(value, list) and not all(isinstance(one, str) for one in value):
        return [_walked(one, spot, change) for one in value]
    return _lines(value, spot, change)


def _lines(value: Any, spot: Spot, change: _Change) -> Any:
    """A text, or the list of its lines that a file holds in its place."""
    if isinstance(value, str):
        return change(value, spot)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    if any(not one.endswith("\n") for one in value[:-1]):  # no lines of one text
        return [change(one, spot) for one in value]
    text = "".join(value)
    new = change(text, spot)
    return value if new == text else new.splitlines(keepends=True)
