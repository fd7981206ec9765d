"""What each source says: built in, files, environment, session; checked, the strongest last.

A project file that the user has not accepted may choose among what is configured, and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.config_backends import Backend
from gemini_magic.config_files import Document, config_error
from gemini_magic.config_schema import GENERATION, SETTINGS, Mismatch
from gemini_magic.errors import ConfigError, did_you_mean, nearest

PREFIX = "GEMINI_MAGIC_"

#: Variables of ours that are no settings.
_OTHER_VARIABLES = ("GEMINI_MAGIC_HOME",)

DEFAULTS: Mapping[str, Any] = {
    "route": None,
    "model": None,
    "timeout": 120,
    "max_wait": 90,
    "retries": 1,
    "warm_up": True,
    "magic_name": "gemini",
    "run_log": True,
    "cache": {"size": "1 GB", "days": 30},
}

#: A session's settings as ``from_session`` returns them.
Pairs = tuple[tuple[str, Any], ...]


class Layer(NamedTuple):
    """What one source says, as tables; ``document`` is its file, if it is one."""

    source: str
    tables: Mapping[str, Any]
    document: Document | None = None


BUILT_IN = Layer("built in", {"settings": DEFAULTS})


def from_user_file(document: Document) -> Layer:
    return Layer(f"user file {document.path}", document.checked(document.raw), document)


def from_project_file(document: Document) -> Layer:
    """A project file that the user has accepted."""
    return Layer(f"project file {document.path}", document.checked(document.raw), document)


def from_unknown_file(
    document: Document, routes: Collection[str], backends: Mapping[str, Backend]
) -> tuple[Layer, tuple[str, ...]]:
    """A project file that the user has not accepted, and the dotted names of what is ignored.

    ``routes`` and ``backends`` are what the user configured: the file may choose among them. To
    name a preset is the user's to do, and so is loading weights from a path.
    """
    allowed, ignored = document.split()
    tables = document.checked(allowed)
    settings = tables.get("settings", {})
    beyond = []
    if "route" in settings and settings["route"] not in {"default", *routes, *backends}:
        beyond.append("route")
    if "model" in settings and not _is_modest(settings["model"], backends):
        beyond.append("model")
    for name in beyond:
        del settings[name]
    names = ignored + tuple(f"settings.{name}" for name in beyond)
    return Layer(f"project file {document.path}", tables, document), names


def _is_modest(model: str, backends: Mapping[str, Backend]) -> bool:
    """Whether ``model`` leads to no backend that the user did not configure, and to no file.

    A backend's name alone is a model, too (``engine.targets.choose``), and what follows it is
    asked of other backends where the user chose the route.
    """
    service, _, name = model.partition(":")
    if service not in backends:
        if service in catalog.presets():
            return False
        service, name = "", model
    if not any(mark in name for mark in "/\\~") and not name.lower().endswith(".gguf"):
        return True
    embedded = [backend for backend in backends.values() if backend.kind == "local"]
    is_path = name.startswith((".", "/", "\\", "~"))
    return not is_path and not any(one.name == service or one.has(name) for one in embedded)


def from_environment(environ: Mapping[str, str], notices: list[str]) -> Iterator[Layer]:
    """The settings among the variables. Raises ConfigError for a value that does not fit."""
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES or not text.strip():
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in SETTINGS and name != "cache":
            yield Layer(variable, {"settings": {name: _typed(variable, name, text.strip())}})
        elif similar := nearest(name, SETTINGS, 1):
            right = PREFIX + similar[0].upper()
            notices.append(f"the variable {variable} says nothing; did you mean {right}?")


def _typed(variable: str, name: str, text: str) -> Any:
    """A variable's text as the setting's type: text, else number, else yes or no."""
    candidates: list[Any] = [text]
    for kind in (int, float):
        try:
            candidates.append(kind(text))
        except ValueError:
            continue
    if text.lower() in ("1", "true", "yes", "on"):
        candidates.append(True)
    elif text.lower() in ("0", "false", "no", "off"):
        candidates.append(False)
    expected = ""
    for candidate in candidates:
        try:
            return SETTINGS[name](candidate)
        except Mismatch as mismatch:
            expected = expected or mismatch.expected
    raise ConfigError(f"{variable} should be {expected}.")


def from_session(overrides: Mapping[str, Any]) -> Pairs:
    """The session's settings, checked, as pairs of dotted name and value that can be hashed.

    ``generation`` is a mapping; None unsets. Raises ConfigError.
    """
    pairs = []
    for name, value in overrides.items():
        inner = name == "generation" and isinstance(value, Mapping)
        for key, item in value.items() if inner else ((name, value),):
            dotted = f"generation.{key}" if inner else f"settings.{key}"
            checks = GENERATION if inner else SETTINGS
            if key not in checks or key == "cache":
                raise ConfigError(f"there is no setting {key}.", did_you_mean(key, checks))
            if item is None:
                continue
            try:
                pairs.append((dotted, checks[key](item)))
            except Mismatch as mismatch:
                mismatch.path = (key,)
                raise config_error("this session", mismatch) from None
    return tuple(sorted(pairs))


def session_layers(pairs: Pairs) -> Iterator[Layer]:
    for dotted, value in pairs:
        table, _, key = dotted.partition(".")
        yield Layer("this session", {table: {key: value}})


def merged(layers: list[Layer]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The tables of all layers, later ones winning key by key, and where each key comes from."""
    tables: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        for name in ("settings", "generation", "ledger", "limits", "prices"):
            content = layer.tables.get(name, {})
            tables.setdefault(name, {}).update(content)
            for key in content:
                sources[key if name == "settings" else f"{name}.{key}"] = layer.source
    return tables, sources
