"""Every body that services are known to send becomes the right error, in two short lines."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import errors
from gemini_magic.backends.wire import wire_error
from gemini_magic.config_schema import WHEN
from gemini_magic.errors import (
    BadRequest,
    Blocked,
    GeminiMagicError,
    InvalidKey,
    NotServed,
    Overloaded,
    PromptTooLong,
    QuotaExceeded,
    UnknownModel,
    Unreachable,
    WireError,
)
from gemini_magic.keys import Secret
from gemini_magic.quota import diagnosis
from gemini_magic.quota.diagnosis import Asked, diagnose
from tests.wire import payloads
from tests.wire.payloads import google_error, openai_error
from tests.wire.script import Failure

ASKED = Asked(
    "studio",
    host="generativelanguage.googleapis.com",
    key_from="GEMINI_API_KEY",
    model="gemini-2.0-flash",
)


@dataclass(frozen=True)
class Want:
    """What must come of a body; ``words`` are regular expressions found in both lines together."""

    kind: type[GeminiMagicError]
    words: tuple[str, ...] = ()
    window: str = ""
    limit: int | None = None
    retry: tuple[float, float] | None = None


def quota(
    window: str,
    limit: int | None,
    *words: str,
    retry: tuple[float, float] | None = None,
) -> Want:
    return Want(QuotaExceeded, words, window, limit, retry)


def want(kind: type[GeminiMagicError], *words: str) -> Want:
    return Want(kind, words)


OTHER_BACKEND = "%gemini backends"

QUOTA = {
    "a_free_rpm": quota("rpm", 10, "quota of 10 requests", "again in 28 s", retry=(28, 29)),
    "b_free_rpd": quota("rpd", 20, "day's quota of 20 requests", "midnight Pacific", OTHER_BACKEND),
    "c_free_tpm": quota("tpm", 250_000, "250,000 input tokens", "36 s", retry=(36, 37)),
    "d_limit_zero": quota("limit0", 0, "limit 0", "%gemini models", "paid tier"),
    "e_paid_tpm": quota("tpm", 1_000_000, "1,000,000 input tokens", retry=(2, 3)),
    "e_paid_tpm_tier2": quota("tpm", 3_000_000, "3,000,000", retry=(13, 14)),
    "f_paid_rpd": quota("rpd", 350_000, "day's quota of 350,000 requests"),
    "g_embed_rpm": quota(
        "", 100, "minute's quota of 100 requests of gemini-embedding-2", retry=(21, 22)
    ),
    "g_embed_rpd": quota("", 1000, "day's quota of 1,000 requests", "without that tool"),
    "h_regional_zero": quota("limit0", 0, "us-south1", "another region"),
    "i_spend_based": quota("budget", None, "spends", "ten minutes", OTHER_BACKEND),
    "j_prepay_empty": quota("budget", None, "no credit", "https://ai.studio/projects"),
    "j_prepay_empty_402": quota("budget", None, "no credit", "https://ai.studio/projects"),
    "k_bare": quota("", None, "no quota or no capacity", "later", OTHER_BACKEND),
    "l_vertex_shared": quota("", None, "capacity that all customers share", "not your quota"),
    "m_tool_quota": quota("", None, "does not say which", "search", "switch that off"),
    "m_tool_quota_help": quota("", None, "does not say which", "search", "switch that off"),
    "l_vertex_bare": quota("", None, "capacity that all customers share", "not your quota"),
    "l_vertex_rpm": quota("rpm", None, "the minute's quota of requests is used up"),
}

OTHER_GOOGLE = {
    "key_invalid": want(InvalidKey, "does not accept", "API key not valid", "into GEMINI_API_KEY"),
    "key_expired": want(InvalidKey, "has expired", "https://aistudio.google.com/apikey"),
    "location": want(NotServed, "your country", OTHER_BACKEND),
    "no_free_tier_here": want(NotServed, "free tier in your country", "billing", OTHER_BACKEND),
    "unauthenticated": want(InvalidKey, "does not accept"),
    "key_missing": want(InvalidKey, "without a key", "%gemini key studio"),
    "service_blocked": want(InvalidKey, "restricted", "console.cloud.google.com/apis/credentials"),
    "key_leaked": want(InvalidKey, "blocked", "leaked", "https://aistudio.google.com/apikey"),
    "api_disabled": want(InvalidKey, "not switched this API on", "https://console.cloud.google"),
    "model_unknown": want(UnknownModel, "no model 'gemini-2.0-flash'", "%gemini models studio"),
    "model_retired": want(UnknownModel, "-m gemini-3.8-flash\\."),
    "internal": want(Overloaded, "internal error", "HTTP 500", "not your quota"),
    "overloaded": want(Overloaded, "is overloaded", "HTTP 503", "not your quota"),
    "deadline": want(Overloaded, "took too long", "HTTP 504"),
}

OPENAI = {
    "rate_limit": quota("rpm", 3, "quota of 3 requests", "again in 21 s", retry=(20, 22)),
    "token_limit": quota("tpm", 200_000, "200,000 input tokens", retry=(1, 3)),
    "no_money": quota("budget", None, "no credit", "[Tt]op it up"),
    "key_invalid": want(InvalidKey, "does not accept"),
    "key_missing": want(InvalidKey, "without a key", "%gemini key studio"),
    "model_unknown": want(UnknownModel, "%gemini models studio"),
    "too_long": want(PromptTooLong, "128000 tokens", "-m MODEL"),
    "server": want(Overloaded, "internal error"),
    "overloaded": want(Overloaded, "is overloaded"),
}

TABLES = {
    "quota": (payloads.QUOTA_429, QUOTA),
    "google": (payloads.OTHER_GOOGLE, OTHER_GOOGLE),
    "openai": (payloads.OPENAI_ERRORS, OPENAI),
}
CASES = {
    f"{kind}-{name}": (failure, wanted[name])
    for kind, (table, wanted) in TABLES.items()
    for name, failure in table.items()
    if name in wanted
}
GOOGLES = {name: case for name, case in CASES.items() if not name.startswith("openai")}


def told(failure: Failure, asked: Asked = ASKED, phase: Any = "headers") -> GeminiMagicError:
    body = json.loads(json.dumps(failure.body))
    return diagnose(WireError(phase, failure.status, body, failure.headers), asked)


def check(error: GeminiMagicError, wanted: Want) -> None:
    assert type(error) is wanted.kind
    text = "\n".join(check_lines(error))
    for words in wanted.words:
        assert re.search(words, text), f"{words!r} is not in {text!r}"
    if isinstance(error, QuotaExceeded):
        assert (error.window, error.limit) == (wanted.window, wanted.limit)
        if wanted.retry is None:
            assert error.retry_after is None
        else:
            assert error.retry_after is not None
            assert wanted.retry[0] <= error.retry_after <= wanted.retry[1]


def check_lines(error: GeminiMagicError) -> list[str]:
    """Two lines, each one line and short, and a route knows what to make of it."""
    lines = error.lines()
    assert len(lines) == 2 and error.next_step
    for line in lines:
        assert len(line.splitlines()) == 1
        assert len(line) < 320
        assert line.isprintable()
        assert not line.endswith((" ", ":")) and ": ." not in line
    assert error.when in ("", *WHEN)
    return lines


def test_every_body_that_is_known_has_its_expectation() -> None:
    for table, wanted in TABLES.values():
        assert set(table) == set(wanted)


@pytest.mark.parametrize(("failure", "wanted"), CASES.values(), ids=CASES.keys())
def test_a_known_body(failure: Failure, wanted: Want) -> None:
    error = told(failure)
    check(error, wanted)
    assert isinstance(error, errors.BackendError)
    assert error.status == failure.status


@pytest.mark.parametrize(("failure", "wanted"), GOOGLES.values(), ids=GOOGLES.keys())
@pytest.mark.parametrize("wrap", [payloads.compat, payloads.openrouter, payloads.litellm])
def test_a_known_body_in_a_proxys_wrapping(failure: Failure, wanted: Want, wrap: Any) -> None:
    check(told(wrap(failure)), wanted)


@pytest.mark.parametrize(("failure", "wanted"), CASES.values(), ids=CASES.keys())
def test_a_known_body_as_text_bytes_inner_object_or_within_a_stream(
    failure: Failure, wanted: Want
) -> None:
    text = json.dumps(failure.body)
    inner = failure.body["error"]
    for status, body in (
        (failure.status, text),
        (failure.status, text.encode()),
        (failure.status, inner),  # as the openai SDK hands it on
        (None, [failure.body]),
        (200, failure.body),
    ):
        if status != failure.status and not isinstance(inner["code"], int):
            continue
        error = diagnose(WireError("stream", status, body, failure.headers), ASKED)
        check(error, wanted)


MORE = {
    "longest window wins": (
        payloads.quota_failure(
            [
                payloads.violation("m_requests", "XRequestsPerMinute-FreeTier", "g", 10),
                payloads.violation("m_requests", "XRequestsPerDay-FreeTier", "g", 250),
                payloads.violation("m_tokens", "XInputTokensPerMinute-FreeTier", "g", 125_000),
            ],
            30.0,
        ),
        quota("rpd", 250, "250 requests", "midnight Pacific"),
    ),
    "a day's tokens": (
        payloads.quota_failure(
            [payloads.violation("m", "InputTokensPerModelPerDay-FreeTier", "g", 6_000_000)], 9.0
        ),
        quota("tpd", 6_000_000, "day's quota of 6,000,000 input tokens"),
    ),
    "pictures": (
        payloads.quota_failure(
            [payloads.violation("m", "GenerateImagesPerMinutePerProject", "g", 20)], 9.0
        ),
        quota("ipm", 20, "20 pictures", retry=(10, 11)),
    ),
    "one limit of 0 among others": (
        payloads.quota_failure(
            [
                payloads.violation("a", "RequestsPerDay-FreeTier", "g", 20),
                payloads.violation("b", "InputTokensPerMinute-FreeTier", "g", None),
            ],
            9.0,
        ),
        quota("limit0", 0, "limit 0"),
    ),
    "limits of 0 that no word tells": (
        payloads.google_error(
            429,
            payloads.QUOTA_TEXT,
            [
                {
                    "violations": [
                        payloads.violation("m_requests", "RequestsPerMinute-FreeTier", "g", None),
                        payloads.violation("m_requests", "RequestsPerDay-FreeTier", "g", None),
                    ]
                }
            ],
        ),
        quota("limit0", 0, "limit 0"),
    ),
    "a limit without its size": (
        payloads.google_error(
            429,
            payloads.QUOTA_TEXT,
            [
                {
                    "violations": [
                        payloads.violation("m_requests", "RequestsPerDay-FreeTier", "g", None),
                    ]
                }
            ],
        ),
        quota("rpd", None, "the day's quota of requests is used up", "midnight Pacific"),
    ),
    "a model's window beside a tool's": (
        payloads.quota_failure(
            [
                payloads.violation("search_requests", "SearchRequestsPerDay", "g", 500),
                payloads.violation("m_requests", "RequestsPerMinute-FreeTier", "g", 10),
            ],
            30.0,
        ),
        quota("rpm", 10, "10 requests", retry=(31, 32)),
    ),
    "google, no details": (
        google_error(
            429,
            "Quota exceeded for metric: x/generate_content_free_tier_input_token_count, "
            "limit: 250000, model: gemini-2.5-flash\nPlease retry in 4.5s.",
        ),
        quota("tpm", 250_000, "250,000 input tokens", retry=(5, 6)),
    ),
    "google, a metric that names no window": (
        google_error(
            429, "Quota exceeded for metric: x/generate_content_free_tier_requests, limit: 20, m"
        ),
        quota("", 20, "no quota or no capacity"),
    ),
    "openai, requests a day": (
        openai_error(
            429,
            "Rate limit reached for gpt-9 on requests per day (RPD): Limit 200, Used 200, "
            "Requested 1. Please try again in 7m12s. Visit https://x.example.",
        ),
        quota("rpd", 200, "200 requests", "again in 7 min"),
    ),
    "openai, a prompt that never fits": (
        openai_error(
            429,
            "Request too large for gpt-9 in organization o on tokens per min (TPM): "
            "Limit 30000, Requested 40000.",
        ),
        want(PromptTooLong, "whole minute's quota", "30,000 input tokens", "Shorten"),
    ),
    "openrouter, free models": (
        Failure(
            429,
            {
                "error": {
                    "message": "Rate limit exceeded: free-models-per-day. Add 10 credits to "
                    "unlock 1000 free model requests per day",
                    "code": 429,
                    "metadata": {"headers": {"X-RateLimit-Limit": "50"}},
                }
            },
        ),
        quota("rpd", 50, "50 requests", "tomorrow"),
    ),
    "openrouter, no credit": (
        Failure(402, {"error": {"message": "Insufficient credits. Add more", "code": 402}}),
        quota("budget", None, "Insufficient credits", "[Tt]op it up"),
    ),
    "openrouter, moderation": (
        Failure(403, {"error": {"message": "x requires moderation; it was flagged", "code": 403}}),
        want(Blocked, "refused the prompt"),
    ),
    "openrouter, a provider's plain text": (
        Failure(
            400,
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 400,
                    "metadata": {"raw": "temperature must be below 1"},
                }
            },
        ),
        want(BadRequest, "temperature must be below 1", "--dry-run"),
    ),
    "a proxy's quota": (
        Failure(
            403,
            {
                "error": {
                    "message": "user quota is not enough",
                    "type": "new_api_error",
                    "code": "insufficient_user_quota",
                }
            },
        ),
        quota("budget", None, "user quota is not enough"),
    ),
    "a proxy's unknown model": (
        Failure(
            503,
            {
                "error": {
                    "message": "No available channel for model gemini-x under group default",
                    "type": "new_api_error",
                    "code": "model_not_found",
                }
            },
        ),
        want(UnknownModel, "no model"),
    ),
    "retry-after in the headers": (
        Failure(429, {"error": {"message": "slow down"}}, {"retry-after": "20"}),
        quota("", None, "slow down", "again in 20 s", retry=(20, 20)),
    ),
    "llama.cpp's window": (
        Failure(
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9030,
                    "n_ctx": 4096,
                }
            },
        ),
        want(PromptTooLong, "9030 tokens; it takes 4096"),
    ),
    "gemini's window": (
        google_error(
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed "
            "(1048576).",
        ),
        want(PromptTooLong, "1048576"),
    ),
    "payload": (Failure(413, "<html><title>413</title>too large</html>"), want(PromptTooLong)),
    "a timeout on the way": (Failure(408, ""), want(Overloaded, "took too long", "HTTP 408")),
    "a picture against the rules": (
        google_error(400, "It contains words that violate Google's Responsible AI practices."),
        want(Blocked, "refused the prompt", "other words"),
    ),
    "interactions, its own words": (
        Failure(0, {"error": {"message": "no", "code": "https://x.example/too_many_requests"}}),
        quota("", None, "no quota or no capacity"),
    ),
    "bad request": (google_error(400, "Invalid value at 'x'."), want(BadRequest, "HTTP 400")),
    "content filter": (
        openai_error(400, "The response was filtered", code="content_filter"),
        want(Blocked, "filtered"),
    ),
    "a picture that is not drawn": (
        openai_error(
            400, "Your request was rejected by the safety system.", code="moderation_blocked"
        ),
        want(Blocked, "refused the prompt", "other words"),
    ),
    "the same in its code alone": (
        openai_error(400, "No.", code="moderation_blocked"),
        want(Blocked, "refused the prompt"),
    ),
    "openai's country": (
        openai_error(403, "Country not supported", code="unsupported_country_region_territory"),
        want(NotServed, "your country"),
    ),
    "ollama's model": (
        Failure(404, {"error": 'model "x" not found, try pulling it first'}),
        want(UnknownModel, "try pulling it first"),
    ),
    "a wrong address": (
        Failure(404, {"detail": "Not Found"}),
        want(BadRequest, "nothing at this address", "base_url"),
    ),
    "a wrong address, as text": (
        Failure(404, "404 page not found"),
        want(BadRequest, "404 page not found", "base_url"),
    ),
    "a gateway's page": (
        Failure(
            502,
            "<!DOCTYPE html><html><head><title>x</title><style>p{}</style></head><body>"
            "<h1>Bad gateway</h1><script>alert(1)</script></body></html>",
        ),
        want(Overloaded, r"HTTP 502\): Bad gateway$"),
    ),
    "cloudflare's code": (Failure(524, ""), want(Overloaded, r"HTTP 524\)\.")),
    "nothing at all": (Failure(400, None), want(BadRequest, r"HTTP 400\)\.")),
    "a terminal's control characters": (
        Failure(400, {"error": {"message": "a\x1b[2Jb\r\n\u2028c"}}),
        want(BadRequest, r"a \[2Jb c"),
    ),
}


@pytest.mark.parametrize(("failure", "wanted"), MORE.values(), ids=MORE.keys())
def test_more_bodies(failure: Failure, wanted: Want) -> None:
    text = told(failure)
    check(text, Want(wanted.kind, (), wanted.window, wanted.limit, wanted.retry))
    for words in wanted.words:
        assert re.search(words, "\n".join(text.lines()), re.M), text.lines()


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("connect", ["no connection to studio (generativelanguage.googleapis.com)", "doctor"]),
        ("send", ["did not answer", "--timeout"]),
        ("headers", ["did not answer", "--timeout"]),
        ("stream", ["gemini-2.0-flash on studio was cut off", "What came is kept"]),
    ],
)
@pytest.mark.parametrize("detail", ["", "[Errno 111] Connection refused"])
def test_no_answer_on_the_wire(phase: Any, words: list[str], detail: str) -> None:
    error = diagnose(WireError(phase, detail=detail), ASKED)
    assert type(error) is Unreachable
    text = "\n".join(check_lines(error))
    assert all(word in text for word in words)
    assert detail in text


def test_an_error_within_a_stream_without_a_number_is_told_by_its_word() -> None:
    for code, kind in (("RESOURCE_EXHAUSTED", QuotaExceeded), ("server_error", Overloaded)):
        body = {"error": {"message": "no", "code": code}}
        assert type(diagnose(WireError("stream", None, body), ASKED)) is kind


def test_an_unknown_model_suggests_those_that_the_service_has() -> None:
    asked = Asked("vllm", "host", model="Qwen/Qwen2-Coder").knowing(["Qwen/Qwen2.5-Coder", "x"])
    error = told(payloads.OPENAI_MODEL_UNKNOWN, asked)
    assert error.next_step == "Did you mean Qwen/Qwen2.5-Coder? All models: %gemini models vllm"


def test_a_retired_model_suggests_its_successor_where_the_service_names_none() -> None:
    error = told(payloads.MODEL_UNKNOWN)
    assert re.match(r"Ask its successor: -m gemini-[\w.-]+\. All models: ", error.next_step)


@pytest.mark.parametrize(
    ("key_from", "step"),
    [
        ("GEMINI_API_KEY", "into GEMINI_API_KEY"),
        ("GEMINI_API_KEY in /home/u/.env", "into GEMINI_API_KEY in /home/u/.env"),
        ("the OS keyring", "%gemini key studio"),
        ("", "%gemini key studio"),
    ],
)
def test_a_refused_key_is_replaced_where_it_was_found(key_from: str, step: str) -> None:
    asked = Asked("studio", key_from=key_from)
    error = told(payloads.KEY_INVALID, asked)
    assert step in error.next_step
    assert key_from in error.what


KEYS = [
    "AIzaSyD-0123456789_abcdefghijklmnopqrstu",
    "AQ.Ab8RN6K0123456789abcdefghijklmnop",
    "sk-proj-abcdefghijklmnop0123456789",
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "sk-12345678",
    "ya29.a0AfH6SMBx0123456789",
    "gsk_0123456789abcdefABCDEF",
    "hf_abcdefghijklmnopqrstuvwxyz",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["bad key: {}.", "'{}' is no key", "Bearer {}", "/v1?key={}&x=1"])
def test_a_key_in_a_services_answer_is_not_shown(key: str, text: str) -> None:
    words = text.format(key)
    for status in (400, 401, 403, 404, 429, 500, None):
        for body in ({"error": {"message": words}}, words, {"error": words}, None):
            for phase in ("connect", "stream"):
                failure = WireError(phase, status, body, detail=words)  # type: ignore[arg-type]
                error = diagnose(failure, ASKED)
                shown = "\n".join(error.lines()) + repr(error) + str(vars(error))
                assert key not in shown and key[5:15] not in shown


def test_words_that_only_look_a_little_like_keys_stay() -> None:
    words = "the disk-usage of task-force gemini-2.5-flash is high"
    assert words in told(google_error(400, words)).what


def test_a_key_cut_by_the_shortening_is_not_shown_either() -> None:
    for pad in range(120, 170):
        shown = told(google_error(400, "x" * pad + " " + KEYS[0])).what
        assert "AIza" not in shown


@pytest.mark.parametrize(
    "piece", ["<script ", "<!--", "<style>", "<a ", "<", "</script", "Bearer "]
)
def test_a_hostile_page_is_read_at_once_and_a_key_in_it_is_not_shown(piece: str) -> None:
    own = "my-own-key-0123456789"
    asked = ASKED._replace(secret=Secret(own))
    page = f"{KEYS[0]} {own} {piece * (200_000 // len(piece))} {KEYS[0]}"
    began = time.monotonic()
    shown = diagnosis._shown(page, asked.secret)
    error = diagnose(WireError("headers", 502, page), asked)
    assert time.monotonic() - began < 1.0
    for text in (shown, "\n".join(error.lines())):
        assert KEYS[0][5:15] not in text and own not in text
    assert len(shown) <= 160


def test_a_page_is_shown_without_its_markup() -> None:
    page = "<html><head><title>x</title></head><!-- y --><script>z()</script><p>Bad <b>luck</b>"
    assert diagnosis._shown(page, None).split() == ["Bad", "luck"]


def at(monkeypatch: pytest.MonkeyPatch, moment: str, zone: str) -> None:
    """It is a moment, on a machine in a zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    monkeypatch.setattr(diagnosis.time, "time", datetime.fromisoformat(moment).timestamp)


