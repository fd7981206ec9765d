"""Saved prompts become notebooks: each trap of AI Studio's format is a test."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.studio.literals import literal
from gemini_magic.convert.studio.naming import file_name, identifier, inert
from gemini_magic.convert.studio.notebooks import made
from gemini_magic.convert.studio.pieces import Found, Media, Missing, Text, Turn
from gemini_magic.convert.studio.prompts import found_in
from gemini_magic.engine.request import build
from gemini_magic.notebook.drawn import drawn
from tests.convert.studio.lab import (
    KEY,
    PNG,
    asking,
    chat,
    encoded,
    imported,
    kinds,
    model,
    prompts,
    put_beside,
    setup,
    shown,
    user,
)
from tests.corpus import ALL

NEW = "models/gemini-3.8-flash"
BIG = PNG + bytes(range(256)) * 20


def sent(cell: GeminiCell, names: dict[str, Any]) -> list[Any]:
    """The parts that a cell sends, with these variables."""
    return list(build(cell, lambda text: eval(text, dict(names))).request.messages[-1].parts)


# --- the traps ---


def test_text_is_not_told_twice() -> None:
    fragments = [{"text": "one "}, {"text": "two"}]
    made = imported(chat(user("q"), model("one two", parts=fragments)))
    (cell,) = asking(made)
    assert shown(cell)[0] == "one two"


def test_parts_alone_are_read_all_of_them() -> None:
    chunk = {"role": "model", "parts": [{"text": "one "}, {"text": "two"}, {"text": "x",
             "thought": True}], "finishReason": "STOP"}  # fmt: skip
    made = imported(chat({"role": "user", "parts": [{"text": "q"}]}, chunk))
    (cell,) = asking(made)
    assert prompts(made)[0].template == "q"
    assert shown(cell)[0] == "one two"


def test_thoughts_are_folded_and_no_history() -> None:
    document = chat(
        user("q"), model("because", isThought=True), model("a", parts=[{"text": "a",
        "thoughtSignature": "U0lH"}]), user("r"), model("b"),
    )  # fmt: skip
    made = imported(document)
    first, second = asking(made)
    assert shown(first)[0].startswith("(thoughts") and shown(first)[1] == "a"
    assert "because" in shown(first, "text/html")[0] and "<details>" in shown(first, "text/html")[0]
    assert "because" not in first["source"] + second["source"]
    assert "U0lH" in json.dumps(first["metadata"])  # goes back with the answer


def test_media_and_text_are_one_cell() -> None:
    document = chat(
        {"inlineImage": {"mimeType": "image/png", "data": encoded(BIG)}, "role": "user"},
        {"inlineImage": {"mimeType": "image/png", "data": encoded(PNG)}, "role": "user"},
        user("what is it?"), model("a square"),
    )  # fmt: skip
    made = imported(document)
    (cell,) = prompts(made)
    parts = sent(cell, {})
    assert [part.data for part in parts[:2]] == [BIG, PNG]
    assert parts[2].text == "what is it?"
    assert cell.get("chat") is None


def test_errors_and_empty_answers_are_no_answers() -> None:
    failed = {"text": "", "role": "model", "errorMessage": "An internal error has occurred."}
    made = imported(chat(user("q"), failed, user("r"), {"text": "", "role": "model",
                    "finishReason": "OTHER"}))  # fmt: skip
    assert [cell["outputs"] for cell in asking(made)] == [[], []]
    assert "failed" in kinds(made)


def test_an_empty_answer_after_a_whole_one_does_not_replace_its_end() -> None:
    held = {"mimeType": "image/png", "data": encoded(PNG)}
    picture = {"text": "", "inlineImage": held, "role": "model", "finishReason": "STOP",
               "parts": [{"inlineData": held}]}  # fmt: skip
    made = imported(chat(user("q"), picture, {"text": "", "role": "model",
                    "finishReason": "OTHER"}))  # fmt: skip
    (cell,) = asking(made)
    assert len(shown(cell, "image/png")) == 1, "the picture stands in the chunk and in its parts"
    assert cell["outputs"][0]["metadata"]["gemini_magic"]["finish_reason"] == "STOP"


def test_programs_and_their_output_stand_in_their_order() -> None:
    made = imported(chat(
        user("2+2"),
        {"executableCode": {"language": "PYTHON", "code": "print(2+2)"}, "role": "model"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4\n"}, "role": "model"},
        model("It is 4."),
        enableCodeExecution=True,
    ))  # fmt: skip
    (cell,) = asking(made)
    texts = shown(cell)
    assert texts[0] == "print(2+2)" and "4" in texts[1] and texts[2] == "It is 4."
    assert prompts(made)[0].flag("code-execution")


@pytest.mark.parametrize("key", ["driveImage", "driveDocument", "driveVideo", "driveAudio"])
def test_what_lies_in_drive_has_a_placeholder_and_is_reported(key: str) -> None:
    made = imported(chat({key: {"id": "1AbC-d_E"}, "role": "user"}, user("what is it?")))
    (cell,) = prompts(made)
    names = setup(made)
    (name,) = [one for one in names if one.startswith("missing_")]
    assert "1AbC-d_E" in names[name]
    parts = sent(cell, names)
    assert "1AbC-d_E" in parts[0].text and parts[-1].text == "what is it?"
    Path("photo.png").write_bytes(PNG)
    assert sent(cell, {**names, name: Path("photo.png")})[0].data == PNG
    assert "missing" in kinds(made)
    assert any("1AbC-d_E" in note.text for note in made.notes)


def test_the_last_turn_without_an_answer_is_the_call() -> None:
    made = imported(chat(user("q"), model("a"), user("r")))
    first, second = asking(made)
    assert first["outputs"] and not second["outputs"]
    assert {cell.get("chat") for cell in prompts(made)} == {"my_prompt"}


def test_retired_models_are_replaced_with_a_note() -> None:
    made = imported(chat(user("q"), model("a"), model="models/gemini-2.0-pro-exp-02-05"))
    assert prompts(made)[0].text("model") == "gemini-3.1-pro-preview"
    assert "model" in kinds(made)
    told = asking(made)[0]["outputs"][0]["metadata"]["gemini_magic"]
    assert (told["backend"], told["model"]) == ("aistudio", "gemini-2.0-pro-exp-02-05")
    assert told["request"] is None, "nothing was asked here"


@pytest.mark.parametrize("name", ALL)
def test_prompts_reach_the_wire_as_they_were_typed(name: str) -> None:
    text = ALL[name]
    made = imported(chat(user(text), model("a")))
    (cell,) = prompts(made)
    if text.strip():
        assert "".join(part.text for part in sent(cell, setup(made))) == text


@given(
    st.lists(
        st.one_of(
            st.text("{}\\$_^x y\n\"'!:[]()", min_size=1).map(Text),
            st.just(Media(PNG, "image/png")),
            st.just(Missing("image", "ID", "Google Drive")),
        ),
        min_size=1, max_size=5,
    ),
    st.text("{}\\$_x\n'\""),
)  # fmt: skip
def test_any_pieces_in_any_order(tmp_path_factory: Any, pieces: list[Any], system: str) -> None:
    merged: list[Any] = []
    for one in pieces:
        if isinstance(one, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + one.text)
        else:
            merged.append(one)
    if not any(isinstance(one, Text) and one.text.strip() for one in merged):
        merged.append(Text("x"))
    made_ = made(Found("t", "o", (Turn(tuple(merged), system=system or None),)), drawn)
    folder = tmp_path_factory.mktemp("pieces")
    put_beside(made_, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (cell,) = prompts(made_)
        names = setup(made_)
        built = build(cell, lambda text: eval(text, dict(names))).request
    assert (built.system or "") == system
    found = "".join(part.text or "\0" for part in built.messages[-1].parts)
    wanted = "".join(one.text for one in merged if isinstance(one, Text))
    for name in (name for name in names if name.startswith("missing_")):
        found = found.replace(f"--- {name} ---\n{names[name]}\n\n", "").replace(names[name], "")
    assert found.replace("\0", "") == wanted


def test_prompts_of_a_megabyte_and_pictures_are_files() -> None:
    text = "long {{ text }} with {braces}\r\n" * 40_000
    picture = {"inlineImage": {"mimeType": "image/png", "data": encoded(BIG)}, "role": "user"}
    made = imported(chat(picture, user(text), model("a")))
    (cell,) = prompts(made)
    assert len(json.dumps(made.notebook)) < 20_000
    parts = sent(cell, setup(made))
    assert [part.data or part.text for part in parts] == [BIG, text]


def test_unknown_keys_are_kept() -> None:
    document = chat(user("q", newThing={"a": 1}), model("a", other=[1]), brandNew="x", off=False)
    made = imported({**document, "future": {"b": 2}})
    assert [note.text for note in made.notes if note.kind == "left-out"] == [
        "the setting brandNew has no option; it is kept with the notebook"
    ]
    kept = json.dumps([made.notebook["metadata"], asking(made)[0]["metadata"]])
    assert all(word in kept for word in ("newThing", "other", "brandNew", "future"))


# --- run settings ---


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"thinkingBudget": -1}, {}),
        ({"thinkingBudget": 0}, {"thinking": "off"}),
        ({"thinkingBudget": 512}, {"thinking": 512}),
        ({"thinkingBudget": -1, "thinkingLevel": "THINKING_HIGH"}, {}),
        ({"thinkingBudget": -1, "thinkingLevel": "THINKING_HIGH", "model": NEW},
         {"thinking": "high"}),
        ({"thinkingLevel": "THINKING_LOW", "model": NEW}, {"thinking": "low"}),
        ({"responseMimeType": "text/plain"}, {}),
        ({"outputResolution": "1K"}, {}),
        ({"outputResolution": "2K", "aspectRatio": "16:9", "model": "models/gemini-3-pro-image"},
         {"size": "2K", "aspect": "16:9"}),
        ({"outputResolution": "", "aspectRatio": "", "model": "models/gemini-3-pro-image"}, {}),
        ({"responseModalities": ["IMAGE", "TEXT"]}, {"modalities": ("image", "text")}),
        ({"enableSearchAsATool": True}, {"search": True}),
        ({"googleSearch": {}}, {"search": True}),
        ({"enableBrowseAsATool": True}, {"url-context": True}),
        ({"stopSequences": ["END", "a b"]}, {"stop": ("END", "a b")}),
        ({"seed": "7"}, {"seed": 7}),
        ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {"media-resolution": "low"}),
    ],
)  # fmt: skip
def test_run_settings(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = imported(chat(user("q"), **given))
    options = dict(prompts(made)[0].options)
    base = {"model": given.get("model", "models/gemini-2.5-flash").removeprefix("models/"),
            "temperature": 1.0, "top-p": 0.95, "top-k": 64, "max-output-tokens": 65536}  # fmt: skip
    assert options == {**base, **wanted}


@pytest.mark.parametrize("value", ["hot", 7.5, None, [], {}, "1e400", True])
def test_values_that_no_cell_takes_are_kept_and_told(value: Any) -> None:
    made = imported(chat(user("q"), temperature=value))
    assert prompts(made)[0].get("temperature") is None
    assert ("left-out" in kinds(made)) == (value is not None)


def safety(*thresholds: str) -> list[dict[str, str]]:
    harms = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT",
             "CIVIC_INTEGRITY")  # fmt: skip
    return [{"category": f"HARM_CATEGORY_{harm}", "threshold": one}
            for harm, one in zip(harms, thresholds, strict=False)]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "wanted", "told"),
    [
        (safety(*["OFF"] * 4), "off", []),
        (safety(*["BLOCK_NONE"] * 5), "none", []),
        (safety("OFF", "BLOCK_NONE", "BLOCK_ONLY_HIGH", "OFF"), "few", ["differs"]),
        (safety("BLOCK_LOW_AND_ABOVE"), "most", ["differs"]),
        ([{"category": "HARM_CATEGORY_DEROGATORY", "threshold": "BLOCK_NONE"}], None, ["left-out"]),
        (["nonsense"], None, []),
    ],
)
def test_safety_stays_explicit(rows: list[Any], wanted: str | None, told: list[str]) -> None:
    made = imported(chat(user("q"), safetySettings=rows))
    assert prompts(made)[0].text("safety") == wanted
    assert kinds(made) == told


def test_schemas() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "b": {"type": "STRING", "format": "enum", "enum": ["x", "y"], "nullable": True},
            "a": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
        },
        "required": ["a"],
        "propertyOrdering": ["a", "b"],
    }
    made = imported(chat(user("q"), model('{"a": [1]}'), responseMimeType="application/json",
                    responseSchema=schema))  # fmt: skip
    (cell,) = prompts(made)
    given = build(cell, lambda text: setup(made)[text]).request.schema
    assert given is not None and json.loads(given) == {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "b": {"enum": ["x", "y", None], "type": ["string", "null"]},
        },
        "required": ["a"],
    }
    assert list(json.loads(given)["properties"]) == ["a", "b"], "models write keys in this order"
    assert asking(made)[0]["outputs"][0]["data"]["application/json"] == {"a": [1]}


def test_json_without_a_schema_is_asked_for_and_told() -> None:
    made = imported(chat(user("q"), responseMimeType="application/json"))
    assert prompts(made)[0].text("schema") == '{"type": "object"}'
    assert kinds(made) == ["differs"]


# --- the rest of a chat ---


def test_the_system_instruction_in_all_its_forms() -> None:
    long = "Be {brief} and \"exact\".\n'''quote''' {{ name }} \\{{ x }}\n" * 5
    for form in ({"text": long}, {"parts": [{"text": long[:20]}, {"text": long[20:]}]}, long):
        made = imported({**chat(user("q")), "systemInstruction": form})
        built = build(prompts(made)[0], setup(made).__getitem__)
        assert built.request.system == long


def test_a_prompt_that_only_raw_can_write_keeps_its_system_instruction() -> None:
    made = imported(chat(user(r"\{{ x }}"), system="{{ name }} is\nliteral"))
    (cell,) = prompts(made)
    assert cell.flag("raw")
    assert build(cell, lambda text: 1).request.system == "{{ name }} is\nliteral"


def test_drafts_are_the_last_cell_and_have_no_answer() -> None:
    made = imported(chat(user("q"), model("a"), draft="and {{ then }}?"))
    *_, last = asking(made)
    assert not last["outputs"] and "draft" in kinds(made)
    assert prompts(made)[-1].segments == ["and {{ then }}?"]


def test_grounding_is_shown_below_the_answer() -> None:
    grounding = {
        "groundingSources": [
            {"referenceNumber": 1, "uri": "https://example.org/a", "title": "A <b>page</b>"},
            {"referenceNumber": 2, "uri": "javascript:alert(1)", "title": "B"},
        ],
        "webSearchQueries": ["what is it"],
    }
    made = imported(chat(user("q"), model("a", grounding=grounding)))
    page = shown(asking(made)[0], "text/html")[0]
    assert "https://example.org/a" in page and "what is it" in page
    assert "<b>" not in page and "javascript:" not in page


def test_answers_are_sanitised_as_those_of_a_run() -> None:
    hostile = "<script>alert(1)</script> ![x](https://evil.example/p.png) [y](javascript:z)"
    made = imported(chat(user("q"), model(hostile), model("<img src=x onerror=y>", isThought=True)),
                    name="# <script>x")  # fmt: skip
    for cell in made.notebook["cells"]:
        pages = [cell["source"]] if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", []):
            pages += [output["data"].get(m, "") for m in ("text/markdown", "text/html")]
        for page in pages:
            assert "<script" not in page and "<img" not in page and "](javascript" not in page
            assert "![x](" not in page


def test_a_chat_that_the_model_began() -> None:
    made = imported(chat(model("Hello!"), user("q"), model("a")))
    assert [cell.template for cell in prompts(made)] == ["q"]
    assert "left-out" in kinds(made)


def test_youtube_and_files() -> None:
    made = imported(chat(
        {"youtubeVideo": {"id": "dQw4w9WgXcQ"}, "role": "user", "videoMetadata": {"fps": 1.0}},
        {"inlineFile": {"mimeType": "text/plain", "data": encoded(b"notes")}, "role": "user"},
        user("sum up"),
    ))  # fmt: skip
    (cell,) = prompts(made)
    film, notes, text = sent(cell, {})
    assert film.uri == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    assert "notes" in notes.text and text.text == "sum up"
    assert "left-out" in kinds(made)


@pytest.mark.parametrize("name", ["x&list=1", "a b", '"><script>', "../x"])
def test_no_address_is_made_of_an_odd_film(name: str) -> None:
    made = imported(chat({"youtubeVideo": {"id": name}, "role": "user"}, user("q")))
    assert prompts(made)[0].get("file") is None


def test_keys_do_not_reach_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "correct-horse-battery")
    made = imported(chat(
        user(f"my key is {KEY}"), model(f"so {KEY}"), user("and correct-horse-battery"),
        system=f"use {KEY}",
    ))  # fmt: skip
    text = json.dumps(made.notebook)
    assert KEY not in text and "correct-horse-battery" not in text
    assert "[GEMINI_API_KEY]" in text and "[MY_KEY]" in text
    assert kinds(made).count("key") >= 2
    assert not any(KEY in note.text for note in made.notes)


def test_pictures_are_no_keys() -> None:
    data = encoded(bytes(range(256)) * 8)[:1200] + "/" + KEY + "A"
    document = chat({"inlineImage": {"mimeType": "image/png", "data": data}, "role": "user"},
                    user("q"))  # fmt: skip
    assert "key" not in kinds(imported(document))


# --- the other kinds ---


def test_rows_of_examples() -> None:
    columns = [{"columnId": "1", "displayName": "input:", "isInput": True},
               {"columnId": "2", "displayName": "output:"}]  # fmt: skip
    document = {
        "dataPrompt": {"preamble": "Opposites", "columns": columns, "rows": [
            {"rowId": "a", "columnBindings": {"1": "hot", "2": "cold"}},
            {"rowId": "b", "columnBindings": {"1": "x", "2": "y"}}], "rowsUsed": ["a"]},
        "runSettings": {"model": "models/gemini-2.5-flash"},
        "testExamples": [{"inputBindings": {"1": "up"}, "modelResponses": [{"response": "down"}]},
                         {"inputBindings": {"1": "{{ left }}"}, "modelResponses": [{}]}],
    }  # fmt: skip
    made = imported(document)
    texts = ["".join(map(str, cell.segments)) for cell in prompts(made)]
    head = "Opposites\ninput: hot\noutput: cold\n"
    assert texts == [f"{head}input: up\noutput:", f"{head}input: {{{{ left }}}}\noutput:"]
    assert shown(asking(made)[0])[0] == "down" and not asking(made)[1]["outputs"]
    without = imported({**document, "testExamples": []})
    assert prompts(without)[0].template == f"{head}input: {{{{ input }}}}\noutput:"
    assert setup(without)["input"] == ""


def test_a_text_with_variables() -> None:
    made = imported({
        "textPrompt": {"value": "About {{input:The topic:cats}} and {{x}}.",
                       "variables": [{"variableId": "v", "displayName": "The topic"}]},
        "runSettings": {"model": "models/text-bison-001"},
        "testExamples": [{"inputBindings": {"v": "dogs"},
                          "modelResponses": [{"response": "woof"}]}],
    })  # fmt: skip
    names = setup(made)
    assert names["the_topic"] == "cats"
    texts = [sent(cell, names)[0].text for cell in prompts(made)]
    assert texts == ["About cats and {{x}}.", "About dogs and {{x}}."]
    assert shown(asking(made)[1])[0] == "woof"
    assert prompts(made)[0].text("model") == "gemini-3.5-flash-lite"


def test_a_chat_of_makersuite() -> None:
    made = imported({
        "multiturnPrompt": {
            "preamble": "Be a pirate.",
            "primingExchanges": [{"request": "hi", "response": "ahoy"}, {}],
            "sessions": [{"sessionExchanges": [{"request": "who?", "response": "me"}]},
                         {"sessionExchanges": [{"request": {"text": "where?"}}]}],
        },
        "runSettings": {"model": "models/chat-bison-001"},
    })  # fmt: skip
    found = [(cell.text("chat"), cell.template, cell.text("system")) for cell in prompts(made)]
    assert found == [(f"my_prompt_{n}", text, "Be a pirate.")
                     for n, text in ((1, "hi"), (1, "who?"), (2, "hi"), (2, "where?"))]  # fmt: skip
    assert [bool(cell["outputs"]) for cell in asking(made)] == [True, True, True, False]


def test_unknown_kinds_are_kept_with_a_warning() -> None:
    made = imported({"imagenPrompt": {"inner": "a cat"}, "runSettings": {}})
    assert kinds(made) == ["unknown-kind"] and not asking(made)
    assert "a cat" in json.dumps(made.notebook["metadata"])


# --- names ---


@given(st.text())
def test_names_of_files_are_names(title: str) -> None:
    name = file_name(title)
    assert name and not set('/\\:*?"<>|\0\n') & set(name) and len(name.encode()) <= 200
    assert name not in (".", "..") and name == name.strip()


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", "C:\\x", "con", "", "...", "a/b", "\u202etxt"]
)
def test_hostile_titles(title: str) -> None:
    assert Path("x", file_name(title)).resolve().parent == Path("x").resolve()
    assert "\u202e" not in file_name(title)


@given(st.text())
def test_names_of_variables_are_names(text: str) -> None:
    assert identifier(text, "value").isidentifier()


@given(st.text("<>&[]()!*_`$\\#@~ \nab1-+="))
@example("@@@")
def test_titles_do_nothing(text: str) -> None:
    shown = inert(text)
    assert "<" not in shown.replace("\\<", "") and "\n" not in shown and "@@" not in shown


def test_the_same_prompt_gives_the_same_bytes() -> None:
    document = chat(user("q"), model("a"), draft="b")
    assert imported(document) == imported(document)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
       lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
           ["text", "role", "parts", "inlineImage", "data", "mimeType", "driveImage", "id",
            "grounding", "isThought", "tokenCount", "executableCode", "functionCall"]), inner,
            max_size=4), max_leaves=12))  # fmt: skip
def test_no_chunk_is_a_surprise(value: Any) -> None:
    document = chat(value if isinstance(value, dict) else user("q", more=value))
    made(found_in(document, "t", "o"), drawn)


@given(st.text() | st.text("'\"\\\n\r\0 ab", max_size=20))
def test_literals_are_their_values(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
       lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.text(max_size=9), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_literals_of_values_are_their_values(value: Any) -> None:
    assert ast.literal_eval(literal(value)) == value
