"""Which names a program binds, where, and to what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

How = Literal["value", "item", "parameter", "import", "function", "class", "other"]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Binding(NamedTuple):
    """``node`` is the value, what is iterated over, the parameter, the import or the definition."""

    how: How
    node: Any
    scope: Scope


class Scope:
    """A module, class, function or comprehension, and the names bound there."""

    def __init__(self, node: ast.AST, parent: Scope | None) -> None:
        self.node = node
        self.parent = parent
        self.names: dict[str, list[Binding]] = {}
        self.declared: dict[str, bool] = {}  # True: global, False: nonlocal

    def home(self, name: str) -> Scope | None:
        """The scope that a name belongs to when it is used here; None where nothing binds it."""
        scope: Scope | None = self
        first = True
        while scope is not None:
            if scope.declared.get(name):
                while scope.parent is not None:
                    scope = scope.parent
                return scope if name in scope.names else None
            hidden = isinstance(scope.node, ast.ClassDef) and not first
            if name in scope.names and not hidden and name not in scope.declared:
                return scope
            first = False
            scope = scope.parent
        return None

    def class_of(self) -> ast.ClassDef | None:
        """The class whose method this is in."""
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.node, ast.ClassDef):
                return scope.node
            scope = scope.parent
        return None

    def function_of(self) -> Scope | None:
        """The function that this is, or is in."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.node, _FUNCTIONS):
            scope = scope.parent
        return scope


