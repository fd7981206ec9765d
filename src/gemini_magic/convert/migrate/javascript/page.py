"""Pages of HTML: the scripts in them, and the maps that say where modules come from."""

from __future__ import annotations

import json
import re

from gemini_magic.convert.migrate.javascript import program
from gemini_magic.convert.migrate.javascript.imports import NEW, OLD, OPENAI, package_of, renamed
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.json_spans import members
from gemini_magic.convert.migrate.report import Migrated, Place
from gemini_magic.convert.migrate.source import Span
from gemini_magic.errors import GeminiMagicError

_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>|<!--.*?-->", re.I | re.S)
_TYPE = re.compile(r"""\btype\s*=\s*["']?([\w/+.-]+)""", re.I)
_CODE = ("", "module", "text/javascript", "application/javascript", "text/babel", "text/typescript")


def migrate(text: str, options: Options = Options()) -> Migrated:  # noqa: B008
    """The page with its scripts migrated. Raises ``GeminiMagicError``."""
    if not program.concerns(text, options):
        return Migrated(text)
    made: list[str] = []
    places: list[Place] = []
    at = 0
    for script in _SCRIPT.finditer(text):
        if script[2] is None:
            continue
        found = _TYPE.search(script[1])
        kind = found[1].lower() if found else ""
        if kind == "importmap":
            inner = _map(script[2], options)
        elif kind in _CODE:
            suffix = ".tsx" if kind == "text/typescript" else ".js"
            inner = program.migrate(script[2], suffix, options, page=True)
        else:
            continue
        first = text.count("\n", 0, script.start(2))
        places += [one._replace(line=one.line + first) for one in inner.places]
        made += [text[at : script.start(2)], inner.text]
        at = script.end(2)
    return Migrated("".join([*made, text[at:]]), tuple(places))


def _map(text: str, options: Options) -> Migrated:
    """An import map: names and addresses of the SDK that goes are those of the one that comes."""
    start = len(text) - len(text.lstrip())
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GeminiMagicError(f"its import map is no JSON: {error}.") from None
    if not isinstance(value, dict) or not isinstance(value.get("imports"), dict):
        return Migrated(text)
    target = OPENAI if options.to == "openai" else NEW
    goes = (OLD, NEW) if options.to == "openai" else (OLD,)
    imports = members(text, members(text, start)["imports"].start)
    edits: list[tuple[Span, str]] = []
    places: list[Place] = []
    taken = {name for name in imports if package_of(name)[0] not in goes}
    for name, span in imports.items():
        package, _ = package_of(name)
        address = json.loads(text[span.start : span.end])
        if package not in goes or not isinstance(address, str):
            continue
        new = renamed(name, target)
        key = text.rindex(json.dumps(name), 0, span.start)
        places.append(Place(text.count("\n", 0, key) + 1, "done", "import-map"))
        if new in taken:
            edits.append((_entry(text, key, span.end), ""))
        else:
            between = text[key + len(json.dumps(name)) : span.start]
            said = json.dumps(renamed(address, target))
            edits.append((Span(key, span.end), f"{json.dumps(new)}{between}{said}"))
        taken.add(new)
    made = text
    for span, words in reversed(edits):
        made = made[: span.start] + words + made[span.end :]
    return Migrated(made, tuple(places))


def _entry(text: str, start: int, end: int) -> Span:
    """An entry with its comma."""
    after = re.compile(r"\s*,\s*").match(text, end)
    if after is not None:
        return Span(start, after.end())
    before = re.compile(r",\s*\Z").search(text[:start])
    return Span(before.start() if before else start, end)
