"""One question on its way: events for whoever draws, a partial reply, and a way to stop it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import (
    CANCELLED,
    Event,
    Finished,
    Notice,
    Reply,
    Request,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
)

#: Seconds that an interrupt may have to wait until a thread in ``poll`` notices it (Windows).
POLL = 0.1


@dataclass(slots=True)
class Draft:
    """The reply as far as it has come; written on the loop's thread only."""

    request: Request
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    reply: Reply = field(default_factory=Reply)
    began: float = field(default_factory=time.monotonic)
    before: int = 0  # how many notices there were when the present target was asked

    def take(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self.texts.append(text)
            case ThoughtDelta(text):
                self.thoughts.append(text)
            case Notice(text):
                self.notices.append(text)
            case Switched(_, new, why, host, price):
                self.thoughts.clear()
                del self.notices[self.before :]  # they were about the old one
                self.notices.append(
                    f"{new.backend} ({', '.join(filter(None, (host, price)))})"
                    f" was asked because of this: {why}"
                )
            case Started(target):
                self.before = len(self.notices)
                self.reply = self.reply.replace(target=target)
            case _:
                pass

    def snapshot(self, reason: str) -> Reply:
        """The reply as it would be if it ended now, for this reason."""
        return self.reply.replace(
            text="".join(self.texts),
            thoughts="".join(self.thoughts),
            notices=tuple(dict.fromkeys(self.notices)),
            request=self.request,
            finish_reason=reason,
            seconds=time.monotonic() - self.began,
        )


class Run:
    """A request that is being answered. Iterate over it, in any thread or asynchronously.

    Iteration ends with ``Finished(reply)``; if the run failed, its ``GeminiMagicError`` is raised
    after that, so that what had come is never lost.
    """

    def __init__(self, request: Request) -> None:
        self.draft = Draft(request)
        self.error: GeminiMagicError | BaseException | None = None
        self._events: deque[Event] = deque()
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._over = False
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
        self.draft.reply, self.error = reply, error
        self._events.append(Finished(reply))
        self._ended.set()
        self._news.put(None)

    # --- the face's side ---

    def poll(self, timeout: float = POLL) -> list[Event]:
        """The events since the last call, waiting up to ``timeout`` seconds for a first one.

        Once all were handed out, ``over`` is true.
        """
        try:
            self._news.get(timeout=timeout) if timeout > 0 else self._news.get_nowait()
            while True:
                self._news.get_nowait()
        except queue.Empty:
            pass
        over = self._ended.is_set()
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
        while not self._over:
            for event in await asyncio.to_thread(self.poll):
                yield event
        self.raise_error()

    def cancel(self) -> None:
        """Stop the run, from any thread, any number of times; it ends as CANCELLED."""
        if self._future is not None:
            self._future.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the engine is done with the run; whether it is."""
        return self._ended.wait(timeout)

    @property
    def reply(self) -> Reply:
        """The reply; partial until the run is over."""
        return self.draft.reply if self._ended.is_set() else self.draft.snapshot(CANCELLED)
