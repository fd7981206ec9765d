"""What the old SDK called things, and what the new one calls them.

Sources: google-generativeai 0.8.6 (types/safety_types.py, embedding.py, protos.py), google-genai
3.4.0 (types.py, errors.py), and https://ai.google.dev/gemini-api/docs/migrate.
"""

from __future__ import annotations

#: The package, and the ones below it that its users reach for.
PACKAGE = "google.generativeai"
_PROTOS = (
    f"{PACKAGE}.protos",
    "google.ai.generativelanguage_v1beta.types.content",
    "google.ai.generativelanguage_v1beta.types",
    "google.ai.generativelanguage_v1beta",
    "google.ai.generativelanguage",
)
_MODULES = ("generative_models", "files", "embedding", "models", "client", "operations")
_TYPE_MODULES = ("content_types", "generation_types", "safety_types", "file_types", "model_types",
                 "helper_types", "answer_types", "caching_types", "citation_types")  # fmt: skip
EXCEPTIONS = "google.api_core.exceptions"


def canonical(dotted: str) -> str | None:
    """The short name of a thing of the old SDK ("GenerativeModel", "types.File", "protos.Part").

    None for what is no part of it.
    """
    if dotted == EXCEPTIONS or dotted.startswith(f"{EXCEPTIONS}."):
        return "exceptions" + dotted[len(EXCEPTIONS) :]
    for proto in _PROTOS:
        if dotted == proto or dotted.startswith(f"{proto}."):
            return "protos" + dotted[len(proto) :]
    if dotted == PACKAGE:
        return ""
    if not dotted.startswith(f"{PACKAGE}."):
        return None
    words = dotted[len(PACKAGE) + 1 :].split(".")
    if words[0] in _MODULES:
        words = words[1:]
    if words[:1] == ["types"] and words[1:2] and words[1] in _TYPE_MODULES:
        words = ["types", *words[2:]]
    if words == ["types", "GenerationConfig"]:
        words = ["GenerationConfig"]
    return ".".join(words)


#: Names of ``types`` that ``google.genai.types`` has too, with the same meaning.
SAME_TYPES = frozenset(
    {
        *("HarmCategory", "HarmBlockThreshold", "HarmProbability", "BlockedReason", "File"),
        *("FunctionDeclaration", "Tool", "GenerateContentResponse"),
    }
)
#: Names of ``protos`` that ``google.genai.types`` has too, with the same meaning.
SAME_PROTOS = frozenset(
    {
        *("Blob", "Candidate", "CodeExecutionResult", "Content", "DynamicRetrievalConfig"),
        *("ExecutableCode", "File", "FileData", "FunctionCall", "FunctionCallingConfig"),
        *("FunctionDeclaration", "FunctionResponse", "GenerateContentResponse"),
        *("GoogleSearchRetrieval", "HarmCategory", "Part", "SafetyRating", "SafetySetting"),
        *("Schema", "Tool", "ToolConfig", "Type", "VideoMetadata"),
    }
)
#: Other names, and what stands for them in ``google.genai.types``.
RENAMED = {
    "GenerationConfig": "GenerateContentConfig",
    "protos.GenerationConfig": "GenerateContentConfig",
    "protos.CodeExecution": "ToolCodeExecution",
    "protos.Candidate.FinishReason": "FinishReason",
    "protos.SafetySetting.HarmBlockThreshold": "HarmBlockThreshold",
    "protos.SafetyRating.HarmProbability": "HarmProbability",
    "protos.FunctionCallingConfig.Mode": "FunctionCallingConfigMode",
    "protos.DynamicRetrievalConfig.Mode": "DynamicRetrievalConfigMode",
    "protos.File.State": "FileState",
    "protos.ExecutableCode.Language": "Language",
    "protos.CodeExecutionResult.Outcome": "Outcome",
    "protos.GenerateContentResponse.PromptFeedback.BlockReason": "BlockedReason",
    "types.AsyncGenerateContentResponse": "GenerateContentResponse",
    "types.ContentDict": "ContentDict",
    "types.PartDict": "PartDict",
    "types.BlobDict": "BlobDict",
    "types.ContentType": "ContentUnion",
    "types.ContentsType": "ContentListUnion",
    "types.GenerationConfigType": "GenerateContentConfigOrDict",
    "types.GenerationConfigDict": "GenerateContentConfigDict",
    "types.SafetySettingDict": "SafetySettingDict",
    "types.ToolDict": "ToolDict",
    "types.Model": "Model",
    "types.FileDataType": "File",
    "caching.CachedContent": "CachedContent",
}


