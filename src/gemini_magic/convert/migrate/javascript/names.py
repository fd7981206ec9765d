"""Imports of the old SDK, and the names that come with them."""

from __future__ import annotations

import re
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript import old_sdk
from gemini_magic.convert.migrate.javascript.imports import NEW, OLD, Import, renamed
from gemini_magic.convert.migrate.javascript.job import Job
from gemini_magic.convert.migrate.javascript.scopes import Binding
from gemini_magic.convert.migrate.javascript.services import quoted
from gemini_magic.convert.migrate.source import Span


class Name(NamedTuple):
    """A name that is imported: as what, and as what it will be; ``first`` to ``last`` are the
    tokens of its entry in the braces ``opened``."""

    imported: str
    local: str
    binding: Binding | None
    first: int
    last: int
    opened: int


def rewrite(job: Job) -> None:
    taken: dict[str, str] = {}  # new exports that are imported, and their local names
    for one in job.imports:
        _specifier(job, one)
        names = [*_names(job, one)]
        if one.star < 0 and one.how in ("import", "export", "require", "dynamic"):
            _entries(job, one, names, taken)
    _members(job)
    installs(job, OLD, NEW)


def installs(job: Job, old: str, new: str) -> None:
    """``npm install`` in comments: what a program needs is another package now."""
    text = job.code.text
    for found in re.finditer(rf"\b(?:npm|pnpm|yarn|bun) (?:i|install|add)\b[^\n]*?({old})\b", text):
        if job.code.is_trivia(found.start()):
            job.replace(Span(*found.span(1)), new)


def _specifier(job: Job, one: Import) -> None:
    code = job.code
    token = code.tokens[one.spec]
    quote = code.text[token.start]
    job.replace(code.span(one.spec), f"{quote}{renamed(token.value, NEW)}{quote}")
    if one.how == "export":
        job.assisted(one.first, "export", "what this hands on has other names in @google/genai")
    else:
        job.done(one.first, "import")


def _names(job: Job, one: Import) -> list[Name]:
    """What an import binds: in a statement's braces, or in a pattern that takes it apart."""
    scopes = job.scopes
    if one.how in ("import", "export"):
        return [
            Name(name.imported, name.local, scopes.resolve(name.at) if one.how == "import" else
                 None, name.first, name.last, one.opened)
            for name in one.names
        ]  # fmt: skip
    found = []
    for several in scopes.bindings.values():
        for binding in several:
            if binding.how == "value" and len(binding.path) == 1 and binding.value >= 0:
                end = job.code.end(binding.value)
                if binding.value <= one.first and end >= one.last and binding.pattern >= 0:
                    kind = job.kinds.names.base(binding)
                    if kind is None or kind.tag != "module":
                        continue
                    for entry in job.code.entries(binding.pattern):
                        if entry.value <= binding.at <= entry.last:
                            found.append(Name(entry.key, binding.name, binding, entry.first,
                                              entry.last, binding.pattern))  # fmt: skip
    return sorted(found, key=lambda name: name.first)


def _entries(job: Job, one: Import, names: list[Name], taken: dict[str, str]) -> None:
    removed: list[Name] = []
    for name in names:
        if not _entry(job, one, name, taken):
            removed.append(name)
    if not removed:
        return
    opened = removed[0].opened
    if len(removed) == len(list(job.code.pieces(opened))):
        _drop(job, one, opened)
        return
    for name in removed:
        _cut(job, name)


def _entry(job: Job, one: Import, name: Name, taken: dict[str, str]) -> bool:
    """Rename one name and all that means it; False where its entry has to go."""
    code = job.code
    imported = name.imported
    if imported in old_sdk.TEXTS:
        _texts(job, name)
        return False
    written = old_sdk.WRITTEN.get(imported)
    target = written[0] if written else old_sdk.RENAMED.get(imported, imported)
    if target == imported and imported not in old_sdk.SAME and imported != "default":
        job.assisted(name.first, "name", f"@google/genai has no {imported}")
        return True
    if imported in old_sdk.GONE:
        job.assisted(name.first, "errors", f"there is no {imported} any more: ApiError is for what "
                     "the service refuses; a blocked answer is one without text")  # fmt: skip
    if imported in old_sdk.REVALUED:
        job.assisted(name.first, "name", f"the values of {imported} are in capitals now")
    if one.how == "export":
        if target != imported:
            text = f"{target} as {name.local}" if not written else imported
            job.replace(code.span(name.first, name.last), text)
        return True
    known = taken.get(target)
    aliased = name.local != imported
    local = known or (name.local if aliased else target)
    other = job.scopes.bindings.get(local, [])
    clash = known is None and local != name.local and (
        local in job.scopes.names and (bool(other) or local in _GLOBALS)
    )  # fmt: skip
    if clash:
        local = name.local
    taken.setdefault(target, local)
    if written:
        carried = ""
        if job.travelling and imported == "GenerativeModel":
            own = "GoogleGenerativeAI" in job.scopes.bindings
            carried = (
                " & { ai: " + (taken.get("GoogleGenAI", "GoogleGenAI") if own else "any") + " }"
            )
        _types(job, name, written[1].format(local) + carried)
    elif local != name.local and name.binding is not None:
        references(job, name.binding, local)
    if known is not None:
        return False
    joint = " as " if one.how == "import" else ": "
    text = target if local == target else f"{target}{joint}{local}"
    if target not in old_sdk.VALUES and not one.is_type and name.first == name.last:
        if not job.typed:  # a class that is a type now: nothing of it is there when it runs
            job.assisted(name.first, "name", f"{imported} is no class any more")
            return False
        text = f"type {text}"
    begin = name.first
    if one.how == "import" and code.name(begin) == "type" and name.last > begin:
        begin += 1
    if code.code(begin, name.last) != text:
        job.replace(code.span(begin, name.last), text)
    return True


