"""What a session remembers of its prompts: in which execution and cell, and what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gemini_magic.types import Reply

#: Replies that are kept whole, the newest.
_KEPT = 8


class Sent(NamedTuple):
    """A request as an output's metadata tells of it: SHA-256 in hex, and who answered."""

    request: str
    template: str
    backend: str
    model: str


class Prompted(NamedTuple):
    """An execution that asked: its number, its cell's id ("" where cells have none)."""

    execution: int
    cell: str
    sent: tuple[Sent, ...] = ()


def running(shell: Any) -> int:
    """The number of the execution that runs: its place in ``In``.

    Newer IPythons count on before a cell runs, older ones after it.
    """
    return len(shell.history_manager.input_hist_raw) - 1


class Prompts:
    """The executions that asked, in their order."""

    def __init__(self) -> None:
        self._found: dict[int, Prompted] = {}
        self._replies: dict[str, Reply] = {}

    def begin(self, execution: int, cell: str) -> None:
        """A cell is about to ask; it may fail."""
        self._found.setdefault(execution, Prompted(execution, cell))

    def add(self, execution: int, reply: Reply, template: str) -> None:
        """A reply came; ``template`` is the SHA-256 of what was asked with."""
        one = self._found.get(execution)
        if one is None or reply.request is None or reply.target is None:
            return
        sent = Sent(reply.request.digest, template, reply.target.backend, reply.target.model)
        self._found[execution] = one._replace(sent=(*one.sent, sent))
        self._replies.pop(sent.request, None)
        self._replies[sent.request] = reply
        for old in list(self._replies)[:-_KEPT]:
            del self._replies[old]

    def run_of(self, request: str) -> dict[str, Any] | None:
        """A late reply as the log of runs has it, which is written with a delay; else None."""
        reply = self._replies.get(request)
        if reply is None or reply.request is None or reply.target is None:
            return None
        return {
            "sent": reply.request.to_json(),
            "backend": reply.target.backend,
            "model": reply.target.model,
            "parts": [part.to_json() for part in reply.parts],
        }

    def __iter__(self) -> Iterator[Prompted]:
        return iter(tuple(self._found.values()))
