"""The one event loop on the one daemon thread that all runs of a process share.

Async functions of the user's have a second one: one that blocks it stops no answer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from gemini_magic.locks import ProcessLock

T = TypeVar("T")


class LoopThread:
    """An asyncio loop on a daemon thread; started with its first work."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="gemini_magic", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.loop.is_closed():
            # A task that ends in a KeyboardInterrupt or SystemExit (a tool may raise one) takes
            # asyncio's loop down with it, although it has told its future; the others go on.
            with suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)


_current: LoopThread | None = None
_functions: LoopThread | None = None
_lock = ProcessLock()


def current() -> LoopThread:
    """This process's loop; a forked child gets one of its own."""
    global _current
    with _lock:
        if _current is None:
            _current = LoopThread()
        return _current


def is_current(thread: LoopThread) -> bool:
    """Whether it is this process's loop, not that of the parent it was forked from."""
    return thread is _current


def for_functions() -> LoopThread:
    """The loop on which async functions of the user's run."""
    global _functions
    with _lock:
        if _functions is None:
            _functions = LoopThread()
        return _functions


def leave(thread: LoopThread) -> None:
    """Leave a loop of functions to the one that blocks it; the next ones get another loop."""
    global _functions
    with _lock:
        if _functions is thread:
            _functions = None


def runs_functions(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether async functions of the user's run on this loop."""
    return _functions is not None and loop is _functions.loop


def _after_fork_in_child() -> None:
    """The parent's thread did not come along; its loop and connections stay the parent's."""
    global _current, _functions
    _current = _functions = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