class Scopes:
    """Names, attributes and subscripts that are bound in a module.

    ``scope`` and ``parent`` are known for every node; ``places`` are the attributes and subscripts
    that something is assigned to, under ``key``.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.scope: dict[ast.AST, Scope] = {}
        self.parent: dict[ast.AST, ast.AST] = {}
        self.places: dict[str, list[Binding]] = {}
        self.all_names: set[str] = set()
        self.functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        self.calls: dict[str, list[ast.Call]] = {}
        self._classes: dict[ast.AST, Scope] = {}
        self.nodes: list[ast.AST] = []
        self.by_class: dict[type[ast.AST], list[Any]] = {}
        self.tree = tree
        self.module = Scope(tree, None)
        self._visit(tree, self.module)

    def key(self, node: ast.AST) -> str:
        """The name of an attribute or a subscript: the same for ``self.x`` in all of a class."""
        text = ast.unparse(node)
        if ".session_state[" in text:  # Streamlit's, where x["a"] and x.a are the same
            text = re.sub(r"(?<=\.session_state)\['(\w+)'\]", r".\1", text)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.scope[node].class_of()
            if node.value.id in ("self", "cls") and owner is not None:
                return f"{owner.name}.{node.attr}"
        return text

    def bindings(self, node: ast.expr) -> list[Binding]:
        """What a name, attribute or subscript was bound to, anywhere."""
        if isinstance(node, ast.Name):
            home = self.scope[node].home(node.id)
            return home.names[node.id] if home else []
        if isinstance(node, ast.Attribute | ast.Subscript):
            return [*self.places.get(self.key(node), []), *self._of_class(node)]
        return []

    def members(self, owner: str, name: str) -> list[Binding]:
        """What an attribute of a class's instances was bound to."""
        inner = [scope for node, scope in self._classes.items()
                 if isinstance(node, ast.ClassDef) and node.name == owner]  # fmt: skip
        own = [one for scope in inner for one in scope.names.get(name, [])]
        return [*self.places.get(f"{owner}.{name}", []), *own]

    def _of_class(self, node: ast.Attribute | ast.Subscript) -> list[Binding]:
        """What ``self.x`` is in the class's body."""
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return []
        if node.value.id not in ("self", "cls"):
            return []
        owner = self.scope[node].class_of()
        inner = self._classes.get(owner) if owner is not None else None
        return inner.names.get(node.attr, []) if inner is not None else []

    def statement(self, node: ast.AST) -> ast.stmt | ast.ExceptHandler:
        """The statement that a node is in."""
        while not isinstance(node, ast.stmt | ast.ExceptHandler):
            node = self.parent[node]
        return node

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parent:
            node = self.parent[node]
            yield node

    def _bind(self, name: str, scope: Scope, how: How, node: Any) -> None:
        self.all_names.add(name)
        if (is_global := scope.declared.get(name)) is not None:
            target = scope.parent
            while target is not None and target.parent is not None and is_global:
                target = target.parent
            while target is not None and not is_global and name not in target.names:
                target = target.parent
            (target or self.module).names.setdefault(name, []).append(Binding(how, node, scope))
            return
        scope.names.setdefault(name, []).append(Binding(how, node, scope))

    def _target(self, node: ast.AST, scope: Scope, how: How, value: Any) -> None:
        if isinstance(node, ast.Name):
            self._bind(node.id, scope, how, value)
        elif isinstance(node, ast.Tuple | ast.List):
            values = value.elts if how == "value" and isinstance(value, ast.Tuple) else []
            values = values or (gathered(value) if how == "value" else [])
            for number, one in enumerate(node.elts):
                if len(values) == len(node.elts):
                    self._target(one, scope, "value", values[number])
                else:
                    self._target(one, scope, "other", value)
        elif isinstance(node, ast.Starred):
            self._target(node.value, scope, "other", value)
        elif isinstance(node, ast.Attribute | ast.Subscript):
            self.scope[node] = scope
            self.places.setdefault(self.key(node), []).append(Binding(how, value, scope))
            if isinstance(scope.node, ast.ClassDef):
                return

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        self.scope[node] = scope
        self.nodes.append(node)
        self.by_class.setdefault(type(node), []).append(node)
        inner = scope
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._target(target, scope, "value", node.value)
        elif isinstance(node, ast.AnnAssign):
            self._target(node.target, scope, "value", node.value or node.annotation)
        elif isinstance(node, ast.AugAssign):
            self._target(node.target, scope, "other", node.value)
        elif isinstance(node, ast.NamedExpr):
            self._target(node.target, _outside(scope), "value", node.value)
        elif isinstance(node, (ast.For | ast.AsyncFor, ast.comprehension)):
            self._target(node.target, scope, "item", node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._target(node.optional_vars, scope, "other", node.context_expr)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self._bind(node.name, scope, "other", node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                self._bind(name, scope, "import", (node, alias))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                scope.declared[name] = isinstance(node, ast.Global)
        elif isinstance(node, ast.Call):
            named = node.func
            if isinstance(named, ast.Name | ast.Attribute):
                called = named.id if isinstance(named, ast.Name) else named.attr
                self.calls.setdefault(called, []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            how: How = "class" if isinstance(node, ast.ClassDef) else "function"
            self._bind(node.name, scope, how, node)
            if not isinstance(node, ast.ClassDef):
                self.functions.setdefault(node.name, []).append(node)
            inner = self._classes[node] = Scope(node, scope)
        elif isinstance(node, (*_COMPREHENSIONS, ast.Lambda)):
            inner = Scope(node, scope)
        if inner is not scope:
            self._inside(node, scope, inner)
            return
        for child in ast.iter_child_nodes(node):
            self.parent[child] = node
            self._visit(child, inner)

    def _inside(self, node: Any, scope: Scope, inner: Scope) -> None:
        """Parameters and bodies belong to the inner scope, decorators and defaults to the outer."""
        if isinstance(node, _FUNCTIONS):
            _declare(node, inner)
            arguments = node.args
            for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs,
                        arguments.vararg, arguments.kwarg):  # fmt: skip
                if one is not None:
                    self._bind(one.arg, inner, "parameter", one)
        bodies = getattr(node, "body", [])
        inside = set(map(id, bodies if isinstance(bodies, list) else [bodies]))
        for child in ast.iter_child_nodes(node):
            self.parent[child] = node
            within = id(child) in inside or isinstance(node, _COMPREHENSIONS)
            self._visit(child, inner if within else scope)


def gathered(node: Any) -> list[ast.expr]:
    """What ``asyncio.gather`` waits for, if that is what it is."""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name | ast.Attribute):
        return []
    name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
    return call.args if name == "gather" else []


def _declare(node: Any, scope: Scope) -> None:
    """``global`` may stand below an assignment in another branch; it holds for all of it."""
    waiting = list(node.body) if isinstance(node.body, list) else []
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Global | ast.Nonlocal):
            for name in one.names:
                scope.declared[name] = isinstance(one, ast.Global)
        elif not isinstance(one, (*_FUNCTIONS, ast.ClassDef)):
            waiting += [child for child in ast.iter_child_nodes(one) if isinstance(child, ast.stmt)]


def _outside(scope: Scope) -> Scope:
    while isinstance(scope.node, _COMPREHENSIONS) and scope.parent is not None:
        scope = scope.parent
    return scope
