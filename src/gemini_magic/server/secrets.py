"""The routes of the guard on save: keys in a notebook are found, taken out, or moved away."""

from __future__ import annotations

from typing import Any

from gemini_magic import keys
from gemini_magic.config import Backend
from gemini_magic.convert import notebook_keys
from gemini_magic.server.desk import Desk, Given, Refused


def scan(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST secrets/scan``."""
    return {"findings": findings(desk, given.body["content"])}


def findings(desk: Desk, content: dict[str, Any]) -> list[dict[str, Any]]:
    """The keys of a notebook, none of them shown."""
    return [one._asdict() for one in notebook_keys.find(content, desk.key_names())]


def redact(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST secrets/redact``."""
    ids = given.body["ids"]
    return {"content": notebook_keys.redacted(given.body["content"], ids, desk.key_names())}


def into_keyring(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST secrets/keyring``. Raises ``Refused``, ``UsageError`` and ``ConfigError``."""
    content, id, name = (given.body[field] for field in ("content", "id", "name"))
    names = desk.key_names()
    value = notebook_keys.key_of(content, id, names)
    if value is None:
        raise Refused("there is no such key in the notebook.", "Scan it again.", status=404)
    name = f"notebook.{name}"  # no name of a backend: those have no dot
    # A text of Python's: names hold nothing that would end it.
    expression = f'__import__("keyring").get_password("{keys.SERVICE}", "{name}")'
    changed = notebook_keys.replaced(content, id, expression, names)
    kept_as(name, value)
    keys.store(name, value, consent=lambda _: False)
    return {"content": changed, "expression": expression}


def kept_as(name: str, key: str) -> bool:
    """Whether just this key is kept by that name already.

    Raises ``Refused`` with 409 where another is, and ``ConfigError``.
    """
    known = keys.find(Backend(name, "openai"), environ={})
    if known is not None and known.secret != keys.Secret(key.strip()):
        raise Refused(f"another key is already kept as {name}.", "Choose another name.", status=409)
    return known is not None
