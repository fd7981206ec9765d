"""What the JavaScript files of one run take from each other: clients, models, functions of both."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.migrate.javascript import imports
from gemini_magic.convert.migrate.javascript.code import Code
from gemini_magic.convert.migrate.javascript.imports import NEW, OLD, Import
from gemini_magic.convert.migrate.javascript.kind import DECLARED, Kind, Sdk
from gemini_magic.convert.migrate.javascript.kinds import Kinds
from gemini_magic.convert.migrate.javascript.scopes import Scopes

SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_ROUNDS = 3
#: Kinds that mean something in another file, too.
_TOLD = ("promise", "list", "loader")


class Read(NamedTuple):
    """A file that was read: ``taken`` are the names of other files' things, by their tokens."""

    code: Code
    scopes: Scopes
    imports: list[Import]
    taken: dict[int, tuple[Path, str]]


class Project:
    """The files of a run as one SDK's; ``texts`` are those that can be read, by their paths."""

    def __init__(self, texts: Mapping[Path, str], sdk: Sdk, package: str) -> None:
        self._texts = texts
        self._sdk = sdk
        self._package = package
        self._read: dict[Path, Read | None] = {}
        self._known: dict[Path, dict[str, Kind]] = {}
        users = [path for path, text in texts.items() if package in text]
        if not users or len(texts) < 2:
            return
        for _ in range(_ROUNDS):  # what is imported may be handed on
            found = {path: self._exported(path) for path in self._lenders(users)}
            if found == self._known:
                break
            self._known = found
            users = [*users, *(path for path, kinds in found.items() if kinds)]

    def _lenders(self, users: list[Path]) -> Iterator[Path]:
        """The files that use the SDK, and those that take something from them."""
        seen = set(users)
        yield from seen
        stems = {_stem(path) for path in users}
        for path, text in self._texts.items():
            if path not in seen and any(stem in text for stem in stems):
                yield path

    def taken(self, path: Path, code: Code, scopes: Scopes) -> dict[int, Kind]:
        """What a file has of others, by the tokens that bind it; the names are bound in scopes."""
        found = {}
        if not any(self._known.values()):
            return {}
        for at, (lender, name) in _foreign(path, code, scopes, self._resolved).items():
            kind = self._known.get(lender, {}).get(name)
            if kind is not None:
                found[at] = kind
        return found

    def concerns(self, path: Path) -> bool:
        """Whether a file that does not name the SDK has something of it."""
        text = self._texts.get(path, "")
        lent = [one for one, kinds in self._known.items() if kinds and one != path]
        if not any(_stem(one) in text for one in lent):
            return False
        read = self._reading(path)
        return read is not None and any(
            self._known.get(lender, {}).get(name) for lender, name in read.taken.values()
        )

    def _reading(self, path: Path) -> Read | None:
        if path not in self._read:
            try:
                code = Code(self._texts[path], markup=path.suffix not in (".ts", ".mts", ".cts"))
                scopes = Scopes(code)
                known = imports.find(code, scopes, lambda name: name == self._package)
                taken = _foreign(path, code, scopes, self._resolved)
                self._read[path] = Read(code, scopes, known, taken)
            except (Unreadable, RecursionError, KeyError, IndexError):
                self._read[path] = None
        return self._read[path]

    def _resolved(self, path: Path, spec: str) -> Path | None:
        """The file that a module's name means."""
        if spec.startswith("."):
            base = Path(posixpath.normpath((path.parent / spec).as_posix()))
            return self._file(base)
        if spec.startswith(("@/", "~/")):
            for folder in path.parents:
                for top in (folder, folder / "src"):
                    if (found := self._file(top / spec[2:])) is not None:
                        return found
        return None

    def _file(self, base: Path) -> Path | None:
        stem = base.with_suffix("") if base.suffix in SUFFIXES else base
        names = [base, *(Path(f"{base}{one}") for one in SUFFIXES),
                 *(Path(f"{stem}{one}") for one in SUFFIXES),
                 *(base / f"index{one}" for one in SUFFIXES)]  # fmt: skip
        return next((name for name in names if name in self._texts), None)

    def _exported(self, path: Path) -> dict[str, Kind]:
        read = self._reading(path)
        if read is None:
            return {}
        foreign = {at: kind for at, (lender, name) in read.taken.items()
                   if (kind := self._known.get(lender, {}).get(name)) is not None}  # fmt: skip
        kinds = Kinds(read.code, read.scopes, read.imports, self._sdk, foreign=foreign)
        found = {}
        for name, kind in exports(read.code, read.scopes, kinds):
            told = portable(kind, kinds)
            if told is not None:
                found[name] = told
        return found


def _stem(path: Path) -> str:
    return path.parent.name if path.stem == "index" else path.stem


