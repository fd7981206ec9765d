"""What is known of the machine, and clocks of other processes on it."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent

_PACKAGES = ("gemini-magic", "google-genai", "openai", "ipython", "ipykernel", "jupyter-client")


def describe() -> dict[str, Any]:
    """Processor, Python and packages: what figures must not be compared across."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def load() -> list[float]:
    """The run queue's length over 1, 5 and 15 minutes."""
    return [round(one, 2) for one in psutil.getloadavg()]


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far, all its threads together.

    On Linux to the nanosecond: the clock of another process is ``~pid << 3 | CPUCLOCK_SCHED``
    (clock_getcpuclockid(3)). Elsewhere in the ticks of ``psutil``.
    """
    if sys.platform == "linux":
        return time.clock_gettime((~pid << 3) | 2)
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of everything that is measured: no key, no proxy, byte code kept."""
    foreign = ("GEMINI_", "GOOGLE_", "OPENAI_", "MODEL_PROXY_", "PYTHON", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        "GEMINI_MAGIC_HOME": str(home),
        "GEMINI_MAGIC_WARM_UP": "0",
        "IPYTHONDIR": str(home / "ipython"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONHASHSEED": "0",
        **more,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
