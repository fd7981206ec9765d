"""Whether what is live in a notebook can be seen, as the pages say that show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from gemini_magic.widgets.free import free_of_cells
from gemini_magic.widgets.script import script

_NO_ROOM = {
    "visibility": "hidden", "height": "0px", "min_height": "0px", "margin": "0px",
    "overflow": "hidden",
}  # fmt: skip


class Sight:
    """``widgets`` go into a box that has a name (see ``still.Still``); they take no room.

    ``seen`` is called, in any thread, when the box has come into sight. Where no script runs
    nobody says anything, and nothing counts as hidden.
    """

    def __init__(self, seen: Callable[[], None]) -> None:
        self._seen = seen
        self._pages: set[str] = set()
        #: Whether a page ever said something.
        self.told = False
        # Heard while a cell runs, too. Not display: none, since a script finds it by its animation.
        self._field: Any = free_of_cells(
            lambda: ipywidgets.Textarea(
                continuous_update=False, tooltip="whether this can be seen", layout=_NO_ROOM
            )
        )
        self._field.add_class("gemini-magic-sight")
        self._field.observe(self._heard, "value")
        self.widgets: tuple[Any, ...] = (self._field, script("sight.js"))

    @property
    def hidden(self) -> bool:
        """Whether no page shows it, as far as pages said."""
        return self.told and not self._pages

    def _heard(self, change: dict[str, Any]) -> None:
        """A page and ``seen`` or ``hidden``: two windows may show the same."""
        page, _, word = change["new"].partition(" ")
        if word == "seen":
            self._pages.add(page)
            self.told = True
            self._seen()
        elif word == "hidden":
            self._pages.discard(page)
            self.told = True
