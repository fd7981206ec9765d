"""A request as OpenAI's chat wire writes it, and what it cannot say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.backends import openai_media as media
from gemini_magic.backends.openai_dialects import Dialect, refused
from gemini_magic.backends.openai_messages import messages_of
from gemini_magic.errors import UsageError
from gemini_magic.types import CODE_EXECUTION, SEARCH, URL_CONTEXT, Request, Settings, Tool

#: The voice where the user names none. Source: OpenAI's guide "Audio and speech".
_VOICE = "alloy"
#: What Gemini's compatible endpoint answers with "Unknown name ...: Cannot find field".
_NOT_GOOGLE = ("seed", "presence_penalty", "frequency_penalty")
#: What a size of OpenRouter's pictures looks like.
#: Source: https://openrouter.ai/docs/guides/overview/multimodal/image-generation
_SIZE = re.compile(r"\d+(?:\.\d+)?K|\d+(?:\s*[x×]\s*\d+)?", re.I)


class Body(NamedTuple):
    """The SDK's arguments, and one line for everything that is left out."""

    fields: dict[str, Any]
    notices: list[str]


def chat_body(request: Request, model: str, dialect: Dialect) -> Body:
    """What ``chat.completions.create`` is called with; blocks where files are read.

    Raises ``UsageError`` where what cannot be said would make it another question.
    """
    check_services(request, dialect)
    media.weigh(request.messages, dialect)
    messages, notices = messages_of(request, dialect)
    body: dict[str, Any] = {"model": model, "messages": messages}
    extra: dict[str, Any] = {}
    _sampling(request.settings, dialect, body, extra, notices)
    _thinking(request.settings, body, notices)
    _forms(request.settings, model, dialect, body, extra, notices)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if SEARCH in request.services:
        if dialect.kind == "openrouter":  # https://openrouter.ai/docs/features/web-search
            extra["plugins"] = [{"id": "web"}]
        else:
            body["web_search_options"] = {}
    if request.schema is not None:
        _schema(request.schema, dialect, body, notices)
    if extra:
        body["extra_body"] = extra
    return Body(body, notices)


def check_services(request: Request, dialect: Dialect) -> None:
    """Raise ``UsageError`` for what no service does on this wire."""
    if URL_CONTEXT in request.services:
        raise refused("--url-context is Google's own: this wire cannot read addresses")
    if CODE_EXECUTION in request.services:
        raise refused("--code-execution is Google's own: this wire cannot run programs")
    if SEARCH in request.services and dialect.kind == "google":
        raise refused("Gemini's OpenAI endpoint has no --search")


def left_out(settings: Settings, names: tuple[str, ...], why: str) -> list[str]:
    """The settings of these names that were given, in one line."""
    lost = [name for name in names if name in settings.given()]
    return [f"{', '.join(lost)} left out: {why}"] if lost else []


def _sampling(
    settings: Settings,
    dialect: Dialect,
    body: dict[str, Any],
    extra: dict[str, Any],
    notices: list[str],
) -> None:
    kind = dialect.kind
    for name in ("temperature", "top_p", *_NOT_GOOGLE):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if kind == "google":
        for name in _NOT_GOOGLE:
            body.pop(name, None)
        notices += left_out(settings, _NOT_GOOGLE, "Gemini's OpenAI endpoint has no such setting")
    if settings.max_output_tokens is not None:
        # OpenAI's newer models refuse the older name.
        name = "max_completion_tokens" if kind == "openai" else "max_tokens"
        body[name] = settings.max_output_tokens
    if settings.stop:
        body["stop"] = list(settings.stop)
    if kind == "llama.cpp":
        extra |= _llama_cpp(settings)
    elif kind == "openrouter" and settings.top_k is not None:
        extra["top_k"] = settings.top_k  # https://openrouter.ai/docs/api/reference/parameters
    else:
        notices += left_out(settings, ("top_k",), "this service's wire has no such setting")
    notices += left_out(settings, ("safety",), "this service's wire has no such setting")


def _llama_cpp(settings: Settings) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if settings.top_k is not None:
        extra["top_k"] = settings.top_k
    if settings.seed is not None:
        # A prompt that is half remembered is computed in other steps, which round otherwise;
        # whoever gives a seed wants the same answer again, and waits for it.
        extra["cache_prompt"] = False
    return extra


