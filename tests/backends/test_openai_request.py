"""What a prompt holds goes out on OpenAI's wire as the service wants it, or is refused, or told."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.backends.openai_dialects import Dialect
from gemini_magic.backends.openai_messages import messages_of
from gemini_magic.backends.openai_request import is_strict
from gemini_magic.errors import UsageError, WireError
from gemini_magic.types import (
    CODE_EXECUTION,
    SEARCH,
    URL_CONTEXT,
    Code,
    CodeOutput,
    File,
    Message,
    Part,
    Request,
    Settings,
    ToolCall,
    ToolResult,
)
from tests.backends.openai_lab import (
    GOOGLE,
    MODEL,
    OPENAI,
    OPENROUTER,
    ask,
    model,
    notices,
    refusal,
    request,
    sent,
    tool,
    user,
    words,
)
from tests.wire import Answer, OpenAIServer
from tests.wire.openai_rules import check_request
from tests.wire.payloads import PIXEL

Serve = Callable[..., OpenAIServer]
PICTURE = Part(data=PIXEL, mime_type="image/png")
PDF = Part(data=b"%PDF-1.7 x", mime_type="application/pdf", name="/home/me/report 2.pdf")


@pytest.fixture
def server(openai_server: Serve) -> OpenAIServer:
    return openai_server(Answer("fine"))


@pytest.fixture
def hosted(openai_server: Serve, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A server that real host names lead to: the environment's proxy is that server."""

    def make(**options: Any) -> OpenAIServer:
        server = openai_server(Answer("fine"), **options)
        monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}:{server.port}")
        return server

    return make


def file(path: Path, data: bytes, mime_type: str) -> Part:
    path.write_bytes(data)
    found = File(str(path), len(data), hashlib.sha256(data).hexdigest())
    return Part(file=found, mime_type=mime_type, name=path.name)


def content(server: OpenAIServer) -> Any:
    return sent(server)["messages"][-1]["content"]


# --- parts ---------------------------------------------------------------------------------------


def test_every_kind_of_part(server: OpenAIServer) -> None:
    sound = Part(data=b"RIFF....WAVE", mime_type="audio/x-wav")
    linked = Part(uri="https://example.org/a.png", mime_type="image/png")
    found = ask(server, request("Compare ", PICTURE, linked, " with ", PDF, sound))
    assert words(found) == "fine" and not notices(found)
    text, picture, link, more, document, heard = content(server)
    assert (text["text"], more["text"]) == ("Compare ", " with ")
    assert picture["image_url"] == {
        "url": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    }
    assert link["image_url"] == {"url": "https://example.org/a.png"}
    assert document["file"]["filename"] == "report 2.pdf"
    assert document["file"]["file_data"].startswith("data:application/pdf;base64,")
    assert heard["input_audio"]["format"] == "wav"


def test_text_alone_stays_a_string(server: OpenAIServer) -> None:
    code = Part(code=Code("print(1)"))
    ask(server, request("a", "b", code, Part(output=CodeOutput("1"))))
    assert content(server) == "ab\n```python\nprint(1)\n```\n\n```\n1\n```\n"


def test_text_documents_are_text(server: OpenAIServer, tmp_path: Path) -> None:
    csv = Part(data="\ufeffa,b\n1,ä".encode(), mime_type="text/csv", name="x\n.csv")
    toml = file(tmp_path / "c.toml", b"x = 1", "application/toml")
    ask(server, request("Read ", csv, toml))
    assert content(server) == (
        "Read \n--- x .csv ---\na,b\n1,ä\n--- end of x .csv ---\n"
        "\n--- c.toml ---\nx = 1\n--- end of c.toml ---\n"
    )


def test_a_text_document_that_is_none(server: OpenAIServer) -> None:
    latin = Part(data=b"caf\xe9", mime_type="text/plain", name="a.txt")
    assert "a.txt is no UTF-8 text" in refusal(server, request(latin)).what


def test_files_are_read_and_encoded(server: OpenAIServer, tmp_path: Path) -> None:
    ask(server, request("What?", file(tmp_path / "p.png", PIXEL, "image/png")))
    url = content(server)[1]["image_url"]["url"]
    assert base64.b64decode(url.partition(",")[2]) == PIXEL


