"""A program's text with the places of its syntax tree, and edits of that text.

The tree tells where things are; only the text is ever changed, so that what is not edited keeps
every byte.
"""

from __future__ import annotations

import ast
import bisect
import re
import warnings
from typing import Any, NamedTuple, Protocol, TypeAlias


class Span(NamedTuple):
    """From one offset to another in the old text."""

    start: int
    end: int


#: What an edit puts in: new text, and pieces of the old one with what is edited within them.
Part: TypeAlias = str | Span


class Source:
    """A text that parses. Raises ``SyntaxError``, ``ValueError`` or ``RecursionError``."""

    def __init__(self, text: str) -> None:
        self.text = text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program's own: "\d" in a string
            self.tree = ast.parse(text)
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
        self._plain = text.isascii()
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._found: dict[ast.AST, Span] = {}

    def offset(self, line: int, column: int) -> int:
        """Where a place of the tree (line from 1, column in UTF-8 bytes) is in the text."""
        start = self._starts[line - 1]
        if self._plain:
            return start + column
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:column].decode("utf-8", "ignore"))

    def span(self, node: ast.AST) -> Span:
        """The node's text."""
        found = self._found.get(node)
        if found is None:
            first: ast.AST = node
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([node, *node.decorator_list], key=lambda one: one.lineno)
            found = Span(
                self.offset(first.lineno, first.col_offset),  # type: ignore[attr-defined]
                self.offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
            )
            self._found[node] = found
        return found

    def relocate(self, node: ast.expr, within: ast.JoinedStr) -> bool:
        """Put an expression of an f-string, and what is in it, where it is in the text.

        Before Python 3.12 the tree's places in f-strings may be off. False where it is not found.
        """
        wanted = ast.dump(node)
        given = self.span(node)
        if _reads_as(self.text[given.start : given.end], wanted):
            return True
        whole = self.span(within)
        text = ast.unparse(node)
        for quoted in (text, text.replace("'", '"')):
            at = self.text.find(quoted, whole.start, whole.end)
            if at >= 0 and self.text.count(quoted, whole.start, whole.end) == 1:
                self._shift(node, at, quoted)
                return True
        return False

    def _shift(self, node: ast.expr, at: int, text: str) -> None:
        again = ast.parse(text, mode="eval").body
        lead = [0, *(match.end() for match in re.finditer("\n", text))]
        for old, new in zip(ast.walk(node), ast.walk(again), strict=False):
            if isinstance(new, ast.expr):
                self._found[old] = Span(
                    at + lead[new.lineno - 1] + new.col_offset,
                    at + lead[(new.end_lineno or 1) - 1] + (new.end_col_offset or 0),
                )

    def line_start(self, at: int) -> int:
        """Where the line begins that this offset is in."""
        return max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1

    def indent(self, at: int) -> str:
        """The white space before the first word of that line."""
        found = re.compile(r"[ \t\f]*").match(self.text, self.line_start(at))
        return found[0] if found else ""

    def code(self, node: ast.AST) -> str:
        span = self.span(node)
        return self.text[span.start : span.end]


def _reads_as(text: str, wanted: str) -> bool:
    try:
        return ast.dump(ast.parse(text, mode="eval").body) == wanted
    except (SyntaxError, ValueError):
        return False


class Text(Protocol):
    """A text that is edited, whatever its language."""

    text: str

    def span(self, node: Any, /) -> Span: ...


class Edit(NamedTuple):
    span: Span
    parts: tuple[Part, ...]


class Edits:
    """Edits of one text; they may lie in each other, but not across each other."""

    def __init__(self, source: Text) -> None:
        self._source = source
        self._edits: list[Edit] = []
        self._starts: list[int] = []
        self._sorted = True

    def __bool__(self) -> bool:
        return bool(self._edits)

    def replace(self, where: Span | ast.AST, *parts: Part) -> None:
        span = where if isinstance(where, Span) else self._source.span(where)
        self._edits.append(Edit(span, parts))
        self._sorted = False

    def insert(self, at: int, *parts: Part) -> None:
        self.replace(Span(at, at), *parts)

    def hides(self, at: int) -> int | None:
        """Where the edit begins in whose new text this place is not; None where it is there."""
        for (start, end), parts in self._edits:
            if start < at < end and not any(
                isinstance(part, Span) and part.start < at < part.end for part in parts
            ):
                return start
        return None

    def render(self) -> str:
        """The new text."""
        if not self._sorted:
            # What is put in at a place comes before what is replaced there; of two edits of the
            # same piece the first is around the second.
            self._edits.sort(key=lambda one: (one.span.start, one.span.start != one.span.end,
                                              -one.span.end))  # fmt: skip
            self._starts = [edit.span.start for edit in self._edits]
            self._sorted = True
        whole = Span(0, len(self._source.text))
        return "".join(self._render(whole, (), whole=True))

    def text(self, parts: tuple[Part, ...] | list[Part]) -> str:
        """What these parts are now, with the edits known so far."""
        self.render()
        return "".join(
            part if isinstance(part, str) else "".join(self._render(part, ())) for part in parts
        )

    def _render(self, span: Span, active: tuple[int, ...], *, whole: bool = False) -> list[str]:
        made: list[str] = []
        position = span.start
        for number in range(bisect.bisect_left(self._starts, span.start), len(self._edits)):
            (start, end), parts = self._edits[number]
            if number in active:
                continue
            if start > span.end:
                break
            if end > span.end or start < position:
                continue
            if start == end and not whole and start in span:
                continue  # it stands beside the piece, not in it
            made.append(self._source.text[position:start])
            for part in parts:
                if isinstance(part, str):
                    made.append(part)
                else:
                    made += self._render(part, (*active, number))
            position = end
        made.append(self._source.text[position : span.end])
        return made
