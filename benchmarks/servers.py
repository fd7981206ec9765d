"""Backends on loopback, each a process of its own so that it takes no time from what it serves."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import ROOT

#: Chunks that a fast model's short answer comes in.
SHORT = "The tides are the sea's slow breath, drawn twice a day by the moon. "


@dataclass(frozen=True)
class Wire:
    """A running server: its kind, where it is, and the key that it takes.

    ``counts``, once it has ended: "generate" calls, and those that its quota "refused".
    """

    kind: str
    url: str
    key: str
    counts: dict[str, int] = field(default_factory=dict)


@contextmanager
def serve(kind: str, text: str, **options: str | float | tuple[float, ...]) -> Iterator[Wire]:
    """A server that gives this answer to every request; options as of ``tests.wire``."""
    words = [sys.executable, "-m", "tests.wire", f"--{kind}", "--text", text]
    for name, value in {"chunks": 10, **options}.items():
        values = value if isinstance(value, tuple) else () if value is True else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    process = subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        wire = Wire(kind, where["url"], where["key"])
        yield wire
    finally:
        counts, _ = process.communicate(timeout=10)  # its standard input ends, and so does it
    wire.counts.update(json.loads(counts))


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """The URL of a redis-server of our own that writes nothing; None where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *words, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()
