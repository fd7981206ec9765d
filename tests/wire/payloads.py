"""Every error body that the real services are known to send, as named constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .script import Failure

SERVICE = "generativelanguage.googleapis.com"
DOCS = "https://ai.google.dev/gemini-api/docs/rate-limits"
QUOTA_TEXT = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    f"information on this error, head to: {DOCS}. To monitor your current usage, head to: "
    "https://ai.dev/rate-limit. "
)
FREE_REQUESTS = "generate_content_free_tier_requests"
FREE_TOKENS = "generate_content_free_tier_input_token_count"
PAID_TOKENS = "generate_content_paid_tier_input_token_count"

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def google_error(
    code: int, message: str, details: Sequence[Any] = (), status: str | None = None
) -> Failure:
    error: dict[str, Any] = {"code": code, "message": message, "status": status or STATUS[code]}
    if details:
        error["details"] = list(details)
    return Failure(code, {"error": error})


def error_info(reason: str, **metadata: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": SERVICE, **metadata},
    }


def localized(message: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": message,
    }


def violation(metric: str, quota_id: str, model: str, value: int | None) -> dict[str, Any]:
    """One broken limit; a value of None (the real `limit: 0`) leaves quotaValue out."""
    found: dict[str, Any] = {
        "quotaMetric": f"{SERVICE}/{metric}",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global", "model": model},
    }
    if value is not None:
        found["quotaValue"] = str(value)
    return found


def quota_failure(violations: Sequence[dict[str, Any]], retry: float) -> Failure:
    """A 429 with QuotaFailure, Help and RetryInfo; `retry` in seconds, rounded down as Google's."""
    lines = [
        f"* Quota exceeded for metric: {v['quotaMetric']}, limit: {v.get('quotaValue', 0)}, "
        f"model: {v['quotaDimensions']['model']}\n"
        for v in violations
    ]
    message = QUOTA_TEXT + "\n" + "".join(lines) + f"Please retry in {retry:.9f}s."
    return google_error(
        429,
        message,
        [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations},
            {
                "@type": "type.googleapis.com/google.rpc.Help",
                "links": [{"description": "Learn more about Gemini API quotas", "url": DOCS}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{int(retry)}s"},
        ],
    )


# 429 bodies, a to m

FREE_RPM = quota_failure(
    [
        violation(
            FREE_REQUESTS,
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "gemini-2.5-flash",
            10,
        )
    ],
    27.123456789,
)
FREE_RPD = quota_failure(
    [
        violation(
            FREE_REQUESTS,
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            "gemini-3.8-flash",
            20,
        )
    ],
    38.5,
)
FREE_TPM = quota_failure(
    [
        violation(
            FREE_TOKENS,
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "gemini-2.5-flash",
            250_000,
        )
    ],
    35.174346048,
)
LIMIT_ZERO = quota_failure(
    [
        violation(
            FREE_REQUESTS,
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            "gemini-2.0-flash",
            None,
        ),
        violation(
            FREE_REQUESTS,
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "gemini-2.0-flash",
            None,
        ),
        violation(
            FREE_TOKENS,
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "gemini-2.0-flash",
            None,
        ),
    ],
    17.75,
)
PAID_TPM = quota_failure(
    [
        violation(
            PAID_TOKENS,
            "GenerateContentPaidTierInputTokensPerModelPerMinute",
            "gemini-2.5-pro",
            1_000_000,
        )
    ],
    1.2,
)
PAID_TPM_TIER2 = quota_failure(
    [
        violation(
            PAID_TOKENS,
            "GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier2",
            "gemini-2.5-flash",
            3_000_000,
        )
    ],
    12.0,
)
PAID_RPD = quota_failure(
    [
        violation(
            "generate_requests_per_model_per_day",
            "GenerateRequestsPerDayPerProjectPerModel-PaidTier2",
            "gemini-3.5-flash-lite",
            350_000,
        )
    ],
    41.0,
)
EMBED_RPM = quota_failure(
    [
        violation(
            "embed_content_free_tier_requests",
            "EmbedContentRequestsPerMinutePerProjectPerModel-FreeTier",
            "gemini-embedding-2",
            100,
        )
    ],
    20.0,
)
EMBED_RPD = quota_failure(
    [
        violation(
            "embed_content_free_tier_requests",
            "EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier",
            "gemini-embedding-2",
            1000,
        )
    ],
    20.0,
)
REGIONAL_ZERO = google_error(
    429,
    "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit "
    "'GenerateContent request limit per minute for a region' of service "
    f"'{SERVICE}' for consumer 'project_number:123456789012'.",
    [
        error_info(
            "RATE_LIMIT_EXCEEDED",
            consumer="projects/123456789012",
            quota_metric=f"{SERVICE}/generate_content_requests",
            quota_limit="GenerateContentRequestsPerMinutePerProjectPerRegion",
            quota_limit_value="0",
            quota_location="us-south1",
        ),
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [
                {
                    "description": "Request a higher quota limit.",
                    "url": "https://cloud.google.com/docs/quota#requesting_higher_quota",
                }
            ],
        },
    ],
)
SPEND_BASED = google_error(
    429,
    "You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit "
    "for your account's billing history and tier.",
)
PREPAY_EMPTY = google_error(
    429,
    "Your prepayment credits are depleted. Please go to AI Studio at "
    "https://ai.studio/projects to manage your project and billing.",
)
PREPAY_EMPTY_402 = Failure(
    402, {"error": {**PREPAY_EMPTY.body["error"], "code": 402}}, PREPAY_EMPTY.headers
)
BARE = google_error(429, "Resource has been exhausted (e.g. check quota).")
VERTEX_SHARED = google_error(
    429,
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.",
)
TOOL_QUOTA = google_error(429, QUOTA_TEXT.strip())

