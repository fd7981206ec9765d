"""How a program uses its models: which variable they are in, and whether they leave it."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.job import Job


class Uses:
    """``given`` are the calls that make models, and their arguments.

    ``keys`` are the variables that they are put into, None where they go elsewhere; ``travelling``
    tells whether some model is used as a value.
    """

    def __init__(self, job: Job, given: Mapping[ast.Call, dict[str, ast.expr]]) -> None:
        self.job = job
        self.given = given
        self.keys = {call: self._key_of(call) for call in given}
        self.travelling = self._travel()

    def _key_of(self, call: ast.Call) -> tuple[object, ...] | None:
        """The variable that a model is put into; None where it goes elsewhere."""
        parent = self.job.scopes.parent[call]
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            target = parent.targets[0]
        elif isinstance(parent, ast.AnnAssign):
            target = parent.target
        else:
            return None
        scope = self.job.scopes.scope[parent]
        if isinstance(scope.node, ast.ClassDef):
            return None
        if isinstance(target, ast.Name):
            return None if target.id in scope.declared else self.key(target)
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            return self.key(target)
        return None

    def key(self, node: ast.expr) -> tuple[object, ...]:
        if isinstance(node, ast.Name):
            return (self.job.scopes.scope[node].home(node.id), node.id)
        if isinstance(node, ast.Attribute | ast.Subscript):
            return (self.job.kinds.key(node),)
        return ()

    def made_of(self, node: ast.expr) -> tuple[ast.Call, ...]:
        key = self.key(node)
        if key:
            found = tuple(call for call, one in self.keys.items() if one == key)
            if found:
                return found
        return tuple(one for one in self.job.kinds.values(node)
                     if isinstance(one, ast.Call) and one in self.given)  # fmt: skip

    def reaching(self, node: ast.expr, made: tuple[ast.Call, ...]) -> tuple[ast.Call, ...]:
        """Those of the models in one variable that it may hold at this place."""
        scopes = self.job.scopes
        above = [node, *scopes.ancestors(node)]
        here = scopes.scope[node].function_of()
        if any(scopes.scope[call].function_of() is not here for call in made):
            return made
        loops = [one for one in above if isinstance(one, ast.For | ast.AsyncFor | ast.While)]
        found: list[ast.Call] = []
        for call in sorted(made, key=lambda one: self.job.span(one), reverse=True):
            block = scopes.parent[scopes.statement(call)]
            again = any(loop in scopes.ancestors(call) for loop in loops)
            if self.job.span(call) > self.job.span(node):
                if again:
                    found.append(call)
                continue
            found.append(call)
            if block in above and _same_branch(block, scopes.statement(call), above):
                break  # nothing older gets here
        return tuple(found)

    def _travel(self) -> bool:
        """Whether some model is used as a value."""
        job = self.job
        for call, key in self.keys.items():
            if key is None and not self.is_inline(call):
                return True
        keys = {key for key in self.keys.values() if key is not None}
        for node in job.scopes.nodes:
            if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
                continue
            if isinstance(node.ctx, ast.Load):
                parent = job.scopes.parent.get(node)
                if isinstance(parent, ast.Attribute) and parent.attr in old_sdk.MODEL_METHODS:
                    if self._calls_model(parent) and self.key(node) not in keys:
                        return True
                elif job.kinds.tag(node) == "model" and not self._harmless(node):
                    return True
        return any(not self._only_made(key) for key in keys)

    def _calls_model(self, method: ast.Attribute) -> bool:
        tag = self.job.kinds.tag(method.value)
        if tag == "":
            return method.attr != "count_tokens" and not self.foreign(method)
        return tag == "model"

    def foreign(self, method: ast.Attribute) -> bool:
        """Whether a method of something unknown is one that the program defines itself."""
        own = isinstance(method.value, ast.Name) and method.value.id in ("self", "cls")
        return own or method.attr in self.job.scopes.functions

    def _harmless(self, node: ast.expr) -> bool:
        """Whether only a method or its name is asked for, or whether there is a model."""
        parent = self.job.scopes.parent[node]
        if isinstance(parent, ast.Attribute):
            return parent.attr in (*old_sdk.MODEL_METHODS, "model_name", "_model_name")
        if isinstance(parent, ast.Compare):
            return all(isinstance(op, ast.Is | ast.IsNot) for op in parent.ops)
        if isinstance(parent, ast.UnaryOp | ast.If | ast.BoolOp | ast.Delete):
            return True
        if isinstance(parent, ast.keyword):
            call = self.job.scopes.parent[parent]
            return isinstance(call, ast.Call) and self.job.kinds.symbol(call.func) == "ChatSession"
        return isinstance(parent, ast.Expr)

    def _only_made(self, key: tuple[object, ...]) -> bool:
        """Whether nothing but new models and None is put into this variable."""
        if len(key) == 2:
            bound = key[0].names[key[1]]  # type: ignore[attr-defined]
        else:
            bound = self.job.scopes.places.get(str(key[0]), [])
        for one in bound:
            if one.how != "value":
                return False
            value = one.node
            none = isinstance(value, ast.Constant) and value.value is None
            annotated = isinstance(self.job.scopes.parent.get(value), ast.AnnAssign)
            if not none and value not in self.given and not annotated:
                return False
        return True

    def is_inline(self, call: ast.Call) -> bool:
        parent = self.job.scopes.parent[call]
        if isinstance(parent, ast.Attribute):
            return parent.attr in old_sdk.MODEL_METHODS
        if isinstance(parent, ast.keyword):
            parent = self.job.scopes.parent[parent]
        if isinstance(parent, ast.Call):
            return self.job.kinds.symbol(parent.func) == "ChatSession"
        return False


def _same_branch(block: ast.AST, statement: ast.AST, above: list[ast.AST]) -> bool:
    """Whether a statement is in the same branch of a block as the node that ``above`` is of."""
    for _, value in ast.iter_fields(block):
        if isinstance(value, list) and statement in value:
            return any(one in above for one in value)
    return False
