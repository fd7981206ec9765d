"""Imports and clients of @google/genai, and the names that come with it."""

from __future__ import annotations

import re
from pathlib import Path

from gemini_magic.convert.migrate.javascript import manifest
from gemini_magic.convert.migrate.javascript.code import Chain
from gemini_magic.convert.migrate.javascript.imports import NEW, OPENAI, Import, renamed
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.names import installs
from gemini_magic.convert.migrate.javascript.services import quoted
from gemini_magic.convert.migrate.source import Part, Span
from gemini_magic.convert.migrate.to_openai.target import GOOGLE

_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*\Z")
#: Functions of the SDK that make values, as those values.
_MADE = {
    "createPartFromText": ("{ text: ", " }"),
    "createPartFromBase64": ("{ inlineData: { data: ", ", mimeType: ", " } }"),
    "createUserContent": ('{ role: "user", parts: [', "].flat() }"),
    "createModelContent": ('{ role: "model", parts: [', "].flat() }"),
}
#: Types whose values are what the service gives now.
_TYPES = {"GoogleGenAI": "{}", "GenerateContentResponse": "{}.Chat.ChatCompletion"}


def rewrite(job: Job) -> None:
    name = _own_name(job)
    for chain in job.chains:
        if job.kinds.before(chain) == "new":
            _client(job, chain)
    first = True
    for one in job.imports:
        _import(job, one, name, first=first)
        first = first and one.how == "export"
    _members(job, name)
    installs(job, NEW, OPENAI)


def _own_name(job: Job) -> str:
    """How OpenAI's client is called in the program."""
    return job.scopes.free("OpenAI", "OpenAIClient")


def _import(job: Job, one: Import, name: str, *, first: bool) -> None:
    code = job.code
    token = code.tokens[one.spec]
    quote = code.text[token.start]
    spec = f"{quote}{renamed(token.value, OPENAI)}{quote}"
    if one.how == "export":
        job.left(one.first, "export", "what this hands on has no equal in openai")
        return
    if one.how == "import" and one.star < 0:
        for specifier in one.names:
            _used(job, specifier.imported, specifier.at, name)
        if first and not one.is_type:
            end = ";" if code.sign(one.last) == ";" else ""
            text = f"import {name} from {spec}{end}"
            start = code.tokens[one.first].start
            job.replace(Span(start, code.tokens[one.last].end), text)
        else:
            _drop(job, one.first, one.last)
    else:
        job.replace(code.span(one.spec), spec)
        _taken_apart(job, one, name)
    job.done(one.first, "import")


def _taken_apart(job: Job, one: Import, name: str) -> None:
    """``const { GoogleGenAI, Type } = require(...)``: only the client is left in the braces."""
    code, scopes = job.code, job.scopes
    patterns: set[int] = set()
    for several in scopes.bindings.values():
        for binding in several:
            if binding.how != "value" or len(binding.path) != 1 or binding.pattern < 0:
                continue
            kind = job.kinds.names.base(binding)
            if kind is not None and kind.tag == "module" and (
                binding.value <= one.first <= code.end(binding.value)
            ):  # fmt: skip
                patterns.add(binding.pattern)
                _used(job, str(binding.path[0]), binding.at, name)
    for opened in patterns:
        text = "{ OpenAI }" if name == "OpenAI" else f"{{ OpenAI: {name} }}"
        job.replace(Span(code.tokens[opened].start, code.tokens[code.pair[opened]].end), text)


def _used(job: Job, imported: str, at: int, name: str) -> None:
    """All that a name of the SDK is used for, as what it is without the SDK."""
    code = job.code
    binding = next(one for several in job.scopes.bindings.values() for one in several
                   if one.at == at)  # fmt: skip
    for use in job.scopes.references(binding):
        if use == at:
            continue
        member = code.name(use + 2) if code.sign(use + 1) == "." else ""
        if imported in _TYPES:
            job.rename(use, _TYPES[imported].format(name))
        elif imported in _MADE and code.sign(use + 1) == "(":
            _value(job, use, imported)
        elif imported == "ApiError":
            job.rename(use, f"{name}.APIError")
        elif _CAPITALS.match(member):
            job.replace(code.span(use, use + 2), quoted(member))
        elif job.typed and not member:
            job.rename(use, "any")
        else:
            job.left(use, "name", f"openai has no {imported}")


def _value(job: Job, use: int, imported: str) -> None:
    code = job.code
    opened = use + 1
    span = Span(code.tokens[use].start, code.tokens[code.pair[opened]].end)
    given = [code.span(*one) for one in code.pieces(opened)]
    words = _MADE[imported]
    parts: list[Part] = [words[0]]
    for number, value in enumerate(given[: len(words) - 1]):
        parts += [value, words[number + 1]]
    job.replace(span, *job.as_value(use, parts))


