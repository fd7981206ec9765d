"""A configured service, and how one is put together from presets, defaults and the user's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.config_schema import BACKEND, Mismatch, base_url

#: Google's own address; always passed to the SDK, so that no variable can redirect a key.
GOOGLE_URL = "https://generativelanguage.googleapis.com"

#: GOOGLE_API_KEY wins, as in the SDK (google-genai 3.4.0, ``_api_client.py``).
GOOGLE_KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

#: The backends that need no configuration, and their kinds.
BUILT_IN = {"studio": "google", "local": "local"}

#: The name of the weights that the embedded model answers with.
LOCAL_MODEL = "qwen2.5-coder-0.5b"

#: What can be said of a backend of each kind.
_COMMON = frozenset({"preset", "kind", "base_url", "key_env", "models", "model", "budget"})
_ALLOWED = {
    "google": _COMMON | {"project", "tier", "api_version", "vertex"},
    "openai": _COMMON | {"project", "tier"},
    "local": frozenset({"kind", "model", "idle_minutes"}),
}


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


class Vertex(NamedTuple):
    """Whose Google Cloud answers, and where."""

    project: str
    location: str = "global"


@dataclass(frozen=True)
class Backend:
    """A service that can be asked: where it is, and the names of the variables with its key.

    ``models`` maps names as asked to the service's own; ``prefix``, ``google`` and ``serves`` are
    as in ``catalog.Preset``. ``model`` is what it answers with where nothing was asked of it (for
    ``local``: the weights). ``defined_in`` says for people where it was configured.
    """

    name: str
    kind: str
    base_url: str | None = None
    key_env: tuple[str, ...] = ()
    key_required: bool = False
    project: str | None = None
    tier: str | None = None
    api_version: str | None = None
    vertex: Vertex | None = None
    models: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    prefix: str = ""
    google: bool = False
    serves: tuple[str, ...] = ()
    model: str | None = None
    idle_minutes: float = 10.0
    preset: str | None = None
    budget: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    defined_in: str = "built in"

    @property
    def host(self) -> str:
        """Where its prompts go, for people."""
        if not self.base_url:
            return "this machine"
        from urllib.parse import urlsplit

        return urlsplit(self.base_url).hostname or self.base_url

    def map_model(self, asked: str) -> str:
        """The service's own name for a model; a name that it does not know stays as it is."""
        if asked in self.models:
            return self.models[asked]
        name = catalog.bare(asked)
        if name in self.models:
            return self.models[name]
        return self.prefix + name if self.prefix and catalog.is_google(name) else name

    def has(self, model: str) -> bool:
        """Whether this service plausibly answers as the bare ``model`` (nothing is asked)."""
        name = catalog.bare(model)
        if name in self.models or model in self.models or name == self.model:
            return True
        if self.kind == "local":
            known = name.lower().startswith(("qwen2.5-coder-", "smollm2-"))
            return known or name.lower().endswith(".gguf")
        if catalog.is_google(model):
            return self.google
        return any(fnmatchcase(name, pattern) for pattern in self.serves)

    def model_for(self, asked: str | None) -> str | None:
        """What to ask here along a route: ``asked`` as this service calls it, else its own model.

        None where it neither has the one nor names the other: the route goes on without it.
        """
        if asked is not None and self.has(asked):
            return self.map_model(asked)
        return self.model


def make(
    name: str,
    row: Mapping[str, Any],
    defined_in: str,
    environ: Mapping[str, str],
    allow_http: bool = False,
) -> Backend | None:
    """The backend that a checked table ``[backends.<name>]`` describes.

    None where its address is in a variable that is not set. ``allow_http`` permits an unencrypted
    address elsewhere than on this machine. Raises Mismatch.
    """
    if "base_url" in row and not allow_http and not is_safe(row["base_url"]):
        raise _wrong("base_url", "an https address; http takes your own configuration file")
    preset = _preset(row)
    kind = row.get("kind") or (preset.kind if preset else BUILT_IN.get(name))
    if kind is None:
        raise Mismatch('given as kind = "google", "openai" or "local", or as preset = "..."')
    for key in row:
        if key in BACKEND and key not in _ALLOWED[kind]:
            raise _wrong(key, f"left out: it says nothing about a backend of kind {kind}")
    common: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "models": MappingProxyType(dict(row.get("models", {}))),
        "budget": MappingProxyType(dict(row.get("budget", {}))),
        "defined_in": defined_in,
        **{key: row.get(key) for key in ("project", "tier", "model", "preset")},
    }
    if kind == "local":
        weights = row.get("model", LOCAL_MODEL)
        return Backend(**{**common, "model": weights, "idle_minutes": row.get("idle_minutes", 10)})
    if kind == "google":
        return Backend(**{**common, **_google(row, preset)})
    url = row.get("base_url") or (_filled(preset, environ) if preset else None)
    if url is None:
        if preset:
            return None
        raise Mismatch("completed by a base_url, or by a preset")
    return Backend(**{**common, **_openai(row, preset), "base_url": url})


