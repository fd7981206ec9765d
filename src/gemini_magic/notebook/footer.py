"""The lines around an answer: who answered at what cost, and what would be sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gemini_magic.config import Config
from gemini_magic.engine.request import Built
from gemini_magic.quota.estimate import estimate
from gemini_magic.types import CANCELLED, CUT, MAX_TOKENS, STOP, Cost, Left, Reply, Target, Usage


def footer(reply: Reply) -> str:
    """Model, backend, tokens, seconds, quota left, price, and what else should be known."""
    words = []
    if reply.target is not None:
        words += [reply.target.model, reply.target.backend]
    if reply.cached:
        return " · ".join([*words, "cached · 0 quota", *reply.notices])
    if tokens := _tokens(reply.usage):
        words.append(tokens)
    words.append(f"{reply.seconds:.1f} s")
    words += [text for one in reply.left if (text := _left(one))]
    if reply.cost is not None and reply.cost.listed:
        words.append(_cost(reply.cost))
    if reply.finish_reason not in (STOP, CANCELLED, CUT):  # those stand in the answer itself
        words.append(_ENDINGS.get(reply.finish_reason, f"ended: {reply.finish_reason}"))
    return " · ".join([*words, *reply.notices])


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


def dollars(amount: int) -> str:
    """Micro-dollars as dollars, with as many digits as tell something."""
    value = amount / 1_000_000
    return f"${value:.2f}" if value >= 1 else f"${value:.6f}".rstrip("0").rstrip(".")


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
    lines.append(f"tokens     about {estimate(request):,} (an estimate); nothing was sent")
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
