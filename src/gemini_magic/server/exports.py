"""The routes of export: what a notebook becomes as a program, to look at and to be written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemini_magic.convert import git, git_branch, writing
from gemini_magic.convert.bundle import Bundle, bundle
from gemini_magic.convert.command import Face
from gemini_magic.convert.context import Context
from gemini_magic.convert.excerpt import one_prompt
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.exporting import export_notebook
from gemini_magic.convert.notebook_file import Notebook, notebook_of, read_file
from gemini_magic.convert.options import Options
from gemini_magic.convert.places import script_name
from gemini_magic.convert.steps import Note
from gemini_magic.convert.targets import SUFFIXES, TARGETS, TITLES
from gemini_magic.errors import UsageError
from gemini_magic.notebook.export_context import context_of
from gemini_magic.server.desk import Desk, Given, Refused

#: The options, and which targets take each.
_OPTIONS = {
    "freeze": ("what placeholders were when the cells ran, instead of code", TARGETS),
    "params": ("a cell tagged parameters becomes options", ("python-genai", "python-openai")),
    "retry": ("try again after 429 and 503", ("python-genai", "python-openai")),
    "lift_keys": ("read keys that stand in the code from the environment", tuple(SUFFIXES)),
}


def targets(desk: Desk, given: Given) -> dict[str, Any]:
    """``GET export``."""
    rows = [
        {"target": target, "title": TITLES[target], "suffix": suffix,
         "options": [name for name, (_, takes) in _OPTIONS.items() if target in takes]}
        for target, suffix in SUFFIXES.items()
    ]  # fmt: skip
    options = [
        {"name": name, "help": help, "default": False} for name, (help, _) in _OPTIONS.items()
    ]
    return {"targets": rows, "options": options}


def preview(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST export``: nothing is written."""
    job = _Job(desk, given.body)
    made = job.exported()
    files = [(job.name, made.text.encode("utf-8")), *made.files]
    return {
        "files": [{"name": name, "text": _text(data)} for name, data in files],
        "notes": _notes(made.notes),
    }


def write(desk: Desk, given: Given) -> dict[str, Any]:
    """``POST export/write``."""
    job = _Job(desk, given.body)
    form = given.body.get("form", "files")
    if form == "git":
        return _commit(desk, job, given.body)
    if form == "zip":
        made = job.bundle()
        place = _place(desk, given.body, "")
        if place.suffix != ".zip" or place.is_dir():
            raise UsageError("an archive needs a name that ends with .zip.")
        return _written(desk, given.body, {place: made.to_zip()}, _of(made))
    exported = job.exported()
    place = _place(desk, given.body, job.name)
    if place == job.path:
        raise UsageError(f"{place.name} is the notebook itself.", "Name another place.")
    beside = {place.parent / name: data for name, data in exported.files}
    files = {**beside, place: exported.text.encode("utf-8")}
    return _written(desk, given.body, files, exported.notes)


class _Job:
    """One notebook on its way: its file's place, its content, and how it is to be exported."""

    def __init__(self, desk: Desk, body: dict[str, Any]) -> None:
        files = desk.files()
        self._desk = desk
        self.path = files.notebook(body["path"], there="content" not in body)
        self.target = body["target"]
        chosen = dict(body.get("options", {}))
        self._lift_keys = chosen.pop("lift_keys", False)
        self._options = Options(**chosen)
        self._all = body.get("all", False)
        self.name = script_name(self.path, SUFFIXES[self.target])
        content = body.get("content")
        self._notebook = (
            read_file(self.path) if content is None else notebook_of(content, self.path.name)
        )
        if (cell := body.get("cell")) is not None:  # that prompt alone
            context = self.context_of(self.path.parent)
            self._notebook = one_prompt(self._notebook, cell, context.transform, context.magic)

    def exported(self) -> Exported:
        """The program. Raises ``GeminiMagicError``."""
        return export_notebook(
            self._notebook, self.context_of(self.path.parent), self.target, self._options,
            lift_keys=self._lift_keys,
        )  # fmt: skip

    def bundle(self) -> Bundle:
        """All programs, or the target's, with what they need. Raises ``GeminiMagicError``."""
        if self.target not in TARGETS and not self._all:
            raise UsageError(f"{TITLES[self.target]} is no program, and a bundle holds programs.")

        def read(_: Path) -> Notebook:
            return self._notebook

        return bundle(
            [self.path], self.context_of, self._options, lift_keys=self._lift_keys,
            targets=TARGETS if self._all else [self.target], read_notebook=read,
        )  # fmt: skip

    def context_of(self, folder: Path) -> Context:
        """What an export is told, with nothing but the server's own files."""
        return context_of(folder)._replace(may_read=self._desk.files().shows)


