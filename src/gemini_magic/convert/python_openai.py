"""Writes a prompt as a call of openai, for every service that speaks its wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gemini_magic.backends.openai_dialects import Dialect, dialect_of
from gemini_magic.backends.openai_request import chat_body
from gemini_magic.config import Backend
from gemini_magic.convert import pytext
from gemini_magic.convert.library import Import
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.pytext import INDENT, OWN, call, literal
from gemini_magic.convert.steps import problem_of
from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import SEARCH

NAME = "openai"
DEPENDENCY = "openai>=3.54,<4"
OPENAI = Import("openai", "OpenAI")
HISTORY = f"list[{OWN}Message]"
#: Where llama.cpp's server listens if nothing else is said: the embedded model is one.
_LOCAL_URL = "http://127.0.0.1:8080/v1"


class Written(NamedTuple):
    """The arguments of a call: settings, and the messages that go before all others."""

    settings: str
    instructions: str


def base_url(backend: Backend) -> str:
    """Where a backend speaks OpenAI's wire; Gemini has an address of its own for it."""
    if backend.kind == "local":
        return _LOCAL_URL
    url = backend.base_url or ""
    if backend.kind == "google":
        return f"{url.rstrip('/')}/v1beta/openai/"
    return url


def dialect(backend: Backend) -> Dialect:
    host = urlsplit(base_url(backend)).hostname or ""
    return Dialect("google") if backend.kind == "google" else dialect_of(
        host, llama_cpp=backend.kind == "local"
    )  # fmt: skip


def client(backend: Backend, key: str) -> tuple[str, set[Import]]:
    """The expression that makes the client; ``key`` is the expression of its key."""
    address = literal(base_url(backend))
    if backend.kind == "local":  # it is where its server listens
        address = f"{OWN}os.environ.get({literal('LOCAL_BASE_URL')}, {address})"
    arguments = [f"base_url={address}", f"api_key={key}", "max_retries=0"]
    return call(f"{OWN}OpenAI", arguments), {OPENAI}


def written(
    plan: Plan,
    schema: str,
    declared: Mapping[str, str],
    note: Callable[[str, str], None],
) -> Written:
    """What a call says beside its words. What the wire cannot say is noted."""
    spoken = dialect(plan.backend)
    request = plan.request
    for service in request.services:
        if service != SEARCH or spoken.kind == "google":
            note("left-out", f"--{service.replace('_', '-')} left out: this wire cannot say it")
            kept = tuple(one for one in request.services if one != service)
            request = replace(request, services=kept)
    try:
        body = chat_body(request, plan.model, spoken)
    except GeminiMagicError as problem:
        note("left-out", problem_of(problem))
        return Written("", "")
    for notice in body.notices:
        note("left-out", notice)
    fields = {key: value for key, value in body.fields.items() if key not in ("model", "messages")}
    before = body.fields["messages"][:-1]
    return Written(_settings(fields, schema, declared), _instructions(before, plan))


def _settings(fields: dict[str, Any], schema: str, declared: Mapping[str, str]) -> str:
    if not fields:
        return ""
    rows: list[str] = []
    for key, value in fields.items():
        if key == "response_format" and schema:
            rows.append(f"{literal(key)}: {_format(value, schema)}")
        elif key == "tools" and declared:
            tools = [f"{INDENT * 2}{_tool(tool, declared)},\n" for tool in value]
            rows.append(f"{literal(key)}: [\n{''.join(tools)}{INDENT}]")
        else:
            rows.append(f"{literal(key)}: {pytext.value(value, INDENT)}")
    flat = f"{{{', '.join(rows)}}}"
    if "\n" not in flat and len(flat) <= pytext.NESTED:
        return flat
    inner = "".join(f"{INDENT}{row},\n" for row in rows)
    return f"{{\n{inner}}}"


def _format(value: Mapping[str, Any], schema: str) -> str:
    rows = {
        key: schema if key == "schema" else pytext.value(one)
        for key, one in value["json_schema"].items()
    }
    inner = _rows(rows, INDENT * 2)
    return _rows({"type": literal("json_schema"), "json_schema": inner}, INDENT)


def _tool(tool: Mapping[str, Any], declared: Mapping[str, str]) -> str:
    name = tool["function"]["name"]
    if name not in declared:
        return pytext.value(tool, INDENT * 2)
    inner = _rows({"name": literal(name), "parameters": declared[name]}, INDENT * 3)
    return _rows({"type": literal("function"), "function": inner}, INDENT * 2)


def _rows(rows: Mapping[str, str], indent: str) -> str:
    """A dict of expressions, one a line."""
    inner = "".join(f"{indent}{INDENT}{literal(key)}: {one},\n" for key, one in rows.items())
    return f"{{\n{inner}{indent}}}"


def _instructions(messages: list[Any], plan: Plan) -> str:
    """The messages before all others, with the system instruction's placeholders filled in."""
    rows = []
    for message in messages:
        if message["role"] == "system" and message["content"] == "?" and plan.system is not None:
            text = pytext.text_expression(plan.system)
        else:
            text = pytext.value(message["content"])
        rows.append(f'{{"role": {literal(message["role"])}, "content": {text}}}')
    return f"[{', '.join(rows)}]" if rows else ""
