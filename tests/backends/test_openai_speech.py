"""Models that speak are asked by an interface of their own, and what comes is a sound to play."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from gemini_magic import catalog
from gemini_magic.errors import BackendError, WireError
from gemini_magic.events import Ended, PartDone
from gemini_magic.pictures import look
from gemini_magic.types import SEARCH, Part, Request, Settings
from tests.backends.openai_lab import (
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
from tests.backends.test_openai_answer import through_engine
from tests.wire import Answer, Failure, Fault, OpenAIServer, Picture, payloads
from tests.wire.openai_speech import check_speech
from tests.wire.payloads import PIXEL

Serve = Callable[..., OpenAIServer]
SPEAKS = "gpt-4o-mini-tts"
#: A second of silence, in pieces of which one cuts a sample.
PCM = [Picture(bytes(size), "audio/pcm") for size in (16_001, 15_999, 16_000)]


@pytest.fixture
def server(openai_server: Serve) -> OpenAIServer:
    return openai_server(Answer(pictures=PCM))


def test_a_text_is_read_aloud(server: OpenAIServer) -> None:
    asked = request("Hello", system="Cheerful.", settings=Settings(voice="coral", seed=1))
    found = ask(server, asked, SPEAKS)
    assert sent(server) == {
        "model": SPEAKS, "input": "Hello", "voice": "coral", "response_format": "pcm",
        "instructions": "Cheerful.",
    }  # fmt: skip
    (done,) = only(PartDone, found)
    assert done.part.mime_type == "audio/wav"
    with wave.open(io.BytesIO(done.part.data or b"")) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (24_000, 1)
        assert sound.getnframes() == 24_000
    assert notices(found) == [f"seed left out: {SPEAKS} has no such setting"]
    assert found[-1] == Ended("STOP", model_version=SPEAKS)
    assert server.generate_calls[0].path.endswith("/audio/speech")


def test_the_older_models_are_not_told_how(server: OpenAIServer) -> None:
    talk = (user("a"), model("b"), user("Hello"))
    found = ask(server, Request(talk, system="Cheerful."), "tts-1")
    assert sent(server)["voice"] == "alloy" and "instructions" not in sent(server)
    assert len(notices(found)) == 2 and "earlier turns" in notices(found)[0]


@pytest.mark.parametrize(
    ("data", "kind", "mime"),
    [
        (b"ID3" + bytes(100), "audio/mpeg", "audio/mpeg"),
        (b"\xff\xfb\x90\x00" + bytes(100), "audio/mpeg; x=y", "audio/mpeg"),
        (b"RIFF" + bytes(100), "audio/pcm", "audio/wav"),
        (b"OggS" + bytes(100), "audio/ogg", "audio/ogg"),
    ],
)
def test_a_service_that_sends_a_file(
    server: OpenAIServer, data: bytes, kind: str, mime: str
) -> None:
    server.set_script(Answer(pictures=[Picture(data, kind)]))
    (done,) = only(PartDone, ask(server, request("x"), SPEAKS))
    assert (done.part.data, done.part.mime_type) == (data, mime)


def test_what_is_no_sound(openai_server: Serve, configure: Any) -> None:
    script = Answer(pictures=[Picture(b'{"error": 1}', "application/json")])
    found = ask(openai_server(script), request("x"), SPEAKS)
    assert not only(PartDone, found) and "no sound" in notices(found)[0]
    server = openai_server(script, key="")
    reply, error = through_engine(server, configure, request("x"), SPEAKS)
    assert isinstance(error, BackendError) and reply.media == ()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (request("x", schema='{"type": "object"}'), "--schema"),
        (request("x", tools=(tool(),)), "--tools"),
        (request("x", services=(SEARCH,)), "--search"),
        (request("x", Part(data=PIXEL, mime_type="image/png")), "image/png"),
        (request("x" * 4_097), "4,096 characters"),
    ],
)
def test_what_cannot_be_read_aloud(server: OpenAIServer, what: Request, words: str) -> None:
    assert words in refusal(server, what, SPEAKS).what


def test_failures(server: OpenAIServer) -> None:
    server.set_script(payloads.OPENAI_RATE_LIMIT)
    with pytest.raises(WireError) as caught:
        ask(server, request("x"), SPEAKS)
    assert caught.value.status == 429
    for kind in ("cut", "drop"):
        server.set_script(Fault(kind, 1, Answer(pictures=PCM)))  # type: ignore[arg-type]
        with pytest.raises(WireError) as caught:
            ask(server, request("x"), SPEAKS)
        assert caught.value.phase == "stream"


def test_endless_speech_is_not_taken(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from gemini_magic.backends import openai_speech

    monkeypatch.setattr(openai_speech, "_MOST", 20_000)
    with pytest.raises(WireError) as caught:
        ask(server, request("x"), SPEAKS)
    assert "more than 0 MB" in caught.value.detail


def test_a_reply_that_can_be_played(openai_server: Serve, configure: Any) -> None:
    server = openai_server(Answer(pictures=PCM), key="")
    reply, error = through_engine(server, configure, request("Hello"), SPEAKS)
    assert error is None
    (part,) = reply.media
    assert look(part.data or b"", part.mime_type or "").kind == "sound"


def test_elsewhere_speech_is_a_chat(openai_server: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = openai_server("x", openrouter=True)
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}:{server.port}")
    with pytest.raises(WireError):  # no such model there
        ask(server, request("x"), "openai/gpt-4o-mini-tts", url=OPENROUTER)
    assert server.generate_calls[0].path.endswith("/chat/completions")
    assert catalog.makes("tts-1-hd") == ("audio",) and catalog.has_speech_api("openai/tts-1")
    assert not catalog.has_speech_api("gemini-3.8-flash-tts")


@pytest.mark.parametrize(
    "changed",
    [{"pitch": 1}, {"voice": "nobody"}, {"input": ""}, {"response_format": "midi"},
     {"model": "tts-1", "instructions": "x"}],
)  # fmt: skip
def test_the_server_is_strict(server: OpenAIServer, changed: dict[str, Any]) -> None:
    good = {"model": SPEAKS, "input": "x", "voice": "alloy"}
    assert check_speech(good) is None
    assert isinstance(check_speech({**good, **changed}), Failure)
    answer = httpx2.post(
        f"{server.url}/audio/speech", json={**good, **changed}, trust_env=False,
        headers={"Authorization": f"Bearer {server.key}"},
    )  # fmt: skip
    assert answer.status_code == 400
