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
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.markup import SMALL
from gemini_magic.widgets.sight import Sight
from gemini_magic.widgets.still import Still

#: Seconds without a change until what stays in the notebook is drawn again: each time changes the
#: notebook's file.
QUIET = 2.0
#: How many meters of a kernel follow the ledger; older ones say of when they are.
LIVE = 3
Draw = Callable[[Snapshot, float], str]


class LiveMeters:
    """Meters in a notebook that follow the ledger until ``close()``, or until their comm closes.

    While nobody can see them (see ``sight``), while ``wanted`` says no, and once newer ones have
    taken their place (see ``LIVE``) they rest: they look at nothing, and say of when they are.

    ``read`` gives the ledger's state; ``changes`` a number that differs once it may have changed,
    asked four times a second, so it must be cheap. Both are called on a thread of this object, and
    ``read`` once on the caller's. ``draw`` and ``plain`` make HTML and text of a state and a time
    of the ledger's clock; the HTML must be safe as it is. ``keep`` is called on the thread with
    MIME data to take the place of the first of ``outputs()``, once something new was counted.
    ``wanted`` is asked on the thread; ``wake()`` says that its answer may be another one.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        changes: Callable[[], int],
        draw: Draw,
        plain: Draw,
        keep: Callable[[dict[str, Any]], object] = dict,
        wanted: Callable[[LiveMeters], bool] = lambda meters: True,
    ) -> None:
        self._read, self._changes, self._draw, self._plain = read, changes, draw, plain
        self._keep, self._wanted = keep, wanted
        self._stop, self._awake = threading.Event(), threading.Event()
        self._frozen = False
        self._pid = os.getpid()
        self._snapshot, self._at = Snapshot(time.time()), time.monotonic()
        self._seen = self._look()
        self._refresh()
        self._html: Any = ipywidgets.HTML(draw(self._snapshot, self._now()))
        self._html.layout.width = "auto"
        self.sight = Sight(self.wake)
        self.widget: Any = ipywidgets.VBox([self._html, *self.sight.widgets])
        self._still = Still(self.widget)
        # A front end may close the comm, and so may ``Widget.close_all()``.
        self.widget.comm.on_close(lambda message: self._end())
        self.widget.observe(lambda change: self._end(), "comm")
        _make_room(self)
        # In this context what is sent belongs to the cell that made the meters, not to the one
        # that happens to run.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._follow,), name="gemini_magic meters", daemon=True
        ).start()

    @property
    def live(self) -> bool:
        """Whether it follows the ledger or may do so again; never in a forked child."""
        return self._pid == os.getpid() and not self._stop.is_set() and self.widget.comm is not None

    @property
    def follows(self) -> bool:
        """Whether it follows the ledger now."""
        return self.live and not self._frozen and not self.sight.hidden and self._wanted(self)

    @property
    def shown(self) -> str:
        """What it shows now, as HTML."""
        return str(self._html.value)

    def freeze(self) -> None:
        """Follow the ledger no longer, until it is seen anew."""
        self._frozen = True

    def wake(self) -> None:
        """Follow the ledger again, if it is seen and wanted; returns at once."""
        self._frozen = False
        self._awake.set()

    def close(self) -> None:
        """Take the meters away."""
        if self._pid == os.getpid():
            self._end()
            close(self.widget)

    def outputs(self) -> tuple[dict[str, Any], ...]:
        """MIME data to display, one output each: what stays, and the live view in its place."""
        now = self._now()
        drawn, plain = self._draw(self._snapshot, now), self._plain(self._snapshot, now)
        # It may stay for long.
        return self._still.outputs(drawn + self._as_of("%Y-%m-%d %H:%M"), plain)

    def _as_of(self, form: str) -> str:
        at = time.strftime(form, time.localtime(self._now()))
        return f'<span style="{SMALL}">as of {at}</span>'

    def _end(self) -> None:
        self._stop.set()
        self._awake.set()

    # --- on the thread ---

    def _follow(self) -> None:
        # What goes wrong here (a front end that is gone, a kernel that ends) ends the updates: a
        # traceback would land in whatever cell runs then.
        with suppress(Exception):
            due, kept, changed = 0.0, self._seen, 0.0
            while not self._stop.wait(LOOK) and self.live:
                if not self.follows:
                    if self._seen != kept:
                        kept = self._seen
                        self._keep(self.outputs()[0])
                    self._rest()
                    due = 0.0
                    continue
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

    def _rest(self) -> None:
        """Do nothing at all until it is woken for a reason, or ended."""
        self._show(self._as_of("%H:%M"))
        while self.live and not self.follows:
            self._awake.wait()
            self._awake.clear()
        if self.live:
            _make_room(self)

    def _show(self, more: str = "") -> None:
        drawn = self._draw(self._snapshot, self._now()) + more
        if drawn != self._html.value and self.live:
            self._html.value = drawn

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
    """Add meters that follow, and freeze those that are too many; others take no room."""
    with _lock:
        _newest[:] = [*(one for one in _newest if one is not meters and one.follows), meters]
        for old in _newest[:-LIVE]:
            old.freeze()
        del _newest[:-LIVE]
