"""Compares what a notebook asked with what its script asked, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Any, NamedTuple

from gemini_magic.cli.verify_server import Asked

EQUAL, DIFFERS = "equal", "differs"
ONLY_NOTEBOOK, ONLY_SCRIPT = "only the notebook asked", "only the script asked"
#: Another wire says the same in other words: what both can say is compared.
SAME_WORDS = "equal, on another wire"

#: Stands for what is not there.
MISSING = "(missing)"
#: Characters of a value that the table shows.
_SHOWN = 60


class Field(NamedTuple):
    """Where two requests differ (``contents[0].parts[0].text``), and what each of them says."""

    name: str
    notebook: Any
    script: Any


class Row(NamedTuple):
    """What became of one request; ``cell`` is the id of the cell that asked, if one did."""

    cell: str
    backend: str
    call: str
    result: str
    fields: tuple[Field, ...] = ()

    @property
    def is_equal(self) -> bool:
        return self.result in (EQUAL, SAME_WORDS)


def compared(notebook: Sequence[tuple[str, Asked]], script: Sequence[Asked]) -> list[Row]:
    """The requests of both, side by side; the notebook's come with the id of their cell.

    Order counts, but for those of one cell: ``--compare`` asks all its models at once.
    """
    wires = {(one.backend, one.wire) for one in (*script, *(asked for _, asked in notebook))}
    crossed = {backend for backend, wire in wires if wire == "gemini"}
    crossed &= {backend for backend, wire in wires if wire == "openai"}

    def key(asked: Asked) -> str:
        said = _words(asked) if asked.backend in crossed else (asked.call, meaning(asked))
        return json.dumps((asked.backend, said), sort_keys=True)

    theirs = [key(one) for one in script]
    keyed = [_Keyed(cell, one, key(one)) for cell, one in notebook]
    ours = _as_the_script_has_them(keyed, theirs)
    rows: list[Row] = []
    first = start = 0
    for last, end in [*_common([one.key for one in ours], theirs), (len(ours), len(script))]:
        rows += [
            _row(one, other) for one, other in zip_longest(ours[first:last], script[start:end])
        ]
        if last < len(ours):
            rows.append(_row(ours[last], script[end]))
        first, start = last + 1, end + 1
    return rows


def _common(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the longest sequence that both have in common."""
    longest = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in reversed(range(len(ours))):
        row, below = longest[i], longest[i + 1]
        for k in reversed(range(len(theirs))):
            row[k] = below[k + 1] + 1 if ours[i] == theirs[k] else max(below[k], row[k + 1])
    found: list[tuple[int, int]] = []
    i = k = 0
    while i < len(ours) and k < len(theirs):
        if ours[i] == theirs[k]:
            found.append((i, k))
            i, k = i + 1, k + 1
        elif longest[i + 1][k] >= longest[i][k + 1]:
            i += 1
        else:
            k += 1
    return found


class _Keyed(NamedTuple):
    """A request of the notebook; requests with the same ``key`` say the same."""

    cell: str
    asked: Asked
    key: str


