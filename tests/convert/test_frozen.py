"""What was sent, read back from a notebook's outputs and the log of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.convert.frozen import frozen, request_of
from gemini_magic.convert.notebook_file import Cell, notebook_of
from gemini_magic.engine.run import Origin
from gemini_magic.engine.runlog import RunLog
from gemini_magic.types import (
    Message,
    Part,
    Reply,
    Request,
    Settings,
    Target,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.convert.fixtures import PNG
from tests.convert.lab import document

TARGET = Target("gem", "gemini-2.5-flash")


def log_of(folder: Path, *replies: Reply) -> Any:
    log = RunLog(folder / "runs.db")
    for reply in replies:
        log.add(reply, Origin("t" * 64))

    def find(request: str) -> Any:
        found = log.find(request)
        return None if found is None else found._asdict()

    return find


def cell_of(*requests: Request, **more: str) -> Cell:
    told = [
        {"request": one.digest, "template": "t" * 64, "backend": "gem", "model": "m", **more}
        for one in requests
    ]
    outputs = [{"metadata": {"gemini_magic": one}} for one in told]
    return notebook_of(document({"source": "x", "outputs": outputs}), "a.ipynb").cells[0]


def read(cell: Cell, runs: Any) -> tuple[Any, list[str]]:
    missing: list[str] = []
    return frozen(cell, runs, missing.append), missing


def question(*parts: Part) -> Request:
    return Request((Message("user", parts),))


_texts = st.text(max_size=20)
_parts = st.one_of(
    st.builds(Part, text=_texts, signature=st.none() | st.binary(max_size=9)),
    st.builds(
        Part, data=st.binary(max_size=9), mime_type=st.just("image/png"), name=_texts,
        signature=st.none() | st.binary(max_size=9),
    ),
    st.builds(Part, call=st.builds(ToolCall, _texts, _texts, _texts)),
    st.builds(Part, result=st.builds(ToolResult, _texts, _texts, _texts, st.booleans())),
)  # fmt: skip
_requests = st.builds(
    Request,
    messages=st.lists(
        st.builds(Message, st.sampled_from(["user", "model"]), st.lists(_parts).map(tuple)),
        max_size=3,
    ).map(tuple),
    system=st.none() | _texts,
    settings=st.builds(
        Settings,
        temperature=st.none() | st.floats(0, 2) | st.just(1),
        stop=st.lists(_texts).map(tuple),
    ),
    schema=st.none() | st.dictionaries(_texts, _texts | st.integers()).map(json.dumps),
    tools=st.lists(st.builds(Tool, _texts, _texts, st.just("{}")), max_size=2).map(tuple),
    services=st.lists(_texts, max_size=2).map(tuple),
)


@given(request=_requests)
def test_a_request_is_read_back_as_it_was(request: Request) -> None:
    document = json.loads(json.dumps(request.to_json()))
    made = request_of(document)
    assert made.digest == request.digest and made.to_json() == request.to_json()


def test_everything_of_a_request_comes_back(tmp_path: Path) -> None:
    request = Request(
        (
            Message("user", (Part(text="Hi"), Part(data=PNG, mime_type="image/png", name="a.png"))),
            Message("model", (Part(call=ToolCall("f", '{"a": 1}', "x"), signature=b"\0s"),)),
            Message("user", (Part(result=ToolResult("f", "2", "x", True)),)),
            Message("user", (Part(uri="gs://b/c.pdf", mime_type="application/pdf"),)),
        ),
        system="Be brief",
        settings=Settings(temperature=1.0, stop=("a", "b"), thinking="low", modalities=("text",)),
        schema='{"b": 1, "a": {"type": "string"}}',
        tools=(Tool("f", "does", '{"type": "object"}'),),
        services=("search",),
    )
    runs = log_of(tmp_path, Reply.saying("Fine", request=request, target=TARGET))
    (one,), missing = read(cell_of(request), runs)
    assert one.request == request and not missing
    assert one.target == Target("gem", "m") and one.text == "Fine" and one.template == "t" * 64


def test_what_functions_gave_back_is_told_apart(tmp_path: Path) -> None:
    request = question(Part(text="Hi"))
    parts = (
        Part(text="Let me look"),
        Part(call=ToolCall("f", "{}", "1")),
        Part(call=ToolCall("g", "{}", "2")),
        Part(result=ToolResult("f", "1", "1")),
        Part(result=ToolResult("g", "2", "2")),
        Part(text="Both"),
    )
    reply = Reply("Both", parts=parts, request=request, target=TARGET)
    (one,), _ = read(cell_of(request), log_of(tmp_path, reply))
    assert [(message.role, len(message.parts)) for message in one.exchanged] == [
        ("model", 3), ("user", 2), ("model", 1),
    ]  # fmt: skip
    assert one.text == "Both"


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    logged, other = question(Part(text="a")), question(Part(text="b"))
    long = question(Part(text="x" * 300_000))
    large = question(Part(data=b"x" * 300_000, mime_type="image/png"), Part(text="Look"))
    runs = log_of(
        tmp_path, *(Reply.saying("ok", request=one, target=TARGET) for one in (logged, long, large))
    )
    found, missing = read(cell_of(logged, other, long, large), runs)
    assert [one.request for one in found] == [logged]
    assert ["log" in why for why in missing] == [True] * 3
    assert "too large" in missing[1] and "too large" in missing[2]
    assert read(cell_of(logged), None)[0] == ()


def test_a_text_that_looks_like_a_hash_is_no_other_request(tmp_path: Path) -> None:
    """The log tells long texts by their hash: what is read back has to have the right digest."""
    long = "x" * 300_000
    sent = question(Part(text=long))
    runs = log_of(tmp_path, Reply.saying("ok", request=sent, target=TARGET))
    assert read(cell_of(sent), runs)[0] == ()
    logged = runs(sent.digest)["sent"]
    short = request_of(logged)
    assert short.messages[0].parts[0].text is not None and short.digest != sent.digest


@pytest.mark.parametrize(
    "metadata",
    [None, 1, [], {}, {"gemini_magic": None}, {"gemini_magic": []}, {"gemini_magic": {}},
     {"gemini_magic": {"request": 5}},
     {"gemini_magic": {"compare": [1, None, {}, {"request": []}]}},
     {"gemini_magic": {"request": "x" * 10_000_000}}],
)  # fmt: skip
def test_any_metadata_can_be_read(metadata: Any, tmp_path: Path) -> None:
    outputs = [None, 5, {"metadata": metadata}]
    cell = notebook_of(document({"source": "x", "outputs": outputs}), "a.ipynb").cells[0]
    found, _ = read(cell, log_of(tmp_path))
    assert found == ()
    for outputs in (None, 5, "x", {}):
        assert notebook_of(document({"source": "x", "outputs": outputs}), "a.ipynb").cells


def test_the_models_of_a_comparison_are_told_apart(tmp_path: Path) -> None:
    request = question(Part(text="Hi"))
    told = [{"request": request.digest, "backend": "gem", "model": model} for model in ("a", "b")]
    outputs = [{"metadata": {"gemini_magic": {"compare": told}}}]
    cell = notebook_of(document({"source": "x", "outputs": outputs}), "a.ipynb").cells[0]
    found, _ = read(cell, log_of(tmp_path, Reply.saying("x", request=request, target=TARGET)))
    assert [str(one.target) for one in found] == ["gem:a", "gem:b"]


@pytest.mark.parametrize(
    "sent",
    [None, [], {}, {"messages": 5}, {"messages": [{}]}, {"messages": [{"role": "user"}]},
     {"messages": [], "settings": {"nope": 1}}, {"messages": [], "tools": [{"x": 1}]},
     {"messages": [{"role": "user", "parts": [{"file": "ab"}]}]},
     {"messages": [{"role": "user", "parts": [{"sha256": "ab", "mime_type": "a/b"}]}]}],
)  # fmt: skip
def test_what_is_no_request_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"no |exactly one"):
        request_of(sent)
