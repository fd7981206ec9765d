"""The calls of Gemini's API in Python code, read from its syntax tree: nothing is run.

A small evaluator walks the statements in order, branches and loops included, and knows literals,
names, the SDKs' types, and the files that a program uploads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.bodies import Call, Formed, Held, Unknown, added, formed, get
from gemini_magic.convert.studio.definitions import Definitions
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.pieces import Missing, Slot, Text

_NEW, _OLD = "google.genai", "google.generativeai"
_ASKS = ("generate_content", "generate_content_stream", "generate_content_async")
_SENDS = ("send_message", "send_message_stream", "send_message_async")


class Made(NamedTuple):
    """An object of an SDK: the last words of what made it, and what that was given."""

    what: str
    given: dict[str, Any]
    name: str = ""


class Module(NamedTuple):
    """A module, or what stands in one, by its full name."""

    name: str


def is_ours(tree: ast.Module) -> bool:
    """Whether it is code that asks Gemini."""
    return any(
        module.startswith((_NEW, _OLD)) or module == "google.ai.generativelanguage"
        for node in ast.walk(tree)
        for module in _imported(node)
    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{one.name}" for one in node.names]
    return []


def calls(tree: ast.Module) -> list[Call]:
    """The calls in a program, in their order."""
    walker = _Walker(tree)
    walker.block(tree.body)
    return walker.calls


class _Walker:
    def __init__(self, tree: ast.Module) -> None:
        self.calls: list[Call] = []
        self._scopes: list[dict[str, Any]] = [{}]
        self._functions = {
            node.name: node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._seen: set[tuple[int, int]] = set()
        self._chats = 0
        self._depth = 0

    # --- statements ---

    def block(self, statements: list[ast.stmt]) -> None:
        for one in statements:
            self._statement(one)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for one in node.names:
                name = one.asname or one.name.partition(".")[0]
                self._bind(name, Module(one.name if one.asname else name))
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                self._bind(one.asname or one.name, Module(f"{node.module}.{one.name}"))
        elif isinstance(node, ast.Assign):
            value = self._value(node.value)
            for target in node.targets:
                self._assign(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, self._value(node.value))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._scopes.append({})
            if not isinstance(node, ast.ClassDef):
                arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                for argument in arguments:
                    self._bind(argument.arg, Unknown(argument.arg))
            self.block(node.body)
            attributes = {k: v for k, v in self._scopes.pop().items() if k.startswith("self.")}
            self._scopes[-1].update(attributes)
        else:
            self._parts(node)

    def _parts(self, node: ast.AST) -> None:
        """The expressions and blocks of a statement of any other kind, in their order."""
        if isinstance(node, ast.For | ast.AsyncFor):
            self._value(node.iter)
            self._assign(node.target, Unknown(ast.unparse(node.target)))
            self.block([*node.body, *node.orelse])
            return
        for _, field in ast.iter_fields(node):
            for one in field if isinstance(field, list) else [field]:
                if isinstance(one, ast.stmt):
                    self._statement(one)
                elif isinstance(one, ast.expr):
                    self._value(one)
                elif isinstance(one, ast.withitem):
                    value = self._value(one.context_expr)
                    if one.optional_vars is not None:
                        self._assign(one.optional_vars, value)
                elif isinstance(one, ast.ExceptHandler | ast.match_case):
                    self._parts(one)

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            self._bind(f"{target.value.id}.{target.attr}", value)
        elif isinstance(target, ast.Tuple | ast.List):
            given = value if isinstance(value, list) and len(value) == len(target.elts) else None
            for number, one in enumerate(target.elts):
                self._assign(one, given[number] if given else Unknown(ast.unparse(one)))

    def _bind(self, name: str, value: Any) -> None:
        self._scopes[-1][name] = value

    def _find(self, name: str) -> Any:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    # --- expressions ---

    def _value(self, node: ast.expr) -> Any:
        self._depth += 1
        try:
            return self._evaluated(node) if self._depth < 80 else Unknown("...")
        finally:
            self._depth -= 1

    def _evaluated(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return Held(node.value) if isinstance(node.value, bytes) else node.value
        if isinstance(node, ast.Name):
            found = self._find(node.id)
            return Unknown(node.id) if found is None else found
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(one) for one in node.elts]
        if isinstance(node, ast.Dict):
            made: dict[str, Any] = {}
            for key, value in zip(node.keys, node.values, strict=True):
                held = self._value(value)
                if key is None:
                    made |= values.mapping(held)
                else:
                    made[_key(self._value(key))] = held
            return made
        if isinstance(node, ast.JoinedStr):
            return self._formed(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._value(node.left), self._value(node.right)
            if isinstance(left, list) and isinstance(right, list):
                return [*left, *right]
            return added(left, right, ast.unparse(node))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand)
            return -value if isinstance(value, int | float) else Unknown(ast.unparse(node))
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            value, index = self._value(node.value), self._value(node.slice)
            if (
                isinstance(value, list)
                and isinstance(index, int)
                and -len(value) <= index < len(value)
            ):
                return value[index]
            if isinstance(value, Mapping) and isinstance(index, str) and index in value:
                return value[index]
            return Unknown(ast.unparse(node))
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Await):
            return self._value(node.value)
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
            for generator in node.generators:
                self._value(generator.iter)
                self._assign(generator.target, Unknown(ast.unparse(generator.target)))
            if isinstance(node, ast.DictComp):
                self._value(node.value)
            else:
                self._value(node.elt)
            return Unknown(ast.unparse(node))
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.expr) and not isinstance(node, ast.Lambda):
                self._value(one)
        return Unknown(ast.unparse(node))

    def _attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name):
            known = self._find(f"{node.value.id}.{node.attr}")
            if known is not None:
                return known
        value = self._value(node.value)
        if isinstance(value, Module):
            return Module(f"{value.name}.{node.attr}")
        if isinstance(value, Mapping) and node.attr in value:
            return value[node.attr]
        if isinstance(value, Missing) and node.attr in ("uri", "name"):
            return value
        return Unknown(ast.unparse(node))

    def _formed(self, node: ast.JoinedStr) -> Any:
        pieces: list[Text | Slot] = []
        for one in node.values:
            if isinstance(one, ast.Constant):
                pieces.append(Text(str(one.value)))
                continue
            assert isinstance(one, ast.FormattedValue)
            value = self._value(one.value)
            plain = one.conversion == -1 and one.format_spec is None
            if plain and isinstance(value, str | int) and not isinstance(value, bool):
                pieces.append(Text(str(value)))
            elif plain and isinstance(value, Formed):
                pieces += value.pieces
            else:
                pieces.append(Slot(identifier(ast.unparse(one.value), "value")))
        return formed(pieces)

    # --- calls ---

    def _call(self, node: ast.Call) -> Any:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        on = self._value(node.func.value) if isinstance(node.func, ast.Attribute) else None
        function = self._value(node.func) if not isinstance(on, Made) else None
        words = [self._value(one) for one in node.args]
        given: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self._value(keyword.value)
            if keyword.arg is None:
                given |= values.mapping(value)
            else:
                given[keyword.arg] = value
        place = (node.lineno, node.col_offset)
        if (call := self._asked(name, on, node, words, given)) is not None:
            if place not in self._seen:
                self._seen.add(place)
                self.calls.append(call)
            return Unknown(ast.unparse(node.func))
        if isinstance(function, Module):
            return self._of_module(function.name, words, given, node)
        if name == "start_chat":
            self._chats += 1
            base = on.given if isinstance(on, Made) else {}
            history = given.get("history", words[0] if words else None)
            return Made("chat", {**base, "history": history}, f"chat_{self._chats}")
        if name == "create" and ast.unparse(node.func).endswith("chats.create"):
            self._chats += 1
            return Made("chat", given, f"chat_{self._chats}")
        if name in ("upload", "upload_file"):
            return _uploaded(words, given)
        if name in ("decode", "encode", "strip", "format") and isinstance(on, str) and not given:
            return on.strip() if name == "strip" else Held(on.encode()) if name == "encode" else on
        local = self._functions.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if local is not None and "upload" in local.name:
            return _uploaded(words, given)
        return Unknown(ast.unparse(node))

    def _asked(
        self, name: str, on: Any, node: ast.Call, words: list[Any], given: dict[str, Any]
    ) -> Call | None:
        if name in _ASKS and isinstance(on, Made):
            contents = given.get("contents", words[0] if words else None)
            config = _merged(on.given, given)
            return Call(on.given.get("model"), contents, config)
        if name in _ASKS and "model" in given:
            contents = given.get("contents", words[0] if words else None)
            return Call(given["model"], contents, given.get("config") or {})
        if name in _SENDS and isinstance(on, Made) and on.what == "chat":
            text = given.get("message", given.get("content", words[0] if words else None))
            history = on.given.get("history")
            config = _merged({**on.given, **values.mapping(on.given.get("config"))}, given)
            on.given["history"] = None  # said once: the turns that follow have it before them
            return Call(on.given.get("model"), text, config, history, on.name)
        if name == "generate_images" and "model" in given:
            picture = {"response_modalities": ["TEXT", "IMAGE"]}
            return Call(given["model"], given.get("prompt"), picture)
        if name == "create" and ast.unparse(node.func).endswith("interactions.create"):
            config = {
                **values.mapping(given.get("generation_config")),
                "system_instruction": given.get("system_instruction"),
            }
            return Call(given.get("model"), given.get("input"), config)
        return None

    def _of_module(self, name: str, words: list[Any], given: dict[str, Any], node: ast.Call) -> Any:
        """What a function or class of a module gives."""
        last = name.rpartition(".")[2]
        if last in ("b64decode", "urlsafe_b64decode"):
            text = words[0] if words else None
            data = values.data(
                text.data.decode("ascii", "replace") if isinstance(text, Held) else text
            )
            return Held(data) if data is not None else Unknown(ast.unparse(node))
        if name.endswith("pathlib.Path") or last == "Path":
            return Unknown(ast.unparse(node))
        if not name.startswith(("google.", "PIL")):
            return Unknown(ast.unparse(node))
        if name.startswith("PIL"):
            path = words[0] if words and isinstance(words[0], str) else ast.unparse(node)
            return Missing("image", path, "read when the code runs")
        if last == "GenerativeModel":
            order = ("model_name", "safety_settings", "generation_config", "tools", "tool_config",
                     "system_instruction")  # fmt: skip
            held = {**dict(zip(order, words, strict=False)), **given}
            return Made("model", {**held, "model": held.pop("model_name", "gemini-1.5-flash")})
        if last == "from_text":
            return {"text": given.get("text", words[0] if words else "")}
        if last == "from_bytes":
            data = given.get("data", Unknown("data"))
            return {"inlineData": {"mimeType": given.get("mime_type"), "data": data}}
        if last == "from_uri":
            uri = given.get("file_uri", given.get("uri", words[0] if words else None))
            if isinstance(uri, Missing):
                return uri
            return {"fileData": {"mimeType": given.get("mime_type"), "fileUri": uri}}
        if last in ("upload_file", "get_file"):
            return _uploaded(words, given)
        if last in ("configure", "Client", "enable"):
            return Unknown(ast.unparse(node.func))
        return given  # a type of the SDK: the wire's object with these fields


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a call: what it was given, over what its model was made with."""
    merged = {
        key: base.get(key)
        for key in ("safety_settings", "tools", "system_instruction")
        if base.get(key) is not None
    }
    own = given.get("config")
    for one in (base, base.get("generation_config"), given.get("generation_config"), own):
        held = values.mapping(one)
        merged |= {
            key: value
            for key, value in held.items()
            if key not in ("model", "history", "generation_config", "config", "contents")
        }
    for key in ("safety_settings", "tools"):
        if given.get(key) is not None:
            merged[key] = given[key]
    return merged


