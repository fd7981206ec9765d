"""Brings the requests of the old SDK and of the new one to one form.

The differences that are taken out are those that the SDKs make of the same meaning: numbers for
enumerations (the old SDK asks for ``enum-encoding=int``), a role in the system instruction, the old
count of tokens with its wrapper, one embedding as a batch of one, the order of safety settings, a
schema's ``propertyOrdering``, and how a picture is encoded.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

_CATEGORY = {7: "HARASSMENT", 8: "HATE_SPEECH", 9: "SEXUALLY_EXPLICIT", 10: "DANGEROUS_CONTENT"}
_ENUMS: dict[str, dict[int, str]] = {
    "category": {number: f"HARM_CATEGORY_{name}" for number, name in _CATEGORY.items()},
    "threshold": dict(enumerate(["HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE",
                                 "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE"])),
    "type": dict(enumerate(["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY",
                            "OBJECT"])),
    "mode": dict(enumerate(["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE"])),
    "taskType": dict(enumerate(["TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT",
                                "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
                                "QUESTION_ANSWERING", "FACT_VERIFICATION"])),
}  # fmt: skip


#: What is the user's own below these is not renamed.
_FREE = {"args", "response"}
_SCHEMAS = {"responseSchema", "parameters", "parametersJsonSchema"}


def normal(method: str, path: str, body: Any) -> tuple[str, str, Any]:
    """The request in the common form."""
    action = path.rpartition(":")[2]
    if action == "countTokens":
        body = {"contents": body.get("generateContentRequest", body)["contents"]}
    if action == "embedContent":
        body = {"requests": [body]}
        path = path.replace(":embedContent", ":batchEmbedContents")
    if action in ("generateContent", "streamGenerateContent"):
        body = {key: value for key, value in body.items() if key != "model"}
    made = _value("", body)
    if isinstance(made, dict) and "contents" in made:
        made["contents"] = _turns(made["contents"])
    return method, path, made


def _turns(contents: list[Any]) -> list[Any]:
    """Contents of one role are one turn, and the pieces of a stream one text."""
    turns: list[Any] = []
    for content in contents:
        role = content.get("role", "user")
        if turns and turns[-1]["role"] == role == "model":
            parts = turns[-1]["parts"]
            if set(parts[-1]) == set(content["parts"][0]) == {"text"}:
                parts[-1]["text"] += content["parts"][0]["text"]
                continue
        turns.append({"role": role, "parts": content["parts"]})
    return turns


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _value(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        if key in _SCHEMAS:
            return _schema(value)
        if key in _FREE:
            return value
        return _object(key, {_camel(name): _value(_camel(name), one)
                             for name, one in value.items()})  # fmt: skip
    if isinstance(value, list):
        items = [_value(key, one) for one in value]
        if key == "safetySettings":
            items.sort(key=lambda one: str(one["category"]))
        return items
    if isinstance(value, int) and not isinstance(value, bool) and key in _ENUMS:
        return _ENUMS[key].get(value, value)
    return value


def _object(key: str, made: dict[str, Any]) -> dict[str, Any]:
    if key == "systemInstruction":
        made.pop("role", None)
    if key == "requests":
        made.pop("model", None)
        made["content"].pop("role", None)
    if key == "functionDeclarations":
        made.pop("responseJsonSchema", None)
        if "parametersJsonSchema" in made:
            made["parameters"] = made.pop("parametersJsonSchema")
        made["description"] = made.get("description", "").strip()
    if key == "inlineData" and str(made.get("mimeType", "")).startswith("image/"):
        made = {"picture": _pixels(made["data"])}
    return {name: value for name, value in made.items() if value not in ({}, None, [], 0, "")
            or name in ("temperature", "codeExecution", "text")}  # fmt: skip


def _schema(schema: Any) -> Any:
    """A schema without what only one of the SDKs writes."""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("title", "required", "propertyOrdering", "property_ordering"):
            continue
        if key == "type":
            value = _ENUMS["type"].get(value, value) if isinstance(value, int) else value.upper()
        elif key == "properties":
            value = {name: _schema(one) for name, one in value.items()}
        elif key == "items":
            value = _schema(value)
        made[key] = value
    return made


def _pixels(data: str) -> Any:
    raw = base64.b64decode(data.replace("-", "+").replace("_", "/"))
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            return [picture.size, picture.convert("RGBA").tobytes().hex()]
    except OSError:
        return data
