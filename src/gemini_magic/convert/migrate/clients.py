"""``configure`` becomes a client, bound to a name that outlives its calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial

from gemini_magic.convert.migrate import arguments
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part

#: The old SDK spoke this version; the new one's default is v1 since its version 3.
API_VERSION = "v1beta"


#: What a call of ``configure``, with these arguments, is to be a client by.
Maker = Callable[[ast.Call, dict[str, ast.expr]], list[Part]]


def rewrite(job: Job, made: Maker | None = None, names: Sequence[str] = ()) -> bool:
    """Change all calls of ``configure``; whether there are any.

    ``made`` is what stands for one, google-genai's client if it is None; ``names`` are the
    variables that it binds.
    """
    found = [call for call in job.each(ast.Call) if job.kinds.symbol(call.func) == "configure"]
    several = len({ast.dump(call) for call in found}) > 1 and not _exclusive(job, found)
    for call in found:
        _configure(job, call, made or partial(_google, job), names or [job.client_name],
                   several=several)  # fmt: skip
    return bool(found)


def created(job: Job, key: list[Part], options: list[Part]) -> list[Part]:
    """A new client."""
    base = job.options.base_url
    if base is not None and not any("base_url=" in one for one in options if isinstance(one, str)):
        options = [*options, f", base_url={base!r}"]
    http = [f'http_options={job.types}.HttpOptions(api_version="{API_VERSION}"', *options, ")"]
    return [f"{job.genai}.Client(", *([*key, ", "] if key else []), *http, ")"]


def _configure(
    job: Job, call: ast.Call, made: Maker, names: Sequence[str], *, several: bool
) -> None:
    rule = "configure"
    given = arguments.bound(call, ())
    statement = job.scopes.statement(call)
    if given is None:
        job.left(call, rule, "the arguments of configure are hidden by **")
        return
    if not isinstance(statement, ast.Expr) or statement.value is not call:
        job.left(call, rule, "configure is no statement of its own here; make a client: "
                 f"{job.client_name} = genai.Client(api_key=...)")  # fmt: skip
        return
    job.edits.replace(call, f"{job.client_name} = ", *made(call, given))
    _global(job, call, ", ".join(names))
    if several:
        job.assisted(call, rule, "configure is called more than once: calls use the newest client, "
                     "where old models kept theirs")  # fmt: skip
    else:
        job.done(call, rule)


def _google(job: Job, call: ast.Call, given: dict[str, ast.expr]) -> list[Part]:
    key: list[Part] = ["api_key=", job.whole(given["api_key"])] if "api_key" in given else []
    options: list[Part] = []
    if "client_options" in given:
        key, options = _client_options(job, given["client_options"], key)
    if "default_metadata" in given:
        options += [", headers=dict(", job.whole(given["default_metadata"]), ")"]
    if "credentials" in given:
        job.assisted(call, "configure", "credentials were taken out: the Gemini API wants a key, "
                     "or genai.Client(enterprise=True, credentials=...)")  # fmt: skip
    return created(job, key, options)


def _client_options(job: Job, node: ast.expr, key: list[Part]) -> tuple[list[Part], list[Part]]:
    options: list[Part] = []
    if not isinstance(node, ast.Dict):
        job.assisted(node, "configure", "client_options was taken out; an address is "
                     "types.HttpOptions(base_url=...)")  # fmt: skip
        return key, options
    for name, value in zip(node.keys, node.values, strict=True):
        said = name.value if isinstance(name, ast.Constant) else None
        if said == "api_endpoint":
            options = [", base_url=", *_address(job, value)]
        elif said == "api_key":
            key = ["api_key=", job.whole(value)]
        else:
            job.assisted(node, "configure", f"client_options[{said!r}] was taken out")
    return key, options


def _address(job: Job, node: ast.expr) -> list[Part]:
    """Where requests go; the old SDK put https:// before it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if "://" in node.value:
            return [job.span(node)]
        return [repr(f"https://{node.value}").replace("'", '"')]
    job.assisted(node, "configure", "base_url has to begin with https://")
    return [job.whole(node)]


def _global(job: Job, call: ast.Call, names: str) -> None:
    """Where it is made in a function, the client is the module's all the same.

    One that only a function holds is closed when the function ends, with its chats and streams.
    """
    scope = job.scopes.scope[call].function_of()
    if scope is None or not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if scope.node in job.wrapped:
        return
    job.wrapped.add(scope.node)
    body = scope.node.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        first = body[1]
    at = job.span(first).start
    line = job.source.line_start(at)
    if job.source.text[line:at].strip():
        job.edits.insert(at, f"global {names}; ")
    else:
        indent = job.source.indent(at)
        job.edits.insert(line, f"{indent}global {names}{job.source.newline}")


def _exclusive(job: Job, calls: list[ast.Call]) -> bool:
    """Whether they stand in branches of which one is taken, or in one function each."""
    branches = []
    for call in calls:
        inner: ast.AST = call
        found = None
        for one in job.scopes.ancestors(call):
            if isinstance(one, ast.If | ast.Try):
                field = next(name for name, value in ast.iter_fields(one)
                             if (isinstance(value, list) and inner in value)
                             or value is inner)  # fmt: skip
                found = (one, field)
            inner = one
        branches.append(found)
    outer = {id(one[0]) for one in branches if one is not None}
    return None not in branches and len(outer) == 1 and len(set(branches)) == len(branches)