def _uploaded(words: list[Any], given: Mapping[str, Any]) -> Any:
    path = get(given, "file") or get(given, "path") or (words[0] if words else None)
    name = path if isinstance(path, str) else getattr(path, "source", "file")
    return Missing("file", name, "uploaded when the code runs")


def _key(value: Any) -> str:
    """A dict's key; an enum's member is its own name."""
    return value.name.rpartition(".")[2] if isinstance(value, Module) else str(value)


def settled(value: Any) -> Any:
    """A value in which enums of the SDK are the wire's words."""
    if isinstance(value, Module):
        return value.name.rpartition(".")[2]
    if isinstance(value, Made):
        return Unknown(value.what)
    if isinstance(value, Mapping):
        return {key: settled(one) for key, one in value.items()}
    if isinstance(value, list) and not isinstance(value, tuple):
        return [settled(one) for one in value]
    return value


def settled_calls(tree: ast.Module, source: str) -> Iterator[Call]:
    """The calls, in JSON values, and what the program defines for them."""
    definitions = Definitions(tree, source)
    for call in calls(tree):
        made = Call(*(settled(one) for one in call))
        config = made.config
        if isinstance(config, Mapping):
            inner = values.mapping(get(config, "generationConfig"))
            config = {**config, **inner, **_defined({**config, **inner}, definitions)}
        yield made._replace(config=config)


def _defined(config: Mapping[str, Any], definitions: Definitions) -> dict[str, Any]:
    """Tools and schemas of a configuration that are the program's own functions and classes."""
    found: dict[str, Any] = {}
    for key in ("tools", "response_schema", "response_json_schema"):
        value = config.get(key)
        if key == "tools" and isinstance(value, list):
            found[key] = [_named(one, definitions, name=True) for one in value]
        elif isinstance(value, Unknown):
            found[key] = _named(value, definitions, name=key == "tools")
    return found


def _named(value: Any, definitions: Definitions, *, name: bool) -> Any:
    """What the program defines, if it is that; ``name``: nothing but a name can be told."""
    if not isinstance(value, Unknown) or (name and not value.source.isidentifier()):
        return value
    return definitions.named(value.source) or value
