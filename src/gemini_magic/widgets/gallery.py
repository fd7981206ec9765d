"""A grid of pictures with what made them, a page at a time, and buttons that use them again."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipywidgets

from gemini_magic.widgets.closing import close
from gemini_magic.widgets.markup import SMALL, escaped

#: Cards on a page: so many thumbnails are in memory at once, however many pictures there are.
PAGE = 12

# Lab drops var() from an untrusted notebook's styles; the colour before it stays.
_BACKGROUND = "background: #f0f0f0; background: var(--jp-layout-color2, #f0f0f0)"


class Card(NamedTuple):
    """One picture, sound or film as it is shown.

    ``thumbnail`` is a PNG, None where there is none; ``details`` are a few words per line.
    """

    name: str
    prompt: str
    details: tuple[str, ...] = ()
    thumbnail: bytes | None = None


class Gallery:
    """The widget. ``load(start, stop)`` makes the cards of a page, when it is turned to.

    ``use(n)`` makes the n-th picture an input and says how, in a sentence; ``cell(n)`` is the text
    of a cell that would make it anew. Both are called in the kernel's main thread; what they raise
    is shown as a sentence, too.
    """

    def __init__(
        self,
        count: int,
        load: Callable[[int, int], Sequence[Card]],
        use: Callable[[int], str],
        cell: Callable[[int], str],
    ) -> None:
        self._count, self._load, self._use, self._cell = count, load, use, cell
        self._start = 0
        self._grid = ipywidgets.GridBox(
            layout={"grid_template_columns": "repeat(auto-fill, minmax(190px, 1fr))",
                    "grid_gap": "12px", "width": "100%"}
        )  # fmt: skip
        self._back = ipywidgets.Button(description="Previous", tooltip="the page before")
        self._on = ipywidgets.Button(description="Next", tooltip="the page after")
        self._back.on_click(lambda _: self.turn(-1))
        self._on.on_click(lambda _: self.turn(1))
        self._where = ipywidgets.HTML()
        self._said = ipywidgets.HTML()
        self._source = ipywidgets.Textarea(
            description="Cell:", rows=6, layout={"width": "100%", "display": "none"}
        )
        pages = ipywidgets.HBox([self._back, self._on, self._where])
        if count <= PAGE:
            pages.layout.display = "none"
        self.widget: Any = ipywidgets.VBox([self._grid, pages, self._said, self._source])
        self._show()

    def turn(self, pages: int) -> None:
        """Go so many pages on."""
        last = max(0, (self._count - 1) // PAGE * PAGE)
        self._start = min(max(0, self._start + pages * PAGE), last)
        self._show()

    def close(self) -> None:
        """Take the gallery away."""
        close(self.widget)

    def _show(self) -> None:
        stop = min(self._count, self._start + PAGE)
        old = self._grid.children
        cards = self._load(self._start, stop)
        self._grid.children = [self._drawn(self._start + i, card) for i, card in enumerate(cards)]
        for one in old:
            close(one)
        self._where.value = f"{self._start + 1}–{stop} of {self._count:,}"
        self._back.disabled, self._on.disabled = self._start == 0, stop >= self._count

    def _drawn(self, number: int, card: Card) -> Any:
        use = ipywidgets.Button(description="Use as input", tooltip=f"use {card.name} as input")
        copy = ipywidgets.Button(description="Copy as cell", tooltip=f"the cell of {card.name}")
        for button in (use, copy):
            button.layout.width = "auto"
        use.on_click(lambda _: self._tell(self._tried(self._use, number)))
        copy.on_click(lambda _: self._copied(number))
        buttons = ipywidgets.HBox([use, copy])
        return ipywidgets.VBox([ipywidgets.HTML(card_html(card)), buttons])

    def _tried(self, ask: Callable[[int], str], number: int) -> str:
        try:
            return ask(number)
        except Exception as problem:
            return str(problem) or type(problem).__name__

    def _tell(self, text: str) -> None:
        self._said.value = f'<div role="status" aria-live="polite">{html.escape(text)}</div>'

    def _copied(self, number: int) -> None:
        try:
            self._source.value = self._cell(number)
        except Exception as problem:
            self._tell(str(problem) or type(problem).__name__)
            return
        self._source.layout.display = None
        self._source.focus()
        self._tell("Here is its cell, to be copied:")


def card_html(card: Card) -> str:
    """A card as HTML, all of it escaped: names and prompts may be anyone's."""
    picture = (
        '<div style="height: 150px; display: flex; align-items: center; justify-content: center;'
        f' {_BACKGROUND}; {SMALL}">{escaped(card.name)}</div>'
    )
    if card.thumbnail is not None:
        url = f"data:image/png;base64,{base64.b64encode(card.thumbnail).decode('ascii')}"
        picture = (
            f'<img alt="{html.escape(card.prompt or card.name)}" src="{url}" style="width: 100%;'
            f' height: 150px; object-fit: contain; {_BACKGROUND}; display: block">'
        )
    lines = "".join(
        f'<div style="{SMALL}">{escaped(line)}</div>' for line in (card.name, *card.details)
    )
    return (
        '<div style="line-height: 1.35; overflow-wrap: anywhere; padding-top: 4px">'
        f"{picture}<div>{escaped(card.prompt)}</div>{lines}</div>"
    )
