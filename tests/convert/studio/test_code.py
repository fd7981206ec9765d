"""Code of AI Studio's becomes cells: Python, JavaScript, curl, templates, apps, other magics."""

from __future__ import annotations

import base64
import json
import sys
import time
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.studio import javascript, python_calls, shell_calls
from gemini_magic.convert.studio.command import as_bytes
from gemini_magic.convert.studio.documents import NotAPrompt
from gemini_magic.convert.studio.importing import import_path
from gemini_magic.convert.studio.javascript import value_of
from gemini_magic.convert.studio.pieces import Imported
from gemini_magic.convert.studio.programs import parsed
from gemini_magic.engine.request import build
from gemini_magic.notebook.drawn import drawn
from tests.convert.studio.lab import (
    KEY,
    PNG,
    asking,
    kinds,
    prompts,
    put_beside,
    setup,
    shown,
)
from tests.convert.studio.test_command import archive

SAMPLES = Path(__file__).parent / "samples"


def read(source: str, name: str = "code.txt") -> Imported:
    """The notebook of a program."""
    path = Path(name)
    path.write_text(source, "utf-8", newline="")
    (outcome,) = import_path(path, drawn, frozenset())
    assert outcome.imported is not None
    put_beside(outcome.imported, Path.cwd())
    return outcome.imported


def sample(name: str) -> Imported:
    return read((SAMPLES / name).read_text("utf-8"), name)


def options(cell: GeminiCell, *names: str) -> dict[str, Any]:
    return {name: value for name, value in cell.options if not names or name in names}


def text_of(cell: GeminiCell, names: dict[str, Any]) -> str:
    request = build(cell, lambda text: eval(text, dict(names))).request
    return "".join(part.text or "" for part in request.messages[-1].parts)


def test_python_of_2026() -> None:
    made = sample("get_code_2026.py.txt")
    first, second = prompts(made)
    names = setup(made)
    assert "report.pdf" in names["missing_file"] and first.get("file") == ("missing_file",)
    assert text_of(first, names).endswith('What is {this}? It\'s "here" \\ {{ not.a.name }}')
    assert shown(asking(made)[0])[0] == "**Thinking**A report."
    assert names["your_input"] == "INSERT_INPUT_HERE" and second.template == "{{ your_input }}"
    assert isinstance(second.get("image"), tuple)
    assert names["system_instruction"] == "Be brief.\nBe kind."
    assert options(second, "model", "temperature", "top-p", "max-output-tokens", "thinking",
                   "safety", "search", "url-context", "code-execution", "chat") == {
        "model": "gemini-2.5-flash", "temperature": 0.4, "top-p": 0.9, "max-output-tokens": 2048,
        "safety": "none", "search": True, "url-context": True, "code-execution": True,
        "chat": "chat",
    }  # fmt: skip
    schema = json.loads(str(second.get("schema")))
    assert schema["properties"] == {"a": {"type": "string", "enum": ["x", "y"]}}


def test_python_that_makes_pictures_drops_empty_values() -> None:
    source = (
        "from google import genai\nfrom google.genai import types\nclient = genai.Client()\n"
        "client.models.generate_content(model='gemini-3.1-flash-image', contents='a cat',\n"
        " config=types.GenerateContentConfig(image_config = types.ImageConfig(aspect_ratio='',"
        " image_size='2K', person_generation=''), response_modalities=['IMAGE', 'TEXT']))"
    )
    (cell,) = prompts(read(source))
    assert options(cell) == {"model": "gemini-3.1-flash-image", "modalities": ("image", "text"),
                             "size": "2K"}  # fmt: skip


def test_python_that_speaks() -> None:
    (cell,) = prompts(sample("get_code_speech.py.txt"))
    assert options(cell, "model", "modalities", "voice") == {
        "model": "gemini-3.8-flash-tts", "modalities": ("audio",), "voice": "Zephyr",
    }  # fmt: skip
    assert cell.template == "Read aloud: Hello!"


