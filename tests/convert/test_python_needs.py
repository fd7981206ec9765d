"""What a script needs to run elsewhere: names, packages, and a file name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemini_magic.cli.export import context_of
from gemini_magic.convert.excerpt import excerpt
from gemini_magic.convert.notebook_file import Cell
from gemini_magic.convert.places import places
from tests.convert.lab import kinds, script_of

ASK = "%%gemini -m studio:gemini-2.5-pro"


def needed(*cells: str) -> list[str]:
    head = script_of(*cells).text.split("# ///\n")[0]
    return [line.strip('# ",') for line in head.splitlines() if line.startswith("#   ")]


def test_the_last_answer_is_kept_where_a_prompt_reads_it() -> None:
    made = script_of(f"{ASK}\nDraw a house", f"{ASK}\nAt night: {{{{ _ }}}}")
    assert made.notes == () and made.text.count("\n_ = ask_gemini(") == 2


def test_no_answer_is_last_where_none_was_asked() -> None:
    made = script_of("1", "x = %gemini -m studio:gemini-2.5-pro {{ _ }}")
    assert kinds(made) == ["undefined"]
    first, second = f"{ASK}\n{{{{ _ }}}}", f"{ASK}\nMore of {{{{ _ }}}}"
    assert [one.cell for one in script_of(first, second).notes] == ["c1"]


def test_what_ipython_remembers_is_told_where_it_is_no_answer() -> None:
    assert kinds(script_of("1 + 1", "_")) == ["undefined"]
    assert kinds(script_of("%gemini -m studio:m x", "_.text")) == []
    assert kinds(script_of("for _ in range(3): print(_)")) == []


@pytest.mark.parametrize("cell", ["%%gemini\n  \n", "%gemini", "%%gemini --chat a\n"])
def test_a_prompt_of_nothing_is_left_out_as_nothing_is_sent(cell: str) -> None:
    for target in ("python-genai", "python-openai"):
        made = script_of(cell, target=target)
        assert kinds(made) == ["broken"] and "ask_" not in made.text


def test_parameters_of_a_function_are_not_undefined() -> None:
    made = script_of(f"{ASK} --def f\n{{{{ a }}}} and {{{{ b.upper() }}}}")
    assert made.notes == () and "def f(a, b):" in made.text


def test_a_schema_that_is_none_is_left_out_as_in_the_notebook() -> None:
    made = script_of(f"{ASK} --schema 'n inti'\nX", "x = 1")
    assert kinds(made) == ["broken"]
    assert "# %%gemini --model" in made.text and "ask_gemini" not in made.text


def test_settings_that_the_notebook_refuses_are_left_out_too() -> None:
    function = 'def f(a: int) -> int:\n    """Half."""'
    made = script_of(function, f"{ASK} --tools f --search\nX")
    assert kinds(made) == ["broken"] and "ask_gemini" not in made.text
    newer = script_of(function, "%%gemini -m studio:gemini-3.5-pro --tools f --search\nX")
    assert kinds(newer) == [] and "google_search" in newer.text


def test_a_file_may_be_named_by_an_expression_of_the_notebooks_names() -> None:
    cells = ("from pathlib import Path\nfolder = Path()", f"{ASK} --file \"folder / 'a.txt'\"\nX")
    assert "titled(folder / 'a.txt'," in script_of(*cells).text
    assert 'file_of("data/it")' in script_of("data = 1", f"{ASK} --file data/it\nX").text


@pytest.mark.parametrize(
    ("cell", "packages"),
    [
        ("import pandas as pd, numpy\nfrom sklearn.svm import SVC", "numpy pandas scikit-learn"),
        ("def f():\n    from PIL.Image import open", "pillow"),
        ("import matplotlib.pyplot as plt, yaml, os, json", "matplotlib pyyaml"),
        ("%pip install 'Pandas>=2'\nimport pandas", "Pandas>=2"),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", ""),
        ("from google import genai\nfrom google.genai import types", "google-genai>=3.4,<4"),
        ("import google.genai", "google-genai>=3.4,<4"),
        (
            "import pydantic, tenacity\n%gemini -m studio:m --schema 'n int' x",
            "google-genai>=3.4,<4 pydantic>=2 tenacity",
        ),
        ("from openai import OpenAI", "openai>=3.54,<4"),
        ("from google.cloud import storage", "google-cloud-storage"),
        ("from IPython.display import Markdown\nimport google.colab", ""),
    ],
)
def test_well_known_packages_are_dependencies(cell: str, packages: str) -> None:
    assert needed(cell) == packages.split()


def test_packages_that_nobody_knows_are_named_not_installed(tmp_path: Path) -> None:
    # A name on the package index need not be what the notebook meant.
    made = script_of("import pandsa\nfrom . import here\nfrom pandsa.x import y")
    assert needed("import pandsa") == [] and kinds(made) == ["dependency"]
    assert "pandsa" in made.notes[0].text


def test_a_module_beside_the_notebook_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "more").mkdir()
    assert script_of("import mine, more.x").notes == ()


def test_the_extensions_own_functions_are_told() -> None:
    made = script_of("import gemini_magic as gm\ngm.ask('x')")
    assert kinds(made) == ["differs"] and needed("import gemini_magic") == ["gemini-magic"]


def test_pillow_is_needed_for_pictures() -> None:
    cells = (f"{ASK} --image a.png --max-pixels 100\nX",)
    assert "pillow" in needed(*cells)
    assert "pillow" in needed(f"{ASK} --out a\nX", "a.images[0]")
    assert "pillow" not in needed(f"{ASK} --out a\nX", "a.text")


def test_a_script_is_not_in_the_way_of_what_it_imports() -> None:
    paths = [Path("openai.ipynb"), Path("a/statistics.ipynb"), Path("mine.ipynb")]
    assert places(paths, None, "python-genai") == [
        Path("openai_script.py"), Path("a/statistics_script.py"), Path("mine.py")
    ]  # fmt: skip
    assert places(paths[:1], None, "curl") == [Path("openai.sh")]
    assert places(paths[:1], "out/", "python-genai") == [Path("out/openai_script.py")]
    assert places(paths[:1], "openai.py", "python-genai") == [Path("openai.py")]


def test_the_excerpt_of_a_prompt_has_the_answer_that_it_reads() -> None:
    context = context_of(Path.cwd())
    sources = (f"{ASK}\nOne", f"{ASK}\nTwo", "x = 1", f"{ASK}\nMore of {{{{ _ }}}}")
    cells = [Cell(f"c{number}", "code", source) for number, source in enumerate(sources, 1)]
    for filled, ids in ((False, ["c2", "c4"]), (True, ["c4"])):
        found = excerpt(cells, context.transform, context.magic, "n", filled=filled)
        assert [cell.id for cell in found.cells] == ids
