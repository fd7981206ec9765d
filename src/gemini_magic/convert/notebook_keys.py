"""Finds the keys in a notebook's cells, outputs and metadata, and takes them out of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from gemini_magic.convert.secrets import Key, keys_in
from gemini_magic.errors import UsageError

Where: TypeAlias = Literal["source", "output", "metadata"]

#: Types of media in which anything can stand by chance.
_DATA = re.compile(r"(?:image/(?!svg)|audio/|video/|application/(?:pdf|octet-stream))")
_END = re.compile(r"-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
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
    literal there.
    """

    def put_in(text: str, spot: Spot) -> str:
        for key, value in reversed(_keys(text, key_names)):
            if _id(value) != id:
                continue
            if spot.code and not _in_comment(text, key.start):
                text = _with_expression(text, key, expression)
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
            end = _END.search(text, key.end)
            key = key._replace(end=end.end() if end else len(text))
        if not found or key.start >= found[-1][0].end:
            found.append((key, text[key.start : key.end]))
    return found


def _id(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "replace"), key=_SALT, digest_size=8).hexdigest()


def _shown(key: Key, value: str) -> str:
    if key.name == "PRIVATE_KEY":
        return "PRIVATE KEY"
    return f"{value[:4]}…{value[-2:]}" if len(value) >= _SHOWABLE else "…"


def _in_comment(text: str, at: int) -> bool:
    """Whether a comment has begun in the line before; a mark in a literal counts for none."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    plain = re.sub(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", "", line)
    mark = re.search(r"""#|['"]""", plain)
    return mark is not None and mark[0] == "#"


def _with_expression(text: str, key: Key, expression: str) -> str:
    """A cell's code with the expression in place of the literal, or its part, that is the key."""
    first = text.rfind("\n", 0, key.start) + 1
    last = text.find("\n", key.end)
    before, after = text[first : key.start], text[key.end : len(text) if last < 0 else last]
    opening = re.search(
        r"""(?P<prefix>\b[A-Za-z]{1,2})?(?P<quote>['"])(?P<rest>[^'"\\]*)\Z""", before
    )
    closing = opening and re.match(rf"(?P<rest>[^'\"\\]*){opening['quote']}", after)
    magic = text.lstrip().startswith("%%") or before.lstrip().startswith(("%", "!"))
    if opening is None or not closing or opening["prefix"] or magic or key.name == "PRIVATE_KEY":
        raise UsageError(
            f"the key in line {key.line} is no plain text in Python's quotation marks.",
            "Take it out instead (redact).",
        )
    quote = opening["quote"]
    if before[: opening.start()].endswith(quote) or after[closing.end() :].startswith(quote):
        raise UsageError(
            f"the key in line {key.line} stands in a text of several lines.",
            "Take it out instead (redact).",
        )
    pieces = [f"{quote}{opening['rest']}{quote}"] if opening["rest"] else []
    pieces.append(expression)
    pieces += [f"{quote}{closing['rest']}{quote}"] if closing["rest"] else []
    written = pieces[0] if len(pieces) == 1 else f"({' + '.join(pieces)})"
    return text[: first + opening.start()] + written + text[key.end + closing.end() :]


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
