"""Plain Python's face: real SDKs over real sockets, from scripts, threads, loops and children."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import gemini_magic as gm
from gemini_magic import api, errors
from gemini_magic.engine.question import Unfit
from gemini_magic.option_table import OPTIONS
from tests.kernels import Kernel
from tests.wire import Answer, Call, Fault, Usage

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
ROOT = Path(__file__).parents[1]


class City(BaseModel):
    name: str
    inhabitants: int


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Each test has a home of its own, and so an engine of its own."""
    yield
    api.close()


@pytest.fixture(params=["google", "openai"])
def kind(request) -> str:  # type: ignore[no-untyped-def]
    return str(request.param)


@pytest.fixture
def server(kind, google_server, openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    """A server of either kind, configured as the backend ``test`` that answers by default."""
    return serve(google_server if kind == "google" else openai_server, kind, configure, monkeypatch)


@pytest.fixture
def proxy(openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    """One server, where the wire makes no difference."""
    return serve(openai_server, "openai", configure, monkeypatch)


def serve(make: Any, kind: str, configure: Any, monkeypatch: Any, limits: str = "") -> Any:
    monkeypatch.setenv("TEST_KEY", KEY)
    running = make(key=KEY)
    configure(
        f"""
        [settings]
        model = "test:gemini-2.5-flash"
        max_wait = 1
        retries = 0
        [backends.test]
        kind = "{kind}"
        base_url = "{running.url}"
        key_env = "TEST_KEY"
        project = "mine"
        model = "gemini-2.5-flash"
        [limits.mine."gemini-2.5-flash"]
        {limits or "rpm = 1000"}
        """
    )
    return running


def said(call: Any) -> list[Any]:
    """What the last message of a request holds."""
    if "contents" in call.json:
        return list(call.json["contents"][-1]["parts"])
    content = call.json["messages"][-1]["content"]
    return [{"text": content}] if isinstance(content, str) else list(content)


def text_of(call: Any) -> str:
    return "".join(part.get("text", "") for part in said(call))


def script(source: str, *, send: int = 0, ready: Any = None) -> subprocess.CompletedProcess[str]:
    """Run a program; ``send`` it a signal once ``ready()``."""
    Path("program.py").write_text(textwrap.dedent(source), "utf-8")
    child = subprocess.Popen(
        [sys.executable, "program.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if send:
        until = time.monotonic() + 30
        while not ready() and time.monotonic() < until:
            time.sleep(0.02)
        child.send_signal(send)
    out, err = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


# --- what is sent ---


def test_the_prompt_is_taken_literally_and_options_are_the_cells(server) -> None:
    server.set_script(Answer(text="fine"))
    prompt = r"{{ topic }} \{{ x }} --seed 3 %%gemini ${{ y }}"
    reply = gm.ask(prompt, temperature=0.5, stop=["END"], max_output_tokens=9, system="{{ be }}")
    assert (reply.text, reply.backend, reply.model) == ("fine", "test", "gemini-2.5-flash")
    (call,) = server.generate_calls
    assert text_of(call) == prompt and "{{ be }}" in call.body.decode()
    settings = call.json.get("generationConfig") or call.json
    assert settings["temperature"] == 0.5 and "END" in str(settings)
    assert reply.request is not None and reply.request.settings.max_output_tokens == 9


def test_texts_and_objects_go_in_their_order(server) -> None:
    Image = pytest.importorskip("PIL.Image")
    pandas = pytest.importorskip("pandas")
    server.set_script(Answer(text="fine"))
    picture = Image.new("RGB", (2, 2))
    gm.ask(["Look:", picture, "and at", pandas.DataFrame({"a": [1]})], "Well?")
    parts = said(server.generate_calls[0])
    assert parts[0]["text"] == "Look:" and "text" not in parts[1]
    rest = "".join(part["text"] for part in parts[2:])
    assert rest.startswith("and at\n") and rest.endswith("Well?") and "a" in rest
    gm.ask("What is it?", picture)
    parts = said(server.generate_calls[1])
    assert parts[0]["text"] == "What is it?" and len(parts) == 2


def test_a_file_is_named_by_a_path(server, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("the text of the note", "utf-8")
    server.set_script(Answer(text="fine"))
    gm.ask("Sum it up", note)
    assert "the text of the note" in text_of(server.generate_calls[0])
    with pytest.raises(errors.PlaceholderError, match="nowhere"):
        gm.ask("Sum it up", tmp_path / "nowhere.txt")
    assert len(server.generate_calls) == 1


def test_images_and_files(server, tmp_path: Path) -> None:
    Image = pytest.importorskip("PIL.Image")
    server.set_script(Answer(text="fine"))
    picture = Image.new("RGB", (8, 8))
    picture.save("photo.png")
    Path("notes.txt").write_text("my notes", "utf-8")
    gm.ask("What?", images=["photo.png", Path("photo.png"), picture], files="notes.txt")
    parts = said(server.generate_calls[0])
    assert ["text" in part for part in parts] == [False] * 3 + [True] * (len(parts) - 3)
    assert "my notes" in text_of(server.generate_calls[0]) and parts[-1]["text"].endswith("What?")
    gm.ask("What?", images=picture, max_pixels=4)
    assert len(said(server.generate_calls[1])) == 2
    for wrong in ({"images": "nowhere.png"}, {"files": [Path("nowhere.txt")]}, {"images": 3}):
        with pytest.raises(errors.PlaceholderError, match=r"nowhere|image_1"):
            gm.ask("What?", **wrong)
    assert len(server.generate_calls) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"temprature": 1}, "no option temprature; nothing was sent. Did you mean temperature?"),
        ({"image": "x.png"}, "Did you mean images"),
        ({"out": "x"}, "no option out"),
        ({"temperature": 9}, "temperature must be from 0 to 2, not '9'"),
        ({"temperature": True}, "temperature takes a number, not True"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"top_k": 1.5}, "top_k takes a whole number"),
        ({"thinking": "hgih"}, "Choose off, low, medium, high"),
        ({"search": "yes"}, "search takes True or False"),
        ({"stop": [1]}, "stop takes a text or a list of texts"),
        ({"modalities": ["smell"]}, "modalities cannot be 'smell'"),
        ({"model": 7}, "model takes a text, not 7"),
        ({"backend": "tset"}, "no backend tset"),
        ({"chat": "two words"}, "chat takes a name"),
        ({"tools": [3]}, "tools takes functions with a name"),
        ({"tools": [lambda x: x]}, "tools takes functions with a name"),
        ({"schema": 3}, "is a value"),
    ],
)
def test_wrong_options_are_told_and_nothing_is_sent(proxy, options, told) -> None:
    for call in (lambda: gm.ask("x", **options), lambda: asyncio.run(gm.aask("x", **options))):
        with pytest.raises(gm.GeminiMagicError) as caught:
            call()
        assert told in str(caught.value) and "--temp" not in str(caught.value)
        assert caught.value.reply is None  # type: ignore[attr-defined]
    assert proxy.requests == []


