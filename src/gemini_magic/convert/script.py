"""Puts a script together: its head, what it needs, and the notebook's cells in their order."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gemini_magic.convert import pytext
from gemini_magic.convert.asking import Asking, problem_of
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported, refuse_keys
from gemini_magic.convert.library import Import, closure, import_block, renamed
from gemini_magic.convert.main_function import first_await, in_main
from gemini_magic.convert.names import Names
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.options import NONE, Options
from gemini_magic.convert.pytext import comment, literal
from gemini_magic.convert.reading import read
from gemini_magic.convert.shell import ShellWriter
from gemini_magic.convert.static import Static
from gemini_magic.convert.steps import Broken, Code, Embedded, Note, Nothing, Prompt, Step, Text
from gemini_magic.convert.strangers import without_ipython
from gemini_magic.errors import GeminiMagicError

#: How a comment begins that says what a note says.
_HEADS = {"left-out": "Left out", "differs": "Differs", "route": "Route", "undefined": "Undefined"}
#: Calls whose value nobody wants to see.
_SPEAKING = frozenset({"print", "display", "exec", "input", "exit", "quit", "help"})


def export(notebook: Notebook, context: Context, target: str, options: Options = NONE) -> Exported:
    """The Python script that does what a notebook does. Raises as ``targets.export``."""
    reading = read(notebook, context.transform, context.magic)
    writer = _Writer(target, context, Names(reading), list(reading.notes))
    for step in reading.steps:
        writer.add(step)
    text = writer.text(notebook, target)
    refuse_keys(notebook, text, writer.key_names)
    return Exported(text, tuple(writer.notes))


class _Cell(NamedTuple):
    """A cell of the script: its marker's words, its code, and its tree (None: only comments)."""

    marker: str
    source: str
    awaits: bool


