"""What every known refusal teaches the ledger, and what none may teach it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.errors import WireError
from gemini_magic.quota import bodies
from gemini_magic.quota.lessons import Lesson, Told, lesson
from tests.wire import payloads
from tests.wire.payloads import google_error, openai_error, quota_failure, violation
from tests.wire.script import Failure

REGION = "projects/123456789012"


def taught(failure: Failure) -> Lesson | None:
    body = json.loads(json.dumps(failure.body))
    return lesson(WireError("headers", failure.status or None, body, failure.headers))


def window(
    name: str, size: int, model: str, tier: str = "free", wait: float | None = None
) -> Lesson:
    return Lesson("window", name, (Told(name, size),), model, tier, wait=wait)


KNOWN = {
    "a_free_rpm": window("rpm", 10, "gemini-2.5-flash", wait=28.123456789),
    "b_free_rpd": window("rpd", 20, "gemini-3.8-flash"),
    "c_free_tpm": window("tpm", 250_000, "gemini-2.5-flash", wait=36.174346048),
    "d_limit_zero": Lesson("limit0", "rpd", model="gemini-2.0-flash", tier="free"),
    "e_paid_tpm": window("tpm", 1_000_000, "gemini-2.5-pro", "tier1", 2.2),
    "e_paid_tpm_tier2": window("tpm", 3_000_000, "gemini-2.5-flash", "tier2", 13.0),
    "f_paid_rpd": window("rpd", 350_000, "gemini-3.5-flash-lite", "tier2"),
    "g_embed_rpm": Lesson("tool", "rpm", wait=21.0),
    "g_embed_rpd": Lesson("tool", "rpd"),
    "h_regional_zero": Lesson("unknown", "rpm", project=REGION),
    "i_spend_based": Lesson("spend"),
    "j_prepay_empty": Lesson("prepaid"),
    "j_prepay_empty_402": Lesson("prepaid"),
    "k_bare": Lesson("unknown"),
    "l_vertex_shared": Lesson("shared"),
    "l_vertex_bare": Lesson("shared"),
    "l_vertex_rpm": Lesson("window", "rpm", model="gemini-2.5-pro"),
    "m_tool_quota": Lesson("tool"),
    "m_tool_quota_help": Lesson("tool"),
}


def test_every_refusal_that_is_known_has_its_lesson() -> None:
    assert set(KNOWN) == set(payloads.QUOTA_429)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "wrap", [lambda one: one, payloads.compat, payloads.openrouter, payloads.litellm]
)
def test_a_known_refusal_teaches_the_same_in_every_wrapping(name: str, wrap: Any) -> None:
    assert taught(wrap(payloads.QUOTA_429[name])) == KNOWN[name]


@pytest.mark.parametrize("name", KNOWN)
def test_a_refusal_within_a_stream_teaches_too(name: str) -> None:
    body = payloads.QUOTA_429[name].body
    assert lesson(WireError("stream", None, json.dumps([body]).encode())) == KNOWN[name]


@pytest.mark.parametrize("failure", payloads.OTHER_GOOGLE.values(), ids=payloads.OTHER_GOOGLE)
def test_another_failure_teaches_nothing(failure: Failure) -> None:
    assert taught(failure) is None


def test_a_key_that_a_proxy_refuses_for_money_teaches_nothing() -> None:
    body = {"error": {"message": "no", "code": "insufficient_user_quota"}}
    assert taught(Failure(403, body)) is None


def sizes(failure: Failure) -> tuple[Told, ...]:
    found = taught(failure)
    assert found is not None
    return found.sizes


def test_every_limit_above_zero_is_taught_the_longest_window_is_the_full_one() -> None:
    failure = quota_failure(
        [
            violation("m_tokens", "XInputTokensPerMinute-FreeTier", "g", 125_000),
            violation("m_requests", "XRequestsPerMinute-FreeTier", "g", 10),
            violation("m_requests", "XRequestsPerDay-FreeTier", "g", 250),
        ],
        30.0,
    )
    full = (Told("rpd", 250), Told("rpm", 10), Told("tpm", 125_000))
    assert taught(failure) == Lesson("window", "rpd", full, "g", "free")


def test_a_limit_of_zero_beside_others_closes_the_model_and_teaches_the_others() -> None:
    failure = quota_failure(
        [
            violation("a", "RequestsPerDay-FreeTier", "g", 20),
            violation("b", "InputTokensPerMinute-FreeTier", "g", None),
        ],
        9.0,
    )
    assert taught(failure) == Lesson("limit0", "tpm", (Told("rpd", 20),), "g", "free")


@pytest.mark.parametrize(
    ("quota_id", "dimensions"),
    [
        ("GenerateContentRequestsPerMinutePerProjectPerRegion", {"location": "us-west4"}),
        ("GenerateRequestsPerMinutePerProjectPerModel", {"model": "g", "location": "us-west4"}),
        ("GenerateRequestsPerMinutePerProjectPerModel", {"base_model": "g", "region": "eu"}),
        ("GenerateRequestsPerMinutePerUserPerProjectPerModel", {"model": "g"}),
        ("GenerateContentOutputTokensPerMinutePerProjectPerModel", {"model": "g"}),
        ("GoogleSearchRequestsPerDayPerProject", {"model": "g"}),
        ("EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier", {"model": "e"}),
        ("BatchEnqueuedTokensPerDayPerProject", {"model": "g"}),
    ],
)
def test_the_limit_of_a_region_a_user_or_a_tool_is_not_learned(
    quota_id: str, dimensions: dict[str, str]
) -> None:
    for value in (None, 0, 5):
        full = {**violation("m", quota_id, "", value), "quotaDimensions": dimensions}
        assert sizes(google_error(429, "no", [{"violations": [full]}])) == ()


def test_a_limit_of_zero_in_one_region_is_not_the_models() -> None:
    full = violation("m", "GenerateRequestsPerMinutePerProjectPerModel", "g", 0)
    full["quotaDimensions"]["location"] = "us-south1"
    found = taught(google_error(429, "no", [{"violations": [full]}]))
    assert found == Lesson("unknown", "rpm", model="g")


def test_a_tools_model_is_not_taken_for_the_one_that_was_asked() -> None:
    found = taught(payloads.EMBED_RPM)
    assert found is not None and found.model == ""


@pytest.mark.parametrize(
    ("quota_id", "metric", "tier"),
    [
        ("XPerDay-FreeTier", "m", "free"),
        ("XPerDay", "generate_content_free_tier_requests", "free"),
        ("XPerDay-PaidTier", "m", "tier1"),
        ("XPaidTierPerDay", "m", "tier1"),
        ("XPaidTierPerDay-PaidTier3", "generate_content_paid_tier_requests", "tier3"),
        ("XPerDay", "generate_content_paid_tier_2_requests", "tier2"),
        ("XPerDay", "generate_requests_per_model_per_day", ""),
    ],
)
def test_the_tier_is_read_from_the_limits_name_or_its_metric(
    quota_id: str, metric: str, tier: str
) -> None:
    found = taught(quota_failure([violation(metric, quota_id, "g", 7)], 1.0))
    assert found is not None and found.tier == tier


def test_words_alone_teach_as_much_as_they_say() -> None:
    tokens = google_error(
        429,
        "* Quota exceeded for metric: x/generate_content_paid_tier_2_input_token_count, "
        "limit: 16000, model: gemma-4-31b\nPlease retry in 18.5s.",
    )
    assert taught(tokens) == window("tpm", 16_000, "gemma-4-31b", "tier2", 19.5)
    requests = google_error(
        429,
        "* Quota exceeded for metric: x/generate_content_free_tier_requests, limit: 20, "
        "model: models/gemini-3.8-flash.\nPlease retry in 4s.",
    )
    nameless = Lesson("window", "", (), "gemini-3.8-flash", "free", wait=5.0)
    assert taught(requests) == nameless
    zero = google_error(429, "Quota exceeded for metric: x/free_tier_requests, limit: 0, model: g")
    assert taught(zero) == Lesson("limit0", "", (), "g", "free")


def test_the_project_is_named_in_the_details_or_in_the_words() -> None:
    words = "Quota exceeded for quota metric 'x' of service 'y' for consumer 'project_number:77'."
    found = taught(google_error(429, words))
    assert found is not None and found.project == "projects/77"
    hostile = payloads.error_info("RATE_LIMIT_EXCEEDED", consumer="projects/\n" + "x" * 99)
    found = taught(google_error(429, "no", [hostile]))
    assert found is not None and found.project == ""


# --- other services ------------------------------------------------------------------------------


def test_openai_says_which_window_how_large_and_how_long() -> None:
    minute = Lesson("window", "rpm", (Told("rpm", 3),), wait=21.0)
    assert taught(payloads.OPENAI_RATE_LIMIT) == minute
    tokens = Lesson("window", "tpm", (Told("tpm", 200_000),), wait=2.2)
    assert taught(payloads.OPENAI_TOKEN_LIMIT) == tokens
    day = openai_error(
        429,
        "Rate limit reached for gpt-9 on requests per day (RPD): Limit 200, Used 200, "
        "Requested 1. Please try again in 7m12s.",
    )
    # Its size is not learned: their day is not the Pacific day that the ledger counts.
    assert taught(day) == Lesson("window", "rpd", wait=433.0)
    assert taught(payloads.OPENAI_NO_MONEY) == Lesson("prepaid")


def test_a_request_that_never_fits_closes_nothing_and_teaches_the_size() -> None:
    failure = openai_error(
        429,
        "Request too large for gpt-9 on tokens per min (TPM): Limit 30000, Requested 40000.",
        retry_after="1",
    )
    assert taught(failure) == Lesson("unknown", "", (Told("tpm", 30_000),))


@pytest.mark.parametrize(
    ("span", "name", "seconds"), [("min", "rpm", 42.0), ("day", "rpd", 54_000.0)]
)
def test_openrouter_tells_the_moment_of_opening(span: str, name: str, seconds: float) -> None:
    found = taught(payloads.openrouter_free(span, 20, time.time() + seconds))
    assert found is not None and found.wait is not None
    sizes = (Told(name, 20),) if name == "rpm" else ()  # their day is not Google's
    assert (found.kind, found.window, found.sizes) == ("window", name, sizes)
    assert seconds - 20 < found.wait < seconds + 0.01  # told in whole milliseconds


@pytest.mark.parametrize(
    ("span", "seconds"), [("min", -1), ("min", 3_600), ("day", -5), ("day", 100_000)]
)
def test_a_moment_outside_of_the_window_is_a_wrong_clock(span: str, seconds: float) -> None:
    found = taught(payloads.openrouter_free(span, 20, time.time() + seconds))
    # A day that ends nobody knows when may be asked about again after an hour.
    assert found is not None and found.wait == (3600.0 if span == "day" else None)


def test_a_moment_is_no_wait_while_something_is_left() -> None:
    failure = payloads.openrouter_free("min", 20, time.time() + 30)
    failure.body["error"]["metadata"]["headers"]["X-RateLimit-Remaining"] = "3"
    found = taught(failure)
    assert found is not None and found.wait is None


def test_headers_without_a_certain_meaning_teach_nothing() -> None:
    headers = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-reset-requests": "2m59.56s"}
    assert taught(Failure(429, {"error": {"message": "slow"}}, headers)) == Lesson("unknown")


def test_retry_after_is_taught() -> None:
    failure = Failure(429, {"error": {"message": "slow"}}, {"retry-after": "20"})
    assert taught(failure) == Lesson("unknown", wait=20.0)


# --- whatever comes ------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("XPerDay-FreeTier", "InputTokensPerMinute-PaidTier2", "0", "20", "1.5s", "²", "-1"),
        "Quota exceeded for metric: a/b_input_token_count, limit: 0, model: models/",
        "Limit 9, Requested " + "9" * 50 + " tokens per min. Please retry in 1..2h3m4s",
        *("RESOURCE_EXHAUSTED", "projects/1", '{"error": {"quotaId": "PerDay"}}', "x {", "[" * 99),
    ]
)
NAMES = st.sampled_from(
    [
        *("error", "message", "code", "status", "type", "details", "metadata", "raw", "detail"),
        *("quotaId", "quotaValue", "quotaMetric", "quotaDimensions", "model", "location"),
        *("quota_limit", "quota_limit_value", "quota_location", "quota_metric", "consumer"),
        *("retryDelay", "X-RateLimit-Reset", "X-RateLimit-Limit", "X-RateLimit-Remaining"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(
    status=st.sampled_from([None, 200, 402, 429, 429, 429, 503]),
    body=JSON | JSON.map(json.dumps) | st.text() | st.binary(),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date"]), WORDS | st.text()
    ),
    detail=WORDS | st.text(max_size=40),
)
def test_whatever_comes_is_a_lesson_or_none(
    status: int | None, body: Any, headers: dict[str, str], detail: str
) -> None:
    found = lesson(WireError("headers", status, body, headers, detail))
    if found is None:
        assert status not in (402, 429)
        return
    assert found.kind
    assert found.window in bodies.LONGEST_FIRST
    assert all(one.size > 0 and one.window in bodies.LONGEST_FIRST[:-1] for one in found.sizes)
    assert len({one.window for one in found.sizes}) == len(found.sizes)
    assert found.tier in ("", "free", "tier1", "tier2", "tier3")
    assert found.wait is None or 0 <= found.wait < 1e14
    assert f"{found.model}{found.project}".isprintable()


def test_a_body_of_any_depth_or_size_is_read_in_a_moment() -> None:
    deep: Any = {"quotaId": "PerDay"}
    for _ in range(5_000):
        deep = {"error": deep}
    many = {"violations": [violation("m", "RequestsPerDay", "g", 5)] * 20_000}
    for body in (
        deep,
        "[" * 100_000,
        'x {"a":' * 50_000,
        "limit: " * 100_000,
        many,
        b"\xff" * 9999,
    ):
        began = time.perf_counter()
        assert lesson(WireError("headers", 429, body)) is not None
        assert time.perf_counter() - began < 5
