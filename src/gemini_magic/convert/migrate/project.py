"""What the files of one run know of each other: models, and what returns them.

A model that one file makes and another one imports has to become the same thing in both. Modules
are found by where they lie: ``from a.b import c`` is a file ``a/b.py`` of the run, in the importing
file's folder or in one above it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.kind import Kind
from gemini_magic.convert.migrate.kinds import Kinds
from gemini_magic.convert.migrate.scopes import Scopes
from gemini_magic.convert.migrate.source import Source

#: What is told of one file to another.
_TOLD = ("model", "chat", "answer", "stream", "either")
_ROUNDS = 5
#: What a file that uses another one's things says.
_ASKING = (old_sdk.MODEL_METHODS - {"count_tokens"}) | {
    "send_message",
    "send_message_async",
    "text",
}


class Neighbours(NamedTuple):
    """What a file knows of the others.

    ``kinds`` are things that it imports, by the names that it imports them by
    ("llm.model", ".llm.model"); ``clients`` the modules whose client it can use, by such names, and
    how the client is called there; ``lent`` whether others import its models; ``asks`` whether it
    calls what may be another file's model.
    """

    kinds: Mapping[str, Kind] = {}
    clients: Mapping[str, str] = {}
    lent: bool = False
    asks: bool = False


class Project:
    """The Python files of one run. ``texts`` are those that can be read, by their paths."""

    def __init__(self, texts: Mapping[Path, str]) -> None:
        self._sources = {path.resolve(): text for path, text in texts.items()}
        self._scopes: dict[Path, Scopes | None] = {}
        self._imports: dict[Path, list[tuple[str, Path]]] = {}
        lenders = {lender for path in self._sources for _, lender in self._imported(path)}
        self._exports: dict[Path, dict[str, Kind]] = {path: {} for path in lenders}
        for _ in range(_ROUNDS):  # what is imported may be handed on
            found = {path: self._exported(path) for path in lenders}
            if found == self._exports:
                break
            self._exports = found
        self._lent = {
            lender for path in self._sources for name, lender in self._imported(path)
            if self._uses_model(path, name, lender)
        }  # fmt: skip

    def seen_from(self, path: Path, tree: ast.Module | None = None) -> Neighbours:
        """What a file knows; ``tree`` is its program where it is none of the project's own."""
        path = path.resolve()
        if tree is None:
            scopes = self._scopes_of(path)
            tree = ast.Module([], []) if scopes is None else scopes.tree
        found = self._resolved(path, tree)
        kinds = self._kinds(found)
        clients = {name: "client" for name, lender in found if self._has_client(lender)}
        asks = bool(kinds) or any(self._is_old(lender) for _, lender in found)
        asks = asks and any(
            isinstance(node, ast.Attribute) and node.attr in _ASKING for node in ast.walk(tree)
        )
        return Neighbours(kinds, clients, path in self._lent, asks)

    def _kinds(self, imported: Iterable[tuple[str, Path]]) -> dict[str, Kind]:
        dot = "" if not imported else "."
        return {
            (f"{name}{export}" if name.endswith(".") else f"{name}{dot}{export}"): kind
            for name, lender in imported for export, kind in self._exports.get(lender, {}).items()
        }  # fmt: skip

    def _scopes_of(self, path: Path) -> Scopes | None:
        if path not in self._scopes:
            try:
                self._scopes[path] = Scopes(Source(self._sources[path]).tree)
            except (KeyError, SyntaxError, ValueError, RecursionError, MemoryError):
                self._scopes[path] = None
        return self._scopes[path]

    def _is_old(self, path: Path) -> bool:
        return old_sdk.PACKAGE in self._sources[path] or "generativelanguage" in self._sources[path]

    def _imported(self, path: Path) -> list[tuple[str, Path]]:
        """The modules that a file imports, as it names them, and the files that they are."""
        if path not in self._imports:
            self._imports[path] = []
            scopes = self._scopes_of(path)
            if scopes is not None:
                self._imports[path] = self._resolved(path, scopes.tree)
        return self._imports[path]

    def _resolved(self, path: Path, tree: ast.AST) -> list[tuple[str, Path]]:
        found: dict[str, Path] = {}
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                joint = "" if module.endswith(".") else "."
                names = [module, *(f"{module}{joint}{alias.name}" for alias in node.names)]
            for name in names:
                lender = self._file(path, name)
                if lender is not None and lender != path:
                    found[name] = lender
        return list(found.items())

    def _file(self, path: Path, name: str) -> Path | None:
        words = name.lstrip(".")
        level = len(name) - len(words)
        inner = Path(*words.split(".")) if words else Path()
        folders = [path.parents[level - 1]] if 0 < level <= len(path.parents) else path.parents
        for folder in folders:
            for one in ((folder / inner).with_suffix(".py"), folder / inner / "__init__.py"):
                if one in self._sources:
                    return one
        return None

    def _exported(self, path: Path) -> dict[str, Kind]:
        """The models at a module's top, and functions there that return some."""
        scopes = self._scopes_of(path)
        if scopes is None:
            return {}
        kinds = Kinds(scopes, self._kinds(self._imported(path)))
        found: dict[str, Kind] = {}
        for name in scopes.module.names:
            kind = kinds.of_global(name)
            if kind is None:
                continue
            if kind.tag == "function":
                returned = Kind("function", kinds.returned(name) or kind.name)
                if returned.name:
                    found[name] = returned
            elif kind.tag in _TOLD:
                found[name] = kind
        return found

    def _uses_model(self, path: Path, name: str, lender: Path) -> bool:
        """Whether a file takes a model itself from another one, not only what returns some."""
        models = {one for one, kind in self._exports.get(lender, {}).items() if kind.tag == "model"}
        scopes = self._scopes_of(path)
        if not models or scopes is None:
            return False
        return bool(models & ({node.attr for node in scopes.by_class.get(ast.Attribute, [])}
                    | {alias.name for node in scopes.by_class.get(ast.ImportFrom, [])
                       for alias in node.names}))  # fmt: skip

    def _has_client(self, path: Path) -> bool:
        """Whether a module makes a client as soon as it is imported, and calls it ``client``."""
        scopes = self._scopes_of(path)
        if scopes is None or "client" in scopes.all_names or not self._is_old(path):
            return False
        kinds = Kinds(scopes)
        return any(
            kinds.symbol(call.func) == "configure"
            and isinstance(statement := scopes.statement(call), ast.Expr)
            and scopes.parent[statement] is scopes.module.node
            for call in scopes.calls.get("configure", ())
        )
