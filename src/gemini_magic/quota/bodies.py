"""Reads the bodies of refusals: which window is full, how large it is, and how long to wait.

The shapes were collected from public bug reports and from the SDKs; Google's are documented at
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: An object of a body's JSON.
Fact = dict[str, Any]

#: How deep a body is looked into: proxies wrap the service's own words three times or so.
_DEPTH = 12
_SENTENCE_WINDOW = re.compile(
    r"(request|token|image|model)?s?[\W_]*per[\W_]*(day|min)|\b([RTI])P([DM])\b", re.I
)
_SENTENCE_LIMIT = re.compile(r"\blimit:? *(\d[\d,]*)", re.I)
_LINE = re.compile(r"Quota exceeded for metric: ([^\s,]+), limit: (\d+)")
_DELAY = re.compile(r"(?:retry|try again) in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)(m?s)?)?", re.I)
#: What is added to Google's delays, in seconds: it rounds them down (python-genai, pull 2114).
_ROUNDED_DOWN = 1.0
#: A longer window before a shorter one; of two equally long ones, that of the requests.
_LONGEST_FIRST = ("rpd", "tpd", "rpm", "tpm", "ipm", "")


@dataclass(frozen=True, slots=True)
class Violation:
    """A full window: "rpm", "tpm", "ipm", "rpd", "tpd", or "" where the body does not say.

    ``limit`` is its size, None where the body does not say; ``region`` is set where only one
    region's window is full.
    """

    window: str = ""
    limit: int | None = None
    region: str = ""


def facts(body: Any) -> list[Fact]:
    """Every JSON object in a body, outermost first, however services wrapped them."""
    return list(_facts(body, _DEPTH))


def _facts(body: Any, depth: int) -> Iterator[Fact]:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return
    if depth == 0:
        return
    if isinstance(body, list | tuple):
        for one in body:
            if isinstance(one, dict | list):
                yield from _facts(one, depth - 1)
    elif isinstance(body, dict):
        yield body
        for key, value in body.items():
            if isinstance(value, dict | list) or (key == "raw" and isinstance(value, str)):
                yield from _facts(value, depth - 1)


def message(found: Sequence[Fact]) -> str:
    """The innermost words for people: proxies wrap the service's own in theirs."""
    for key in ("message", "raw", "error", "detail"):
        texts = [fact[key] for fact in found if isinstance(fact.get(key), str) and fact[key]]
        if texts and not (key == "message" and texts[-1] == "Provider returned error"):
            return str(texts[-1])
    return ""


def texts(found: Sequence[Fact]) -> str:
    """All that the body says, as one text to look for words in."""
    return "\n".join(value for fact in found for value in fact.values() if isinstance(value, str))


def worst(found: Sequence[Fact]) -> Violation:
    """Of the full windows that a body names, the one that opens last; a limit of 0 before all."""
    full = list(_violations(found))
    for one in full:
        if one.limit == 0:
            return one
    return min(full, key=lambda one: _LONGEST_FIRST.index(one.window), default=Violation())


def _violations(found: Sequence[Fact]) -> Iterator[Violation]:
    words = message(found)
    lines = [(metric, int(limit)) for metric, limit in _LINE.findall(words)]
    structured = False
    for fact in found:
        if isinstance(name := fact.get("quotaId"), str):
            structured = True
            metric = fact.get("quotaMetric")
            limits = {limit for named, limit in lines if named == metric}
            limit = _number(fact.get("quotaValue"))
            if limit is None and len(limits) == 1:  # protobuf's JSON leaves a value of 0 out
                limit = limits.pop()
            yield Violation(_window_of_id(name), limit)
        elif isinstance(name := fact.get("quota_limit"), str):
            structured = True
            region = fact.get("quota_location") if "PerRegion" in name else ""
            limit = _number(fact.get("quota_limit_value"))
            yield Violation(_window_of_id(name), limit, str(region or ""))
    if structured:
        return
    for metric, limit in lines:
        yield Violation(_window_of_id(metric), limit)
    if not lines:
        yield _of_sentence(words, found)


def _window_of_id(name: str) -> str:
    """The window that an identifier such as ``...RequestsPerMinutePerProject...`` is about."""
    lower = name.lower()
    unit = "t" if "token" in lower else "i" if "image" in lower else "r"
    if re.search("per_?day", lower):
        return f"{unit}pd" if unit != "i" else "rpd"
    if re.search("per_?minute", lower) or "input_token_count" in lower:
        return f"{unit}pm"
    return ""


def _of_sentence(words: str, found: Sequence[Fact]) -> Violation:
    """The window that a sentence for people names (OpenAI, OpenRouter, other proxies)."""
    first = re.split(r"\.\s", words, maxsplit=1)[0]
    window = _SENTENCE_WINDOW.search(first)
    if window is None:
        return Violation()
    unit = (window[1] or window[3] or "r")[0].lower()
    span = (window[2] or window[4])[0].lower()
    limit = _SENTENCE_LIMIT.search(first, window.end())
    size = _number(limit[1].replace(",", "")) if limit else None
    if size is None:
        size = next((n for f in found if (n := _number(f.get("X-RateLimit-Limit")))), None)
    unit = {"m": "r"}.get(unit, unit)
    return Violation("rpd" if (unit, span) == ("i", "d") else f"{unit}p{span}", size)


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def delay(found: Sequence[Fact], headers: Mapping[str, str]) -> float | None:
    """The seconds after which the service says that it may be asked again, None if it does not."""
    delays: list[float] = []
    for fact in found:
        text = fact.get("retryDelay")
        if isinstance(text, str) and re.fullmatch(r"\d{1,6}(\.\d+)?s", text):
            delays.append(float(text[:-1]) + _ROUNDED_DOWN)
    said = _DELAY.search(message(found))
    if said and any(said.groups()):
        hours, minutes, seconds, unit = said.groups()
        amount = _float(seconds) / (1000 if unit == "ms" else 1)
        delays.append(3600 * _float(hours) + 60 * _float(minutes) + amount + _ROUNDED_DOWN)
    if not delays:
        for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
            if re.fullmatch(r"\d{1,9}(\.\d+)?", headers.get(name, "")):
                return float(headers[name]) / unit
    return max(delays, default=None)


def _float(text: str | None) -> float:
    try:
        return float((text or "0").rstrip("."))
    except ValueError:
        return 0.0
