"""Where answers are drawn: a notebook's output, a terminal, or nowhere."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gemini_magic.notebook.sanitise import Sanitiser, sanitise
from gemini_magic.notebook.tables import escaped
from gemini_magic.types import (
    CANCELLED,
    CUT,
    STOP,
    Event,
    Finished,
    Part,
    PartDone,
    Preview,
    Reply,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    ToolCall,
    ToolCalled,
    ToolReturned,
    ToolUse,
    Uploading,
    Waiting,
)

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds without a word before the output says that it waits.
PATIENCE = 0.4
#: Seconds that the first text waits for the end: what is there at once is drawn once.
_GRACE = 0.005
#: The same for a picture or a call: its end, or its result, mostly comes with it.
_LONGER_GRACE = 0.05

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

    def close(
        self,
        reply: Reply,
        footer: str,
        metadata: dict[str, Any] | None = None,
        *,
        saved: Sequence[Path | None] = (),
        frame: Any = None,
    ) -> None:
        """Draw the whole answer and the line below it.

        ``saved`` are the files of ``reply.media``, in their order, None for one that has none;
        ``frame`` is the DataFrame that is shown in place of the text (``--as df``).
        """

    def abandon(self) -> None:
        """There is no answer: take back what was drawn while waiting."""


def view_for(shell: Any, form: str, *, quiet: bool, remote_images: bool) -> View:
    """The view that fits the front end and the form (markdown, text, json, code, html, df)."""
    if quiet:
        return NoView()
    if not hasattr(shell, "kernel"):
        return TerminalView(form)
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

    def close(
        self,
        reply: Reply,
        footer: str,
        metadata: dict[str, Any] | None = None,
        *,
        saved: Sequence[Path | None] = (),
        frame: Any = None,
    ) -> None:
        pass

    def abandon(self) -> None:
        pass


class _Block:
    """What one output shows; ``key`` tells which part of a reply that is."""

    output: Output | None = None
    dirty = True

    @property
    def key(self) -> str | Part | ToolCall | None:
        """The text, part or call; None for what is no part of a reply."""
        return None

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it shows while the answer comes: MIME data and their metadata."""
        raise NotImplementedError


class _Text(_Block):
    """The text between two parts of another kind."""

    def __init__(self, form: str, remote_images: bool) -> None:
        self._form = form
        self._remote_images = remote_images
        self._sanitiser = Sanitiser(allow_remote_images=remote_images)
        self._texts: list[str] = []

    def feed(self, text: str) -> None:
        self._texts.append(text)
        if self._form in ("markdown", "code"):
            self._sanitiser.feed(text)
        self.dirty = True

    @property
    def key(self) -> str:
        return "".join(self._texts)

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._form in ("markdown", "code"):
            return _markdown(self._sanitiser.markdown, self.key), {}
        return {"text/plain": readable(self.key)}, {}

    def whole(self, reply: Reply, frame: Any, *, last: bool) -> dict[str, Any]:
        """How it looks when the answer is over; the ``last`` text is shown as the form asks."""
        if last and frame is not None:
            from gemini_magic.notebook.forms import frame_data

            return frame_data(frame)
        form = self._form
        if not last:
            reply = reply.replace(finish_reason=STOP)
            form = form if form in ("markdown", "code") else "text"
        cleaned = self._sanitiser.markdown if form in ("markdown", "code") else None
        if (text := self.key) != reply.text:
            reply = reply.replace(text=text)
        return reply_data(reply, form, remote_images=self._remote_images, cleaned=cleaned)


