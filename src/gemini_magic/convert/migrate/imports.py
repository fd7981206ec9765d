"""The old SDK's imports, and those that stand in their place."""

from __future__ import annotations

import ast
import re

from gemini_magic.convert.migrate import clients, old_sdk
from gemini_magic.convert.migrate.job import MARK, Job
from gemini_magic.convert.migrate.report import Place
from gemini_magic.convert.migrate.source import Span

_NO_KEY = "this file never called configure: the key is the environment's, unless it is given here"

_COMPANIONS = ("google.api_core", "google.protobuf", "proto")


def name_modules(job: Job) -> None:
    """Learn how the program calls the modules that stay."""
    found: list[ast.Import | ast.ImportFrom] = [*job.each(ast.Import), *job.each(ast.ImportFrom)]
    for node in found:
        for alias in node.names:
            dotted = dotted_of(node, alias)
            if dotted == old_sdk.PACKAGE and (alias.asname or isinstance(node, ast.ImportFrom)):
                job.genai = alias.asname or alias.name
            if dotted == f"{old_sdk.PACKAGE}.types" and (
                alias.asname or node.__class__ is ast.ImportFrom
            ):
                job.name_types(alias.asname or "types")


def rewrite(job: Job, *, configured: bool) -> None:
    """Change the imports. This comes last: it has to know which modules the new text needs."""
    found = [node for node in job.scopes.nodes
             if isinstance(node, ast.Import | ast.ImportFrom) and is_old(job, node)]  # fmt: skip
    named: set[tuple[int, str]] = set()
    wanted = job.uses_client and not configured and not borrowed(job)
    job.uses_types = job.uses_types or wanted
    for node in found:
        write(job, node, _new(job, node), named)
    outer = [node for node in found if job.scopes.scope[node] is job.scopes.module]
    if outer and wanted:
        first = next((one for one in outer if _wants_client(one)), outer[0])
        _add_client(job, first)
    if not outer:
        _add_to_top(job, client=wanted)
    _references(job)


def borrowed(job: Job) -> bool:
    """Import the client of a file whose models are used here, below that import."""
    for name in job.neighbours.clients:
        for node in job.source.tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            module = "." * getattr(node, "level", 0) + (getattr(node, "module", "") or "")
            joint = "" if module.endswith(".") or not module else "."
            names = {module, *(f"{module}{joint}{alias.name}" for alias in node.names)}
            if name in names:
                new = f"from {name} import client{_as(job.client_name, 'client')}"
                job.edits.insert(job.span(node).end, f"{job.source.newline}{new}")
                job.done(node, "configure")
                return True
    return False


def companions(job: Job) -> None:
    """What came along with the old SDK, and does not with the new one."""
    for node in job.scopes.nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or is_old(job, node):
            continue
        for alias in node.names:
            dotted = dotted_of(node, alias)
            found = next((name for name in _COMPANIONS
                          if dotted == name or dotted.startswith(f"{name}.")), None)  # fmt: skip
            if found is not None:
                job.left(node, "import", f"{found} does not come with {job.options.to}; "
                         "install it, or do without")  # fmt: skip


def uses_old(job: Job) -> bool:
    return any(isinstance(node, ast.Import | ast.ImportFrom) and is_old(job, node)
               for node in job.scopes.nodes)  # fmt: skip


def star(job: Job) -> bool:
    """Whether it cannot be seen which names are the old SDK's."""
    found = False
    for node in job.each(ast.ImportFrom):
        module = old_sdk.canonical(node.module or "")
        if module is not None and any(alias.name == "*" for alias in node.names):
            job.left(node, "import", "a star import hides which names are the old SDK's")
            found = True
    return found


