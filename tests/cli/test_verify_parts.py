"""What ``jupyter gemini verify`` is made of: the comparison, the recorder, and its answers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google import genai
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from gemini_magic import config as configuration
from gemini_magic.cli.verify_answers import TEXT, fitting, text_for
from gemini_magic.cli.verify_compare import (
    DIFFERS,
    EQUAL,
    ONLY_NOTEBOOK,
    ONLY_SCRIPT,
    SAME_WORDS,
    Field,
    compared,
    differences,
    shown,
)
from gemini_magic.cli.verify_server import Asked, Recorder
from gemini_magic.cli.verify_setting import configuration as redirected
from gemini_magic.cli.verify_setting import environment


def asked(text: str, *, backend: str = "gem", wire: str = "gemini", **more: Any) -> Asked:
    if wire == "openai":
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        return Asked(backend, "v1/chat/completions", wire, body)
    body = {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
    return Asked(backend, "m:streamGenerateContent", wire, body)


# --- the comparison -----------------------------------------------------------------------------


def results(notebook: list[tuple[str, Asked]], script: list[Asked]) -> list[str]:
    return [row.result for row in compared(notebook, script)]


def test_a_missing_request_does_not_shift_the_others() -> None:
    ours = [(f"c{number}", asked(str(number))) for number in range(5)]
    theirs = [one for _, one in ours]
    assert results(ours, theirs) == [EQUAL] * 5
    assert results(ours, theirs[:2] + theirs[3:]) == [EQUAL, EQUAL, ONLY_NOTEBOOK, EQUAL, EQUAL]
    assert results(ours[:2] + ours[3:], theirs) == [EQUAL, EQUAL, ONLY_SCRIPT, EQUAL, EQUAL]
    assert results(ours, [*theirs[:4], asked("x")]) == [EQUAL] * 4 + [DIFFERS]
    assert results([], []) == []


def test_order_counts_but_for_the_requests_of_one_cell() -> None:
    one, two, three = asked("1"), asked("2"), asked("3")
    assert results([("c1", one), ("c1", two), ("c1", three)], [three, one, two]) == [EQUAL] * 3
    apart = results([("c1", one), ("c2", two)], [two, one])
    assert sorted(apart) == sorted([ONLY_SCRIPT, EQUAL, ONLY_NOTEBOOK])
    assert [row.cell for row in compared([("c1", one), ("c2", two)], [one, two])] == ["c1", "c2"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=8), st.data())
def test_one_request_less_is_one_difference(pairs: list[tuple[str, str]], data: Any) -> None:
    ours = [(cell, asked(text)) for cell, text in sorted(pairs)]
    theirs = [one for _, one in ours]
    assert set(results(ours, theirs)) <= {EQUAL}
    if theirs:
        del theirs[data.draw(st.integers(0, len(theirs) - 1))]
        assert sorted(results(ours, theirs)) == sorted([EQUAL] * len(theirs) + [ONLY_NOTEBOOK])


def test_fields_are_named_and_shortened_to_where_they_differ() -> None:
    before = asked("x" * 200 + "A" + "y" * 200, generationConfig={"temperature": 1, "seed": 1})
    after = asked("x" * 200 + "B" + "y" * 200, generationConfig={"temperature": 1.0, "topK": True})
    found = [*differences(before, after)]
    assert [field.name for field in found] == [
        "contents[0].parts[0].text", "generationConfig.seed", "generationConfig.topK",
    ]  # fmt: skip
    assert [text[:24] for text in shown(found[0])] == [
        "…" + "x" * 20 + "Ayy",
        "…" + "x" * 20 + "Byy",
    ]
    assert shown(found[1]) == ("1", "(missing)") and shown(found[2]) == ("(missing)", "true")
    assert max(map(len, shown(found[0]))) <= 62
    assert shown(Field("x", "\x1b[2J\n", [1, {"a": "\u202e"}])) == (
        '"\\u001b[2J\\n"', '[1, {"a": "\\u202e"}]',
    )  # fmt: skip
    assert [*differences(asked("a"), asked("a", backend="x"))] == [Field("backend", "gem", "x")]
    assert [*differences(asked("a", flag=1), asked("a", flag=True))] == [Field("flag", 1, True)]


def test_what_means_the_same_is_equal() -> None:
    data = {"parts": [{"inlineData": {"data": "ab+/==", "mimeType": "image/png"}}]}
    other = {"parts": [{"inlineData": {"data": "ab-_", "mimeType": "image/png"}}]}
    assert not [*differences(asked("a", generationConfig={}, s=data), asked("a", s=other))]
    assert [*differences(asked("a", generationConfig={"a": {}}), asked("a"))]


def test_another_wire_says_the_same_in_other_words() -> None:
    gemini = asked(
        "Hi", systemInstruction={"parts": [{"text": "Be brief"}]},
        generationConfig={"temperature": 0.5, "topP": 1, "maxOutputTokens": 9, "topK": 3,
                          "stopSequences": ["a"]},
    )  # fmt: skip
    openai = asked(
        "Hi", wire="openai", temperature=0.5, top_p=1, max_tokens=9, stop=["a"], stream=True
    )
    openai.body["messages"].insert(0, {"role": "system", "content": "Be brief"})
    assert results([("c1", gemini)], [openai]) == [SAME_WORDS]
    openai.body["messages"][1]["content"] = [{"type": "text", "text": "Ho"}]
    (row,) = compared([("c1", gemini)], [openai])
    assert row.fields == (Field("messages[0].parts[0]", "Hi", "Ho"),)
    picture = {"inlineData": {"mimeType": "image/png", "data": "abc="}}
    gemini.body["contents"][0]["parts"] = [{"text": "Hi"}, picture]
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,abc="}}
    openai.body["messages"][1]["content"] = [{"type": "text", "text": "Hi"}, url]
    assert results([("c1", gemini)], [openai]) == [SAME_WORDS]


# --- answers ------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.builds(lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
              st.integers(-9, 9), st.integers(0, 9)),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-9, 9)),
    st.builds(lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
              st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from(
        [{"type": "string", "format": "date"}, {"type": ["null", "string"]}, {"type": "boolean"},
         {"enum": ["a", 1]}, {"const": None}, {"type": "null"}, {"$ref": "#/$defs/Leaf"}, {},
         {"allOf": [{"$ref": "#/$defs/Leaf"}], "description": "x"}]
    ),
)  # fmt: skip


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    return st.one_of(
        st.builds(lambda given: {"type": "object", "properties": given, "required": [*given],
                                 "additionalProperties": False}, properties),
        st.builds(lambda one, least: {"type": "array", "items": one, "minItems": least},
                  inner, st.integers(0, 3)),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner),
    )  # fmt: skip


@given(st.recursive(LEAVES, nested, max_leaves=8))
def test_an_answer_fits_its_schema(schema: dict[str, Any]) -> None:
    leaf = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    whole = {**schema, "$defs": {"Leaf": leaf}}
    jsonschema.validate(fitting(whole), whole)


def test_schemas_that_are_none_or_endless() -> None:
    endless = {"type": "array", "items": {"$ref": "#"}}
    json.dumps(fitting(endless))
    assert fitting({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}) == {"a": "text"}
    for strange in (
        {"type": 5},
        {"$ref": "x"},
        {"properties": 3},
        {"required": [1]},
        {"anyOf": [1]},
    ):
        json.dumps(fitting(strange))  # type: ignore[arg-type]
    assert text_for({"generationConfig": {"responseMimeType": "application/json"}}) == "{}"
    assert text_for({"response_format": {"type": "json_object"}}) == "{}"
    assert text_for([]) == text_for({"generationConfig": 5}) == TEXT


# --- the recorder -------------------------------------------------------------------------------


def test_the_real_sdks_are_answered_and_recorded() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with Recorder() as recorder:
        options = types.HttpOptions(base_url=recorder.address("a b/ü"), api_version="v1beta")
        gemini = genai.Client(api_key=recorder.key, http_options=options)
        assert gemini.models.generate_content(model="m", contents="Hi").text == TEXT
        config = types.GenerateContentConfig(response_json_schema=schema)
        chunks = gemini.models.generate_content_stream(model="m", contents="Hi", config=config)
        assert "".join(chunk.text or "" for chunk in chunks) == '{"n": 1}'
        assert gemini.models.count_tokens(model="m", contents="Hi").total_tokens == 1
        openai = OpenAI(api_key=recorder.key, base_url=f"{recorder.address('o')}/v1")
        messages: Any = [{"role": "user", "content": "Hi"}]
        whole = openai.chat.completions.create(model="m", messages=messages)
        assert whole.choices[0].message.content == TEXT
        given = {"include_usage": True}
        stream = openai.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options=given
        )  # type: ignore[call-overload]
        found = [*stream]
        assert found[0].choices[0].delta.content == TEXT and found[-1].usage.total_tokens == 2
        assert [*openai.models.list()] == [] and [*gemini.models.list()] == []
        taken = recorder.taken()
        assert recorder.taken() == []
    assert [(one.backend, one.call, one.wire) for one in taken] == [
        ("a b/ü", "m:generateContent", "gemini"),
        ("a b/ü", "m:streamGenerateContent", "gemini"),
        ("o", "v1/chat/completions", "openai"),
        ("o", "v1/chat/completions", "openai"),
    ]
    assert taken[1].body["generationConfig"]["responseJsonSchema"] == schema
    assert taken[2].body == {"model": "m", "messages": messages}


def test_nobody_without_the_key_is_answered_or_recorded() -> None:
    with Recorder() as recorder:
        url = f"{recorder.address('x')}/v1/chat/completions"
        for headers in ({}, {"Authorization": "Bearer x"}, {"x-goog-api-key": "x"}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, b"{}", headers))
            assert refused.value.code == 401
        known = {"Authorization": f"Bearer {recorder.key}"}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{url}/x", b"{}", known))
        assert refused.value.code == 404 and recorder.taken() == []
        urllib.request.urlopen(urllib.request.Request(url, b"no json", known)).read()
        (row,) = recorder.taken()
        assert len(row.body) == 64
        assert url.startswith("http://127.0.0.1:")


# --- the setting --------------------------------------------------------------------------------


def test_every_backend_is_at_the_recorder_and_nothing_else_changes(
    configure: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(
        """
