"""What every backend offers, so that the engine need not know which one it talks to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from gemini_magic.events import BackendEvent
from gemini_magic.types import Request

#: Seconds that a connection may take to be made.
CONNECT_TIMEOUT = 5.0


class ModelInfo(NamedTuple):
    """A model as its service lists it; token limits are None where the service does not say."""

    name: str
    label: str = ""
    input_limit: int | None = None
    output_limit: int | None = None


class Backend(Protocol):
    """A connection to one configured service. Used on one event loop; opened lazily.

    Every failure of the service leaves a backend as ``errors.WireError``; what never reached the
    wire (a missing package, weights or key) as a ``GeminiMagicError``.
    """

    @property
    def host(self) -> str:
        """Where prompts go, for people: a host name, or "this machine"."""

    def warm_up(self) -> None:
        """Import what the first request needs; no network."""

    def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        """Ask ``model``; one generate call, no hidden retry. Ends with one ``Ended``.

        What the wire cannot say is told in a ``Notice``; where the question would be another one
        without it, ``UsageError`` is raised before anything is sent.

        Closing the generator closes the connection. Silence is waited out: limiting it is the
        caller's. An answer whose end the service did not announce ends with ``Ended(CUT)``.
        """

    async def count_tokens(self, request: Request, model: str) -> int | None:
        """The request's input tokens as the service counts them; None where it cannot."""

    async def models(self) -> Sequence[ModelInfo]:
        """The models that the service lists."""

    async def aclose(self) -> None:
        """Close all connections."""
