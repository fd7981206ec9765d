"""A panel's line to the page that shows it, whose Lab extension reaches the notebook's cells."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import ipywidgets


class Told(NamedTuple):
    """What panel.js tells of a click that it took over, since a Lab extension is there.

    ``does``: "insert", "load" or "back". ``text`` is what stands in the prompt. ``cell`` and
    ``source`` are the id and the text of the cell that is to be loaded. ``done`` says how it went
    in the page what ``Page.ask`` had asked for the click ``id``; None with the click itself.
    """

    id: str
    does: str
    text: str
    cell: str = ""
    source: str = ""
    done: bool | None = None


class Page:
    """``told`` is called with what the page tells, in any thread."""

    def __init__(self, told: Callable[[Told], None]) -> None:
        self._on_told = told
        self._field: Any = ipywidgets.Textarea(continuous_update=False)
        self._field.add_class("gemini-magic-told")
        self._field.observe(self._heard, "value")
        self._wish: Any = ipywidgets.HTML()
        self._wish.add_class("gemini-magic-wish")
        self.widgets: tuple[Any, ...] = (self._field, self._wish)
        for widget in self.widgets:
            widget.add_class("gemini-magic-hidden")

    def ask(self, told: Told, what: str, source: str, cell: str = "") -> None:
        """Have the page whose click this was ``insert`` a cell, or ``replace`` a cell's text."""
        wish = {"id": told.id, "does": told.does, "what": what, "source": source, "cell": cell}
        self._wish.value = html.escape(json.dumps(wish))

    def taken(self) -> None:
        """What was told was done. As with ``Prompt.taken``, called as a part of the panel's cell
        it has the next wait behind all that was set before."""
        self._field.value = ""

    def _heard(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        try:
            told = Told(**json.loads(change["new"]))
        except (ValueError, TypeError):  # not of panel.js
            return
        self._on_told(told)
