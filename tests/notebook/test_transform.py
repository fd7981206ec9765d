"""Through IPython's own machinery, a magic gets its text byte for byte and Python stays Python."""

from __future__ import annotations

import json
import keyword
import sysconfig
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from gemini_magic.cell import GeminiCell
from gemini_magic.notebook.transform import transform
from tests import corpus

# IPython's own warning, for lines that end at U+2028
pytestmark = pytest.mark.filterwarnings("ignore:`make_tokens_by_line`")

Call = tuple[str, str, str, str | None]


def manager() -> TransformerManager:
    """IPython's transformers with ours in its place."""
    made = TransformerManager()
    made.cleanup_transforms.insert(0, lambda lines: transform(lines, "gemini"))
    return made


class Answer(str):
    """What a magic gives: a text that can be unpacked into two."""

    def __iter__(self) -> Iterator[str]:
        return iter((self[:1], self[1:]))


class Shell:
    """What a cell's code calls: keeps what the magics were given."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def run_cell_magic(self, name: str, line: str, body: str) -> None:
        self.calls.append(("cell", name, line, body))

    def run_line_magic(self, name: str, line: str, *_: Any) -> str:
        self.calls.append(("line", name, line, None))
        return Answer(f"<{line}>")

    def system(self, command: str) -> None:
        self.calls.append(("shell", "system", command, None))

    def getoutput(self, command: str) -> None:
        self.calls.append(("shell", "getoutput", command, None))


def run(cell: str, **variables: Any) -> tuple[list[Call], dict[str, Any]]:
    """Run a cell as IPython would: its calls of magics and its variables."""
    shell = Shell()
    code = manager().transform_cell(cell)
    space: dict[str, Any] = {"get_ipython": lambda: shell, **variables}
    exec(compile(code, "<cell>", "exec"), space)
    return shell.calls, space


def lines_of(cell: str) -> list[str]:
    return [line for kind, name, line, _ in run(cell)[0] if (kind, name) == ("line", "gemini")]


def untouched(cell: str) -> bool:
    """Whether our transformer hands on the very lines it was given."""
    lines = cell.splitlines(keepends=True)
    copy = list(lines)
    return transform(lines, "gemini") is lines and lines == copy


HEADS = [
    "%%gemini\n",
    "%%gemini -m x --raw\n",
    "# why\n\n  # how\n%%gemini\n",
    "\r\n%%gemini -q --\n",
]


@pytest.mark.parametrize("prompt", corpus.ALL.values(), ids=corpus.ALL.keys())
def test_a_prompt_reaches_the_magic_byte_for_byte(prompt: str) -> None:
    for head in HEADS:
        for end in ("", "\n"):
            calls, _ = run(f"{head}{prompt}{end}")
            [(kind, name, line, body)] = calls
            assert (kind, name) == ("cell", "gemini") and body is not None
            cell = GeminiCell.from_magic(line, body)
            # IPython itself ends the cell with a newline if it has none
            wanted = prompt if end else prompt.removesuffix("\n")
            assert cell.template == wanted
            assert cell.flag("raw") == ("--raw" in head)
            direct = GeminiCell.parse(f"{head}{prompt}{end}")
            assert (direct.template, direct.options) == (cell.template, cell.options)


@pytest.mark.parametrize("prompt", corpus.ALL.values(), ids=corpus.ALL.keys())
def test_a_prompt_that_begins_on_the_first_line_does_too(prompt: str) -> None:
    first = prompt.lstrip(" \t\r\f\v")
    if first.startswith("\n") or not first:
        return
    [(_, _, line, body)] = run(f"%%gemini -- {first}\n")[0]
    assert GeminiCell.from_magic(line, body).template == first


@pytest.mark.parametrize(
    "cell", ["%%gemini", "%%gemini\n", "%%gemini --help", "# x\n%%gemini -h\n"]
)
def test_an_empty_body_is_no_error(cell: str) -> None:
    [(kind, _, line, body)] = run(cell)[0]
    assert kind == "cell" and body == "\n"
    assert GeminiCell.from_magic(line, body).template == ""


@given(st.text(st.characters(codec="utf-8")))
def test_any_prompt_reaches_the_magic(prompt: str) -> None:
    [(_, _, line, body)] = run(f"%%gemini\n{prompt}\n")[0]
    assert GeminiCell.from_magic(line, body).template == prompt


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("%gemini hello", ["hello"]),
        ("%gemini", [""]),
        ("  %gemini hello", ["hello"]),
        ("%gemini hello  ", ["hello  "]),
        ("%gemini\thello", ["hello"]),
        ("%gemini why?", ["why?"]),
        ("%gemini why??", ["why??"]),
        ("%gemini x = 1;", ["x = 1;"]),
        ("%gemini # no comment", ["# no comment"]),
        ("%gemini it's \"odd", ["it's \"odd"]),
        ("%gemini '''", ["'''"]),
        ("%gemini ((( [ {", ["((( [ {"]),
        ("%gemini ))) ] }", ["))) ] }"]),
        ("%gemini {{ x }} $x {x}", ["{{ x }} $x {x}"]),
        ("%gemini \0 \ud800", ["\0 \ud800"]),
        ("y = '\\ud800'\nx = %gemini \udfff", ["\udfff"]),
        ("%gemini 0777 1__2 é ☃ \u202e ² $ ? ! `", ["0777 1__2 é ☃ \u202e ² $ ? ! `"]),
        ("%gemini a\u2028b\x0cc\x85d", ["a\u2028b\x0cc\x85d"]),
        ("%gemini a\r\n", ["a"]),
        ("%gemini a\\", ["a\\"]),
        ("%gemini a \\\n  b \\\n c", ["a    b   c"]),
        ("x = %gemini it's \"odd", ["it's \"odd"]),
        ("x=%gemini hi", ["hi"]),
        ("a = b = %gemini hi", ["hi"]),
        ("größe = %gemini hi", ["hi"]),
        ("a, (b, *c) = %gemini hi", ["hi"]),
        ("x: str = %gemini hi", ["hi"]),
        ("d = {}\nd['a'] = %gemini hi", ["hi"]),
        ("d = {}\nd['=%gemini '] = %gemini hi", ["hi"]),
        ("if True: x = %gemini hi", ["hi"]),
        ("if True:\n    %gemini a\n    x = %gemini b\nelse:\n    %gemini c\n", ["a", "b"]),
        ("for i in range(2):\n\tif i:\n\t\t%gemini a\n\t%gemini b\n", ["b", "a", "b"]),
        ("def f():\n    y = %gemini hi\n    return y\nf()\nf()", ["hi", "hi"]),
        ("class A:\n    x = %gemini hi\n", ["hi"]),
        ("try:\n    %gemini a\nfinally:\n    %gemini b\n", ["a", "b"]),
        ("%gemini a\n%gemini b (\nx = %gemini c '''\n%gemini d", ["a", "b (", "c '''", "d"]),
        ("x = 1\n\n\n%gemini a\n# c\n%gemini b\n", ["a", "b"]),
        ("y = '''\n%gemini no\n'''\n%gemini yes", ["yes"]),
        ("y = f'''\n%gemini no {1\n}\n'''\n%gemini yes", ["yes"]),
        ("y = (\n5\n% 3)\n%gemini yes", ["yes"]),
        ("y = 'a\u2028b\x0c\x85'\n%gemini yes", ["yes"]),
        ("\x0cy = 1\n\x0c\n%gemini yes", ["yes"]),
        ("y = 1\r\n%gemini a\r\nz = %gemini b\r\n", ["a", "b"]),
        ("y = 1\r%gemini a\rz = 2", ["a"]),
        ("!echo it's (\n%gemini yes\n", ["yes"]),
        ("!cat <<'''\n%gemini yes\n", ["yes"]),
        ("%time x = (1,\n%gemini yes", ["yes"]),
        ("y = !ls '\n%gemini yes", ["yes"]),
        ("%gemini x = %gemini y", ["x = %gemini y"]),
        (">>> %gemini a\n>>> x = 1\n", ["a"]),
        ("In [1]: %gemini a", ["a"]),
        (">>> x = 1\n>>> y = %gemini a?", ["a?"]),
        ("%gemini a; %gemini b", ["a; %gemini b"]),
    ],
)
def test_a_line_magic(cell: str, wanted: list[str]) -> None:
    assert lines_of(cell) == wanted


def test_the_reply_is_assigned() -> None:
    _, space = run("a = b = %gemini why?\nc, d = %gemini xy\ne = a + '!'")
    assert (space["a"], space["b"], space["e"]) == ("<why?>", "<why?>", "<why?>!")
    assert (space["c"], space["d"]) == ("<", "xy>")


def test_lines_keep_their_numbers() -> None:
    cell = "a = 1\n%gemini x \\\n  y\n\n1 / 0\n"
    with pytest.raises(ZeroDivisionError) as caught:
        run(cell)
    assert caught.traceback[-1].lineno == 4  # counted from 0


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1",
        "",
        "\n\n",
        "%%gemini?",
        "%%gemini??",
        "%gemini?",
        "?%gemini",
        "%%geminis x",
        "%%bash\n%gemini x\nx = %gemini y\n",
        "\n%%bash\n%gemini x",
        "%%time\n%gemini x",
        "%timeit %gemini x",
        "x = '%gemini hi'",
        'x = "a = %gemini hi"',
        "x = '''\n%gemini hi\ny = %gemini hi\n'''",
        "def f():\n    '''\n    %gemini hi\n    '''\n",
        "x = f'''\n%gemini {1} hi\n'''",
        "x = (5\n%gemini )",
        "x = 5 \\\n%gemini",
        "x = y %gemini",
        "x = y% gemini",
        "x = y == %gemini z",
        "x += %gemini z",
        "f(x = %gemini z)",
        "f(\n%gemini z\n)",
        "d = {\n'a':\n%gemini z}",
        "# %gemini hi",
        "x = 1  # = %gemini hi",
        "@decorator\ndef f(): pass  # %gemini x",
        "x = %geminis hi",
        "%%%gemini hi",
        "x = '%gemini \\\n y'",
        "(\n%gemini x",
        "x = [\n\n%gemini x",
        "'''\n%gemini x '",
    ],
)
def test_what_is_none_of_ours(cell: str) -> None:
    if cell.startswith(("(\n", "x = [\n", "'''\n")):
        # Python cannot read it, whatever we make of it
        with pytest.raises(SyntaxError):
            run(cell)
    else:
        assert untouched(cell)


def test_a_foreign_cell_magic_gets_its_body() -> None:
    body = "%gemini x\nx = %gemini y\n"
    assert run(f"%%bash -x\n{body}")[0] == [("cell", "bash", "-x", body)]
    assert run("%%bash\n%%gemini\nx")[0] == [("cell", "bash", "", "%%gemini\nx\n")]


@pytest.mark.parametrize("cell", ["%%gemini?", "%gemini?"])
def test_a_question_mark_after_the_name_asks_for_help(cell: str) -> None:
    assert run(cell)[0] == [("line", "pinfo", cell[:-1], None)]


def test_another_name() -> None:
    assert transform(["%%ask hi\n"], "ask") == [
        "get_ipython().run_cell_magic('ask', ' hi', '\\n')\n"
    ]
    assert transform(["x = %ask hi\n"], "ask") == [
        "x = get_ipython().run_line_magic('ask', 'hi')\n"
    ]
    lines = ["x = %gemini hi\n"]
    assert transform(lines, "ask") is lines


STDLIB = Path(sysconfig.get_path("stdlib"))
MODULES = [
    "argparse", "ast", "cgitb" if (STDLIB / "cgitb.py").exists() else "calendar", "dataclasses",
    "decimal", "difflib", "doctest", "enum", "inspect", "logging/__init__", "pdb", "re/_parser",
    "string", "textwrap", "tokenize", "turtle", "typing", "unittest/mock",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_python_without_a_magic_is_never_changed(module: str) -> None:
    path = STDLIB / f"{module}.py"
    if not path.exists():
        pytest.skip("not in this Python")
    code = path.read_text("utf-8")
    spiked = "\n".join(
        f'{code}\nx_ = """\n%gemini hi\n y = %gemini hi\n"""\nz = (1\n%gemini )\n'.splitlines()
    )
    assert untouched(spiked)


@given(st.data())
def test_python_with_the_words_anywhere_in_its_strings_is_never_changed(data: Any) -> None:
    words = st.sampled_from(["%gemini x", "x = %gemini y", "\n%gemini x\n", "\n  a = %gemini b\n"])
    pieces = data.draw(st.lists(words | st.text(max_size=6), max_size=5))
    text = "".join(pieces)
    tripled = '"""' + text.replace("\\", "").replace('"', "").replace("\r", "") + '"""'
    block = textwrap.indent(f"x = {text!r}\n", data.draw(st.sampled_from(["", "  ", "\t"])))
    code = f"y = {tripled}\nif 1:\n {block}z = ({json.dumps(text)},\n{text!r}, {tripled})\n"
    try:
        compile(code, "x", "exec")
    except (SyntaxError, ValueError):
        return
    assert untouched(code)


