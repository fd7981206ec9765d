"""What a ledger's store keeps, and the few atomic operations that every store offers.

A store counts; it decides nothing but whether a plan's gates have room. What the limits are, and
where they come from, is ``rules``; which gates a request has to pass is ``plan``. So SQLite and
Redis need no more than this page, and pass the same tests.

Times are Unix seconds of the *ledger's clock*: the store's own, corrected by what services say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol, TypeAlias

#: Seconds of the rolling minute.
MINUTE = 60.0
#: Seconds between two looks at the clock beyond which somebody has corrected it meanwhile.
MOVED = 1.0
#: Seconds that a request counts longer than a minute while no answer has begun: it may reach the
#: service that much later than it was reserved. Whoever waits for the answer calls ``renew``
#: more often than that.
GRACE = 5.0


class StoreError(Exception):
    """The store cannot be read or written; the message says why, in one line."""


class NewerStore(StoreError):
    """A newer version of gemini_magic wrote the store; it was left alone."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What is taken: generate calls, input tokens, pictures, micro-dollars, output tokens."""

    requests: int = 0
    tokens: int = 0
    images: int = 0
    cost: int = 0
    output: int = 0

    @property
    def values(self) -> tuple[int, ...]:
        """The amounts in the order of ``UNITS``."""
        return self.requests, self.tokens, self.images, self.cost, self.output

    def __add__(self, other: Amount) -> Amount:
        return Amount(*(a + b for a, b in zip(self.values, other.values, strict=True)))

    def __sub__(self, other: Amount) -> Amount:
        return Amount(*(a - b for a, b in zip(self.values, other.values, strict=True)))


#: The fields of an amount, in their order.
UNITS = tuple(field.name for field in fields(Amount))
#: Those of them that a rolling minute counts; they come first.
MINUTE_UNITS = ("requests", "tokens", "images")


class Gate(NamedTuple):
    """One limit that an admission has to respect: of ``unit``, summed over ``scopes``.

    ``period`` "" is the rolling minute; any other is a period of the totals, which ends at
    ``opens``. ``window`` is the word for people (rpm, tpm, rpd, budget, ...). A gate that is not
    ``hard`` may be left out by whoever asks again.
    """

    window: str
    unit: str
    limit: int
    scopes: tuple[str, ...]
    period: str = ""
    opens: float = 0.0
    hard: bool = True


class Plan(NamedTuple):
    """An admission as it is asked of a store.

    It holds for the rules of ``version`` and before the time ``until``. The event belongs to
    ``scope``; it counts in the minute of that scope, and in the totals of each (scope, period) in
    ``counted``, the first of which is its own scope and the present day.
    """

    version: int
    until: float
    scope: str
    amount: Amount
    gates: tuple[Gate, ...]
    counted: tuple[tuple[str, str], ...]


class Admitted(NamedTuple):
    """There was room, and it is taken. ``id`` names the reservation; ``at`` is when."""

    id: str
    at: float


class Obstacle(NamedTuple):
    """A gate without room: how much of it is used, and when there will be room.

    ``opens`` is ``inf`` where the request is larger than the whole limit.
    """

    gate: Gate
    used: int
    opens: float


class Full(NamedTuple):
    """There was no room; nothing changed. ``at`` is the time of the ledger's clock."""

    obstacles: tuple[Obstacle, ...]
    at: float


class Stale(NamedTuple):
    """The plan was made for other rules or another period; nothing changed."""

    version: int
    at: float


Outcome: TypeAlias = Admitted | Full | Stale


class Look(NamedTuple):
    """What scopes hold together at a time: in the rolling minute, and on the Pacific day.

    ``version`` is that of the rules.
    """

    version: int
    now: float
    minute: Amount
    day: Amount


class Store(Protocol):
    """A shared, atomic, crash-safe place for counters and rules. Used by one thread at a time.

    Every method raises ``StoreError`` where the store cannot be used.
    """

    where: str  #: for people: a file's path, or a server's address without its password

    def quick(self) -> bool:
        """Whether the next operation takes no longer than a moment, as far as can be seen."""

    def now(self) -> float:
        """The ledger's clock: Unix seconds, never before the newest reservation."""

    def correct_clock(self, ahead: float, seen: float | None = None) -> None:
        """Services say that their clock is ``ahead`` seconds before the ledger's.

        ``seen`` is the ledger's time when that was found: where the clock was corrected since by
        somebody else, nothing is done.
        """

    def salt(self) -> bytes:
        """Random bytes of this store, the same for everyone who uses it: for hashes of keys."""

    def rules(self) -> tuple[int, str]:
        """The rules' version and their document; 0 and "" before they were first written."""

    def replace_rules(self, version: int, document: str) -> bool:
        """Write the rules unless they are no longer of ``version``; whether they were written."""

    def reserve(self, plan: Plan) -> Outcome:
        """Take what the plan needs if all of its gates have room; at once or not at all."""

    def renew(self, id: str) -> None:
        """The request may have reached the service as late as now."""

    def answered(self, id: str, ago: float) -> None:
        """The answer's headers came ``ago`` seconds ago: its minute ends 60 s after that."""

    def settle(
        self, id: str, minute: Amount, total: Amount, ago: float | None = None
    ) -> Look | None:
        """What the request really took, in its own minute and its own periods. Repeatable.

        With ``ago`` it is told at the same time when the answer began (``answered``). How things
        stand with the request's scope then, where that is known without a ``look``.
        """

    def look(self, scopes: Sequence[str]) -> Look:
        """How things stand with these scopes now; all that a reply's footer needs, at once."""

    def minute(self, scopes: Iterable[str]) -> Amount:
        """What is in the rolling minute of these scopes, together."""

    def leaves(self, scopes: Iterable[str]) -> float | None:
        """When the next request leaves the rolling minute of these scopes; None: it is empty."""

    def totals(self, scopes: Iterable[str], period: str) -> Amount:
        """What a period of these scopes holds, together."""

    def history(self, since: str) -> Mapping[tuple[str, str], Amount]:
        """All totals of periods from ``since`` on (periods sort as text), by (scope, period)."""

    def forget(self, scopes: Sequence[str]) -> None:
        """Forget these scopes: their events and totals (``%gemini quota reset``)."""

    def changes(self) -> int:
        """A number that differs from the last call's when anything changed in between."""

    def fold(self) -> None:
        """Drop single events that no window can need any more; the totals stay."""

    def close(self) -> None:
        """Let go of files and connections."""