@pytest.fixture
def own_zone() -> Iterator[None]:
    yield
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows keeps one zone per process")
@pytest.mark.parametrize(
    ("moment", "zone", "words"),
    [
        ("2026-11-21T12:00Z", "Europe/Berlin", "at 09:00 tomorrow, your time (midnight Pacific)"),
        ("2026-11-21T03:00Z", "Europe/Berlin", "at 09:00, your time (midnight Pacific)"),
        ("2026-07-01T12:00Z", "Asia/Tokyo", "at 16:00 tomorrow, your time (midnight Pacific)"),
        ("2026-11-21T12:00Z", "America/Los_Angeles", "at 00:00 tomorrow, your time (midnight"),
        ("2026-11-21T08:03Z", "Europe/Berlin", "began at midnight Pacific, minutes ago"),
    ],
)
def test_a_day_opens_at_a_local_and_a_pacific_time(
    monkeypatch: pytest.MonkeyPatch, own_zone: None, moment: str, zone: str, words: str
) -> None:
    with monkeypatch.context() as patched:
        at(patched, moment, zone)
        assert words in told(payloads.FREE_RPD).what


def test_openrouters_free_models_open_when_it_says() -> None:
    minute = told(payloads.openrouter_free("min", 20, time.time() + 42))
    check(minute, quota("rpm", 20, "20 requests", "again in 4. s", retry=(30, 42.01)))
    day = told(payloads.openrouter_free("day", 50, time.time() + 5 * 3600 + 60))
    check(day, quota("rpd", 50, "50 requests", "it opens again in 5 h"))


