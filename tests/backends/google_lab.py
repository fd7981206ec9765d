"""Asks a Google backend over a real socket, and reads what its server was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, TypeVar

from gemini_magic.backends.google import GoogleBackend
from gemini_magic.events import BackendEvent
from gemini_magic.keys import Secret
from gemini_magic.types import Message, Part, Request
from tests.wire import GoogleServer
from tests.wire.proto import normalise

T = TypeVar("T")
FLASH = "gemini-2.5-flash"
NEW = "gemini-3.8-flash"
IMAGE = "gemini-3.1-flash-image"
SPEECH = "gemini-3.8-flash-tts"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc00000030101005bb6ee560000000049454e44ae426082"
)


def request(*parts: Part | str, **more: Any) -> Request:
    """One message of the user's."""
    made = tuple(Part(text=part) if isinstance(part, str) else part for part in parts)
    return Request((Message("user", made or (Part(text="hello"),)),), **more)


def backend(server: GoogleServer, key: str = "") -> GoogleBackend:
    return GoogleBackend(server.url, Secret(key or server.key))


async def said(asked: GoogleBackend, what: Request, model: str = FLASH) -> list[BackendEvent]:
    async with aclosing(asked.stream(what, model)) as events:
        return [event async for event in events]


def ask(server: GoogleServer, what: Request, model: str = FLASH) -> list[BackendEvent]:
    """All that one ``stream`` says."""

    async def work() -> list[BackendEvent]:
        asked = backend(server)
        try:
            return await said(asked, what, model)
        finally:
            await asked.aclose()

    return asyncio.run(work())


def only(kind: type[T], events: Iterable[Any]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def sent(server: GoogleServer, number: int = -1) -> dict[str, Any]:
    """The body of a generate call, with the names of its fields in snake case."""
    body, wrong = normalise(server.generate_calls[number].json, "GenerateContentRequest")
    assert not wrong
    return dict(body)
