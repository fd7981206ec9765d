"""One function as a model sees it: its declaration, and a call's JSON as its arguments."""

from __future__ import annotations

import functools
import inspect
import json
import math
import re
import sys
import typing
from collections.abc import Callable
from typing import Annotated, Any

from gemini_magic.engine.schema_types import adapter, document, modern, one_line, read, record
from gemini_magic.engine.tool_docs import describe
from gemini_magic.errors import UsageError
from gemini_magic.types import Tool

_EMPTY = inspect.Parameter.empty
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Function:
    """A function of the user's. Raises ``UsageError`` for one that no model can call.

    ``*args`` and ``**kwargs`` are left empty, and a parameter of a type that JSON cannot say keeps
    its default. A parameter without a hint takes what its default is, or any JSON.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.function = function
        wire_name = _wire_name(name)
        if not callable(function):
            raise _refused(name, f"is no function ({type(function).__name__})")
        try:
            signature = inspect.signature(function)
        except (ValueError, TypeError):
            raise _refused(name, "does not say which parameters it has", wrap=True) from None
        if _takes_anything(signature):
            raise _refused(name, "does not name its parameters (*args, **kwargs)", wrap=True)
        self._signature = signature
        inner = _unwrapped(function)
        self.is_async = inspect.iscoroutinefunction(inner)
        described = describe(inspect.getdoc(_documented(function)))
        fields = _fields(name, inner, signature, described.parameters)
        self._reader = adapter(record(wire_name, fields, closed=True))
        try:
            schema = document(self._reader)
        except Exception as error:
            raise _refused(name, one_line(f"has hints that JSON cannot say: {error}")) from error
        for key, hint in schema.get("properties", {}).items():
            default = signature.parameters[key].default
            if type(default) in (str, int, bool) or (
                type(default) is float and math.isfinite(default)
            ):
                hint["default"] = default
        schema.pop("description", None)
        schema.setdefault("properties", {})
        parameters = json.dumps(schema, ensure_ascii=False)
        self.tool = Tool(wire_name, described.summary, parameters)

    def bind(self, arguments: str) -> inspect.BoundArguments:
        """The arguments of a call, as the hints want them. Raises ``Misfit``."""
        given = read(self._reader, arguments.strip() or "{}")
        bound = inspect.BoundArguments(self._signature, given)
        bound.apply_defaults()
        return bound


def _refused(name: str, why: str, hint: str = "", *, wrap: bool = False) -> UsageError:
    if wrap:
        hint = f"Wrap it: def {_wire_name(name)}(query: str): ..."
    return UsageError(f"--tools {name}: it {why}; nothing was sent.", hint)


def _wire_name(name: str) -> str:
    """The name as both wires take it: letters, digits, _ and -, not a digit first."""
    wire_name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    if not re.match(r"[a-zA-Z_]", wire_name):
        wire_name = f"_{wire_name}"
    if len(wire_name) > 64:
        raise UsageError(
            f"--tools {name[:40]}…: services take names of up to 64 characters; nothing was sent.",
            "Give it a shorter name: short = the_long_name",
        )
    return wire_name


def _takes_anything(signature: inspect.Signature) -> bool:
    kinds = [one.kind for one in signature.parameters.values()]
    return bool(kinds) and all(kind in _STARRED for kind in kinds)


def _unwrapped(function: Any) -> Any:
    """What holds the code and the hints: behind partials, decorators, methods and objects."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if inspect.isclass(function):
        return function.__init__ if "__init__" in dir(function) else function
    if not (inspect.isroutine(function)) and hasattr(type(function), "__call__"):  # noqa: B004
        return inspect.unwrap(type(function).__call__)
    return getattr(function, "__func__", function)


def _documented(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _fields(
    name: str, inner: Any, signature: inspect.Signature, texts: dict[str, str]
) -> dict[str, Any]:
    """The parameters that a model can give, as the fields of a type."""
    import typing_extensions
    from pydantic import Field

    fields: dict[str, Any] = {}
    for key, parameter in signature.parameters.items():
        if parameter.kind in _STARRED:
            continue
        optional = parameter.default is not _EMPTY
        try:
            hint = _hint(parameter, inner)
            document(adapter(hint))
        except Exception as error:
            if optional:
                continue
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _refused(
                name,
                one_line(f"has a parameter {key!r} of a type that JSON cannot say ({why[:120]})"),
                f"Give {key} a default, or a hint such as str, int or list[str].",
            ) from error
        if text := texts.get(key):
            metadata = getattr(hint, "__metadata__", ())
            if not any(getattr(one, "description", None) for one in metadata):
                hint = Annotated[hint, Field(description=text)]
        fields[key] = typing_extensions.NotRequired[hint] if optional else hint
    return fields


def _hint(parameter: inspect.Parameter, inner: Any) -> Any:
    """What a parameter takes: its hint, or what its default is."""
    default = parameter.default
    if parameter.annotation is _EMPTY:
        if type(default) in (int, float):
            return int | float
        return type(default) if type(default) in (str, bool) else Any

    def probe() -> None: ...

    probe.__annotations__ = {"it": parameter.annotation}
    names = getattr(inner, "__globals__", None)
    if names is None:
        names = vars(sys.modules.get(getattr(inner, "__module__", None) or "", typing))
    # Types of the function's own surroundings are in its closure only if it uses them.
    closure = getattr(inner, "__closure__", None) or ()
    local = dict(zip(inner.__code__.co_freevars, closure, strict=True)) if closure else {}
    local = {key: cell.cell_contents for key, cell in local.items() if _is_filled(cell)}
    hint = typing.get_type_hints(probe, dict(names), local, include_extras=True)["it"]
    hint = modern(hint)
    return typing.Optional[hint] if default is None else hint  # noqa: UP045


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
