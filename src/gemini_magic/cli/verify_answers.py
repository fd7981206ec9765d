"""What the recording server answers: always the same text, or JSON that fits the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

TEXT = "This is a recorded answer."
#: Nested deeper than this, a schema says nothing that a notebook could want.
_DEPTH = 12
#: What fits a text of a format.
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}


def text_for(body: Any) -> str:
    """The text that answers a request of either wire."""
    asked = body if isinstance(body, Mapping) else {}
    gemini = _mapping(asked.get("generationConfig"))
    form = _mapping(asked.get("response_format"))
    schema = gemini.get("responseJsonSchema", gemini.get("responseSchema"))
    if form.get("type") == "json_schema":
        schema = _mapping(form.get("json_schema")).get("schema")
    if isinstance(schema, Mapping):
        return json.dumps(fitting(schema), ensure_ascii=False)
    wants = gemini.get("responseMimeType") == "application/json"
    return "{}" if wants or form.get("type") == "json_object" else TEXT


def fitting(schema: Mapping[str, Any]) -> Any:
    """A value that fits a JSON schema, the same one each time; its optional parts are left out."""
    return _value(schema, schema, _DEPTH)


def _value(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth <= 0:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_followed(reference, root), root, depth - 1)
    if "const" in schema:
        return schema["const"]
    for name in ("enum", "examples"):
        if isinstance(given := schema.get(name), Sequence) and given:
            return given[0]
    if "default" in schema:
        return schema["default"]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(given := schema.get(name), Sequence) and given:
            others = {key: value for key, value in schema.items() if key != name}
            merged = {**others, **_mapping(given[0])}
            if name == "allOf":
                merged = _together([others, *map(_mapping, given)], root)
            return _value(merged, root, depth - 1)
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kind = next((one for one in kind if one != "null"), "null")
    kind = str(kind).lower() if kind else "object" if "properties" in schema else "string"
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, kind)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _text(schema)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = _mapping(schema.get("properties"))
    required = schema.get("required")
    names = required if isinstance(required, Sequence) else [*properties]
    return {
        name: _value(properties.get(name, {}), root, depth - 1)
        for name in names
        if isinstance(name, str)
    }


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Any]:
    first = schema.get("prefixItems")
    if isinstance(first, Sequence):
        return [_value(one, root, depth - 1) for one in first]
    least = _whole(schema.get("minItems"), 1)
    most = _whole(schema.get("maxItems"), 100)
    return [_value(schema.get("items", {}), root, depth - 1)] * max(0, min(least, most, 100))


def _number(schema: Mapping[str, Any], kind: str) -> float:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, int | float):
        least = above + 1
    if isinstance(below, int | float):
        most = below - 1
    found: float = 1
    if isinstance(least, int | float):
        found = max(found, least)
    if isinstance(most, int | float):
        found = min(found, most)
    return int(found) if kind == "integer" else found


def _text(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    least, most = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), len(text))
    return text.ljust(min(least, 10_000), ".")[: max(most, least)]


def _followed(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference within the schema (``#/$defs/Name``) names."""
    place: Any = root
    for word in reference.removeprefix("#").strip("/").split("/"):
        word = word.replace("~1", "/").replace("~0", "~")
        place = _mapping(place).get(word) if word else place
    return place


def _together(schemas: Sequence[Mapping[str, Any]], root: Mapping[str, Any]) -> dict[str, Any]:
    """Schemas that hold all at once, as one."""
    made: dict[str, Any] = {}
    for one in schemas:
        reference = one.get("$ref")
        given = _mapping(_followed(reference, root)) if isinstance(reference, str) else one
        properties = {**_mapping(made.get("properties")), **_mapping(given.get("properties"))}
        required = [*(made.get("required") or []), *(given.get("required") or [])]
        made |= given
        if properties:
            made["properties"] = properties
            made["required"] = list(dict.fromkeys(required or properties))
    return made


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise
