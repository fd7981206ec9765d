"""Takes out of ``helpers`` what a script uses: its text, what that needs, and what it imports."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import NamedTuple

_OURS = "gemini_magic.convert.helpers."
#: In the order in which a script has them.
_MODULES = ("common", "retry", "genai", "openai")
#: Where a helper's request leaves it: a line that says whom to ask, and so can say "again", too.
_ASKS = re.compile(r"^( +ask(?:: Any)? = )(client\.[\w.]+)$", re.M)


#: How a line of a helper ends that is there for one field of an answer.
_OPTIONAL = re.compile(r"  # if (\w+)$", re.M)


class Import(NamedTuple):
    """``import module``, or ``from module import name``; ``alias`` is what it is called here."""

    module: str
    name: str = ""
    alias: str = ""

    @property
    def origin(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module

    @property
    def known_as(self) -> str:
        return self.alias or self.name or self.module.partition(".")[0]


class Helper(NamedTuple):
    """One definition: its text, the names of helpers that it uses, and its imports."""

    name: str
    source: str
    uses: frozenset[str]
    imports: frozenset[Import]


@functools.cache
def helpers() -> Mapping[str, Helper]:
    """All helpers by name, in the order in which they have to stand."""
    found: dict[str, Helper] = {}
    folder = Path(__file__).parent / "helpers"
    for module in _MODULES:
        source = (folder / f"{module}.py").read_text("utf-8")
        tree = ast.parse(source)
        imports = {one.known_as: one for one in _imports(tree)}
        own = {name for node in tree.body for name in _defined(node)}
        for node in tree.body:
            for name in _defined(node):
                used = _loaded(node) - {name}
                shared = {
                    one for one in used & set(imports) if imports[one].module.startswith(_OURS)
                }
                taken = {imports[one] for one in used & set(imports) - shared}
                text = _text(source, node)
                found[name] = Helper(name, text, frozenset(used & own | shared), frozenset(taken))
    return found


def lean(helper: Helper, wanted: Set[str]) -> Helper:
    """The helper without what is there for fields and properties of answers that nobody reads."""
    tree = ast.parse(helper.source)
    unread = [
        range(one.lineno - 3, one.end_lineno or 0)  # from the empty line above the decorator
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for one in node.body
        if isinstance(one, ast.FunctionDef) and _is_property(one) and one.name not in wanted
    ]
    if not unread and not _OPTIONAL.search(helper.source):
        return helper
    lines = [
        _OPTIONAL.sub("", line)
        for number, line in enumerate(helper.source.split("\n"))
        if not any(number in lines for lines in unread)
        and (not (found := _OPTIONAL.search(line)) or found[1] in wanted)
    ]
    source = "\n".join(lines)
    left = _loaded(ast.parse(source))
    imports = frozenset(one for one in helper.imports if one.known_as in left)
    return Helper(helper.name, source, helper.uses & left, imports)


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)


def _loaded(tree: ast.AST) -> set[str]:
    """The names that are read; a field of a class may be called as a function is."""
    names = (one for one in ast.walk(tree) if isinstance(one, ast.Name))
    return {one.id for one in names if isinstance(one.ctx, ast.Load)}


def asking_again(found: Iterable[Helper], wanted: Set[str]) -> list[Helper]:
    """These helpers, and what they need, with each request asked again where that can help."""
    changed: dict[str, Helper] = {}
    for helper in found:
        asks = _ASKS.findall(helper.source)
        again = "again" if any(".images." in whom for _, whom in asks) else "retried"
        source = _ASKS.sub(rf"\1{again}(\2)", helper.source)
        uses = helper.uses | ({again} if asks else set())
        changed[helper.name] = helper._replace(source=source, uses=uses)
    names = {name for helper in changed.values() for name in helper.uses | {helper.name}}
    needed = closure(names, wanted)
    return [changed.get(helper.name, helper) for helper in needed]


def closure(names: Iterable[str], wanted: Set[str] = frozenset()) -> list[Helper]:
    """These helpers and all that they use, in the order in which they have to stand.

    ``wanted`` are the fields and properties of answers that the notebook reads, beside those that
    all have; what helpers read of an answer is added.
    """
    read = set(wanted)
    while True:
        needed = _reached(names, read)
        more = {attr for helper in needed for attr in _read_of_answers(helper.source)} - read
        if not more:
            return needed
        read |= more


def _reached(names: Iterable[str], read: Set[str]) -> list[Helper]:
    todo, needed = list(names), set[str]()
    while todo:
        if (name := todo.pop()) not in needed:
            needed.add(name)
            todo += lean(helpers()[name], read).uses
    return [lean(helper, read) for name, helper in helpers().items() if name in needed]


def _read_of_answers(source: str) -> set[str]:
    return {
        one.attr
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and one.value.id in ("reply", "self")
    }


def renamed(source: str, names: Mapping[str, str]) -> str:
    """Definitions in which some global names are others; attributes keep theirs."""
    if not names:
        return source
    from gemini_magic.convert.pytext import edited
    from gemini_magic.convert.reading import Places

    changes = []
    at = Places(source)
    tree = ast.parse(source)
    fields = {
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for one in node.body
        if isinstance(one, ast.AnnAssign | ast.Assign)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and node not in fields:
            changes.append((at.span(node), names[node.id]))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            start = source.index(node.name, at.span(node)[0] + 4)
            changes.append(((start, start + len(node.name)), names[node.name]))
    return edited(source, changes)


def import_block(imports: Iterable[Import]) -> str:
    """Import statements as isort and ruff want them: standard library first, then the others."""
    blocks: list[str] = []
    wanted = set(imports)
    for standard in (True, False):
        rows = [one for one in wanted if (_top(one) in sys.stdlib_module_names) is standard]
        lines = sorted(
            f"import {one.module}" + (f" as {one.alias}" if one.alias else "")
            for one in rows
            if not one.name
        )
        for module in sorted({one.module for one in rows if one.name}):
            names = sorted((one for one in rows if one.module == module and one.name), key=_order)
            together = [one.name for one in names if not one.alias]
            done = False
            for one in names:  # isort keeps those with an alias apart
                if one.alias:
                    lines.append(f"from {module} import {one.name} as {one.alias}")
                elif not done:
                    done = True
                    lines.append(_from(module, together))
        if lines:
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 88:
        return line
    return f"from {module} import (\n    " + ",\n    ".join(names) + ",\n)"


def _top(one: Import) -> str:
    return one.module.partition(".")[0]


def _order(one: Import) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    kind = 0 if one.name.isupper() and len(one.name) > 1 else 1 if one.name[0].isupper() else 2
    return kind, one.name


def _imports(tree: ast.Module) -> Iterable[Import]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            for one in node.names:
                yield Import(one.name, "", one.asname or "")
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for one in node.names:
                yield Import(node.module or "", one.name, one.asname or "")


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _text(source: str, node: ast.stmt) -> str:
    """A definition with its decorators and the comments right above it."""
    lines = source.split("\n")
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(one.lineno for one in decorators)]) - 1
    while start and lines[start - 1].startswith("#"):
        start -= 1
    text = "\n".join(lines[start : node.end_lineno])
    return text.replace("  # noqa: N802", "").replace("  # noqa: N801", "").replace("#: ", "# ")
