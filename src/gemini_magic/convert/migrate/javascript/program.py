"""Migrates the text of one program of JavaScript or TypeScript: every rule in its turn."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gemini_magic.catalog import bare, successor
from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.migrate.javascript import answers, calls, library, names, services
from gemini_magic.convert.migrate.javascript.code import Code
from gemini_magic.convert.migrate.javascript.imports import NEW, OLD
from gemini_magic.convert.migrate.javascript.job import Job, Language
from gemini_magic.convert.migrate.javascript.models import Models
from gemini_magic.convert.migrate.javascript.old_sdk import SDK
from gemini_magic.convert.migrate.javascript.project import Project, Projects, of_texts
from gemini_magic.convert.migrate.javascript.to_openai import rewrite as to_openai
from gemini_magic.convert.migrate.javascript.to_openai.sdk import SDK as NEW_SDK
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Migrated, Place, keys_told
from gemini_magic.errors import GeminiMagicError

SUFFIXES = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_OLD, _NEW = re.compile(re.escape(OLD)), re.compile(re.escape(NEW))


def concerns(text: str, options: Options = Options()) -> bool:  # noqa: B008
    """Whether a text may use an SDK that is to be replaced."""
    if _OLD.search(text) or (options.to == "openai" and _NEW.search(text)):
        return True
    scripts, path = options.scripts, options.path
    return scripts is not None and path is not None and scripts.concerns(path)


def migrate(text: str, suffix: str = ".js", options: Options = Options(), *,  # noqa: B008
            page: bool = False) -> Migrated:  # fmt: skip
    """The program on the new SDK. Raises ``GeminiMagicError`` where it cannot be read."""
    if not concerns(text, options):
        return Migrated(text)
    file = Language.of(suffix)._replace(page=page)
    try:
        made = _migrated(text, options, file)
    except (Unreadable, RecursionError) as error:
        raise GeminiMagicError(f"it cannot be read as JavaScript: {error}.") from None
    if made.text != text:
        _check(made.text, file)
    return made


def _migrated(text: str, options: Options, file: Language) -> Migrated:
    project = options.scripts.old if options.scripts is not None else None
    first = _first(text, options, file, project)
    places = first.places
    made = first.edits.render()
    collected = first.called["collected"] if first.needs else ""
    if options.to == "openai":
        second = to_openai.rewrite(made, options, file, collected)
        if second is not None:
            places = [*places, *_placed(second.places, made, text)]
            add_functions(second)
            second.write_marks()
            made = second.edits.render()
    if made == text:
        return Migrated(text, _ordered(places))
    return Migrated(made, _ordered([*places, *_noted(text, first.code, options)]))


def _first(text: str, options: Options, file: Language, project: Project | None) -> Job:
    """The program on @google/genai."""
    inner = options._replace(base_url=None) if options.to == "openai" else options
    job = Job(text, inner, SDK, OLD, file, project=project)
    if job.imports or job.foreign:
        _rules(job)
        if options.to != "openai":
            add_functions(job)
        job.write_marks()
    return job


def projects(texts: Mapping[Path, str], options: Options) -> Projects | None:
    """What the JavaScript files of a run know of each other; None where there is but one."""
    if len(texts) < 2:
        return None

    def first(path: Path, text: str, project: Project) -> str:
        if OLD not in text and not project.concerns(path):
            return text
        try:
            given = options._replace(path=path)
            return _first(text, given, Language.of(path.suffix), project).edits.render()
        except (Unreadable, RecursionError):  # it is told when the file's turn comes
            return text

    return of_texts(texts, SDK, NEW_SDK if options.to == "openai" else None, first)


def _rules(job: Job) -> None:
    answers.find_collected(job)
    models = Models(job)
    calls.rewrite(job, models)
    models.rewrite()
    answers.rewrite(job)
    services.rewrite(job)
    names.rewrite(job)


def add_functions(job: Job) -> None:
    """Put the functions that the new text needs at its end."""
    if not job.needs:
        return
    newline = job.code.newline
    text = library.code(job.needs, job.called, typed=job.typed).replace("\n", newline)
    end = len(job.code.text)
    gap = newline if job.code.text.endswith("\n") else newline * 2
    job.edits.insert(end, f"{gap}{text}{newline}")


def _placed(places: Iterable[Place], text: str, old: str) -> list[Place]:
    """Places of a text by the lines of the one that it was made of."""
    if text == old:
        return list(places)
    lines = {}
    matcher = difflib.SequenceMatcher(None, old.split("\n"), text.split("\n"), autojunk=False)
    for _, first, last, begin, end in matcher.get_opcodes():
        for line in range(begin, end):
            lines[line + 1] = min(first + line - begin, max(first, last - 1)) + 1
    return [one._replace(line=lines.get(one.line, one.line)) for one in places]


def _noted(text: str, code: Code, options: Options) -> list[Place]:
    """What the new code takes over from the old one, and its author should know of."""
    found = []
    for at, token in enumerate(code.tokens):
        name = bare(token.value) if token.kind == "text" and len(token.value) < 100 else ""
        if name and (newer := successor(name)) is not None:
            found.append(Place(code.line(at), "done", "model-name", f"{name} is retired, and is "
                               f"asked all the same; today's is {newer}"))  # fmt: skip
    return [*found, *keys_told(text, options.key_names)]


def _check(text: str, file: Language) -> None:
    """A program whose brackets do not match afterwards is a mistake of ours, and never written."""
    try:
        Code(text, markup=file.markup)
    except (Unreadable, RecursionError) as error:
        raise GeminiMagicError(
            f"its migration would not be valid JavaScript ({error}); it was left alone.",
            "Please report this with the file.",
        ) from None


def _ordered(places: Iterable[Place]) -> tuple[Place, ...]:
    """By line; what was done is not told again where it also needs a look."""
    several = list(dict.fromkeys(places))
    looked = {one.line for one in several if one.verdict != "done"}
    kept = [one for one in several if one.verdict != "done" or one.text or one.line not in looked]
    return tuple(sorted(kept, key=lambda one: one.line))
