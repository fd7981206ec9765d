"""The types and signatures that a notebook's code writes down, made without running that code.

A schema or a function's declaration has to be the one that the notebook sends, and the notebook's
code is not ours to run. So its classes and signatures are made anew from the syntax tree, as far
as they are built of well-known types and literals; of all else nothing is known.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import Any

from gemini_magic.convert.static_definitions import Unknown, class_of, function_of
from gemini_magic.convert.steps import Code

#: What may be used of which module.
_ALLOWED: dict[str, frozenset[str]] = {
    "typing": frozenset(
        {"Any", "Optional", "Union", "Literal", "List", "Dict", "Tuple", "Set", "Annotated",
         "TypedDict", "NamedTuple", "Required", "NotRequired", "Sequence", "Mapping", "Iterable"}
    ),
    "typing_extensions": frozenset(
        {"Any", "Literal", "Annotated", "TypedDict", "Required", "NotRequired"}
    ),
    "collections.abc": frozenset({"Sequence", "Mapping", "Iterable"}),
    "enum": frozenset({"Enum", "IntEnum", "StrEnum"}),
    "pydantic": frozenset({"BaseModel", "Field"}),
    "dataclasses": frozenset({"dataclass", "field"}),
    "datetime": frozenset({"date", "datetime", "time", "timedelta"}),
    "decimal": frozenset({"Decimal"}),
    "uuid": frozenset({"UUID"}),
}  # fmt: skip
_BUILTINS = frozenset({"str", "int", "float", "bool", "list", "dict", "tuple", "set", "bytes",
                       "frozenset", "object"})  # fmt: skip
_DEEPEST = 20


class Static:
    """What the code says up to some place; ``add`` goes on to the next."""

    def __init__(self) -> None:
        self._nodes: dict[str, ast.AST] = {}
        self._imports: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._making: list[str] = []

    def add(self, code: Code) -> None:
        """Take in the code's definitions at its top level."""
        for node in code.tree.body:
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    self._define(name, node)
                case ast.AsyncFunctionDef(name=name):
                    self._define(name, node)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._define(name, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._define(name, value)
                case ast.Import(names=names):
                    for one in names:
                        self._import(one.asname or one.name, one.name)
                case ast.ImportFrom(module=str(module), names=names):
                    for one in names:
                        self._import(one.asname or one.name, f"{module}.{one.name}")

    def is_async(self, name: str) -> bool:
        return isinstance(self._nodes.get(name), ast.AsyncFunctionDef)

    def imports(self, origin: str) -> bool:
        """Whether something is imported, by its name or with its module."""
        return bool({origin, origin.rpartition(".")[0]} & set(self._imports.values()))

    def value(self, expression: str) -> Any:
        """The type, or JSON value, that an expression stands for. Raises ``Unknown``."""
        return self._guarded(lambda: self.type_of(ast.parse(expression, mode="eval").body))

    def function(self, name: str) -> Callable[..., Any]:
        """A function with the signature and the docstring of the notebook's. Raises ``Unknown``."""
        node = self._nodes.get(name)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            raise Unknown(f"{name} is not defined by a def in a cell of its own level")
        made: Callable[..., Any] = self._guarded(lambda: function_of(self, node))
        return made

    def _guarded(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Unknown:
            raise
        except Exception as error:  # pydantic's and typing's own, about what is no type
            raise Unknown(f"{type(error).__name__}: {str(error)[:120]}") from None
        finally:
            self._making.clear()

    def _define(self, name: str, node: ast.AST) -> None:
        self._nodes[name] = node
        self._made.clear()

    def _import(self, name: str, origin: str) -> None:
        self._imports[name] = origin
        self._nodes.pop(name, None)
        self._made.clear()

    # --- names ---

    def _named(self, name: str) -> Any:
        if name in self._made:
            return self._made[name]
        node = self._nodes.get(name)
        if node is not None:
            if name in self._making or len(self._making) > _DEEPEST:
                raise Unknown(f"{name} goes round in circles")
            self._making.append(name)
            made = class_of(self, node) if isinstance(node, ast.ClassDef) else self.type_of(node)
            self._making.pop()
            self._made[name] = made
            return made
        if name in self._imports:
            return self._imported(self._imports[name])
        if name in _BUILTINS:
            return getattr(builtins, name)
        raise Unknown(f"{name} is not known")

    def _imported(self, origin: str) -> Any:
        module, _, name = origin.rpartition(".")
        if name not in _ALLOWED.get(module, ()):
            raise Unknown(f"{origin} is not looked at")
        import importlib

        return getattr(importlib.import_module(module), name)

    # --- types ---

    def type_of(self, node: ast.AST) -> Any:
        """The type that an expression of the code stands for. Raises ``Unknown``."""
        match node:
            case ast.Constant(value=None):
                return None
            case ast.Constant(value=str(text)):
                if text in self._making:
                    import typing

                    return typing.ForwardRef(text)
                return self.type_of(ast.parse(text, mode="eval").body)
            case ast.Name(id=name):
                if name in self._making and name in self._nodes:
                    import typing

                    return typing.ForwardRef(name)
                return self._named(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                return self._imported(f"{self._imports.get(module, '')}.{name}")
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                import typing

                return typing.Union[self.type_of(left), self.type_of(right)]  # noqa: UP007
            case ast.Subscript(value=base, slice=inner):
                return self._generic(self.type_of(base), inner)
            case ast.Dict() | ast.List():
                return ast.literal_eval(node)
        raise Unknown(f"{ast.unparse(node)[:40]} is not looked at")

    def _generic(self, base: Any, inner: ast.expr) -> Any:
        import typing

        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if base is typing.Literal:
            given = tuple(self.default_of(one) for one in parts)
            return typing.Literal[given]
        if base is typing.Annotated:
            first, *rest = parts
            return typing.Annotated[(self.type_of(first), *map(self.default_of, rest))]
        made = tuple(
            ... if isinstance(one, ast.Constant) and one.value is ... else self.type_of(one)
            for one in parts
        )
        if base in (list, set, frozenset, tuple, dict) or base in _generics():
            plain = {list: typing.List, dict: typing.Dict, set: typing.Set}  # noqa: UP006
            base = plain.get(base, base) if any(_is_forward(one) for one in made) else base
            return base[made if len(made) > 1 or base is tuple else made[0]]
        raise Unknown("a generic type of the notebook's own")

    def default_of(self, node: ast.expr) -> Any:
        """A literal, a member of an enum, or what ``Field`` says."""
        match node:
            case ast.Call(func=function, args=args, keywords=keywords):
                import dataclasses

                import pydantic

                called = self.type_of(function)
                if called not in (pydantic.Field, dataclasses.field):
                    raise Unknown(f"{ast.unparse(node)[:40]} is not looked at")
                given = {str(one.arg): self.default_of(one.value) for one in keywords}
                return called(*map(self.default_of, args), **given)
            case ast.Attribute(value=ast.Name(id=name), attr=member) if name in self._nodes:
                import enum

                kind = self._named(name)
                if isinstance(kind, enum.EnumMeta):
                    return kind[member]
            case ast.Name(id="list" | "dict" | "set" as name) if name not in self._nodes:
                return getattr(builtins, name)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, RecursionError):
            raise Unknown(f"{ast.unparse(node)[:40]} is no literal") from None


def _generics() -> tuple[Any, ...]:
    import collections.abc
    import typing

    return (
        typing.Optional, typing.Union, typing.List, typing.Dict, typing.Tuple, typing.Set,  # noqa: UP006
        typing.Sequence, typing.Mapping, typing.Iterable, typing.Required, typing.NotRequired,
        collections.abc.Sequence, collections.abc.Mapping, collections.abc.Iterable,
    )  # fmt: skip


def _is_forward(made: Any) -> bool:
    import typing

    return isinstance(made, typing.ForwardRef)
