"""Names of a notebook's variables in another language, each taken once."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Taken:
    """Names that are taken; ``of`` gives the same name for the same thing each time."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = set(reserved)
        self._known: dict[tuple[str, str], str] = {}

    def of(self, what: str, name: str, wish: str = "") -> str:
        """What ``name``, which is a ``what`` there, is called here: ``wish``, or nearly so."""
        if (what, name) not in self._known:
            self._known[what, name] = self.fresh(wish or name)
        return self._known[what, name]

    def fresh(self, wish: str) -> str:
        """A name that nobody has, as near to the wish as can be."""
        plain = re.sub(r"\W", "_", wish, flags=re.A)
        if not plain.strip("_") or plain[0].isdigit():
            plain = f"value_{plain}".rstrip("_")
        made, number = plain, 1
        while made in self._taken:
            number += 1
            made = f"{plain}_{number}"
        self._taken.add(made)
        return made


def given_name(source: str, known: dict[str, str]) -> str:
    """The environment's variable for a placeholder; ``known`` holds those of other ones.

    They all begin in the same way, so that none is a variable that means something elsewhere.
    """
    if source not in known:
        words = re.sub(r"\W+", "_", source, flags=re.A).strip("_").upper() or "VALUE"
        plain = made = f"PROMPT_{words[:40]}"
        number = 1
        while made in known.values():
            number += 1
            made = f"{plain}_{number}"
        known[source] = made
    return known[source]
