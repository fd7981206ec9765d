"""Where answers are drawn: a notebook's output, a terminal, or nowhere."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from gemini_magic.notebook.sanitise import Sanitiser, sanitise
from gemini_magic.notebook.tables import escaped
from gemini_magic.types import (
    CANCELLED,
    CUT,
    Event,
    Finished,
    Reply,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    Waiting,
)

#: Seconds without a word before the output says that it waits.
PATIENCE = 0.4
#: Seconds that the first text waits for the end: what is there at once is drawn once.
_GRACE = 0.005

_CONTROLS = {code: None for code in (*range(9), *range(11, 32), 127, *range(128, 160))}


def readable(text: str) -> str:
    """Text for a terminal or a plain output: without control characters."""
    return text.translate(_CONTROLS)


class View(Protocol):
    """Draws one answer while it comes."""

    def delay(self) -> float:
        """Seconds until something may be drawn again; 0 if it may be now."""

    def take(self, events: Sequence[Event]) -> None:
        """Draw what happened; an empty list says that time has passed."""

    def close(self, reply: Reply, footer: str, metadata: dict[str, Any]) -> None:
        """Draw the whole answer and the line below it."""

    def abandon(self) -> None:
        """There is no answer: take back what was drawn while waiting."""


def view_for(shell: Any, form: str, *, quiet: bool, remote_images: bool) -> View:
    """The view that fits the front end and the form (markdown, text, json, code)."""
    if quiet:
        return NoView()
    if not hasattr(shell, "kernel"):
        return TerminalView(form)
    return NotebookView(Output(shell), form, remote_images=remote_images)


class Output:
    """One output of the running cell, drawn again in place."""

    def __init__(self, shell: Any) -> None:
        self._publisher = shell.display_pub
        self._id = {"display_id": uuid.uuid4().hex}
        self._drawn = False

    def draw(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._publisher.publish(data, metadata or {}, transient=self._id, update=self._drawn)
        self._drawn = True

    def beside(self, data: dict[str, Any]) -> None:
        """Draw an output of its own, which stays as it is."""
        self._publisher.publish(data, {})

    @property
    def drawn(self) -> bool:
        return self._drawn


class NoView:
    """Draws nothing (``--quiet``)."""

    def delay(self) -> float:
        return 0.0

    def take(self, events: Sequence[Event]) -> None:
        pass

    def close(self, reply: Reply, footer: str, metadata: dict[str, Any]) -> None:
        pass

    def abandon(self) -> None:
        pass


class NotebookView:
    """Draws an answer in one output that is updated in place, and its footer in another.

    At most 20 updates a second in the first second and 10 after it, fewer for long answers: a
    front end that lays a long text out anew falls behind at higher rates.
    """

    def __init__(self, output: Output, form: str, *, remote_images: bool = False) -> None:
        self._output = output
        self._form = form
        self._remote_images = remote_images
        self._sanitiser = Sanitiser(allow_remote_images=remote_images)
        self._texts: list[str] = []
        self._length = 0
        self._undrawn = False
        self._status = ""
        self._switched = False
        self._began = time.monotonic()
        self._next = 0.0

    def delay(self) -> float:
        if not self._undrawn:
            return 0.0
        return max(0.0, self._next - time.monotonic())

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, TextDelta):
                if not self._texts:
                    self._next = time.monotonic() + _GRACE
                self._texts.append(event.text)
                self._length += len(event.text)
                if self._form in ("markdown", "code"):
                    self._sanitiser.feed(event.text)
                self._undrawn = True
            elif isinstance(event, Finished):
                self._undrawn, self._status = False, ""  # ``close`` draws it all
            elif isinstance(event, Started) and self._switched:
                pass  # the switch said who is asked, and why
            elif (status := status_of(event)) is not None:
                self._status, self._switched = status, isinstance(event, Switched)
        now = time.monotonic()
        if self._undrawn:
            if now >= self._next:
                self._draw_text(now)
        elif not self._texts and self._status and now - self._began > PATIENCE:
            self._draw_status()

    def _draw_text(self, now: float) -> None:
        if self._form in ("markdown", "code"):
            self._output.draw(_markdown(self._sanitiser.markdown, "".join(self._texts)))
        else:
            self._output.draw({"text/plain": readable("".join(self._texts))})
        least = 0.05 if now - self._began < 1 else 0.1
        self._next = now + max(least, self._length / 160_000)
        self._undrawn = False

    def _draw_status(self) -> None:
        self._output.draw(_line(self._status))
        self._status = ""

    def close(self, reply: Reply, footer: str, metadata: dict[str, Any]) -> None:
        if reply.target is None and not reply.text:  # stopped before anything was asked
            self.abandon()
            return
        cleaned = self._sanitiser.markdown if len(reply.text) == self._length else None
        data = reply_data(reply, self._form, remote_images=self._remote_images, cleaned=cleaned)
        draw_reply(self._output, data, footer, {"gemini_magic": metadata})

    def abandon(self) -> None:
        if self._output.drawn:
            self._output.draw({"text/plain": ""})


def draw_reply(
    output: Output, data: dict[str, Any], footer: str, metadata: dict[str, Any] | None = None
) -> None:
    """Draw a whole answer, and its footer below (where an open fence cannot swallow it)."""
    output.draw(data, metadata)
    output.beside(_line(footer))


def _line(text: str) -> dict[str, Any]:
    """One small line about an answer, as MIME data; prices in it are no formulas."""
    # Lab drops var() from an untrusted notebook's styles; the colour before it stays.
    style = "color: #757575; color: var(--jp-ui-font-color2, #757575); font-size: 85%"
    return {"text/plain": text, "text/html": f'<div style="{style}">{escaped(text)}</div>'}


def reply_data(
    reply: Reply, form: str, *, remote_images: bool = False, cleaned: str | None = None
) -> dict[str, Any]:
    """A whole answer as MIME data; as the form asks, where the answer allows it.

    ``cleaned`` is its sanitised Markdown, where that is there already.
    """
    if form == "json":
        try:
            return {"application/json": reply.json, "text/plain": readable(reply.text)}
        except (ValueError, RecursionError):
            form = "text"
    mark = _MARKS.get(reply.finish_reason, "")
    if form == "text":
        return {"text/plain": readable(reply.text) + (f" … {mark}" if mark else "")}
    if cleaned is None:
        cleaned = sanitise(reply.text, allow_remote_images=remote_images)
    mark = f"\n\n*… {mark}*" if mark else ""
    return _markdown(cleaned + mark, reply.text + mark)


#: What tells a partial answer from a whole one.
_MARKS = {CANCELLED: "(interrupted)", CUT: "(cut off)"}


def _markdown(markdown: str, plain: str) -> dict[str, Any]:
    return {"text/markdown": markdown, "text/plain": readable(plain)}


class TerminalView:
    """Writes an answer to the terminal as it comes."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._written = 0
        self._told = ""

    def delay(self) -> float:
        return 0.0

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Waiting | Switched) and not self._written:
                if event.why != self._told:  # a countdown is told once
                    sys.stdout.write(f"[{status_of(event)}]\n")
                self._told = event.why
            elif isinstance(event, TextDelta) and self._form != "json":
                sys.stdout.write(readable(event.text))
                self._written += len(event.text)
        sys.stdout.flush()

    def close(self, reply: Reply, footer: str, metadata: dict[str, Any]) -> None:
        rest = reply.text[self._written :]
        sys.stdout.write(readable(rest))
        mark = _MARKS.get(reply.finish_reason, "")
        sys.stdout.write((f" … {mark}" if mark else "") + "\n" * bool(reply.text) + f"[{footer}]\n")
        sys.stdout.flush()

    def abandon(self) -> None:
        pass


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
        case _:
            return None
