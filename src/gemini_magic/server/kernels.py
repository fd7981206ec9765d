"""What living kernels report of a server's backends: who has a key, and along which route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gemini_magic.config import Backend, Config
from gemini_magic.engine.reports import Report, Reported
from gemini_magic.server.desk import Desk


def told(desk: Desk, service: Backend, reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Of each kernel that knows this backend: its notebook, and where it has the key, if it has."""
    return [
        {
            "notebook": desk.root.relative(report.notebook) if report.notebook else None,
            "where": one.key,
        }
        for report in reports
        for one in report.backends
        if _is(one, service)
    ]


def route(config: Config, reports: Sequence[Report]) -> list[str]:
    """The backends that cells of any kernel ask; empty where no kernel says."""
    return [one.name for one in _known(config, reports) if one.turn is not None]


def first(config: Config, reports: Sequence[Report]) -> list[str]:
    """The backends that cells of the kernels ask first; empty where no kernel says."""
    return [one.name for one in _known(config, reports) if one.turn == 0]


def _known(config: Config, reports: Sequence[Report]) -> list[Reported]:
    """What is reported of backends that are the same for kernel and server."""
    services = {**config.presets, **config.backends}
    return [
        one
        for report in reports
        for one in report.backends
        if one.name in services and _is(one, services[one.name])
    ]


def _is(one: Reported, service: Backend) -> bool:
    return (one.name, one.host) == (service.name, service.host)
