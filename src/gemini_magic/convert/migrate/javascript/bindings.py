"""What names mean: what they are bound to, given, or take apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gemini_magic.convert.migrate.javascript.kind import OTHER, Kind, awaited, item_of, joined
from gemini_magic.convert.migrate.javascript.scopes import Binding, Function

if TYPE_CHECKING:
    from gemini_magic.convert.migrate.javascript.kinds import Kinds


class Names:
    """What a program's names mean; None where that cannot be told."""

    def __init__(self, kinds: Kinds, foreign: Mapping[int, Kind]) -> None:
        self._kinds = kinds
        self._code = kinds.code
        self._foreign = foreign  # names of other files' things, by the tokens that bind them
        self._named: dict[int, list[Binding]] = {}

    def of(self, binding: Binding) -> Kind | None:
        """What a name means."""
        if binding.at in self._foreign:
            return self._foreign[binding.at]
        return self._kinds.once(("name", binding.at), lambda: self._meant(binding))

    def _meant(self, binding: Binding) -> Kind | None:
        kind = joined([*self._bound(binding), *self._assigned(binding)])
        if kind is None and binding.annotation >= 0:
            kind = self._kinds.members.of_type(binding.annotation)
        return kind

    def _bound(self, binding: Binding) -> Iterable[Kind | None]:
        how = binding.how
        if how == "import":
            if binding.at in self._kinds.exports:
                yield Kind("export", name=self._kinds.exports[binding.at])
            else:
                yield Kind("module")
        elif how == "function" and binding.function is not None:
            number = next(n for n, one in enumerate(self._kinds.scopes.functions)
                          if one.name == binding.at)  # fmt: skip
            yield Kind("function", origin=number)
        elif how == "class":
            brace = next(
                b for b, word in self._kinds.scopes.classes.items() if word == binding.at - 1
            )
            yield Kind("class", origin=brace)
        elif how in ("value", "each", "parameter"):
            yield self._drilled(self.base(binding), binding.path)
        elif how == "none":
            yield OTHER

    def base(self, binding: Binding) -> Kind | None:
        """What a name is bound to, or what its pattern takes apart."""
        if binding.how == "parameter":
            return self._parameter(binding)
        if binding.how not in ("value", "each") or binding.value < 0:
            return None
        kind = self._kinds.of(binding.value, self._code.end(binding.value))
        if binding.awaits and kind is None and self.is_stream(binding):
            return self._kinds.sdk.items.get("stream")
        if binding.how == "value" or kind is None:
            return kind
        item = self._kinds.sdk.items.get(kind.tag)
        item = item_of(kind) if item is None else item._replace(origin=kind.origin)
        return awaited(item) if binding.awaits else item

    def apart(self, binding: Binding) -> Kind | None:
        """What the braces take apart in which a name is bound; None where it is in none."""
        opened = self._code.parent[binding.at]
        if not binding.path or isinstance(binding.path[-1], int) or self._code.sign(opened) != "{":
            return None
        return self._drilled(self.base(binding), binding.path[:-1])

    def is_stream(self, binding: Binding) -> bool:
        """Whether ``for await`` goes over ``x.stream``, of which nothing else is known."""
        chain = self._code.chain(binding.value)
        return chain is not None and bool(chain.steps) and chain.steps[-1].name == "stream"

    def _drilled(self, kind: Kind | None, path: tuple[str | int, ...]) -> Kind | None:
        for one in path:
            if kind is None or one == "...":
                return None
            if isinstance(one, int):
                items = kind.items
                kind = (items[one] if one < len(items) else None) if items else item_of(kind)
            else:
                kind = self._kinds.steps.property(kind, one)
        return kind

    def _assigned(self, binding: Binding) -> Iterable[Kind | None]:
        if binding.how not in ("value", "parameter") or binding.word == "const":
            return
        for at in self._kinds.scopes.references(binding):
            if at != binding.at and self._code.sign(at + 1) == "=":
                yield self._kinds.of(at + 2, self._code.end(at + 2))
            elif self._code.fills(at + 1):
                yield self._kinds.of(at + 3, self._code.end(at + 3))

    def _parameter(self, binding: Binding) -> Kind | None:
        """What a function is given: by its calls, or by what calls it back."""
        function, code = binding.function, self._code
        assert function is not None
        if binding.annotation >= 0:
            return self._kinds.members.of_type(binding.annotation)
        opened = code.parent[function.first]
        at_once = code.step(code.pair[opened] + 1) if code.sign(opened) == "(" else None
        if at_once is not None and at_once.kind == "call":
            given = code.arguments(at_once)
            return self._kinds.of(*given[binding.number]) if binding.number < len(given) else None
        if opened in self._kinds.calls and function.method_of < 0:
            return self._called_back(opened, binding.number)
        names = self._names_of(function)
        found = []
        for name in names:
            for at in self._kinds.scopes.references(name):
                if code.sign(at + 1) == "(" and at != name.at:
                    given = list(code.pieces(at + 1))
                    if binding.number < len(given):
                        found.append(self._kinds.of(*given[binding.number]))
        return joined(found)

    def _called_back(self, opened: int, index: int) -> Kind | None:
        chain, number = self._kinds.calls[opened]
        if not number or chain.steps[number - 1].kind != "name":
            return None
        on = self._kinds.at(chain, number - 1)
        name = chain.steps[number - 1].name
        if on is None or index:
            return None
        if on.tag == "promise" and name == "then":
            return on.inner
        if on.tag in ("list", "tuple") and name in ("map", "forEach", "filter", "find", "flatMap"):
            return item_of(on)
        return None

    def _names_of(self, function: Function) -> list[Binding]:
        """The names that a function has: its own, or the constant's that it is."""
        if not self._named:
            for several in self._kinds.scopes.bindings.values():
                for one in several:
                    if one.how == "function":
                        self._named.setdefault(one.at, []).append(one)
                    elif one.how == "value" and not one.path and one.value >= 0:
                        self._named.setdefault(one.value, []).append(one)
        found = list(self._named.get(function.name, ()))
        for first in (function.first, function.first - 1, function.first - 2):
            for one in self._named.get(first, ()):
                if one.how == "value" and self._code.end(one.value) == function.last:
                    found.append(one)
        return found
