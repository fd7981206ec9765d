"""Functions called hop by hop: real SDKs, real sockets, a real ledger, real interrupts."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gemini_magic import errors
from gemini_magic.engine.run import Run
from gemini_magic.engine.toolbox import Toolbox
from gemini_magic.events import (
    Event,
    Notice,
    Started,
    Switched,
    TextDelta,
    ToolCalled,
    ToolReturned,
)
from gemini_magic.types import CANCELLED, STOP, TOOL_CALLS, Message, Part, Request, Target
from tests.engine.test_admission import KEY, KINDS, MODEL, NO_CAPACITY, Lab, lab, serve
from tests.wire import Answer, Failure, Fault, Usage
from tests.wire.script import Call

__all__ = ["lab"]

TARGET = Target("test", MODEL)
BROKEN = Failure(400, {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})


@pytest.fixture(scope="module", autouse=True)
def sdks() -> None:
    """Imported before any time is measured: that takes a second or two."""
    import google.genai
    import openai
    import pydantic

    assert google.genai and openai and pydantic


@pytest.fixture(params=KINDS)
def server(request, google_server, openai_server, lab: Lab):  # type: ignore[no-untyped-def]
    made = (
        google_server(key=KEY, signatures=True)
        if request.param == "google"
        else openai_server(key=KEY)
    )
    return serve(lab, made)


def weather(city: str, days: int = 1) -> dict[str, Any]:
    """The weather of a city.

    Args:
        city: Its name.
        days: How many days.
    """
    assert threading.current_thread() is threading.main_thread()
    return {"city": city, "sun": days * 2}


async def population(city: str) -> int:
    """How many live there."""
    await asyncio.sleep(0.01)
    return len(city) * 1000


def ask(lab: Lab, *functions: Callable[..., Any], **more: Any) -> Run:
    targets = more.pop("targets", [TARGET])
    box = Toolbox({function.__name__: function for function in functions}, **more)
    messages = (Message("user", (Part("How is Ulm?"),)),)
    return lab.engine().stream(Request(messages, tools=box.tools), targets, toolbox=box)


def drain(run: Run) -> tuple[list[Event], BaseException | None]:
    events: list[Event] = []
    try:
        events.extend(run)
    except errors.GeminiMagicError as error:
        return events, error
    return events, None


CALLS = Answer(
    chunks=["Let me ", "look."],
    calls=[
        Call("weather", {"city": "Ulm", "days": 2}, "a"),
        Call("population", {"city": "Ulm"}, "b"),
    ],
    usage=Usage(prompt=10, output=5),
)
MORE = Answer(calls=[Call("weather", {"city": "Rom"}, "c")], usage=Usage(prompt=20, output=3))
GOOD = Answer(chunks=["Sunny", "."], usage=Usage(prompt=30, output=2))


def test_a_question_of_three_hops(server, lab: Lab) -> None:
    server.set_script([CALLS, MORE, GOOD])
    events, error = drain(run := ask(lab, weather, population))
    assert error is None
    reply = run.reply
    assert reply.text == "Sunny." and reply.finish_reason == STOP
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (60, 10)
    assert lab.sent == 3 and lab.today.requests == 3 and lab.today.tokens == 60
    contents = [json.loads(use.result.content) for use in reply.tool_calls]
    assert sorted(map(str, contents)) == sorted(
        map(str, [{"city": "Ulm", "sun": 4}, 3000, {"city": "Rom", "sun": 2}])
    )
    assert [message.role for message in reply.exchanged] == ["model", "user"] * 2 + ["model"]
    kinds = ["text", "call", "call", "result", "result", "call", "result", "text"]
    assert [kind_of(part) for part in reply.parts] == kinds
    assert [part.result.name for part in reply.parts if part.result] == [
        "weather", "population", "weather",
    ]  # fmt: skip
    order = [type(event) for event in events if not isinstance(event, TextDelta)]
    assert order.count(Started) == 3 and order.count(ToolReturned) == 3
    assert order.index(ToolCalled) < order.index(ToolReturned)
    assert reply.first is not None and reply.first < reply.seconds


def kind_of(part: Part) -> str:
    return next(name for name in ("text", "call", "result") if getattr(part, name) is not None)


def test_the_next_turn_of_a_chat_holds_the_hops(server, lab: Lab) -> None:
    server.set_script([CALLS, GOOD, GOOD])
    drain(run := ask(lab, weather, population))
    request = run.draft.request
    history = (*request.messages, *run.reply.exchanged, Message("user", (Part("And now?"),)))
    again = lab.engine().stream(Request(history), [TARGET])
    _, error = drain(again)
    assert error is None and again.reply.text == "Sunny."


def test_wrong_calls_are_told_to_the_model_which_goes_on(server, lab: Lab) -> None:
    wrong = Answer(calls=[Call("weather", {"town": "Ulm"}, "a"), Call("nothing", {}, "b")])
    server.set_script([wrong, GOOD])
    _, error = drain(run := ask(lab, weather))
    assert error is None and run.reply.text == "Sunny."
    assert [use.result.failed for use in run.reply.tool_calls] == [True, True]
    sent = json.dumps(server.generate_calls[-1].json)
    assert "city: is missing" in sent and "there is no function" in sent


def test_there_is_an_end_to_the_rounds(server, lab: Lab) -> None:
    server.set_script(MORE)
    events, error = drain(run := ask(lab, weather, max_hops=2))
    assert error is None and lab.sent == 3 and lab.today.requests == 3
    assert run.reply.finish_reason == TOOL_CALLS and not run.reply.complete
    assert Notice("stopped after 2 rounds of calls (--max-hops)") in events
    assert run.reply.notices == ("stopped after 2 rounds of calls (--max-hops)",)
    assert len(run.reply.tool_calls) == 2
    # The call without an answer is no part of a history: services refuse one.
    assert run.reply.parts[-1].call is not None
    assert run.reply.exchanged[-1].role == "user"


def test_a_route_may_switch_before_the_first_hop_and_never_after(
    google_server, openai_server, lab: Lab
) -> None:
    first = serve(lab, google_server(key=KEY))
    second = serve(lab, openai_server(key="sk-TESTKEYtestkeyTESTKEYtestkey0123456789"), "other")
    other = Target("other", MODEL)
    first.set_script(NO_CAPACITY)
    second.set_script([MORE, GOOD])
    events, error = drain(run := ask(lab, weather, targets=[TARGET, other]))
    assert error is None and run.reply.text == "Sunny." and run.reply.target == other
    assert [type(event) for event in events].count(Switched) == 1
    first.set_script([MORE, NO_CAPACITY])
    second.clear()
    events, error = drain(run := ask(lab, weather, targets=[TARGET, other]))
    assert isinstance(error, errors.Overloaded) and not second.generate_calls
    assert not any(isinstance(event, Switched) for event in events)


@pytest.mark.parametrize(
    "failure", [NO_CAPACITY, BROKEN, Fault("drop", 1, Answer(chunks=["So", "x"]))]
)
def test_an_error_in_a_later_hop_keeps_what_came(server, lab: Lab, failure: Any) -> None:
    server.set_script([CALLS, failure])
    _, error = drain(run := ask(lab, weather, population))
    assert isinstance(error, errors.GeminiMagicError)
    reply = run.reply
    assert [use.call.name for use in reply.tool_calls] and len(reply.tool_calls) == 2
    assert [kind_of(part) for part in reply.parts][:5] == [
        "text",
        "call",
        "call",
        "result",
        "result",
    ]
    assert reply.usage.input_tokens is not None and reply.usage.input_tokens >= 10
    assert lab.sent == 2 and lab.today.requests >= 1


def test_a_later_hop_is_asked_again_where_that_can_help(server, lab: Lab) -> None:
    lab.configure(settings="retries = 1")
    server.set_script([MORE, NO_CAPACITY, GOOD])
    _, error = drain(run := ask(lab, weather))
    assert error is None and run.reply.text == "Sunny." and lab.sent == 3
    assert len(run.reply.tool_calls) == 1


def test_a_function_may_ask_itself(server, lab: Lab) -> None:
    engine = lab.engine()

    def nested() -> str:
        inner = engine.stream(Request((Message("user", (Part("inner"),)),)), [TARGET])
        drain(inner)
        return inner.reply.text

    server.set_script([Answer(calls=[Call("nested", {}, "a")]), "deep", GOOD])
    _, error = drain(run := ask(lab, nested))
    assert error is None and run.reply.text == "Sunny."
    assert json.loads(run.reply.tool_calls[0].result.content) == "deep"


# --- interrupts -----------------------------------------------------------------------------------


def interrupted(run: Run, when: Callable[[], bool]) -> float:
    """Follow a run as a cell does; the seconds from the user's interrupt to the end of the run."""
    pressed: list[float] = []

    def press() -> None:
        end = time.monotonic() + 5
        while not when() and time.monotonic() < end:
            time.sleep(0.005)
        pressed.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    try:
        while not run.over:
            run.poll()
    except KeyboardInterrupt:
        run.cancel()
        assert run.wait(5)
        took = time.monotonic() - pressed[0]
        run.poll(0)
        return took
    raise AssertionError("the interrupt did not come through")