@pytest.mark.parametrize("wrap", [lambda failure: failure, payloads.compat, payloads.openrouter])
def test_a_prompt_larger_than_a_whole_window_never_fits(wrap: Any) -> None:
    asked = ASKED.of("gemini-2.5-pro", 1_200_000)
    error = told(wrap(payloads.PAID_TPM), asked)
    check(error, want(PromptTooLong, "about 1,200,000 tokens", "1,000,000 input", "does not help"))
    assert type(told(wrap(payloads.PAID_TPM), ASKED.of("x", 900_000))) is QuotaExceeded
    assert type(told(wrap(payloads.FREE_RPD), asked)) is QuotaExceeded


@pytest.mark.parametrize("name", [*QUOTA, *OTHER_GOOGLE])
def test_the_interactions_api_raises_another_family_and_means_the_same(name: str) -> None:
    from google.genai._gaos.lib.compat_errors import APIError

    failure = (payloads.QUOTA_429 | payloads.OTHER_GOOGLE)[name]
    request = httpx2.Request("POST", "https://generativelanguage.googleapis.com/v1/interactions")
    response = httpx2.Response(failure.status, json=failure.body, request=request)
    raised = APIError.generate(failure.status, failure.body, None, response)
    wire = wire_error(raised, streaming=False)
    assert wire is not None
    check(diagnose(wire, ASKED), (QUOTA | OTHER_GOOGLE)[name])


