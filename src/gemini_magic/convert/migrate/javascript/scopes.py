"""What the names of a program mean: where each is bound, and to what."""

from __future__ import annotations

import bisect
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript.code import KEYWORDS, Code

#: Words that may stand before a field or a method of a class.
MODIFIERS = frozenset({"private", "public", "protected", "readonly", "static", "async", "declare",
                       "override", "get", "set", "abstract", "accessor", "*"})  # fmt: skip


class Function(NamedTuple):
    """A function: its parameters' tokens, and its body's (a block, or a value).

    ``name`` is the token of its own name, -1 where it has none.
    """

    params: tuple[tuple[int, int], ...]
    first: int
    body: int
    last: int
    is_block: bool
    is_async: bool
    name: int = -1
    method_of: int = -1  # the brace of its class


class Binding(NamedTuple):
    """A name where it is bound.

    ``how`` is "value" (``value`` is its first token), "each" (the items of ``value``), "parameter"
    (``number`` of ``function``), "import", "function", "class", or "none". ``path`` leads to
    it through a pattern: names of properties, numbers of items. ``annotation`` is the first token
    of its type. It is known from token ``start`` to ``end``.
    """

    name: str
    at: int
    how: str
    start: int
    end: int
    value: int = -1
    path: tuple[str | int, ...] = ()
    annotation: int = -1
    function: Function | None = None
    number: int = 0
    pattern: int = -1
    word: str = ""
    awaits: bool = False


