"""What Gemini refuses in a request whose fields are all known: roles, ranges, combinations."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from .play import tokens
from .proto import Violation, decode, schemas

MAX_PAYLOAD = 20_971_520
PICTURE_TOKENS = 258
DATA_FIELDS = (
    "text",
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
)
MIMES = ("text/plain", "application/json", "application/xml", "application/yaml", "text/x.enum")
MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "application/pdf": b"%PDF-",
    "audio/wav": b"RIFF",
}
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
#: What stands for a signature that this service never gave.
FOREIGN = base64.b64encode(b"skip_thought_signature_validator").decode()
SIGNATURE = base64.b64encode(b"loopback-thought-signature").decode()
ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1",
           "1:8", "8:1")  # fmt: skip
SIZES = ("512", "1K", "2K", "4K")
VOICES = ("Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede")
SERVICES = ("google_search", "url_context", "code_execution")
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "top_k": (1, 1_000_000),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "logprobs": (0, 20),
}


def check_request(
    body: dict[str, Any], kind: str, model: str, output_limit: int, signatures: bool | None
) -> list[Violation]:
    """Everything wrong with a normalised request; `signatures` as in GoogleServer."""
    if signatures is None:
        signatures = generation(model) >= 3
    if kind == "CountTokensRequest":
        inner = body.get("generate_content_request")
        if (inner is None) == ("contents" not in body):
            return [
                Violation("* CountTokensRequest: set one of contents, generate_content_request")
            ]
        body = inner or body
    config = body.get("generation_config") or {}
    return [
        *_contents(body.get("contents") or [], signatures),
        *_system(body.get("system_instruction")),
        *_config(config, model, output_limit),
        *_thinking(config.get("thinking_config") or {}, model),
        *_schema(config, model),
        *_safety(body.get("safety_settings") or []),
        *_tools(body),
        *_together(body, config, model),
        *(_media(config, model) if kind == "GenerateContentRequest" else ()),
    ]


def generation(model: str) -> int:
    """3 for gemini-3.8-flash; 0 for what is no Gemini."""
    found = re.match(r"gemini-(\d+)", model)
    return int(found[1]) if found else 0


def _say(path: str, text: str) -> Violation:
    return Violation(f"* GenerateContentRequest.{path}: {text}\n", path)


def _contents(contents: list[dict[str, Any]], signatures: bool) -> Iterator[Violation]:
    if not contents:
        yield _say("contents", "contents is not specified")
    for i, content in enumerate(contents):
        path = f"contents[{i}]"
        role = content.get("role", "user" if len(contents) == 1 else "")
        if role not in ("user", "model"):
            yield Violation("Please use a valid role: user, model.", path)
        yield from _parts(content.get("parts") or [], path)
    if contents and contents[-1].get("role") == "model":
        yield Violation(
            "Please ensure that multiturn requests end with a user role or a function response."
        )
    yield from _turns(contents, signatures)


def _parts(parts: list[dict[str, Any]], path: str) -> Iterator[Violation]:
    if not parts:
        yield _say(f"{path}.parts", "contents.parts must not be empty.")
    for j, part in enumerate(parts):
        where = f"{path}.parts[{j}]"
        data = [name for name in DATA_FIELDS if name in part]
        if not data:
            yield _say(
                f"{where}.data", "required oneof field 'data' must have one initialized field"
            )
        elif len(data) > 1:
            yield Violation(
                f"Invalid value at '{where}' (oneof), oneof field 'data' is already set. "
                f"Cannot set '{data[1]}'",
                where,
            )
        elif part.get("text") == "" and "thought_signature" not in part:
            yield _say(f"{where}.text", "text must not be empty")
        yield from _blob(part.get("inline_data"), where)
        if "file_data" in part and not part["file_data"].get("file_uri"):
            yield _say(f"{where}.file_data.file_uri", "file_uri must not be empty")
        for name in ("function_call", "function_response"):
            if name in part and not part[name].get("name"):
                yield _say(f"{where}.{name}.name", "Name cannot be empty.")
        if "function_response" in part and "response" not in part["function_response"]:
            yield _say(f"{where}.function_response.response", "required field is missing")


def _blob(blob: dict[str, Any] | None, where: str) -> Iterator[Violation]:
    if blob is None:
        return
    mime = blob.get("mime_type") or ""
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(;.*)?", mime):
        yield _say(f"{where}.inline_data.mime_type", f"Unsupported MIME type: {mime}")
    data = decode(blob.get("data") or "") or b""
    if not data or not data.startswith(MAGIC.get(mime, b"")):
        yield Violation(f"Unable to process input {mime.split('/')[0] or 'file'}.", where)


def _turns(contents: list[dict[str, Any]], signatures: bool) -> Iterator[Violation]:
    """Function responses answer the function calls of the turn directly before."""
    calls: list[dict[str, Any]] = []
    present = max((i for i, content in enumerate(contents) if _asks(content)), default=0)
    for i, content in enumerate(contents):
        parts = content.get("parts") or []
        answers = [p["function_response"] for p in parts if "function_response" in p]
        if answers and not calls:
            yield Violation(
                "Please ensure that function response turn comes immediately after a function call "
                "turn."
            )
        elif len(answers) != len(calls):
            yield Violation(
                "Please ensure that the number of function response parts is equal to the number "
                "of function call parts of the function call turn."
            )
        else:
            yield from _pairs(answers, calls, f"contents[{i}]")
        called = [p for p in parts if "function_call" in p]
        if called and content.get("role") != "model":
            yield Violation("Function calls are made by the model.", f"contents[{i}]")
        if signatures and i >= present:
            yield from _signed(called, i)
        if signatures:
            yield from _known_signatures(content, i)
        calls = [p["function_call"] for p in called]


def _asks(content: dict[str, Any]) -> bool:
    """Does the user ask something here, and not only give back what functions said?"""
    parts = content.get("parts") or []
    return content.get("role") != "model" and any("function_response" not in p for p in parts)


def _pairs(
    answers: list[dict[str, Any]], calls: list[dict[str, Any]], where: str
) -> Iterator[Violation]:
    for answer, call in zip(answers, calls, strict=True):
        same = [(answer.get(name) or "") == (call.get(name) or "") for name in ("name", "id")]
        if not all(same):
            yield Violation(
                f"Function response {answer.get('name')!r} does not match a function call of the "
                "turn before.",
                where,
            )


def _signed(called: list[dict[str, Any]], i: int) -> Iterator[Violation]:
    if called and "thought_signature" not in called[0]:
        name = called[0]["function_call"].get("name")
        yield Violation(
            f"Function call is missing a thought_signature in functionCall parts. Function "
            f"call `default_api:{name}`, position {i + 1}.",
            f"contents[{i}]",
        )


def _known_signatures(content: dict[str, Any], i: int) -> Iterator[Violation]:
    """A signature comes from here, comes back unchanged, and in what the model said."""
    known = {decode(SIGNATURE), decode(FOREIGN)}
    for part in content.get("parts") or []:
        signature = part.get("thought_signature")
        if signature and (content.get("role") != "model" or decode(signature) not in known):
            yield Violation("Thought signature is not valid", f"contents[{i}]")


def _system(system: dict[str, Any] | None) -> Iterator[Violation]:
    if system is None:
        return
    yield from _parts(system.get("parts") or [], "system_instruction")
    if any("text" not in part for part in system.get("parts") or []):
        yield _say("system_instruction", "only text parts are supported")


def _config(config: dict[str, Any], model: str, output_limit: int) -> Iterator[Violation]:
    at = "generation_config"
    for name, (low, high) in RANGES.items():
        if name in config and not low <= config[name] <= high:
            yield _say(f"{at}.{name}", f"{name} must be in the range [{low}, {high}].")
    if not 1 <= config.get("max_output_tokens", 1) <= output_limit:
        yield _say(
            f"{at}.max_output_tokens",
            f"the value must be from 1 (inclusive) to {output_limit + 1} (exclusive)",
        )
    if config.get("candidate_count", 1) != 1:
        yield Violation("Multiple candidates is not enabled for this model", at)
    stops = config.get("stop_sequences") or []
    if len(stops) > 5 or not all(stops):
        yield _say(f"{at}.stop_sequences", "at most 5 stop sequences, none of them empty.")
    mime = config.get("response_mime_type", "text/plain")
    if mime not in MIMES:
        listed = ", ".join(f"`{m}`" for m in MIMES)
        yield _say(f"{at}.response_mime_type", f"allowed mimetypes are {listed}.")
    if "logprobs" in config and not config.get("response_logprobs"):
        yield _say(f"{at}.logprobs", "requires response_logprobs.")


def _media(config: dict[str, Any], model: str) -> Iterator[Violation]:
    """What answers are made of: pictures and speech are for the models that make them."""
    at = "generation_config"
    modalities = config.get("response_modalities") or []
    if "IMAGE" in modalities and "image" not in model:
        yield Violation("Model does not support the requested response modalities: image", at)
    if model.endswith("tts") != (modalities == ["AUDIO"]):
        listed = ", ".join(modalities).lower() or "text"
        yield Violation(
            f"The requested combination of response modalities ({listed}) is not supported by the "
            "model.",
            at,
        )
    picture = config.get("image_config")
    if picture is not None and "image" not in model:
        yield _say(f"{at}.image_config", "Image config is not supported for this model.")
    for name, known in (("aspect_ratio", ASPECTS), ("image_size", SIZES)):
        if picture and picture.get(name, known[0]) not in known:
            yield _say(f"{at}.image_config.{name}", f"{name} must be one of {', '.join(known)}.")
    speech = config.get("speech_config")
    if speech is not None and "AUDIO" not in modalities:
        yield _say(f"{at}.speech_config", "requires the response modality AUDIO.")
    voice = ((speech or {}).get("voice_config") or {}).get("prebuilt_voice_config") or {}
    if voice.get("voice_name", VOICES[0]) not in VOICES:
        yield Violation(f"Voice name {voice['voice_name']} is not supported.", at)


def _together(body: dict[str, Any], config: dict[str, Any], model: str) -> Iterator[Violation]:
    """What does not go together: functions, the service's own tools, an enforced form."""
    tools = body.get("tools") or []
    own = any(name in tool for tool in tools for name in SERVICES)
    functions = any("function_declarations" in tool for tool in tools)
    allowed = (body.get("tool_config") or {}).get("include_server_side_tool_invocations")
    steps = [
        name
        for content in body.get("contents") or []
        for part in content.get("parts") or []
        for name in ("tool_call", "tool_response")
        if name in part
    ]
    if steps and not allowed:
        yield Violation(
            "Tool calls of the service need tool_config.include_server_side_tool_invocations.",
            "contents",
        )
    if steps.count("tool_call") != steps.count("tool_response"):
        yield Violation("Each tool call needs its tool response.", "contents")
    if own and functions and generation(model) < 3:
        yield Violation("Tool use with function calling is unsupported by the model.", "tools")
    elif own and functions and not allowed:
        yield Violation(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools "
            "with Function calling.",
            "tools",
        )
    if tools and config.get("response_mime_type") == "application/json" and generation(model) < 3:
        what = "Function calling" if functions else "Tool use"
        yield Violation(
            f"{what} with a response mime type: 'application/json' is unsupported", "tools"
        )


