"""The request messages of Gemini's REST wire, to refuse what the real service does not know."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

# Field name -> type. "[X]" is repeated, "{X}" a map with string keys, "A|B|C" an enum, "any" any
# JSON, "object" any JSON object; a capitalised name is a message of this table.
MESSAGES: dict[str, dict[str, str]] = {
    "GenerateContentRequest": {
        "model": "string",
        "contents": "[Content]",
        "system_instruction": "Content",
        "tools": "[Tool]",
        "tool_config": "ToolConfig",
        "safety_settings": "[SafetySetting]",
        "generation_config": "GenerationConfig",
        "cached_content": "string",
        "service_tier": "unspecified|flex|standard|priority",
        "store": "bool",
        "labels": "{string}",
    },
    "CountTokensRequest": {
        "model": "string",
        "contents": "[Content]",
        "generate_content_request": "GenerateContentRequest",
    },
    "Content": {"role": "string", "parts": "[Part]"},
    "Part": {
        "text": "string",
        "inline_data": "Blob",
        "file_data": "FileData",
        "function_call": "FunctionCall",
        "function_response": "FunctionResponse",
        "executable_code": "ExecutableCode",
        "code_execution_result": "CodeExecutionResult",
        "tool_call": "ToolCall",
        "tool_response": "ToolResponse",
        "thought": "bool",
        "thought_signature": "bytes",
        "video_metadata": "VideoMetadata",
        "media_resolution": "MediaResolution",
        "part_metadata": "object",
    },
    "Blob": {"mime_type": "string", "data": "bytes", "display_name": "string"},
    "FileData": {"mime_type": "string", "file_uri": "string", "display_name": "string"},
    "FunctionCall": {"id": "string", "name": "string", "args": "object"},
    "FunctionResponse": {
        "id": "string",
        "name": "string",
        "response": "object",
        "parts": "[any]",
        "will_continue": "bool",
        "scheduling": "SCHEDULING_UNSPECIFIED|SILENT|WHEN_IDLE|INTERRUPT",
    },
    "ToolCall": {"id": "string", "tool_type": "string", "args": "object"},
    "ToolResponse": {"id": "string", "tool_type": "string", "response": "object"},
    "ExecutableCode": {
        "id": "string",
        "language": "LANGUAGE_UNSPECIFIED|PYTHON",
        "code": "string",
    },
    "CodeExecutionResult": {
        "id": "string",
        "outcome": "OUTCOME_UNSPECIFIED|OUTCOME_OK|OUTCOME_FAILED|OUTCOME_DEADLINE_EXCEEDED",
        "output": "string",
    },
    "VideoMetadata": {"start_offset": "string", "end_offset": "string", "fps": "number"},
    "MediaResolution": {
        "level": "MEDIA_RESOLUTION_UNSPECIFIED|MEDIA_RESOLUTION_LOW|MEDIA_RESOLUTION_MEDIUM"
        "|MEDIA_RESOLUTION_HIGH|MEDIA_RESOLUTION_ULTRA_HIGH",
        "num_tokens": "int32",
    },
    "Tool": {
        "function_declarations": "[FunctionDeclaration]",
        "google_search": "GoogleSearch",
        "google_search_retrieval": "any",
        "google_maps": "any",
        "code_execution": "Empty",
        "url_context": "Empty",
        "file_search": "any",
        "computer_use": "any",
        "mcp_servers": "[any]",
    },
    "Empty": {},
    "GoogleSearch": {"search_types": "any", "time_range_filter": "any"},
    "FunctionDeclaration": {
        "name": "string",
        "description": "string",
        "parameters": "Schema",
        "parameters_json_schema": "any",
        "response": "Schema",
        "response_json_schema": "any",
        "behavior": "UNSPECIFIED|BLOCKING|NON_BLOCKING",
    },
    "ToolConfig": {
        "function_calling_config": "FunctionCallingConfig",
        "retrieval_config": "RetrievalConfig",
        "include_server_side_tool_invocations": "bool",
    },
    "FunctionCallingConfig": {
        "mode": "MODE_UNSPECIFIED|AUTO|ANY|NONE|VALIDATED",
        "allowed_function_names": "[string]",
    },
    "RetrievalConfig": {"lat_lng": "LatLng", "language_code": "string"},
    "LatLng": {"latitude": "number", "longitude": "number"},
    "SafetySetting": {
        "category": "HARM_CATEGORY_HARASSMENT|HARM_CATEGORY_HATE_SPEECH"
        "|HARM_CATEGORY_SEXUALLY_EXPLICIT|HARM_CATEGORY_DANGEROUS_CONTENT"
        "|HARM_CATEGORY_CIVIC_INTEGRITY",
        "threshold": "HARM_BLOCK_THRESHOLD_UNSPECIFIED|BLOCK_LOW_AND_ABOVE"
        "|BLOCK_MEDIUM_AND_ABOVE|BLOCK_ONLY_HIGH|BLOCK_NONE|OFF",
    },
    "GenerationConfig": {
        "candidate_count": "int32",
        "stop_sequences": "[string]",
        "max_output_tokens": "int32",
        "temperature": "number",
        "top_p": "number",
        "top_k": "int32",
        "seed": "int32",
        "response_mime_type": "string",
        "response_schema": "Schema",
        "response_json_schema": "any",
        "presence_penalty": "number",
        "frequency_penalty": "number",
        "response_logprobs": "bool",
        "logprobs": "int32",
        "enable_enhanced_civic_answers": "bool",
        "response_modalities": "[MODALITY_UNSPECIFIED|TEXT|IMAGE|AUDIO|VIDEO]",
        "speech_config": "SpeechConfig",
        "thinking_config": "ThinkingConfig",
        "image_config": "ImageConfig",
        "media_resolution": "MEDIA_RESOLUTION_UNSPECIFIED|MEDIA_RESOLUTION_LOW"
        "|MEDIA_RESOLUTION_MEDIUM|MEDIA_RESOLUTION_HIGH",
        "audio_transcription_config": "any",
        "continuation_token": "any",
    },
    "ThinkingConfig": {
        "include_thoughts": "bool",
        "thinking_budget": "int32",
        "thinking_level": "THINKING_LEVEL_UNSPECIFIED|MINIMAL|LOW|MEDIUM|HIGH|XHIGH",
    },
    "SpeechConfig": {
        "voice_config": "VoiceConfig",
        "multi_speaker_voice_config": "MultiSpeakerVoiceConfig",
        "language_code": "string",
    },
    "VoiceConfig": {"prebuilt_voice_config": "PrebuiltVoiceConfig"},
    "PrebuiltVoiceConfig": {"voice_name": "string"},
    "MultiSpeakerVoiceConfig": {"speaker_voice_configs": "[SpeakerVoiceConfig]"},
    "SpeakerVoiceConfig": {"speaker": "string", "voice_config": "VoiceConfig"},
    "CreateFileRequest": {"file": "File"},
    "File": {
        "name": "string",
        "display_name": "string",
        "mime_type": "string",
        "size_bytes": "int64",
    },
    "ImageConfig": {"aspect_ratio": "string", "image_size": "string"},
    "Schema": {
        "type": "TYPE_UNSPECIFIED|STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL",
        "format": "string",
        "title": "string",
        "description": "string",
        "nullable": "bool",
        "enum": "[string]",
        "items": "Schema",
        "max_items": "int64",
        "min_items": "int64",
        "properties": "{Schema}",
        "required": "[string]",
        "min_properties": "int64",
        "max_properties": "int64",
        "min_length": "int64",
        "max_length": "int64",
        "pattern": "string",
        "example": "any",
        "any_of": "[Schema]",
        "property_ordering": "[string]",
        "default": "any",
        "minimum": "number",
        "maximum": "number",
    },
}

PROTO_TYPES = {
    "string": "TYPE_STRING",
    "bool": "TYPE_BOOL",
    "number": "TYPE_FLOAT",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "bytes": "TYPE_BYTES",
}


class Violation(str):
    """One complaint, with the field path that it is about ("" at the top)."""

    path: str

    def __new__(cls, text: str, path: str = "") -> Violation:
        made = super().__new__(cls, text)
        made.path = path
        return made


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m[1].lower(), name)


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def normalise(value: Any, kind: str, path: str = "") -> tuple[Any, list[Violation]]:
    """The value with snake_case field names, and everything in it that the message lacks."""
    found: list[Violation] = []
    return _read(value, kind, path, found), found


def _read(value: Any, kind: str, path: str, found: list[Violation]) -> Any:
    if kind == "any" or value is None:
        return value
    if kind.startswith("["):
        if not isinstance(value, list):
            found.append(_invalid(path, "list", value))
            return []
        return [_read(v, kind[1:-1], f"{path}[{i}]", found) for i, v in enumerate(value)]
    if kind.startswith("{"):
        if not isinstance(value, dict):
            found.append(_invalid(path, "map", value))
            return {}
        return {
            k: _read(v, kind[1:-1], f"{path}[{i}].value", found)
            for i, (k, v) in enumerate(value.items())
        }
    if kind in MESSAGES:
        return _read_message(value, kind, path, found)
    if not _fits(value, kind):
        found.append(_invalid(path, PROTO_TYPES.get(kind, "TYPE_ENUM"), value))
        return None
    return value


def _read_message(value: Any, kind: str, path: str, found: list[Violation]) -> dict[str, Any]:
    if not isinstance(value, dict):
        found.append(_invalid(path, f"type.googleapis.com/google.ai.{kind}", value))
        return {}
    fields, result = MESSAGES[kind], {}
    for name, inner in value.items():
        key = snake(name)
        where = f" at '{path}'" if path else ""
        if key not in fields or name not in (key, camel(key)):
            text = (
                f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
            )
            found.append(Violation(text, path))
        elif key in result:
            text = f'Invalid value{where} (oneof), field "{name}" is set twice.'
            found.append(Violation(text, path))
        else:
            result[key] = _read(inner, fields[key], f"{path}.{key}".lstrip("."), found)
    return result


def _fits(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "number":
        return number
    if kind == "int32":
        return number and value == int(value) and -(2**31) <= value < 2**31
    if kind == "int64":
        return (number and value == int(value)) or (
            isinstance(value, str) and value.lstrip("-").isdigit()
        )
    if kind == "bytes":
        return isinstance(value, str) and decode(value) is not None
    if kind == "object":
        return isinstance(value, dict)
    return isinstance(value, str) and value in kind.split("|")


def decode(text: str) -> bytes | None:
    """Base64 in either alphabet, padded correctly; None if it is not."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None


def _invalid(path: str, kind: str, value: Any) -> Violation:
    shown = repr(value)[:40].replace("'", '"')
    if kind == "TYPE_BYTES" and isinstance(value, str):
        shown = f"Base64 decoding failed for {shown}"
    return Violation(f"Invalid value at '{path}' ({kind}), {shown}", path)


def schemas(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A normalised Schema and every schema inside it, with their paths."""
    if not isinstance(value, dict):
        return
    yield path, value
    for name, inner in (value.get("properties") or {}).items():
        yield from schemas(inner, f"{path}.properties[{name}]")
    yield from schemas(value.get("items"), f"{path}.items")
    for i, inner in enumerate(value.get("any_of") or ()):
        yield from schemas(inner, f"{path}.any_of[{i}]")
