"""A real model on this machine: makes sure that its process runs, and asks it as any other service.

The process is shared by all kernels of the user (``rendezvous``), holds the model
(``local_server``), and is asked through the ``openai`` backend.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.backends import local_process, openai_media, rendezvous, weights
from gemini_magic.backends.base import ModelInfo
from gemini_magic.backends.local_process import Spec
from gemini_magic.backends.openai_dialects import dialect_of
from gemini_magic.backends.openai_request import chat_body
from gemini_magic.catalog import default_model, makes
from gemini_magic.errors import MissingWeights, UsageError, WireError
from gemini_magic.events import BackendEvent, Ended, Notice, Waiting
from gemini_magic.types import CODE_EXECUTION, CUT, SEARCH, URL_CONTEXT, Message, Part, Request

if TYPE_CHECKING:
    from gemini_magic.backends.openai import OpenAIBackend

WARNING = "tiny local model: may be wrong"
LOADING = "loading the local model …"
#: Seconds within which a running process is found; only a longer wait is told.
_AT_ONCE = 0.2


class LocalBackend:
    """The embedded model.

    ``weights`` is a name of the catalogue or a GGUF file's path, ``context`` in tokens;
    ``idle_minutes`` is how long the process outlives its last use.
    """

    def __init__(self, weights: str, *, context: int = 4096, idle_minutes: float = 10) -> None:
        self._weights = weights
        self._context = context
        self._idle_minutes = idle_minutes
        self._wire: OpenAIBackend | None = None
        self._wire_of: tuple[str, str] | None = None

    @property
    def host(self) -> str:
        return "this machine"

    def warm_up(self) -> None:
        importlib.import_module("openai")

    def check(self, model: str = "") -> None:
        """Raise MissingExtra, BackendError or MissingWeights where ``model`` ("" is the default)
        cannot run here; starts nothing.
        """
        local_process.check_machine()  # first: no weights help a machine that cannot run them
        self._spec(model)

    async def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        """See ``Backend.stream``. Raises MissingWeights, MissingExtra, UnknownModel, UsageError or
        ConfigError before anything is sent; never downloads weights.
        """
        refuse(request, model)
        spec = self._spec(model)
        request, notices = _within_reach(request)
        given_up = threading.Event()
        ensuring = asyncio.ensure_future(
            asyncio.to_thread(local_process.ensure, spec, given_up.is_set)
        )
        try:
            await asyncio.wait([ensuring], timeout=_AT_ONCE)
            if not ensuring.done():
                yield Waiting(LOADING)
                await asyncio.to_thread(importlib.import_module, "openai")  # costs a second
            child, stopped = await asyncio.shield(ensuring)
        finally:
            given_up.set()
            if not ensuring.done():  # it ends by itself within moments; nobody waits for it
                ensuring.add_done_callback(lambda done: done.cancelled() or done.exception())
        if stopped:
            yield Notice(f"local model switched from {', '.join(stopped)} to {child.model}")
        for notice in (WARNING, *notices):
            yield Notice(notice)
        answer = (await self._connection(child)).stream(request, child.model)
        async with contextlib.aclosing(answer):
            async for event in answer:
                cut = isinstance(event, Ended) and event.finish_reason == CUT
                if cut and not rendezvous.alive(child):
                    raise WireError("stream", detail="the local model's process has ended")
                yield event

    async def count_tokens(self, request: Request, model: str) -> int | None:
        """The input tokens as the running model counts them; None while it is not running."""
        refuse(request, model)
        spec = self._spec(model)
        return await asyncio.to_thread(_count, spec, request)

    async def models(self) -> Sequence[ModelInfo]:
        """The weights that are on this machine."""
        rows = [state.weights for state in weights.status() if state.path]
        return [ModelInfo(r.name, r.label, input_limit=self._limit(r.context)) for r in rows]

    async def aclose(self) -> None:
        """Close the connections; the process stays, other kernels may use it."""
        wire, self._wire, self._wire_of = self._wire, None, None
        if wire is not None:
            await wire.aclose()

    def _limit(self, trained: int) -> int:
        return min(self._context, trained)

    def _spec(self, model: str) -> Spec:
        """What to run for ``model``; raises where it cannot run here."""
        name = model or self._weights
        path = weights.find(name)
        if path is None:
            if weights.is_path(name):
                raise MissingWeights(f"there is no file {name}.", "choose another: %gemini local")
            label = weights.lookup(name).label
            raise MissingWeights(
                f"{label} is not on this machine yet.",
                f"run: %gemini local install{'' if name == weights.default() else ' ' + name}",
            )
        local_process.check_machine()
        row = weights.known().get(name)
        return Spec(
            model=row.name if row else path.stem,
            path=path,
            sha256=row.sha256 if row else "",
            context=self._limit(row.context) if row else self._context,
            fenced_tools=row.fenced_tools if row else False,
            idle_seconds=self._idle_minutes * 60,
        )

    async def _connection(self, child: rendezvous.Child) -> OpenAIBackend:
        if self._wire is None or self._wire_of != (child.url, child.key):
            await self.aclose()
            from gemini_magic.backends.openai import OpenAIBackend
            from gemini_magic.keys import Secret

            self._wire = OpenAIBackend(f"{child.url}/v1", Secret(child.key), llama_cpp=True)
            self._wire_of = (child.url, child.key)
        return self._wire


#: What the embedded model cannot do, as options call it.
_REMOTE = {
    SEARCH: "search the web (--search)",
    URL_CONTEXT: "read addresses (--url-context)",
    CODE_EXECUTION: "run programs (--code-execution)",
}
#: Settings without which the answer is the same but for its form.
_UNKNOWN = (
    "thinking", "safety", "media_resolution", "size", "aspect", "quality", "count", "voice",
)  # fmt: skip


def refuse(request: Request, model: str) -> None:
    """Raise UsageError for what the embedded model cannot do, naming what can.

    ``model`` is the name by which it was asked; another model's, where it is to stand in for that.
    """
    if made := [form for form in makes(model) if form != "text"]:
        raise _refused(f"the embedded model writes text only, and {model} makes {made[0]}")
    for service in request.services:
        raise _refused(f"the embedded model cannot {_REMOTE.get(service, service)}")
    if made := [form for form in request.settings.modalities if form != "text"]:
        raise _refused(f"the embedded model writes text only, no {made[0]}")
    for message in request.messages:
        for part in message.parts:
            if part.is_media and (part.uri is not None or not openai_media.is_text(part)):
                raise _refused(
                    f"the embedded model reads text only, and the prompt holds {part.mime_type}"
                )


#: The most tokens of an answer with a schema: in a list without an end so small a model goes on
#: until its context is full.
_LONGEST_OBJECT = 1_000


def _refused(what: str) -> UsageError:
    return UsageError(
        f"{what}; nothing was sent.", f"ask a Gemini model: -m studio:{default_model()}"
    )


def _within_reach(request: Request) -> tuple[Request, list[str]]:
    """The request without what the model knows nothing of, and what that was."""
    settings, notices = request.settings, []
    if lost := [name for name in _UNKNOWN if name in settings.given()]:
        notices.append(f"{', '.join(lost)} left out: the local model cannot")
        settings = replace(settings, **_nothing(lost))
    tools, schema, messages = request.tools, request.schema, request.messages
    if schema is not None and settings.max_output_tokens is None:
        settings = replace(settings, max_output_tokens=_LONGEST_OBJECT)
    if messages and any(part.result is not None for part in messages[-1].parts):
        # Offered tools again, or shown how it called one, so small a model calls one again,
        # whatever it was given; told the same in words, it answers.
        tools, messages = (), tuple(map(_retold, messages))
        messages = (*messages[:-1], _with(messages[-1], " Now answer my question."))
        notices.append("the local model answers after one round of calls")
    if tools and schema is not None:
        schema = None  # the engine takes one grammar at a time
        notices.append("the schema holds for the answer after the calls")
    return replace(
        request, messages=messages, settings=settings, tools=tools, schema=schema
    ), notices


def _nothing(names: list[str]) -> dict[str, Any]:
    return dict.fromkeys(names)


def _retold(message: Message) -> Message:
    """A message whose calls and results are said in words."""

    def told(part: Part) -> Part:
        if part.call is not None:
            return Part(text=f"I call {part.call.name}({part.call.arguments}).")
        if part.result is not None:
            return Part(text=f"It returned {part.result.content}.")
        return part

    return message._replace(parts=tuple(map(told, message.parts)))


def _with(message: Message, words: str) -> Message:
    return message._replace(parts=(*message.parts, Part(text=words)))


def _count(spec: Spec, request: Request) -> int | None:
    child = local_process.running(spec)
    if child is None:
        return None
    request, _ = _within_reach(request)
    body = chat_body(request, spec.model, dialect_of("", llama_cpp=True)).fields
    asked = {name: body[name] for name in ("messages", "tools") if name in body}
    prompt = local_process.ask(child, "/apply-template", asked)
    if not prompt:
        return None
    content = {"content": prompt["prompt"], "add_special": True, "parse_special": True}
    counted = local_process.ask(child, "/tokenize", content)
    return len(counted["tokens"]) if counted else None


# --- %gemini local ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """Weights known or running here; sizes in bytes, ``uptime`` in seconds."""

    name: str
    label: str
    path: Path | None
    size: int
    partial: int = 0
    pid: int | None = None
    loading: bool = False
    uptime: float | None = None
    memory: int | None = None


def status() -> list[Status]:
    """Every row of the catalogue and every file of the user's own that runs now."""
    running: dict[str, rendezvous.Child] = {}
    for place in rendezvous.everyone():
        child = rendezvous.read(place)
        if child and rendezvous.alive(child):
            running[child.path] = child
    found = []
    for state in weights.status():
        row = state.weights
        child = running.pop(str(state.path), None)
        found.append(
            Status(row.name, row.label, state.path, row.size, state.partial, **_running(child))
        )
    for path, child in running.items():
        file = Path(path)
        size = file.stat().st_size if file.exists() else 0
        found.append(Status(child.model, "a file of your own", file, size, **_running(child)))
    return found


def _running(child: rendezvous.Child | None) -> dict[str, Any]:
    if child is None:
        return {}
    return {
        "pid": child.pid,
        "loading": not child.url,
        "uptime": max(0.0, time.time() - child.started),
        "memory": rendezvous.memory(child.pid),
    }


def address(model: str) -> tuple[str, str] | None:
    """Where a running model speaks OpenAI's wire (``http://127.0.0.1:PORT/v1``), and its key."""
    for place in rendezvous.everyone():
        child = rendezvous.read(place)
        if child and child.url and child.model == model and rendezvous.alive(child):
            return f"{child.url}/v1", child.key
    return None


def stop() -> list[str]:
    """End every process that runs a model; the names of the models."""
    ended = []
    for place in rendezvous.everyone():
        with rendezvous.held(rendezvous.lock_of(place)):
            child = rendezvous.read(place)
            if child and rendezvous.alive(child):
                ended.append(child.model)
            rendezvous.end(place)
    return ended
