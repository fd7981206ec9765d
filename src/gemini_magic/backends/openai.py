"""OpenAI's chat-completions wire, through openai: every service and proxy that speaks it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gemini_magic.backends.base import CONNECT_TIMEOUT, ModelInfo
from gemini_magic.backends.wire import (
    count,
    no_certificates,
    note_headers,
    note_request,
    noting_headers,
    wire_failures,
)
from gemini_magic.config_backends import is_loopback
from gemini_magic.keys import Secret
from gemini_magic.types import (
    CUT,
    BackendEvent,
    Ended,
    Message,
    Notice,
    Part,
    Request,
    Settings,
    TextDelta,
    ThoughtDelta,
    Usage,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_FINISH = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "tool_calls": "TOOL_CALLS",
}


class OpenAIBackend:
    """One OpenAI-compatible service.

    ``llama_cpp`` says that it is llama.cpp's server, which reads some settings beyond OpenAI's.
    ``base_url`` is always passed to the SDK, so that no environment variable can change it.
    """

    def __init__(self, base_url: str, key: Secret | None, *, llama_cpp: bool = False) -> None:
        self._base_url = base_url
        self._key = key
        self._llama_cpp = llama_cpp
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
                    event_hooks={"request": [note_request], "response": [note_headers]},
                ),
            )
            # The environment's OpenAI organisation is nobody else's business.
            if self.host != "api.openai.com":
                client.organization = client.project = None
            self._opened = client
        return self._opened

    def warm_up(self) -> None:
        _ = self._client().chat.completions.create  # the SDK imports its resources when asked

    async def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        body, notices = self._body(request, model)
        for notice in notices:
            yield Notice(notice)
        usage, finish, version = Usage(), "", None
        headers = noting_headers()
        with wire_failures() as progress:
            chunks = await self._client().chat.completions.create(
                stream=True, stream_options={"include_usage": True}, **body
            )
            async with chunks:
                if headers:
                    yield headers[0]
                async for chunk in chunks:
                    progress.streaming = True
                    usage = _usage(chunk.usage) or usage
                    version = chunk.model or version
                    for choice in (chunk.choices or ())[:1]:
                        if thought := _thought(choice.delta):
                            yield ThoughtDelta(thought)
                        if choice.delta and choice.delta.content:
                            yield TextDelta(choice.delta.content)
                        if choice.finish_reason:
                            finish = _FINISH.get(choice.finish_reason, "OTHER")
        yield Ended(finish or CUT, usage, version)

    async def count_tokens(self, request: Request, model: str) -> int | None:
        return None

    async def models(self) -> Sequence[ModelInfo]:
        with wire_failures():
            return [ModelInfo(model.id) async for model in self._client().models.list()]

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def _body(self, request: Request, model: str) -> tuple[dict[str, Any], list[str]]:
        """The request as this wire writes it, and what it cannot say."""
        settings, notices = request.settings, []
        body: dict[str, Any] = {"model": model, "messages": _messages(request)}
        for name in ("temperature", "top_p", "seed"):
            if (value := getattr(settings, name)) is not None:
                body[name] = value
        if settings.max_output_tokens is not None:
            newer = self.host == "api.openai.com"  # its newer models refuse the older name
            body["max_completion_tokens" if newer else "max_tokens"] = settings.max_output_tokens
        if settings.stop:
            body["stop"] = list(settings.stop)
        if self._llama_cpp:
            body["extra_body"] = _llama_cpp_body(settings)
        elif settings.top_k is not None:
            notices.append("top_k left out: this service's wire has no such setting")
        if isinstance(settings.thinking, int):
            notices.append("thinking left out: this wire takes off, low, medium or high")
        elif settings.thinking is not None:
            effort = settings.thinking
            body["reasoning_effort"] = "none" if effort == "off" else effort
        if request.schema is not None:
            body["response_format"] = _response_format(request.schema)
        return body, notices


def _llama_cpp_body(settings: Settings) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if settings.top_k is not None:
        body["top_k"] = settings.top_k
    if settings.seed is not None:
        # A prompt that is half remembered is computed in other steps, which round otherwise;
        # whoever gives a seed wants the same answer again, and waits for it.
        body["cache_prompt"] = False
    return body


def _messages(request: Request) -> list[dict[str, Any]]:
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    return [*system, *(_message(message) for message in request.messages)]


def _message(message: Message) -> dict[str, Any]:
    role = "assistant" if message.role == "model" else "user"
    if all(part.data is None for part in message.parts):
        return {"role": role, "content": message.text}
    return {"role": role, "content": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, Any]:
    if part.data is None:
        return {"type": "text", "text": part.text}
    mime_type = part.mime_type or "application/octet-stream"
    encoded = base64.b64encode(part.data).decode("ascii")
    data_url = f"data:{mime_type};base64,{encoded}"
    family, _, form = mime_type.partition("/")
    if family == "image":
        return {"type": "image_url", "image_url": {"url": data_url}}
    if family == "audio":
        form = {"mpeg": "mp3", "x-wav": "wav"}.get(form, form)
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": form}}
    return {"type": "file", "file": {"filename": f"file.{form}", "file_data": data_url}}


def _response_format(schema: str) -> dict[str, Any]:
    parsed = json.loads(schema)
    named: dict[str, Any] = {"name": "answer", "schema": parsed}
    if _is_strict(parsed):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def _is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, every property required.

    Source: OpenAI's guide "Structured outputs", supported schemas.
    """
    if isinstance(schema, Mapping):
        if schema.get("type") == "object":
            properties = schema.get("properties") or {}
            if schema.get("additionalProperties") is not False:
                return False
            if set(schema.get("required") or ()) != set(properties):
                return False
        return all(_is_strict(value) for value in schema.values())
    if isinstance(schema, list):
        return all(_is_strict(value) for value in schema)
    return True


def _thought(delta: Any) -> str:
    """Thoughts have no field of their own on this wire; services use one of these two."""
    return getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""


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
