"""What a function gave back, as JSON text that a model can read."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import sys
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any

from gemini_magic.types import Reply

#: Characters of a result; more would cost more than it tells.
LIMIT = 100_000
#: How deep a result is looked into; deeper, it is shown as text.
_DEPTH = 40
_ROWS = 1_000
_ITEMS = 20_000


class Unsayable(Exception):
    """A result that JSON cannot hold; the message is for the model and the user."""


def as_json(value: Any, limit: int = LIMIT) -> str:
    """A function's result as JSON text of at most ``limit`` characters; a cut is marked in it.

    Raises ``Unsayable`` for bytes, and what the value's own ``str`` raises.
    """
    text = json.dumps(_Plain(limit).of(value, 0), ensure_ascii=False, allow_nan=False)
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= limit:
        return text
    room = limit - 100
    while len(cut := json.dumps(_cut(text, room), ensure_ascii=False)) > limit:
        room = room * 3 // 4
    return cut


def _cut(text: str, room: int) -> str:
    return f"{text[: max(0, room)]} … [cut: {len(text)} characters in all]"


class _Plain:
    """Makes JSON values of anything, until ``room`` characters are full."""

    def __init__(self, room: int) -> None:
        self._room = room

    def of(self, value: Any, depth: int) -> Any:
        self._room -= 4
        if isinstance(value, Enum):
            value = value.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            text = str(value) if len(value) <= self._room else _cut(value, self._room)
            self._room -= len(text)
            return text
        if isinstance(value, int):
            return int(value) if value.bit_length() < 10_000 else f"about 2**{value.bit_length()}"
        if isinstance(value, float):
            return _number(float(value))
        if isinstance(value, bytes | bytearray | memoryview):
            raise Unsayable("it gave back bytes, which are no JSON; give back text instead")
        if depth > _DEPTH:
            return self.of(_text(value), 0)
        simple = _known(value)
        if simple is not value:
            return self.of(simple, depth + 1)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | Set | Iterator | range):
            return self._list(value, depth)
        return self.of(_text(value), depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for at, (key, inner) in enumerate(value.items()):
            if self._room <= 0:
                plain["…"] = f"[cut: {len(value) - at} more]"
                break
            name = str(key.value if isinstance(key, Enum) else key)
            self._room -= len(name)
            plain[name] = self.of(inner, depth + 1)
        return plain

    def _list(self, value: Any, depth: int) -> list[Any]:
        plain: list[Any] = []
        for inner in islice(value, _ITEMS + 1):
            if self._room <= 0 or len(plain) == _ITEMS:
                more = f"{len(value) - len(plain)} more" if hasattr(value, "__len__") else "more"
                plain.append(f"… [cut: {more}]")
                break
            plain.append(self.of(inner, depth + 1))
        return plain


def _known(value: Any) -> Any:
    """A simpler value that stands for one of a type that many use; else the value itself."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return None
    if isinstance(value, Reply):
        return value.text
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(type(value), "model_fields") and callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return value.tolist() if value.size <= _ITEMS else str(value)
        if isinstance(value, numpy.generic):
            return _text(value) if value.item() is value else value.item()
    if pandas is not None:
        if isinstance(value, pandas.DataFrame):
            return _table(value)
        if isinstance(value, pandas.Series):
            shown = value.head(_ROWS)
            return {str(key): inner for key, inner in zip(shown.index, shown, strict=True)}
    return value


def _table(frame: Any) -> list[Any]:
    """A DataFrame's rows as objects, with the index where it says something."""
    shown = frame.head(_ROWS)
    if type(shown.index).__name__ != "RangeIndex":
        shown = shown.reset_index(allow_duplicates=True)
    names = [str(name) for name in shown.columns]
    rows: list[Any] = [
        dict(zip(names, row, strict=True)) for row in shown.itertuples(index=False, name=None)
    ]
    if len(frame) > len(rows):
        rows.append(f"… [cut: {len(frame) - len(rows)} more rows]")
    return rows


def _number(value: float) -> float | str | None:
    """JSON has no NaN and no infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _text(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:
        return f"a {type(value).__name__}, nested too deeply"
