"""What a request means, whether it was written for Google's service or for OpenAI's.

``meaning`` brings Google's body to the common form, ``plain`` OpenAI's. Taken out is what OpenAI's
chat endpoint does not have (safety settings, top_k, tools that are no functions), and what the SDKs
write of one meaning in two ways: a text alone or as the only part, a schema's titles and
references, how a picture is encoded, the ids of calls.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from tests.convert.migrate.normal import _pixels, _schema, normal

_SETTINGS = {
    "temperature": "temperature", "topP": "top_p", "candidateCount": "n", "seed": "seed",
    "maxOutputTokens": "max_tokens", "stopSequences": "stop", "responseLogprobs": "logprobs",
    "presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty",
    "logprobs": "top_logprobs",
}  # fmt: skip


def meaning(method: str, path: str, body: Any) -> dict[str, Any]:
    """Of a request to Google's service."""
    _, path, body = normal(method, path, body)
    name, _, action = path.rpartition("/")[2].rpartition(":")
    made: dict[str, Any] = {"model": name}
    if action == "streamGenerateContent":
        made["stream"] = True
    messages: list[Any] = []
    if "systemInstruction" in body:
        messages.append(("system", [_part(one) for one in body["systemInstruction"]["parts"]]))
    for turn in body["contents"]:
        messages += _turn(turn)
    made["messages"] = messages
    for name, value in body.get("generationConfig", {}).items():
        if name in _SETTINGS:
            made[_SETTINGS[name]] = value
    given = body.get("generationConfig", {})
    if "responseSchema" in given:
        made["format"] = given["responseSchema"]
        made["format"].pop("format", None)
    elif given.get("responseMimeType") == "application/json":
        made["format"] = "json"
    tools = [
        (one["name"], one.get("description", ""), one.get("parameters") or None)
        for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())
    ]  # fmt: skip
    if tools:
        made["tools"] = tools
    asked = body.get("toolConfig", {}).get("functionCallingConfig")
    if asked:
        names = asked.get("allowedFunctionNames")
        made["choice"] = names[0] if names else {"ANY": "required"}[asked["mode"]]
    return made


def _turn(turn: Any) -> list[Any]:
    role = {"model": "assistant"}.get(turn["role"], "user")
    answers = [("tool", one["functionResponse"]["name"], one["functionResponse"]["response"])
               for one in turn["parts"] if "functionResponse" in one]  # fmt: skip
    calls = [(one["functionCall"]["name"], one["functionCall"]["args"])
             for one in turn["parts"] if "functionCall" in one]  # fmt: skip
    if answers:
        return answers
    if calls:
        return [("assistant", "calls", calls)]
    return [(role, [_part(one) for one in turn["parts"]])]


def _part(part: Any) -> Any:
    if "text" in part:
        return part["text"]
    data = part["inlineData"]
    if "picture" in data:
        return data["picture"]
    return [data["mimeType"], base64.b64decode(data["data"])]


def plain(body: Any) -> dict[str, Any]:
    """Of a request to OpenAI's service."""
    made = {key: value for key, value in body.items()
            if key not in ("messages", "response_format", "tools", "tool_choice")
            and (key, value) != ("stream", False)}  # fmt: skip
    calls: dict[str, str] = {}
    messages: list[Any] = []
    for message in body["messages"]:
        content = message["content"]
        if message["role"] == "tool":
            messages.append(("tool", calls[message["tool_call_id"]], json.loads(content)))
        elif message.get("tool_calls"):
            asked = [(one["id"], one["function"]) for one in message["tool_calls"]]
            calls |= {number: function["name"] for number, function in asked}
            messages.append(("assistant", "calls", [
                (function["name"], json.loads(function["arguments"])) for _, function in asked
            ]))  # fmt: skip
        else:
            parts = [content] if isinstance(content, str) else [_given(one) for one in content]
            messages.append((message["role"], parts))
    made["messages"] = messages
    form = body.get("response_format")
    if form is not None and form["type"] != "text":
        schema = form["type"] == "json_schema"
        made["format"] = _flat(form["json_schema"]["schema"]) if schema else "json"
    if "tools" in body:
        made["tools"] = [
            (one["function"]["name"], one["function"].get("description", ""),
             _flat(one["function"]["parameters"]) if "parameters" in one["function"] else None)
            for one in body["tools"]
        ]  # fmt: skip
    chosen = body.get("tool_choice")
    if chosen is not None:
        made["choice"] = chosen if isinstance(chosen, str) else chosen["function"]["name"]
    return made


def _given(part: Any) -> Any:
    if part["type"] == "text":
        return part["text"]
    if part["type"] == "input_audio":
        audio = part["input_audio"]
        return [f"audio/{audio['format']}", base64.b64decode(audio["data"])]
    url = part["image_url"]["url"] if part["type"] == "image_url" else part["file"]["file_data"]
    found = re.fullmatch(r"data:(.*?);base64,(.*)", url)
    assert found is not None
    if part["type"] == "image_url":
        return _pixels(found[2])
    return [found[1], base64.b64decode(found[2])]


def _flat(schema: Any, known: Any = None) -> Any:
    """A schema with its references in their places."""
    known = schema.get("$defs", {}) if known is None else known

    def inner(value: Any) -> Any:
        if isinstance(value, list):
            return [inner(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inner(known[value["$ref"].rpartition("/")[2]])
        return {key: inner(one) for key, one in value.items()
                if key not in ("$defs", "additionalProperties")}  # fmt: skip

    return _schema(inner(schema))