OLD = """
import google.generativeai as genai
from google.generativeai.types import HarmCategory, HarmBlockThreshold
genai.configure(api_key="{key}")
generation_config = {{"temperature": 0.9, "top_p": 1, "max_output_tokens": 100}}
model = genai.GenerativeModel("gemini-1.5-pro", safety_settings={{
    HarmCategory.HARM_CATEGORY_HARASSMENT: HarmBlockThreshold.BLOCK_NONE}},
    generation_config=generation_config, system_instruction="Be brief.")
response = model.generate_content(["What is it?", PIL.Image.open("cat.png")],
                                  generation_config=genai.GenerationConfig(temperature=0.1))
chat = model.start_chat(history=[{{"role": "user", "parts": ["hi"]}},
                                 {{"role": "model", "parts": ["hello"]}}])
chat.send_message("one")
for name in ["a", "b"]:
    print(chat.send_message(f"two {{name}}", stream=True).text)
"""


def test_python_of_the_old_sdk() -> None:
    made = read("import PIL.Image\n" + OLD.format(key=KEY))
    one, hi, first, second = prompts(made)
    assert options(one, "temperature", "top-p", "max-output-tokens", "safety", "system") == {
        "temperature": 0.1, "top-p": 1.0, "max-output-tokens": 100, "safety": "none",
        "system": "Be brief.",
    }  # fmt: skip
    assert (
        one.template == "What is it?{{ missing_image }}"
        and "cat.png" in setup(made)["missing_image"]
    )
    assert [cell.template for cell in (hi, first, second)] == ["hi", "one", "two {{ name }}"]
    assert len({cell.text("chat") for cell in (hi, first, second)}) == 1 and first.get("chat")
    assert first.get("temperature") == 0.9
    assert shown(asking(made)[1])[0] == "hello"
    assert KEY not in json.dumps(made.notebook) and "key" in kinds(made)
    assert any("GEMINI_API_KEY" in note.text for note in made.notes)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("client.models.generate_content(model=MODEL, contents=prompt)", "hello"),
        ("client.models.generate_content(model=MODEL, contents='say ' + prompt)", "say hello"),
        ("client.models.generate_content(model=MODEL, contents=[{'text': prompt}])", "hello"),
        ("client.models.generate_content(model=MODEL, contents=types.Part(text=prompt))", "hello"),
        ("client.models.generate_content(model=MODEL, contents=f'{prompt} {x!r}')",
         "hello {{ x }}"),
        ("client.models.generate_content(model=MODEL, contents={'role': 'user', 'parts':"
         " [{'text': prompt}]})", "hello"),
        ("async def f(q):\n    return await client.aio.models.generate_content(model=MODEL,"
         " contents=q)", "{{ q }}"),
        ("class A:\n    def __init__(self):\n        self.m = MODEL\n    def ask(self, q):\n"
         "        if q:\n            return client.models.generate_content(model=self.m, "
         "contents=[q, 'x'])", "{{ q }}x"),
        ("client.chats.create(model=MODEL).send_message('x')", "x"),
        ("with open('x') as f:\n  client.models.generate_content(model=MODEL, contents=f.read())",
         "{{ f_read }}"),
        ("[client.models.generate_content(model=MODEL, contents=q) for q in qs]", "{{ q }}"),
        ("try:\n    client.models.generate_content(model=MODEL, contents='x')\nexcept E:\n    pass",
         "x"),
        ("client.interactions.create(model=MODEL, input='x')", "x"),
        ("print(client.models.generate_content(model=MODEL, contents='x').text.strip())", "x"),
    ],
)  # fmt: skip
def test_shapes_of_python(source: str, wanted: str) -> None:
    head = (
        "from google import genai\nfrom google.genai import types\n"
        "client = genai.Client()\nMODEL = 'gemini-2.5-flash'\nprompt = 'hello'\n"
    )
    (cell,) = prompts(read(head + source))
    assert (cell.template, cell.text("model")) == (wanted, "gemini-2.5-flash")


