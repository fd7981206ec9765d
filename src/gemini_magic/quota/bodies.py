"""Reads the bodies of failures once, for all who judge them: what is full, how large, how long.

The shapes were collected from public bug reports and from the SDKs; Google's are documented at
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from gemini_magic.errors import WireError

#: An object of a body's JSON.
Fact = dict[str, Any]
#: What a refusal for quota is about: a full window, a limit of 0, spending too fast, no credit
#: left, what a tool may do, the capacity that all share; "" where it is no refusal for quota.
Kind: TypeAlias = Literal[
    "", "window", "limit0", "spend", "prepaid", "tool", "shared", "unknown"
]  # fmt: skip
#: Whose window is full: the model's, or one that is not what a project may ask of a model.
Scope: TypeAlias = Literal["model", "region", "user", "output", "tool"]

#: How deep a body is looked into: proxies wrap the service's own words three times or so.
_DEPTH = 12
#: Where services put a whole body as text.
_WRAPPINGS = ("raw", "message", "error", "detail")
_SENTENCE_WINDOW = re.compile(
    r"(request|token|image|model)?s?[\W_]{0,3}per[\W_]{0,3}(day|min)|\b([RTI])P([DM])\b", re.I
)
_SENTENCE_LIMIT = re.compile(r"\blimit:? {0,3}(\d[\d,]*)", re.I)
_NEVER_FITS = re.compile(r"Limit (\d{1,18})\b.{0,60}?Requested (\d{1,18})\b", re.S)
_LINE = re.compile(r"Quota exceeded for metric: ([^\s,]+), limit: (\d+)(?:, model: (\S+))?")
_BASE_MODEL = re.compile(r"\bbase model: ([\w./-]*\w)")
_DELAY = re.compile(r"(?:retry|try again) in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)(m?s)?)?", re.I)
#: What is added to Google's delays, in seconds: it rounds them down (python-genai, pull 2114).
_ROUNDED_DOWN = 1.0
#: A longer window before a shorter one; of two equally long ones, that of the requests.
LONGEST_FIRST = ("rpd", "tpd", "rpm", "tpm", "ipm", "")
#: Quotas of a model's surroundings: they fill while the model itself could still be asked.
_OF_TOOLS = re.compile(
    r"embed|(?<!re)search|ground|url_?context|maps|code_?execution|cache|file_?s|batch", re.I
)
_TIER = re.compile(r"(free|paid)_?tier(?:_?([123])(?!\d))?", re.I)

_MONEY = re.compile(
    r"credits are depleted|insufficient_quota|insufficient_user_quota|pre_consume_token_quota|"
    r"TokenStatusExhausted|insufficient (credits?|balance|funds|quota)|credit balance",
    re.I,
)
_SHARED = re.compile(r"error-code-429|resource exhausted[.,] please try again later", re.I)
#: HTTP statuses by the words of both wires and of the Interactions API, in lower case.
_STATUS_OF = {
    "invalid_argument": 400,
    "failed_precondition": 400,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "unauthenticated": 401,
    "authentication": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "resource_exhausted": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "internal": 500,
    "internal_error": 500,
    "api_error": 500,
    "server_error": 500,
    "unavailable": 503,
    "service_unavailable": 503,
    "overloaded_error": 503,
    "deadline_exceeded": 504,
    "gateway_timeout": 504,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A full window: "rpm", "tpm", "ipm", "rpd", "tpd", or "" where the body does not say.

    ``limit`` is its size, None where the body does not say; ``region`` is set where only one
    region's window is full. ``model`` is whose quota it is and ``tier`` the tier that it belongs
    to, "" where that is not said. ``pacific`` says that it is Google's, whose day ends at midnight
    Pacific, and ``fits`` is False where the request was larger than the whole window.
    """

    window: str = ""
    limit: int | None = None
    scope: Scope = "model"
    region: str = ""
    model: str = ""
    tier: str = ""
    pacific: bool = False
    fits: bool = True

    @property
    def opens_at_midnight(self) -> bool:
        """Whether only Google's next day helps, whatever delay its body tells."""
        return self.pacific and self.window in ("rpd", "tpd")

    @property
    def never_opens(self) -> bool:
        """Whether no waiting helps at all."""
        return self.limit == 0 or not self.fits


