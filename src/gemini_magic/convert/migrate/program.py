"""Migrates the text of one program: every rule in its turn, and a look at what came of it."""

from __future__ import annotations

import ast
import re
import warnings

from gemini_magic.catalog import bare, successor
from gemini_magic.convert.migrate import (
    answers,
    caches,
    calls,
    chats,
    clients,
    contents,
    imports,
    palm,
    pictures,
    services,
    symbols,
)
from gemini_magic.convert.migrate.job import Job, Options
from gemini_magic.convert.migrate.models import Models
from gemini_magic.convert.migrate.report import Migrated, Place, keys_told
from gemini_magic.convert.migrate.source import Source
from gemini_magic.convert.migrate.to_openai import rewrite as to_openai
from gemini_magic.errors import GeminiMagicError

#: Models of the Vertex AI SDK.
_VERTEX = re.compile(r"vertexai\.(?:preview\.)?(?:generative_models|vision_models|language_models)")
#: A program without these words has nothing of the old SDK's.
_WORDS = re.compile(r"generativeai|generativelanguage|models\.generate_images|vertexai\.")


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
    told = [*_hidden(job), *_elsewhere(job)]
    if not imports.uses_old(job) and not job.neighbours.asks:
        pictures.rewrite(job)
        keys = keys_told(text, options.key_names) if _is_changed(job) else []
        return _made(job, [*told, *keys])
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
    if not _is_changed(job) and not _only_names(job):
        return Migrated(text, tuple(_ordered([*job.places, *told])))
    if target is not None:
        to_openai.finish(target)
    else:
        imports.companions(job)
        imports.rewrite(job, configured=configured)
    return _made(job, [*told, *_noted(job)])


def _made(job: Job, told: list[Place]) -> Migrated:
    """The program with all edits; as it was where none but marks are to be made."""
    places = tuple(_ordered([*job.places, *told]))
    if not _is_changed(job) and job.places:
        return Migrated(job.source.text, places)
    job.write_marks()
    made = job.edits.render()
    _check(made)
    return Migrated(made, places)


def _is_changed(job: Job) -> bool:
    return any(place.verdict != "left" for place in job.places)


def _rules(job: Job, models: Models) -> bool:
    """Those of google-genai; whether the program makes a client."""
    job.travelling = models.travelling
    configured = clients.rewrite(job)
    calls.rewrite(job, models)
    palm.rewrite(job)
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


def _elsewhere(job: Job) -> list[Place]:
    """The other SDK that is gone: what is told of it, as it is not changed."""
    modules = [(node.lineno, one.name) for node in job.each(ast.Import) for one in node.names]
    modules += [(node.lineno, f"{node.module}.") for node in job.each(ast.ImportFrom)]
    return [
        Place(line, "left", "vertexai", "the models of the Vertex AI SDK ended in 2026: they are "
              "genai.Client(enterprise=True, project=..., location=...) of google-genai")
        for line, name in modules if _VERTEX.match(name)
    ]  # fmt: skip


def _noted(job: Job) -> list[Place]:
    """What the new code takes over from the old one, and its author should know of."""
    found = []
    for node in job.each(ast.Constant):
        name = bare(node.value) if isinstance(node.value, str) and len(node.value) < 100 else ""
        if node not in job.renamed and (newer := successor(name)) is not None:
            found.append(Place(node.lineno, "done", "model-name", f"{name} is retired, and is "
                               f"asked all the same; today's is {newer}"))  # fmt: skip
    return [*dict.fromkeys(found), *keys_told(job.source.text, job.options.key_names)]


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
