"""Notebooks of other extensions: their cells that ask a model become ours, all else stays.

``%%ai`` is jupyter-ai's; ``%%palm``, ``%%llm`` and the old ``%%gemini`` were those of
google-generativeai's notebook extension (0.8.6, google/generativeai/notebook).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.options import model_of, put
from gemini_magic.options import OptionValue
from gemini_magic.types import digest

_MAGIC = re.compile(r"\s*%%(ai|palm|llm|gemini)\b([^\n]*)(?:\n(.*))?\Z", re.S)
_LINE = re.compile(r"^(\s*(?:[\w, ]+=\s*)?)%(ai|palm|llm)[ \t]+(.+)$", re.M)
_LOADS = re.compile(
    r"^(\s*)%(?:re)?load_ext[ \t]+(jupyter_ai(?:_magics|_magic_commands)?|"
    r"google\.generativeai\.notebook)[ \t]*$",
    re.M,
)
_FIELD = re.compile(r"\{([^\W\d]\w*)\}")
_FORMS = {"code": "code", "html": "html", "json": "json", "markdown": "markdown", "md": "markdown",
          "text": "text", "math": "markdown"}  # fmt: skip
#: What jupyter-ai's commands are, which ask nothing.
_COMMANDS = frozenset({"list", "help", "alias", "register", "delete", "error", "reset", "version",
                       "dealias", "update"})  # fmt: skip
_GOOGLE = ("google", "gemini", "vertexai", "google-genai")


class Changed(NamedTuple):
    """A notebook's document with our cells in it, and how many ``asking`` there are."""

    document: dict[str, Any]
    asking: int


class _Cell(NamedTuple):
    """A cell of ours, and code that goes below it."""

    cell: GeminiCell
    below: str = ""


def changed(document: Mapping[str, Any], notes: dict[Note, None]) -> Changed:
    """The notebook with its cells of other extensions as ours; outputs stay as they are."""
    cells: list[Any] = []
    count = 0
    sources = map(_source, values.mappings(document.get("cells")))
    is_old = any("google.generativeai.notebook" in source for source in sources)
    for number, cell in enumerate(document.get("cells", []), 1):
        source = _source(cell)
        if not isinstance(cell, Mapping) or cell.get("cell_type") != "code":
            cells.append(cell)
            continue
        told = _Told(values.text(cell.get("id")) or f"cell-{number}", notes)
        made = _cell(source, is_old, number, told)
        new = made.cell.to_source() if made is not None else _lines(source, told)
        count += new != source and "%gemini " in new + " "
        cells.append(cell if new == source else {**cell, "source": new})
        if made is not None and made.below:
            below: dict[str, Any] = {
                "cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
                "source": made.below,
            }  # fmt: skip
            if "id" in cell:
                below["id"] = digest(f"{number} {made.below}")[:12]
            cells.append(below)
    return Changed({**document, "cells": cells}, count)


def _source(cell: Any) -> str:
    source = values.mapping(cell).get("source")
    return "".join(values.texts(source)) if isinstance(source, list) else values.text(source)


def _cell(source: str, is_old: bool, number: int, told: _Told) -> _Cell | None:
    """The cell that stands for one of another extension; None where there is none."""
    match = _MAGIC.match(source)
    if match is None or (match[1] == "gemini" and not is_old):
        return None
    body = (match[3] or "").removesuffix("\n")
    if not body.strip():
        return None
    if match[1] != "ai":
        return _of_palm(match[2], body, number, told)
    made = _of_ai(match[2], body, told)
    return None if made is None else _Cell(made)


def _lines(source: str, told: _Told) -> str:
    """A plain cell, in which what loads the other extensions loads ours."""
    loads = _LOADS.sub(r"\1%load_ext gemini_magic", source)
    if source.lstrip().startswith("%%"):
        return loads
    return _LINE.sub(lambda found: _line(found, told), loads)


def _line(found: re.Match[str], told: _Told) -> str:
    if found[2] != "ai" or found[3].split()[0] in _COMMANDS:
        return found[0]
    model, _, prompt = found[3].partition(" ")
    made = _of_ai(model, prompt.strip().strip("\"'"), told)
    if made is None:
        return found[0]
    return f"{found[1]}{GeminiCell(made.template, made.options, line=True).to_source()}"


