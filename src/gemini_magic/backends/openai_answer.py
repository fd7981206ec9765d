"""What streams in on OpenAI's chat wire, as events: text, thoughts, pictures, sound, calls.

All of it is untrusted: any field may be missing or of another type than it should.
"""

from __future__ import annotations

import base64
import binascii
import io
import wave
from collections.abc import AsyncIterator, Iterator
from typing import Any

from gemini_magic.backends.openai_calls import Calls, get, text
from gemini_magic.backends.openai_pictures import Album
from gemini_magic.types import (
    CUT,
    MAX_TOKENS,
    OTHER,
    SAFETY,
    STOP,
    TOOL_CALLS,
    BackendEvent,
    Citation,
    FinishReason,
    Notice,
    Part,
    PartDone,
    TextDelta,
    ThoughtDelta,
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
_MAX_CITATIONS = 1000


class ChatAnswer:
    """One answer so far."""

    def __init__(self) -> None:
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

    async def take(self, chunk: Any) -> AsyncIterator[BackendEvent]:
        """The events of one chunk; fetches the pictures that it names. Raises ``WireError``."""
        choices = get(chunk, "choices")
        for choice in choices if isinstance(choices, list) else ():
            said = get(choice, "delta") or get(choice, "message")
            first = get(choice, "index") in (0, None)
            if first and (reason := get(choice, "finish_reason")):
                self._finish = _FINISH.get(reason, OTHER) if isinstance(reason, str) else OTHER
            if said is None:
                continue
            if first:
                for event in self._words(said):
                    yield event
            async for picture in self._pictures(said):
                yield picture

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
        for note in _list(said, "annotations"):
            source = get(note, "url_citation")
            if (uri := text(get(source, "url"))) and len(self._citations) < _MAX_CITATIONS:
                self._citations[Citation(uri, text(get(source, "title")))] = None

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
            yield Notice(f"a part of the answer was left out: its kind is {kind[:40]!r}")

    async def _pictures(self, said: Any) -> AsyncIterator[BackendEvent]:
        """Pictures beside the text (OpenRouter's shape) and within it."""
        for part in (*_list(said, "content"), *_list(said, "images")):
            holder = get(part, "image_url")
            url = holder if isinstance(holder, str) else get(holder, "url")
            async for event in self._album.add_url(url):
                yield event

    def _hear(self, data: str) -> Iterator[BackendEvent]:
        try:
            self._sound += base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            if "sound" not in self._strange:
                self._strange.add("sound")
                yield Notice("a part of the sound was left out: it is no base64")

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
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(data[: len(data) // 2 * 2])
    return Part(data=buffer.getvalue(), mime_type="audio/wav")
