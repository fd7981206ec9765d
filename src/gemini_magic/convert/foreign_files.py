"""The files that a prompt names, as they are when it is exported for another language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gemini_magic.convert.context import Context
from gemini_magic.convert.plan import Given
from gemini_magic.errors import GeminiMagicError
from gemini_magic.types import Part

#: Bytes of a file that is written into a script, or beside it: a request takes no more.
_MOST = 14_000_000


def parts_of(given: Given, context: Context, note: Callable[[str, str], None]) -> tuple[Part, ...]:
    """What ``--image`` or ``--file`` names; none where that cannot be told now, with a note."""
    from gemini_magic.parts_given import given_parts

    if given.kind not in ("path", "uri"):
        note("left-out", f"{given.text} is fetched or made by Python (--freeze keeps it)")
        return ()
    uri = given.kind == "uri"
    try:
        named = given.text
        if not uri:
            path = (context.folder / given.text).expanduser()
            if not context.may_read(path):
                raise LookupError
            named = str(path)
        return tuple(map(_held, given_parts("file", named, _refuse)))
    except (GeminiMagicError, LookupError, OSError, RuntimeError):
        note("left-out", f"{given.text} could not be read when this was exported")
        return ()


def _refuse(_: str) -> None:
    raise LookupError


def _held(part: Part) -> Part:
    """A part whose bytes are in memory. Raises ``LookupError`` where they are too many."""
    if part.file is None:
        return part
    if part.file.size > _MOST:
        raise LookupError
    return Part(data=Path(part.file.path).read_bytes(), mime_type=part.mime_type, name=part.name)
