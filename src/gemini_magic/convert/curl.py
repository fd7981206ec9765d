"""Writes a notebook as a shell script: bash, curl and jq."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gemini_magic.config import Backend
from gemini_magic.convert import foreign_wire, node_text, pytext, python_openai
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

#: Names that mean something to bash, curl, jq or the script itself.
_RESERVED = frozenset(
    {"work", "here", "url", "header", "filter", "status", "history", "before", "results", "hops",
     "hop", "quiet", "number", "type", "data", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
     "and", "or", "not", "if", "then", "else", "elif", "end", "def", "as", "reduce", "foreach",
     "try", "catch", "label", "import", "include", "__loc__", "_", "path"}
)  # fmt: skip
_WIDTH = 100
_START = """set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT"""


def export(notebook: Notebook, context: Context, options: Options) -> Exported:
    """The script that asks what a notebook asks. Raises as ``targets.export``."""
    made = program(notebook, context, options)
    writer = _Writer(list(made.notes), chats(made.asks))
    body = [writer.piece(piece.marker, piece.items) for piece in made.pieces]
    text = writer.text(notebook, body)
    refuse_keys(notebook, text, foreign_wire.key_names(made.asks))
    return Exported(text, tuple(writer.notes), tuple(sorted(writer.files.items())))


class _Writer:
    def __init__(self, notes: list[Note], going_on: set[str]) -> None:
        self.notes = notes
        self.files: dict[str, bytes] = {}
        self._chats = going_on
        self._cell = ""
        self._names = Taken(_RESERVED)
        self._clients: list[str] = []
        self._services: dict[str, tuple[str, str]] = {}
        self._givens: dict[str, str] = {}
        self._inputs: dict[str, None] = {}
        self._helpers: set[str] = set()

    def piece(self, marker: str, items: tuple[Item, ...]) -> str:
        self._cell = marker.strip("[]") if marker != "[markdown]" else ""
        rows = [f"# %% {marker}"]
        for item in items:
            if isinstance(item, Comment):
                rows.append(pytext.comment(item.text.rstrip("\n")))
            elif isinstance(item, Constant):
                rows.append(f"{self._variable(item.name)}={shlex.quote(str(item.value))}")
            else:
                rows.append(self._asked(item))
        return "\n".join(rows)

    def _variable(self, name: str) -> str:
        """What a variable is called: in lower case, as those that mean something are not."""
        return self._names.of("variable", name, name.lower())

    # --- a prompt ---

    def _asked(self, ask: Ask) -> str:
        gemini = foreign_wire.speaks_gemini(ask.backend, "curl")
        told: list[str] = []

        def note(kind: str, text: str) -> None:
            found = Note(self._cell, kind, text)
            if found not in self.notes:
                self.notes.append(found)
            told.append(pytext.comment(f"Note: {text}"))

        try:
            sent = foreign_wire.sent(ask, gemini, note)
        except GeminiMagicError as problem:
            why = problem_of(problem)
            note("left-out", why)
            said = [pytext.comment(f"Left out: {why}\n{ask.request.prompt}")]
            if ask.name:
                said.append(f'printf "" > "$work/{self._variable(ask.name)}.txt"')
            return "\n".join(said)
        self.files |= dict(sent.files)
        chat = ask.chat if ask.chat in self._chats else ""
        address, header = self._service(ask.backend, gemini, note)
        rows = list(dict.fromkeys(told))
        if sent.draws:
            return "\n".join([*rows, *self._drawn(ask, sent, address, header)])
        words = [self._address(address, ask.model, gemini), header]
        if gemini:
            body = foreign_wire.gemini_body(sent)
            body["contents"] = [*sent.before, *sent.messages]
        else:
            keeps = bool(chat) and not ask.whole
            first = [] if keeps else sent.before
            body = {"model": ask.model, "messages": [*first, *sent.messages], **sent.settings}
            body |= {"stream": True, "stream_options": {"include_usage": True}}
            if keeps and sent.before:
                rows.append(self._written(sent.before, sent, '> "$work/before"'))
        words += self._options(ask, sent, chat, gemini, rows)
        helper = "ask_gemini" if gemini else "ask_openai"
        self._helpers.add(helper)
        rows.append(self._written(body, sent, " ".join([helper, *words])))
        if ask.name:
            rows.append(f'cp "$work/text" "$work/{self._variable(ask.name)}.txt"')
        if ask.save:
            self._helpers.add("save")
            rows.append(f"save {shlex.quote(ask.save)}")
        return "\n".join(rows)

    def _drawn(self, ask: Ask, sent: Sent, address: str, header: str) -> list[str]:
        what = "edits" if sent.originals else "generations"
        words = [
            shlex.quote(word)
            for one in sent.originals
            for word in (one.file, _form_name(one.name), one.type)
        ]
        self._helpers |= {"draw_openai", "save"}
        self._inputs |= dict.fromkeys(one.file for one in sent.originals)
        command = ["draw_openai", f'"{address}/images/{what}"', header, *words]
        rows = [self._written(sent.settings, sent, " ".join(command))]
        rows.append(f"save {shlex.quote(ask.save or f'outputs/cell_{self._cell}')}")
        if ask.name:
            rows.append(f'cp "$work/text" "$work/{self._variable(ask.name)}.txt"')
        return rows

    def _options(self, ask: Ask, sent: Sent, chat: str, gemini: bool, rows: list[str]) -> list[str]:
        words: list[str] = []
        if chat:
            kind = "gemini" if gemini else "openai"
            place = f'"$work/{self._names.of(kind, chat)}.chat"'
            if ask.whole:
                rows.append(f"rm -f {place} # all of it was recorded")
            words.append(f"--history {place}")
        if ask.request.tools:
            table = _shown(json.dumps(sent.results or [], ensure_ascii=False))
            rows.append(f"cat > \"$work/results\" <<'EOF'\n{table}\nEOF")
            words.append('--results "$work/results"')
            if ask.hops != 8:
                words.append(f"--hops {ask.hops}")
        return [*words, *(["--quiet"] if ask.quiet else [])]

    def _written(self, value: Any, sent: Sent, command: str) -> str:
        """A command that is fed with JSON, in which jq fills the slots."""
        text = json.dumps(value, ensure_ascii=False, indent=2)
        pieces = node_text.split(text, sent.mark) if sent.slots else [text]
        if pieces == [text]:
            reader = f"cat {command}" if command.startswith(">") else command
            return f"{reader} <<'EOF'\n{_shown(text)}\nEOF"
        given: dict[str, str] = {}
        written = "".join(
            _shown(one) if isinstance(one, str) else f"\\(${self._slot(sent.slots[one], given)})"
            for one in pieces
        )
        pipe = command if command.startswith(">") else f"| {command}"
        words = ["jq -n", *given.values(), "-f /dev/fd/3 3<<'EOF'", pipe]
        line = " ".join(words)
        if len(line) > _WIDTH:
            line = " \\\n  ".join(words)
        return f"{line}\n{written}\nEOF"

    def _slot(self, slot: Slot, given: dict[str, str]) -> str:
        """The name of jq's variable for a slot; ``given`` takes how it gets there."""
        if slot.kind == "file":
            self._helpers.add("input_file")
            self._inputs[slot.name] = None
            name = self._names.of("file", slot.name)
            given[name] = f"--rawfile {name} <(input_file {shlex.quote(slot.name)})"
        elif slot.kind == "given":
            variable = given_name(slot.name, self._givens)
            name = self._names.of("given", variable, variable.lower())
            given[name] = f'--arg {name} "${variable}"'
        elif slot.kind == "reply":
            name = self._variable(slot.name)
            given[name] = f'--rawfile {name} "$work/{name}.txt"'
        else:
            name = self._variable(slot.name)
            given[name] = f'--arg {name} "${name}"'
        return name

    # --- who is asked ---

    def _service(
        self, backend: Backend, gemini: bool, note: Callable[[str, str], None]
    ) -> tuple[str, str]:
        """The address as it stands in quotes, and the word that gives the header with the key."""
        if backend.kind == "local":
            note("differs", "the embedded model needs a server of its own: llama-server")
        if backend.name not in self._services:
            url = f"{self._names.fresh(f'{backend.name}_url'.lower())}"
            key = f"{self._names.fresh(f'{backend.name}_key'.lower())}"
            self._services[backend.name] = url, key
            self._clients.append(f"{url}={shlex.quote(_url(backend, gemini))}")
            self._clients.append(f"{key}={_key(backend)}")
        url, key = self._services[backend.name]
        kind = "x-goog-api-key: " if gemini and backend.vertex is None else "Authorization: Bearer "
        return f"${url}", f'"{kind}${key}"'

    def _address(self, address: str, model: str, gemini: bool) -> str:
        if not gemini:
            return f'"{address}/chat/completions"'
        path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        return f'"{address}/{quote(path, safe="/:@")}:streamGenerateContent?alt=sse"'

    # --- the whole ---

    def text(self, notebook: Notebook, body: list[str]) -> str:
        head = f"Exported from {' '.join(notebook.name.split())} (curl).\n"
        head += f"sha256: {notebook.digest}\nNeeds bash, curl and jq 1.6 or newer."
        if self._givens:
            self._helpers.add("given")
        if self._inputs:
            self._helpers.add("needs")
        helpers = "\n\n".join(snippets(("ask.sh",), self._helpers))
        first = "\n".join(self._clients)
        there = "\n".join(f"needs {shlex.quote(name)}" for name in self._inputs)
        checks = "\n".join(
            f"given {variable} {shlex.quote(source)}" for source, variable in self._givens.items()
        )
        start = _START
        if self._helpers & {"input_file", "draw_openai"}:
            start += '\nhere=$(cd -- "$(dirname -- "$0")" && pwd)'
        if self._givens:  # they are the environment's, whatever else has a name like theirs
            head += "\nshellcheck disable=SC2153"
        opening = "#!/usr/bin/env bash\n" + pytext.comment(head)
        blocks = [opening, start, first, helpers, there, checks, *body]
        return "\n\n".join(filter(None, blocks)) + "\n"


def _form_name(name: str) -> str:
    """A file's name as curl's forms take it in quotes."""
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _url(backend: Backend, gemini: bool) -> str:
    if not gemini:
        return python_openai.base_url(backend).rstrip("/")
    url = f"{(backend.base_url or '').rstrip('/')}/{backend.api_version or 'v1beta'}"
    if backend.vertex is not None:
        place = backend.vertex
        url += f"/projects/{place.project}/locations/{place.location}/publishers/google"
    return url


def _key(backend: Backend) -> str:
    """The word that gives a key; where there is none, the script ends with its name."""
    if backend.vertex is not None:
        return "$(gcloud auth print-access-token)"
    if not backend.key_env:
        return "no-key"
    *others, last = backend.key_env
    word = f"${{{last}:?is not set}}"
    for name in reversed(others):
        word = f"${{{name}:-{word}}}"
    return word


def _shown(text: str) -> str:
    """JSON with what cannot be seen escaped: it stands in a file that people read."""
    return "".join(
        char if char.isprintable() or char == "\n" else _escaped(ord(char)) for char in text
    )


def _escaped(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
