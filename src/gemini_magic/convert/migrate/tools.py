"""Tools: the old SDK's many forms as the new one's list of tools."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part

_TOOL_KEYS = {"function_declarations", "google_search_retrieval", "code_execution"}


def converted(job: Job, node: ast.expr) -> list[Part]:
    """What to give as ``tools``."""
    for value in job.kinds.values(node):
        plain_keys(job, value)
    if isinstance(node, ast.List | ast.Tuple):
        return _listed(job, node)
    kind = _kind(job, node)
    if kind == "declaration":
        return [f"[{job.types}.Tool(function_declarations=[", job.span(node), "])]"]
    if kind in ("tool", "function", "name"):
        return ["[", *_one(job, node), "]"]
    values = job.kinds.values(node)
    if len(values) == 1 and isinstance(values[0], ast.List) and values[0] is not node:
        elements = [_kind(job, one) for one in values[0].elts]
        if elements and set(elements) <= {"declaration"}:
            return [f"[{job.types}.Tool(function_declarations=", job.span(node), ")]"]
        if set(elements) <= {"tool", "function", ""}:
            return [job.span(node)]
    if not isinstance(node, ast.Call | ast.ListComp):
        job.assisted(node, "tools", "tools has to be a list of functions or types.Tool now")
    return [job.span(node)]


def plain_keys(job: Job, node: ast.expr) -> None:
    """The keys that were written otherwise, so as not to be names of Python's."""
    for one in ast.walk(node):
        for key in one.keys if isinstance(one, ast.Dict) else ():
            if not isinstance(key, ast.Constant) or key.value not in ("type_", "format_"):
                continue
            if key not in job.wrapped:
                job.wrapped.add(key)
                job.edits.replace(key, f'"{key.value[:-1]}"')


def callable_ones(job: Job, node: ast.expr) -> bool:
    """Whether there may be Python functions among the tools; the new SDK calls them by itself."""
    values = [node] if isinstance(node, ast.List | ast.Tuple) else job.kinds.values(node)
    for value in values:
        elements = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        if any(_kind(job, one) in ("", "function") for one in elements):
            return True
    return False


def tool_config(job: Job, node: ast.expr) -> list[Part]:
    """``{"function_calling_config": "any"}`` gets its long form."""
    if isinstance(node, ast.Call) and (job.kinds.symbol(node.func) or "").endswith(
        "to_tool_config"
    ):
        node = node.args[0] if node.args else node
    for one in ast.walk(node):
        if not isinstance(one, ast.Dict):
            continue
        for key, value in zip(one.keys, one.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(value, ast.Constant):
                continue
            if not isinstance(value.value, str):
                continue
            if key.value == "function_calling_config":
                job.edits.replace(value, '{"mode": "', value.value.upper(), '"}')
            elif key.value == "mode" and not value.value.isupper():
                job.edits.replace(value, f'"{value.value.upper()}"')
    return [job.span(node)]


def _listed(job: Job, node: ast.List | ast.Tuple) -> list[Part]:
    kinds = [_kind(job, one) for one in node.elts]
    if kinds and set(kinds) == {"declaration"}:
        return [f"[{job.types}.Tool(function_declarations=", job.span(node), ")]"]
    for one, kind in zip(node.elts, kinds, strict=True):
        if kind == "name":
            job.edits.replace(one, *_one(job, one))
        elif kind == "declaration":
            job.edits.replace(one, f"{job.types}.Tool(function_declarations=[", job.span(one), "])")
    return [job.span(node)] if isinstance(node, ast.List) else ["list(", job.span(node), ")"]


def _kind(job: Job, node: ast.expr) -> str:
    """declaration, tool, function, name ("code_execution"), or empty where it is not known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "name"
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        return "tool" if keys & _TOOL_KEYS else "declaration" if "name" in keys else ""
    tag = job.kinds.tag(node)
    if tag in ("declaration", "tool", "function"):
        return tag
    values = [one for one in job.kinds.values(node) if one is not node]
    found = {_kind(job, one) for one in values}
    return found.pop() if len(found) == 1 else ""


def _one(job: Job, node: ast.expr) -> list[Part]:
    if not isinstance(node, ast.Constant):
        return [job.span(node)]
    name = str(node.value).lower()
    if name == "code_execution":
        return [f"{job.types}.Tool(code_execution={job.types}.ToolCodeExecution())"]
    if name == "google_search_retrieval":
        job.assisted(node, "tools", "google_search_retrieval was for Gemini 1.5; this is its "
                     "successor, google_search")  # fmt: skip
        return [f"{job.types}.Tool(google_search={job.types}.GoogleSearch())"]
    job.assisted(node, "tools", f"the new SDK knows no tool of this name: {name}")
    return [job.span(node)]
