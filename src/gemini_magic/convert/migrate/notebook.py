"""Migrates a notebook: its cells as one program, and what is not changed byte for byte."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any, NamedTuple

from gemini_magic.convert.migrate import json_spans, program
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Migrated, Place, keys_told
from gemini_magic.convert.notebook_file import NotANotebook, notebook_of
from gemini_magic.errors import GeminiMagicError

#: Cell magics whose body is Python.
_PYTHON = re.compile(r"\s*%%(?:time|timeit|capture|prun)\b")
_MAGIC = re.compile(r"[ \t]*(?:[%!?]|[\w., \t]+=[ \t]*[%!])|.*\?[ \t]*$")
_BINDS = re.compile(r"([ \t]*[\w., \t]+=[ \t]*)[%!]")
_PIP = re.compile(r"\b(?:pip3?|uv)\b.*\binstall\b|\b(?:conda|mamba)\s+install\b")
_OLD_PACKAGE = re.compile(r"google-generativeai(?:\[[\w,-]+\])?(?:\s*,?\s*[=<>~!]=?\s*[\w.*]+)*")
_OLD_MAGIC = re.compile(r"\s*(?:%%(?:palm|llm)\b|%(?:load_ext|reload_ext)\s+google\.generativeai)")


class _Cell(NamedTuple):
    """A code cell: its number, its id, its text, and where it is in the file."""

    number: int
    id: str
    text: str
    at: int


def migrate(text: str, name: str, options: Options = Options()) -> Migrated:  # noqa: B008
    """The notebook on the new SDK. Raises ``GeminiMagicError`` where it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise GeminiMagicError(
            f"{name} is not a Jupyter notebook: it is no JSON.", "Name a notebook: FILE.ipynb"
        ) from None
    try:
        told = notebook_of(document, name)
    except NotANotebook as error:
        raise NotANotebook(error.what.replace("exported", "migrated"), error.next_step) from None
    if not program.concerns(text, options) and not _OLD_PACKAGE.search(text):
        return Migrated(text)
    if told.format < 4:
        raise GeminiMagicError(
            f"{name} is in notebook format {told.format}, whose cells are not changed in place.",
            f"Bring it up first: jupyter nbconvert --to notebook --inplace {name}",
        )
    cells = _cells(text)
    mask = _Mask()
    masked = [mask.cell(cell) for cell in cells]
    joined, starts = _joined(cells, masked)
    migrated = program.migrate(joined, options)
    new = _split(migrated.text, cells, masked)
    places = [_located(place, cells, starts) for place in migrated.places]
    kept = migrated.text == joined and any(place.verdict == "left" for place in places)
    edits: list[tuple[_Cell, str]] = []
    for cell in cells:
        made = mask.restored(new[cell.number]) if cell.number in new else cell.text
        if not kept:  # else it still needs the old SDK
            made, more = _packages(made, cell, options.to)
            places += more
        places += _old_magics(cell)
        # keys in what is no Python, too
        keys = keys_told(cell.text, options.key_names) if migrated.places else []
        places += [place._replace(cell=cell.id) for place in keys]
        if made != cell.text:
            edits.append((cell, made))
    order = {cell.id: cell.number for cell in cells}
    places = [*dict.fromkeys(places)]
    places.sort(key=lambda one: (order[one.cell], one.line))
    return Migrated(_written(text, edits), tuple(places))


def python_of(text: str) -> str:
    """A notebook's cells as one program, without what is no Python; empty where it is none."""
    try:
        cells = _cells(text)
        mask = _Mask()
        return _joined(cells, [mask.cell(cell) for cell in cells])[0]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return ""  # what is wrong with it is told when its turn comes


def cells_of(text: str) -> list[tuple[str, str]]:
    """The ids and texts of a notebook's code cells."""
    return [(cell.id, cell.text) for cell in _cells(text)]


def _cells(text: str) -> list[_Cell]:
    cells: list[_Cell] = []
    whole = json_spans.members(text, 0)
    for number, span in enumerate(json_spans.items(text, whole["cells"].start), 1):
        cell: Any = json.loads(text[span.start : span.end])
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        if isinstance(source, str):
            given = cell.get("id")
            name = given if isinstance(given, str) else f"cell-{number}"
            cells.append(_Cell(number, name, source, span.start))
    return cells


