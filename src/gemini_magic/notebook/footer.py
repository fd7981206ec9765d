"""The lines around an answer: who answered at what cost, and what would be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic.config import Config
from gemini_magic.engine.request import Built
from gemini_magic.quota.estimate import estimate
from gemini_magic.quota.money import dollars
from gemini_magic.types import (
    CANCELLED,
    CUT,
    MAX_TOKENS,
    STOP,
    Cost,
    Left,
    Part,
    Reply,
    Target,
    Usage,
)

if TYPE_CHECKING:
    from pathlib import Path


def footer(reply: Reply, saved: Sequence[Path | None] = ()) -> str:
    """Model, backend, tokens, seconds, quota left, price, and what else should be known.

    ``saved`` are the files of ``reply.media``, None for one that has none.
    """
    words = []
    if reply.target is not None:
        words += [reply.target.model, reply.target.backend]
    if reply.cached:
        counts = filter(None, (_media(reply, saved),))
        return " · ".join([*words, *counts, "cached · 0 quota", *reply.notices])
    if tokens := _tokens(reply.usage):
        words.append(tokens)
    words.append(f"{reply.seconds:.1f} s")
    if calls := _calls(reply):
        words.append(calls)
    if media := _media(reply, saved):
        words.append(media)
    words += [text for one in reply.left if (text := _left(one))]
    if reply.cost is not None and reply.cost.listed:
        words.append(_cost(reply.cost))
    if reply.finish_reason not in (STOP, CANCELLED, CUT):  # those stand in the answer itself
        words.append(_ENDINGS.get(reply.finish_reason, f"ended: {reply.finish_reason}"))
    return " · ".join([*words, *reply.notices])


def _calls(reply: Reply) -> str:
    """How many functions were called, in how many rounds."""
    count = len(reply.tool_calls)
    rounds = sum(message.role == "user" for message in reply.exchanged)
    if not count:
        return ""
    words = _count(count, "call")
    return f"{words} in {_count(rounds, 'round')}" if rounds > 1 else words


def _media(reply: Reply, saved: Sequence[Path | None]) -> str:
    """How many pictures, sounds and films came, and where they are."""
    if not reply.media:
        return ""
    kinds = [(part.mime_type or "").partition("/")[0] for part in reply.media]
    words = [
        _count(kinds.count(kind), name)
        for kind, name in (("image", "picture"), ("audio", "sound"), ("video", "film"))
        if kind in kinds
    ]
    if others := sum(kind not in ("image", "audio", "video") for kind in kinds):
        words.append(_count(others, "file"))
    files = [path for path in saved if path is not None]
    if not files:
        return ", ".join(words)
    from gemini_magic.notebook.players import shown

    some = "" if len(files) == len(kinds) else f"{len(files)} "
    return f"{', '.join(words)} · {some}saved in {shown(files[0].parent)}/"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


#: How full a window has to be before it is worth a word, where it is not the day's.
_WORTH_A_WORD = 0.5


def _left(one: Left) -> str:
    """How much of a window is left, where it is known and matters."""
    if one.size is None or one.window not in _SPANS:
        return ""
    if one.window != "rpd" and one.used < one.size * _WORTH_A_WORD:
        return ""
    about = "" if one.firm else "about "  # the limit may be stale
    return f"{about}{max(0, one.size - one.used):,} of {one.size:,} {_SPANS[one.window]}"


_SPANS = {
    "rpd": "requests left today",
    "rpm": "requests left this minute",
    "tpm": "tokens left this minute",
    "tpd": "tokens left today",
}


def _cost(cost: Cost) -> str:
    listed = dollars(cost.listed)
    return f"$0 (list {listed})" if not cost.paid else dollars(cost.paid)


_ENDINGS = {
    MAX_TOKENS: "cut at the longest output (--max-output-tokens)",
}


def _tokens(usage: Usage) -> str:
    if usage.input_tokens is None and usage.output_tokens is None:
        return ""
    thoughts = f" (+{usage.thought_tokens} thinking)" if usage.thought_tokens else ""
    counts = ["?" if n is None else f"{n:,}" for n in (usage.input_tokens, usage.output_tokens)]
    return f"{counts[0]} → {counts[1]} tokens{thoughts}"


def metadata(reply: Reply, template: str) -> dict[str, Any]:
    """What a saved notebook keeps of a run: hashes and counts, nothing that was sent."""
    return {
        "request": reply.request.digest if reply.request else None,
        "template": template,
        "backend": reply.target.backend if reply.target else None,
        "model": reply.target.model if reply.target else None,
        "finish_reason": reply.finish_reason,
        "usage": {key: value for key, value in reply.usage._asdict().items() if value is not None},
    }


def dry_run(built: Built, targets: tuple[Target, ...], config: Config) -> str:
    """What a cell would send, and to whom."""
    request = built.request
    lines = [f"would ask  {targets[0].model} on {_where(targets[0], config)}"]
    lines += [f"or, if that fails, {one.model} on {_where(one, config)}" for one in targets[1:]]
    lines.append(f"tokens     about {estimate(request):,} (an estimate); nothing was sent")
    if settings := request.settings.to_json():
        lines.append("settings   " + ", ".join(f"{k} = {v}" for k, v in settings.items()))
    if request.services:
        lines.append("services   " + ", ".join(request.services))
    if request.system is not None:
        lines += ["--- system ---", request.system]
    for message in request.messages:
        lines.append(f"--- {message.role} ---")
        lines += map(part_line, message.parts)
    for tool in request.tools:
        lines += [
            f"--- the function {tool.name} ---",
            f"{tool.description}\n{tool.parameters}".strip(),
        ]
    if request.schema is not None:
        lines += ["--- schema ---", request.schema]
    return "\n".join([*lines, *built.notices])


def part_line(part: Part) -> str:
    """A part of a message, for people: its text, or what its data are."""
    if part.text is not None:
        return part.text
    if part.is_media:
        size = part.uri or f"{part.size:,} bytes"
        return f"[{', '.join(word for word in (part.name, part.mime_type, size) if word)}]"
    if part.call is not None:
        return f"[call of {part.call.name} with {part.call.arguments}]"
    if part.result is not None:
        return f"[{part.result.name} gave {part.result.content}]"
    return part.code.source if part.code else part.output.text if part.output else ""


def _where(target: Target, config: Config) -> str:
    service = config.backend(target.backend)
    return f"{target.backend} ({service.base_url or 'this machine'})"
