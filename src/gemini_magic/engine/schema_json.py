"""JSON schemas as services take them: without noise, references and what strict modes refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

#: Keywords whose value is a schema, a list of them, or names with a schema each.
_ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
#: What only pydantic reads, or what OpenAI's strict mode refuses and nobody misses: the type
#: itself checks it. Source: OpenAI's guide "Structured outputs", supported schemas.
_NOISE = frozenset({"title", "discriminator", "uniqueItems"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
#: Characters up to which a schema may grow by having its references filled in.
_LARGE = 50_000


def each(schema: Any, change: Callable[[Any], Any]) -> Any:
    """The schema with every schema directly within it changed; names of properties are none."""
    if not isinstance(schema, Mapping):
        return schema
    changed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            changed[key] = {name: change(inner) for name, inner in value.items()}
        elif (key in _MANY or key == "items") and isinstance(value, list):
            changed[key] = [change(inner) for inner in value]
        else:
            changed[key] = change(value) if key in _ONE else value
    return changed


def tidied(schema: Mapping[str, Any], *, defaults: bool = False) -> dict[str, Any]:
    """A schema that pydantic made, for a service.

    Titles go, a constant is an enum of one, objects that say nothing else are closed, and
    references are filled in where they do not go round in circles. ``defaults`` stay if wanted.
    """

    def tidy(one: Any) -> Any:
        if not isinstance(one, Mapping):
            return one
        known = {key: value for key, value in one.items() if key not in _NOISE}
        if not defaults or known.get("default", 0) is None:
            known.pop("default", None)
        if "const" in known:
            known["enum"] = [known.pop("const")]
        if "oneOf" in known and "anyOf" not in known:
            known["anyOf"] = known.pop("oneOf")
        if known.get("format") not in _FORMATS:
            known.pop("format", None)
        if known.get("type") == "object" and "properties" in known:
            known.setdefault("additionalProperties", False)
        return each(known, tidy)

    clean: dict[str, Any] = tidy(schema)
    filled = _filled(clean)
    return filled if len(json.dumps(filled)) <= max(_LARGE, len(json.dumps(clean))) else clean


def _filled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its references to ``$defs`` filled in, but for those that recur."""
    defs: dict[str, Any] = schema.get("$defs", {})
    needs = {name: _references(body) for name, body in defs.items()}

    def reached(name: str) -> set[str]:
        found: set[str] = set()
        todo = list(needs.get(name, ()))
        while todo:
            if (one := todo.pop()) not in found:
                found.add(one)
                todo += needs.get(one, ())
        return found

    recurring = {name for name in defs if name in reached(name)}
    room = [_LARGE]  # of what two types that hold each other ten times can grow to

    def fill(one: Any) -> Any:
        if not isinstance(one, Mapping):
            return one
        name = _name(one)
        if name in defs and name not in recurring and room[0] > 0:
            room[0] -= len(str(defs[name]))
            beside = {key: value for key, value in one.items() if key != "$ref"}
            return fill({**defs[name], **beside})
        return each(one, fill)

    body = {key: value for key, value in schema.items() if key != "$defs"}
    root = _name(body)
    if root in defs:  # services want an object at the top, not a reference to one
        body = {**defs[root], **{key: value for key, value in body.items() if key != "$ref"}}
    filled: dict[str, Any] = fill(body)
    kept: dict[str, Any] = {}
    todo = _references(filled)
    while todo:
        if (name := todo.pop()) in defs and name not in kept:
            kept[name] = fill(defs[name])
            todo |= _references(kept[name])
    return {**filled, "$defs": {n: kept[n] for n in defs if n in kept}} if kept else filled


def _name(schema: Mapping[str, Any]) -> str:
    reference = schema.get("$ref")
    return reference.removeprefix("#/$defs/") if isinstance(reference, str) else ""


def _references(schema: Any) -> set[str]:
    """The names of all definitions that a schema refers to, but by its own definitions."""
    found: set[str] = set()

    def look(one: Any) -> Any:
        if isinstance(one, Mapping):
            found.add(_name(one))
            each(one, look)
        return one

    look(schema)
    return found - {""}


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether only an object fits the schema, as services want it of the whole answer."""
    seen = 0
    root = schema
    while isinstance(schema.get("$ref"), str) and seen < 20:
        found = pointed(root, schema["$ref"])
        if not isinstance(found, Mapping):
            return False
        schema, seen = found, seen + 1
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def pointed(root: Any, reference: str) -> Any:
    """What ``#/a/b`` points at within a document; None where that is nothing."""
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(root, Mapping):
            root = root.get(step)
        elif isinstance(root, list) and step.isdecimal() and int(step) < len(root):
            root = root[int(step)]
        else:
            return None
    return root


def wrapped(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object with this one property, which fits the schema."""
    place = f"#/properties/{key}"

    def move(one: Any) -> Any:
        moved = each(one, move)
        reference = moved.get("$ref") if isinstance(moved, Mapping) else None
        if isinstance(reference, str) and not reference.startswith(("#/$defs/", "#/definitions/")):
            moved["$ref"] = place + reference.removeprefix("#")
        return moved

    inner = move(schema)
    top = {name: inner.pop(name) for name in ("$schema", "$defs", "definitions") if name in inner}
    return {
        **{name: value for name, value in top.items() if name == "$schema"},
        "type": "object",
        "properties": {key: inner},
        "required": [key],
        "additionalProperties": False,
        **{name: value for name, value in top.items() if name != "$schema"},
    }
