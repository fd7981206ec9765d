"""The pacing of a long answer's reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

from gemini_magic.engine import gather


async def read(pieces: AsyncIterator[int]) -> list[float]:
    """When each piece was read, in seconds of the loop's clock."""
    pacing, times = gather.Gathering(), []
    async for _ in pieces:
        times.append(asyncio.get_running_loop().time())
        await pacing.pause()
    return times


async def from_a_queue(pieces: asyncio.Queue[int | None]) -> AsyncIterator[int]:
    while (piece := await pieces.get()) is not None:
        yield piece


def test_what_is_there_at_once_is_never_slowed_down(monkeypatch) -> None:
    monkeypatch.setattr(gather, "_AT_ONCE", 0.0)  # the calm begins at once

    async def run() -> list[float]:
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        for piece in (*range(500), None):
            queue.put_nowait(piece)
        return await read(from_a_queue(queue))

    times = asyncio.run(run())
    assert len(times) == 500
    assert times[-1] - times[1] < 20 * gather._PAUSE  # not a pause for each of the 500


def test_pieces_that_are_waited_for_gather(monkeypatch) -> None:
    monkeypatch.setattr(gather, "_AT_ONCE", 0.2)

    async def run() -> list[float]:
        queue: asyncio.Queue[int | None] = asyncio.Queue()

        async def write() -> None:
            for piece in (*range(100), None):
                await asyncio.sleep(0.005)
                queue.put_nowait(piece)

        writing = asyncio.create_task(write())
        times = await read(from_a_queue(queue))
        await writing
        return times

    times = asyncio.run(run())
    assert len(times) == 100
    gaps = [later - earlier for earlier, later in pairwise(times)]
    late = [gap for gap, at in zip(gaps, times, strict=False) if at > times[0] + 0.25]
    assert max(late) >= gather._PAUSE * 0.8  # read in bursts, with pauses between them
    assert sum(gap < 0.001 for gap in late) > len(late) / 2
