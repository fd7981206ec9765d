"""Who else can answer now, when one target cannot: named so that it can be pasted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gemini_magic import catalog
from gemini_magic.config import Backend, Config
from gemini_magic.quota import accounts, limits
from gemini_magic.types import Target

#: How many are named.
_MOST = 3


def alternatives(
    config: Config, target: Target, find_key: Callable[[Backend], object | None]
) -> str:
    """One sentence with the options to paste; empty where nobody else is known."""
    names = list(dict.fromkeys(_names(config, target, find_key)))[:_MOST]
    return f"Another may answer: {', '.join(f'-m {name}' for name in names)}." if names else ""


def _names(
    config: Config, target: Target, find_key: Callable[[Backend], object | None]
) -> Iterator[str]:
    service = config.backend(target.backend)
    if accounts.counts_as_google(service):
        yield from _roomier(target, service.tier or "")
    for name, other in config.backends.items():
        if name == target.backend or other.kind == "local":
            continue
        if other.has(target.model) and (not other.key_required or find_key(other)):
            yield f"{name}:{other.map_model(target.model)}"
    if target.backend != "local" and _weights_are_here(config):
        yield "local"


def _roomier(target: Target, tier: str) -> Iterator[str]:
    """Google's default model, where more requests a day are allowed of it."""
    other = catalog.default_model()
    here = limits.seed(catalog.bare(target.model), tier, "rpd")
    there = limits.seed(other, tier, "rpd")
    if other != catalog.bare(target.model) and there and (not here or there.size > here.size):
        name = other if target.backend == "studio" else f"{target.backend}:{other}"
        yield name


def _weights_are_here(config: Config) -> bool:
    from gemini_magic.backends import weights

    local = config.backends.get("local")
    return local is not None and weights.find(local.model or "") is not None
