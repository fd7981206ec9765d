"""The loopback server refuses what the service refuses; else its tests would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.wire import OpenAIServer
from tests.wire.openai_images import check_images
from tests.wire.openai_rules import check_request
from tests.wire.payloads import PIXEL

USER = {"role": "user", "content": "x"}


def assistant(*ids: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    calls = [
        {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}, **more}
        for id in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "1"}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": list(messages or [USER]), **more}


def words(failure: Any) -> str:
    return "" if failure is None else failure.body["error"]["message"]


SPEAKS = {"modalities": ["text", "audio"]}
STRICT = {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {"a": {}}}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (chat(USER, assistant("a"), result("a")), ""),
        (chat(USER, result("a")), "must be a response"),
        (chat(USER, assistant("a"), USER), "did not have response messages: a"),
        (chat(USER, assistant("a", "b"), result("a")), "did not have response messages: b"),
        (chat(USER, assistant("a", "a"), result("a"), result("a")), "Duplicate"),
        (chat(USER, assistant("a", arguments="no"), result("a")), "Invalid JSON"),
        (chat(USER, assistant("a", extra_content={}), result("a")), "extra_content"),
        (chat(modalities=["smell"]), "modalities"),
        (chat(**SPEAKS), "audio"),
        (chat(**SPEAKS, audio={"voice": "x", "format": "pcm16"}, stream=True), ""),
        (chat(**SPEAKS, audio={"voice": "x", "format": "wav"}, stream=True), "pcm16"),
        (chat(**SPEAKS, audio={"voice": "x", "format": "wav", "speed": 1}), "audio.speed"),
        (chat(audio={"voice": "x", "format": "wav"}), "modality"),
        (chat(web_search_options={}), ""),
        (chat(web_search_options={"depth": 1}), "web_search_options.depth"),
        (chat(plugins=[{"id": "web"}]), "plugins"),
        (chat(image_config={}), "image_config"),
        (chat(top_k=3), "top_k"),
        (chat(tools=[{"type": "function", "function": STRICT}]), "additionalProperties"),
        (chat(tools=[{"type": "function", "function": {"name": "f", "x": 1}}]), "function.x"),
    ],
)
def test_chat(body: dict[str, Any], told: str) -> None:
    found = words(check_request(body, compat=False))
    assert told in found if told else found == ""


def test_openrouter_takes_more() -> None:
    more = {"plugins": [{"id": "web"}], "top_k": 3, "modalities": ["image", "text"]}
    body = chat(**more, image_config={"aspect_ratio": "1:1"})
    assert check_request(body, compat=False, openrouter=True) is None
    wrong = chat(image_config={"aspect": "1:1"}, modalities=["image"])
    assert "image_config.aspect" in words(check_request(wrong, compat=False, openrouter=True))


def draw(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-image-1-mini", "prompt": "x", **more}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (draw(size="1024x1024", n=2, quality="low"), ""),
        (draw(stream=True, partial_images=2), ""),
        (draw(prompt=""), "prompt"),
        (draw(aspect="16:9"), "aspect"),
        (draw(size="2048x2048"), "size"),
        (draw(model="gpt-image-2.5-flare", size="2048x2048"), ""),
        (draw(model="gpt-image-2.5-flare", size="2050x2050"), "size"),
        (draw(model="gpt-image-2.5-flare", size="3840x16"), "size"),
        (draw(quality="hd"), "hd"),
        (draw(n=11), "'n'"),
        (draw(response_format="url"), "response_format"),
        (draw(partial_images=2), "partial_images"),
        (draw(stream=True, partial_images=4), "partial_images"),
        (draw(stream=True, n=2), "one picture"),
        (draw(model="dall-e-3", stream=True), "stream"),
        (draw(seed=1), "seed"),
        (draw(image=[("image/png", PIXEL)]), "image"),
    ],
)
def test_images(body: dict[str, Any], told: str) -> None:
    found = words(check_images(body, edit=False))
    assert told in found if told else found == ""


@pytest.mark.parametrize(
    ("name", "told"), [("a.png", ""), ("a.gif", "image/gif"), ("a.pdf", "application/pdf")]
)
def test_edits(openai_server: Callable[..., OpenAIServer], name: str, told: str) -> None:
    server = openai_server()
    client = openai.OpenAI(api_key=server.key, base_url=server.url, max_retries=0)

    def edit() -> Any:
        return client.images.edit(model="gpt-image-1-mini", prompt="x", image=(name, PIXEL))

    if not told:
        assert edit().data[0].b64_json
        return
    with pytest.raises(openai.BadRequestError, match=told):
        edit()
