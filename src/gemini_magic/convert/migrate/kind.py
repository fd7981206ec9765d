"""What a value can be to a migration, and what the old SDK's functions return."""

from __future__ import annotations

import ast
from typing import Any, Literal, NamedTuple

from gemini_magic.convert.migrate.scopes import Scopes

Tag = Literal["symbol", "model", "chat", "answer", "stream", "file", "files", "embedding",
              "settings", "text", "models", "part", "parts", "declaration", "tool", "function",
              "none", "count", "feedback", "call", "instance",
              "either", "cache", "caches", "class"]  # fmt: skip


class Kind(NamedTuple):
    """``name`` is a symbol's dotted name, an embedding's shape ("one", "many" or ""), the tag of
    what another file's function returns, or what an answer is ("chunk", "palm")."""

    tag: Tag
    name: str = ""


TEXT = Kind("text")
#: What PaLM's ``generate_text`` gives.
PALM = Kind("answer", "palm")
RETURNS: dict[str, Tag] = {
    "GenerativeModel": "model", "GenerativeModel.from_cached_content": "model",
    "caching.CachedContent.create": "cache", "caching.CachedContent.get": "cache",
    "caching.CachedContent.list": "caches",
    "ChatSession": "chat", "upload_file": "file", "get_file": "file", "list_files": "files",
    "list_models": "models",
    "GenerationConfig": "settings", "protos.GenerationConfig": "settings",
    "types.FunctionDeclaration": "declaration", "protos.FunctionDeclaration": "declaration",
    "types.Tool": "tool", "protos.Tool": "tool", "protos.Part": "part",
}  # fmt: skip
#: What annotations say.
ANNOTATED: dict[str, Tag] = {
    "GenerativeModel": "model", "ChatSession": "chat", "types.GenerateContentResponse": "answer",
    "types.File": "file", "protos.File": "file", "GenerationConfig": "settings",
    "types.Tool": "tool",
}  # fmt: skip
ITEMS: dict[str, Kind] = {
    "stream": Kind("answer", "chunk"), "answer": Kind("answer"), "either": Kind("answer", "chunk"),
    "files": Kind("file"), "parts": Kind("part"), "caches": Kind("cache"),
}  # fmt: skip
TEXT_METHODS = frozenset({"strip", "format", "join", "lower", "upper", "replace", "decode",
                           "read_text", "lstrip", "rstrip", "dedent", "title"})  # fmt: skip


def imported(statement: Any, alias: ast.alias) -> Kind | None:
    if isinstance(statement, ast.Import):
        return Kind("symbol", alias.name if alias.asname else alias.name.partition(".")[0])
    if statement.level:
        module = "." * statement.level + (statement.module or "")
        return Kind("symbol", f"{module}{'.' if statement.module else ''}{alias.name}")
    return Kind("symbol", f"{statement.module}.{alias.name}")


def given(call: ast.Call, name: str, position: int) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if position < len(call.args) else None


def streamed(call: ast.Call) -> Tag:
    """Whether a call's result is a stream, an answer, or one of them."""
    for keyword in call.keywords:
        if keyword.arg == "stream":
            if not isinstance(keyword.value, ast.Constant):
                return "either"
            return "stream" if keyword.value.value else "answer"
    return "answer"


#: What waits for something and gives what that gives.
_WAITING = ("run", "run_until_complete", "wait_for", "shield", "create_task", "ensure_future")
#: What calls a function elsewhere, and where in its arguments that is.
_CALLING = {"to_thread": 0, "run_in_executor": 1}


def waited_for(call: ast.Call) -> ast.expr | None:
    """What ``asyncio.run`` and its like give: what this gives."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return call.args[0] if name in _WAITING and call.args else None


def called_elsewhere(call: ast.Call) -> ast.expr | None:
    """The function that ``asyncio.to_thread`` and its like call."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    at = _CALLING.get(name, len(call.args))
    return call.args[at] if at < len(call.args) else None


def argument_of(call: ast.Call, name: str, names: list[str]) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    at = names.index(name) if name in names else len(call.args)
    if at < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args):
        return call.args[at]
    return None


def resolved(scopes: Scopes) -> set[ast.Call]:
    """Calls whose result is asked to ``resolve``, and not looped over."""
    looped = {
        ast.dump(one.iter)
        for kind in (ast.For, ast.AsyncFor, ast.comprehension)
        for one in scopes.by_class.get(kind, [])
    }
    found: set[ast.Call] = set()
    for node in scopes.by_class.get(ast.Attribute, []):
        if node.attr != "resolve" or ast.dump(node.value) in looped:
            continue
        for value in values_of(scopes, node.value):
            call = value.value if isinstance(value, ast.Await) else value
            if isinstance(call, ast.Call):
                found.add(call)
    return found


def values_of(scopes: Scopes, node: ast.expr) -> list[ast.expr]:
    """The expressions that a value may have come of, following names to their bindings."""
    found: list[ast.expr] = []
    waiting, seen = [node], set[ast.AST]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        bound = scopes.bindings(one)
        waiting += [each.node for each in bound if each.how == "value" and each.node]
        if not bound or any(each.how != "value" for each in bound):
            found.append(one)
    return found
