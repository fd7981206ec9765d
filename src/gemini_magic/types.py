"""The vocabulary that every room shares: parts, messages, requests, replies and events.

Everything that crosses from one room to another is one of these frozen values. They know no
notebook, no SDK and no service, and need nothing but the standard library.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

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


class File(NamedTuple):
    """A file on this machine that is sent as it is, without being held in memory.

    ``digest`` is the SHA-256 of its content, in hex, at the time when the request was made.
    """

    path: str
    size: int
    digest: str


class ToolCall(NamedTuple):
    """A model wants a function called. ``arguments`` is a JSON object as text."""

    name: str
    arguments: str
    id: str = ""


class ToolResult(NamedTuple):
    """What a function gave back, as JSON text; ``failed`` says that it raised or took too long."""

    name: str
    content: str
    id: str = ""
    failed: bool = False


class Code(NamedTuple):
    """A program that the service wrote and ran; ``language`` in lower case."""

    source: str
    language: str = "python"
    id: str = ""


class CodeOutput(NamedTuple):
    """What such a program printed; ``failed`` says that it ended in an error."""

    text: str
    failed: bool = False
    id: str = ""


class Step(NamedTuple):
    """What a service asked of a tool of its own (a search), or got from it: for itself alone.

    ``tool`` is the service's name for the tool, ``content`` a JSON object as text; ``answer`` tells
    what the tool gave from what it was asked, ``id`` which belong together.
    """

    tool: str
    content: str
    id: str = ""
    answer: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """One piece of a message. Exactly one of the fields before ``mime_type`` is set.

    ``data`` are the bytes of a picture, sound, film or document, ``file`` one that is too large to
    hold, ``uri`` an address that the service itself fetches (as the user typed it); all three come
    with their ``mime_type``. ``name`` is a file's name, for people and services. ``signature`` is
    opaque: it goes back to the service that gave it, with the part, and means nothing elsewhere; a
    text that carries one may be empty.
    """

    text: str | None = None
    data: bytes | None = None
    file: File | None = None
    uri: str | None = None
    call: ToolCall | None = None
    result: ToolResult | None = None
    code: Code | None = None
    output: CodeOutput | None = None
    step: Step | None = None
    mime_type: str | None = None
    name: str = ""
    signature: bytes | None = None

    def __post_init__(self) -> None:
        held = (self.text, self.data, self.file, self.uri)
        said = (self.call, self.result, self.code, self.output, self.step)
        if held.count(None) + said.count(None) != len(_CONTENTS) - 1:
            raise ValueError("a part holds exactly one thing: text, data, a file, a call, ...")
        if self.is_media and not self.mime_type:
            raise ValueError("a part with data needs its mime_type")

    def __repr__(self) -> str:
        if self.text is not None:
            shown = self.text if len(self.text) <= 60 else f"{self.text[:59]}…"
            return f"<Part {shown!r}>"
        if self.is_media:
            where = self.uri or (self.file.path if self.file else "")
            words = (self.mime_type, self.name, where or f"{self.size:,} bytes")
            return f"<Part {' · '.join(filter(None, words))}>"
        return f"<Part {self.call or self.result or self.code or self.output or self.step}>"

    @property
    def is_media(self) -> bool:
        """Whether it is a picture, sound, film or document, wherever its bytes are."""
        return self.data is not None or self.file is not None or self.uri is not None

    @property
    def size(self) -> int:
        """The bytes that it holds or names; 0 for an address."""
        if self.file is not None:
            return self.file.size
        return len(self.data if self.data is not None else (self.text or "").encode())

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """JSON values that tell it from any other part; a file is told by its content.

        ``brief`` tells data by its SHA-256, too.
        """
        document: dict[str, Any] = {}
        if self.text is not None:
            document["text"] = self.text
        elif self.data is not None and brief:
            document["sha256"] = hashlib.sha256(self.data).hexdigest()
        elif self.data is not None:
            document["data"] = base64.b64encode(self.data).decode("ascii")
        elif self.file is not None:
            document["file"] = self.file.digest
        elif self.uri is not None:
            document["uri"] = self.uri
        else:
            for name in _CONTENTS[4:]:
                if (value := getattr(self, name)) is not None:
                    document[name] = value._asdict()
        for name in ("mime_type", "name"):
            if value := getattr(self, name):
                document[name] = value
        if self.signature is not None:
            document["signature"] = base64.b64encode(self.signature).decode("ascii")
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Part:
        """The part of such a document. Raises ``ValueError`` for a file and for what is none."""
        try:
            given = {name: document[name] for name in ("text", "uri", "mime_type", "name")
                     if name in document}  # fmt: skip
            for name in ("data", "signature"):
                if name in document:
                    given[name] = base64.b64decode(document[name], validate=True)
            for name, kind in _STRUCTURED.items():
                if name in document:
                    given[name] = kind(**document[name])
            return cls(**given)
        except (TypeError, LookupError, AttributeError) as problem:
            raise ValueError(f"no part: {problem}") from None


_CONTENTS = ("text", "data", "file", "uri", "call", "result", "code", "output", "step")
_STRUCTURED: dict[str, Any] = {
    "call": ToolCall, "result": ToolResult, "code": Code, "output": CodeOutput, "step": Step,
}  # fmt: skip


class Message(NamedTuple):
    """What one side said in one turn. What functions gave back is said by the user's side."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text or "" for part in self.parts)

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        return {"role": self.role, "parts": [part.to_json(brief=brief) for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Settings:
    """AI Studio's run settings; None means "the service's own default".

    ``thinking`` is "off", "low", "medium", "high" or a budget in tokens. ``safety`` is how much is
    blocked: "off", "none", "few", "some" or "most". ``modalities`` are what the answer may be made
    of: "text", "image", "audio". ``size`` is "1K", "2K", "4K" or "WIDTHxHEIGHT", ``aspect`` a
    ratio such as "16:9", ``count`` how many pictures.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    thinking: str | int | None = None
    safety: str | None = None
    media_resolution: str | None = None
    modalities: tuple[str, ...] = ()
    size: str | None = None
    aspect: str | None = None
    quality: str | None = None
    count: int | None = None
    voice: str | None = None

    def to_json(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self.given()}
        return given | {k: float(given[k]) for k in _FLOATS if k in given}  # 1 equals 1.0

    def given(self) -> tuple[str, ...]:
        """The names of the settings that were set."""
        return tuple(name for name in self.__slots__ if getattr(self, name) not in (None, ()))


_FLOATS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

#: What a service may do on the way to its answer.
SEARCH, URL_CONTEXT, CODE_EXECUTION = "search", "url_context", "code_execution"


class Tool(NamedTuple):
    """A function as a model sees it; ``parameters`` is a JSON schema (an object) as text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, whoever answers: no backend, no model, no notebook object.

    ``schema`` is a JSON schema as JSON text, in its author's key order (models write the keys of
    an object in that order). ``tools`` are functions that the model may ask to be called;
    ``services`` are what the service itself does on the way: SEARCH, URL_CONTEXT, CODE_EXECUTION.
    """

    messages: tuple[Message, ...]
    system: str | None = None
    settings: Settings = field(default_factory=Settings)
    schema: str | None = None
    tools: tuple[Tool, ...] = ()
    services: tuple[str, ...] = ()

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """The request as JSON values; equal requests give equal documents.

        ``brief`` tells data by its SHA-256.
        """
        messages = [message.to_json(brief=brief) for message in self.messages]
        document: dict[str, Any] = {"messages": messages}
        if self.system is not None:
            document["system"] = self.system
        if settings := self.settings.to_json():
            document["settings"] = settings
        if self.schema is not None:
            document["schema"] = json.loads(self.schema)
        if self.tools:
            document["tools"] = [tool._asdict() for tool in self.tools]
        if self.services:
            document["services"] = list(self.services)
        return document

    @property
    def digest(self) -> str:
        """SHA-256 of the request, in hex."""
        return _request_digest(self)

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        return self.messages[-1].text if self.messages else ""


@functools.lru_cache(maxsize=4)  # several rooms ask for that of the running request
def _request_digest(request: Request) -> str:
    return digest(json.dumps(request.to_json(brief=True), ensure_ascii=False))


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


class Usage(NamedTuple):
    """Tokens as the service counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    thought_tokens: int | None = None
    cached_tokens: int | None = None

    def plus(self, other: Usage) -> Usage:
        """Both together; what neither said stays None."""
        return Usage(
            *(
                mine if theirs is None else (mine or 0) + theirs
                for mine, theirs in zip(self, other, strict=True)
            )
        )


def first_fence(text: str) -> str | None:
    """What the first fenced block of a Markdown text holds; None where there is none."""
    match = _FENCE.search(text)
    if match is None:
        return None
    indent = len(match.group("indent"))  # of a block within a list
    return re.sub(rf"^[ \t]{{0,{indent}}}", "", match.group("code"), flags=re.M)


class Left(NamedTuple):
    """How full one window of a quota was after a request.

    ``window`` is rpm, tpm, ipm, rpd or tpd; ``size`` None where nobody knows the limit, which is
    of this ``provenance`` (seed, user or learned). A limit that is not ``firm`` may be stale.
    """

    window: str
    used: int
    size: int | None = None
    provenance: str = ""
    firm: bool = False


class Cost(NamedTuple):
    """What a request cost, in micro-dollars, and what it costs at list price (free tiers)."""

    paid: int
    listed: int

    def plus(self, other: Cost | None) -> Cost:
        """Both together; what nobody knows (None) counts as nothing."""
        if other is None:
            return self
        return Cost(self.paid + other.paid, self.listed + other.listed)


class Citation(NamedTuple):
    """A source that an answer names. ``title`` may be empty; ``uri`` is as the service gave it."""

    uri: str
    title: str = ""


class ToolUse(NamedTuple):
    """One call of a function, what it gave back, and how many seconds that took."""

    call: ToolCall
    result: ToolResult
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer, whole or partial, and how it came about.

    ``text`` is the answer's text, ``parts`` all that came, in the order in which it came: text,
    pictures, sound, calls of functions and what they gave back, programs and their output.
    ``parsed`` is the answer as the object that ``--schema`` asked for. ``exchanged`` is what a
    chat's history needs of it: the messages after the question.
    ``seconds`` run from the moment at which the request was handed to the backend until the end
    of the answer, ``first`` until its first word or picture. ``model_version`` is the name under
    which the service says that it answered. ``usage`` and ``cost`` are those of all hops together.
    ``cached`` says that the answer was stored, and nothing was sent. ``left`` is how full the
    windows of the quota are after it; ``cost`` is None where no price is known. ``queries`` are
    what the service searched for.
    """

    text: str = ""
    thoughts: str = ""
    finish_reason: FinishReason = STOP
    target: Target | None = None
    model_version: str | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    request: Request | None = None
    notices: tuple[str, ...] = ()
    cached: bool = False
    left: tuple[Left, ...] = ()
    cost: Cost | None = None
    parts: tuple[Part, ...] = ()
    exchanged: tuple[Message, ...] = ()
    tool_calls: tuple[ToolUse, ...] = ()
    citations: tuple[Citation, ...] = ()
    queries: tuple[str, ...] = ()
    parsed: Any = None
    first: float | None = None

    @classmethod
    def saying(cls, text: str, **more: Any) -> Reply:
        """A reply of this text alone."""
        return cls(text, parts=(Part(text=text),) if text else (), **more)

    @property
    def backend(self) -> str:
        """The configured backend that answered."""
        return self.target.backend if self.target else ""

    @property
    def model(self) -> str:
        """The model as that backend calls it."""
        return self.target.model if self.target else ""

    @property
    def media(self) -> tuple[Part, ...]:
        """The pictures, sounds and films of the answer, in their order."""
        return tuple(part for part in self.parts if part.data is not None)

    @property
    def images(self) -> tuple[Any, ...]:
        """The pictures as ``PIL.Image.Image``, in their order; those that can be decoded."""
        from gemini_magic.pictures import decoded

        kinds = ((part.data, part.mime_type or "") for part in self.media)
        return decoded([(data, kind) for data, kind in kinds if kind.startswith("image/") and data])

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

    def __repr__(self) -> str:
        text = " ".join(self.text[:200].split())
        words = [repr(text if len(text) <= 60 and text == self.text else f"{text[:59]}…")]
        for count, what in ((len(self.media), "media"), (len(self.tool_calls), "calls")):
            words += [f"{count} {what}"] * bool(count)
        words += [str(self.target)] * (self.target is not None)
        return f"<Reply {' · '.join([*words, self.finish_reason])}>"

    def replace(self, **changes: Any) -> Reply:
        """A copy with some fields changed."""
        return replace(self, **changes)
