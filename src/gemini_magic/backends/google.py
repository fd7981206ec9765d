"""Gemini's native wire, through google-genai: AI Studio with a key, Vertex with credentials."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from gemini_magic.backends import google_out, google_settings
from gemini_magic.backends.base import CONNECT_TIMEOUT, ModelInfo
from gemini_magic.backends.bounds import closing_answers, limit_answer
from gemini_magic.backends.google_files import Files, Stored, slice_upload
from gemini_magic.backends.google_in import Reader
from gemini_magic.backends.wire import (
    aside,
    no_certificates,
    note_headers,
    note_request,
    noting_headers,
    wire_error,
    wire_failures,
)
from gemini_magic.config_backends import is_loopback
from gemini_magic.errors import UsageError, WireError
from gemini_magic.events import BackendEvent, Notice
from gemini_magic.keys import Secret
from gemini_magic.types import Message, Part, Request

if TYPE_CHECKING:
    from google import genai
    from google.genai import types as wire


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
        self._files = Files(self._client)

    @property
    def host(self) -> str:
        return urlsplit(self._base_url).hostname or self._base_url

    def _client(self) -> genai.Client:
        if self._opened is None:
            import httpx2
            from google import genai
            from google.genai import types as wire

            logging.getLogger("google_genai._api_client").addFilter(_about_our_own_key)
            logging.getLogger("google_genai.types").addFilter(_about_what_we_read)
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
                    "request": [_limit_the_connect, note_request, slice_upload],
                    "response": [note_headers, limit_answer],
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
        google_out.contents(question.messages, "")  # builds what pydantic builds at first use
        google_settings.warm_up()

    async def stream(self, request: Request, model: str) -> AsyncGenerator[BackendEvent]:
        google_settings.refuse(request, model, vertex=self._vertex is not None)
        config, notices = google_settings.asked(request, model)
        if not _is_later_hop(request):
            for notice in notices:
                yield Notice(notice)
        large = google_out.too_large(request)
        if large and self._vertex is not None:
            raise UsageError(
                "Vertex AI takes no uploads, and the prompt's files have more than "
                f"{google_out.MAX_REQUEST / 1e6:.0f} MB; nothing was sent.",
                "Put them into Cloud Storage and name them by their address: --file gs://...",
            )
        uris: dict[Part, str] = {}
        for part in large:
            async with aclosing(self._files.send(part)) as steps:
                async for step in steps:
                    if isinstance(step, Stored):
                        uris[part] = step.uri
                    else:
                        yield step
        headers, reader = noting_headers(), Reader()
        combined = google_settings.combines(request)
        contents = google_out.contents(request.messages, model, uris, steps=combined)
        try:
            async with closing_answers():
                with wire_failures() as progress:
                    chunks = await self._client().aio.models.generate_content_stream(
                        model=model, contents=_alone(contents), config=config
                    )
                    async with aclosing(cast("AsyncGenerator[Any]", chunks)) as coming:
                        while (chunk := await _next(coming)) is not None:
                            if not progress.streaming and headers:
                                yield headers[0]
                            progress.streaming = True
                            for event in reader.events(chunk):
                                yield event
        except WireError as failure:
            if uris and failure.status in (403, 404):
                self._files.doubt()
            raise
        for event in reader.rest():
            yield event

    async def count_tokens(self, request: Request, model: str) -> int | None:
        if google_out.too_large(request):
            return None
        messages = request.messages
        if request.system:  # AI Studio's countTokens takes no system instruction
            messages = (Message("user", (Part(text=request.system),)), *messages)
        contents = google_out.contents(messages, model)
        with aside(), wire_failures():
            answer = await self._client().aio.models.count_tokens(
                model=model, contents=_alone(contents)
            )
        return answer.total_tokens

    async def models(self) -> Sequence[ModelInfo]:
        found: list[ModelInfo] = []
        with aside(), wire_failures():
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


#: Set while the SDK reads a chunk for us.
_reading: ContextVar[bool] = ContextVar("gemini_magic_reading", default=False)


def _about_what_we_read(record: logging.LogRecord) -> bool:
    """Drops what the SDK warns of in a chunk: we read all parts of it, and no ``.text``.

    It makes a text of every chunk where there is a schema, and warns of pictures and calls in it,
    which would be drawn into the cell. The user's own calls keep their warnings.
    """
    return not _reading.get()


def _alone(contents: list[wire.Content]) -> Any:
    """One message out of its list: half a millisecond passes until the SDK knows a list's kind."""
    return contents[0] if len(contents) == 1 else contents


async def _limit_the_connect(request: Any) -> None:
    """The SDK switches all of httpx2's limits off; silence is the engine's, connecting is ours."""
    request.extensions["timeout"] = {
        "connect": CONNECT_TIMEOUT, "pool": CONNECT_TIMEOUT, "read": None, "write": None,
    }  # fmt: skip


async def _next(chunks: AsyncGenerator[Any]) -> Any:
    """The SDK's next chunk, None at the end; what it stumbles over is the wire's failure.

    It checks types, but not in all places (a list where a word belongs).
    """
    _reading.set(True)
    try:
        return await anext(chunks, None)
    except (AttributeError, TypeError, LookupError, ValueError, RecursionError) as odd:
        if wire_error(odd, streaming=True) is not None:
            raise
        kind = type(odd).__name__
        detail = f"it is none that Google's library understands ({kind})"
        raise WireError("stream", detail=detail) from None
    finally:
        _reading.set(False)


def _is_later_hop(request: Request) -> bool:
    """Whether the request says what functions gave back: then its notices were read before."""
    last = request.messages[-1].parts if request.messages else ()
    return any(part.result is not None for part in last)
