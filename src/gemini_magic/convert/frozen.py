"""What a notebook's cells really asked, from its outputs' hashes and the local log of runs.

A saved notebook holds hashes only; what was sent stays in the log of the machine that sent it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gemini_magic.convert.notebook_file import Cell
from gemini_magic.types import Message, Part, Request, Settings, Target, Tool

#: The document of a run with this request's SHA-256 (``RunLog.find``), None where there is none.
Runs = Callable[[str], Mapping[str, Any] | None]


class Frozen(NamedTuple):
    """One request as it was sent, who was asked, and what came.

    ``template`` is the SHA-256 of the template of the prompt that asked. ``exchanged`` are the
    messages of the answer, in their order: those of a model, and between them what functions gave
    back. Media of the answer that were too large for the log are left out.
    """

    target: Target
    request: Request
    template: str
    exchanged: tuple[Message, ...] = ()

    @property
    def text(self) -> str:
        """The answer's last words."""
        return self.exchanged[-1].text if self.exchanged else ""


def frozen(cell: Cell, runs: Runs | None, missing: Callable[[str], None]) -> tuple[Frozen, ...]:
    """What a cell asked when it ran last, in the order in which the answers stand below it.

    ``missing(why)`` is called for each request that is not known any more.
    """
    found: list[Frozen] = []
    for asked in cell.asked:
        logged = runs(asked.request) if runs is not None else None
        if logged is None:
            missing("what it sent is not in this machine's log of runs")
            continue
        try:
            request = request_of(logged["sent"])
        except ValueError:
            request = None
        if request is None or request.digest != asked.request:
            missing("what it sent is too large for the log of runs, which keeps its hash alone")
            continue
        target = Target(asked.backend or logged["backend"], asked.model or logged["model"])
        found.append(Frozen(target, request, asked.template, _exchanged(logged["parts"])))
    return tuple(found)


def request_of(document: Any) -> Request:
    """The request of such a document (``Request.to_json``). Raises ``ValueError``."""
    try:
        messages = tuple(
            Message(one["role"], tuple(map(Part.from_json, one["parts"])))
            for one in document["messages"]
        )
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in document.get("settings", {}).items()
        }
        schema = document.get("schema")
        return Request(
            messages=messages,
            system=document.get("system"),
            settings=Settings(**settings),
            schema=None if schema is None else json.dumps(schema, ensure_ascii=False),
            tools=tuple(Tool(**tool) for tool in document.get("tools", ())),
            services=tuple(document.get("services", ())),
        )
    except (TypeError, LookupError, AttributeError) as problem:
        raise ValueError(f"no request: {problem}") from None


def _exchanged(parts: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """An answer's parts as messages: results of functions are the user's, all else the model's."""
    messages: list[Message] = []
    for document in parts:
        try:
            part = Part.from_json(document)
        except ValueError:
            continue  # too large for the log
        role: Any = "model" if part.result is None else "user"
        if messages and messages[-1].role == role:
            messages[-1] = Message(role, (*messages[-1].parts, part))
        else:
            messages.append(Message(role, (part,)))
    return tuple(messages)
