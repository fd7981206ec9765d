"""What comes back on OpenAI's wire becomes events, whole or hostile, and never a crash."""

from __future__ import annotations

import base64
import io
import json
import ssl
import time
import tracemalloc
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import config, errors, web
from gemini_magic.backends import bounds, openai_pictures
from gemini_magic.backends.openai_calls import MAX_ARGUMENTS, Calls
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.errors import WireError
from gemini_magic.events import Ended, Notice, PartDone, TextDelta, ThoughtDelta, ToolCalled
from gemini_magic.types import Citation, Part, Request, Settings, Target, ToolCall, ToolResult
from tests.backends.openai_lab import (
    GOOGLE,
    ask,
    model,
    notices,
    only,
    request,
    sent,
    tool,
    user,
    words,
)
from tests.test_web import NAME, Pretend, Server, certificate, reply, secure, serve
from tests.wire import Answer, Call, Fault, OpenAIServer, Picture
from tests.wire.payloads import PIXEL

__all__ = ["certificate", "secure", "serve"]

Serve = Callable[..., OpenAIServer]
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
OTHER = PIXEL[:-1] + b"\x83"


def piece(index: int | None = 0, id: str | None = None, name: str | None = None,
          arguments: Any = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    """A delta of a call; None leaves a field out."""
    function = {"name": name, "arguments": arguments}
    found = {"index": index, "id": id, "type": "function", **more,
             "function": {k: v for k, v in function.items() if v is not None}}  # fmt: skip
    return {k: v for k, v in found.items() if v is not None}


def calling(*deltas: list[dict[str, Any]], finish: str | None = "TOOL_CALLS") -> Answer:
    return Answer(items=[{"tool_calls": calls} for calls in deltas], finish=finish)


def calls(server: OpenAIServer, answer: Answer) -> list[ToolCall]:
    server.set_script(answer)
    return [one.call for one in only(ToolCalled, ask(server, request(tools=(tool(),))))]


def linked(*urls: Any) -> dict[str, Any]:
    return {"images": [{"type": "image_url", "image_url": {"url": url}} for url in urls]}


def data_url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@pytest.fixture
def server(openai_server: Serve) -> OpenAIServer:
    return openai_server()


# --- calls ---------------------------------------------------------------------------------------


def test_a_call_in_pieces(server: OpenAIServer) -> None:
    server.set_script(
        calling(
            [piece(0, "a", "lookup", "")],
            [piece(0, arguments='{"q": ')],
            [piece(0, arguments='"x"}')],
        )
    )
    found = ask(server, request(tools=(tool(),)))
    (called,) = only(ToolCalled, found)
    assert called.call == ToolCall("lookup", '{"q": "x"}', "a")
    assert called.part == Part(call=called.call)
    assert found[-1].finish_reason == "TOOL_CALLS"  # type: ignore[union-attr]
    assert isinstance(found[-2], ToolCalled)


def test_several_at_once(server: OpenAIServer) -> None:
    found = calls(
        server,
        calling(
            [piece(0, "a", "f", '{"n"'), piece(1, "b", "g", "{")],
            [piece(1, arguments='"m": 2}'), piece(0, arguments=": 1}")],
            [piece(2, "c", "f", "")],
        ),
    )
    assert found == [
        ToolCall("f", '{"n": 1}', "a"),
        ToolCall("g", '{"m": 2}', "b"),
        ToolCall("f", "{}", "c"),
    ]


@pytest.mark.parametrize(
    "deltas",
    [
        [piece(0, "a", "f", '{"n": 1}'), piece(0, "b", "f", '{"n": 2}')],  # one index for all
        [piece(None, "a", "f", '{"n": 1}'), piece(None, "b", "f", '{"n": 2}')],
        [piece(None, None, "f", '{"n": 1}'), piece(None, None, "f", '{"n": 2}')],
        [piece(0, None, "f", '{"n": 1}'), piece(0, None, "f", '{"n": 2}')],
        [piece(0, "same", "f", '{"n": 1}'), piece(1, "same", "f", '{"n": 2}')],
        [piece(0, "a", "f", {"n": 1}), piece(1, "b", "f", {"n": 2})],  # objects, not text
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_services_that_send_whole_calls(
    server: OpenAIServer, deltas: list[dict[str, Any]], together: bool
) -> None:
    found = calls(server, calling(deltas) if together else calling(*([one] for one in deltas)))
    assert [json.loads(one.arguments) for one in found] == [{"n": 1}, {"n": 2}]
    assert len({one.id for one in found}) == 2 and all(one.id for one in found)


def test_a_service_that_repeats_itself(server: OpenAIServer) -> None:
    whole = piece(0, "a", "f", '{"n": 1}')
    assert calls(server, calling([whole], [whole])) == [ToolCall("f", '{"n": 1}', "a")]
    pieces = [piece(0, "a", "f", '{"n"'), piece(0, "a", "f", ": 1}")]  # id and name each time
    assert calls(server, calling(*([one] for one in pieces))) == [ToolCall("f", '{"n": 1}', "a")]


def test_an_id_for_every_piece(server: OpenAIServer) -> None:
    deltas = [
        piece(0, "a", "f", ""),
        piece(0, "b", arguments='{"n"'),
        piece(0, "c", arguments=":1}"),
    ]
    assert calls(server, calling(*([one] for one in deltas))) == [ToolCall("f", '{"n":1}', "a")]


@given(st.lists(st.sampled_from([{"n": 1}, {"text": '{"}\\"'}, {}]), min_size=1, max_size=4),
       st.data())  # fmt: skip
def test_calls_are_the_same_however_they_are_cut(
    arguments: list[dict[str, Any]], data: st.DataObject
) -> None:
    open_calls = [[piece(i, f"id{i}", "f", "")] for i in range(len(arguments))]
    for i, one in enumerate(arguments):
        text = json.dumps(one)
        while text:
            n = data.draw(st.integers(1, len(text)))
            open_calls[i].append(piece(i, arguments=text[:n]))
            text = text[n:]
    gathered = Calls()
    while any(open_calls):
        i = data.draw(st.sampled_from([i for i, left in enumerate(open_calls) if left]))
        gathered.take(open_calls[i].pop(0))
    found = [one.call for one in gathered.done("TOOL_CALLS") if isinstance(one, ToolCalled)]
    assert {one.id: json.loads(one.arguments) for one in found} == {
        f"id{i}": one for i, one in enumerate(arguments)
    }


def test_a_call_that_never_ended_is_none(server: OpenAIServer) -> None:
    assert calls(server, calling([piece(0, "a", "f", '{"n": 1}')], finish=None)) == []
    server.set_script(calling([piece(0, "a", "f", '{"n')], finish="MAX_TOKENS"))
    found = ask(server, request(tools=(tool(),)))
    assert not only(ToolCalled, found) and "cut short" in notices(found)[0]
    server.set_script(calling([piece(0, "a", None, "{}")]))
    assert "without saying which" in notices(ask(server, request(tools=(tool(),))))[0]


def test_endless_arguments(server: OpenAIServer) -> None:
    server.set_script(
        calling(*[[piece(0, "a", "f", "x" * 50_000)]] * (MAX_ARGUMENTS // 50_000 + 2))
    )
    with pytest.raises(WireError, match="stream") as caught:
        ask(server, request(tools=(tool(),)))
    assert "never ended" in caught.value.detail


def test_endless_calls(server: OpenAIServer) -> None:
    server.set_script(calling([piece(i, f"a{i}", "f", "{}") for i in range(500)]))
    with pytest.raises(WireError) as caught:
        ask(server, request(tools=(tool(),)))
    assert "calls in one answer" in caught.value.detail


def test_a_signature_comes_along_and_goes_back(
    openai_server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = base64.b64encode(b"\xfb\xff thought").decode()
    extra = {"google": {"thought_signature": written}}
    server = openai_server(
        [calling([piece(0, "a", "f", "{}", extra_content=extra)]), "done"], gemini_compat=True
    )
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}:{server.port}")
    asked = request(tools=(tool("f"),))
    (called,) = only(ToolCalled, ask(server, asked, "gemini-2.5-flash", url=GOOGLE))
    assert called.part.signature == b"\xfb\xff thought"
    given = Part(result=ToolResult("f", "1", called.call.id))
    talk = (*asked.messages, model(called.part), user(given))
    again = Request(talk, tools=asked.tools)
    assert words(ask(server, again, "gemini-2.5-flash", url=GOOGLE)) == "done"
    (back,) = sent(server)["messages"][1]["tool_calls"]
    assert back["extra_content"] == extra


def test_a_text_keeps_its_signature_too(
    openai_server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = base64.b64encode(b"thought").decode()
    extra = {"google": {"thought_signature": written}}
    server = openai_server(
        [Answer(items=["Hel", "lo", {"content": "", "extra_content": extra}]), "done"],
        gemini_compat=True,
    )
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}:{server.port}")
    asked = request()
    deltas = only(TextDelta, ask(server, asked, "gemini-3.8-flash", url=GOOGLE))
    assert deltas == [TextDelta("Hel"), TextDelta("lo"), TextDelta("", b"thought")]
    said = model(Part(text="Hello"), Part(text="", signature=b"thought"))
    again = Request((*asked.messages, said, user("And now?")))
    ask(server, again, "gemini-3.8-flash", url=GOOGLE)
    assert sent(server)["messages"][1] == {
        "role": "assistant",
        "content": "Hello",
        "extra_content": extra,
    }


# --- pictures ------------------------------------------------------------------------------------


def test_pictures_in_the_order_in_which_they_came(server: OpenAIServer) -> None:
    server.set_script(
        Answer(items=["One: ", Picture(PIXEL), " two: ", Picture(JPEG, "image/png"), "."])
    )
    found = ask(server, request())
    kinds = [type(event) for event in found if isinstance(event, TextDelta | PartDone)]
    assert kinds == [TextDelta, PartDone, TextDelta, PartDone, TextDelta]
    first, second = only(PartDone, found)
    assert first.part == Part(data=PIXEL, mime_type="image/png")
    assert second.part.mime_type == "image/jpeg"  # by its content, not by its word


def test_content_that_is_a_list(server: OpenAIServer) -> None:
    content = [
        {"type": "text", "text": "Here: "},
        {"type": "image_url", "image_url": {"url": data_url(PIXEL)}},
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "hologram", "hologram": "x"},
    ]
    server.set_script(Answer(items=[{"content": content}, {"content": content[3:]}]))
    found = ask(server, request())
    assert words(found) == "Here: " and only(ThoughtDelta, found) == [ThoughtDelta("hm")]
    assert len(only(PartDone, found)) == 1
    assert notices(found) == ["a part of the answer was left out: its kind is 'hologram'"]


def test_a_picture_is_taken_once(server: OpenAIServer) -> None:
    server.set_script(Answer(items=[Picture(PIXEL), linked(data_url(PIXEL)), Picture(OTHER)]))
    assert [one.part.data for one in only(PartDone, ask(server, request()))] == [PIXEL, OTHER]


def test_pictures_of_all_choices(server: OpenAIServer) -> None:
    choice = {"logprobs": None, "finish_reason": None}
    more = {"choices": [{"index": 1, "delta": {"content": "No.", **linked(data_url(OTHER))},
                         **choice}]}  # fmt: skip
    ends = [{"choices": [{"index": i, "delta": {}, "finish_reason": reason}]}
            for i, reason in enumerate(("stop", "length"))]  # fmt: skip
    server.set_script(Answer(items=["Yes.", Picture(PIXEL), more, *ends], finish=None))
    found = ask(server, request(settings=Settings(count=2)), "gemini-3.1-flash-image")
    assert words(found) == "Yes." and len(only(PartDone, found)) == 2
    assert found[-1].finish_reason == "STOP"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (data_url(b"<script>alert(1)</script>"), "no PNG"),
        (data_url(b"<svg onload='x'/>", "image/svg+xml"), "no PNG"),
        ("data:image/png;base64,!!!", "no base64"),
        ("data:image/png,abc", "no base64"),
        ("https://127.0.0.1/a.png", "127.0.0.1"),
        ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("https://10.1.2.3/a.png", "10.1.2.3"),
        ("https://[::1]/a.png", "::1"),
        ("https://localhost/a.png", "localhost"),
        ("http://example.org/a.png", "https"),
        ("file:///etc/passwd", "https"),
        ("javascript:alert(1)", "https"),
        ("https://[", ""),
    ],
)
def test_hostile_pictures(server: OpenAIServer, url: str, why: str) -> None:
    server.set_script(Answer(items=["before ", linked(url), "after"]))
    found = ask(server, request())
    (told,) = notices(found)
    assert told.startswith("a picture was left out: ") and why in told and "\n" not in told
    assert words(found) == "before after" and not only(PartDone, found)
    assert found[-1].finish_reason == "STOP"  # type: ignore[union-attr]


def test_a_canary_sees_nothing(server: OpenAIServer, serve: Callable[..., Server]) -> None:
    canary = serve(reply(PIXEL))
    urls = [canary.url("/a.png"), canary.url("/a.png").replace("http:", "https:")]
    server.set_script(Answer(items=[linked(*urls), f"![x]({urls[0]})"]))
    found = ask(server, request())
    assert len(notices(found)) == 2 and canary.received == []
    assert urls[0] in words(found)  # Markdown is whoever draws' business


@pytest.mark.parametrize("value", [None, 3, [], {}, {"url": 3}, "", {"url": None}])
def test_pictures_of_no_shape(server: OpenAIServer, value: Any) -> None:
    strange = {"images": [{"image_url": value}, value, "x"]}
    server.set_script(Answer(items=["a", strange, {"images": value}, "b"]))
    assert words(ask(server, request())) == "ab"


def test_a_picture_by_its_address(
    server: OpenAIServer,
    serve: Callable[..., Server],
    certificate: tuple[Path, Path],
    secure: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = serve(reply(PIXEL), reply(b"<html>"), context=secure)
    monkeypatch.setattr(web, "Network", lambda: Pretend(certificate[1]))
    urls = [pictures.url(f"/{n}.png?key=secret", NAME) for n in (1, 2)]
    server.set_script(Answer(items=["a ", linked(*urls), "b"]))
    found = ask(server, request())
    assert [one.part.data for one in only(PartDone, found)] == [PIXEL]
    (told,) = notices(found)
    assert NAME in told and "secret" not in told


def test_only_so_many_are_fetched(
    server: OpenAIServer,
    serve: Callable[..., Server],
    certificate: tuple[Path, Path],
    secure: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = serve(reply(PIXEL), context=secure)
    monkeypatch.setattr(web, "Network", lambda: Pretend(certificate[1]))
    urls = [pictures.url(f"/{n}", NAME) for n in range(openai_pictures.MAX_FETCHED + 3)]
    server.set_script(Answer(items=[linked(*urls)]))
    assert len(only(PartDone, ask(server, request()))) == openai_pictures.MAX_FETCHED
    assert len(pictures.received) == openai_pictures.MAX_FETCHED


def test_a_flood_of_pictures(server: OpenAIServer) -> None:
    server.set_script(Answer(items=[linked(*(f"data:,{n}" for n in range(500)))]))
    told = notices(ask(server, request()))
    assert len(told) == openai_pictures.MAX_PICTURES + 1 and "the rest" in told[-1]


@pytest.mark.slow
def test_a_picture_of_50_mb(server: OpenAIServer) -> None:
    server.set_script(Answer(items=["a", Picture(PIXEL + bytes(50_000_000)), "b"]))
    began = time.monotonic()
    found = ask(server, request())
    assert time.monotonic() - began < 20
    assert words(found) == "ab" and "more than 32 MB" in notices(found)[0]


def test_a_large_picture_costs_few_copies(server: OpenAIServer) -> None:
    data = PIXEL + bytes(10_000_000)
    server.set_script(Answer(items=[Picture(data)]))
    ask(server, request())
    tracemalloc.start()
    try:
        (drawn,) = only(PartDone, ask(server, request()))
        assert drawn.part.data == data
        assert tracemalloc.get_traced_memory()[1] < 18 * len(data)  # the server's are among them
    finally:
        tracemalloc.stop()


def test_an_answer_without_an_end(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ANSWER", 1_000_000)
    server.set_script(Answer(chunks=["x" * 10_000] * 200))
    with pytest.raises(WireError) as caught:
        ask(server, request())
    assert "larger than 1 MB" in caught.value.detail


# --- sound ---------------------------------------------------------------------------------------


def test_sound_and_its_words(server: OpenAIServer) -> None:
    samples = bytes(range(256)) * 4
    cut = [samples[:101], samples[101:500], samples[500:]]
    deltas: list[Any] = [{"audio": {"id": "audio_1", "transcript": "Hel"}}]
    deltas += [{"audio": {"data": base64.b64encode(one).decode()}} for one in cut]
    deltas += [{"audio": {"transcript": "lo."}}, {"audio": {"expires_at": 1}}]
    server.set_script(Answer(items=deltas))
    found = ask(server, request(), "gpt-audio")
    assert words(found) == "Hello."
    (heard,) = only(PartDone, found)
    assert heard.part.mime_type == "audio/wav" and heard.part.data
    with wave.open(io.BytesIO(heard.part.data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        assert file.readframes(10_000) == samples


def test_sound_that_breaks_off_is_kept(server: OpenAIServer) -> None:
    heard = {"audio": {"data": base64.b64encode(b"\1\0" * 10 + b"\1").decode()}}
    answer = Answer(
        items=[heard, {"audio": {"data": "%%%"}}, {"audio": {"data": "%"}}], finish=None
    )
    server.set_script(answer)
    found = ask(server, request(), "gpt-audio")
    assert len(only(PartDone, found)) == 1 and len(notices(found)) == 1
    assert found[-1].finish_reason == "CUT"  # type: ignore[union-attr]


# --- the rest ------------------------------------------------------------------------------------


def test_citations(server: OpenAIServer) -> None:
    def note(url: Any, **more: Any) -> dict[str, Any]:
        return {"type": "url_citation", "url_citation": {"url": url, "start_index": 0, **more}}

    given = [note("https://a.org", title="A"), note("https://b.org"), note(3), {"type": "x"}, 7]
    server.set_script(Answer(items=["x", {"annotations": given}, {"annotations": given[:1]}]))
    ended = ask(server, request())[-1]
    assert isinstance(ended, Ended)
    assert ended.citations == (Citation("https://a.org", "A"), Citation("https://b.org"))


def test_a_refusal_is_told_as_one(server: OpenAIServer) -> None:
    server.set_script(Answer(items=[{"refusal": "I will not."}]))
    found = ask(server, request())
    assert words(found) == "I will not."
    assert found[-1].finish_reason == "SAFETY"  # type: ignore[union-attr]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "index", "function", "name", "arguments", "url", "type", "text",
                         "image_url", "data", "transcript", "url_citation", "google"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
_delta = st.dictionaries(
    st.sampled_from(["content", "images", "audio", "annotations", "tool_calls", "refusal",
                     "reasoning", "reasoning_content", "extra_content"]),
    _json, max_size=4,
)  # fmt: skip


@given(st.lists(_delta, max_size=4), st.sampled_from(["stop", "tool_calls", 3, None, ["x"]]))
def test_deltas_of_any_shape(deltas: list[dict[str, Any]], finish: Any) -> None:
    import asyncio

    from openai.types.chat import ChatCompletionChunk

    from gemini_magic.backends.openai_answer import ChatAnswer

    answer = ChatAnswer()

    async def take() -> None:
        for delta in [*deltas, {}]:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = ChatCompletionChunk.construct(None, **{"choices": [choice]})
            events = [*answer.take(chunk), *[event async for event in answer.pictures()]]
            for event in events:
                assert isinstance(event, TextDelta | ThoughtDelta | PartDone | Notice)
                assert (
                    not isinstance(event, TextDelta | ThoughtDelta)
                    or event.text
                    or (isinstance(event, TextDelta) and event.signature)
                )

    asyncio.run(take())
    for event in answer.end():
        assert isinstance(event, ToolCalled | PartDone | Notice)
        if isinstance(event, ToolCalled):
            assert event.call.name and event.call.id and event.call.arguments
    assert all(type(one.uri) is type(one.title) is str for one in answer.citations)


# --- through the engine --------------------------------------------------------------------------


class Box:
    """Answers every call with its number."""

    max_hops = 3
    tools = (tool("f"),)

    async def call(self, calls: Any, run: Any) -> tuple[Part, ...]:
        return tuple(
            Part(result=ToolResult(one.name, str(n), one.id)) for n, one in enumerate(calls)
        )


def through_engine(
    server: OpenAIServer, configure: Any, asked: Request, name: str = "gpt-4o-mini", **more: Any
) -> Any:
    configure(f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n')
    engine = Engine(Connections(config.load(), {}))
    run = engine.stream(asked, [Target("test", name)], **more)
    error = None
    try:
        for _ in run:
            pass
    except errors.GeminiMagicError as raised:
        error = raised
    engine.close()
    return run.reply, error


def test_hops(openai_server: Serve, configure: Any) -> None:
    server = openai_server(
        [Answer(calls=[Call("f"), Call("f", {"n": 1})]), calling([piece(0, "x", "f", "{}")]),
         Answer("The end.")],
        key="",
    )  # fmt: skip
    reply, error = through_engine(server, configure, request(tools=Box.tools), toolbox=Box())
    assert error is None and reply.text == "The end." and len(server.generate_calls) == 3
    assert [m["role"] for m in sent(server)["messages"]] == [
        "user", "assistant", "tool", "tool", "assistant", "tool",
    ]  # fmt: skip


def test_a_reply_with_pictures(openai_server: Serve, configure: Any) -> None:
    server = openai_server(Answer(items=["Look: ", Picture(PIXEL)]), key="")
    reply, error = through_engine(server, configure, request())
    assert error is None and reply.media == (Part(data=PIXEL, mime_type="image/png"),)
    assert [part.text for part in reply.parts] == ["Look: ", None]


def test_a_run_is_stopped_while_a_picture_is_fetched(
    openai_server: Serve,
    configure: Any,
    serve: Callable[..., Server],
    certificate: tuple[Path, Path],
    secure: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = serve(lambda client, _: time.sleep(1), context=secure)
    monkeypatch.setattr(web, "Network", lambda: Pretend(certificate[1]))
    server = openai_server(Answer(items=["Look: ", linked(pictures.url("/", NAME))]), key="")
    configure(f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n')
    engine = Engine(Connections(config.load(), {}))
    run = engine.stream(request(), [Target("test", "gpt-4o-mini")])
    while not pictures.received:
        time.sleep(0.01)
    began = time.monotonic()
    run.cancel()
    assert run.wait(5) and time.monotonic() - began < 0.3
    assert run.reply.text == "Look: " and run.reply.finish_reason == "CANCELLED"
    engine.close()


def test_endless_arguments_end_the_run(openai_server: Serve, configure: Any) -> None:
    endless = [[piece(0, "a", "f", "x" * 400_000)]] * 4
    server = openai_server(calling(*endless), key="")
    reply, error = through_engine(server, configure, request(tools=Box.tools), toolbox=Box())
    assert isinstance(error, errors.BackendError) and not reply.tool_calls


def test_a_call_that_is_cut_is_not_run(openai_server: Serve, configure: Any) -> None:
    cut = Fault("truncate", 2, calling([piece(0, "a", "f", "{}")], [piece(0, arguments=" ")]))
    server = openai_server(cut, key="")
    reply, error = through_engine(server, configure, request(tools=Box.tools), toolbox=Box())
    assert error is not None and reply.tool_calls == () and len(server.generate_calls) == 1
