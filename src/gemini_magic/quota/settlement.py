"""What a request took in the end: the table of what happened and what counts."""

from __future__ import annotations

from typing import Literal, TypeAlias

from gemini_magic.quota.store import Amount

#: What became of a request: it was never sent; it was refused for quota; it failed before the
#: first byte; it was cut or cancelled while it streamed; it was answered (or blocked, or empty).
Fate: TypeAlias = Literal["unsent", "refused", "failed", "cut", "answered"]


def settled(
    fate: Fate,
    planned: Amount,
    *,
    tokens: int | None = None,
    output: int = 0,
    images: int = 0,
    cost: int = 0,
    failures_count: bool = True,
) -> tuple[Amount, Amount]:
    """What counts in the request's own minute, and what in its own day.

    ``tokens`` and ``output`` are the service's numbers where it told them, ``cost`` micro-dollars.
    Not documented by Google and taken on the safe side: requests that fail count as requests.
    """
    if fate == "unsent":
        return Amount(), Amount()
    if fate == "refused":
        return Amount(requests=1), Amount()
    known = planned.tokens if tokens is None else tokens
    if fate == "failed":
        counted = Amount(requests=1, tokens=known)
        return counted, counted if failures_count else Amount()
    minute = Amount(requests=1, tokens=known, images=images)
    return minute, Amount(1, known, images, cost, output)
