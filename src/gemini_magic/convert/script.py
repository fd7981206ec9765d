"""Writes a notebook as a Python script, cell by cell."""

from __future__ import annotations

import ast
from collections.abc import Callable

from gemini_magic.convert import packages, params, pytext
from gemini_magic.convert.asking import Asking
from gemini_magic.convert.assembly import Cell, assembled
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported, refuse_keys
from gemini_magic.convert.library import Import
from gemini_magic.convert.main_function import first_await
from gemini_magic.convert.names import Names, loaded_names, local_names, placeholder_names
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.options import NONE, Options
from gemini_magic.convert.pytext import comment
from gemini_magic.convert.python_frozen import Recorded
from gemini_magic.convert.reading import read
from gemini_magic.convert.shell import ShellWriter
from gemini_magic.convert.static import Static
from gemini_magic.convert.steps import (
    Broken,
    Code,
    Embedded,
    Note,
    Nothing,
    Prompt,
    Reading,
    Span,
    Step,
    Text,
    problem_of,
)
from gemini_magic.convert.strangers import without_ipython
from gemini_magic.errors import GeminiMagicError

#: How a comment begins that says what a note says.
_HEADS = {"left-out": "Left out", "differs": "Differs", "route": "Route", "undefined": "Undefined"}
#: What answers have in a notebook alone.
_NOT_KEPT = frozenset(
    {"thoughts", "target", "model_version", "seconds", "request", "notices", "cached", "left",
     "cost", "parts", "exchanged", "queries", "first"}
)  # fmt: skip
#: Calls whose value nobody wants to see.
_SPEAKING = frozenset({"print", "display", "exec", "input", "exit", "quit", "help"})


def export(notebook: Notebook, context: Context, target: str, options: Options = NONE) -> Exported:
    """The Python script that does what a notebook does. Raises as ``targets.export``."""
    reading = read(notebook, context.transform, context.magic)
    writer = _Writer(target, context, Names(reading), list(reading.notes), options)
    writer.title = _title(reading)
    for step in reading.steps:
        writer.add(step)
    text = writer.text(notebook, target)
    refuse_keys(notebook, text, writer.key_names)
    return Exported(text, tuple(writer.notes), writer.files)


def _title(reading: Reading) -> str:
    """What a script says of itself: the first line of Markdown, and the notebook's name."""
    texts = [step.what.source for step in reading.steps if isinstance(step.what, Text)]
    lines = [line.strip("# ").strip() for text in texts for line in text.split("\n")]
    first = next((line for line in lines if line), "")
    told = f"Exported from {reading.name}"
    return pytext.in_line(f"{first} ({told})" if first else told).replace("%(", "(")


