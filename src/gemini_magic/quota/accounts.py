"""Whose quota a request uses: a key stands for its own project until somebody says more."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from gemini_magic import catalog
from gemini_magic.config import Backend
from gemini_magic.config_backends import is_loopback
from gemini_magic.keys import Secret
from gemini_magic.quota.rules import Stream

#: Where Google counts quota by project: AI Studio's host, whichever wire is spoken to it.
GOOGLE_HOST = "generativelanguage.googleapis.com"


def stream(service: Backend, key: Secret | None, model: str, salt: bytes) -> Stream:
    """What is counted together when ``service`` is asked for ``model`` with this key.

    Keys are told apart by a salted hash; two backends with one key share its account.
    """
    host = urlsplit(service.base_url or "").hostname or ""
    if service.vertex is not None:
        account = f"vertex:{service.vertex.project}"
    elif key is not None:
        digest = hashlib.blake2b(key.reveal().encode(), key=salt, digest_size=6).hexdigest()
        account = f"key:{digest}"
    else:
        account = f"{service.name}@{host}" if host else service.name
    return Stream(account, catalog.bare(model).lower(), service.name, host)


def label(service: Backend) -> str:
    """The project's name as the user gave it; "" where it is only guessed from the key."""
    return service.project or (service.vertex.project if service.vertex else "")


def is_googles_own(service: Backend) -> bool:
    """Whether Google itself answers, or something on this machine that stands in for it."""
    host = urlsplit(service.base_url or "").hostname or ""
    local = service.kind == "google" and is_loopback(service.base_url or "")
    return host == "googleapis.com" or host.endswith(".googleapis.com") or local


def counts_as_google(service: Backend) -> bool:
    """Whether Google's published limits say something about this service."""
    host = urlsplit(service.base_url or "").hostname or ""
    return service.kind == "google" or host == GOOGLE_HOST
