"""The engine and both remote backends: real SDKs, real sockets, servers that misbehave."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic import config, errors
from gemini_magic.backends.openai import _usage as openai_usage
from gemini_magic.backends.wire import count
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.run import Run
from gemini_magic.events import Event, Finished, Notice, Started, Switched, TextDelta, ThoughtDelta
from gemini_magic.types import Message, Part, Reply, Request, Settings, Target, Tool, Usage
from tests.wire import Answer, Failure, Fault, Picture, payloads
from tests.wire.google import GeminiDialect, GoogleServer
from tests.wire.openai import ChatDialect

KINDS = ("google", "openai")
MODEL = "gemini-2.5-flash"
TARGET = Target("test", MODEL)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc00000030101005bb6ee560000000049454e44ae426082"
)


def request(text: str = "hello", **more: Any) -> Request:
    return Request((Message("user", (Part(text),)),), **more)


@pytest.fixture(scope="module", autouse=True)
def sdks() -> None:
    """Imported before any time is measured: that takes a second or two."""
    import google.genai
    import openai

    assert google.genai and openai


@pytest.fixture(params=KINDS)
def server(request, google_server, openai_server, configure):  # type: ignore[no-untyped-def]
    make = google_server if request.param == "google" else openai_server
    running = make(key="k" * 20)
    os.environ["TEST_KEY"] = "k" * 20
    configure(
        f"""
        [settings]
        retries = 0
        [backends.test]
        kind = "{request.param}"
        base_url = "{running.url}"
        key_env = "TEST_KEY"
        """
    )
    yield running
    del os.environ["TEST_KEY"]


@pytest.fixture
def logged() -> list[Reply]:
    return []


@pytest.fixture
def engine(server, logged: list[Reply]) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    made = Engine(Connections(config.load(), os.environ), lambda reply, _: logged.append(reply))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("asked", "model", "offered"),
    [
        (request(), MODEL, True),
        (request(tools=(Tool("f", "", '{"type": "object"}'),)), MODEL, True),
        (Request((Message("user", (Part(data=PNG, mime_type="image/png"),)),)), MODEL, False),
        (request(services=("search",)), MODEL, False),
        (request(settings=Settings(modalities=("audio",))), MODEL, False),
        (request(), "gemini-3.1-flash-image", False),
    ],
)
def test_a_missing_key_offers_this_machine_for_what_it_can(
    asked: Request, model: str, offered: bool
) -> None:
    engine = Engine(Connections(config.load(), {}))
    _, error = drain(engine.stream(asked, [Target("studio", model)]))
    engine.close()
    assert isinstance(error, errors.MissingKey)
    assert error.next_step.startswith("run: %gemini key studio")
    assert ("-m local" in error.next_step) == offered


def drain(run: Run) -> tuple[list[Event], BaseException | None]:
    events: list[Event] = []
    try:
        events.extend(run)
    except errors.GeminiMagicError as error:
        return [*events, Finished(run.reply)][: len(events) + 1], error
    return events, None


def count_strangely(monkeypatch: pytest.MonkeyPatch, strange: Any) -> None:
    """All that the servers count is this."""
    body = GeminiDialect._body
    googles = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
               "cachedContentTokenCount", "totalTokenCount")  # fmt: skip
    openais = {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), strange),
        "prompt_tokens_details": {"cached_tokens": strange},
        "completion_tokens_details": {"reasoning_tokens": strange},
    }

    def counted(self: GeminiDialect, *args: Any, **more: Any) -> dict[str, Any]:
        return {**body(self, *args, **more), "usageMetadata": dict.fromkeys(googles, strange)}

    monkeypatch.setattr(GeminiDialect, "_body", counted)
    monkeypatch.setattr(ChatDialect, "_usage", lambda self: openais)


@pytest.mark.parametrize("strange", [10**30, 2**40, -5, None, 12.5, "many", [7]])
def test_a_count_that_cannot_be_one_is_not_told_and_the_answer_arrives(
    server, engine: Engine, monkeypatch: pytest.MonkeyPatch, strange: Any
) -> None:
    count_strangely(monkeypatch, strange)
    server.set_script(Answer(chunks=["Hel", "lo"]))
    run = engine.stream(request(), [TARGET])
    _, error = drain(run)
    if isinstance(server, GoogleServer) and isinstance(strange, float | str | list):
        assert isinstance(error, errors.Unreachable), error  # Google's SDK reads no such answer
        return
    assert error is None and run.reply.text == "Hello"
    assert run.reply.usage == Usage()


def test_thoughts_are_not_counted_twice_and_no_count_falls_below_nothing() -> None:
    details = SimpleNamespace(reasoning_tokens=9)
    told = SimpleNamespace(prompt_tokens=5, completion_tokens=4, completion_tokens_details=details)
    assert openai_usage(told) == Usage(5, 0, 9)
    details.reasoning_tokens = -3
    assert openai_usage(told) == Usage(5, 4)


@pytest.mark.parametrize("value", [0, 1, 2**40 - 1])
def test_a_count_is_told(value: int) -> None:
    assert count(value) == value


@pytest.mark.parametrize("value", [2**40, 10**30, -1, 12.0, 12.5, True, False, "12", None, [7]])
def test_what_is_no_count_is_not_told(value: Any) -> None:
    assert count(value) is None


def test_an_answer_comes_as_events_and_a_reply(server, engine: Engine, logged) -> None:
    server.set_script(Answer(chunks=["Hel", "lo"], thoughts=["hm"]))
    events, error = drain(engine.stream(request(), [TARGET]))
    assert error is None
    kinds = [type(event) for event in events]
    assert kinds == [Started, ThoughtDelta, TextDelta, TextDelta, Finished]
    assert isinstance(events[-1], Finished)
    reply = events[-1].reply
    assert (reply.text, reply.thoughts, reply.finish_reason) == ("Hello", "hm", "STOP")
    assert reply.usage.input_tokens and reply.usage.output_tokens
    assert reply.model_version and reply.seconds > 0
    deadline = time.monotonic() + 5
    while not logged and time.monotonic() < deadline:
        time.sleep(0.01)
    assert logged == [reply]


def test_everything_a_request_holds_reaches_the_wire(server, engine: Engine) -> None:
    whole = Request(
        messages=(
            Message("user", (Part("What is this? "), Part(data=PNG, mime_type="image/png"))),
            Message("model", (Part("A dot."),)),
            Message("user", (Part("Sure?"),)),
        ),
        system="be brief",
        settings=Settings(
            temperature=0.5, top_p=0.9, max_output_tokens=99, stop=("END", "\n\n"), seed=7,
            thinking="low",
        ),
        schema='{"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}',
    )  # fmt: skip
    _, error = drain(engine.stream(whole, [TARGET]))
    assert error is None, error
    body = server.generate_calls[0].json
    if "contents" in body:
        settings = body["generationConfig"]
        assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
        assert body["systemInstruction"]["parts"] == [{"text": "be brief"}]
        assert settings["stopSequences"] == ["END", "\n\n"] and settings["topP"] == 0.9
        assert settings["maxOutputTokens"] == 99 and settings["seed"] == 7
        thinking = settings["thinkingConfig"]  # the SDK writes the names in it in snake_case
        assert thinking.get("thinkingBudget", thinking.get("thinking_budget")) == 1024
        schema = settings.get("responseJsonSchema") or settings["response_json_schema"]
    else:
        roles = [message["role"] for message in body["messages"]]
        assert roles == ["system", "user", "assistant", "user"]
        assert body["messages"][1]["content"][1]["image_url"]["url"].startswith("data:image/png")
        assert body["stop"] == ["END", "\n\n"] and body["top_p"] == 0.9
        assert body["max_tokens"] == 99 and body["seed"] == 7
        assert body["reasoning_effort"] == "low"
        schema = body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (payloads.KEY_INVALID, errors.InvalidKey),
        (payloads.FREE_RPD, errors.QuotaExceeded),
        (payloads.FREE_RPM, errors.QuotaExceeded),
        (Failure(503, {"error": {"code": 503, "message": "overloaded"}}), errors.Overloaded),
        (Failure(500, "oops"), errors.Overloaded),
        (Fault("refuse"), errors.Unreachable),
        (Fault("drop_before_headers"), errors.Unreachable),
    ],
)
def test_a_failure_is_told_and_never_retried(server, engine: Engine, script, error) -> None:
    server.set_script(script)
    events, raised = drain(engine.stream(request(), [TARGET]))
    assert isinstance(raised, error), raised
    assert len(raised.lines()) == 2 and "\n" not in "".join(raised.lines())
    assert isinstance(events[-1], Finished) and events[-1].reply.text == ""
    assert len(server.generate_calls) <= 1


@pytest.mark.parametrize("kind", ["drop", "cut", "truncate", "malformed", "error"])
def test_what_came_before_a_break_is_kept(server, engine: Engine, kind) -> None:
    failure = Failure(500, {"error": {"code": 500, "message": "late", "status": "INTERNAL"}})
    broken = Fault(kind, after=2, answer=Answer(chunks=["a", "b", "c", "d"]), failure=failure)
    server.set_script(broken)
    run = engine.stream(request(), [TARGET])
    _, raised = drain(run)
    assert isinstance(raised, errors.BackendError), raised
    assert (run.reply.text, run.reply.finish_reason) == ("ab", "CUT")
    assert len(server.generate_calls) == 1


def test_silence_ends_a_run(server, engine: Engine) -> None:
    server.set_script(Fault("stall", after=1, answer=Answer(chunks=["a", "b"])))
    began = time.monotonic()
    run = engine.stream(request(), [TARGET], timeout=0.5)
    _, raised = drain(run)
    assert isinstance(raised, errors.Unreachable) and 0.4 < time.monotonic() - began < 3
    assert run.reply.text == "a"
    assert server.wait_disconnects(1)


def test_a_slow_answer_is_not_silence(server, engine: Engine) -> None:
    server.set_script(Answer(chunks=list("abcdef"), delay=0.3))
    run = engine.stream(request(), [TARGET], timeout=0.9)
    _, raised = drain(run)
    assert raised is None and run.reply.text == "abcdef"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer.empty(), errors.BackendError),
        (Answer.stopped("MAX_TOKENS", ""), errors.BackendError),
        (Answer.stopped("SAFETY", "par"), errors.Blocked),
    ],
)
def test_answers_that_are_none(server, engine: Engine, answer, error) -> None:
    server.set_script(answer)
    _, raised = drain(engine.stream(request(), [TARGET]))
    assert isinstance(raised, error) and raised.next_step


def test_an_answer_whose_only_picture_was_refused_says_so(
    openai_server, configure, engine: Engine, server
) -> None:
    if type(server).__name__ != "OpenAIServer":
        pytest.skip("Google's wire refuses no picture that small")
    server.set_script(Answer(items=[Picture(b"none at all")]))
    _, raised = drain(engine.stream(request(), [TARGET]))
    assert isinstance(raised, errors.BackendError)
    assert "a picture was left out" in raised.what
    assert "max-output-tokens" not in raised.next_step


def test_characters_cut_in_half_are_mended(server, engine: Engine) -> None:
    server.set_script(Answer(chunks=["a\ud83d", "\ude00b", "\ud83d"], thoughts=["t\ud83d"]))
    run = engine.stream(request(), [TARGET])
    events, raised = drain(run)
    assert raised is None and run.reply.text == "a😀b\ufffd"
    for event in events:
        if isinstance(event, TextDelta | ThoughtDelta):
            event.text.encode()
    history = (*request().messages, *run.reply.exchanged, *request("and now?").messages)
    assert drain(engine.stream(Request(history), [TARGET]))[1] is None


def test_a_blocked_prompt(google_server, engine: Engine, server) -> None:
    if type(server).__name__ != "GoogleServer":
        pytest.skip("only Google's wire answers this way")
    server.set_script(Answer.blocked("SAFETY"))
    _, raised = drain(engine.stream(request(), [TARGET]))
    assert isinstance(raised, errors.Blocked) and "SAFETY" in raised.what


def test_max_tokens_is_an_answer(server, engine: Engine) -> None:
    server.set_script(Answer.stopped("MAX_TOKENS", "cut here"))
    run = engine.stream(request(), [TARGET])
    assert drain(run)[1] is None and run.reply.finish_reason == "MAX_TOKENS"


def test_an_unknown_model_gets_the_nearest_names(server, engine: Engine) -> None:
    _, raised = drain(engine.stream(request(), [Target("test", "gemini-2.5-flahs")]))
    assert isinstance(raised, errors.UnknownModel)
    assert "gemini-2.5-flash" in raised.next_step
    assert len(server.generate_calls) == 1


def test_the_next_target_answers_only_on_its_failures(server, engine: Engine) -> None:
    def targets(*when: str) -> list[Target]:
        return [TARGET, Target("test", "gemini-3.8-flash", when)]

    for when, switches in (((), True), (("rpd",), True), (("overloaded",), False)):
        server.set_script([payloads.FREE_RPD, Answer(text="second")])
        server.clear()
        run = engine.stream(request(), targets(*when))
        events, raised = drain(run)
        switched = [event for event in events if isinstance(event, Switched)]
        assert bool(switched) is switches and (raised is None) is switches
        if switches:
            assert switched[0].host == "127.0.0.1" and run.reply.text == "second"
            assert str(run.reply.target) == "test:gemini-3.8-flash"


def test_nothing_is_asked_twice_after_a_first_word(server, engine: Engine) -> None:
    server.set_script(Fault("drop", after=1, answer=Answer(chunks=["a", "b"])))
    run = engine.stream(request(), [TARGET, TARGET])
    assert isinstance(drain(run)[1], errors.BackendError)
    assert run.reply.text == "a" and len(server.generate_calls) == 1


def test_cancel_works_from_any_thread_any_number_of_times(server, engine: Engine) -> None:
    server.set_script(Fault("stall", after=2, answer=Answer(chunks=["a", "b", "c"])))
    run = engine.stream(request(), [TARGET])
    while run.reply.text != "ab":
        run.poll(0.01)
    for _ in range(3):
        run.cancel()
    assert run.wait(1)
    assert (run.reply.text, run.reply.finish_reason) == ("ab", "CANCELLED")
    assert run.error is None and server.wait_disconnects(1)


def test_runs_are_asynchronous_iterables_too(server, engine: Engine) -> None:
    server.set_script(Answer(chunks=["a", "b"]))

    async def text() -> str:
        run = engine.stream(request(), [TARGET])
        return "".join([event.text async for event in run if isinstance(event, TextDelta)])

    assert asyncio.run(text()) == "ab"


def test_many_runs_at_once(server, engine: Engine) -> None:
    server.set_script(Answer(chunks=list("abc"), delay=0.02))
    runs = [engine.stream(request(str(n)), [TARGET]) for n in range(20)]
    assert [drain(run)[1] for run in runs] == [None] * 20
    assert [run.reply.text for run in runs] == ["abc"] * 20
    assert len(server.generate_calls) == 20


def test_a_changed_key_or_address_opens_a_new_connection(
    server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.set_script(Answer(text="fine"))
    assert drain(engine.stream(request(), [TARGET]))[1] is None
    monkeypatch.setenv("TEST_KEY", "wrong-key-wrong-key")
    assert isinstance(drain(engine.stream(request(), [TARGET]))[1], errors.InvalidKey)
    monkeypatch.setenv("TEST_KEY", "k" * 20)
    assert drain(engine.stream(request(), [TARGET]))[1] is None


def test_what_a_wire_cannot_say_is_told(openai_server, configure) -> None:
    server = openai_server(Answer(text="x"), key="")
    configure(f'[backends.test]\nkind = "openai"\nbase_url = "{server.url}"\n')
    engine = Engine(Connections(config.load(), {}))
    settings = Settings(top_k=3, thinking=1000)
    events, error = drain(engine.stream(request(settings=settings), [TARGET]))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert error is None and len(told) == 2 and "top_k" in told[0] and "thinking" in told[1]
    assert "top_k" not in server.generate_calls[0].json


def test_to_close_closes_the_connections(server, engine: Engine) -> None:
    drain(engine.stream(request(), [TARGET]))
    (opened,) = engine.connections._open.values()
    backend: Any = opened.backend
    client = backend._http if hasattr(backend, "_http") else backend._opened._client
    engine.close()
    assert client.is_closed


def test_call_raises_what_a_run_would(server, engine: Engine) -> None:
    def models() -> list[str]:
        found = engine.call("test", lambda backend: backend.models(), 5)
        return [model.name for model in found]

    assert MODEL in models()
    server.set_script(payloads.KEY_INVALID, op="models")
    with pytest.raises(errors.InvalidKey):
        models()


def test_a_service_that_repeats_the_key_is_not_quoted(server, engine: Engine) -> None:
    body = {"error": {"code": 401, "message": f"Bad key {server.key}!", "status": "X"}}
    server.set_script(Failure(401, body))
    _, raised = drain(engine.stream(request(), [TARGET]))
    assert isinstance(raised, errors.InvalidKey) and server.key not in str(raised)
    assert "<key>" in str(raised)


def test_targets_that_do_not_fit_are_passed_over(server, engine: Engine) -> None:
    server.set_script([payloads.FREE_RPM, Answer(text="third")])
    targets = [TARGET, Target("test", "gemini-3.8-flash", ("rpd",)), TARGET]
    run = engine.stream(request(), targets)
    assert drain(run)[1] is None and run.reply.text == "third"
    assert len(server.generate_calls) == 2


def test_no_redirect_is_followed(openai_server, google_server, configure) -> None:
    other_openai, other_google = openai_server(key=""), google_server()
    for kind, make, other in (
        ("openai", openai_server, other_openai),
        ("google", google_server, other_google),
    ):
        server = make(Failure(307, "", {"Location": f"{other.url}/elsewhere"}), key="k" * 20)
        os.environ["TEST_KEY"] = "k" * 20
        configure(
            f'[backends.test]\nkind = "{kind}"\nbase_url = "{server.url}"\nkey_env = "TEST_KEY"\n'
        )
        engine = Engine(Connections(config.load(), os.environ))
        assert isinstance(drain(engine.stream(request(), [TARGET]))[1], errors.BackendError)
        assert len(server.generate_calls) == 1 and other.requests == []


def test_the_end_of_the_process_waits_for_the_log_of_a_run_that_is_just_ending(
    server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.set_script(Answer(chunks=["word "] * 100, delay=0.1))
    noted: list[str] = []

    def slowly(reply: Reply, cell: str) -> None:
        time.sleep(0.5)
        noted.append(reply.finish_reason)

    engine = Engine(Connections(config.load(), os.environ), slowly)
    run = engine.stream(request(), [TARGET])
    while not run.reply.text:
        time.sleep(0.01)
    cancel = run.cancel

    def cancel_and_see_it_end() -> None:
        cancel()
        until = time.monotonic() + 5
        while run in engine._running and time.monotonic() < until:
            time.sleep(0.001)

    monkeypatch.setattr(run, "cancel", cancel_and_see_it_end)
    engine.close()
    assert noted == ["CANCELLED"]


_COLD = """
import os, sys, time
from gemini_magic import config
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.types import CANCELLED, Message, Part, Request, Target

