"""The one door of the importer: paths go in, notebooks and a report come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import books, notebooks, programs
from gemini_magic.convert.studio.documents import NotAPrompt, kind_of, parsed
from gemini_magic.convert.studio.notebooks import Draw
from gemini_magic.convert.studio.pieces import Found, Imported
from gemini_magic.convert.studio.prompts import found_in
from gemini_magic.convert.studio.redacted import without_keys
from gemini_magic.convert.studio.sources import App, Item, Problem, candidates
from gemini_magic.errors import GeminiMagicError


class Outcome(NamedTuple):
    """What became of one file: a notebook, or why there is none.

    ``skipped`` says that it is none of ours (a picture in a Takeout, say), which is no failure.
    """

    origin: str
    imported: Imported | None
    error: GeminiMagicError | None = None
    skipped: str = ""


def import_path(path: Path, draw: Draw, key_names: Set[str] = frozenset()) -> list[Outcome]:
    """The notebooks of a file, a folder or a ZIP file.

    ``draw`` draws the stored answers; ``key_names`` are the environment's variables that hold keys
    here. Raises ``GeminiMagicError`` where a path holds nothing that can be imported.
    """
    outcomes = [
        outcome
        for candidate in candidates(path)
        for outcome in _outcomes(candidate, draw, key_names)
    ]
    if not any(one.imported for one in outcomes):
        for one in outcomes:
            if one.error is not None:
                raise one.error
        if len(outcomes) == 1 and outcomes[0].skipped:
            raise NotAPrompt(f"{path} is {outcomes[0].skipped}; nothing was written.", _WHAT)
        raise NotAPrompt(f"there is nothing to import in {path}; nothing was written.", _WHAT)
    return outcomes


_WHAT = "Name a saved prompt, code of AI Studio's, an app's ZIP file, or a folder of them."


def _outcomes(
    candidate: Item | App | Problem, draw: Draw, key_names: Set[str]
) -> Iterator[Outcome]:
    origin = candidate.origin
    if isinstance(candidate, Problem):
        yield Outcome(origin, None, candidate.error)
        return
    notes: dict[Note, None] = {}
    try:
        found = _found(candidate, key_names, notes)
        if isinstance(found, str):
            yield Outcome(origin, None, skipped=found)
            return
        found = found._replace(notes=(*notes, *found.notes))
        made = found if isinstance(found, Imported) else notebooks.made(found, draw)
        yield Outcome(origin, made)
    except GeminiMagicError as error:
        name = candidate.name
        if name not in error.what:
            error = NotAPrompt(f"{name}: {error.what}", error.next_step)
        yield Outcome(origin, None, error)
    except RecursionError:
        yield Outcome(origin, None, NotAPrompt(f"{candidate.name} is nested too deeply."))


def _found(
    candidate: Item | App, key_names: Set[str], notes: dict[Note, None]
) -> Found | Imported | str:
    """What a candidate holds; a text says why it is none of ours."""
    name = candidate.name
    if isinstance(candidate, App):
        return programs.found_in_app(candidate.files, name, name, key_names, notes)
    data = candidate.data
    head = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not data.strip():
        raise NotAPrompt(f"{name} is empty; nothing was written.")
    if head[:1] == b"{":
        document = parsed(data, name)
        if isinstance(document, Mapping) and ("nbformat" in document or "worksheets" in document):
            return books.found_in(document, name, key_names, notes)
        if kind_of(document) is None:
            return _other(document)
        clean = without_keys(document, key_names, notes)
        return found_in(clean, _title(name), f"AI Studio's saved prompt {name!r}")
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "no saved prompt: it is no text"
    found = programs.found_in(source, PurePosixPath(name).stem, name, key_names, notes)
    return "no saved prompt, and no code that asks Gemini" if found is None else found


def _other(document: object) -> str:
    if isinstance(document, dict) and "applets" in document:
        return "AI Studio's list of apps, which holds no prompt"
    return "JSON that is no saved prompt"


def _title(name: str) -> str:
    """A prompt's title is its file's name; Drive adds no suffix, and people may."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in (".json", ".txt", ".prompt") else path.name


def unique(imported: Sequence[Imported]) -> list[Imported]:
    """The same notebooks with a name each, whatever a file system takes for the same name."""
    taken: set[str] = set()
    named: list[Imported] = []
    for one in imported:
        name, number = one.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{one.name} ({number})"
        taken.add(name.casefold())
        named.append(one._replace(name=name))
    return named