class _Mask:
    """Hides what only IPython understands; each hidden line is a line of Python in the meantime."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def cell(self, cell: _Cell) -> str | None:
        """The cell as Python; None where it is none."""
        lines = cell.text.split("\n")
        first = next((one for one, line in enumerate(lines) if line.strip()), None)
        if first is None:
            return None
        if lines[first].lstrip().startswith("%%"):
            if not _PYTHON.match(lines[first]):
                return None
            lines[first] = self._hide(lines[first])
        for _ in range(len(lines) + 1):
            wrong = _wrong_line("\n".join(lines))
            if wrong is None:
                return "\n".join(lines)
            at = self._magic_at(lines, wrong)
            if at is None:
                return None
            while lines[at].rstrip().endswith("\\") and at + 1 < len(lines):
                lines[at] = self._hide(lines[at])
                at += 1
            lines[at] = self._hide(lines[at])
        return None

    @staticmethod
    def _magic_at(lines: list[str], wrong: int) -> int | None:
        """The magic that makes a line wrong: itself, or one nearby."""
        near = [wrong - 1, wrong - 2, *range(len(lines))]
        return next((at for at in near if 0 <= at < len(lines) and "#~gm" not in lines[at]
                     and _MAGIC.match(lines[at])), None)  # fmt: skip

    def _hide(self, line: str) -> str:
        self._lines.append(line)
        mark = f"  #~gm{len(self._lines) - 1}~"
        if found := _BINDS.match(line):
            return f"{found[1]}None{mark}"
        indent = line[: len(line) - len(line.lstrip())]
        return f"{indent}pass{mark}"

    def restored(self, text: str) -> str:
        return re.sub(r"(?m)^.*  #~gm(\d+)~$", lambda found: self._lines[int(found[1])], text)


def _wrong_line(text: str) -> int | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return 1
    return None


def _joined(cells: list[_Cell], masked: list[str | None]) -> tuple[str, list[tuple[int, _Cell]]]:
    """All cells that are Python as one program, and on which of its lines each begins."""
    text = ""
    starts: list[tuple[int, _Cell]] = []
    for cell, source in zip(cells, masked, strict=True):
        if source is not None:
            text += f"#~gm-cell {cell.number}~\n"
            starts.append((text.count("\n") + 1, cell))
            text += f"{source}\n"
    return text, starts


def _split(text: str, cells: list[_Cell], masked: list[str | None]) -> dict[int, str]:
    pieces = re.split(r"(?m)^#~gm-cell (\d+)~\n", text)
    return {int(number): piece[:-1] for number, piece in
            zip(pieces[1::2], pieces[2::2], strict=True)}  # fmt: skip


def _located(place: Place, cells: list[_Cell], starts: list[tuple[int, _Cell]]) -> Place:
    line, cell = max((one for one in starts if one[0] <= place.line), key=lambda one: one[0])
    return place._replace(line=place.line - line + 1, cell=cell.id)


def _packages(text: str, cell: _Cell, package: str) -> tuple[str, list[Place]]:
    """What installs the old SDK installs the new one."""
    places: list[Place] = []
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if _PIP.search(line) and _OLD_PACKAGE.search(line):
            lines[at] = _OLD_PACKAGE.sub(package, line)
            places.append(Place(at + 1, "done", "pip", cell=cell.id))
    return "\n".join(lines), places


def _old_magics(cell: _Cell) -> list[Place]:
    return [
        Place(number, "left", "magic", "the old SDK's magics are gone; gemini_magic has %%gemini",
              cell.id)
        for number, line in enumerate(cell.text.split("\n"), 1) if _OLD_MAGIC.match(line)
    ]  # fmt: skip


def _written(text: str, edits: list[tuple[_Cell, str]]) -> str:
    """The file with these cells' new texts; what they showed is gone, as it was made by the old."""
    for cell, new in reversed(edits):
        found = json_spans.members(text, cell.at)
        changes = [(found["source"], json_spans.lines(text, found["source"], new))]
        if "outputs" in found:
            changes.append((found["outputs"], "[]"))
        if "execution_count" in found:
            changes.append((found["execution_count"], "null"))
        for span, value in sorted(changes, reverse=True):
            text = text[: span.start] + value + text[span.end :]
    return text
