"""Turns a failure on the wire into one of our errors: what happened, why, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gemini_magic import catalog, errors
from gemini_magic.errors import GeminiMagicError, WireError, sentence
from gemini_magic.keys import SHOWN, Secret, redact
from gemini_magic.quota import bodies
from gemini_magic.quota.asked import Asked

#: How much of a service's own words is shown, in characters.
_MOST = 160
#: What looks like a key or a token, should a service repeat one in its answer.
_KEY = re.compile(
    r"\b(?:AIza|AQ\.|ya29\.|sk-|sk_|gsk_|hf_|xai-|nvapi-|r8_|pplx-)[\w*.+/-]{3,}[\w*]|"
    r"(?<=Bearer )[\w.~+/=-]{8,}|(?<=key=)[\w.~+/=-]{8,}|(?<=://)[^\s/@]+(?=@)",
    re.I,
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")

_MONEY = re.compile(
    r"credits are depleted|insufficient_quota|insufficient_user_quota|pre_consume_token_quota|"
    r"TokenStatusExhausted|insufficient (credits?|balance|funds|quota)|credit balance",
    re.I,
)
_COUNTRY = re.compile(
    r"location is not supported|not available in your (country|region)|unsupported_country", re.I
)
_NO_MODEL = re.compile(
    r"model_not_found|model.{0,80}(not found|not exist|no longer available)|not a valid model|"
    r"no (endpoints|available channel).{0,20} for ",
    re.I | re.S,
)
_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|token count.{0,20} exceeds|prompt is too long|"
    r"maximum context length|input is too long|payload size exceeds|request too large",
    re.I,
)
_REFUSED = re.compile(
    r"content_filter|content_policy|content management policy|requires moderation|was flagged", re.I
)
_STATUS_OF = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "invalid_request_error": 400,
    "UNAUTHENTICATED": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "model_not_found": 404,
    "RESOURCE_EXHAUSTED": 429,
    "rate_limit_exceeded": 429,
    "INTERNAL": 500,
    "server_error": 500,
    "UNAVAILABLE": 503,
    "overloaded_error": 503,
    "DEADLINE_EXCEEDED": 504,
}


@dataclass(frozen=True, slots=True)
class _Told:
    """A failure, read: ``message`` is short and safe to show, ``words`` are to be searched."""

    asked: Asked
    phase: str
    status: int
    message: str
    words: str
    facts: Sequence[bodies.Fact]
    delay: float | None

    @property
    def because(self) -> str:
        """The service's own words, to put after ours."""
        return f": {self.message}" if self.message else "."


def diagnose(failure: WireError, asked: Asked) -> GeminiMagicError:
    """The user's error for a failure; never holds a key, never raises."""
    told = _read(failure, asked)
    status, words = told.status, told.words
    if status == 402 or (_MONEY.search(words) and status in (0, 400, 401, 403, 429)):
        return _money(told)
    if "spend-based" in words:
        return _spending(told)
    if status == 429:
        return _quota(told)
    if _COUNTRY.search(words):
        return _country(told)
    if _NO_MODEL.search(words) or (status == 404 and asked.model and asked.model in words):
        return _no_model(told)
    if _REFUSED.search(words) and status < 500:
        return errors.Blocked(
            f"{asked.label} refused the prompt{told.because}",
            "Say it in other words, or ask another model: -m MODEL",
            status=status,
        )
    if status in (401, 403) or (status == 400 and re.search(r"API[_ ]key", words, re.I)):
        return _key(told)
    if status == 413 or (_TOO_LONG.search(words) and status < 500):
        return _too_long(told)
    if status == 0:
        return _no_answer(told)
    if status >= 500:
        return _overloaded(told)
    if status == 404:
        return errors.BadRequest(
            f"{asked.backend} ({asked.host or 'its host'}) has nothing at this address"
            f" (HTTP 404){told.because}",
            "Check its base_url: %gemini backends",
            status=status,
        )
    return errors.BadRequest(
        f"{asked.label} refused the request (HTTP {status}){told.because}",
        "What would be sent: add --dry-run to the cell",
        status=status,
    )


def _read(failure: WireError, asked: Asked) -> _Told:
    facts = bodies.facts(failure.body)
    text = failure.body if isinstance(failure.body, str) and not facts else ""
    said = bodies.message(facts) or text or failure.detail
    status = failure.status or 0
    return _Told(
        asked=asked,
        phase=failure.phase,
        status=status if status >= 400 else _status_inside(facts),
        message=_shown(said, asked.secret),
        words=f"{said}\n{bodies.texts(facts)}",
        facts=facts,
        delay=bodies.delay(facts, failure.headers),
    )