def _thinking(settings: Settings, body: dict[str, Any], notices: list[str]) -> None:
    if isinstance(settings.thinking, int):
        notices.append("thinking left out: this wire takes off, low, medium or high")
    elif settings.thinking is not None:
        effort = settings.thinking
        body["reasoning_effort"] = "none" if effort == "off" else effort


def _forms(
    settings: Settings,
    model: str,
    dialect: Dialect,
    body: dict[str, Any],
    extra: dict[str, Any],
    notices: list[str],
) -> None:
    """What the answer is made of: pictures, sound, how many, how large, who speaks."""
    makes = catalog.makes(model)
    wanted = settings.modalities or _implied(makes, dialect)
    if wanted:
        body["modalities"] = list(wanted)
    if "audio" in wanted:
        body["audio"] = {"voice": settings.voice or _VOICE, "format": "pcm16"}
    else:
        notices += left_out(settings, ("voice",), "this answer is not spoken")
    if not ("image" in wanted or "image" in makes):
        shape = ("size", "aspect", "quality", "count")
        notices += left_out(settings, shape, f"{model} makes no pictures")
        return
    if settings.count is not None:
        body["n"] = settings.count
    lost: tuple[str, ...] = ("size", "aspect", "quality")
    if dialect.kind == "openrouter":
        # https://openrouter.ai/docs/guides/overview/multimodal/image-generation
        given = {"aspect_ratio": settings.aspect, "image_size": settings.size}
        if settings.size is not None and not _SIZE.fullmatch(settings.size):
            raise UsageError(
                f"--size {settings.size[:40]}: that is no size; nothing was sent.",
                "Sizes: 1K, 2K or 4K, where the model has them",
            )
        if found := {name: value for name, value in given.items() if value is not None}:
            extra["image_config"] = found
        lost = ("quality",)
    notices += left_out(settings, lost, "this wire has no such setting in a chat")


def _implied(makes: tuple[str, ...], dialect: Dialect) -> tuple[str, ...]:
    """What has to be asked for by name although the model makes it anyway."""
    if "audio" in makes:
        return ("text", "audio")
    if "image" in makes and dialect.kind == "openrouter":
        return tuple(sorted(makes))  # "image" alone for models that say nothing
    return ()


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = json.loads(tool.parameters)
    function: dict[str, Any] = {"name": tool.name, "parameters": parameters}
    if tool.description:
        function["description"] = tool.description
    if is_strict(parameters):
        function["strict"] = True
    return {"type": "function", "function": function}


def _schema(schema: str, dialect: Dialect, body: dict[str, Any], notices: list[str]) -> None:
    """Ask for JSON: enforced by the service, or, where it will not, in words."""
    parsed = json.loads(schema)
    if dialect.kind == "openai" and parsed.get("type") != "object":
        notices.append("schema asked for in words: OpenAI enforces nothing but objects")
        words = f"Answer with nothing but JSON that fits this JSON schema: {schema}"
        body["messages"].insert(0, {"role": "system", "content": words})
        return
    named: dict[str, Any] = {"name": "answer", "schema": parsed}
    if is_strict(parsed):
        named["strict"] = True
    body["response_format"] = {"type": "json_schema", "json_schema": named}


#: Words of JSON schema that strict mode knows, and those that say what a value is.
_STRICT = {"type", "anyOf", "$ref", "enum", "const", "properties", "required", "items", "$defs",
           "additionalProperties", "title", "description", "pattern", "format", "minimum",
           "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
           "maxItems", "$schema"}  # fmt: skip
_TYPED = {"type", "anyOf", "$ref", "enum", "const"}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, every property required, every
    value of a type.

    Source: OpenAI's guide "Structured outputs", supported schemas.
    """
    if not isinstance(schema, Mapping) or not _STRICT.issuperset(schema):
        return False
    if _TYPED.isdisjoint(schema) or schema.get("format", "uuid") not in _FORMATS:
        return False
    properties, definitions = schema.get("properties") or {}, schema.get("$defs") or {}
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds and (
        schema.get("additionalProperties") is not False
        or set(schema.get("required") or ()) != set(properties)
    ):
        return False
    if "array" in kinds and "items" not in schema:
        return False
    inner = [*properties.values(), *definitions.values(), *(schema.get("anyOf") or ())]
    return all(map(is_strict, [*inner, *(schema[name] for name in ("items",) if name in schema)]))
