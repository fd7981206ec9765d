"""A program of JavaScript or TypeScript as tokens, with what encloses what: no tree is built.

Text is only ever changed between places of tokens, so what is not changed keeps every byte.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import NamedTuple

from gemini_magic.convert.javascript_tokens import Token, Unreadable, tokens
from gemini_magic.convert.migrate.source import Span

_OPEN = {"(": ")", "[": "]", "{": "}", "${": "}", "`": "`"}
#: Signs after which an expression goes on in the next line, and before which it does.
_GOES_ON = frozenset({".", "?.", "(", "[", "`", "?", ":", "=", "=>", "==", "===", "!=", "!==", "+",
                      "-", "*", "/", "%", "&&", "||", "??", "<", ">", "<=", ">=", "&", "|", "^",
                      ",", ";", ")", "]", "}"})  # fmt: skip
_JOINS = frozenset({"as", "satisfies", "in", "of", "instanceof"})
KEYWORDS = frozenset(
    {"if", "for", "while", "switch", "catch", "function", "return", "await", "yield", "typeof",
     "new", "delete", "void", "in", "of", "instanceof", "else", "do", "case", "throw", "with",
     "class", "const", "let", "var", "import", "export", "default", "extends", "super", "try",
     "finally", "break", "continue", "null", "true", "false", "undefined", "this"}
)  # fmt: skip
#: Names that are the end of a value, though they are keywords.
_VALUES = frozenset({"null", "true", "false", "undefined", "this", "super"})


class Step(NamedTuple):
    """What follows a value: ``.name``, ``[...]``, ``(...)``, ``<Type>`` or ``!``.

    ``first`` and ``last`` are its tokens; ``optional`` is whether it begins with ``?.``.
    """

    kind: str
    first: int
    last: int
    name: str = ""
    optional: bool = False


class Chain(NamedTuple):
    """A value and what follows it: ``new`` and ``await`` stand before ``first``."""

    first: int
    primary_last: int
    steps: tuple[Step, ...]

    @property
    def last(self) -> int:
        return self.steps[-1].last if self.steps else self.primary_last


class Entry(NamedTuple):
    """An entry of an object: ``...x`` has no key, ``{x}`` no value of its own.

    Tokens ``first`` to ``last`` (inclusive); ``value`` is where the value begins.
    """

    key: str
    first: int
    value: int
    last: int
    kind: str  # "pair", "short", "spread" or "method"


class Code:
    """Raises ``Unreadable`` where brackets do not match."""

    def __init__(self, text: str, *, markup: bool = True) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self._add(tokens(text, markup=markup))
        self.pair: dict[int, int] = {}
        self.parent: list[int] = []
        self._starts = [token.start for token in self.tokens]
        self._lines = [0, *(match.end() for match in re.finditer(r"\n", text))]
        self._match()
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._chains: dict[int, Chain] = {}

    def _add(self, given: list[Token]) -> None:
        """Template literals become tokens like all others: what fills them stands in braces."""
        for token in given:
            if token.kind != "form":
                self.tokens.append(token)
                continue
            self.tokens.append(Token("open", "`", token.start, token.start + 1))
            for part in token.value:
                if not isinstance(part, str):
                    self.tokens.append(Token("sign", "${", part.start, part.start + 2))
                    self._add(part.tokens)
                    self.tokens.append(Token("sign", "}", part.end - 1, part.end))
            self.tokens.append(Token("close", "`", token.end - 1, token.end))

    def _match(self) -> None:
        stack: list[int] = []
        for at, token in enumerate(self.tokens):
            is_close = token.kind == "close" or (token.kind == "sign" and token.value in ")]}")
            if is_close and token.value:
                if not stack or _OPEN[self.tokens[stack[-1]].value] != token.value:
                    raise Unreadable(f"line {self.line(at)}: {token.value!r} closes nothing")
                opened = stack.pop()
                self.pair[opened], self.pair[at] = at, opened
            self.parent.append(stack[-1] if stack else -1)
            if token.kind == "open" or (token.kind == "sign" and token.value in ("(", "[", "{",
                                                                                "${")):  # fmt: skip
                stack.append(at)
        if stack:
            value = self.tokens[stack[-1]].value
            raise Unreadable(f"line {self.line(stack[-1])}: {value!r} is never closed")

    # --- places ---

    def line(self, at: int) -> int:
        """The line of a token, from 1."""
        return bisect.bisect_right(self._lines, self.tokens[at].start)

    def line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def indent(self, offset: int) -> str:
        """The white space before the first word of that line."""
        found = re.compile(r"[ \t]*").match(self.text, self.line_start(offset))
        return found[0] if found else ""

    def span(self, first: int, last: int | None = None) -> Span:
        """From one token to another."""
        return Span(self.tokens[first].start, self.tokens[first if last is None else last].end)

    def code(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].start : self.tokens[last].end]

    def at_offset(self, offset: int) -> int:
        """The first token that begins there or later."""
        return bisect.bisect_left(self._starts, offset)

    def is_trivia(self, offset: int) -> bool:
        """Whether a place is in a comment (or in white space): in no token, and in no text."""
        at = self.at_offset(offset)
        if at and self.tokens[at - 1].end > offset:
            return False
        if at >= len(self.tokens) or (at and self.tokens[at].start == offset):
            return at >= len(self.tokens)
        in_form = self.tokens[at].kind == "close" or self.sign(at) == "${"
        return not in_form

    def breaks(self, at: int) -> bool:
        """Whether a line ends before this token."""
        before = self.tokens[at - 1].end if at else 0
        return "\n" in self.text[before : self.tokens[at].start]

    # --- tokens ---

    def sign(self, at: int) -> str:
        """The sign there; "" for all that is none."""
        if not 0 <= at < len(self.tokens):
            return ""
        token = self.tokens[at]
        return token.value if token.kind in ("sign", "open", "close") else ""

    def name(self, at: int) -> str:
        if not 0 <= at < len(self.tokens):
            return ""
        token = self.tokens[at]
        return token.value if token.kind == "name" else ""

    def ends_value(self, at: int) -> bool:
        """Whether a value can end with this token, so that a bracket after it belongs to it."""
        if at < 0:
            return False
        token = self.tokens[at]
        if token.kind == "name":
            return token.value not in KEYWORDS or token.value in _VALUES or self.is_member(at)
        if token.kind in ("sign", "close", "open"):
            return token.kind == "close" or token.value in (")", "]", "}")
        return True

    def is_member(self, at: int) -> bool:
        """Whether it is the name after a dot."""
        return self.sign(at - 1) in (".", "?.")

    def fills(self, at: int) -> bool:
        """Whether ``??=``, ``||=`` or ``&&=`` stands there."""
        return self.sign(at) in ("??", "||", "&&") and self.sign(at + 1) == "="

    def is_key(self, at: int) -> bool:
        """Whether a name is an object's key (or a label, or a field), not a value."""
        if self.sign(at + 1) != ":" or self.is_member(at):
            return False
        return self.sign(at - 1) in ("{", ",", ";", "") and not self._in_ternary(at)

    def _in_ternary(self, at: int) -> bool:
        return self.sign(at - 1) == "," and self.sign(self.parent[at]) != "{"

    def end(self, first: int, limit: int | None = None) -> int:
        """The last token of the expression that begins here."""
        at = first
        limit = len(self.tokens) if limit is None else limit
        while at < limit:
            token = self.tokens[at]
            if token.kind in ("sign", "open", "close"):
                if at in self.pair and self.pair[at] > at:
                    at = self.pair[at] + 1
                    if at < limit and self._stops(at):
                        return at - 1
                    continue
                if token.kind == "sign" and token.value in (",", ";", ")", "]", "}"):
                    return max(first, at - 1)
            at += 1
            if at < limit and self._stops(at):
                return at - 1
        return at - 1

    def _stops(self, at: int) -> bool:
        """Whether a new line begins a new statement here."""
        if not self.breaks(at) or not self.ends_value(at - 1):
            return False
        token = self.tokens[at]
        if token.kind in ("sign", "open", "close"):
            return token.value not in _GOES_ON
        return not (token.kind == "name" and token.value in _JOINS)

    def pieces(self, opened: int) -> Iterator[tuple[int, int]]:
        """First and last token of what stands between the commas in a bracket."""
        at, closed = opened + 1, self.pair[opened]
        while at < closed:
            if self.sign(at) == ",":
                at += 1
                continue
            last = self._piece_end(at, closed)
            yield at, last
            at = last + 1

    def _piece_end(self, at: int, closed: int) -> int:
        while at < closed:
            if at in self.pair and self.pair[at] > at:
                at = self.pair[at]
            elif self.sign(at) == ",":
                return at - 1
            at += 1
        return closed - 1

    def entries(self, opened: int) -> list[Entry]:
        """Of an object, or of a pattern: what stands between its commas."""
        found: list[Entry] = []
        for first, last in self.pieces(opened):
            token = self.tokens[first]
            if self.sign(first) == "...":
                found.append(Entry("", first, first + 1, last, "spread"))
            elif first + 1 <= last and self.sign(first + 1) == ":":
                key = str(token.value) if token.kind in ("name", "text", "number") else ""
                found.append(Entry(key, first, first + 2, last, "pair"))
            elif token.kind == "name" and (first == last or self.sign(first + 1) == "="):
                found.append(Entry(token.value, first, first, last, "short"))
            else:
                found.append(Entry("", first, first, last, "method"))
        return found

    def is_object(self, first: int, last: int) -> bool:
        """Whether these tokens are an object literal and nothing else."""
        return self.sign(first) == "{" and self.pair[first] == last

    # --- values with what follows them ---

    def chains(self) -> Iterator[Chain]:
        """Every value in the text, in order, those in others after these."""
        for at, token in enumerate(self.tokens):
            if self._begins(at, token) and (chain := self.chain(at)) is not None:
                yield chain

    def _begins(self, at: int, token: Token) -> bool:
        if token.kind == "name":
            if token.value in KEYWORDS and token.value not in ("this", "import"):
                return False
            return not self.is_member(at) and not self.is_key(at)
        if token.kind == "sign" and token.value in ("(", "["):
            return not self.ends_value(at - 1) or self._ended_line(at)
        return False

    def _ended_line(self, at: int) -> bool:
        return self.sign(at - 1) == "}" and self.breaks(at)

    def chain(self, first: int) -> Chain | None:
        """The value that begins here."""
        if first in self._chains:
            return self._chains[first]
        if first >= len(self.tokens):
            return None
        token = self.tokens[first]
        at = last = first
        if token.kind in ("sign", "open"):
            if first not in self.pair or self.pair[first] < first:
                return None
            last = self.pair[first]
        elif token.kind == "name" and token.value in KEYWORDS - {"this", "import", "super"}:
            return None
        steps: list[Step] = []
        at = last + 1
        while at < len(self.tokens) and (step := self.step(at)) is not None:
            steps.append(step)
            at = step.last + 1
        chain = Chain(first, last, tuple(steps))
        self._chains[first] = chain
        return chain

    def step(self, at: int) -> Step | None:
        """What follows a value, if it begins here."""
        sign = self.sign(at)
        optional = sign == "?."
        if sign == "." or (optional and self.tokens[at + 1].kind == "name"):
            return (
                Step("name", at, at + 1, self.name(at + 1), optional) if self.name(at + 1) else None
            )
        begin = at
        if optional:
            at += 1
            sign = self.sign(at)
        if sign == "(":
            return Step("call", begin, self.pair[at], "", optional)
        if sign == "[":
            if self._stops(at):
                return None
            return Step("index", begin, self.pair[at], "", optional)
        if sign == "!" and not self.breaks(at) and self.sign(at + 1) != "=":
            return Step("sure", at, at)
        if sign == "<" and (last := self._types(at)):
            return Step("types", at, last)
        if sign == "`" and self.tokens[at].kind == "open" and not optional:
            return Step("form", at, self.pair[at])
        return None

    def _types(self, at: int) -> int:
        """The end of ``<Type>`` before a call; 0 where it is no such thing."""
        depth = 0
        for place in range(at, min(at + 60, len(self.tokens))):
            token = self.tokens[place]
            if token.kind == "sign" and token.value in ("<", ">"):
                depth += 1 if token.value == "<" else -1
                if not depth:
                    return place if self.sign(place + 1) == "(" else 0
            elif token.kind not in ("name", "text") and token.value not in (
                ".", ",", "[", "]", "|", "&", "{", "}", ":", ";", "?"
            ):  # fmt: skip
                return 0
        return 0

    def arguments(self, step: Step) -> list[tuple[int, int]]:
        """First and last token of each argument of a call."""
        return list(self.pieces(self.pair[step.last]))
