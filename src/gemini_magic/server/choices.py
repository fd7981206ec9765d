"""The routes on what can be chosen: the options of a cell, models, and services known by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.config_backends import GOOGLE_KEYS, GOOGLE_URL
from gemini_magic.option_table import OPTIONS, Option
from gemini_magic.server.desk import Desk, Given
from gemini_magic.widgets.panel_abilities import abilities


class Preset(NamedTuple):
    """A row of the form that adds a backend; ``row`` is what it writes."""

    name: str
    title: str
    kind: str
    base_url: str | None
    key_env: str | None
    needs_project: bool
    row: dict[str, Any]


def presets_known() -> dict[str, Preset]:
    """Google's own two services, the services known by name, and any other address."""
    first = [
        Preset("aistudio", "Google AI Studio", "google", GOOGLE_URL, GOOGLE_KEYS[1], False,
               {"kind": "google"}),
        Preset("vertex", "Google Vertex AI", "google", None, None, True, {"kind": "google"}),
    ]  # fmt: skip
    named = [
        Preset(one.name, one.label, one.kind, one.base_url, next(iter(one.key_env), None), False,
               {"preset": one.name})
        for one in catalog.presets().values()
        if "{" not in one.base_url  # where a variable says it, nobody need add it
    ]  # fmt: skip
    other = Preset("custom", "Another OpenAI-compatible address", "openai", None, None, False,
                   {"kind": "openai"})  # fmt: skip
    return {one.name: one for one in (*first, *named, other)}


def presets(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET presets``."""
    return [
        {"preset": one.name, "kind": one.kind, "base_url": one.base_url, "key_env": one.key_env,
         "needs_project": one.needs_project, "title": one.title}
        for one in presets_known().values()
    ]  # fmt: skip


def options(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET options``: the one table, in its order."""
    return [
        {
            "name": one.name,
            "short": one.short or None,
            "type": one.type,
            "choices": list(one.choices),
            "help": one.help,
            "values": _values(one),
            "kinds": list(one.kinds),
            "group": one.group,
        }
        for one in OPTIONS
    ]


def _values(option: Option) -> str:
    """What an option takes, for people."""
    low, high = option.minimum, option.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if low is not None else option.value_hint


def models(desk: Desk, given: Given) -> list[dict[str, Any]]:
    """``GET models``: what the configuration and the catalogue know; nobody is asked."""
    found = []
    for service in desk.config().backends.values():
        names = [*service.models, *filter(None, (service.model,))]
        if service.kind == "google":
            names += [model.name for model in catalog.google_models()]
        found += [
            {"backend": service.name, "model": name, "can": list(abilities(service, name).can)}
            for name in dict.fromkeys(names)
        ]
    return found
