"""The functions that a model may have called: what they look like to it, and how they are run."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.engine import loop
from gemini_magic.errors import UsageError
from gemini_magic.events import ToolReturned
from gemini_magic.types import Part, Tool, ToolCall, ToolResult, ToolUse

if TYPE_CHECKING:
    from gemini_magic.engine.run import Run
    from gemini_magic.engine.tool_function import Function

#: Characters of a function's error that a model is told.
_ERROR = 2_000
#: Seconds after which a loop that does not answer is left to the function that blocks it.
_PULSE = 1.0


class _Said(NamedTuple):
    """What a call gave, as JSON text, or what still has to be awaited."""

    content: str
    failed: bool = False
    rest: Awaitable[Any] | None = None


class Toolbox:
    """Functions by the names that the user knows them by.

    ``max_hops`` is how many rounds of calls there may be, ``timeout`` how many seconds one call
    may take. Raises ``UsageError`` for a function that no model can call.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        *,
        max_hops: int = 8,
        timeout: float = 30.0,
    ) -> None:
        from gemini_magic.engine.tool_function import Function

        self.max_hops = max_hops
        self._timeout = timeout
        self._functions: dict[str, Function] = {}
        for name, function in functions.items():
            made = Function(name, function)
            if made.tool.name in self._functions:
                raise UsageError(
                    f"--tools {name}: services know it as {made.tool.name}, as they do another "
                    "one; nothing was sent.",
                    f"Give it another name: {made.tool.name}_2 = {name}",
                )
            self._functions[made.tool.name] = made

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(function.tool for function in self._functions.values())

    async def call(self, calls: Sequence[ToolCall], run: Run) -> tuple[Part, ...]:
        """The results of these calls, in their order. Fails only by being cancelled.

        Async functions run on a loop of their own, at the same time as each other; the others one
        after another, in the thread of whoever polls the run, or in one of their own.
        """
        uses: dict[int, ToolUse] = {}

        async def one(at: int, call: ToolCall) -> None:
            began = time.monotonic()
            said = await self._said(call, run)
            result = ToolResult(call.name, said.content, call.id, said.failed)
            uses[at] = ToolUse(call, result, time.monotonic() - began)
            run.emit(ToolReturned(uses[at]))

        async def in_turn(mine: Sequence[int]) -> None:
            for at in mine:
                await one(at, calls[at])

        at_once = [at for at, call in enumerate(calls) if self._is_async(call)]
        queued = [at for at in range(len(calls)) if at not in at_once]
        tasks = [asyncio.create_task(one(at, calls[at])) for at in at_once]
        tasks.append(asyncio.create_task(in_turn(queued)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return tuple(Part(result=uses[at].result) for at in range(len(calls)))

    def _is_async(self, call: ToolCall) -> bool:
        function = self._functions.get(call.name)
        return function is not None and function.is_async

    async def _said(self, call: ToolCall, run: Run) -> _Said:
        from gemini_magic.engine.tool_errand import Errand, NeverBegun, TooLong

        function = self._functions.get(call.name)
        if function is None:
            return _wrong(f"there is no function {call.name[:64]!r}; there are: "
                          f"{', '.join(self._functions)}")  # fmt: skip
        if function.is_async:
            return await self._elsewhere(_begun(function, call))
        errand = Errand(lambda: _begin(function, call), self._timeout)
        _hand_on(errand, run)
        try:
            said = await errand.result()
        except NeverBegun:
            return _wrong("it was not called: the notebook was busy with something else")
        except TooLong:
            return self._too_long()
        return said if said.rest is None else await self._elsewhere(_awaited(said.rest))

    async def _elsewhere(self, work: Coroutine[Any, Any, _Said]) -> _Said:
        """What an async function gives. One that does not heed its end is left behind."""
        future = (await _thread()).submit(work)
        ended = asyncio.wrap_future(future)
        try:
            await asyncio.wait({ended}, timeout=self._timeout)
            return ended.result() if ended.done() else self._too_long()
        finally:
            future.cancel()

    def _too_long(self) -> _Said:
        return _wrong(f"it took longer than {self._timeout:g} s")


def _hand_on(errand: Callable[[], None], run: Run) -> None:
    if run.serves_errands:
        run.send_on(errand)
        return
    # No pool: the process would wait for its threads, and a function that hangs is left behind.
    here = copy_context()
    name = "gemini_magic tool"
    threading.Thread(target=lambda: here.run(errand), name=name, daemon=True).start()


def _begin(function: Function, call: ToolCall) -> _Said:
    """Call a function. Raises ``KeyboardInterrupt`` alone, and only in the main thread."""
    from gemini_magic.engine.schema_types import Misfit

    try:
        bound = function.bind(call.arguments)
    except Misfit as misfit:
        return _wrong(f"wrong arguments: {misfit}")
    except RecursionError:
        return _wrong("wrong arguments: they are nested too deeply")
    try:
        value = function.function(*bound.args, **bound.kwargs)
        if inspect.isawaitable(value):
            return _Said("", rest=value)
        return _result(value)
    except BaseException as error:
        main = threading.current_thread() is threading.main_thread()
        if isinstance(error, KeyboardInterrupt) and main:
            raise  # the user's, or the end of the function's time
        return _failed(error)


async def _thread() -> loop.LoopThread:
    """The loop of async functions; a new one where a function blocks it."""
    thread = loop.for_functions()
    pulse = asyncio.wrap_future(thread.submit(asyncio.sleep(0)))
    await asyncio.wait({pulse}, timeout=_PULSE)
    if pulse.done():
        return thread
    pulse.cancel()
    loop.leave(thread)
    return loop.for_functions()


async def _begun(function: Function, call: ToolCall) -> _Said:
    said = _begin(function, call)
    return said if said.rest is None else await _awaited(said.rest)


async def _awaited(rest: Awaitable[Any]) -> _Said:
    try:
        return _result(await rest)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return _failed(error)
    except GeneratorExit:
        raise
    except BaseException as error:  # one that passes would take the loop down
        return _failed(error)


def _result(value: Any) -> _Said:
    from gemini_magic.engine.tool_results import Unsayable, as_json

    try:
        return _Said(as_json(value))
    except Unsayable as error:
        return _wrong(str(error))


def _failed(error: BaseException) -> _Said:
    """What a function raised, without its traceback: that holds what is the user's."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return _wrong(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _wrong(message: str) -> _Said:
    from gemini_magic.engine.schema_types import one_line

    return _Said(json.dumps(one_line(message, _ERROR), ensure_ascii=False), failed=True)
