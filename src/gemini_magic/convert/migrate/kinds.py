"""What the values of a program are, as far as the old SDK is concerned."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.kind import (
    ANNOTATED,
    ITEMS,
    PALM,
    RETURNS,
    TEXT,
    TEXT_METHODS,
    Kind,
    Tag,
    argument_of,
    called_elsewhere,
    given,
    imported,
    resolved,
    streamed,
    values_of,
    waited_for,
)
from gemini_magic.convert.migrate.scopes import Binding, Scopes, gathered


class Kinds:
    """``of(expression)`` is what its value is; None where that is not known."""

    def __init__(self, scopes: Scopes, abroad: Mapping[str, Kind] = MappingProxyType({})) -> None:
        self._scopes = scopes
        self._abroad = abroad  # other files' things, by the names that they are imported by
        self._known: dict[ast.AST, Kind | None] = {}
        self._asking: set[ast.AST] = set()
        #: Streams that are only waited for: what is asked without a stream gives the same.
        self.resolved = resolved(scopes)

    def symbol(self, node: ast.AST) -> str | None:
        """The short name of the old SDK's thing that an expression names."""
        dotted = self.dotted(node)
        return None if dotted is None else old_sdk.canonical(dotted)

    def dotted(self, node: ast.AST) -> str | None:
        """The whole dotted name of an imported thing."""
        kind = self.of(node) if isinstance(node, ast.Name | ast.Attribute) else None
        return kind.name if kind is not None and kind.tag == "symbol" else None

    def key(self, node: ast.expr) -> str:
        """The name of an attribute or a subscript, the same in a class and out of it."""
        if isinstance(node, ast.Attribute):
            base = self.of(node.value)
            if base is not None and base.tag == "instance":
                return f"{base.name}.{node.attr}"
        return self._scopes.key(node)

    def of_global(self, name: str) -> Kind | None:
        """What a name of the module's is."""
        return self._joined(map(self._bound, self._scopes.module.names.get(name, ())))

    def returned(self, name: str) -> str:
        """The tag of what a function of this name returns."""
        defined = self._scopes.functions.get(name, [])
        kind = self._joined(kind for one in defined for kind in self._returns(one))
        return "" if kind is None else kind.tag

    def held(self, node: ast.AST) -> str:
        """The tag; empty for what another module holds, which nobody knows here."""
        tag = self.tag(node)
        return "" if tag == "symbol" and self.symbol(node) is None else tag

    def tag(self, node: ast.AST | None) -> str:
        kind = None if node is None else self.of(node)
        return "" if kind is None else kind.tag

    def of(self, node: ast.AST) -> Kind | None:
        if node in self._known:
            return self._known[node]
        if node in self._asking:
            return None
        self._asking.add(node)
        try:
            found = self._of(node)
        finally:
            self._asking.discard(node)
        self._known[node] = found
        return found

    def _of(self, node: ast.AST) -> Kind | None:
        match node:
            case ast.Constant(value=str()) | ast.JoinedStr():
                return TEXT
            case ast.Constant(value=None):
                return Kind("none")
            case ast.Name():
                return self._joined(map(self._bound, self._scopes.bindings(node)))
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(value=ast.Attribute(attr="parts")):
                return Kind("part")
            case ast.Subscript():
                bound = map(self._bound, self._scopes.bindings(node))
                return self._joined([*bound, self._element(node.value)])
            case ast.Await(value=value):
                return self.of(value)
            case ast.NamedExpr(value=value):
                return self.of(value)
            case ast.IfExp(body=one, orelse=other):
                return self._joined(map(self.of, (one, other)))
            case ast.BoolOp(values=values):
                return self._joined(map(self.of, values))
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                both = (self.of(left), self.of(right))
                return TEXT if TEXT in both else None
            case ast.Call():
                return self._call(node)
        return None

    def _joined(self, kinds: Iterable[Kind | None]) -> Kind | None:
        """The kind of a value that is one of these: a known one outweighs others."""
        found = list(dict.fromkeys(kind for kind in kinds if kind is not None))
        special = [kind for kind in found if kind.tag not in ("none", "text")]
        if special:
            return special[0]
        return found[0] if found else None

    def _bound(self, binding: Binding) -> Kind | None:
        node = binding.node
        match binding.how:
            case "value":
                return self.of(node) if node is not None else None
            case "item":
                return self._item(node)
            case "parameter":
                return self._parameter(binding)
            case "import":
                found = imported(*node)
                return self._abroad.get(found.name, found) if found is not None else None
            case "function":
                return Kind("function")
            case "class":
                return Kind("class", node.name)
        return None

    def _item(self, node: ast.AST) -> Kind | None:
        if isinstance(node, ast.Attribute) and node.attr == "parts":
            return Kind("part")
        match node:
            case ast.Call(func=ast.Attribute(value=given, attr="values")):
                return self._element(given)
        return ITEMS.get(self.tag(node)) or self._element(node)

    def _element(self, node: ast.AST) -> Kind | None:
        """What is in a dict or a list that is written down."""
        found: list[Kind | None] = []
        for value in self.values(node) if isinstance(node, ast.expr) else ():
            if isinstance(value, ast.Dict):
                found += [self.of(one) for one in value.values]
            elif isinstance(value, ast.List | ast.Tuple):
                found += [self.of(one) for one in value.elts]
                found += [self.of(one) for one in self._appended(node)]
            elif isinstance(value, ast.ListComp | ast.GeneratorExp):
                found.append(self.of(value.elt))
            for one in gathered(value):
                spread = one.value if isinstance(one, ast.Starred) else None
                found.append(self.of(one) if spread is None else self._element(spread))
        same = set(found)
        return found[0] if len(same) == 1 else None

    def _appended(self, node: ast.AST) -> list[ast.expr]:
        """What is appended to the list in this variable."""
        name = ast.dump(node)
        return [
            call.args[0] for call in self._scopes.calls.get("append", ())
            if isinstance(call.func, ast.Attribute) and len(call.args) == 1
            and ast.dump(call.func.value) == name
        ]  # fmt: skip

    def _parameter(self, binding: Binding) -> Kind | None:
        argument: ast.arg = binding.node
        if argument.annotation is not None and (said := self._annotation(argument.annotation)):
            return said
        function = binding.scope.node
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        method = bool(names) and names[0] in ("self", "cls")
        called = function.name
        if called == "__init__" and (owner := binding.scope.class_of()) is not None:
            called = owner.name
        given = [argument_of(call, argument.arg, names[method:])
                 for call in self._scopes.calls.get(called, ())]  # fmt: skip
        return self._joined(self.of(one) if one is not None else None for one in given)

    def _annotation(self, node: ast.expr) -> Kind | None:
        if isinstance(node, ast.Name) and node.id == "str":
            return TEXT
        quoted = self.quoted(node)
        if quoted in ANNOTATED:
            return Kind(ANNOTATED[quoted])
        for one in ast.walk(node):
            if isinstance(one, ast.Name | ast.Attribute) and (name := self.symbol(one)):
                tag = ANNOTATED.get(name)
                if tag is not None:
                    return Kind(tag)
        return None

    def quoted(self, node: ast.AST) -> str:
        """The short name of the old SDK's thing that a text names ("GenerativeModel"), or empty."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return ""
        first, *rest = node.value.strip().split(".")
        home = self._scopes.scope[node].home(first) if first.isidentifier() else None
        for bound in home.names[first] if home else ():
            kind = self._bound(bound)
            if kind is not None and kind.tag == "symbol":
                return old_sdk.canonical(".".join([kind.name, *rest])) or ""
        return ""

    def _attribute(self, node: ast.Attribute) -> Kind | None:
        base = self.of(node.value)
        if base is not None:
            match base.tag, node.attr:
                case "symbol", attr:
                    name = f"{base.name}.{attr}"
                    if (known := self._abroad.get(name)) is not None:
                        return known
                    if old_sdk.canonical(name) is None:  # what this program put there
                        put = self._joined(map(self._bound, self._scopes.bindings(node)))
                        return put or Kind("symbol", name)
                    return Kind("symbol", name)
                case ("answer" | "either", "text") | (
                    "file" | "cache",
                    "name" | "uri" | "mime_type",
                ):
                    return TEXT
                case "answer", "parts":
                    return Kind("parts")
                case "answer", "prompt_feedback":
                    return Kind("feedback")
                case "part", "text":
                    return TEXT
                case "part", "function_call":
                    return Kind("call")
                case "instance", attr:
                    bound = self._scopes.members(base.name, attr)
                    return self._joined(map(self._bound, bound))
                case "model", "model_name":
                    return TEXT
        bound = self._scopes.bindings(node)
        return self._joined(map(self._bound, bound))

    def _call(self, node: ast.Call) -> Kind | None:
        name = self.symbol(node.func)
        if name is not None:
            if name in ("embed_content", "embed_content_async"):
                return Kind("embedding", self.shape(given(node, "content", 1)))
            tag = RETURNS.get(name)
            if name == "generate_text":
                return PALM
            return None if tag is None else Kind(tag)
        if isinstance(node.func, ast.Attribute):
            found = self._method(node, node.func) or self._elsewhere(node)
            if found is not None:
                return found
        if isinstance(node.func, ast.Name | ast.Attribute):
            if isinstance(node.func, ast.Name) and node.func.id == "str":
                return TEXT
            made = self.of(node.func)
            if made is not None and made.tag == "class":
                return Kind("instance", made.name)
            if made is not None and made.tag == "function" and made.name:
                return Kind(made.name)  # type: ignore[arg-type]
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            defined = self._scopes.functions.get(called, [])
            return self._joined(kind for one in defined for kind in self._returns(one))
        return None

    def _method(self, node: ast.Call, func: ast.Attribute) -> Kind | None:
        base = self.tag(func.value)
        if not base and func.attr in self._scopes.functions:
            return None
        answer: Tag = "answer" if node in self.resolved else streamed(node)
        match base, func.attr:
            case ("model" | "", "generate_content" | "generate_content_async") | (
                "chat",
                "send_message" | "send_message_async",
            ):
                return Kind(answer)
            case (("model" | ""), "start_chat"):
                return Kind("chat")
            case "model", "count_tokens":
                return Kind("count")
            case "chat", "__copy__":
                return Kind("chat")
        return TEXT if func.attr in TEXT_METHODS else None

    def _elsewhere(self, node: ast.Call) -> Kind | None:
        """An answer that something else waited for, or asked for."""
        if (inner := waited_for(node)) is not None:
            found = self.of(inner)
            return found if found is not None and found.tag in ("answer", "stream") else None
        called = called_elsewhere(node)
        if isinstance(called, ast.Attribute) and called.attr.startswith("generate_content"):
            return Kind("answer") if self.tag(called.value) == "model" else None
        if isinstance(called, ast.Lambda):
            return self.of(called.body)
        return None

    def _returns(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterable[Kind | None]:
        if function.returns is not None and (said := self._annotation(function.returns)):
            return [said]
        own = (one for one in ast.walk(function) if isinstance(one, ast.Return))
        return [self.of(one.value) for one in own if one.value is not None]

    def shape(self, content: ast.expr | None) -> str:
        """Whether embedding this gives "one" vector or "many"; empty where it is not known."""
        if content is None:
            return ""
        for one in self.values(content):
            if isinstance(one, ast.List | ast.Tuple | ast.ListComp):
                return "many"
        return "one" if self.of(content) == TEXT or isinstance(content, ast.Dict) else ""

    def values(self, node: ast.expr) -> list[ast.expr]:
        return values_of(self._scopes, node)