FUNCTIONS = '''from __future__ import annotations
import datetime, enum, os
from google import genai
from google.genai import types
from pydantic import BaseModel
from functools import cache

UNIT = "C"
SECRET = client = genai.Client()


class Kind(enum.Enum):
    SUN = "sun"


class Weather(BaseModel):
    kind: Kind
    days: list[int] = []


def unused(): ...


@cache
def degrees(city: str) -> int:
    return len(city)


def weather(city: str) -> str:
    """The weather of a city."""
    return f"{degrees(city)} {UNIT} on {datetime.date(2026, 1, 1)}"


def generate():
    client.models.generate_content(
        model="gemini-2.5-flash", contents="How is it in Rome?",
        config=types.GenerateContentConfig(tools=[weather], temperature=0))
    client.models.generate_content(
        model="gemini-2.5-flash", contents="As JSON",
        config={"response_mime_type": "application/json", "response_schema": list[Weather]})
    client.models.generate_content(
        model="gemini-2.5-flash", contents="And this",
        config={"response_json_schema": Weather.model_json_schema()})
'''


def test_functions_and_types_of_the_code_are_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = read(FUNCTIONS)
    first, second, third = prompts(made)
    assert first.get("tools") == ("weather",)
    assert second.get("schema") == "list[Weather]"
    assert third.get("schema") == "Weather.model_json_schema()"
    carried = [cell["source"] for cell in made.notebook["cells"][2:]
               if not cell["source"].startswith("%%gemini")]  # fmt: skip
    assert len(carried) == 2 and "unused" not in "".join(carried)
    assert "Client" not in "".join(carried) and "@cache\ndef degrees" in carried[0]
    module = types.ModuleType("carried")
    monkeypatch.setitem(sys.modules, "carried", module)
    names = module.__dict__
    flags = 0
    for source in carried:
        code = compile(source, "cell", "exec", flags, dont_inherit=True)
        flags |= code.co_flags & annotations.compiler_flag  # as IPython does
        exec(code, names)
    assert names["weather"]("Rome") == "4 C on 2026-01-01"
    built = build(second, lambda text: eval(text, names)).request
    assert built.schema is not None and "SUN" not in built.schema and "sun" in built.schema
    assert build(third, lambda text: eval(text, names)).request.schema is not None
    assert "differs" in kinds(made)


@pytest.mark.parametrize(
    "tool",
    ["lambda x: x", "gone", "bot.look", "asking", "old"],
)
def test_functions_that_a_cell_cannot_take_are_told(tool: str) -> None:
    made = read(
        "from google import genai\nfrom google.genai import types\n"
        "import google.generativeai as before\nclient = genai.Client()\n"
        "answer = client.models.generate_content(model='gemini-2.5-flash', contents='y')\n"
        "def asking(): return answer\n"
        "def old(): return before.list_models()\n"
        "client.models.generate_content(model='gemini-2.5-flash', contents='x', "
        f"config={{'tools': [{tool}], 'temperature': t, 'response_schema': Gone}})"
    )
    assert sum(kind == "left-out" for kind in kinds(made)) == 3
    assert all(cell.get("tools") is None for cell in prompts(made))


CLIENT = "from google import genai\nclient = genai.Client()\n"
CALL = "client.models.generate_content(model='m', contents='x', config={'tools': [tool]})\n"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("A, (B, *C) = 1, (2, 3)\ndef tool(): return A + B + len(C)\n", 4),
        ("try:\n    import gone_for_good as m\nexcept ImportError:\n    m = None\n"
         "def tool(): return m is None\n", True),
        ("import os\nif os.sep:\n    A = 5\nelse:\n    A = 6\ndef tool(): return A\n", 5),
        ("import contextlib\nwith contextlib.nullcontext(7) as A: pass\n"
         "def tool(): return A\n", 7),
        ("A = 1\nA += 1\ndef tool(): return A\n", 2),
        ("def tool():\n    global A\n    A = 3\n    return A\nA = 0\n", 3),
        ("def tool(a=1, *b, **c): return [a + d for d in (1, 2) if (e := d)][e - 1]\n", 3),
        ("def tool():\n    match [1, 2]:\n        case [a, *b]: return a + len(b)\n", 2),
        ("A = '\x0c\u2028\x1c\x85'\ndef tool(): return len(A)\n", 4),
        ("A = 1\rdef tool():\r\n    return A\r", 1),
    ],
)  # fmt: skip
def test_a_tool_has_all_that_it_uses(code: str, value: Any) -> None:
    made = read(CLIENT + code + CALL)
    (cell,) = prompts(made)
    assert cell.get("tools") == ("tool",)
    names: dict[str, Any] = {}
    for source in (cell["source"] for cell in made.notebook["cells"][2:]
                   if not cell["source"].startswith("%%gemini")):  # fmt: skip
        exec(source, names)
    assert names["tool"]() == value


