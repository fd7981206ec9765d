"""Backends on loopback, each a process of its own so that it takes no time from what it serves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.machine import ROOT

#: Chunks that a fast model's short answer comes in.
SHORT = "The tides are the sea's slow breath, drawn twice a day by the moon. "


@dataclass(frozen=True)
class Wire:
    """A running server: its kind, where it is, and the key that it takes."""

    kind: str
    url: str
    key: str


@contextmanager
def serve(kind: str, text: str, **options: float) -> Iterator[Wire]:
    """A server that gives this answer to every request; options as of ``tests.wire``."""
    words = [sys.executable, "-m", "tests.wire", f"--{kind}", "--text", text]
    for name, value in {"chunks": 10, **options}.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    process = subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        yield Wire(kind, where["url"], where["key"])
    finally:
        process.communicate(timeout=10)  # its standard input ends, and so does it
