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
from gemini_magic.convert import pytext, python_genai, python_openai
from gemini_magic.convert.context import Context
from gemini_magic.convert.library import Import
from gemini_magic.convert.names import Names
from gemini_magic.convert.plan import Given, Plan
from gemini_magic.convert.pytext import OWN, call, literal
from gemini_magic.convert.static import Static
from gemini_magic.convert.steps import Prompt
from gemini_magic.errors import GeminiMagicError
from gemini_magic.template import Placeholder, Segment, placeholders

_TABLES = ("csv", "markdown", "md")


class Asking:
    """What all prompts of a script need together: clients, histories, schemas, helpers."""

    def __init__(self, target: str, context: Context, names: Names, static: Static) -> None:
        self.static = static
        self.helpers: set[str] = set()
        self.imports: set[Import] = set()
        self.dependencies: set[str] = set()
        self.clients: dict[tuple[str, str], tuple[str, str]] = {}
        self.histories: dict[tuple[str, str], tuple[str, str]] = {}
        self.constants: list[tuple[str, str]] = []
        self.key_names: set[str] = set()
        #: IPython's display, where the notebook has it from nowhere else.
        self.display_names = {"display"} - set(names.bound)
        self._target = target
        self._context = context
        self._names = names
        self._taken = names.taken()

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
        plans = planning.plans(prompt, self._context, self.static, self._names, note)
        written = [self._asked(plan, cell_id, note) for plan in plans]
        if prompt.cell.get("compare") is None:
            return written[0]
        rows = "".join(f"{pytext.INDENT}{pytext.indented_more(one)},\n" for one in written)
        return f"[\n{rows}]"

    def function(self, prompt: Prompt, cell_id: str, note: Callable[[str, str], None]) -> str:
        """The definition that ``--def`` makes."""
        cell = prompt.cell
        rest = {name: value for name, value in cell.options if name != "def"}
        asked = Prompt(GeminiCell.of(cell.template, rest), prompt.used)
        given = ", ".join(self._parameters(cell))
        body = self.expression(asked, cell_id, note)
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
        wire = "gemini" if self._speaks_gemini(plan.backend) else "openai"
        schema = self._schema(plan)
        declared = {use.name: self._declared(use.expression) for use in plan.uses if not use.tool}
        more: list[str] = []
        if wire == "gemini":
            settings = python_genai.settings(plan, schema, declared, note)
            empty = f"{OWN}types.GenerateContentConfig()"
            self.dependencies.add(python_genai.DEPENDENCY)
        else:
            self._check_images(plan, note)
            made = python_openai.written(plan, schema, declared, note)
            settings, empty = made.settings, "{}"
            more += [f"instructions={made.instructions}"] if made.instructions else []
            self.dependencies.add(python_openai.DEPENDENCY)
        helper = f"ask_{wire}"
        arguments = [
            self._client(plan.backend, wire, note),
            literal(plan.model),
            self._prompt(plan),
        ]
        if plan.uses:
            helper += "_with_functions"
            arguments += [settings or empty, self._functions(plan)]
            more += [f"hops={plan.hops}"] if plan.hops != 8 else []
        elif settings:
            arguments.append(settings)
        if settings and wire == "gemini":
            self.imports.add(python_genai.TYPES)
        if chat := plan.cell.text("chat"):
            more.append(f"history={self._history(chat, wire, note)}")
        if plan.cell.flag("quiet"):
            more.append("quiet=True")
        self.helpers.add(helper)
        return self._finished(plan, call(OWN + helper, [*arguments, *more]), cell_id)

    def _speaks_gemini(self, backend: Backend) -> bool:
        return self._target == "python-genai" and backend.kind == "google"

    def _check_images(self, plan: Plan, note: Callable[[str, str], None]) -> None:
        from gemini_magic.backends import openai_images

        if openai_images.draws(plan.model, python_openai.dialect(plan.backend)):
            note("differs", f"{plan.model} is asked in a chat, not with images.generate")

    def _finished(self, plan: Plan, asked: str, cell_id: str) -> str:
        """The call, and around it what is done with its answer."""
        makes = plan.request.settings.modalities or catalog.makes(plan.model)
        if set(makes) - {"text"}:
            folder = (plan.cell.text("save") or "outputs").rstrip("/")
            self.helpers.add("saved")
            asked = call(f"{OWN}saved", [asked, literal(f"{folder}/cell_{cell_id}")])
        if plan.request.schema is not None:
            self.helpers.add("parsed")
            self.dependencies.add("pydantic>=2")
            more = [plan.schema] if plan.schema else []
            asked = call(f"{OWN}parsed", [asked, *more, *(["unwrap=True"] if plan.unwrap else [])])
        return asked

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
                note("differs", "the embedded model needs a server of its own: llama-server")
            elif wire == "openai" and backend.kind == "google":
                note("differs", f"{backend.name} is asked at Gemini's OpenAI-compatible address")
        return self.clients[place][0]

    def _key(self, backend: Backend) -> str:
        """The expression of a backend's key, which is in the environment."""
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
            kind = python_genai.HISTORY if wire == "gemini" else python_openai.HISTORY
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
        return f"{OWN}json_schema({expression})"

    def _schema(self, plan: Plan) -> str:
        if plan.request.schema is None:
            return ""
        if not plan.schema_known:
            return self._declared(plan.schema) if plan.schema else ""
        name = self.name(planning.schema_name(plan))
        self.constants.append((name, pytext.value(planning.schema_of(plan))))
        return name

    # --- its words ---

    def _prompt(self, plan: Plan) -> str:
        texts = [one for one in plan.segments if isinstance(one, Placeholder)]
        given = [self._given(one) for one in plan.given]
        if all(self._is_text(one) for one in texts):
            words = pytext.text_expression(plan.segments)
            return _listed([*given, words] if plan.segments else given) if given else words
        values: list[str] = []
        run: list[Segment] = []
        for segment in (*plan.segments, None):
            if isinstance(segment, str) or (segment is not None and self._is_text(segment)):
                run.append(segment)
                continue
            values += [pytext.text_expression(run)] if run else []
            run = []
            if segment is not None:
                values.append(self._value(segment))
        self.helpers.add("prompt_of")
        words = call(f"{OWN}prompt_of", values)
        return _listed([*given, f"*{words}"]) if given else words

    def _is_text(self, found: Placeholder) -> bool:
        if found.conversion or (found.spec and found.spec not in _TABLES):
            return True
        return self._names.is_text(found.expression)

    def _value(self, found: Placeholder) -> str:
        if not found.spec:
            return found.expression
        self.helpers.add("table_text")
        return f"{OWN}table_text({found.expression}, {literal(found.spec)})"

    def _given(self, given: Given) -> str:
        if given.kind == "expression":
            self.helpers.add("titled")
            return f"*{OWN}titled({given.text}, {literal(given.text)})"
        if given.kind == "address":
            self.helpers.add("fetched")
            return f"{OWN}fetched({literal(given.text)})"
        if given.kind == "uri":
            self.helpers.add("Media")
            return f"{OWN}Media({literal(given.mime_type)}, uri={literal(given.text)})"
        self.helpers.add("file_of")
        kind = [literal(given.mime_type)] if given.mime_type else []
        return call(f"{OWN}file_of", [literal(given.text), *kind])


def _listed(values: list[str]) -> str:
    """The expression of a list."""
    return f"[{call('', values)[1:-1]}]"


def problem_of(error: GeminiMagicError) -> str:
    """What a prompt's error says, for a comment."""
    return error.what.replace("; nothing was sent.", "").rstrip(".")
