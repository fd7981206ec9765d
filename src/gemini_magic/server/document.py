"""The routes as an OpenAPI document, made of their one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gemini_magic import __version__
from gemini_magic.server.schemas import PROBLEM
from gemini_magic.server.table import Route

_LIVE = """\
A websocket. It tells {"type": "quota", "data": ...} (as GET quota) and {"type": "requests", "data":
[...]} (as GET requests) at once and when they change, at most four times a second, {"type":
"kernels", "data": a count} when kernels report other keys (GET backends tells them), and {"type":
"secrets", "path": ..., "findings": [...]} when a notebook was saved with other keys in it than
before; who connects hears of those that still hold keys, with "again": true."""


def openapi(routes: Sequence[Route], base: str) -> dict[str, Any]:
    """OpenAPI 3.1; ``base`` is where the routes begin (``/gemini-magic/api``)."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(f"/{route.path}", {})[route.verb.lower()] = _operation(route)
    plain = {"description": "this document", "content": _json({"type": "object"})}
    paths["/openapi.json"] = {"get": {"operationId": "openapi", "responses": {"200": plain}}}
    switched = {"101": {"description": "the websocket"}, "default": _problem()}
    paths["/live"] = {
        "get": {"operationId": "live", "summary": _LIVE, "responses": switched}
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "gemini_magic for Jupyter Server", "version": __version__},
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header",
                                          "name": "Authorization"}},
        },
    }  # fmt: skip


def _operation(route: Route) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    answers: dict[str, Any] = {"default": _problem()}
    if route.answer is None:
        answers[str(route.status)] = {"description": "done"}
    else:
        answers[str(route.status)] = {"description": "done", "content": _json(route.answer)}
    name = re.sub(r"\W+", "_", f"{route.verb.lower()} {route.path}").strip("_")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in names),
            *({"name": name, "in": "query", "schema": schema}
              for name, schema in route.query.items()),
        ],
        "responses": answers,
    }  # fmt: skip
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(route.body)}
    return operation


def _problem() -> dict[str, Any]:
    return {"description": "why not, and what to do", "content": _json(PROBLEM)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
