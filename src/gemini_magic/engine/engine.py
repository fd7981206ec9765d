"""Asks: takes a request along its targets, tells what happens, and ends every run with a reply."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

from gemini_magic.backends.base import Backend
from gemini_magic.engine import loop
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.gather import Gathering
from gemini_magic.engine.run import Run
from gemini_magic.errors import (
    BackendError,
    Blocked,
    GeminiMagicError,
    UnknownModel,
    WireError,
    WirePhase,
)
from gemini_magic.locks import ProcessLock
from gemini_magic.quota.asked import Asked
from gemini_magic.types import (
    CANCELLED,
    CUT,
    MAX_TOKENS,
    STOP,
    Ended,
    Reply,
    Request,
    Started,
    Switched,
    Target,
)

#: Seconds that the search for a mistyped model's nearest names may take.
_SUGGESTION_TIMEOUT = 3.0
#: Seconds that a run may take, when the process ends, to close its connection and be logged.
_LAST_WORDS = 10.0
_HARMLESS = (STOP, MAX_TOKENS, "TOOL_CALLS", "CONTINUATION")

T = TypeVar("T")


class Engine:
    """Streams requests to backends, on the process's one loop.

    ``log`` gets every reply and its ``cell`` when its run is over, on a thread of its own.
    """

    def __init__(
        self, connections: Connections, log: Callable[[Reply, str], None] | None = None
    ) -> None:
        self.connections = connections
        self._log = log
        self._thread: loop.LoopThread | None = None
        self._running: set[Run] = set()
        self._lock = ProcessLock()
        self._closing = False
        self._log_thread = ThreadPoolExecutor(1, "gemini_magic log")
        atexit.register(self.close)

    def stream(
        self,
        request: Request,
        targets: Sequence[Target],
        *,
        timeout: float = 120.0,
        cell: str = "",
    ) -> Run:
        """Start asking; returns at once.

        The targets are tried in order; the next one is asked only if the one before failed
        without a word, with something that another backend may not have. ``timeout`` is the
        longest silence in seconds; ``cell`` identifies the template for the log.
        """
        run = Run(request)
        run.attach(self._submit(self._answer(run, list(targets), timeout, cell)))
        return run

    def call(self, backend: str, ask: Callable[[Backend], Awaitable[T]], timeout: float) -> T:
        """Do something else with a backend (list models, count tokens) and wait for it.

        Raises what ``stream``'s run would raise.
        """

        async def work() -> T:
            client, asked = self.connections.open(backend)
            try:
                async with asyncio.timeout(timeout):
                    return await ask(client)
            except TimeoutError:
                silent = WireError("headers", detail=f"no answer within {timeout:g} s")
                raise _told(silent, asked) from None
            except WireError as error:
                raise _told(error, asked) from None

        future = self._submit(work())
        try:
            return _wait(future)
        except BaseException:
            future.cancel()
            raise

    def warm_up(self, name: str) -> None:
        """Open a backend ahead of its first use; returns at once, asks nobody."""

        async def open_it() -> None:
            backend, _ = self.connections.open(name)
            backend.warm_up()

        self._submit(open_it())

    def close(self) -> None:
        """Stop all runs; what they had is logged."""
        if self._thread is None or not loop.is_current(self._thread):
            return  # a forked child: the runs are the parent's
        self._closing = True
        for run in list(self._running):
            run.cancel()
        for run in list(self._running):
            run.wait(_LAST_WORDS)
        atexit.unregister(self.close)

    # --- on the loop's thread ---

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            thread = loop.current()
            if thread is not self._thread:  # the first time, or in a forked child
                self._thread, self._running = thread, set()
                self._log_thread = ThreadPoolExecutor(1, "gemini_magic log")
                self.connections.drop()
        return thread.submit(work)

    async def _answer(self, run: Run, targets: list[Target], timeout: float, cell: str) -> None:
        self._running.add(run)
        error: BaseException | None = None
        reason = CUT
        try:
            rest = list(targets)
            while rest:
                target = rest.pop(0)
                failure, reason = await self._try(run, target, timeout)
                error = failure
                if failure is None or run.draft.texts:
                    break
                while rest and not _may_help(rest[0], failure):
                    rest.pop(0)
                if rest:
                    host = self.connections.host(rest[0].backend)
                    run.emit(Switched(target, rest[0], failure.what, host))
        except asyncio.CancelledError:
            error, reason = None, CANCELLED
        except BaseException as bug:
            error = bug
        finally:
            self._running.discard(run)
            reply = run.draft.snapshot(reason)
            if self._closing:
                self._note(reply, cell)
            run.end(reply, error)
            if not self._closing:
                self._note_later(reply, cell)

    def _note_later(self, reply: Reply, cell: str) -> None:
        try:
            self._log_thread.submit(self._note, reply, cell)
        except RuntimeError:  # the process begins to end: threads are given no more work
            self._note(reply, cell)

    def _note(self, reply: Reply, cell: str) -> None:
        if self._log is not None:
            self._log(reply, cell)

    async def _try(
        self, run: Run, target: Target, timeout: float
    ) -> tuple[GeminiMagicError | None, str]:
        """Ask one target: its error, if any, and the reason why its answer ended."""
        loop_time = asyncio.get_running_loop().time
        asked = Asked(target.backend, model=target.model)
        ended: Ended | None = None
        try:
            backend, asked = self.connections.open(target.backend)
            asked = asked.of(target.model)
            run.emit(Started(target))
            async with (
                asyncio.timeout(timeout) as silence,
                aclosing(backend.stream(run.draft.request, target.model)) as said,
            ):
                gathering = Gathering()
                async for event in said:
                    silence.reschedule(loop_time() + timeout)
                    if isinstance(event, Ended):
                        ended = event
                    else:
                        run.emit(event)
                        await gathering.pause()
        except TimeoutError:
            phase: WirePhase = "stream" if run.draft.texts else "headers"
            detail = f"nothing came for {timeout:g} s"
            return _told(WireError(phase, detail=detail), asked), CUT
        except WireError as wire:
            return await self._explain(wire, asked), CUT
        except GeminiMagicError as known:
            return known, CUT
        reason = ended.finish_reason if ended else CUT
        run.draft.reply = run.draft.reply.replace(
            usage=ended.usage if ended else run.draft.reply.usage,
            model_version=ended.model_version if ended else None,
        )
        return _judge(reason, any(map(bool, run.draft.texts)), asked), reason

    async def _explain(self, wire: WireError, asked: Asked) -> GeminiMagicError:
        error = _told(wire, asked)
        if not isinstance(error, UnknownModel):
            return error
        try:
            async with asyncio.timeout(_SUGGESTION_TIMEOUT):
                backend, _ = self.connections.open(asked.backend)
                names = [model.name for model in await backend.models()]
        except (TimeoutError, WireError, GeminiMagicError):
            return error
        return _told(wire, asked.knowing(names))


def _told(failure: WireError, asked: Asked) -> GeminiMagicError:
    """The user's error; what finds it is loaded with the first failure."""
    from gemini_magic.quota.diagnosis import diagnose

    return diagnose(failure, asked)


def _may_help(following: Target, error: GeminiMagicError) -> bool:
    return bool(error.when) and (not following.when or error.when in following.when)


def _judge(reason: str, has_text: bool, asked: Asked) -> GeminiMagicError | None:
    """What to tell the user of an answer that ended without an error on the wire."""
    if reason == CUT:
        return BackendError(
            f"{asked.label} ended the answer without saying that it was complete.",
            "What came is kept; run the cell again.",
        )
    if reason in _HARMLESS and has_text:
        return None
    if reason in _HARMLESS:
        why = "all its tokens went into thinking" if reason == MAX_TOKENS else "no text at all"
        return BackendError(
            f"{asked.label} sent an empty answer ({why}).",
            "Run the cell again, or give it room: --max-output-tokens 4096",
        )
    return Blocked(
        f"{asked.label} {'broke off' if has_text else 'withheld'} the answer ({reason}).",
        "Say it in other words, or ask another model: -m MODEL",
    )


def _wait(future: Future[T]) -> T:
    """Wait for a future so that an interrupt gets through on every platform."""
    from concurrent.futures import TimeoutError as NotYet

    while True:
        try:
            return future.result(timeout=0.1)
        except NotYet:
            if future.done():
                raise
