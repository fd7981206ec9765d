"""What a server will answer, written down before the test runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

FaultKind = Literal[
    "refuse",  # the port is closed from here on (until set_script): real ECONNREFUSED
    "hang",  # the request is read, nothing is sent until the client closes
    "drop_before_headers",  # the request is read, then RST
    "drop",  # headers and `after` chunks, then RST
    "cut",  # headers and `after` chunks, then FIN without the last HTTP chunk
    "truncate",  # `after` chunks, then a clean end without a finish reason
    "malformed",  # `after` chunks, then an event whose JSON is broken, then a clean end
    "stall",  # headers and `after` chunks, then nothing until the client closes
    "error",  # `after` chunks, then `failure` as an event inside the 200 stream
]


@dataclass(frozen=True)
class Usage:
    """Token counts; None is estimated by the server (four characters a token)."""

    prompt: int | None = None
    output: int | None = None
    thoughts: int | None = None
    cached: int = 0
    tool_use: int = 0


@dataclass(frozen=True)
class Call:
    """A function call that the model makes."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Picture:
    """Bytes that the model answers with."""

    data: bytes
    mime: str = "image/png"
    thought: bool = False  # Google's: a sketch on the way


@dataclass(frozen=True)
class Program:
    """A program that the service wrote; Google's."""

    source: str
    language: str = "PYTHON"


@dataclass(frozen=True)
class Printed:
    """What such a program printed, and Google's word for how it ended."""

    text: str
    outcome: str = "OUTCOME_OK"


@dataclass(frozen=True)
class Answer:
    """One good answer.

    A stream sends thoughts, then `chunks` (or `text` in one), then pictures and calls;
    `first_delay` seconds before the headers and `delay` seconds between chunks (kept on schedule,
    without drift). `finish` is Google's word (OpenAI's is derived); None leaves it out. `block`
    makes it Google's empty answer with promptFeedback.blockReason. `stamp` puts
    `time.monotonic_ns()` and a space in front of every text chunk as it is sent. `items` stand
    for all else, in their order: text, Picture, Call, (Google) Program, Printed, or a part as JSON,
    on OpenAI's wire a delta as JSON;
    `grounding` and `url_context` are its metadata, sent with the last chunk.
    """

    text: str = ""
    chunks: Sequence[str] = ()
    delay: float = 0.0
    first_delay: float = 0.0
    finish: str | None = "STOP"
    thoughts: Sequence[str] = ()
    calls: Sequence[Call] = ()
    pictures: Sequence[Picture] = ()
    usage: Usage = Usage()
    model_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    block: str | None = None
    stamp: bool = False
    items: Sequence[str | Picture | Call | Program | Printed | Mapping[str, Any]] = ()
    grounding: Mapping[str, Any] | None = None
    url_context: Mapping[str, Any] | None = None

    @property
    def pieces(self) -> list[str]:
        said = [item for item in self.items if isinstance(item, str)]
        return said or list(self.chunks) or ([self.text] if self.text else [])

    @property
    def whole(self) -> str:
        return "".join(self.pieces)

    @classmethod
    def words(cls, text: str, **more: Any) -> Self:
        """The text streamed word by word."""
        pieces = text.split(" ")
        return cls(chunks=[w + " " for w in pieces[:-1]] + pieces[-1:], **more)

    @classmethod
    def blocked(cls, reason: str = "SAFETY") -> Self:
        """The prompt was refused: no candidates at all."""
        return cls(block=reason)

    @classmethod
    def stopped(cls, finish: str = "SAFETY", text: str = "") -> Self:
        """The candidate ended early: SAFETY, MAX_TOKENS, RECITATION, ..."""
        return cls(text=text, finish=finish)

    @classmethod
    def empty(cls) -> Self:
        """STOP without a single part, as happens."""
        return cls()


@dataclass(frozen=True)
class Failure:
    """An HTTP error: `body` is JSON (dict or list) or raw text."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, **headers: str) -> Failure:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True)
class Fault:
    """An answer that breaks on the wire after `after` chunks of `answer` (default: an echo)."""

    kind: FaultKind
    after: int = 1
    answer: Answer | None = None
    failure: Failure | None = None


Item = Answer | Failure | Fault | str
Respond = Callable[[Any], Item]
ScriptLike = Item | Sequence[Item] | Respond | None


class Script:
    """Items in order, the last one for ever; or a function of the request's JSON."""

    def __init__(self, what: ScriptLike = None) -> None:
        self._lock = threading.Lock()
        self._respond: Respond | None = None
        self._items: list[Item] = []
        if callable(what):
            self._respond = what
        elif isinstance(what, Answer | Failure | Fault | str):
            self._items = [what]
        elif what is not None:
            self._items = list(what)

    def next(self, request: Any) -> Answer | Failure | Fault | None:
        """The next item, or None: the server echoes."""
        if self._respond is not None:
            return _as_item(self._respond(request))
        with self._lock:
            if not self._items:
                return None
            item = self._items[0] if len(self._items) == 1 else self._items.pop(0)
        return _as_item(item)

    @property
    def refuses(self) -> bool:
        """Is the next item a closed port?"""
        with self._lock:
            head = self._items[0] if self._items else None
        return isinstance(head, Fault) and head.kind == "refuse"


def _as_item(item: Item) -> Answer | Failure | Fault:
    return Answer(item) if isinstance(item, str) else item


def text_of(answer: Answer, piece: str) -> str:
    return f"{time.monotonic_ns()} {piece}" if answer.stamp else piece
