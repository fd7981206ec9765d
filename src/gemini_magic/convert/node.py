"""Writes a notebook as a Node program: an ES module that needs one SDK for each wire it speaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gemini_magic.config import Backend
from gemini_magic.convert import foreign_wire, node_text, python_openai
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported, refuse_keys
from gemini_magic.convert.foreign import program
from gemini_magic.convert.foreign_steps import Ask, Comment, Constant, Item, chats
from gemini_magic.convert.foreign_values import Slot
from gemini_magic.convert.foreign_wire import Sent
from gemini_magic.convert.names_abroad import Taken, given_name
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.options import Options
from gemini_magic.convert.snippets import snippets
from gemini_magic.convert.steps import Note, problem_of
from gemini_magic.errors import GeminiMagicError

#: The packages of the two SDKs; both need Node 22.
_PACKAGES = {
    "askGemini": "@google/genai@^3.1",
    "askOpenAI": "openai@^7.57",
    "drawOpenAI": "openai@^7.57",
}
_FROM_NODE = {
    "readFileSync": "node:fs",
    "writeFileSync": "node:fs",
    "mkdirSync": "node:fs",
    "dirname": "node:path",
    "isDeepStrictEqual": "node:util",
}
_FILES = ("common.mjs", "genai.mjs", "openai.mjs")


def export(notebook: Notebook, context: Context, target: str, options: Options) -> Exported:
    """The module that asks what a notebook asks. Raises as ``targets.export``."""
    made = program(notebook, context, options)
    writer = _Writer(target, list(made.notes), chats(made.asks))
    body = [writer.piece(piece.marker, piece.items) for piece in made.pieces]
    text = writer.text(notebook, target, body)
    refuse_keys(notebook, text, foreign_wire.key_names(made.asks))
    return Exported(text, tuple(writer.notes), tuple(sorted(writer.files.items())))


class _Writer:
    def __init__(self, target: str, notes: list[Note], chats: set[str]) -> None:
        self.notes = notes
        self.files: dict[str, bytes] = {}
        self._target = target
        self._chats = chats
        self._cell = ""
        self._names = Taken(node_text.TAKEN)
        self._declared: set[str] = set()
        self._clients: dict[tuple[str, bool], tuple[str, str]] = {}
        self._histories: dict[tuple[str, bool], str] = {}
        self._givens: dict[str, str] = {}
        self._helpers: set[str] = set()

    def _note(self, kind: str, text: str) -> None:
        note = Note(self._cell, kind, text)
        if note not in self.notes:
            self.notes.append(note)

    def piece(self, marker: str, items: tuple[Item, ...]) -> str:
        self._cell = marker.strip("[]") if marker != "[markdown]" else ""
        rows = [f"// %% {marker}"]
        for item in items:
            if isinstance(item, Comment):
                rows.append(node_text.comment(item.text.rstrip("\n")))
            elif isinstance(item, Constant):
                rows.append(f"{self._variable(item.name)} = {node_text.value(item.value)};")
            else:
                rows.append(self._asked(item))
        return "\n".join(rows)

    def _variable(self, name: str) -> str:
        """A variable of the notebook's, declared where it is assigned first."""
        known = self._names.of("variable", name)
        if known in self._declared:
            return known
        self._declared.add(known)
        return f"let {known}"

    # --- a prompt ---

    def _asked(self, ask: Ask) -> str:
        gemini = foreign_wire.speaks_gemini(ask.backend, self._target)
        told: list[str] = []

        def note(kind: str, text: str) -> None:
            self._note(kind, text)
            told.append(node_text.comment(f"Note: {text}"))

        try:
            sent = foreign_wire.sent(ask, gemini, note)
        except GeminiMagicError as problem:
            why = problem_of(problem)
            self._note("left-out", why)
            said = [node_text.comment(f"Left out: {why}\n{ask.request.prompt}")]
            if ask.name:
                said.append(f'{self._variable(ask.name)} = {{ text: "", media: [] }};')
            return "\n".join(said)
        self.files |= dict(sent.files)
        if sent.draws:
            return "\n".join([*dict.fromkeys(told), *self._drawn(ask, sent, note)])
        chat = ask.chat if ask.chat in self._chats else ""
        helper = "askGemini" if gemini else "askOpenAI"
        self._helpers.add(helper)
        keeps = bool(chat) and not ask.whole
        messages = sent.messages if keeps else [*sent.before, *sent.messages]
        more = self._options(ask, sent, gemini, chat)
        client = self._client(ask.backend, gemini, note)
        arguments: list[Callable[[str], str]] = [
            lambda _: client,
            lambda _: node_text.text(ask.model),
            lambda indent: self._value(messages, sent, indent),
        ]
        if sent.settings or more:
            arguments.append(lambda indent: self._value(sent.settings, sent, indent))
        if more:
            arguments.append(lambda indent: self._object(more, indent))
        call = f"await {node_text.call(helper, arguments)}"
        rows = list(dict.fromkeys(told))
        if ask.whole and chat:
            rows.append(f"{self._history(chat, gemini)}.length = 0; // as it was recorded")
        return "\n".join([*rows, *self._kept(ask, call)])

    def _drawn(self, ask: Ask, sent: Sent, note: Callable[[str, str], None]) -> list[str]:
        client = self._client(ask.backend, False, note)
        arguments: list[Callable[[str], str]] = [
            lambda _: client,
            lambda indent: self._value(sent.settings, sent, indent),
        ]
        if sent.originals:
            originals = [one._asdict() for one in sent.originals]
            arguments.append(lambda indent: node_text.value(originals, indent=indent))
        self._helpers.add("drawOpenAI")
        saving = ask if ask.save else ask._replace(save=f"outputs/cell_{self._cell}")
        return self._kept(saving, f"await {node_text.call('drawOpenAI', arguments)}")

    def _kept(self, ask: Ask, call: str) -> list[str]:
        """The call, and what is done with its answer."""
        parses = ask.request.schema is not None and ask.name
        if not (ask.name or ask.save):
            return [f"{call};"]
        variable = self._variable(ask.name or f"answer of {self._cell}")
        name = variable.removeprefix("let ")
        rows = [f"{variable} = {call};"]
        if parses:
            self._helpers.add("parsed")
            rows.append(f"{name}.parsed = parsed({name});")
        if ask.save:
            self._helpers.add("save")
            rows.append(f"save({node_text.text(ask.save)}, {name}.media);")
        return rows

    def _options(
        self, ask: Ask, sent: Sent, gemini: bool, chat: str
    ) -> dict[str, Callable[[str], str]]:
        more: dict[str, Callable[[str], str]] = {}
        if chat and not ask.whole and sent.before:
            more["instructions"] = lambda indent: self._value(sent.before, sent, indent)
        if chat:
            history = self._history(chat, gemini)
            more["history"] = lambda _: history
        if ask.request.tools:
            self._helpers.add("recorded")
            table = sent.results or []
            more["call"] = lambda indent: f"recorded({node_text.value(table, indent=indent)})"
            if ask.hops != 8:
                more["hops"] = lambda _: str(ask.hops)
        if ask.quiet:
            more["quiet"] = lambda _: "true"
        return more

    def _object(self, fields: dict[str, Callable[[str], str]], indent: str) -> str:
        flat = ", ".join(f"{name}: {one('')}" for name, one in fields.items())
        if len(flat) + len(indent) <= 90 and "\n" not in flat:
            return f"{{ {flat} }}"
        inner = indent + node_text.INDENT
        rows = "".join(f"{inner}{name}: {one(inner)},\n" for name, one in fields.items())
        return f"{{\n{rows}{indent}}}"

    def _value(self, value: Any, sent: Sent, indent: str) -> str:
        def slot(number: int) -> str:
            return self._slot(sent.slots[number])

        return node_text.value(value, sent.mark, slot if sent.slots else None, indent)

    def _slot(self, slot: Slot) -> str:
        if slot.kind == "file":
            self._helpers.add("inputFile")
            return f"inputFile({node_text.text(slot.name)})"
        if slot.kind == "given":
            return self._given(given_name(slot.name, self._givens))
        name = self._names.of("variable", slot.name)
        return name if slot.kind == "constant" else f"{name}.text"

    def _given(self, name: str) -> str:
        return self._names.of("given", name, name.lower())

    def _history(self, chat: str, gemini: bool) -> str:
        place = (chat, gemini)
        if place not in self._histories:
            if any(one == chat for one, _ in self._histories):
                self._note("differs", f"the chat {chat!r} goes over two wires: two histories")
            self._histories[place] = self._names.fresh(f"{chat}History")
        return self._histories[place]

    def _client(self, backend: Backend, gemini: bool, note: Any) -> str:
        place = (backend.name, gemini)
        if place not in self._clients:
            name = "client" if not self._clients else self._names.fresh(f"{backend.name}Client")
            made = self._gemini_client(backend) if gemini else self._openai_client(backend)
            self._clients[place] = (name, made)
            if backend.kind == "local":
                note("differs", "the embedded model needs a server of its own: llama-server")
            elif backend.kind == "google" and not gemini:
                note("differs", f"{backend.name} is asked at Gemini's OpenAI-compatible address")
        return self._clients[place][0]

    def _gemini_client(self, backend: Backend) -> str:
        options = {
            "baseUrl": backend.base_url or "",
            "apiVersion": backend.api_version or "v1beta",
        }
        if backend.vertex is not None:
            who = (
                f"enterprise: true, project: {node_text.text(backend.vertex.project)}, "
                f"location: {node_text.text(backend.vertex.location)}"
            )
        else:
            who = f"apiKey: {self._key(backend)}"
        return f"new GoogleGenAI({{\n  {who},\n  httpOptions: {node_text.value(options)},\n}})"

    def _openai_client(self, backend: Backend) -> str:
        url = node_text.text(python_openai.base_url(backend))
        return f"new OpenAI({{ apiKey: {self._key(backend)}, baseURL: {url}, maxRetries: 0 }})"

    def _key(self, backend: Backend) -> str:
        if not backend.key_env:
            return '"no-key"'
        self._helpers.add("key")
        return f"key({', '.join(map(node_text.text, backend.key_env))})"

    # --- the whole ---

    def text(self, notebook: Notebook, target: str, body: list[str]) -> str:
        if self._givens:
            self._helpers.add("given")
        helpers = "\n\n".join(snippets(_FILES, self._helpers))
        needed = dict.fromkeys(
            package for name, package in _PACKAGES.items() if name in self._helpers
        )
        head = f"Exported from {' '.join(notebook.name.split())} ({target}).\nsha256: "
        head += f"{notebook.digest}\n"
        head += f"Needs Node 22 or newer: npm install {' '.join(needed)}" if needed else ""
        imports = self._imports(helpers)
        first = (
            [f"const {name} = {made};" for name, made in self._clients.values()]
            + [
                f"const {self._given(name)} = "
                f"given({node_text.text(name)}, {node_text.text(source)});"
                for source, name in self._givens.items()
            ]
            + [f"const {name} = [];" for name in self._histories.values()]
        )
        blocks = [node_text.comment(head.rstrip("\n")), imports, "\n".join(first), helpers, *body]
        return "\n\n".join(filter(None, blocks)) + "\n"

    def _imports(self, helpers: str) -> str:
        found: dict[str, list[str]] = {}
        for name, module in _FROM_NODE.items():
            if re.search(rf"\b{name}\(", helpers):
                found.setdefault(module, []).append(name)
        rows = [
            f"import {{ {', '.join(sorted(names))} }} from {node_text.text(module)};"
            for module, names in found.items()
        ]
        if "askGemini" in self._helpers:
            rows.append('import { GoogleGenAI } from "@google/genai";')
        if "drawOpenAI" in self._helpers:
            rows.append('import OpenAI, { toFile } from "openai";')
        elif "askOpenAI" in self._helpers:
            rows.append('import OpenAI from "openai";')
        return "\n".join(rows)
