"""Asks one target once: from its stored answer, or let in by the ledger, streamed and settled."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from gemini_magic.backends.base import Backend
from gemini_magic.backends.characters import Halves
from gemini_magic.backends.wire import noting_departure
from gemini_magic.engine.admission import Admission, Terms, Ticket
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.gather import Gathering
from gemini_magic.engine.run import Run
from gemini_magic.errors import (
    BackendError,
    Blocked,
    GeminiMagicError,
    MissingKey,
    QuotaExceeded,
    UnknownModel,
    UsageError,
    WireError,
    WirePhase,
)
from gemini_magic.events import (
    Answered,
    Ended,
    Notice,
    PartDone,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
)
from gemini_magic.quota.asked import Asked
from gemini_magic.types import CUT, MAX_TOKENS, STOP, Reply, Request, Target

if TYPE_CHECKING:
    from gemini_magic.engine.cache import Cache
    from gemini_magic.engine.draft import Draft
    from gemini_magic.quota.settlement import Fate

#: Seconds that the search for a mistyped model's nearest names may take.
_SUGGESTION_TIMEOUT = 3.0
_HARMLESS = (STOP, MAX_TOKENS, "TOOL_CALLS", "CONTINUATION")
#: By how much of itself a silence may be cut short: to set its end costs more than most events.
_INEXACT = 0.01
#: Bytes of an answer that are taken for a token while it streams: rather too few.
_BYTES_A_TOKEN = 3.5
#: How much more is reserved of a budget, where an answer costs more than was thought.
_PIECE = 1.25


class Outcome(NamedTuple):
    """How an attempt ended: its error, if any, why the answer ended, and the wire's failure.

    ``scarce`` says that hardly any request of the day is left, ``begun`` that some of the answer
    (or of the thinking before it) had come, ``counted`` that the ledger knows of it.
    """

    error: GeminiMagicError | None
    reason: str
    wire: WireError | None = None
    scarce: bool = False
    begun: bool = False
    counted: bool = False


@dataclass(slots=True)
class _Progress:
    """How far an attempt has come; ``remarks`` are the notices about the answer itself."""

    ended: Ended | None = None
    spent: bool = False
    bytes: int = 0
    begun: bool = False
    answered: bool = False
    remarks: list[str] = field(default_factory=list)


class Attempts:
    """What every attempt needs: connections, the way to the ledger, and stored answers."""

    def __init__(
        self, connections: Connections, admission: Admission | None, cache: Cache | None
    ) -> None:
        self.connections = connections
        self._admission = admission
        self._cache = cache

    async def replayed(self, run: Run, target: Target) -> bool:
        """Answer a run from what was stored for this target; whether there was something."""
        if self._cache is None or not _is_repeatable(run.draft.request):
            return False
        cache = self._cache
        # To look takes a moment where the disk is slow or the prompt holds large pictures.
        stored = await asyncio.to_thread(lambda: cache.find(self._key(run, target)))
        if stored is None:
            return False
        run.emit(Started(target, cached=True))
        if stored.thoughts:
            run.emit(ThoughtDelta(stored.thoughts))
        for part in stored.parts:
            text = part.text
            run.emit(PartDone(part) if text is None else TextDelta(text, part.signature))
        run.draft.reply = run.draft.reply.replace(
            usage=stored.usage, model_version=stored.model_version, cached=True
        )
        return True

    def keep(self, run: Run, reply: Reply) -> None:
        """Store a finished answer for the next time; on any thread."""
        if self._cache is None or not reply.complete or reply.cached or reply.target is None:
            return
        # Some models search unasked; tomorrow's sources are others. A picture that could not be
        # taken now (its address gave nothing) may be there the next time.
        passing = reply.citations or reply.queries or run.draft.lost
        if _is_repeatable(run.draft.request) and not passing:
            self._cache.keep(self._key(run, reply.target), reply)

    def _key(self, run: Run, target: Target) -> str:
        from gemini_magic.engine.cache import key

        service = self.connections.config.backend(target.backend)
        return key(service, target.model, run.draft.request)

    async def ask(self, run: Run, target: Target, timeout: float, terms: Terms) -> Outcome:
        """Ask a target; ``timeout`` is the longest silence in seconds."""
        asked = Asked(target.backend, model=target.model)
        try:
            backend, asked = await self.connections.ready(target.backend)
            asked = asked.of(target.model)
            ticket = await self._enter(run, target, asked, terms)
        except GeminiMagicError as known:
            return Outcome(_with_another_way(known, run.draft.asking, target), CUT)
        if ticket.question is not None:
            asked = asked.of(target.model, ticket.question.amount.tokens)
        run.emit(Started(target))
        progress, wire, error = _Progress(), None, None
        sent = noting_departure()
        fate: Fate
        try:
            await self._stream(run, backend, target, timeout, ticket, progress)
            fate = "cut" if progress.spent or progress.ended is None else "answered"
        except TimeoutError:
            phase: WirePhase = "stream" if progress.begun else "headers"
            wire = WireError(phase, detail=f"nothing came for {timeout:g} s")
            fate = _fate(wire, progress.begun) if sent else "unsent"
        except WireError as failure:
            wire = failure
            fate = _fate(wire, progress.begun)
        except GeminiMagicError as known:
            error, fate = known, "unsent"
        except BaseException:
            await self._leave(run, ticket, "cut" if sent else "unsent", None)
            raise
        ended = progress.ended
        if ended is not None:
            run.draft.reply = run.draft.reply.replace(
                usage=ended.usage,
                model_version=ended.model_version,
                citations=ended.citations,
                queries=ended.queries,
            )
            fate = "cut" if ended.finish_reason == CUT else fate
        scarce = await self._leave(run, ticket, fate, wire)
        if wire is not None:
            explained = await self._explain(wire, asked)
            begun, counted = progress.begun, ticket.grant is not None
            return Outcome(explained, CUT, wire, scarce, begun, counted)
        if progress.spent:
            error = _spent(asked)
        if error is not None:
            return Outcome(error, CUT)
        reason = ended.finish_reason if ended else CUT
        return Outcome(_judge(reason, run.draft, progress.remarks, asked), reason)

    async def _enter(self, run: Run, target: Target, asked: Asked, terms: Terms) -> Ticket:
        if self._admission is None:
            return Ticket()
        return await self._admission.enter(run.emit, target, asked.secret, run.draft.asking, terms)

    async def _leave(self, run: Run, ticket: Ticket, fate: Fate, wire: WireError | None) -> bool:
        """Settle an attempt; whether the day's quota is nearly used up."""
        if self._admission is None:
            return False
        draft = run.draft
        so_far = draft.hop(CUT)
        settled = await self._admission.leave(ticket, fate, so_far, wire)
        if ticket.problem:
            run.emit(Notice(ticket.problem))
        draft.reply = draft.reply.replace(left=settled.left, cost=settled.cost)
        return any(
            one.window == "rpd" and one.size is not None and one.size - one.used <= 3
            for one in settled.left
        )

    async def _stream(
        self,
        run: Run,
        backend: Backend,
        target: Target,
        timeout: float,
        ticket: Ticket,
        progress: _Progress,
    ) -> None:
        loop_time = asyncio.get_running_loop().time
        async with (
            asyncio.timeout(timeout) as silence,
            aclosing(backend.stream(run.draft.asking, target.model)) as said,
        ):
            gathering, halves = Gathering(), {TextDelta: Halves(), ThoughtDelta: Halves()}
            heard = loop_time()
            async for event in said:
                now = loop_time()
                if now - heard > timeout * _INEXACT:
                    silence.reschedule(now + timeout)
                    heard = now
                if isinstance(event, Answered):
                    progress.answered = True
                    if self._admission is not None:
                        self._admission.answered(ticket, event)
                elif isinstance(event, TextDelta | ThoughtDelta):
                    text = halves[type(event)].take(event.text)
                    if signed := isinstance(event, TextDelta) and event.signature is not None:
                        text += halves[TextDelta].rest()  # the part ends here
                    if not text and not signed:
                        continue
                    run.emit(event if text == event.text else replace(event, text=text))
                    progress.begun = progress.begun or bool(text)
                    progress.bytes += len(text.encode())
                    if await self._is_spent(ticket, progress.bytes):
                        progress.spent = True
                        return
                    await gathering.pause()
                elif isinstance(event, Ended):
                    progress.ended = event
                    if half := halves[TextDelta].rest():
                        run.emit(TextDelta(half))
                else:
                    run.emit(event)
                    progress.begun = progress.begun or isinstance(event, PartDone | ToolCalled)
                    if isinstance(event, Notice) and progress.answered:
                        progress.remarks.append(event.text)
                    await gathering.pause()

    async def _is_spent(self, ticket: Ticket, streamed: int) -> bool:
        """Whether an answer of so many bytes has reached what the budget leaves for it.

        What it takes beyond its reservation is reserved piece by piece, so that others see it.
        """
        grant, question = ticket.grant, ticket.question
        if grant is None or grant.allowance is None or question is None or question.price is None:
            return False
        from gemini_magic.quota import prices

        output = round(streamed / _BYTES_A_TOKEN)
        cost = prices.planned(question.price, question.amount.tokens, output)
        if cost > grant.amount.cost and self._admission is not None:
            await self._admission.grow(ticket, round(cost * _PIECE))
            grant = ticket.grant or grant
        return grant.allowance is not None and cost >= grant.allowance

    async def _explain(self, wire: WireError, asked: Asked) -> GeminiMagicError:
        error = told(wire, asked)
        if not isinstance(error, UnknownModel):
            return error
        try:
            async with asyncio.timeout(_SUGGESTION_TIMEOUT):
                backend, _ = self.connections.open(asked.backend)
                names = [model.name for model in await backend.models()]
        except (TimeoutError, WireError, GeminiMagicError):
            return error
        return told(wire, asked.knowing(names))


