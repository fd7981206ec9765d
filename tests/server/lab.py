"""A Jupyter server with our routes, and what tests ask of it."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from jsonschema import Draft202012Validator
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from gemini_magic.server.schemas import PROBLEM
from gemini_magic.server.table import ROUTES, Route
from tests.jupyter_server import Server

API = "/gemini-magic/api"
T = TypeVar("T")


class Jupyter(Server):
    """The server; ``root`` is its root, ``work`` a path below it that is the test's own."""

    #: A key that the server's environment holds; no answer and no log may.
    KEY: ClassVar[str] = "AIzaSyTESTKEYtestkeyTESTKEYtestkey98765"

    def __init__(self, folder: Path, *words: str) -> None:
        self.root = Path.cwd()
        self.work = ""
        others = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook",
                  "notebook_shim")  # fmt: skip
        alone = [f"--ServerApp.jpserver_extensions={name}=False" for name in others]
        super().__init__(folder, *alone, *words)

    def within(self, name: str) -> Jupyter:
        """The same server for a test with this name."""
        mine = copy.copy(self)
        made = tempfile.mkdtemp(prefix=re.sub(r"\W+", "_", name)[:40], dir=self.root)
        mine.work = Path(made).name
        return mine

    @property
    def folder(self) -> Path:
        """Where the test works."""
        return self.root / self.work

    def path(self, name: str) -> str:
        """A file of the test's as the front end names it."""
        return f"{self.work}/{name}".lstrip("/")

    def call(self, verb: str, path: str, body: Any = None) -> Any:
        """What a route answers, checked against its schema."""
        status, content = self.ask(verb, f"{API}/{path}", body)
        route = route_of(verb, path)
        assert status == route.status, (status, content)
        if route.answer is None:
            assert content == b""
            return None
        answer = json.loads(content)
        Draft202012Validator(route.answer).validate(answer)
        return answer

    def refused(self, verb: str, path: str, body: Any = None) -> tuple[int, str, str]:
        """The status, message and next step of a refusal."""
        status, content = self.ask(verb, f"{API}/{path}", body)
        assert 400 <= status < 500, (status, content)
        problem = json.loads(content)
        Draft202012Validator(PROBLEM).validate(problem)
        assert problem["message"].strip()
        return status, problem["message"], problem["next"] or ""

    def live(self, talk: Callable[[WebSocketClientConnection], Awaitable[T]]) -> T:
        """Connect to the websocket, and talk."""

        async def run() -> T:
            headers = {"Authorization": f"token {self.token}"}
            client = await websocket_connect(
                HTTPRequest(f"{self.url.replace('http', 'ws')}{API}/live", headers=headers)
            )
            try:
                return await asyncio.wait_for(talk(client), 60)
            finally:
                client.close()

        return asyncio.run(run())


def route_of(verb: str, path: str) -> Route:
    plain = path.partition("?")[0]
    for route in ROUTES:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route.path))
        if route.verb == verb and re.fullmatch(pattern, plain):
            return route
    raise LookupError(path)


async def heard(
    client: WebSocketClientConnection, kind: str, fits: Callable[[Any], Any] = lambda _: True
) -> Any:
    """The next message of a kind that fits."""
    while True:
        message = json.loads(await client.read_message() or "null")
        assert message is not None, "the server closed the connection"
        if message["type"] == kind and fits(message):
            return message


def notebook(*cells: str | dict[str, Any]) -> dict[str, Any]:
    """A notebook; texts are code cells."""
    made = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": cell}
        if isinstance(cell, str) else cell
        for number, cell in enumerate(cells)
    ]  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