def _shown(text: str, secret: Secret | None) -> str:
    """A service's words, made fit for an error: one short line without markup and keys."""
    text = re.sub(r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[a-z/!][^>]*>", " ", text)
    text = redact(text, [secret] if secret else [])
    text = _KEY.sub(SHOWN, _CONTROLS.sub(" ", text).strip())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1].rstrip()}…"


def _status_inside(facts: Sequence[bodies.Fact]) -> int:
    """The HTTP status that a body speaks of (errors also come within a stream that began well)."""
    named = [fact.get(name) for fact in facts for name in ("code", "status", "type")]
    for value in named:
        if type(value) is int and 400 <= value < 600:
            return value
    return next((_STATUS_OF[v] for v in named if isinstance(v, str) and v in _STATUS_OF), 0)


# --- the quota and the money ---------------------------------------------------------------------


def _quota(told: _Told) -> GeminiMagicError:
    asked, retry = told.asked, told.delay
    full = bodies.worst(told.facts)
    window = "limit0" if full.limit == 0 else full.window
    size = "" if full.limit is None else f" of {full.limit:,}"
    when = f"in {_span(retry)}" if retry else "in a minute"
    if window == "limit0" and full.region:
        what = f"the region {full.region} has no quota for {asked.label} (limit 0)."
        step = "Use another region, or ask another backend: %gemini backends"
    elif window == "limit0":
        what = f"{asked.label}: this model has no quota on this tier (limit 0)."
        step = "Choose another model (%gemini models) or a paid tier."
    elif window in ("rpd", "tpd"):
        unit = "requests" if window == "rpd" else "input tokens"
        what = f"{asked.label}: the day's quota{size} {unit} is used up; {_reopens(told)}."
        step = "Ask another backend or model until then: %gemini backends"
    elif _never_fits(told.message):
        what = f"the prompt is larger than a whole minute's quota of {asked.label}{told.because}"
        step = "Shorten it, or ask another model: -m MODEL"
    elif window:
        unit = {"rpm": "requests", "tpm": "input tokens", "ipm": "pictures"}[window]
        what = f"{asked.label}: the minute's quota{size} {unit} is used up."
        step = f"Run the cell again {when}, or ask another backend: %gemini backends"
    elif "error-code-429" in told.words:
        what = f"{asked.label}: the capacity that all customers share is used up for now."
        step = "It is not your quota. Run the cell again in a moment, or use another region."
    elif "exceeded your current quota" in told.words:
        what = f"{asked.label}: a quota is used up, and the service does not say which."
        step = "If it uses search, switch that off; else ask another backend: %gemini backends"
    else:
        what = f"{asked.label}: no quota or no capacity is left{told.because}"
        again = when if retry else "later"
        step = f"Run the cell again {again}, or ask another backend: %gemini backends"
    return errors.QuotaExceeded(
        what,
        step,
        status=told.status,
        window=window,
        limit=full.limit,
        retry_after=None if window in ("rpd", "tpd", "limit0") else retry,
    )


def _never_fits(message: str) -> bool:
    """Whether one request asked for more tokens than the window ever has (OpenAI's words)."""
    found = re.search(r"Limit (\d+)\D.*Requested (\d+)", message)
    return found is not None and int(found[2]) > int(found[1])


def _reopens(told: _Told) -> str:
    """When the day's window opens: Google's at the next Pacific midnight, others' as they say."""
    if not any("quotaId" in fact or "quota_limit" in fact for fact in told.facts):
        wait = f" in {_span(told.delay)}" if told.delay else " tomorrow"
        return f"it opens again{wait}"
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        now = datetime.now(ZoneInfo("America/Los_Angeles"))
    except ZoneInfoNotFoundError:  # a slim container
        return "it opens again at midnight Pacific time"
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    return f"it opens again at {midnight.astimezone():%H:%M} your time (midnight Pacific)"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _money(told: _Told) -> GeminiMagicError:
    google = "ai.studio" in told.words
    place = " at https://ai.studio/projects" if google else ""
    return errors.QuotaExceeded(
        f"{told.asked.backend}: the account has no credit left{told.because}",
        f"Top it up{place}, or ask another backend: %gemini backends",
        status=told.status,
        window="budget",
    )