@pytest.mark.parametrize(
    "code",
    [
        "def tool(): return gone\n",
        "from mine import *\ndef tool(): return gone()\n",
        "def other(): return gone\ndef tool(): return other()\n",
        "def start():\n    global A\n    A = 1\ndef tool(): return A\n",
        "class Tool:\n    A = 1\ndef tool(): return A\n",
        "try:\n    import google.generativeai as old\nexcept ImportError:\n    old = None\n"
        "def tool(): return old\n",
    ],
)
def test_a_tool_that_would_fail_is_told(code: str) -> None:
    made = read(CLIENT + code + CALL)
    (cell,) = prompts(made)
    assert cell.get("tools") is None and "left-out" in kinds(made)


def test_many_definitions_take_no_time() -> None:
    lines = [f"def f{number}(): return f{number + 1}()" for number in range(800)] + ["f800 = int"]
    lines += [f"client.models.generate_content(model='m', contents='x', config={{'tools': [f{n}]}})"
              for n in (0, 400) * 200]  # fmt: skip
    began = time.process_time()
    made = read("from google import genai\nclient = genai.Client()\n" + "\n".join(lines))
    assert len(prompts(made)) == 400 and time.process_time() - began < 30
    assert sum("def f" in cell["source"] for cell in made.notebook["cells"]) == 1


def test_javascript_of_2025() -> None:
    made = sample("get_code_2025.mjs")
    first, second = prompts(made)
    assert "".join(map(str, first.segments)) == 'It\'s "quoted" // no comment { } and {{ x }}'
    assert shown(asking(made)[0])[0] == "old answer"
    assert second.template == "{{ your_input }}"
    assert options(second, "model", "temperature", "thinking", "search", "url-context",
                   "system") == {
        "model": "gemini-2.5-flash", "temperature": 0.5, "thinking": "off", "search": True,
        "url-context": True, "system": "Be `brief`, ${really}.",
    }  # fmt: skip
    assert json.loads(str(second.get("schema")))["properties"]["a"]["items"]["type"] == "integer"


def test_javascript_of_the_old_sdk() -> None:
    made = sample("get_code_old.mjs")
    first, second, third = prompts(made)
    assert (first.template, second.template) == ("first", "{{ your_input }}")
    assert third.template == "and {{ result_response_text }}?"
    assert len({cell.text("chat") for cell in (first, second, third)}) == 1
    assert options(third, "temperature", "system", "max-output-tokens") == {
        "temperature": 1.0, "system": "Be brief.", "max-output-tokens": 8192,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("ai.models.generateContent({model: 'm', contents: 'a' + b + `c`})", "a{{ b }}c"),
        ("ai.models.generateContent({model: 'm', contents: `x ${a ? `y ${b}` : 'z'} {}`})",
         "x {{ a_y_b_z }} {}"),
        ("const r = /[/]`'/; ai.models.generateContent({model: 'm', contents: 'it\\'s'})", "it's"),
        ("x = a / b; y = ai.models.generateContent({model: 'm', contents: '\\u00e9\\x41'})", "éA"),
        ("export const f = async (q: string): Promise<string> => { const r: R = await "
         "ai.models.generateContent({ model: 'm' as string, contents: q, }); return r.text!; }",
         "{{ q }}"),
        ("ai.models.generateContent<T>({model: 'm', contents: {parts: [{text: 'x'}]}})", "x"),
        ("try { await this.ai.models.generateContent({model: 'm', contents: [{role: 'user', "
         "parts: [{text: 'x'}, ...more]}], config}) } catch (e) {}", "x{{ more }}"),
        ("const p = 'x'; ai.models.generateContent({model: 'm', contents: p})", "x"),
        ("ai.chats.create({model: 'm', config: {}}).sendMessage({message: 'x'})", "x"),
        ("fetch(`a ${await ai.models.generateContent({model: 'm', contents: 'x'})}`)", "x"),
        ("g.getGenerativeModel({model: 'm'}).generateContent(['x', 'y']).then(r => r.text())",
         "xy"),
    ],
)  # fmt: skip
def test_shapes_of_javascript(source: str, wanted: str) -> None:
    (cell,) = prompts(read(f"import {{GoogleGenAI}} from '@google/genai';\n{source}\n"))
    assert (cell.template, cell.text("model")) == (wanted, "m")


