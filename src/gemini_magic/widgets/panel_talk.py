"""The conversation of a panel as it is shown: each turn with its buttons, and the one to come."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets

from gemini_magic.cell import GeminiCell
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.markup import escaped
from gemini_magic.widgets.panel_model import MEDIA, PanelModel
from gemini_magic.widgets.panel_place import Place
from gemini_magic.widgets.panel_turns import Turn

_BUTTONS = (
    ("Edit", "take this question back into the prompt; the answer to it becomes another branch"),
    ("Again", "ask this question again; the answer becomes another branch"),
    ("Branch", "go on from here, without what follows"),
    ("Delete", "take this turn out of the conversation"),
)


class Box:
    """One turn: what was asked, its buttons, and the place of its answer."""

    def __init__(self, cell: GeminiCell, place: Place | None = None) -> None:
        self.cell = cell
        self.place = place or Place()
        self.words: list[str] = []
        self.buttons = ipywidgets.HBox()
        self.widget: Any = ipywidgets.VBox(
            [ipywidgets.HTML(asked_html(cell)), self.buttons, self.place.widget]
        )
        self.widget.add_class("gemini-magic-turn")

    def again(self) -> Box:
        """Another one in its place, with the same answer; this one can be taken away."""
        self.widget.children = [one for one in self.widget.children if one is not self.place.widget]
        return Box(self.cell, self.place)


class Talk:
    """The turns on the path to the model's tip. ``do`` is told which button of a turn was used.

    The answers of ``before``, of the same model, are taken over.
    """

    def __init__(
        self, model: PanelModel, do: Callable[[str, Turn | None], None], before: Talk | None = None
    ) -> None:
        self._model, self._do = model, do
        self._boxes: dict[Turn, Box] = {}
        self._pending: Box | None = None
        if before is not None:
            self._boxes = {turn: box.again() for turn, box in before._boxes.items()}
            self._pending = before._pending and before._pending.again()
        self._forward = ipywidgets.Button(
            description="Show what followed", tooltip="show the turns that follow here again"
        )
        self._forward.add_class("gemini-magic-small")
        self._forward.on_click(lambda _: self._do("Forward", None))
        self.widget: Any = ipywidgets.VBox([self._forward])
        self.widget.add_class("gemini-magic-turns")

    def begin(self, cell: GeminiCell) -> Place:
        """A place for the answer to a cell that is about to be asked."""
        self._pending = Box(cell)
        self.show()
        return self._pending.place

    def end(self, turn: Turn | None) -> None:
        """The answer is there; without a turn nothing came of it, and its place goes."""
        pending, self._pending = self._pending, None
        if pending is not None and turn is not None:
            self._boxes[turn] = pending
        self.show()
        if pending is not None and turn is None:
            close(pending.widget)

    def show(self) -> None:
        """Draw the path to the tip."""
        known = set(self._model.turns)
        for turn in [turn for turn in self._boxes if turn not in known]:
            close(self._boxes.pop(turn).widget)
        shown = []
        for turn in self._model.turns.path:
            box = self._boxes[turn]
            self._label(box, turn)
            shown.append(box.widget)
        if self._pending is not None:
            shown.append(self._pending.widget)
        hidden = self._pending is not None or not self._model.turns.more
        self._forward.layout.display = "none" if hidden else None
        self.widget.children = (*shown, self._forward)

    def _label(self, box: Box, turn: Turn) -> None:
        """The buttons of a turn: made once, and again when it gets another place among others."""
        known = self._model.turns.siblings(turn)
        where = f"{known.index(turn) + 1}/{len(known)}" if len(known) > 1 else ""
        arrows = (("‹", "the branch before"), (where, ""), ("›", "the branch after"))
        wanted = [*(arrows if where else ()), *_BUTTONS]
        words = [word for word, _ in wanted]
        if box.words == words:
            return
        box.words, old = words, box.buttons.children
        box.buttons.children = [self._button(word, does, turn) for word, does in wanted]
        for one in old:
            close(one)

    def _button(self, word: str, does: str, turn: Turn) -> Any:
        if not does:
            return ipywidgets.HTML(f'<span class="gemini-magic-media-names">{word}</span>')
        button = ipywidgets.Button(description=word, tooltip=does)
        button.add_class("gemini-magic-small")
        button.on_click(lambda _: self._do(word, turn))
        return button


def asked_html(cell: GeminiCell) -> str:
    """What was asked, as HTML; the names of its media before it."""
    media = [word for name in MEDIA for word in _words(cell, name)]
    names = "".join(
        f'<div class="gemini-magic-media-names">📎 {html.escape(word)}</div>' for word in media
    )
    return f'<div class="gemini-magic-asked">{names}{escaped(cell.template)}</div>'


def _words(cell: GeminiCell, name: str) -> tuple[str, ...]:
    value = cell.get(name)
    return value if isinstance(value, tuple) else ()
