"""The routes on who can answer: which backends are configured, and how they are now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from gemini_magic.config import Backend, Config, default_target_names
from gemini_magic.config_writing import defined_in_user_file
from gemini_magic.engine import reports
from gemini_magic.engine.database import Unusable
from gemini_magic.engine.reports import Report
from gemini_magic.errors import GeminiMagicError
from gemini_magic.server import kernels, quota
from gemini_magic.server.desk import Desk, Given

#: Seconds for which a backend that answered somebody counts as one with a key.
_LATELY = 86_400.0
#: Where kernel and server find the same keys.
_SHARED = ("keyring", "file")


def read(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET backends``."""
    return _all(desk, [*desk.config().backends.values()])


def one(desk: Desk, name: str) -> dict[str, Any]:
    """A configured backend as ``GET backends`` tells it."""
    return _all(desk, [desk.config().backend(name)])[0]


def _all(desk: Desk, services: Sequence[Backend]) -> list[dict[str, Any]]:
    meters = quota.read(desk, Given({}, {}))["meters"]
    reported = reports.alive()
    route = _route(desk, desk.config(), reported)
    answered = _answered(desk)
    return [
        _told(
            service,
            _key(desk, service, kernels.told(desk, service, reported), service.name in answered),
            meters,
            service.name in route,
        )
        for service in services
    ]


def _answered(desk: Desk) -> set[str]:
    """The backends that answered a kernel lately: its environment may hold keys that ours lacks."""
    with suppress(Unusable):
        return {run.backend for run in desk.log.since(time.time() - _LATELY)}
    return set()


class _Key(NamedTuple):
    """Where a backend's key is, if it is; with a ``problem`` nobody can tell."""

    where: str | None
    problem: bool
    kernels: list[dict[str, Any]]


def _key(desk: Desk, service: Backend, said: list[dict[str, Any]], answered: bool) -> _Key:
    """A backend's key: as the kernels report it, or where none did, as this process finds it.

    What was put into the keyring since a kernel looked is found by its next cell.
    """
    where, shared, problem = None, False, False
    try:
        if service.key_env or service.key_required:
            key = desk.find_key(service)
            where = key.where if key else None
            shared = key is not None and desk.key_place(service) in _SHARED
    except GeminiMagicError:  # a keyring that is locked, a file that others can read
        problem = True
    places = sorted({one["where"] for one in said} - {None})
    if problem:  # what is in the way here is in the kernels', too
        places = [place for place in places if place not in _SHARED]
    if places:
        return _Key(where or ", ".join(places), False, said)
    if said and not shared:
        return _Key(None, problem, said)
    if where is None and service.key_required and answered and not problem:
        where = "a kernel"
    return _Key(where, problem, said)


def _told(
    service: Backend, key: _Key, meters: Sequence[dict[str, Any]], in_route: bool
) -> dict[str, Any]:
    until = _exhausted_until(meters, service.name)
    missing = service.key_required and key.where is None
    state = "unknown" if key.problem else "no key" if missing else "ready"
    return {
        "name": service.name,
        "kind": service.kind,
        "base_url": service.base_url,
        "models": list(dict.fromkeys([*filter(None, (service.model,)), *service.models])),
        "model": service.model,
        "key": {
            "needed": service.key_required,
            "found": key.where is not None,
            "where": key.where,
            "kernels": key.kernels,
        },
        "project": service.project or (service.vertex.project if service.vertex else None),
        "tier": service.tier,
        "state": "exhausted" if until is not None and state == "ready" else state,
        "exhausted_until": until,
        "in_route": in_route,
        "own": defined_in_user_file(service.name),
    }


def _route(desk: Desk, config: Config, reported: Sequence[Report]) -> Sequence[str]:
    if asked := kernels.route(config, reported):
        return asked
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
