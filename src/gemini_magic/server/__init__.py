"""Jupyter Server's face: the REST routes that the Lab extension calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "gemini_magic.server"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Called by a Jupyter Server that starts."""
    from gemini_magic.server.loading import load

    load(app)