class Scopes:
    """``bindings`` by name; ``functions`` in their order."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.bindings: dict[str, list[Binding]] = {}
        self.functions: list[Function] = []
        self.classes: dict[int, int] = {}  # the brace of a class, its word's token
        self._uses: dict[str, list[int]] = {}
        self._sorted: dict[str, tuple[list[Binding], list[int]]] = {}
        self._references: dict[str, dict[int, list[int]]] = {}
        for at, token in enumerate(code.tokens):
            if token.kind == "name":
                self._uses.setdefault(token.value, []).append(at)
        self.names = frozenset(self._uses)
        self._functions()
        self._methods = {one.name for one in self.functions if one.method_of >= 0}
        self._declarations()

    def resolve(self, at: int) -> Binding | None:
        """What the name at this token means; None for a global one."""
        return self.lookup(self.code.name(at), at)

    def lookup(self, name: str, at: int) -> Binding | None:
        """What a name means at a token: the innermost that is known there."""
        if name not in self._sorted:
            several = sorted(self.bindings.get(name, ()), key=lambda one: (one.start, -one.end))
            self._sorted[name] = (several, [one.start for one in several])
        several, starts = self._sorted[name]
        for number in range(bisect.bisect_right(starts, at) - 1, -1, -1):
            if several[number].end >= at:
                return several[number]
        return None

    def references(self, binding: Binding) -> list[int]:
        """The tokens that mean it, in their order."""
        if binding.name not in self._references:
            found: dict[int, list[int]] = {}
            for at in self._uses[binding.name]:
                meant = None if self.code.is_member(at) else self.resolve(at)
                if meant is not None and (at == meant.at or not self._is_label(at)):
                    found.setdefault(meant.at, []).append(at)
            self._references[binding.name] = found
        return self._references[binding.name].get(binding.at, [])

    def _is_label(self, at: int) -> bool:
        """Whether a name is a key, or a method's name."""
        return at in self._methods or self.code.is_key(at)

    def free(self, *names: str) -> str:
        """The first of these names that the program does not use."""
        for name in names:
            if name not in self.names:
                return name
        number = 2
        while f"{names[-1]}{number}" in self.names:
            number += 1
        return f"{names[-1]}{number}"

    def function_at(self, at: int) -> Function | None:
        """The innermost function whose body holds a token."""
        found = None
        for one in self.functions:
            if one.body <= at <= one.last and (found is None or one.body >= found.body):
                found = one
        return found

    def class_at(self, at: int) -> int:
        """The brace of the innermost class that holds a token; -1 for none."""
        while at >= 0:
            at = self.code.parent[at]
            if at in self.classes:
                return at
        return -1

    def is_module_level(self, at: int) -> bool:
        """Whether a token is in no function and no class: it runs as the module does."""
        return self.function_at(at) is None and self.class_at(at) < 0

    # --- functions ---

    def _functions(self) -> None:
        code = self.code
        for at, token in enumerate(code.tokens):
            if token.kind == "name" and token.value == "class" and not code.is_member(at):
                brace = at + 1
                while brace < len(code.tokens) and code.sign(brace) not in ("{", ";", ")", ","):
                    brace = code.pair[brace] + 1 if code.pair.get(brace, 0) > brace else brace + 1
                if code.sign(brace) == "{":
                    self.classes[brace] = at
                    if code.name(at + 1) and code.name(at + 1) not in ("extends", "implements"):
                        self._bind(at + 1, "class", self._block(at))
        for at, token in enumerate(code.tokens):
            if token.kind == "name" and token.value == "function" and not code.is_member(at):
                if not code.is_key(at):
                    self._function(at)
            elif token.kind == "sign" and token.value == "=>":
                self._arrow(at)
            elif token.kind == "sign" and token.value == "(":
                self._method(at)

    def _function(self, at: int) -> None:
        code = self.code
        is_async = code.name(at - 1) == "async"
        place = at + 1
        if code.sign(place) == "*":
            place += 1
        name = place if code.name(place) and code.name(place) not in KEYWORDS else -1
        if name >= 0:
            place += 1
        while place < len(code.tokens) and code.sign(place) not in ("(", "{", ";"):
            place += 1
        if code.sign(place) != "(":
            return
        body = self._body(code.pair[place] + 1)
        if body < 0:
            return
        function = self._made(place, body, code.pair[body], True, is_async, name)
        if name >= 0:
            self._bind(name, "function", self._block(at), function=function)

    def _body(self, at: int) -> int:
        """The brace of a body behind its parameters (and a type of what it gives); -1 for none."""
        code = self.code
        if code.sign(at) == ":":
            at += 1
            while at < len(code.tokens):
                if code.sign(at) == "{" and code.sign(at - 1) not in (":", "|", "<", "&", ","):
                    break
                if code.sign(at) in (";", ")", "]", "}", "=>", "="):
                    return -1
                at = code.pair[at] + 1 if code.pair.get(at, 0) > at else at + 1
        return at if code.sign(at) == "{" else -1

    def _arrow(self, at: int) -> None:
        code = self.code
        opened = self._arrow_parameters(at)
        if opened == -2:
            return
        first = opened if opened >= 0 else at - 1
        is_async = code.name(first - 1) == "async"
        body = at + 1
        if code.sign(body) == "{":
            self._made(opened, body, code.pair[body], True, is_async, -1, single=first)
        else:
            self._made(opened, body, code.end(body), False, is_async, -1, single=first)

    def _arrow_parameters(self, at: int) -> int:
        """The parenthesis of an arrow's parameters; -1 for a single name, -2 for a type."""
        code = self.code
        place = at - 1
        if code.sign(place) == ")":
            return code.pair[place]
        while place > 0 and code.sign(place) not in (";", ",", "(", "=", "=>", "{"):
            if code.sign(place) == ":" and code.sign(place - 1) == ")":
                return code.pair[place - 1]
            place = code.pair[place] - 1 if code.pair.get(place, place) < place else place - 1
        return -1 if code.name(at - 1) else -2

    def _method(self, at: int) -> None:
        """``name(...) {`` in a class or an object."""
        code = self.code
        word = code.name(at - 1)
        place = at - 1
        if code.sign(place) == ">":  # type parameters
            while place > 0 and code.sign(place) != "<":
                place -= 1
            place -= 1
            word = code.name(place)
        if not word or word in KEYWORDS or code.sign(code.parent[at]) != "{":
            return
        first = place
        is_async = False
        while code.name(first - 1) in MODIFIERS or code.sign(first - 1) == "*":
            is_async = is_async or code.name(first - 1) == "async"
            first -= 1
        if code.sign(first - 1) not in ("{", "}", ",", ";") and not code.breaks(first):
            return
        body = self._body(code.pair[at] + 1)
        if body < 0:
            return
        function = self._made(at, body, code.pair[body], True, is_async, place)
        self.functions[-1] = function._replace(method_of=code.parent[at])

    def _made(self, opened: int, body: int, last: int, is_block: bool, is_async: bool, name: int,
              single: int = -1) -> Function:  # fmt: skip
        code = self.code
        params = tuple(code.pieces(opened)) if opened >= 0 else ((single, single),)
        first = opened if opened >= 0 else single
        function = Function(params, first, body, last, is_block, is_async, name)
        self.functions.append(function)
        for number, (begin, end) in enumerate(params):
            while code.name(begin) in MODIFIERS and begin < end:
                begin += 1
            annotation = self._annotation(begin, end)
            stop = annotation - 2 if annotation >= 0 else end
            self._pattern(begin, stop, (), Binding("", 0, "parameter", first, last, -1, (),
                          annotation, function, number, begin))  # fmt: skip
        return function

    def _annotation(self, first: int, last: int) -> int:
        """The first token of a parameter's type; -1 for none."""
        code = self.code
        at = code.pair[first] + 1 if code.pair.get(first, 0) > first else first + 1
        if code.sign(at) == "?":
            at += 1
        return at + 1 if at < last and code.sign(at) == ":" else -1

    # --- declarations ---

    def _declarations(self) -> None:
        code = self.code
        for at, token in enumerate(code.tokens):
            if token.kind != "name" or code.is_member(at) or code.is_key(at):
                continue
            if token.value in ("const", "let", "var"):
                self._declared(at)
            elif token.value in ("type", "interface", "enum") and code.name(at + 1):
                if code.sign(at + 2) in ("=", "<", "{") or code.name(at + 2) == "extends":
                    self._bind(at + 1, "none", self._block(at))
            elif token.value == "catch" and code.sign(at + 1) == "(":
                closed = code.pair[at + 1]
                end = code.pair.get(closed + 1, closed)
                for name in range(at + 2, closed):
                    if code.name(name):
                        self._bind(name, "none", (at, end))
                        break

    def _declared(self, word: int) -> None:
        code = self.code
        scope = self._block(word)
        if code.name(word) == "var":
            function = self.function_at(word)
            scope = (function.first, function.last) if function else (0, len(code.tokens))
        head = code.parent[word]
        is_loop = code.sign(head) == "(" and (
            code.name(head - 1) == "for" or code.name(head - 2) == "for"
        )
        if is_loop:
            body = code.pair[head] + 1
            end = code.pair[body] if code.sign(body) == "{" else code.end(body)
            scope = (head, end) if code.name(word) != "var" else scope
        at = word + 1
        while at < len(code.tokens):
            pattern_end = code.pair[at] if code.sign(at) in ("{", "[") else at
            if pattern_end == at and not code.name(at):
                return
            after = pattern_end + 1
            if code.sign(after) == "!":
                after += 1
            annotation = -1
            if code.sign(after) == ":":
                annotation = after + 1
                after = self._past_type(annotation)
            blank = Binding("", 0, "value", *scope, annotation=annotation, pattern=at,
                            word=code.name(word))  # fmt: skip
            last = after - 1
            if code.sign(after) == "=":
                blank = blank._replace(value=after + 1)
                last = code.end(after + 1)
            elif is_loop and code.name(after) in ("of", "in"):
                awaits = code.name(head - 1) == "await"
                how = "each" if code.name(after) == "of" else "none"
                blank = blank._replace(how=how, value=after + 1, awaits=awaits)
                last = code.end(after + 1)
            self._pattern(at, pattern_end, (), blank)
            if code.sign(last + 1) != ",":
                return
            at = last + 2

    def _past_type(self, at: int) -> int:
        """Where a declaration goes on after its type."""
        code = self.code
        depth = 0
        while at < len(code.tokens):
            sign = code.sign(at)
            depth += {"<": 1, ">": -1}.get(sign, 0)
            if sign == "=>" or (at in code.pair and code.pair[at] > at):
                at = code.pair.get(at, at) + 1
                continue
            if sign in ("=", ";", ")") or (sign == "," and depth <= 0):
                return at
            if depth <= 0 and code.breaks(at) and sign not in ("|", "&"):
                return at
            at += 1
        return at

    def _pattern(self, first: int, last: int, path: tuple[str | int, ...], like: Binding) -> None:
        """Bind the names of a pattern."""
        code = self.code
        if code.sign(first) == "...":
            self._pattern(first + 1, last, (*path, "..."), like)
        elif code.name(first):
            self._add(like._replace(name=code.name(first), at=first, path=path))
        elif code.sign(first) == "[":
            for number, (begin, end) in enumerate(self.code.pieces(first)):
                self._pattern(begin, end, (*path, number), like)
        elif code.sign(first) == "{":
            for entry in code.entries(first):
                if entry.kind == "spread":
                    self._pattern(entry.value, entry.last, (*path, "..."), like)
                elif entry.kind in ("pair", "short"):
                    self._pattern(entry.value, entry.last, (*path, entry.key), like)

    def _block(self, at: int) -> tuple[int, int]:
        """The tokens of the braces around a token; all of them at the top."""
        code = self.code
        opened = code.parent[at]
        while opened >= 0 and code.sign(opened) != "{":
            opened = code.parent[opened]
        return (opened, code.pair[opened]) if opened >= 0 else (-1, len(code.tokens))

    def bind_import(self, at: int, value: int) -> None:
        """A name that an import statement binds; ``value`` is the statement's word."""
        self._add(Binding(self.code.name(at), at, "import", -1, len(self.code.tokens), value))

    def _bind(
        self, at: int, how: str, scope: tuple[int, int], function: Function | None = None
    ) -> None:
        self._add(Binding(self.code.name(at), at, how, *scope, function=function))

    def _add(self, binding: Binding) -> None:
        self.bindings.setdefault(binding.name, []).append(binding)
        self._sorted.pop(binding.name, None)
        self._references.pop(binding.name, None)
