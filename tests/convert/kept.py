"""Says what an export lost: a notebook's statements are looked for in its script, as trees.

An export may change a magic, an import of what only notebooks have, and the last expression of a
cell, which it shows. All other statements have to be in the script, in their order; and a cell
that Python cannot compile has to be named in the report.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.reading import SKIPPED
from gemini_magic.notebook.transform import transform

_RUFF = Path(sys.executable).with_name("ruff")
#: Cell magics whose body is the notebook's own code.
_PYTHON = ("time", "timeit", "capture", "prun")
_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def complaints(notebook: Notebook, made: Exported) -> list[str]:
    """What is wrong with the script of a notebook; empty where nothing is."""
    try:
        compile(made.text, "script.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        return [f"it does not compile: line {error.lineno}: {error.msg}: {error.text}"]
    tree = ast.parse(made.text)
    found = []
    if any(isinstance(node, ast.Name) and node.id == "get_ipython" for node in ast.walk(tree)):
        found.append("it calls get_ipython")
    own = any("get_ipython" in cell.source for cell in notebook.cells)
    if not own and "get_ipython" in made.text:
        found.append("it speaks of get_ipython")
    return [*found, *_lost(notebook, made, tree)]


def _lost(notebook: Notebook, made: Exported, tree: ast.Module) -> Iterator[str]:
    start = _first_marker(made.text)
    script = [node for node in _statements(tree.body) if node.lineno >= start]
    anywhere = {_dump(node) for node in _statements(tree.body)}
    bound = set(_bound(tree))
    place = 0
    for cell in notebook.cells:
        if cell.kind != "code" or not cell.source.strip():
            continue
        told = [note for note in made.notes if note.cell == cell.id]
        body = None if set(cell.tags) & set(SKIPPED) else _body(cell.source)
        if body is None:
            if not any(note.kind in ("broken", "left-out") for note in told):
                yield f"{cell.id} is lost, and nothing says so: {cell.source!r}"
            continue
        for node in body:
            for one in _kept(node):
                if _moves(one) and _dump(one) in anywhere:
                    continue
                at = next((i for i in range(place, len(script)) if _is(script[i], one)), None)
                if at is None:
                    yield f"{cell.id}: {ast.unparse(one)!r} is lost; notes: {told}"
                else:
                    place = at + 1
            for name, known_as in _strange_names(node):
                if known_as not in bound and not any(name in note.text for note in told):
                    yield f"{cell.id}: {name} is lost, and nothing says so"


def _body(source: str, depth: int = 0) -> list[ast.stmt] | None:
    """The statements of a cell, with magics as calls; None where Python cannot compile it."""
    manager = TransformerManager()
    manager.cleanup_transforms.insert(0, partial(transform, magic="gemini"))
    if not source.lstrip().startswith("%%"):
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = re.sub(r"^(?=(?:pip3?|conda) install )", "%", source, flags=re.M)  # without "%", too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = manager.transform_cell(source)
            compile(code, "cell", "exec", _AWAIT, dont_inherit=True)
            tree: Any = compile(code, "cell", "exec", _AWAIT | ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    words = _cell_magic(tree)
    if words and words[0] in _PYTHON and depth < 5:
        return _body("\n".join(filter(None, words[1:] if words[0] == "time" else words[2:])))
    body: list[ast.stmt] = tree.body
    return body


def _cell_magic(tree: ast.Module) -> list[str]:
    """The arguments of the call of ``run_cell_magic`` that a cell is; empty where it is none."""
    match tree.body:
        case [ast.Expr(ast.Call(ast.Attribute(_, "run_cell_magic"), words))]:
            return [word.value for word in words if isinstance(word, ast.Constant)]
    return []


def _kept(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statement, or, if the export has to change something in it, those within it."""
    if not any(_is_strange(one) for one in ast.walk(node)):
        yield node
        return
    for inner in _inner(node):
        yield from _kept(inner)


def _is_strange(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "get_ipython"
    return isinstance(node, ast.stmt) and any(True for _ in _strange_names(node, inside=False))


def _strange_names(node: ast.AST, *, inside: bool = True) -> Iterator[tuple[str, str]]:
    """What a statement imports that only notebooks have: its name, and what it is known as."""
    for one in ast.walk(node) if inside else [node]:
        module = f"{one.module}." if isinstance(one, ast.ImportFrom) else ""
        for alias in one.names if isinstance(one, ast.Import | ast.ImportFrom) else []:
            name = f"{module}{alias.name}"
            if name.partition(".")[0] == "IPython" or name.startswith("google.colab"):
                known_as = alias.asname or (alias.name if module else name.partition(".")[0])
                yield name, known_as


def _moves(node: ast.stmt) -> bool:
    """Whether Python wants it at the top of a file, or of a module."""
    return isinstance(node, ast.ImportFrom) and (
        node.module == "__future__" or node.names[0].name == "*"
    )


def _is(written: ast.stmt, wanted: ast.stmt) -> bool:
    """Whether the script's statement is the notebook's, or shows the value of it."""
    if _dump(written) == _dump(wanted):
        return True
    match written, wanted:
        case ast.Expr(ast.Call(ast.Name(), [shown], [])), ast.Expr(value):
            return ast.dump(shown) == ast.dump(value)
    return False


def _dump(node: ast.stmt) -> str:
    return ast.dump(node)


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements, those within others as well, in the order of their text."""
    for node in body:
        yield node
        yield from _statements(_inner(node))


def _inner(node: ast.stmt) -> list[ast.stmt]:
    """The statements directly within another one, in the order of their text."""
    found: list[ast.stmt] = []
    for block in ("body", "handlers", "cases", "orelse", "finalbody"):
        for one in getattr(node, block, []):
            found += [one] if isinstance(one, ast.stmt) else one.body
    return found


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(name, ast.Store()) | ast.FunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.alias(name, asname):
                yield asname or name.partition(".")[0]


def _first_marker(text: str) -> int:
    """The line with which the first cell of a script begins."""
    lines = text.split("\n")
    return next((i for i, line in enumerate(lines, 1) if line.lstrip().startswith("# %% [")), 0)


def ruff_on_ours(made: Exported) -> list[str]:
    """What ruff complains of in what the exporter wrote itself: all above the first cell."""
    start = _first_marker(made.text)
    done = subprocess.run(
        [_RUFF, "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP", "--target-version",
         "py311", "--output-format", "concise", "--stdin-filename", "script.py", "-"],
        input=made.text, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    rows = [row.split(":", 3) for row in done.stdout.splitlines() if row.startswith("script.py:")]
    # A cell that imports anew what the script has imported is told by the line it repeats.
    repeated = [f"from line {number}:" for number in range(1, start)]
    return [
        ":".join(row)
        for row in rows
        if int(row[1]) < start or any(one in row[3] for one in repeated)
    ]