[settings]
model = "gemini-2.5-pro"
route = "both"
magic_name = "g"
[generation]
temperature = 0.5
stop = ["\\"a\\\\n\\u007f"]
[backends.vertex]
kind = "google"
vertex = { project = "p" }
[backends."odd one"]
kind = "openai"
base_url = "https://odd.example/v1"
key_env = "ODD_KEY"
models = { "gemini-2.5-pro" = "their/pro" }
[backends.local]
kind = "local"
[routes.both]
targets = ["odd one", { backend = "studio", when = ["rpm"] }]
"""
    )
    monkeypatch.setenv("ODD_KEY", "secret-of-mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    before = configuration.load(folder=tmp_path)
    with Recorder() as recorder:
        text = redirected(before, recorder)
        env = environment(before, recorder, tmp_path / "new")
    assert "secret-of-mine" not in text and "secret-of-mine" not in env.values()
    assert env["ODD_KEY"] == env["GEMINI_API_KEY"] == env["OPENAI_API_KEY"] == recorder.key
    assert "127.0.0.1" in env["NO_PROXY"]
    monkeypatch.setenv("GEMINI_MAGIC_HOME", env["GEMINI_MAGIC_HOME"])
    after = configuration.load(folder=tmp_path)
    assert {
        name: getattr(after, name) for name in ("model", "route", "magic_name", "generation")
    } == {name: getattr(before, name) for name in ("model", "route", "magic_name", "generation")}
    assert after.routes == before.routes
    assert set(after.backends) == {*before.backends, *before.presets}
    for name, backend in after.backends.items():
        assert (backend.base_url or "").startswith(recorder.url), name
        assert backend.key_env == ("RECORDER_API_KEY",) and backend.vertex is None
        asked = before.backends.get(name) or before.presets[name]
        assert backend.map_model("gemini-2.5-pro") == asked.map_model("gemini-2.5-pro")
        assert backend.kind == ("google" if asked.kind == "google" else "openai")