class _Thoughts(_Block):
    """What the model thought before a stretch of its answer; drawn once that begins."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def feed(self, text: str) -> None:
        self._texts.append(text)
        self.dirty = True

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from gemini_magic.notebook.blocks import thoughts_data

        return thoughts_data("".join(self._texts)), {}


class _Shown(_Block):
    """A picture, sound, film, program or its output. ``unfinished``: a picture still being made."""

    def __init__(self, part: Part, *, unfinished: bool = False) -> None:
        self.part = part
        self.unfinished = unfinished
        self.path: Path | None = None

    @property
    def key(self) -> Part | None:
        return None if self.unfinished else self.part

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from gemini_magic.notebook import blocks, players

        if self.part.code is not None:
            return blocks.code_data(self.part.code), {}
        if self.part.output is not None:
            return blocks.output_data(self.part.output), {}
        return players.media_data(self.part, self.path, unfinished=self.unfinished)


class _Tool(_Block):
    """A call of a function, and what it gave back once that is there."""

    def __init__(self, call: ToolCall, use: ToolUse | None = None) -> None:
        self.call = call
        self.use = use
        self.over = False

    @property
    def key(self) -> ToolCall:
        return self.call

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from gemini_magic.notebook.blocks import tool_data

        return tool_data(self.call, self.use, over=self.over), {}


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
        self._blocks: list[_Block] = []
        self._text: _Text | None = None
        self._thoughts: _Thoughts | None = None
        self._preview: _Shown | None = None
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
                    self._blocks.remove(self._thoughts)  # they were another one's
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
            self._text = _Text(self._form, self._remote_images)
            self._add(self._text)
        self._text.feed(text)
        self._length += len(text)
        self._undrawn = True

    def _think(self, text: str) -> None:
        if self._thoughts is None:
            self._thoughts = _Thoughts()
            self._blocks.append(self._thoughts)
        self._thoughts.feed(text)

    def _show(self, event: PartDone | Preview | ToolCalled | ToolReturned) -> None:
        if isinstance(event, PartDone | Preview) and event.part.text is not None:
            if event.part.text:
                self._say(event.part.text)
            return
        if isinstance(event, ToolReturned):
            self._returned(event.use)
        elif isinstance(event, ToolCalled):
            self._add(_Tool(event.call))
        elif self._preview is not None:  # one that is there already becomes another or final
            self._preview.part, self._preview.dirty = event.part, True
            self._preview.unfinished = isinstance(event, Preview)
            if not self._preview.unfinished:
                self._preview = None
        else:
            block = _Shown(event.part, unfinished=isinstance(event, Preview))
            self._preview = block if block.unfinished else None
            self._add(block)
        self._undrawn = True

    def _returned(self, use: ToolUse) -> None:
        for block in self._blocks:
            if isinstance(block, _Tool) and block.use is None and block.call == use.call:
                block.use, block.dirty = use, True
                return
        self._add(_Tool(use.call, use))

    def _add(self, block: _Block) -> None:
        if not isinstance(block, _Text):
            self._text = self._thoughts = None
        if not self._begun:  # what follows at once is drawn together with it
            grace = _GRACE if isinstance(block, _Text) else _LONGER_GRACE
            self._next = time.monotonic() + grace
            self._begun = True
        self._blocks.append(block)

    # --- what is drawn ---

    def _draw(self, now: float) -> None:
        for block in self._blocks:
            if block.dirty and not (isinstance(block, _Thoughts) and block is self._blocks[-1]):
                self._draw_block(block, *block.data())
        if self._told:  # what came was no new piece, so the status still stands
            self._free.draw({"text/plain": ""})
            self._told = ""
        least = 0.05 if now - self._began < 1 else 0.1
        self._next = now + max(least, self._length / 160_000)
        self._undrawn = False

    def _draw_block(self, block: _Block, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if block.output is None:
            block.output, self._free = self._free, self._free.another()
            self._told = ""
        block.output.draw(data, metadata)
        block.dirty = False

    def _draw_status(self, now: float) -> None:
        if self._status != self._told:
            self._free.draw(_line(self._status))
            self._told = self._status
            self._next_status = now + 0.1
        self._status = ""

    # --- the end ---

    def close(
        self,
        reply: Reply,
        footer: str,
        metadata: dict[str, Any] | None = None,
        *,
        saved: Sequence[Path | None] = (),
        frame: Any = None,
    ) -> None:
        """Draw the whole answer and its footer.

        ``metadata`` goes to the first output. ``saved`` are the files of ``reply.media``, in their
        order; ``frame`` is the DataFrame that stands for the text (``--as df``).
        """
        if reply.target is None and not reply.text and not reply.parts:
            self.abandon()  # stopped before anything was asked
            return
        wanted = _pieces(reply)
        if [block.key for block in self._blocks if block.key is not None] != wanted:
            self._compose(reply, wanted)
        said = [block for block in self._blocks if not isinstance(block, _Thoughts)]
        texts = [block for block in said if isinstance(block, _Text)]
        marked = reply.finish_reason in _MARKS and not (said and said[-1] in texts)
        if not said or marked or (frame is not None and not texts):
            texts.append(_Text(self._form, self._remote_images))
            self._blocks.append(texts[-1])
        if reply.thoughts and not any(isinstance(one, _Thoughts) for one in self._blocks):
            fresh = all(block.output is None for block in self._blocks)
            self._blocks.insert(0 if fresh else len(self._blocks), _Thoughts(reply.thoughts))
        self._assign(reply, saved)
        whose = {"gemini_magic": metadata} if metadata is not None else {}
        for block in self._blocks:
            if isinstance(block, _Thoughts):
                if block.dirty:
                    self._draw_block(block, *block.data())
                continue
            if isinstance(block, _Text):
                data, more = block.whole(reply, frame, last=block is texts[-1]), _NONE
            elif block.dirty or whose:
                data, more = block.data()
            else:
                continue
            self._draw_block(block, data, {**more, **whose})
            whose = {}
        self._below(reply, footer)

    def _compose(self, reply: Reply, wanted: list[str | Part | ToolCall]) -> None:
        """Make the blocks anew from a reply that is not what the events said."""
        outputs = [block.output for block in self._blocks if block.output is not None]
        uses = list(reply.tool_calls)
        self._blocks = []
        for piece in wanted:
            if isinstance(piece, str):
                text = _Text(self._form, self._remote_images)
                text.feed(piece)
                self._blocks.append(text)
            elif isinstance(piece, Part):
                self._blocks.append(_Shown(piece))
            else:
                use = next((one for one in uses if one.call == piece), None)
                if use is not None:
                    uses.remove(use)
                self._blocks.append(_Tool(piece, use))
        for block, output in zip(self._blocks, outputs, strict=False):
            block.output = output
        for output in outputs[len(self._blocks) :]:
            output.draw({"text/plain": ""})

    def _assign(self, reply: Reply, saved: Sequence[Path | None]) -> None:
        """Tell the media where they were saved, and the calls that nothing more comes."""
        paths = {id(part): path for part, path in zip(reply.media, saved, strict=False)}
        for block in self._blocks:
            if isinstance(block, _Tool) and block.use is None:
                block.over = block.dirty = True
            elif paths and isinstance(block, _Shown) and (path := paths.get(id(block.part))):
                block.path, block.dirty = path, True

    def _below(self, reply: Reply, footer: str) -> None:
        """The sources and the footer; the first of them takes the place of a status."""
        lines = [_line(footer)]
        if reply.citations or reply.queries:
            from gemini_magic.notebook.blocks import sources_data

            if (sources := sources_data(reply.citations, reply.queries)) is not None:
                lines.insert(0, sources)
        if self._free.drawn:
            self._free.draw(lines.pop(0))
        for line in lines:
            self._free.beside(line)

    def abandon(self) -> None:
        for output in (*(block.output for block in self._blocks), self._free):
            if output is not None and output.drawn:
                output.draw({"text/plain": ""})


def draw_whole(
    shell: Any,
    reply: Reply,
    footer: str,
    *,
    form: str = "markdown",
    saved: Sequence[Path | None] = (),
) -> None:
    """Draw a reply that is there already, with all its parts, and its footer below."""
    NotebookView(Output(shell), form).close(reply, footer, saved=saved)


def _pieces(reply: Reply) -> list[str | Part | ToolCall]:
    """What a reply consists of, in its order; results stand with their calls."""
    pieces: list[str | Part | ToolCall] = []
    for part in reply.parts:
        if part.text is not None:
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += part.text
            elif part.text:
                pieces.append(part.text)
        elif part.call is not None:
            pieces.append(part.call)
        elif part.result is None:
            pieces.append(part)
    if not pieces and reply.text:
        pieces.append(reply.text)
    return pieces


def _line(text: str) -> dict[str, Any]:
    """One small line about an answer, as MIME data; prices in it are no formulas."""
    # Lab drops var() from an untrusted notebook's styles; the colour before it stays.
    style = "color: #757575; color: var(--jp-ui-font-color2, #757575); font-size: 85%"
    return {"text/plain": text, "text/html": f'<div style="{style}">{escaped(text)}</div>'}


def reply_data(
    reply: Reply, form: str, *, remote_images: bool = False, cleaned: str | None = None
) -> dict[str, Any]:
    """An answer's text as MIME data; as the form asks, where the answer allows it.

    ``cleaned`` is its sanitised Markdown, where that is there already.
    """
    if form == "json":
        from gemini_magic.notebook.forms import json_value

        try:
            value = json_value(reply.text, reply.parsed)
            return {"application/json": value, "text/plain": readable(reply.text)}
        except (ValueError, RecursionError):
            form = "text"
    mark = _MARKS.get(reply.finish_reason, "")
    if form == "html" and not mark:
        from gemini_magic.notebook.forms import page_data

        return page_data(reply.text, readable(reply.text))
    if form in ("text", "html", "df"):
        return {"text/plain": readable(reply.text) + (f" … {mark}" if mark else "")}
    if cleaned is None:
        cleaned = sanitise(reply.text, allow_remote_images=remote_images)
    mark = f"\n\n*… {mark}*" if mark else ""
    return _markdown(cleaned + mark, reply.text + mark)


_NONE: dict[str, Any] = {}
#: What tells a partial answer from a whole one.
_MARKS = {CANCELLED: "(interrupted)", CUT: "(cut off)"}


def _markdown(markdown: str, plain: str) -> dict[str, Any]:
    return {"text/markdown": markdown, "text/plain": readable(plain)}


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

    def close(
        self,
        reply: Reply,
        footer: str,
        metadata: dict[str, Any] | None = None,
        *,
        saved: Sequence[Path | None] = (),
        frame: Any = None,
    ) -> None:
        text = "".join(part.text or "" for part in reply.parts) or reply.text
        self._write(text[self._written :] if frame is None else str(frame))
        mark = _MARKS.get(reply.finish_reason, "")
        sys.stdout.write((f" … {mark}" if mark else "") + "\n" * (self._in_line or bool(mark)))
        self._in_line = False
        if any(saved):
            from gemini_magic.notebook.players import shown

            for path in saved:
                self._aside(f"saved as {shown(path)}" if path else "not saved")
        if reply.citations or reply.queries:
            from gemini_magic.notebook.blocks import sources_data

            if (sources := sources_data(reply.citations, reply.queries)) is not None:
                sys.stdout.write(readable(sources["text/plain"]) + "\n")
        self._aside(footer)
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
