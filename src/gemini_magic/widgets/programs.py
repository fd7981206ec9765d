"""The same thing as several programs: tabs with a button each, and HTML where widgets are not."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import ipywidgets

from gemini_magic.widgets.markup import SMALL, escaped

#: Lines of a program that its field shows at once.
_ROWS = 24


class Program(NamedTuple):
    """One program; ``notes`` are lines about it. Where there is none, ``text`` is empty."""

    title: str
    text: str
    notes: tuple[str, ...] = ()


class Programs:
    """The widget: a tab for each program."""

    def __init__(self, programs: Sequence[Program]) -> None:
        pages = [self._page(one) for one in programs]
        self.widget: Any = ipywidgets.Tab(pages, titles=[one.title for one in programs])

    def _page(self, program: Program) -> Any:
        notes = ipywidgets.HTML(notes_html(program.notes))
        if not program.text:
            return ipywidgets.VBox([notes])
        field = ipywidgets.Textarea(
            program.text,
            tooltip=program.title,
            rows=min(_ROWS, program.text.count("\n") + 1),
            layout={"width": "100%"},
            style={"font_variant": "normal"},
        )
        copy = ipywidgets.Button(
            description="Copy", tooltip="go to the text: Ctrl+A and Ctrl+C copy it"
        )
        said = ipywidgets.HTML()

        def focus(_: Any) -> None:
            field.value = program.text
            field.focus()
            text = "The text has the focus: Ctrl+A (⌘A) and Ctrl+C (⌘C) copy it."
            said.value = f'<div role="status" aria-live="polite">{html.escape(text)}</div>'

        copy.on_click(focus)
        return ipywidgets.VBox([field, ipywidgets.HBox([copy, said]), notes])


def notes_html(notes: Sequence[str]) -> str:
    return "".join(f'<div style="{SMALL}">{escaped(note)}</div>' for note in notes)


def programs_html(programs: Sequence[Program]) -> str:
    """The programs as HTML without scripts, the first of them open; all of it is escaped."""
    return "".join(
        f"<details{' open' if number == 0 else ''}><summary>{escaped(one.title)}</summary>"
        + (f"<pre><code>{escaped(one.text)}</code></pre>" if one.text else "")
        + f"{notes_html(one.notes)}</details>"
        for number, one in enumerate(programs)
    )
