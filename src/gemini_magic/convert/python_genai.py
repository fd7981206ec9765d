"""Writes a prompt as a call of google-genai."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gemini_magic.config import Backend
from gemini_magic.convert import pytext
from gemini_magic.convert.library import Import
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.pytext import INDENT, OWN, call, literal

NAME = "gemini"
DEPENDENCY = "google-genai>=3.4,<4"
GENAI = Import("google", "genai")
TYPES = Import("google.genai", "types")
HISTORY = f"list[{OWN}types.Content]"


class Raw(str):
    """Python code, to be written as it is."""


def client(backend: Backend, key: str) -> tuple[str, set[Import]]:
    """The expression that makes the client; ``key`` is the expression of its key."""
    arguments: list[str] = []
    if backend.vertex is not None:
        arguments.append("enterprise=True")
        arguments.append(f"project={literal(backend.vertex.project)}")
        arguments.append(f"location={literal(backend.vertex.location)}")
    else:
        arguments.append(f"api_key={key}")
    options = call(
        f"{OWN}types.HttpOptions",
        [
            f"base_url={literal(backend.base_url or '')}",
            f"api_version={literal(backend.api_version or 'v1beta')}",
        ],
    )
    return call(f"{OWN}genai.Client", [*arguments, f"http_options={options}"]), {GENAI, TYPES}


def settings(
    plan: Plan,
    schema: str,
    declared: Mapping[str, str],
    note: Callable[[str, str], None],
) -> str:
    """The expression of the call's configuration; empty where there is nothing to say.

    ``schema`` is the expression of the JSON schema, ``declared`` that of the parameters of
    functions whose declaration is not known. Raises ``GeminiMagicError`` for what the notebook's
    cell refuses to send, too.
    """
    from gemini_magic.backends import google_settings

    google_settings.refuse(plan.request, plan.model, vertex=plan.backend.vertex is not None)
    asked = google_settings.asked(plan.request, plan.model)
    for notice in asked.notices:
        note("left-out", notice)
    fields = _given(asked.config)
    for name in ("automatic_function_calling", "automatic_continuation"):
        fields.pop(name, None)  # the helper that asks sees to these
    if plan.system is not None:
        fields["system_instruction"] = Raw(pytext.text_expression(plan.system, INDENT))
    if schema:
        fields["response_json_schema"] = Raw(schema)
    if not fields:
        return ""
    return _written(f"{OWN}types.GenerateContentConfig", fields, declared, "")


def _given(model: Any) -> dict[str, Any]:
    """The fields of a model of the SDK that say something, in its order."""
    found = {name: getattr(model, name) for name in type(model).model_fields}
    return {name: value for name, value in found.items() if value is not None}


def _written(name: str, fields: Mapping[str, Any], declared: Mapping[str, str], indent: str) -> str:
    inner = indent + INDENT
    given = [f"{key}={_value(value, declared, inner)}" for key, value in fields.items()]
    flat = f"{name}({', '.join(given)})"
    if "\n" not in flat and len(flat) + len(indent) <= pytext.NESTED:
        return flat
    rows = "".join(f"{inner}{row},\n" for row in given)
    return f"{name}(\n{rows}{indent})"


def _value(value: Any, declared: Mapping[str, str], indent: str) -> str:
    from enum import Enum

    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Enum):
        return f"{OWN}types.{type(value).__name__}.{value.name}"
    if hasattr(type(value), "model_fields"):
        fields = _given(value)
        if fields.get("name") in declared:
            fields["parameters_json_schema"] = Raw(declared[fields["name"]])
            fields.pop("description", None)
        return _written(f"{OWN}types.{type(value).__name__}", fields, declared, indent)
    if isinstance(value, list) and any(
        hasattr(type(one), "model_fields") or isinstance(one, Enum) for one in value
    ):
        inner = indent + INDENT
        rows = "".join(f"{inner}{_value(one, declared, inner)},\n" for one in value)
        return f"[\n{rows}{indent}]"
    return pytext.value(value, indent)