def test_calls_that_stay_open_are_told() -> None:
    with pytest.raises(NotAPrompt, match="live"):
        read("import {GoogleGenAI} from '@google/genai'; await ai.live.connect({model: 'm'})")


def test_curl() -> None:
    made = sample("get_code_2025.sh")
    (cell,) = prompts(made)
    assert "".join(map(str, cell.segments)) == (
        'costs $5, `not` a "command", it\'s\nEOF and ${HOME}'
    )
    assert options(cell, "model", "temperature", "search", "system") == {
        "model": "gemini-2.5-flash", "temperature": 0.5, "search": True, "system": "Be brief.",
    }  # fmt: skip
    assert isinstance(cell.get("image"), tuple) and cell.get("thinking") is None
    assert json.loads(str(cell.get("schema")))["properties"] == {"a": {"type": "string"}}


def test_curl_of_documentation() -> None:
    made = read(
        'curl "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:'
        f"generateContent?key={KEY}\" \\\n  -H 'Content-Type: application/json' -X POST \\\n"
        '  -d \'{"contents": [{"parts":[{"text": "Explain it"}]}]}\' 2> /dev/null && echo ok'
    )
    (cell,) = prompts(made)
    assert (cell.template, cell.text("model")) == ("Explain it", "gemini-2.5-flash")
    assert KEY not in json.dumps(made.notebook) and "key" in kinds(made)


@pytest.mark.parametrize("body", ["-d @gone.json", "-d '[1]'", "-d '{\"a\": '", "-d 'x"])
def test_curl_without_a_body_is_told(body: str) -> None:
    with pytest.raises(NotAPrompt, match="cannot be read"):
        read(f"curl https://generativelanguage.googleapis.com/v1/models/m:generateContent {body}")


def test_values_of_javascript() -> None:
    text = """{a: [1, -2.5, 1e3, 0x10, 1_000,], 'b-c': "\\t\\"", ...{d: true}, e: null, // no
      f: undefined, g() { return 1 }, [`h`]: 'i', /* no */ j: !0 ? 1 : 2,}"""
    found = value_of(text)
    assert {key: found[key] for key in "adefh"} == {
        "a": [1, -2.5, 1000.0, 16, 1000], "d": True, "e": None, "f": None, "h": "i",
    }  # fmt: skip
    assert found["b-c"] == '\t"'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_json_is_read_as_json(value: Any) -> None:
    assert value_of(json.dumps(value)) == value


@given(st.text("{}[]()`'\"\\$/*\n ab1.,:;=+-?!<>"))
def test_no_text_is_a_surprise(text: str) -> None:
    for source in (text, f"ai.models.generateContent({{model: 'm', contents: {text}}})"):
        with suppress(Unreadable):
            list(javascript.Reader(source).statements())
        with suppress(Unreadable):
            list(shell_calls.calls(f"curl {source} models/m:generateContent"))
    if (tree := parsed(text)) is not None:
        python_calls.calls(tree)


HOSTILE = ["`${" * 5_000, "f(" * 9_000, "[" * 20_000, "const a = {" * 5_000, "/" * 50_000,
           "'" * 50_000, "a." * 20_000, "cat <<EOF\n" * 3_000 + " curl", "(" * 20_000]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE, ids=lambda source: source[:4].strip())
def test_hostile_code_takes_no_time(source: str) -> None:
    began = time.process_time()
    with suppress(Unreadable, RecursionError):
        list(javascript.Reader(source).statements())
    with suppress(Unreadable, RecursionError):
        list(shell_calls.calls(source))
    assert time.process_time() - began < 8


# --- notebooks of others ---


