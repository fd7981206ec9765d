"""What a value is, as far as an SDK is concerned, and the tables of what an SDK gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Kind(NamedTuple):
    """What a value is: ``tag`` of the SDK's tables, or of ours: promise, list, tuple, object,
    record (another file's object), function, method, class, instance, module, export, union (of
    several), loader (a function of which only that is known what it gives), other.

    ``origin`` is the token where it was made; ``inner`` is what a promise or a list
    holds.
    """

    tag: str
    origin: int = -1
    inner: Kind | None = None
    items: tuple[Kind | None, ...] = ()
    name: str = ""


OTHER = Kind("other")
#: Kinds whose origin says where they are written.
_PLACED = ("object", "instance", "class", "function", "union")
#: Where a thing was made that only its type is known of, and one that was made in several places.
DECLARED, SEVERAL = -3, -2


class Sdk(NamedTuple):
    """What an SDK's things give: by (tag, name) of a method or a property.

    ``classes`` are the exports that make something, ``types`` what a TypeScript name promises,
    ``distinct`` the methods that nothing else has.
    """

    methods: Mapping[tuple[str, str], Kind]
    properties: Mapping[tuple[str, str], Kind]
    classes: Mapping[str, str]
    types: Mapping[str, str]
    distinct: frozenset[str]
    items: Mapping[str, Kind] = {}

    def tags(self) -> frozenset[str]:
        """The kinds of the SDK's own things."""
        return frozenset({on for on, _ in (*self.methods, *self.properties)} | set(self.items))


def promise(tag: str) -> Kind:
    return Kind("promise", inner=Kind(tag))


def awaited(kind: Kind | None) -> Kind | None:
    """What ``await`` makes of it."""
    return kind.inner if kind is not None and kind.tag == "promise" else kind


def item_of(kind: Kind | None) -> Kind | None:
    if kind is None:
        return None
    return joined(kind.items) if kind.tag == "tuple" else kind.inner if kind.tag == "list" else None


def made_at(kind: Kind, origin: int) -> Kind:
    inner = made_at(kind.inner, origin) if kind.inner is not None else None
    return kind._replace(origin=origin, inner=inner)


def joined(kinds: Iterable[Kind | None]) -> Kind | None:
    """One kind of several: what is ours, before what is not."""
    several = list(kinds)
    ours = [one for one in several if one is not None and one != OTHER]
    if not ours:
        return OTHER if OTHER in several and None not in several else None
    first = ours[0]
    made = {one.origin for one in ours if one.tag == first.tag} - {DECLARED}
    if len(made) > 1 and first.tag in _PLACED:
        return Kind("union", items=tuple(dict.fromkeys(ours)))
    if len(made) > 1:
        return first._replace(origin=SEVERAL)
    return first._replace(origin=made.pop()) if made else first
