"""Functions that migrated programs may need: whole ones are copied from ``library.ts``."""

from __future__ import annotations

import functools
import re
from importlib import resources

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
#: What only TypeScript has in that file: ``: any`` and its like behind names and parentheses.
_TYPE = re.compile(r"(?<=[\w)}\]])\??: (?:any|string|Promise<any>|AsyncGenerator<any>)(?:\[\])?")


@functools.cache
def _functions() -> dict[str, str]:
    file = resources.files("gemini_magic.convert.migrate.javascript") / "library.ts"
    text = file.read_text("utf-8")
    _, *pieces = re.split(r"(?m)^(?=/\*\* )", text)
    found = {}
    for piece in pieces:
        name = re.search(r"(?m)^(?:async )?(?:function\*?|class) (\w+)", piece)
        assert name is not None
        found[name[1]] = piece.strip()
    return found


def names() -> tuple[str, ...]:
    return tuple(_functions())


def code(needs: set[str], called: dict[str, str], *, typed: bool) -> str:
    """The functions, those that they need before or after them, as the program calls them."""
    wanted = set(needs)
    while True:
        more = {
            word for name in wanted for word in _WORD.findall(_functions()[name])
            if word in _functions()
        } - wanted  # fmt: skip
        if not more:
            break
        wanted |= more
    text = "\n\n".join(piece for name, piece in _functions().items() if name in wanted)
    for name in wanted:
        if called[name] != name:
            text = re.sub(rf"\b{name}\b", called[name], text)
    return text if typed else _TYPE.sub("", text)
