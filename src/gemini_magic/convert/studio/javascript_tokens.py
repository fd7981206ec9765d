"""The tokens of JavaScript and TypeScript: template literals and regular expressions, too."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Token(NamedTuple):
    """``kind`` is name, number, text, form (a template literal), regex or sign; ``value`` what it
    is: of a form, its texts and the tokens of its expressions in turn."""

    kind: str
    value: Any
    start: int
    end: int


class Unreadable(Exception):
    """A place where no value can be read."""


class TooMuch(Unreadable):
    """Reading it would take too long: no program that people write does."""


_SKIPPED = re.compile(r"(?:\s|//[^\n]*|/\*.*?(?:\*/|\Z)|\A\#![^\n]*)+", re.S)
_NAME = re.compile(r"[^\W\d][\w$]*|[$][\w$]*")
_NUMBER = re.compile(r"0[xX][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?n?")
_SIGN = re.compile(r"=>|\.\.\.|\?\.|\?\?|===|!==|==|!=|<=|>=|&&|\|\||\+\+|--|.", re.S)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_ESCAPE = re.compile(r"\\(?:u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|.))", re.S)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
DEEPEST = 60
#: After these words a slash begins a regular expression.
_BEFORE_REGEX = frozenset({"return", "typeof", "case", "in", "of", "new", "delete", "void"})


def tokens(source: str, start: int = 0, until: str = "", depth: int = 0) -> list[Token]:
    """The tokens of a source, from a place to its end or to the brace that closes a form."""
    found: list[Token] = []
    position, open_braces = start, 0
    while position < len(source):
        if skipped := _SKIPPED.match(source, position):
            position = skipped.end()
            continue
        token = _token(source, position, found[-1] if found else None, depth)
        if until and token.kind == "sign":
            open_braces += {"{": 1, "}": -1}.get(token.value, 0)
            if open_braces < 0:
                found.append(token)
                return found
        found.append(token)
        position = token.end
    return found


def _token(source: str, at: int, before: Token | None, depth: int) -> Token:
    char = source[at]
    if char in "'\"":
        return _quoted(source, at)
    if char == "`":
        return _form(source, at, depth)
    for kind, pattern in (("name", _NAME), ("number", _NUMBER)):
        if match := pattern.match(source, at):
            return Token(kind, match[0], at, match.end())
    if char == "/" and _may_be_regex(before) and (match := _REGEX.match(source, at)):
        return Token("regex", match[0], at, match.end())
    match = _SIGN.match(source, at)
    assert match is not None
    return Token("sign", match[0], at, match.end())


def _may_be_regex(before: Token | None) -> bool:
    if before is None:
        return True
    if before.kind == "name":
        return before.value in _BEFORE_REGEX
    return before.kind == "sign" and before.value not in (")", "]", "}")


def _quoted(source: str, at: int) -> Token:
    end = at + 1
    while end < len(source) and source[end] != source[at]:
        if source[end] == "\n":  # it was an apostrophe
            return Token("sign", source[at], at, at + 1)
        end += 2 if source[end] == "\\" else 1
    return Token("text", _unescaped(source[at + 1 : end]), at, min(end + 1, len(source)))


def _form(source: str, at: int, depth: int) -> Token:
    """A template literal."""
    if depth > DEEPEST:
        raise Unreadable("forms within forms")
    parts: list[Any] = []
    end = begin = at + 1
    while end < len(source) and source[end] != "`":
        if source[end] == "\\":
            end += 2
        elif source.startswith("${", end):
            parts.append(_unescaped(source[begin:end]))
            inner = tokens(source, end + 2, "}", depth + 1)
            stop = inner[-1].end if inner else len(source)
            parts.append((source[end + 2 : max(end + 2, stop - 1)].strip(), inner[:-1]))
            end = begin = stop
        else:
            end += 1
    parts.append(_unescaped(source[begin:end]))
    return Token("form", parts, at, min(end + 1, len(source)))


def _unescaped(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        if code := match[1] or match[2] or match[3]:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
        return "" if match[4] in ("\n", "\r\n") else _SHORT.get(match[4], match[4])

    plain = _ESCAPE.sub(char, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