@pytest.mark.parametrize("where", ["sync", "async", "deaf", "blocking", "next hop", "streaming"])
def test_an_interrupt_ends_the_run_at_once_and_keeps_what_came(
    server, lab: Lab, where: str
) -> None:
    begun = threading.Event()
    free = threading.Event()

    def slow(n: int = 0) -> int:
        begun.set()
        time.sleep(20)
        return n

    async def asleep() -> None:
        begun.set()
        if where == "blocking":
            free.wait(20)
        while not free.is_set():
            try:
                await asyncio.sleep(20 if where == "async" else 0.05)
            except asyncio.CancelledError:
                if where == "async":
                    raise

    def quick() -> int:
        return 1

    name = {"async": "asleep", "deaf": "asleep", "blocking": "asleep", "sync": "slow"}.get(where)
    calls = [Call("quick", {}, "q"), *([Call(name, {}, "s")] if name else [])]
    last = Answer(first_delay=20) if where == "next hop" else Answer(chunks=["a ", "b"], delay=20)
    server.set_script([Answer(chunks=["Let me ", "look."], calls=calls, usage=Usage(10, 5)), last])
    run = ask(lab, slow, asleep, quick)

    def ready() -> bool:
        if name:
            return begun.is_set() and bool(run.draft.uses)
        if len(server.generate_calls) < 2:  # until then the texts are those of the first hop
            return False
        return where == "next hop" or bool(run.draft.texts)

    assert interrupted(run, ready) < 0.3
    free.set()
    reply = run.reply
    assert run.error is None and reply.finish_reason == CANCELLED
    assert reply.parts[0].text == "Let me look."
    assert [use.call.name for use in reply.tool_calls] == ["quick"]
    hops = 1 if name else 2
    assert lab.sent == hops and lab.today.requests == hops and lab.minute.requests == hops
    assert reply.usage.input_tokens == 10
    if name:  # the last call is unanswered
        assert [part.text for message in reply.exchanged for part in message.parts] == [
            "Let me look."
        ]
    server.clear()
    server.set_script(GOOD)
    _, error = drain(again := ask(lab, quick))
    assert error is None and again.reply.text == "Sunny."