def portable(kind: Kind | None, kinds: Kinds) -> Kind | None:
    """A kind as another file knows it; None for what means nothing there."""
    if kind is None:
        return None
    if kind.tag == "function":
        inner = portable(kinds.members.returned(kind.origin), kinds)
        return None if inner is None else Kind("loader", inner=inner)
    if kind.tag in _TOLD:
        inner = portable(kind.inner, kinds)
        return None if inner is None else Kind(kind.tag, inner=inner)
    if kind.tag == "object":
        held = [(entry.key, portable(kinds.of(entry.value, entry.last), kinds))
                for entry in kinds.code.entries(kind.origin) if entry.key]  # fmt: skip
        held = [one for one in held if one[1] is not None]
        names = " ".join(name for name, _ in held)
        return Kind("record", items=tuple(one for _, one in held), name=names) if held else None
    if kind.tag in kinds.sdk.tags():
        return Kind(kind.tag, origin=DECLARED)
    return None


def exports(code: Code, scopes: Scopes, kinds: Kinds) -> Iterator[tuple[str, Kind | None]]:
    """The names that a file exports, and what they are."""
    for at, token in enumerate(code.tokens):
        if token.kind != "name" or code.is_key(at):
            continue
        if token.value == "export" and not code.is_member(at):
            yield from _exports(code, scopes, kinds, at)
        elif token.value == "exports" and code.sign(at + 1) in ("=", "."):
            yield from _assigned(code, kinds, at)


def _exports(
    code: Code, scopes: Scopes, kinds: Kinds, at: int
) -> Iterator[tuple[str, Kind | None]]:
    word = code.name(at + 1)
    if code.sign(at + 1) == "{" and code.name(code.pair[at + 1] + 1) != "from":
        for first, last in code.pieces(at + 1):
            binding = scopes.resolve(first)
            if binding is not None:
                yield code.name(last), kinds.names.of(binding)
    elif word == "default":
        yield "default", kinds.of(at + 2, code.end(at + 2))
        binding = scopes.resolve(at + 3) or scopes.resolve(at + 4)
        if code.name(at + 2) in ("function", "async") and binding is not None:
            yield "default", kinds.names.of(binding)
    elif word in ("const", "let", "var", "function", "async", "class"):
        for several in scopes.bindings.values():
            for one in several:
                start = one.pattern - 2 if one.pattern >= 0 else one.at - 2
                if at in (start, start - 1) and one.how in ("value", "function"):
                    yield one.name, kinds.names.of(one)


def _assigned(code: Code, kinds: Kinds, at: int) -> Iterator[tuple[str, Kind | None]]:
    """``module.exports = ...`` and ``exports.name = ...``."""
    if code.sign(at + 1) == "." and code.sign(at + 3) == "=":
        yield code.name(at + 2), kinds.of(at + 4, code.end(at + 4))
    elif code.sign(at + 1) == "=" and code.sign(at + 2) == "{":
        for entry in code.entries(at + 2):
            if entry.key and entry.kind in ("pair", "short"):
                yield entry.key, kinds.of(entry.value, entry.last)
    elif code.sign(at + 1) == "=":
        yield "default", kinds.of(at + 2, code.end(at + 2))


def _foreign(path: Path, code: Code, scopes: Scopes, resolved: Callable[[Path, str], Path | None]
             ) -> dict[int, tuple[Path, str]]:  # fmt: skip
    """The names that a file takes from others of the run, by the tokens that bind them."""
    found: dict[int, tuple[Path, str]] = {}
    for at, token in enumerate(code.tokens):
        if token.kind != "text" or not str(token.value).startswith((".", "@/", "~/")):
            continue
        lender = resolved(path, token.value)
        one = imports.at_spec(code, at, "", "") if lender is not None else None
        if one is None or lender is None or lender == path:
            continue
        if one.how == "import":
            for name in one.names:
                scopes.bind_import(name.at, at)
                found[name.at] = (lender, name.imported)
            if one.star >= 0 and code.name(one.star - 1) != "as":
                scopes.bind_import(one.star, at)
                found[one.star] = (lender, "default")
        elif one.how == "require":
            for several in scopes.bindings.values():
                for binding in several:
                    if binding.how == "value" and binding.value == one.first:
                        taken = str(binding.path[0]) if binding.path else "default"
                        found[binding.at] = (lender, taken)
    return found


class Projects(NamedTuple):
    """The files of a run as they are, and how they are seen by each step."""

    texts: Mapping[Path, str]
    old: Project
    new: Project | None = None

    def concerns(self, path: Path) -> bool:
        """Whether a file has something of an SDK by way of others."""
        path = path.resolve()
        return self.old.concerns(path) or (self.new is not None and self.new.concerns(path))


def of_texts(texts: Mapping[Path, str], old: Sdk, new: Sdk | None,
             first: Callable[[Path, str, Project], str]) -> Projects:  # fmt: skip
    """What files know of each other; ``first`` is the first step of a text to openai."""
    before = Project(texts, old, OLD)
    if new is None:
        return Projects(texts, before)
    between = {path: first(path, text, before) for path, text in texts.items()}
    return Projects(texts, before, Project(between, new, NEW))