#: A search's quota as it mostly comes: with a link and without any limit.
TOOL_QUOTA_HELP = google_error(
    429,
    QUOTA_TEXT.strip(),
    [
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Learn more about Gemini API quotas", "url": DOCS}],
        }
    ],
)
VERTEX_BARE = google_error(429, "Resource exhausted, please try again later.")
VERTEX_RPM = google_error(
    429,
    "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute_per_project"
    "_per_base_model with base model: gemini-2.5-pro. Please submit a quota increase request. "
    "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
)

QUOTA_429: dict[str, Failure] = {
    "a_free_rpm": FREE_RPM,
    "b_free_rpd": FREE_RPD,
    "c_free_tpm": FREE_TPM,
    "d_limit_zero": LIMIT_ZERO,
    "e_paid_tpm": PAID_TPM,
    "e_paid_tpm_tier2": PAID_TPM_TIER2,
    "f_paid_rpd": PAID_RPD,
    "g_embed_rpm": EMBED_RPM,
    "g_embed_rpd": EMBED_RPD,
    "h_regional_zero": REGIONAL_ZERO,
    "i_spend_based": SPEND_BASED,
    "j_prepay_empty": PREPAY_EMPTY,
    "j_prepay_empty_402": PREPAY_EMPTY_402,
    "k_bare": BARE,
    "l_vertex_shared": VERTEX_SHARED,
    "m_tool_quota": TOOL_QUOTA,
    "m_tool_quota_help": TOOL_QUOTA_HELP,
    "l_vertex_bare": VERTEX_BARE,
    "l_vertex_rpm": VERTEX_RPM,
}

# the other codes

_INVALID = "API key not valid. Please pass a valid API key."
KEY_INVALID = google_error(400, _INVALID, [error_info("API_KEY_INVALID"), localized(_INVALID)])
_EXPIRED = "API key expired. Please renew the API key."
KEY_EXPIRED = google_error(400, _EXPIRED, [error_info("API_KEY_INVALID"), localized(_EXPIRED)])
LOCATION = google_error(
    400, "User location is not supported for the API use.", status="FAILED_PRECONDITION"
)
NO_FREE_TIER_HERE = google_error(
    400,
    "Gemini API free tier is not available in your country. Please enable billing on your project "
    "in Google AI Studio.",
    status="FAILED_PRECONDITION",
)
UNAUTHENTICATED = google_error(
    401,
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project.",
    [error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")],
)
KEY_MISSING = google_error(
    403,
    "Method doesn't allow unregistered callers (callers without established identity). Please use "
    "API Key or other form of API consumer identity to call this API.",
)
SERVICE_BLOCKED = google_error(
    403,
    "Requests to this API generativelanguage.googleapis.com method "
    "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.",
    [error_info("API_KEY_SERVICE_BLOCKED", consumer="projects/123456789012")],
)
KEY_LEAKED = google_error(403, "Your API key was reported as leaked. Please use another API key.")
API_DISABLED = google_error(
    403,
    "Generative Language API has not been used in project 123456789012 before or it is disabled.",
    [error_info("SERVICE_DISABLED", consumer="projects/123456789012")],
)
MODEL_RETIRED = google_error(
    404,
    "This model models/gemini-2.0-flash is no longer available to new users. Please update your "
    "code to use gemini-3.8-flash.",
)
INTERNAL = google_error(
    500,
    "An internal error has occurred. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting",
)
OVERLOADED = google_error(503, "The model is overloaded. Please try again later.")
DEADLINE = google_error(504, "Deadline expired before operation could complete.")


def model_not_found(model: str, version: str = "v1") -> Failure:
    return google_error(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for "
        "generateContent. Call ListModels to see the list of available models and their supported "
        "methods.",
    )


MODEL_UNKNOWN = model_not_found("gemini-1.0-pro", "v1beta")

OTHER_GOOGLE: dict[str, Failure] = {
    "key_invalid": KEY_INVALID,
    "key_expired": KEY_EXPIRED,
    "location": LOCATION,
    "no_free_tier_here": NO_FREE_TIER_HERE,
    "unauthenticated": UNAUTHENTICATED,
    "key_missing": KEY_MISSING,
    "service_blocked": SERVICE_BLOCKED,
    "key_leaked": KEY_LEAKED,
    "api_disabled": API_DISABLED,
    "model_unknown": MODEL_UNKNOWN,
    "model_retired": MODEL_RETIRED,
    "internal": INTERNAL,
    "overloaded": OVERLOADED,
    "deadline": DEADLINE,
}

# the OpenAI wire

#: A PNG of one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cf"
    "c000000301010018dd8db00000000049454e44ae426082"
)