def test_async_functions_that_block_stop_nobody_else(server, lab: Lab) -> None:
    free = threading.Event()

    async def blocks() -> None:
        free.wait(20)

    server.set_script([Answer(calls=[Call("blocks", {}, "a"), Call("blocks", {}, "b")]), GOOD])
    began = time.monotonic()
    run = ask(lab, blocks, timeout=0.3)
    server_free = lab.engine().stream(Request((Message("user", (Part("x"),)),)), [TARGET])
    _, error = drain(run)
    assert error is None and time.monotonic() - began < 5
    assert all("took longer" in use.result.content for use in run.reply.tool_calls)
    assert drain(server_free)[1] is None
    server.set_script([CALLS, GOOD])
    drain(run := ask(lab, weather, population))
    free.set()
    assert [use.result.failed for use in run.reply.tool_calls] == [False, False]


def test_nothing_more_to_say_after_the_functions_work(server, lab: Lab) -> None:
    server.set_script([CALLS, Answer.empty()])
    _, error = drain(run := ask(lab, weather, population))
    assert error is None and run.reply.finish_reason == STOP
    assert run.reply.text == "" and len(run.reply.tool_calls) == 2


def test_arguments_with_half_a_character_go_back(server, lab: Lab) -> None:
    def look(city: str) -> str:
        return city

    server.set_script([Answer(calls=[Call("look", {"city": "a\ud83d"}, "a")]), GOOD])
    _, error = drain(run := ask(lab, look))
    assert error is None and run.reply.text == "Sunny."
    json.dumps([part.to_json() for part in run.reply.parts], ensure_ascii=False).encode()


def test_an_answer_that_rests_on_sources_is_not_stored(openai_server, lab: Lab) -> None:
    source = {"url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 1}
    note = {"annotations": [{"type": "url_citation", "url_citation": source}]}
    server = serve(lab, openai_server(key=KEY))
    server.set_script(Answer(items=["found", note]))
    engine = lab.engine(cache=True)
    for _ in range(2):
        run = engine.stream(Request((Message("user", (Part("x"),)),)), [TARGET], replay=True)
        assert drain(run)[1] is None and run.reply.citations
        engine._log_thread.submit(int).result()  # whatever is kept is kept by now
    assert lab.sent == 2


def test_an_answer_that_lacks_a_picture_is_not_stored(openai_server, lab: Lab) -> None:
    """It may be there the next time: its address gave nothing now, or the wire broke it."""
    broken = {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    server = serve(lab, openai_server(key=KEY))
    server.set_script(Answer(items=["Here: ", broken]))
    engine = lab.engine(cache=True)
    for _ in range(2):
        run = engine.stream(Request((Message("user", (Part("x"),)),)), [TARGET], replay=True)
        assert drain(run)[1] is None and run.reply.text == "Here: "
        assert "a picture was left out" in run.reply.notices[0]
        engine._log_thread.submit(int).result()  # whatever is kept is kept by now
    assert lab.sent == 2
