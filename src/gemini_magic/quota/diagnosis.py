"""Turns a failure on the wire into one of our errors: what happened, why, and what to do.

The shapes of the bodies were collected from public bug reports and from the SDKs; Google's are
documented at https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gemini_magic import errors
from gemini_magic.errors import GeminiMagicError, WireError


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom we asked, as far as an error's text needs it.

    ``host`` is the service's host; ``key_from`` says where the key was found; ``known`` are the
    models that the service has, for suggestions.
    """

    backend: str
    host: str = ""
    key_from: str = ""
    model: str = ""
    known: tuple[str, ...] = ()

    def of(self, model: str) -> Asked:
        return replace(self, model=model)

    def knowing(self, names: Sequence[str]) -> Asked:
        return replace(self, known=tuple(names))

    @property
    def label(self) -> str:
        return f"{self.model} on {self.backend}" if self.model else self.backend


def diagnose(failure: WireError, asked: Asked) -> GeminiMagicError:
    """The user's error for a failure; never holds a key, never raises."""
    facts = list(_facts(failure.body))
    message = _message(facts) or _plain(failure)
    status = failure.status or _status_inside(facts) or 0
    words = f"{message} {json.dumps(facts, default=str)}"
    if status == 429 or (status == 402 and "credit" in words):
        return _quota(message, words, facts, asked, status)
    if _about_key(status, words):
        where = f" (from {asked.key_from})" if asked.key_from else ""
        return errors.InvalidKey(
            f"{asked.backend} does not accept the key{where}: {message}",
            f"store a valid one: %gemini key {asked.backend}",
            status=status,
        )
    if status == 0:
        return _no_answer(failure, message, asked)
    if status == 404 or (status == 400 and re.search(r"model.{0,40}not (found|exist)", words, re.I)):
        hint = errors.did_you_mean(asked.model, asked.known)
        return errors.UnknownModel(
            f"{asked.backend} has no model {asked.model!r}: {message}",
            f"{hint} all models: %gemini models".strip().capitalize(),
            status=status,
        )
    if _too_long(status, words):
        return errors.PromptTooLong(
            f"the prompt is larger than {asked.label} takes: {message}",
            "Shorten it, or ask a model with a larger window: -m MODEL",
            status=status,
        )
    if status in (500, 502, 503, 504, 529):
        why = "is overloaded" if status in (503, 529) else "had an internal error"
        return errors.Overloaded(
            f"{asked.label} {why} (HTTP {status}): {message}",
            "It is not your quota. Run the cell again in a moment, or ask another model: -m MODEL",
            status=status,
        )
    if "location is not supported" in words:
        return errors.BadRequest(
            f"{asked.backend} does not serve your country: {message}",
            "Ask another backend: %gemini backends",
            status=status,
        )
    if "content_filter" in words or "content_policy" in words:
        return errors.Blocked(
            f"{asked.label} refused the prompt: {message}", "Say it in other words.", status=status
        )
    return errors.BadRequest(
        f"{asked.label} refused the request (HTTP {status}): {message}",
        "What would be sent: add --dry-run to the cell",
        status=status,
    )


def _no_answer(failure: WireError, message: str, asked: Asked) -> GeminiMagicError:
    where = asked.host or asked.backend
    if failure.phase == "connect":
        return errors.Unreachable(
            f"no connection to {asked.backend} ({where}): {message}",
            f"Check the network; what works: %gemini doctor {asked.backend}",
        )
    if failure.phase == "stream":
        return errors.Unreachable(
            f"the answer of {asked.label} was cut off: {message}",
            "What came is kept; run the cell again.",
        )
    return errors.Unreachable(
        f"{asked.backend} ({where}) did not answer: {message}",
        "Run the cell again, or wait longer: --timeout 300",
    )


def _about_key(status: int, words: str) -> bool:
    if status == 401:
        return True
    if status == 400:
        return "API_KEY_INVALID" in words or "API key not valid" in words or "expired" in words
    return status == 403


