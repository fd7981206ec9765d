"""One program on its way: its text, what is known of it, and what was done so far."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple, TypeVar

from gemini_magic.convert.migrate.javascript.project import Projects
from gemini_magic.convert.migrate.kinds import Kinds
from gemini_magic.convert.migrate.project import Neighbours, Project
from gemini_magic.convert.migrate.report import Place, Verdict
from gemini_magic.convert.migrate.scopes import Scopes
from gemini_magic.convert.migrate.source import Edits, Part, Source, Span

_N = TypeVar("_N", bound=ast.AST)

#: What a place that needs a look is marked with.
MARK = "TODO(gemini-magic)"


class Options(NamedTuple):
    """``base_url`` goes into each client that is made; None where Google's own is meant.

    ``to`` is the SDK to use, "google-genai" or "openai"; ``key_env`` the variable with its key.
    ``project`` are the other files of the run, ``path`` is this one's; ``scripts`` are those of
    JavaScript. ``key_names`` are the environment's variables that hold keys.
    """

    base_url: str | None = None
    project: Project | None = None
    path: Path | None = None
    to: str = "google-genai"
    key_env: str | None = None
    scripts: Projects | None = None
    key_names: Set[str] = frozenset()

    def neighbours(self, tree: ast.Module) -> Neighbours:
        """What this file knows of the others."""
        if self.project is None or self.path is None:
            return Neighbours()
        return self.project.seen_from(self.path, tree)


class Job:
    """A program; rules look at it, and put edits and places in."""

    def __init__(self, source: Source, options: Options = Options()) -> None:  # noqa: B008
        self.source = source
        self.options = options
        self.edits = Edits(source)
        self.scopes = Scopes(source.tree)
        self.neighbours = options.neighbours(source.tree)
        self.kinds = Kinds(self.scopes, self.neighbours.kinds)
        self.places: list[Place] = []
        self.marks: dict[int, list[str]] = {}
        self.travelling = False  # see models
        self.wrapped: set[ast.AST] = set()
        self.renamed: set[ast.AST] = set()  # names of models that another one took the place of
        self.uses_types = False
        self.uses_errors = False
        self._attributes = {node.attr for node in self.each(ast.Attribute)}
        self.genai = "genai"
        self._types = self.free("types", "genai_types")
        self._errors = self.free("errors", "genai_errors")
        self.client_name = self.free("client", "genai_client", "gemini_client")
        self.uses_client = False
        self._lost = self._relocated()

    def each(self, kind: type[_N]) -> Sequence[_N]:
        """The nodes of one class, in their order."""
        return self.scopes.by_class.get(kind, [])

    def free(self, *names: str) -> str:
        """The first of these names that the program does not use."""
        taken = self.scopes.all_names
        for name in names:
            if name not in taken:
                return name
        number = 2
        while f"{names[-1]}_{number}" in taken:
            number += 1
        return f"{names[-1]}_{number}"

    def free_attribute(self, name: str) -> str:
        return name if name not in self._attributes else f"{name}_genai"

    @property
    def types(self) -> str:
        """How ``google.genai.types`` is called in the new text."""
        self.uses_types = True
        return self._types

    @property
    def errors(self) -> str:
        """How ``google.genai.errors`` is called in the new text."""
        self.uses_errors = True
        return self._errors

    @property
    def client(self) -> str:
        """How the client is called; the new text needs one."""
        self.uses_client = True
        return self.client_name

    def name_types(self, name: str) -> None:
        """The program has a name of its own for that module."""
        self._types = name

    # places and marks

    def done(self, node: ast.AST, rule: str) -> None:
        self._place(node, "done", rule, "")

    def assisted(self, node: ast.AST, rule: str, text: str) -> None:
        self._place(node, "assisted", rule, text)

    def left(self, node: ast.AST, rule: str, text: str) -> None:
        self._place(node, "left", rule, text)

    def _place(self, node: ast.AST, verdict: Verdict, rule: str, text: str) -> None:
        line = getattr(node, "lineno", 1)
        place = Place(line, verdict, rule, text)
        if place in self.places:
            return
        self.places.append(place)
        if text:
            marks = self.marks.setdefault(self._above(node), [])
            if text not in marks:
                marks.append(text)

    def _above(self, node: ast.AST) -> int:
        """Where the line of the node's statement begins."""
        statement = self.scopes.statement(node)
        return self.source.line_start(self.source.span(statement).start)

    def write_marks(self) -> None:
        for at, texts in self.marks.items():
            indent = self.source.indent(at)
            newline = self.source.newline
            self.edits.insert(at, *(f"{indent}# {MARK}: {text}{newline}" for text in texts))

    # edits

    def replace(self, node: ast.AST, *parts: Part) -> bool:
        """Replace a node; False where it is in an f-string and cannot be found there."""
        if node in self._lost:
            self.left(node, "f-string", "this f-string uses the old SDK; take the call out of it")
            return False
        self.edits.replace(node, *parts)
        return True

    def span(self, node: ast.AST) -> Span:
        return self.source.span(node)

    def whole(self, node: ast.expr) -> Span:
        """A node's text with the parentheses around it, but not those of a call."""
        span = self.span(node)
        call = self.scopes.parent.get(node)
        first = self.after_open(call) if isinstance(call, ast.Call) else 0
        text = self.source.text
        while True:
            before = re.compile(r"\(\s*\Z").search(text[first : span.start])
            after = re.compile(r"\s*,?\s*\)").match(text, span.end)
            if before is None or after is None or (isinstance(node, ast.Tuple)):
                return span
            if isinstance(call, ast.Call) and after.end() >= self.span(call).end:
                return span
            if not isinstance(call, ast.Call):
                return span
            span = Span(first + before.start(), after.end())

    def after_open(self, call: ast.Call) -> int:
        """Where a call's arguments begin."""
        return self.source.text.index("(", self.span(call.func).end) + 1

    def code(self, node: ast.AST) -> str:
        return self.source.code(node)

    def atom(self, node: ast.expr) -> list[Part]:
        """A node's text such that an attribute, or an operator, can follow or precede it."""
        atoms = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.Dict, ast.List,
                 ast.JoinedStr, ast.ListComp, ast.DictComp)  # fmt: skip
        span = self.span(node)
        return [span] if isinstance(node, atoms) else ["(", span, ")"]

    def quote(self, node: ast.AST) -> str:
        """A quotation mark that can be used where this node is."""
        for one in self.scopes.ancestors(node):
            if isinstance(one, ast.JoinedStr):
                text = self.code(one)
                found = re.match(r"[A-Za-z]*('''|\"\"\"|'|\")", text)
                return "'" if found and '"' in found[1] else '"'
        return '"'

    def _relocated(self) -> set[ast.AST]:
        """Put expressions of f-strings where they are; those that are not found."""
        lost: set[ast.AST] = set()
        if sys.version_info >= (3, 12):
            return lost
        for joined in self.each(ast.JoinedStr):
            for value in joined.values:
                if not isinstance(value, ast.FormattedValue):
                    continue
                inside = [*ast.walk(value.value)]
                if not any(isinstance(one, ast.Attribute) for one in inside):
                    continue
                if not self.source.relocate(value.value, joined):
                    lost.update(inside)
        return lost