def test_an_unknown_option_is_a_type_error_too(proxy) -> None:
    with pytest.raises(TypeError):
        gm.ask("x", temprature=1)


def test_none_is_not_given_and_false_is_not_set(proxy) -> None:
    proxy.set_script(Answer(text="fine"))
    gm.ask("x", temperature=None, search=False, schema=None, tools=(), images=[])
    (call,) = proxy.generate_calls
    assert "temperature" not in call.json and "tools" not in call.json


def test_an_empty_prompt_is_refused(proxy) -> None:
    for prompt in ("", " \n", []):
        with pytest.raises(errors.UsageError, match="empty"):
            gm.ask(prompt)
    assert proxy.requests == []


def test_the_signature_shows_the_options_of_the_table() -> None:
    shown = inspect.signature(gm.ask).parameters
    assert {"prompt", "model", "backend", "images", "top_p", "no_fallback"} <= set(shown)
    assert {option.key for option in OPTIONS if option.setting} <= set(shown)
    assert inspect.signature(gm.aask).parameters.keys() == shown.keys()
    assert {"ask", "aask", "stream"} <= set(dir(gm))


def test_who_is_asked(google_server, openai_server, configure, monkeypatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    one, two = google_server(Answer(text="1"), key=KEY), openai_server(Answer(text="2"), key=KEY)
    configure(
        f"""
        [settings]
        model = "one:gemini-2.5-flash"
        [backends.one]
        kind = "google"
        base_url = "{one.url}"
        key_env = "TEST_KEY"
        [backends.two]
        kind = "openai"
        base_url = "{two.url}"
        key_env = "TEST_KEY"
        model = "gemini-2.5-flash"
        [routes.other]
        targets = ["two"]
        """
    )
    for options in (
        {"backend": "two"},
        {"route": "other"},
        {"model": "two:gemini-2.5-flash"},
        {"model": "gemini-2.5-flash", "backend": "two"},
        {"model": "two"},
    ):
        assert gm.ask("x", **options).backend == "two"
    assert gm.ask("x").backend == "one"


# --- what comes back ---


def test_an_error_carries_what_came(server) -> None:
    server.set_script(Fault("truncate", after=2, answer=Answer(chunks=["so ", "far ", "more"])))
    for call in (lambda: gm.ask("x"), lambda: asyncio.run(gm.aask("x")),
                 lambda: list(gm.stream("x"))):  # fmt: skip
        with pytest.raises(errors.BackendError) as caught:
            call()
        reply = caught.value.reply  # type: ignore[attr-defined]
        assert (reply.text, reply.finish_reason) == ("so far ", "CUT")
        copy = pickle.loads(pickle.dumps(caught.value))  # what a pool of processes does
        assert copy.reply.text == "so far " and copy.what == caught.value.what


def test_a_schema_gives_objects(server) -> None:
    server.set_script(Answer(text='{"name": "Paris", "inhabitants": 2100000}'))
    for schema in (City, City.model_json_schema(), "name, inhabitants int"):
        reply = gm.ask("The capital of France?", schema=schema)
        assert reply.parsed is not None and reply.request is not None and reply.request.schema
    assert gm.ask("x", schema=City).parsed == City(name="Paris", inhabitants=2_100_000)
    server.set_script(Answer(text='["red", "green"]'))
    kinds = list[Literal["red", "green"]]
    assert asyncio.run(gm.aask("x", schema=kinds)).parsed == ["red", "green"]


def test_an_answer_that_does_not_fit_is_kept(server) -> None:
    server.set_script(Answer(text='{"name": "Paris"}'))
    with pytest.raises(Unfit, match="inhabitants") as caught:
        gm.ask("x", schema=City)
    assert caught.value.reply.text == '{"name": "Paris"}'  # type: ignore[attr-defined]
    assert len(server.generate_calls) == 1


def test_repair_needs_a_schema(server) -> None:
    with pytest.raises(errors.UsageError, match="--repair has nothing to do without --schema"):
        gm.ask("x", repair=True)
    assert server.generate_calls == []


def test_repair_asks_once_more(server) -> None:
    good = Answer(text='{"name": "Paris", "inhabitants": 3}', usage=Usage(prompt=5, output=5))
    bad = Answer(text='{"name": "Paris"}', usage=Usage(prompt=10, output=10))
    server.set_script([bad, good])
    reply = gm.ask("x", schema=City, repair=True)
    assert reply.parsed == City(name="Paris", inhabitants=3)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (15, 15)
    assert any("asked once more" in notice for notice in reply.notices)
    server.set_script(bad)
    with pytest.raises(Unfit):
        asyncio.run(gm.aask("x", schema=City, repair=True))
    assert len(server.generate_calls) == 4
    with pytest.raises(errors.UsageError, match="cannot be repaired"):
        gm.stream("x", schema=City, repair=True)


# --- tools ---


def test_tools_are_called_where_the_caller_is(server) -> None:
    threads: list[threading.Thread] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        threads.append(threading.current_thread())
        return f"rain in {city}"

    async def later(city: str) -> str:
        """The weather tomorrow."""
        return f"sun in {city}"

    steps = [
        Answer(calls=[Call("weather", {"city": "Rome"}), Call("later", {"city": "Rome"})]),
        Answer(text="Take a coat."),
    ]
    server.set_script(steps)
    reply = gm.ask("Coat?", tools=[weather, later], max_hops=3)
    assert reply.text == "Take a coat." and threads == [threading.current_thread()]
    assert {use.call.name for use in reply.tool_calls} == {"weather", "later"}
    assert "rain in Rome" in server.generate_calls[1].body.decode()
    assert "sun in Rome" in server.generate_calls[1].body.decode()
    server.set_script(steps)
    assert asyncio.run(gm.aask("Coat?", tools=(weather, later))).text == "Take a coat."
    assert threads[1] is not threading.current_thread()


def test_two_tools_of_one_name_are_refused(proxy) -> None:
    def make(result: str):  # type: ignore[no-untyped-def]
        def tool() -> str:
            """Says it."""
            return result

        return tool

    with pytest.raises(errors.UsageError, match="two of the tools are called tool"):
        gm.ask("x", tools=[make("a"), make("b")])
    assert proxy.requests == []


def test_a_tool_may_ask(proxy) -> None:
    def nested() -> str:
        """Asks."""
        return gm.ask("inner").text

    async def waits() -> str:
        """Would wait for itself."""
        return gm.ask("inner").text

    async def awaits() -> str:
        """Asks."""
        return (await gm.aask("inner")).text

    def respond(body: Any) -> Answer:
        if "inner" in str(body["messages"][-1]):
            return Answer(text="from within")
        if body["messages"][-1]["role"] == "tool":
            return Answer(text=str(body["messages"][-1]["content"]))
        return Answer(calls=[Call(body["tools"][0]["function"]["name"])])

    proxy.set_script(respond)
    assert "from within" in gm.ask("outer", tools=nested).text
    assert "from within" in gm.ask("outer", tools=awaits).text
    assert "gemini_magic.aask" in gm.ask("outer", tools=waits, timeout=5).text


# --- loops, threads, interrupts ---


def test_aask_leaves_the_loop_free_and_runs_at_once(server) -> None:
    server.set_script(Answer(text="fine", first_delay=0.4))
    gm.ask("warm up")

    async def main() -> tuple[int, float]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        began = time.monotonic()
        replies = await asyncio.gather(*(gm.aask(f"question {n}") for n in range(30)))
        ticking.cancel()
        assert [reply.text for reply in replies] == ["fine"] * 30
        return ticks, time.monotonic() - began

    ticks, seconds = asyncio.run(main())
    assert seconds < 6 and ticks > 10  # one after the other they would take 12 s


def test_cancelling_aask_stops_the_run(server) -> None:
    server.set_script(Answer(chunks=["word "] * 200, delay=0.05))

    async def main() -> float:
        task = asyncio.create_task(gm.aask("x"))
        while not server.generate_calls:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(main()) < 0.2
    assert server.wait_disconnects(1, timeout=3)
    server.set_script(Answer(text="fine"))
    assert gm.ask("again").text == "fine"


def test_a_timeout_of_asyncio_ends_aask(server) -> None:
    server.set_script(Fault("hang"))

    async def main() -> None:
        async with asyncio.timeout(0.5):
            await gm.aask("x")

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - began < 5


def test_timeout_is_the_longest_silence(server) -> None:
    server.set_script(Fault("hang"))
    with pytest.raises(errors.Unreachable):
        gm.ask("x", timeout=0.5)


def test_a_pool_of_threads_is_held_by_the_quota(openai_server, configure, monkeypatch) -> None:
    server = serve(openai_server, "openai", configure, monkeypatch, "rpm = 7")
    server.set_script(Answer(text="fine"))

    def one(n: int) -> str:
        try:
            return gm.ask(f"question {n}").text
        except errors.QuotaExceeded as full:
            return full.window

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))
    assert sorted(answers) == ["fine"] * 7 + ["rpm"] * 13
    assert len(server.generate_calls) == 7


