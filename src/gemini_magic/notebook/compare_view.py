"""Draws several answers side by side while they come: columns of one HTML output, updated in place.

Answers are untrusted. All of a column is escaped text, and its pictures are drawn anew, small.
"""

from __future__ import annotations

import base64
import html
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from gemini_magic.events import (
    Event,
    PartDone,
    Preview,
    TextDelta,
    ToolCalled,
    ToolReturned,
    Waiting,
)
from gemini_magic.notebook.display import MARKS, PATIENCE, Output, status_of
from gemini_magic.notebook.footer import footer
from gemini_magic.pictures import Unshowable, look, thumbnail
from gemini_magic.types import Part, Reply, Target
from gemini_magic.widgets.markup import SMALL, escaped, readable

#: Seconds between two drawings of all columns.
_LEAST = 0.1
#: The characters of an answer that its column shows; the DataFrame holds the rest.
_LONGEST = 50_000
#: The edge of a thumbnail, in pixels.
_THUMBNAIL = 320
_RED = "color: #b71c1c; color: var(--jp-error-color1, #b71c1c)"
_CELL = "vertical-align: top; text-align: left; white-space: normal; overflow-wrap: anywhere"
_BODY = "white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40em; overflow: auto"
_CODE = "white-space: pre-wrap; margin: 0.3em 0; padding: 0.4em; border: 1px solid #bdbdbd"


class Column:
    """One model's answer as far as it has come."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.reply: Reply | None = None
        self.error = ""
        self.version = 0
        self._texts: list[str] = []
        self._length = 0
        self._pictures: list[str] = []
        self._status: str | Waiting = f"waiting for {target.model} …"
        self._drawn: tuple[int, str, str] = (-1, "", "")

    @property
    def length(self) -> int:
        """The characters that are drawn of it."""
        return min(self._length, _LONGEST)

    @property
    def begun(self) -> bool:
        return bool(self._length or self._pictures or self.reply)

    def take(self, events: Sequence[Event]) -> None:
        """Note what happened."""
        for event in events:
            match event:
                case TextDelta(text):
                    if self._length < _LONGEST:
                        self._texts.append(text)
                    self._length += len(text)
                    self._status = ""
                case PartDone(part) if part.is_media:
                    self._pictures.append(_thumbnail(part))
                    self._status = ""
                case Waiting():
                    self._status = event
                case Preview():
                    self._status = "making a picture …"
                case ToolCalled(call):
                    self._status = f"calls {call.name} …"
                case ToolReturned(use):
                    self._status = f"goes on after {use.call.name} …"
                case _:
                    self._status = status_of(event) or self._status
            self.version += 1

    def close(self, reply: Reply, error: str) -> None:
        """Nothing more will come; ``error`` is empty where the answer is good."""
        self.reply, self.error, self._status = reply, error, ""
        self.version += 1

    @property
    def status(self) -> str:
        """What it is doing now; a countdown goes on by itself."""
        return self._status if isinstance(self._status, str) else status_of(self._status) or ""

    @property
    def text(self) -> str:
        """The answer's text, readable, and marked where it is not whole."""
        if self.reply is None:
            text = "".join(self._texts)
        else:
            text = self.reply.text
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}\n… ({len(text) - _LONGEST:,} characters more)"
        mark = MARKS.get(self.reply.finish_reason, "") if self.reply and text else ""
        return readable(text) + (f" … {mark}" if mark else "")

    @property
    def foot(self) -> str:
        """Tokens, seconds, price and the like, once it is over."""
        if self.reply is None or (self.error and not self.reply.text):
            return ""
        return footer(self.reply.replace(target=None))

    def html(self) -> str:
        """The inside of the column."""
        version, status, drawn = self._drawn
        if (version, status) == (self.version, self.status):
            return drawn
        pieces = [f'<div style="{_BODY}">{_formatted(self.text)}</div>', *self._pictures]
        if self.status:
            pieces.append(_line(self.status))
        if self.error:
            pieces.append(f'<div style="{_RED}">{escaped(readable(self.error))}</div>')
        self._drawn = (self.version, self.status, "".join(pieces))
        return self._drawn[2]

    def plain(self) -> str:
        """The whole column for a terminal."""
        title = f"=== {self.target.model} · {self.target.backend} ==="
        error = f"[{readable(self.error)}]" if self.error else ""
        foot = f"[{readable(self.foot)}]" if self.foot else ""
        count = len(self._pictures)
        pictures = f"[{count} picture{'s' * (count > 1)}, sound or film]" if count else ""
        return "\n".join(filter(None, (title, self.text, pictures, error, foot)))


