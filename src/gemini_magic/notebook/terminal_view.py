"""Writes an answer to a terminal as it comes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gemini_magic.events import Event, PartDone, Switched, TextDelta, ToolReturned, Waiting
from gemini_magic.notebook.display import MARKS, Ending, status_of
from gemini_magic.types import Part, Reply
from gemini_magic.widgets.markup import readable


class TerminalView:
    """Writes an answer to the terminal as it comes."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._written = 0
        self._in_line = False
        self._told = ""

    def delay(self) -> float:
        return 0.0

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Waiting | Switched) and not self._written:
                if event.why != self._told:  # a countdown is told once
                    self._aside(status_of(event) or "")
                self._told = event.why
            elif isinstance(event, TextDelta) and self._form not in ("json", "df"):
                self._write(event.text)
            elif isinstance(event, ToolReturned):
                from gemini_magic.notebook.blocks import tool_line

                self._aside(tool_line(event.use.call, event.use))
            elif isinstance(event, PartDone):
                self._part(event.part)
        sys.stdout.flush()

    def close(self, reply: Reply, ending: Ending) -> None:
        text = "".join(part.text or "" for part in reply.parts) or reply.text
        if reply.parsed is not None and not self._written:
            from gemini_magic.notebook.forms import said

            text = text.removesuffix(reply.text) + said(reply.text, reply.parsed)
        self._write(text[self._written :] if ending.frame is None else str(ending.frame))
        mark = MARKS.get(reply.finish_reason, "")
        sys.stdout.write((f" … {mark}" if mark else "") + "\n" * (self._in_line or bool(mark)))
        self._in_line = False
        if any(ending.saved):
            from gemini_magic.notebook.players import shown

            for path in ending.saved:
                self._aside(f"saved as {shown(path)}" if path else "not saved")
        if reply.citations or reply.queries:
            from gemini_magic.notebook.blocks import sources_data

            if (sources := sources_data(reply.citations, reply.queries)) is not None:
                sys.stdout.write(readable(sources["text/plain"]) + "\n")
        self._aside(ending.footer)
        sys.stdout.flush()

    def abandon(self) -> None:
        pass

    def _write(self, text: str) -> None:
        sys.stdout.write(readable(text))
        self._written += len(text)
        if text:
            self._in_line = True

    def _aside(self, text: str) -> None:
        """A line of its own about the answer."""
        sys.stdout.write("\n" * self._in_line + f"[{readable(text)}]\n")
        self._in_line = False

    def _part(self, part: Part) -> None:
        from gemini_magic.notebook import blocks, players

        if part.step is not None:
            return
        if part.text is not None:
            if self._form not in ("json", "df"):
                self._write(part.text)
            return
        if part.code is not None:
            lines = blocks.code_data(part.code)["text/plain"]
        elif part.output is not None:
            lines = blocks.output_data(part.output)["text/plain"]
        else:
            lines = players.media_data(part)[0]["text/plain"]
        sys.stdout.write("\n" * self._in_line + readable(lines).rstrip("\n") + "\n")
        self._in_line = False
