"""Closes databases while the process forks.

SQLite's locks do not cross a fork: while a child has the parent's connection, even unused, a
connection of its own takes no locks, and what it writes can be lost. So none is open during one.
Source: https://sqlite.org/howtocorrupt.html, section 2.6.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Protocol
from weakref import WeakSet

from gemini_magic.locks import ProcessLock


class Closable(Protocol):
    """Something that opens its file again with its next use. ``close`` is called with ``lock``."""

    lock: ProcessLock

    def close(self) -> None: ...


_closables: WeakSet[Closable] = WeakSet()
_held = ExitStack()


def close_at_forks(one: Closable) -> None:
    """Close it before each fork of this process, and keep others off it until that is done."""
    _closables.add(one)


def _before_fork() -> None:
    for one in list(_closables):
        _held.enter_context(one.lock)
        one.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_held.close, after_in_child=_held.close
    )
