"""Helpers of scripts that ask again: what passes by itself is waited for."""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tenacity


def retried(ask: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
    """A function that asks again for a stream, until the first piece of it is there."""

    @functools.wraps(ask)
    def asked(*words: Any, **settings: Any) -> Iterator[Any]:
        def begin() -> tuple[list[Any], Iterator[Any]]:
            pieces = iter(ask(*words, **settings))
            return [
                piece for piece in [next(pieces, None)] if piece is not None
            ], pieces

        first, rest = again(begin)()
        yield from first
        yield from rest

    return asked


def again(ask: Callable[..., Any]) -> Callable[..., Any]:
    """A function that asks up to five times, as long as that can help."""
    return tenacity.retry(
        retry=tenacity.retry_if_exception(lambda error: pause(error) is not None),
        wait=lambda state: (state.outcome and pause(state.outcome.exception())) or 0,
        stop=tenacity.stop_after_attempt(5),
        reraise=True,
    )(ask)


def pause(error: BaseException | None) -> float | None:
    """Seconds after which a request may succeed; None where asking again cannot help.

    A full minute passes; a full day, and a limit of 0, do not.
    """
    told = (getattr(error, name, None) for name in ("status_code", "code"))
    status = next((one for one in told if isinstance(one, int)), None)
    if status is None:
        lost = type(error).__name__ in CONNECTION_LOST
        return random.uniform(1, 3) if lost else None
    if status not in (429, 500, 503):
        return None
    response = getattr(error, "response", None)
    body = getattr(error, "details", None) or getattr(error, "body", None)
    text = f"{error} {json.dumps(body, default=str)}"
    if status == 429 and HOPELESS.search(text):
        return None
    delay = re.search(r"""(?:retryDelay[\\'"]+: *[\\'"]+|again in )([\d.]+)s""", text)
    header = getattr(response, "headers", {}).get("retry-after") or ""
    if delay or re.fullmatch(r"[\d.]+", header):
        seconds = float(delay[1] if delay else header) + 1
        return seconds if seconds <= 120 else None
    return random.uniform(20, 40) if status == 429 else random.uniform(1, 3)


#: What a quota says that is full for the day, or that there is none at all.
HOPELESS = re.compile(
    r"per ?day|daily|limit: 0\b|quotaValue\W+0\W|insufficient_quota|per-day",
    re.IGNORECASE,
)
CONNECTION_LOST = {
    "APIConnectionError",
    "ConnectError",
    "ConnectTimeout",
    "ReadError",
    "RemoteProtocolError",
    "WriteError",
}
