"""What holds for every JavaScript program: bytes stay, nothing is done twice, Node can read it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.convert.migrate.javascript import library, old_sdk
from gemini_magic.convert.migrate.javascript.program import migrate
from gemini_magic.convert.migrate.job import Options
from tests.convert.abroad import node, node_modules
from tests.convert.migrate.javascript import CASES, HERE, MODEL, read
from tests.convert.migrate.test_javascript_rules import RULES, TRAPS

NEW = read("javascript_new_cases.txt")
OPENAI = Options("https://p.example/v1", to="openai")
#: Lines that have nothing to do with an SDK.
LINES = st.sampled_from(
    [*TRAPS.values(), "let x = 1  // é\n", "\n", "\t\n", "const o = {\n  model: 'm',\n};\n",
     "for (const one of [1, 2]) { f(one) }\n", "const s = '\\\n \\'';\n", "/* a\n b */\n",
     "x = a /* `\n */ / 2;\n", "async () => { await f`a${1}b`; };\n"]
)  # fmt: skip


@given(st.lists(LINES).map("".join), st.booleans())
def test_other_programs_keep_every_byte(text: str, named: bool) -> None:
    text += "// @google/generative-ai and @google/genai\n" if named else ""
    assert migrate(text).text == text
    assert migrate(text, ".js", OPENAI).text == text


@given(
    st.text(max_size=60), st.text(max_size=60), st.sampled_from(['"', "'", "`", "/*", "//", "<"])
)
def test_any_text_is_read_or_refused(before: str, after: str, sign: str) -> None:
    text = f'import {{ TaskType }} from "@google/generative-ai";\n{before}{sign}{after}'
    try:
        made = migrate(text).text
    except Exception as error:
        assert type(error).__name__ == "GeminiMagicError"
    else:
        assert made.endswith(f"{before}{sign}{after}"[-10:])


@settings(max_examples=60)
@given(st.lists(LINES, max_size=4).map("".join), st.sampled_from(sorted(CASES)))
def test_the_lines_around_keep_every_byte(around: str, name: str) -> None:
    if name.endswith(".ts"):
        around = ""  # JSX would be no TypeScript
    suffix = Path(name).suffix
    alone = migrate(CASES[name], suffix).text
    body, _, functions = alone.partition("\n/** A stream")
    inner = f"{{\n{around}}}\n"
    text = CASES[name] if CASES[name].endswith("\n") else CASES[name] + "\n"
    made = migrate(text + inner, suffix).text
    assert made.startswith(body + inner)
    assert bool(functions) == ("/** A stream" in made[len(body + inner) :])


@pytest.mark.parametrize("name", CASES)
def test_a_second_time_changes_nothing(name: str) -> None:
    suffix = Path(name).suffix
    once = migrate(CASES[name], suffix)
    again = migrate(once.text, suffix)
    assert again.text == once.text != CASES[name]
    assert again.places == ()
    code = re.sub(r"/\*.*?\*/|//.*", "", once.text, flags=re.S)
    assert "generative-ai" not in code


@pytest.mark.parametrize("name", [*CASES, *NEW])
def test_openai_a_second_time_changes_nothing(name: str) -> None:
    suffix = Path(name).suffix
    before = {**CASES, **NEW}[name]
    once = migrate(before, suffix, OPENAI)
    assert migrate(once.text, suffix, OPENAI) == (once.text, ())
    assert once.text != before


@pytest.mark.parametrize("options", [Options(), OPENAI])
@pytest.mark.parametrize("name", CASES)
def test_what_is_not_done_is_marked(name: str, options: Options) -> None:
    made = migrate(CASES[name], Path(name).suffix, options)
    marks = {place.text for place in made.places if place.verdict != "done"}
    for text in marks:
        assert f"// TODO(gemini-magic): {text}" in made.text
    lines = CASES[name].count("\n") + 1
    assert all(1 <= place.line <= lines for place in made.places)


@pytest.mark.parametrize("options", [Options(), OPENAI])
@pytest.mark.parametrize("name", CASES)
def test_with_windows_line_ends(name: str, options: Options) -> None:
    suffix = Path(name).suffix
    made = migrate(CASES[name].replace("\n", "\r\n"), suffix, options).text
    assert made.count("\r\n") == made.count("\n")
    assert made.replace("\r\n", "\n") == migrate(CASES[name], suffix, options).text


def test_most_cases_need_no_look() -> None:
    marked = {
        name for name, text in CASES.items()
        if any(place.verdict != "done" for place in migrate(text, Path(name).suffix).places)
    }  # fmt: skip
    assert marked == {"embed-batch.mjs", "count-system.mjs", "unknown-stream.mjs"}


def test_node_can_read_what_is_made(tmp_path: Path) -> None:
    """Every rule's result, and the whole library as JavaScript and as TypeScript."""
    called = {name: name for name in library.names()}
    programs = {
        "library.mjs": library.code(set(library.names()), called, typed=False),
        "library.ts": library.code(set(library.names()), called, typed=True),
    }
    for number, rule in enumerate(RULES.values()):
        suffix = ".ts" if rule.suffix == ".ts" else ".mjs"
        programs[f"rule{number}{suffix}"] = migrate(rule.before, rule.suffix, OPENAI).text
        programs[f"new{number}{suffix}"] = migrate(rule.before, rule.suffix).text
    for name, text in programs.items():
        (tmp_path / name).write_text(text, "utf-8")
    done = subprocess.run(
        [node(), "--no-warnings", HERE / "javascript_check.mjs", tmp_path, *programs],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "", done.stdout
    assert done.returncode == 0, done.stderr


def test_the_tables_name_what_is_there() -> None:
    folder = node_modules() / "@google"
    old = "".join((folder / "generative-ai" / name).read_text("utf-8")
                  for name in ("dist/generative-ai.d.ts", "dist/server/server.d.ts"))  # fmt: skip
    new = (folder / "genai/dist/genai.d.ts").read_text("utf-8")

    def names(text: str) -> set[str]:
        kinds = r"interface|class|enum|type|const"
        renamed = re.findall(r"export \{ \w+ as (\w+) \}", text)
        return {*re.findall(rf"export declare (?:{kinds}) (\w+)", text), *renamed}

    earlier = {"FunctionDeclarationSchemaType"}  # of versions before 0.22
    targets = {target for target, _ in old_sdk.WRITTEN.values()}
    assert names(old) >= {*old_sdk.RENAMED, *old_sdk.SAME, *old_sdk.WRITTEN} - earlier
    assert names(new) >= {*old_sdk.RENAMED.values(), *old_sdk.SAME, *targets}
    members = re.search(r"enum TaskType \{(.*?)\n\}", old, re.S)
    assert members is not None
    assert set(re.findall(r"(\w+) =", members[1])) == set(old_sdk.TEXTS["TaskType"])
    said = subprocess.run(
        [node(), "-e", "console.log(JSON.stringify(Object.keys(require('@google/genai'))))"],
        cwd=node_modules().parent, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    values = set(json.loads(said.stdout))
    known = {*old_sdk.SAME, *old_sdk.RENAMED.values(), *targets}
    assert values & known == old_sdk.VALUES - {"default"}


def _work(text: str, options: Options) -> int:
    """How many functions are called to migrate a text."""
    calls = 0

    def count(_frame: FrameType, _event: str, _given: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        migrate(text, ".mjs", options)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("options", [Options(), OPENAI])
@pytest.mark.parametrize(
    ("head", "then"),
    [
        ('model.generateContent("a")', "(r) => f(r)"),
        ('model.generateContent("a")', "async (r) => { return await r; }"),
        ("unknown()", "(r) => r"),
        ("new Promise(f)", "function (r) { return g(r); }"),
        ('const asked = () => model.generateContent("a")', "(r) => h(r)"),
    ],
)
def test_a_long_chain_takes_linear_work(head: str, then: str, options: Options) -> None:
    step = f"\n  .then({then})"
    texts = [f"{MODEL}{head}{step * times};\n" for times in (1, 60, 120)]
    _, few, many = (_work(text, options) for text in texts)  # the first reads tables, too
    assert few < many < 2.3 * few


@pytest.mark.alone
def test_sixty_files_in_under_five_seconds() -> None:
    body = [
        text.partition("\n")[2] for name, text in CASES.items()
        if name.startswith(("parts", "contents", "settings-call", "chat", "stream."))
    ]  # fmt: skip
    text = 'import { GoogleGenerativeAI } from "@google/generative-ai";\n'
    for number in range(100):
        lines = "\n".join(f"  {line}" for line in body[number % len(body)].splitlines())
        text += f"async function f{number}() {{\n{lines}\n}}\n"
        if text.count("\n") >= 150:
            break
    start = time.process_time()
    for _ in range(60):
        assert migrate(text, ".mjs").text != text
    assert time.process_time() - start < 5
