"""Where answers are drawn: a notebook's output, a terminal, or nowhere."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gemini_magic.events import Event, Started, Switched, ThoughtDelta, Uploading, Waiting
from gemini_magic.notebook.publishing import publish_next
from gemini_magic.types import CANCELLED, CUT, Reply
from gemini_magic.widgets.markup import SMALL, escaped

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds without a word before the output says that it waits.
PATIENCE = 0.4
#: What tells a partial answer from a whole one.
MARKS = {CANCELLED: "(interrupted)", CUT: "(cut off)"}


class Ending(NamedTuple):
    """What is drawn with the end of an answer.

    ``footer`` is the line below it; ``metadata`` goes to its first output. ``saved`` are the files
    of ``reply.media``, in their order, None for one that has none; ``frame`` is the DataFrame that
    stands for the text (``--as df``). ``raw``: the text does not fit its schema, and is shown as
    it is.
    """

    footer: str
    metadata: dict[str, Any] | None = None
    saved: Sequence[Path | None] = ()
    frame: Any = None
    raw: bool = False


class View(Protocol):
    """Draws one answer while it comes."""

    def delay(self) -> float:
        """Seconds until something may be drawn again; 0 if it may be now."""

    def take(self, events: Sequence[Event]) -> None:
        """Draw what happened; an empty list says that time has passed."""

    def close(self, reply: Reply, ending: Ending) -> None:
        """Draw the whole answer and the line below it."""

    def abandon(self) -> None:
        """There is no answer: take back what was drawn while waiting."""


def view_for(shell: Any, form: str, *, quiet: bool, remote_images: bool) -> View:
    """The view that fits the front end and the form (markdown, text, json, code, html, df)."""
    if quiet:
        return NoView()
    if not hasattr(shell, "kernel"):
        from gemini_magic.notebook.terminal_view import TerminalView

        return TerminalView(form)
    from gemini_magic.notebook.notebook_view import NotebookView

    return NotebookView(Output(shell), form, remote_images=remote_images)


class Output:
    """One output of the running cell, drawn again in place."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._publisher = shell.display_pub
        self._id: dict[str, str] = {}
        self._drawn = False

    def draw(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        if not self._id:
            self._id = {"display_id": uuid.uuid4().hex}
        self._publisher.publish(data, metadata or {}, transient=self._id, update=self._drawn)
        self._drawn = True

    def another(self) -> Output:
        """A new output, below."""
        return Output(self._shell)

    def beside(self, data: dict[str, Any]) -> None:
        """Draw an output of its own, which stays as it is, directly after another was drawn."""
        publish_next(self._publisher, data)

    @property
    def drawn(self) -> bool:
        return self._drawn


class NoView:
    """Draws nothing (``--quiet``)."""

    def delay(self) -> float:
        return 0.0

    def take(self, events: Sequence[Event]) -> None:
        pass

    def close(self, reply: Reply, ending: Ending) -> None:
        pass

    def abandon(self) -> None:
        pass


def small_line(text: str) -> dict[str, Any]:
    """One small line about an answer, as MIME data; prices in it are no formulas."""
    return {"text/plain": text, "text/html": f'<div style="{SMALL}">{escaped(text)}</div>'}


def status_of(event: Event) -> str | None:
    """One line on what is going on, None for events that say nothing of it."""
    match event:
        case Waiting(why, None):
            return f"{why.rstrip(' …')} …"
        case Waiting(why, until):
            return f"{why.rstrip(' …')}; waiting {max(1, round((until or 0) - time.time()))} s …"
        case Started(target):
            return f"waiting for {target.model} on {target.backend} …"
        case Switched(old, new, why, host, price):
            whose = "" if old.backend in why else f"{old}: "
            return f"{whose}{why} Asking {new} ({', '.join(filter(None, (host, price)))}) …"
        case ThoughtDelta():
            return "thinking …"
        case Uploading(name, done, total):
            share = f"{100 * min(done, total) // total} %" if total else "…"
            return f"uploading {name}: {share} of {total / 1e6:.1f} MB …"
        case _:
            return None
