"""Turns a table (a DataFrame or Series of pandas or polars) into text: CSV or Markdown."""

from __future__ import annotations

import csv
import io
from typing import Any

from gemini_magic.errors import PlaceholderError

#: The forms that a placeholder's format may name: ``{{ df:markdown }}``.
FORMS = ("csv", "markdown", "md")

#: More cells, or more characters, than any model reads at once; nobody waits for their text.
_CELLS, _CHARACTERS = 1_000_000, 8_000_000


def table_text(table: Any, form: str = "csv") -> str:
    """The table as CSV, with its index, or as a Markdown table of the same cells.

    Raises ``PlaceholderError`` for a table that fits no prompt.
    """
    shape = tuple(table.shape)
    rows, columns = (*shape, 1)[:2]
    if rows * columns > _CELLS:
        raise _too_large(f"{rows:,} rows and {columns:,} columns")
    buffer = _Bounded()
    if hasattr(table, "to_csv"):
        table.to_csv(buffer)
    else:  # polars
        buffer.write((table.to_frame() if len(shape) == 1 else table).write_csv())
    text = buffer.getvalue()
    return text if form == "csv" else _markdown(text)


class _Bounded(io.StringIO):
    """Refuses what is too large before it fills the memory."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > _CHARACTERS:
            raise _too_large(f"more than {_CHARACTERS // 1_000_000} million characters")
        return super().write(text)


def _markdown(text: str) -> str:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = [[_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    if not lines:
        return ""
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _too_large(what: str) -> PlaceholderError:
    return PlaceholderError(
        f"a table of {what} is too large for a prompt; nothing was sent.",
        "Send a part of it, such as {{ df.head(1000) }}, or {{ df.describe() }}.",
    )
