"""Reads the values in JavaScript and TypeScript code: literals, objects, calls. Nothing is run.

It knows expressions of the forms that calls of an API have, and steps over everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gemini_magic.convert.javascript_tokens import (
    DEEPEST,
    Token,
    TooMuch,
    Unreadable,
    tokens,
)
from gemini_magic.convert.studio.bodies import Formed, Unknown, added, formed
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.pieces import Slot, Text

#: How often a token may be looked at, on average.
_LOOKS = 30
#: What makes an expression one that only a run can tell.
_OPERATORS = frozenset(
    {"?", "||", "??", "&&", "===", "!==", "==", "!=", "*", "/", "%", "-", "=>", "<", ">"}
)


class Called(NamedTuple):
    """A call: the dotted name of what is called, the value that it is called on, its arguments."""

    name: str
    on: Any
    arguments: list[Any]
    start: int


class Reader:
    """Reads values from tokens; ``names`` are the constants known so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.names: dict[str, Any] = {}
        self.at = 0
        self._depth = 0
        self._told: set[int] = set()
        self._left = _LOOKS * len(self.tokens) + 20_000

    def statements(self) -> Iterator[Called]:
        """Every call in the source, in order; constants are learned on the way."""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "name" and token.value in ("const", "let", "var"):
                yield from self._declared()
            elif self._begins_call():
                yield from self._tried_call()
            elif token.kind == "form":
                yield from self._within(token)
                self.at += 1
            else:
                self.at += 1

    def _within(self, token: Token) -> Iterator[Called]:
        """The calls within a template literal."""
        for part in token.value:
            if not isinstance(part, str):
                inner = Reader("")
                inner.source, inner.tokens, inner.names = self.source, part.tokens, self.names
                inner._told, inner._left = self._told, self._left
                yield from inner.statements()

    def _declared(self) -> Iterator[Called]:
        """``const NAME: type = value``; what cannot be read makes the name unknown."""
        self.at += 1
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != "name":
            return
        name = self.tokens[self.at].value
        self.at += 1
        place = self.at
        if self._sign() == ":":
            while self.at < len(self.tokens) and self._sign() not in ("=", ";", "=>"):
                self.at += 1
        if self._sign() != "=":
            self.at = place
            return
        self.at += 1
        begin = self.at
        try:
            value = self.value()
        except TooMuch:
            raise
        except (Unreadable, RecursionError):
            self.names.pop(name, None)
            self.at = begin
            return
        self.names[name] = value
        yield from self._new(value)
        if not isinstance(value, str | int | float | Formed | list | dict | Called):
            self.names.pop(name, None)
        self.at = begin if isinstance(value, Unknown | Called) else self.at
        if isinstance(value, Called):
            self._past(value)

    def _past(self, value: Called) -> None:
        """Go on within the call's arguments, past its name: calls may stand in them."""
        while self.at < len(self.tokens) and self.tokens[self.at].start <= value.start:
            self.at += 1

    def _begins_call(self) -> bool:
        token = self.tokens[self.at]
        before = self.tokens[self.at - 1] if self.at else None
        return token.kind == "name" and not (
            before is not None and before.kind == "sign" and before.value in (".", "?.")
        )

    def _tried_call(self) -> Iterator[Called]:
        begin = self.at
        try:
            value = self._member()
        except TooMuch:
            raise
        except (Unreadable, RecursionError):
            value = None
        self.at = begin + 1
        if isinstance(value, Called):
            yield from self._new(value)
            self._past(value)

    def _new(self, value: Any) -> Iterator[Called]:
        """A call, and before it the one that it is called on, unless they were told before."""
        if isinstance(value, Called) and value.start not in self._told:
            self._told.add(value.start)
            yield from self._new(value.on)
            yield value

    # --- values ---

    def _sign(self) -> str:
        if self.at >= len(self.tokens):
            return ""
        token = self.tokens[self.at]
        return token.value if token.kind == "sign" else ""

    def value(self) -> Any:
        """The value of the expression at this place. Raises ``Unreadable``."""
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                raise Unreadable("too deep")
            return self._sum()
        finally:
            self._depth -= 1

    def _sum(self) -> Any:
        begin = self.at
        value = self._member()
        while self._sign() == "+":
            self.at += 1
            value = added(value, self._member(), "+")
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "name" and token.value in ("as", "satisfies"):
                self._skip()
            elif token.kind == "sign" and token.value in _OPERATORS:
                self._skip()
                return Unknown(self._text(begin))
        return value

    def _skip(self) -> None:
        """Step over the rest of an expression."""
        open_signs = 0
        while self.at < len(self.tokens):
            self._look()
            sign = self._sign()
            if sign in ("(", "[", "{"):
                open_signs += 1
            elif sign in (")", "]", "}"):
                if not open_signs:
                    return
                open_signs -= 1
            elif sign in (",", ";") and not open_signs:
                return
            self.at += 1

    def _look(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooMuch("nested too deeply")

    def _text(self, begin: int) -> str:
        end = self.tokens[min(self.at, len(self.tokens)) - 1].end
        return self.source[self.tokens[begin].start : end]

    def _member(self) -> Any:
        """A primary with its members, indices and calls."""
        begin = self.at
        while self.at < len(self.tokens) and self.tokens[self.at].value in ("await", "new"):
            self.at += 1
        name, value = self._primary()
        while self.at < len(self.tokens):
            sign = self._sign()
            if sign == "!":
                self.at += 1
            elif sign in (".", "?.") and self._is_name(self.at + 1):
                attribute = self.tokens[self.at + 1].value
                value = value.get(attribute, Unknown("")) if isinstance(value, dict) else value
                name = f"{name}.{attribute}"
                self.at += 2
                if not isinstance(value, str | int | float | dict | list | Called):
                    value = Unknown(name)
            elif sign == "[":
                self.at += 1
                index = self.value()
                self._expect("]")
                value = _indexed(value, index) or Unknown(self._text(begin))
            elif sign == "(":
                start = self.tokens[self.at - 1].start
                value = Called(name, value, self._arguments(), start)
            elif sign == "<" and (past := self._type_arguments()):
                self.at = past
            else:
                break
        if isinstance(value, Unknown):
            enum = re.fullmatch(r"(?:\w+\.)*[A-Z]\w*\.([A-Z][A-Z\d_]+)", name)
            return enum[1] if enum else Unknown(self._text(begin))
        return value

    def _type_arguments(self) -> int:
        """The place after ``<Type>`` before a call; 0 where it is no such thing."""
        at = self.at + 1
        while at < len(self.tokens) and at < self.at + 20:
            token = self.tokens[at]
            if token.kind == "sign" and token.value == ">":
                follows = self.tokens[at + 1].value if at + 1 < len(self.tokens) else ""
                return at + 1 if follows == "(" else 0
            if token.kind == "sign" and token.value not in (".", ",", "[", "]", "|", "<"):
                return 0
            at += 1
        return 0

    def _is_name(self, at: int) -> bool:
        return at < len(self.tokens) and self.tokens[at].kind == "name"

    def _primary(self) -> tuple[str, Any]:
        if self.at >= len(self.tokens):
            raise Unreadable("the end")
        self._look()
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "text":
            return "", token.value
        if token.kind == "number":
            return "", _number(token.value)
        if token.kind == "form":
            return "", self._formed(token)
        if token.kind == "regex":
            return "", Unknown(token.value)
        if token.kind == "name":
            if token.value in ("true", "false", "null", "undefined"):
                return "", {"true": True, "false": False}.get(token.value)
            if token.value in ("function", "class", "async"):
                raise Unreadable("code")
            return token.value, self.names.get(token.value, Unknown(token.value))
        if token.value == "{":
            return "", self._object()
        if token.value == "[":
            return "", self._array()
        if token.value == "-":
            _, value = self._primary()
            return "", -value if isinstance(value, int | float) else Unknown("-")
        if token.value == "(":
            inner = self.value()
            self._expect(")")
            return "", inner
        raise Unreadable(token.value)

    def _formed(self, token: Token) -> Any:
        pieces: list[Text | Slot] = []
        for part in token.value:
            if isinstance(part, str):
                pieces += [Text(part)] if part else []
                continue
            known = self.names.get(part.source)
            if isinstance(known, str):
                pieces.append(Text(known))
            elif isinstance(known, Formed):
                pieces += known.pieces
            else:
                pieces.append(Slot(identifier(part.source, "value")))
        return formed(pieces)

    def _object(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while self._sign() != "}":
            if self.at >= len(self.tokens):
                raise Unreadable("an open object")
            if self._sign() == "...":
                self.at += 1
                spread = self.value()
                made |= spread if isinstance(spread, dict) else {}
            elif self._sign() == ",":
                self.at += 1
                continue
            else:
                self._entry(made)
            if self._sign() not in (",", "}"):
                self._skip()
        self.at += 1
        return made

    def _entry(self, made: dict[str, Any]) -> None:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "sign" and token.value == "[":
            key = self.value()
            self._expect("]")
        elif token.kind in ("name", "text", "number"):
            key = token.value
        else:
            raise Unreadable(str(token.value))
        if self._sign() == ":":
            self.at += 1
            begin = self.at
            try:
                made[str(key)] = self.value()
            except TooMuch:
                raise
            except Unreadable:
                self.at = begin
                self._skip()
                made[str(key)] = Unknown(self._text(begin) if self.at > begin else str(key))
        elif self._sign() in (",", "}"):
            made[str(key)] = self.names.get(str(key), Unknown(str(key)))
        else:
            self._skip()  # a method

    def _array(self) -> list[Any]:
        made: list[Any] = []
        while self._sign() != "]":
            if self.at >= len(self.tokens):
                raise Unreadable("an open array")
            if self._sign() == ",":
                self.at += 1
                continue
            if self._sign() == "...":
                self.at += 1
                spread = self.value()
                made += spread if isinstance(spread, list) else [spread]
            else:
                made.append(self.value())
            if self._sign() not in (",", "]"):
                self._skip()
        self.at += 1
        return made

    def _arguments(self) -> list[Any]:
        self.at += 1
        made: list[Any] = []
        while self._sign() != ")":
            if self.at >= len(self.tokens):
                raise Unreadable("an open call")
            if self._sign() == ",":
                self.at += 1
                continue
            begin = self.at
            try:
                made.append(self.value())
            except TooMuch:
                raise
            except Unreadable:
                self.at = begin
                self._skip()
                if self.at == begin:
                    raise
                made.append(Unknown(self._text(begin)))
            if self._sign() not in (",", ")"):
                self._skip()
        self.at += 1
        return made

    def _expect(self, sign: str) -> None:
        if self._sign() != sign:
            raise Unreadable(f"no {sign}")
        self.at += 1


def value_of(source: str) -> Any:
    """The value that a text of JSON or JavaScript is: trailing commas and comments are fine.

    Raises ``Unreadable``.
    """
    reader = Reader(source)
    value = reader.value()
    if reader.at < len(reader.tokens):
        raise Unreadable("more than one value")
    return value


def _number(text: str) -> int | float:
    plain = text.replace("_", "").rstrip("n")
    try:
        return int(plain, 0) if plain.isdigit() or plain[:2].lower() == "0x" else float(plain)
    except ValueError:
        return 0


def _indexed(value: Any, index: Any) -> Any:
    if isinstance(value, list) and isinstance(index, int) and 0 <= index < len(value):
        return value[index]
    return value.get(index) if isinstance(value, dict) and isinstance(index, str) else None
