"""Meters that stay true after their cell is over: a widget, and a thread that draws it again."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ipywidgets

from gemini_magic.locks import ProcessLock
from gemini_magic.quota.reader import LOOK, pause
from gemini_magic.quota.usage import Snapshot
from gemini_magic.widgets.still import Still

#: Seconds without a change until what stays in the notebook is drawn again: each time changes the
#: notebook's file.
QUIET = 2.0
#: How many meters of a kernel are live; older ones keep what they showed last.
LIVE = 3
Draw = Callable[[Snapshot, float], str]


class LiveMeters:
    """Meters in a notebook that follow the ledger until ``close()``, or until their comm closes.

    ``read`` gives the ledger's state; ``changes`` a number that differs once it may have changed,
    asked four times a second, so it must be cheap. Both are called on a thread of this object, and
    ``read`` once on the caller's. ``draw`` and ``plain`` make HTML and text of a state and a time
    of the ledger's clock; the HTML must be safe as it is. ``keep`` is called on the thread with
    MIME data to take the place of the first of ``outputs()``, once something new was counted.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        changes: Callable[[], int],
        draw: Draw,
        plain: Draw,
        keep: Callable[[dict[str, Any]], object] = dict,
    ) -> None:
        self._read, self._changes, self._draw, self._plain = read, changes, draw, plain
        self._keep = keep
        self._stop = threading.Event()
        self._pid = os.getpid()
        self._snapshot, self._at = Snapshot(time.time()), time.monotonic()
        self._seen = self._look()
        self._refresh()
        self.widget: Any = ipywidgets.HTML(draw(self._snapshot, self._now()))
        self.widget.layout.width = "auto"
        self._still = Still(self.widget)
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

    def outputs(self) -> tuple[dict[str, Any], ...]:
        """MIME data to display, one output each: what stays, and the live view in its place."""
        now = self._now()
        drawn, plain = self._draw(self._snapshot, now), self._plain(self._snapshot, now)
        return self._still.outputs(drawn, plain)

    # --- on the thread ---

    def _follow(self) -> None:
        # What goes wrong here (a front end that is gone, a kernel that ends) ends the updates: a
        # traceback would land in whatever cell runs then.
        with suppress(Exception):
            due, kept, changed = 0.0, self._seen, 0.0
            while not self._stop.wait(LOOK) and self.live:
                seen = self._look()
                now = time.monotonic()
                if seen != self._seen:
                    changed = now
                if seen != self._seen or now >= due:
                    self._seen = seen
                    self._refresh()
                    self._show()
                    due = time.monotonic() + pause(self._snapshot)
                if seen != kept and now >= changed + QUIET:
                    kept = seen
                    self._keep(self.outputs()[0])

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
            self._snapshot = self._snapshot._replace(at=self._now(), problem=str(problem))
        self._at = time.monotonic()

    def _now(self) -> float:
        """The time of the ledger's clock."""
        return self._snapshot.at + time.monotonic() - self._at


_newest: list[LiveMeters] = []
_lock = ProcessLock()


def _make_room(meters: LiveMeters) -> None:
    """Add live meters, and freeze those that are too many; closed ones do not count."""
    with _lock:
        _newest[:] = [*(one for one in _newest if one.live), meters]
        for old in _newest[:-LIVE]:
            old.freeze()
        del _newest[:-LIVE]
