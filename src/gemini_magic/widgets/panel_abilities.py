"""What a service and its model can do, as far as it is known: why a control of a panel is off."""

from __future__ import annotations

from typing import NamedTuple

from gemini_magic import catalog
from gemini_magic.config import Backend
from gemini_magic.option_table import OPTIONS

_KINDS = {
    "google": "Google's own wire",
    "openai": "OpenAI-compatible services",
    "local": "the embedded model",
}
#: The options that only say something of an answer that is made of this.
_MADE_OF = {
    "size": "image",
    "aspect": "image",
    "quality": "image",
    "count": "image",
    "voice": "audio",
}
_NAMES = {"image": "pictures", "audio": "sound", "text": "text"}
#: What is worth a word of a model, by the option that asks for it.
_WORTH = ("image", "thinking", "tools", "search", "url-context", "code-execution", "schema")
_WORDS = {
    "image": "reads pictures",
    "tools": "functions",
    "url-context": "URL context",
    "code-execution": "code execution",
    "schema": "structured output",
}


class Abilities(NamedTuple):
    """``barred`` says of options why they are of no use here; ``can`` and ``notes`` are words."""

    barred: dict[str, str]
    can: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def abilities(service: Backend, model: str) -> Abilities:
    """What is known of a model at a service. What nobody knows is not barred."""
    makes = catalog.makes(model)
    barred = {
        option.name: f"not with {_KINDS[service.kind]}"
        for option in OPTIONS
        if service.kind not in option.kinds
    }
    if _is_known(service, model, makes):
        for name, kind in _MADE_OF.items():
            if kind not in makes:
                barred.setdefault(name, f"{model} makes no {_NAMES[kind]}")
    can = [_WORDS.get(name, name) for name in _WORTH if name not in barred]
    made = " and ".join(_NAMES[one] for one in makes)
    found = next((one for one in catalog.google_models() if one.name == catalog.bare(model)), None)
    notes = [found.notes] if found and found.notes else []
    if found and found.input_limit:
        notes.append(f"reads {found.input_limit:,} tokens")
    return Abilities(barred, (f"answers in {made}", *can), tuple(notes))


def _is_known(service: Backend, model: str, makes: tuple[str, ...]) -> bool:
    """Whether the catalogue's word on what a model makes can be relied on."""
    name = model.rpartition("/")[2]
    return makes != ("text",) or service.kind != "openai" or catalog.is_google(name)