def _with_another_way(
    error: GeminiMagicError, request: Request, target: Target
) -> GeminiMagicError:
    """A missing key's error with this machine's model as another way, where that one can."""
    if isinstance(error, MissingKey):
        from gemini_magic.backends import local

        with suppress(UsageError):
            local.refuse(request, target.model)
            error.next_step += " — or ask this machine's model: -m local"
    return error


def told(failure: WireError, asked: Asked) -> GeminiMagicError:
    """The user's error; what finds it is loaded with the first failure."""
    from gemini_magic.quota.diagnosis import diagnose

    return diagnose(failure, asked)


def _is_repeatable(request: Request) -> bool:
    """Whether the same answer may stand in another time: not where the world was looked at."""
    return not request.tools and not request.services


def _fate(wire: WireError, begun: bool) -> Fate:
    """What counts of a request that failed on the wire."""
    if begun:
        return "cut"
    if wire.phase == "connect":
        return "unsent"
    return "refused" if wire.status is not None and wire.status < 500 else "failed"


def _spent(asked: Asked) -> QuotaExceeded:
    return QuotaExceeded(
        f"the answer of {asked.label} was stopped: the budget of {asked.backend} is used up.",
        "What came is kept. See %gemini quota; raise the budget in gemini_magic.toml.",
        status=0,
        window="budget",
    )


def _judge(reason: str, draft: Draft, remarks: list[str], asked: Asked) -> GeminiMagicError | None:
    """What to tell the user of an answer that ended without an error on the wire."""
    has_content = draft.has_content
    if reason == CUT:
        return BackendError(
            f"{asked.label} ended the answer without saying that it was complete.",
            "What came is kept; run the cell again.",
        )
    if reason in _HARMLESS and has_content:
        return None
    if reason == STOP and draft.is_later_hop:
        return None  # the functions' work was all that was wanted
    if reason in _HARMLESS and remarks:
        return BackendError(
            f"{asked.label} sent nothing that can be shown: {remarks[-1].rstrip('.')}.",
            "Run the cell again, or ask another model: -m MODEL",
        )
    if reason in _HARMLESS:
        why = "all its tokens went into thinking" if reason == MAX_TOKENS else "nothing at all"
        return BackendError(
            f"{asked.label} sent an empty answer ({why}).",
            "Run the cell again, or give it room: --max-output-tokens 4096",
        )
    return Blocked(
        f"{asked.label} {'broke off' if has_content else 'withheld'} the answer ({reason}).",
        "Say it in other words, or ask another model: -m MODEL",
    )
