"""What a property, an index or a call of a value gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_magic.convert.migrate.javascript.code import Step
from gemini_magic.convert.migrate.javascript.kind import (
    DECLARED,
    OTHER,
    Kind,
    awaited,
    item_of,
    joined,
    made_at,
)

if TYPE_CHECKING:
    from gemini_magic.convert.migrate.javascript.kinds import Kinds


class Steps:
    """What is there after a step of a chain; None where that cannot be told."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._code = kinds.code

    def after(self, kind: Kind | None, step: Step, is_new: bool) -> Kind | None:
        """What is there after a step; ``is_new`` is whether ``new`` belongs to it."""
        if step.kind == "call":
            made = None if kind is None else self._called(kind, step, is_new)
            told = made is not None and (made.tag != "promise" or made.inner is not None)
            return made if told or is_new else self._passed(step) or made
        if kind is None:
            return self._likely(step)
        if step.kind == "name":
            return self.property(kind, step.name)
        if step.kind == "index":
            opened = self._code.pair[step.last]
            token = self._code.tokens[opened + 1]
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
            for entry in self._code.entries(kind.origin):
                if entry.key == name:
                    return self._kinds.of(entry.value, entry.last)
                if entry.kind == "spread":
                    return None
            return OTHER
        if kind.tag in ("instance", "class"):
            return self._kinds.members.attribute(kind.origin, name)
        if kind.tag == "record":
            names = kind.name.split()
            return kind.items[names.index(name)] if name in names else OTHER
        if (kind.tag, name) in self._kinds.sdk.properties:
            return self._kinds.sdk.properties[kind.tag, name]._replace(origin=kind.origin)
        return Kind("method", inner=kind, name=name)

    def _called(self, kind: Kind, step: Step, is_new: bool) -> Kind | None:
        if kind.tag == "union":
            several = [self._called(one, step, is_new) for one in kind.items if one is not None]
            return joined(several)
        if kind.tag == "loader":
            return kind.inner
        if kind.tag == "export":
            tag = self._kinds.sdk.classes.get(kind.name)
            return Kind(tag, origin=step.first) if tag is not None and is_new else OTHER
        if kind.tag == "class" and is_new:
            return Kind("instance", origin=kind.origin)
        if kind.tag == "function":
            return self._kinds.members.returned(kind.origin)
        if kind.tag == "method" and kind.inner is not None:
            return self._method(kind.inner, kind.name, step)
        return OTHER if kind.tag == "other" else None

    def _method(self, on: Kind, name: str, step: Step) -> Kind | None:
        made = self._kinds.sdk.methods.get((on.tag, name))
        if made is not None:
            return made_at(made, step.first)
        given = self._code.arguments(step)
        if on.tag == "promise" and name in ("catch", "finally"):
            return on
        if on.tag == "promise" and name == "then" and given:
            function = self._kinds.of(*given[0])
            if function is not None and function.tag == "function":
                made = self._kinds.members.returned(function.origin)
                return Kind("promise", inner=awaited(made))
            return None
        if on.tag == "Promise" and name in ("all", "race", "any") and given:
            several = self._kinds.of(*given[0])
            if several is None:
                return None
            if several.tag == "tuple":
                kinds = tuple(awaited(one) for one in several.items)
                inner = Kind("tuple", items=kinds) if name == "all" else joined(kinds)
                return Kind("promise", inner=inner)
            item = awaited(item_of(several))
            return Kind("promise", inner=Kind("list", inner=item) if name == "all" else item)
        if name == "map" and given:
            function = self._kinds.of(*given[0])
            if function is not None and function.tag == "function":
                return Kind("list", inner=self._kinds.members.returned(function.origin))
        if on.tag in ("list", "tuple") and name in ("find", "at", "pop", "shift"):
            return item_of(on)
        if on.tag in ("list", "tuple") and name in ("filter", "slice", "reverse", "concat"):
            return on
        return None if name in self._kinds.sdk.distinct else OTHER

    def _likely(self, step: Step) -> Kind | None:
        """What a property of something unknown is, where nothing else has one of that name."""
        if step.kind != "name" or step.name not in self._kinds.sdk.distinct:
            return None
        if (found := self._kinds.sdk.properties.get(("client", step.name))) is not None:
            after = self._code.name(step.last + 2)
            return found if (found.tag, after) in self._kinds.sdk.methods else None
        tag = next(tag for tag, name in self._kinds.sdk.methods if name == step.name)
        return Kind("method", inner=Kind(tag, origin=DECLARED), name=step.name)

    def _passed(self, step: Step) -> Kind | None:
        """What a call gives of which nothing is known but that it was given an answer to come, or
        what asks for one: a limit of time, or another try."""
        for given in self._code.arguments(step):
            kind = self._kinds.of(*given)
            if kind is not None and kind.tag == "function":
                kind = self._kinds.members.returned(kind.origin)
            inner = kind.inner if kind is not None and kind.tag == "promise" else None
            if inner is not None and inner.tag in self._kinds.sdk.tags():
                return kind
        return None
