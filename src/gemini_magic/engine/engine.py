"""Asks: takes a request along its targets, tells what happens, and ends every run with a reply."""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gemini_magic.backends.base import Backend
from gemini_magic.engine import loop
from gemini_magic.engine.admission import Admission, Terms
from gemini_magic.engine.attempt import Attempts, Outcome, told
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.retry import pause_before_retry
from gemini_magic.engine.run import Origin, Run
from gemini_magic.errors import GeminiMagicError, WireError
from gemini_magic.events import Notice, Switched, Waiting
from gemini_magic.locks import ProcessLock
from gemini_magic.types import CANCELLED, CUT, STOP, TOOL_CALLS, Reply, Request, Target

if TYPE_CHECKING:
    from gemini_magic.engine.cache import Cache
    from gemini_magic.engine.toolbox import Toolbox

#: Seconds that a run may take, when the process ends, to close its connection and be logged.
_LAST_WORDS = 10.0
#: Seconds that connections have to be closed.
_FAREWELL = 1.0
#: Seconds after a run in which whoever asked has better use for the processor: to draw the answer.
_DRAWN = 0.05

T = TypeVar("T")


class _Wishes(NamedTuple):
    """How a run is to be asked; see ``Engine.stream``."""

    timeout: float
    force: bool
    replay: bool
    toolbox: Toolbox | None


