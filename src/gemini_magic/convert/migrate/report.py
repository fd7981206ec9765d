"""What a migration tells of each place that it looked at."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

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


class Migrated(NamedTuple):
    """A program's new text, and its places in their order."""

    text: str
    places: tuple[Place, ...] = ()
