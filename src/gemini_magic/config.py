"""The configuration in force: what the session, the environment and the files say, together.

``load`` is cheap enough to be called for every cell: files are read again only when they changed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gemini_magic import catalog, config_backends, config_layers, trust
from gemini_magic.config_backends import Backend, Vertex
from gemini_magic.config_files import Document, project_document, user_document
from gemini_magic.config_layers import Layer, Pairs
from gemini_magic.config_schema import Mismatch
from gemini_magic.errors import ConfigError, did_you_mean

__all__ = [
    "Backend",
    "Config",
    "Step",
    "Vertex",
    "default_target_names",
    "load",
    "project_backends",
]


class Step(NamedTuple):
    """A backend along a route, and the failures of the one before on which it answers.

    ``when`` holds words of ``config_schema.WHEN``; empty, it answers on any of them.
    """

    backend: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Config:
    """All that is configured, checked. Times are in seconds. Equal only to itself.

    ``route`` and ``model`` are None where nobody chose one. ``presets`` are services that are not
    configured but known by name; to name one is the user's say-so for that use. ``limits_since``
    is when the file with the ``limits`` was last changed. ``sources`` says
    for people where each setting comes from. ``project`` is the project's file as it was read,
    ``ignored`` the dotted names of what it holds beyond what it may, until the user accepts it.
    """

    backends: Mapping[str, Backend]
    presets: Mapping[str, Backend]
    routes: Mapping[str, tuple[Step, ...]]
    route: str | None
    model: str | None
    timeout: float
    max_wait: float
    retries: int
    warm_up: bool
    magic_name: str
    run_log: bool
    cache: Mapping[str, Any]
    generation: Mapping[str, Any]
    ledger: Mapping[str, Any]
    limits: Mapping[str, Mapping[str, Mapping[str, int]]]
    limits_since: float
    prices: Mapping[str, Mapping[str, Mapping[str, str]]]
    notices: tuple[str, ...]
    sources: Mapping[str, str]
    folder: Path
    project: Document | None
    ignored: tuple[str, ...]

    @property
    def project_file(self) -> Path | None:
        """The project's file, accepted or not."""
        return self.project.path if self.project else None

    @property
    def project_content(self) -> bytes | None:
        """What was read from it: what the user accepts, whatever it holds by now."""
        return self.project.content if self.project else None

    @functools.cached_property
    def env_file(self) -> Path:
        """Where a ``.env`` with keys would be: beside the project file, else in the folder."""
        return (self.project_file.parent if self.project_file else self.folder) / ".env"

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment's variables that hold keys."""
        services = (*self.backends.values(), *self.presets.values())
        return tuple(dict.fromkeys(name for service in services for name in service.key_env))

    def backend(self, name: str) -> Backend:
        """The backend of this name, configured or preset. Raises ConfigError."""
        found = self.backends.get(name) or self.presets.get(name)
        if found is None:
            known = (*self.backends, *self.presets)
            hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
            raise ConfigError(f"there is no backend {name}.", hint)
        return found

    def split_model(self, asked: str) -> tuple[str | None, str]:
        """``"backend:model"`` taken apart; the backend is None unless there is one of that name.

        So ``ollama:llama3:8b`` is llama3:8b at ollama, and ``google/x:free`` one bare name.
        """
        name, colon, model = asked.partition(":")
        if colon and (name in self.backends or name in self.presets):
            return name, model
        return None, asked

    def steps(self, route: str | None = None) -> tuple[Step, ...]:
        """The steps of a route (of the chosen one, if None), in order.

        A backend's name is a route of one step. Empty where the route is "default" and nobody
        wrote one: see ``default_target_names``. Raises ConfigError for an unknown name.
        """
        name = route or self.route or "default"
        if name in self.routes:
            return self.routes[name]
        if name == "default":
            return ()
        if name in self.backends or name in self.presets:
            return (Step(name),)
        known = ("default", *self.routes, *self.backends, *self.presets)
        raise ConfigError(
            f"there is no route or backend {name}.",
            did_you_mean(name, known) or f"known: {', '.join(dict.fromkeys(known))}",
        )


def default_target_names(
    config: Config, find_key: Callable[[Backend], object | None]
) -> tuple[str, ...]:
    """The backends along the chosen route; with no route written, the one that answers.

    That is Google where ``find_key`` finds its key, else the embedded model.
    """
    if steps := config.steps():
        return tuple(step.backend for step in steps)
    studio = config.backends["studio"]
    answers = not studio.key_required or find_key(studio) is not None
    return ("studio",) if answers else ("local",)


def project_backends(
    config: Config, environ: Mapping[str, str] | None = None
) -> tuple[Backend, ...]:
    """The backends that the project's file defines, as they are once the user accepts it.

    Raises ConfigError where the file could not be used then.
    """
    if config.project is None:
        return ()
    layer = config_layers.from_project_file(config.project)
    made = _backends([layer], None, os.environ if environ is None else environ, [])
    return tuple(one for one in made.values() if one.defined_in == layer.source)