def openai_error(
    status: int,
    message: str,
    type: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    **headers: str,
) -> Failure:
    body = {"error": {"message": message, "type": type, "param": param, "code": code}}
    return Failure(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def compat(failure: Failure) -> Failure:
    """A native error as Gemini's OpenAI-compatible endpoint sends it: in a JSON array."""
    return Failure(failure.status, [failure.body], failure.headers)


def openrouter(failure: Failure) -> Failure:
    """A native error as OpenRouter passes it on: JSON text inside error.metadata.raw."""
    import json

    raw = json.dumps(failure.body)
    error = {
        "message": "Provider returned error",
        "code": failure.status,
        "metadata": {"raw": raw, "provider_name": "Google AI Studio"},
    }
    return Failure(failure.status, {"error": error}, failure.headers)


def litellm(failure: Failure) -> Failure:
    """A native error as a LiteLLM proxy tells it: JSON text after the proxy's own words."""
    import json

    words = f"litellm.RateLimitError: VertexAIException - {json.dumps(failure.body, indent=2)}\n."
    error = {"message": words, "type": "throttling_error", "code": str(failure.status)}
    return Failure(failure.status, {"error": error}, failure.headers)


def openrouter_free(span: str, limit: int, reset: float) -> Failure:
    """OpenRouter's own refusal; `reset` is the Unix time at which the "day" or "min" is over."""
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(round(reset * 1000)),
    }
    words = f"Rate limit exceeded: free-models-per-{span}. "
    if span == "day":
        words += "Add 10 credits to unlock 1000 free model requests per day"
    error = {"message": words, "code": 429, "metadata": {"headers": headers}}
    return Failure(429, {"error": error, "user_id": "user_loopback"})


OPENAI_RATE_LIMIT = openai_error(
    429,
    "Rate limit reached for gpt-4o-mini in organization org-loopback on requests per min (RPM): "
    "Limit 3, Used 3, Requested 1. Please try again in 20s. Visit "
    "https://platform.openai.com/account/rate-limits to learn more.",
    type="requests",
    code="rate_limit_exceeded",
    retry_after="20",
    retry_after_ms="20000",
    x_ratelimit_limit_requests="3",
    x_ratelimit_remaining_requests="0",
    x_ratelimit_reset_requests="20s",
    x_ratelimit_limit_tokens="200000",
    x_ratelimit_remaining_tokens="199990",
    x_ratelimit_reset_tokens="3ms",
)
OPENAI_TOKEN_LIMIT = openai_error(
    429,
    "Rate limit reached for gpt-4o-mini in organization org-loopback on tokens per min (TPM): "
    "Limit 200000, Used 199000, Requested 5000. Please try again in 1.2s. Visit "
    "https://platform.openai.com/account/rate-limits to learn more.",
    type="tokens",
    code="rate_limit_exceeded",
    retry_after="2",
    retry_after_ms="1200",
    x_ratelimit_limit_tokens="200000",
    x_ratelimit_remaining_tokens="1000",
    x_ratelimit_reset_tokens="1.2s",
)
OPENAI_NO_MONEY = openai_error(
    429,
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, read the docs: "
    "https://platform.openai.com/docs/guides/error-codes/api-errors.",
    type="insufficient_quota",
    code="insufficient_quota",
)
OPENAI_KEY_INVALID = openai_error(
    401,
    "Incorrect API key provided: sk-*****. You can find your API key at "
    "https://platform.openai.com/account/api-keys.",
    code="invalid_api_key",
)
OPENAI_KEY_MISSING = openai_error(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
)
OPENAI_MODEL_UNKNOWN = openai_error(
    404,
    "The model `gpt-9` does not exist or you do not have access to it.",
    code="model_not_found",
)
OPENAI_TOO_LONG = openai_error(
    400,
    "This model's maximum context length is 128000 tokens. However, your messages resulted in "
    "130000 tokens. Please reduce the length of the messages.",
    param="messages",
    code="context_length_exceeded",
)
OPENAI_SERVER = openai_error(
    500, "The server had an error while processing your request. Sorry about that!", "server_error"
)
OPENAI_OVERLOADED = openai_error(
    503,
    "The engine is currently overloaded, please try again later",
    "server_error",
)

OPENAI_ERRORS: dict[str, Failure] = {
    "rate_limit": OPENAI_RATE_LIMIT,
    "token_limit": OPENAI_TOKEN_LIMIT,
    "no_money": OPENAI_NO_MONEY,
    "key_invalid": OPENAI_KEY_INVALID,
    "key_missing": OPENAI_KEY_MISSING,
    "model_unknown": OPENAI_MODEL_UNKNOWN,
    "too_long": OPENAI_TOO_LONG,
    "server": OPENAI_SERVER,
    "overloaded": OPENAI_OVERLOADED,
}
