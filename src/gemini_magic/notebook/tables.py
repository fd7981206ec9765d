"""Small tables for commands: HTML in a notebook, aligned text in a terminal and on GitHub."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any


def show_table(shell: Any, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Draw a table in the running cell's output."""
    plain = text_table(head, rows)
    if not hasattr(shell, "kernel"):
        print(plain)
        return
    shell.display_pub.publish({"text/html": html_table(head, rows), "text/plain": plain}, {})


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The table as aligned text."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def html_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The table as HTML, every cell escaped."""

    def line(cells: Sequence[object], tag: str) -> str:
        style = ' style="text-align: left"'
        inner = "".join(f"<{tag}{style}>{html.escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