@given(
    st.lists(
        st.sampled_from(
            [
                *("%gemini a b\n", "x = %gemini it's\n", "y = 1\n", "z = (1,\n 2)\n", "\n"),
                *("if 1:\n    %gemini c (\n", "s = '''\n%gemini no\n'''\n", "# c\n"),
                "for _ in [1]:\n\tpass\n",
            ]
        ),
        max_size=12,
    )
)
def test_every_magic_among_statements_is_found(parts: list[str]) -> None:
    wanted = {"%gemini a b\n": "a b", "x = %gemini it's\n": "it's"}
    wanted["if 1:\n    %gemini c (\n"] = "c ("
    assert lines_of("".join(parts)) == [wanted[part] for part in parts if part in wanted]


@given(st.text(), st.sampled_from(["", "x = ", "a.b[0] = ", "if 1: x = "]))
def test_any_one_line_prompt_reaches_the_magic(prompt: str, targets: str) -> None:
    prompt = "".join(prompt.splitlines()).strip(" \t\r\n\f").rstrip("\\")
    cell = f"q = 1\n{targets}%gemini {prompt}\nr = 2\n"
    rows = transform(cell.splitlines(keepends=True), "gemini")
    assert rows == [
        "q = 1\n",
        f"{targets}get_ipython().run_line_magic('gemini', {prompt!r})\n",
        "r = 2\n",
    ]


