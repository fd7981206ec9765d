"""Bounds what a service may send: an answer without an end must not fill the memory."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import Any

from gemini_magic.errors import WireError

#: Bytes of one answer, unpacked.
MAX_ANSWER = 256_000_000
#: Long lines are handed on in pieces of so many bytes: SDKs copy a line with each of its pieces.
_PIECE = 4_000_000
#: The answers that this task's requests got, to be closed.
_answers: ContextVar[list[Any] | None] = ContextVar("gemini_magic_answers", default=None)


async def limit_answer(response: Any) -> None:
    """The HTTP library's hook: an answer has begun.

    Counted is what comes out of the decompression, whether the SDK streams the answer or reads it
    as a whole; more than the limit leaves as a ``WireError``.
    """
    if (answers := _answers.get()) is not None:
        answers.append(response)
    # One that held itself would stay, with all its buffers, until the garbage is collected.
    whose, read = weakref.ref(response), type(response).aiter_bytes

    def bounded(*given: Any, **named: Any) -> AsyncGenerator[bytes]:
        return _bounded(read(whose(), *given, **named))

    response.aiter_bytes = bounded


async def _bounded(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    total, waiting = 0, 0
    held: list[bytes] = []
    async with aclosing(pieces):
        async for piece in pieces:
            total += len(piece)
            if total > MAX_ANSWER:
                size = f"{MAX_ANSWER / 1e6:.0f} MB"
                raise WireError("stream", detail=f"the answer is larger than {size}")
            if not held and b"\n" in piece:
                yield piece
                continue
            held.append(piece)
            waiting += len(piece)
            if waiting >= _PIECE or b"\n" in piece:
                yield b"".join(held)
                held, waiting = [], 0
    if held:
        yield b"".join(held)


@asynccontextmanager
async def closing_answers() -> AsyncGenerator[None]:
    """What ``limit_answer`` saw of this task's answers within it is closed at its end.

    An SDK leaves that to the garbage collection, where its reader did not come to the end.
    """
    answers: list[Any] = []
    _answers.set(answers)
    try:
        yield
    finally:
        _answers.set(None)
        for answer in answers:
            await answer.aclose()
