"""``%gemini local``: the embedded model's weights and process, and their installation."""

from __future__ import annotations

import sys
import time
from typing import Any

from gemini_magic.notebook.tables import show_table

_MEGABYTE = 1_000_000


def status(shell: Any) -> None:
    """What is installed and what runs."""
    from gemini_magic.backends import local

    rows = []
    for one in local.status():
        if one.path:
            there = "installed"
        elif one.partial:
            there = f"{one.partial * 100 // one.size} % downloaded"
        else:
            there = f"%gemini local install {one.name}"
        running = ""
        if one.pid:
            memory = f", {one.memory // _MEGABYTE:,} MB" if one.memory else ""
            running = f"process {one.pid}, {one.uptime or 0:.0f} s{memory}"
        rows.append((one.name, f"{one.size // _MEGABYTE:,} MB", there, running))
    show_table(shell, ("model", "size", "weights", "running"), rows)


def stop() -> None:
    """End the model's process, which gives its memory back."""
    from gemini_magic.backends import local

    print(f"ended: {', '.join(local.stop()) or 'nothing was running'}")


def install(shell: Any, name: str | None) -> None:
    """Fetch weights, with a progress bar."""
    from gemini_magic.backends import weights

    chosen = name or weights.default()
    row = weights.lookup(chosen)
    print(f"{row.label}, {row.size // _MEGABYTE:,} MB, licence {row.license}")
    bar = Bar()
    path = weights.install(chosen, progress=lambda p: bar.show(p.done, p.total, p.what))
    bar.end()
    print(f"verified and installed: {path}")


class Bar:
    """A progress bar of one line, drawn again in place at most five times a second."""

    def __init__(self) -> None:
        self._next = 0.0
        self._shown = ""

    def show(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now < self._next and what == self._shown:
            return
        self._next, self._shown = now + 0.2, what
        share = done / total if total else 0.0
        filled = "█" * round(share * 30)
        line = f"{filled:░<30} {share:4.0%}  {done // _MEGABYTE:,} MB  {what}"
        sys.stdout.write(f"\r{line:<100.100}")
        sys.stdout.flush()

    def end(self) -> None:
        sys.stdout.write("\n")
