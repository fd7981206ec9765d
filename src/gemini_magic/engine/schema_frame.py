"""An answer's value as a table: ``--as df``."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from typing import TYPE_CHECKING, Any

from gemini_magic.errors import MissingExtra

if TYPE_CHECKING:
    import pandas


def need_pandas() -> None:
    """Raise ``MissingExtra`` where there is no pandas; before anything is sent."""
    if importlib.util.find_spec("pandas") is None:
        raise MissingExtra("pandas", "plot")


def frame(value: Any) -> pandas.DataFrame:
    """A list of objects as rows, one object as one row, anything else in a column ``value``.

    Of an object that holds nothing but a list of objects, these are the rows. Raises
    ``MissingExtra`` where there is no pandas.
    """
    need_pandas()
    import pandas

    columns = _columns(value)
    if columns is not None and len(columns) == 1:
        ((key, inner),) = columns.items()
        rows = _rows(inner)
        if rows is not None and (key == "items" or any(_columns(row) is not None for row in rows)):
            value = rows
    rows = _rows(value)
    records = [_record(row) for row in ([value] if rows is None else rows)]
    names = list(dict.fromkeys(name for record in records for name in record))
    return pandas.DataFrame(records, columns=names or None)


def _rows(value: Any) -> list[Any] | None:
    if isinstance(value, Set):
        return list(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return None if hasattr(value, "_fields") else list(value)
    return None


def _record(row: Any) -> dict[str, Any]:
    columns = _columns(row)
    return {"value": row.value if isinstance(row, Enum) else row} if columns is None else columns


def _columns(value: Any) -> dict[str, Any] | None:
    """The fields of an object; None for anything else."""
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    elif hasattr(type(value), "model_fields") and hasattr(value, "model_dump"):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = dict(zip(value._fields, value, strict=False))
    else:
        return None
    return {k: v.value if isinstance(v, Enum) else v for k, v in fields.items()}