class View(Protocol):
    """Draws the columns."""

    def draw(self) -> None:
        """Draw them as they are now, unless it is too early for that."""

    def close(self, metadata: dict[str, Any]) -> None:
        """Draw them for the last time."""


def view_for(shell: Any, columns: Sequence[Column], *, quiet: bool) -> View:
    """The view that fits the front end."""
    if quiet:
        return _NoView()
    if not hasattr(shell, "kernel"):
        return _TerminalView(columns)
    return _NotebookView(Output(shell), columns)


class _NoView:
    def draw(self) -> None:
        pass

    def close(self, metadata: dict[str, Any]) -> None:
        pass


class _NotebookView:
    """At most 10 updates a second for all columns together, fewer for long answers."""

    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        self._output = output
        self._columns = columns
        self._began = time.monotonic()
        self._next = 0.0
        self._drawn = ""

    def draw(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        if not any(column.begun for column in self._columns) and now - self._began < PATIENCE:
            return
        drawing = page(self._columns)
        if drawing != self._drawn:
            self._output.draw({"text/html": drawing, "text/plain": _plain(self._columns)})
            self._drawn = drawing
        length = sum(column.length for column in self._columns)
        self._next = time.monotonic() + max(_LEAST, length / 160_000)

    def close(self, metadata: dict[str, Any]) -> None:
        data = {"text/html": page(self._columns), "text/plain": _plain(self._columns)}
        self._output.draw(data, metadata)


class _TerminalView:
    """Writes each answer when it is whole, in the order in which they end."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._left = list(columns)

    def draw(self) -> None:
        for column in [one for one in self._left if one.reply is not None]:
            self._left.remove(column)
            sys.stdout.write(f"{column.plain()}\n\n")
            sys.stdout.flush()

    def close(self, metadata: dict[str, Any]) -> None:
        self.draw()


def page(columns: Sequence[Column]) -> str:
    """All columns as one table."""
    heads = [
        f'<th style="{_CELL}">{escaped(one.target.model)}'
        f'<div style="{SMALL}; font-weight: normal">{escaped(one.target.backend)}</div></th>'
        for one in columns
    ]
    bodies = [f'<td style="{_CELL}">{one.html()}</td>' for one in columns]
    feet = [
        f'<td style="{_CELL}"><div style="{SMALL}">{escaped(readable(one.foot))}</div></td>'
        for one in columns
    ]
    rows = (f"<tr>{''.join(cells)}</tr>" for cells in (bodies, feet))
    style = f"table-layout: fixed; width: 100%; min-width: {16 * len(columns)}em"
    return (
        f'<div style="overflow-x: auto"><table style="{style}"><thead><tr>{"".join(heads)}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _plain(columns: Sequence[Column]) -> str:
    return "\n\n".join(column.plain() for column in columns)


def _formatted(text: str) -> str:
    """Escaped text, in which fenced blocks stand out as code."""
    out: list[str] = []
    lines: list[str] = []
    fence = ""

    def flush(code: bool) -> None:
        inner = escaped("\n".join(lines))
        out.append(f'<pre style="{_CODE}"><code>{inner}</code></pre>' if code else inner)
        lines.clear()

    for line in text.split("\n"):
        mark = line.strip()[:3]
        if not fence and mark in ("```", "~~~"):
            flush(code=False)
            fence = mark
        elif fence and line.strip() and not line.strip().strip(fence[0]) and mark == fence:
            flush(code=True)
            fence = ""
        else:
            lines.append(line)
    flush(code=bool(fence))
    return "".join(out)


def _thumbnail(part: Part) -> str:
    """A picture of an answer, small, as HTML; one line for what is none or cannot be read."""
    try:
        seen = look(part.data or b"", part.mime_type or "")
    except Unshowable as problem:
        return _line(str(problem))
    small = thumbnail(seen.data, _THUMBNAIL) if seen.kind == "picture" else None
    if small is None:
        return _line(seen.label)
    encoded = base64.b64encode(small).decode("ascii")
    label = html.escape(seen.label)
    return f'<img alt="{label}" style="max-width: 100%" src="data:image/png;base64,{encoded}">'


def _line(text: str) -> str:
    return f'<div style="{SMALL}">{escaped(readable(text))}</div>'
