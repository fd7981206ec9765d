"""Hard cases of export, by their numbers: what real notebooks hold that exporters stumble over.

Cases that a notebook of ``fixtures`` holds are named there: 2 "schema as JSON", 4 "text
placeholders", 5 and 6 "more braces", 7 "unicode" and "crlf", 11 "in classes and blocks", 15 "chat
over models", 18 "signatures", 19 "tools ..." and "a slow tool", 20 "await ...", 27 "system from a
file", 28 "schema ...", 29 "both wires", 37 "name clashes". 17, 32, 38 (``getattr``) and 39 ask for
nothing: scripts stream, models stay as they are named, and a script's ``__main__`` can be patched.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gemini_magic.convert.magics import spelled_out
from tests.convert.lab import document, kinds, run_script, script_of

ASK = "%gemini -m studio: "


def printed(tmp_path: Path, *cells: str, words: tuple[str, ...] = ()) -> str:
    done = run_script(script_of(*cells).text, tmp_path, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_1_options_hold_no_variables() -> None:
    made = script_of("t = 0.5\nmodel = 'm'", "%%gemini -t {t}\nHi", "%%gemini -t $t\nHi")
    assert kinds(made) == ["broken", "broken"] and "# %%gemini -t {t}\n# Hi" in made.text


def test_3_a_name_that_no_cell_defines_is_told_and_stays_live() -> None:
    made = script_of(f"{ASK}{{{{ nobody }}}} {{{{ len(nothing) }}}}")
    assert kinds(made) == ["undefined"] and "prompt_of(nobody, " in made.text
    assert kinds(script_of("from os.path import *", f"{ASK}{{{{ join('a') }}}}")) == []


@pytest.mark.parametrize("text", ["a\ud800b", "x" * 850_000, "\0", "'''\"\"\"\\", "\u202eab"])
def test_7_25_any_text_of_any_length_is_a_literal(text: str) -> None:
    made = script_of(f"%%gemini -m studio: --raw\n{text}\n")
    (asked,) = [
        node.value for node in ast.parse(made.text).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]  # fmt: skip
    assert ast.literal_eval(asked.args[2]) == text
    made.text.encode()


@pytest.mark.parametrize(
    ("cell", "sent"),
    [("%%gemini -m studio:\na\n\n", "a\n"), ("%%gemini -m studio: a\nb", "a\nb"),
     ("\n\n# why\n%%gemini -m studio:\na", "a"), ("%%gemini -m studio: --\n-5?", "-5?"),
     ("  %%gemini -m studio:\na", None)],
)  # fmt: skip
def test_8_9_what_is_sent_is_what_stands_there(cell: str, sent: str | None) -> None:
    made = script_of(cell)
    asked = [
        ast.literal_eval(node.args[2]) for node in ast.walk(ast.parse(made.text))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ask_gemini"
    ]  # fmt: skip
    assert asked == ([] if sent is None else [sent])


def test_10_a_prompt_within_other_magics() -> None:
    made = script_of(
        "%%capture out\n%%time\n%%gemini -m studio:\nHi", "%time %gemini -m studio: Ho"
    )
    assert kinds(made) == ["differs"] and made.text.count("ask_gemini(client") == 2
    assert kinds(script_of("x = [%gemini -m studio: a]")) == ["broken"]


def test_12_16_what_was_done_to_a_chat_by_hand_is_told() -> None:
    made = script_of("%gemini chat undo talk", f"{ASK}--chat talk Hi")
    assert kinds(made) == ["command"]


def test_13_cells_that_ran_in_another_order_are_told() -> None:
    first, second = ({"source": f"x = {n}", "execution_count": 3 - n} for n in (1, 2))
    assert kinds(script_of(first, second)) == ["order"]


def test_14_what_ipython_remembers_is_told() -> None:
    made = script_of("1", "print(Out[1], _1, In, __, _i3)", f"{ASK}{{{{ _12 }}}}")
    assert kinds(made) == ["undefined"] * 6
    assert kinds(script_of("Out = [1]\n_1 = 2", "Out[0] + _1")) == []
    made = script_of("%%gemini -m studio: --out list\nHi", f"{ASK}{{{{ list }}}}")
    assert "list = ask_gemini(" in made.text and 'f"{list}"' in made.text


def test_19_functions_that_are_no_def_are_described_at_run_time() -> None:
    made = script_of(
        "def make():\n    def inner(x: int) -> int:\n        return x\n    return inner\n"
        "tool, short = make(), lambda x: x",
        f"{ASK}--tools tool,short Hi",
    )
    assert kinds(made) == ["differs", "differs"] and "json_schema(tool)" in made.text


def test_21_22_what_a_cell_shows_is_printed(tmp_path: Path) -> None:
    cells = [
        "x, y = 1, 'a'",
        "x, y",
        "(x), *[y],",
        "x,",
        "(x, y)",
        "*[1], 2",
        "(z := x)",
        "x;",
        "x == y",
    ]
    shown = printed(tmp_path, *cells)
    assert shown == "(1, 'a')\n(1, 'a')\n(1,)\n(1, 'a')\n(1, 2)\n1\nFalse\n"


def test_23_programs_get_their_text_their_words_and_their_names(tmp_path: Path) -> None:
    shown = printed(
        tmp_path,
        "%%perl\nprint 6 * 7, qq(\\n);",
        "%%bash --out said\necho hi",
        "print(repr(said))\nword = 'two'",
        "%%bash -s one {word}\necho $1 $2",
        "%%python\nimport sys\nown = 1\nsys.exit(0)",
        "%%script --no-raise-error bash\necho there",
        "'own' in globals()",
    )
    assert {"42", "'hi\\n'", "one", "two", "there", "False"} == set(shown.split())


def test_23_a_program_that_is_run_leaves_its_names(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("made = 5\nif __name__ == '__main__':\n    made = 6\n", "utf-8")
    assert printed(tmp_path, "name = 'a'", "%run {name}.py", "made") == "6\n"
    made = script_of("%run b.ipynb", "%run a.py -x 1", "t = %timeit -o sum([1])\nt")
    assert kinds(made) == ["left-out", "differs", "left-out"]


def test_23_what_needs_no_percent_sign_needs_none() -> None:
    made = script_of(
        "import sys\n!{sys.executable} -m pip install -q rich", "pip install 'httpx>=1'"
    )
    assert '#   "rich",\n#   "httpx>=1",' in made.text and "broken" not in kinds(made)
    assert (
        spelled_out("x = 1\ncd = 3\nls.y\ncat (x)\n  cd sub")
        == "x = 1\ncd = 3\nls.y\ncat (x)\n  %cd sub"
    )


@pytest.mark.parametrize(
    "cell",
    ["from google.colab import drive\ndrive.mount('/x')", "import google.colab\nx = 1",
     "from google.colab import files as f\nfor name in f.upload():\n    print(name)",
     "import IPython\nIPython.display.display('x')", "import IPython.display as i\ni.Audio('x')",
     "from IPython import display\ndisplay.clear_output()\ndisplay.display(1)",
     "from IPython.display import *\ndisplay(HTML('b'), Markdown('c'))\nclear_output()",
     "from IPython.display import IFrame\nIFrame('x', 1, 2)",
     "from google import colab, genai\ngenai.Client",
     "try:\n    from google.colab import userdata\n    k = userdata.get('X')\nexcept ImportError:\n"
     "    k = 1\nassert k == 1",
     "from google.colab import userdata\ntry:\n    userdata.get('NO_SUCH')\n"
     "except userdata.SecretNotFoundError:\n    pass",
     "def get_ipython():\n    return 5\nassert get_ipython() == 5",
     "ip = get_ipython()\nassert ip is None"],
)  # fmt: skip
@pytest.mark.parametrize("before", [(), (f"def never():\n    {ASK}Hi",)], ids=["alone", "asks"])
def test_24_colabs_and_ipythons_own(
    cell: str, before: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "no-real-key")
    made = script_of(*before, cell)
    done = run_script(made.text, tmp_path)
    assert done.returncode == 0, f"{done.stderr}\n{made.text}"
    if "def get_ipython" not in cell:
        assert "get_ipython" not in made.text


def test_34_36_tags_and_ids() -> None:
    cells = document("x = 1", "y = 2")
    for cell in cells["cells"]:
        cell["id"] = "same"
    assert script_of(*cells["cells"]).text.count("# %% [same]") == 2


@pytest.mark.parametrize(
    "cell", ["yield 1", "return 1", "break", "nonlocal x", "def f():\n    await x",
             "class A:\n    x = await g()", "x = 1\nfrom __future__ import annotations"],
)  # fmt: skip
def test_35_what_python_does_not_take_is_a_comment(cell: str) -> None:
    made = script_of("x = 1", cell, "y = 2", f"{ASK}Hi")
    assert kinds(made) == ["broken"] and "\ny = 2\n" in made.text
    compile(made.text, "script.py", "exec")


def test_38_imports_that_stand_above_all_and_outside_of_functions(tmp_path: Path) -> None:
    shown = printed(
        tmp_path,
        "x = 1",
        "from __future__ import annotations",
        "import asyncio\nasync def f(): return 1",
        "def g(a: nonsense = await f()) -> nowhere: return a\ng()",
        "from math import *\nfloor(pi)",
        "v = 1\ndef h(): return v",
        "v: int = 2\nh()",
    )
    assert shown == "1\n3\n2\n"


def test_20_names_that_are_looked_up_as_a_program_runs(tmp_path: Path) -> None:
    shown = printed(
        tmp_path,
        "import asyncio\nawait asyncio.sleep(0)",
        "exec('b = 3',)\nb",
        "c = 4\nglobals()['c'], eval('b + c'), vars()['c'], eval(('c'), {'c': 1})",
        "def f():\n    exec('d = 1')\n    return eval('c')\nf()",
    )
    assert shown == "3\n(4, 7, 4, 1)\n4\n"


def test_40_what_outputs_hold_changes_nothing() -> None:
    cell = f"{ASK}Hi"
    failed = {"output_type": "error", "ename": "QuotaExceeded", "evalue": "429", "traceback": ["x"]}
    assert script_of({"source": cell, "outputs": [failed]}) == script_of(cell)


def test_a_function_of_the_notebooks_own_names_says_that_it_differs() -> None:
    """In a notebook placeholders see the notebook's variables alone."""
    made = script_of(f"def ask(word):\n    {ASK}Say {{{{ word }}}}", "word = 1")
    assert kinds(made) == ["differs"] and "word" in made.notes[0].text
    made = script_of(f"def ask(other):\n    global word\n    word = 2\n    {ASK}Say {{{{ word }}}}")
    assert made.notes == ()


def test_cells_read_back_in_their_order() -> None:
    """The markers are those of the percent format: what stands between them are the cells."""
    cells = ["import os\n\nx = 1", "def f():\n    return x", "f()"]
    text = script_of({"cell_type": "markdown", "source": "# Title"}, *cells).text
    read = [part.partition("\n") for part in text.split("\n# %% ")[1:]]
    assert [head for head, _, _ in read] == ["[markdown]", "[c2]", "[c3]", "[c4]"]
    found = [body.strip("\n") for _, _, body in read]
    assert found == ["# # Title", cells[0], cells[1], "show(f())"]
