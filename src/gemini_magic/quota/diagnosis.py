"""Turns a failure on the wire into one of our errors: what happened, why, and what to do."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime

from gemini_magic import catalog, errors
from gemini_magic.errors import GeminiMagicError, WireError, sentence
from gemini_magic.keys import SHOWN, Secret, redact
from gemini_magic.quota import bodies, windows
from gemini_magic.quota.asked import Asked

#: How much of a service's own words is shown, in characters.
_MOST = 160
#: How much of them is looked at for that.
_LOOKED_AT = 4_000
#: What looks like a key or a token, should a service repeat one in its answer.
_KEY = re.compile(
    r"\b(?:AIza|AQ\.|ya29\.|sk-|sk_|gsk_|hf_|xai-|nvapi-|r8_|pplx-)[\w*.+/-]{3,}[\w*]|"
    r"(?<=Bearer )[\w.~+/=-]{8,}|(?<=key=)[\w.~+/=-]{8,}|(?<=://)[^\s/@]+(?=@)",
    re.I,
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")

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
    r"content_filter|content_policy|content management policy|requires moderation|was flagged|"
    r"PROHIBITED_CONTENT|Responsible AI practices|blocked due to safety|"
    r"moderation_blocked|rejected by (?:the|our) safety system",
    re.I,
)
#: The windows of a day, what a window counts, and how people call it.
_DAYS = ("rpd", "tpd")
_UNITS = {
    "rpm": "requests",
    "rpd": "requests",
    "tpm": "input tokens",
    "tpd": "input tokens",
    "ipm": "pictures",
}
#: The service (or one on the way to it) gave up waiting; 499 is Google's, for "cancelled".
_TIMEOUTS = (408, 499, 504)
_NAMES = {"pd": "day's quota", "pm": "minute's quota"}


@dataclass(frozen=True, slots=True)
class _Told:
    """A failure, read: ``message`` is its words, short and safe to show."""

    asked: Asked
    phase: str
    message: str
    body: bodies.Body

    @property
    def status(self) -> int:
        return self.body.status

    @property
    def words(self) -> str:
        """All that the body says, to be searched."""
        return self.body.words

    @property
    def because(self) -> str:
        """The service's own words, to put after ours."""
        return f": {self.message}" if self.message else "."


def diagnose(failure: WireError, asked: Asked) -> GeminiMagicError:
    """The user's error for a failure; never holds a key, never raises."""
    body = bodies.read(failure)
    told = _Told(asked, failure.phase, _shown(body.message, asked.secret), body)
    status, words = told.status, told.words
    if body.kind == "prepaid":
        return _money(told)
    if body.kind == "spend":
        return _spending(told)
    if body.kind:
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
    if status >= 500 or status in _TIMEOUTS:
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


def _shown(text: str, secret: Secret | None) -> str:
    """A service's words, made fit for an error: one short line without markup and keys."""
    text = redact(text, [secret] if secret else [])[:_LOOKED_AT]
    text = re.sub(
        r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<(?!key>)[a-z/!][^>]*>", " ", text
    )
    text = _KEY.sub(SHOWN, _CONTROLS.sub(" ", text).strip())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1].rstrip()}…"


# --- the quota and the money ---------------------------------------------------------------------


def _quota(told: _Told) -> GeminiMagicError:
    asked, body = told.asked, told.body
    kind, full = body.kind, body.worst
    retry = None if full.opens_at_midnight or full.never_opens else body.delay
    when = f"in {_span(retry)}" if retry else "in a minute"
    quota = f"the {_NAMES.get(full.window[1:], 'quota')}{_size(full)}"
    window = ""
    if _never_fits(full, asked):
        return _larger_than_quota(told, full)
    if full.limit == 0 and full.region:
        window = "limit0"
        what = f"the region {full.region} has no quota for {asked.label} (limit 0)."
        step = "Use another region, or ask another backend: %gemini backends"
    elif kind == "tool" and full.window:
        whose = full.model or "a tool"
        what = f"{asked.label}: {quota} of {whose} is used up, not the model's own."
        opens = f"{sentence(_reopens(body))}. " if full.window in _DAYS else ""
        step = f"{opens}Run the cell without that tool, or ask another backend: %gemini backends"
    elif kind == "limit0":
        window = "limit0"
        what = f"{asked.label}: this model has no quota on this tier (limit 0)."
        step = "Choose another model (%gemini models) or a paid tier."
    elif full.window in _DAYS:
        window = full.window
        what = f"{asked.label}: {quota} is used up; {_reopens(body)}."
        step = "Ask another backend or model until then: %gemini backends"
    elif full.window:
        window = full.window
        what = f"{asked.label}: {quota} is used up."
        step = f"Run the cell again {when}, or ask another backend: %gemini backends"
    elif kind == "shared":
        what = f"{asked.label}: the capacity that all customers share is used up for now."
        step = "It is not your quota. Run the cell again in a moment, or use another region."
    elif kind == "tool":
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


def _size(full: bodies.Violation) -> str:
    """`` of 20 requests``, as far as the body tells."""
    told = [f"{full.limit:,}" if full.limit is not None else "", _UNITS.get(full.window, "")]
    return "".join(f" {word}" for word in ("of", *filter(None, told))) if any(told) else ""


def _never_fits(full: bodies.Violation, asked: Asked) -> bool:
    """Whether the prompt alone is larger than the whole window, so that no waiting helps.

    Google refuses such a prompt as it does others, and tells a delay of a second.
    """
    if not full.fits:
        return True
    mine = full.window in ("tpm", "tpd") and full.scope != "tool"
    return bool(mine and full.limit and asked.tokens and asked.tokens > full.limit)


def _larger_than_quota(told: _Told, full: bodies.Violation) -> GeminiMagicError:
    span = "day" if full.window in _DAYS else "minute"
    size = f" ({full.limit:,} input tokens)" if full.limit else ""
    about = f" (about {told.asked.tokens:,} tokens)" if told.asked.tokens else ""
    return errors.PromptTooLong(
        f"the prompt{about} is larger than a whole {span}'s quota of {told.asked.label}{size}.",
        "Waiting does not help. Shorten it, or ask another model: -m MODEL",
        status=told.status,
    )


def _reopens(body: bodies.Body) -> str:
    """When the day's window opens: Google's at the next Pacific midnight, others' as they say."""
    if not body.worst.opens_at_midnight:
        wait = f" in {_span(body.delay)}" if body.delay else " tomorrow"
        return f"it opens again{wait}"
    now = time.time()
    if now < windows.dawn(now) + windows.LAG:
        return "the day began at midnight Pacific, minutes ago, so it may open again at any moment"
    here = datetime.fromtimestamp(windows.midnight(now))
    today = here.date() == datetime.fromtimestamp(now).date()
    day = "" if today else " tomorrow"
    return f"it opens again at {here:%H:%M}{day}, your time (midnight Pacific)"


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
        "Run the cell again in ten minutes or later, or ask another backend: %gemini backends",
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
    if asked.model.endswith("-latest") and "API version v1," in told.words:
        hint = 'Such names need api_version = "v1beta" in your gemini_magic.toml.'
    return errors.UnknownModel(
        f"{asked.backend} has no model {asked.model!r}{told.because}",
        f"{hint} All models: %gemini models {asked.backend}".strip(),
        status=told.status,
    )


def _too_long(told: _Told) -> GeminiMagicError:
    numbers = next((fact for fact in told.body.facts if "n_prompt_tokens" in fact), None)
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
    why = {503: "is overloaded", 529: "is overloaded", **dict.fromkeys(_TIMEOUTS, "took too long")}
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
