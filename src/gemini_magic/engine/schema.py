"""What ``--schema`` names: a JSON schema for the service, and the check of what came back."""

from __future__ import annotations

import ast
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gemini_magic.engine.schema_frame import frame
from gemini_magic.engine.schema_json import is_object, pointed, wrapped
from gemini_magic.engine.schema_text import candidates, complaint, loads
from gemini_magic.engine.schema_types import Misfit, one_line, path_of
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.types import Message, Part, Reply, Request

__all__ = ["Misfit", "Schema", "frame", "repair", "schema_for", "schema_of"]

_BUILT_IN: dict[str, Any] = {
    one.__name__: one for one in (str, int, float, bool, list, dict, set, tuple)
}
#: A dict without any of these fits everything: it was meant as something else.
_KEYWORDS = frozenset(
    {
        *("type", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "not", "$ref"),
        *("required", "additionalProperties", "prefixItems", "patternProperties", "pattern"),
        *("format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    }
)


class Schema:
    """A type that an answer has to fit.

    ``document`` is the JSON schema as JSON text, in its author's key order; ``name`` what people
    call it. Services want an object at the top, so a type of anything else is wrapped in one.
    """

    __slots__ = ("_check", "_key", "document", "name")

    def __init__(self, name: str, schema: Mapping[str, Any], check: Callable[[str], Any]) -> None:
        self._check = check
        self._key = ""
        if not is_object(schema):
            self._key = "items" if schema.get("type") == "array" else "value"
            schema = wrapped(schema, self._key)
        self.name = name
        self.document = json.dumps(schema, ensure_ascii=False, allow_nan=False)

    def read(self, text: str) -> Any:
        """The answer as an object of the type. Raises ``Misfit``."""
        first: Misfit | None = None
        for form in self._forms(text):
            try:
                return self._check(form)
            except Misfit as misfit:
                first = first or misfit
        raise first or Misfit(one_line(f"no JSON: {complaint(text)}"))

    def _forms(self, text: str) -> typing.Iterator[str]:
        """The JSON texts that the answer can be read as, the likeliest first."""
        for candidate in candidates(text):
            if self._key and candidate.startswith("{"):
                value = loads(candidate)
                if isinstance(value, dict) and list(value) == [self._key]:
                    yield json.dumps(value[self._key])
            yield candidate
        if self._key == "value" and text.strip():
            yield json.dumps(text.strip())  # a word that nothing was put around


def schema_of(given: str, evaluate: Callable[[str], Any]) -> Schema:
    """What the option's text stands for.

    That is JSON, a Python expression (a type, or a JSON schema as dict or text), the short form
    ``name, age int, tags list``, or one of these in brackets, for a list of it. ``evaluate`` gives
    an expression's value. Raises ``UsageError``.
    """
    return schema_for(_meant(given.strip(), evaluate), " ".join(given.split()))


def schema_for(value: Any, name: str = "") -> Schema:
    """The schema of a type, of a JSON schema as dict or text, or of a short form.

    Raises ``UsageError``.
    """
    if isinstance(value, str):
        value = _meant_by_text(value)
    name = (name or getattr(value, "__name__", "") or type(value).__name__)[:60]
    if isinstance(value, Mapping):
        return _json_schema(value, name)
    from gemini_magic.engine import schema_types

    if not _is_type(value):
        raise UsageError(
            f"--schema {name} is a value ({type(value).__name__}), no type; nothing was sent.",
            "It takes a type, a JSON schema, or a short form such as 'name, age int'.",
        )
    try:
        reader = schema_types.adapter(value)
        document = schema_types.document(reader)
    except UsageError:
        raise
    except Exception as error:  # whatever pydantic makes of a type
        raise UsageError(
            one_line(f"--schema {name} cannot be asked for: {str(error).splitlines()[0]}")
            + "; nothing was sent.",
            "Types that can: pydantic models, dataclasses, TypedDict, Enum, Literal, list[...]",
        ) from error
    return Schema(name, document, lambda text: schema_types.read(reader, text))


def repair(request: Request, reply: Reply, problem: str) -> Request:
    """The request that asks once more, after an answer that did not fit: for ``--repair``.

    ``problem`` is the ``Misfit``'s message. All else stays as it was, tools included.
    """
    said = reply.exchanged
    if not said or said[-1].role != "model":
        said = (*said, Message("model", (Part(text=reply.text or "(nothing)"),)))
    asked = (
        f"Your answer does not fit the JSON schema: {one_line(problem)}. "
        "Give the whole answer again, corrected, as JSON that fits the schema, and nothing else."
    )
    messages = (*request.messages, *said, Message("user", (Part(text=asked),)))
    return replace(request, messages=messages)


# --- what the words stand for --------------------------------------------------------------------


def _meant(text: str, evaluate: Callable[[str], Any]) -> Any:
    """A type or a JSON schema (a dict)."""
    if not text:
        raise UsageError("--schema is empty; nothing was sent.", "Help: --schema 'name, age int'")
    if text[0] in "{[":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
    if text[0] == "[" and text[-1] == "]":
        return _many(_meant(text[1:-1].strip(), evaluate))
    if not _is_expression(text):
        if text[0] == "{":
            raise UsageError(
                one_line(f"--schema is no JSON: {complaint(text)}") + "; nothing was sent."
            )
        from gemini_magic.engine.schema_short import kind_of

        return kind_of(text)
    try:
        value = evaluate(text)
    except Exception as error:
        if text in _BUILT_IN:
            return _BUILT_IN[text]
        raise _not_there(text, error) from error
    return _meant_by_text(value) if isinstance(value, str) else value


def _meant_by_text(text: str) -> Any:
    """What text in a variable stands for; it is not evaluated."""

    def never(expression: str) -> Any:
        raise UsageError(f"{expression[:40]!r} is neither a JSON schema nor a short form of one.")

    return _meant(text.strip(), never)


def _is_expression(text: str) -> bool:
    """Whether this is Python; ``name, age`` is, too, but a tuple is no type."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not isinstance(tree, ast.Tuple)


def _not_there(text: str, error: Exception) -> UsageError:
    if isinstance(error, GeminiMagicError):
        what, hint = error.what, error.next_step
    else:
        what, hint = one_line(f"{type(error).__name__}: {error}"), ""
    if text.isidentifier():
        hint = f"{hint} If it is the one field of the answer: --schema '{text} str'".strip()
    elif not hint and what.endswith("is not defined; nothing was sent."):
        hint = "Run the cell that defines it first; or say the fields: --schema 'name, age int'"
    what = what.removesuffix("; nothing was sent.").removesuffix(".")
    return UsageError(f"--schema {text[:40]}: {what}; nothing was sent.", hint)


def _many(one: Any) -> Any:
    if isinstance(one, Mapping):
        return {"type": "array", "items": one}
    if not _is_type(one):
        return one  # ``schema_for`` says what it is
    return list[one]


def _is_type(value: Any) -> bool:
    return (
        isinstance(value, type)
        or typing.get_origin(value) is not None
        or value is Any
        or type(value).__module__ in ("typing", "typing_extensions")
        or type(value).__name__ == "TypeAdapter"
    )


# --- JSON schemas of the user's own --------------------------------------------------------------


def _json_schema(schema: Mapping[str, Any], name: str) -> Schema:
    """A JSON schema that is sent as it is. Raises ``UsageError``."""
    from jsonschema import SchemaError, validators
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    if schema and not _KEYWORDS & {key for key in schema if isinstance(key, str)}:
        raise UsageError(
            f"--schema {name}: this dict is no JSON schema, it says nothing of a type; "
            "nothing was sent.",
            'For example: --schema {"type": "object", "properties": {"name": {"type": "string"}}}',
        )
    try:
        plain = json.loads(json.dumps(schema, ensure_ascii=False, allow_nan=False))
        for reference in _references(plain):
            if not reference.startswith("#") or pointed(plain, reference) is None:
                raise ValueError(f"{reference} points at nothing within it")
        validator = validators.validator_for(plain, default=validators.Draft202012Validator)
        validator.check_schema(plain)
        checker = validator(plain, registry=REGISTRY)
        made = Schema(name, plain, lambda text: _fitting(checker, text))
    except SchemaError as error:
        where = path_of(error.absolute_path)
        said = f"{where}: {error.message}" if where else error.message
    except RecursionError:
        said = "it is nested too deeply"
    except (TypeError, ValueError) as error:
        said = str(error)
    else:
        return made
    raise UsageError(one_line(f"--schema {name} is no JSON schema: {said}") + "; nothing was sent.")


def _references(schema: Any) -> typing.Iterator[str]:
    todo = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                yield one["$ref"]
            todo += [value for key, value in one.items() if key not in ("enum", "const", "default")]
        elif isinstance(one, list):
            todo += one


def _fitting(checker: Any, text: str) -> Any:
    """The JSON value, if it fits."""
    try:
        value = loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
        wrong = next(checker.iter_errors(value), None)
    except RecursionError:
        raise Misfit("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise Misfit("it holds half a character") from None
    except Exception as error:  # a pattern that is none, a number that is none
        raise Misfit(one_line(f"{type(error).__name__}: {error}")) from None
    if wrong is None:
        return value
    where, said = path_of(wrong.absolute_path), wrong.message
    if len(said) > 200:  # it shows the whole value
        said = f"does not fit {wrong.validator!r}"
    raise Misfit(one_line(f"{where}: {said}" if where else said))
