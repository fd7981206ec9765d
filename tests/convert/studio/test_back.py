"""What was imported goes back as it came; what was changed since is in it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.convert.exported import KeyFound
from gemini_magic.convert.studio import gson
from gemini_magic.convert.studio.documents import kind_of
from gemini_magic.convert.studio.importing import import_path
from gemini_magic.convert.studio.notebooks import made as made_of
from gemini_magic.convert.studio.prompts import found_in
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.notebook.drawn import drawn
from tests.convert.studio.lab import (
    KEY,
    PNG,
    asking,
    chat,
    encoded,
    exported,
    imported,
    model,
    put_beside,
    user,
)

CORPUS = os.environ.get("GEMINI_MAGIC_CORPUS", "")
BIG = PNG + bytes(range(256)) * 20

FULL = chat(
    {"driveImage": {"id": "ID"}, "role": "user", "tokenCount": 259},
    {"inlineImage": {"mimeType": "image/png", "data": encoded(BIG)}, "role": "user"},
    user("first {{ x }} \\{{ y }}", branchParent={"promptId": "p", "displayName": "P"}),
    model("because", isThought=True, thinkingBudget=-1),
    {"executableCode": {"language": "PYTHON", "code": "1"}, "role": "model"},
    model("a" * 60_000, parts=[{"text": "a", "thoughtSignature": "U0lH"}], isEdited=True,
          safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}],
          branchChildren=[{"promptId": "c", "displayName": "C"}]),
    user("second"), user("third"),
    {"text": "", "role": "model", "errorMessage": "An internal error has occurred."},
    system="Be brief.\nBe kind.", draft="draft {{ z }}", enableCodeExecution=True,
    safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    responseSchema={"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    responseMimeType="application/json", model="models/gemini-2.0-flash", newKey={"deep": [1.0]},
)  # fmt: skip
ROWS = {
    "dataPrompt": {"columns": [{"columnId": "1", "displayName": "in:", "isInput": True}],
                   "rows": []},
    "runSettings": {"model": "models/gemini-2.0-flash", "temperature": 1.0},
    "testExamples": [{"inputBindings": {"1": "up"}, "modelResponses": [{}]}],
}  # fmt: skip
TEXT = {
    "textPrompt": {"value": "About {{input:topic:cats}}", "variables": []},
    "runSettings": {"model": "models/text-bison-001"}, "testExamples": [],
}  # fmt: skip
PIRATE = {
    "multiturnPrompt": {"preamble": "Be a pirate.", "primingExchanges": [{}], "sessions": [
        {"sessionExchanges": [{"request": "who?", "response": "me", "source": "s", "id": "i"}]}]},
    "runSettings": {"model": "models/chat-bison-001"},
}  # fmt: skip
UNKNOWN = {"veoPrompt": {"a": [1, {"b": None}]}, "runSettings": {"model": "models/veo-9"}}
BARE = {"chunkedPrompt": {}}
BEGUN = chat(model("Hello!"), user("q"), model("a"), {"text": "", "role": "user"}, model("b"))


@pytest.mark.parametrize(
    "document", [FULL, ROWS, TEXT, PIRATE, UNKNOWN, BARE, BEGUN, chat(), chat(user("x" * 99_999)),
     chat(user("half \ud800", other="\udc00"), model("\ud800 a"), system="\ud800")],
    ids=["full", "rows", "text", "pirate", "unknown", "bare", "begun", "empty", "long", "halves"],
)  # fmt: skip
def test_what_was_imported_goes_back_as_it_came(document: Any) -> None:
    made = imported(document)
    assert exported(made.notebook) == document


chunk = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "model", "function"])},
    optional={
        "text": st.text("a{}\\ \n$", max_size=8),
        "isThought": st.just(True),
        "parts": st.lists(st.fixed_dictionaries({"text": st.text("b{", max_size=3)}), max_size=2),
        "inlineImage": st.just({"mimeType": "image/png", "data": encoded(PNG)}),
        "inlineFile": st.just({"mimeType": "text/x", "data": encoded(b"x" * 3_000)}),
        "driveVideo": st.just({"id": "ID"}),
        "youtubeVideo": st.just({"id": "abc"}),
        "errorMessage": st.just("failed"),
        "else": st.integers() | st.none(),
    },
)


@given(st.lists(chunk, max_size=8), st.lists(chunk, max_size=2), st.text("s{}\n", max_size=9))
@settings(max_examples=60)
def test_any_chat_goes_back_as_it_came(
    tmp_path_factory: Any, chunks: list[Any], pending: list[Any], system: str
) -> None:
    document = chat(*chunks, system=system)
    document["chunkedPrompt"]["pendingInputs"] = pending
    folder = tmp_path_factory.mktemp("chat")
    made = imported(document, folder=folder)
    assert exported(made.notebook, folder) == document


def test_bytes_are_as_ai_studio_writes_them() -> None:
    value = {"a": {}, "b": [{"c": "it's <b> & = \u2028 ü\n"}, {"d": ["x", "y"], "e": 1.0}], "f": []}
    assert gson.written(value) == (
        '{\n  "a": {\n  },\n  "b": [{\n    "c": "it\\u0027s \\u003cb\\u003e \\u0026 \\u003d \\u2028'
        ' ü\\n"\n  }, {\n    "d": ["x", "y"],\n    "e": 1.0\n  }],\n  "f": []\n}'
    )


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
       | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(),
       inner), max_leaves=10))  # fmt: skip
def test_what_is_written_is_json(value: Any) -> None:
    assert json.loads(gson.written(value)) == value


# --- what was changed ---


def test_a_changed_prompt_and_its_new_answer() -> None:
    made = imported(chat(user("old"), model("a"), user("second"), model("b")))
    first, _ = asking(made)
    first["source"] = first["source"].replace("old", r"new \{{ x }}")
    first["outputs"] = [
        {"output_type": "display_data", "data": {"text/markdown": "x", "text/plain": "fresh"},
         "metadata": {"gemini_magic": {"request": "ab" * 32, "finish_reason": "MAX_TOKENS",
                                       "usage": {"output_tokens": 7}}}},
        {"output_type": "display_data", "data": {"text/plain": "footer"}, "metadata": {}},
    ]  # fmt: skip
    assert exported(made.notebook)["chunkedPrompt"]["chunks"] == [
        {"text": "new {{ x }}", "role": "user"},
        {"text": "fresh", "role": "model", "finishReason": "MAX_TOKENS", "tokenCount": 7},
        user("second"), model("b"),
    ]  # fmt: skip


def test_an_answer_to_another_question_does_not_stay() -> None:
    made = imported(chat(user("old"), model("a")))
    asking(made)[0]["source"] += "er"
    assert exported(made.notebook)["chunkedPrompt"]["chunks"] == [{"text": "older", "role": "user"}]


def test_cleared_outputs_lose_no_answer() -> None:
    document = chat(user("q"), model("a"))
    made = imported(document)
    asking(made)[0]["outputs"] = []
    assert exported(made.notebook) == document


def test_changed_settings_and_only_they() -> None:
    made = imported(FULL)
    last = asking(made)[-1]
    last["source"] = (
        last["source"].replace("--temperature 1.0", "--temperature 0.2 --seed 3")
        .replace("--model gemini-3.5-flash-lite", "--model gemini-3.8-flash")
        .replace("--code-execution", "--search")
    )  # fmt: skip
    wanted = {**FULL["runSettings"], "temperature": 0.2, "seed": 3, "enableSearchAsATool": True,
              "enableCodeExecution": False, "model": "models/gemini-3.8-flash"}  # fmt: skip
    found = exported(made.notebook)
    assert found["runSettings"] == wanted
    assert {**found, "runSettings": 0} == {**FULL, "runSettings": 0}


def test_a_changed_system_instruction() -> None:
    made = imported(FULL)
    setup = made.notebook["cells"][1]
    assert "Be kind." in setup["source"]
    setup["source"] = setup["source"].replace("Be kind.", "Be bold.")
    assert exported(made.notebook)["systemInstruction"] == {"text": "Be brief.\nBe bold."}


def test_a_new_cell_with_a_picture_and_a_placeholder() -> None:
    made = imported(chat(user("q"), model("a")))
    Path("photo.png").write_bytes(PNG)
    cells = made.notebook["cells"]
    cells.append({**cells[1], "source": "name = 'Ada'"})
    cells.append({**cells[1], "source": "%%gemini --image photo.png --file gone.pdf "
                  "--file https://youtu.be/abc\nHi {{ name }}, {{ other }}"})  # fmt: skip
    assert exported(made.notebook)["chunkedPrompt"]["chunks"][2:] == [
        {"inlineImage": {"mimeType": "image/png", "data": encoded(PNG)}, "role": "user"},
        {"youtubeVideo": {"id": "abc"}, "role": "user"},
        {"text": "Hi Ada, {{ other }}", "role": "user"},
    ]


def test_a_draft_that_was_run_is_a_turn() -> None:
    made = imported(chat(user("q"), model("a"), draft="go on"))
    asking(made)[-1]["outputs"] = [
        {"output_type": "display_data", "data": {"text/plain": "on"},
         "metadata": {"gemini_magic": {"request": "cd" * 32, "finish_reason": "STOP"}}},
        {"output_type": "display_data", "data": {"text/plain": "footer"}, "metadata": {}},
    ]  # fmt: skip
    found = exported(made.notebook)["chunkedPrompt"]
    assert found["chunks"][2:] == [user("go on"), model("on")]
    assert found["pendingInputs"] == [{"text": "", "role": "user"}]


def test_a_notebook_that_came_from_elsewhere() -> None:
    source = (
        "%%gemini -m gemini-3.8-flash --system 'Be brief' -t 0.5 --thinking high --safety none "
        '--schema {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}\nHello'
    )
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source}]
    found = exported({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    assert kind_of(found) == "chunkedPrompt"
    settings = found["runSettings"]
    assert len(settings.pop("safetySettings")) == 4
    assert found["systemInstruction"] == {"text": "Be brief"} and settings == {
        "model": "models/gemini-3.8-flash", "temperature": 0.5, "thinkingLevel": "THINKING_HIGH",
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING",
                           "nullable": True}}, "propertyOrdering": ["a"]},
    } | ({"responseSchema": settings["responseSchema"]})  # fmt: skip
    assert settings["responseSchema"]["properties"] == {"a": {"type": "STRING", "nullable": True}}
    assert found["chunkedPrompt"]["chunks"] == [{"text": "Hello", "role": "user"}]
    again = imported(found)
    assert exported(again.notebook) == found


# --- what is refused ---


def test_a_notebook_without_a_prompt() -> None:
    with pytest.raises(UsageError, match="no %%gemini cell"):
        exported({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "media/../../x", "media/.x", "media/a/b",
                                  "media\\..\\x"])  # fmt: skip
def test_metadata_can_name_no_file_elsewhere(name: str) -> None:
    made = imported(chat(user("q"), model("a")))
    kept = asking(made)[0]["metadata"]["gemini_magic"]["aistudio"]
    kept["asked"] = [{"inlineImage": {"mimeType": "image/png", "data": {"$file": name}}}]
    with pytest.raises(GeminiMagicError, match="names"):
        exported(made.notebook)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_nor_through_a_link() -> None:
    Path("media").mkdir()
    Path("secret").write_text("hunter2")
    Path("media/x.txt").symlink_to("../secret")
    made = imported(chat(user("q"), model("a")))
    asking(made)[0]["metadata"]["gemini_magic"]["aistudio"]["asked"] = [
        {"text": {"$text": "media/x.txt"}, "role": "user"}
    ]
    with pytest.raises(GeminiMagicError, match="names"):
        exported(made.notebook)


def test_a_file_that_is_gone_is_named() -> None:
    made = imported(FULL)
    for path in Path("media").iterdir():
        path.unlink()
    with pytest.raises(GeminiMagicError, match="cannot read media/"):
        exported(made.notebook)


def test_no_key_goes_back() -> None:
    made = imported(chat(user("q"), model("a")))
    asking(made)[0]["source"] += f" {KEY}"
    with pytest.raises(KeyFound, match="a key would stand"):
        exported(made.notebook)


# --- real ones ---


@pytest.mark.skipif(not CORPUS, reason="GEMINI_MAGIC_CORPUS names no folder")
def test_saved_prompts_of_the_corpus(tmp_path: Path) -> None:
    """Every saved prompt below the folder or beside it goes back as it came."""
    root = Path(CORPUS)
    count = 0
    for path in sorted((*root.rglob("*"), *root.parent.glob("aistudio/*"))):
        if not path.is_file() or path.suffix not in ("", ".zip"):
            continue
        assert all(one.error is None for one in import_path(path, drawn))
        for document in documents_in(path):
            made = made_of(found_in(document, path.name, "x"), drawn)
            put_beside(made, tmp_path)
            assert exported(made.notebook, tmp_path) == document, path
            count += 1
    if not count:
        pytest.skip("there is no saved prompt in the folder")


def documents_in(path: Path) -> list[Any]:
    """The saved prompts in a file; a ZIP file may have several, or none."""
    if path.suffix != ".zip":
        return [json.loads(path.read_text("utf-8"))]
    with zipfile.ZipFile(path) as archive:
        found = [archive.read(name) for name in archive.namelist()]
    held = [json.loads(data) for data in found if data[:1] == b"{"]
    return [document for document in held if kind_of(document)]
