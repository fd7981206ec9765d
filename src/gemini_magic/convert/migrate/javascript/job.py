"""One program of JavaScript on its way: its text, what is known of it, and what was done so far."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript import imports, library
from gemini_magic.convert.migrate.javascript.code import Chain, Code
from gemini_magic.convert.migrate.javascript.kind import DECLARED, SEVERAL, Kind, Sdk
from gemini_magic.convert.migrate.javascript.kinds import Kinds
from gemini_magic.convert.migrate.javascript.project import Project
from gemini_magic.convert.migrate.javascript.scopes import Scopes
from gemini_magic.convert.migrate.job import MARK, Options
from gemini_magic.convert.migrate.report import Place, Verdict
from gemini_magic.convert.migrate.source import Edits, Part, Span


class Language(NamedTuple):
    """What a program is written in: TypeScript, with JSX; ``page`` is whether a page holds it."""

    typed: bool = False
    markup: bool = True
    page: bool = False

    @classmethod
    def of(cls, suffix: str) -> Language:
        typed = suffix in (".ts", ".mts", ".cts", ".tsx")
        return cls(typed, suffix == ".tsx" or not typed)


class Job:
    """A program; rules look at it, and put edits and places in.

    ``typed`` is whether it is TypeScript; ``needs`` are functions of the library that the new text
    uses. Raises ``Unreadable``.
    """

    def __init__(self, text: str, options: Options, sdk: Sdk, package: str, file: Language, *,
                 given: Mapping[str, Kind] = {}, project: Project | None = None
                 ) -> None:  # fmt: skip
        typed, markup = file.typed, file.markup
        self.code = Code(text, markup=markup)
        self.options = options
        self.typed = typed
        self.page = file.page
        self.scopes = Scopes(self.code)
        self.imports = imports.find(self.code, self.scopes, lambda name: name == package)
        foreign = project.taken(options.path.resolve(), self.code, self.scopes) if (
            project is not None and options.path is not None
        ) else {}  # fmt: skip
        self.foreign = bool(foreign)
        self.kinds = Kinds(self.code, self.scopes, self.imports, sdk, given, foreign)
        self.edits = Edits(self.code)
        self.places: list[Place] = []
        self.needs: set[str] = set()
        self.travelling = False  # see Models
        self.collected: set[int] = set()  # calls whose streams are wanted as a whole, too
        self.called = {name: self.scopes.free(name, f"{name}Of") for name in library.names()}
        self._marks: dict[int, list[str]] = {}
        self.chains = list(self.code.chains())

    # --- places and marks ---

    def done(self, at: int, rule: str) -> None:
        self._place(at, "done", rule, "")

    def assisted(self, at: int, rule: str, text: str) -> None:
        self._place(at, "assisted", rule, text)

    def left(self, at: int, rule: str, text: str) -> None:
        self._place(at, "left", rule, text)

    def _place(self, at: int, verdict: Verdict, rule: str, text: str) -> None:
        place = Place(self.code.line(at), verdict, rule, text)
        if place in self.places:
            return
        self.places.append(place)
        if text:
            marks = self._marks.setdefault(self._above(at), [])
            if text not in marks:
                marks.append(text)

    def _above(self, at: int) -> int:
        """Where the line begins that a comment can stand above: in no text, and in no markup."""
        return self._line_above(self.code.line_start(self.code.tokens[at].start))

    def _line_above(self, offset: int) -> int:
        code = self.code
        while offset > 0:
            place = code.at_offset(offset)
            in_form = place < len(code.tokens) and code.sign(code.parent[place]) == "`"
            before = code.tokens[place - 1] if place else None
            in_token = before is not None and before.end > offset
            in_markup = place < len(code.tokens) and (
                code.tokens[place].kind == "jsx" and before is not None and before.kind == "jsx"
            )
            if code.sign(place) == "`" and code.tokens[place].kind == "close":
                in_form = True
            if before is not None and before.value == "}" and code.tokens[place - 1].kind == "sign":
                opened = code.pair[place - 1]
                in_form = in_form or code.sign(opened) == "${"
            if not (in_form or in_token or in_markup or self._in_comment(offset)):
                return offset
            offset = code.line_start(offset - 1)
        if code.text.startswith("#!") and "\n" in code.text:
            return code.text.index("\n") + 1
        return offset

    def _in_comment(self, offset: int) -> bool:
        text = self.code.text
        place = self.code.at_offset(offset)
        begin = self.code.tokens[place - 1].end if place else 0
        end = self.code.tokens[place].start if place < len(self.code.tokens) else len(text)
        comments = re.finditer(r"//[^\n]*|/\*.*?\*/", text[begin:end], re.S)
        return any(begin + one.start() < offset < begin + one.end() for one in comments)

    def write_marks(self) -> None:
        for place, texts in self._marks.items():
            at = place
            while (hidden := self.edits.hides(at)) is not None:
                at = self._line_above(self.code.line_start(hidden))
            indent = self.code.indent(at)
            newline = self.code.newline
            self.edits.insert(at, *(f"{indent}// {MARK}: {text}{newline}" for text in texts))

    def function(self, name: str) -> str:
        """How a function of the library is called; the new text needs it."""
        self.needs.add(name)
        return self.called[name]

    def collects(self, call: int) -> str:
        """What has to be around a call for a stream, so that its whole answer is there, too."""
        wanted = call in self.collected or bool(self.collected & {SEVERAL, DECLARED})
        return self.function("collected") if wanted else ""

    # --- edits ---

    def replace(self, where: Span, *parts: Part) -> None:
        self.edits.replace(where, *parts)

    def rename(self, at: int, name: str) -> None:
        self.edits.replace(self.code.span(at), name)

    def on(self, chain: Chain, number: int) -> Span:
        """What a step of a chain is about: all before it."""
        first = chain.first
        if self.kinds.before(chain) == "new" and any(one.kind == "call"
                                                     for one in chain.steps[:number]):  # fmt: skip
            first -= 1
        return Span(self.code.tokens[first].start, self.code.tokens[self.before(chain, number)].end)

    @staticmethod
    def before(chain: Chain, number: int) -> int:
        """The last token before a step."""
        return chain.steps[number - 1].last if number else chain.primary_last

    def start(self, chain: Chain, number: int) -> int:
        """The token that the whole begins with, up to a step: ``new``, where it is about that."""
        return self.code.at_offset(self.on(chain, number).start)

    def as_value(self, first: int, parts: Sequence[Part]) -> list[Part]:
        """An object, in parentheses where a brace would begin a block."""
        block = self.code.sign(first - 1) in ("=>", ";", "{", "}", "") and self.code.name(
            first - 1
        ) not in ("return",)
        block = block and not self.code.name(first - 1)
        return ["(", *parts, ")"] if block else list(parts)