def dotted_of(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    if isinstance(node, ast.Import):
        return alias.name
    return "" if node.level else f"{node.module}.{alias.name}"


def is_old(job: Job, node: ast.Import | ast.ImportFrom) -> bool:
    return any(old_sdk.canonical(dotted_of(node, alias)) is not None for alias in node.names)


def _wants_client(node: ast.Import | ast.ImportFrom) -> bool:
    return any(dotted_of(node, alias).startswith(old_sdk.PACKAGE) for alias in node.names)


def _new(job: Job, node: ast.Import | ast.ImportFrom) -> list[str]:
    """The lines in place of an import."""
    kept: list[ast.alias] = []
    lines: list[str] = []
    types: list[str] = []
    genai = False
    for alias in node.names:
        dotted = dotted_of(node, alias)
        name = old_sdk.canonical(dotted)
        if name is None:
            kept.append(alias)
        elif dotted.startswith("google.api_core"):
            continue
        elif dotted.startswith("google.ai.") or (
            name == "types" and (alias.asname or isinstance(node, ast.ImportFrom))
        ):
            job.uses_types = True
        elif name.startswith("types.") and old_sdk.new_type(name) == name[6:]:
            types.append(name[6:] + (f" as {alias.asname}" if alias.asname else ""))
        elif name.startswith("notebook"):
            job.left(node, "import", "the notebook magics are gone; %%gemini is gemini_magic's")
        else:
            genai = True
    if genai:
        lines.append("from google import genai" + _as(job.genai, "genai"))
    if job.uses_errors and _place_of_errors(job, node):
        lines.append(_module("errors", job.errors))
    if kept:
        words = ", ".join(job.code(one) for one in kept)
        lead = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
        lines.append(lead + words)
    if types:
        lines.append("from google.genai.types import " + ", ".join(types))
    if job.uses_types and not dotted.startswith("google.api_core"):
        lines.append(_module("types", job.types))
    return lines


def _place_of_errors(job: Job, node: ast.Import | ast.ImportFrom) -> bool:
    """Whether errors are to be imported here: where exceptions were, else beside the SDK."""
    old = [one for one in job.scopes.nodes
           if isinstance(one, ast.Import | ast.ImportFrom) and is_old(job, one)
           and any(dotted_of(one, alias).startswith("google.api_core") for alias in one.names)
           ]  # fmt: skip
    here = any(dotted_of(node, alias).startswith("google.api_core") for alias in node.names)
    return here or not old


def _is_types(node: ast.Import | ast.ImportFrom, alias: ast.alias, name: str) -> bool:
    """Whether the module of types gets a name of its own."""
    return name == "types" and (isinstance(node, ast.ImportFrom) or bool(alias.asname))


def _module(name: str, alias: str) -> str:
    return f"from google.genai import {name}{_as(alias, name)}"


def _as(alias: str, name: str) -> str:
    return "" if alias == name else f" as {alias}"


def _add_client(job: Job, first: ast.stmt) -> None:
    """Make a client where a program relied on the environment, or on another module's key.

    It stands below the imports that the old SDK's is among.
    """
    parent = job.scopes.parent[first]
    body = next(value for _, value in ast.iter_fields(parent)
                if isinstance(value, list) and first in value)  # fmt: skip
    last = first
    for one in body[body.index(first) :]:
        if not isinstance(one, ast.Import | ast.ImportFrom):
            break
        last = one
    end = job.span(last).end
    text, newline = job.source.text, job.source.newline
    at = next(re.compile(r"[\r\n]|\Z").finditer(text, end)).start()
    made = "".join(map(str, clients.created(job, [], [])))
    indent = job.source.indent(job.span(last).start)
    mark = f"{indent}# {MARK}: {_NO_KEY}"
    job.edits.insert(at, f"{newline}{newline}{mark}{newline}{indent}{job.client_name} = {made}")
    job.places.append(Place(last.lineno, "assisted", "configure", _NO_KEY))


def _add_to_top(job: Job, *, client: bool) -> None:
    """Import at the top what functions use that do not import the SDK themselves."""
    lines = []
    if client:
        lines.append("from google import genai" + _as(job.genai, "genai"))
    if job.uses_types:
        lines.append(_module("types", job.types))
    if job.uses_errors:
        lines.append(_module("errors", job.errors))
    if client:
        made = "".join(map(str, clients.created(job, [], [])))
        lines += ["", f"# {MARK}: {_NO_KEY}", f"{job.client_name} = {made}"]
        job.places.append(Place(1, "assisted", "configure", _NO_KEY))
    if not lines:
        return
    newline = job.source.newline
    last = None
    for one in job.source.tree.body:
        text = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
        if not text and not (isinstance(one, ast.ImportFrom) and one.module == "__future__"):
            break
        last = one
    if last is None:
        at = job.source.line_start(job.span(job.source.tree.body[0]).start)
        job.edits.insert(at, *(f"{line}{newline}" for line in lines))
    else:
        job.edits.insert(job.span(last).end, *(f"{newline}{line}" for line in lines))


def write(
    job: Job, node: ast.Import | ast.ImportFrom, lines: list[str], named: set[tuple[int, str]]
) -> None:
    span = job.span(node)
    scope = id(job.scopes.scope[node])
    kept: list[str] = []
    for line in lines:
        if (scope, line) in named and line:
            continue
        named.add((scope, line))
        kept.append(line)
    text = job.source.text
    indent = job.source.indent(span.start)
    start = job.source.line_start(span.start)
    single = bool(text[start : span.start].strip())
    end = span.end
    rest = text[end : (text + "\n").index("\n", end)].strip()
    if single or rest.startswith(";"):
        job.edits.replace(span, "; ".join(line for line in kept if line) or "pass")
    elif kept:
        job.edits.replace(span, (job.source.newline + indent).join(kept)
                          .replace(indent + job.source.newline, job.source.newline))  # fmt: skip
    elif _alone(job, node):
        job.edits.replace(span, "pass")
    elif rest:
        job.edits.replace(span, "")
    else:
        line_end = (text + "\n").index("\n", end) + 1
        job.edits.replace(Span(start, min(line_end, len(text))), "")
    job.done(node, "import")


def _alone(job: Job, node: ast.AST) -> bool:
    """Whether a block would be empty without it."""
    parent = job.scopes.parent[node]
    return any(isinstance(value, list) and value == [node] for _, value in ast.iter_fields(parent)
               ) and not isinstance(parent, ast.Module)  # fmt: skip


def _references(job: Job) -> None:
    """``google.generativeai.types.X`` where the package was imported without another name."""
    for node in job.each(ast.Attribute):
        if job.kinds.dotted(node) == old_sdk.PACKAGE and isinstance(node.value, ast.Name):
            job.edits.replace(node, job.genai)