def book(*sources: str, **more: Any) -> str:
    cells = [{"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [],
              "execution_count": None, "source": source.splitlines(keepends=True)}
             for n, source in enumerate(sources)]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more})


def packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_templates_of_colab() -> None:
    history = [{"role": "user", "parts": [{"text": "hello"}]},
               {"role": "model", "parts": [{"text": "hi"}]}]  # fmt: skip
    tail = "# @param {isTemplate: true}"
    plain = read(book(
        f"model = 'gemini-2.5-flash' {tail}\ncontents = {json.dumps(history)!r} {tail}\n"
        f"generation_config = '{{\"temperature\": 0.3}}' {tail}\nsafety_settings = '{{}}' {tail}\n"
        f"user_input = 'How does {{it}} work?' {tail}"), "chat.ipynb")  # fmt: skip
    first, second = prompts(plain)
    assert (first.template, second.template) == ("hello", "How does {it} work?")
    assert second.get("temperature") == 0.3 and shown(asking(plain)[0])[0] == "hi"
    parts = [
        {"text": "what is it?"},
        {"image": {"image_url": "https://example.org/a.jpg"}},
        {"image": {"drive_id": "ID"}},
        {"inline_data": {"mime_type": "image/png", "data": base64.b64encode(PNG).decode()}},
    ]
    free = read(book(
        f"model = 'gemini-2.5-flash' {tail}\ncontents_b64 = '{packed([{'parts': parts}])}' {tail}\n"
        f"generation_config_b64 = '{packed({'top_k': 3})}' {tail}\n"
        f"safety_settings_b64 = 'e30=' {tail}"), "free.ipynb")  # fmt: skip
    (cell,) = prompts(free)
    assert cell.get("file") == ("https://example.org/a.jpg",) and cell.get("top-k") == 3
    assert cell.template.startswith("what is it?{{ missing_image }}{{ Path(")


def test_a_form_of_colabs_is_no_template() -> None:
    """The cookbook's notebooks choose their model with one."""
    with pytest.raises(NotAPrompt, match="without cells"):
        read(book('MODEL_ID = "gemini-2.5-flash" # @param ["a"] {"allow-input":true, isTemplate: '
                  "true}", "x = client.models.generate_content(model=MODEL_ID, contents='hi')"),
             "cookbook.ipynb")  # fmt: skip


def sources(made: Imported) -> list[str]:
    return ["".join(cell["source"]) for cell in made.notebook["cells"]]


def test_cells_of_jupyter_ai() -> None:
    made = read(book(
        "%load_ext jupyter_ai_magics", "%%ai google:gemini-1.5-pro -f code\nsum {x} {{y}} {1}",
        "%ai list", "x = %ai gemini:gemini-2.5-flash hello {x}", "%%ai openai-chat:gpt-4o\nhi",
        "print('%%ai')"), "ai.ipynb")  # fmt: skip
    assert sources(made) == [
        "%load_ext gemini_magic",
        "%%gemini --model gemini-3.1-pro-preview --as code\nsum {{ x }} {y} {1}",
        "%ai list",
        "x = %gemini --model gemini-2.5-flash hello {{ x }}",
        "%%gemini\nhi",
        "print('%%ai')",
    ]
    assert [cell["id"] for cell in made.notebook["cells"]] == [f"c{n}" for n in range(6)]
    assert {"model"} <= set(kinds(made))


def test_cells_of_the_old_extension() -> None:
    made = read(book(
        "%load_ext google.generativeai.notebook", "%%palm --help",
        "%%palm run --model models/text-bison-001 --temperature 0.5\nMy colour is",
        "%%llm --inputs words\nThe opposite of {word} is",
        "%%palm compile translate | first\nFrench: {word}",
        "%%gemini --outputs answer\nhi", "%%palm eval --inputs a --ground_truth b\nhi"),
        "palm.ipynb")  # fmt: skip
    assert sources(made) == [
        "%load_ext gemini_magic",
        "%%palm --help",
        "%%gemini --model gemini-3.5-flash-lite --temperature 0.5\nMy colour is",
        "%%gemini --def prompt_4\nThe opposite of {{ word }} is",
        "for row in zip(*words.values()):\n    print(prompt_4(**dict(zip(words, row))).text)",
        "%%gemini --def translate\nFrench: {{ word }}",
        "%%gemini --out answer\nhi",
        "%%palm eval --inputs a --ground_truth b\nhi",
    ]