def _of_ai(line: str, body: str, told: _Told) -> GeminiCell | None:
    """``%%ai PROVIDER:MODEL -f FORM ...`` and a body with ``{fields}``."""
    words = _words(line)
    if not body.strip() or (words and words[0] in _COMMANDS):
        return None
    options: dict[str, OptionValue] = {}
    while words:
        word = words.pop(0)
        if word in ("-f", "--format") and words:
            if (form := _FORMS.get(words.pop(0))) is not None:
                options["as"] = form
        elif word in ("-m", "--model-parameters") and words:
            told("left-out", f"the model's parameters {words.pop(0)[:60]} are left out")
        elif word.startswith("-"):
            told("left-out", f"the option {word[:40]} is left out")
        elif "model" not in options:
            _model(options, word, told)
    return GeminiCell.of(_fields(body), options)


def _model(options: dict[str, OptionValue], word: str, told: _Told) -> None:
    provider, colon, model = word.partition(":")
    if not colon:
        provider, slash, model = word.partition("/")
        model = model if slash else word
        provider = provider if slash else "google"
    if provider in _GOOGLE or model.startswith(("gemini", "models/")):
        options["model"] = model_of(model, told)
    else:
        told("model", f"the model {word[:60]} is not Google's: choose one with -m BACKEND:MODEL")


def _of_palm(line: str, body: str, number: int, told: _Told) -> _Cell | None:
    """``%%palm [run|compile NAME] --model X --inputs A B | post`` and a body with fields.

    With inputs the cell becomes a function that the cell below calls for each of their rows.
    """
    line, pipe, after = line.partition("|")
    words = _words(line)
    command = words.pop(0) if words and not words[0].startswith("-") else "run"
    options: dict[str, OptionValue] = {}
    if command == "compile" and words:
        options["def"] = identifier(words.pop(0), "prompt")
        told("differs", "the function takes its values by name: f(word='x'), and not in lists")
    elif command != "run":
        told("left-out", f"{command[:20]} has no equal here: the cell stays as it is")
        return None
    inputs: list[str] = []
    while words:
        word, sign, value = words.pop(0).partition("=")
        given = [value] if sign else []
        while words and not words[0].startswith("-"):
            given.append(words.pop(0))
        first = given[0] if given else ""
        if word in ("--model", "-m"):
            options["model"] = model_of(first, told)
        elif word in ("--temperature", "-t"):
            put(options, "temperature", values.number(first), "temperature", told)
        elif word in ("--inputs", "-i"):
            inputs = [name for name in given if name.isidentifier()]
        elif word in ("--outputs", "-o") and first.isidentifier():
            options["out"] = first
            told("differs", f"{first} is a reply (its text: {first}.text), and no table")
        else:
            told("left-out", f"{word[:40]} {' '.join(given)[:60]}".strip())
    if pipe:
        told("left-out", f"what came after the answer is left out: |{after[:60]}")
    below = ""
    if inputs and "def" not in options:
        options["def"] = name = f"prompt_{number}"
        rows = inputs[0] if len(inputs) == 1 else "inputs"
        loop = (
            f"for row in zip(*{rows}.values()):\n    print({name}(**dict(zip({rows}, row))).text)"
        )
        below = (
            loop
            if len(inputs) == 1
            else (f"for inputs in ({', '.join(inputs)}):\n    " + loop.replace("\n", "\n    "))
        )
    return _Cell(GeminiCell.of(_fields(body), options), below)


class _Told:
    """Adds notes of one cell."""

    def __init__(self, cell: str, notes: dict[Note, None]) -> None:
        self._cell = cell
        self._notes = notes

    def __call__(self, kind: str, text: str) -> None:
        self._notes.setdefault(Note(self._cell, kind, text))


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _fields(body: str) -> str:
    """The body with its ``{name}`` fields as placeholders, ``{{`` and ``}}`` as single braces."""
    pieces: list[str] = []
    done = 0
    text = body.replace("{{", "\0").replace("}}", "\1")
    for found in _FIELD.finditer(text):
        pieces += [_literal(text[done : found.start()]), f"{{{{ {found[1]} }}}}"]
        done = found.end()
    return "".join([*pieces, _literal(text[done:])])


def _literal(text: str) -> str:
    plain = text.replace("\0", "{").replace("\1", "}")
    return template.escape(plain) or plain
