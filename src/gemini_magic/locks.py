"""A lock that a forked child does not inherit locked."""

from __future__ import annotations

import os
import threading
from types import TracebackType

#: Seconds between two looks while a lock is waited for, so that an interrupt gets through.
_TICK = 0.1


class ProcessLock:
    """A lock of one process: a forked child finds it free, whoever held it in the parent."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.Lock()
        while not self._lock.acquire(timeout=_TICK):
            pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()