@dataclass(frozen=True, slots=True)
class Body:
    """A failure, read: ``message`` are its words for people, ``words`` all that can be searched.

    ``status`` is the HTTP status, also where only the body tells it; 0 where nothing does.
    ``full`` are the windows that it names; ``delay`` is when it says to ask again, in seconds;
    ``project`` is Google's name of who asked.
    """

    status: int
    message: str
    words: str
    facts: Sequence[Fact]
    full: Sequence[Violation]
    delay: float | None
    project: str

    @property
    def worst(self) -> Violation:
        """Of the full windows the one that opens last; a limit of 0 before all.

        What a tool or one region may do counts only where nothing else is full.
        """

        def order(one: Violation) -> tuple[bool, bool, bool, int]:
            here = one.scope in ("tool", "region")
            return here, one.limit != 0, not one.fits, LONGEST_FIRST.index(one.window)

        return min(self.full, key=order, default=Violation())

    @property
    def kind(self) -> Kind:
        """What is used up."""
        if self.status == 402 or (
            self.status in (0, 400, 401, 403, 429) and _MONEY.search(self.words)
        ):
            return "prepaid"
        if "spend-based" in self.words:
            return "spend"
        if self.status != 429:
            return ""
        worst = self.worst
        if worst.scope == "tool":
            return "tool"
        if worst.limit == 0:
            return "unknown" if worst.region else "limit0"
        if not worst.fits:
            return "unknown"
        if worst.window or worst.pacific:
            return "window"
        if _SHARED.search(self.words):
            return "shared"
        # Google names a model's full window. Where it names none, it was a search's.
        return "tool" if "exceeded your current quota" in self.words else "unknown"


def read(failure: WireError) -> Body:
    """What a failure tells. Never raises."""
    found = facts(failure.body)
    text = failure.body if isinstance(failure.body, str) and not found else ""
    said = message(found) or text or failure.detail
    words = f"{said}\n{texts(found)}"
    status = failure.status or 0
    full = tuple(_violations(found, said))
    return Body(
        status=status if status >= 400 else _status_inside(found),
        message=said,
        words=words,
        facts=found,
        full=full,
        delay=_delay(found, said, failure.headers, full),
        project=_project(found, said),
    )


# --- the objects and the words of a body ---------------------------------------------------------


def facts(body: Any) -> list[Fact]:
    """Every JSON object in a body, outermost first, however services wrapped them."""
    return list(_facts(body, _DEPTH))


def _facts(body: Any, depth: int) -> Iterator[Fact]:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        body = _json(body)
    if depth == 0:
        return
    if isinstance(body, list | tuple):
        for one in body:
            if isinstance(one, dict | list):
                yield from _facts(one, depth - 1)
    elif isinstance(body, dict):
        yield body
        for key, value in body.items():
            if isinstance(value, dict | list) or (key in _WRAPPINGS and isinstance(value, str)):
                yield from _facts(value, depth - 1)


def _json(text: str) -> Any:
    """The JSON that a text is, or the error that stands in it after a proxy's own words."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    begin = text.find("{")
    if begin <= 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "error" in found else None


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


def _status_inside(found: Sequence[Fact]) -> int:
    """The HTTP status that a body speaks of (errors also come within a stream that began well)."""
    named = [fact.get(name) for fact in found for name in ("code", "status", "type")]
    for value in named:
        if type(value) is int and 400 <= value < 600:
            return value
    # The Interactions API's codes may be URIs that end in such a word.
    ends = (value.rpartition("/")[2].lower() for value in named if isinstance(value, str))
    return next((_STATUS_OF[end] for end in ends if end in _STATUS_OF), 0)


def _project(found: Sequence[Fact], words: str) -> str:
    """Who asked, as Google numbers projects; "" where that is not said."""
    for fact in found:
        name = fact.get("consumer")
        if isinstance(name, str) and re.fullmatch(r"projects/[\w.:-]{1,80}", name):
            return name
    number = re.search(r"for consumer '?project_number:(\d{1,20})\b", words)
    return f"projects/{number[1]}" if number else ""


# --- the full windows ----------------------------------------------------------------------------


def _violations(found: Sequence[Fact], words: str) -> Iterator[Violation]:
    lines = [
        replace(_named(metric, metric, _model(model)), limit=_number(limit))
        for metric, limit, model in _LINE.findall(words)
    ]
    structured = [*_structured(found, words)]
    if structured:
        # protobuf's JSON leaves a value of 0 out, and no other limits a day and a minute at once
        spans = {one.window[2:] for one in structured if one.limit is None}
        if len(spans - {""}) == 2 and all(one.limit is None for one in structured):
            structured = [replace(one, limit=0) for one in structured]
        yield from structured
    elif lines:
        yield from lines
    elif (sentence := _of_sentence(words, found)) is not None:
        yield sentence


def _structured(found: Sequence[Fact], words: str) -> Iterator[Violation]:
    lines = [(metric, int(limit)) for metric, limit, _ in _LINE.findall(words) if len(limit) < 19]
    for fact in found:
        if isinstance(name := fact.get("quotaId"), str):
            metric = fact.get("quotaMetric")
            limits = {limit for named, limit in lines if named == metric}
            limit = _number(fact.get("quotaValue"))
            if limit is None and len(limits) == 1:
                limit = limits.pop()
            where = fact.get("quotaDimensions")
            where = where if isinstance(where, dict) else {}
            one = _named(name, metric, _model(where.get("model", where.get("base_model"))))
            region = where.get("location", where.get("region"))
        elif isinstance(name := fact.get("quota_limit"), str):
            limit = _number(fact.get("quota_limit_value"))
            one, region = _named(name, fact.get("quota_metric"), ""), fact.get("quota_location")
        else:
            continue
        if isinstance(region, str) and region not in ("", "global"):
            one = replace(one, scope="region" if one.scope != "tool" else "tool", region=region)
        yield replace(one, limit=limit)


def _named(name: str, metric: Any, model: str) -> Violation:
    """What the identifier of one of Google's limits and its metric are about."""
    both = f"{name} {metric}" if isinstance(metric, str) else name
    scope: Scope = "model"
    if _OF_TOOLS.search(both):
        scope = "tool"
    elif re.search("per_?region", name, re.I):
        scope = "region"
    elif re.search("per_?user", name, re.I):
        scope = "user"
    elif re.search("output_?token", both, re.I):
        scope = "output"
    return Violation(_window_of_id(name), None, scope, "", model, _tier(both), pacific=True)


