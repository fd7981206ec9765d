"""Reads what a request brings along, and says what is wrong with it without repeating it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gemini_magic.server.desk import Given, Refused
from gemini_magic.server.schemas import Schema, fields
from gemini_magic.server.table import Route

_KINDS = {"string": "a text", "integer": "a whole number", "number": "a number",
          "boolean": "true or false", "object": "an object", "array": "a list"}  # fmt: skip


def given(
    route: Route, names: Mapping[str, str], query: Mapping[str, Sequence[str]], content: bytes
) -> Given:
    """What came, checked against the route's schemas. Raises ``Refused``."""
    params: dict[str, Any] = dict(names)
    found: dict[str, Any] = {name: texts[-1] for name, texts in query.items() if texts}
    for name, schema in route.query.items():
        text = found.get(name, "")
        if schema.get("type") == "integer" and text.isascii() and text.isdigit() and len(text) < 9:
            found[name] = int(text)
    _check(found, fields({}, route.query))
    return Given({**params, **found}, _body(route, content))


def _body(route: Route, content: bytes) -> dict[str, Any]:
    if len(content) > route.limit:
        raise Refused(f"that is more than {route.limit // 1000:,} kB.", status=413)
    if route.body is None:
        if content.strip() not in (b"", b"{}"):
            raise Refused("this takes no body.")
        return {}
    try:
        body = json.loads(content or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON.") from None
    _check(body, route.body)
    checked: dict[str, Any] = body
    return checked


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check(value: Any, schema: Schema) -> None:
    """Raise ``Refused`` for the first thing that does not fit; its value may be a key."""
    problem = next(Draft202012Validator(schema).iter_errors(value), None)
    if problem is not None:
        raise Refused(_words(problem))


def _words(problem: ValidationError) -> str:
    where = ".".join(map(str, problem.absolute_path))[:80] or "the request"
    said: Any = problem.validator_value
    match problem.validator:
        case "required":
            missing = [name for name in said if name not in problem.instance]
            return f"{where} lacks {', '.join(missing)}."
        case "additionalProperties":
            known = problem.schema["properties"]
            unknown = [name for name in problem.instance if name not in known]
            return f"{where} has no field {unknown[0][:40]!r}; known: {', '.join(known) or 'none'}."
        case "type":
            return f"{where} should be {_KINDS.get(said, said)}."
        case "enum":
            return f"{where} should be one of {', '.join(map(str, said))}."
        case "maxLength" | "maxItems" | "maximum":
            return f"{where} should have {said:,} at most."
        case "minLength" | "minItems" | "minimum":
            return f"{where} should have {said:,} at least."
        case _:
            return f"{where} is not what it should be."
