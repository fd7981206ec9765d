"""Pytest fixtures: factories that start servers and stop them when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .google import GoogleServer
from .openai import OpenAIServer
from .server import WireServer


def _factory(cls: type[Any]) -> Iterator[Callable[..., Any]]:
    servers: list[WireServer] = []
    with ExitStack() as stack:

        def make(*args: Any, **options: Any) -> Any:
            server = stack.enter_context(cls(*args, **options))
            servers.append(server)
            return server

        yield make
    bugs = [error for server in servers for error in server.errors]
    assert not bugs, bugs


@pytest.fixture
def google_server() -> Iterator[Callable[..., GoogleServer]]:
    """`google_server(script, key=..., quota=...)` -> a started GoogleServer."""
    yield from _factory(GoogleServer)


@pytest.fixture
def openai_server() -> Iterator[Callable[..., OpenAIServer]]:
    """`openai_server(script, gemini_compat=...)` -> a started OpenAIServer."""
    yield from _factory(OpenAIServer)
