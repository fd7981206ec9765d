"""What becomes of a notebook's cells in a script: the hard cases, one by one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gemini_magic.convert.exported import KeyFound
from gemini_magic.convert.library import helpers
from gemini_magic.convert.notebook_file import NotANotebook, notebook_of, read_file
from gemini_magic.convert.options import Options
from tests.convert.fixtures import NOTEBOOKS
from tests.convert.lab import document, kinds, run_script, script_of, setting
from tests.wire.script import Answer, Call

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"


def body(*cells: str) -> str:
    """The cells of a script, without its head."""
    text = script_of(*cells).text
    return text[text.index("# %% [") :] if "# %% [" in text else ""


def printed(tmp_path: Path, *cells: str) -> str:
    done = run_script(script_of(*cells).text, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_markers_and_text() -> None:
    made = script_of({"cell_type": "markdown", "source": "# Title\n\n`code`"}, "x = 1")
    assert made.text.endswith("# %% [markdown]\n# # Title\n#\n# `code`\n\n# %% [c2]\nx = 1\n")
    assert made.text.startswith('# /// script\n# requires-python = ">=3.11"\n# dependencies = []')
    assert "get_ipython" not in made.text and "import" not in made.text


def test_a_broken_cell_is_a_comment_and_the_rest_goes_on() -> None:
    made = script_of("x = 1", "def (:\n  '''", "y = 2")
    assert kinds(made) == ["broken"] and made.notes[0].cell == "c2"
    assert "# def (:\n#   '''" in made.text and "\ny = 2\n" in made.text


def test_unknown_magics_are_comments_and_told() -> None:
    made = script_of(
        "%%sql\nselect 1", "%nonsense x\nz = 1", "if True:\n    %nonsense y", "x = %%z"
    )
    assert kinds(made) == ["unknown-magic"] * 3 + ["broken"]
    assert "# %%sql\n# select 1" in made.text and "z = 1" in made.text
    assert "pass  # Left out" in made.text or "\n    pass" in made.text


def test_magics_that_mean_nothing_are_comments_alone() -> None:
    made = script_of("%load_ext gemini_magic\n%matplotlib inline\nx = 1", "%%html\n<b>x</b>")
    assert made.notes == () and "# %load_ext gemini_magic\n# %matplotlib inline\nx = 1" in made.text


def test_packages_become_dependencies() -> None:
    made = script_of(
        "!pip install -q 'pandas>=2' rich[x]==13 -r more.txt # why", "%pip install --upgrade openai"
    )
    assert '#   "pandas>=2",\n#   "rich[x]==13",\n' in made.text and "openai" not in made.text[:150]
    ast.parse(made.text)


def test_the_head_is_what_pep_723_asks_for() -> None:
    text = script_of("%pip install 'rich[x]>=13,<15; python_version < \"4\"'", "%gemini Hi").text
    found = re.search(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", text)
    assert found
    lines = found["content"].splitlines()
    head = tomllib.loads("\n".join(line[2:] for line in lines))
    assert head["requires-python"] == ">=3.11"
    assert head["dependencies"][-1].startswith("rich[x]>=13,<15")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["python-genai", "python-openai"])
def test_scripts_of_typed_notebooks_are_typed(target: str, tmp_path: Path) -> None:
    for name in ("plain", "chat", "schema of a class", "tools in a chat", "system", "pictures",
                 "repaired", "max pixels", "tools with a dataclass"):  # fmt: skip
        cells = [cell.replace("MODEL", "studio:gemini-2.5-pro") for cell in NOTEBOOKS[name]]
        if name in ("plain", "tools in a chat"):
            cells.append("_.model, _.tool_calls, _.citations")
        path = tmp_path / f"{name.replace(' ', '_')}.py"
        made = script_of(*cells, target=target, options=Options(retry=True))
        path.write_text(made.text, "utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "c"), "."],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_packages_of_a_script_that_asks() -> None:
    text = script_of(
        "%pip install -U google-genai httpx", "%gemini -m studio:gemini-2.5-pro Hi"
    ).text
    assert '# dependencies = [\n#   "google-genai>=3.4,<4",\n#   "httpx",\n# ]' in text
    assert 'os.environ.get("GOOGLE_API_KEY") or os.environ["GEMINI_API_KEY"]' in text
    assert 'base_url="https://generativelanguage.googleapis.com"' in text
    assert 'api_version="v1beta"' in text


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("6 * 7", "42\n"),
        ("6 * 7;", ""),
        ("'a'", "'a'\n"),
        ("None", ""),
        ("print('x')", "x\n"),
        (
            "from IPython.display import Markdown, display\ndisplay(Markdown('# x'))\n'y'",
            "# x\n'y'\n",
        ),
        ("from IPython.display import HTML as H, clear_output\nclear_output()\nH('b')", "'b'\n"),
        ("display('a', 2)", "a\n2\n"),
        ("%time x = 6 * 7\nx", "42\n"),
        ("%%time\nx = 1\nx", "1\n"),
        ("%%capture out\nx = 2\nprint(x)", "2\n"),
        ("lines = !printf 'a\\nb\\n'\nlines", "['a', 'b']\n"),
        ("x = 'h'\n!echo {x}i $x", "hi h\n"),
        ('%%bash\necho "$((1 + 1)) {x}"', "2 {x}\n"),
        ("%env A_B=c\nimport os\nos.environ['A_B']", "'c'\n"),
        ("for i in range(2):\n    %time print(i)", "0\n1\n"),
        ("%%writefile 'a b.txt'\n'''x''' \\\nprint({y})\nopen('z')", ""),
        ("ip = get_ipython()\nip is None", "True\n"),
        ("x = [1,\n     2]\n# a comment\nx  # and one here", "[1, 2]\n"),
        ("é = 'ü'; é", "'ü'\n"),
        ("a = 1\r\ns = '''x\r\ny'''\r\ns", "'x\\ny'\n"),
        (">>> 1 + 1", "2\n"),
    ],
)
def test_cells_run_as_plain_python(cell: str, shown: str, tmp_path: Path) -> None:
    assert printed(tmp_path, cell) == shown


def test_top_level_await(tmp_path: Path) -> None:
    shown = printed(
        tmp_path,
        "import asyncio\nn = 1\ndef get():\n    return n, later",
        "await asyncio.sleep(0)\ntext = '''a\n  b'''\nn = 2\nlater: int = 3\nlater2 = 4",
        "async def many():\n    for i in range(2):\n        yield i",
        "async for i in many():\n    print(i)\nclass C:\n    x = text\nC.x",
        "[i async for i in many()]",
        "def f():\n    return text + str(later2)\nf()",
    )
    assert shown == "0\n1\n'a\\n  b'\n[0, 1]\n'a\\n  b4'\n"


def test_colab() -> None:
    made = script_of(
        "from google.colab import userdata, drive\nkey = userdata.get('X')", "import google.colab"
    )
    assert kinds(made) == ["differs", "left-out", "left-out"]
    assert "class userdata" in made.text and "\nfrom google" not in made.text


def test_colabs_secrets_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X_SECRET", "found")
    cell = "from google.colab import userdata\nprint(userdata.get('X_SECRET'))"
    assert printed(tmp_path, cell) == "found\n"


def test_undefined_and_route_and_left_out_are_told(configure) -> None:
    configure(
        '[settings]\nroute = "r"\n[backends.a]\nkind = "openai"\nbase_url = "https://a.test/v1"\n'
        'model = "m"\n[backends.b]\nkind = "google"\n[routes.r]\ntargets = ["a", "b"]\n'
    )
    made = script_of("%%gemini --top-k 3 --safety few --repair\nAbout {{ nobody }}")
    assert sorted(kinds(made)) == ["left-out", "left-out", "route", "undefined"]
    made = script_of("%%gemini --schema 'n int' --repair\nX")
    assert kinds(made) == ["route", "left-out"] and "--repair" in made.notes[1].text


def test_openai_says_what_its_wire_cannot(configure) -> None:
    configure('[settings]\nmodel = "studio:gemini-2.5-flash"\n')
    made = script_of(
        "%%gemini --top-k 3 --safety few --url-context --search --code-execution\nX",
        target="python-openai",
    )
    text = " ".join(note.text for note in made.notes)
    for word in ("top_k", "safety", "url-context", "search", "code-execution"):
        assert word in text
        assert re.search(rf"^# Left out: .*{word}", made.text, re.M), made.text
    assert "v1beta/openai/" in made.text


def test_bad_prompts_are_comments() -> None:
    made = script_of("%%gemini --nonsense\nX", "%%gemini -m nowhere:x\nY", "x = %gemini -t 9 Z\nx")
    assert kinds(made) == ["broken"] * 3
    assert "# %%gemini --nonsense\n# X" in made.text and "x = None" in made.text


def test_names_of_ours_make_way_but_attributes_stay() -> None:
    text = script_of(
        "json = parsed = text = 1",
        "%gemini -m studio: --schema 'a int' --out r X\nr.json, r.parsed",
    ).text
    assert "import json as json_2" in text and "def json(self)" in text
    assert "parsed: Any = None" in text and "def parsed_2(" in text and "r = parsed_2(" in text
    assert "return json_2.loads(self.text)" in text and "reply.parsed = " in text


def test_commands_are_comments() -> None:
    assert kinds(script_of("%config GeminiMagic.model = 'x'")) == ["left-out"]
    made = script_of("%gemini quota", "if True:\n    %gemini models", "%%gemini --dry-run\nX")
    assert made.notes == () and "# %gemini quota" in made.text and "pass  # %gemini" in made.text


def test_keys_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for cell in (f"key = '{KEY}'", f"%%gemini\nUse {KEY}", f"!curl ?key={KEY}", f"# {KEY}",
                 "%%gemini\n" + "x " * 30 + KEY):  # fmt: skip
        with pytest.raises(KeyFound) as caught:
            script_of("x = 1", cell)
        assert KEY not in str(caught.value) and "c2" in caught.value.what
    monkeypatch.setenv("GEMINI_API_KEY", "an-odd-but-real-key")
    with pytest.raises(KeyFound):
        script_of("%gemini -m studio: Hi", "x = 'an-odd-but-real-key'")


def test_raw_and_tagged_cells_are_comments() -> None:
    made = script_of(
        {"cell_type": "raw", "source": "not python ("},
        {"source": "x = 1", "metadata": {"tags": ["skip-execution"]}},
    )
    assert "# not python (" in made.text and "# x = 1" in made.text and kinds(made) == ["left-out"]


def test_types_that_cannot_be_told_are_made_at_run_time() -> None:
    made = script_of("from elsewhere import Shape, tool", "%%gemini --schema Shape --tools tool\nX")
    assert "differs" in kinds(made)
    assert "json_schema(Shape)" in made.text and "json_schema(tool)" in made.text


def test_code_of_the_notebook_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    touch = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    script_of(
        touch,
        f"class A(BaseModel):\n    x: {touch!r}\n    y: list[{touch!r}] = {touch}\n",
        f"from pydantic import BaseModel, Field\nclass B(BaseModel):\n    x: int = Field({touch})",
        f"@({touch})\ndef f(x: {touch!r} = {touch}):\n    pass\nclass C(BaseModel, {touch}): pass",
        f"def g(x: {touch!r}): pass",
        "%%gemini --schema A --tools f,g\nX", "%%gemini --schema B\nX", "%%gemini --schema C\nX",
        f"%%gemini --schema '{touch.replace(chr(39), chr(34))}'\n{{{{ {touch} }}}}",
        f"%%gemini --image '{touch.replace(chr(39), chr(34))}'\nX",
    )  # fmt: skip
    assert not trap.exists()


def test_the_same_bytes_wherever_it_is(tmp_path: Path) -> None:
    cells = ["%pip install b a", "import os\n%gemini -m studio: {{ os }}", "%gemini -m oai: x"]
    assert script_of(*cells) == script_of(*cells)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '{"cells": 1}', '{"nbformat": 3, "worksheets": []}', "\xff", "[" * 100_000,
     '{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}'],
)  # fmt: skip
def test_no_notebook(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(NotANotebook) as caught:
        read_file(path)
    assert len(caught.value.lines()) <= 2


def test_odd_cells_are_read_or_passed_over() -> None:
    made = document("x = 1")
    made["cells"] += [None, 3, {}, {"cell_type": "code", "source": ["y", " = 2", 3]},
                      {"cell_type": "code", "source": "z = 3", "id": "bad\nid"}]  # fmt: skip
    cells = notebook_of(made, "a").cells
    assert [cell.source for cell in cells] == ["x = 1", "y = 2", "z = 3"]
    assert [cell.id for cell in cells] == ["c1", "cell-5", "cell-6"]


def test_where_the_embedded_model_listens_may_be_said_in_the_environment(
    openai_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = openai_server()
    made = script_of("%gemini -m local: Hi")
    assert '"http://127.0.0.1:8080/v1"' in made.text and kinds(made) == ["differs"]
    monkeypatch.setenv("LOCAL_BASE_URL", server.url)
    monkeypatch.setenv("LOCAL_API_KEY", server.key)
    run_script(made.text, tmp_path)
    (call,) = server.generate_calls
    assert call.headers["authorization"] == f"Bearer {server.key}"
    assert "LOCAL_" not in script_of("%gemini -m studio: Hi", target="python-openai").text


def test_pictures_of_a_loop_are_files_of_their_own(tmp_path: Path) -> None:
    saved = helpers()["saved"], helpers()["SAVED"]
    assert "SAVED" in saved[0].uses
    made = script_of(
        "import math\nfor n in 'ab':\n    %gemini -m studio:gemini-3.1-flash-image {{ n }}"
    )
    names = dict[str, object]()
    exec(made.text.partition("\nclient = ")[0], names)
    rest = made.text.partition("\n\n\n")[2].partition("# %% [c1]")[0]
    exec(rest, names)
    reply, media, save = names["Reply"], names["Media"], names["saved"]
    for data in (b"1", b"2"):
        save(reply(media=[media("image/png", data)]), str(tmp_path / "cell_c1"))  # type: ignore
    assert (tmp_path / "cell_c1_1.png").read_bytes() == b"1"
    assert (tmp_path / "cell_c1_2.png").read_bytes() == b"2"


def test_a_large_file_is_told_of(tmp_path: Path) -> None:
    (Path.cwd() / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(9_000_000))
    made = script_of("%%gemini -m studio: --file film.mp4\nSum it up")
    assert kinds(made) == ["differs"] and "9 MB" in made.notes[0].text
    assert 'file_of("film.mp4", "video/mp4")' in made.text


@pytest.mark.kernel
def test_a_fresh_kernel_knows_nothing_of_the_notebook_before(
    google_server, openai_server, shared_kernel, configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel that tests share is as good as a new one."""
    google = google_server()
    configure(setting(google, openai_server(), "gem:gemini-2.5-flash"))
    monkeypatch.setenv("GEM_KEY", google.key)
    kernel = shared_kernel.fresh()
    cells = [
        "x = 1\n%env SOME=thing\n%cd /",
        "%gemini use gem:gemini-2.5-pro",
        "%config GeminiMagic.generation = {'temperature': 0.5}",
        "%%gemini --chat c\nOne",
    ]
    assert [kernel.run(cell, cell_id="c1").status for cell in cells] == ["ok"] * 4
    folder = Path.cwd() / "another"
    folder.mkdir()
    monkeypatch.chdir(folder)
    kernel = shared_kernel.fresh()
    assert kernel.value("'x' in globals() or '_' in globals() and bool(_)") is False
    assert kernel.value("__import__('os').environ.get('SOME')") is None
    assert kernel.value("__import__('os').getcwd()") == str(folder)
    assert kernel.run("%%gemini --chat c\nTwo", cell_id="c1").status == "ok"
    last = google.generate_calls[-1]
    assert "gemini-2.5-flash" in last.path and "temperature" not in str(last.json)
    assert [one["parts"] for one in last.json["contents"]] == [[{"text": "Two"}]]


