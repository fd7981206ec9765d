"""How the kernels of one user find the one process that runs a model, and agree to start only one.

A running model's address and key lie in a private file, named after what runs: weights, context
and package version. Whoever holds the lock beside it may start, replace or end the process.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gemini_magic.paths import held as held

_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Child:
    """A process that runs a model. ``began`` tells it from a later process with the same id.

    ``url`` is empty while the model is being loaded; ``error`` says why it could not be.
    """

    pid: int
    began: str
    url: str
    key: str = field(repr=False)
    model: str
    path: str
    context: int
    started: float
    error: str = ""


def identity(weights: str, context: int) -> str:
    """What makes two kernels share a process, as a file's name.

    ``weights`` is a SHA-256, or the path of a user's own file (then its size and time count too).
    """
    parts = [weights, str(context), _package_version()]
    if os.path.isabs(weights):
        status = os.stat(weights)
        parts += [str(status.st_size), str(status.st_mtime_ns)]
    return "local-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _package_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gemini-magic")
    except PackageNotFoundError:
        return "source"


def place(name: str) -> Path:
    """The file for an identity; its folder exists and is private."""
    from gemini_magic import paths

    return paths.private_folder(paths.runtime_dir()) / f"{name}.json"


def lock_of(path: Path) -> Path:
    """The lock that guards an identity's file."""
    return path.with_suffix(".lock")


def everyone() -> list[Path]:
    """The files of all processes, whatever their state."""
    from gemini_magic import paths

    return sorted(paths.runtime_dir().glob("local-*.json"))


def read(path: Path) -> Child | None:
    """What the file says, if it is whole."""
    try:
        return Child(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(path: Path, child: Child) -> None:
    from gemini_magic import paths

    paths.write_private(path, json.dumps(asdict(child)).encode())


def touch(path: Path) -> None:
    """Say that the process is wanted; FileNotFoundError where it has gone."""
    os.utime(path)


# --- processes ----------------------------------------------------------------------------------


def began(pid: int) -> str:
    """When a process started, as the system writes it; empty if it is not running.

    A process that has ended and waits to be collected is not running.
    """
    if sys.platform == "win32":
        return _began_windows(pid)
    if sys.platform.startswith("linux"):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return ""
        fields = stat.rpartition(")")[2].split()  # source: proc(5); the name may hold blanks
        return "" if fields[0] in "ZX" else fields[19]
    import subprocess

    told = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return "" if len(told) < 2 or told[0].startswith("Z") else told[1].strip()


def _began_windows(pid: int) -> str:
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return ""
    try:
        times = [ctypes.c_ulonglong() for _ in range(4)]
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        if code.value != 259 or not kernel.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return ""  # 259 is STILL_ACTIVE
        return str(times[0].value)
    finally:
        kernel.CloseHandle(handle)


def alive(child: Child) -> bool:
    """Whether the very process that wrote the file still runs."""
    return began(child.pid) == child.began != ""


def end(path: Path, *, patience: float = 5.0) -> None:
    """End the process of a file and remove the file. To be called with the lock held."""
    import signal

    child = read(path)
    path.unlink(missing_ok=True)
    if child is None or not alive(child):
        return
    with suppress(OSError):
        os.kill(child.pid, signal.SIGTERM)
    until = time.monotonic() + patience
    while alive(child):
        if time.monotonic() > until:
            with suppress(OSError):
                os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            return
        time.sleep(_TICK)


def memory(pid: int) -> int | None:
    """The memory that a process occupies, in bytes, where the system says it cheaply."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
