"""Reads a notebook as ordered steps: code, shell, prompts, Markdown.

Magics are found as IPython finds them: its own transformer makes calls of them, and the syntax
tree says where these stand. What cannot be read is kept as a comment, and a note says so.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gemini_magic.cell import GeminiCell, cell_parts, subcommand
from gemini_magic.convert import magics
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.convert.steps import (
    Broken,
    Code,
    Embedded,
    Install,
    Meaning,
    Note,
    Nothing,
    Prompt,
    Reading,
    Shell,
    Span,
    Step,
    Text,
    problem_of,
)
from gemini_magic.errors import UsageError

#: Rewrites a cell's lines before IPython does: our own magics, byte for byte.
Transform = Callable[[list[str]], list[str]]

#: Cells with one of these tags are not for a program. Source: papermill, nbconvert and Jupyter
#: Book use the first two; the third is what a front end puts beside ``parameters``.
SKIPPED = ("skip", "skip-execution", "injected-parameters")


class _Unreadable(Exception):
    """A cell cannot be read; the message says why."""


class _Call(NamedTuple):
    """A call of ``get_ipython()`` in a tree: its node, method, and literal arguments."""

    node: ast.Call
    method: str
    words: tuple[str, ...] | None
    statement: bool


def read(notebook: Notebook, transform: Transform, magic: str = "gemini") -> Reading:
    """The steps of a notebook, in document order.

    ``transform`` rewrites our own magics, which are called ``magic``, into calls that IPython
    would make of them.
    """
    reader = _Reader(transform, magic)
    steps = [step for cell in notebook.cells if (step := reader.step(cell)) is not None]
    return Reading(notebook.name, notebook.digest, tuple(steps), tuple(reader.notes(notebook)))


class _Reader:
    def __init__(self, transform: Transform, magic: str) -> None:
        self._magic = magic
        self._manager = manager(transform)
        self._used: str | None = None
        self._notes: list[Note] = []
        self._id = ""

    def notes(self, notebook: Notebook) -> Iterator[Note]:
        yield from self._notes
        counts = [cell.ran_as for cell in notebook.cells if cell.ran_as is not None]
        if counts != sorted(counts):
            yield Note("", "order", "the cells were last run in another order than they stand in")

    def step(self, cell: Cell) -> Step | None:
        self._id = cell.id
        if cell.kind == "markdown":
            return Step(cell.id, Text(cell.source), cell.tags, cell)
        if cell.kind != "code":
            return Step(cell.id, Broken(cell.source, "a raw cell"), cell.tags, cell)
        if tag := next((tag for tag in cell.tags if tag in SKIPPED), ""):
            self._note("left-out", f"the cell is tagged {tag!r}")
            return Step(cell.id, Broken(cell.source, f"tagged {tag!r}"), cell.tags, cell)
        if not cell.source.strip():
            return None
        try:
            return Step(cell.id, self._code(cell.source), cell.tags, cell)
        except _Unreadable as problem:
            self._note("broken", str(problem))
            return Step(cell.id, Broken(cell.source, str(problem)), cell.tags, cell)

    def _note(self, kind: str, text: str) -> None:
        self._notes.append(Note(self._id, kind, text))

    def _code(self, source: str, depth: int = 0) -> Code:
        given, source = source, self._transformed(source)
        try:
            tree = _parsed(source)
        except _Unreadable:
            source = self._transformed(magics.spelled_out(given))
            tree = _parsed(source)
            self._note("differs", "lines are read as the magics that they name without a % sign")
        places = Places(source)
        calls = sorted(_calls(tree), key=lambda call: (call.node.lineno, call.node.col_offset))
        if depth < 5 and len(tree.body) == 1 and len(calls) == 1:
            call = calls[0]
            if (
                call.statement
                and call.method == "run_cell_magic"
                and call.words
                and call.words[0] in magics.TRANSPARENT
            ):
                if lost := magics.lost(*call.words[:2]):
                    self._note("differs", lost)
                return self._code(str(magics.cell_magic(*call.words)), depth + 1)
        found: list[Embedded] = []
        end = -1
        for call in calls:
            span = places.span(call.node)
            if span[0] >= end:  # not within another magic's arguments
                found.append(Embedded(span, self._meaning(call), call.statement))
                end = span[1]
        return Code(source, tuple(found), _shown(tree, source, places), tree)

    def _transformed(self, source: str) -> str:
        # The body of a prompt keeps its line ends; Python's are all the same.
        if cell_parts(source, self._magic) is None and not source.lstrip().startswith("%%"):
            source = source.replace("\r\n", "\n").replace("\r", "\n")
        try:
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd line ends
                return str(self._manager.transform_cell(source))
        except SyntaxError as error:
            raise _Unreadable(f"it cannot be read: {error.msg}") from None
        except Exception as error:  # whatever the tokenizer stumbles over
            raise _Unreadable(f"it cannot be read: {type(error).__name__}") from None

    def _meaning(self, call: _Call) -> Meaning:
        if call.words is None:
            self._note("unknown-magic", f"IPython's {call.method}() is its own")
            return Nothing(f"IPython's {call.method}(...)", "IPython's alone")
        first: str = call.words[0]
        if call.method == "run_line_magic":
            return self._line_magic(first, call.words[1])
        if call.method == "run_cell_magic":
            return self._cell_magic(*call.words)
        if call.method in ("system", "getoutput"):
            if call.method == "system" and (found := magics.installed(first)) is not None:
                return self._noted(found)
            return Shell(first, captured=call.method == "getoutput")
        self._note("unknown-magic", f"IPython's {call.method}() is its own")
        return Nothing(f"IPython's {call.method}(...)", "IPython's alone")

    def _line_magic(self, name: str, line: str) -> Meaning:
        if name == "config" and line.startswith("GeminiMagic"):
            self._note("left-out", f"%config {line[:60]}: put it into the configuration")
        if name == "time" and line.strip():
            return self._timed(line.strip())
        if name != self._magic:
            return self._noted(magics.line_magic(name, line))
        if (command := subcommand(line)) is not None:
            return self._command(*command)
        return self._prompt(line, None)

    def _timed(self, line: str) -> Meaning:
        """What ``%time`` runs: Python, a command, or another magic."""
        if line.startswith("!"):
            return Shell(line[1:])
        if line.startswith("%"):
            name, _, rest = line[1:].partition(" ")
            return self._line_magic(name, rest)
        try:
            _parsed(line)
        except _Unreadable as problem:
            self._note("broken", str(problem))
            return Nothing(f"%time {line}", str(problem))
        return line

    def _cell_magic(self, name: str, line: str, body: str) -> Meaning:
        if name == self._magic:
            return self._prompt(line, body)
        return self._noted(magics.cell_magic(name, line, body))

    def _noted(self, meaning: Meaning) -> Meaning:
        if isinstance(meaning, Nothing) and meaning.why:
            self._note("unknown-magic", meaning.why)
        elif isinstance(meaning, Install) and not meaning.packages:
            self._note("dependency", f"no package is named in: {meaning.source[:80]}")
        return meaning

    def _prompt(self, line: str, body: str | None) -> Meaning:
        try:
            return Prompt(GeminiCell.from_magic(line, body, magic=self._magic), self._used)
        except UsageError as error:
            why = problem_of(error)
            self._note("broken", why)
            head = f"%{'' if body is None else '%'}{self._magic} {line.strip()}".rstrip()
            return Nothing(head if body is None else f"{head}\n{body}", why)

    def _command(self, name: str, rest: str) -> Meaning:
        source = f"%{self._magic} {name} {rest}".rstrip()
        if name == "use" and rest:
            self._used = rest.split()[0]
        elif name == "chat" and rest and not rest.startswith("load "):  # the script asks it all
            self._note("command", f"what {source} does to the conversation is not exported")
        return Nothing(source)


def manager(transform: Transform) -> Any:
    """A fresh one: that of a running shell carries what its user put into it."""
    from IPython.core.inputtransformer2 import TransformerManager

    manager: Any = TransformerManager()  # type: ignore[no-untyped-call]
    manager.cleanup_transforms.insert(0, transform)
    return manager


def _parsed(source: str) -> ast.Module:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            tree = compile(source, "cell", "exec", flags, dont_inherit=True)
            # What no tree shows: a return outside of functions, an await in a class.
            compile(tree, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        raise _Unreadable(f"a syntax error in line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise _Unreadable(f"it cannot be read: {type(error).__name__}") from None
    assert isinstance(tree, ast.Module)
    return tree


def _calls(tree: ast.Module) -> Iterator[_Call]:
    """The calls of ``get_ipython()``'s methods."""
    statements = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(inner := node.func.value, ast.Call)
            and isinstance(inner.func, ast.Name)
            and inner.func.id == "get_ipython"
        ):
            words = [one.value for one in node.args if isinstance(one, ast.Constant)]
            literal = len(words) == len(node.args) and not node.keywords
            literal = literal and all(isinstance(word, str) for word in words)
            given: tuple[str, ...] | None = tuple(map(str, words)) if literal else None
            needed = {"run_cell_magic": 3, "run_line_magic": 2}.get(node.func.attr, 1)
            if given is not None and len(given) != needed:
                given = None
            yield _Call(node, node.func.attr, given, node in statements)


class Places:
    """Finds a node's place in its text: syntax trees count bytes of a line."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def span(self, node: Any) -> Span:
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def offset(self, line: int, column: int) -> int:
        text = self._lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode())
        return self._starts[line - 1] + column


def _shown(tree: ast.Module, source: str, places: Places) -> Span | None:
    """Where the last expression stands, unless a semicolon hides its value."""
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return None
    span = places.span(last)
    rest = source[span[1] :].lstrip(" \t")
    if rest.startswith(";") or (isinstance(last.value, ast.Constant) and last.value.value is ...):
        return None
    return places.span(last.value)