@pytest.mark.kernel
@pytest.mark.parametrize("wire", ["gem", "oai"])
def test_tokens_are_there_where_the_notebook_reads_them(
    wire: str, google_server, openai_server, shared_kernel, configure, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    servers = google, openai = google_server(), openai_server()
    model = "gem:gemini-2.5-flash" if wire == "gem" else "oai:gpt-4o-mini"
    configure(setting(google, openai, model))
    for name, server in zip(("GEM_KEY", "OAI_KEY"), servers, strict=True):
        monkeypatch.setenv(name, server.key)
    cells = ["%%gemini --quiet -o said\nHello you", "said.text, said.usage"]
    kernel = shared_kernel.fresh()
    shown = [kernel.run(cell, cell_id=f"c{n}").text for n, cell in enumerate(cells)][1]
    made = script_of(*cells)
    printed_there = run_script(made.text, tmp_path).stdout
    assert printed_there.split() == shown.split() and "Usage(input" in shown
    assert "class Usage" not in script_of(*cells[:1]).text
    told = script_of(*cells, "said.cost, said.text")
    assert kinds(told) == ["left-out"] and "said.cost" in told.notes[0].text


_TOLD = """\
print(said.model, [one.uri + " " + one.title for one in said.citations])
for use in said.tool_calls:
    print(use.call, use.result, use.seconds < 9)
"""


@pytest.mark.kernel
@pytest.mark.parametrize("wire", ["gem", "oai"])
def test_model_calls_and_sources_are_there_where_the_notebook_reads_them(
    wire: str, google_server, openai_server, shared_kernel, configure, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    servers = google, openai = google_server(), openai_server()
    model = "gem:gemini-2.5-flash" if wire == "gem" else "oai:gpt-4o-mini"
    configure(setting(google, openai, model))
    for name, server in zip(("GEM_KEY", "OAI_KEY"), servers, strict=True):
        monkeypatch.setenv(name, server.key)
    sources = [{"web": {"uri": "https://a.example/1", "title": "A"}},
               {"web": {"uri": "https://a.example/1", "title": "B"}},
               {"maps": {"uri": "https://m.example"}}]  # fmt: skip
    status = "URL_RETRIEVAL_STATUS_"
    pages = [{"retrievedUrl": "https://p.example", "urlRetrievalStatus": f"{status}{x}"}
             for x in ("SUCCESS", "ERROR")]  # fmt: skip
    known = {"grounding": {"groundingChunks": sources}, "url_context": {"urlMetadata": pages}}
    calls = [Call("weather", {"town": "Ülm"}, "a"), Call("weather", {"town": ""}, "b"),
             Call("nothing", {}, "c")]  # fmt: skip
    answers = [Answer(calls=calls), Answer("Rain.", **known if wire == "gem" else {})]
    function = 'def weather(town: str) -> str:\n    """The weather."""\n    return "ü" + town[0]'
    cells = [function, "%%gemini --quiet --tools weather -o said\nHow is Ulm?"]
    kernel = shared_kernel.fresh()
    for server in servers:
        server.set_script(answers)
    shown = [kernel.run(cell, cell_id=f"c{n}").text for n, cell in enumerate([*cells, _TOLD])][-1]
    made = script_of(*cells, _TOLD, target="python-genai" if wire == "gem" else "python-openai")
    for server in servers:
        server.set_script(answers)
    assert run_script(made.text, tmp_path).stdout == shown
    assert shown.count("ToolUse") == 0 and shown.count("failed=True") == 2
    if wire == "gem":
        assert made.notes == () and "['https://a.example/1 A', 'https://m.example " in shown
        assert "https://p.example" in shown and "ToolCall(name='weather'" in shown
    else:
        assert kinds(made) == ["left-out"] and "said.citations" in made.notes[0].text
    plain = script_of(*cells).text
    assert not any(word in plain for word in ("ToolUse", "Citation", "reply.model", "monotonic"))
