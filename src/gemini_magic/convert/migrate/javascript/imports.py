"""The modules that a program imports: statements, ``require``, ``import()``, names and aliases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gemini_magic.convert.migrate.javascript.code import Code
from gemini_magic.convert.migrate.javascript.scopes import Scopes

OLD = "@google/generative-ai"
NEW = "@google/genai"
OPENAI = "openai"
#: The versions that the new code is written for.
VERSIONS = {NEW: "^3.1.0", OPENAI: "^7.57.0"}


class Specifier(NamedTuple):
    """``imported as local`` of an import, with its tokens; ``at`` is the one that binds."""

    imported: str
    local: str
    first: int
    last: int
    at: int
    word: str = ""  # "type"


class Import(NamedTuple):
    """A statement or a call that names a module.

    ``how`` is "import", "require", "dynamic" or "export"; tokens ``first`` to ``last`` are all of
    it, ``spec`` is the text. ``opened`` is the brace of its names, -1 where it has none; ``star``
    is the token of a name for the whole module.
    """

    how: str
    package: str
    sub: str
    spec: int
    first: int
    last: int
    opened: int = -1
    names: tuple[Specifier, ...] = ()
    star: int = -1
    is_type: bool = False


_SPEC = re.compile(
    r"(?:^|(?<=[/:]))(@google/generative-ai|@google/genai)(?:@[^/\"'`]*)?(/[\w./+-]*)?(?=$|[?])"
)


def package_of(spec: str) -> tuple[str, str]:
    """The SDK that a module's name or address means, and what of it: ("", "") for none."""
    found = _SPEC.search(spec)
    return (found[1], (found[2] or "").strip("/")) if found else ("", "")


def renamed(spec: str, package: str) -> str:
    """The name or address of another package, with a version where there was one or an address."""
    versioned = "@google/generative-ai@" in spec or "@google/genai@" in spec
    name = (
        f"{package}@{VERSIONS[package]}" if versioned or "://" in spec or ":" in spec else package
    )
    made = re.sub(r"@google/(?:generative-ai|genai)(?:@[^/\"'`]*)?", lambda _: name, spec, count=1)
    if package_of(spec)[1].startswith(("server", "web", "node", "dist")):
        made = re.sub(r"(?<=[\d.\w])/(?:server|web|node|dist)[\w./-]*", "", made)
    return made


def find(code: Code, scopes: Scopes, packages: Callable[[str], bool]) -> list[Import]:
    """The imports of these packages; the names of import statements are bound in ``scopes``."""
    found = []
    for at, token in enumerate(code.tokens):
        if token.kind != "text" or "@google/gen" not in token.value:
            continue
        package, sub = package_of(token.value)
        if package and packages(package) and (made := at_spec(code, at, package, sub)) is not None:
            found.append(made)
    for one in found:
        if one.how == "import":
            for name in _locals(one):
                scopes.bind_import(name, one.spec)
    return found


def _locals(one: Import) -> Iterator[int]:
    yield from (name.at for name in one.names)
    if one.star >= 0:
        yield one.star


def at_spec(code: Code, spec: int, package: str, sub: str) -> Import | None:
    """The import that names a module by this text; None where it is no import."""
    if code.sign(spec - 1) == "(" and code.sign(spec + 1) in (")", ","):
        word = code.name(spec - 2)
        if word not in ("require", "import") or code.is_member(spec - 2):
            return None
        if word == "require" and code.sign(spec - 3) == "=" and code.name(spec - 5) == "import":
            return Import("import", package, sub, spec, spec - 5, _last(code, spec + 1),
                          star=spec - 4)  # fmt: skip
        how = "require" if word == "require" else "dynamic"
        return Import(how, package, sub, spec, spec - 2, spec + 1)
    if code.name(spec - 1) == "import":  # for what it does alone
        return Import("import", package, sub, spec, spec - 1, _last(code, spec))
    if code.name(spec - 1) != "from":
        return None
    at = spec - 2
    while at >= 0 and code.name(at) not in ("import", "export"):
        at = code.pair[at] - 1 if code.sign(at) == "}" else at - 1
        if code.sign(at) in (";", "=", ")"):
            return None
    if at < 0:
        return None
    how = code.name(at)
    is_type = code.name(at + 1) == "type" and code.name(at + 2) != "from"
    place = at + (2 if is_type else 1)
    opened, star, names = -1, -1, []
    while place < spec - 1:
        if code.sign(place) == "{":
            opened = place
            names = list(_specifiers(code, place))
            place = code.pair[place]
        elif code.name(place) and code.name(place) != "as":
            star = place
        place += 1
    return Import(how, package, sub, spec, at, _last(code, spec), opened, tuple(names), star,
                  is_type)  # fmt: skip


def _last(code: Code, at: int) -> int:
    return at + 1 if code.sign(at + 1) == ";" else at


def _specifiers(code: Code, opened: int) -> Iterator[Specifier]:
    for first, last in code.pieces(opened):
        begin, word = first, ""
        if code.name(first) == "type" and last > first and code.name(first + 1) != "as":
            begin, word = first + 1, "type"
        yield Specifier(str(code.tokens[begin].value), str(code.tokens[last].value), first, last,
                        last, word)  # fmt: skip
