"""Turns what the SDKs and their HTTP library raise into ``WireError``, by its shape.

Nothing is imported for it: an SDK's exceptions are told by their attributes and class names, so
that both SDKs, in several versions and on several HTTP libraries, need no more than this page.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from gemini_magic.errors import WireError, WirePhase
from gemini_magic.events import Answered

_CONNECT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
_SEND = {"WriteError", "WriteTimeout"}
_READ = {
    "ReadError", "ReadTimeout", "RemoteProtocolError", "LocalProtocolError", "CloseError",
    "DecodingError", "APIConnectionError", "APITimeoutError", "APIError", "JSONDecodeError",
    "UnknownApiResponseError", "APIResponseValidationError", "StreamClosed", "TransportError",
    "RefreshError", "DefaultCredentialsError", "ValidationError",
}  # fmt: skip


@dataclass(slots=True)
class Progress:
    """How far an answer has come: ``streaming`` once a part of it was there."""

    streaming: bool = False


@contextmanager
def wire_failures() -> Iterator[Progress]:
    """Within it, what an SDK raises about the wire leaves as a ``WireError``."""
    progress = Progress()
    try:
        yield progress
    except WireError:
        raise
    except Exception as error:
        told = wire_error(error, streaming=progress.streaming)
        if told is None:
            raise
        raise told from None


#: Where the headers of the running task's request are noted, and whether it left this machine.
_noted: ContextVar[list[Answered] | None] = ContextVar("gemini_magic_headers", default=None)
_sent: ContextVar[list[str] | None] = ContextVar("gemini_magic_sent", default=None)


def noting_headers() -> list[Answered]:
    """A list that ``note_headers`` fills when the headers of this task's next request come."""
    noted: list[Answered] = []
    _noted.set(noted)
    return noted


def noting_departure() -> list[str]:
    """A list that is empty until the first byte of this task's next request is sent."""
    sent: list[str] = []
    _sent.set(sent)
    return sent


@contextmanager
def aside() -> Iterator[None]:
    """Within it, a request of this task is none of the ones that count: an upload, a question.

    It is neither noted as sent nor as answered.
    """
    noted, sent = _noted.set(None), _sent.set(None)
    try:
        yield
    finally:
        _noted.reset(noted)
        _sent.reset(sent)


async def note_request(request: Any) -> None:
    """The HTTP library's hook: a request is going to be sent."""
    sent = _sent.get()
    if sent is None:
        return

    async def trace(event: str, info: Any) -> None:
        if event.endswith("send_request_headers.started"):
            sent.append(event)

    request.extensions = {**request.extensions, "trace": trace}


async def note_headers(response: Any) -> None:
    """The HTTP library's hook: an answer has begun."""
    noted = _noted.get()
    if noted is not None:
        noted.append(Answered(time.time(), _date(response.headers.get("date"))))


def _date(text: str | None) -> float | None:
    """A Date header in Unix seconds: the middle of the second that it names."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text or "").timestamp() + 0.5
    except (ValueError, TypeError, OverflowError):
        return None


def count(value: Any) -> int | None:
    """A service's count of tokens; None for what cannot be one."""
    return value if type(value) is int and 0 <= value < 2**40 else None


def no_certificates(base_url: str) -> ssl.SSLContext | None:
    """For a plain-http address a TLS context that trusts nobody; None for others.

    To load the system's certificates takes 30 to 80 ms, which such a service never needs.
    """
    plain = base_url.lower().startswith("http://")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else None


def wire_error(error: BaseException, *, streaming: bool) -> WireError | None:
    """The failure as a ``WireError``, or None where it is none of the wire's.

    ``streaming`` says whether a part of the answer had come already.
    """
    late: WirePhase = "stream" if streaming else "headers"
    for one in _chain(error):
        status = _status(one)
        if status is not None:
            body, headers = _answer(one)
            return WireError(late, status, body, headers, _words(one))
    names = {cls.__name__ for one in _chain(error) for cls in type(one).__mro__}
    words = next((text for one in reversed(list(_chain(error))) if (text := _words(one))), "")
    if names & _CONNECT:
        return WireError("connect", detail=words)
    if names & _SEND:
        return WireError("send", detail=words)
    if names & _READ:
        body, headers = _answer(error)
        return WireError(late, None, body, headers, words)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 1000:
            return value
    return None


def _answer(error: BaseException) -> tuple[Any, dict[str, str]]:
    body = getattr(error, "details", None) or getattr(error, "body", None)
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    return body, {str(key).lower(): str(value) for key, value in headers.items()}


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
