"""``package.json``: the SDK that a project depends on."""

from __future__ import annotations

import json
import re

from gemini_magic.convert.migrate.javascript.imports import NEW, OLD, OPENAI, VERSIONS
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.json_spans import members
from gemini_magic.convert.migrate.report import Migrated, Place
from gemini_magic.errors import GeminiMagicError

NAME = "package.json"
_SECTIONS = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")


def in_page(text: str) -> bool:
    """Whether what is built from here runs in a page, without a server of its own."""
    return '"vite"' in text and '"express"' not in text


def migrate(text: str, options: Options = Options()) -> Migrated:  # noqa: B008
    """With the new SDK in the old one's place. Raises ``GeminiMagicError``.

    A lockfile is not touched: the next ``npm install`` brings it up to date.
    """
    body = text.removeprefix("\ufeff")
    if OLD not in text and NEW not in text:
        return Migrated(text)
    try:
        if not isinstance(json.loads(body), dict):
            return Migrated(text)
    except (ValueError, RecursionError) as error:
        raise GeminiMagicError(f"it is no JSON: {error}.") from None
    replaced = (OLD, NEW) if options.to == "openai" else (OLD,)
    target = OPENAI if options.to == "openai" else NEW
    lead = len(text) - len(body)
    places: list[Place] = []
    made = body
    for section in _SECTIONS:
        known = members(made, 0)
        if section not in known or made[known[section].start] != "{":
            continue
        made = _section(made, known[section].start, replaced, target, places)
    return Migrated(text[:lead] + made, tuple(places))


def _section(
    text: str, at: int, replaced: tuple[str, ...], target: str, places: list[Place]
) -> str:
    """One section's dependencies: the first that goes is replaced, all others are taken out."""
    known = members(text, at)
    has = target in known
    for name in replaced:
        known = members(text, at)
        if name not in known:
            continue
        value = known[name]
        key = text.rindex(f'"{name}"', at, value.start)
        line = text.count("\n", 0, key) + 1
        if has:
            text = _without(text, key, value.end)
        else:
            between = text[key + len(name) + 2 : value.start]
            new = f'"{target}"{between}"{VERSIONS[target]}"'
            text = text[:key] + new + text[value.end :]
        places.append(Place(line, "done", "dependency"))
        has = True
    return text


def _without(text: str, start: int, end: int) -> str:
    """The text without an entry, and without its comma and its line."""
    after = re.compile(r"\s*,\s*").match(text, end)
    if after is not None:
        return text[:start] + text[after.end() :]
    before = re.compile(r",\s*\Z").search(text[:start])
    return text[: before.start() if before else start] + text[end:]
