"""The lines around an answer: who answered at what cost, and what would be sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gemini_magic.config import Config
from gemini_magic.engine.request import Built
from gemini_magic.types import CANCELLED, CUT, MAX_TOKENS, STOP, Reply, Request, Target, Usage


def footer(reply: Reply) -> str:
    """Model, backend, tokens, seconds, and what else should be known."""
    words = []
    if reply.target is not None:
        words += [reply.target.model, reply.target.backend]
    if tokens := _tokens(reply.usage):
        words.append(tokens)
    words.append(f"{reply.seconds:.1f} s")
    if reply.finish_reason not in (STOP, CANCELLED, CUT):  # those stand in the answer itself
        words.append(_ENDINGS.get(reply.finish_reason, f"ended: {reply.finish_reason}"))
    return " · ".join([*words, *reply.notices])


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
        "usage": {key: value for key, value in asdict(reply.usage).items() if value is not None},
    }


def dry_run(built: Built, targets: tuple[Target, ...], config: Config) -> str:
    """What a cell would send, and to whom."""
    request = built.request
    lines = [f"would ask  {targets[0].model} on {_where(targets[0], config)}"]
    lines += [f"or, if that fails, {one.model} on {_where(one, config)}" for one in targets[1:]]
    lines.append(f"tokens     about {estimate_tokens(request):,} (an estimate); nothing was sent")
    if settings := request.settings.to_json():
        lines.append("settings   " + ", ".join(f"{k} = {v}" for k, v in settings.items()))
    if request.system is not None:
        lines += ["--- system ---", request.system]
    for message in request.messages:
        lines.append(f"--- {message.role} ---")
        for part in message.parts:
            size = len(part.data or b"")
            lines.append(part.text or f"[{part.mime_type}, {size:,} bytes]")
    if request.schema is not None:
        lines += ["--- schema ---", request.schema]
    return "\n".join([*lines, *built.notices])


def _where(target: Target, config: Config) -> str:
    service = config.backend(target.backend)
    return f"{target.backend} ({service.base_url or 'this machine'})"


def estimate_tokens(request: Request) -> int:
    """A rough count: 4 characters of English a token, fewer of other scripts; 258 a picture."""
    texts = [request.system or "", request.schema or ""]
    texts += [message.text for message in request.messages]
    ascii_count = sum(sum(char < "\x80" for char in text) for text in texts)
    other = sum(map(len, texts)) - ascii_count
    parts = sum(part.data is not None for message in request.messages for part in message.parts)
    return round(ascii_count / 4 + other / 1.5) + 258 * parts
