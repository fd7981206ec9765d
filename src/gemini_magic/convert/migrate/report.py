"""What a migration tells of each place that it looked at."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Literal, NamedTuple

from gemini_magic.convert.secrets import keys_given, keys_in

#: Code was changed and means the same; was changed and needs a look; or was not changed.
Verdict = Literal["done", "assisted", "left"]


class Place(NamedTuple):
    """One place of the old SDK in a file.

    ``line`` counts from 1: in the file, or in its cell, whose id is ``cell``.
    """

    line: int
    verdict: Verdict
    rule: str
    text: str = ""
    cell: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value != ""}


def keys_told(text: str, names: Set[str]) -> list[Place]:
    """A note for each line of a program with a key; ``names`` are variables that hold keys here."""
    known = keys_in(text, names)
    given = [one for one in keys_given(text)
             if not any(one.start < key.end and key.start < one.end for key in known)]  # fmt: skip
    found = {(key.line, key.name) for key in (*known, *given)}
    return [
        Place(line, "done", "key", f"a key stands here: put it into the environment as {name}, and "
              "make a new one where others could read it")
        for line, name in sorted(found)
    ]  # fmt: skip


class Migrated(NamedTuple):
    """A program's new text, and its places in their order."""

    text: str
    places: tuple[Place, ...] = ()
