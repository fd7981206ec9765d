"""Does something once nothing has happened for a while, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """Calls ``work`` so many seconds after it was called last itself. What it raises is lost."""

    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        self._seconds, self._work = seconds, work
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __call__(self) -> None:
        timer = threading.Timer(self._seconds, self._work)
        timer.daemon = True
        timer.name = "gemini_magic panel"
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = timer
        timer.start()

    def cancel(self) -> None:
        """Do nothing after all, unless it is being done."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
