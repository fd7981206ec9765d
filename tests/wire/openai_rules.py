"""What OpenAI's chat endpoint refuses in a request, with its own words, codes and params."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from .payloads import openai_error
from .play import tokens
from .script import Failure
from .server import parse_json

# name -> kind; the kinds are checked by `_FITS`
FIELDS: dict[str, str] = {
    "model": "string",
    "messages": "array",
    "audio": "object",
    "frequency_penalty": "decimal",
    "logit_bias": "object",
    "logprobs": "boolean",
    "max_completion_tokens": "integer",
    "max_tokens": "integer",
    "metadata": "object",
    "modalities": "array",
    "n": "integer",
    "parallel_tool_calls": "boolean",
    "prediction": "object",
    "presence_penalty": "decimal",
    "prompt_cache_key": "string",
    "prompt_cache_retention": "string",
    "reasoning_effort": "string",
    "response_format": "object",
    "safety_identifier": "string",
    "seed": "integer",
    "service_tier": "string",
    "stop": "any",
    "store": "boolean",
    "stream": "boolean",
    "stream_options": "object",
    "temperature": "decimal",
    "tool_choice": "any",
    "tools": "array",
    "top_logprobs": "integer",
    "top_p": "decimal",
    "user": "string",
    "verbosity": "string",
    "web_search_options": "object",
}
# Gemini's compatible endpoint knows fewer ("Unknown name ... Cannot find field" for the rest).
COMPAT_FIELDS = {
    "model", "messages", "max_completion_tokens", "max_tokens", "n", "parallel_tool_calls",
    "reasoning_effort", "response_format", "stop", "stream", "stream_options", "temperature",
    "tool_choice", "tools", "top_p", "user", "modalities", "extra_body",
}  # fmt: skip
# What OpenRouter takes beside OpenAI's fields.
OPENROUTER_FIELDS = {"plugins": "array", "image_config": "object", "top_k": "integer"}
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
    "n": (1, 128),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
    "seed": (-(2**63), 2**63 - 1),
}
CHOICES = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh"),
    "service_tier": ("auto", "default", "flex", "scale", "priority"),
    "verbosity": ("low", "medium", "high"),
}
ROLES: dict[str, set[str]] = {
    "developer": {"content", "name"},
    "system": {"content", "name"},
    "user": {"content", "name"},
    "assistant": {"content", "name", "refusal", "tool_calls", "audio"},
    "tool": {"content", "tool_call_id"},
}
PARTS: dict[str, dict[str, set[str]]] = {
    "text": {"text": set()},
    "image_url": {"image_url": {"url", "detail"}},
    "input_audio": {"input_audio": {"data", "format"}},
    "file": {"file": {"file_data", "file_id", "filename"}},
    "refusal": {"refusal": set()},
}
_FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "decimal": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "any": lambda v: True,
}
_JSON_NAMES = {str: "string", bool: "boolean", int: "integer", float: "decimal", list: "array",
               dict: "object", type(None): "null"}  # fmt: skip
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.S)
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def _bad(message: str, param: str | None = None, code: str | None = None) -> Failure:
    return openai_error(400, message, param=param, code=code)


def _unknown(param: str) -> Failure:
    return _bad(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def _type(param: str, wanted: str, value: Any) -> Failure:
    got = _JSON_NAMES.get(type(value), "unknown")
    text = f"Invalid type for '{param}': expected {wanted}, but got {got} instead."
    return _bad(text, param, "invalid_type")


def _missing(param: str) -> Failure:
    return _bad(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def check_request(body: Any, *, compat: bool, openrouter: bool = False) -> Failure | None:
    """The first thing wrong with a chat request, or None."""
    return next(_all(body, compat, openrouter), None)


def _all(body: Any, compat: bool, openrouter: bool) -> Iterator[Failure]:
    if not isinstance(body, dict):
        yield _bad(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't "
            "using your HTTP library correctly. The OpenAI API expects a JSON payload, but what "
            "was sent was not valid JSON.)"
        )
        return
    fields = FIELDS | (OPENROUTER_FIELDS if openrouter else {})
    known = COMPAT_FIELDS if compat else set(fields)
    for name in body:
        if name not in known:
            yield _bad(f"Unrecognized request argument supplied: {name}")
    for name, value in body.items():
        kind = fields.get(name, "object")
        if not _FITS[kind](value):
            article = "an" if kind[0] in "aeio" else "a"
            yield _type(name, f"{article} {kind}", value)
    for name in ("model", "messages"):
        if name not in body:
            yield _missing(name)
    yield from _ranges(body)
    yield from _combinations(body)
    yield from _messages(body["messages"], compat)
    yield from _format(body)
    yield from _tools(body)
    yield from _forms(body)
    if openrouter:
        yield from _openrouter(body)


def _forms(body: dict[str, Any]) -> Iterator[Failure]:
    """What the answer is made of, and where it searches."""
    modalities = body.get("modalities")
    if modalities is not None:
        if not modalities or not set(modalities) <= {"text", "image", "audio"}:
            yield _bad("Invalid value for 'modalities'.", "modalities", "invalid_value")
        if "audio" in modalities and "audio" not in body:
            yield _missing("audio")
    audio = body.get("audio")
    if audio is not None:
        if "audio" not in (modalities or ()):
            yield _bad("'audio' is only allowed with the modality 'audio'.", "audio")
        for name in set(audio) - {"voice", "format"}:
            yield _unknown(f"audio.{name}")
        for name in ("voice", "format"):
            if not isinstance(audio.get(name), str):
                yield _missing(f"audio.{name}")
        if body.get("stream") and audio["format"] != "pcm16":
            yield _bad(
                f"Unsupported value: 'audio.format' does not support '{audio['format']}' when "
                "stream=true. Supported values are: 'pcm16'.",
                "audio.format",
                "unsupported_value",
            )
    search = body.get("web_search_options")
    for name in set(search or ()) - {"search_context_size", "user_location"}:
        yield _unknown(f"web_search_options.{name}")


def _openrouter(body: dict[str, Any]) -> Iterator[Failure]:
    for plugin in body.get("plugins", ()):
        if not isinstance(plugin, dict) or plugin.get("id") not in ("web", "file-parser"):
            yield _bad("Invalid plugin.", "plugins")
    config = body.get("image_config") or {}
    for name in set(config) - {"aspect_ratio", "image_size"}:
        yield _unknown(f"image_config.{name}")
    if config and "image" not in (body.get("modalities") or ()):
        yield _bad("'image_config' needs the modality 'image'.", "image_config")


def _ranges(body: dict[str, Any]) -> Iterator[Failure]:
    for name, (low, high) in RANGES.items():
        value = body.get(name)
        if value is None or low <= value <= high:
            continue
        kind = FIELDS[name]
        way, word, limit = ("below", "minimum", f">= {low}")
        if value > high:
            way, word, limit = ("above", "maximum", f"<= {high}")
        yield _bad(
            f"Invalid '{name}': {kind} {way} {word} value. Expected a value {limit}, but got "
            f"{value} instead.",
            name,
            f"{kind}_{way}_{word[:3]}_value",
        )
    for name, choices in CHOICES.items():
        if name in body and body[name] not in choices:
            listed = ", ".join(f"'{c}'" for c in choices)
            text = f"Invalid value: '{body[name]}'. Supported values are: {listed}."
            yield _bad(text, name, "invalid_value")
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stop is not None and not (
        isinstance(stops, list) and all(isinstance(s, str) and s for s in stops)
    ):
        yield _type("stop", "a string or an array of strings", stop)
    elif stops and len(stops) > 4:
        yield _bad(
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an "
            f"array with length {len(stops)} instead.",
            "stop",
            "array_above_max_length",
        )


def _combinations(body: dict[str, Any]) -> Iterator[Failure]:
    model = body["model"]
    if "max_tokens" in body and "max_completion_tokens" in body:
        yield _bad(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
            "invalid_parameter_combination",
        )
    if re.match(r"o\d|gpt-5", model):
        if "max_tokens" in body:
            yield _bad(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                "max_tokens",
                "unsupported_parameter",
            )
        for name in ("temperature", "top_p"):
            if body.get(name, 1) != 1:
                yield _bad(
                    f"Unsupported value: '{name}' does not support {body[name]} with this model. "
                    "Only the default (1) value is supported.",
                    name,
                    "unsupported_value",
                )
    elif "reasoning_effort" in body and model.startswith("gpt-4"):
        yield _bad("Unrecognized request argument supplied: reasoning_effort")
    if "stream_options" in body:
        if not body.get("stream"):
            yield _bad(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                "stream_options",
            )
        for name in set(body["stream_options"]) - {"include_usage", "include_obfuscation"}:
            yield _unknown(f"stream_options.{name}")
    if "top_logprobs" in body and not body.get("logprobs"):
        yield _bad("The 'top_logprobs' parameter requires 'logprobs'.", "top_logprobs")


def _messages(messages: list[Any], compat: bool) -> Iterator[Failure]:
    if not messages:
        yield _bad(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            "messages",
            "empty_array",
        )
    waiting: list[str] = []
    for i, message in enumerate(messages):
        at = f"messages[{i}]"
        if not isinstance(message, dict):
            yield _type(at, "an object", message)
            return
        role = message.get("role")
        if role not in ROLES:
            listed = ", ".join(f"'{r}'" for r in ROLES)
            text = f"Invalid value: '{role}'. Supported values are: {listed}."
            yield _bad(text, f"{at}.role", "invalid_value")
            return
        signed = {"extra_content"} if compat and role == "assistant" else set()
        for name in set(message) - ROLES[role] - {"role"} - signed:
            yield _unknown(f"{at}.{name}")
        calls = message.get("tool_calls")
        if "content" not in message and not calls:
            yield _missing(f"{at}.content")
        yield from _content(message.get("content"), role, at, optional=bool(calls))
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                yield _bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    f"{at}.role",
                )
            else:
                waiting.remove(message["tool_call_id"])
        elif waiting:
            yield _unanswered(waiting)
        if calls is not None:
            yield from _calls(calls, at, compat)
            waiting = [call["id"] for call in calls]
    if waiting:
        yield _unanswered(waiting)


def _unanswered(ids: list[str]) -> Failure:
    return _bad(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        + ", ".join(ids),
        "messages",
    )


def _calls(calls: Any, at: str, compat: bool) -> Iterator[Failure]:
    if not isinstance(calls, list) or not calls:
        yield _type(f"{at}.tool_calls", "a non-empty array", calls)
        return
    for j, call in enumerate(calls):
        where = f"{at}.tool_calls[{j}]"
        if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
            yield _missing(f"{where}.function")
            continue
        known = {"id", "type", "function"} | ({"extra_content"} if compat else set())
        for name in set(call) - known:
            yield _unknown(f"{where}.{name}")
        for name in set(call["function"]) - {"name", "arguments"}:
            yield _unknown(f"{where}.function.{name}")
        for name in ("id", "type"):
            if not call.get(name):
                yield _missing(f"{where}.{name}")
        for name in ("name", "arguments"):
            if not isinstance(call["function"].get(name), str):
                yield _missing(f"{where}.function.{name}")
        if not isinstance(parse_json(call["function"]["arguments"].encode()), dict):
            yield _bad("Invalid JSON in 'arguments'.", f"{where}.function.arguments")
    ids = [call.get("id") for call in calls]
    if len(set(ids)) < len(ids):
        yield _bad("Duplicate value for 'tool_call_id'.", f"{at}.tool_calls")


def _content(content: Any, role: str, at: str, *, optional: bool) -> Iterator[Failure]:
    where = f"{at}.content"
    if isinstance(content, str) or (content is None and optional):
        return
    if not isinstance(content, list) or not content:
        yield _type(where, "a string or a non-empty array", content)
        return
    for j, part in enumerate(content):
        path = f"{where}[{j}]"
        kind = part.get("type") if isinstance(part, dict) else None
        allowed = set(PARTS) - {"refusal"} if role == "user" else {"text", "refusal"}
        if kind not in allowed:
            listed = ", ".join(f"'{k}'" for k in sorted(allowed))
            text = f"Invalid value: '{kind}'. Supported values are: {listed}."
            yield _bad(text, f"{path}.type", "invalid_value")
            continue
        for name in set(part) - set(PARTS[kind]) - {"type"}:
            yield _unknown(f"{path}.{name}")
        inner = part.get(kind)
        fields = PARTS[kind][kind]
        if not isinstance(inner, dict if fields else str):
            yield _missing(f"{path}.{kind}")
            continue
        if isinstance(inner, dict):
            for name in set(inner) - fields:
                yield _unknown(f"{path}.{kind}.{name}")
            yield from _media(kind, inner, f"{path}.{kind}")


def _media(kind: str, inner: dict[str, Any], path: str) -> Iterator[Failure]:
    if kind == "image_url":
        url = inner.get("url") or ""
        found = DATA_URL.fullmatch(url)
        if not (found and _base64(found[2])) and not re.match(r"https?://", url):
            yield _bad(
                f"Invalid '{path}.url'. Expected a valid URL or a base64-encoded data URL, but got "
                "a value with an invalid format.",
                f"{path}.url",
                "invalid_value",
            )
        elif found and not found[1].startswith("image/"):
            yield _bad(
                f"Invalid MIME type. Only image types are supported. Got {found[1]}.",
                f"{path}.url",
                "invalid_image_format",
            )
        if inner.get("detail", "auto") not in ("auto", "low", "high", "original"):
            yield _bad("Invalid value for 'detail'.", f"{path}.detail", "invalid_value")
    elif kind == "input_audio":
        if inner.get("format") not in ("wav", "mp3"):
            text = "Invalid value. Supported values are: 'wav' and 'mp3'."
            yield _bad(text, f"{path}.format", "invalid_value")
        if not _base64(inner.get("data") or ""):
            yield _bad("Invalid base64 audio data.", f"{path}.data", "invalid_value")
    elif ("file_id" in inner) == ("file_data" in inner):
        yield _missing(f"{path}.file_id")
    elif "file_data" in inner:
        found = DATA_URL.fullmatch(inner["file_data"])
        if not (found and _base64(found[2])):
            yield _bad("Invalid file data.", f"{path}.file_data", "invalid_value")
        if not inner.get("filename"):
            yield _missing(f"{path}.filename")


def _base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


def _format(body: dict[str, Any]) -> Iterator[Failure]:
    chosen = body.get("response_format")
    if chosen is None:
        return
    kind = chosen.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        yield _bad(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and "
            "'text'.",
            "response_format.type",
            "invalid_value",
        )
    for name in set(chosen) - {"type", *(["json_schema"] if kind == "json_schema" else [])}:
        yield _unknown(f"response_format.{name}")
    if kind == "json_object" and "json" not in str(body["messages"]).lower():
        yield _bad(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'.",
            "messages",
        )
    if kind == "json_schema":
        inner = chosen.get("json_schema")
        at = "response_format.json_schema"
        if not isinstance(inner, dict):
            yield _missing(at)
            return
        for name in set(inner) - {"name", "schema", "strict", "description"}:
            yield _unknown(f"{at}.{name}")
        if not NAME.fullmatch(inner.get("name") or ""):
            yield _bad(
                f"Invalid '{at}.name': string does not match pattern. Expected a string that "
                "matches the pattern '^[a-zA-Z0-9_-]+$'.",
                f"{at}.name",
                "invalid_value",
            )
        if not isinstance(inner.get("schema"), dict):
            yield _missing(f"{at}.schema")
        elif inner.get("strict"):
            for text in strict_schema(inner["schema"], ()):
                yield _bad(
                    f"Invalid schema for response_format '{inner['name']}': {text}",
                    "response_format",
                )


def strict_schema(schema: Any, context: tuple[str, ...]) -> Iterator[str]:
    """What strict structured outputs refuse: open objects and optional properties."""
    if isinstance(schema, list):
        for inner in schema:
            yield from strict_schema(inner, context)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield (
                f"In context={context}, 'additionalProperties' is required to be supplied and to "
                "be false."
            )
        names = set(schema.get("properties") or {})
        if names != set(schema.get("required") or ()):
            yield (
                f"In context={context}, 'required' is required to be supplied and to be an array "
                "including every key in properties."
            )
    for name in ("properties", "$defs"):
        for key, inner in (schema.get(name) or {}).items():
            yield from strict_schema(inner, (*context, name, key))
    for name in ("items", "anyOf"):
        yield from strict_schema(schema.get(name), (*context, name))


def _tools(body: dict[str, Any]) -> Iterator[Failure]:
    tools = body.get("tools")
    names = []
    for i, tool in enumerate(tools or []):
        at = f"tools[{i}]"
        if not isinstance(tool, dict) or tool.get("type") != "function":
            yield _bad("Invalid value. Supported values are: 'function'.", f"{at}.type")
            continue
        function = tool.get("function")
        if not isinstance(function, dict):
            yield _missing(f"{at}.function")
            continue
        for name in set(tool) - {"type", "function"}:
            yield _unknown(f"{at}.{name}")
        for name in set(function) - {"name", "description", "parameters", "strict"}:
            yield _unknown(f"{at}.function.{name}")
        if not NAME.fullmatch(function.get("name") or ""):
            yield _bad(
                f"Invalid '{at}.function.name': string does not match pattern. Expected a string "
                "that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                f"{at}.function.name",
                "invalid_value",
            )
        names.append(function.get("name"))
        parameters = function.get("parameters", {"type": "object"})
        if not isinstance(parameters, dict) or parameters.get("type") != "object":
            yield _bad(
                f"Invalid schema for function '{function.get('name')}': schema must be a JSON "
                "Schema of 'type: \"object\"'.",
                f"{at}.function.parameters",
                "invalid_function_parameters",
            )
        elif function.get("strict"):
            for text in strict_schema(parameters, ()):
                yield _bad(
                    f"Invalid schema for function '{function.get('name')}': {text}",
                    f"{at}.function.parameters",
                    "invalid_function_parameters",
                )
    if tools == []:
        yield _bad("Invalid 'tools': empty array.", "tools", "empty_array")
    choice = body.get("tool_choice")
    if choice is not None and not tools:
        yield _bad("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        yield _bad("Invalid value for 'tool_choice'.", "tool_choice", "invalid_value")
    if isinstance(choice, dict):
        chosen = (choice.get("function") or {}).get("name")
        if chosen not in names:
            yield _bad(f"Tool choice '{chosen}' not found in 'tools' parameter.", "tool_choice")
    if "parallel_tool_calls" in body and not tools:
        yield _bad("'parallel_tool_calls' is only allowed when 'tools' are specified.")


def count_messages(messages: list[dict[str, Any]]) -> int:
    """The tokens of checked messages: text by length, 258 for every file."""
    total = 0
    for message in messages:
        content = message.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or []
        for part in parts:
            total += tokens(part["text"]) if "text" in part else 258
        if message.get("tool_calls"):
            total += tokens(str(message["tool_calls"]))
    return max(total, 1)


def last_text(messages: list[dict[str, Any]]) -> str:
    content = messages[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
