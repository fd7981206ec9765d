"""Puts one cell to the engine and reads its reply, for those who draw nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gemini_magic.cell import GeminiCell
from gemini_magic.config import Config
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.request import Built, Evaluate, build
from gemini_magic.engine.run import Run
from gemini_magic.engine.schema import Misfit, Schema, repair
from gemini_magic.engine.targets import choose
from gemini_magic.engine.toolbox import Toolbox
from gemini_magic.errors import BackendError, GeminiMagicError, UsageError
from gemini_magic.types import MAX_TOKENS, Message, Reply, Request, Target, digest


class Unfit(BackendError):
    """The answer is whole, and not what the schema asks for."""


class Question(NamedTuple):
    """A cell's request, and the run that answers it.

    ``again`` asks the one corrective request that the user allows for; None where there is none.
    """

    built: Built
    run: Run
    again: Callable[[Request], Run] | None = None
    before: Reply | None = None

    def corrected(self) -> Question | None:
        """The question once more, where it is over, its answer does not fit, and that is allowed.

        The answer of the new one counts both.
        """
        reply = self.run.reply
        if self.again is None or self.run.error is not None or not reply.complete:
            return None
        problem = misfit(reply, self.built)
        if problem is None:
            return None
        run = self.again(repair(self.built.request, reply, str(problem)))
        return self._replace(run=run, again=None, before=reply)

    def reply(self) -> Reply:
        """The reply of a run that is over, ``parsed`` where the cell has a schema.

        Raises what the run failed with, and ``Unfit``; both have the reply as ``reply``.
        """
        reply = with_notices(self.run.reply, self.built)
        if self.before is not None:
            reply = _together(self.before, reply)
        error = self.run.error
        if error is None:
            reply, error = parsed(reply, self.built)
        if isinstance(error, GeminiMagicError):
            raise carrying(error, reply)
        if error is not None:
            raise error
        return reply


def put(
    engine: Engine,
    config: Config,
    cell: GeminiCell,
    evaluate: Evaluate,
    *,
    history: Sequence[Message] = (),
    schema: Schema | None = None,
    toolbox: Toolbox | None = None,
    may_replay: Callable[[Request], bool] = lambda _: False,
    logged_as: str | None = None,
) -> Question:
    """Start asking what a cell asks; returns at once.

    ``schema`` and ``toolbox`` are those of a caller who has the objects, not their names.
    ``logged_as`` is what the log tells the cell by, its template if None. Raises ``UsageError``
    and ``ConfigError`` before anything is sent.
    """
    built = build(cell, evaluate, presets=config.generation, history=history)
    if schema is not None:
        request = replace(built.request, schema=schema.document)
        built = built._replace(request=request, schema=schema)
    if toolbox is not None:
        request = replace(built.request, tools=toolbox.tools)
        built = built._replace(request=request, toolbox=toolbox)
    if cell.flag("repair") and built.schema is None:
        raise UsageError(
            "--repair has nothing to do without --schema; nothing was sent.",
            "Say what the answer has to be: --schema 'name, age int'",
        )
    targets = targets_of(engine, config, cell)

    def ask(request: Request, *, replay: bool = False) -> Run:
        one = built._replace(request=request)
        return start(engine, config, cell, one, targets, replay=replay, logged_as=logged_as)

    run = ask(built.request, replay=may_replay(built.request))
    return Question(built, run, ask if cell.flag("repair") and built.schema else None)


def targets_of(engine: Engine, config: Config, cell: GeminiCell) -> tuple[Target, ...]:
    """Who is asked; see ``targets.choose``."""
    return choose(
        config,
        engine.connections.find_key,
        model=cell.text("model"),
        route=cell.text("route"),
        fallback=not cell.flag("no-fallback"),
    )


def start(
    engine: Engine,
    config: Config,
    cell: GeminiCell,
    built: Built,
    targets: Sequence[Target],
    *,
    replay: bool = False,
    logged_as: str | None = None,
) -> Run:
    """Ask these targets, in order, for what was built of a cell."""
    timeout = cell.get("timeout")
    return engine.stream(
        built.request,
        targets,
        timeout=float(timeout) if isinstance(timeout, int | float) else config.timeout,
        cell=digest(cell.template if logged_as is None else logged_as),
        force=cell.flag("force"),
        replay=replay,
        toolbox=built.toolbox,
    )


def misfit(reply: Reply, built: Built) -> Misfit | None:
    """Why an answer does not fit the schema; None where it does, or there is none."""
    if built.schema is None:
        return None
    try:
        built.schema.read(reply.text)
    except Misfit as problem:
        return problem
    return None


def parsed(reply: Reply, built: Built) -> tuple[Reply, GeminiMagicError | None]:
    """The reply with the object that its text stands for, and what is wrong with that text."""
    if built.schema is None:
        return reply, None
    try:
        return reply.replace(parsed=built.schema.read(reply.text)), None
    except Misfit as problem:
        cut = reply.finish_reason == MAX_TOKENS
        way = "Give it room: --max-output-tokens N" if cut else "Have it asked once more: --repair"
        return reply, Unfit(
            f"the answer does not fit the schema: {problem}",
            f"The reply is kept. {way}; or describe the fields, or ask a larger model.",
        )


def with_notices(reply: Reply, built: Built) -> Reply:
    """The reply with what is to be known of how its request came about."""
    return reply.replace(notices=(*built.notices, *reply.notices)) if built.notices else reply


def carrying(error: GeminiMagicError, reply: Reply | None) -> GeminiMagicError:
    """The error with what came of the answer as its ``reply``; None where nothing was asked."""
    vars(error)["reply"] = reply
    return error


def _together(first: Reply, second: Reply) -> Reply:
    """The second reply, with what the first one took."""
    return second.replace(
        usage=first.usage.plus(second.usage),
        cost=second.cost.plus(first.cost) if second.cost else first.cost,
        seconds=first.seconds + second.seconds,
        request=first.request,
        notices=(*second.notices, "asked once more: the first answer did not fit the schema"),
    )