@pytest.mark.alone
@pytest.mark.slow
def test_a_pool_of_threads_is_paced(openai_server, configure, monkeypatch) -> None:
    server = serve(openai_server, "openai", configure, monkeypatch, "rpm = 30")
    monkeypatch.setenv("GEMINI_MAGIC_MAX_WAIT", "90")
    server.set_script(Answer(text="fine"))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: gm.ask(f"question {n}").text, range(50)))
    assert answers == ["fine"] * 50
    times = sorted(call.at for call in server.generate_calls)
    assert len(times) == 50 and times[30] - times[0] > 59


def test_an_interrupted_script_keeps_what_came(server) -> None:
    server.set_script(Answer(chunks=["word "] * 400, delay=0.05))
    done = script(
        """
        import gemini_magic as gm, time
        try:
            gm.ask("x")
        except KeyboardInterrupt as stop:
            print(stop.reply.finish_reason, stop.reply.text[:5])
            raise
        """,
        send=signal.SIGINT,
        ready=lambda: server.generate_calls and not time.sleep(0.5),
    )
    assert done.stdout == "CANCELLED word \n" and done.returncode != 0
    assert "Stopped" in done.stderr
    assert server.wait_disconnects(1, timeout=3)


def test_plain_python_imports_no_notebook(server) -> None:
    server.set_script(Answer(text="fine"))
    done = script(
        """
        import sys, gemini_magic as gm
        print(gm.ask("x"), gm.ask("y", quiet=None) is not None)
        print([m for m in ("IPython", "ipywidgets", "pandas", "traitlets") if m in sys.modules])
        """
    )
    assert done.stdout == "fine True\n[]\n", done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_ask_on_their_own(server, method: str) -> None:
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    server.set_script(Answer(text="fine"))
    done = script(
        f"""
        import multiprocessing, gemini_magic as gm

        def work(n):
            return gm.ask(f"question {{n}}").text

        if __name__ == "__main__":
            print(gm.ask("parent").text)
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(work, range(4)))
            print(gm.ask("parent").text)
        """
    )
    assert done.stdout == f"fine\n{['fine'] * 4}\nfine\n", done.stderr
    assert len(server.generate_calls) == 6


