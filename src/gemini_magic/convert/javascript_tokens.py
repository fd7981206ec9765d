"""The tokens of JavaScript and TypeScript: template literals, regular expressions and JSX, too."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Token(NamedTuple):
    """``kind`` is name, number, text, form (a template literal), regex, jsx (a piece of markup) or
    sign; ``value`` what it is: of a form, its texts and what fills it in turn."""

    kind: str
    value: Any
    start: int
    end: int


class Filled(NamedTuple):
    """An expression in a template literal: its source, its tokens, its place with ``${`` and }."""

    source: str
    tokens: list[Token]
    start: int
    end: int


class Unreadable(Exception):
    """A place where no value can be read."""


class TooMuch(Unreadable):
    """Reading it would take too long: no program that people write does."""


class _NotMarkup(Exception):
    """What looked like JSX is none."""


_SKIPPED = re.compile(r"(?:\s|//[^\n]*|/\*.*?(?:\*/|\Z)|\A\#![^\n]*)+", re.S)
_NAME = re.compile(r"\#?[^\W\d][\w$]*|\#?[$][\w$]*")
_NUMBER = re.compile(r"0[xX][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?n?")
_SIGN = re.compile(r"=>|\.\.\.|\?\.(?!\d)|\?\?|===|!==|==|!=|<=|>=|&&|\|\||\+\+|--|.", re.S)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_ESCAPE = re.compile(r"\\(?:u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|.))", re.S)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_TAG = re.compile(r"<(?:([A-Za-z_$][\w$.:-]*)(?=[\s/>])|(?=>))")
_ATTRIBUTE = re.compile(r"(?:\s|/\*.*?\*/)*([A-Za-z_$][\w$:.-]*)?\s*(=\s*)?", re.S)
_CLOSING = re.compile(r"</\s*([\w$.:-]*)\s*>")
DEEPEST = 60
#: How often something may look like JSX and be none.
_MISTAKES = 200
#: After these words a slash begins a regular expression, and ``<`` an element.
_BEFORE_VALUE = frozenset(
    {"return", "typeof", "case", "in", "of", "new", "delete", "void", "await", "yield", "else",
     "do", "default"}
)  # fmt: skip


def tokens(source: str, *, markup: bool = True) -> list[Token]:
    """The tokens of a source; without ``markup``, ``<`` never begins an element of JSX."""
    return _Lexer(source, markup).read(0, "", 0)


class _Lexer:
    def __init__(self, source: str, markup: bool) -> None:
        self._source = source
        self._mistakes = 0 if markup else _MISTAKES

    def read(self, start: int, until: str, depth: int) -> list[Token]:
        """From a place to the end, or to the brace that closes what began before it."""
        if depth > DEEPEST:
            raise Unreadable("forms within forms")
        source = self._source
        found: list[Token] = []
        position, open_braces = start, 0
        heads: list[bool] = []  # of the open parentheses: whether they are an if's, or the like
        while position < len(source):
            if skipped := _SKIPPED.match(source, position):
                position = skipped.end()
                continue
            before = found[-1] if found else None
            if source[position] == "<" and self._mistakes < _MISTAKES and _begins(before, False):
                try:
                    found += self._element(position, depth + 1)
                    position = found[-1].end
                    continue
                except _NotMarkup:
                    self._mistakes += 1
            after_head = before is not None and before.value == ")" and bool(heads) and heads[-1]
            token = self._token(position, before, after_head, depth)
            if heads and before is not None and before.value == ")" and before.kind == "sign":
                heads.pop()
            if token.kind == "sign":
                if token.value == "(":
                    heads.append(_is_head(before))
                if until:
                    open_braces += {"{": 1, "}": -1}.get(token.value, 0)
                    if open_braces < 0:
                        found.append(token)
                        return found
            found.append(token)
            position = token.end
        return found

    def _token(self, at: int, before: Token | None, after_head: bool, depth: int) -> Token:
        source = self._source
        char = source[at]
        if char in "'\"":
            return _quoted(source, at)
        if char == "`":
            return self._form(at, depth)
        for kind, pattern in (("name", _NAME), ("number", _NUMBER)):
            if match := pattern.match(source, at):
                return Token(kind, match[0], at, match.end())
        if char == "/" and _begins(before, after_head) and (match := _REGEX.match(source, at)):
            return Token("regex", match[0], at, match.end())
        match = _SIGN.match(source, at)
        assert match is not None
        return Token("sign", match[0], at, match.end())

    def _form(self, at: int, depth: int) -> Token:
        """A template literal."""
        source = self._source
        parts: list[Any] = []
        end = begin = at + 1
        while end < len(source) and source[end] != "`":
            if source[end] == "\\":
                end += 2
            elif source.startswith("${", end):
                parts.append(_unescaped(source[begin:end]))
                inner = self.read(end + 2, "}", depth + 1)
                stop = inner[-1].end if inner else len(source)
                text = source[end + 2 : max(end + 2, stop - 1)].strip()
                parts.append(Filled(text, inner[:-1], end, stop))
                end = begin = stop
            else:
                end += 1
        parts.append(_unescaped(source[begin:end]))
        return Token("form", parts, at, min(end + 1, len(source)))

    # --- JSX ---

    def _element(self, at: int, depth: int) -> list[Token]:
        """An element with all in it: pieces of markup, and the tokens of its expressions."""
        opening = _TAG.match(self._source, at)
        if opening is None or depth > DEEPEST:
            raise _NotMarkup
        found: list[Token] = []
        begin, at = at, opening.end()
        while True:
            match = _ATTRIBUTE.match(self._source, at)
            assert match is not None
            at = match.end()
            char = self._source[at : at + 1]
            if char == "{" and (match[2] or not match[1]):
                begin, at = self._expression(begin, at, found, depth)
            elif char in ("'", '"') and match[2] and char:
                at = self._source.find(char, at + 1) + 1
                if not at:
                    raise _NotMarkup
            elif char == "<" and match[2]:
                found.append(Token("jsx", self._source[begin:at], begin, at))
                found += self._element(at, depth + 1)
                begin = at = found[-1].end
            elif not match[2] and char == ">":
                return self._children(begin, at + 1, opening[1] or "", found, depth)
            elif not match[2] and self._source.startswith("/>", at):
                return [*found, Token("jsx", self._source[begin : at + 2], begin, at + 2)]
            elif not match[1]:
                raise _NotMarkup

    def _children(
        self, begin: int, at: int, name: str, found: list[Token], depth: int
    ) -> list[Token]:
        source = self._source
        while at < len(source):
            if source[at] == "{":
                begin, at = self._expression(begin, at, found, depth)
            elif closing := _CLOSING.match(source, at):
                if closing[1] != name:
                    raise _NotMarkup
                end = closing.end()
                return [*found, Token("jsx", source[begin:end], begin, end)]
            elif source[at] == "<":
                found.append(Token("jsx", source[begin:at], begin, at))
                found += self._element(at, depth + 1)
                begin = at = found[-1].end
            else:
                at += 1
        raise _NotMarkup

    def _expression(self, begin: int, at: int, found: list[Token], depth: int) -> tuple[int, int]:
        """What stands in braces; where the markup goes on."""
        found.append(Token("jsx", self._source[begin:at], begin, at))
        found.append(Token("sign", "{", at, at + 1))
        inner = self.read(at + 1, "}", depth + 1)
        if not inner or inner[-1].value != "}":
            raise _NotMarkup
        found += inner
        return inner[-1].end, inner[-1].end


def _is_head(before: Token | None) -> bool:
    return before is not None and before.kind == "name" and before.value in ("if", "while", "for")


def _begins(before: Token | None, after_head: bool) -> bool:
    """Whether a value can begin after this token, so that a slash is no division."""
    if before is None:
        return True
    if before.kind == "name":
        return before.value in _BEFORE_VALUE
    if before.kind != "sign":
        return False
    return after_head or before.value not in (")", "]", "}", "++", "--")


def _quoted(source: str, at: int) -> Token:
    end = at + 1
    while end < len(source) and source[end] != source[at]:
        if source[end] == "\n":  # it was an apostrophe
            return Token("sign", source[at], at, at + 1)
        if source[end] == "\\":
            end += 3 if source.startswith("\r\n", end + 1) else 2
        else:
            end += 1
    return Token("text", _unescaped(source[at + 1 : end]), at, min(end + 1, len(source)))


def _unescaped(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        if code := match[1] or match[2] or match[3]:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
        return "" if match[4] in ("\n", "\r\n") else _SHORT.get(match[4], match[4])

    plain = _ESCAPE.sub(char, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
