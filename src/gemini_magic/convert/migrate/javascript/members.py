"""What functions give back, what classes hold and what TypeScript's types promise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemini_magic.convert.migrate.javascript.kind import DECLARED, Kind, awaited, joined
from gemini_magic.convert.migrate.javascript.scopes import MODIFIERS, Function

if TYPE_CHECKING:
    from gemini_magic.convert.migrate.javascript.kinds import Kinds


class Members:
    """What is told of a value where it is written; None where that cannot be told."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._code = kinds.code

    def returned(self, number: int) -> Kind | None:
        """What the function of that number gives."""
        return self._kinds.once(("function", number), lambda: self._given_back(number))

    def _given_back(self, number: int) -> Kind | None:
        function = self._kinds.scopes.functions[number]
        if function.is_block:
            kind = joined(self._kinds.of(at, self._code.end(at)) for at in self._returns(function))
        else:
            kind = self._kinds.of(function.body, function.last)
        return Kind("promise", inner=awaited(kind)) if function.is_async else kind

    def _returns(self, function: Function) -> Iterable[int]:
        """Where the values begin that a function's body returns."""
        code = self._code
        for at in range(function.body, function.last):
            if code.name(at) != "return" or self._kinds.scopes.function_at(at) is not function:
                continue
            if not code.breaks(at + 1) and code.sign(at + 1) not in (";", "}"):
                yield at + 1

    def attribute(self, brace: int, name: str) -> Kind | None:
        """What a class's instances hold by a name, or what its method is."""
        key = ("attribute", brace, name)
        return self._kinds.once(key, lambda: joined(self._held(brace, name)))

    def _held(self, brace: int, name: str) -> Iterable[Kind | None]:
        code = self._code
        for number, one in enumerate(self._kinds.scopes.functions):
            if one.method_of == brace and one.name >= 0 and code.name(one.name) == name:
                yield Kind("function", origin=number)
                return
        for at in range(brace + 1, code.pair[brace]):
            if code.name(at) != name:
                continue
            after = at + 1
            if code.is_member(at):
                assigned = code.sign(after) == "=" or code.fills(after)
                if code.name(at - 2) == "this" and assigned:
                    after += 1 if code.sign(after) == "=" else 2
                    yield self._kinds.of(after, code.end(after))
            elif code.parent[at] == brace:
                while code.sign(after) in ("?", "!"):
                    after += 1
                if code.sign(after) == ":":
                    yield self.of_type(after + 1)
                    while after < code.pair[brace] and code.sign(after) not in ("=", ";"):
                        if code.breaks(after + 1):
                            break
                        after = (
                            code.pair[after] + 1 if code.pair.get(after, 0) > after else after + 1
                        )
                if code.sign(after) == "=":
                    yield self._kinds.of(after + 1, code.end(after + 1))
            elif code.sign(code.parent[at]) == "(" and code.name(at - 1) in MODIFIERS:
                binding = self._kinds.scopes.resolve(at)
                yield self._kinds.names.of(binding) if binding else None

    def of_type(self, at: int) -> Kind | None:
        """What a TypeScript type promises."""
        code = self._code
        name = code.name(at)
        while code.sign(at + 1) == "." and code.name(at + 2):
            at += 2
            name = code.name(at)
        if name in ("Promise", "Array", "AsyncIterable", "AsyncGenerator"):
            inner = self.of_type(at + 2) if code.sign(at + 1) == "<" else None
            if inner is None:
                return None
            return Kind("promise" if name == "Promise" else "list", inner=inner)
        tag = self._kinds.sdk.types.get(name)
        if tag is None:
            return None
        binding = self._kinds.scopes.lookup(name, at)
        if binding is None or binding.at not in self._kinds.exports:
            return None
        kind = Kind(tag, origin=DECLARED)
        return Kind("list", inner=kind) if code.sign(at + 1) == "[" else kind
