"""Answers HTTP by the table of routes, within Jupyter's own authentication."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from gemini_magic.convert.writing import InTheWay
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.server import bodies
from gemini_magic.server.desk import Desk
from gemini_magic.server.table import Route

#: What an authorizer of Jupyter's calls all this.
RESOURCE = "gemini_magic"


class RouteHandler(APIHandler):
    """One path: ``routes`` are its verbs. The work is done on a thread of the desk's."""

    auth_resource = RESOURCE

    def initialize(self, routes: Mapping[str, Route], desk: Desk) -> None:
        self._routes = routes
        self._desk = desk

    @web.authenticated
    @authorized
    async def get(self, **names: str) -> None:
        await self._answer("GET", names)

    @web.authenticated
    @authorized
    async def post(self, **names: str) -> None:
        await self._answer("POST", names)

    @web.authenticated
    @authorized
    async def delete(self, **names: str) -> None:
        await self._answer("DELETE", names)

    async def _answer(self, verb: str, names: Mapping[str, str]) -> None:
        route = self._routes.get(verb)
        if route is None:
            raise web.HTTPError(405 if self._routes else 404)
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._desk.hands, self._done, route, names)
        except GeminiMagicError as problem:
            self.set_status(status_of(problem))
            await self._told(problem.what, problem.next_step)
            return
        self.set_status(route.status)
        if route.answer is None:
            await self.finish()
        else:
            await self.finish(answer)

    def _done(self, route: Route, names: Mapping[str, str]) -> str:
        """The answer's JSON. On a thread of the desk's."""
        query = {
            name: [text.decode("utf-8", "replace") for text in texts]
            for name, texts in self.request.query_arguments.items()
            if name not in _JUPYTERS and not name.isdecimal()  # the time, against caches
        }
        try:
            given = bodies.given(route, names, query, self.request.body)
            return json.dumps(route.do(self._desk, given))
        except RecursionError:
            raise UsageError("that is nested too deeply.") from None
        except UnicodeEncodeError:
            raise UsageError("there are half characters in that, which no file can hold.") from None

    async def _told(self, message: str, next_step: str) -> None:
        short = self._desk.shortened
        await self.finish(json.dumps({"message": short(message), "next": short(next_step) or None}))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Jupyter itself refuses, in the form of our own refusals."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        said = error.log_message if isinstance(error, web.HTTPError) else None
        message = said or self._reason if status_code < 500 else "there is a mistake in the server."
        next_step = "See the server's log." if status_code >= 500 else None
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message, "next": next_step}))


#: What Jupyter and its front ends put into any address.
_JUPYTERS = {"token", "_", "_xsrf", "no_track_activity"}


def status_of(problem: GeminiMagicError) -> int:
    """What HTTP calls an error: 400 for wrong words, 409 for what is in the way, else 422."""
    if isinstance(problem, InTheWay):
        return 409
    return int(getattr(problem, "status", 0)) or (400 if isinstance(problem, UsageError) else 422)


class DocumentHandler(APIHandler):
    """``GET openapi.json``."""

    auth_resource = RESOURCE

    def initialize(self, document: Mapping[str, Any]) -> None:
        self._document = document

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.finish(json.dumps(self._document))

    write_error = RouteHandler.write_error