def test_an_alias_that_the_older_api_lacks_names_the_setting() -> None:
    asked = ASKED.of("gemini-flash-latest")
    error = told(payloads.model_not_found("gemini-flash-latest", "v1"), asked)
    assert 'api_version = "v1beta"' in error.next_step


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "message", "code", "status", "type", "details", "metadata"),
                    *("raw", "detail", "quotaId", "quotaValue", "quota_limit", "retryDelay"),
                    "n_prompt_tokens",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    status=st.none() | st.integers(100, 600),
    body=JSON | st.text() | st.binary(),
    phase=st.sampled_from(["connect", "send", "headers", "stream"]),
    detail=st.text(max_size=40),
    headers=st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()),
)
def test_whatever_comes_becomes_two_lines(
    status: int | None, body: Any, phase: Any, detail: str, headers: dict[str, str]
) -> None:
    error = diagnose(WireError(phase, status, body, headers, detail), ASKED)
    assert isinstance(error, errors.BackendError)
    lines = error.lines()
    assert len(lines) == 2
    assert all(len(line.splitlines()) == 1 for line in lines)


def test_a_body_of_any_depth_or_size_is_read_in_a_moment() -> None:
    deep: Any = {"message": "in the depth"}
    for _ in range(5000):
        deep = {"error": deep}
    for body in (deep, "[" * 100_000, '{"a":' * 100_000, "x" * 1_000_000, [{}] * 100_000):
        assert isinstance(diagnose(WireError("headers", 500, body), ASKED), Overloaded)
