"""Notebooks as a folder that can be handed on: all targets, what they read, and how to run them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gemini_magic.convert import bundle_readme
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported, KeyFound
from gemini_magic.convert.exporting import export_notebook, key_names
from gemini_magic.convert.notebook_file import Notebook, read_file
from gemini_magic.convert.options import Options
from gemini_magic.convert.places import script_stem
from gemini_magic.convert.reading import read
from gemini_magic.convert.secrets import keys_in
from gemini_magic.convert.steps import Code, Note
from gemini_magic.convert.targets import SUFFIXES, TARGETS
from gemini_magic.errors import GeminiMagicError, UsageError

#: Where the scripts of a target are, and what their names end with before the suffix. All are run
#: in the folder above.
_FOLDERS = {
    "python-genai": ("python", ""),
    "python-openai": ("python", "_openai"),
    "node-genai": ("node", ""),
    "node-openai": ("node", "_openai"),
    "curl": ("curl", ""),
}
#: A file of the user's that has more bytes than this is not put into a bundle.
_LARGEST = 20_000_000
_IGNORED = ".env\n.venv/\n__pycache__/\nnode_modules/\noutputs/\n"
_PEP_723 = re.compile(r"^# /// script\n(?P<toml>(?:#(?: .*)?\n)+?)# ///$", re.M)
_NPM = re.compile(r"^//.*\bnpm install (?P<packages>\S.*)$", re.M)
#: ZIP knows no time before this one.
_TIME = (1980, 1, 1, 0, 0, 0)


class Script(NamedTuple):
    """One script of a bundle: its notebook, its target, its path, and what to know of it."""

    notebook: Path
    target: str
    name: str
    notes: tuple[Note, ...]


class Bundle(NamedTuple):
    """The files by their names, sorted, and the scripts among them.

    ``missing`` are files that the scripts read and that are not in it, ``refused`` the targets
    that a notebook could not be written for, and why.
    """

    files: dict[str, bytes]
    scripts: tuple[Script, ...]
    missing: tuple[str, ...]
    refused: tuple[tuple[Path, str, GeminiMagicError], ...]

    def to_zip(self) -> bytes:
        """A ZIP archive of them. The same files give the same bytes, whoever packs them."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, data in self.files.items():
                entry = zipfile.ZipInfo(name, _TIME)
                entry.create_system = 3
                entry.external_attr = (0o100755 if name.endswith(".sh") else 0o100644) << 16
                archive.writestr(entry, data)
        return out.getvalue()


def bundle(
    paths: Sequence[Path],
    context_of: Callable[[Path], Context],
    options: Options,
    *,
    targets: Sequence[str] = TARGETS,
    lift_keys: bool = False,
    read_notebook: Callable[[Path], Notebook] = read_file,
) -> Bundle:
    """The notebooks in these files as one bundle.

    Raises ``KeyFound`` where a key would be in it, and ``GeminiMagicError`` where a notebook can be
    written for no target.
    """
    packer = _Packer(options, lift_keys)
    for path in paths:
        context = context_of(path.absolute().parent)
        packer.add(path, read_notebook(path), context, targets)
    return packer.bundle()