class _Writer:
    def __init__(self, target: str, context: Context, names: Names, notes: list[Note]) -> None:
        self.notes = notes
        self._told = set(notes)
        self._names = names
        self._asking = Asking(target, context, names, Static())
        self._shell = ShellWriter(names, self._asking)
        self._cells: list[_Cell] = []
        self._installed: dict[str, str] = {}
        self._asks = names.asks

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
            self._cells.append(_Cell("[markdown]", comment(step.what.source), False))
        elif isinstance(step.what, Broken):
            text = f"# Left out: {_in_line(step.what.why)}\n{comment(step.what.source)}"
            self._cells.append(_Cell(f"[{step.id}]", text, False))
        else:
            source = self._code(step.id, step.what, note)
            awaits = first_await(step.what.tree) is not None
            self._cells.append(_Cell(f"[{step.id}]", source, awaits))

    # --- a cell ---

    def _code(self, cell_id: str, code: Code, note: Callable[[str, str], None]) -> str:
        self._asking.static.add(code)
        before: list[str] = []
        changes: list[tuple[tuple[int, int], str]] = []
        for one in code.embedded:
            new = self._embedded(one, code, cell_id, note, before)
            changes.append((one.span, new))
        inside = [one.span for one in code.embedded]
        changes += without_ipython(code, inside, self._asking, note)
        if (shown := code.shown) is not None and self._is_shown(code, shown):
            helper = "show" if self._asks else "show_value"
            self._asking.helpers.add(helper)
            changes += [
                ((shown[0], shown[0]), f"{pytext.OWN}{helper}("),
                ((shown[1], shown[1]), ")"),
            ]
        source = pytext.edited(code.source, changes).strip("\n")
        return "\n".join([*before, source.rstrip()])

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
            text = self._prompt(meaning, one, cell_id, note, before)
        elif isinstance(meaning, Nothing):
            text = _left_out(meaning.source, meaning.why, one.statement)
            if not one.statement:
                before.append(_left_out(meaning.source, meaning.why, True))
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
        cell_id: str,
        note: Callable[[str, str], None],
        before: list[str],
    ) -> str:
        cell = prompt.cell
        told: list[str] = []

        def tell(kind: str, text: str) -> None:
            note(kind, text)
            told.append(f"# {_HEADS.get(kind, 'Note')}: {_in_line(text)}")

        if cell.flag("help") or cell.flag("dry-run"):
            return _left_out(cell.to_source(), "", one.statement)
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
        before += dict.fromkeys(told)
        before += [f"{name} = {made}" for name, made in self._asking.constants]
        out = cell.text("out")
        if cell.text("def") is not None and one.statement:
            return text
        if not one.statement:
            return f"({out} := {text})" if out else text
        named = [out] if out else []
        if "_" in self._names.used and "_" not in self._names.bound:
            named.append("_")
        return "".join(f"{name} = " for name in named) + text

    # --- the whole ---

    def text(self, notebook: Notebook, target: str) -> str:
        asking = self._asking
        helpers = closure(asking.helpers)
        imports = asking.imports | {one for helper in helpers for one in helper.imports}
        aliases: dict[str, str] = {}
        for one in sorted(imports):
            if self._names.is_foreign(one.known_as, one.origin):
                aliases[one.known_as] = asking.name(one.known_as)
        wanted = {one._replace(alias=aliases.get(one.known_as, one.alias)) for one in imports}
        names = dict(aliases)
        for helper in helpers:
            given = {f"IPython.display.{helper.name}", f"IPython.core.display.{helper.name}",
                     f"google.colab.{helper.name}"}  # fmt: skip
            if self._names.bound.get(helper.name, set()) - given:
                names[helper.name] = asking.name(helper.name)
        if any(helper.name == "show_value" for helper in helpers):
            names["show_value"] = asking.name("show")
        blocks = [self._head(notebook, target)]
        if wanted:
            blocks.append(import_block(wanted))
        first: list[str] = []
        if wanted and "NOTEBOOK" not in self._names.bound:
            first.append(f"NOTEBOOK = {literal(notebook.name)}")
        for name, made in asking.clients.values():
            first.append(pytext.settled(f"{name} = {made}", names))
        blocks += ["\n".join(first)] if first else []
        text = "\n\n".join(blocks)
        for helper in helpers:
            text += f"\n\n\n{renamed(helper.source, names)}"
        rows = [f"{name}: {kind} = []" for name, kind in asking.histories.values()]
        text += "\n\n\n" * bool(rows) + pytext.settled("\n".join(rows), names)
        text += "\n" * (1 if rows or not helpers else 2)
        return self._noqa(f"{text}{self._written(names)}".rstrip("\n") + "\n")

    def _written(self, names: Mapping[str, str]) -> str:
        self._cells = [
            cell._replace(source=pytext.settled(cell.source, names)) for cell in self._cells
        ]
        first = next((i for i, cell in enumerate(self._cells) if cell.awaits), len(self._cells))
        plain = [_marked(cell) for cell in self._cells[:first]]
        text = "".join(f"\n{one}\n" for one in plain)
        if first < len(self._cells):
            inner = "\n\n".join(_marked(cell) for cell in self._cells[first:])
            earlier = "\n".join(cell.source for cell in self._cells[:first])
            main = self._asking.name("main")
            asyncio = Import("asyncio")
            alias = (
                self._asking.name("asyncio_")
                if self._names.is_foreign("asyncio", asyncio.origin)
                else "asyncio"
            )
            how = "" if alias == "asyncio" else f" as {alias}"
            text += f"\n\n{in_main(inner, earlier, main)}\n\n\n"
            text += f'if __name__ == "__main__":\n    import asyncio{how}\n\n'
            text += f"    {alias}.run({main}())\n"
        return text

    def _head(self, notebook: Notebook, target: str) -> str:
        needed = [*sorted(self._asking.dependencies), *self._shell.packages.values()]
        rows = "".join(f"#   {literal(one)},\n" for one in dict.fromkeys(needed))
        packages = f"# dependencies = [\n{rows}# ]" if needed else "# dependencies = []"
        name = _in_line(notebook.name).replace("\\", "\\\\").replace('"', "'")
        return (
            f'# /// script\n# requires-python = ">=3.11"\n{packages}\n# ///\n'
            f'"""Exported from {name} ({target}).\n\nsha256: {notebook.digest}\n"""'
        )

    def _noqa(self, text: str) -> str:
        """Notebooks import where they need it and have long lines; that is said to linters."""
        body = text.split("\n# %%", 1)[-1]
        codes = []
        if re.search(r"^(?:import|from) ", body, re.M):
            codes += ["E402", "I001"]
        if any(len(line) > 88 for line in text.split("\n")):
            codes.append("E501")
        if not codes:
            return text
        at = text.index('"""')
        return f"{text[:at]}# ruff: noqa: {', '.join(codes)}\n{text[at:]}"


def _marked(cell: _Cell) -> str:
    return f"# %% {cell.marker}\n{cell.source}".rstrip()


def _left_out(source: str, why: str, statement: bool) -> str:
    if not statement:
        return "None"
    head = f"# Left out: {_in_line(why)}\n" if why else ""
    return head + comment(source.rstrip("\n"))


def _in_line(text: str) -> str:
    return " ".join(pytext.comment(text).replace("#", " ").split())
