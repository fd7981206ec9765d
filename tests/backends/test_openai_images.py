"""Models that only draw are asked by an interface of their own, once, and with what it knows."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.backends.openai_images import picture_size
from gemini_magic.errors import BackendError, UsageError, WireError
from gemini_magic.events import Ended, PartDone, Preview
from gemini_magic.types import SEARCH, File, Part, Request, Settings, ToolResult, Usage
from tests.backends.openai_lab import (
    GOOGLE,
    OPENAI,
    OPENROUTER,
    ask,
    model,
    notices,
    only,
    refusal,
    request,
    sent,
    tool,
    user,
)
from tests.backends.test_openai_answer import OTHER, through_engine
from tests.wire import Answer, Failure, Fault, OpenAIServer, Picture, payloads
from tests.wire import Usage as Told
from tests.wire.openai_images import _size, form_of
from tests.wire.payloads import PIXEL

Serve = Callable[..., OpenAIServer]
DRAWS = "gpt-image-2.5-flare"
PICTURE = Part(data=PIXEL, mime_type="image/png", name="photo.png")


@pytest.fixture
def server(openai_server: Serve) -> OpenAIServer:
    return openai_server()


@pytest.fixture
def hosted(openai_server: Serve, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A server that real host names lead to: the environment's proxy is that server."""

    def make(script: Any = None, **options: Any) -> OpenAIServer:
        server = openai_server(script, **options)
        monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}:{server.port}")
        return server

    return make


def drawn(events: Any) -> list[bytes | None]:
    return [event.part.data for event in only(PartDone, events)]


def test_a_picture(server: OpenAIServer) -> None:
    server.set_script(Answer(pictures=[Picture(PIXEL)], usage=Told(prompt=7, output=99)))
    found = ask(server, request("A cat"), DRAWS)
    assert drawn(found) == [PIXEL] and not notices(found)
    assert found[-1] == Ended("STOP", Usage(7, 99), DRAWS)
    assert sent(server) == {"model": DRAWS, "prompt": "A cat"}
    assert server.generate_calls[0].path.endswith("/images/generations")


def test_settings(server: OpenAIServer) -> None:
    given = Settings(aspect="16:9", quality="low", count=3, seed=1, temperature=1.0)
    found = ask(server, request("A cat", settings=given, system="In oil."), DRAWS)
    assert drawn(found) == [PIXEL] * 3
    assert notices(found) == [f"temperature, seed left out: {DRAWS} has no such setting"]
    assert sent(server) == {
        "model": DRAWS, "prompt": "In oil.\n\nA cat", "n": 3, "quality": "low", "size": "1360x768",
    }  # fmt: skip


def test_the_older_models(server: OpenAIServer) -> None:
    given = Settings(size="2K", aspect="16:9", quality="high")
    found = ask(server, request("x", settings=given), "dall-e-3")
    assert sent(server) == {
        "model": "dall-e-3", "prompt": "x", "size": "1792x1024", "quality": "hd",
        "response_format": "b64_json",
    }  # fmt: skip
    assert notices(found) == ["size 1792x1024 instead of 2K 16:9: dall-e-3 has no other"]


def test_editing(server: OpenAIServer) -> None:
    jpeg = Part(data=b"\xff\xd8\xff\xe0", mime_type="image/jpeg")
    found = ask(server, request("Make it night: ", PICTURE, jpeg), DRAWS)
    assert drawn(found) == [PIXEL]
    (asked,) = server.generate_calls
    form = form_of(asked)
    assert asked.path.endswith("/images/edits") and form
    assert form["image"] == [("image/png", PIXEL), ("image/jpeg", b"\xff\xd8\xff\xe0")]
    assert form["prompt"] == "Make it night:" and form["model"] == DRAWS


def test_a_conversation_edits_its_newest_picture(server: OpenAIServer) -> None:
    talk = (user("A cat"), model(PICTURE, Part(data=OTHER, mime_type="image/png")), user("Night"))
    found = ask(server, Request(talk), DRAWS)
    assert notices(found) == [
        "earlier turns left out: this model sees the last message and picture only"
    ]
    form = form_of(server.generate_calls[0])
    assert form and form["image"] == [("image/png", OTHER)] and form["prompt"] == "Night"


