"""What a notebook's cells ask, for programs that cannot run Python.

Each cell becomes comments, constants and asks. With ``--freeze`` an ask is the request that was
sent; without it, what only Python knows of a prompt is a ``Slot`` that the program fills.
"""

from __future__ import annotations

import ast

from gemini_magic import catalog
from gemini_magic.config import Backend
from gemini_magic.convert import plan as planning
from gemini_magic.convert.context import Context
from gemini_magic.convert.foreign_code import asks_now, at_top, globals_of, is_lost
from gemini_magic.convert.foreign_files import parts_of
from gemini_magic.convert.foreign_steps import Ask, Comment, Constant, Item, Piece, Program
from gemini_magic.convert.foreign_values import Slot, Values
from gemini_magic.convert.frozen import Frozen, frozen
from gemini_magic.convert.names import Names
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.convert.options import Options
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.reading import Places, read
from gemini_magic.convert.static import Static
from gemini_magic.convert.steps import (
    Broken,
    Code,
    Embedded,
    Note,
    Nothing,
    Prompt,
    Text,
    problem_of,
)
from gemini_magic.errors import GeminiMagicError
from gemini_magic.template import Placeholder, Segment
from gemini_magic.types import Message, Part, Request, digest

#: What Python does when it runs is what these programs cannot do.
_UNKNOWN = {
    "is made when the script runs": "is not known without Python: any JSON object is asked for",
    "is described when the script runs": "is declared without its parameters",
}


def program(notebook: Notebook, context: Context, options: Options) -> Program:
    """What the notebook does, as far as it is no Python; the notes say what is missing."""
    reading = read(notebook, context.transform, context.magic)
    notes = list(reading.notes)
    if options.params or options.retry:
        notes.append(Note("", "left-out", "--params and --retry are for Python scripts"))
    codes = [step.what for step in reading.steps if isinstance(step.what, Code)]
    fickle = {name for code in codes for name in globals_of(code)}
    names = Names(reading)
    writer = _Writer(context, names, Values(names.used, fickle), options, notes)
    steps = iter(reading.steps)
    step = next(steps, None)
    for cell in notebook.cells:
        if step is not None and step.id == cell.id and _is_read(cell):
            writer.add(cell, step.what)
            step = next(steps, None)
    return writer.program()


def _is_read(cell: Cell) -> bool:
    """Whether reading makes a step of it."""
    return cell.kind != "code" or bool(cell.source.strip()) or bool(cell.tags)


