"""The vocabulary that every room shares: parts, messages, requests, replies and events.

Everything that crosses from one room to another is one of these frozen values. They know no
notebook, no SDK and no service, and need nothing but the standard library.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[^\n`]*\n"
    r"(?P<code>.*?)(?:\r?\n?^[ \t]*(?P=fence)[`~]*[ \t]*\r?$|\Z)",
    re.M | re.S,
)

Role: TypeAlias = Literal["user", "model"]

#: Google's names for why an answer ended, plus two of ours: CANCELLED (the user interrupted it)
#: and CUT (the connection ended before the service said that it was done).
FinishReason: TypeAlias = str
STOP: FinishReason = "STOP"
MAX_TOKENS: FinishReason = "MAX_TOKENS"
SAFETY: FinishReason = "SAFETY"
TOOL_CALLS: FinishReason = "TOOL_CALLS"
OTHER: FinishReason = "OTHER"
CANCELLED: FinishReason = "CANCELLED"
CUT: FinishReason = "CUT"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message: text, or the bytes of a picture, sound or document.

    Exactly one of ``text`` and ``data`` is set; ``data`` comes with its ``mime_type``.
    """

    text: str | None = None
    data: bytes | None = None
    mime_type: str | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.data is None):
            raise ValueError("a part holds either text or data")
        if self.data is not None and not self.mime_type:
            raise ValueError("a part with data needs its mime_type")

    def to_json(self) -> dict[str, str]:
        if self.data is None:
            return {"text": self.text or ""}
        data = base64.b64encode(self.data).decode("ascii")
        return {"data": data, "mime_type": self.mime_type or ""}


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said in one turn."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text or "" for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        return {"role": self.role, "parts": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Settings:
    """AI Studio's run settings; None means "the service's own default".

    ``thinking`` is "off", "low", "medium", "high" or a budget in tokens.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    thinking: str | int | None = None

    def to_json(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v is not None and v != ()}

    def given(self) -> tuple[str, ...]:
        """The names of the settings that were set."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) not in (None, ()))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, whoever answers: no backend, no model, no notebook object.

    ``schema`` is a JSON schema as JSON text, in its author's key order (models write the keys of
    an object in that order).
    """

    messages: tuple[Message, ...]
    system: str | None = None
    settings: Settings = field(default_factory=Settings)
    schema: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The request as JSON values; equal requests give equal documents."""
        document: dict[str, Any] = {"messages": [message.to_json() for message in self.messages]}
        if self.system is not None:
            document["system"] = self.system
        if settings := self.settings.to_json():
            document["settings"] = settings
        if self.schema is not None:
            document["schema"] = json.loads(self.schema)
        return document

    @property
    def digest(self) -> str:
        """SHA-256 of the request, in hex."""
        return digest(json.dumps(self.to_json(), ensure_ascii=False))

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        return self.messages[-1].text if self.messages else ""


def digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: the name of a configured backend, and the model as that backend calls it.

    ``when`` are the failures of the target before it (``GeminiMagicError.when``) on which this one
    is asked; empty, it is asked on any of them.
    """

    backend: str
    model: str
    when: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.backend}:{self.model}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the service counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    thought_tokens: int | None = None
    cached_tokens: int | None = None


def first_fence(text: str) -> str | None:
    """What the first fenced block of a Markdown text holds; None where there is none."""
    match = _FENCE.search(text)
    if match is None:
        return None
    indent = len(match.group("indent"))  # of a block within a list
    return re.sub(rf"^[ \t]{{0,{indent}}}", "", match.group("code"), flags=re.M)


@dataclass(frozen=True, slots=True)
class Left:
    """How full one window of a quota was after a request.

    ``window`` is rpm, tpm, ipm, rpd or tpd; ``size`` None where nobody knows the limit, which is
    of this ``provenance`` (seed, user or learned). A limit that is not ``firm`` may be stale.
    """

    window: str
    used: int
    size: int | None = None
    provenance: str = ""
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request cost, in micro-dollars, and what it costs at list price (free tiers)."""

    paid: int
    listed: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole or partial, and how it came about.

    ``seconds`` run from the moment at which the request was handed to the backend until the end
    of the answer. ``model_version`` is the name under which the service says that it answered.
    ``cached`` says that the answer was stored, and nothing was sent. ``left`` is how full the
    windows of the quota are after it; ``cost`` is None where no price is known.
    """

    text: str = ""
    thoughts: str = ""
    finish_reason: FinishReason = STOP
    target: Target | None = None
    model_version: str | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    request: Request | None = field(default=None, repr=False)
    notices: tuple[str, ...] = ()
    cached: bool = False
    left: tuple[Left, ...] = ()
    cost: Cost | None = None

    @property
    def complete(self) -> bool:
        """Whether the model ended the answer by itself."""
        return self.finish_reason == STOP

    @property
    def json(self) -> Any:
        """The answer read as JSON (``json.JSONDecodeError`` if it is none)."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The first fenced block of the answer; the whole answer where there is no fence."""
        fenced = first_fence(self.text)
        return self.text if fenced is None else fenced

    def __str__(self) -> str:
        return self.text

    def replace(self, **changes: Any) -> Reply:
        """A copy with some fields changed."""
        return replace(self, **changes)


# --- events: what a run says while it goes on ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is sent yet, or nothing came yet; ``until`` is Unix time where it is known."""

    why: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Switched:
    """The next target of the route takes over.

    ``host`` is where the prompt goes now, ``price`` what that costs, for people.
    """

    old: Target
    new: Target
    why: str
    host: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The request is on its way to this target; ``cached``: its stored answer is replayed."""

    target: Target
    cached: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One line that the user should read beside the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A service's headers came, at this Unix time; ``date`` is its own clock's (None: not said).

    A backend says so before anything else, as soon as it knows.
    """

    at: float
    date: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A backend's last word: why the answer ended, and what it cost."""

    finish_reason: FinishReason
    usage: Usage = field(default_factory=Usage)
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run's last word."""

    reply: Reply


#: What a backend yields.
BackendEvent: TypeAlias = Answered | TextDelta | ThoughtDelta | Notice | Waiting | Ended
#: What a run yields.
Event: TypeAlias = Waiting | Switched | Started | TextDelta | ThoughtDelta | Notice | Finished
