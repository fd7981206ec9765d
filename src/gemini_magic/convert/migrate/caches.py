"""Cached contents: ``caching.CachedContent`` and models that are made of one."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, contents, tools
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part

CLASS = "caching.CachedContent"
_CONFIG = ("display_name", "system_instruction", "contents", "tools", "tool_config", "ttl",
           "expire_time")  # fmt: skip


def rewrite(job: Job) -> None:
    """Change all calls that make, find and change cached contents."""
    for call in job.each(ast.Call):
        match job.kinds.symbol(call.func):
            case "caching.CachedContent.create":
                _create(job, call)
            case "caching.CachedContent.get":
                job.replace(call.func, f"{job.client}.caches.get")
                arguments.rewrite(job, call, names=["name"], rename={"name": "name"})
                job.done(call, "caches")
            case "caching.CachedContent.list":
                job.replace(call.func, f"{job.client}.caches.list")
                arguments.rewrite(job, call, names=["page_size"], drop=["page_size"])
                job.done(call, "caches")
        if isinstance(call.func, ast.Attribute) and job.kinds.tag(call.func.value) == "cache":
            _method(job, call, call.func)


def _create(job: Job, call: ast.Call) -> None:
    given = arguments.bound(call, ("model",))
    if given is None or "model" not in given:
        job.left(call, "caches", "the arguments of this call are hidden by * or **")
        return
    config: list[Part] = []
    for name, value in given.items():
        if name == "model":
            continue
        if name == "contents":
            contents.convert(job, value)
        new = {"tools": tools.converted, "tool_config": tools.tool_config, "ttl": _ttl}.get(name)
        parts = [job.whole(value)] if new is None else new(job, value)
        config += [", " if config else "", f"{name}=", *parts]
    made = f"config={job.types}.CreateCachedContentConfig("
    job.replace(call.func, f"{job.client}.caches.create")
    arguments.rewrite(job, call, names=["model"], rename={"model": "model"}, drop=_CONFIG,
                      more=[[made, *config, ")"]] if config else [])  # fmt: skip
    job.done(call, "caches")


def _ttl(job: Job, node: ast.expr) -> list[Part]:
    """Seconds, or a ``timedelta``, as the new SDK's text: ``"300s"``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return [f'"{node.value}s"']
    values = job.kinds.values(node)
    if all((job.kinds.dotted(getattr(one, "func", one)) or "").endswith("timedelta")
           for one in values):  # fmt: skip
        return ['f"{int(', *_quoted(job, node), '.total_seconds())}s"']
    job.assisted(node, "caches", 'ttl has to be a text of seconds: "300s"')
    return [job.whole(node)]


def _quoted(job: Job, node: ast.expr) -> list[Part]:
    return [job.code(node).replace('"', "'")] if '"' in job.code(node) else job.atom(node)


def _method(job: Job, call: ast.Call, func: ast.Attribute) -> None:
    name: list[Part] = ["name=", job.span(func.value), ".name"]
    if func.attr == "delete":
        job.replace(call, f"{job.client}.caches.delete(", *name, ")")
    elif func.attr == "update":
        given = arguments.bound(call, ()) or {}
        config: list[Part] = []
        for field, value in given.items():
            parts = _ttl(job, value) if field == "ttl" else [job.whole(value)]
            config += [", " if config else "", f"{field}=", *parts]
        job.replace(call, f"{job.client}.caches.update(", *name,
                    f", config={job.types}.UpdateCachedContentConfig(", *config, "))")  # fmt: skip
    else:
        return
    job.done(call, "caches")
