"""Adds the routes to a Jupyter Server that starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join

from gemini_magic.server.desk import Desk
from gemini_magic.server.document import openapi
from gemini_magic.server.handlers import DocumentHandler, RouteHandler
from gemini_magic.server.live import LiveHandler, Watcher
from gemini_magic.server.places import Root
from gemini_magic.server.saving import guard_saves
from gemini_magic.server.table import ROUTES

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def load(app: ServerApp) -> None:
    """Add the routes below ``gemini-magic/api/``."""
    root = Root.of(app.contents_manager)
    desk = Desk(root or Root(Path(app.root_dir)), on_disk=root is not None)
    watcher = Watcher(desk)
    guard_saves(app.contents_manager, desk, watcher, app.log)
    web: Any = app.web_app
    web.add_handlers(".*$", handlers(desk, watcher, web.settings["base_url"]))


def handlers(desk: Desk, watcher: Watcher, base_url: str) -> list[tuple[str, type, dict[str, Any]]]:
    """Patterns of addresses, and what answers there."""
    base = url_path_join(base_url, "gemini-magic", "api")
    found: list[tuple[str, type, dict[str, Any]]] = [
        (rf"{re.escape(base)}/openapi\.json", DocumentHandler,
         {"document": openapi(ROUTES, base)}),
        (rf"{re.escape(base)}/live", LiveHandler, {"watcher": watcher}),
    ]  # fmt: skip
    for path in dict.fromkeys(route.path for route in ROUTES):
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        verbs = {route.verb: route for route in ROUTES if route.path == path}
        found.append((rf"{re.escape(base)}/{pattern}", RouteHandler,
                      {"routes": verbs, "desk": desk}))  # fmt: skip
    # All else below is none of Jupyter's pages.
    found.append((rf"{re.escape(base)}(?:/.*)?", RouteHandler, {"routes": {}, "desk": desk}))
    return found