def _place(desk: Desk, body: dict[str, Any], name: str) -> Path:
    """Where to write: the file, or the file of this name in the folder, that ``to`` names."""
    files = desk.files()
    to = body.get("to", "")
    place = files.place(to)
    suffix = Path(name).suffix
    if name and (place.is_dir() or not suffix or place.suffix != suffix):
        return files.place(f"{to}/{name}")
    return place


def _written(
    desk: Desk, body: dict[str, Any], files: dict[Path, bytes], notes: Sequence[Note]
) -> dict[str, Any]:
    root = desk.files()
    for place in files:  # a link below the folder may lead anywhere
        if root.place(str(root.relative(place.parent)) + f"/{place.name}") != place:
            raise UsageError(f"{place.name} is a link to another file; nothing was written.")
    if not body.get("overwrite", False) and (there := writing.changed(files)):
        raise writing.InTheWay(f"{there[0].name} is there already.", "Replace it?")
    writing.write_all(files)
    return {"written": [root.relative(place) for place in files], "notes": _notes(notes)}


# --- git ---


def _commit(desk: Desk, job: _Job, body: dict[str, Any]) -> dict[str, Any]:
    """Commit, or without ``yes`` tell what the commit would change."""
    where, agreed = _repository(desk, body.get("remote", "")), body.get("yes", False)
    branch = body.get("branch") or git_branch.BRANCH
    made = job.bundle()
    said: list[str] = []
    shown: list[str] = []
    face = Face("", job.context_of, None, said.append, shown.append, lambda _: None)
    message = f"Export {' '.join(job.path.name.split())}"
    notes = _notes(_of(made))
    try:
        git_branch.put(made.files, where, branch, message, yes=agreed, face=face)
    except UsageError:
        if agreed or not shown:
            raise
        return {"written": [], "notes": notes, "diff": shown[0]}
    if not shown:  # it holds all of that already
        return {"written": [], "notes": [*notes, *_notes([Note("", "files", said[-1])])]}
    return {"written": [f"{branch} of {body['remote']}"], "notes": notes}


def _repository(desk: Desk, where: str) -> str:
    """A remote's address, or the folder of a repository that is below the root."""
    if re.match(r"[\w+.-]+://|[\w.-]+@[^/]+:|[\w.-]+::", where):
        if git.is_remote(where):
            return where
        raise UsageError(f"{where[:80]} is a folder.", "Name it from the server's root.")
    root = desk.files()
    folder = root.file(where)
    if not folder.is_dir():
        raise UsageError("that is no folder, and no address of a repository.")
    found = git.Repository(folder, terminal=False).run("rev-parse", "--absolute-git-dir")[1].strip()
    if found and root.relative(found) is None:
        raise Refused("the repository of that folder lies outside of the server's root.")
    return str(folder)


# --- what is told ---


def _of(made: Bundle) -> list[Note]:
    """What is to be known of a bundle; each note says of which file."""
    several = len(made.scripts) > 1
    notes = [
        note._replace(text=f"{one.name}: {note.text}") if several else note
        for one in made.scripts
        for note in one.notes
    ]
    notes += [
        Note("", "left-out", f"not written for {target}: {problem.what}")
        for _, target, problem in made.refused
    ]
    return [
        *notes,
        *(Note("", "files", f"{name} is not in it, which the scripts read")
          for name in made.missing),
    ]  # fmt: skip


def _notes(notes: Sequence[Note]) -> list[dict[str, str]]:
    return [note.to_json() for note in notes]


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
