"""Writes prompts as Python expressions: who is asked, with what, and what becomes of the answer."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator

from gemini_magic import catalog
from gemini_magic.cell import GeminiCell
from gemini_magic.config import Backend
from gemini_magic.convert import plan as planning
from gemini_magic.convert import pytext, python_genai, python_images, python_openai
from gemini_magic.convert.context import Context
from gemini_magic.convert.library import Import
from gemini_magic.convert.names import Names, placeholder_names
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.pytext import OWN, call, literal
from gemini_magic.convert.python_frozen import Recorded
from gemini_magic.convert.python_words import Words
from gemini_magic.convert.static import Static
from gemini_magic.convert.steps import Prompt
from gemini_magic.template import Placeholder, placeholders


class Asking:
    """What all prompts of a script need together: clients, histories, schemas, helpers."""

    def __init__(self, target: str, context: Context, names: Names, static: Static) -> None:
        #: The requests of the cell at hand, where those that were sent are to be sent again.
        self.recorded: Recorded | None = None
        #: Characters that a line has for the call of a prompt.
        self.room = pytext.LINE
        self._plans_at_hand: list[Plan] = []
        #: Whether an answer is the last one, which is called ``_``.
        self.answered = False
        #: What is written beside the script, by its name.
        self.files: dict[str, bytes] = {}
        self.static = static
        self.helpers: set[str] = set()
        self.imports: set[Import] = set()
        self.dependencies: set[str] = set()
        self.clients: dict[tuple[str, str], tuple[str, str]] = {}
        self.histories: dict[tuple[str, str], tuple[str, str]] = {}
        self.constants: list[tuple[str, str]] = []
        #: What the script does before it makes its clients, which want a key.
        self.first: list[str] = []
        self.key_names: set[str] = set()
        #: What is imported from ``__future__``.
        self.futures: set[str] = set()
        self.bound = names.bound
        #: IPython's display, where the notebook has it from nowhere else.
        self.display_names = {"display"} - set(names.bound)
        self._target = target
        self._context = context
        self._names = names
        self._taken = names.taken()
        self._words = Words(names, self.helpers, self.files)

    def name(self, wish: str) -> str:
        """A name that nobody has, as near to the wish as can be; it is taken from now on."""
        plain = re.sub(r"\W", "_", wish)
        plain = f"_{plain}" if not plain or plain[0].isdigit() else plain
        made, number = plain, 1
        while made in self._taken:
            number += 1
            made = f"{plain}_{number}"
        self._taken.add(made)
        return made

    def expression(self, prompt: Prompt, cell_id: str, note: Callable[[str, str], None]) -> str:
        """The expression whose value is what the prompt's is; several lines, not indented.

        Raises ``GeminiMagicError`` where nobody can be asked.
        """
        self.constants.clear()
        plans = self._plans(prompt, note)
        written = [self._asked(plan, cell_id, note) for plan in plans]
        if prompt.cell.get("compare") is None:
            return written[0]
        rows = "".join(f"{pytext.INDENT}{pytext.indented_more(one)},\n" for one in written)
        return f"[\n{rows}]"

    def _plans(self, prompt: Prompt, note: Callable[[str, str], None]) -> list[Plan]:
        told: list[tuple[str, str]] = []

        def tell(kind: str, text: str) -> None:
            told.append((kind, text))

        plans = planning.plans(prompt, self._context, self.static, self._names, tell)
        if "_" in placeholder_names(prompt.cell) - set(self.bound) and not self.answered:
            tell("undefined", "{{ _ }}: no cell above it asks")
        known = None if self.recorded is None else self.recorded.plans(prompt, plans)
        for kind, text in told:
            if known is None or not (kind == "undefined" or "when the script runs" in text):
                note(kind, text)
        self._plans_at_hand = plans if known is None else known
        return self._plans_at_hand

    def function(self, prompt: Prompt, cell_id: str, note: Callable[[str, str], None]) -> str:
        """The definition that ``--def`` makes."""
        cell = prompt.cell
        rest = {name: value for name, value in cell.options if name != "def"}
        asked = Prompt(GeminiCell.of(cell.template, rest), prompt.used)
        given = ", ".join(self._parameters(cell))
        self.room = pytext.LINE - len("    return ")

        def tell(kind: str, text: str) -> None:
            if kind != "undefined":  # it is a parameter
                note(kind, text)

        body = self.expression(asked, cell_id, tell)
        self.helpers.add("Reply")
        return f"def {cell.text('def')}({given}):\n    return {pytext.indented_more(body)}"

    def _parameters(self, cell: GeminiCell) -> Iterator[str]:
        """The names in placeholders; what exists already is its own default, and comes last."""
        if cell.flag("raw"):
            return
        found = [*placeholders(cell.template), *placeholders(cell.text("system") or "")]
        names = dict.fromkeys(name for one in found for name in self._subjects(one))
        yield from (name for name in names if name not in self._names.bound)
        yield from (f"{name}={name}" for name in names if name in self._names.bound)

    def _subjects(self, found: Placeholder) -> Iterator[str]:
        tree = ast.parse(found.expression, mode="eval")
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        called = {node.func.id for node in ast.walk(tree)
                  if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
        own = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        free = dict.fromkeys(node.id for node in nodes if node.id not in own)
        alone = found.expression == found.name
        subjects = [
            one for one in free if alone or not (one in called or hasattr(builtins, one))
        ]  # fmt: skip
        yield from subjects[:1]
        yield from (one for one in subjects[1:] if one not in self._names.bound)

    # --- one call ---

    def _asked(self, plan: Plan, cell_id: str, note: Callable[[str, str], None]) -> str:
        if not self._speaks_gemini(plan.backend) and python_images.draws(plan):
            return self._finished(plan, self._drawn(plan, note), cell_id)
        wire = "gemini" if self._speaks_gemini(plan.backend) else "openai"
        schema = self._schema(plan)
        declared = {use.name: self._declared(use.expression) for use in plan.uses if not use.tool}
        more: list[str] = []
        if wire == "gemini":
            settings = python_genai.settings(plan, schema, declared, note)
            empty = f"{OWN}types.GenerateContentConfig()"
            self.dependencies.add(python_genai.DEPENDENCY)
        else:
            made = python_openai.written(plan, schema, declared, note)
            settings, empty = made.settings, "{}"
            more += [f"instructions={made.instructions}"] if made.instructions else []
            self.dependencies.add(python_openai.DEPENDENCY)
        helper = f"ask_{wire}"
        arguments = [
            self._client(plan.backend, wire, note),
            literal(plan.model),
            self._words.of(plan),
        ]
        if plan.uses:
            helper += "_with_functions"
            arguments += [settings or empty, self._functions(plan)]
            more += [f"hops={plan.hops}"] if plan.hops != 8 else []
            if (seconds := plan.cell.get("tool-timeout")) is not None:
                more.append(f"seconds={seconds}")
        elif settings:
            arguments.append(settings)
        if settings and wire == "gemini":
            self.imports.add(python_genai.TYPES)
        chat = plan.cell.text("chat")
        history = self._history(chat, wire, note) if chat else ""
        more += ["quiet=True"] if plan.cell.flag("quiet") else []
        self.helpers.add(helper)
        if plan.cell.flag("repair") and plan.schema:
            again = [*arguments[:2], "prompt", *arguments[3:], "history=history", *more]
            return self._repaired(plan, call(OWN + helper, again), arguments[2], history)
        more += [f"history={history}"] if history else []
        alone = plan.request.schema is None and not self._makes_media(plan)
        room = self.room if alone and len(self._plans_at_hand) == 1 else pytext.NESTED
        asked = call(OWN + helper, [*arguments, *more], room)
        return self._finished(plan, asked, cell_id)

    def _repaired(self, plan: Plan, ask: str, prompt: str, history: str) -> str:
        self.helpers.add("repaired")
        self.dependencies.add("pydantic>=2")
        words = [f"lambda prompt, history: {ask}", prompt, self._modern(plan.schema)]
        return call(f"{OWN}repaired", [*words, *([history] if history else [])])

    def _drawn(self, plan: Plan, note: Callable[[str, str], None]) -> str:
        """The call of the interface for pictures."""
        settings, instructions = python_images.written(plan, note)
        self.dependencies.add(python_openai.DEPENDENCY)
        self.helpers.add("draw_openai")
        arguments = [
            self._client(plan.backend, "openai", note), literal(plan.model), self._words.of(plan)
        ]  # fmt: skip
        arguments += [settings] if settings else []
        arguments += [f"instructions={instructions}"] if instructions else []
        if chat := plan.cell.text("chat"):
            arguments.append(f"history={self._history(chat, 'pictures', note)}")
        return call(f"{OWN}draw_openai", arguments)

    def _speaks_gemini(self, backend: Backend) -> bool:
        return self._target == "python-genai" and backend.kind == "google"

    def _finished(self, plan: Plan, asked: str, cell_id: str) -> str:
        """The call, and around it what is done with its answer."""
        if self._makes_media(plan):
            folder = (plan.cell.text("save") or "outputs").rstrip("/")
            self.helpers.add("saved")
            asked = call(f"{OWN}saved", [asked, literal(f"{folder}/cell_{cell_id}")])
        if plan.request.schema is not None:
            self.helpers.add("parsed")
            self.dependencies.add("pydantic>=2")
            more = [self._modern(plan.schema)] if plan.schema else []
            asked = call(f"{OWN}parsed", [asked, *more, *(["unwrap=True"] if plan.unwrap else [])])
        return asked

    @staticmethod
    def _makes_media(plan: Plan) -> bool:
        makes = plan.request.settings.modalities or catalog.makes(plan.model)
        return bool(set(makes) - {"text"})

    def _modern(self, expression: str) -> str:
        if not self.static.imports("typing.TypedDict"):
            return expression
        self.helpers.add("modern")
        return f"{OWN}modern({expression})"

    def _client(self, backend: Backend, wire: str, note: Callable[[str, str], None]) -> str:
        place = (backend.name, wire)
        if place not in self.clients:
            key = self._key(backend)
            make = python_genai.client if wire == "gemini" else python_openai.client
            made, imports = make(backend, key)
            self.imports |= imports
            name = self.name("client" if not self.clients else f"{backend.name}_client")
            self.clients[place] = (name, made)
            if backend.kind == "local":
                note(
                    "differs", "the embedded model needs a server: llama-server, at LOCAL_BASE_URL"
                )
            elif wire == "openai" and backend.kind == "google":
                note("differs", f"{backend.name} is asked at Gemini's OpenAI-compatible address")
        return self.clients[place][0]

    def _key(self, backend: Backend) -> str:
        """The expression of a backend's key, which is in the environment."""
        if backend.kind == "local":
            self.imports.add(Import("os"))
            self.key_names.add("LOCAL_API_KEY")
            return f"{OWN}os.environ.get({literal('LOCAL_API_KEY')}, {literal('no-key')})"
        if not backend.key_env:
            return literal("no-key")
        self.key_names.update(backend.key_env)
        self.imports.add(Import("os"))
        *others, last = backend.key_env
        found = [f"{OWN}os.environ.get({literal(one)})" for one in others]
        return " or ".join([*found, f"{OWN}os.environ[{literal(last)}]"])

    def _history(self, chat: str, wire: str, note: Callable[[str, str], None]) -> str:
        if (chat, wire) not in self.histories:
            if any(one == chat for one, _ in self.histories):
                note("differs", f"the chat {chat!r} goes over two wires: each has its own history")
            kinds = {"gemini": python_genai.HISTORY, "openai": python_openai.HISTORY}
            kind = kinds.get(wire, f"list[{OWN}Media]")
            self.imports |= {python_genai.TYPES} if wire == "gemini" else set()
            self.helpers |= {"Message"} if wire == "openai" else set()
            self.histories[chat, wire] = (self.name(f"{chat}_history"), kind)
        return self.histories[chat, wire][0]

    def _functions(self, plan: Plan) -> str:
        rows = ", ".join(f"{literal(use.name)}: {use.expression}" for use in plan.uses)
        return f"{{{rows}}}"

    def _declared(self, expression: str) -> str:
        self.helpers.add("json_schema")
        self.dependencies.add("pydantic>=2")
        return f"{OWN}json_schema({self._modern(expression)})"

    def _schema(self, plan: Plan) -> str:
        if plan.request.schema is None:
            return ""
        if not plan.schema_known:
            return self._declared(plan.schema) if plan.schema else ""
        name = self.name(planning.schema_name(plan))
        self.constants.append((name, pytext.value(planning.schema_of(plan))))
        return name
