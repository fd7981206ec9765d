"""Takes keys out of what is imported: none gets into a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from gemini_magic.convert.secrets import keys_in
from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio.values import data

#: Texts longer than this that are base64 are data, in which anything can stand by chance.
_DATA = 400


def without_keys(value: Any, names: Set[str], notes: dict[Note, None]) -> Any:
    """JSON values in which each key is replaced by its variable's name in brackets.

    ``names`` are the environment's variables that hold keys here.
    """
    if isinstance(value, str):
        return text_without_keys(value, names, notes)
    if isinstance(value, Mapping):
        return {
            text_without_keys(key, names, notes): without_keys(one, names, notes)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [without_keys(one, names, notes) for one in value]
    return value


def text_without_keys(text: str, names: Set[str], notes: dict[Note, None]) -> str:
    if len(text) > _DATA and not text[:_DATA].count(" ") and data(text) is not None:
        return text
    for key in reversed(keys_in(text, names)):
        text = f"{text[: key.start]}[{key.name}]{text[key.end :]}"
        notes.setdefault(key_note(key.name, key.line))
    return text


def key_note(name: str, line: int = 0) -> Note:
    where = f" in line {line}" if line > 1 else ""
    return Note("", "key", f"a key stood{where}: it was taken out. Put it into the environment "
                f"as {name}, and make a new one where others could read it")  # fmt: skip