def test_previews_at_openai(hosted: Serve) -> None:
    steps = [Picture(PIXEL), Picture(b"nonsense"), Picture(OTHER)]
    server = hosted(Answer(pictures=steps, usage=Told(prompt=5, output=6)))
    found = ask(server, request("A cat"), DRAWS, url=OPENAI)
    assert [e.part.data for e in only(Preview, found)] == [PIXEL] and drawn(found) == [OTHER]
    assert found[-1] == Ended("STOP", Usage(5, 6), DRAWS)
    assert sent(server)["stream"] is True and sent(server)["partial_images"] == 2
    ask(server, request("Night: ", PICTURE), DRAWS, url=OPENAI)
    form = form_of(server.generate_calls[-1])
    assert form and form["stream"] is True and len(server.generate_calls) == 2
    ask(server, request("x", settings=Settings(count=2)), DRAWS, url=OPENAI)
    assert "stream" not in sent(server)


def test_previews_that_break_off(hosted: Serve) -> None:
    steps = Answer(pictures=[Picture(PIXEL), Picture(OTHER)])
    server = hosted(Fault("truncate", 1, steps))
    found = ask(server, request("A cat"), DRAWS, url=OPENAI)
    assert len(only(Preview, found)) == 1 and not drawn(found)
    assert found[-1].finish_reason == "CUT"  # type: ignore[union-attr]


def test_elsewhere_the_plain_call_comes_first(server: OpenAIServer) -> None:
    server.set_script(payloads.openai_error(400, "Unknown parameter: 'prompt'."))
    with pytest.raises(WireError) as caught:
        ask(server, request("A cat"), DRAWS)
    assert caught.value.status == 400 and len(server.requests) == 1
    assert "stream" not in sent(server)


def test_answers_of_every_shape(server: OpenAIServer) -> None:
    encoded = base64.b64encode(PIXEL).decode()
    rows = [
        {"b64_json": encoded, "revised_prompt": "A fat\ncat"},
        {"url": f"data:image/png;base64,{base64.b64encode(OTHER).decode()}"},
        {"url": "https://127.0.0.1/a.png"},
        {"b64_json": base64.b64encode(b"GIF").decode()},
        {"b64_json": 7},
        {"url": None},
        {},
    ]
    server.set_script(Answer(items=rows))
    found = ask(server, request("A cat"), "flux-pro")
    assert drawn(found) == [PIXEL, OTHER]
    revised, private, none, number = notices(found)
    assert revised == "the service drew this: A fat cat"
    assert "127.0.0.1" in private and "no PNG" in none and "no text" in number


@pytest.mark.parametrize("body", [{"created": 1}, {"data": None}, {"data": "x"}, {"data": [3]}])
def test_answers_of_no_shape(server: OpenAIServer, body: dict[str, Any]) -> None:
    server.set_script(Failure(200, body, {"Content-Type": "application/json"}))
    found = ask(server, request("A cat"), DRAWS)
    assert isinstance(found[-1], Ended) and not drawn(found)


def test_nothing_drawn_is_an_error(openai_server: Serve, configure: Any) -> None:
    server = openai_server(Answer(items=[{"url": "https://10.0.0.1/x"}]), key="")
    reply, error = through_engine(server, configure, request("A cat"), DRAWS)
    assert isinstance(error, BackendError) and "10.0.0.1" in reply.notices[0]


def test_a_reply_is_a_picture(openai_server: Serve, configure: Any) -> None:
    server = openai_server(key="")
    reply, error = through_engine(server, configure, request("A cat"), DRAWS)
    assert error is None and reply.media == (Part(data=PIXEL, mime_type="image/png"),)
    assert reply.usage.output_tokens == 0 and reply.model_version == DRAWS


