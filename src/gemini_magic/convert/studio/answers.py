"""A stored answer as the reply that a cell would have got."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.chunks import INLINE, Chunk
from gemini_magic.types import (
    STOP,
    Citation,
    Code,
    CodeOutput,
    Part,
    Reply,
    Target,
    ToolCall,
    ToolResult,
    Usage,
)

#: Who answered, as footers and metadata call it.
BACKEND = "aistudio"
#: What a chunk holds beside text, and its parts, too.
_CONTENTS = (*INLINE, "executableCode", "codeExecutionResult", "functionCall", "functionResponse")


def reply_of(asked: Sequence[Chunk], answered: Sequence[Chunk], model: str) -> Reply | None:
    """The answer that these chunks hold; None where nothing came but an error or nothing."""
    parts: list[Part] = []
    thoughts: list[str] = []
    citations: dict[str, Citation] = {}
    queries: dict[str, None] = {}
    notices: list[str] = []
    finish = ""
    for chunk in answered:
        found = list(_parts(chunk))
        if chunk.get("isThought") is True:
            thoughts += [part.text for part in found if part.text]
            continue
        parts += found
        finish = values.text(chunk.get("finishReason")) if found else finish
        if error := values.text(chunk.get("errorMessage")):
            notices.append(f"AI Studio noted: {error[:200]}")
        grounding = values.mapping(chunk.get("grounding"))
        for source in values.mappings(grounding.get("groundingSources")):
            if uri := values.text(source.get("uri")):
                citations.setdefault(uri, Citation(uri, values.text(source.get("title"))))
        queries |= dict.fromkeys(values.texts(grounding.get("webSearchQueries")))
    if not parts:
        return None
    return Reply(
        text="".join(part.text or "" for part in parts),
        thoughts="\n\n".join(thoughts),
        finish_reason=finish or STOP,
        target=Target(BACKEND, model or "?"),
        usage=_usage(asked, answered),
        notices=tuple(notices),
        parts=tuple(parts),
        citations=tuple(citations.values()),
        queries=tuple(queries),
    )


def failures(answered: Sequence[Chunk]) -> list[str]:
    """What AI Studio said went wrong, where no answer came."""
    return [text for chunk in answered if (text := values.text(chunk.get("errorMessage")))]


def _parts(chunk: Chunk) -> Iterator[Part]:
    """What a chunk says. Its parts repeat it in fragments, or hold what it alone does not."""
    thought = chunk.get("isThought") is True
    own = [key for key in _CONTENTS if key in chunk]
    if text := values.text(chunk.get("text")):
        yield Part(text=text)
    for key in own:
        yield from _content(key, chunk[key], values.texts(chunk.get("thoughtSignatures")))
    for part in values.mappings(chunk.get("parts")):
        if not text and values.text(part.get("text")) and (part.get("thought") is True) == thought:
            yield Part(text=part["text"])
        for key in _CONTENTS:
            if key in part and not _is_told(key, own):
                yield from _content(key, part[key], values.texts([part.get("thoughtSignature")]))


def _is_told(key: str, own: list[str]) -> bool:
    """Whether the chunk itself says it: ``inlineImage`` is its parts' ``inlineData``."""
    return key in own or (key in INLINE and any(one in INLINE for one in own))


def _content(key: str, value: Any, signatures: Sequence[str]) -> Iterator[Part]:
    """What a key stands for. A call needs its signature when it is told again (Gemini 3)."""
    held = values.mapping(value)
    if key in INLINE:
        if data := values.data(held.get("data")):
            kind = values.text(held.get("mimeType")) or "application/octet-stream"
            yield Part(data=data, mime_type=kind)
    elif key == "executableCode":
        language = values.text(held.get("language")).lower() or "python"
        yield Part(code=Code(values.text(held.get("code")), language))
    elif key == "codeExecutionResult":
        failed = values.text(held.get("outcome")) not in ("", "OUTCOME_OK")
        yield Part(output=CodeOutput(values.text(held.get("output")), failed))
    elif key == "functionCall":
        call = ToolCall(values.text(held.get("name")), _json(held.get("args", {})))
        yield Part(call=call, signature=values.data(signatures[0]) if signatures else None)
    elif key == "functionResponse":
        given = _json(held.get("response", {}))
        yield Part(result=ToolResult(values.text(held.get("name")), given))


def _json(value: Any) -> str:
    return json.dumps(value if isinstance(value, Mapping) else {}, ensure_ascii=False)


def _usage(asked: Sequence[Chunk], answered: Sequence[Chunk]) -> Usage:
    """The tokens that AI Studio counted; those of earlier turns are not among the input's."""
    thoughts = [chunk for chunk in answered if chunk.get("isThought") is True]
    said = [chunk for chunk in answered if chunk.get("isThought") is not True]
    return Usage(_tokens(asked), _tokens(said), _tokens(thoughts))


def _tokens(chunks: Sequence[Chunk]) -> int | None:
    counts = [values.whole(chunk.get("tokenCount")) for chunk in chunks]
    known = [count for count in counts if count is not None and count >= 0]
    return sum(known) if known else None


def plain_reply(text: str, model: str) -> Reply | None:
    """An answer of which nothing but its text is known."""
    if not text:
        return None
    return Reply.saying(text, target=Target(BACKEND, model or "?"))