class _Writer:
    def __init__(
        self, context: Context, names: Names, values: Values, options: Options, notes: list[Note]
    ) -> None:
        self._context = context
        self._names = names
        self._options = options
        self._static = Static()
        self._values = values
        self._notes = notes
        self._pieces: list[list[Item]] = []
        self._markers: list[str] = []
        self._cell = ""
        #: Where the answer is that ``_`` stands for: its piece, and its place in it.
        self._last: tuple[int, int] | None = None

    def program(self) -> Program:
        asks = [one for items in self._pieces for one in items if isinstance(one, Ask)]
        used = {slot.name for ask in asks for slot in ask.slots if slot.kind == "constant"}
        pieces = [
            Piece(
                marker,
                tuple(one for one in items if not isinstance(one, Constant) or one.name in used),
            )
            for marker, items in zip(self._markers, self._pieces, strict=True)
        ]
        return Program(tuple(pieces), tuple(dict.fromkeys(self._notes)))

    def _note(self, kind: str, text: str) -> None:
        for said, instead in _UNKNOWN.items():
            text = text.partition(said)[0] + instead if said in text else text
        self._notes.append(Note(self._cell, kind, text))

    def add(self, cell: Cell, what: Code | Text | Broken) -> None:
        self._cell = cell.id
        self._markers.append("[markdown]" if isinstance(what, Text) else f"[{cell.id}]")
        items: list[Item] = []
        self._pieces.append(items)
        if isinstance(what, Text):
            items.append(Comment(what.source))
        elif isinstance(what, Broken):
            items.append(Comment(f"Left out: {what.why}\n{what.source}"))
        else:
            self._code(cell, what, items)

    # --- a cell of code ---

    def _code(self, cell: Cell, code: Code, items: list[Item]) -> None:
        self._static.add(code)
        begin = len(self._notes)
        recorded = self._recorded(cell, code)
        told = self._told(begin)
        alone = len(code.embedded) == 1 == len(code.tree.body) and bool(code.prompts)
        if not (alone and (recorded or at_top(code, code.embedded[0]))):
            whys = [one.meaning.why for one in code.embedded
                    if isinstance(one.meaning, Nothing) and one.meaning.why]  # fmt: skip
            items.append(Comment("\n".join([*(f"Left out: {why}" for why in whys), cell.source])))
        self._values.add(code)
        for prompt in code.prompts:
            for option in ("out", "def"):
                self._values.forget(prompt.cell.text(option) or "")
        known = [Constant(name, value) for name, value in self._values.constants(code)]
        items += known
        if is_lost(code, {one.name for one in known}):
            self._note("left-out", "Python code is kept as a comment")
        items += told
        if recorded:
            items += recorded
        else:
            for one in code.embedded:
                if isinstance(one.meaning, Prompt):
                    self._live(one.meaning, one, code, cell, items)
        self._remember(code, items)

    def _told(self, begin: int) -> list[Item]:
        """The notes from here on, as a comment."""
        told = dict.fromkeys(f"Note: {note.text}" for note in self._notes[begin:])
        return [Comment("\n".join(told))] if told else []

    def _remember(self, code: Code, items: list[Item]) -> None:
        """Keep in mind which answer ``_`` is from here on."""
        last = code.tree.body[-1] if code.tree.body else None
        shown = isinstance(last, ast.Expr) and any(
            one.statement and Places(code.source).span(last) == one.span for one in code.embedded
        )
        if shown and items and isinstance(ask := items[-1], Ask):
            name = ask.name or f"answer of {self._cell}"
            self._last = len(self._pieces) - 1, len(items) - 1
            self._values.last = name
        elif code.shown is not None:
            self._last, self._values.last = None, ""

    # --- as it was sent ---

    def _recorded(self, cell: Cell, code: Code) -> list[Ask]:
        if not self._options.freeze:
            return []

        def missing(why: str) -> None:
            self._note("differs", f"not frozen: {why}")

        found = frozen(cell, self._context.runs, missing)
        prompts = {digest(one.cell.template): one for one in code.prompts}
        asks: list[Ask] = []
        for one in found:
            try:
                backend = self._context.config.backend(one.target.backend)
            except GeminiMagicError as problem:
                missing(problem.what)
                continue
            prompt = prompts.get(one.template)
            if prompt is None and code.prompts:
                self._note("differs", "the cell was changed after it ran: this is what it sent")
                prompt = code.prompts[0] if len(code.prompts) == 1 else None
            asks.append(self._frozen(one, backend, prompt))
        if len(asks) == 1 and len(code.prompts) == 1:
            asks[0] = asks[0]._replace(name=self._bound(code, code.embedded[0]))
        if asks and any(one.cell.get("repair") is not None for one in code.prompts):
            self._note(
                "left-out", "--repair is the notebook's own: its first question is not asked"
            )
        if code.prompts and not cell.asked and any(map(asks_now, code.prompts)):
            missing("the notebook holds no output of it (--quiet, or it was not run)")
        return asks

    def _frozen(self, one: Frozen, backend: Backend, prompt: Prompt | None) -> Ask:
        cell = prompt.cell if prompt else None
        hops = cell.get("max-hops") if cell else None
        calls = [part.call for message in one.exchanged for part in message.parts if part.call]
        results = [part.result for message in one.exchanged for part in message.parts
                   if part.result]  # fmt: skip
        return Ask(
            backend, one.target.model, one.request,
            chat=(cell.text("chat") or "") if cell else "",
            whole=True,
            results=tuple(zip(calls, results, strict=False)),
            hops=hops if isinstance(hops, int) else 8,
            save=self._save(cell.text("save") if cell else None, one.request, one.target.model),
        )  # fmt: skip

    # --- as it stands ---

    def _live(
        self, prompt: Prompt, one: Embedded, code: Code, cell: Cell, items: list[Item]
    ) -> None:
        if not asks_now(prompt):
            source = cell.source
            if prompt.cell.text("def") is not None:
                self._note("left-out", "--def makes a Python function")
                source = f"Left out: --def makes a Python function\n{source}"
            items.append(Comment(source))
            return
        if not at_top(code, one):
            self._note("left-out", "a prompt within Python code (--freeze sends what it sent)")
            return
        begin = len(self._notes)
        try:
            plans = planning.plans(prompt, self._context, self._static, self._names, self._note)
            asks = [self._planned(plan) for plan in plans]
        except GeminiMagicError as problem:
            why = problem_of(problem)
            self._note("broken", why)
            items.append(Comment(f"Left out: {why}\n{prompt.cell.to_source()}"))
            return
        if len(asks) == 1:
            asks = [asks[0]._replace(name=self._bound(code, one))]
        items += [*self._told(begin), *asks]

    def _planned(self, plan: Plan) -> Ask:
        slots: list[Slot] = []
        literals = [one for one in (*plan.segments, *(plan.system or ())) if isinstance(one, str)]
        mark = "\ue000"
        while any(mark in text for text in literals):
            mark += "\ue000"

        def filled(segments: tuple[Segment, ...]) -> str:
            return "".join(
                self._text(one, mark, slots) if isinstance(one, Placeholder) else one
                for one in segments
            )

        text = filled(plan.segments)
        parts = [part for given in plan.given
                 for part in parts_of(given, self._context, self._note)]  # fmt: skip
        parts += [Part(text=text)] if text or not parts else []
        for option in planning.OWN_WORK:
            if plan.cell.get(option) is not None:
                self._note("left-out", f"--{option} is the notebook's own")
        for use in plan.uses:
            self._note("left-out", f"{use.name} is a Python function: write it in this language")
        request = Request(
            (Message("user", tuple(parts)),),
            None if plan.system is None else filled(plan.system),
            plan.request.settings, plan.request.schema, plan.request.tools, plan.request.services,
        )  # fmt: skip
        cell = plan.cell
        return Ask(
            plan.backend, plan.model, request, mark, tuple(slots),
            chat=cell.text("chat") or "",
            hops=plan.hops,
            quiet=cell.flag("quiet"),
            save=self._save(cell.text("save"), request, plan.model),
        )  # fmt: skip

    def _text(self, found: Placeholder, mark: str, slots: list[Slot]) -> str:
        value = self._values.of(found)
        if isinstance(value, str):
            return value
        if value.kind == "given":
            self._note("differs", f"{found.source} is taken from the environment")
        if value.kind == "reply" and found.expression.startswith("_") and self._last:
            piece, place = self._last
            ask = self._pieces[piece][place]
            assert isinstance(ask, Ask)
            self._pieces[piece][place] = ask._replace(name=value.name)
        slots.append(value)
        return f"{mark}{len(slots) - 1}{mark}"

    def _save(self, folder: str | None, request: Request, model: str) -> str:
        """Where pictures and sounds go: the beginning of their files' names."""
        makes = request.settings.modalities or catalog.makes(model)
        if not set(makes) - {"text"}:
            return ""
        return f"{(folder or 'outputs').rstrip('/')}/cell_{self._cell}"

    def _bound(self, code: Code, one: Embedded) -> str:
        """What the answer of a cell's only prompt is called; it is known by it from now on."""
        prompt = one.meaning
        name = (prompt.cell.text("out") or "") if isinstance(prompt, Prompt) else ""
        node = at_top(code, one)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        if name:
            self._values.answer(name)
        return name