@given(st.text(st.sampled_from("%gemini x='\"()[]{}\\\n\r\t#!?;:\x0c\u2028é")))
def test_no_text_is_too_odd(text: str) -> None:
    for cell in (text, f"%gemini {text}", f"{text}\n%gemini x", f"x = '''{text}\n%gemini x"):
        lines = cell.splitlines(keepends=True)
        out = transform(lines, "gemini")
        if "%gemini" not in text and "\\" not in text:
            assert "".join(out).count("get_ipython()") <= 1


@pytest.mark.parametrize(
    "cell",
    [
        "x = %gemini hi (\n" * 1000,
        "y = [1, 2, 3]\n" * 5000 + "%gemini hi",
        "if 1:\n  x = 1\n y = 2\n" * 1000 + "%gemini hi",
        "!echo 'it\n" * 1000 + "%gemini hi",
        "!echo (\n" * 200 + "%gemini hi",
        "%gemini " + "x" * 100_000,
        "(" * 10_000 + "\n%gemini x",
    ],
    ids=["magics", "python", "dedents", "quotes", "brackets", "long", "deep"],
)
def test_a_long_cell_is_read_in_a_moment(cell: str) -> None:
    began = time.process_time()
    transform(cell.splitlines(keepends=True), "gemini")
    assert time.process_time() - began < 4


def test_keywords_are_no_targets_of_ours() -> None:
    """``return %gemini hi`` is no form of ours; IPython does not know it either."""
    for word in keyword.kwlist:
        assert untouched(f"{word} %gemini hi")
