"""Plays a scripted item over an exchange: the order, the delays and the faults, in one place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from .script import (
    Answer,
    Call,
    Failure,
    Fault,
    Picture,
    Printed,
    Program,
    Script,
    ScriptLike,
    text_of,
)
from .server import Exchange, WireServer

JSON_HEADERS = {"Content-Type": "application/json; charset=UTF-8"}
SSE_HEADERS = {"Content-Type": "text/event-stream"}

Piece = tuple[str, Any]  # ("text" | "thought" | "picture" | "call" | ..., value)
_KINDS = {str: "text", Picture: "picture", Call: "call", Program: "program", Printed: "printed"}


class Dialect(Protocol):
    """How one protocol writes an answer; made anew for every request."""

    newline: bytes
    done: bytes

    def event(self, piece: Piece | None, *, first: bool, last: bool) -> dict[str, Any]: ...

    def tail(self) -> Iterable[dict[str, Any]]: ...

    def whole(self) -> dict[str, Any]: ...


def dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character can be sent in JSON's own spelling only
        return json.dumps(value, separators=(",", ":")).encode()


def pieces(answer: Answer) -> list[Piece]:
    if answer.items:
        return [(_KINDS.get(type(item), "part"), item) for item in answer.items]
    return [
        *(("thought", t) for t in answer.thoughts),
        *(("text", t) for t in answer.pieces),
        *(("picture", p) for p in answer.pictures),
        *(("call", c) for c in answer.calls),
    ]


class ScriptedServer(WireServer):
    """A server that answers generate calls from a script."""

    def __init__(self, script: ScriptLike = None, **more: Any) -> None:
        super().__init__(**more)
        self._script = Script(script)
        self._other: dict[str, Script] = {}

    def set_script(self, script: ScriptLike, op: str = "generate") -> None:
        """What to answer from now on; for `op` count, models or upload: only Failures matter.

        Opens the port again if the script before had closed it.
        """
        if op != "generate":
            self._other[op] = Script(script)
            return
        self._script = Script(script)
        if self._script.refuses:
            self.close_listener()
        elif self.running:
            self.listen()

    def listen(self) -> None:
        super().listen()
        if self._script.refuses:  # the port is known now, and closed
            self.close_listener()

    def scripted_failure(self, op: str, request: Any) -> Failure | None:
        item = self._other[op].next(request) if op in self._other else None
        return item if isinstance(item, Failure) else None

    def next_item(self, exchange: Exchange) -> Answer | Failure | Fault | None:
        item = self._script.next(exchange.request.json)
        if self._script.refuses:
            exchange.keep_alive = False
            self.close_listener()
        return item

    def fail(self, exchange: Exchange, failure: Failure) -> None:
        text = isinstance(failure.body, str)
        body = failure.body.encode() if text else dump(failure.body)
        base = {"Content-Type": "text/html; charset=UTF-8"} if text else JSON_HEADERS
        exchange.send(failure.status, body, {**base, **failure.headers})

    def play(
        self,
        exchange: Exchange,
        item: Answer | Failure | Fault,
        dialect: Callable[[Answer], Dialect],
        echo: Answer,
        *,
        stream: bool,
    ) -> None:
        if isinstance(item, Failure):
            self.fail(exchange, item)
        elif isinstance(item, Answer):
            player = _stream if stream else _whole
            player(exchange, item, dialect(item), None)
        elif item.kind == "drop_before_headers":
            exchange.reset()
        elif item.kind == "hang":
            exchange.wait(None)
        else:
            answer = item.answer or echo
            player = _stream if stream else _whole
            player(exchange, answer, dialect(answer), item)


def _stream(exchange: Exchange, answer: Answer, dialect: Dialect, fault: Fault | None) -> None:
    exchange.wait(answer.first_delay)
    exchange.start_stream({**SSE_HEADERS, **answer.headers})
    parts = pieces(answer)
    due = time.monotonic()
    for i, (kind, value) in enumerate(parts):
        if fault and i >= fault.after:
            break
        if i:
            due += answer.delay
            exchange.wait(due - time.monotonic())
        shown = text_of(answer, value) if kind == "text" else value
        last = i == len(parts) - 1 and fault is None
        exchange.chunk(_event(dialect, dialect.event((kind, shown), first=i == 0, last=last)))
    if fault:
        _break(exchange, dialect, fault)
        return
    if not parts:
        exchange.chunk(_event(dialect, dialect.event(None, first=True, last=True)))
    for extra in dialect.tail():
        exchange.chunk(_event(dialect, extra))
    if dialect.done:
        exchange.chunk(dialect.done)
    exchange.end_stream()


def _break(exchange: Exchange, dialect: Dialect, fault: Fault) -> None:
    match fault.kind:
        case "drop":
            exchange.reset()
        case "cut":
            exchange.close()
        case "stall":
            exchange.wait(None)
        case "malformed":
            exchange.chunk(b'data: {"candidates": [{"content": ' + dialect.newline)
            exchange.end_stream()
        case "error":
            body = fault.failure.body if fault.failure else {"error": {"message": "unknown"}}
            exchange.chunk(_event(dialect, body))
            exchange.end_stream()
        case _:  # truncate
            exchange.end_stream()


def _whole(exchange: Exchange, answer: Answer, dialect: Dialect, fault: Fault | None) -> None:
    steps = max(0, len(pieces(answer)) - 1)
    exchange.wait(answer.first_delay + answer.delay * steps)
    headers = {**JSON_HEADERS, **answer.headers}
    body = dump(dialect.whole())
    kind = fault.kind if fault else None
    if kind is None:
        exchange.send(200, body, headers)
    elif kind == "malformed":
        exchange.send(200, body[:-2], headers)
    elif kind == "error" and fault and fault.failure:
        exchange.send(fault.failure.status, dump(fault.failure.body), headers)
    elif kind == "truncate":
        exchange.send(200, dump(_without_finish(dialect.whole())), headers)
    else:
        exchange.send(200, body, headers, upto=len(body) // 2)
        if kind == "stall":
            exchange.wait(None)
        elif kind == "drop":
            exchange.reset()
        else:
            exchange.close()


def _without_finish(body: dict[str, Any]) -> dict[str, Any]:
    for choice in [*body.get("candidates", ()), *body.get("choices", ())]:
        choice.pop("finishReason", None)
        if "finish_reason" in choice:
            choice["finish_reason"] = None
    return body


def _event(dialect: Dialect, value: Mapping[str, Any] | list[Any]) -> bytes:
    return b"data: " + dump(value) + dialect.newline


def echo_of(text: str) -> Answer:
    """The default answer: the prompt's own words, streamed one by one."""
    return Answer.words(text) if text else Answer.empty()


def filled(answer: Answer, prompt: int) -> Answer:
    """The answer with every unknown token count estimated."""
    u = answer.usage
    return replace(
        answer,
        usage=replace(
            u,
            prompt=prompt if u.prompt is None else u.prompt,
            output=tokens(answer.whole) if u.output is None else u.output,
            thoughts=sum(map(tokens, answer.thoughts)) if u.thoughts is None else u.thoughts,
        ),
    )


def tokens(text: str) -> int:
    """The servers' tokenizer: four characters a token, rounded up."""
    return -(-len(text) // 4)
