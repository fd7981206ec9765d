"""A real Jupyter kernel, driven as a front end does, with the time of every message."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from types import TracebackType
from typing import Any, Self

from jupyter_client.manager import KernelManager


@dataclass
class Executed:
    """What one execution did; times are seconds of time.monotonic()."""

    status: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs as a notebook would keep them: display updates applied."""
        shown: list[dict[str, Any]] = []
        by_id: dict[str, dict[str, Any]] = {}
        for _, message in self.messages:
            kind, content = message["msg_type"], message["content"]
            if kind == "update_display_data":
                by_id[content["transient"]["display_id"]].update(content)
            elif kind in ("display_data", "execute_result", "stream", "error"):
                shown.append(dict(content, kind=kind))
                if display_id := (content.get("transient") or {}).get("display_id"):
                    by_id[display_id] = shown[-1]
        return shown

    def texts(self, mime: str = "text/plain") -> list[str]:
        """The outputs' data of this type, printed text included for text/plain."""
        return [
            output["text"] if output["kind"] == "stream" else output["data"][mime]
            for output in self.outputs
            if mime in output.get("data", {})
            or (output["kind"] == "stream" and mime == "text/plain")
        ]

    @property
    def text(self) -> str:
        return "\n".join(self.texts())

    @property
    def error(self) -> str:
        return "\n".join(self.traceback)


class Kernel:
    """A started kernel with ``%load_ext gemini_magic`` done."""

    def __init__(self, *, load: bool = True, env: dict[str, str] | None = None) -> None:
        self._load = load
        self._env = {**os.environ, "PYTHONPATH": "", **(env or {})}
        #: Is told every message that belongs to another cell than the one waited for, or to none.
        self.others: Callable[[dict[str, Any]], object] = bool

    def __enter__(self) -> Self:
        self.manager = KernelManager(kernel_name="python3", transport="ipc")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(env=self._env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        if self._load:
            loaded = self.run("%load_ext gemini_magic")
            assert loaded.status == "ok" and not loaded.outputs, loaded
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def run_and_type(self, code: str, answer: Callable[[str, bool], str]) -> Executed:
        """Run a cell that asks; ``answer(prompt, hidden)`` is what the user types."""
        request = self.start(code, stdin=True)

        def type_answers() -> None:
            if self.client.stdin_channel.msg_ready():
                question = self.client.get_stdin_msg()["content"]
                self.client.input(answer(question["prompt"], question["password"]))

        return self.finish(request, meanwhile=type_answers)

    def start(
        self,
        code: str,
        *,
        cell_id: str | None = None,
        silent: bool = False,
        stdin: bool = False,
    ) -> str:
        """Send a cell; ``finish`` waits for it."""
        message = self.client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": silent,
                "store_history": not silent,
                "user_expressions": {},
                "allow_stdin": stdin,
                "stop_on_error": True,
            },
            metadata={"cellId": cell_id} if cell_id else {},
        )
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(
        self, request: str, *, timeout: float = 60, meanwhile: Callable[[], object] = bool
    ) -> Executed:
        """Collect what the cell does until the kernel is idle again and has replied."""
        done = Executed(began=time.monotonic())
        self.collect(request, done, meanwhile, timeout)
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == request:
                break
        content = reply["content"]
        done.status = content["status"]
        done.payload = content.get("payload", [])
        done.ename, done.evalue = content.get("ename", ""), content.get("evalue", "")
        done.traceback = content.get("traceback", [])
        return done

    def collect(
        self, request: str, done: Executed, meanwhile: Callable[[], object], timeout: float
    ) -> None:
        """Read messages into ``done`` until the cell is over."""
        deadline = time.monotonic() + timeout
        while not done.ended:
            meanwhile()
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except Empty:
                assert time.monotonic() < deadline, f"no end within {timeout} s: {done}"
                continue
            if message["parent_header"].get("msg_id") != request:
                self.others(message)
                continue
            now = time.monotonic()
            done.messages.append((now, message))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                done.ended = now

    def run(self, code: str, *, cell_id: str | None = None, timeout: float = 60) -> Executed:
        return self.finish(self.start(code, cell_id=cell_id), timeout=timeout)

    def interrupt_when(
        self, code: str, ready: Any, *, timeout: float = 30
    ) -> tuple[Executed, float]:
        """Run a cell and interrupt it once ``ready()``; also the seconds from there to idle."""
        request = self.start(code)
        deadline = time.monotonic() + timeout
        while not ready():
            assert time.monotonic() < deadline, "the moment to interrupt never came"
            time.sleep(0.01)
        struck = time.monotonic()
        self.manager.interrupt_kernel()
        done = self.finish(request, timeout=timeout)
        return done, done.ended - struck

    def value(self, expression: str) -> Any:
        """The value of an expression, by its repr."""
        done = self.run(f"print(repr({expression}))")
        assert done.status == "ok", done.error
        return eval(done.texts()[0])

    def complete(self, code: str, position: int | None = None) -> dict[str, Any]:
        request = self.client.complete(code, len(code) if position is None else position)
        while True:
            reply = self.client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = reply["content"]
                return content