# --- stream, chat, stored answers ---


def test_stream_yields_text_as_it_comes(server) -> None:
    server.set_script(Answer(chunks=["a ", "b ", "c"], delay=0.1))
    coming = gm.stream("x")
    times = []
    pieces = []
    for piece in coming:
        pieces.append(piece)
        times.append(time.monotonic())
    assert "".join(pieces) == "a b c" == coming.reply.text and len(pieces) >= 2
    assert times[-1] - times[0] > 0.05 and coming.reply.finish_reason == "STOP"


def test_leaving_a_stream_stops_it(server) -> None:
    server.set_script(Answer(chunks=["word "] * 400, delay=0.02))
    with gm.stream("x") as coming:
        assert next(coming) == "word "
    assert coming.reply.finish_reason == "CANCELLED" and list(coming) == []
    assert server.wait_disconnects(1, timeout=3)
    for piece in gm.stream("x"):
        assert piece
        break
    assert server.wait_disconnects(2, timeout=3)
    gm.stream("x").close()


def test_a_chat_goes_on(server) -> None:
    server.set_script(Answer(text="answer"))
    name = f"talk{id(server)}"
    gm.ask("one", chat=name)
    asyncio.run(gm.aask("two", chat=name))
    gm.ask("apart")
    assert len(server.generate_calls[1].json.get("contents")
               or server.generate_calls[1].json["messages"]) == 3  # fmt: skip
    assert len(server.generate_calls[2].json.get("contents")
               or server.generate_calls[2].json["messages"]) == 1  # fmt: skip


