"""Real kernels of any Python, with the wall and CPU time of what they run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

from jupyter_client.manager import KernelManager
from tests.kernels import Executed, Kernel

from benchmarks.machine import cpu_seconds

#: Seconds for which a kernel may go on working after it said that it is idle (logs, threads).
SETTLE = 0.06


@dataclass(frozen=True)
class Timed:
    """One cell: seconds from sending it until the kernel is idle, and CPU seconds used by it.

    ``sent`` is when the last cell was sent, in seconds of ``time.monotonic()``.
    """

    wall: float
    cpu: float
    sent: float
    done: Executed

    @property
    def drawn(self) -> list[tuple[float, dict[str, Any]]]:
        """The messages that change an output, each with the time of its arrival."""
        kinds = ("display_data", "update_display_data", "stream", "execute_result")
        return [(at, one) for at, one in self.done.messages if one["msg_type"] in kinds]


class TimedKernel(Kernel):
    """A kernel of the given Python and environment, which is all that it gets."""

    def __init__(self, python: str, environ: dict[str, str]) -> None:
        super().__init__(load=False)
        self._python = python
        self._env = environ

    def __enter__(self) -> Self:
        self.manager = KernelManager(kernel_name="python3", transport="ipc")
        spec: Any = self.manager.kernel_spec
        spec.argv[0] = self._python
        self.manager.start_kernel(env=self._env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        time.sleep(0.1)
        return self

    @property
    def pid(self) -> int:
        provisioner: Any = self.manager.provisioner
        return int(provisioner.pid)

    def timed(self, *cells: str, timeout: float = 120) -> Timed:
        """Run cells one after the other; what they took together, and what the last one did."""
        cpu, began = cpu_seconds(self.pid), time.monotonic()
        for cell in cells:
            sent = time.monotonic()
            done = self.run(cell, timeout=timeout)
            if done.status != "ok":
                raise RuntimeError(f"{cell[:200]!r} failed in {self._python}:\n{done.error}")
        time.sleep(SETTLE)
        return Timed(done.ended - began, cpu_seconds(self.pid) - cpu, sent, done)
