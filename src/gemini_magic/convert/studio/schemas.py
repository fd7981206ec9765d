"""AI Studio's schemas (OpenAPI's, with types in capitals) as JSON schemas, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gemini_magic.convert.studio import values

_TYPES = {"OBJECT", "ARRAY", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "NULL"}
#: Bounds, which protocol buffers write as text.
_BOUNDS = ("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength")
_DEEPEST = 60


def json_schema(schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A JSON schema that says the same; properties stand in ``propertyOrdering``'s order."""
    made: dict[str, Any] = {}
    if depth > _DEEPEST:
        return made
    kind = values.text(schema.get("type"))
    if kind.upper() in _TYPES:
        made["type"] = kind.lower()
    for key, value in schema.items():
        if key in ("type", "nullable", "propertyOrdering", "property_ordering", "example"):
            continue
        if key == "properties" and isinstance(value, Mapping):
            made[key] = {
                name: json_schema(values.mapping(value[name]), depth + 1)
                for name in _ordered(schema, value)
            }
        elif key == "items" and isinstance(value, Mapping):
            made[key] = json_schema(value, depth + 1)
        elif key in ("anyOf", "any_of"):
            made["anyOf"] = [json_schema(one, depth + 1) for one in values.mappings(value)]
        elif key in _BOUNDS:
            if (bound := values.whole(value)) is not None:
                made[key] = bound
        elif key == "format" and value == "enum":
            continue  # it says so itself
        else:
            made[key] = value
    if schema.get("nullable") is True and "type" in made:
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    return made


def _ordered(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> list[str]:
    wanted = schema.get("propertyOrdering", schema.get("property_ordering"))
    order = [name for name in values.texts(wanted) if name in properties]
    return list(dict.fromkeys([*order, *properties]))


def studio_schema(text: str) -> Any:
    """The schema of a cell's option in AI Studio's words; None for what is no JSON."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _studio(schema) if isinstance(schema, Mapping) else None


def _studio(schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if depth > _DEEPEST:
        return made
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            names = [name for name in values.texts(value) if name != "null"]
            made["type"] = names[0].upper() if names else "NULL"
            made["nullable"] = "null" in value
        elif key == "type":
            made["type"] = str(value).upper()
        elif key == "properties" and isinstance(value, Mapping):
            made[key] = {
                name: _studio(values.mapping(one), depth + 1) for name, one in value.items()
            }
            made["propertyOrdering"] = list(value)
        elif key == "items" and isinstance(value, Mapping):
            made[key] = _studio(value, depth + 1)
        elif key == "anyOf":
            made[key] = [_studio(one, depth + 1) for one in values.mappings(value)]
        elif key not in ("additionalProperties", "$schema"):
            made[key] = value
    return made
