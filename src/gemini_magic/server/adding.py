"""The routes that change who can answer: add a backend, take one out, test a connection."""

from __future__ import annotations

import time
from typing import Any

from gemini_magic import keys
from gemini_magic.config_writing import (
    add_backend,
    check_backend,
    defined_in_user_file,
    remove_backend,
)
from gemini_magic.engine import checks
from gemini_magic.errors import GeminiMagicError, MissingWeights, UsageError
from gemini_magic.server import backends
from gemini_magic.server.choices import presets_known
from gemini_magic.server.desk import Desk, Given, Refused
from gemini_magic.server.secrets import kept_as

#: How many models a test tells.
_MOST = 2_000
#: Who keeps a key that came with a form, and forgets it with its backend.
_FORM = "form"


def add(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST backends``: the user's file gets a table, the keyring the key.

    Raises ``Refused`` with 409 where the name, or its place for a key, is taken, and with 428 where
    there is no keyring and the user has not agreed to a file (``key_file``).
    """
    body = dict(given.body)
    name, key, agreed = body.pop("name"), body.pop("key", ""), body.pop("key_file", False)
    defined = desk.config().backends.get(name)
    if defined_in_user_file(name) or (defined is not None and defined.defined_in != "built in"):
        raise Refused(f"there is a backend {name} already.", "Choose another name.", status=409)
    row = _row(body)
    if key:  # no service's usual variable, which would win over the key that was typed
        row["key_env"] = f"{name.upper().replace('-', '_')}_BACKEND_KEY"
    check_backend(name, row)
    stored = bool(key) and not kept_as(name, key)
    if stored:
        _keep(name, key, agreed)
    try:
        add_backend(name, row)
    except GeminiMagicError:
        if stored:
            keys.forget(name)
        raise
    return backends.one(desk, name)


def _keep(name: str, key: str, agreed: bool) -> None:
    asked: list[str] = []

    def consent(question: str) -> bool:
        asked.append(question)
        return agreed

    try:
        keys.store(name, key, consent=consent, by=_FORM)
    except GeminiMagicError as problem:
        if asked and not agreed:
            raise Refused(asked[0], problem.next_step, status=428) from None
        raise


def _row(body: dict[str, Any]) -> dict[str, Any]:
    """The table of a form's fields. Raises ``UsageError``."""
    preset, project = body.pop("preset", None), body.pop("project", None)
    if (preset is None) == ("kind" not in body):
        raise UsageError("a backend is of a preset or of a kind.", "Say one of the two.")
    known = presets_known()
    if preset is not None and preset not in known:
        raise UsageError("there is no such preset.", f"Known: {', '.join(known)}")
    row = {**(known[preset].row if preset else {}), **body}
    if preset is not None and known[preset].needs_project:
        if not project:
            raise UsageError(f"{known[preset].title} needs a project.", "Name it.")
        row["vertex"] = {"project": project, "location": "global"}
    elif project:
        row["project"] = project
    return row


def remove(desk: Desk, given: Given) -> None:
    """``DELETE backends/NAME``: the user's own only; a key that ``add`` kept is forgotten, too."""
    name = given.params["name"]
    if not defined_in_user_file(name):
        status = 404 if name not in desk.config().backends else 422
        raise Refused("your configuration file defines no such backend.", status=status)
    remove_backend(name)
    keys.forget(name, by=_FORM)


def test(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST backends/NAME/test``: has it list its models; nothing of a quota is used."""
    name = given.params["name"]
    if name not in desk.config().backends:
        raise Refused("there is no such backend.", status=404)
    began = time.monotonic()
    models: list[str] = []
    problem: GeminiMagicError | None = None
    try:
        models = [model.name for model in checks.list_models(desk.engine(), name)][:_MOST]
        if not models and desk.config().backends[name].kind == "local":
            problem = MissingWeights("its weights are not here.", "run: %gemini local install")
    except GeminiMagicError as failure:
        problem = failure
    many = "1 model" if len(models) == 1 else f"{len(models)} models"
    return {
        "ok": problem is None,
        "seconds": time.monotonic() - began,
        "message": desk.shortened(problem.what) if problem else f"It answers and lists {many}.",
        "next": (desk.shortened(problem.next_step) or None) if problem else None,
        "models": models,
    }
