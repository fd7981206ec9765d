"""The thread that the ledger is used on, so that a slow disk never stalls a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from gemini_magic.config import Config
from gemini_magic.errors import GeminiMagicError

if TYPE_CHECKING:
    from gemini_magic.engine.books import Books

T = TypeVar("T")


class Away(Exception):
    """The ledger's store cannot be used; the message says why."""


class LedgerThread:
    """Does work with the books, one piece after the other. Used on the loop's thread.

    ``config`` gives the configuration in force now.
    """

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._books: Books | None = None
        self._pool = ThreadPoolExecutor(1, "gemini_magic ledger")
        self._last: Future[Any] | None = None

    def drop(self) -> None:
        """Forget what belongs to the parent of this process."""
        self._books, self._last = None, None
        self._pool = ThreadPoolExecutor(1, "gemini_magic ledger")

    def close(self) -> None:
        """Let go of the store's files, once what is under way is done; its next use opens it."""
        if self._books is not None:
            self.later(lambda books: books.close())

    @property
    def quick(self) -> bool:
        """Whether nothing is under way here or elsewhere: then the caller may do a piece itself,
        with ``here``, and need not wait for another thread."""
        free = self._last is None or self._last.done()
        return free and self._books is not None and self._books.quick

    async def do(self, work: Callable[[Books], T]) -> T:
        """Have it done. Raises ``Away`` where the store cannot be used.

        Work that was begun is done to its end, also where the caller is cancelled.
        """
        try:
            self._last = done = self._pool.submit(self.here, work)
        except RuntimeError:  # the process ends, and gives no thread any more work
            return self.here(work)
        return await asyncio.wrap_future(done)

    def later(self, work: Callable[[Books], Any]) -> None:
        """Have it done some time soon; what goes wrong is told with the next request."""

        def quietly() -> None:
            with suppress(Away, GeminiMagicError):
                self.here(work)

        try:
            self._last = self._pool.submit(quietly)
        except RuntimeError:  # the process ends, and gives no thread any more work
            quietly()

    def here(self, work: Callable[[Books], T]) -> T:
        """Do it on the caller's thread, which is this one or, where that is quick, the loop's."""
        from gemini_magic.engine.books import Books
        from gemini_magic.quota.store import StoreError

        if self._books is None:
            self._books = Books(self._config)
        try:
            return work(self._books)
        except StoreError as problem:
            raise Away(str(problem)) from None
