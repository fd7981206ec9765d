"""Tells the time so that a step of the machine's clock does not move the ledger's.

Within one boot the ledger's time is the time since the boot plus an offset that the store keeps:
suspend counts, steps of the clock do not, and all processes agree. Where the system cannot say
how long ago it booted, the wall clock is used as it is.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

#: Seconds by which a wall clock may lie before the newest event without being disbelieved.
TOLERANCE = 5.0


class Reading(NamedTuple):
    """One look at the clocks: Unix time, and seconds since the boot named ``boot``.

    ``boot`` is "" where the system does not tell; ``since_boot`` means nothing then.
    """

    wall: float
    since_boot: float = 0.0
    boot: str = ""


Clock: TypeAlias = Callable[[], Reading]


def system_clock() -> Reading:
    """This machine's clocks, now."""
    boot = _boot()
    if not boot:
        return Reading(time.time())
    return Reading(time.time(), time.clock_gettime(_SINCE_BOOT), boot)


#: Linux's clock that goes on during suspend.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", -1)


@functools.cache
def _boot() -> str:
    """What names this boot of the machine. Source: Linux, random(4), boot_id."""
    if not sys.platform.startswith("linux") or _SINCE_BOOT < 0:
        return ""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
