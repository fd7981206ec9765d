"""What streams in on OpenAI's chat wire, as events: text, thoughts, pictures, sound, calls.

All of it is untrusted: any field may be missing or of another type than it should.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Any

from gemini_magic import pictures
from gemini_magic.backends.characters import whole
from gemini_magic.backends.openai_calls import Calls, fields, get, signature_of, text
from gemini_magic.backends.openai_pictures import Album
from gemini_magic.events import BackendEvent, Notice, PartDone, TextDelta, ThoughtDelta
from gemini_magic.types import (
    CUT,
    MAX_TOKENS,
    OTHER,
    SAFETY,
    STOP,
    TOOL_CALLS,
    Citation,
    FinishReason,
    Part,
)

_FINISH = {
    "stop": STOP,
    "length": MAX_TOKENS,
    "content_filter": SAFETY,
    "tool_calls": TOOL_CALLS,
    "function_call": TOOL_CALLS,
}
#: Samples a second of "pcm16": 16 bits, one channel. Source: OpenAI's guide "Audio and speech".
_RATE = 24_000
#: How many sources are kept of an answer, and how long their addresses may be.
_MAX_CITATIONS, _LONGEST = 200, 4_000


class ChatAnswer:
    """One answer so far."""

    def __init__(self) -> None:
        #: Addresses of pictures, which nobody has looked at yet.
        self.named: list[Any] = []
        self._finish = ""
        self._refused = False
        self._calls = Calls()
        self._album = Album()
        self._sound = bytearray()
        self._citations: dict[Citation, None] = {}
        self._strange: set[str] = set()

    @property
    def finish(self) -> FinishReason:
        """Why it ended; CUT while the service has not said so."""
        if not self._finish:
            return CUT
        if self._refused:
            return SAFETY
        return TOOL_CALLS if self._calls and self._finish == STOP else self._finish

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._citations)

    def take(self, chunk: Any) -> Iterator[BackendEvent]:
        """The events of one chunk, but for the pictures that it names. Raises ``WireError``."""
        choices = get(chunk, "choices")
        for choice in map(fields, choices if isinstance(choices, list) else ()):
            said = get(choice, "delta") or get(choice, "message")
            first = get(choice, "index") in (0, None)
            if first and (reason := get(choice, "finish_reason")):
                self._finish = _FINISH.get(reason, OTHER) if isinstance(reason, str) else OTHER
            if said is None:
                continue
            said = fields(said)
            if first:
                yield from self._words(said)
            # Pictures stand beside the text (OpenRouter's shape) or within it.
            for part in (*_list(said, "content"), *_list(said, "images")):
                holder = get(part, "image_url")
                self.named.append(holder if isinstance(holder, str) else get(holder, "url"))

    async def pictures(self) -> AsyncIterator[BackendEvent]:
        """The pictures that were named since the last time; may have to fetch them."""
        named, self.named = self.named, []
        for url in named:
            async for event in self._album.add_url(url):
                yield event

    def _words(self, said: Any) -> Iterator[BackendEvent]:
        if thought := _thought(said):
            yield ThoughtDelta(thought)
        content = get(said, "content")
        if isinstance(content, str) and content:
            yield TextDelta(content)
        for part in content if isinstance(content, list) else ():
            yield from self._content(part)
        if refusal := text(get(said, "refusal")):
            self._refused = True
            yield TextDelta(refusal)
        audio = get(said, "audio")
        if words := text(get(audio, "transcript")):
            yield TextDelta(words)
        if data := text(get(audio, "data")):
            yield from self._hear(data)
        for call in _list(said, "tool_calls"):
            self._calls.take(call)
        if signature := signature_of(said):
            yield TextDelta("", signature)
        for note in _list(said, "annotations"):
            source = get(note, "url_citation")
            uri, title = text(get(source, "url")), text(get(source, "title"))[:300]
            if 0 < len(uri) <= _LONGEST and len(self._citations) < _MAX_CITATIONS:
                self._citations[Citation(whole(uri), whole(title))] = None

    def _content(self, part: Any) -> Iterator[BackendEvent]:
        """One part of a content that is a list; its pictures are taken elsewhere."""
        kind = text(get(part, "type"))
        if kind in ("text", "output_text"):
            if words := text(get(part, "text")):
                yield TextDelta(words)
        elif kind in ("thinking", "reasoning"):
            thinking = get(part, "thinking") or get(part, "text")
            thinking = thinking if isinstance(thinking, list) else [thinking]
            words = "".join(text(one) or text(get(one, "text")) for one in thinking)
            if words:
                yield ThoughtDelta(words)
        elif kind != "image_url" and kind not in self._strange:
            self._strange.add(kind)
            what = f"a part of the answer was left out: its kind is {kind[:40]!r}"
            yield Notice(what, lost=True)

    def _hear(self, data: str) -> Iterator[BackendEvent]:
        try:
            self._sound += base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            if "sound" not in self._strange:
                self._strange.add("sound")
                yield Notice("a part of the sound was left out: it is no base64", lost=True)

    def end(self) -> Iterator[BackendEvent]:
        """What is complete only when nothing more comes: sound, and calls."""
        if self._sound:
            yield PartDone(_sound(bytes(self._sound)))
        if self.finish not in (CUT, SAFETY):
            yield from self._calls.done(self.finish)


def _list(said: Any, name: str) -> list[Any]:
    found = get(said, name)
    return found if isinstance(found, list) else []


def _thought(delta: Any) -> str:
    """Thoughts have no field of their own on this wire; services use one of these two."""
    return text(get(delta, "reasoning_content")) or text(get(delta, "reasoning"))


def _sound(data: bytes) -> Part:
    """Sound as a part: samples get a WAV's head; a service may send a file all the same."""
    if data[:4] == b"RIFF":
        return Part(data=data, mime_type="audio/wav")
    if data[:3] == b"ID3":
        return Part(data=data, mime_type="audio/mpeg")
    return Part(data=pictures.wav(data, _RATE), mime_type="audio/wav")