def _spending(told: _Told) -> GeminiMagicError:
    return errors.QuotaExceeded(
        f"{told.asked.backend}: the account spends faster than Google allows it to for now.",
        "Run the cell again later, or ask another backend: %gemini backends",
        status=told.status,
        window="budget",
    )


# --- who may ask whom ----------------------------------------------------------------------------


def _key(told: _Told) -> GeminiMagicError:
    asked, words = told.asked, told.words
    key = f"the key from {asked.key_from}" if asked.key_from else "the key"
    google = asked.host.endswith("googleapis.com")
    new = "a new one (https://aistudio.google.com/apikey)" if google else "a valid one"
    if re.fullmatch(r"[A-Z_][A-Z0-9_]*( in .*)?", asked.key_from):  # it wins over a stored key
        step = f"Put {new} into {asked.key_from}"
    else:
        step = f"Store {new}: %gemini key {asked.backend}"
    if "unregistered callers" in words or "didn't provide an API key" in words:
        what = f"{asked.backend} was asked without a key."
        step = f"Store one: %gemini key {asked.backend}"
    elif "API_KEY_SERVICE_BLOCKED" in words or "are blocked" in words:
        what = f"{key} is not allowed to use this API of {asked.backend}: it is restricted."
        step = f"Allow it at https://console.cloud.google.com/apis/credentials. {step}"
    elif "SERVICE_DISABLED" in words or "it is disabled" in words:
        what = f"the project of {key} has not switched this API on{told.because}"
        step = (
            "Switch it on: https://console.cloud.google.com/apis/library/"
            "generativelanguage.googleapis.com"
        )
    elif "leaked" in words:
        what = f"{asked.backend} has blocked {key}: it was reported as leaked."
    elif "expired" in words:
        what = f"{key} has expired, says {asked.backend}."
    else:
        what = f"{asked.backend} does not accept {key}{told.because}"
    return errors.InvalidKey(what, step, status=told.status)


def _country(told: _Told) -> GeminiMagicError:
    if "free tier" in told.words:
        what = f"{told.asked.backend} has no free tier in your country."
        step = "Switch billing on for the key's project, or ask another backend: %gemini backends"
    else:
        what = f"{told.asked.backend} does not serve your country{told.because}"
        step = "Ask another backend: %gemini backends"
    return errors.NotServed(what, step, status=told.status)


# --- what was asked ------------------------------------------------------------------------------


def _no_model(told: _Told) -> GeminiMagicError:
    asked = told.asked
    named = re.search(r"\buse (?:models/)?((?:gemini|gemma|gpt)[\w.-]*\w)", told.words)
    newer = named[1] if named else catalog.successor(asked.model)
    hint = f"Ask its successor: -m {newer}." if newer else ""
    hint = hint or sentence(errors.did_you_mean(asked.model, asked.known))
    return errors.UnknownModel(
        f"{asked.backend} has no model {asked.model!r}{told.because}",
        f"{hint} All models: %gemini models {asked.backend}".strip(),
        status=told.status,
    )


def _too_long(told: _Told) -> GeminiMagicError:
    numbers = next((fact for fact in told.facts if "n_prompt_tokens" in fact), None)
    because = told.because
    if numbers is not None:
        because = f" ({numbers['n_prompt_tokens']} tokens; it takes {numbers.get('n_ctx', '?')})."
    return errors.PromptTooLong(
        f"the prompt is larger than {told.asked.label} takes{because}",
        "Shorten it, or ask a model with a larger window: -m MODEL",
        status=told.status,
    )


# --- no good answer, or none ---------------------------------------------------------------------


def _overloaded(told: _Told) -> GeminiMagicError:
    status = told.status
    why = {503: "is overloaded", 529: "is overloaded", 504: "took too long"}
    return errors.Overloaded(
        f"{told.asked.label} {why.get(status, 'had an internal error')} (HTTP {status})"
        f"{told.because}",
        "It is not your quota. Run the cell again in a moment, or ask another model: -m MODEL",
        status=status,
    )


def _no_answer(told: _Told) -> GeminiMagicError:
    asked, where = told.asked, told.asked.host or told.asked.backend
    if told.phase == "connect":
        what = f"no connection to {asked.backend} ({where}){told.because}"
        step = f"Check the network; what works: %gemini doctor {asked.backend}"
    elif told.phase == "stream":
        what = f"the answer of {asked.label} was cut off{told.because}"
        step = "What came is kept; run the cell again."
    else:
        what = f"{asked.backend} ({where}) did not answer{told.because}"
        step = "Run the cell again, or wait longer: --timeout 300"
    return errors.Unreachable(what, step)
