"""The names of a notebook's code: which are taken, and which certainly hold a text."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from typing import Any

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.convert.reading import Places
from gemini_magic.convert.steps import Code, Reading, Shell, Span

#: Functions and methods that give a text or a number, whatever they are called on.
_TEXT_FUNCTIONS = frozenset(
    {"str", "repr", "ascii", "len", "int", "float", "bool", "round", "abs", "chr", "hex", "oct",
     "bin", "format", "input", "ord", "divmod", "hash", "range"}
)  # fmt: skip
_TEXT_METHODS = frozenset(
    {"join", "format", "upper", "lower", "strip", "lstrip", "rstrip", "title", "capitalize",
     "casefold", "swapcase", "removeprefix", "removesuffix", "read_text", "dumps", "strftime",
     "isoformat", "splitlines", "split", "as_posix", "hexdigest", "center", "ljust", "rjust",
     "zfill", "expandtabs", "to_string", "to_csv", "to_markdown", "getvalue"}
)  # fmt: skip
#: Functions that keep what their arguments are.
_KEEPING = frozenset({"sorted", "list", "tuple", "set", "sum", "min", "max", "reversed",
                      "enumerate", "zip", "dict"})  # fmt: skip
_TEXT_TYPES = frozenset({"str", "int", "float", "bool"})
#: What may be read of an object though no syntax tree tells: in shells, formats and ``getattr``.
_PERHAPS_READ = re.compile(r"\.\s*([^\W\d]\w*)|([\"'])([^\W\d]\w*)\2")


class Names:
    """What the code of a notebook calls by which name."""

    def __init__(self, reading: Reading) -> None:
        self.bound: dict[str, set[str]] = {}
        #: What code reads, and what placeholders do.
        self.used: set[str] = set()
        self.prompted: set[str] = set()
        self.imported: set[str] = set()
        self.attributes: set[str] = set()
        self._perhaps_read: set[str] = set()
        self.replies: set[str] = set()
        self._stars = False
        self._values: dict[str, list[ast.expr | bool]] = {}
        self._asking: set[str] = set()
        self._replies_are_text = True
        self.asks = False
        for step in reading.steps:
            if isinstance(step.what, Code):
                self._look(step.what)

    @property
    def read(self) -> set[str]:
        """All that may be read of an object, and much that is not."""
        return self.attributes | self._perhaps_read

    def taken(self) -> set[str]:
        """All names that code of ours must not use for something else."""
        own = set(self.bound) | self.used | self.prompted
        return own | set(keyword.kwlist) | set(dir(builtins))

    def is_foreign(self, name: str, origin: str) -> bool:
        """Whether the notebook calls something else by this name than what ``origin`` imports."""
        return bool(self.bound.get(name, {origin}) - {origin})

    def is_text(self, expression: str) -> bool:
        """Whether an expression's value is certainly a text, a number, or a list of such."""
        try:
            tree = ast.parse(expression, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return self._is_text(tree, set())

    def is_known(self, name: str) -> bool:
        last = name == "_" and self.asks
        return last or self._stars or name in self.bound or hasattr(builtins, name)

    def _look(self, code: Code) -> None:
        for origin, name in _imports(code.tree):
            self.imported.add(name)
            self._stars |= name == "*"
            self.bound.setdefault(name, set()).add(origin)
        for node in ast.walk(code.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    self.used.add(name)
                case ast.Name(id=name):
                    self.bound.setdefault(name, set()).add("code")
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    self.bound.setdefault(name, set()).add("code")
                    self._values.setdefault(name, []).append(False)
                case ast.ClassDef(name=name):
                    self.bound.setdefault(name, set()).add("code")
                    self._values.setdefault(name, []).append(False)
                case ast.arg(arg=name, annotation=hint):
                    self.bound.setdefault(name, set()).add("code")
                    self._values.setdefault(name, []).append(_is_text_type(hint))
                case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                    self.bound.setdefault(name, set()).add("code")
                    self._values.setdefault(name, []).append(False)
            if isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
            for name, found in _assigned(node):
                if isinstance(found, ast.AST) and _is_reply(found):
                    self.replies.add(name)
                self._values.setdefault(name, []).append(found)
        found_words = _PERHAPS_READ.findall(code.source)
        self._perhaps_read |= {word for row in found_words for word in (row[0], row[2]) if word}
        for embedded in code.embedded:
            if isinstance(embedded.meaning, Shell) and embedded.meaning.out:
                self.bound.setdefault(embedded.meaning.out, set()).add("code")
        for prompt in code.prompts:
            self.asks = True
            if prompt.cell.get("modalities") or "image" in (prompt.cell.text("model") or ""):
                self._replies_are_text = False
            for option in ("out", "def"):
                if made := prompt.cell.text(option):
                    self.bound.setdefault(made, set()).add("code")
                    self._values.setdefault(made, []).append(option == "out")
                    self._asking.add(made)
            self.replies |= {prompt.cell.text("out") or "_"}
            for tree in placeholder_trees(prompt.cell):
                self.prompted |= loaded_names(tree)
                self.attributes |= {
                    node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
                }

    def _is_text(self, node: ast.AST, within: set[str]) -> bool:
        def all_of(nodes: Iterable[Any]) -> bool:
            return all(one is None or self._is_text(one, within) for one in nodes)

        match node:
            case ast.Constant(value=found):
                return isinstance(found, str | int | float | bool)
            case ast.JoinedStr() | ast.Compare():
                return True
            case ast.Name(id=name):
                if name in within:
                    return True  # what else it is assigned decides
                values = self._values.get(name)
                if not values:
                    return False
                if name in self._asking and not self._replies_are_text:
                    return False
                return all(
                    one if isinstance(one, bool) else self._is_text(one, within | {name})
                    for one in values
                )
            case ast.BinOp(left=left, right=right):
                return all_of((left, right))
            case ast.UnaryOp(operand=inner) | ast.Starred(value=inner):
                return self._is_text(inner, within)
            case ast.BoolOp(values=several):
                return all_of(several)
            case ast.IfExp(body=first, orelse=second):
                return all_of((first, second))
            case ast.List(elts=several) | ast.Tuple(elts=several) | ast.Set(elts=several):
                return all_of(several)
            case ast.Dict(keys=keys, values=several):
                return all_of((*keys, *several))
            case ast.Subscript(value=inner):
                return self._is_text(inner, within)
            case ast.Attribute(attr="text" | "__name__" | "__doc__"):
                return True
            case ast.Call(func=ast.Name(id=name), args=given):
                if name in self.bound:
                    return False
                return name in _TEXT_FUNCTIONS or (name in _KEEPING and all_of(given))
            case ast.Call(func=ast.Attribute(value=inner, attr=name)):
                if name in ("get", "pop", "copy", "keys", "values", "items"):
                    return self._is_text(inner, within)
                return name in _TEXT_METHODS
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return self._is_text(element, within)
        return _is_reply(node) and self._replies_are_text


def loaded_names(tree: ast.AST) -> set[str]:
    """The names that code reads."""
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def local_names(tree: ast.AST, source: str, span: Span) -> set[str]:
    """The names that functions around a place in the code have for themselves."""
    at, found = Places(source), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start, end = at.span(node)
            if start <= span[0] and span[1] <= end:
                inside = list(ast.walk(node))
                own = {one.arg for one in inside if isinstance(one, ast.arg)}
                names = [one for one in inside if isinstance(one, ast.Name)]
                own |= {one.id for one in names if isinstance(one.ctx, ast.Store)}
                shared = {
                    name for one in inside if isinstance(one, ast.Global) for name in one.names
                }
                found |= own - shared
    return found


def placeholder_names(cell: GeminiCell) -> set[str]:
    """The variables that a prompt's placeholders read."""
    trees = placeholder_trees(cell)
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def placeholder_trees(cell: GeminiCell) -> list[ast.Expression]:
    """The expressions of a prompt's placeholders."""
    segments = [*cell.segments]
    if not cell.flag("raw"):
        segments += template.split(cell.text("system") or "")
    return [
        ast.parse(one.expression, mode="eval")
        for one in segments
        if isinstance(one, template.Placeholder)
    ]


def _is_reply(node: ast.AST) -> bool:
    """Whether it is a ``%gemini`` line, whose value is an answer."""
    match node:
        case ast.Call(func=ast.Attribute(attr="run_line_magic"), args=[ast.Constant(), _]):
            return True
    return False


def _is_text_type(hint: ast.expr | None) -> bool:
    match hint:
        case ast.Name(id=name):
            return name in _TEXT_TYPES
        case ast.Constant(value=str(name)):
            return name in _TEXT_TYPES
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return _is_text_type(inner)
    return False


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr | bool]]:
    """The names that a statement binds, and what to: an expression, or False for the unknown."""
    pairs: list[tuple[ast.expr, ast.expr | None]] = []
    match node:
        case ast.Assign(targets=targets, value=given):
            pairs = [(target, given) for target in targets]
        case ast.AnnAssign(target=target, value=given) | ast.AugAssign(target=target, value=given):
            pairs = [(target, given)] if given is not None else []
        case ast.NamedExpr(target=target, value=given):
            pairs = [(target, given)]
        case ast.For(target=target, iter=given) | ast.comprehension(target=target, iter=given):
            pairs = [(target, given)]
        case ast.AsyncFor(target=target):
            pairs = [(target, None)]
        case ast.withitem(optional_vars=target) if target is not None:
            pairs = [(target, None)]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                yield (alias.asname or alias.name).partition(".")[0], False
    for target, given in pairs:
        several = ast.Tuple | ast.List
        if (
            isinstance(target, several)
            and isinstance(given, several)
            and len(target.elts) == len(given.elts)
            and all(isinstance(inner, ast.Name) for inner in target.elts)
        ):
            for inner, one in zip(target.elts, given.elts, strict=True):
                yield ast.unparse(inner), one
            continue
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, given if given is not None else False


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(origin, name) of all that is imported; ``os`` and ``google.genai.types`` are origins."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                top = one.name.partition(".")[0]
                yield (one.name, one.asname) if one.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield f"{node.module}.{one.name}", one.asname or one.name
