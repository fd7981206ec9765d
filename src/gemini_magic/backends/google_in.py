"""What comes back on Gemini's wire: chunks of an answer as events.

What a model or a service sends is not trusted: its values are bounded here, and judged by faces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from gemini_magic import pictures
from gemini_magic.backends.characters import whole
from gemini_magic.backends.wire import count
from gemini_magic.errors import WireError
from gemini_magic.events import (
    BackendEvent,
    Ended,
    Notice,
    PartDone,
    Preview,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
)
from gemini_magic.types import CUT, Citation, Code, CodeOutput, Part, Step, ToolCall, Usage

#: The most bytes of one picture, film or sound of an answer.
MAX_MEDIA = 50_000_000
#: The most characters of an answer's texts, programs and calls: many times what any model writes.
MAX_TEXT = 16_000_000
#: How many functions one answer may have called.
MAX_CALLS = 128
#: How many sources and searches are kept of an answer, and how long they may be.
_MOST, _LONGEST = 200, 4_000
#: Speech without a head: 16 bits a sample, the lowest byte first.
#: Source: https://ai.google.dev/gemini-api/docs/speech-generation
_PCM = re.compile(r"audio/(?:l16|pcm)\b", re.I)


class Reader:
    """Reads one answer: feed it the chunks, then ask it for its ``rest``."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._version: str | None = None
        self._finish = ""
        self._citations: dict[str, Citation] = {}
        self._queries: dict[str, None] = {}
        self._sound = bytearray()
        self._sound_type = ""
        self._signature: bytes | None = None
        self._characters = 0
        self._calls = 0

    def events(self, chunk: Any) -> Iterator[BackendEvent]:
        """What a ``GenerateContentResponse`` says. Raises ``WireError`` for what has no end."""
        self._usage = _usage(chunk.usage_metadata) or self._usage
        self._version = chunk.model_version or self._version
        feedback = chunk.prompt_feedback
        if feedback is not None and feedback.block_reason:
            self._finish = _word(feedback.block_reason)
        for candidate in (chunk.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                yield from self._part(part)
            self._rest_on(candidate)
            if candidate.finish_reason:
                self._finish = _word(candidate.finish_reason)

    def rest(self) -> Iterator[BackendEvent]:
        """What is left to say once the stream has ended; the last is ``Ended``."""
        yield from self._sounded()
        yield Ended(
            self._finish or CUT,
            self._usage,
            self._version,
            tuple(self._citations.values()),
            tuple(self._queries),
        )

    def _part(self, part: Any) -> Iterator[BackendEvent]:
        blob = part.inline_data
        if blob is not None and blob.data and _PCM.match(blob.mime_type or "") and not part.thought:
            yield from self._heard(blob, part.thought_signature)
            return
        if part.text:
            self._take(len(part.text))
            if not part.thought:
                yield from self._sounded()
            if part.thought:
                yield ThoughtDelta(part.text)
            else:
                yield TextDelta(part.text, part.thought_signature or None)
            return
        said = list(self._other(part))
        if said:
            yield from self._sounded()
        yield from said

    def _other(self, part: Any) -> Iterator[BackendEvent]:
        """What a part says that is neither text nor speech."""
        signature = part.thought_signature
        if (blob := part.inline_data) is not None and blob.data:
            _check_size(len(blob.data))
            mime = _short(blob.mime_type) or "application/octet-stream"
            name = _short(blob.display_name)
            made = Part(data=blob.data, mime_type=mime, name=name, signature=signature)
            yield Preview(made) if part.thought else PartDone(made)
        elif (code := part.executable_code) is not None:
            source = whole(code.code or "")
            self._take(len(source))
            language = _word(code.language).lower() if code.language else "python"
            language = "" if language == "language_unspecified" else language
            made = Part(code=Code(source, language, _short(code.id)), signature=signature)
            yield PartDone(made)
        elif (result := part.code_execution_result) is not None:
            text = whole(result.output or "")
            self._take(len(text))
            failed = _word(result.outcome) not in ("OUTCOME_OK", "None", "OUTCOME_UNSPECIFIED")
            made = Part(output=CodeOutput(text, failed, _short(result.id)), signature=signature)
            yield PartDone(made)
        elif (call := part.function_call) is not None:
            yield self._called(call, signature)
        elif (asked := part.tool_call) is not None:
            yield self._step(asked, asked.args, signature)
        elif (given := part.tool_response) is not None:
            yield self._step(given, given.response, signature, answer=True)
        elif (file := part.file_data) is not None and file.file_uri:
            yield Notice(f"the answer names a file of the service: {_short(file.file_uri)}")
        elif signature and not part.thought:  # Gemini 3 sends it last, with an empty text
            yield TextDelta("", signature)

    def _called(self, call: Any, signature: bytes | None) -> BackendEvent:
        if not call.name:
            return Notice("the model asked for a function without a name, which was left out")
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise WireError("stream", detail=f"more than {MAX_CALLS} calls in one answer")
        arguments = whole(json.dumps(call.args or {}, ensure_ascii=False))
        self._take(len(arguments))
        made = ToolCall(_short(call.name), arguments, _short(call.id))
        return ToolCalled(made, Part(call=made, signature=signature))

    def _step(
        self, said: Any, content: Any, signature: bytes | None, *, answer: bool = False
    ) -> PartDone:
        """What one of the service's own tools was asked, or gave: it wants it back, unchanged."""
        words = whole(json.dumps(content or {}, ensure_ascii=False))
        self._take(len(words))
        step = Step(_word(said.tool_type) if said.tool_type else "", words, _short(said.id), answer)
        return PartDone(Part(step=step, signature=signature))

    def _heard(self, blob: Any, signature: bytes | None) -> Iterator[BackendEvent]:
        """A piece of speech: pieces of one kind make one sound."""
        if self._sound and blob.mime_type != self._sound_type:
            yield from self._sounded()
        self._sound_type = blob.mime_type
        self._sound += blob.data
        self._signature = signature or self._signature
        _check_size(len(self._sound))

    def _sounded(self) -> Iterator[BackendEvent]:
        """The sound that the pieces so far make, as a WAV file."""
        if self._sound:
            data = _wav(bytes(self._sound), self._sound_type)
            yield PartDone(Part(data=data, mime_type="audio/wav", signature=self._signature))
        self._sound.clear()
        self._signature = None

    def _take(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MAX_TEXT:
            raise WireError(
                "stream", detail=f"its text has no end: {MAX_TEXT:,} characters were taken"
            )

    def _rest_on(self, candidate: Any) -> None:
        """Notes the sources that the answer rests on, and what was searched for."""
        grounding = candidate.grounding_metadata
        for query in _listed(grounding, "web_search_queries", "image_search_queries"):
            if isinstance(query, str) and query and len(self._queries) < _MOST:
                self._queries[whole(query[:_LONGEST])] = None
        for chunk in _listed(grounding, "grounding_chunks"):
            for name in ("web", "maps", "retrieved_context", "image"):
                if (source := getattr(chunk, name, None)) is not None:
                    uri = getattr(source, "source_uri", None) or getattr(source, "uri", None)
                    self._cite(uri, source.title)
        for page in _listed(candidate.url_context_metadata, "url_metadata"):
            if _word(page.url_retrieval_status).endswith("SUCCESS"):
                self._cite(page.retrieved_url, None)
        for source in _listed(candidate.citation_metadata, "citations"):
            self._cite(source.uri, source.title)

    def _cite(self, uri: Any, title: Any) -> None:
        if not isinstance(uri, str) or not 0 < len(uri) <= _LONGEST:
            return
        uri = whole(uri)
        known = self._citations.get(uri)
        if known is None and len(self._citations) >= _MOST:
            return
        if known is None or not known.title:
            self._citations[uri] = Citation(uri, _short(title))


def _listed(value: Any, *names: str) -> Iterable[Any]:
    for name in names:
        yield from getattr(value, name, None) or ()


def _check_size(size: int) -> None:
    if size > MAX_MEDIA:
        raise WireError(
            "stream",
            detail=f"it holds a picture or sound of more than {MAX_MEDIA // 1_000_000} MB, "
            "which is not taken",
        )


def _wav(samples: bytes, mime_type: str) -> bytes:
    """16-bit samples as a WAV file; the type says ``rate`` and ``channels``."""
    rate = _parameter(mime_type, "rate", 24_000, 384_000)
    return pictures.wav(samples, rate, _parameter(mime_type, "channels", 1, 8))


def _parameter(mime_type: str, name: str, default: int, most: int) -> int:
    found = re.search(rf";\s*{name}\s*=\s*\"?(\d{{1,6}})\b", mime_type, re.I)
    value = int(found[1]) if found else default
    return value if 0 < value <= most else default


def _usage(counted: Any) -> Usage | None:
    """Tokens as counted; what the service's own tools put into the prompt is input, too."""
    if counted is None:
        return None
    prompt = count(counted.prompt_token_count)
    tools = count(counted.tool_use_prompt_token_count)
    return Usage(
        input_tokens=prompt if not tools else (prompt or 0) + tools,
        output_tokens=count(counted.candidates_token_count),
        thought_tokens=count(counted.thoughts_token_count),
        cached_tokens=count(counted.cached_content_token_count),
    )


def _word(reason: Any) -> str:
    """An enum's value, also of reasons that this SDK does not know yet."""
    return str(getattr(reason, "value", reason))[:40]


def _short(text: Any) -> str:
    return whole(text[:300]) if isinstance(text, str) else ""
