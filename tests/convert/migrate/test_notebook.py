"""Notebooks: one program in many cells, and a file whose other bytes stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.convert.migrate.notebook import migrate
from gemini_magic.convert.migrate.report import Migrated
from gemini_magic.errors import GeminiMagicError
from tests.convert.migrate.cases import CASES

OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["old\n"]}
SETUP = "import google.generativeai as genai\ngenai.configure(api_key='k')"
OLD_FORMAT = """{"metadata": {"name": "google.generativeai"}, "nbformat": 3, "nbformat_minor": 0,
"worksheets": [{"cells": [], "metadata": {}}]}"""


def cell(source: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": more.pop("id", "x"), "metadata": {}}
    made["source"] = source.splitlines(keepends=True)
    if kind == "code":
        made |= {"execution_count": 7, "outputs": [OUTPUT]}
    return made | more


def text_of(*cells: dict[str, Any], indent: int = 1, **more: Any) -> str:
    named = [one | {"id": f"c{number}"} for number, one in enumerate(cells, 1)]
    document = {"cells": named, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


def sources(text: str) -> list[str]:
    return ["".join(one["source"]) for one in json.loads(text)["cells"]]


def made(*cells: str) -> Migrated:
    return migrate(text_of(*map(cell, cells)), "a.ipynb")


def test_cells_are_one_program() -> None:
    found = made(SETUP, "model = genai.GenerativeModel('m', system_instruction='s')",
                 "r = model.generate_content('x')\nr.text", "print(r.text)")  # fmt: skip
    assert sources(found.text) == [
        "from google import genai\nfrom google.genai import types\nclient = genai.Client("
        "api_key='k', http_options=types.HttpOptions(api_version=\"v1beta\"))",
        "model = 'm'\nmodel_config = types.GenerateContentConfig(system_instruction='s')",
        "r = client.models.generate_content(model=model, contents='x', config=model_config)\n"
        "r.text",
        'print(r.text or "")',
    ]
    assert [(one.cell, one.line) for one in found.places] == [
        ("c1", 1), ("c1", 2), ("c2", 1), ("c3", 1), ("c4", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("indent", [1, 2, 4, None])
@pytest.mark.parametrize("escaped", [True, False])
def test_other_cells_keep_every_byte(indent: int, escaped: bool) -> None:
    cells = [cell("# é\nx = 1"), cell(SETUP), cell("générer", "markdown"), cell("y = 'ü'")]
    document = json.loads(text_of(*cells))
    document["cells"][3]["source"] = "y = 'ü'"
    before = json.dumps(document, indent=indent, ensure_ascii=escaped)
    after = migrate(before, "a.ipynb").text
    new = json.loads(after)
    assert new["cells"][1]["outputs"] == [] and new["cells"][1]["execution_count"] is None
    for number in (0, 2, 3):
        assert new["cells"][number] == document["cells"][number]
    # Put back what was changed: the rest of the text is the same.
    again = json.loads(after)
    again["cells"][1] = document["cells"][1]
    assert json.dumps(again, indent=indent, ensure_ascii=escaped) == before
    assert after == json.dumps(new, indent=indent, ensure_ascii=escaped)


def test_magics_stay() -> None:
    magics = "%matplotlib inline\n!pip install -q x \\\n  y\nfiles = !ls *.py\nx = 1\nx?\n"
    timed = "%%time\nfor i in range(2):\n    !echo {i}\n    r = model.generate_content('x')\n"
    bash = "%%bash\necho google.generativeai"
    found = made(magics, SETUP, "model = genai.GenerativeModel('m')", timed, bash, "%%palm\nhi")
    new = sources(found.text)
    assert new[0] == magics and new[4] == bash and new[5] == "%%palm\nhi"
    asked = "client.models.generate_content(model=model, contents='x')"
    assert new[3] == timed.replace("model.generate_content('x')", asked)
    assert [one.rule for one in found.places if one.verdict == "left"] == ["magic"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("!pip install -q google-generativeai", "!pip install -q google-genai"),
        ("%pip install -U 'google-generativeai>=0.7.2' x", "%pip install -U 'google-genai' x"),
        ("!pip install google-generativeai==0.8.6,<1 # y", "!pip install google-genai # y"),
        ("%%bash\nuv pip install google-generativeai", "%%bash\nuv pip install google-genai"),
        ("print('google-generativeai')", "print('google-generativeai')"),
    ],
)  # fmt: skip
def test_what_is_installed(before: str, after: str) -> None:
    assert sources(made(before, SETUP).text)[0] == after


def test_a_broken_cell_is_left_alone() -> None:
    found = made("for x in\n  oops(", SETUP, "genai.GenerativeModel('m').generate_content('x')")
    new = sources(found.text)
    assert new[0] == "for x in\n  oops("
    assert new[2] == "client.models.generate_content(model='m', contents='x')"


def test_top_level_await_and_strings_with_magics() -> None:
    asked = "generate_content_async('''\n%a\n!b\n''')"
    body = f"model = genai.GenerativeModel('m')\nr = await model.{asked}"
    new = sources(made(SETUP, body).text)[1]
    assert "client.aio.models.generate_content(model=model, contents='''\n%a\n!b\n''')" in new


@pytest.mark.parametrize("name", [*CASES][:40])
def test_each_case_in_cells_and_twice(name: str) -> None:
    once = migrate(text_of(cell(CASES[name]), cell("# end")), "a.ipynb")
    assert migrate(once.text, "a.ipynb") == Migrated(once.text, ())
    assert "generativeai" not in once.text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=4))
def test_any_text_in_other_cells(texts: list[str]) -> None:
    """Cells of any text never break the others, and keep what they hold."""
    before = text_of(*map(cell, texts), cell(SETUP))
    after = migrate(before, "a.ipynb").text
    assert sources(after)[:-1] == sources(before)[:-1]
    assert "genai.Client(" in sources(after)[-1]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "no JSON"),
        ("[]", "other JSON"),
        ('{"nbformat": 4}', "no cells"),
        (text_of(metadata={"kernelspec": {"language": "R", "name": "ir"}}), "r"),
        (OLD_FORMAT, "format 3"),
    ],
)
def test_what_is_no_notebook(text: str, word: str) -> None:
    with pytest.raises(GeminiMagicError) as caught:
        migrate(text, "a.ipynb")
    assert word in caught.value.what