package = {"google": "google.genai", "openai": "openai"}[sys.argv[1]]
engine = Engine(Connections(config.load(), os.environ))


def ask():
    request = Request((Message("user", (Part(text="x"),)),))
    return engine.stream(request, [Target("test", "gemini-2.5-flash")])


class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == package:
            time.sleep(1.5)


# A package that takes its time keeps nobody from stopping.
sys.meta_path.insert(0, Slow())
run = ask()
time.sleep(0.5)
began = time.monotonic()
run.cancel()
assert run.wait(0.3), time.monotonic() - began
assert run.reply.finish_reason == CANCELLED
list(run)
list(again := ask())
assert again.reply.text == "fine", again.reply
del sys.meta_path[0]

# One that is missing is told, and found once it is there.
engine = Engine(Connections(config.load(), os.environ))
for name in [name for name in sys.modules if name.split(".")[0] in ("google", "openai")]:
    del sys.modules[name]
sys.modules[package] = None
for _ in range(2):
    run = ask()
    try:
        list(run)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_package_that_is_slow_or_missing(server) -> None:
    kind = "google" if type(server).__name__ == "GoogleServer" else "openai"
    server.set_script(Answer(text="fine"))
    done = subprocess.run(
        [sys.executable, "-c", _COLD, kind],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == second and first.startswith("BackendError test needs the package")
    assert f"pip install --upgrade {'google-genai' if kind == 'google' else 'openai'}" in first
