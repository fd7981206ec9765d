"""Migrates the text of one program: every rule in its turn, and a look at what came of it."""

from __future__ import annotations

import ast
import re
import warnings

from gemini_magic.convert.migrate import (
    answers,
    caches,
    calls,
    chats,
    clients,
    contents,
    imports,
    services,
    symbols,
)
from gemini_magic.convert.migrate.job import Job, Options
from gemini_magic.convert.migrate.models import Models
from gemini_magic.convert.migrate.report import Migrated, Place
from gemini_magic.convert.migrate.source import Source
from gemini_magic.convert.migrate.to_openai import rewrite as to_openai
from gemini_magic.errors import GeminiMagicError

#: A program without these words has nothing of the old SDK's.
_WORDS = re.compile(r"generativeai|generativelanguage")


def concerns(text: str, options: Options = Options()) -> bool:  # noqa: B008
    """Whether a text may use the old SDK, or models of a file that does."""
    if _WORDS.search(text) is not None:
        return True
    if options.project is None or options.path is None:
        return False
    return options.project.seen_from(options.path).asks


def migrate(text: str, options: Options = Options()) -> Migrated:  # noqa: B008
    """The program on the new SDK. Raises ``GeminiMagicError`` where it cannot be read."""
    if not concerns(text, options):
        return Migrated(text)
    job = Job(read(text), options)
    if not imports.uses_old(job) and not job.neighbours.asks:
        return Migrated(text, tuple(_hidden(job)))
    if imports.star(job):
        return Migrated(text, tuple(job.places))
    imports.name_modules(job)
    models = Models(job)
    target = None
    configured = False
    if options.to == "openai":
        target = to_openai.rules(job, models)
    else:
        configured = _rules(job, models)
    changed = any(place.verdict != "left" for place in job.places)
    if not changed and not _only_names(job):
        return Migrated(text, tuple(_ordered(job.places)))
    if target is not None:
        to_openai.finish(target)
    else:
        imports.companions(job)
        imports.rewrite(job, configured=configured)
    job.write_marks()
    made = job.edits.render()
    _check(made)
    return Migrated(made, tuple(_ordered([*job.places, *_hidden(job)])))


def _rules(job: Job, models: Models) -> bool:
    """Those of google-genai; whether the program makes a client."""
    job.travelling = models.travelling
    configured = clients.rewrite(job)
    calls.rewrite(job, models)
    chats.rewrite(job, models)
    models.rewrite()
    contents.rewrite(job)
    answers.rewrite(job)
    services.rewrite(job)
    caches.rewrite(job)
    symbols.rewrite(job)
    return configured


def read(text: str) -> Source:
    """Raises ``GeminiMagicError`` where the text is no Python of today."""
    try:
        return Source(text)
    except SyntaxError as error:
        what = error.msg
        if re.search(r"^\s*(print|exec)\s+[^\s(=]", text, re.M):
            what += "; it looks like Python 2"
        raise GeminiMagicError(
            f"line {error.lineno}: {what}.", "Only programs that Python can read are migrated."
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise GeminiMagicError(f"it cannot be read as Python: {error}.") from None


def _check(text: str) -> None:
    """A program that is no Python afterwards is a mistake of ours, and never written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        raise GeminiMagicError(
            f"its migration would not be valid Python (line {error.lineno}); it was left alone.",
            "Please report this with the file.",
        ) from None


def _only_names(job: Job) -> bool:
    """Whether nothing but imports is to change."""
    return not job.places


def _ordered(places: list[Place]) -> list[Place]:
    """By line; what was done is not told again where it also needs a look."""
    looked = {(one.line, one.rule) for one in places if one.verdict != "done"}
    kept = [one for one in places if one.verdict != "done" or (one.line, one.rule) not in looked]
    return sorted(kept, key=lambda one: one.line)


def _hidden(job: Job) -> list[Place]:
    """The old SDK's name in texts: what a test replaces, what is imported by name."""
    found = []
    for node in job.each(ast.Constant):
        if isinstance(node.value, str) and re.fullmatch(r"google\.generativeai[\w.]*", node.value):
            found.append(Place(node.lineno, "left", "text", f"the text {node.value!r} names the "
                               "old SDK"))  # fmt: skip
    return found