class _Writer:
    def __init__(
        self, target: str, context: Context, names: Names, notes: list[Note], options: Options
    ) -> None:
        self.notes = notes
        self.title = ""
        self._awaits = False
        self._context = context
        self._options = options
        self._parsed = False
        self._told = set(notes)
        self._names = names
        self._asking = Asking(target, context, names, Static())
        self._shell = ShellWriter(names, self._asking)
        self._cells: list[Cell] = []
        self._installed: dict[str, str] = {}
        self._asks = names.asks
        self._missing = _NOT_KEPT | (set() if target == "python-genai" else {"citations"})

    @property
    def files(self) -> tuple[tuple[str, bytes], ...]:
        return tuple(sorted(self._asking.files.items()))

    @property
    def key_names(self) -> set[str]:
        return self._asking.key_names

    def add(self, step: Step) -> None:
        def note(kind: str, text: str) -> None:
            found = Note(step.id, kind, text)
            if found not in self._told:
                self._told.add(found)
                self.notes.append(found)

        if isinstance(step.what, Text):
            self._cells.append(Cell("[markdown]", comment(step.what.source)))
        elif isinstance(step.what, Broken):
            text = f"# Left out: {pytext.in_line(step.what.why)}\n{comment(step.what.source)}"
            self._cells.append(Cell(f"[{step.id}]", text))
        else:
            if self._options.freeze:
                self._asking.recorded = Recorded(step.cell, self._context, note)
            awaits = first_await(step.what.tree) is not None
            self._awaits |= awaits  # from here on all is one level further in
            source = self._code(step, step.what, note)
            self._cells.append(Cell(f"[{step.id}]", source, awaits, _defines(step.what)))

    # --- a cell ---

    def _code(self, step: Step, code: Code, note: Callable[[str, str], None]) -> str:
        self._asking.static.add(code)
        before: list[str] = []
        changes = self._parameters(step, code, note)
        for one in code.embedded:
            new = self._embedded(one, code, step.id, note, before)
            changes.append((one.span, new))
        inside = [one.span for one in code.embedded]
        if "_" in loaded_names(code.tree) - set(self._names.bound) and not self._asking.answered:
            note("undefined", "_ is what IPython remembers of earlier cells")
        for node in ast.walk(code.tree):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=field) if (
                    field in self._missing and name in self._names.replies
                ):
                    note("left-out", f"{name}.{field}: no answer of a script has it")
        changes += without_ipython(code, inside, self._asking, note)
        self._needed(code, note)
        if (shown := code.shown) is not None and self._is_shown(code, shown):
            helper = "show" if self._asks else "show_value"
            self._asking.helpers.add(helper)
            several = pytext.is_several(code.source[shown[0] : shown[1]])
            changes += [
                ((shown[0], shown[0]), f"{pytext.OWN}{helper}({'(' * several}"),
                ((shown[1], shown[1]), f"{')' * several})"),
            ]
        source = pytext.edited(code.source, changes).strip("\n")
        return "\n".join([*before, source.rstrip()])

    def _needed(self, code: Code, note: Callable[[str, str], None]) -> None:
        """Take down the packages that the code imports."""
        for module in packages.imported(code.tree):
            found = packages.package(module)
            top = module.partition(".")[0]
            if found is not None:
                self._asking.dependencies.add(found)
            elif not packages.is_beside(module, self._context.folder):
                note("dependency", f"{top} is imported: name its package in the first lines")
            if top == "gemini_magic":
                note("differs", "gemini_magic is imported, so the script needs it, too")

    def _parameters(
        self, step: Step, code: Code, note: Callable[[str, str], None]
    ) -> list[tuple[Span, str]]:
        """The changes that take the parameters from the command line, if that is wanted."""
        if not self._options.params or params.TAG not in step.tags or self._parsed:
            return []
        parser = params.parser(code, self.title, self._asking.name, note)
        if parser is None:
            return []
        self._parsed = True
        self._asking.imports.add(Import("argparse"))
        self._asking.first += parser.head
        return parser.changes

    def _is_shown(self, code: Code, shown: tuple[int, int]) -> bool:
        if any(one.span == shown for one in code.embedded):
            return False
        last = code.tree.body[-1].value
        if isinstance(last, ast.Call) and isinstance(last.func, ast.Name):
            return last.func.id not in _SPEAKING
        text = code.source[shown[0] : shown[1]]
        return not text.startswith("get_ipython()")

    def _embedded(
        self,
        one: Embedded,
        code: Code,
        cell_id: str,
        note: Callable[[str, str], None],
        before: list[str],
    ) -> str:
        indent = pytext.indent_at(code.source, one.span[0])
        meaning = one.meaning
        if isinstance(meaning, Prompt):
            text = self._prompt(meaning, one, code, cell_id, note, before)
        elif isinstance(meaning, Nothing):
            text = _left_out(meaning.source, meaning.why, one.statement)
            if not one.statement:
                before.append(_left_out(meaning.source, meaning.why, True))
                if not meaning.why:
                    note("left-out", f"the value of {meaning.source[:60]} is None")
        elif isinstance(meaning, str):
            text = meaning.strip("\n") if one.statement else f"({meaning.strip()})"
        else:
            text = self._shell.written(meaning, one.statement, note)
        if one.statement and all(line.startswith("#") for line in text.split("\n")):
            start = code.source.rfind("\n", 0, one.span[0]) + 1
            if indent or code.source[start : one.span[0]].strip():
                text = f"pass  {text}" if "\n" not in text else f"{text}\npass"
        return text.replace("\n", f"\n{indent}")

    def _prompt(
        self,
        prompt: Prompt,
        one: Embedded,
        code: Code,
        cell_id: str,
        note: Callable[[str, str], None],
        before: list[str],
    ) -> str:
        cell = prompt.cell
        told: list[str] = []

        def tell(kind: str, text: str) -> None:
            note(kind, text)
            told.append(f"# {_HEADS.get(kind, 'Note')}: {pytext.in_line(text)}")

        if cell.flag("help") or cell.flag("dry-run"):
            return _left_out(cell.to_source(), "", one.statement)
        out = cell.text("out")
        named = [out] if out and one.statement else []
        read = self._names.used | self._names.prompted
        if one.statement and "_" in read - set(self._names.bound):
            named.append("_")
        start = code.source.rfind("\n", 0, one.span[0]) + 1
        before_it = len(code.source[start : one.span[0]]) + sum(len(name) + 3 for name in named)
        self._asking.room = pytext.LINE - before_it - 4 * self._awaits
        try:
            if cell.text("def") is not None and one.statement:
                text = self._asking.function(prompt, cell_id, tell)
            else:
                text = self._asking.expression(prompt, cell_id, tell)
        except GeminiMagicError as problem:
            why = problem_of(problem)
            note("broken", why)
            if not one.statement:
                before.append(_left_out(cell.to_source(), why, True))
            return _left_out(cell.to_source(), why, one.statement)
        self._asking.answered |= one.statement and cell.text("def") is None
        for name in placeholder_names(cell) & local_names(code.tree, code.source, one.span):
            tell("differs", f"{name} is the function's own; a notebook takes its own variable")
        before += dict.fromkeys(told)
        before += [f"{name} = {made}" for name, made in self._asking.constants]
        if cell.text("def") is not None and one.statement:
            return text
        if not one.statement:
            return f"({out} := {text})" if out else text
        return "".join(f"{name} = " for name in named) + text

    def text(self, notebook: Notebook, target: str) -> str:
        return assembled(
            notebook, target, self._cells, self._asking, self._names, self._shell.packages,
            retry=self._options.retry,
        )  # fmt: skip


def _defines(code: Code) -> tuple[bool, bool]:
    made = [
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in code.tree.body
    ]
    if len(code.embedded) == len(made) == 1 and any(one.cell.get("def") for one in code.prompts):
        return True, True
    return (made[0], made[-1]) if made else (False, False)


def _left_out(source: str, why: str, statement: bool) -> str:
    if not statement:
        return "None"
    head = f"# Left out: {pytext.in_line(why)}\n" if why else ""
    return head + comment(source.rstrip("\n"))
