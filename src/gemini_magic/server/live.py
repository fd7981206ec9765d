"""The websocket: quota and requests of all kernels as they happen, to all who look."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.log import app_log
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from gemini_magic.engine import reports
from gemini_magic.errors import GeminiMagicError
from gemini_magic.quota.reader import LOOK, pause
from gemini_magic.server import quota, requests
from gemini_magic.server.desk import Desk
from gemini_magic.server.handlers import RESOURCE, RouteHandler

#: Seconds for which the backend that cells ask first is not looked for again: to find its key
#: may ask the keyring.
_FIRST_HOLDS = 30.0
#: Notebooks with keys in them of which a client that connects is told.
_REMEMBERED = 50
#: Seconds between two pings, so that a client that vanished is noticed.
_PING = 30.0


class Watcher:
    """Looks at ledger and log while somebody is connected, and tells all what is new.

    One of a server. Its methods are called on the event loop's thread; the looks are done on the
    thread ``counting`` of the desk.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._clients: set[LiveHandler] = set()
        self._task: asyncio.Task[None] | None = None
        self._told: dict[str, str] = {}
        self._known: dict[str, Any] = {}
        self._seen: tuple[Any, ...] | None = None
        self._logged: int | None = None
        self._due = 0.0
        self._first: tuple[object, float, frozenset[str]] = (None, 0.0, frozenset())
        self._reported: object = None
        self._reports = 0
        self._saved: dict[str, str] = {}

    @property
    def watching(self) -> bool:
        """Whether anybody is connected."""
        return self._task is not None

    def add(self, client: LiveHandler) -> None:
        """Tell a client all that is known, and what is new from now on."""
        self._clients.add(client)
        for message in (*self._saved.values(), *self._told.values()):
            client.tell(message)
        if self._task is None:
            self._seen = self._logged = None
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def remove(self, client: LiveHandler) -> None:
        self._clients.discard(client)

    def saved(self, path: str, findings: list[dict[str, Any]]) -> None:
        """Tell all clients which keys a notebook was saved with; who connects later, once more."""
        message = {"type": "secrets", "path": path, "findings": findings}
        for client in tuple(self._clients):
            client.tell(json.dumps(message))
        self._saved.pop(path, None)
        if findings:
            self._saved[path] = json.dumps({**message, "again": True})
        if len(self._saved) > _REMEMBERED:
            del self._saved[next(iter(self._saved))]

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._clients:
                try:
                    looked = loop.run_in_executor(self._desk.counting, self._look)
                except RuntimeError:
                    return  # the server ends, and its threads are given no more work
                news = await looked
                for kind, data in news.items():
                    self._publish(kind, data)
                await asyncio.sleep(LOOK)
        except Exception:
            app_log.exception("gemini_magic: quota and requests are watched no longer")
            for client in tuple(self._clients):
                client.close(1011)  # who still looks connects anew
        finally:
            self._task = None
            self._told.clear()
            self._known.clear()

    def _publish(self, kind: str, data: Any) -> None:
        """Tell all clients, unless they know it but for the time."""
        content = {**data, "at": 0} if isinstance(data, dict) else data
        message = json.dumps({"type": kind, "data": data})
        if self._known.get(kind) != content:
            self._known[kind] = content
            for client in tuple(self._clients):
                client.tell(message)
        self._told[kind] = message

    # --- on the thread ``counting`` ---

    def _look(self) -> dict[str, Any]:
        """What may have changed: cheap as long as nothing did."""
        news: dict[str, Any] = {}
        reported = reports.changes()
        if reported != self._reported:
            self._reported, self._reports = reported, self._reports + 1
            news["kernels"] = self._reports
        try:
            reader = self._desk.reader()
            seen = (reader, reader.changes(), self._reports)
            if seen != self._seen or time.monotonic() >= self._due:
                snapshot = reader.snapshot()
                news["quota"] = quota.told(snapshot, reader.config, self._active(reader.config))
                self._seen = seen
                self._due = time.monotonic() + pause(snapshot)
        except GeminiMagicError as problem:
            self._seen = None
            news["quota"] = quota.unread(problem)
        logged = self._desk.log.changes()
        if logged != self._logged:
            with suppress(GeminiMagicError):
                news["requests"] = requests.newest(self._desk, requests.USUAL)
                self._logged = logged
        return news

    def _active(self, config: Any) -> frozenset[str]:
        known, at, first = self._first
        if known != (config, self._reports) or time.monotonic() > at + _FIRST_HOLDS:
            first = quota.active(self._desk, config)
            self._first = ((config, self._reports), time.monotonic(), first)
        return first


class LiveHandler(JupyterHandler, WebSocketHandler):
    """``WS live``; what a client says is not listened to."""

    auth_resource = RESOURCE

    def initialize(self, watcher: Watcher) -> None:
        self._watcher = watcher

    @property
    def max_message_size(self) -> int:
        return 1_000

    @property
    def ping_interval(self) -> float:
        return _PING

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare(_redirect_to_login=False)

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        user = self.current_user
        if not await ensure_async(self.authorizer.is_authorized(self, user, "read", RESOURCE)):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    write_error = RouteHandler.write_error

    def open(self, *args: Any, **kwargs: Any) -> None:
        self._watcher.add(self)

    def on_message(self, message: str | bytes) -> None:
        pass

    def on_close(self) -> None:
        self._watcher.remove(self)

    def tell(self, message: str) -> None:
        """Send a message, if anybody still listens."""
        try:
            sent = self.write_message(message)
        except WebSocketClosedError:
            self._watcher.remove(self)
        else:  # the client may go meanwhile, which is no mistake
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())
