"""The panel: AI Studio's two columns out of ipywidgets, over a model that holds all there is."""

from __future__ import annotations

import contextvars
import html
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.free import free_of_cells
from gemini_magic.widgets.later import Later
from gemini_magic.widgets.markup import escaped
from gemini_magic.widgets.panel_cells import CellTools
from gemini_magic.widgets.panel_media import MediaRow
from gemini_magic.widgets.panel_model import PanelModel
from gemini_magic.widgets.panel_place import Place
from gemini_magic.widgets.panel_prompt import Prompt
from gemini_magic.widgets.panel_settings import Settings
from gemini_magic.widgets.panel_talk import Talk
from gemini_magic.widgets.panel_text import plainly
from gemini_magic.widgets.panel_turns import Turn
from gemini_magic.widgets.script import script

#: Seconds without a key until what is typed is counted.
_PAUSE = 0.3


class Panel:
    """A live panel. Its handlers may be called in any thread, and none of them takes long.

    ``before``: a panel of the same model that this one takes the place of, and which is taken away;
    its answers, and one that still comes, go on here. ``ended`` is called when a run is over.
    """

    def __init__(self, model: PanelModel, before: Panel | None = None) -> None:
        self._lock: threading.RLock = before._lock if before is not None else threading.RLock()
        with self._lock:
            self._make(model, before)

    def _make(self, model: PanelModel, before: Panel | None) -> None:
        self.model = model
        self.ended: Callable[[], None] = lambda: None
        self.used = time.monotonic()
        self._context = contextvars.copy_context()
        model.over = self._over
        self._count = Later(_PAUSE, self._counted)
        self._talk: Talk = Talk(model, self._do, before._talk if before is not None else None)
        self._prompt = Prompt(model, self._lock, self._changed, self._asked)
        self._media = MediaRow(model, self._changed, self._act)
        self._settings = Settings(model, self._changed, self._act, self._act_later)
        self._cells = CellTools(model, self._loaded, self._at_once, self._act, self._act_later)
        self._said = ipywidgets.HTML()
        self._counter = ipywidgets.HTML()
        self._counter.add_class("gemini-magic-count")
        self._meters: Any = None
        self._meter_box = ipywidgets.VBox()
        self.widget: Any = self._made()
        self.show()
        if before is not None:
            before._leave()

    # --- how it is put together ---

    def _made(self) -> Any:
        style = Path(__file__).with_name("panel.css").read_text("utf-8")
        looks = ipywidgets.HTML(f"<style>{style}</style>")
        looks.add_class("gemini-magic-hidden")
        self._run = _button("Run", "ask (Ctrl+Enter, ⌘+Enter)", self.run, "gemini-magic-run")
        # Nothing is ever sent to it again: see ``free_of_cells``.
        stop = free_of_cells(
            lambda: _button("Stop", "stop the answer", self.stop, "gemini-magic-stop")
        )
        self._stopping = ipywidgets.HBox([stop])
        new = _button("New", "begin a new conversation", lambda: self._do("New", None))
        bar = ipywidgets.HBox([self._run, self._stopping, new, self._counter])
        bar.add_class("gemini-magic-bar")
        talk = ipywidgets.VBox([
            self._talk.widget, self._said, self._prompt.field, self._media.widget, bar,
            self._meter_box, self._cells.widget,
        ])  # fmt: skip
        talk.add_class("gemini-magic-talk")
        columns = ipywidgets.Box([talk, self._settings.widget])
        columns.add_class("gemini-magic-columns")
        panel = ipywidgets.VBox([
            looks, script("panel.js"), self._prompt.sent, *self._cells.page.widgets, columns,
        ])  # fmt: skip
        panel.add_class("gemini-magic-panel")
        return panel

    def show(self) -> None:
        """Show what the model holds."""
        with self._lock:
            self._prompt.show()
            self._settings.show()
            self._media.show()
            self._talk.show()
            self._buttons()
        self._changed()

    def close(self) -> None:
        """Take the panel away, and stop what it does."""
        self.model.stop()
        self._leave()

    def _leave(self) -> None:
        self._count.cancel()
        with self._lock:
            if self._meters is not None:
                self._meters.close()
            close(self.widget)

    # --- what the user does ---

    def run(self) -> None:
        """Ask what stands there; returns at once."""
        self._use()
        if self.model.running:
            return
        self._run.disabled = True
        self._in_background(self._settle)

    def _settle(self) -> None:
        self._prompt.settle()
        self._ask()

    def _asked(self, text: str) -> None:
        """Ask this, which is what stands there; done before whatever is typed next."""
        self._use()
        self._context.copy().run(self._ask, text)

    def stop(self) -> None:
        """Stop the answer that comes; returns at once."""
        self._use()
        self.model.stop()

    def _ask(self, text: str | None = None, again: Turn | None = None) -> None:
        with self._lock:
            if self.model.running:  # a second click
                self._prompt.taken()
                return
            self.tell("")
            if text is not None:
                self._prompt.take(text)
            place = self._talk.begin(self.model.asked(again))
            try:
                self.model.run(place, again)
            except Exception as problem:  # nobody else would see it
                self._talk.end(None)
                self.tell(str(problem), wrong=True)
            self._prompt.taken()
            self._talk.show()
            self._media.show()
            self._buttons()

    def _over(self, turn: Turn | None, place: Place, error: str) -> None:
        with self._lock:
            if self.model.over != self._over:  # another panel has taken the place of this one
                self.model.over(turn, place, error)
                return
            if turn is not None and turn.reply is None:
                place.add(ipywidgets.HTML(_said(error, wrong=True)))
            self._talk.end(turn)
            self.tell(error, wrong=True)
        self.show()
        self.ended()

    def _at_once(self, text: str, work: Callable[[], None]) -> None:
        """Do something while this is what stands there, before whatever is typed next."""
        self._context.copy().run(self._do_with, text, work)

    def _do_with(self, text: str, work: Callable[[], None]) -> None:
        with self._lock:
            self._prompt.take(text)
            self._act(work)
            self._prompt.show()

    def _do(self, word: str, turn: Turn | None) -> None:
        self._act(partial(self._change, word, turn))

    def _change(self, word: str, turn: Turn | None) -> None:
        model = self.model
        with self._lock:
            if model.running:
                raise UsageError("it still answers.", "Stop it, or wait.")
            if turn is None:
                model.turns.clear() if word == "New" else model.turns.forward()
            elif word == "Again":
                self._in_background(partial(self._ask, again=turn))
                return
            elif word == "Edit":
                model.edit(turn)
            elif word == "Branch":
                model.turns.branch(turn)
            elif word == "Delete":
                model.turns.delete(turn)
            else:
                model.turns.step(turn, 1 if word == "›" else -1)
            self.show()
        if word == "Edit":
            self._prompt.field.focus()

    def _loaded(self, said: str) -> None:
        self.show()
        self.tell(said)

    # --- what is said ---

    def tell(self, text: str, *, wrong: bool = False) -> None:
        """One line above the prompt; an empty one takes it away."""
        self._said.value = _said(text, wrong) if text else ""

    def _buttons(self) -> None:
        running = self.model.running
        self._run.disabled = running
        self._stopping.layout.display = None if running else "none"

    def _changed(self) -> None:
        self._use()
        self._count()

    def _use(self) -> None:
        self.used = time.monotonic()
        meters = self._meters
        if meters is None or not meters.live:
            self._in_background(self._measure)
        else:
            meters.wake()

    def _measure(self) -> None:
        with self._lock:
            if self._meters is not None and self._meters.live:
                return
            if self.widget.comm is None:
                return
            old, self._meters = self._meters, None
            try:
                self._meters = self.model.desk.meters(lambda: self.model.who, lambda: self.used)
            except GeminiMagicError as error:
                self._meter_box.children = [ipywidgets.HTML(html.escape(str(error)))]
                return
            self._meter_box.children = [self._meters.widget]
            if old is not None:
                old.close()

    def _counted(self) -> None:
        try:
            said = self.model.desk.count(self.model.cell, self.model.turns.history())
        except GeminiMagicError as error:
            said = plainly(error)
        text = escaped(said)
        if self._counter.value != text:
            self._counter.value = text

    # --- threads ---

    def _act(self, work: Callable[[], None]) -> None:
        """Do something now, and say what goes wrong."""
        self._use()
        try:
            self.tell("")
            work()
        except Exception as problem:  # nobody else would see it
            self.tell(plainly(problem), wrong=True)

    def _act_later(self, work: Callable[[], None]) -> None:
        """Do something that may take a while, and say what goes wrong."""
        self._in_background(partial(self._act, work))

    def _in_background(self, work: Callable[[], None]) -> None:
        """Do something in a thread, as a part of the cell that made the panel."""
        context = self._context.copy()
        name = "gemini_magic panel"
        threading.Thread(target=context.run, args=(work,), name=name, daemon=True).start()


def _button(word: str, does: str, act: Callable[[], None], look: str = "") -> Any:
    button = ipywidgets.Button(description=word, tooltip=does)
    button.on_click(lambda _: act())
    if look:
        button.add_class(look)
    return button


def _said(text: str, wrong: bool) -> str:
    kind, role = ("wrong", "alert") if wrong else ("can", "status")
    return f'<div class="gemini-magic-{kind}" role="{role}">{escaped(text)}</div>'