def _wrong(key: str, expected: str) -> Mismatch:
    mismatch = Mismatch(expected)
    mismatch.path = (key,)
    return mismatch


def _preset(row: Mapping[str, Any]) -> catalog.Preset | None:
    name = row.get("preset")
    if name is None:
        return None
    preset = catalog.presets().get(name)
    if preset is None:
        raise _wrong("preset", f"one of {', '.join(catalog.presets())}")
    if row.get("kind", preset.kind) != preset.kind and "base_url" not in row:
        raise Mismatch(f"completed by a base_url: the preset's is for kind {preset.kind}")
    return preset


def _google(row: Mapping[str, Any], preset: catalog.Preset | None) -> dict[str, Any]:
    keys = preset.key_env if preset else GOOGLE_KEYS
    url, version, vertex = GOOGLE_URL, "v1beta", None
    if "vertex" in row:
        if "project" not in row["vertex"]:
            raise _wrong("vertex", 'given as { project = "...", location = "global" }')
        vertex = Vertex(**row["vertex"])
        keys, url, version = (), _vertex_url(vertex.location), "v1beta1"
    return {
        "base_url": row.get("base_url", url),
        "api_version": row.get("api_version", version),
        "vertex": vertex,
        "key_env": row.get("key_env", keys),
        "key_required": vertex is None,
        "google": True,
    }


def _vertex_url(location: str) -> str:
    """Source: google-genai 3.4.0, ``_api_client.py``."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _openai(row: Mapping[str, Any], preset: catalog.Preset | None) -> dict[str, Any]:
    keys = row.get("key_env")
    if preset is None:
        return {
            "key_env": keys or (),
            "key_required": bool(keys),
            "google": "model" not in row,
            "serves": ("*",),
        }
    return {
        "key_env": preset.key_env if keys is None else keys,
        "key_required": preset.key_required or bool(keys),
        "model": row.get("model", preset.model),
        "prefix": preset.prefix,
        "google": preset.google,
        "serves": preset.serves,
    }


def _filled(preset: catalog.Preset, environ: Mapping[str, str]) -> str | None:
    """The preset's address; where it begins with a variable, that one and the key must be set."""
    variable = re.match(r"\{(\w+)\}", preset.base_url)
    if variable is None:
        return preset.base_url
    host = environ.get(variable[1], "").strip().rstrip("/")
    if not host or not all(environ.get(name) for name in preset.key_env):
        return None
    url = preset.base_url.replace(variable[0], host if "://" in host else f"https://{host}")
    try:
        return url if is_safe(base_url(url)) else None
    except Mismatch:
        return None


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine only."""
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127\.\d+\.\d+\.\d+", host))


def is_safe(url: str) -> bool:
    """Whether a key sent to this address stays unread on its way."""
    return url.lower().startswith("https://") or is_loopback(url)


def from_presets(environ: Mapping[str, str]) -> dict[str, Backend]:
    """A backend for each preset that can be reached from here, named as the preset."""
    return _made({name: {"preset": name} for name in catalog.presets()}, "preset", environ)


def built_in() -> dict[str, Backend]:
    """The backends that need no configuration."""
    return _made({name: {"kind": kind} for name, kind in BUILT_IN.items()}, "built in", {})


def _made(
    rows: Mapping[str, Mapping[str, Any]], defined_in: str, environ: Mapping[str, str]
) -> dict[str, Backend]:
    made = {name: make(name, row, defined_in, environ) for name, row in rows.items()}
    return {name: backend for name, backend in made.items() if backend is not None}
