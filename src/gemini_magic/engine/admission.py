"""Lets requests in: each waits its turn for the ledger, is told why, and is settled in the end."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gemini_magic.config import Config
from gemini_magic.engine.ledger_thread import Away, LedgerThread
from gemini_magic.errors import GeminiMagicError, LedgerError, WireError, when_of
from gemini_magic.events import Answered, Event, Notice, Waiting
from gemini_magic.keys import Secret
from gemini_magic.types import Reply, Request, Target

if TYPE_CHECKING:
    from gemini_magic.engine.books import Books, Question
    from gemini_magic.quota.ledger import Denied, Grant
    from gemini_magic.quota.settlement import Fate

#: Seconds for which a limit that may be stale holds a request back.
_SHORT = 10.0
#: Seconds that others are waited for at least: they may be at the ledger just now.
_AT_LEAST = 5.0
#: Seconds between two looks at the ledger while waiting: something may have been released.
_LOOK = 1.0
#: Seconds after which a request without an answer is renewed in the ledger (``store.GRACE``).
_RENEW = 4.0

#: Seconds in which an answer is expected to end before the ledger is told of its beginning.
_SHORT_ANSWER = 0.5
#: Seconds after an answer in which nothing is done that can wait.
_IDLE = 1.0

T = TypeVar("T")
Emit = Callable[[Event], None]


class Terms(NamedTuple):
    """How a request wants to be let in.

    ``force`` sends it whatever the limits say. ``hurry`` are the failures (``when``) for which the
    next target of the route is there, so that nobody waits here. ``others`` tells who else can
    answer; ``patience`` is the longest wait in seconds.
    """

    force: bool = False
    hurry: frozenset[str] = frozenset()
    others: Callable[[], str] = str
    patience: float = 90.0


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was let in. Without a ``grant`` nobody counts it: the ledger is away.

    ``problem`` is what went wrong when it was settled.
    """

    question: Question | None = None
    grant: Grant | None = None
    headers: Answered | None = None
    timer: asyncio.TimerHandle | None = None
    problem: str = ""

    def stop_timer(self) -> None:
        """What the timer was to tell the ledger is no longer to be told."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Admission:
    """One engine's way to the ledger; used on the loop's thread.

    ``config`` gives the configuration in force now.
    """

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._thread = LedgerThread(config)
        self._inside: set[Ticket] = set()
        self._lines: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def drop(self) -> None:
        """Forget what belongs to another loop, or to the parent of this process."""
        self._thread.drop()
        self._inside.clear()
        self._lines.clear()

    def close(self) -> None:
        """Let go of the ledger's files; its next use opens it again."""
        self._thread.close()

    # --- in ---

    async def enter(
        self, emit: Emit, target: Target, key: Secret | None, request: Request, terms: Terms
    ) -> Ticket:
        """Reserve for a request, waiting if need be; events say for what.

        Raises ``QuotaExceeded`` and ``PromptTooLong`` where it is not let in, ``ConfigError`` for
        a budget without a price, and ``LedgerError`` where the ledger is away and the user wants
        to stop then.
        """
        ticket = await self._let_in(emit, target, key, request, terms)
        self._inside.add(ticket)
        return ticket

    async def _let_in(
        self, emit: Emit, target: Target, key: Secret | None, request: Request, terms: Terms
    ) -> Ticket:
        try:
            began = time.monotonic()
            if terms.force:
                return await self._enter(emit, target, key, request, terms, began)
            line = self._lines[str(target)]
            await self._stand_in(line, emit, target, terms)
            try:
                return await self._enter(emit, target, key, request, terms, began)
            finally:
                line.release()
        except Away as problem:
            if self._config().ledger.get("on_ledger_error", "warn") == "stop":
                raise LedgerError(
                    f"the quota cannot be counted ({problem}); nothing was sent.",
                    'To ask without a count: on_ledger_error = "warn" in gemini_magic.toml',
                ) from None
            emit(Notice(f"not counted in the quota: {problem}"))
            return Ticket()

    async def _stand_in(self, line: asyncio.Lock, emit: Emit, target: Target, terms: Terms) -> None:
        """Wait behind the others of this process that ask the same; the line is held then."""
        patience = max(terms.patience, _AT_LEAST)
        if line.locked():
            emit(Waiting(f"other requests to {target} go first"))
        try:
            async with asyncio.timeout(patience):
                await line.acquire()
        except TimeoutError:
            from gemini_magic.engine.refusal import crowded

            raise crowded(target, patience, terms.others()) from None

    async def _enter(
        self,
        emit: Emit,
        target: Target,
        key: Secret | None,
        request: Request,
        terms: Terms,
        began: float,
    ) -> Ticket:
        def ask(books: Books) -> tuple[Question, Grant | Denied]:
            question = books.question(target.backend, key, target.model, request, force=terms.force)
            return question, books.admit(question)

        from gemini_magic.quota.ledger import Denied

        question, decided = await self._asked(ask)
        while isinstance(decided, Denied):
            question = await self._wait(emit, target, question, decided, terms, began)
            question, decided = await self._asked(_again(question))
        ticket = Ticket(question, decided)
        self._renew_later(ticket)
        return ticket

    @property
    def _alone(self) -> bool:
        """Whether no stream could be stalled: then the way to another thread and back is saved."""
        return not self._inside and self._thread.quick

    async def _asked(
        self, ask: Callable[[Books], tuple[Question, Grant | Denied]]
    ) -> tuple[Question, Grant | Denied]:
        """Ask the ledger; what it grants to a run that is cancelled meanwhile is given back."""
        if self._alone:
            return self._thread.here(ask)
        answer = asyncio.ensure_future(self._thread.do(ask))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(self._give_back)
            raise

    def _give_back(self, answer: asyncio.Future[tuple[Question, Grant | Denied]]) -> None:
        from gemini_magic.quota.ledger import Denied

        if answer.cancelled() or answer.exception() is not None:
            return
        question, decided = answer.result()
        if not isinstance(decided, Denied):
            grant = decided
            self._thread.later(lambda books: books.settle(question, grant, "unsent", Reply(), None))

    async def _wait(
        self,
        emit: Emit,
        target: Target,
        question: Question,
        denied: Denied,
        terms: Terms,
        began: float,
    ) -> Question:
        """Wait a while for a window to open; the question to ask then."""
        from gemini_magic.engine import refusal

        patience = terms.patience
        wall, wait = denied.last, denied.last.opens - denied.at
        in_all = time.monotonic() - began + wait
        if denied.firm:
            if in_all > patience or when_of(wall.window) in terms.hurry:
                raise refusal.refused(target, denied, patience, terms.others())
        elif in_all > min(_SHORT, patience):
            emit(Notice(refusal.beyond(denied, target)))
            return question.stale_limits_apart()
        emit(Waiting(refusal.waiting_for(wall, target), time.time() + wait))
        await asyncio.sleep(min(max(wait, 0.001), _LOOK))
        return question

    async def price_of(self, target: Target) -> str:
        """What a target costs, for people; "" where that cannot be said."""
        try:
            return await self._thread.do(lambda books: books.price_of(target))
        except (Away, GeminiMagicError):
            return ""

    # --- meanwhile ---

    def warm_up(self, target: Target) -> None:
        """Open the ledger, and look the target's price up, while nobody waits for it."""
        self._thread.later(lambda books: books.ledger.salt)
        self._thread.later(lambda books: books.look_up(target))

    async def grow(self, ticket: Ticket, cost: int) -> None:
        """A request is about to cost more than was reserved of its budgets: reserve ``cost``."""
        grant = ticket.grant
        assert grant is not None
        with suppress(Away, GeminiMagicError):
            ticket.grant = await self._thread.do(lambda books: books.ledger.grow(grant, cost))

    def answered(self, ticket: Ticket, headers: Answered) -> None:
        """An answer has begun; returns at once."""
        grant = ticket.grant
        if grant is None or ticket.headers is not None:
            return
        ticket.stop_timer()
        ticket.headers = headers

        def tell() -> None:
            ticket.timer = None
            self._thread.later(lambda books: books.answered(grant, headers))

        # A short answer is told with its end: one look at the ledger less.
        ticket.timer = asyncio.get_running_loop().call_later(_SHORT_ANSWER, tell)

    def _renew_later(self, ticket: Ticket) -> None:
        """The service may get the request later than it was reserved: say so until it answers."""
        grant = ticket.grant
        assert grant is not None

        def renew() -> None:
            self._thread.later(lambda books: books.ledger.renew(grant))
            self._renew_later(ticket)

        ticket.timer = asyncio.get_running_loop().call_later(_RENEW, renew)

    # --- out ---

    async def leave(
        self, ticket: Ticket, fate: Fate, reply: Reply, wire: WireError | None = None
    ) -> Reply:
        """Settle a request; the reply with what is left and what it cost. Never fails.

        ``wire`` is what the service refused with. A cancelled run is settled all the same.
        """
        untold = ticket.headers if ticket.timer is not None else None
        ticket.stop_timer()
        self._inside.discard(ticket)
        if (question := ticket.question) is None:
            return reply

        def settle(books: Books) -> Reply:
            return books.settle(question, ticket.grant, fate, reply, wire, untold)

        try:
            if self._alone:
                settled = self._thread.here(settle)
            else:
                settled = await asyncio.shield(asyncio.ensure_future(self._thread.do(settle)))
        except Exception as problem:  # nothing that goes wrong here may cost the answer
            ticket.problem = f"not counted in the quota: {problem}"
            return reply
        if settled.cost is None and fate == "answered" and reply.target is not None:
            # To look a price up takes a moment, which nobody shall wait for.
            target = reply.target
            asyncio.get_running_loop().call_later(
                _IDLE, self._thread.later, lambda books: books.look_up(target)
            )
        return settled


def _again(question: Question) -> Callable[[Books], tuple[Question, Grant | Denied]]:
    return lambda books: (question, books.admit(question))
