"""Small tables for commands: HTML in a notebook, aligned text in a terminal and on GitHub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from gemini_magic.widgets.markup import escaped

#: The characters of a cell that is kept on one line: names and dates break badly.
_SHORT = 24


class Rich(str):
    """A cell's text, and the HTML that stands for it in a notebook."""

    html: str

    @classmethod
    def of(cls, plain: str, html: str) -> Rich:
        made = cls(plain)
        made.html = html
        return made


def show_table(
    shell: Any,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    numbers: Collection[int] = (),
) -> None:
    """Draw a table in the running cell's output; ``numbers`` are columns to align at the right."""
    plain = text_table(head, rows, numbers)
    if not hasattr(shell, "kernel"):
        print(plain)
        return
    shell.display_pub.publish(
        {"text/html": html_table(head, rows, numbers), "text/plain": plain}, {}
    )


def text_table(
    head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Collection[int] = ()
) -> str:
    """The table as aligned text."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    align = [str.rjust if n in numbers else str.ljust for n in range(len(widths))]
    lines = [
        "  ".join(
            put(cell, width) for put, cell, width in zip(align, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def html_table(
    head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Collection[int] = ()
) -> str:
    """The table as HTML, every cell escaped that is none already."""

    def line(cells: Sequence[object], tag: str) -> str:
        inner = "".join(
            f'<{tag} style="text-align: {"right" if n in numbers else "left"}'
            f'{"; white-space: nowrap" if len(str(cell)) <= _SHORT else ""}">'
            f"{cell.html if isinstance(cell, Rich) else escaped(str(cell))}</{tag}>"
            for n, cell in enumerate(cells)
        )
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
