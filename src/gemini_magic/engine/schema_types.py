"""Python types as JSON schemas, and JSON read as their values; all that touches pydantic."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gemini_magic.engine.schema_json import tidied
from gemini_magic.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: Characters of a value that an error shows.
_SHOWN = 60


class Misfit(Exception):
    """An answer is none of the type; the message is the first thing that is wrong, in one line."""


def adapter(kind: Any) -> TypeAdapter[Any]:
    """What reads JSON as values of a type. Raises whatever pydantic says of one it cannot read."""
    from pydantic import TypeAdapter

    return kind if isinstance(kind, TypeAdapter) else TypeAdapter(modern(kind))


def document(reader: TypeAdapter[Any], *, defaults: bool = False) -> dict[str, Any]:
    """The type's JSON schema, for a service."""
    return tidied(reader.json_schema(schema_generator=_generator()), defaults=defaults)


def read(reader: TypeAdapter[Any], text: str) -> Any:
    """JSON text as a value of the type. Raises ``Misfit``."""
    from pydantic import ValidationError

    try:
        return reader.validate_json(text)
    except ValidationError as error:
        raise Misfit(problem(error)) from None
    except RecursionError:
        raise Misfit("it is nested too deeply") from None
    except Exception as error:  # a validator of the user's own
        raise Misfit(one_line(f"{type(error).__name__}: {error}")) from None


def problem(error: Any) -> str:
    """The first thing that pydantic found wrong, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    where, kind, said = path_of(first["loc"]), first["type"], first["msg"]
    if kind == "json_invalid":
        return one_line("no JSON: " + said.removeprefix("Invalid JSON: "))
    if kind in ("missing", "missing_argument"):
        text = "is missing"
    elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
        text = "is not known here"
    else:
        text = said.removeprefix("Input ").removeprefix("Value error, ")
        text = f"{text.partition(', unable to parse')[0]}, got {shown(first['input'])}"
    return one_line(f"{where}: {text}" if where else text)


def path_of(steps: typing.Iterable[Any]) -> str:
    """``items[2].age`` for its steps."""
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def shown(value: Any) -> str:
    """A value of an answer, in a few characters."""
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def one_line(text: str, limit: int = 400) -> str:
    """Text that can be sent and shown: one line, not long, no half characters."""
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def modern(kind: Any, _within: tuple[Any, ...] = ()) -> Any:
    """The type with each ``typing.TypedDict`` as pydantic can read it before Python 3.12.

    That asks for the one of ``typing_extensions``, which knows more of itself.
    Source: pydantic's usage errors, "typed-dict-version".
    """
    if sys.version_info >= (3, 12):
        return kind
    import typing_extensions

    if isinstance(kind, type) and type(kind).__module__ == "typing" and typing.is_typeddict(kind):
        if kind in _within:
            raise UsageError(
                f"{kind.__name__} holds itself, which this Python's TypedDict cannot say; "
                "nothing was sent.",
                "run: from typing_extensions import TypedDict",
            )
        required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        fields: dict[str, Any] = {}
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
                hint = typing.get_args(hint)[0]
            inner = modern(hint, (*_within, kind))
            fields[name] = inner if name in required else typing_extensions.NotRequired[inner]
        make: Any = typing_extensions.TypedDict
        made = make(kind.__name__, fields)
        made.__doc__ = kind.__doc__
        made.__module__ = kind.__module__
        return made
    arguments = typing.get_args(kind)
    if not arguments or typing.get_origin(kind) is typing.Literal:
        return kind
    newer = tuple(modern(one, _within) if not isinstance(one, list) else one for one in arguments)
    if all(new is old for new, old in zip(newer, arguments, strict=True)):
        return kind
    origin: Any = typing.get_origin(kind)
    if origin is typing.Annotated:
        return typing.Annotated[(newer[0], *kind.__metadata__)]
    if hasattr(kind, "copy_with"):
        return kind.copy_with(newer)
    return typing.Union[newer] if origin is _UNION else origin[newer]  # noqa: UP007


_UNION: Any = type(int | str)


def record(name: str, fields: Mapping[str, Any], *, closed: bool = False) -> Any:
    """A type whose values are dicts with these fields; ``closed`` refuses any other."""
    import typing_extensions
    from pydantic import ConfigDict

    make: Any = typing_extensions.TypedDict
    made = make(name, dict(fields))
    if closed:
        made.__pydantic_config__ = ConfigDict(extra="forbid")
    return made


_made: Any = None


def _generator() -> Any:
    """pydantic's writer of schemas, as models answer best: named tuples with names, plain numbers.

    pydantic reads a named tuple from an object as well as from a list.
    """
    global _made
    if _made is None:
        from pydantic.json_schema import GenerateJsonSchema

        class Generator(GenerateJsonSchema):
            # Until pydantic 2.12 a named tuple was written as the arguments of a call.
            def p_arguments_schema(self, arguments: Any, var_args_schema: Any) -> dict[str, Any]:
                return self.kw_arguments_schema(arguments, None)

            def named_tuple_schema(self, schema: Any) -> dict[str, Any]:
                fields = schema["fields"]
                return {
                    "type": "object",
                    "properties": {
                        one["name"]: self.generate_inner(one["schema"]) for one in fields
                    },
                    "required": [
                        one["name"] for one in fields if one["schema"]["type"] != "default"
                    ],
                }

            def decimal_schema(self, schema: Any) -> dict[str, Any]:
                bounds = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum",
                          "lt": "exclusiveMaximum"}  # fmt: skip
                given = {new: float(schema[old]) for old, new in bounds.items() if old in schema}
                return {"type": "number", **given}

        _made = Generator
    return _made