def test_notebooks_of_old_formats_are_brought_up() -> None:
    cells = [{"cell_type": "code", "input": ["%%ai google:gemini-2.5-flash\n", "hi"],
              "language": "python", "outputs": [], "metadata": {}}]  # fmt: skip
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    made = read(json.dumps(old), "old.ipynb")
    assert sources(made) == ["%%gemini --model gemini-2.5-flash\nhi"]
    book = nbformat.reads(as_bytes(made.notebook).decode(), 4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)


def test_keys_in_notebooks_are_read_from_the_environment() -> None:
    made = read(book(f"import os\nos.environ['X'] = '{KEY}'", "%%ai google:gemini-2.5-flash\nhi"),
                "key.ipynb")  # fmt: skip
    assert KEY not in json.dumps(made.notebook)
    assert 'os.environ["GEMINI_API_KEY"]' in sources(made)[0]


def test_notebooks_without_such_cells_are_left() -> None:
    with pytest.raises(NotAPrompt, match="without cells"):
        read(book("print(1)", "%%gemini\nhi"), "x.ipynb")


# --- apps ---

SERVICE = """import { GoogleGenAI, Type } from "@google/genai";
const ai = new GoogleGenAI({ apiKey: process.env.API_KEY });
const SYSTEM = `You are {brief}.`;
export const ask = async (q: string) => {
  const response = await ai.models.generateContent({
    model: 'gemini-2.5-flash', contents: `About ${q}`,
    config: { systemInstruction: SYSTEM, responseMimeType: 'application/json',
              responseSchema: { type: Type.OBJECT, properties: { a: { type: Type.STRING } } } },
  });
  return JSON.parse(response.text);
};
export const draw = () => ai.models.generateContent({
  model: 'gemini-2.5-flash-image', contents: { parts: [{ text: 'a cat' }] },
  config: { responseModalities: [Modality.IMAGE] } });
"""


def app(**more: Any) -> dict[str, Any]:
    return {
        "metadata.json": '{"name": "x"}', "package.json": "{}", "App.tsx": "export default 1;",
        "index.html": "<div/>", "services/geminiService.ts": SERVICE,
        "vite.config.ts": "define: {'process.env.API_KEY': JSON.stringify(env.GEMINI_API_KEY)}",
        ".env.local": f"GEMINI_API_KEY={KEY}", "node_modules/x/index.js": SERVICE, **more,
    }  # fmt: skip


@pytest.mark.parametrize("top", ["", "my-app/"])
def test_an_app(top: str) -> None:
    archive(Path("app.zip"), {f"{top}{name}": data for name, data in app().items()})
    (outcome,) = import_path(Path("app.zip"), drawn)
    made = outcome.imported
    assert made is not None
    ask, draw = prompts(made)
    assert ask.template == "About {{ q }}" and ask.text("system") == "You are {brief}."
    assert draw.text("model") == "gemini-3.1-flash-image" and draw.get("modalities") == ("image",)
    assert KEY not in json.dumps(made.notebook)
    told = " ".join(note.text for note in made.notes if note.kind == "key")
    assert ".env.local" in told and "vite.config.ts" in told


def test_an_app_in_a_folder_and_a_key_in_its_code() -> None:
    service = SERVICE.replace("process.env.API_KEY", f"'{KEY}'")
    for name, data in app(**{"services/geminiService.ts": service, ".env.local": ""}).items():
        path = Path("app", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data, "utf-8")
    (outcome,) = import_path(Path("app"), drawn)
    assert outcome.imported is not None and len(prompts(outcome.imported)) == 2
    assert KEY not in json.dumps(outcome.imported.notebook)
    assert any("geminiService.ts" in note.text for note in outcome.imported.notes)


def test_an_app_that_asks_nothing() -> None:
    archive(Path("app.zip"), app(**{"services/geminiService.ts": ""}))
    with pytest.raises(NotAPrompt, match="no file of the app"):
        import_path(Path("app.zip"), drawn)
