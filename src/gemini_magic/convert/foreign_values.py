"""What a program that is not Python can know of a notebook's variables: literals and answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from gemini_magic.convert.steps import Code
from gemini_magic.template import Placeholder

#: Longer texts stand in the prompt itself: they are no names that anyone would change.
_LONGEST = 500
#: Numbers in a format's spec with more digits would make texts of gigabytes.
_WIDE = re.compile(r"\d{4}")


class Slot(NamedTuple):
    """A text that the program finds out when it runs.

    ``constant``: the variable ``name`` of the notebook, a literal; ``reply``: the text of the
    answer that is called ``name``; ``given``: what the user has to say, for the placeholder
    ``name``; ``file``: the base64 of the file ``name``.
    """

    kind: Literal["constant", "reply", "given", "file"]
    name: str


class Values:
    """The variables as they are after some cell; ``add`` goes on to the next.

    ``used`` are the names that the notebook's code reads, and ``fickle`` those that a function
    may change whenever it is called.
    """

    def __init__(self, used: set[str], fickle: set[str]) -> None:
        self._used = used
        self._fickle = fickle
        self._literals: dict[str, Any] = {}
        self._replies: set[str] = set()
        self.last = ""

    def add(self, code: Code) -> None:
        """Take in what a cell binds: literals at its top level; of all else nothing is known."""
        bound: dict[str, Any] = {}
        for node in code.tree.body:
            for name, value in _literals(node):
                bound[name] = value
        kept = {
            target.id
            for node in code.tree.body
            for target in targets(node)
            if target.id in bound and _literals(node)
        }
        stored = [
            node.id
            for node in ast.walk(code.tree)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        ]
        for name in {*stored, *_defined(code.tree)}:
            self.forget(name)
        for name in kept:
            if stored.count(name) == 1 and self._is_settled(name, bound[name]):
                self._literals[name] = bound[name]

    def answer(self, name: str) -> None:
        """From here on, ``name`` is the answer of a prompt."""
        self.forget(name)
        self._replies.add(name)

    def forget(self, name: str) -> None:
        """From here on, nothing is known of ``name``."""
        self._literals.pop(name, None)
        self._replies.discard(name)

    def constants(self, code: Code) -> Iterator[tuple[str, str | int]]:
        """The variables of a cell whose literals the program can hold: name and value."""
        for node in code.tree.body:
            for name, _ in _literals(node):
                if (value := self._constant(name)) is not None:
                    yield name, value

    def of(self, found: Placeholder) -> str | Slot:
        """The text of a placeholder, or how the program finds it out."""
        expression = found.expression.strip()
        plain = not found.conversion and not found.spec
        conversion = f"!{found.conversion}" * bool(found.conversion)
        source = f"{{{{ {expression}{conversion}{f':{found.spec}' * bool(found.spec)} }}}}"
        if plain and self._constant(expression) is not None:
            return Slot("constant", expression)
        name = expression.removesuffix(".text")
        if plain and name == "_" and self.last:
            return Slot("reply", self.last)
        if plain and name in self._replies:
            return Slot("reply", name)
        try:
            value = self._value(ast.parse(expression, mode="eval").body)
        except (LookupError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
            return Slot("given", source)
        if not isinstance(value, str | int | float) or _WIDE.search(found.spec):
            return Slot("given", source)
        convert = {"r": repr, "a": ascii}.get(found.conversion, str)
        try:
            return format(convert(value) if found.conversion else value, found.spec)
        except (ValueError, OverflowError):
            return Slot("given", source)

    def _is_settled(self, name: str, value: Any) -> bool:
        """Whether nothing can change a value but an assignment."""
        changes = isinstance(value, list | dict | set) and name in self._used
        return name not in self._fickle and not changes

    def _constant(self, name: str) -> str | int | None:
        value = self._literals.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        if isinstance(value, int) and abs(value) < 2**53:
            return value
        text = str(value)
        is_plain = len(text) <= _LONGEST and "\0" not in text
        return text if is_plain and text.isprintable() else None

    def _value(self, node: ast.expr) -> Any:
        """Raises ``LookupError`` and others for what is not made of literals."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._literals[name]
            case ast.Subscript(value=inner, slice=ast.Slice() as cut):
                ends = (cut.lower, cut.upper, cut.step)
                return self._value(inner)[slice(*(one and self._value(one) for one in ends))]
            case ast.Subscript(value=inner, slice=index):
                return self._value(inner)[self._value(index)]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner)
        raise LookupError


def _literals(node: ast.stmt) -> list[tuple[str, Any]]:
    """The names that a statement binds to literals, and these."""
    value = getattr(node, "value", None)
    names = targets(node)
    if value is None or not names:
        return []
    try:
        made = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return []
    first = node.targets[0] if isinstance(node, ast.Assign) else None
    if isinstance(first, ast.Tuple | ast.List):
        if not isinstance(made, tuple | list) or len(made) != len(names):
            return []
        return [(target.id, one) for target, one in zip(names, made, strict=True)]
    return [(target.id, made) for target in names]


def targets(node: ast.stmt) -> list[ast.Name]:
    """The plain names that an assignment binds; none where it binds anything else."""
    if isinstance(node, ast.AnnAssign):
        return [node.target] if isinstance(node.target, ast.Name) else []
    if not isinstance(node, ast.Assign):
        return []
    several = node.targets
    if len(several) == 1 and isinstance(several[0], ast.Tuple | ast.List):
        several = several[0].elts
    names = [one for one in several if isinstance(one, ast.Name)]
    return names if len(names) == len(several) else []


def _defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Import(names=several) | ast.ImportFrom(names=several):
                yield from ((one.asname or one.name).partition(".")[0] for one in several)
            case ast.Global(names=names):
                yield from names
