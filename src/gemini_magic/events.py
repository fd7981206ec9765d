"""What a run says while it goes on, and what backends say of an answer that comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from gemini_magic.types import Citation, FinishReason, Part, Reply, Target, ToolCall, ToolUse, Usage


class Waiting(NamedTuple):
    """Nothing is sent yet, or nothing came yet; ``until`` is Unix time where it is known."""

    why: str
    until: float | None = None


class Switched(NamedTuple):
    """The next target of the route takes over.

    ``host`` is where the prompt goes now, ``price`` what that costs, for people.
    """

    old: Target
    new: Target
    why: str
    host: str = ""
    price: str = ""


class Started(NamedTuple):
    """The request is on its way to this target; ``cached``: its stored answer is replayed."""

    target: Target
    cached: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text; with a ``signature`` it ends a part, and may be empty."""

    text: str
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    text: str


class PartDone(NamedTuple):
    """A part of the answer other than text and calls is there: a picture, sound, film, program.

    Or a ``Step``, which is for the history alone.
    """

    part: Part


class Preview(NamedTuple):
    """What a picture that is still being made looks like so far; the next one replaces it."""

    part: Part


class Uploading(NamedTuple):
    """A file is on its way to the service: ``done`` of ``total`` bytes."""

    name: str
    done: int
    total: int


class ToolCalled(NamedTuple):
    """The model wants a function called; ``part`` is how the history says so."""

    call: ToolCall
    part: Part


class ToolReturned(NamedTuple):
    """A function was called, and gave this back."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class Notice:
    """One line that the user should read beside the answer.

    ``lost``: something of the answer is missing, so that it is none to be stored.
    """

    text: str
    lost: bool = field(default=False, compare=False)


class Answered(NamedTuple):
    """A service's headers came, at this Unix time; ``date`` is its own clock's (None: not said).

    A backend says so before anything else, as soon as it knows.
    """

    at: float
    date: float | None = None


class Ended(NamedTuple):
    """A backend's last word: why the answer ended, what it cost, and on what it rests."""

    finish_reason: FinishReason
    usage: Usage = Usage()
    model_version: str | None = None
    citations: tuple[Citation, ...] = ()
    queries: tuple[str, ...] = ()


class Finished(NamedTuple):
    """A run's last word."""

    reply: Reply


#: What a backend yields.
BackendEvent: TypeAlias = (
    Answered
    | TextDelta
    | ThoughtDelta
    | PartDone
    | Preview
    | ToolCalled
    | Uploading
    | Notice
    | Waiting
    | Ended
)
#: What a run yields.
Event: TypeAlias = (
    Waiting
    | Switched
    | Started
    | TextDelta
    | ThoughtDelta
    | PartDone
    | Preview
    | ToolCalled
    | ToolReturned
    | Uploading
    | Notice
    | Finished
)
