"""Lets the tokens of a long answer gather: to wake up for each costs more than to read it."""

from __future__ import annotations

import asyncio

#: Seconds for which an answer is read as it comes; most are over by then.
_AT_ONCE = 1.0
#: Seconds between two looks at the socket after that. Front ends are drawn to less often.
_PAUSE = 0.05


class Gathering:
    """Paces the reading of one stream; on the loop's thread.

    What one look at the socket brought (up to 64 kB) is handed out without a pause, so that a
    fast stream is never slowed down.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calm = 0.0
        self._waited = True

    async def pause(self) -> None:
        """To be called after each event: sleeps if the event had to be waited for."""
        if not self._waited:
            return
        now = self._loop.time()
        self._calm = self._calm or now + _AT_ONCE
        if now < self._calm:
            return
        await asyncio.sleep(_PAUSE)
        self._waited = False
        self._loop.call_soon(self._wait)

    def _wait(self) -> None:
        """Runs when the stream lets go of the loop, because it has nothing more to hand out."""
        self._waited = True