def test_where_there_is_no_such_interface(hosted: Serve) -> None:
    server = hosted(Answer(pictures=[Picture(PIXEL)]), openrouter=True, models=["openai/" + DRAWS])
    found = ask(server, request("A cat"), "openai/" + DRAWS, url=OPENROUTER)
    assert drawn(found) == [PIXEL] and sent(server)["modalities"] == ["image"]


def test_geminis_endpoint_has_it(hosted: Serve) -> None:
    server = hosted(gemini_compat=True, models=["imagen-4"])
    assert drawn(ask(server, request("A cat"), "imagen-4", url=GOOGLE)) == [PIXEL]


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (request("x", schema='{"type": "object"}'), "--schema"),
        (request("x", tools=(tool(),)), "--tools"),
        (request("x", services=(SEARCH,)), "--search"),
        (request("x", settings=Settings(modalities=("audio",))), "no sound"),
        (request("x", Part(data=b"%PDF", mime_type="application/pdf")), "no application/pdf"),
        (request("x", Part(uri="https://x.org/a.png", mime_type="image/png")), "not by address"),
        (request(PICTURE), "needs words"),
        (request("x", Part(file=File("/no", 60_000_000, ""), mime_type="image/png")), "60.0 MB"),
    ],
)
def test_refusals(server: OpenAIServer, asked: Request, what: str) -> None:
    error = refusal(server, asked, DRAWS)
    assert what in error.what and error.next_step is not None


def test_a_history_with_calls_is_no_obstacle(server: OpenAIServer) -> None:
    given = Part(result=ToolResult("f", "1"))
    assert drawn(ask(server, Request((user(given), model("a"), user("A cat"))), DRAWS)) == [PIXEL]


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "aspect", "expected", "told"),
    [
        (DRAWS, None, None, "", ""),
        (DRAWS, "1K", None, "1024x1024", ""),
        (DRAWS, "2K", "1:1", "2048x2048", ""),
        (DRAWS, "4K", "16:9", "3840x2160", ""),
        (DRAWS, "4K", None, "2880x2880", ""),
        (DRAWS, "1536x864", "1:1", "1536x864", ""),
        ("gpt-image-1-mini", None, "3:2", "1536x1024", ""),
        ("gpt-image-1-mini", None, "9:16", "1024x1536", "instead of 9:16"),
        ("gpt-image-1-mini", "4K", None, "1024x1024", "instead of 4K"),
        ("gpt-image-1-mini", "800x600", None, "1536x1024", "instead of 800x600"),
        ("openai/dall-e-2", "512x512", None, "512x512", ""),
    ],
)
def test_sizes(name: str, size: str | None, aspect: str | None, expected: str, told: str) -> None:
    found, notice = picture_size(name, size, aspect)
    assert found == expected and (told in notice if told else not notice)


@pytest.mark.parametrize(
    ("name", "size", "aspect", "words", "step"),
    [
        (DRAWS, "big", None, "--size big", "Sizes: 1K, 2K, 4K, or pixels"),
        (DRAWS, None, "wide", "--aspect wide", "16:9"),
        (DRAWS, "0x0", None, "--size 0x0", "Sizes: "),
        ("dall-e-3", "big", "16:9", "--size big", "Sizes: 1024x1024, 1792x1024, 1024x1792"),
    ],
)
def test_what_is_no_size(
    name: str, size: str | None, aspect: str | None, words: str, step: str
) -> None:
    with pytest.raises(UsageError, match="nothing was sent") as caught:
        picture_size(name, size, aspect)
    assert words in caught.value.what and step in caught.value.next_step


@given(st.sampled_from(["1K", "2K", "4K", None]), st.integers(1, 21), st.integers(1, 21),
       st.sampled_from([DRAWS, "gpt-image-1-mini", "dall-e-3", "flux-pro"]))  # fmt: skip
def test_every_size_is_one_that_the_service_takes(
    size: str | None, width: int, height: int, name: str
) -> None:
    found, _ = picture_size(name, size, f"{width}:{height}")
    assert re.fullmatch(r"\d+x\d+", found)
    if 1 / 2.9 < width / height < 2.9:
        assert _size(name, found)
