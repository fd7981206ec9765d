"""The imports of openai, its client, and what is copied from the library."""

from __future__ import annotations

import ast
import json
import re

from gemini_magic.convert.migrate import clients, old_sdk
from gemini_magic.convert.migrate import imports as shared
from gemini_magic.convert.migrate.job import MARK, Job
from gemini_magic.convert.migrate.report import Place
from gemini_magic.convert.migrate.source import Part, Span
from gemini_magic.convert.migrate.to_openai import emitted
from gemini_magic.convert.migrate.to_openai.target import GOOGLE, Target

_KEY = "this file never called configure: the key is the environment's {}"


def configure(target: Target) -> bool:
    """``configure`` becomes a client, or two where some calls are awaited; whether there is one."""
    job = target.job

    def made(call: ast.Call, given: dict[str, ast.expr]) -> list[Part]:
        key = [job.whole(given["api_key"])] if "api_key" in given else []
        if "default_metadata" in given or "credentials" in given:
            job.assisted(call, "configure", "metadata and credentials were taken out; headers are "
                         "OpenAI(default_headers=...)")  # fmt: skip
        one = _created(target, "OpenAI", key)
        if target.waits:
            line = job.source.newline + job.source.indent(job.span(call).start)
            one += [f"{line}{target.async_client} = ", *_created(target, "AsyncOpenAI", key)]
        return one

    names = [job.client_name, *([target.async_client] if target.waits else [])]
    return clients.rewrite(job, made, names)


def _created(target: Target, name: str, key: list[Span]) -> list[Part]:
    options = target.job.options
    made: list[Part] = [f"{name}("]
    if options.key_env is not None:
        made.append(f'api_key={target.module("os")}.environ["{options.key_env}"], ')
    elif options.base_url is None:  # the key is Google's as it was
        said: list[Part] = [*key] or [f'{target.module("os")}.environ["GEMINI_API_KEY"]']
        made += ["api_key=", *said, ", "]
    return [*made, f"base_url={json.dumps(options.base_url or GOOGLE)})"]


def rewrite(target: Target, *, configured: bool) -> None:
    """Change the imports. This comes last: it has to know what the new text needs."""
    job = target.job
    both = (ast.Import, ast.ImportFrom)
    old = [one for one in job.scopes.nodes if isinstance(one, both) and shared.is_old(job, one)]
    client: list[Part] = []
    borrowed = not (configured or target.waits) and job.uses_client and shared.borrowed(job)
    if (job.uses_client or target.waits) and not configured and not borrowed:
        client = [f"{job.client_name} = ", *_created(target, "OpenAI", []), job.source.newline]
        if target.waits:
            client += [f"{target.async_client} = ", *_created(target, "AsyncOpenAI", []),
                       job.source.newline]  # fmt: skip
    modules, text = emitted.copied(target.needs, target.called)
    lines = [f"import {name}" for name in target.modules] + modules
    names = [*(["AsyncOpenAI"] if target.waits else []), "OpenAI"]
    if configured or client:
        lines.append(f"from openai import {', '.join(names)}")
    lines = sorted(dict.fromkeys(lines), key=_order)
    top = [node for node in old if job.scopes.parent[node] is job.scopes.tree]
    nested = [node for node in old if job.scopes.scope[node] is job.scopes.module]
    first = next(iter([*top, *nested]), None)
    for node in old:
        kept = _kept(job, node)
        shared.write(job, node, [*(lines if node is first else []), *kept], set())
    newline = job.source.newline
    body = text.replace("\n", newline)
    pieces: list[Part] = []
    if first is None:
        pieces += [f"{line}{newline}" for line in lines]
    if body:
        rest = re.match(r"\s*", job.source.text[below(job, first) :])
        blank = rest[0].count("\n") if rest is not None and not client else 0
        pieces.append(f"{newline}{newline}{body}{newline}{newline * max(0, 2 - blank)}")
    if client:
        if job.options.key_env is None and job.options.base_url is None:
            said = _KEY.format("GEMINI_API_KEY")
            pieces.append(f"{'' if body else newline}# {MARK}: {said}{newline}")
            job.places.append(Place(getattr(first, "lineno", 1), "assisted", "configure", said))
        pieces += client
    if pieces:
        at, text = below(job, first), job.source.text
        lead = newline if at == len(text) and not text.endswith(("\n", "\r")) else ""
        job.edits.insert(at, lead, *pieces)


def _order(line: str) -> tuple[bool, bool, str]:
    """Python's own modules first, and ``import`` before ``from``."""
    return ("openai" in line, line.startswith("from"), line)


def _kept(job: Job, node: ast.Import | ast.ImportFrom) -> list[str]:
    """What an import binds that is not the old SDK's."""
    words = [job.code(alias) for alias in node.names
             if old_sdk.canonical(shared.dotted_of(node, alias)) is None]  # fmt: skip
    if not words:
        return []
    lead = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
    return [lead + ", ".join(words)]


def below(job: Job, first: ast.stmt | None) -> int:
    """The line below the imports that one is among; below the module's text where there is none."""
    body = job.source.tree.body
    last: ast.stmt | None = None
    if first is not None:
        at = next(number for number, one in enumerate(body)
                  if one is first or first in ast.walk(one))  # fmt: skip
        last = body[at]
        for one in body[at + 1 :]:
            if not isinstance(one, ast.Import | ast.ImportFrom):
                break
            last = one
    else:
        for one in body:
            said = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
            if not said and not (isinstance(one, ast.ImportFrom) and one.module == "__future__"):
                break
            last = one
    if last is None:
        return job.source.line_start(job.span(body[0]).start)
    text, end = job.source.text, job.span(last).end
    found = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?").match(text, end)
    return found.end() if found is not None else len(text)
