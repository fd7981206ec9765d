"""How much main memory a model may count on: the machine's, or less where a container says so."""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: Where Linux says how much a container may use; the second form is the older one.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory() -> int:
    """The main memory in bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return _windows()
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0
    return max(0, min([whole, *filter(None, map(_limit, _LIMITS))]))


def _limit(path: str) -> int | None:
    try:
        text = Path(path).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None


def _windows() -> int:
    """Source: https://learn.microsoft.com/windows/win32/api/sysinfoapi (kilobytes)."""
    import ctypes

    kilobytes = ctypes.c_ulonglong(0)
    library = getattr(ctypes, "windll").kernel32  # noqa: B009 - only Windows has it
    known = library.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024 if known else 0
