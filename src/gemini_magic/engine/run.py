"""One question on its way: events for whoever draws, a partial reply, and a way to stop it."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import NamedTuple, TypeAlias

from gemini_magic.engine.draft import Draft
from gemini_magic.errors import GeminiMagicError
from gemini_magic.events import Event, Finished, Started
from gemini_magic.types import CANCELLED, Reply, Request, Target

#: Something to be done in the thread of whoever asked. It raises ``KeyboardInterrupt`` alone.
Errand: TypeAlias = Callable[[], None]

#: Seconds that an interrupt may have to wait until a thread in ``poll`` notices it (Windows).
POLL = 0.1


class Origin(NamedTuple):
    """Where a run came from, for the log: its cell's template (SHA-256), notebook and cell id.

    ``notebook`` is the path of its file; both are empty where nobody knows them.
    """

    template: str = ""
    notebook: str = ""
    cell: str = ""
    failed: bool = False


class Run:
    """A request that is being answered. Iterate over it, in any thread or asynchronously.

    Iteration ends with ``Finished(reply)``; if the run failed, its ``GeminiMagicError`` is raised
    after that, so that what had come is never lost.
    """

    #: Whether whoever polls has a thread of their own, in which functions of theirs expect to be
    #: called: a cell has, a panel and an ``async for`` have none.
    serves_errands: bool = True

    def __init__(self, request: Request) -> None:
        self.draft = Draft(request)
        self._reply: Reply | None = None
        #: Who was asked last; None where nobody was.
        self.asked: Target | None = None
        self._errands: deque[Errand] = deque()
        self.error: GeminiMagicError | BaseException | None = None
        self._events: deque[Event] = deque()
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._over = False
        self._cancelled = False
        self._ended = threading.Event()
        self._future: Future[None] | None = None

    # --- the engine's side, on the loop's thread ---

    def attach(self, future: Future[None]) -> None:
        self._future = future

    def emit(self, event: Event) -> None:
        self.draft.take(event)
        self._events.append(event)
        if not isinstance(event, Started):  # nobody need wake up for it
            self._news.put(None)

    def end(self, reply: Reply, error: BaseException | None = None) -> None:
        self._reply, self.error = reply, error
        self._events.append(Finished(reply))
        self._ended.set()
        self._news.put(None)

    def send_on(self, errand: Errand) -> None:
        """Have whoever polls this run do something in their own thread, unless it is cancelled."""
        self._errands.append(errand)
        self._news.put(None)

    # --- the face's side ---

    def poll(self, timeout: float = POLL) -> list[Event]:
        """The events since the last call, waiting up to ``timeout`` seconds for a first one.

        Once all were handed out, ``over`` is true. Functions that the model wants called in the
        caller's thread are called here, one at a time: what came before one is handed out first,
        so that it can be drawn. An interrupt in such a function leaves as ``KeyboardInterrupt``.
        """
        try:
            self._news.get(timeout=timeout) if timeout > 0 else self._news.get_nowait()
            while True:
                self._news.get_nowait()
        except queue.Empty:
            pass
        over = self._ended.is_set()
        if over or self._cancelled:
            self._errands.clear()
        elif self._errands and not self._events:
            self._errands.popleft()()
            over = self._ended.is_set()
        if self._errands:
            self._news.put(None)
        events = [self._events.popleft() for _ in range(len(self._events))]
        self._over = over
        return events

    @property
    def over(self) -> bool:
        """Whether the last event was handed out."""
        return self._over

    def raise_error(self) -> None:
        """Raise what the run failed with, if it did."""
        if self.error is not None:
            raise self.error

    def __iter__(self) -> Iterator[Event]:
        while not self._over:
            yield from self.poll()
        self.raise_error()

    async def __aiter__(self) -> AsyncIterator[Event]:
        self.serves_errands = False
        while not self._over:
            for event in await asyncio.to_thread(self.poll):
                yield event
        self.raise_error()

    def cancel(self) -> None:
        """Stop the run, from any thread, any number of times; it ends as CANCELLED."""
        self._cancelled = True
        if self._future is not None:
            self._future.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the engine is done with the run; whether it is."""
        return self._ended.wait(timeout)

    @property
    def reply(self) -> Reply:
        """The reply; partial until the run is over."""
        return self._reply or self.draft.whole(CANCELLED)