def _too_long(status: int, words: str) -> bool:
    return status in (400, 413) and bool(
        re.search(
            r"exceed_context_size|context_length_exceeded|token count.{0,20}exceeds|"
            r"maximum context length|input is too long|payload size exceeds",
            words,
            re.I,
        )
    )


def _quota(
    message: str, words: str, facts: list[dict[str, Any]], asked: Asked, status: int
) -> GeminiMagicError:
    if re.search(r"credits are depleted|insufficient_quota|credit balance|spend-based", words):
        return errors.QuotaExceeded(
            f"{asked.backend}'s account has reached its limit of spending: {message}",
            "Top it up at the service, or ask another backend: %gemini backends",
            status=status,
            window="budget",
        )
    window, limit = _window(words)
    retry = _retry_delay(words)
    what = f"{asked.label}: "
    if window == "limit0":
        return errors.QuotaExceeded(
            f"{what}this model has no quota on this tier (limit 0).",
            "Choose another model (%gemini models) or a paid tier.",
            window=window,
            limit=0,
        )
    if window == "rpd":
        per_day = f" of {limit}" if limit is not None else ""
        return errors.QuotaExceeded(
            f"{what}the day's requests{per_day} are used up; it opens again at {_reopens()}.",
            "Ask another backend or model until then: %gemini backends",
            window=window,
            limit=limit,
        )
    if window in ("rpm", "tpm"):
        unit = "requests" if window == "rpm" else "input tokens"
        size = f" ({limit} {unit} a minute)" if limit is not None else f" ({unit} a minute)"
        wait = f"in {retry:.0f} s" if retry else "in a minute"
        return errors.QuotaExceeded(
            f"{what}the minute's quota{size} is used up.",
            f"Run the cell again {wait}.",
            window=window,
            limit=limit,
            retry_after=retry,
        )
    return errors.QuotaExceeded(
        f"{what}the service says that there is no quota or capacity left: {message}",
        f"Run the cell again {f'in {retry:.0f} s' if retry else 'later'}, "
        "or ask another backend: %gemini backends",
        retry_after=retry,
    )


def _window(words: str) -> tuple[str, int | None]:
    """Which window is full, and its size where the body says it; the longest one wins."""
    limit = re.search(r'"quotaValue": "(\d+)"|limit: (\d+)\b', words)
    size = int(limit.group(1) or limit.group(2)) if limit else None
    if size == 0 or re.search(r"limit: 0\b", words):
        return "limit0", 0
    if "PerDay" in words or "per day" in words.lower() or "per_day" in words:
        return "rpd", size
    if re.search(r"InputTokens\w*Minute|input_token_count|tokens per min", words):
        return "tpm", size
    if "PerMinute" in words or "requests per min" in words.lower():
        return "rpm", size
    return "", size


def _retry_delay(words: str) -> float | None:
    found = re.search(r'"retryDelay": "([\d.]+)s"|retry in ([\d.]+)s', words)
    return float(found.group(1) or found.group(2)) + 1 if found else None


def _reopens() -> str:
    """The next Pacific midnight, in the user's own time."""
    now = datetime.now(ZoneInfo("America/Los_Angeles"))
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    return f"{midnight.astimezone():%H:%M} your time (midnight Pacific)"


def _facts(body: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in the body, outermost first, however services wrapped them."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return
        if isinstance(body, str):
            return
    if isinstance(body, list):
        for one in body:
            yield from _facts(one)
    elif isinstance(body, dict):
        yield body
        for key, value in body.items():
            if isinstance(value, dict | list) or (key == "raw" and isinstance(value, str)):
                yield from _facts(value)


def _message(facts: list[dict[str, Any]]) -> str:
    """The innermost message: proxies wrap the service's own words in theirs."""
    texts = [fact["message"] for fact in facts if isinstance(fact.get("message"), str)]
    return _shorten(texts[-1]) if texts else ""


def _plain(failure: WireError) -> str:
    return _shorten(failure.body if isinstance(failure.body, str) else failure.detail)


def _shorten(text: str, most: int = 300) -> str:
    text = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _status_inside(facts: list[dict[str, Any]]) -> int | None:
    for fact in facts:
        code = fact.get("code")
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return None
