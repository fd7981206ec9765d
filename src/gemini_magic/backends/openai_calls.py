"""Calls of functions, put together from the pieces in which OpenAI's wire streams them.

Services differ: some send a call whole, some in pieces, some several at once, some without an
index or an id, some the same index or id for all. A call counts when the answer has ended.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gemini_magic.backends.characters import whole
from gemini_magic.errors import WireError
from gemini_magic.events import Notice, ToolCalled
from gemini_magic.types import MAX_TOKENS, FinishReason, Part, ToolCall

#: Characters that one answer's arguments may have, and calls that it may make.
MAX_ARGUMENTS = 1_000_000
MAX_CALLS = 128


def get(value: Any, name: str) -> Any:
    """A field of what an SDK made of untrusted JSON: an object of its own, or a plain dict."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def fields(value: Any) -> dict[str, Any]:
    """All fields of such an object at once: to ask it for each that may be missing takes longer."""
    if isinstance(value, dict):
        return value
    held: dict[str, Any] = getattr(value, "__dict__", {})
    more: dict[str, Any] | None = getattr(value, "model_extra", None)
    return {**held, **more} if more else held


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    signature: bytes | None = None

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def whole(self) -> bool:
        try:
            return isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False


class Calls:
    """The calls of one answer so far."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(self, delta: Any) -> None:
        """One item of ``delta.tool_calls``. Raises ``WireError`` where there is no end of them."""
        function = get(delta, "function")
        index, id = get(delta, "index"), text(get(delta, "id"))
        name, arguments = text(get(function, "name")), get(function, "arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        arguments = text(arguments)
        call = self._find(index if type(index) is int else None, id, name)
        if name and call.name == name and call.whole and call.arguments == arguments:
            return  # said again, whole
        call.id = call.id or id
        call.name = call.name or name
        call.pieces.append(arguments)
        call.signature = call.signature or signature_of(delta)
        self._size += len(arguments)
        if self._size > MAX_ARGUMENTS:
            raise WireError("stream", detail="the arguments of a call never ended")

    def _find(self, index: int | None, id: str, name: str) -> _Call:
        """The call that a piece belongs to: one that is open, or a new one."""
        known = [call for call in self._calls if index is None or call.index == index]
        if known:
            call = known[-1]
            # A new id without a name is the same call: some services make up one for each piece.
            another = bool(id and call.id and id != call.id and name)
            # Without an id, a name begins a call, once the one before it is complete.
            again = bool(name and call.name and not (id and id == call.id) and call.whole)
            if not another and not (again and (index is None or not id)):
                return call
        if len(self._calls) >= MAX_CALLS:
            raise WireError("stream", detail=f"more than {MAX_CALLS} calls in one answer")
        self._calls.append(_Call(index, id))
        return self._calls[-1]

    def done(self, reason: FinishReason) -> Iterator[ToolCalled | Notice]:
        """The calls of an answer that ended for this reason; each gets an id of its own."""
        ids: set[str] = set()
        for n, one in enumerate(self._calls, 1):
            if not one.name:
                yield Notice("the model called a function without saying which")
                continue
            arguments = whole(one.arguments.strip()) or "{}"
            if reason == MAX_TOKENS and not (one.whole or arguments == "{}"):
                yield Notice(f"a call of {one.name[:60]} was cut short: --max-output-tokens")
                continue
            id = unique = one.id or f"call_{n}"
            while unique in ids:
                unique = f"{id}-{len(ids) + 1}"
            ids.add(unique)
            call = ToolCall(whole(one.name), arguments, whole(unique))
            yield ToolCalled(call, Part(call=call, signature=one.signature))


def signature_of(holder: Any) -> bytes | None:
    """Gemini's signature of a thought, which has to go back with the call or text that carried it.

    Source: https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    google = get(get(holder, "extra_content"), "google")
    written = text(get(google, "thought_signature")).replace("-", "+").replace("_", "/")
    if not written:
        return None
    try:
        return base64.b64decode(written, validate=True) or None
    except (binascii.Error, ValueError):
        return None
