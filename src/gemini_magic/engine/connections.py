"""Opens the configured backends, each once, and anew when its configuration or key changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from gemini_magic import keys
from gemini_magic.backends.base import Backend
from gemini_magic.config import Backend as Service
from gemini_magic.config import Config
from gemini_magic.errors import BackendError, MissingKey
from gemini_magic.imports import uncollected
from gemini_magic.quota.asked import Asked


class _Open(NamedTuple):
    service: Service
    key: keys.Secret | None
    backend: Backend
    asked: Asked
    warm: asyncio.Future[None]
    turn: asyncio.Lock


class Connections:
    """The backends of a configuration. ``config`` may be replaced at any time."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self._environ = environ
        self._open: dict[str, _Open] = {}

    def find_key(self, service: Service) -> keys.Key | None:
        """The service's key and where it was found; None if there is none."""
        return keys.find(service, environ=self._environ, env_file=self.config.env_file)

    def key_place(self, service: Service) -> str | None:
        """Which of ``keys.PLACES`` that is; no keyring is asked. Raises ``ConfigError``."""
        return keys.place(service, environ=self._environ, env_file=self.config.env_file)

    def open(self, name: str) -> tuple[Backend, Asked]:
        """A backend by its name, and how its failures are to be told. On the loop's thread.

        Raises ``ConfigError`` for an unknown name and ``MissingKey``.
        """
        service = self.config.backend(name)
        key = self.find_key(service) if service.key_env or service.key_required else None
        secret = key.secret if key else None
        known = self._open.get(name)
        if known is not None and (known.service, known.key) == (service, secret):
            return known.backend, known.asked
        if service.key_required and key is None:
            raise _missing_key(service)
        if known is not None:
            asyncio.get_running_loop().create_task(known.backend.aclose())
        backend = _backend(service, key)
        where = key.where if key else ""
        asked = Asked(name, host=backend.host, key_from=where, secret=secret)
        # An SDK is imported for a second; others' streams and connects go on meanwhile.
        warm = asyncio.get_running_loop().run_in_executor(None, _warm_up, backend)
        warm.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._open[name] = _Open(service, secret, backend, asked, warm, asyncio.Lock())
        return backend, asked

    async def ready(self, name: str) -> tuple[Backend, Asked]:
        """The same, once what its first request needs is imported; what fails then, fails again
        with that request. Raises what ``open`` does."""
        opened = self.open(name)
        known = self._open[name]
        if known.service.kind == "local":  # that one needs it last
            return opened
        if known.turn.locked() or not known.warm.done():
            async with known.turn:  # who came first goes on first
                await asyncio.wait([known.warm])
        if isinstance(missing := known.warm.exception(), ImportError):
            if self._open.get(name) is known:  # it may be installed by the next time
                del self._open[name]
            raise _missing_package(name, known.service.kind, missing)
        return opened

    def host(self, name: str) -> str:
        """Where a backend's prompts go, for people."""
        return self.config.backend(name).host

    def key_source(self, name: str) -> str:
        """Where the key of an open backend was found; empty where there is none."""
        known = self._open.get(name)
        return known.asked.key_from if known else ""

    async def close(self) -> None:
        """Close all connections; the next use of a backend opens it anew."""
        opened, self._open = list(self._open.values()), {}
        for one in opened:
            with suppress(Exception):  # nobody can do anything about it now
                await one.backend.aclose()

    def drop(self) -> None:
        """Forget the connections without closing them: they belong to another loop."""
        self._open.clear()


def _warm_up(backend: Backend) -> None:
    with uncollected():
        backend.warm_up()


def _backend(service: Service, key: keys.Key | None) -> Backend:
    secret = key.secret if key else None
    if service.kind == "local":
        from gemini_magic.backends.local import LocalBackend

        return LocalBackend(service.model or "", idle_minutes=service.idle_minutes)
    base_url: Any = service.base_url
    if service.kind == "google":
        from gemini_magic.backends.google import GoogleBackend

        return GoogleBackend(
            base_url,
            secret,
            api_version=service.api_version or "v1beta",
            vertex=service.vertex,
        )
    from gemini_magic.backends.openai import OpenAIBackend

    return OpenAIBackend(base_url, secret)


def _missing_package(name: str, service_kind: str, error: BaseException) -> BackendError:
    package = "google-genai" if service_kind == "google" else "openai"
    return BackendError(
        f"{name} needs the package {package}, which cannot be imported ({error}).",
        f"run: pip install --upgrade {package}",
    )


def _missing_key(service: Service) -> MissingKey:
    names = " or ".join(service.key_env) or "one in the keyring"
    where = " (free at https://aistudio.google.com/apikey)" if service.name == "studio" else ""
    return MissingKey(
        f"{service.name} needs a key{where}, and none was found; looked for {names}.",
        f"run: %gemini key {service.name}",
    )
