"""The routes on who can answer: which backends are configured, and how they are now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from gemini_magic.config import Backend, Config, default_target_names
from gemini_magic.config_writing import defined_in_user_file
from gemini_magic.engine.database import Unusable
from gemini_magic.errors import GeminiMagicError
from gemini_magic.server import quota
from gemini_magic.server.desk import Desk, Given

#: Seconds for which a backend that answered somebody counts as one with a key.
_LATELY = 86_400.0


def read(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET backends``."""
    return _all(desk, [*desk.config().backends.values()])


def one(desk: Desk, name: str) -> dict[str, Any]:
    """A configured backend as ``GET backends`` tells it."""
    return _all(desk, [desk.config().backend(name)])[0]


def _all(desk: Desk, services: Sequence[Backend]) -> list[dict[str, Any]]:
    meters = quota.read(desk, Given({}, {}))["meters"]
    route = _route(desk, desk.config())
    answered = _answered(desk)
    return [
        _told(desk, service, meters, service.name in route, service.name in answered)
        for service in services
    ]


def _answered(desk: Desk) -> set[str]:
    """The backends that answered a kernel lately: its environment may hold keys that ours lacks."""
    with suppress(Unusable):
        return {run.backend for run in desk.log.since(time.time() - _LATELY)}
    return set()


def _told(
    desk: Desk,
    service: Backend,
    meters: Sequence[dict[str, Any]],
    in_route: bool,
    answered: bool,
) -> dict[str, Any]:
    where, problem = None, False
    try:
        key = desk.find_key(service) if service.key_env or service.key_required else None
        where = key.where if key else None
    except GeminiMagicError:  # a keyring that is locked, a file that others can read
        problem = True
    if service.key_required and where is None and answered and not problem:
        where = "a kernel"
    until = _exhausted_until(meters, service.name)
    missing = service.key_required and where is None
    state = "unknown" if problem else "no key" if missing else "ready"
    return {
        "name": service.name,
        "kind": service.kind,
        "base_url": service.base_url,
        "models": list(dict.fromkeys([*filter(None, (service.model,)), *service.models])),
        "model": service.model,
        "key": {"needed": service.key_required, "found": where is not None, "where": where},
        "project": service.project or (service.vertex.project if service.vertex else None),
        "tier": service.tier,
        "state": "exhausted" if until is not None and state == "ready" else state,
        "exhausted_until": until,
        "in_route": in_route,
        "own": defined_in_user_file(service.name),
    }


def _route(desk: Desk, config: Config) -> Sequence[str]:
    with suppress(GeminiMagicError):
        return default_target_names(config, desk.find_key)
    return ()


def _exhausted_until(meters: Sequence[dict[str, Any]], name: str) -> float | None:
    """When the first of a backend's models answers again, if all that were asked are used up."""
    own = [meter for meter in meters if meter["backend"] == name]
    if not own or any(meter["state"] != "empty" for meter in own):
        return None
    ends = [
        max((w["resets_at"] or 0.0 for w in meter["windows"] if w["state"] == "empty"), default=0.0)
        for meter in own
    ]
    return min(ends) if min(ends) > time.time() else None