class Engine:
    """Streams requests to backends, on the process's one loop.

    ``log`` gets every reply and its origin when its run is over, on a thread of its own; ``place``
    tells the notebook and the cell of whoever asks, on their thread. Without ``admission`` nothing
    is counted; without ``cache`` no answer is stored. ``after`` is called with the notebook once
    an answer is drawn and nothing else runs, on the log's thread; not as a process ends.
    """

    def __init__(
        self,
        connections: Connections,
        log: Callable[[Reply, Origin], None] | None = None,
        *,
        admission: Admission | None = None,
        cache: Cache | None = None,
        place: Callable[[], tuple[str, str]] = lambda: ("", ""),
        after: Callable[[str], None] | None = None,
    ) -> None:
        self.connections = connections
        self.admission = admission
        self._attempts = Attempts(connections, admission, cache)
        self._log = log
        self._place = place
        self._after = after
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
        force: bool = False,
        replay: bool = False,
        toolbox: Toolbox | None = None,
    ) -> Run:
        """Start asking; returns at once.

        The targets are tried in order; the next one is asked only if the one before failed
        without a word, with something that another backend may not have. ``timeout`` is the
        longest silence in seconds; ``cell`` identifies the template for the log. ``force`` asks
        whatever the quota's limits say; with ``replay`` a target's stored answer stands in for it.
        ``toolbox`` calls the functions that the request offers; each hop is asked for anew.
        """
        run = Run(request)
        wishes = _Wishes(timeout, force, replay, toolbox)
        origin = Origin(cell, *self._place())
        run.attach(self._submit(self._answer(run, list(targets), wishes, origin)))
        return run

    def call(self, backend: str, ask: Callable[[Backend], Awaitable[T]], timeout: float) -> T:
        """Do something else with a backend (list models, count tokens) and wait for it.

        Raises what ``stream``'s run would raise.
        """

        async def work() -> T:
            client, asked = await self.connections.ready(backend)
            try:
                async with asyncio.timeout(timeout):
                    return await ask(client)
            except TimeoutError:
                silent = WireError("headers", detail=f"no answer within {timeout:g} s")
                raise told(silent, asked) from None
            except WireError as error:
                raise told(error, asked) from None

        future = self._submit(work())
        try:
            return _wait(future)
        except BaseException:
            future.cancel()
            raise

    def warm_up(self, target: Target) -> None:
        """Open a backend and the ledger ahead of their first use; returns at once, asks nobody."""

        async def open_it() -> None:
            self.connections.open(target.backend)
            if self.admission is not None:
                self.admission.warm_up(target)

        self._submit(open_it())

    def look(self) -> None:
        """Have ``after`` called as after a run; returns at once."""
        if self._after is not None:
            with suppress(RuntimeError):  # the process ends
                self._log_thread.submit(self._after, self._place()[0])

    def close(self) -> None:
        """Stop all runs, and close all connections; what the runs had is logged."""
        if self._thread is None or not loop.is_current(self._thread):
            return  # a forked child: the runs are the parent's
        self._closing = True
        runs = list(self._running)  # each leaves it before its last words
        for run in runs:
            run.cancel()
        for run in runs:
            run.wait(_LAST_WORDS)
        with suppress(Exception):
            self._thread.submit(self.connections.close()).result(_FAREWELL)
        if self.admission is not None:
            self.admission.close()
        atexit.unregister(self.close)

    # --- on the loop's thread ---

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            thread = loop.current()
            if thread is not self._thread:  # the first time, or in a forked child
                self._thread, self._running = thread, set()
                self._log_thread = ThreadPoolExecutor(1, "gemini_magic log")
                self.connections.drop()
                if self.admission is not None:
                    self.admission.drop()
        return thread.submit(work)

    async def _answer(
        self, run: Run, targets: list[Target], wishes: _Wishes, origin: Origin
    ) -> None:
        self._running.add(run)
        error: BaseException | None = None
        reason = CUT
        try:
            error, reason = await self._walk(run, targets, wishes)
        except asyncio.CancelledError:
            error, reason = None, CANCELLED
        except BaseException as bug:
            error = bug
        finally:
            self._running.discard(run)
            reply = run.draft.whole(reason)
            origin = origin._replace(failed=error is not None)
            if self._closing:
                self._note(run, reply, origin)
            run.end(reply, error)
            if not self._closing:
                self._note_later(run, reply, origin)

    async def _walk(
        self, run: Run, targets: list[Target], wishes: _Wishes
    ) -> tuple[GeminiMagicError | None, str]:
        """Ask along the targets until one answers."""
        rest = list(targets)
        while True:
            run.asked = target = rest.pop(0)
            if wishes.replay and await self._attempts.replayed(run, target):
                return None, STOP
            hurry = frozenset(rest[0].when if rest else ())
            patience = self.connections.config.max_wait
            terms = Terms(wishes.force, hurry, partial(self._others, target), patience)
            outcome = await self._hop(run, target, wishes, terms)
            failure = outcome.error
            if failure is None or run.draft.begun:
                return failure, outcome.reason
            while rest and not _may_help(rest[0], failure):
                rest.pop(0)
            if not rest:
                return failure, outcome.reason
            host = self.connections.host(rest[0].backend)
            price = await self.admission.price_of(rest[0]) if self.admission else ""
            run.emit(Switched(target, rest[0], failure.what, host, price))

    async def _hop(self, run: Run, target: Target, wishes: _Wishes, terms: Terms) -> Outcome:
        """Ask a target, and again with what the functions gave back that it wants called.

        Each hop is let in, counted and asked again by itself. Who answers is settled with the
        first one: the history of the others holds what only this target can read.
        """
        toolbox, hops = wishes.toolbox, 0
        while True:
            outcome = await self._insist(run, target, wishes, terms)
            calls = tuple(run.draft.calls)
            if outcome.error is not None or toolbox is None or not calls:
                return outcome
            if hops == toolbox.max_hops:
                rounds = "1 round" if hops == 1 else f"{hops} rounds"
                run.emit(Notice(f"stopped after {rounds} of calls (--max-hops)"))
                return outcome._replace(reason=TOOL_CALLS)
            hops += 1
            run.draft.next_hop(await toolbox.call(calls, run))

    async def _insist(self, run: Run, target: Target, wishes: _Wishes, terms: Terms) -> Outcome:
        """Ask a target, again where that can help and the user allows for it."""
        config = self.connections.config
        left = config.retries
        while True:
            outcome = await self._attempts.ask(run, target, wishes.timeout, terms)
            if outcome.error is None or run.draft.hop_begun or not left:
                return outcome
            if outcome.error.when and outcome.error.when in terms.hurry:
                return outcome
            pause = pause_before_retry(outcome, config.max_wait)
            if pause is None:
                return outcome
            left -= 1
            run.emit(Notice(f"asked again after: {outcome.error.what}"))
            run.emit(Waiting(f"{outcome.error.what} Asking again", time.time() + pause))
            await asyncio.sleep(pause)

    def _others(self, target: Target) -> str:
        """Who else can answer now, for people; to be pasted."""
        from gemini_magic.engine.alternatives import alternatives

        return alternatives(self.connections.config, target, self.connections.find_key)

    def _note_later(self, run: Run, reply: Reply, origin: Origin) -> None:
        ended = time.monotonic()

        def note() -> None:
            time.sleep(max(0.0, ended + _DRAWN - time.monotonic()))
            self._note(run, reply, origin)
            if self._after is not None and not self._running:
                self._after(origin.notebook)

        try:
            self._log_thread.submit(note)
        except RuntimeError:  # the process begins to end: threads are given no more work
            self._note(run, reply, origin)

    def _note(self, run: Run, reply: Reply, origin: Origin) -> None:
        if self._log is not None and not reply.cached:
            # A refusal has no target of its own: nobody began to answer.
            self._log(reply if reply.target else reply.replace(target=run.asked), origin)
        self._attempts.keep(run, reply)


def _may_help(following: Target, error: GeminiMagicError) -> bool:
    return bool(error.when) and (not following.when or error.when in following.when)


def _wait(future: Future[T]) -> T:
    """Wait for a future so that an interrupt gets through on every platform."""
    from concurrent.futures import TimeoutError as NotYet

    while True:
        try:
            return future.result(timeout=0.1)
        except NotYet:
            if future.done():
                raise