#: Names that every program has.
_GLOBALS = frozenset({"Blob", "File"})


def references(job: Job, binding: Binding, name: str) -> None:
    """Rename what a name is used as; not where it is bound."""
    code = job.code
    for at in job.scopes.references(binding):
        if at == binding.at:
            continue
        opened = code.parent[at]
        short = code.sign(opened) == "{" and code.sign(at - 1) in ("{", ",") and code.sign(
            at + 1
        ) in (",", "}")  # fmt: skip
        if short and code.name(opened - 1) == "export":
            job.replace(code.span(at), f"{name} as {binding.name}")
        elif short:
            job.replace(code.span(at), f"{binding.name}: {name}")
        elif code.sign(at + 1) != "=" or code.sign(at - 1) != ".":
            job.rename(at, name)


def _types(job: Job, name: Name, text: str) -> None:
    if name.binding is None:
        return
    for at in job.scopes.references(name.binding):
        if at != name.binding.at:
            job.rename(at, text)


def _texts(job: Job, name: Name) -> None:
    """Members of an enumeration are texts now."""
    code = job.code
    if name.binding is None:
        return
    for at in job.scopes.references(name.binding):
        if at == name.binding.at:
            continue
        member = code.name(at + 2) if code.sign(at + 1) == "." else ""
        if member in old_sdk.TEXTS[name.imported]:
            job.replace(code.span(at, at + 2), quoted(member))
        else:
            job.assisted(at, "name", f"{name.imported} is a text now")
            if code.sign(at + 1) != "[":
                job.rename(at, "string")


def _members(job: Job) -> None:
    """``sdk.GoogleGenerativeAI`` where the whole module has a name."""
    code = job.code
    for chain in job.chains:
        kinds = job.kinds.trace(chain)
        for kind, step in zip(kinds, chain.steps, strict=False):
            if kind is None or kind.tag != "module" or step.kind != "name":
                continue
            name = step.name
            after = code.sign(step.last + 1)
            if name in old_sdk.TEXTS and after == "." and code.name(step.last + 2):
                span = Span(code.tokens[chain.first].start, code.tokens[step.last + 2].end)
                job.replace(span, quoted(code.name(step.last + 2)))
            elif name in old_sdk.RENAMED:
                job.rename(step.last, old_sdk.RENAMED[name])
            elif name not in old_sdk.SAME and name != "default":
                job.left(chain.first, "name", f"@google/genai has no {name}")


def _cut(job: Job, name: Name) -> None:
    """Take an entry out of its braces, with its comma."""
    code = job.code
    first, last = code.tokens[name.first], code.tokens[name.last]
    if code.sign(name.last + 1) == ",":
        end = code.tokens[name.last + 2].start
        if code.sign(name.last + 2) == "}" and not code.breaks(name.last + 2):
            end = code.tokens[name.last + 1].end
        job.replace(Span(first.start, end))
    elif code.sign(name.first - 1) == ",":
        job.replace(Span(code.tokens[name.first - 1].start, last.end))
    else:
        job.replace(Span(first.start, last.end))


def _drop(job: Job, one: Import, opened: int) -> None:
    """An import that brings nothing more goes, with its line."""
    code = job.code
    first, last = one.first, one.last
    if one.how != "import":
        first = opened - 1
        last = code.end(opened + 0)
        last = last + 1 if code.sign(last + 1) == ";" else last
        if code.name(first) not in ("const", "let", "var"):
            return
    elif one.star >= 0:
        return
    start, end = code.tokens[first].start, code.tokens[last].end
    line = code.line_start(start)
    if code.text[line:start].strip() == "" and code.text[end : end + 2] == "\r\n":
        start, end = line, end + 2
    elif code.text[line:start].strip() == "" and code.text[end : end + 1] == "\n":
        start, end = line, end + 1
    job.replace(Span(start, end))