def _thinking(thinking: dict[str, Any], model: str) -> Iterator[Violation]:
    at = "generation_config.thinking_config"
    if not thinking:
        return
    if model.startswith("gemma"):
        yield Violation("Thinking is not enabled for this model.", at)
    if "thinking_budget" in thinking and "thinking_level" in thinking:
        yield Violation("You can only set only one of thinking budget and thinking level.", at)
    budget = thinking.get("thinking_budget", -1)
    most = 32_768 if "pro" in model else 24_576
    least = 128 if "pro" in model else 0
    if budget != -1 and not least <= budget <= most:
        yield Violation(
            f"The thinking budget {budget} is invalid. Please choose a value between {least} and "
            f"{most}.",
            at,
        )
    if thinking.get("thinking_level") == "MINIMAL" and "pro" in model:
        yield Violation("Thinking level MINIMAL is not supported for this model.", at)
    if "thinking_level" in thinking and model.startswith("gemini-2"):
        yield Violation("Thinking level is not supported for this model.", at)


def _schema(config: dict[str, Any], model: str) -> Iterator[Violation]:
    at = "generation_config"
    has = [name for name in ("response_schema", "response_json_schema") if name in config]
    if len(has) > 1:
        yield _say(f"{at}.response_json_schema", "cannot be set with response_schema.")
    if has and config.get("response_mime_type") not in ("application/json", "text/x.enum"):
        yield _say(f"{at}.{has[0]}", "requires response_mime_type application/json.")
    if "response_schema" in config:
        yield from schema_rules(config["response_schema"], f"{at}.response_schema")
    if "response_json_schema" in config:
        yield from json_schema_rules(config["response_json_schema"], f"{at}.response_json_schema")


