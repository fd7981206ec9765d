"""Real notebooks and hard ones export to valid Python, and no statement of theirs is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.cli.export import context_of
from gemini_magic.convert.exported import Exported, KeyFound
from gemini_magic.convert.notebook_file import NotANotebook, Notebook, notebook_of, read_file
from gemini_magic.convert.targets import export
from tests.convert.hard import HARD
from tests.convert.kept import complaints, ruff_on_ours
from tests.convert.lab import document

CORPUS = os.environ.get("GEMINI_MAGIC_CORPUS", "")
TARGETS = ("python-genai", "python-openai")


def check(notebook: Notebook, target: str) -> Exported:
    context = context_of(Path.cwd())
    made = export(notebook, context, target)
    assert not (found := complaints(notebook, made)), "\n".join([*found, made.text])
    assert export(notebook, context, target) == made
    return made


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", HARD)
def test_hard_cells(name: str, target: str) -> None:
    made = check(notebook_of(document(*HARD[name]), "hard.ipynb"), target)
    assert not ruff_on_ours(made), made.text


@pytest.mark.parametrize("name", HARD)
def test_hard_cells_below_a_prompt_and_an_await(name: str) -> None:
    cells = ["%%gemini --chat c --out a\nHello {{ x }}", "await ready()", *HARD[name]]
    check(notebook_of(document(*cells), "hard.ipynb"), "python-genai")


@pytest.mark.parametrize("target", TARGETS)
def test_all_hard_cells_in_one_notebook(target: str) -> None:
    names = [name for name in HARD if name != "star"]
    check(
        notebook_of(document(*(cell for name in names for cell in HARD[name])), "a.ipynb"), target
    )


def test_old_minor_formats_have_no_ids_and_broken_files_have_them_twice() -> None:
    lines = {"source": ["z = 2\n", "z"]}
    made = document("x = 1", {"cell_type": "raw", "source": "y ="}, "def f(:", lines)
    cells: list[dict[str, Any]] = made["cells"]
    for cell in cells:
        del cell["id"]
    text = check(notebook_of({**made, "nbformat_minor": 0}, "old.ipynb"), TARGETS[0])
    assert [note.cell for note in text.notes] == ["cell-3"]
    for cell in cells:
        cell["id"] = "same"
    check(notebook_of(made, "twice.ipynb"), TARGETS[0])


@pytest.mark.skipif(not CORPUS, reason="GEMINI_MAGIC_CORPUS names no folder of notebooks")
@pytest.mark.parametrize("target", TARGETS)
def test_a_corpus(target: str) -> None:
    read = 0
    for path in sorted(Path(CORPUS).rglob("*.ipynb")):
        try:
            notebook = read_file(path)
            made = check(notebook, target)
        except (KeyFound, NotANotebook):
            continue
        read += 1
        assert not ruff_on_ours(made), path.name
    assert read


# --- any notebook -------------------------------------------------------------------------------

NAMES = st.sampled_from(["x", "y", "show", "display", "os", "main", "ñ", "_", "reply", "types"])
VALUES = st.one_of(
    NAMES,
    st.integers(0, 99).map(str),
    st.text("ab'\"\\{}%!?\n\té#$", max_size=8).map(repr),
    st.sampled_from(
        ["'''a\n  b'''", "f'{x!r:>9}'", "[\n  1,\n]", "(x\n)", "x % y", "not x", "x if y else 1",
         "lambda x=1: x", "[x for x in 'ab']", "print('?')", "{'a': 1}", "x != y", "x.y[0](1)"]
    ),
)  # fmt: skip
SIMPLE = st.one_of(
    VALUES,
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("{} = y = {}".format, NAMES, VALUES),
    st.builds("{}; {}".format, VALUES, VALUES),
    st.builds("{};".format, VALUES),
    st.builds("{}  # {}".format, VALUES, st.sampled_from(["c", "!ls", "%cd", "what?", "é"])),
    st.builds("import {0}\nfrom {0} import z as {1}".format, NAMES, NAMES),
    st.builds("from IPython.display import Markdown as {}".format, NAMES),
    st.sampled_from(
        ["pass", "del x", "assert x", "raise x", "x += 1", "# c", "", "u = 1", "import os.path",
         "x[0], *y = 1, 2", "from google.colab import userdata, drive"]
    ),
)  # fmt: skip
MAGICS = st.sampled_from(
    ["!ls {x}", "%cd ..", "%matplotlib inline", "x = !ls", "y = %pwd", "%gemini Hi {{ x }}",
     "x = %gemini -t 1 Hi", "%unknown x", "int?", "?x", "%time x = 1", "!!ls", "%env A=1",
     "!pip install a", "x = %unknown", "%gemini --no-such-option", "get_ipython().system('ls')"]
)  # fmt: skip


def indented(rows: list[str]) -> str:
    return "\n".join(f"    {line}" for row in rows for line in row.split("\n")) + "\n    pass"


@st.composite
def block(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A statement that holds others."""
    shape = draw(st.sampled_from(BLOCKS))
    bodies = [indented(draw(st.lists(inner, min_size=1, max_size=3))) for _ in range(3)]
    return shape.format(*bodies, name=draw(NAMES))


BLOCKS = (
    "if x:\n{}\nelse:\n{}", "for {name} in y:\n{}", "def {name}(a=1):\n{}", "class {name}:\n{}",
    "try:\n{}\nexcept E as e:\n{}\nfinally:\n{}", "with x as {name}:\n{}",
    "async def {name}():\n{}", "match x:\n    case 1:\n        pass\nif {name}:\n{}",
)  # fmt: skip
STATEMENTS = st.recursive(st.one_of(SIMPLE, SIMPLE, MAGICS), block, max_leaves=6)
AWAITS = st.sampled_from(["await f()", "x = await f()", "async for y in f():\n    x = 1"])
CELLS = st.one_of(
    st.lists(STATEMENTS, max_size=4).map("\n".join),
    st.lists(STATEMENTS, max_size=3).map("\n".join),
    st.lists(STATEMENTS, max_size=3).map(lambda rows: "%%time\n" + "\n".join(rows)),
    AWAITS,
    st.text("x=1(\n %!?'{}[]:é", max_size=12),
    st.sampled_from(["%%bash\nls", "%%gemini\nHi {{ x }}", "%%unknown\nx", "%%writefile a\nb"]),
)


@given(st.lists(CELLS, max_size=5))
def test_any_notebook(cells: list[str]) -> None:
    check(notebook_of(document(*cells), "any.ipynb"), "python-genai")
