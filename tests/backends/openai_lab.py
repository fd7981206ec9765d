"""Asks an OpenAI backend over a real socket, and reads what its server was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, TypeVar

import pytest

from gemini_magic.backends.openai import OpenAIBackend
from gemini_magic.errors import UsageError
from gemini_magic.events import BackendEvent, Notice, TextDelta
from gemini_magic.keys import Secret
from gemini_magic.types import Message, Part, Request, Tool
from tests.wire import OpenAIServer

T = TypeVar("T")
MODEL = "gpt-4o-mini"
#: Hosts that are told by their name, and where their wire is.
OPENAI = "http://api.openai.com/v1"
OPENROUTER = "http://openrouter.ai/api/v1"
GOOGLE = "http://generativelanguage.googleapis.com/v1beta/openai/"


def request(*parts: Part | str, **more: Any) -> Request:
    """One message of the user's."""
    return Request((user(*parts or ("hello",)),), **more)


def user(*parts: Part | str) -> Message:
    return Message("user", tuple(Part(text=p) if isinstance(p, str) else p for p in parts))


def model(*parts: Part | str) -> Message:
    return user(*parts)._replace(role="model")


def tool(name: str = "lookup", description: str = "Looks up", **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name, description, json.dumps({**schema, "additionalProperties": False}))


def ask(
    server: OpenAIServer, what: Request, name: str = MODEL, *, url: str = ""
) -> list[BackendEvent]:
    """All that one ``stream`` says; with ``url``, as the service of that name (see ``host``)."""

    async def work() -> list[BackendEvent]:
        asked = OpenAIBackend(url or server.url, Secret(server.key))
        try:
            async with aclosing(asked.stream(what, name)) as events:
                return [event async for event in events]
        finally:
            await asked.aclose()

    return asyncio.run(work())


def refusal(server: OpenAIServer, what: Request, name: str = MODEL, *, url: str = "") -> UsageError:
    """The error of what is refused; nothing may have been sent."""
    with pytest.raises(UsageError) as caught:
        ask(server, what, name, url=url)
    assert server.requests == []
    assert "othing was sent" in caught.value.what
    return caught.value


def sent(server: OpenAIServer, number: int = -1) -> dict[str, Any]:
    """The body of a generate call."""
    body: dict[str, Any] = server.generate_calls[number].json
    return body


def only(kind: type[T], events: Iterable[Any]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def words(events: Iterable[Any]) -> str:
    return "".join(event.text for event in only(TextDelta, events))


def notices(events: Iterable[Any]) -> list[str]:
    return [event.text for event in only(Notice, events)]