def _members(job: Job, name: str) -> None:
    """``genai.Type.OBJECT`` and ``genai.GoogleGenAI``, where the whole module has a name."""
    code = job.code
    for chain in job.chains:
        for kind, step in zip(job.kinds.trace(chain), chain.steps, strict=False):
            if kind is None or kind.tag != "module" or step.kind != "name":
                continue
            member = code.name(step.last + 2) if code.sign(step.last + 1) == "." else ""
            if step.name == "GoogleGenAI":
                job.rename(step.last, "OpenAI")
            elif step.name == "ApiError":
                job.rename(step.last, "APIError")
            elif _CAPITALS.match(member):
                span = Span(code.tokens[chain.first].start, code.tokens[step.last + 2].end)
                job.replace(span, quoted(member))
            else:
                job.left(chain.first, "name", f"openai has no {step.name}")


def _client(job: Job, chain: Chain) -> None:
    code = job.code
    kinds = job.kinds.trace(chain)
    for number, step in enumerate(chain.steps):
        if step.kind != "call":
            continue
        made = kinds[number + 1]
        if made is None or made.tag != "client":
            return
        given = code.arguments(step)
        parts = _options(job, chain, given[0] if given else None)
        span = Span(code.tokens[code.pair[step.last]].start, code.tokens[step.last].end)
        job.replace(span, "({ ", *parts, " })")
        if number == 0 and not chain.steps[:0] and code.name(chain.first) and kinds[0] is not None:
            job.done(chain.first, "client")
        return


def _options(job: Job, chain: Chain, given: tuple[int, int] | None) -> list[Part]:
    code = job.code
    key: list[Part] = []
    more: list[Part] = []
    text = ""
    if given is not None and code.is_object(*given):
        for entry in code.entries(given[0]):
            value = code.span(entry.value, entry.last)
            if entry.key == "apiKey":
                key = [value] if entry.kind == "pair" else ["apiKey"]
                text = code.code(entry.value, entry.last)
            elif entry.key == "httpOptions" and code.is_object(entry.value, entry.last):
                more += _http(job, entry.value)
            elif entry.key in ("vertexai", "project", "location", "enterprise"):
                job.assisted(entry.first, "client", f"{entry.key} has no equal: this is another "
                             "service now")  # fmt: skip
            elif entry.kind == "spread":
                job.assisted(entry.first, "client", "look at what is spread here")
    elif given is not None:
        value = code.span(*given)
        key = [value, ".apiKey"]
    if job.options.base_url is not None or job.options.key_env is not None or not key:
        key = [
            environment(
                text if ".env" in text else code.text, job.options.key_env or "OPENAI_API_KEY"
            )
        ]
    made: list[Part] = ["apiKey"] if key == ["apiKey"] else ["apiKey: ", *key]
    made.append(f", baseURL: {quoted(job.options.base_url or GOOGLE)}")
    made += more
    if _in_browser(job):
        made.append(", dangerouslyAllowBrowser: true")
    return made


def _http(job: Job, opened: int) -> list[Part]:
    code = job.code
    made: list[Part] = []
    for entry in code.entries(opened):
        value = code.span(entry.value, entry.last)
        if entry.key == "timeout":
            made += [", timeout: ", value]
        elif entry.key == "headers":
            made += [", defaultHeaders: ", value]
    return made


def environment(old: str, name: str) -> str:
    """The variable of a key, read where the old one was."""
    if "import.meta.env" in old:
        prefix = re.search(r"import\.meta\.env\.(VITE_|PUBLIC_)?", old)
        return f"import.meta.env.{(prefix[1] if prefix else '') or ''}{name}"
    if "Deno.env" in old:
        return f'Deno.env.get("{name}")'
    for word in ("NEXT_PUBLIC_", "REACT_APP_", "EXPO_PUBLIC_"):
        if word in old:
            return f"process.env.{word}{name}"
    return f"process.env.{name}"


def _in_browser(job: Job) -> bool:
    """Whether a program runs in a page, so that its key is in everybody's hands, as it was."""
    code, path = job.code, job.options.path
    if any(token.kind == "jsx" for token in code.tokens) or "import.meta.env" in code.text:
        return True
    if job.page:
        return True
    if path is None or path.name.startswith("server."):
        return False
    for folder in list(path.resolve().parents)[:4]:
        if (folder / manifest.NAME).is_file():
            return manifest.in_page(_text(folder / manifest.NAME))
    return False


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:1_000_000].decode("utf-8", "replace")
    except OSError:
        return ""


def _drop(job: Job, first: int, last: int) -> None:
    """Take a statement out, with its line if it has one of its own."""
    code = job.code
    start, end = code.tokens[first].start, code.tokens[last].end
    line = code.line_start(start)
    rest = re.compile(r"[ \t]*\r?\n").match(code.text, end)
    if rest is not None and not code.text[line:start].strip():
        start, end = line, rest.end()
    job.replace(Span(start, end))
