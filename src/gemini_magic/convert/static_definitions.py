"""Classes and functions of a notebook's code, made anew from what is written of them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any, Protocol

#: Decorators that leave a signature as it is.
_HARMLESS = frozenset({"cache", "lru_cache", "staticmethod"})


class Unknown(Exception):
    """Something cannot be told from the code alone; the message says what."""


class Reader(Protocol):
    """What tells of the code what its expressions stand for. Raises ``Unknown``."""

    def type_of(self, node: ast.AST) -> Any: ...

    def default_of(self, node: ast.expr) -> Any: ...


def class_of(code: Reader, node: ast.ClassDef) -> Any:
    """A class with the fields or members of the notebook's. Raises ``Unknown``."""
    import enum
    import typing

    import pydantic

    made: Any
    bases = tuple(code.type_of(base) for base in node.bases)
    doc = ast.get_docstring(node, clean=False)
    decorators = [ast.unparse(one).partition("(")[0] for one in node.decorator_list]
    keywords = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
    if not bases and len(decorators) == 1 and decorators[0].endswith("dataclass"):
        return _dataclass(code, node, doc)
    if decorators or not bases:
        raise Unknown(f"the class {node.name} is of no well-known kind")
    if isinstance(bases[-1], enum.EnumMeta):
        return _enum(node, bases, doc)
    if bases[0] is typing.NamedTuple:
        fields = _fields(code, node)
        if any(default is not inspect.Parameter.empty for _, default in fields.values()):
            raise Unknown(f"{node.name} has defaults")
        make: Any = typing.NamedTuple
        made = make(node.name, [(n, hint) for n, (hint, _) in fields.items()])
    elif len(bases) == 1 and getattr(bases[0], "__name__", "") == "TypedDict":
        import typing_extensions

        fields = _fields(code, node)
        make = typing_extensions.TypedDict
        made = make(node.name, {n: hint for n, (hint, _) in fields.items()}, **keywords)
    elif len(bases) == 1 and isinstance(bases[0], type) and issubclass(
        bases[0], pydantic.BaseModel
    ):  # fmt: skip
        if keywords:
            raise Unknown(f"{node.name} is configured")
        given: dict[str, Any] = {
            name: (hint, ... if default is inspect.Parameter.empty else default)
            for name, (hint, default) in _fields(code, node).items()
        }
        made = pydantic.create_model(node.name, __base__=bases[0], __doc__=doc, **given)
    else:
        raise Unknown(f"the class {node.name} is of no well-known kind")
    made.__doc__ = doc
    return made


def _fields(code: Reader, node: ast.ClassDef) -> dict[str, tuple[Any, Any]]:
    fields: dict[str, tuple[Any, Any]] = {}
    for one in node.body:
        match one:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=hint, value=value):
                default = inspect.Parameter.empty if value is None else code.default_of(value)
                fields[name] = code.type_of(hint), default
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.FunctionDef():
                pass
            case _:
                raise Unknown(f"{node.name} holds more than fields")
    return fields


def _enum(node: ast.ClassDef, bases: tuple[Any, ...], doc: str | None) -> Any:
    import types

    members: dict[str, Any] = {}
    for one in node.body:
        match one:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                members[name] = ast.literal_eval(value)
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.FunctionDef():
                pass
            case _:
                raise Unknown(f"{node.name} holds more than members")

    def fill(namespace: dict[str, Any]) -> None:
        for name, value in members.items():
            namespace[name] = value

    made = types.new_class(node.name, bases, {}, fill)
    if doc is not None:
        made.__doc__ = doc
    return made


def _dataclass(code: Reader, node: ast.ClassDef, doc: str | None) -> Any:
    import dataclasses

    fields: list[Any] = [
        (name, hint) if default is inspect.Parameter.empty else (name, hint, default)
        for name, (hint, default) in _fields(code, node).items()
    ]
    made = dataclasses.make_dataclass(node.name, fields)
    made.__doc__ = doc if doc is not None else made.__doc__
    return made


def function_of(code: Reader, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Callable[..., Any]:
    """A function with the signature and the docstring of the notebook's. Raises ``Unknown``."""
    for decorator in node.decorator_list:
        if ast.unparse(decorator).partition("(")[0].rpartition(".")[2] not in _HARMLESS:
            raise Unknown(f"{node.name} is decorated")
    empty, kinds = inspect.Parameter.empty, inspect.Parameter
    given = node.args
    made: list[inspect.Parameter] = []
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    defaults += given.defaults
    rows = [
        *((arg, default, kinds.POSITIONAL_ONLY if arg in given.posonlyargs
           else kinds.POSITIONAL_OR_KEYWORD)
          for arg, default in zip(plain, defaults, strict=True)),
        *([(given.vararg, None, kinds.VAR_POSITIONAL)] if given.vararg else []),
        *((arg, default, kinds.KEYWORD_ONLY)
          for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)),
        *([(given.kwarg, None, kinds.VAR_KEYWORD)] if given.kwarg else []),
    ]  # fmt: skip
    for arg, default, kind in rows:
        value = empty if default is None else code.default_of(default)
        hint = empty if arg.annotation is None else code.type_of(arg.annotation)
        made.append(kinds(arg.arg, kind, default=value, annotation=hint))

    def stub(*args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    stub.__name__ = node.name
    stub.__doc__ = ast.get_docstring(node, clean=False)
    stub.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    return stub