def schema_rules(schema: Any, path: str) -> Iterator[Violation]:
    """The OpenAPI subset: typed, no empty objects, arrays with items."""
    for where, one in schemas(schema, path):
        kind = one.get("type")
        if kind is None and "any_of" not in one:
            yield _say(where, "schema must have a type.")
        if kind == "OBJECT" and not one.get("properties"):
            yield _say(f"{where}.properties", "should be non-empty for OBJECT type")
        if kind == "ARRAY" and "items" not in one:
            yield _say(f"{where}.items", "missing field.")
        if one.get("enum") and kind not in ("STRING", None):
            yield _say(f"{where}.enum", "only allowed for STRING type")
        for i, name in enumerate(one.get("required") or ()):
            if name not in (one.get("properties") or {}):
                yield _say(f"{where}.required[{i}]", "property is not defined")


def json_schema_rules(schema: Any, path: str) -> Iterator[Violation]:
    """JSON Schema: an object whose $refs resolve and whose types exist."""
    if not isinstance(schema, dict):
        yield _say(path, "must be an object")
        return
    known = {"string", "number", "integer", "boolean", "array", "object", "null"}

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for inner in node:
                yield from walk(inner)
        elif isinstance(node, dict):
            kind = node.get("type")
            kinds = kind if isinstance(kind, list) else [kind] if isinstance(kind, str) else []
            yield from (f"unknown type {k!r}" for k in kinds if k not in known)
            ref = node.get("$ref")
            if isinstance(ref, str):
                target: Any = schema
                for step in ref.removeprefix("#").strip("/").split("/"):
                    target = target.get(step) if step and isinstance(target, dict) else target
                if not ref.startswith("#") or target is None:
                    yield f"reference to undefined schema {ref!r}"
            for name, inner in node.items():
                if name in ("properties", "$defs") and isinstance(inner, dict):
                    yield from walk(list(inner.values()))
                elif name not in ("enum", "default", "examples", "const", "required"):
                    yield from walk(inner)

    yield from (_say(path, text) for text in walk(schema))


