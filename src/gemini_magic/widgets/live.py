"""Meters that stay true after their cell is over: a widget, and a thread that draws it again."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import ipywidgets

from gemini_magic.locks import ProcessLock
from gemini_magic.quota.usage import Snapshot
from gemini_magic.quota.windows import WINDOWS

#: Seconds between two looks, so at most four updates a second.
LOOK = 0.25
#: How many meters of a kernel are live; older ones keep what they showed last.
LIVE = 3
#: Seconds from here to a window's end in which the seconds are counted down.
_SOON = 120.0

Draw = Callable[[Snapshot, float], str]


class LiveMeters:
    """Meters in a notebook that follow the ledger until ``close()``, or until their comm closes.

    ``read`` gives the ledger's state; ``changes`` a number that differs once it may have changed,
    asked four times a second, so it must be cheap. Both are called on a thread of this object, and
    ``read`` once on the caller's. ``draw`` and ``plain`` make HTML and text of a state and a time
    of the ledger's clock; the HTML must be safe as it is.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        changes: Callable[[], int],
        draw: Draw,
        plain: Draw,
    ) -> None:
        self._read, self._changes, self._draw, self._plain = read, changes, draw, plain
        self._stop = threading.Event()
        self._pid = os.getpid()
        self._snapshot, self._at = Snapshot(time.time()), time.monotonic()
        self._seen = self._look()
        self._refresh()
        self.widget: Any = ipywidgets.HTML(draw(self._snapshot, self._now()))
        self.widget.layout.width = "auto"
        # A front end may close the comm, and so may ``Widget.close_all()``.
        self.widget.comm.on_close(lambda message: self._stop.set())
        _make_room(self)
        # In this context what is sent belongs to the cell that made the meters, not to the one
        # that happens to run.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._follow,), name="gemini_magic meters", daemon=True
        ).start()

    @property
    def live(self) -> bool:
        """Whether it still follows the ledger; never in a forked child."""
        return self._pid == os.getpid() and not self._stop.is_set() and self.widget.comm is not None

    def freeze(self) -> None:
        """Follow the ledger no longer; what was shown last stays."""
        if self._pid == os.getpid():
            self._stop.set()

    def close(self) -> None:
        """Take the meters away."""
        if self._pid == os.getpid():
            self._stop.set()
            self.widget.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live view, and what it shows now for readers that have no kernel."""
        now = self._now()
        bundle: dict[str, Any] = {
            "text/plain": self._plain(self._snapshot, now),
            "text/html": self._draw(self._snapshot, now),
        }
        if self.widget.comm is not None:
            bundle["application/vnd.jupyter.widget-view+json"] = self.widget.get_view_spec()
        return bundle

    # --- on the thread ---

    def _follow(self) -> None:
        # What goes wrong here (a front end that is gone, a kernel that ends) ends the updates: a
        # traceback would land in whatever cell runs then.
        with suppress(Exception):
            due = 0.0
            while not self._stop.wait(LOOK) and self.live:
                seen = self._look()
                if seen != self._seen or time.monotonic() >= due:
                    self._seen = seen
                    self._refresh()
                    self._show()
                    due = time.monotonic() + _pause(self._snapshot)

    def _show(self) -> None:
        drawn = self._draw(self._snapshot, self._now())
        if drawn != self.widget.value and self.live:
            self.widget.value = drawn

    def _look(self) -> int | None:
        try:
            return self._changes()
        except Exception:
            return None  # the next reading says why, if it still cannot be read

    def _refresh(self) -> None:
        """Read the state; where that fails, keep the last one and say so."""
        try:
            self._snapshot = self._read()
        except Exception as problem:
            self._snapshot = replace(self._snapshot, at=self._now(), problem=str(problem))
        self._at = time.monotonic()

    def _now(self) -> float:
        """The time of the ledger's clock."""
        return self._snapshot.at + time.monotonic() - self._at


def _pause(snapshot: Snapshot) -> float:
    """Seconds until a state should be read again although nothing happened."""
    windows = [window for use in snapshot.buckets for window in use.windows]
    rolling = any(
        one.used > 0 and one.window in WINDOWS and not WINDOWS[one.window].daily for one in windows
    )
    ends = [at for one in windows for at in (one.resets, one.closed_until) if at is not None]
    soon = any(0 < at - snapshot.at < _SOON for at in ends)
    return 1.0 if rolling or soon or snapshot.problem else 60 - snapshot.at % 60


_newest: list[LiveMeters] = []
_lock = ProcessLock()


def _make_room(meters: LiveMeters) -> None:
    """Add live meters, and freeze those that are too many; closed ones do not count."""
    with _lock:
        _newest[:] = [*(one for one in _newest if one.live), meters]
        for old in _newest[:-LIVE]:
            old.freeze()
        del _newest[:-LIVE]
