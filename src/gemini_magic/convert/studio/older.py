"""The kinds of saved prompts from MakerSuite's days: one text, rows of examples, a chat.

Source of the shapes: MakerSuiteTextPromptData and its neighbours in langchain's MakerSuiteHub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.answers import plain_reply
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.pieces import Piece, Slot, Text, Turn
from gemini_magic.types import Reply

#: ``{{kind:name:example}}``
_SLOT = re.compile(r"\{\{\s*[\w-]*:([^:{}\n]*):([^{}]*)\}\}")


def _text_prompt(document: Mapping[str, Any], title: str, model: str) -> tuple[list[Turn], str]:
    """One cell with its variables, and one for each test example."""
    prompt = values.mapping(document["textPrompt"])
    pieces = _with_slots(values.text(prompt.get("value")))
    if not pieces:
        return [], ""
    turns = [Turn(tuple(pieces))]
    if not any(isinstance(piece, Slot) for piece in pieces):
        answers = [
            row for row in values.mappings(document.get("testExamples")) if _answer(row, model)
        ]
        return [Turn(tuple(pieces), reply=_answer(answers[0], model) if answers else None)], ""
    names = {
        values.text(one.get("variableId")): identifier(values.text(one.get("displayName")), "value")
        for one in values.mappings(prompt.get("variables"))
    }
    for row in values.mappings(document.get("testExamples")):
        given = {
            names[key]: values.text(value)
            for key, value in values.mapping(row.get("inputBindings")).items()
            if key in names
        }
        filled = [
            Text(given.get(one.name, one.example)) if isinstance(one, Slot) else one
            for one in pieces
        ]
        turns.append(
            Turn((Text(_joined(filled)),), reply=_answer(row, model), above="A test example:")
        )
    return turns, ""


def _with_slots(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    done = 0
    for match in _SLOT.finditer(text):
        if before := text[done : match.start()]:
            pieces.append(Text(before))
        pieces.append(Slot(identifier(match[1], "value"), match[2]))
        done = match.end()
    if rest := text[done:]:
        pieces.append(Text(rest))
    return pieces


def _joined(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def _answer(row: Mapping[str, Any], model: str) -> Reply | None:
    """The first answer that is stored with an example."""
    for one in values.mappings(row.get("modelResponses")):
        text = values.text(one.get("response")) or values.text(one.get("text"))
        if reply := plain_reply(text, model):
            return reply
    return None


def _data_prompt(document: Mapping[str, Any], title: str, model: str) -> tuple[list[Turn], str]:
    """One cell for each test example, with the rows as examples before it."""
    prompt = values.mapping(document["dataPrompt"])
    columns = values.mappings(prompt.get("columns"))
    lines = [text] if (text := values.text(prompt.get("preamble"))) else []
    used = values.texts(prompt.get("rowsUsed"))
    for row in values.mappings(prompt.get("rows")):
        if used and row.get("rowId") not in used:
            continue
        bound = values.mapping(row.get("columnBindings"))
        lines += [_line(column, values.text(bound.get(_id(column))))
                  for column in columns]  # fmt: skip
    asked = [column for column in columns if column.get("isInput") is True]
    wanted = [column for column in columns if column.get("isInput") is not True]
    turns: list[Turn] = []
    for row in values.mappings(document.get("testExamples")):
        bound = values.mapping(row.get("inputBindings"))
        given = [_line(one, values.text(bound.get(_id(one)))) for one in asked]
        text = "\n".join([*lines, *given, *(_line(one, "") for one in wanted[:1])])
        turns.append(Turn((Text(text),), reply=_answer(row, model)))
    if not turns and columns:
        pieces: list[Piece] = [Text("".join(f"{line}\n" for line in lines))] if lines else []
        for column in asked:
            head = _line(column, "")
            name = identifier(values.text(column.get("displayName")), "value")
            pieces += [Text(f"{head} "), Slot(name), Text("\n")]
        pieces.append(Text("\n".join(_line(one, "") for one in wanted[:1])))
        turns.append(Turn(tuple(_merged(pieces))))
    return turns, ""


def _merged(pieces: list[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        before = merged[-1] if merged else None
        if isinstance(piece, Text) and isinstance(before, Text):
            merged[-1] = Text(before.text + piece.text)
        elif piece != Text(""):
            merged.append(piece)
    return merged


def _id(column: Mapping[str, Any]) -> str:
    return values.text(column.get("columnId"))


def _line(column: Mapping[str, Any], value: str) -> str:
    """``input: hot``, as AI Studio sends it."""
    return f"{values.text(column.get('displayName'))} {value}".strip()


def _multiturn_prompt(
    document: Mapping[str, Any], title: str, model: str
) -> tuple[list[Turn], str]:
    """A chat for each session; the exchanges that prime it come first in each."""
    prompt = values.mapping(document["multiturnPrompt"])
    priming = values.mappings(prompt.get("primingExchanges"))
    sessions = [
        values.mappings(one.get("sessionExchanges"))
        for one in values.mappings(prompt.get("sessions"))
    ]
    turns: list[Turn] = []
    chats = [one for one in sessions if any(map(_request, one))] or [[]]
    for number, session in enumerate(chats, 1):
        name = identifier(title, "chat") + (f"_{number}" if len(chats) > 1 else "")
        for exchange in (*priming, *session):
            if request := _request(exchange):
                response = exchange.get("response")
                answer = values.text(response) or values.text(values.mapping(response).get("text"))
                turns.append(Turn((Text(request),), reply=plain_reply(answer, model), chat=name))
    return turns, values.text(prompt.get("preamble"))


def _request(exchange: Mapping[str, Any]) -> str:
    request = exchange.get("request")
    return values.text(request) or values.text(values.mapping(request).get("text"))


#: The reader of each kind: its turns, and what it says before them.
READERS: dict[str, Callable[[Mapping[str, Any], str, str], tuple[list[Turn], str]]] = {
    "textPrompt": _text_prompt,
    "dataPrompt": _data_prompt,
    "multiturnPrompt": _multiturn_prompt,
}
