"""What the values of a program are, as far as an SDK is concerned: clients, models, answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gemini_magic.convert.migrate.javascript.code import Chain, Code, Step
from gemini_magic.convert.migrate.javascript.imports import Import
from gemini_magic.convert.migrate.javascript.kind import (
    DECLARED,
    OTHER,
    Kind,
    Sdk,
    item_of,
    joined,
    made_at,
)
from gemini_magic.convert.migrate.javascript.scopes import MODIFIERS, Binding, Function, Scopes


class Kinds:
    """Answers what expressions are; None where that cannot be told."""

    def __init__(
        self, code: Code, scopes: Scopes, imports: Iterable[Import], sdk: Sdk,
        given: Mapping[str, Kind] = {}, foreign: Mapping[int, Kind] = {},
    ) -> None:  # fmt: skip
        self.code = code
        self.scopes = scopes
        self.sdk = sdk
        self._given = given  # functions that the program does not have yet, and what they give
        self._foreign = foreign  # names of other files' things, by the tokens that bind them
        self._modules = {one.spec for one in imports}
        self._exports = {
            name.at: name.imported
            for one in imports if one.how == "import" for name in one.names
        }  # fmt: skip
        self._known: dict[object, Kind | None] = {}
        self._traces: dict[int, list[Kind | None]] = {}
        self._named: dict[int, list[Binding]] = {}
        self._by_last: dict[int, list[int]] = {}
        for number, function in enumerate(scopes.functions):
            self._by_last.setdefault(function.last, []).append(number)
        self._asked: set[object] = set()
        self._calls: dict[int, tuple[Chain, int]] = {}
        for chain in code.chains():
            for number, step in enumerate(chain.steps):
                if step.kind == "call":
                    self._calls[code.pair[step.last]] = (chain, number)

    # --- expressions ---

    def of(self, first: int, last: int) -> Kind | None:
        """What an expression is, from its first to its last token."""
        code = self.code
        word = code.name(first)
        if word == "await":
            return self._awaited(self.of(first + 1, last))
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
            return self.trace(chain)[-1]
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

    def before(self, chain: Chain) -> str:
        """The word before a chain, if it is about it: "new"."""
        return "new" if self.code.name(chain.first - 1) == "new" else ""

    def trace(self, chain: Chain, steps: int | None = None) -> list[Kind | None]:
        """What a chain's primary is, and what is there after each of its steps (or the first)."""
        wanted = len(chain.steps) if steps is None else steps
        known = self._traces.setdefault(chain.first, [])  # what is known for good of its beginning
        kinds = [*known[: wanted + 1]] or [self._primary(chain)]
        is_new = self.before(chain) == "new"
        for number in range(wanted + 1):
            if number >= len(kinds):
                step = chain.steps[number - 1]
                first = is_new and all(one.kind != "call" for one in chain.steps[: number - 1])
                kinds.append(self._after(kinds[-1], step, first))
            if number == len(known) and (kinds[number] is not None or not self._asked):
                known.append(kinds[number])
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
            return None if binding is None else self.of_binding(binding)
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

    def _after(self, kind: Kind | None, step: Step, is_new: bool) -> Kind | None:
        if step.kind == "call":
            made = None if kind is None else self._called(kind, step, is_new)
            told = made is not None and (made.tag != "promise" or made.inner is not None)
            return made if told or is_new else self._passed(step) or made
        if kind is None:
            return self._likely(step)
        if step.kind == "name":
            return self.property(kind, step.name)
        if step.kind == "index":
            opened = self.code.pair[step.last]
            token = self.code.tokens[opened + 1]
            if kind.tag == "tuple" and token.kind == "number" and token.value.isdigit():
                number = int(token.value)
                return kind.items[number] if number < len(kind.items) else None
            if token.kind == "text" and opened + 2 == step.last:
                return self.property(kind, token.value)
            return item_of(kind)
        return OTHER if step.kind == "form" else kind

    def property(self, kind: Kind, name: str) -> Kind | None:
        """What ``.name`` of such a value is."""
        if kind.tag == "union":
            return joined([self.property(one, name) for one in kind.items if one is not None])
        if kind.tag in ("other", "export"):
            return OTHER
        if kind.tag == "module":
            return kind if name == "default" else Kind("export", name=name)
        if kind.tag == "object":
            for entry in self.code.entries(kind.origin):
                if entry.key == name:
                    return self.of(entry.value, entry.last)
                if entry.kind == "spread":
                    return None
            return OTHER
        if kind.tag in ("instance", "class"):
            return self._attribute(kind.origin, name)
        if kind.tag == "record":
            names = kind.name.split()
            return kind.items[names.index(name)] if name in names else OTHER
        if (kind.tag, name) in self.sdk.properties:
            return self.sdk.properties[kind.tag, name]._replace(origin=kind.origin)
        return Kind("method", inner=kind, name=name)

    def _called(self, kind: Kind, step: Step, is_new: bool) -> Kind | None:
        if kind.tag == "union":
            several = [self._called(one, step, is_new) for one in kind.items if one is not None]
            return joined(several)
        if kind.tag == "loader":
            return kind.inner
        if kind.tag == "export":
            tag = self.sdk.classes.get(kind.name)
            return Kind(tag, origin=step.first) if tag is not None and is_new else OTHER
        if kind.tag == "class" and is_new:
            return Kind("instance", origin=kind.origin)
        if kind.tag == "function":
            return self._returned(kind.origin)
        if kind.tag == "method" and kind.inner is not None:
            return self._method(kind.inner, kind.name, step)
        return OTHER if kind.tag == "other" else None

    def _method(self, on: Kind, name: str, step: Step) -> Kind | None:
        made = self.sdk.methods.get((on.tag, name))
        if made is not None:
            return made_at(made, step.first)
        given = self.code.arguments(step)
        if on.tag == "promise" and name in ("catch", "finally"):
            return on
        if on.tag == "promise" and name == "then" and given:
            function = self.of(*given[0])
            if function is not None and function.tag == "function":
                made = self._returned(function.origin)
                return Kind("promise", inner=self._awaited(made))
            return None
        if on.tag == "Promise" and name in ("all", "race", "any") and given:
            several = self.of(*given[0])
            if several is None:
                return None
            if several.tag == "tuple":
                kinds = tuple(self._awaited(one) for one in several.items)
                inner = Kind("tuple", items=kinds) if name == "all" else joined(kinds)
                return Kind("promise", inner=inner)
            item = self._awaited(item_of(several))
            return Kind("promise", inner=Kind("list", inner=item) if name == "all" else item)
        if name == "map" and given:
            function = self.of(*given[0])
            if function is not None and function.tag == "function":
                return Kind("list", inner=self._returned(function.origin))
        if on.tag in ("list", "tuple") and name in ("find", "at", "pop", "shift"):
            return item_of(on)
        if on.tag in ("list", "tuple") and name in ("filter", "slice", "reverse", "concat"):
            return on
        return None if name in self.sdk.distinct else OTHER

    @staticmethod
    def _awaited(kind: Kind | None) -> Kind | None:
        return kind.inner if kind is not None and kind.tag == "promise" else kind

    def _likely(self, step: Step) -> Kind | None:
        """What a property of something unknown is, where nothing else has one of that name."""
        if step.kind != "name" or step.name not in self.sdk.distinct:
            return None
        if (found := self.sdk.properties.get(("client", step.name))) is not None:
            after = self.code.name(step.last + 2)
            return found if (found.tag, after) in self.sdk.methods else None
        tag = next(tag for tag, name in self.sdk.methods if name == step.name)
        return Kind("method", inner=Kind(tag, origin=DECLARED), name=step.name)

    def _passed(self, step: Step) -> Kind | None:
        """What a call gives of which nothing is known but that it was given an answer to come, or
        what asks for one: a limit of time, or another try."""
        for given in self.code.arguments(step):
            kind = self.of(*given)
            if kind is not None and kind.tag == "function":
                kind = self._returned(kind.origin)
            inner = kind.inner if kind is not None and kind.tag == "promise" else None
            if inner is not None and inner.tag in self.sdk.tags():
                return kind
        return None

    def is_unknown_call(self, opened: int) -> bool:
        """Whether a parenthesis holds what a function is given of which nothing is known."""
        if opened not in self._calls:
            return False
        chain, number = self._calls[opened]
        name = chain.steps[number - 1].name if number else self.code.name(chain.first)
        passes = name in ("log", "all", "race", "push", "resolve", "set")
        return self.trace(chain)[number] is None and not passes

    # --- functions and classes ---

    def returned(self, function: Kind) -> Kind | None:
        """What a function gives."""
        return self._returned(function.origin)

    def _returned(self, number: int) -> Kind | None:
        key = ("function", number)
        if key in self._known:
            return self._known[key]
        if key in self._asked:
            return None
        self._asked.add(key)
        function = self.scopes.functions[number]
        kind = self._given_back(function)
        self._asked.discard(key)
        if function.is_async:
            kind = Kind("promise", inner=self._awaited(kind))
        self._known[key] = kind
        return kind

    def _given_back(self, function: Function) -> Kind | None:
        if not function.is_block:
            return self.of(function.body, function.last)
        kinds = []
        for at in range(function.body, function.last):
            if self.code.name(at) != "return" or self.scopes.function_at(at) is not function:
                continue
            if not self.code.breaks(at + 1) and self.code.sign(at + 1) not in (";", "}"):
                kinds.append(self.of(at + 1, self.code.end(at + 1)))
        return joined(kinds)

    def _attribute(self, brace: int, name: str) -> Kind | None:
        """What a class's instances hold by a name, or what its method is."""
        key = ("attribute", brace, name)
        if key in self._known:
            return self._known[key]
        if key in self._asked:
            return None
        self._asked.add(key)
        kind = joined(list(self._held(brace, name)))
        self._asked.discard(key)
        self._known[key] = kind
        return kind

    def _held(self, brace: int, name: str) -> Iterable[Kind | None]:
        code = self.code
        for number, one in enumerate(self.scopes.functions):
            if one.method_of == brace and one.name >= 0 and code.name(one.name) == name:
                yield Kind("function", origin=number)
                return
        for at in range(brace + 1, code.pair[brace]):
            if code.name(at) != name:
                continue
            after = at + 1
            if code.is_member(at):
                assigned = code.sign(after) == "=" or self._fills(after)
                if code.name(at - 2) == "this" and assigned:
                    after += 1 if code.sign(after) == "=" else 2
                    yield self.of(after, code.end(after))
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
                    yield self.of(after + 1, code.end(after + 1))
            elif code.sign(code.parent[at]) == "(" and code.name(at - 1) in MODIFIERS:
                binding = self.scopes.resolve(at)
                yield self.of_binding(binding) if binding else None

    def of_type(self, at: int) -> Kind | None:
        """What a TypeScript type promises."""
        code = self.code
        name = code.name(at)
        while code.sign(at + 1) == "." and code.name(at + 2):
            at += 2
            name = code.name(at)
        if name in ("Promise", "Array", "AsyncIterable", "AsyncGenerator"):
            inner = self.of_type(at + 2) if code.sign(at + 1) == "<" else None
            if inner is None:
                return None
            return Kind("promise" if name == "Promise" else "list", inner=inner)
        tag = self.sdk.types.get(name)
        if tag is None:
            return None
        binding = self.scopes.lookup(name, at)
        if binding is None or binding.at not in self._exports:
            return None
        kind = Kind(tag, origin=DECLARED)
        return Kind("list", inner=kind) if code.sign(at + 1) == "[" else kind

    # --- names ---

    def of_binding(self, binding: Binding) -> Kind | None:
        """What a name means."""
        key = ("name", binding.at)
        if binding.at in self._foreign:
            return self._foreign[binding.at]
        if key in self._known:
            return self._known[key]
        if key in self._asked:
            return None
        self._asked.add(key)
        kind = joined([*self._bound(binding), *self._assigned(binding)])
        if kind is None and binding.annotation >= 0:
            kind = self.of_type(binding.annotation)
        self._asked.discard(key)
        self._known[key] = kind
        return kind

    def _bound(self, binding: Binding) -> Iterable[Kind | None]:
        how = binding.how
        if how == "import":
            if binding.at in self._exports:
                yield Kind("export", name=self._exports[binding.at])
            else:
                yield Kind("module")
        elif how == "function" and binding.function is not None:
            number = next(n for n, one in enumerate(self.scopes.functions)
                          if one.name == binding.at)  # fmt: skip
            yield Kind("function", origin=number)
        elif how == "class":
            brace = next(b for b, word in self.scopes.classes.items() if word == binding.at - 1)
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
        kind = self.of(binding.value, self.code.end(binding.value))
        if binding.awaits and kind is None and self.is_stream(binding):
            return self.sdk.items.get("stream")
        if binding.how == "value" or kind is None:
            return kind
        item = self.sdk.items.get(kind.tag)
        item = item_of(kind) if item is None else item._replace(origin=kind.origin)
        return self._awaited(item) if binding.awaits else item

    def apart(self, binding: Binding) -> Kind | None:
        """What the braces take apart in which a name is bound; None where it is in none."""
        opened = self.code.parent[binding.at]
        if not binding.path or isinstance(binding.path[-1], int) or self.code.sign(opened) != "{":
            return None
        return self._drilled(self.base(binding), binding.path[:-1])

    def is_stream(self, binding: Binding) -> bool:
        """Whether ``for await`` goes over ``x.stream``, of which nothing else is known."""
        chain = self.code.chain(binding.value)
        return chain is not None and bool(chain.steps) and chain.steps[-1].name == "stream"

    def _drilled(self, kind: Kind | None, path: tuple[str | int, ...]) -> Kind | None:
        for one in path:
            if kind is None or one == "...":
                return None
            if isinstance(one, int):
                items = kind.items
                kind = (items[one] if one < len(items) else None) if items else item_of(kind)
            else:
                kind = self.property(kind, one)
        return kind

    def _assigned(self, binding: Binding) -> Iterable[Kind | None]:
        if binding.how not in ("value", "parameter") or binding.word == "const":
            return
        for at in self.scopes.references(binding):
            if at != binding.at and self.code.sign(at + 1) == "=":
                yield self.of(at + 2, self.code.end(at + 2))
            elif self._fills(at + 1):
                yield self.of(at + 3, self.code.end(at + 3))

    def _fills(self, at: int) -> bool:
        """``??=`` and ``||=``."""
        return self.code.sign(at) in ("??", "||", "&&") and self.code.sign(at + 1) == "="

    def _parameter(self, binding: Binding) -> Kind | None:
        """What a function is given: by its calls, or by what calls it back."""
        function, code = binding.function, self.code
        assert function is not None
        if binding.annotation >= 0:
            return self.of_type(binding.annotation)
        opened = code.parent[function.first]
        at_once = code.chain(opened) if code.sign(opened) == "(" else None
        if at_once is not None and at_once.steps and at_once.steps[0].kind == "call":
            given = code.arguments(at_once.steps[0])
            return self.of(*given[binding.number]) if binding.number < len(given) else None
        if opened in self._calls and function.method_of < 0:
            return self._called_back(opened, binding.number)
        names = self._names_of(function)
        found = []
        for name in names:
            for at in self.scopes.references(name):
                if code.sign(at + 1) == "(" and at != name.at:
                    given = list(code.pieces(at + 1))
                    if binding.number < len(given):
                        found.append(self.of(*given[binding.number]))
        return joined(found)

    def _called_back(self, opened: int, index: int) -> Kind | None:
        chain, number = self._calls[opened]
        if not number or chain.steps[number - 1].kind != "name":
            return None
        on = self.trace(chain, number - 1)[number - 1]
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
            for several in self.scopes.bindings.values():
                for one in several:
                    if one.how == "function":
                        self._named.setdefault(one.at, []).append(one)
                    elif one.how == "value" and not one.path and one.value >= 0:
                        self._named.setdefault(one.value, []).append(one)
        found = list(self._named.get(function.name, ()))
        for first in (function.first, function.first - 1, function.first - 2):
            for one in self._named.get(first, ()):
                if one.how == "value" and self.code.end(one.value) == function.last:
                    found.append(one)
        return found