def _as_the_script_has_them(asked: Sequence[_Keyed], script: Sequence[str]) -> list[_Keyed]:
    """The notebook's requests; those of one cell in the order in which the script asks them."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(script):
        places.setdefault(key, []).append(place)
    made: list[_Keyed] = []
    for _, rows in groupby(asked, key=lambda one: one.cell):
        group = list(rows)
        found = [(places[one.key].pop(0), one) for one in group if places.get(one.key)]
        moved = iter([one for _, one in sorted(found, key=lambda pair: pair[0])])
        known = {id(one) for _, one in found}
        made += [next(moved) if id(one) in known else one for one in group]
    return made


def _row(one: _Keyed | None, other: Asked | None) -> Row:
    if one is None:
        assert other is not None
        return Row("", other.backend, other.call, ONLY_SCRIPT)
    if other is None:
        return Row(one.cell, one.asked.backend, one.asked.call, ONLY_NOTEBOOK)
    fields = tuple(differences(one.asked, other))
    equal = EQUAL if one.asked.wire == other.wire else SAME_WORDS
    return Row(one.cell, one.asked.backend, one.asked.call, DIFFERS if fields else equal, fields)


def differences(one: Asked, other: Asked) -> Iterator[Field]:
    """The fields in which two requests differ.

    Where the wires differ, what is compared is what both can say: the model, the words and files,
    and the commonest settings.
    """
    if one.backend != other.backend:
        yield Field("backend", one.backend, other.backend)
    if one.wire == other.wire:
        if one.call != other.call:
            yield Field("call", one.call, other.call)
        yield from _unlike("", meaning(one), meaning(other))
    else:
        yield from _unlike("", _words(one), _words(other))


def meaning(asked: Asked) -> Any:
    """A request's body as far as it means something. This list is closed, and docs/export.md's.

    On Gemini's wire a field's name in snake_case is that in camelCase (the wire takes both, and
    the Python SDK mixes them), base64 in URL-safe letters is base64, an empty
    ``generationConfig``, which the SDKs send and curl does not, is none, and so is the role of a
    system instruction.
    """
    return _gemini(asked.body) if asked.wire == "gemini" else asked.body


#: Fields of Gemini's wire beneath which names are the user's own.
_THEIRS = frozenset(
    {"args", "response", "schema", "parameters", "responseSchema", "responseJsonSchema",
     "parametersJsonSchema", "responseFormat"}
)  # fmt: skip


def _gemini(body: Any) -> Any:
    if isinstance(body, list):
        return [_gemini(one) for one in body]
    if not isinstance(body, Mapping):
        return body
    made: dict[str, Any] = {}
    for key, one in body.items():
        name = re.sub("_([a-z])", lambda found: found[1].upper(), key)
        if name in ("data", "thoughtSignature") and isinstance(one, str):
            made[name] = one.replace("-", "+").replace("_", "/").rstrip("=")
        else:
            made[name] = one if name in _THEIRS else _gemini(one)
    if made.get("generationConfig") == {}:
        del made["generationConfig"]
    if isinstance(system := made.get("systemInstruction"), dict):
        system.pop("role", None)
    return made


def _unlike(name: str, one: Any, other: Any) -> Iterator[Field]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            inner = f"{name}.{key}" if name else str(key)
            yield from _unlike(inner, one.get(key, MISSING), other.get(key, MISSING))
    elif isinstance(one, list) and isinstance(other, list):
        for i in range(max(len(one), len(other))):
            pair = (rows[i] if i < len(rows) else MISSING for rows in (one, other))
            yield from _unlike(f"{name}[{i}]", *pair)
    elif one != other or isinstance(one, bool) != isinstance(other, bool):
        yield Field(name or "body", one, other)


# --- two wires ----------------------------------------------------------------------------------


def _words(asked: Asked) -> dict[str, Any]:
    """What a request says, in words of no wire."""
    body = asked.body if isinstance(asked.body, Mapping) else {}
    if asked.wire == "gemini":
        settings = body.get("generationConfig") or {}
        system = body.get("systemInstruction")
        return {
            "model": asked.call.partition(":")[0],
            "system": "".join(_parts(system.get("parts"))) if isinstance(system, Mapping) else "",
            "messages": [
                {"role": one.get("role", "user"), "parts": [*_parts(one.get("parts"))]}
                for one in body.get("contents") or []
            ],
            "temperature": settings.get("temperature"),
            "top_p": settings.get("topP"),
            "max_output_tokens": settings.get("maxOutputTokens"),
            "stop": settings.get("stopSequences"),
        }
    messages = body.get("messages") or []
    stop = body.get("stop")
    return {
        "model": body.get("model"),
        "system": "".join(
            text for one in messages if one["role"] == "system" for text in _parts(one["content"])
        ),
        "messages": [
            {"role": {"assistant": "model"}.get(one["role"], one["role"]),
             "parts": [*_parts(one.get("content"))]}
            for one in messages
            if one["role"] != "system"
        ],
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "max_output_tokens": body.get("max_completion_tokens", body.get("max_tokens")),
        "stop": [stop] if isinstance(stop, str) else stop,
    }  # fmt: skip


def _parts(given: Any) -> Iterator[str]:
    """The texts of a message, and the bytes of its files as base64."""
    if isinstance(given, str):
        yield given
        return
    for part in given or []:
        inline = part.get("inlineData") or {}
        address = part.get("image_url") or {}
        sound = part.get("input_audio") or {}
        file = part.get("file") or {}
        found = part.get("text") or inline.get("data") or address.get("url") or sound.get("data")
        found = found or file.get("file_data") or (part.get("fileData") or {}).get("fileUri")
        yield str(found or "").rpartition(";base64,")[2]


# --- for people ---------------------------------------------------------------------------------


def shown(field: Field) -> tuple[str, str]:
    """Both values in one line each, shortened to where they differ."""
    texts = [
        value if value == MISSING else _text(value) for value in (field.notebook, field.script)
    ]
    common = 0
    for one, other in zip(*texts, strict=False):
        if one != other:
            break
        common += 1
    start = max(0, common - _SHOWN // 3)
    return (_cut(texts[0], start), _cut(texts[1], start))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str, start: int) -> str:
    if text == MISSING:
        return text
    piece = text[start : start + _SHOWN]
    return printable(f"{'…' * (start > 0)}{piece}{'…' * (start + _SHOWN < len(text))}")


def printable(text: str) -> str:
    """A text as a terminal may show it: names and values could hold codes that it obeys."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