class _Packer:
    def __init__(self, options: Options, lift_keys: bool) -> None:
        self._options = options
        self._lift_keys = lift_keys
        self._files: dict[str, bytes] = {}
        self._scripts: list[Script] = []
        self._missing: list[str] = []
        self._refused: list[tuple[Path, str, GeminiMagicError]] = []
        self._key_names: dict[str, None] = {}
        self._lifted: dict[str, None] = {}

    def add(self, path: Path, notebook: Notebook, context: Context, targets: Sequence[str]) -> None:
        self._key_names |= dict.fromkeys(key_names(context))
        if self._lift_keys:
            from gemini_magic.convert.lifting import lift

            lifted = lift(notebook, context.transform, key_names(context))
            self._lifted |= dict.fromkeys(lifted.names)
        stem = _safe(path.stem)
        problems: list[GeminiMagicError] = []
        for target in targets:
            folder, ending = _FOLDERS[target]
            suffix = SUFFIXES[target]
            name = f"{folder}/{script_stem(stem + ending, suffix)}{suffix}"
            if name in self._files:
                raise UsageError(
                    f"two notebooks would be {name} in the bundle; nothing was written.",
                    "Give one of them another name.",
                )
            try:
                made = export_notebook(
                    notebook, context, target, self._options, lift_keys=self._lift_keys
                )
            except KeyFound:
                raise
            except GeminiMagicError as problem:
                problems.append(problem)
                self._refused.append((path, target, problem))
                continue
            self._keep(path, target, name, made)
        if len(problems) == len(targets):
            raise problems[0]
        self._given(notebook, context)

    def _keep(self, path: Path, target: str, name: str, made: Exported) -> None:
        text, folder = _looking_above(made), ""
        if made.files and text == made.text:
            folder = f"{name.partition('/')[0]}/"
        self._files |= {f"{folder}{file}": data for file, data in made.files}
        self._files[name] = text.encode("utf-8")
        self._scripts.append(Script(path, target, name, made.notes))

    def _given(self, notebook: Notebook, context: Context) -> None:
        """Take the files that prompts name, if they are beside the notebook or below it."""
        for name in _named_files(notebook, context):
            path = context.folder / name
            inside = path.resolve().is_relative_to(context.folder.resolve())
            plain = not Path(name).is_absolute() and ".." not in Path(name).parts
            if inside and plain and context.may_read(path) and path.stat().st_size <= _LARGEST:
                kept = Path(name).as_posix()
                if self._files.setdefault(kept, data := path.read_bytes()) != data:
                    raise UsageError(
                        f"two files would be {kept} in the bundle; nothing was written.",
                        "Bundle the notebooks one by one.",
                    )
            else:
                self._missing.append(name)

    def bundle(self) -> Bundle:
        texts = {one.name: self._files[one.name].decode() for one in self._scripts}
        names = [
            name for name in (*self._key_names, *self._lifted)
            if any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts.values())
        ]  # fmt: skip
        own = {
            ".env.example": bundle_readme.env_example([*dict.fromkeys(names)]),
            ".gitignore": _IGNORED,
            "README.md": bundle_readme.readme(self._scripts, self._missing, self._refused),
        }
        if any(one.target.startswith("python-") for one in self._scripts):
            own["requirements.txt"] = "".join(f"{one}\n" for one in _requirements(texts.values()))
        if any(one.target.startswith("node-") for one in self._scripts):
            own["node/package.json"] = _package_json(texts.values())
        for name, text in own.items():
            if name in self._files:
                raise UsageError(f"{name} of yours would be replaced; nothing was written.")
            self._files[name] = text.encode("utf-8")
        refuse_keys(self._files, [*self._key_names])
        return Bundle(
            dict(sorted(self._files.items())), tuple(self._scripts),
            tuple(dict.fromkeys(self._missing)), tuple(self._refused),
        )  # fmt: skip


def _looking_above(made: Exported) -> str:
    """The script, if what it reads is not beside it but beside its folder, for all targets once."""
    text = made.text.replace(
        '(__file__).with_name("inputs")', '(__file__).parent.with_name("inputs")'
    )
    if text == made.text:
        for name, _ in made.files:
            text = text.replace(name, f"../{name}")
    return text


def refuse_keys(files: Mapping[str, bytes], names: Sequence[str]) -> None:
    """Raise ``KeyFound`` if a key is in one of the files, or in its name."""
    for name, data in files.items():
        for text, where in ((name, "the name of"), (data.decode("utf-8", "replace"), "")):
            if found := keys_in(text, names):
                place = where or f"line {found[0].line} of"
                shown = "a file" if where else name
                raise KeyFound(
                    f"a key would stand in {place} {shown}; nothing was written.",
                    "Take it out, or add --lift-keys if it stands in code.",
                )


def _named_files(notebook: Notebook, context: Context) -> list[str]:
    """What the prompts' options name and is a file."""
    found: dict[str, None] = {}
    for step in read(notebook, context.transform, context.magic).steps:
        for prompt in step.what.prompts if isinstance(step.what, Code) else ():
            for option in ("image", "file"):
                given = prompt.cell.get(option)
                for text in given if isinstance(given, tuple) else ():
                    try:
                        if (context.folder / text).is_file():
                            found[text] = None
                    except (OSError, ValueError):
                        continue
    return list(found)


def _safe(stem: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^\w .,()+@=-]", "_", stem).strip(" .")
    return plain or "notebook"


def _requirements(texts: Iterable[str]) -> list[str]:
    """What the Python scripts' first lines say that they need."""
    import tomllib

    found: dict[str, None] = {}
    for text in texts:
        if (match := _PEP_723.search(text)) is not None:
            toml = re.sub(r"^# ?", "", match["toml"], flags=re.M)
            found |= dict.fromkeys(tomllib.loads(toml).get("dependencies", []))
    return sorted(found)


def _package_json(texts: Iterable[str]) -> str:
    """The packages that the Node scripts' first lines name (``openai@^7.57``)."""
    needed: dict[str, str] = {}
    for text in texts:
        if (match := _NPM.search(text)) is not None:
            for package in match["packages"].split():
                name, _, version = package.rpartition("@")
                needed[name or package] = version if name else "*"
    document = {
        "private": True,
        "type": "module",
        "engines": {"node": ">=22"},
        "dependencies": dict(sorted(needed.items())),
    }
    return json.dumps(document, indent=2) + "\n"
