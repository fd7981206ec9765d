"""The prompt of a panel, and Run with exactly the text that its user sees."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from gemini_magic.widgets.panel_model import PanelModel

#: Seconds without news of the prompt before a click on Run counts: a front end holds the last keys
#: back while the kernel is busy, and sends them after the click.
_SETTLED = 0.12


class Prompt:
    """The field, and ``sent``: what panel.js tells in place of a click on Run.

    It is a time, the end of a line, and the text that stands in the field. One message has both the
    text and the wish to run, so that neither comes without the other on a slow connection. Where no
    script runs, ``settle`` waits for the text instead.

    ``changed`` is called once something was typed, ``run`` with a text that is to be asked.
    """

    def __init__(
        self,
        model: PanelModel,
        lock: threading.RLock,
        changed: Callable[[], None],
        run: Callable[[str], None],
    ) -> None:
        self._model, self._lock, self._changed, self._run = model, lock, changed, run
        self._typed = 0.0
        self._late: str | None = None
        self.field: Any = ipywidgets.Textarea(
            description="Prompt", rows=5, layout={"width": "auto"},
            placeholder="Ask Gemini. {{ name }} stands for a variable of yours.",
            tooltip="the prompt; Ctrl+Enter (⌘+Enter) runs it",
        )  # fmt: skip
        self.field.add_class("gemini-magic-prompt")
        self.field.add_class("gemini-magic-label-above")
        self.field.observe(self._typing, "value")
        self.sent: Any = ipywidgets.Textarea(continuous_update=False)
        self.sent.add_class("gemini-magic-sent")
        self.sent.add_class("gemini-magic-hidden")
        self.sent.observe(self._told, "value")

    def show(self) -> None:
        """Show what the model holds."""
        self.field.value = self._model.template

    def settle(self) -> None:
        """Wait until what is typed has come."""
        while (left := self._typed + _SETTLED - time.monotonic()) > 0:
            time.sleep(left)

    def take(self, text: str) -> None:
        """What stands in the field is this, whatever was told of it so far."""
        self._model.template = text
        self._late = text if text != self.field.value else None

    def taken(self) -> None:
        """The text was taken: show what is left, and be ready for the next.

        What is sent to ``sent`` here, as a part of the panel's cell, also has the next message
        from it wait for a cell that runs, behind all that was set before (see
        ``free.free_of_cells``).
        """
        self.show()
        self.sent.value = ""

    def _typing(self, change: dict[str, Any]) -> None:
        with self._lock:
            text = self.field.value
            if text == self._model.template:  # it was we
                return
            late, self._late = self._late, None
            if text == late:  # the front end had held it back, and it was asked meanwhile
                self.show()
                return
            self._typed = time.monotonic()
            self._model.template = text
        self._changed()

    def _told(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._run(change["new"].partition("\n")[2])
