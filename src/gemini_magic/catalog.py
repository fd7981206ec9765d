"""What is known of Google's models and of other services, read from ``catalog.toml``.

The rows are data with a date and a source each; they age, and code must not depend on one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple


class Model(NamedTuple):
    """A model of Google's; ``input_limit`` in tokens, None where it is not known."""

    name: str
    input_limit: int | None
    notes: str
    as_of: str
    source: str


class Preset(NamedTuple):
    """A service that a configuration, a cell or ``%gemini use`` can call by this name.

    ``prefix`` goes before the bare names of Google's models there. ``google`` says whether the
    service offers those; ``serves`` are patterns (fnmatch) for the other models it offers.
    ``base_url`` may name a variable in braces: without it there is no such service.
    """

    name: str
    label: str
    kind: str
    base_url: str
    key_env: tuple[str, ...]
    key_required: bool
    prefix: str
    google: bool
    serves: tuple[str, ...]
    model: str | None
    as_of: str
    source: str


def default_model() -> str:
    """The model that is asked where nobody chose one."""
    return str(_catalog()["default"]["model"])


@functools.cache
def google_models() -> tuple[Model, ...]:
    """The models that Google is known to offer, newest first."""
    return tuple(
        Model(
            name=row["name"],
            input_limit=row.get("input_limit"),
            notes=row.get("notes", ""),
            as_of=str(row["as_of"]),
            source=row["source"],
        )
        for row in _catalog()["google"]
    )


@functools.cache
def presets() -> Mapping[str, Preset]:
    """The services known by name."""
    return MappingProxyType(
        {
            name: Preset(
                name=name,
                label=row["label"],
                kind=row["kind"],
                base_url=row["base_url"],
                key_env=tuple(row["key_env"]),
                key_required=row["key_required"],
                prefix=row.get("prefix", ""),
                google=row["google"],
                serves=tuple(row["serves"]),
                model=row.get("model"),
                as_of=str(row["as_of"]),
                source=row["source"],
            )
            for name, row in _catalog()["presets"].items()
        }
    )


def successor(name: str) -> str | None:
    """The model that replaced a retired one, itself not retired; None if it is not retired."""
    retired = _catalog()["retired"]
    found = None
    row = retired.get(bare(name))
    while row is not None:
        found = str(row["successor"])
        row = retired.get(found)
    return found


def makes(model: str) -> tuple[str, ...]:
    """What a model's answers are made of: ``text``, ``image``, ``audio``; text if nothing is known.

    The name may have its maker before it (``google/gemini-...``).
    """
    row = _makes(model)
    return tuple(row["what"]) if row else ("text",)


def has_images_api(model: str) -> bool:
    """Whether OpenAI's wire asks for this model's pictures with ``images.generate``."""
    row = _makes(model)
    return bool(row and row.get("images_api"))


def has_speech_api(model: str) -> bool:
    """Whether OpenAI's wire has this model speak with ``audio.speech.create``."""
    row = _makes(model)
    return bool(row and row.get("speech_api"))


@functools.lru_cache(maxsize=64)
def _makes(model: str) -> Mapping[str, Any] | None:
    name = bare(model).rpartition("/")[2].lower()
    for row in _catalog()["makes"]:
        if any(fnmatchcase(name, pattern) for pattern in row["models"]):
            return MappingProxyType(row)
    return None


def is_google(model: str) -> bool:
    """Whether a bare name is one of Google's (``gemini-...``, ``gemma-...``, ``models/...``)."""
    return model.startswith("models/") or model.lower().startswith(_families())


def bare(model: str) -> str:
    """The name without Google's ``models/`` before it."""
    return model.removeprefix("models/")


@functools.cache
def _families() -> tuple[str, ...]:
    return tuple(_catalog()["families"]["prefixes"])


@functools.cache
def _catalog() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
