"""Imports large packages in less time: without the garbage collector, which finds none there.

An SDK is a hundred thousand objects that stay. While they come, Python looks through them again
and again for garbage, which takes a sixth of the import's time.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: So many modules make it worth while to call all that is there old.
_MANY = 50

_lock = threading.Lock()
_count = 0
_was_on = False
_modules = 0


@contextmanager
def uncollected() -> Iterator[None]:
    """For imports alone: the collector rests meanwhile, in all threads.

    Where much has come, it counts as old afterwards, as if it had been looked through. A collector
    that the user turned off stays off, and what the user froze (``gc.freeze``) stays frozen.
    """
    global _count, _was_on, _modules
    with _lock:
        if not _count:
            _was_on, _modules = gc.isenabled(), len(sys.modules)
            gc.disable()
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1
            if not _count and _was_on:
                _resume()


def _resume() -> None:
    if len(sys.modules) - _modules >= _MANY and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()  # to the oldest generation, without a look at any of them
    gc.enable()


def _after_fork() -> None:
    """The thread that imported is not in the child."""
    global _lock, _count
    _lock = threading.Lock()
    if _count and _was_on:
        gc.enable()
    _count = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
