"""Bounds what a service may send: an answer without an end must not fill the memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from gemini_magic.errors import WireError

#: Bytes of one answer, unpacked.
MAX_ANSWER = 256_000_000
#: Long lines are handed on in pieces of so many bytes: SDKs copy a line with each of its pieces.
_PIECE = 4_000_000


async def limit_answer(response: Any) -> None:
    """The HTTP library's hook: an answer has begun."""
    read = response.aiter_bytes

    async def bounded(*given: Any, **named: Any) -> AsyncGenerator[bytes]:
        total, held, waiting = 0, [], 0
        async with aclosing(read(*given, **named)) as pieces:
            async for piece in pieces:
                total += len(piece)
                if total > MAX_ANSWER:
                    size = f"{MAX_ANSWER / 1e6:.0f} MB"
                    raise WireError("stream", detail=f"the answer is larger than {size}")
                held.append(piece)
                waiting += len(piece)
                if waiting >= _PIECE or b"\n" in piece:
                    yield b"".join(held)
                    held, waiting = [], 0
        if held:
            yield b"".join(held)

    response.aiter_bytes = bounded
