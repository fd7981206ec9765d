"""What the values of a program are, as far as an SDK is concerned: clients, models, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gemini_magic.convert.migrate.javascript.bindings import Names
from gemini_magic.convert.migrate.javascript.code import Chain, Code
from gemini_magic.convert.migrate.javascript.imports import Import
from gemini_magic.convert.migrate.javascript.kind import OTHER, Kind, Sdk, awaited, joined
from gemini_magic.convert.migrate.javascript.members import Members
from gemini_magic.convert.migrate.javascript.scopes import Scopes
from gemini_magic.convert.migrate.javascript.steps import Steps


class Kinds:
    """Answers what expressions are; None where that cannot be told.

    ``names``, ``members`` and ``steps`` answer what is in an expression.
    """

    def __init__(
        self, code: Code, scopes: Scopes, imports: Iterable[Import], sdk: Sdk,
        given: Mapping[str, Kind] = {}, foreign: Mapping[int, Kind] = {},
    ) -> None:  # fmt: skip
        self.code = code
        self.scopes = scopes
        self.sdk = sdk
        self._given = given  # functions that the program does not have yet, and what they give
        self._modules = {one.spec for one in imports}
        #: What names import of the SDK, by the tokens that bind them.
        self.exports = {
            name.at: name.imported
            for one in imports if one.how == "import" for name in one.names
        }  # fmt: skip
        self._known: dict[object, Kind | None] = {}
        self._traces: dict[int, list[Kind | None]] = {}
        self._begun: dict[int, list[Kind | None]] = {}
        self._by_last: dict[int, list[int]] = {}
        for number, function in enumerate(scopes.functions):
            self._by_last.setdefault(function.last, []).append(number)
        self._asked: set[object] = set()
        #: Calls by their parentheses: a chain, and the number of its step.
        self.calls: dict[int, tuple[Chain, int]] = {}
        for chain in code.chains():
            for number, step in enumerate(chain.steps):
                if step.kind == "call":
                    self.calls[code.pair[step.last]] = (chain, number)
        self.steps = Steps(self)
        self.members = Members(self)
        self.names = Names(self, foreign)

    # --- expressions ---

    def of(self, first: int, last: int) -> Kind | None:
        """What an expression is, from its first to its last token."""
        code = self.code
        word = code.name(first)
        if word == "await":
            return awaited(self.of(first + 1, last))
        if word == "async" or word == "function" or code.sign(first) == "(" or code.name(first):
            function = self._function(first, last)
            if function is not None:
                return function
        if word in ("null", "undefined", "true", "false", "typeof", "void"):
            return OTHER
        begin = first + 1 if word == "new" else first
        chain = code.chain(begin)
        if chain is None:
            return OTHER if code.tokens[first].kind in ("text", "number", "regex", "jsx") else None
        if chain.last >= last or code.name(chain.last + 1) in ("as", "satisfies"):
            if chain.first == chain.primary_last and code.tokens[begin].kind != "name":
                return OTHER if code.tokens[begin].kind != "sign" else None
            return self.at(chain, len(chain.steps))
        return self._chosen(first, last)

    def _chosen(self, first: int, last: int) -> Kind | None:
        """``a || b``, ``a ?? b``, ``c ? a : b``; other operators make something of their own."""
        code = self.code
        parts: list[tuple[int, int]] = []
        begin = at = first
        ternary = False
        while at <= last:
            sign = code.sign(at)
            if code.pair.get(at, 0) > at:
                at = code.pair[at]
            elif sign == "?":
                ternary, begin, parts = True, at + 1, []
            elif sign in ("||", "??") or (sign == ":" and ternary):
                parts.append((begin, at - 1))
                begin = at + 1
            elif sign in ("=",) and code.sign(at - 1) not in ("=", "!", "<", ">"):
                begin, parts = at + 1, []
            at += 1
        if begin == first:
            return OTHER
        parts.append((begin, last))
        return joined([self.of(*part) for part in parts if part[0] <= part[1]])

    def _function(self, first: int, last: int) -> Kind | None:
        for number in self._by_last.get(last, ()):
            one = self.scopes.functions[number]
            begin = one.first
            if one.name >= 0:
                begin = one.name
            if first in (begin, begin - 1, begin - 2) and one.method_of < 0:
                if first == begin - 2 and self.code.name(first) not in ("async", "function"):
                    continue
                return Kind("function", origin=number)
        return None

    # --- values with what follows them ---

    def before(self, chain: Chain) -> str:
        """The word before a chain, if it is about it: "new"."""
        return "new" if self.code.name(chain.first - 1) == "new" else ""

    def trace(self, chain: Chain, steps: int | None = None) -> list[Kind | None]:
        """What a chain's primary is, and what is there after each of its steps (or the first)."""
        wanted = len(chain.steps) if steps is None else steps
        return self._traced(chain, wanted)[: wanted + 1]

    def at(self, chain: Chain, number: int) -> Kind | None:
        """What is there after so many steps of a chain."""
        return self._traced(chain, number)[number]

    def _traced(self, chain: Chain, wanted: int) -> list[Kind | None]:
        """A chain's kinds, up to that step or further. A step's function may ask for what comes
        before it, so what is known already is not looked at again: a chain takes linear time."""
        known = self._traces.setdefault(chain.first, [])  # what is known for good of its beginning
        begun = self._begun.get(chain.first, known)  # what is known while it is being looked at
        if len(begun) > wanted:
            return begun
        kinds = self._begun[chain.first] = list(begun)
        calls = (number for number, one in enumerate(chain.steps, 1) if one.kind == "call")
        made = next(calls, 0) if self.before(chain) == "new" else 0
        for number in range(len(kinds), wanted + 1):
            if number:
                kinds.append(self.steps.after(kinds[-1], chain.steps[number - 1], number == made))
            else:
                kinds.append(self._primary(chain))
            if number == len(known) and (kinds[number] is not None or not self._asked):
                known.append(kinds[number])
        if begun is known:
            del self._begun[chain.first]
        else:
            self._begun[chain.first] = begun
        return kinds

    def _primary(self, chain: Chain) -> Kind | None:
        code, at = self.code, chain.first
        name = code.name(at)
        if name == "this":
            brace = self.scopes.class_at(at)
            return Kind("instance", origin=brace) if brace >= 0 else None
        if name == "import":
            return self._module(chain, Kind("promise", inner=Kind("module")))
        if name == "require":
            return self._module(chain, Kind("module"))
        if name == "Promise" and self.scopes.resolve(at) is None:
            return Kind("Promise")
        if name:
            binding = self.scopes.resolve(at)
            if binding is None and name in self._given:
                return Kind("loader", inner=self._given[name])
            return None if binding is None else self.names.of(binding)
        if code.sign(at) == "(":
            return self.of(at + 1, chain.primary_last - 1)
        if code.sign(at) == "[":
            kinds = tuple(self.of(*piece) for piece in code.pieces(at))
            return Kind("tuple", items=kinds)
        if code.sign(at) == "{":
            return Kind("object", origin=at)
        return OTHER

    def _module(self, chain: Chain, kind: Kind) -> Kind | None:
        if not chain.steps or chain.steps[0].kind != "call":
            return OTHER
        given = self.code.arguments(chain.steps[0])
        if given and given[0][0] in self._modules:
            return Kind("loader", inner=kind)
        return OTHER

    def is_unknown_call(self, opened: int) -> bool:
        """Whether a parenthesis holds what a function is given of which nothing is known."""
        if opened not in self.calls:
            return False
        chain, number = self.calls[opened]
        name = chain.steps[number - 1].name if number else self.code.name(chain.first)
        passes = name in ("log", "all", "race", "push", "resolve", "set")
        return self.at(chain, number) is None and not passes

    def once(self, key: object, look: Callable[[], Kind | None]) -> Kind | None:
        """What a look finds, and found before; None while it looks: nothing is made of itself."""
        if key in self._known or key in self._asked:
            return self._known.get(key)
        self._asked.add(key)
        kind = self._known[key] = look()
        self._asked.discard(key)
        return kind