def _window_of_id(name: str) -> str:
    """The window that an identifier such as ``...RequestsPerMinutePerProject...`` is about."""
    lower = name.lower()
    unit = "t" if "token" in lower else "i" if "image" in lower else "r"
    if re.search("per_?day", lower):
        return f"{unit}pd" if unit != "i" else "rpd"
    if re.search("per_?minute", lower) or "input_token_count" in lower:
        return f"{unit}pm"
    return ""


def _tier(names: str) -> str:
    """The tier that identifiers name: a number anywhere in them is more exact than none."""
    found = [(kind.lower(), number) for kind, number in _TIER.findall(names)]
    if any(kind == "paid" for kind, _ in found):
        return f"tier{next((number for _, number in found if number), '1')}"
    return "free" if found else ""


def _model(name: Any) -> str:
    """A model's bare name, "" for what is none."""
    text = name.rstrip(".,;").rpartition("/")[2] if isinstance(name, str) else ""
    return text if re.fullmatch(r"[\w.:-]{1,100}", text) else ""


def _of_sentence(words: str, found: Sequence[Fact]) -> Violation | None:
    """The window that a sentence for people names (Vertex, OpenAI, OpenRouter, other proxies)."""
    first = re.split(r"\.\s", words, maxsplit=1)[0]
    window = _SENTENCE_WINDOW.search(first)
    if window is None:
        return None
    unit = (window[1] or window[3] or "r")[0].lower()
    span = (window[2] or window[4])[0].lower()
    limit = _SENTENCE_LIMIT.search(first, window.end())
    size = _number(limit[1].replace(",", "")) if limit else None
    if size is None:
        size = _number(_header(found, "x-ratelimit-limit"))
    unit = {"m": "r"}.get(unit, unit)
    asked = _NEVER_FITS.search(words)
    sizes = [_number(number) for number in asked.groups()] if asked else []
    base = _BASE_MODEL.search(words)
    return Violation(
        "rpd" if (unit, span) == ("i", "d") else f"{unit}p{span}",
        size,
        model=_model(base[1]) if base else "",
        pacific=base is not None,
        fits=len(sizes) < 2 or (sizes[1] or 0) <= (sizes[0] or 0),
    )


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _header(found: Sequence[Fact], name: str) -> Any:
    """A header that OpenRouter repeats within the body, by its name in lower case."""
    values = (v for fact in found for key, v in fact.items() if str(key).lower() == name)
    return next(values, None)


# --- how long ------------------------------------------------------------------------------------


def _delay(
    found: Sequence[Fact], words: str, headers: Mapping[str, str], full: Sequence[Violation]
) -> float | None:
    """The seconds after which the service says that it may be asked again, None if it does not.

    Headers such as ``x-ratelimit-reset-requests`` are not read: they tell when a window is empty
    again, not when it has room, and services do not agree on which window that is.
    """
    delays: list[float] = []
    for fact in found:
        text = fact.get("retryDelay")
        if isinstance(text, str) and re.fullmatch(r"\d{1,6}(\.\d{1,18})?s", text, re.A):
            delays.append(float(text[:-1]) + _ROUNDED_DOWN)
    said = _DELAY.search(words)
    if said and any(said.groups()):
        hours, minutes, seconds, unit = said.groups()
        amount = _float(seconds) / (1000 if unit == "ms" else 1)
        delays.append(3600 * _float(hours) + 60 * _float(minutes) + amount + _ROUNDED_DOWN)
    if not delays:
        for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
            if re.fullmatch(r"\d{1,9}(\.\d{1,18})?", headers.get(name, ""), re.A):
                return float(headers[name]) / unit
    return max(delays, default=_until_reset(found, full))


def _until_reset(found: Sequence[Fact], full: Sequence[Violation]) -> float | None:
    """The seconds until OpenRouter's moment of opening, which it tells in ms since 1970.

    None where it lies outside of the window, as with a clock that is wrong.
    """
    reset = _number(_header(found, "x-ratelimit-reset"))
    left = _number(_header(found, "x-ratelimit-remaining"))
    if reset is None or left:
        return None
    wait = reset / 1000 - time.time()
    longest = 60.0 if any(one.window in ("rpm", "tpm", "ipm") for one in full) else 86_400.0
    return wait if 0 < wait <= longest + 1 else None


def _float(text: str | None) -> float:
    try:
        return min(float((text or "0").rstrip(".")), 1e9)
    except ValueError:
        return 0.0
