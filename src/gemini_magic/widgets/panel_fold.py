"""A part of a panel that can be folded away, and is made when it is first opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets


class Fold:
    """A button with a title, and below it what ``build`` makes while it is open."""

    def __init__(
        self,
        title: str,
        build: Callable[[], Any],
        *,
        is_open: bool = False,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._title, self._build, self._opened = title, build, opened
        self._content: Any = None
        self._more = ""
        self.is_open = False
        self._button = ipywidgets.Button(tooltip=f"{title}: open or close")
        self._button.on_click(lambda _: self.toggle())
        self.widget: Any = ipywidgets.VBox([self._button])
        self.widget.add_class("gemini-magic-fold")
        self._draw()
        if is_open:
            self.toggle()

    @property
    def built(self) -> bool:
        return self._content is not None

    def toggle(self) -> None:
        self.is_open = not self.is_open
        if self.is_open and self._content is None:
            self._content = self._build()
            self.widget.children = (self._button, self._content)
        if self._content is not None:
            self._content.layout.display = None if self.is_open else "none"
        self._draw()
        if self.is_open:
            self._opened()

    def tell(self, more: str) -> None:
        """Say something beside the title, such as how much is set in here."""
        self._more = more
        self._draw()

    def _draw(self) -> None:
        more = f" · {self._more}" if self._more else ""
        self._button.description = f"{'▾' if self.is_open else '▸'} {self._title}{more}"
