"""Gemini's native wire: every kind of part out and in, and answers that mean no good."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import math
import wave
import weakref
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.backends import bounds, google_in, google_out, google_settings
from gemini_magic.backends.google import GoogleBackend
from gemini_magic.backends.wire import noting_departure
from gemini_magic.errors import UsageError, WireError
from gemini_magic.events import (
    Answered,
    Ended,
    Notice,
    PartDone,
    Preview,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
)
from gemini_magic.keys import Secret
from gemini_magic.types import (
    CUT,
    Citation,
    Code,
    CodeOutput,
    Message,
    Part,
    Request,
    Settings,
    Step,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from tests.backends.google_lab import (
    FLASH,
    IMAGE,
    NEW,
    PNG,
    SPEECH,
    ask,
    backend,
    only,
    request,
    said,
    sent,
)
from tests.wire import Answer, Call, Fault, Picture, Printed, Program
from tests.wire import Usage as Counted
from tests.wire.google_rules import FOREIGN, SIGNATURE

LOOKUP = Tool(
    "lookup", "Looks a word up.", '{"type":"object","properties":{"w":{"type":"string"}}}'
)


# --- what goes out ---


def test_every_kind_of_part_goes_out(google_server) -> None:
    server = google_server(Answer("fine"))
    signature = b"loopback-thought-signature"
    call = ToolCall("lookup", '{"w": "sün"}', "c1")
    messages = (
        Message("user", (
            Part(text="look"), Part(text=""),
            Part(data=PNG, mime_type="image/png", name="p.png"),
            Part(uri="https://www.youtube.com/watch?v=x", mime_type="video/mp4"),
            Part(uri="gs://bucket/a.pdf", mime_type="application/pdf"),
        )),
        Message("model", (
            Part(code=Code("print(1)"), signature=signature),
            Part(output=CodeOutput("1\n")),
            Part(output=CodeOutput("no", failed=True)),
            Part(call=call, signature=signature),
        )),
        Message("user", (Part(result=ToolResult("lookup", '{"is": "star"}', "c1")),)),
    )  # fmt: skip
    ask(server, Request(messages, tools=(LOOKUP,)), NEW)
    user, model, answer = sent(server)["contents"]
    text, picture, film, paper = user["parts"]
    assert text == {"text": "look"}
    assert picture["inline_data"]["mime_type"] == "image/png"
    assert film == {
        "file_data": {"file_uri": "https://www.youtube.com/watch?v=x", "mime_type": "video/mp4"}
    }
    assert paper["file_data"] == {"file_uri": "gs://bucket/a.pdf", "mime_type": "application/pdf"}
    code, good, bad, called = model["parts"]
    assert code == {
        "executable_code": {"code": "print(1)", "language": "PYTHON"},
        "thought_signature": SIGNATURE,
    }
    assert good == {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    assert bad["code_execution_result"]["outcome"] == "OUTCOME_FAILED"
    assert called == {
        "function_call": {"name": "lookup", "args": {"w": "sün"}, "id": "c1"},
        "thought_signature": SIGNATURE,
    }
    assert answer["parts"] == [
        {"function_response": {"name": "lookup", "id": "c1", "response": {"is": "star"}}}
    ]
    [tool] = sent(server)["tools"]
    assert tool["function_declarations"][0]["parameters_json_schema"] == json.loads(
        LOOKUP.parameters
    )


@pytest.mark.parametrize(
    ("content", "failed", "response"),
    [
        ('{"a": 1}', False, {"a": 1}),
        ("[1, 2]", False, {"result": [1, 2]}),
        ('"text"', False, {"result": "text"}),
        ("null", False, {"result": None}),
        ("no JSON", False, {"result": "no JSON"}),
        ('"boom"', True, {"error": "boom"}),
        ('{"why": "boom"}', True, {"error": {"why": "boom"}}),
        ("[NaN, -Infinity]", False, {"result": ["NaN", "-Infinity"]}),
        ("[" * 100_000, False, {"result": "[" * 100_000}),
    ],
)
def test_what_a_function_gave_back_is_an_object(
    google_server, content: str, failed: bool, response: dict[str, Any]
) -> None:
    server = google_server(Answer("fine"))
    ask(server, _called_back(ToolResult("lookup", content, failed=failed)))
    [part] = sent(server)["contents"][-1]["parts"]
    assert part == {"function_response": {"name": "lookup", "response": response}}


def _called_back(result: ToolResult, signature: bytes | None = None) -> Request:
    call = ToolCall("lookup", "{}", result.id)
    return Request(
        (
            Message("user", (Part(text="x"),)),
            Message("model", (Part(call=call, signature=signature),)),
            Message("user", (Part(result=result),)),
        ),
        tools=(LOOKUP,),
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_JSON, st.booleans())
def test_any_result_is_an_object_without_nan(value: Any, failed: bool) -> None:
    result = ToolResult("f", json.dumps(value), failed=failed)
    [content] = google_out.contents([Message("user", (Part(result=result),))], FLASH)
    assert content.parts is not None and content.parts[0].function_response is not None
    response = content.parts[0].function_response.response
    assert isinstance(response, dict)
    json.dumps(response, allow_nan=False)


def test_a_signature_goes_back_with_the_part_that_carried_it(google_server) -> None:
    server = google_server([Answer(items=[Call("lookup", {"w": "sun"}, "c7")]), Answer("star")])
    first = ask(server, request("x", tools=(LOOKUP,)), NEW)
    [event] = only(ToolCalled, first)
    assert event.call == ToolCall("lookup", '{"w": "sun"}', "c7") == event.part.call
    history = (
        *request("x").messages,
        Message("model", (event.part,)),
        Message("user", (Part(result=ToolResult("lookup", '"star"', "c7")),)),
    )
    ask(server, Request(history, tools=(LOOKUP,)), NEW)
    assert sent(server)["contents"][1]["parts"][0]["thought_signature"] == SIGNATURE
    assert len(server.generate_calls) == 2


def test_a_call_of_another_service_goes_with_the_word_for_that(google_server) -> None:
    server = google_server(Answer("fine"))
    ask(server, _called_back(ToolResult("lookup", "1")), NEW)
    assert sent(server)["contents"][1]["parts"][0]["thought_signature"] == FOREIGN
    ask(server, _called_back(ToolResult("lookup", "1")), FLASH)
    assert "thought_signature" not in sent(server)["contents"][1]["parts"][0]


def test_the_server_refuses_a_present_call_without_its_signature(google_server) -> None:
    server = google_server(Answer("fine"))
    ask(server, _called_back(ToolResult("lookup", "1"), b"loopback-thought-signature"), NEW)
    body = server.generate_calls[-1].json

    def status(changed: dict[str, Any]) -> tuple[int, str]:
        answer = httpx2.post(
            f"{server.url}/v1beta/models/{NEW}:streamGenerateContent?alt=sse",
            json=changed, headers={"x-goog-api-key": server.key}, trust_env=False,
        )  # fmt: skip
        return answer.status_code, answer.text

    assert status(body)[0] == 200
    later = json.loads(json.dumps(body))
    del later["contents"][1]["parts"][0]["thoughtSignature"]
    assert status(later)[0] == 400 and "missing a thought_signature" in status(later)[1]
    later["contents"] += [
        {"role": "model", "parts": [{"text": "star"}]},
        {"role": "user", "parts": [{"text": "thanks"}]},
    ]
    assert status(later)[0] == 200  # it is no longer of the present turn
    body["contents"][1]["parts"][0]["thoughtSignature"] = "AAAA"
    assert status(body)[0] == 400


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", (Part(result=ToolResult("lookup", "1")),)),),
        (
            Message("user", (Part(text="x"),)),
            Message("model", (Part(call=ToolCall("lookup", "{}", "a")),)),
            Message("user", (Part(result=ToolResult("lookup", "1", "b")),)),
        ),
    ],
)
def test_the_server_refuses_a_result_that_nobody_asked_for(google_server, messages: Any) -> None:
    with pytest.raises(WireError) as caught:
        ask(google_server(), Request(messages, tools=(LOOKUP,)))
    assert (caught.value.phase, caught.value.status) == ("headers", 400)


def test_a_call_whose_arguments_are_no_object_goes_without_them(google_server) -> None:
    server = google_server(Answer("fine"))
    messages = (
        Message("user", (Part(text="x"),)),
        Message("model", (Part(call=ToolCall("lookup", "[1")),)),
        Message("user", (Part(result=ToolResult("lookup", "1")),)),
    )
    ask(server, Request(messages, tools=(LOOKUP,)))
    assert sent(server)["contents"][1]["parts"] == [
        {"function_call": {"name": "lookup", "args": {}}}
    ]


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("gemini-2.5-pro", (2, 5)),
        ("models/gemini-3-flash-preview", (3, 0)),
        ("gemini-flash-latest", (99, 0)),
        ("gemini-omni-1.2-flash", (99, 0)),
        ("gemma-4-31b-it", (99, 0)),
    ],
)
def test_the_generation_of_a_model(model: str, version: tuple[int, int]) -> None:
    assert google_out.generation(model) == version


@given(
    st.lists(st.sampled_from([0, 1, 5, 4_000_000, 7_000_000, 11_000_000, 16_000_000]), max_size=6),
    st.sampled_from([0, 100, 3_000_000]),
)
@settings(max_examples=40)
def test_what_stays_in_a_request_fits(sizes: list[int], text: int) -> None:
    parts = [
        Part(data=bytes([number]) * size, mime_type="image/png", name=str(number))
        for number, size in enumerate(sizes)
    ]
    asked = request("ä" * text, *parts)
    large = google_out.too_large(asked)
    inline = [part for part in parts if part not in large]
    size = sum(math.ceil(len(part.data or b"") / 3) * 4 for part in inline) + text * 6
    assert size <= google_out.MAX_REQUEST
    if large:  # no more than needed was taken out
        least = min(math.ceil(len(part.data or b"") / 3) * 4 for part in large)
        assert size + least > google_out.MAX_REQUEST - 10_000
    assert large == sorted(large, key=lambda part: part.size, reverse=True)


# --- what comes back ---


def test_parts_come_in_their_order(google_server) -> None:
    answer = Answer(items=[
        {"text": "hm", "thought": True}, Picture(PNG, thought=True), "Here: ", Picture(PNG),
        " and ", Picture(b"RIFF0000WEBP", "image/webp"), "end",
    ])  # fmt: skip
    server = google_server(answer)
    events = ask(server, request("draw"), IMAGE)
    assert isinstance(events[0], Answered)
    assert events[1:-1] == [
        ThoughtDelta("hm"),
        Preview(Part(data=PNG, mime_type="image/png")),
        TextDelta("Here: "),
        PartDone(Part(data=PNG, mime_type="image/png")),
        TextDelta(" and "),
        PartDone(Part(data=b"RIFF0000WEBP", mime_type="image/webp")),
        TextDelta("end"),
    ]
    assert isinstance(events[-1], Ended) and events[-1].finish_reason == "STOP"
    assert sent(server)["generation_config"]["response_modalities"] == ["TEXT", "IMAGE"]
    assert len(server.generate_calls) == 1


def test_a_picture_keeps_its_signature(google_server) -> None:
    blob = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    server = google_server(Answer(items=[{**blob, "thoughtSignature": SIGNATURE}]))
    [event] = only(PartDone, ask(server, request(), IMAGE))
    assert event.part.signature == b"loopback-thought-signature"
    server.set_script(Answer("night"))
    history = (
        *request("draw").messages,
        Message("model", (event.part,)),
        *request("Make it night").messages,
    )
    ask(server, Request(history), IMAGE)
    assert sent(server)["contents"][1]["parts"][0]["thought_signature"] == SIGNATURE


SIGNED = b"loopback-thought-signature"


@pytest.mark.parametrize("last", [{"text": ""}, {}, {"text": "!"}])
def test_a_text_keeps_its_signature(google_server, last: dict[str, Any]) -> None:
    server = google_server(Answer(items=["Hel", "lo", {**last, "thoughtSignature": SIGNATURE}]))
    words = last.get("text", "")
    said = only(TextDelta, ask(server, request(), NEW))
    assert said == [TextDelta("Hel"), TextDelta("lo"), TextDelta(words, SIGNED)]
    history = (
        *request("x").messages,
        Message("model", (Part(text="Hello"), Part(text=words, signature=SIGNED))),
        *request("And now?").messages,
    )
    ask(server, Request(history), NEW)
    assert sent(server)["contents"][1]["parts"] == [
        {"text": "Hello"},
        {"text": words, "thought_signature": SIGNATURE},
    ]


def test_the_server_refuses_a_changed_signature(google_server) -> None:
    history = (
        *request("x").messages,
        Message("model", (Part(text="Hello", signature=b"other"),)),
        *request("And now?").messages,
    )
    with pytest.raises(WireError, match="400"):
        ask(google_server(), Request(history), NEW)


def test_speech_in_pieces_is_one_wav(google_server) -> None:
    kind = "audio/L16;codec=pcm;rate=16000"
    pieces = [Picture(bytes([n, 0] * 50 + [7]), kind) for n in range(3)]  # pieces cut a sample
    server = google_server(Answer(items=pieces))
    [event] = only(PartDone, ask(server, request("say"), SPEECH))
    assert event.part.mime_type == "audio/wav" and event.part.data is not None
    with wave.open(io.BytesIO(event.part.data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        frames = b"".join(piece.data for piece in pieces)
        assert file.readframes(10_000) == frames[:-1]


def test_two_sounds_with_text_between_are_two(google_server) -> None:
    sound = Picture(b"\1\0" * 10, "audio/L16")
    other = Picture(b"\2\0" * 10, "audio/L16;rate=8000;channels=99999999999")
    mp3 = Picture(b"ID3", "audio/mpeg")
    server = google_server(Answer(items=[sound, "one", sound, other, mp3]))
    events = ask(server, request("say"), SPEECH)
    kinds = [
        event.part.mime_type if isinstance(event, PartDone) else event.text
        for event in events
        if isinstance(event, PartDone | TextDelta)
    ]
    assert kinds == ["audio/wav", "one", "audio/wav", "audio/wav", "audio/mpeg"]
    waves = [event.part.data or b"" for event in only(PartDone, events)][:3]
    rates = [int.from_bytes(data[24:28], "little") for data in waves]  # of a WAV file's head
    assert rates == [24_000, 24_000, 8_000]


def test_a_cut_stream_keeps_the_sound_that_came(google_server) -> None:
    answer = Answer(items=[Picture(b"\1\0" * 10, "audio/L16;rate=24000")] * 3)
    server = google_server(Fault("truncate", after=2, answer=answer))
    events = ask(server, request("say"), SPEECH)
    assert [event.part.mime_type for event in only(PartDone, events)] == ["audio/wav"]
    assert only(Ended, events)[0].finish_reason == CUT


def test_programs_and_their_output(google_server) -> None:
    server = google_server(Answer(items=[
        "Let me see. ", Program("print(6 * 7)"), Printed("42\n"),
        Program("1/0"), Printed("ZeroDivisionError", "OUTCOME_FAILED"),
        Printed("", "OUTCOME_DEADLINE_EXCEEDED"), "42",
    ]))  # fmt: skip
    events = ask(server, request("6 * 7?", services=("code_execution",)))
    assert [event.part for event in only(PartDone, events)] == [
        Part(code=Code("print(6 * 7)")),
        Part(output=CodeOutput("42\n")),
        Part(code=Code("1/0")),
        Part(output=CodeOutput("ZeroDivisionError", failed=True)),
        Part(output=CodeOutput("", failed=True)),
    ]
    assert sent(server)["tools"] == [{"code_execution": {}}]


SEARCHED = {"toolType": "GOOGLE_SEARCH_WEB", "id": "s1"}
TOOL_CALL = {**SEARCHED, "args": {"queries": ["northernmost town"]}}
TOOL_RESPONSE = {**SEARCHED, "response": {"found": "Utqiaġvik"}}


def test_functions_go_together_with_the_services_own_tools(google_server) -> None:
    server = google_server(Answer(items=[
        {"toolCall": TOOL_CALL, "thoughtSignature": SIGNATURE}, {"toolResponse": TOOL_RESPONSE},
        {"executableCode": {"language": "PYTHON", "code": "1", "id": "p1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "p1"}},
        Call("lookup", {"w": "Utqiaġvik"}, "c1"),
    ]))  # fmt: skip
    asked = request("x", tools=(LOOKUP,), services=("search", "code_execution"))
    events = ask(server, asked, NEW)
    assert sent(server)["tool_config"] == {"include_server_side_tool_invocations": True}
    parts = [one.part for one in events if isinstance(one, PartDone | ToolCalled)]
    assert parts[0].step == Step("GOOGLE_SEARCH_WEB", '{"queries": ["northernmost town"]}', "s1")
    assert parts[1].step == Step("GOOGLE_SEARCH_WEB", '{"found": "Utqiaġvik"}', "s1", answer=True)
    said = Message("model", tuple(Part.from_json(part.to_json()) for part in parts))
    answer = Message("user", (Part(result=ToolResult("lookup", "1", "c1")),))
    ask(server, replace(asked, messages=(*asked.messages, said, answer)), NEW)
    assert sent(server)["contents"][1]["parts"] == [
        {"tool_call": {"id": "s1", "tool_type": "GOOGLE_SEARCH_WEB", "args": TOOL_CALL["args"]},
         "thought_signature": SIGNATURE},
        {"tool_response": {"id": "s1", "tool_type": "GOOGLE_SEARCH_WEB",
                           "response": {"found": "Utqiaġvik"}}},
        {"executable_code": {"id": "p1", "language": "PYTHON", "code": "1"}},
        {"code_execution_result": {"id": "p1", "outcome": "OUTCOME_OK", "output": "1"}},
        {"function_call": {"id": "c1", "name": "lookup", "args": {"w": "Utqiaġvik"}},
         "thought_signature": SIGNATURE},
    ]  # fmt: skip
    # A request that combines nothing knows nothing of them.
    alone = said._replace(parts=said.parts[:2])
    ask(server, Request((*asked.messages, alone, *request("And?").messages)), NEW)
    assert [content["role"] for content in sent(server)["contents"]] == ["user", "user"]


def test_sources_and_searches(google_server) -> None:
    web = [("https://a.example/", "A"), ("javascript:alert(1)", "<b>"), ("https://a.example/", "")]
    chunks: list[dict[str, Any]] = [{"web": {"uri": uri, "title": title}} for uri, title in web]
    chunks += [
        {"web": {"title": "no address"}},
        {"maps": {"uri": "https://maps.example/", "title": "M"}},
        {},
        {"web": {"uri": "https://x.example/" + "x" * 10_000, "title": "endless"}},
        {"web": {"uri": "https://b.example/", "title": "T" * 10_000}},
    ]
    found = {
        "groundingChunks": chunks,
        "webSearchQueries": ["one", "two", "one", ""],
        "searchEntryPoint": {"renderedContent": "<script>alert(1)</script>"},
    }
    pages = [
        {
            "retrievedUrl": "https://p.example/",
            "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS",
        },
        {"retrievedUrl": "https://q.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_UNSAFE"},
    ]
    server = google_server(Answer("so", grounding=found, url_context={"urlMetadata": pages}))
    asked = request("news?", services=("search", "url_context"))
    [ended] = only(Ended, ask(server, asked))
    assert ended.citations == (
        Citation("https://a.example/", "A"),
        Citation("javascript:alert(1)", "<b>"),
        Citation("https://maps.example/", "M"),
        Citation("https://b.example/", "T" * 300),
        Citation("https://p.example/", ""),
    )
    assert ended.queries == ("one", "two")
    assert sent(server)["tools"] == [{"google_search": {}}, {"url_context": {}}]


def test_a_thousand_sources_are_not_all_kept(google_server) -> None:
    chunks = [{"web": {"uri": f"https://{n}.example/"}} for n in range(1000)]
    found = {"groundingChunks": chunks, "webSearchQueries": [str(n) for n in range(1000)]}
    server = google_server(Answer("so", grounding=found))
    [ended] = only(Ended, ask(server, request("news?", services=("search",))))
    assert (len(ended.citations), len(ended.queries)) == (200, 200)


def test_what_tools_put_into_the_prompt_is_input(google_server) -> None:
    server = google_server(Answer("so", usage=Counted(10, 3, 2, cached=4, tool_use=30)))
    [ended] = only(Ended, ask(server, request("news?", services=("search",))))
    assert ended.usage == Usage(40, 3, 2, 4)


def test_strange_parts_are_told_or_left_out(google_server) -> None:
    server = google_server(Answer(items=[
        {"functionCall": {"args": {"a": 1}}},
        {"functionCall": {"name": "f" * 1000}},
        {"fileData": {"fileUri": "https://files.example/" + "x" * 1000}},
        {"inlineData": {"mimeType": "image/png"}},
        {"inlineData": {"data": "AAAA"}},
        {"executableCode": {}},
        {"codeExecutionResult": {}},
        {"thoughtSignature": "AAAA"},
        {"text": ""},
        {},
    ]))  # fmt: skip
    events = ask(server, request("x", tools=(LOOKUP,)))
    notices = [event.text for event in only(Notice, events)]
    assert len(notices) == 2 and all(len(text) < 400 for text in notices)
    assert [event.call.name for event in only(ToolCalled, events)] == ["f" * 300]
    assert [event.part for event in only(PartDone, events)] == [
        Part(data=b"\0\0\0", mime_type="application/octet-stream"),
        Part(code=Code("")),
        Part(output=CodeOutput("")),
    ]


_FIELDS = (
    "text", "thought", "thoughtSignature", "inlineData", "functionCall", "executableCode",
    "codeExecutionResult", "fileData", "functionResponse", "unknown", "data", "mimeType", "name",
    "args", "id", "code", "language", "outcome", "output", "fileUri", "candidates", "content",
    "parts", "role", "finishReason", "groundingMetadata", "groundingChunks", "web", "uri", "title",
    "webSearchQueries", "urlContextMetadata", "urlMetadata", "retrievedUrl", "urlRetrievalStatus",
    "citationMetadata", "citations", "usageMetadata", "promptTokenCount", "promptFeedback",
    "blockReason", "modelVersion", "toolUsePromptTokenCount",
)  # fmt: skip
_STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.sampled_from(_FIELDS), _STRANGE, max_size=4)
_CHUNKS = _OBJECTS | st.builds(
    lambda parts, more: {"candidates": [{"content": {"parts": parts}, **more}]},
    st.lists(_OBJECTS, max_size=3),
    _OBJECTS,
)


def test_any_chunk_is_read_or_is_the_wires_failure() -> None:
    """Whatever a service sends, the SDK and the reader end in events or in ``WireError``."""
    chunk: bytes = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        body = b"data: " + chunk + b"\n\n"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    with asyncio.Runner() as runner:
        listener = runner.run(_listening(serve))
        port = listener.sockets[0].getsockname()[1]
        asked = GoogleBackend(f"http://127.0.0.1:{port}", Secret("k" * 20))

        @given(_CHUNKS)
        @settings(max_examples=120)
        def check(value: Any) -> None:
            nonlocal chunk
            chunk = json.dumps(value).encode()
            try:
                events = runner.run(said(asked, request()))
            except WireError:
                return
            assert isinstance(events[-1], Ended)

        check()
        runner.run(asked.aclose())
        listener.close()


async def _listening(serve: Any) -> asyncio.Server:
    return await asyncio.start_server(serve, "127.0.0.1", 0)


def test_a_picture_without_end_is_refused_and_the_stream_is_closed(google_server) -> None:
    items = ["see ", Picture(bytes(google_in.MAX_MEDIA + 1), "image/x"), *["."] * 300]
    server = google_server(Answer(items=items, delay=0.1))
    got: list[Any] = []

    async def work() -> None:
        asked = backend(server)
        with pytest.raises(WireError) as caught:
            async for event in asked.stream(request("draw"), IMAGE):
                got.append(event)
        assert caught.value.phase == "stream" and "MB" in caught.value.detail
        await asyncio.to_thread(server.wait_disconnects, 1)  # while nothing else is closed
        await asked.aclose()

    asyncio.run(work())
    assert only(TextDelta, got) == [TextDelta("see ")] and not only(PartDone, got)


def test_a_text_without_end_is_refused(google_server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_in, "MAX_TEXT", 1000)
    server = google_server(Answer(chunks=["x" * 100] * 50))
    with pytest.raises(WireError, match="stream") as caught:
        ask(server, request())
    assert "no end" in caught.value.detail


def test_calls_without_end_are_refused(google_server) -> None:
    server = google_server(Answer(calls=[Call("f", {"n": n}) for n in range(200)]))
    with pytest.raises(WireError) as caught:
        ask(server, request(tools=(Tool("f", "", '{"type": "object"}'),)))
    assert "more than 128 calls" in caught.value.detail


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_unpacks_without_end_is_refused(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_ANSWER", 10_000_000)
    bomb = gzip.compress(b"data: " + b" " * (2 * bounds.MAX_ANSWER), 1)
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(bomb)}\r\n\r\n"
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + bomb)
        await writer.drain()
        writer.close()

    async def work() -> None:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        asked = GoogleBackend(f"http://127.0.0.1:{port}", Secret("k" * 20))
        with pytest.raises(WireError) as caught:
            await said(asked, request())
        assert "larger than 10 MB" in caught.value.detail
        await asked.aclose()
        listener.close()

    asyncio.run(work())


def test_a_bounded_answer_is_gone_with_its_last_user() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"one\n"
        yield b"two"

    async def read() -> weakref.ref[httpx2.Response]:
        answer = httpx2.Response(200, content=pieces())
        await bounds.limit_answer(answer)
        assert [piece async for piece in answer.aiter_bytes()] == [b"one\n", b"two"]
        return weakref.ref(answer)

    gc.disable()  # which would find it in the end
    try:
        assert asyncio.run(read())() is None
    finally:
        gc.enable()


# --- counting ---


def test_tokens_of_every_part_are_counted_aside(google_server) -> None:
    server = google_server()
    part = Part(data=PNG, mime_type="image/png")

    async def work() -> tuple[int | None, list[str]]:
        asked = backend(server)
        departed = noting_departure()
        counted = await asked.count_tokens(request("12345678", part, system="abcd"), FLASH)
        await asked.aclose()
        return counted, departed

    assert asyncio.run(work()) == (1 + 2 + 258, [])
    assert [one.op for one in server.requests] == ["count"]


def test_tokens_of_what_would_be_uploaded_are_not_counted(google_server) -> None:
    server = google_server()
    large = Part(data=bytes(16_000_000), mime_type="video/mp4")
    assert asyncio.run(backend(server).count_tokens(request("x", large), FLASH)) is None
    assert server.requests == []


def test_only_the_generate_call_departs(google_server) -> None:
    server = google_server(Answer("fine"))

    async def work() -> list[str]:
        asked = backend(server)
        await asked.models()
        departed = noting_departure()
        await asked.count_tokens(request(), FLASH)
        assert departed == []
        await said(asked, request())
        await asked.aclose()
        return departed

    assert asyncio.run(work())


def test_the_sdk_warns_of_nothing_that_we_read(
    google_server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.genai import types

    # It warns once a process; a picture beside JSON is one of the occasions.
    monkeypatch.setattr(types, "_response_text_non_text_warning_logged", False)
    server = google_server(Answer(items=['{"a": 1}', Picture(PNG)]))
    events = ask(server, request("x", schema='{"type": "object"}'), IMAGE)
    assert only(PartDone, events) and only(TextDelta, events)
    assert caplog.records == []
    monkeypatch.setattr(types, "_response_text_non_text_warning_logged", False)
    blob = types.Blob(data=PNG, mime_type="image/png")
    content = types.Content(parts=[types.Part(text="x"), types.Part(inline_data=blob)])
    own = types.GenerateContentResponse(candidates=[types.Candidate(content=content)])
    assert own.text == "x" and "non-text parts" in caplog.text  # the user's own call


def test_settings_of_functions_and_services_do_not_mix(google_server) -> None:
    server = google_server()
    with pytest.raises(UsageError, match="nothing was sent") as caught:
        ask(server, request("x", tools=(LOOKUP,), services=("search",)))
    assert "-m gemini-3" in caught.value.next_step
    with pytest.raises(UsageError, match="Vertex AI takes no functions"):
        google_settings.refuse(
            request("x", tools=(LOOKUP,), services=("search",)), NEW, vertex=True
        )
    schema = '{"type": "object"}'
    for more in ({"tools": (LOOKUP,)}, {"services": ("search",)}):
        with pytest.raises(UsageError, match="--schema"):
            ask(server, request("x", schema=schema, **more))
    assert server.requests == []
    ask(server, request("x", schema=schema, tools=(LOOKUP,)), NEW)
    ask(server, request("x", services=("search", "code_execution"), settings=Settings(seed=1)))
    assert len(server.generate_calls) == 2
