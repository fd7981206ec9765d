"""The loopback servers, proven with the real SDK clients over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from google import genai
from google.genai import errors, types
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.wire import (
    Answer,
    Call,
    Failure,
    Fault,
    GoogleServer,
    OpenAIServer,
    Picture,
    Quota,
    Usage,
    payloads,
)

ROOT = Path(__file__).parents[1]
FLASH = "gemini-2.5-flash"
MINI = "gpt-4o-mini"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Google = Callable[..., GoogleServer]
Open = Callable[..., OpenAIServer]
PLAIN = httpx2.Client(trust_env=False)
_alive: list[genai.Client] = []  # a genai.Client that is collected closes its connections


@pytest.fixture(autouse=True)
def forget_clients() -> Iterator[None]:
    yield
    _alive.clear()


def gen(server: GoogleServer, key: str | None = None, **more: Any) -> genai.Client:
    options = types.HttpOptions(
        base_url=server.url, retry_options=types.HttpRetryOptions(attempts=1), **more
    )
    client = genai.Client(api_key=key or server.key, http_options=options)
    _alive.append(client)
    return client


def oai(server: OpenAIServer, key: str | None = None) -> OpenAI:
    return OpenAI(api_key=key or server.key or "none", base_url=server.url, max_retries=0)


def chat(client: OpenAI, text: str = "hello", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": MINI, "messages": messages, **more})


def raw(server: GoogleServer, body: Any, path: str = "", **headers: str) -> httpx2.Response:
    url = f"{server.url}{path or f'/v1/models/{FLASH}:generateContent'}"
    return PLAIN.post(url, json=body, headers={"x-goog-api-key": server.key, **headers})


def ask(text: str = "hi", **config: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return {**body, "generationConfig": config} if config else body


# Gemini: answers


def test_google_echoes(google_server: Google) -> None:
    server = google_server()
    reply = gen(server).models.generate_content(model=FLASH, contents="hello to you")
    assert reply.text == "hello to you"
    usage = reply.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (3, 3)
    assert reply.model_version == FLASH
    [call] = server.generate_calls
    assert (call.op, call.model, call.stream) == ("generate", FLASH, False)
    assert call.headers["x-goog-api-key"] == server.key
    assert call.path == f"/v1/models/{FLASH}:generateContent"


def test_google_streams_in_order_and_in_time(google_server: Google) -> None:
    server = google_server(
        Answer(chunks=list("abcdef"), delay=0.03, first_delay=0.05, thoughts=["hm"])
    )
    client = gen(server)
    client.models.list()
    start, seen = time.monotonic(), []
    chunks = []
    for chunk in client.models.generate_content_stream(model=FLASH, contents="x"):
        seen.append(time.monotonic() - start)
        chunks.append(chunk)
    assert "".join(c.text or "" for c in chunks) == "abcdef"
    first = chunks[0].candidates[0].content.parts[0]
    assert first.thought and first.text == "hm"
    assert [c.candidates[0].finish_reason for c in chunks][-2:] == [None, "STOP"]
    assert 0.05 <= seen[0] < 0.6
    assert 0.03 * 6 <= seen[-1] - seen[0] + 0.02 < 0.6
    totals = [c.usage_metadata.total_token_count for c in chunks]
    assert totals == sorted(totals)
    assert chunks[-1].usage_metadata.thoughts_token_count == 1


def test_google_chunks_arrive_at_once(google_server: Google) -> None:
    server = google_server(Answer(chunks=["x"] * 30, delay=0.005, stamp=True))
    late = []
    for chunk in gen(server).models.generate_content_stream(model=FLASH, contents="x"):
        late.append((time.monotonic_ns() - int((chunk.text or "0").split()[0])) / 1e6)
    assert sorted(late)[15] < 20, late  # ms; well under 1 on a quiet machine


def test_google_async_concurrency(google_server: Google) -> None:
    async def run() -> None:
        server = google_server(Answer(chunks=["a", "b", "c"], delay=0.1))
        client = gen(server)

        async def one() -> str:
            stream = await client.aio.models.generate_content_stream(model=FLASH, contents="x")
            return "".join([chunk.text or "" async for chunk in stream])

        start = time.monotonic()
        assert await asyncio.gather(*(one() for _ in range(20))) == ["abc"] * 20
        assert time.monotonic() - start < 2.5  # one after the other: 4 s
        assert len(server.generate_calls) == 20

    asyncio.run(run())


def test_google_keeps_connections(google_server: Google) -> None:
    server = google_server()
    client = gen(server)
    for _ in range(5):
        client.models.generate_content(model=FLASH, contents="x")
    assert server.connections == 1


def test_google_safety_and_other_ends(google_server: Google) -> None:
    server = google_server(
        [
            Answer.blocked("PROHIBITED_CONTENT"),
            Answer.stopped("SAFETY"),
            Answer.stopped("MAX_TOKENS", "half"),
            Answer.empty(),
        ]
    )
    client = gen(server)
    replies = [client.models.generate_content(model=FLASH, contents="x") for _ in range(5)]
    assert replies[0].candidates is None
    assert replies[0].prompt_feedback.block_reason == "PROHIBITED_CONTENT"
    ends = [r.candidates[0].finish_reason for r in replies[1:]]
    assert ends == ["SAFETY", "MAX_TOKENS", "STOP", "STOP"]
    assert [r.text for r in replies[1:]] == [None, "half", None, None]


def test_google_script_callable_usage_headers(google_server: Google) -> None:
    def respond(request: Any) -> Answer:
        return Answer(
            request["contents"][0]["parts"][0]["text"].upper(),
            usage=Usage(prompt=7, output=5, thoughts=3, cached=2),
            model_version="gemini-2.5-flash-001",
            headers={"x-gemini-service-tier": "flex"},
        )

    server = google_server(respond, date_offset=-120)
    reply = gen(server).models.generate_content(model=FLASH, contents="loud")
    assert reply.text == "LOUD"
    assert reply.model_version == "gemini-2.5-flash-001"
    usage = reply.usage_metadata
    assert usage.total_token_count == 15
    assert (usage.cached_content_token_count, usage.thoughts_token_count) == (2, 3)
    headers = reply.sdk_http_response.headers
    assert headers["x-gemini-service-tier"] == "flex"
    said = parsedate_to_datetime(headers["date"]).timestamp()
    assert said == pytest.approx(time.time() - 120, abs=5)


# Gemini: tools, schemas, pictures


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


def test_google_json_schema(google_server: Google) -> None:
    server = google_server(Answer('{"name": "soup", "minutes": 5, "steps": ["boil"]}'))
    client = gen(server)
    for config in (
        {"response_mime_type": "application/json", "response_schema": Recipe},
        {
            "response_mime_type": "application/json",
            "response_json_schema": Recipe.model_json_schema(),
        },
    ):
        reply = client.models.generate_content(model=FLASH, contents="x", config=config)
        assert json.loads(reply.text)["minutes"] == 5
    with pytest.raises(errors.ClientError, match="response_mime_type"):
        client.models.generate_content(
            model=FLASH, contents="x", config={"response_schema": Recipe}
        )


def test_google_everything_valid_is_accepted(google_server: Google) -> None:
    server = google_server(Answer("ok"))
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_output_tokens=100,
        stop_sequences=["END"],
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024),
        safety_settings=[
            types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")
        ],
        tools=[types.Tool(google_search=types.GoogleSearch())],
        media_resolution="MEDIA_RESOLUTION_LOW",
        service_tier="flex",
    )
    contents = [
        types.Content(role="user", parts=[types.Part.from_bytes(data=PNG, mime_type="image/png")]),
        types.Content(role="model", parts=[types.Part(text="a dot")]),
        types.Content(role="user", parts=[types.Part(text="sure?")]),
    ]
    assert gen(server).models.generate_content(model=FLASH, contents=contents, config=config).text
    body = server.generate_calls[0].json
    assert "inlineData" in body["contents"][0]["parts"][0]


def test_google_tool_loop_with_signatures(google_server: Google) -> None:
    server = google_server(
        [Answer(calls=[Call("lookup", {"word": "sun"})]), Answer("shines")], signatures=True
    )
    client = gen(server)

    def lookup(word: str) -> str:
        """Look a word up."""
        return word + "!"

    reply = client.models.generate_content(
        model="gemini-3.8-flash", contents="x", config={"tools": [lookup]}
    )
    assert reply.text == "shines"
    assert len(server.generate_calls) == 2
    body = json.loads(server.generate_calls[1].body)
    for part in body["contents"][1]["parts"]:
        part.pop("thoughtSignature")
    assert "thought_signature" in raw(server, body).text


def test_google_pictures_out(google_server: Google) -> None:
    server = google_server(Answer("here", pictures=[Picture(PNG)]))
    reply = gen(server).models.generate_content(
        model="gemini-3.1-flash-image",
        contents="draw",
        config={"response_modalities": ["TEXT", "IMAGE"]},
    )
    assert reply.candidates[0].content.parts[1].inline_data.data == PNG


# Gemini: models, tokens, files


def test_google_models_paging(google_server: Google) -> None:
    server = google_server(models=[f"gemini-{i}" for i in range(7)], aliases={})
    client = gen(server)
    assert [m.name for m in client.models.list(config={"page_size": 3})] == [
        f"models/gemini-{i}" for i in range(7)
    ]
    assert len(server.requests) == 3
    one = client.models.get(model="gemini-3")
    assert one.input_token_limit == 1_048_576 and "generateContent" in one.supported_actions
    with pytest.raises(errors.ClientError) as caught:
        client.models.get(model="gemini-9")
    assert caught.value.code == 404
    assert server.generate_calls == []


def test_google_aliases_only_on_v1beta(google_server: Google) -> None:
    server = google_server()
    with pytest.raises(errors.ClientError) as caught:
        gen(server).models.generate_content(model="gemini-flash-latest", contents="x")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    beta = gen(server, api_version="v1beta")
    reply = beta.models.generate_content(model="gemini-flash-latest", contents="x")
    assert reply.model_version == "gemini-3.8-flash"


def test_google_count_tokens_is_no_generate_call(google_server: Google) -> None:
    server = google_server(quota=Quota(rpm=0))
    assert gen(server).models.count_tokens(model=FLASH, contents="12345678").total_tokens == 2
    assert server.generate_calls == [] and len(server.wait_for(1, op="count")) == 1
    server.set_script(payloads.OVERLOADED, op="count")
    with pytest.raises(errors.ServerError):
        gen(server).models.count_tokens(model=FLASH, contents="x")


def test_google_upload(google_server: Google, tmp_path: Path) -> None:
    server = google_server()
    client = gen(server)
    (tmp_path / "a.txt").write_text("hello")
    file = client.files.upload(file=tmp_path / "a.txt")
    assert (file.size_bytes, file.mime_type, file.state) == (5, "text/plain", "ACTIVE")
    assert client.files.get(name=file.name).name == file.name
    assert client.models.generate_content(model=FLASH, contents=["read", file]).text == "read"
    client.files.delete(name=file.name)
    assert len(server.generate_calls) == 1


# Gemini: keys and strictness


def test_google_keys(google_server: Google) -> None:
    server = google_server()
    with pytest.raises(errors.ClientError) as caught:
        gen(server, "wrong").models.generate_content(model=FLASH, contents="x")
    assert caught.value.code == 400
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    url = f"{server.url}/v1/models/{FLASH}:generateContent"
    assert PLAIN.post(url, json=ask()).status_code == 403
    assert PLAIN.post(f"{url}?key={server.key}", json=ask()).status_code == 200
    assert PLAIN.post(url, json=ask(), headers={"Authorization": "Bearer x"}).status_code == 401
    assert PLAIN.get(f"{server.url}/nowhere?key={server.key}").status_code == 404


def test_google_accepts_both_spellings(google_server: Google) -> None:
    server = google_server()
    for config in ({"topP": 0.5, "maxOutputTokens": 5}, {"top_p": 0.5, "max_output_tokens": 5}):
        assert raw(server, ask(**config)).status_code == 200
    assert raw(server, {**ask(), "generation_config": {"topK": 3}}).status_code == 200
    assert raw(server, ask(topP=0.5, top_p=0.5)).status_code == 400


def turn(role: str, *parts: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


REFUSED: list[tuple[Any, str]] = [
    ({**ask(), "foo": 1}, 'Unknown name "foo": Cannot find field.'),
    (ask(topp=1), "Unknown name \"topp\" at 'generation_config': Cannot find field."),
    (ask(TopP=1), 'Unknown name "TopP"'),
    (
        {"contents": [turn("user", {"text": "x", "bar": 1})]},
        "Unknown name \"bar\" at 'contents[0].parts[0]'",
    ),
    (
        ask(
            responseMimeType="application/json",
            responseSchema={"type": "OBJECT", "properties": {"a": {"type": "STRING", "const": 1}}},
        ),
        "Unknown name \"const\" at 'generation_config.response_schema.properties[0].value'",
    ),
    ({"contents": []}, "contents is not specified"),
    ({"contents": [turn("user")]}, "contents.parts must not be empty"),
    ({"contents": [turn("user", {})]}, "required oneof field 'data'"),
    ({"contents": [turn("user", {"text": ""})]}, "must not be empty"),
    (
        {"contents": [turn("user", {"text": "x", "fileData": {"fileUri": "u"}})]},
        "oneof field 'data' is already set",
    ),
    ({"contents": [turn("system", {"text": "x"})]}, "valid role: user, model"),
    ({"contents": [turn("user", {"text": "x"}), turn("model", {"text": "y"})]}, "end with a user"),
    (
        {"contents": [turn("user", {"functionResponse": {"name": "f", "response": {}}})]},
        "immediately after a function call",
    ),
    (
        {
            "contents": [
                turn("user", {"text": "x"}),
                turn("model", {"functionCall": {"name": "f"}}),
                turn("user", {"text": "y"}),
            ]
        },
        "number of function response parts",
    ),
    (
        {"contents": [turn("user", {"inlineData": {"mimeType": "image/png", "data": "a b"}})]},
        "Base64 decoding failed",
    ),
    (
        {"contents": [turn("user", {"inlineData": {"mimeType": "image/png", "data": "AAAA"}})]},
        "Unable to process input image",
    ),
    (
        {"contents": [turn("user", {"inlineData": {"mimeType": "png", "data": "AAAA"}})]},
        "Unsupported MIME type: png",
    ),
    (ask(temperature=2.1), "temperature must be in the range [0.0, 2.0]"),
    (ask(temperature="hot"), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT)"),
    (ask(topP=1.1), "top_p must be in the range"),
    (ask(maxOutputTokens=0), "from 1 (inclusive) to 65537"),
    (ask(maxOutputTokens=1.5), "TYPE_INT32"),
    (ask(candidateCount=2), "Multiple candidates"),
    (ask(stopSequences=list("abcdef")), "at most 5"),
    (ask(responseMimeType="text/html"), "allowed mimetypes"),
    (ask(responseModalities=["IMAGE"]), "response modalities"),
    (ask(thinkingConfig={"thinkingBudget": 99999}), "thinking budget 99999 is invalid"),
    (ask(thinkingConfig={"thinkingLevel": "LOW"}), "Thinking level is not supported"),
    (
        ask(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"}),
        "only one of thinking budget and thinking level",
    ),
    (
        ask(responseMimeType="application/json", responseSchema={"type": "OBJECT"}),
        "should be non-empty for OBJECT type",
    ),
    (
        ask(responseMimeType="application/json", responseJsonSchema={"$ref": "#/$defs/X"}),
        "undefined schema",
    ),
    ({**ask(), "safetySettings": [{"category": "RUDE", "threshold": "OFF"}]}, "TYPE_ENUM"),
    (
        {**ask(), "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT"}]},
        "category and threshold",
    ),
    ({**ask(), "tools": [{"functionDeclarations": [{"name": "1x"}]}]}, "Invalid function name"),
    (
        {**ask(), "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["f"]}}},
        "mode ANY",
    ),
    ({**ask(), "systemInstruction": turn("user")}, "system_instruction.parts"),
    ({**ask(), "cachedContent": "mine"}, "Invalid CachedContent name"),
    ([], "Expected a JSON object"),
]


def test_google_strictness(google_server: Google) -> None:
    server = google_server()
    for body, words in REFUSED:
        response = raw(server, body)
        assert response.status_code == 400, body
        error = response.json()["error"]
        assert error["status"] == "INVALID_ARGUMENT"
        assert words in error["message"], (body, error["message"])
        assert error["details"][0]["fieldViolations"]
    path = f"/v1/models/{FLASH}:generateContent?foo=1"
    assert "Cannot bind query parameter" in raw(server, ask(), path).text
    assert raw(server, ask(), **{"content-type": "text/plain"}).status_code == 400
    assert raw(server, ask(), f"/v1/models/{FLASH}:streamGenerateContent").status_code == 400


def test_google_sdk_unknown_field(google_server: Google) -> None:
    server = google_server()
    client = gen(server, extra_body={"generationConfig": {"mood": "good"}})
    with pytest.raises(errors.ClientError, match="mood"):
        client.models.generate_content(model=FLASH, contents="x")


# Gemini: quota


@pytest.mark.parametrize(
    ("quota", "quota_ids"),
    [
        (Quota(rpm=2), ["GenerateRequestsPerMinutePerProjectPerModel-FreeTier"]),
        (Quota(rpd=2), ["GenerateRequestsPerDayPerProjectPerModel-FreeTier"]),
        (Quota(tpm=2), ["GenerateContentInputTokensPerModelPerMinute-FreeTier"]),
        (
            Quota(tpm=2, tier="PaidTier2"),
            ["GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier2"],
        ),
        (Quota(rpd=22, used_today=20), ["GenerateRequestsPerDayPerProjectPerModel-FreeTier"]),
    ],
)
def test_google_quota(google_server: Google, quota: Quota, quota_ids: list[str]) -> None:
    server = google_server(quota=quota)
    client = gen(server)
    for _ in range(2):
        client.models.generate_content(model=FLASH, contents="x")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=FLASH, contents="x")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    failure, help_, retry = caught.value.details["error"]["details"]
    assert [v["quotaId"] for v in failure["violations"]] == quota_ids
    [violation] = failure["violations"]
    assert violation["quotaDimensions"]["model"] == FLASH
    assert int(violation["quotaValue"]) >= 2
    assert help_["links"] and 0 <= int(retry["retryDelay"].removesuffix("s")) <= 60
    client.models.generate_content(model="gemini-2.5-pro", contents="x")  # another bucket
    assert server.book.refused == 1


def test_a_request_and_its_answer_are_under_way_for_a_while(google_server: Google) -> None:
    server = google_server(network=(0.2, 0.2))
    began = time.time()
    gen(server).models.generate_content(model=FLASH, contents="x")
    assert server.generate_calls[0].time - began >= 0.2
    assert time.time() - server.generate_calls[0].time >= 0.2


def test_google_quota_zero_and_window_and_project(google_server: Google) -> None:
    server = google_server(quota=Quota(rpm=0, rpd=0, tpm=0))
    with pytest.raises(errors.ClientError, match="limit: 0, model: gemini") as caught:
        gen(server).models.generate_content(model=FLASH, contents="x")
    violations = caught.value.details["error"]["details"][0]["violations"]
    assert len(violations) == 3 and not any("quotaValue" in v for v in violations)

    now = [1_790_000_000.0]
    quota = Quota(rpm=1, clock=lambda: now[0])
    server = google_server(quota=quota, key={"a": "p", "b": "p", "c": "q"})
    gen(server, "a").models.generate_content(model=FLASH, contents="x")
    gen(server, "c").models.generate_content(model=FLASH, contents="x")
    now[0] += 59
    with pytest.raises(errors.ClientError, match=r"Please retry in 1\.0"):
        gen(server, "b").models.generate_content(model=FLASH, contents="x")
    now[0] += 1
    gen(server, "b").models.generate_content(model=FLASH, contents="x")


def test_google_payloads(google_server: Google) -> None:
    failures = [*payloads.QUOTA_429.values(), *payloads.OTHER_GOOGLE.values()]
    server = google_server([*failures, "ok"])
    client = gen(server)
    for failure in failures:
        with pytest.raises(errors.APIError) as caught:
            client.models.generate_content(model=FLASH, contents="x")
        assert caught.value.code == failure.status
        assert caught.value.details == failure.body
    assert client.models.generate_content(model=FLASH, contents="x").text == "ok"
    assert len(server.generate_calls) == len(failures) + 1


def test_google_quota_is_atomic(google_server: Google) -> None:
    server = google_server(quota=Quota(rpm=7))
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda _: raw(server, ask()).status_code, range(40)))
    assert sorted(codes) == [200] * 7 + [429] * 33


# Gemini: faults


def texts(client: genai.Client) -> Iterator[str]:
    for chunk in client.models.generate_content_stream(model=FLASH, contents="one two three"):
        yield chunk.text or ""


def test_google_refuse(google_server: Google) -> None:
    server = google_server([Answer("ok"), Fault("refuse")])
    client = gen(server)
    assert client.models.generate_content(model=FLASH, contents="x").text == "ok"
    for _ in range(2):
        with pytest.raises(httpx2.ConnectError):
            client.models.generate_content(model=FLASH, contents="x")
    server.set_script("back")
    assert client.models.generate_content(model=FLASH, contents="x").text == "back"
    assert len(server.generate_calls) == 2

    closed = google_server(Fault("refuse"))
    with pytest.raises(httpx2.ConnectError):
        gen(closed).models.generate_content(model=FLASH, contents="x")


@pytest.mark.parametrize("stream", [False, True])
def test_google_drops(google_server: Google, stream: bool) -> None:
    server = google_server([Fault("drop_before_headers"), Fault("drop"), Fault("cut")])
    client = gen(server)
    for expected in ([], ["one "], ["one "]):
        got: list[str] = []
        with pytest.raises(
            httpx2.NetworkError if not got and not expected else httpx2.TransportError
        ):
            if stream:
                got.extend(text for text in _into(texts(client), got))
            else:
                client.models.generate_content(model=FLASH, contents="one two three")
        assert got == (expected if stream else [])
    assert len(server.generate_calls) == 3
    assert server.disconnects == []


def _into(source: Iterator[str], got: list[str]) -> Iterator[str]:
    for text in source:
        got.append(text)
    return iter(())


def test_google_truncate_and_malformed(google_server: Google) -> None:
    server = google_server([Fault("truncate", after=2), Fault("malformed", after=2)])
    client = gen(server)
    chunks = list(client.models.generate_content_stream(model=FLASH, contents="one two three"))
    assert [c.text for c in chunks] == ["one ", "two "]
    assert all(c.candidates[0].finish_reason is None for c in chunks)
    got: list[str] = []
    with pytest.raises(errors.UnknownApiResponseError):
        _into(texts(client), got)
    assert got == ["one ", "two "]


def test_google_faults_of_a_whole_answer(google_server: Google) -> None:
    server = google_server([Fault("truncate"), Fault("malformed"), Fault("stall")])
    client = gen(server, timeout=300)
    reply = client.models.generate_content(model=FLASH, contents="one")
    assert (reply.text, reply.candidates[0].finish_reason) == ("one", None)
    with pytest.raises(json.JSONDecodeError):
        client.models.generate_content(model=FLASH, contents="one")
    with pytest.raises(httpx2.ReadTimeout):
        client.models.generate_content(model=FLASH, contents="one")
    assert server.wait_disconnects(1)


def test_google_error_inside_the_stream(google_server: Google) -> None:
    server = google_server(Fault("error", after=1, failure=payloads.OVERLOADED))
    got: list[str] = []
    with pytest.raises(errors.ServerError) as caught:
        _into(texts(gen(server)), got)
    assert (got, caught.value.code) == (["one "], 503)


def test_google_stall_and_disconnect(google_server: Google) -> None:
    server = google_server(Fault("stall", after=2))
    client = gen(server, timeout=300)
    got: list[str] = []
    with pytest.raises(httpx2.ReadTimeout):
        _into(texts(client), got)
    assert got == ["one ", "two "]
    [gone] = server.wait_disconnects(1)
    assert gone.chunks == 2 and gone.request.stream


def test_google_hang(google_server: Google) -> None:
    server = google_server(Fault("hang"))
    with pytest.raises(httpx2.ReadTimeout):
        gen(server, timeout=200).models.generate_content(model=FLASH, contents="x")
    [gone] = server.wait_disconnects(1)
    assert gone.chunks == 0


def test_google_sees_a_closed_stream(google_server: Google) -> None:
    server = google_server(Answer(chunks=["x"] * 1000, delay=0.01))
    stream = gen(server).models.generate_content_stream(model=FLASH, contents="x")
    next(stream)
    next(stream)
    closed = time.monotonic()
    stream.close()
    [gone] = server.wait_disconnects(1)
    assert 2 <= gone.chunks < 20
    assert gone.at - closed < 0.5


def test_google_sees_a_cancelled_task(google_server: Google) -> None:
    async def run() -> None:
        server = google_server(Fault("stall", after=1))
        client = gen(server)

        async def read() -> None:
            async for _ in await client.aio.models.generate_content_stream(
                model=FLASH, contents="x"
            ):
                pass

        task = asyncio.create_task(read())
        await asyncio.to_thread(server.wait_for, 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_disconnects, 1)

    asyncio.run(run())


# OpenAI


def test_openai_echoes_whole_and_streamed(openai_server: Open) -> None:
    server = openai_server()
    client = oai(server)
    reply = chat(client, "hello to you")
    assert reply.choices[0].message.content == "hello to you"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == 6
    chunks = list(chat(client, "hello to you", stream=True, stream_options={"include_usage": True}))
    said = [c.choices[0].delta.content for c in chunks if c.choices]
    assert said == ["hello ", "to ", "you", None]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.prompt_tokens) == ([], 3)
    assert all(c.usage is None for c in chunks[:-1])
    assert [c.stream for c in server.generate_calls] == [False, True]
    assert server.connections == 1
    assert all("usage" not in c.model_fields_set for c in chat(client, stream=True))


def test_openai_async_concurrency(openai_server: Open) -> None:
    async def run() -> None:
        server = openai_server(Answer(chunks=["a", "b", "c"], delay=0.1))
        client = AsyncOpenAI(api_key=server.key, base_url=server.url, max_retries=0)

        async def one() -> str:
            stream = await client.chat.completions.create(
                model=MINI, messages=[{"role": "user", "content": "x"}], stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream])

        start = time.monotonic()
        assert await asyncio.gather(*(one() for _ in range(20))) == ["abc"] * 20
        assert time.monotonic() - start < 2.5  # one after the other: 4 s

    asyncio.run(run())


def test_openai_threads(openai_server: Open) -> None:
    server = openai_server()
    client = oai(server)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda i: chat(client, f"n{i}"), range(40)))
    assert [r.choices[0].message.content for r in replies] == [f"n{i}" for i in range(40)]
    assert len(server.generate_calls) == 40


def test_openai_models(openai_server: Open) -> None:
    server = openai_server(models=["a", "google/b"])
    client = oai(server)
    assert [m.id for m in client.models.list()] == ["a", "google/b"]
    assert client.models.retrieve("google/b").id == "google/b"
    for call in (lambda: client.models.retrieve("c"), lambda: chat(client, model="c")):
        with pytest.raises(openai.NotFoundError) as caught:
            call()
        assert caught.value.code == "model_not_found"


def test_openai_keys(openai_server: Open) -> None:
    server = openai_server()
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(oai(server, "sk-wrong"))
    assert caught.value.code == "invalid_api_key"
    assert PLAIN.get(f"{server.url}/models").status_code == 401
    assert chat(oai(openai_server(key="")))


def test_openai_parts_schema_and_tools(openai_server: Open) -> None:
    server = openai_server(
        [Answer(calls=[Call("lookup", {"word": "sun"})]), Answer('{"a": 1}', thoughts=["hm"])]
    )
    client = oai(server)
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]
    data = base64.b64encode(PNG).decode()
    messages: list[Any] = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
                {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": f"data:application/pdf;base64,{data}",
                    },
                },
            ],
        },
    ]
    stream = chat(client, messages=messages, tools=tools, stream=True)
    chunks = [c.choices[0] for c in stream]
    call = next(c.delta.tool_calls[0] for c in chunks if c.delta.tool_calls)
    assert json.loads(call.function.arguments) == {"word": "sun"}
    assert chunks[-1].finish_reason == "tool_calls"
    function = {"name": "lookup", "arguments": call.function.arguments}
    messages += [
        {
            "role": "assistant",
            "tool_calls": [{"id": call.id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "star"},
    ]
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    wanted = {"name": "thing", "schema": schema, "strict": True}
    reply = chat(
        client,
        messages=messages,
        tools=tools,
        response_format={"type": "json_schema", "json_schema": wanted},
    )
    assert json.loads(reply.choices[0].message.content) == {"a": 1}
    assert reply.choices[0].message.reasoning_content == "hm"


def test_openai_ends(openai_server: Open) -> None:
    server = openai_server([Answer.stopped("MAX_TOKENS", "half"), Answer.blocked(), Answer.empty()])
    client = oai(server)
    ends = [chat(client).choices[0].finish_reason for _ in range(3)]
    assert ends == ["length", "content_filter", "stop"]


OPENAI_REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"foo": 1}, "Unrecognized request argument supplied: foo", None),
    ({"temperature": 3}, "decimal above maximum value", "decimal_above_max_value"),
    ({"temperature": "hot"}, "Invalid type for 'temperature'", "invalid_type"),
    ({"seed": 1.5}, "expected an integer", "invalid_type"),
    ({"max_tokens": 0}, "below minimum", "integer_below_min_value"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "at the same time", None),
    ({"model": "gpt-5-mini", "max_tokens": 5}, "Use 'max_completion_tokens'", None),
    ({"model": "gpt-5-mini", "temperature": 0.1}, "Only the default (1)", "unsupported_value"),
    ({"stop": list("abcde")}, "maximum length 4", "array_above_max_length"),
    ({"reasoning_effort": "huge"}, "Invalid value: 'huge'", "invalid_value"),
    ({"stream_options": {"include_usage": True}}, "only allowed when 'stream'", None),
    ({"response_format": {"type": "json_object"}}, "must contain the word 'json'", None),
    ({"response_format": {"type": "xml"}}, "Supported values", "invalid_value"),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}},
            }
        },
        "'additionalProperties' is required",
        None,
    ),
    ({"messages": []}, "empty array", "empty_array"),
    ({"messages": [{"role": "model", "content": "x"}]}, "Invalid value: 'model'", None),
    ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, "messages[0].mood", None),
    ({"messages": [{"role": "user"}]}, "Missing required parameter", None),
    ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "preceeding", None),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/png,xx"}}],
                }
            ]
        },
        "valid URL",
        "invalid_value",
    ),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "pattern", "invalid_value"),
    ({"tool_choice": "auto"}, "only allowed when 'tools'", None),
]


def test_openai_strictness(openai_server: Open) -> None:
    server = openai_server()
    headers = {"Authorization": f"Bearer {server.key}"}
    base = {"model": MINI, "messages": [{"role": "user", "content": "x"}]}
    for more, words, code in OPENAI_REFUSED:
        response = PLAIN.post(
            f"{server.url}/chat/completions", json={**base, **more}, headers=headers
        )
        error = response.json()["error"]
        assert response.status_code == 400, more
        assert error["type"] == "invalid_request_error"
        assert words in error["message"], (more, error)
        assert code is None or error["code"] == code, (more, error)
    with pytest.raises(openai.BadRequestError, match="supplied: mood"):
        chat(oai(server), extra_body={"mood": "good"})
    with pytest.raises(openai.BadRequestError) as caught:
        chat(oai(openai_server(context=10)), "x" * 100)
    assert caught.value.code == "context_length_exceeded"


def test_openai_payloads(openai_server: Open) -> None:
    failures = list(payloads.OPENAI_ERRORS.values())
    server = openai_server(failures)
    client = oai(server)
    for failure in failures:
        with pytest.raises(openai.APIStatusError) as caught:
            chat(client)
        assert caught.value.status_code == failure.status
        assert caught.value.body == failure.body["error"]
    assert len(server.generate_calls) == len(failures)


def test_openai_quota_headers(openai_server: Open) -> None:
    server = openai_server(quota=Quota(rpm=2, tpm=1000))
    client = oai(server)
    first = client.chat.completions.with_raw_response.create(
        model=MINI, messages=[{"role": "user", "content": "x"}]
    )
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-tokens"] == "999"
    chat(client)
    with pytest.raises(openai.RateLimitError) as caught:
        chat(client)
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
    headers = caught.value.response.headers
    assert int(headers["retry-after"]) <= 60 and headers["x-ratelimit-limit-requests"] == "2"
    with pytest.raises(openai.RateLimitError) as caught:
        chat(oai(openai_server(quota=Quota(rpd=0))))
    assert caught.value.code == "insufficient_quota"


def test_openai_faults(openai_server: Open) -> None:
    server = openai_server(
        [
            Fault("drop_before_headers"),
            Fault("drop"),
            Fault("cut"),
            Fault("truncate"),
            Fault("malformed"),
            Fault("error", failure=payloads.OPENAI_SERVER),
            Failure(502, "<html>bad gateway</html>"),
            Fault("refuse"),
        ]
    )
    client = oai(server)

    def read() -> tuple[list[str], Any]:
        got: list[str] = []
        try:
            for chunk in chat(client, "one two three", stream=True):
                got.append(chunk.choices[0].delta.content)
        except Exception as error:
            return got, error
        return got, None

    outcomes = [read() for _ in range(9)]
    assert [got for got, _ in outcomes] == [[], *[["one "]] * 5, [], [], []]
    kinds = [type(error) for _, error in outcomes]
    assert kinds[0] is kinds[7] is kinds[8] is openai.APIConnectionError
    assert kinds[1] is kinds[2] is openai.APIConnectionError
    assert kinds[3] is type(None)
    assert kinds[4] is json.JSONDecodeError
    assert kinds[5] is openai.APIError
    assert kinds[6] is openai.InternalServerError
    assert len(server.generate_calls) == 7


def test_openai_sees_a_closed_stream(openai_server: Open) -> None:
    server = openai_server(Fault("stall", after=1))
    stream = chat(oai(server), "a b c", stream=True)
    next(stream)
    stream.close()
    assert server.wait_disconnects(1)[0].chunks == 1


def test_gemini_compat(openai_server: Open) -> None:
    server = openai_server(gemini_compat=True, key="k", quota=Quota(rpm=1))
    assert server.url.endswith("/v1beta/openai")
    client = oai(server)
    assert chat(client, model=FLASH).choices[0].message.content == "hello"
    with pytest.raises(openai.RateLimitError) as caught:
        chat(client, model=f"models/{FLASH}")
    assert caught.value.body[0]["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert caught.value.code is None
    assert "retry-after" not in caught.value.response.headers
    with pytest.raises(openai.BadRequestError) as bad:
        chat(client, model=FLASH, seed=1)
    assert 'Unknown name "seed": Cannot find field.' in bad.value.body[0]["error"]["message"]
    with pytest.raises(openai.BadRequestError) as key:
        chat(oai(server, "wrong"), model=FLASH)
    assert key.value.body[0]["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    with pytest.raises(openai.NotFoundError):
        chat(client, model="gemini-1.0-pro")


# as a process


@pytest.mark.parametrize("kind", ["google", "openai"])
def test_as_a_process(kind: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.wire", f"--{kind}", "--text", "abcdef", "--chunks", "3",
         "--key", "k", "--model", "extra-model"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        if kind == "google":
            client = genai.Client(api_key="k", http_options={"base_url": url})
            stream = client.models.generate_content_stream(model="extra-model", contents="x")
            assert [c.text for c in stream] == ["ab", "cd", "ef"]
        else:
            reply = chat(OpenAI(api_key="k", base_url=url), model="extra-model")
            assert reply.choices[0].message.content == "abcdef"
        process.stdin.close()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait(5)


def test_stop_leaves_no_threads() -> None:
    before = threading.active_count()
    with GoogleServer() as server:
        client = gen(server)
        client.models.generate_content(model=FLASH, contents="x")
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
