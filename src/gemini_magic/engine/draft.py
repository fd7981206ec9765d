"""The reply as far as it has come: what a run's events add up to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from gemini_magic.events import (
    Event,
    Notice,
    PartDone,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from gemini_magic.types import Message, Part, Reply, Request, ToolCall, ToolUse, Usage


@dataclass(slots=True)
class Draft:
    """Written on the loop's thread only.

    An answer takes several *hops* where the model has functions called: each hop is one generate
    call, asked with what the hops before it said. ``texts``, ``pieces``, ``calls`` and ``reply``
    are the present hop's.
    """

    request: Request
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    uses: list[ToolUse] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    reply: Reply = field(default_factory=Reply)
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    lost: bool = False  # something of the answer could not be taken
    _pieces: list[str | Part] = field(default_factory=list)
    _past: list[Part] = field(default_factory=list)
    _exchanged: list[Message] = field(default_factory=list)
    _earlier: Reply = field(default_factory=Reply)
    _before: int = 0  # how many notices there were when the present target was asked

    @property
    def begun(self) -> bool:
        """Whether some of the answer is there: then nobody else can be asked for it."""
        return bool(self._exchanged) or self.hop_begun

    @property
    def hop_begun(self) -> bool:
        """Whether some of the present hop's answer is there."""
        return any(map(_says, self._pieces))

    @property
    def is_later_hop(self) -> bool:
        """Whether the present hop was asked with what functions gave back."""
        return bool(self._exchanged)

    @property
    def has_content(self) -> bool:
        """Whether the present hop has brought anything but thoughts."""
        return any(map(_says, self._pieces))

    @property
    def asking(self) -> Request:
        """The request of the present hop."""
        if not self._exchanged:
            return self.request
        return replace(self.request, messages=(*self.request.messages, *self._exchanged))

    def take(self, event: Event) -> None:
        match event:
            case TextDelta(text, signature):
                self.texts.append(text)
                self._add(text if signature is None else Part(text=text, signature=signature))
            case ThoughtDelta(text):
                self.thoughts.append(text)
            case PartDone(part):
                self._add(part)
            case ToolCalled(call, part):
                self.calls.append(call)
                self._add(part)
            case ToolReturned(use):
                self.uses.append(use)
            case Notice(text, lost):
                self.notices.append(text)
                self.lost = self.lost or lost
            case Switched(_, new, why, host, price):
                self.thoughts.clear()
                self.lost = False
                del self.notices[self._before :]  # they were about the old one
                self.notices.append(
                    f"{new.backend} ({', '.join(filter(None, (host, price)))})"
                    f" was asked because of this: {why}"
                )
            case Started(target):
                self._before = len(self.notices)
                self.reply = self.reply.replace(target=target)
            case _:
                pass

    def _add(self, piece: str | Part) -> None:
        if self.first is None and _says(piece):
            self.first = time.monotonic() - self.began
        self._pieces.append(piece)

    def next_hop(self, results: tuple[Part, ...]) -> None:
        """The functions that the present hop asked for gave these results: a new hop begins."""
        said = _joined(self._pieces)
        self._exchanged += [Message("model", said), Message("user", results)]
        self._past += [*said, *results]
        self._earlier = self._sum()
        self.reply = self.reply.replace(usage=Usage(), cost=None)
        for one in (self.texts, self.thoughts, self.calls, self._pieces):
            one.clear()

    def hop(self, reason: str) -> Reply:
        """What the present hop alone has brought, if it ended now for this reason."""
        return self.reply.replace(
            text="".join(self.texts),
            thoughts="".join(self.thoughts),
            parts=_joined(self._pieces),
            request=self.request,
            finish_reason=reason,
            seconds=time.monotonic() - self.began,
        )

    def whole(self, reason: str) -> Reply:
        """The reply as it would be if it ended now, for this reason."""
        said = _joined(self._pieces)
        return self._sum().replace(
            text="".join(self.texts),
            finish_reason=reason,
            notices=tuple(dict.fromkeys(self.notices)),
            request=self.request,
            seconds=time.monotonic() - self.began,
            first=self.first,
            parts=(*self._past, *said),
            exchanged=(*self._exchanged, *_last_words(said)),
            tool_calls=tuple(self.uses),
        )

    def _sum(self) -> Reply:
        """What all hops took together."""
        earlier, now = self._earlier, self.reply
        return now.replace(
            thoughts=earlier.thoughts + "".join(self.thoughts),
            usage=earlier.usage.plus(now.usage),
            cost=now.cost.plus(earlier.cost) if now.cost else earlier.cost,
            citations=tuple(dict.fromkeys((*earlier.citations, *now.citations))),
            queries=tuple(dict.fromkeys((*earlier.queries, *now.queries))),
        )


def _joined(pieces: list[str | Part]) -> tuple[Part, ...]:
    """The pieces as parts; neighbouring texts are one, unless a signature belongs to one of them.

    Source: https://ai.google.dev/gemini-api/docs/thought-signatures (parts are not to be merged)
    """
    parts: list[Part] = []
    texts: list[str] = []
    for piece in [*pieces, None]:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if text := "".join(texts):
            parts.append(Part(text=text))
        texts.clear()
        if piece is not None:
            parts.append(piece)
    return tuple(parts)


def _says(piece: str | Part) -> bool:
    """Whether there is something in it to read, see or run, and not for the service alone."""
    if isinstance(piece, str):
        return piece != ""
    return piece.text != "" and piece.step is None


def _last_words(said: tuple[Part, ...]) -> tuple[Message, ...]:
    """The end of what a history holds: services refuse one in which a call has no answer."""
    rest = tuple(part for part in said if part.call is None)
    return (Message("model", rest),) if rest else ()
