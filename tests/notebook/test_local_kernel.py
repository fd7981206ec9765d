"""The embedded model's real weights in real kernels."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gemini_magic.backends import weights
from tests.kernels import Kernel

NAME = weights.default()
REAL = weights.find(NAME)  # before a test moves the home

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.local_model,
    pytest.mark.skipif(REAL is None, reason=f"{NAME} is not on this machine"),
]


@pytest.fixture(autouse=True)
def installed(home: Path):
    """The weights, in the test's own home; its model's process ends with the test."""
    from gemini_magic.backends import local

    assert REAL is not None
    folder = home / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / REAL.name).symlink_to(REAL)
    yield
    local.stop()


def pid() -> int:
    from gemini_magic.backends import local

    (running,) = [status for status in local.status() if status.pid]
    assert running.pid is not None
    return running.pid


def test_two_kernels_share_one_model_which_survives_neither_kill_nor_harm() -> None:
    with Kernel() as first, Kernel() as second:
        request = first.start("%%gemini -t 0\nWhat is the capital of France?")
        done = second.run("%%gemini -t 0\nWhat is the capital of Italy?", timeout=120)
        assert "Rome" in done.text, done.error
        assert "Paris" in first.finish(request, timeout=120).text
        child = pid()

        request = first.start("%%gemini -t 0\nCount from 1 to 500, separated by commas.")
        time.sleep(2)
        os.kill(child, signal.SIGKILL)
        done = first.finish(request, timeout=60)
        assert done.status == "error" and len(done.traceback) <= 2
        assert first.value("_.finish_reason") == "CUT"
        done = second.run("%%gemini --fresh -t 0\nWhat is the capital of France?", timeout=120)
        assert "Paris" in done.text and pid() != child


def test_an_interrupt_while_it_loads_and_while_it_answers() -> None:
    with Kernel() as kernel:
        kernel.run("%%gemini --dry-run\nimport everything")
        sent = time.monotonic()
        done, seconds = kernel.interrupt_when(
            "%%gemini -t 0\nHello", lambda: time.monotonic() > sent + 0.7
        )
        assert (done.status, done.ename) == ("error", "Interrupted"), done
        assert seconds < 0.3
        assert "Paris" in kernel.run("%%gemini -t 0\nThe capital of France?", timeout=120).text
        sent = time.monotonic()
        done, seconds = kernel.interrupt_when(
            "%%gemini -t 0\nCount from 1 to 500, separated by commas.",
            lambda: time.monotonic() > sent + 2,
        )
        assert done.ename == "Interrupted" and seconds < 0.3
        assert kernel.value("_.text.startswith('1')")
