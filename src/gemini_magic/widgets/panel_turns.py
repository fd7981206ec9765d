"""The conversation of a panel: turns that are branched off, chosen and taken out again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gemini_magic.cell import GeminiCell
from gemini_magic.types import Message, Reply


@dataclass(frozen=True, eq=False, slots=True)
class Turn:
    """A question and its answer. ``counts``: it is sent along with what is asked after it.

    A question that failed has neither message nor reply, and only waits to be mended.
    """

    cell: GeminiCell
    question: Message | None = None
    reply: Reply | None = None
    counts: bool = True

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the service is told of it."""
        if self.question is None or self.reply is None or not self.counts:
            return ()
        return (self.question, *self.reply.exchanged)


class Turns:
    """A tree of turns; what is shown is the path from its top to ``tip``.

    What is asked next comes below the tip, which is None where a conversation begins.
    """

    def __init__(self) -> None:
        self.tip: Turn | None = None
        self._parent: dict[Turn, Turn | None] = {}
        self._children: dict[Turn | None, list[Turn]] = defaultdict(list)
        self._chosen: dict[Turn | None, Turn] = {}  # the child that was looked at last

    @property
    def path(self) -> tuple[Turn, ...]:
        """The turns that are shown and sent, the first one first."""
        found = []
        turn = self.tip
        while turn is not None:
            found.append(turn)
            turn = self._parent[turn]
        return tuple(reversed(found))

    def __iter__(self) -> Iterator[Turn]:
        """All turns, on whatever branch."""
        return iter(tuple(self._parent))

    def history(self) -> tuple[Message, ...]:
        """What is sent before the next question."""
        return tuple(message for turn in self.path for message in turn.messages)

    def add(self, turn: Turn, parent: Turn | None) -> None:
        """Add a turn below ``parent`` (at the top, if that is gone) and go to it."""
        parent = parent if parent in self._parent else None
        self._parent[turn] = parent
        self._children[parent].append(turn)
        self._go(turn)

    def siblings(self, turn: Turn) -> tuple[Turn, ...]:
        """The turns at the same place, this one included, in the order in which they came."""
        return tuple(self._children[self._parent[turn]])

    def step(self, turn: Turn, by: int) -> None:
        """Show the sibling so many places on, with what followed it when it was last looked at."""
        known = self.siblings(turn)
        self._go(self._end(known[(known.index(turn) + by) % len(known)]))

    def edit(self, turn: Turn) -> None:
        """Go on from before a turn: what is asked next is another branch beside it."""
        self.tip = self._parent[turn]

    def branch(self, turn: Turn) -> None:
        """Go on from a turn, without what followed it."""
        self.tip = turn

    def clear(self) -> None:
        """Begin a new conversation; the others stay."""
        self.tip = None

    @property
    def more(self) -> int:
        """How many branches there are below the tip, which are not shown."""
        return len(self._children[self.tip])

    def forward(self) -> None:
        """Show what is below the tip again, as it was last looked at."""
        if self.more:
            self._go(self._end(self._chosen.get(self.tip) or self._children[self.tip][-1]))

    def delete(self, turn: Turn) -> None:
        """Take a turn out; what followed it then follows what was before it."""
        parent = self._parent.pop(turn)
        known = self._children[parent]
        at = known.index(turn)
        followers = self._children.pop(turn, [])
        known[at : at + 1] = followers
        for child in followers:
            self._parent[child] = parent
        chosen = self._chosen.pop(turn, None)
        if self._chosen.get(parent) is turn:
            del self._chosen[parent]
            if chosen is not None:
                self._chosen[parent] = chosen
        if self.tip is turn:
            self.tip = parent
            if not followers:
                self.forward()

    def _end(self, turn: Turn) -> Turn:
        while (after := self._chosen.get(turn)) is not None:
            turn = after
        return turn

    def _go(self, turn: Turn) -> None:
        self.tip = turn
        for one in self.path:
            self._chosen[self._parent[one]] = one