def new_type(name: str) -> str | None:
    """What a thing of the old SDK is called in ``google.genai.types``, None if it has no place."""
    for old, new in sorted(RENAMED.items(), key=lambda one: -len(one[0])):
        rest = name[len(old) + 1 :]
        if name == old or (name.startswith(f"{old}.") and rest.isupper()):
            return new + name[len(old) :]
    room, _, rest = name.partition(".")
    same = {"types": SAME_TYPES, "protos": SAME_PROTOS}.get(room, frozenset())
    first, *deeper = rest.split(".")
    if first in same and (not deeper or (deeper[0][:1].isupper() and deeper[0].isupper())):
        return rest
    return None


#: The old SDK's names for categories, in lower case.
CATEGORIES = {
    name: f"HARM_CATEGORY_{new}"
    for new, names in {
        "HARASSMENT": ("harm_category_harassment", "harassment"),
        "HATE_SPEECH": ("harm_category_hate_speech", "hate_speech", "hate"),
        "SEXUALLY_EXPLICIT": ("harm_category_sexually_explicit", "harm_category_sexual",
                              "sexually_explicit", "sexual", "sex"),
        "DANGEROUS_CONTENT": ("harm_category_dangerous_content", "harm_category_dangerous",
                              "dangerous", "danger"),
    }.items()
    for name in names
}  # fmt: skip
ALL_CATEGORIES = tuple(dict.fromkeys(CATEGORIES.values()))
CATEGORY_NUMBERS = {number: ALL_CATEGORIES[number - 7] for number in range(7, 11)}
#: The old SDK's names for thresholds, in lower case.
THRESHOLDS = {
    "low": "BLOCK_LOW_AND_ABOVE",
    "block_low_and_above": "BLOCK_LOW_AND_ABOVE",
    "medium": "BLOCK_MEDIUM_AND_ABOVE",
    "med": "BLOCK_MEDIUM_AND_ABOVE",
    "block_medium_and_above": "BLOCK_MEDIUM_AND_ABOVE",
    "high": "BLOCK_ONLY_HIGH",
    "block_only_high": "BLOCK_ONLY_HIGH",
    "block_none": "BLOCK_NONE",
    "unspecified": "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "block_threshold_unspecified": "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "harm_block_threshold_unspecified": "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
}
THRESHOLD_NUMBERS = dict(enumerate(("HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE",
                                    "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH",
                                    "BLOCK_NONE")))  # fmt: skip
_TASKS = ("TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY",
          "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING", "FACT_VERIFICATION")  # fmt: skip
#: The old SDK's names for an embedding's task, in lower case, and their numbers.
TASKS: dict[object, str] = {
    **{name.lower(): name for name in _TASKS},
    **dict(enumerate(_TASKS)),
    "unspecified": "TASK_TYPE_UNSPECIFIED",
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "qa": "QUESTION_ANSWERING",
    "verification": "FACT_VERIFICATION",
}
#: Enumerations of answers and files that were compared with numbers: the new type, and its names.
ENUMERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "finish_reason": ("FinishReason", (
        "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER",
        "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL")),
    "block_reason": ("BlockedReason", (
        "BLOCKED_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT")),
    "state": ("FileState", ("STATE_UNSPECIFIED", "PROCESSING", "ACTIVE")),
}  # fmt: skip
#: Exceptions of google.api_core: the new SDK's class in ``google.genai.errors``, and the status.
FAILURES: dict[str, tuple[str, int | None]] = {
    "GoogleAPIError": ("APIError", None),
    "GoogleAPICallError": ("APIError", None),
    "ClientError": ("ClientError", None),
    "ServerError": ("ServerError", None),
    "BadRequest": ("ClientError", 400),
    "InvalidArgument": ("ClientError", 400),
    "FailedPrecondition": ("ClientError", 400),
    "Unauthorized": ("ClientError", 401),
    "Unauthenticated": ("ClientError", 401),
    "Forbidden": ("ClientError", 403),
    "PermissionDenied": ("ClientError", 403),
    "NotFound": ("ClientError", 404),
    "TooManyRequests": ("ClientError", 429),
    "ResourceExhausted": ("ClientError", 429),
    "InternalServerError": ("ServerError", 500),
    "ServiceUnavailable": ("ServerError", 503),
    "GatewayTimeout": ("ServerError", 504),
    "DeadlineExceeded": ("ServerError", 504),
}
#: The model that ``GenerativeModel()`` took.
DEFAULT_MODEL = "gemini-1.5-flash-002"
#: A model's methods that a request comes of.
MODEL_METHODS = frozenset({"generate_content", "generate_content_async", "start_chat",
                           "count_tokens", "count_tokens_async"})  # fmt: skip
