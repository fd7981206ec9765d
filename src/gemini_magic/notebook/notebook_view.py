"""Draws an answer as outputs of a notebook's cell, while it comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic.events import (
    Event,
    Finished,
    PartDone,
    Preview,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from gemini_magic.notebook.display import MARKS, PATIENCE, Ending, Output, small_line, status_of
from gemini_magic.notebook.pieces import Called, Key, Piece, Shown, Text, Thoughts, keys_of
from gemini_magic.types import CANCELLED, Part, Reply, ToolUse

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that the first text waits for the end: what is there at once is drawn once.
_GRACE = 0.005
#: The same for a picture or a call: its end, or its result, mostly comes with it.
_LONGER_GRACE = 0.05
#: The characters of JSON of which all is shown at once, not only its outermost level.
_LARGEST_TREE = 10_000


class NotebookView:
    """Draws an answer as outputs that are updated in place, and its footer below.

    Text goes to one output; each picture, call and so on to one of its own, in the order in which
    they come, and what is said after it to the next. What goes on while nothing comes stands in
    the output that the next piece takes.

    At most 20 updates a second in the first second and 10 after it, fewer for long answers: a
    front end that lays a long text out anew falls behind at higher rates.
    """

    def __init__(self, output: Output, form: str, *, remote_images: bool = False) -> None:
        self._free = output
        self._form = form
        self._remote_images = remote_images
        self._pieces: list[Piece] = []
        self._text: Text | None = None
        self._thoughts: Thoughts | None = None
        self._preview: Shown | None = None
        self._begun = False
        self._length = 0
        self._undrawn = False
        self._status = self._told = ""
        self._switched = False
        self._began = self._still = time.monotonic()
        self._next = self._next_status = 0.0

    def delay(self) -> float:
        if not self._undrawn:
            return 0.0
        return max(0.0, self._next - time.monotonic())

    def take(self, events: Sequence[Event]) -> None:
        undrawn, self._undrawn = self._undrawn, False
        for event in events:
            if isinstance(event, TextDelta):
                if event.text:
                    self._status = ""
                    self._say(event.text)
            elif isinstance(event, Finished):
                undrawn = self._undrawn = False  # ``close`` draws it all
                self._status = ""
            elif isinstance(event, Started) and self._switched:
                pass  # the switch said who is asked, and why
            elif isinstance(event, PartDone | Preview | ToolCalled | ToolReturned):
                self._status = ""
                self._show(event)
            else:
                if isinstance(event, ThoughtDelta):
                    self._think(event.text)
                elif isinstance(event, Switched) and self._thoughts is not None:
                    self._pieces.remove(self._thoughts)  # they were another one's
                    self._thoughts = None
                if (status := status_of(event)) is not None:
                    self._status, self._switched = status, isinstance(event, Switched)
        now = time.monotonic()
        if self._undrawn:
            self._still = now
        self._undrawn = self._undrawn or undrawn
        if self._undrawn:
            if now >= self._next:
                self._draw(now)
        elif self._status and now - self._still > PATIENCE and now >= self._next_status:
            self._draw_status(now)

    # --- what comes ---

    def _say(self, text: str) -> None:
        if self._text is None:
            self._text = Text(self._form, self._remote_images)
            self._add(self._text)
        self._text.feed(text)
        self._length += len(text)
        self._undrawn = True

    def _think(self, text: str) -> None:
        if self._thoughts is None:
            self._thoughts = Thoughts()
            self._pieces.append(self._thoughts)
        self._thoughts.feed(text)

    def _show(self, event: PartDone | Preview | ToolCalled | ToolReturned) -> None:
        if isinstance(event, PartDone | Preview):
            if event.part.text:
                self._say(event.part.text)
            if event.part.text is not None or event.part.step is not None:
                return
        if isinstance(event, ToolReturned):
            self._returned(event.use)
        elif isinstance(event, ToolCalled):
            self._add(Called(event.call))
        elif self._preview is not None:  # one that is there already becomes another or final
            self._preview.part, self._preview.dirty = event.part, True
            self._preview.unfinished = isinstance(event, Preview)
            if not self._preview.unfinished:
                self._preview = None
        else:
            piece = Shown(event.part, unfinished=isinstance(event, Preview))
            self._preview = piece if piece.unfinished else None
            self._add(piece)
        self._undrawn = True

    def _returned(self, use: ToolUse) -> None:
        for piece in self._pieces:
            if isinstance(piece, Called) and piece.use is None and piece.call == use.call:
                piece.use, piece.dirty = use, True
                return
        self._add(Called(use.call, use))

    def _add(self, piece: Piece) -> None:
        if not isinstance(piece, Text):
            self._text = self._thoughts = None
        if not self._begun:  # what follows at once is drawn together with it
            grace = _GRACE if isinstance(piece, Text) else _LONGER_GRACE
            self._next = time.monotonic() + grace
            self._begun = True
        self._pieces.append(piece)

    # --- what is drawn ---

    def _draw(self, now: float) -> None:
        for piece in self._pieces:
            if piece.dirty and not (isinstance(piece, Thoughts) and piece is self._pieces[-1]):
                self._draw_piece(piece, *piece.data())
        if self._told:  # what came was no new piece, so the status still stands
            self._free.draw({"text/plain": ""})
            self._told = ""
        least = 0.05 if now - self._began < 1 else 0.1
        self._next = now + max(least, self._length / 160_000)
        self._undrawn = False

    def _draw_piece(self, piece: Piece, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if piece.output is None:
            piece.output, self._free = self._free, self._free.another()
            self._told = ""
        piece.output.draw(data, metadata)
        piece.dirty = False

    def _draw_status(self, now: float) -> None:
        if self._status != self._told:
            self._free.draw(small_line(self._status))
            self._told = self._status
            self._next_status = now + 0.1
        self._status = ""

    # --- the end ---

    def close(self, reply: Reply, ending: Ending) -> None:
        """Draw the whole answer and its footer."""
        if reply.target is None and not reply.text and not reply.parts:
            self.abandon()  # stopped before anything was asked
            return
        wanted = keys_of(reply)
        if [piece.key for piece in self._pieces if piece.key is not None] != wanted:
            self._compose(reply, wanted)
        said = [piece for piece in self._pieces if not isinstance(piece, Thoughts)]
        texts = [piece for piece in said if isinstance(piece, Text)]
        marked = reply.finish_reason in MARKS and not (said and said[-1] in texts)
        if not said or marked or (ending.frame is not None and not texts):
            texts.append(Text(self._form, self._remote_images))
            self._pieces.append(texts[-1])
        if reply.thoughts and not any(isinstance(one, Thoughts) for one in self._pieces):
            fresh = all(piece.output is None for piece in self._pieces)
            self._pieces.insert(0 if fresh else len(self._pieces), Thoughts(reply.thoughts))
        self._assign(reply, ending.saved)
        whose = {} if ending.metadata is None else {"gemini_magic": ending.metadata}
        for piece in self._pieces:
            if isinstance(piece, Text):
                data = piece.whole(reply, ending, last=piece is texts[-1])
                # Lab opens a tree of JSON where it is told to; a large one would take it seconds.
                is_tree = "application/json" in data and len(reply.text) <= _LARGEST_TREE
                more = {"application/json": {"expanded": True}} if is_tree else {}
                self._draw_piece(piece, data, {**more, **whose})
            elif isinstance(piece, Thoughts):
                if piece.dirty:
                    self._draw_piece(piece, *piece.data())
                continue
            elif piece.dirty or whose:
                data, more = piece.data()
                self._draw_piece(piece, data, {**more, **whose})
            whose = {}
        self._below(reply, ending.footer)

    def _compose(self, reply: Reply, wanted: list[Key]) -> None:
        """Make the pieces anew from a reply that is not what the events said."""
        outputs = [piece.output for piece in self._pieces if piece.output is not None]
        uses = list(reply.tool_calls)
        self._pieces = []
        for key in wanted:
            if isinstance(key, str):
                text = Text(self._form, self._remote_images)
                text.feed(key)
                self._pieces.append(text)
            elif isinstance(key, Part):
                self._pieces.append(Shown(key))
            else:
                use = next((one for one in uses if one.call == key), None)
                if use is not None:
                    uses.remove(use)
                self._pieces.append(Called(key, use))
        for piece, output in zip(self._pieces, outputs, strict=False):
            piece.output = output
        for output in outputs[len(self._pieces) :]:
            output.draw({"text/plain": ""})

    def _assign(self, reply: Reply, saved: Sequence[Path | None]) -> None:
        """Tell the media where they were saved, and the calls that nothing more comes."""
        paths = {id(part): path for part, path in zip(reply.media, saved, strict=False)}
        for piece in self._pieces:
            if isinstance(piece, Called) and piece.use is None:
                piece.over = "stopped" if reply.finish_reason == CANCELLED else "not run"
                piece.dirty = True
            elif paths and isinstance(piece, Shown) and (path := paths.get(id(piece.part))):
                piece.path, piece.dirty = path, True

    def _below(self, reply: Reply, footer: str) -> None:
        """The sources and the footer; the first of them takes the place of a status."""
        lines = [small_line(footer)]
        if reply.citations or reply.queries:
            from gemini_magic.notebook.blocks import sources_data

            if (sources := sources_data(reply.citations, reply.queries)) is not None:
                lines.insert(0, sources)
        if self._free.drawn:
            self._free.draw(lines.pop(0))
        for line in lines:
            self._free.beside(line)

    def abandon(self) -> None:
        for output in (*(piece.output for piece in self._pieces), self._free):
            if output is not None and output.drawn:
                output.draw({"text/plain": ""})


def draw_whole(shell: Any, reply: Reply, footer: str, saved: Sequence[Path | None] = ()) -> None:
    """Draw a reply that is there already, with all its parts, and its footer below."""
    form = "markdown" if reply.parsed is None else "json"
    NotebookView(Output(shell), form).close(reply, Ending(footer, saved=saved))
