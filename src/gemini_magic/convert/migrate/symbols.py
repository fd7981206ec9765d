"""Names of the old SDK that stay names: enumerations, types, protos, exceptions."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import old_sdk, tools
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Span

#: Handled where they are called.
_CALLED = {"configure", "GenerativeModel", "ChatSession", "upload_file", "get_file", "delete_file",
           "list_files", "list_models", "get_model", "get_base_model", "embed_content",
           "embed_content_async", "generate_text", "GenerativeModel.from_cached_content",
           "caching.CachedContent.create", "caching.CachedContent.get",
           "caching.CachedContent.list"}  # fmt: skip
#: Annotations.
_INSTEAD = {"GenerativeModel": "str", "ChatSession": "chats.Chat"}


def rewrite(job: Job) -> None:
    """Change all names of the old SDK that no other rule has changed."""
    _texts(job)
    for node in job.scopes.nodes:
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        parent = job.scopes.parent.get(node)
        name = job.kinds.symbol(node)
        if name is None or not name:
            continue
        outer = None if parent is None else job.kinds.symbol(parent)
        if name == "GenerativeModel" and outer in _CALLED:
            continue
        if isinstance(parent, ast.Attribute) and outer is not None and not _stops(job, parent):
            continue
        if isinstance(parent, ast.Call) and parent.func is node:
            if name in _CALLED:
                continue
            _arguments(job, parent, name)
        _name(job, node, name)


def _texts(job: Job) -> None:
    """Annotations that are texts."""
    for node in job.each(ast.Constant):
        name = job.kinds.quoted(node)
        if name in _INSTEAD and _annotates(job, node):
            new = f"{job.genai}.chats.Chat" if name == "ChatSession" else _model(job)
            job.replace(node, f'"{new}"')
            job.done(node, "types")


def _annotates(job: Job, node: ast.AST) -> bool:
    parent = job.scopes.parent.get(node)
    return getattr(parent, "annotation", None) is node or getattr(parent, "returns", None) is node


def _model(job: Job) -> str:
    return "dict" if job.travelling else "str"


def _stops(job: Job, longer: ast.Attribute) -> bool:
    """Whether a longer name is an attribute of a thing (``Enum.MEMBER.name``)."""
    name = job.kinds.symbol(longer) or ""
    return longer.attr in ("name", "value") and old_sdk.new_type(name) is None


def _name(job: Job, node: ast.Name | ast.Attribute, name: str) -> None:
    parent = job.scopes.parent.get(node)
    if name in _INSTEAD and not (isinstance(parent, ast.Call) and parent.func is node):
        _annotation(job, node, name)
        return
    if name.startswith("exceptions") or name.endswith("Exception"):
        _failure(job, node, name)
        return
    new = old_sdk.new_type(name)
    if new is None:
        if name in ("types", "protos", "caching", "exceptions", "__version__"):
            return
        job.left(node, "unknown", f"the new SDK has no {name}")
        return
    if new == name.partition(".")[2] and name.startswith("types."):
        return  # genai.types.X is genai.types.X
    if isinstance(node, ast.Name) and new == name.partition(".")[2]:
        return  # its import is changed
    if job.replace(node, f"{job.types}.{new}"):
        job.done(node, "types")


def _arguments(job: Job, call: ast.Call, name: str) -> None:
    """Arguments of protos that are called otherwise now."""
    if name.startswith("protos.") and len(call.args) == 1 and not call.keywords:
        if old_sdk.new_type(name) is None:
            return
        job.edits.insert(job.span(call.func).end, ".model_validate")
        tools.plain_keys(job, call.args[0])
        if not isinstance(call.args[0], ast.Dict):
            job.assisted(call, "types", "protos took what this may be; types take a dict, or their "
                         "own kind")  # fmt: skip
    for keyword in call.keywords:
        if keyword.arg in ("type_", "format_"):
            start = job.span(keyword).start
            job.edits.replace(Span(start, start + len(keyword.arg)), keyword.arg[:-1])


def _annotation(job: Job, node: ast.Name | ast.Attribute, name: str) -> None:
    if name == "ChatSession":
        if job.replace(node, f"{job.genai}.chats.Chat"):
            job.done(node, "types")
        return
    if any(isinstance(one, ast.arg | ast.AnnAssign) or _returned(one, node)
           for one in job.scopes.ancestors(node)):  # fmt: skip
        if job.replace(node, _model(job)):
            job.done(node, "types")
        return
    job.left(node, "model", "there is no class for models now: a model is a name and a config")


def _returned(one: ast.AST, node: ast.AST) -> bool:
    return (
        isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        and one.returns is not None
        and any(each is node for each in ast.walk(one.returns))
    )


def _failure(job: Job, node: ast.Name | ast.Attribute, name: str) -> None:
    """Exceptions; a status that is more special than the new class is asked for in the handler."""
    short = name.rpartition(".")[2]
    if name == "exceptions":
        return
    if short in ("BlockedPromptException", "StopCandidateException"):
        if job.replace(node, f"{job.errors}.APIError"):
            job.assisted(node, "exceptions", "what is blocked raises nothing now: look at "
                         "prompt_feedback and finish_reason")  # fmt: skip
        return
    if short not in old_sdk.FAILURES:
        job.left(node, "exceptions", f"the new SDK raises google.genai.errors.APIError, no {short}")
        return
    new, status = old_sdk.FAILURES[short]
    if not job.replace(node, f"{job.errors}.{new}"):
        return
    parent = job.scopes.parent.get(node)
    if status is None:
        job.done(node, "exceptions")
    elif isinstance(parent, ast.ExceptHandler) and _alone(job, parent):
        _ask_status(job, parent, status)
        job.done(node, "exceptions")
    else:
        job.assisted(node, "exceptions", f"{short} was HTTP {status}; this is every "
                     f"{new}: look at its .code")  # fmt: skip


def _alone(job: Job, handler: ast.ExceptHandler) -> bool:
    """Whether no later handler would catch what this one lets go."""
    parent = job.scopes.parent[handler]
    assert isinstance(parent, ast.Try)
    return parent.handlers[-1] is handler


def _ask_status(job: Job, handler: ast.ExceptHandler, status: int) -> None:
    first = handler.body[0]
    at = job.span(first).start
    line = job.source.line_start(at)
    name = handler.name or job.free("error", "genai_error")
    if handler.name is None and handler.type is not None:
        job.edits.insert(job.span(handler.type).end, f" as {name}")
    indent = job.source.indent(at)
    if job.source.text[line:at].strip():  # on the handler's own line
        job.assisted(handler, "exceptions", f"this was HTTP {status} only: look at {name}.code")
        return
    newline = job.source.newline
    job.edits.insert(line, f"{indent}if {name}.code != {status}:{newline}"
                     f"{indent}    raise{newline}")  # fmt: skip
