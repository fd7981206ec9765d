"""OpenAI's wire, through openai: every service and proxy that speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gemini_magic.backends.base import CONNECT_TIMEOUT, ModelInfo
from gemini_magic.backends.bounds import limit_answer
from gemini_magic.backends.openai_answer import ChatAnswer
from gemini_magic.backends.openai_calls import text
from gemini_magic.backends.openai_dialects import dialect_of
from gemini_magic.backends.openai_request import Body, chat_body
from gemini_magic.backends.wire import (
    count,
    no_certificates,
    note_headers,
    note_request,
    noting_headers,
    wire_failures,
)
from gemini_magic.config_backends import is_loopback
from gemini_magic.events import BackendEvent, Ended, Notice
from gemini_magic.keys import Secret
from gemini_magic.types import Request, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIBackend:
    """One OpenAI-compatible service.

    ``llama_cpp`` says that it is llama.cpp's server, which reads some settings beyond OpenAI's.
    ``base_url`` is always passed to the SDK, so that no environment variable can change it.
    """

    def __init__(self, base_url: str, key: Secret | None, *, llama_cpp: bool = False) -> None:
        self._base_url = base_url
        self._key = key
        self._dialect = dialect_of(self.host, llama_cpp=llama_cpp)
        self._opened: AsyncOpenAI | None = None

    @property
    def host(self) -> str:
        return urlsplit(self._base_url).hostname or self._base_url

    def _client(self) -> AsyncOpenAI:
        if self._opened is None:
            import openai

            direct = is_loopback(self._base_url)  # a proxy of the environment must not see it
            client = openai.AsyncOpenAI(
                base_url=self._base_url,
                api_key=self._key.reveal() if self._key else "no-key",
                max_retries=0,
                timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT),
                http_client=openai.DefaultAsyncHttpxClient(
                    trust_env=not direct,
                    verify=no_certificates(self._base_url) or True,
                    follow_redirects=False,  # a prompt goes where the user said
                    event_hooks={
                        "request": [note_request],
                        "response": [note_headers, limit_answer],
                    },
                ),
            )
            # The environment's OpenAI organisation is nobody else's business.
            if self.host != "api.openai.com":
                client.organization = client.project = None
            self._opened = client
        return self._opened

    def warm_up(self) -> None:
        _ = self._client().chat.completions.create  # the SDK imports its resources when asked

    def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        """See ``Backend.stream``. Raises UsageError before anything is sent for what this wire
        cannot do; what it can do without is a ``Notice``.
        """
        from gemini_magic.backends import openai_images, openai_speech

        if openai_images.draws(model, self._dialect):
            return self._draw(request, model)
        if openai_speech.speaks(model, self._dialect):
            return self._speak(request, model)
        return self._chat(request, model)

    async def _chat(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        body: Body = await self._written(chat_body, request, model)
        for notice in body.notices:
            yield Notice(notice)
        usage, version, answer = Usage(), "", ChatAnswer()
        headers = noting_headers()
        with wire_failures() as progress:
            chunks = await self._client().chat.completions.create(
                stream=True, stream_options={"include_usage": True}, **body.fields
            )
            async with chunks:
                if headers:
                    yield headers[0]
                async for chunk in chunks:
                    progress.streaming = True
                    usage = _usage(chunk.usage) or usage
                    version = text(chunk.model) or version
                    for event in answer.take(chunk):
                        yield event
                    if answer.named:
                        async for found in answer.pictures():
                            yield found
        for last in answer.end():
            yield last
        yield Ended(answer.finish, usage, version or None, answer.citations)

    async def _draw(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        from gemini_magic.backends import openai_images

        order = await self._written(openai_images.order_of, request, model)
        for notice in order.notices:
            yield Notice(notice)
        headers = noting_headers()
        with wire_failures() as progress:
            events = openai_images.draw(self._client(), order, self._dialect, headers, progress)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _speak(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        from gemini_magic.backends import openai_speech

        order = openai_speech.order_of(request, model)
        for notice in order.notices:
            yield Notice(notice)
        headers = noting_headers()
        with wire_failures() as progress:
            events = openai_speech.speak(self._client(), order, headers, progress)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _written(self, write: Any, request: Request, model: str) -> Any:
        """What ``write`` makes of the request; in a thread where much is read and encoded."""
        if any(part.is_media for message in request.messages for part in message.parts):
            return await asyncio.to_thread(write, request, model, self._dialect)
        return write(request, model, self._dialect)

    async def count_tokens(self, request: Request, model: str) -> int | None:
        return None

    async def models(self) -> Sequence[ModelInfo]:
        with wire_failures():
            return [ModelInfo(model.id) async for model in self._client().models.list()]

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None


def _usage(counted: Any) -> Usage | None:
    if counted is None:
        return None
    details = getattr(counted, "completion_tokens_details", None)
    prompt = getattr(counted, "prompt_tokens_details", None)
    thoughts = count(getattr(details, "reasoning_tokens", None))
    output = count(counted.completion_tokens)
    if output is not None:  # this wire counts thoughts as output too
        output = max(0, output - (thoughts or 0))
    return Usage(
        input_tokens=count(counted.prompt_tokens),
        output_tokens=output,
        thought_tokens=thoughts,
        cached_tokens=count(getattr(prompt, "cached_tokens", None)),
    )