def test_every_call_asks_anew_unless_told_otherwise(server) -> None:
    server.set_script(Answer(text="fine"))
    assert not gm.ask("x").cached and not gm.ask("x").cached
    until = time.monotonic() + 10
    while not (reply := gm.ask("x", cached=True)).cached and time.monotonic() < until:
        time.sleep(0.1)  # an answer is stored a moment after it came
    assert reply.text == "fine"


# --- in a notebook ---


@pytest.mark.kernel
def test_in_a_notebook_the_sessions_engine_and_defaults_are_used(proxy, kernel: Kernel) -> None:
    proxy.set_script(Answer(text="fine"))
    kernel.run("import gemini_magic as gm")
    assert kernel.run("%gemini use test:gemini-3.8-flash").status == "ok"
    assert kernel.value("(gm.ask('x').model, (await gm.aask('y')).model)") == (
        "gemini-3.8-flash", "gemini-3.8-flash",
    )  # fmt: skip
    kernel.run("%config GeminiMagic.generation = {'temperature': 0.25}")
    assert kernel.value("gm.ask('x').request.settings.temperature") == 0.25
    assert kernel.value(
        "__import__('gemini_magic.api').api.desk().engine is"
        " get_ipython().magics_manager.registry['GeminiMagic'].session.engine"
    )
    kernel.run("%%gemini --chat talk\none")
    kernel.run("later = gm.ask('two', chat='talk')")
    assert len(proxy.generate_calls[-1].json["messages"]) == 3
    done = kernel.run("gm.ask('x', temprature=1)")
    assert done.ename == "CallError" and len(done.traceback) == 2
    kernel.run("r = gm.ask('x')")
    assert kernel.run("r").texts("text/markdown") == ["fine"]


@pytest.mark.alone
@pytest.mark.kernel
def test_an_interrupt_of_ask_in_a_notebook(proxy, kernel: Kernel) -> None:
    proxy.set_script(Answer(text="fine"))
    kernel.run("import gemini_magic as gm; gm.ask('warm up')")
    proxy.set_script(Answer(chunks=["word "] * 400, delay=0.05))
    done, seconds = kernel.interrupt_when(
        "gm.ask('long')", lambda: len(proxy.generate_calls) == 2 and not time.sleep(0.4)
    )
    assert done.ename == "Stopped" and len(done.traceback) == 1 and seconds < 0.3
    assert proxy.wait_disconnects(1, timeout=3)
    proxy.set_script(Answer(text="fine"))
    assert kernel.run("gm.ask('again')").status == "ok"