def _safety(settings: list[dict[str, Any]]) -> Iterator[Violation]:
    categories = [s.get("category") for s in settings]
    for i, setting in enumerate(settings):
        if "category" not in setting or "threshold" not in setting:
            yield _say(f"safety_settings[{i}]", "category and threshold are required")
    if len(set(categories)) < len(categories):
        yield _say("safety_settings", "duplicate category")


def _tools(body: dict[str, Any]) -> Iterator[Violation]:
    names: list[str] = []
    for i, tool in enumerate(body.get("tools") or []):
        if len(tool) != 1:
            yield _say(f"tools[{i}]", "exactly one tool type must be set")
        for j, declared in enumerate(tool.get("function_declarations") or []):
            at = f"tools[{i}].function_declarations[{j}]"
            name = declared.get("name") or ""
            names.append(name)
            if not NAME.fullmatch(name):
                yield _say(
                    f"{at}.name",
                    "Invalid function name. Must start with a letter or an underscore, at most 64 "
                    "of a-z, A-Z, 0-9, underscores, dots, colons and dashes.",
                )
            if "parameters" in declared and "parameters_json_schema" in declared:
                yield _say(f"{at}.parameters", "cannot be set with parameters_json_schema.")
            if "parameters" in declared:
                yield from schema_rules(declared["parameters"], f"{at}.parameters")
            if "parameters_json_schema" in declared:
                yield from json_schema_rules(declared["parameters_json_schema"], at)
    if len(set(names)) < len(names):
        yield Violation("Duplicate function declaration found.", "tools")
    calling = (body.get("tool_config") or {}).get("function_calling_config") or {}
    allowed = calling.get("allowed_function_names") or []
    if allowed and calling.get("mode") not in ("ANY", "VALIDATED"):
        yield Violation("Allowed function names can only be set with mode ANY.", "tool_config")
    if unknown := [name for name in allowed if name not in names]:
        yield Violation(f"Allowed function {unknown[0]!r} is not declared.", "tool_config")
    cached = body.get("cached_content")
    if cached is not None:
        if not re.fullmatch(r"cachedContents/[\w-]+", cached):
            yield _say("cached_content", "Invalid CachedContent name.")
        if body.get("tools") or body.get("system_instruction"):
            yield Violation(
                "CachedContent can not be used with GenerateContent request setting "
                "system_instruction, tools or tool_config."
            )


def count_contents(body: dict[str, Any]) -> int:
    """The tokens of a normalised request: text by length, 258 for every file."""
    total = 0
    contents = [body.get("system_instruction") or {}, *(body.get("contents") or [])]
    for part in (p for c in contents for p in c.get("parts") or []):
        if "text" in part:
            total += tokens(part["text"])
        elif "inline_data" in part or "file_data" in part:
            total += PICTURE_TOKENS
        else:
            total += tokens(str(part))
    return max(total, 1)


def last_text(body: dict[str, Any]) -> str:
    """The text of the last turn, for the echo."""
    parts = (body.get("contents") or [{}])[-1].get("parts") or []
    return "".join(p.get("text", "") for p in parts)