def load(
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """What is configured for a notebook in ``folder`` (else the working directory), now.

    ``overrides`` are the session's settings by name, and ``generation`` as a mapping; None unsets.
    While nothing changes, the same value comes back. Raises ConfigError for what cannot be read
    or understood.
    """
    environ = os.environ if environ is None else environ
    folder = (folder or _working_directory()).absolute()
    user = user_document()
    project = project_document(folder)
    if project and user and project.path == user.path:
        project = None
    trusted = project is not None and trust.is_trusted(project.path, project.content)
    ours = (config_layers.PREFIX, "MODEL_PROXY_")
    variables = tuple(sorted((k, environ[k]) for k in environ if k.startswith(ours)))
    session = config_layers.from_session(overrides or {})
    return _build(user, project, trusted, folder, variables, session)


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:  # removed under our feet
        return Path(os.path.expanduser("~"))


@functools.lru_cache(maxsize=16)
def _build(
    user: Document | None,
    project: Document | None,
    trusted: bool,
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    session: Pairs,
) -> Config:
    environ = dict(variables)
    notices: list[str] = []
    ignored: tuple[str, ...] = ()
    layers = [config_layers.BUILT_IN]
    if user:
        layers.append(config_layers.from_user_file(user))
    if project and trusted:
        layers.append(config_layers.from_project_file(project))

    presets = config_backends.from_presets(environ)
    backends = _backends(layers, user, environ, notices)
    routes = _routes(layers, backends, presets, notices)

    if project and not trusted:
        layer, ignored = config_layers.from_unknown_file(project, routes, backends)
        layers.append(layer)
        if ignored:
            notices.append(
                f"{project.path} defines {_listed(ignored)}, which only your own configuration"
                " may; ignored. Accept the file with: %gemini trust"
            )
    layers += config_layers.from_environment(environ, notices)
    layers += config_layers.session_layers(session)
    tables, sources = config_layers.merged(layers)
    cache = {**config_layers.DEFAULTS["cache"], **tables["settings"].pop("cache")}

    config = Config(
        backends=MappingProxyType(backends),
        presets=MappingProxyType({k: v for k, v in presets.items() if k not in backends}),
        routes=MappingProxyType(routes),
        **tables["settings"],
        cache=MappingProxyType(cache),
        generation=MappingProxyType(tables["generation"]),
        ledger=MappingProxyType(tables["ledger"]),
        limits=MappingProxyType(tables["limits"]),
        limits_since=max((_changed(layer) for layer in layers), default=0.0),
        prices=MappingProxyType(tables["prices"]),
        notices=tuple(notices),
        sources=MappingProxyType(sources),
        folder=folder,
        project=project,
        ignored=ignored,
    )
    try:
        config.steps()
    except ConfigError as problem:
        raise ConfigError(f"{sources['route']}: {problem.what}", problem.next_step) from None
    return config


def _changed(layer: Layer) -> float:
    """When the file of a layer with limits was last changed, in Unix time."""
    if layer.document is None or not layer.tables.get("limits"):
        return 0.0
    try:
        return layer.document.path.stat().st_mtime
    except OSError:
        return 0.0


def _backends(
    layers: Iterable[Layer],
    user: Document | None,
    environ: Mapping[str, str],
    notices: list[str],
) -> dict[str, Backend]:
    """The built-in backends and those of the files; a later file's replaces an earlier one's."""
    backends = config_backends.built_in()
    for source, tables, document in layers:
        if document is None:
            continue
        for name, row in tables.get("backends", {}).items():
            try:
                backend = config_backends.make(name, row, source, environ, document is user)
            except Mismatch as mismatch:
                mismatch.path = ("backends", name, *mismatch.path)
                raise document.error(mismatch) from None
            if backend is None:
                notices.append(f"backend {name} is not available here: its variables are not set.")
                continue
            if backend.base_url and not config_backends.is_safe(backend.base_url):
                notices.append(f"backend {name}: prompts and key travel unencrypted (http).")
            backends[name] = backend
    return backends


def _routes(
    layers: list[Layer],
    backends: Mapping[str, Backend],
    presets: Mapping[str, Backend],
    notices: list[str],
) -> dict[str, tuple[Step, ...]]:
    """The routes of the files, without the steps that cannot be taken here."""
    known = {name for layer in layers for name in layer.tables.get("backends", {})}
    known |= {*backends, *catalog.presets()}
    routes: dict[str, tuple[Step, ...]] = {}
    for _, tables, document in layers:
        if document is None:
            continue
        for name, row in tables.get("routes", {}).items():
            where = document.where(("routes", name, "targets"))
            steps = [Step(backend, when) for backend, when in row.get("targets", ())]
            if not steps:
                raise ConfigError(f"{where}: the route {name} has no targets.")
            for step in steps:
                if step.backend not in known:
                    hint = did_you_mean(step.backend, known)
                    raise ConfigError(f"{where}: there is no backend {step.backend}.", hint)
            here = tuple(s for s in steps if s.backend in backends or s.backend in presets)
            for step in steps:
                if step not in here:
                    notices.append(f"route {name} goes without {step.backend}, not available here.")
            if here:
                routes[name] = here
    return routes


def _listed(names: tuple[str, ...]) -> str:
    if len(names) > 8:
        names = (*names[:7], f"{len(names) - 7} more")
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