@pytest.mark.parametrize("change", ["gone", "grown", "shrunk"])
def test_a_file_that_changed_is_not_sent(server: OpenAIServer, tmp_path: Path, change: str) -> None:
    part = file(tmp_path / "p.png", PIXEL, "image/png")
    path = tmp_path / "p.png"
    path.unlink() if change == "gone" else path.write_bytes(PIXEL * 2 if "w" in change else b"x")
    error = refusal(server, request(part))
    assert "p.png" in error.what and str(tmp_path) not in error.what


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (Part(data=b"x", mime_type="video/mp4"), "no films"),
        (Part(uri="https://youtu.be/x", mime_type="video/mp4"), "video/mp4 by its address"),
        (Part(uri="https://x.org/a.pdf", mime_type="application/pdf"), "application/pdf by its"),
        (Part(uri="gs://bucket/a.png", mime_type="image/png"), "only pictures on the web"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused(server: OpenAIServer, part: Part, what: str) -> None:
    error = refusal(server, request("What?", part))
    assert what in error.what and "-m studio:gemini-" in error.next_step


def test_sound_that_openai_cannot_hear(hosted: Serve) -> None:
    server = hosted()
    error = refusal(server, request(Part(data=b"x", mime_type="audio/ogg")), url=OPENAI)
    assert "wav and mp3" in error.what


def test_pictures_that_openai_cannot_see(hosted: Serve, server: OpenAIServer) -> None:
    photo = Part(data=b"....ftypheic", mime_type="image/heic")
    assert "image/heic" in refusal(hosted(), request(photo), url=OPENAI).what
    assert words(ask(server, request(photo))) == "fine"  # others may


def test_pictures_in_googles_storage(hosted: Serve) -> None:
    server = hosted(gemini_compat=True)
    stored = Part(uri="gs://bucket/a.png", mime_type="image/png")
    # The loopback server plays AI Studio's endpoint; Vertex's is the one that reads the storage.
    with pytest.raises(WireError):
        ask(server, request(stored), "gemini-2.5-flash", url=GOOGLE)
    assert content(server)[0]["image_url"] == {"url": "gs://bucket/a.png"}


def test_detail(server: OpenAIServer) -> None:
    for level, detail in (("low", "low"), ("medium", "auto"), ("high", "high")):
        ask(server, request(PICTURE, settings=Settings(media_resolution=level)))
        assert content(server)[0]["image_url"]["detail"] == detail


# --- the limit -----------------------------------------------------------------------------------


def test_too_much_is_refused_before_it_is_read(server: OpenAIServer) -> None:
    huge = Part(file=File("/nowhere/film.pdf", 61_200_000, ""), mime_type="application/pdf")
    error = refusal(server, request("x", huge))  # unread: there is no such file
    assert "film.pdf has 61.2 MB" in error.what and "50 MB" in error.what
    assert "Files API" in error.next_step and "-m studio:" in error.next_step


def test_the_limit_is_the_requests(server: OpenAIServer) -> None:
    half = Part(file=File("/nowhere/a", 30_000_000, ""), mime_type="image/png")
    error = refusal(server, Request((user("x", half), model("y"), user(half))))
    assert "the 2 files of the prompt have 60.0 MB together" in error.what


def test_gemini_takes_less(hosted: Serve) -> None:
    server = hosted(gemini_compat=True)
    part = Part(file=File("/nowhere/a.png", 15_000_000, ""), mime_type="image/png")
    assert "14 MB" in refusal(server, request(part), "gemini-2.5-flash", url=GOOGLE).what


# --- the conversation ----------------------------------------------------------------------------


def call(name: str = "lookup", arguments: str = '{"q": 1}', id: str = "", **more: Any) -> Part:
    return Part(call=ToolCall(name, arguments, id), **more)


def result(name: str = "lookup", content: str = "42", id: str = "") -> Part:
    return Part(result=ToolResult(name, content, id))


def roles(server: OpenAIServer) -> list[str]:
    return [message["role"] for message in sent(server)["messages"]]


def test_calls_and_results(server: OpenAIServer) -> None:
    talk = (
        user("What?"),
        model("I look it up.", call(id="a"), call(id="b", arguments="nonsense")),
        user(result(id="b", content="B"), result(id="a", content="A"), "Go on"),
    )
    ask(server, Request(talk, tools=(tool(),)))
    assert roles(server) == ["user", "assistant", "tool", "tool", "user"]
    _, said, one, two, last = sent(server)["messages"]
    assert said["content"] == "I look it up."
    assert [c["id"] for c in said["tool_calls"]] == ["a", "b"]
    assert said["tool_calls"][1]["function"]["arguments"] == "{}"
    assert (one["tool_call_id"], one["content"]) == ("b", "B")
    assert (two["tool_call_id"], two["content"]) == ("a", "A")
    assert last["content"] == "Go on"


def test_missing_and_repeated_ids(server: OpenAIServer) -> None:
    talk = (
        user("x"),
        model(call(id=""), call("other"), call(id="same"), call(id="same")),
        user(result("other", "O"), result(content="1"), result(id="same"), result(id="same")),
        model(call(id="same")),
        user(result(id="same", content="last")),
    )
    ask(server, Request(talk))
    ask(server, Request(talk))
    assert sent(server, 0) == sent(server, 1)  # stable
    messages = sent(server)["messages"]
    ids = [c["id"] for m in messages for c in m.get("tool_calls", ())]
    assert ids == ["call_1", "call_2", "same", "same-2", "same-3"]
    answers = {m["tool_call_id"]: m["content"] for m in messages if m["role"] == "tool"}
    assert answers["call_2"] == "O" and answers["call_1"] == "1" and answers["same-3"] == "last"


def test_a_call_without_a_result_and_a_result_without_a_call(server: OpenAIServer) -> None:
    talk = (user(result(content="lost")), model("Hm.", call(id="a")), user("And?"))
    ask(server, Request(talk))
    first, said, last = sent(server)["messages"]
    assert first["content"] == "[lookup returned: lost]"
    assert said["content"] == 'Hm.[called lookup({"q": 1}); no result]'
    assert last["content"] == "And?"


def test_pictures_of_an_answer_go_back(server: OpenAIServer) -> None:
    sound = Part(data=b"RIFF", mime_type="audio/wav")
    talk = (user("Draw."), model(PICTURE), user("Make it night."))
    ask(server, Request(talk))
    assert roles(server) == ["user", "assistant", "user"]
    picture, text = content(server)
    assert picture["type"] == "image_url" and text["text"] == "Make it night."
    told = notices(ask(server, Request((user("a"), model("b", sound, sound), user("c")))))
    assert told == ["sound of earlier answers left out: this wire takes back their words only"]
    ask(server, Request((user("Draw."), model(PICTURE))))  # nothing is said after it
    assert roles(server) == ["user", "assistant", "user"]


def test_signatures_go_to_google_alone(hosted: Serve) -> None:
    talk = (user("x"), model(call(id="a", signature=b"\xff\xfethought")), user(result(id="a")))
    server = hosted(gemini_compat=True)
    ask(server, Request(talk, tools=(tool(),)), "gemini-2.5-flash", url=GOOGLE)
    (written,) = sent(server)["messages"][1]["tool_calls"]
    assert written["extra_content"] == {
        "google": {"thought_signature": base64.b64encode(b"\xff\xfethought").decode()}
    }
    for url, options in ((OPENAI, {}), (OPENROUTER, {"openrouter": True})):
        server = hosted(**options)
        ask(server, Request(talk, tools=(tool(),)), url=url)
        assert "extra_content" not in json.dumps(sent(server))
        assert b"thought" not in server.generate_calls[0].body


_parts = st.one_of(
    st.builds(lambda t: Part(text=t), st.text(max_size=5)),
    st.builds(call, st.sampled_from("fg"), st.sampled_from(["", "{}", "[1]", "{"]),
              st.sampled_from(["", "a", "b"])),
    st.builds(result, st.sampled_from("fg"), st.just("r"), st.sampled_from(["", "a", "b"])),
    st.just(PICTURE),
    st.just(Part(code=Code("1"))),
)  # fmt: skip
_talk = st.lists(
    st.builds(Message, st.sampled_from(["user", "model"]), st.lists(_parts, max_size=5).map(tuple)),
    max_size=6,
)


@given(_talk)
def test_whatever_was_said_is_written_as_the_service_wants_it(talk: list[Message]) -> None:
    asked = Request((*talk, user("end")))
    messages, _ = messages_of(asked, Dialect("other"))
    written = json.loads(json.dumps(messages))
    assert check_request({"model": MODEL, "messages": written}, compat=False) is None
    parts = [part for message in talk for part in message.parts]
    everything = json.dumps(messages)
    calls = sum(len(m.get("tool_calls", ())) for m in messages) + everything.count("; no result]")
    results = sum(m["role"] == "tool" for m in messages) + everything.count(" returned: r]")
    assert calls == sum(part.call is not None for part in parts)
    assert results == sum(part.result is not None for part in parts)
    assert everything.count('"image_url": {') == sum(part.data is not None for part in parts)


# --- settings ------------------------------------------------------------------------------------


def test_settings(server: OpenAIServer) -> None:
    given = Settings(
        temperature=0.5, top_p=0.9, max_output_tokens=9, stop=("x",), seed=3,
        presence_penalty=1.0, frequency_penalty=-1.0,
    )  # fmt: skip
    assert not notices(ask(server, request(settings=given)))
    body = sent(server)
    for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
        assert body[name] == getattr(given, name)
    assert body["max_tokens"] == 9 and body["stop"] == ["x"]


def test_what_is_left_out_is_told(server: OpenAIServer) -> None:
    given = Settings(top_k=3, safety="none", size="2K", count=2, voice="Kore", quality="high")
    told = " ".join(notices(ask(server, request(settings=given))))
    for name in ("top_k", "safety", "size", "count", "voice", "quality"):
        assert name in told
    assert set(sent(server)) == {"model", "messages", "stream", "stream_options"}


def test_geminis_endpoint_knows_fewer_settings(hosted: Serve) -> None:
    server = hosted(gemini_compat=True)
    given = Settings(temperature=1.0, seed=1, presence_penalty=1.0, thinking="low")
    found = ask(server, request(settings=given), "gemini-2.5-flash", url=GOOGLE)
    assert words(found) == "fine"
    assert notices(found) == [
        "seed, presence_penalty left out: Gemini's OpenAI endpoint has no such setting"
    ]


def test_newer_names_at_openai(hosted: Serve) -> None:
    server = hosted()
    ask(server, request(settings=Settings(max_output_tokens=5)), "gpt-5-mini", url=OPENAI)
    assert sent(server)["max_completion_tokens"] == 5


def test_a_model_that_speaks(server: OpenAIServer) -> None:
    ask(server, request(settings=Settings(voice="verse")), "gpt-audio")
    assert sent(server)["modalities"] == ["text", "audio"]
    assert sent(server)["audio"] == {"voice": "verse", "format": "pcm16"}
    ask(server, request(settings=Settings(modalities=("audio", "text"))))
    assert sent(server)["audio"]["voice"] == "alloy"


def test_a_model_that_draws_in_a_chat(server: OpenAIServer, hosted: Serve) -> None:
    drawn = Settings(aspect="16:9", size="2K", count=2, quality="high")
    told = notices(ask(server, request(settings=drawn), "gemini-3.1-flash-image"))
    assert told == ["size, aspect, quality left out: this wire has no such setting in a chat"]
    assert sent(server)["n"] == 2
    router = hosted(openrouter=True)
    name = "google/gemini-3.1-flash-image"
    told = notices(ask(router, request(settings=drawn), name, url=OPENROUTER))
    assert told == ["quality left out: this wire has no such setting in a chat"]
    body = sent(router)
    assert body["modalities"] == ["image", "text"]
    assert body["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K"}
    unasked, huge = hosted(openrouter=True), request(settings=Settings(size="huge"))
    error = refusal(unasked, huge, name, url=OPENROUTER)
    assert "--size huge" in error.what and "1K, 2K or 4K" in error.next_step


# --- tools, services, schemas --------------------------------------------------------------------


def test_tools(server: OpenAIServer) -> None:
    loose = tool("loose", "")._replace(parameters='{"type": "object", "properties": {}}')
    optional = {"type": "string", "default": "x"}
    made = (tool(q={"type": "string"}), loose, tool("d", q=optional))
    ask(server, request(tools=made))
    strict, other, third = (one["function"] for one in sent(server)["tools"])
    assert strict["strict"] is True and strict["description"] == "Looks up"
    assert "strict" not in other and "description" not in other
    assert "strict" not in third  # its mode takes no defaults


@pytest.mark.parametrize(
    ("inner", "strict"),
    [
        ({"type": "string"}, True),
        ({"type": "string", "title": "X", "format": "date"}, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        ({"type": "array", "items": {"$ref": "#/$defs/A"}}, True),
        ({"enum": ["a", "b"]}, True),
        ({"const": 1}, True),
        ({"type": ["string", "null"]}, True),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({}, False),
        ({"title": "X"}, False),
        (True, False),
        ({"anyOf": [{}, {"type": "null"}]}, False),
        ({"type": "array"}, False),
        ({"type": "array", "items": {}}, False),
        ({"type": "array", "items": False, "prefixItems": [{"type": "string"}]}, False),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, False),
        ({"type": "string", "format": "uri"}, False),
        ({"type": "string", "minLength": 1}, False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, False),
        ({"type": ["object", "null"], "properties": {}}, False),
        ({"oneOf": [{"type": "string"}]}, False),
    ],
)
def test_what_strict_mode_takes(inner: Any, strict: bool) -> None:
    assert is_strict(inner) is strict
    for name in ("x", "not", "default"):  # a property may be called what it likes
        outer = {
            "type": "object", "properties": {name: inner}, "required": [name],
            "additionalProperties": False, "$defs": {"A": {"type": "integer"}},
        }  # fmt: skip
        assert is_strict(outer) is strict


def test_search(server: OpenAIServer, hosted: Serve) -> None:
    ask(server, request(services=(SEARCH,)))
    assert sent(server)["web_search_options"] == {}
    router = hosted(openrouter=True)
    asked = request(services=(SEARCH,), settings=Settings(top_k=4))
    assert not notices(ask(router, asked, url=OPENROUTER))
    assert sent(router)["plugins"] == [{"id": "web"}] and sent(router)["top_k"] == 4
    assert "web_search_options" not in sent(router)


@pytest.mark.parametrize(
    ("service", "option"), [(URL_CONTEXT, "--url-context"), (CODE_EXECUTION, "--code-execution")]
)
def test_services_of_googles_own(server: OpenAIServer, service: str, option: str) -> None:
    error = refusal(server, request(services=(service,)))
    assert option in error.what and "-m studio:gemini-" in error.next_step


def test_geminis_endpoint_does_not_search(hosted: Serve) -> None:
    server = hosted(gemini_compat=True)
    error = refusal(server, request(services=(SEARCH,)), "gemini-2.5-flash", url=GOOGLE)
    assert "--search" in error.what


def test_a_schema_that_openai_does_not_enforce(hosted: Serve, server: OpenAIServer) -> None:
    schema = '{"type": "array", "items": {"type": "string"}}'
    asked = request("List.", schema=schema, system="Be kind.")
    openai = hosted()
    assert "in words" in notices(ask(openai, asked, url=OPENAI))[0]
    assert "response_format" not in sent(openai)
    assert schema in sent(openai)["messages"][0]["content"]
    ask(server, asked)
    assert sent(server)["response_format"]["json_schema"]["schema"]["type"] == "array"


def test_one_call_and_no_retry(openai_server: Serve) -> None:
    from tests.wire import payloads

    server = openai_server(payloads.OPENAI_SERVER)
    with pytest.raises(WireError):
        ask(server, request(PICTURE, tools=(tool(),)))
    assert len(server.requests) == 1


def test_the_error_names_no_folder(server: OpenAIServer, tmp_path: Path) -> None:
    gone = Part(file=File(str(tmp_path / "a.png"), 3, ""), mime_type="image/png")
    with pytest.raises(UsageError) as caught:
        ask(server, request(gone))
    assert str(tmp_path) not in str(caught.value)
