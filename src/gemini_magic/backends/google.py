"""Gemini's native wire, through google-genai: AI Studio with a key, Vertex with credentials."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast
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
    Part,
    Request,
    TextDelta,
    ThoughtDelta,
    Usage,
)

if TYPE_CHECKING:
    from google import genai
    from google.genai import types as wire

#: How AI Studio's four levels are spelt as a budget, for models that know no levels (2.5).
_BUDGETS = {"off": 0, "low": 1024, "medium": 8192, "high": 24576}


class GoogleBackend:
    """One Google project's Gemini, AI Studio's or Vertex's.

    ``vertex`` is (project, location) for Vertex, None for AI Studio. ``base_url`` and
    ``api_version`` are always passed to the SDK, so that no environment variable can change them.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret | None,
        *,
        api_version: str = "v1beta",
        vertex: tuple[str, str] | None = None,
    ) -> None:
        self._base_url = base_url
        self._key = key
        self._api_version = api_version
        self._vertex = vertex
        self._opened: genai.Client | None = None
        self._http: Any = None

    @property
    def host(self) -> str:
        return urlsplit(self._base_url).hostname or self._base_url

    def _client(self) -> genai.Client:
        if self._opened is None:
            import httpx2
            from google import genai
            from google.genai import types as wire

            logging.getLogger("google_genai._api_client").addFilter(_about_our_own_key)
            warnings.filterwarnings(  # the SDK's words on reasons that are newer than it is
                "ignore", r"(?s).* is not a valid \w+$", UserWarning, r"google\.genai\._common"
            )
            # One for all: the SDK would make two more of its own.
            tls = no_certificates(self._base_url) or httpx2.create_ssl_context()
            self._http = httpx2.AsyncClient(
                verify=tls,
                follow_redirects=False,
                trust_env=not is_loopback(self._base_url),  # no proxy on the way to this machine
                event_hooks={
                    "request": [_limit_the_connect, note_request],
                    "response": [note_headers],
                },
            )
            options = wire.HttpOptions(
                base_url=self._base_url,
                api_version=self._api_version,
                retry_options=wire.HttpRetryOptions(attempts=1),
                httpx_async_client=self._http,
                client_args={"verify": tls},
                async_client_args={"ssl": tls},
            )
            project, location = self._vertex or (None, None)
            self._opened = genai.Client(
                enterprise=self._vertex is not None,
                api_key=self._key.reveal() if self._key else None,
                project=project,
                location=location,
                http_options=options,
            )
        return self._opened

    def warm_up(self) -> None:
        self._client()
        question = Request((Message("user", (Part(text="?"),)),))
        _contents(question.messages)  # builds the models that pydantic builds with their first use
        _config(question, "")

    async def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        usage, finish, version = Usage(), "", None
        headers = noting_headers()
        contents, config = _contents(request.messages), _config(request, model)
        with wire_failures() as progress:
            chunks = await self._client().aio.models.generate_content_stream(
                model=model, contents=contents, config=config
            )
            async with aclosing(cast("AsyncGenerator[Any]", chunks)):
                async for chunk in chunks:
                    if not progress.streaming and headers:
                        yield headers[0]
                    progress.streaming = True
                    usage = _usage(chunk.usage_metadata) or usage
                    version = chunk.model_version or version
                    feedback = chunk.prompt_feedback
                    if feedback is not None and feedback.block_reason:
                        finish = f"{_word(feedback.block_reason)}"
                    for candidate in (chunk.candidates or ())[:1]:
                        for part in (candidate.content and candidate.content.parts) or ():
                            if part.text:
                                yield (ThoughtDelta if part.thought else TextDelta)(part.text)
                        if candidate.finish_reason:
                            finish = _word(candidate.finish_reason)
        yield Ended(finish or CUT, usage, version)

    async def count_tokens(self, request: Request, model: str) -> int | None:
        contents = _contents(request.messages)
        if request.system:  # AI Studio's countTokens takes no system instruction
            contents = [_content("user", request.system), *contents]
        with wire_failures():
            answer = await self._client().aio.models.count_tokens(model=model, contents=contents)
        return answer.total_tokens

    async def models(self) -> Sequence[ModelInfo]:
        found: list[ModelInfo] = []
        with wire_failures():
            async for model in await self._client().aio.models.list(config={"page_size": 1000}):
                actions = model.supported_actions
                if actions and "generateContent" not in actions:
                    continue
                found.append(
                    ModelInfo(
                        name=(model.name or "").rpartition("models/")[2],
                        label=model.display_name or "",
                        input_limit=model.input_token_limit,
                        output_limit=model.output_token_limit,
                    )
                )
        return found

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aio.aclose()
            await self._http.aclose()
            self._opened = None


def _about_our_own_key(record: logging.LogRecord) -> bool:
    """Drops the SDK's warning about two keys in the environment: the footer names ours."""
    return not record.getMessage().startswith("Both GOOGLE_API_KEY and GEMINI_API_KEY")


async def _limit_the_connect(request: Any) -> None:
    """The SDK switches all of httpx2's limits off; silence is the engine's, connecting is ours."""
    request.extensions["timeout"] = {
        "connect": CONNECT_TIMEOUT, "pool": CONNECT_TIMEOUT, "read": None, "write": None,
    }  # fmt: skip


def _contents(messages: Sequence[Message]) -> list[wire.Content]:
    from google.genai import types as wire

    return [
        wire.Content(
            role=message.role,
            parts=[
                wire.Part(text=part.text)
                if part.data is None
                else wire.Part.from_bytes(data=part.data, mime_type=part.mime_type or "")
                for part in message.parts
            ],
        )
        for message in messages
    ]


def _content(role: str, text: str) -> wire.Content:
    from google.genai import types as wire

    return wire.Content(role=role, parts=[wire.Part(text=text)])


def _config(request: Request, model: str) -> wire.GenerateContentConfig:
    import json

    from google.genai import types as wire

    settings = request.settings
    config = wire.GenerateContentConfig(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_output_tokens=settings.max_output_tokens,
        stop_sequences=list(settings.stop) or None,
        seed=settings.seed,
        automatic_function_calling=wire.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    if request.system is not None:
        config.system_instruction = request.system
    if settings.thinking is not None:
        config.thinking_config = _thinking(settings.thinking, model)
    if request.schema is not None:
        config.response_mime_type = "application/json"
        config.response_json_schema = json.loads(request.schema)
    return config


def _thinking(asked: str | int, model: str) -> wire.ThinkingConfig:
    """Gemini 2.5 takes a budget in tokens, later models a level (which cannot be quite off)."""
    from google.genai import types as wire

    if isinstance(asked, int) or "2.5" in model:
        budget = asked if isinstance(asked, int) else _BUDGETS[asked]
        return wire.ThinkingConfig(thinking_budget=budget, include_thoughts=budget != 0)
    level = {"off": "MINIMAL"}.get(asked, asked.upper())
    return wire.ThinkingConfig(
        thinking_level=wire.ThinkingLevel(level), include_thoughts=asked != "off"
    )


def _usage(counted: Any) -> Usage | None:
    if counted is None:
        return None
    return Usage(
        input_tokens=count(counted.prompt_token_count),
        output_tokens=count(counted.candidates_token_count),
        thought_tokens=count(counted.thoughts_token_count),
        cached_tokens=count(counted.cached_content_token_count),
    )


def _word(reason: Any) -> str:
    """An enum's value, also of reasons that this SDK does not know yet."""
    return str(getattr(reason, "value", reason))[:40]
