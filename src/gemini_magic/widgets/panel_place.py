"""Where a panel shows an answer: outputs as below a cell, each drawn again by itself."""

from __future__ import annotations

from typing import Any

import ipywidgets


class Slot:
    """One output. Only what it shows is sent again when it changes."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._widget: Any = None

    @property
    def drawn(self) -> bool:
        return self._widget is not None

    def draw(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Show MIME data in place of what is there."""
        shown = () if data == {"text/plain": ""} else (
            {"output_type": "display_data", "data": data, "metadata": metadata or {}},
        )  # fmt: skip
        if self._widget is None:
            self._widget = ipywidgets.Output(outputs=shown)
            self._place.add(self._widget)
        else:
            self._widget.outputs = shown


class Place:
    """A column of outputs."""

    def __init__(self) -> None:
        self.widget: Any = ipywidgets.VBox()
        self.widget.add_class("gemini-magic-answer")

    def slot(self) -> Slot:
        """Another output, below; it takes no room until it is drawn."""
        return Slot(self)

    def add(self, widget: Any) -> None:
        self.widget.children = (*self.widget.children, widget)
