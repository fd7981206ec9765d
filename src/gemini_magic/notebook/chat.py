"""Conversations: which earlier turns a ``--chat`` cell is asked with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gemini_magic.errors import UsageError, did_you_mean, sentence
from gemini_magic.types import Message, Reply

#: Who said a turn: the cell's id and its how-manieth chat call in that cell.
Place = tuple[str, int]
#: A cell's id as a notebook's file has it; VS Code sends addresses of its own instead.
_OF_FILE = re.compile(r"[\w-]+")


class Turn(NamedTuple):
    """A question and its answer. A stale turn was asked before an earlier one changed.

    A turn that was stored and not asked here has its cell's ``template`` (SHA-256, in hex), and
    perhaps no ``reply``: then it keeps the place of a cell that is to be run.
    """

    place: Place | None
    question: Message
    reply: Reply | None
    stale: bool = False
    template: str = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The question, and all that was said until its answer: calls of functions, too."""
        return () if self.reply is None else (self.question, *self.reply.exchanged)


class Conversation:
    """The turns of one chat, in the order in which their cells first ran."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turns: tuple[Turn, ...] = ()
        self._before: list[tuple[Turn, ...]] = []
        self._stored_as: dict[Place, Place] = {}

    def begin(self, turns: Sequence[Turn]) -> None:
        """Go on from turns that are stored."""
        self.turns = tuple(turns)

    def place_of(self, place: Place | None, template: str) -> Place | None:
        """Where the turn of a cell belongs: at its own place, or at that of a stored turn.

        The latter where the front end says nothing of the ids in the notebook's file; then it is
        the first stored turn with this template (SHA-256, in hex).
        """
        if place is not None and (_OF_FILE.fullmatch(place[0]) or place in self._stored_as):
            return self._stored_as.get(place, place)
        stored = next((turn.place for turn in self.turns if turn.template == template), None)
        if place is not None and stored is not None:
            self._stored_as[place] = stored
        return stored or place

    def history(self, place: Place | None) -> tuple[Message, ...]:
        """What was said before the turn of this place, less what is stale."""
        return tuple(
            message
            for turn in self.turns[: self._index(place)]
            if not turn.stale
            for message in turn.messages
        )

    def add(self, place: Place | None, question: Message, reply: Reply) -> int:
        """Put the turn where its cell's turn stood, or last; how many later ones became stale."""
        index = self._index(place)
        later = self.turns[index + 1 :]
        self._before.append(self.turns)
        self.turns = (
            *self.turns[:index],
            Turn(place, question, reply),
            *(turn._replace(stale=True) for turn in later),
        )
        return sum(not turn.stale and turn.reply is not None for turn in later)

    def undo(self) -> None:
        """Take back the last change; ``UsageError`` if there is none."""
        if not self._before:
            raise UsageError(f"chat {self.name!r} has nothing to undo.")
        self.turns = self._before.pop()

    def _index(self, place: Place | None) -> int:
        for index, turn in enumerate(self.turns):
            if place is not None and turn.place == place:
                return index
        return len(self.turns)


class Conversations:
    """The kernel's conversations, by name."""

    def __init__(self) -> None:
        self._known: dict[str, Conversation] = {}

    def open(self, name: str) -> Conversation:
        """The conversation of that name; a new one, not kept yet, if there is none."""
        return self._known.get(name) or Conversation(name)

    def keep(self, conversation: Conversation) -> None:
        """Remember a conversation that now has a turn."""
        self._known[conversation.name] = conversation

    def find(self, name: str) -> Conversation:
        """The conversation of that name; ``UsageError`` if there is none."""
        if name not in self._known:
            hint = did_you_mean(name, self._known) or "see them all: %gemini chat"
            raise UsageError(f"there is no chat {name!r}.", sentence(hint))
        return self._known[name]

    def forget(self, name: str) -> None:
        self.find(name)
        del self._known[name]

    def __iter__(self) -> Iterator[Conversation]:
        return iter(self._known.values())
