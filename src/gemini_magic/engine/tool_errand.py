"""Runs a function of the user's in the thread of whoever asked, for so long and no longer."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Seconds after which a function that swallowed an interrupt gets another one.
_AGAIN = 1.0
#: Seconds in which an interrupt that was sent arrives.
_ARRIVAL = 0.05
#: Seconds that a function has, once interrupted, to put things away.
_GRACE = 5.0
#: How many times the time of one call it may wait for its turn: others may be called before it.
_PATIENCE = 10


class TooLong(Exception):
    """A function did not end in time."""


class NeverBegun(TooLong):
    """Nobody came to call the function."""


def can_interrupt() -> bool:
    """Whether a function that this thread runs can be stopped."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def within(seconds: float, work: Callable[[], T]) -> T:
    """The work's result; it is interrupted if it takes longer. Only where ``can_interrupt``.

    Raises ``TooLong``, what the work raises, and ``KeyboardInterrupt`` if that is the user's.
    """
    alarm = _Alarm(seconds)
    failure: BaseException | None = None
    try:
        alarm.start()
        result = work()
    except BaseException as error:
        failure = error
    users = False
    # Anywhere from here the alarm's interrupt may come: it ends here, and only the user's goes on.
    while True:
        try:
            users = users or (isinstance(failure, KeyboardInterrupt) and not alarm.rang)
            alarm.stop()
            if alarm.rang and not isinstance(failure, KeyboardInterrupt):
                time.sleep(_ARRIVAL)
            break
        except KeyboardInterrupt as interrupt:
            users, failure = users or not alarm.rang, interrupt
    if users:
        raise KeyboardInterrupt
    if alarm.rang:
        raise TooLong
    if failure is not None:
        raise failure
    return result


class _Alarm:
    """Interrupts the main thread after so many seconds, and again, until it is stopped."""

    def __init__(self, seconds: float) -> None:
        self.rang = False
        self._seconds = seconds
        self._lock = threading.Lock()
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._wait, name="gemini_magic timeout", daemon=True).start()

    def _wait(self) -> None:
        pause = self._seconds
        while not self._over.wait(pause):
            with self._lock:  # so that it never rings once it is stopped
                if self._over.is_set():
                    return
                self.rang = True
                _interrupt_main_thread()
            pause = _AGAIN

    def stop(self) -> None:
        """It rings no more; an interrupt that it sent may still be on its way."""
        with self._lock:
            self._over.set()


def _interrupt_main_thread() -> None:
    ident = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)  # ends a sleep, too
    else:
        signal.raise_signal(signal.SIGINT)  # Windows: Python handles it in the main thread


class Errand(Generic[T]):
    """Work that is handed to another thread, and waited for on the loop.

    ``work`` raises nothing but ``KeyboardInterrupt``.
    """

    def __init__(self, work: Callable[[], T], seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[bool] = self._loop.create_future()
        self._ended: asyncio.Future[T | None] = self._loop.create_future()
        self._lock = threading.Lock()
        self._taken = False

    def __call__(self) -> None:
        """Do it, in this thread; ``KeyboardInterrupt`` is the user's."""
        with self._lock:
            if self._taken:
                return
            self._taken = True
        stoppable = can_interrupt()
        self._tell(self._begun, stoppable)
        if not stoppable:
            self._tell(self._ended, self._work())
            return
        result = None
        with suppress(TooLong):
            result = within(self._seconds, self._work)
        self._tell(self._ended, result)

    def _tell(self, future: asyncio.Future[Any], value: Any) -> None:
        def tell() -> None:
            if not future.done():
                future.set_result(value)

        self._loop.call_soon_threadsafe(tell)

    async def result(self) -> T:
        """What the work gave. Raises ``TooLong``, and ``NeverBegun`` if nobody did it."""
        try:
            await asyncio.wait({self._begun}, timeout=self._seconds * _PATIENCE)
            with self._lock:
                taken, self._taken = self._taken, True
            if not taken:
                raise NeverBegun
            stoppable = await self._begun
            grace = _GRACE if stoppable else 0.0
            await asyncio.wait({self._ended}, timeout=self._seconds + grace)
            result = self._ended.result() if self._ended.done() else None
            if result is None:
                raise TooLong
            return result
        finally:
            self._taken = True
