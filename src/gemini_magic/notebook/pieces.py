"""What one output of an answer shows, while it comes and when it is over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from gemini_magic.notebook.answer_blocks import blocks_data
from gemini_magic.notebook.display import MARKS, Ending, Output
from gemini_magic.notebook.sanitise import Cleaned, Sanitiser
from gemini_magic.types import STOP, Part, Reply, ToolCall, ToolUse
from gemini_magic.widgets.markup import readable

if TYPE_CHECKING:
    from pathlib import Path

#: What tells one piece of a reply from another: its text, its part or its call.
Key: TypeAlias = str | Part | ToolCall


class Piece:
    """What one output shows; ``key`` tells which part of a reply that is."""

    output: Output | None = None
    dirty = True

    @property
    def key(self) -> Key | None:
        """The text, part or call; None for what is no part of a reply."""
        return None

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it shows while the answer comes: MIME data and their metadata."""
        raise NotImplementedError


class Text(Piece):
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
            return _markdown(self._sanitiser.cleaned(), self.key), {}
        return {"text/plain": readable(self.key)}, {}

    def whole(self, reply: Reply, ending: Ending, *, last: bool) -> dict[str, Any]:
        """How it looks when the answer is over; the ``last`` text is shown as the form asks."""
        if last and ending.frame is not None:
            from gemini_magic.notebook.forms import frame_data

            return frame_data(ending.frame)
        form = "text" if ending.raw else self._form
        if not last:
            reply = reply.replace(finish_reason=STOP, parsed=None)
            form = form if form in ("markdown", "code") else "text"
        cleaned = self._sanitiser.cleaned() if form in ("markdown", "code") else None
        if (text := self.key) != reply.text:
            reply = reply.replace(text=text)
        return reply_data(reply, form, remote_images=self._remote_images, cleaned=cleaned)


class Thoughts(Piece):
    """What the model thought before a stretch of its answer; drawn once that begins."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def feed(self, text: str) -> None:
        self._texts.append(text)
        self.dirty = True

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from gemini_magic.notebook.blocks import thoughts_data

        return thoughts_data("".join(self._texts)), {}


class Shown(Piece):
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


class Called(Piece):
    """A call of a function, and what it gave back once that is there.

    ``over`` says why nothing more comes of it.
    """

    def __init__(self, call: ToolCall, use: ToolUse | None = None) -> None:
        self.call = call
        self.use = use
        self.over = ""

    @property
    def key(self) -> ToolCall:
        return self.call

    def data(self) -> tuple[dict[str, Any], dict[str, Any]]:
        from gemini_magic.notebook.blocks import tool_data

        return tool_data(self.call, self.use, over=self.over), {}


def keys_of(reply: Reply) -> list[Key]:
    """What a reply consists of, in its order; results stand with their calls."""
    pieces: list[Key] = []
    for part in reply.parts:
        if part.text is not None:
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += part.text
            elif part.text:
                pieces.append(part.text)
        elif part.call is not None:
            pieces.append(part.call)
        elif part.result is None and part.step is None:
            pieces.append(part)
    if not pieces and reply.text:
        pieces.append(reply.text)
    return pieces


def reply_data(
    reply: Reply, form: str, *, remote_images: bool = False, cleaned: Cleaned | None = None
) -> dict[str, Any]:
    """An answer's text as MIME data; as the form asks, where the answer allows it.

    ``cleaned`` is its sanitised Markdown, where that is there already.
    """
    if reply.parsed is not None:
        from gemini_magic.notebook.forms import said

        if (text := said(reply.text, reply.parsed)) != reply.text:
            reply, cleaned = reply.replace(text=text), None
    if form == "json":
        from gemini_magic.notebook.forms import json_value

        form = "text"
        with suppress(ValueError, RecursionError):
            value = json_value(reply.text, reply.parsed)
            if isinstance(value, dict | list):  # Lab has no tree of a single word
                return {"application/json": value, "text/plain": readable(reply.text)}
    mark = MARKS.get(reply.finish_reason, "")
    if form == "html" and not mark:
        from gemini_magic.notebook.forms import page_data

        return page_data(reply.text, readable(reply.text))
    if form in ("text", "html", "df"):
        return {"text/plain": readable(reply.text) + (f" … {mark}" if mark else "")}
    if cleaned is None:
        sanitiser = Sanitiser(allow_remote_images=remote_images)
        sanitiser.feed(reply.text)
        cleaned = sanitiser.cleaned()
    mark = f"\n\n*… {mark}*" if mark else ""
    return _markdown(cleaned._replace(markdown=cleaned.markdown + mark), reply.text + mark)


def _markdown(cleaned: Cleaned, plain: str) -> dict[str, Any]:
    blocks = blocks_data(*cleaned)
    return {"text/markdown": cleaned.markdown, "text/plain": readable(plain), **blocks}
