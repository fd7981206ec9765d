"""The embedded model. Marked tests ask real weights, if they are on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.backends import local, local_process, local_server, rendezvous, weights
from gemini_magic.backends.local import LocalBackend
from gemini_magic.catalog import default_model
from gemini_magic.errors import (
    BackendError,
    GeminiMagicError,
    MissingWeights,
    UnknownModel,
    UsageError,
    WireError,
)
from gemini_magic.events import BackendEvent, Ended, Notice, TextDelta, ToolCalled, Waiting
from gemini_magic.types import (
    CODE_EXECUTION,
    SEARCH,
    URL_CONTEXT,
    File,
    Message,
    Part,
    Request,
    Settings,
    Tool,
    ToolResult,
)

NAME = "qwen2.5-coder-0.5b"
REAL = weights.find(NAME)  # before a test moves the home
LONG = "Count from 1 to 500, separated by commas."

real = [
    pytest.mark.local_model,
    pytest.mark.skipif(REAL is None, reason=f"{NAME} is not on this machine"),
]


def ask(prompt: str, schema: str | None = None, **settings: Any) -> Request:
    given = {"temperature": 0.0, "max_output_tokens": 60} | settings
    return Request((Message("user", (Part(prompt),)),), settings=Settings(**given), schema=schema)


async def events(backend: LocalBackend, request: Request, model: str) -> list[BackendEvent]:
    async with open_backend(backend):
        return [event async for event in backend.stream(request, model)]


@contextlib.asynccontextmanager
async def open_backend(backend: LocalBackend) -> AsyncIterator[LocalBackend]:
    try:
        yield backend
    finally:
        await backend.aclose()


def answer(request: Request, model: str = NAME, **options: Any) -> list[BackendEvent]:
    options = {"idle_minutes": 2} | options
    return asyncio.run(events(LocalBackend(NAME, **options), request, model))


def text(found: list[BackendEvent]) -> str:
    return "".join(event.text for event in found if isinstance(event, TextDelta))


def children() -> list[rendezvous.Child]:
    found = [rendezvous.read(place) for place in rendezvous.everyone()]
    return [child for child in found if child and rendezvous.alive(child)]


def only_child() -> rendezvous.Child:
    (child,) = children()
    return child


def until(condition: Any, seconds: float) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "too late"
        time.sleep(0.02)
    return time.monotonic() - started


def busy() -> bool:
    told = local_process.ask(only_child(), "/metrics")
    return told is None or local_server.busy(local_server.metrics(told["text"]))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the real weights; its processes are ended with the module."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_MAGIC_HOME", str(home))
        if REAL:
            weights.folder().mkdir(parents=True)
            os.link(REAL, weights.known()[NAME].path)
        yield home
        local.stop()


@pytest.fixture
def home(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(shared))
    return shared


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path))
    return tmp_path


# --- without weights ----------------------------------------------------------------------------


def test_missing_weights_are_never_fetched(empty: Path) -> None:
    with pytest.raises(MissingWeights) as caught:
        answer(ask("hello"))
    assert "not on this machine yet" in caught.value.what
    assert caught.value.next_step == "run: %gemini local install"
    with pytest.raises(MissingWeights) as caught:
        answer(ask("hello"), "smollm2-135m")
    assert caught.value.next_step == "run: %gemini local install smollm2-135m"
    assert not weights.folder().exists()


def test_an_unknown_model_is_refused(empty: Path) -> None:
    with pytest.raises(UnknownModel) as caught:
        answer(ask("hello"), "gpt-4o")
    assert NAME in caught.value.next_step


def test_a_missing_file(empty: Path) -> None:
    with pytest.raises(MissingWeights, match="no file"):
        answer(ask("hello"), "/nowhere/x.gguf")


def test_no_avx2(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_process, "_has_avx2", lambda: False)
    own = empty / "own.gguf"
    own.write_bytes(b"GGUF")
    with pytest.raises(BackendError, match="AVX2"):
        answer(ask("hello"), str(own))


def test_status_without_anything(empty: Path) -> None:
    assert [(one.path, one.pid) for one in local.status()] == [(None, None)] * 3
    assert local.stop() == []


def test_threads_are_no_more_than_cores() -> None:
    assert 1 <= local_server.threads() <= (os.cpu_count() or 1)


def test_metrics() -> None:
    told = "# HELP x\nllamacpp:requests_processing 1\nllamacpp:tokens_predicted_total 7\n"
    counts = local_server.metrics(told)
    assert counts == {"requests_processing": 1, "tokens_predicted_total": 7}
    assert local_server.busy(counts)
    assert not local_server.busy({})


def said(*parts: Part, **more: Any) -> Request:
    return Request((Message("user", (Part("x"), *parts)),), **more)


@pytest.mark.parametrize(
    ("request_", "model", "what"),
    [
        (said(Part(data=b"x", mime_type="image/png")), NAME, "holds image/png"),
        (said(Part(data=b"x", mime_type="audio/wav")), NAME, "holds audio/wav"),
        (said(Part(uri="https://x.org/a.txt", mime_type="text/plain")), NAME, "text/plain"),
        (said(Part(file=File("/no", 9, ""), mime_type="application/pdf")), NAME, "pdf"),
        (said(services=(SEARCH,)), NAME, "--search"),
        (said(services=(URL_CONTEXT,)), NAME, "--url-context"),
        (said(services=(CODE_EXECUTION,)), NAME, "--code-execution"),
        (said(settings=Settings(modalities=("text", "image"))), NAME, "no image"),
        (said(), "gpt-image-2", "gpt-image-2 makes image"),
    ],
)
def test_what_it_cannot_do_is_refused_in_a_line(
    empty: Path, request_: Request, model: str, what: str
) -> None:
    with pytest.raises(UsageError) as caught:  # with or without weights
        answer(request_, model)
    assert what in caught.value.what and "nothing was sent" in caught.value.what
    assert caught.value.next_step == f"ask a Gemini model: -m studio:{default_model()}"


def test_what_it_knows_nothing_of_is_told() -> None:
    asked = said(settings=Settings(thinking="low", safety="none", voice="x", temperature=1.0))
    kept, told = local._within_reach(asked)
    assert kept.settings == Settings(temperature=1.0)
    assert told == ["thinking, safety, voice left out: the local model cannot"]


@pytest.mark.local_model
def test_a_corrupt_file_is_an_error_for_people(empty: Path) -> None:
    pytest.importorskip("xllamacpp")
    own = empty / "own.gguf"
    own.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(BackendError, match="could not be loaded") as caught:
        answer(ask("hello"), str(own))
    assert "GGUF" in caught.value.next_step
    assert not rendezvous.everyone()


@pytest.mark.local_model
def test_damaged_weights_are_told_from_unknown_ones(empty: Path) -> None:
    pytest.importorskip("xllamacpp")
    row = weights.known()["smollm2-135m"]
    row.path.parent.mkdir(parents=True)
    with row.path.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(row.size)
    with pytest.raises(MissingWeights, match="damaged") as caught:
        answer(ask("hello"), row.name)
    assert caught.value.next_step == "run: %gemini local install smollm2-135m"


# --- with real weights --------------------------------------------------------------------------


class TestRealModel:
    pytestmark = real

    def test_it_knows_the_capital_of_france(self, home: Path) -> None:
        found = answer(ask("What is the capital of France?"))
        assert "Paris" in text(found)
        ended = found[-1]
        assert isinstance(ended, Ended)
        assert ended.finish_reason == "STOP"
        assert ended.model_version == NAME
        assert ended.usage.input_tokens == 36
        assert [e for e in found if isinstance(e, Notice)] == [Notice(local.WARNING)]

    def test_the_first_wait_is_told_the_second_is_none(self, home: Path) -> None:
        local.stop()
        assert answer(ask("hi", max_output_tokens=2))[0] == Waiting(local.LOADING)
        assert not isinstance(answer(ask("hi", max_output_tokens=2))[0], Waiting)

    def test_with_a_seed_answers_repeat(self, home: Path) -> None:
        for temperature in (0.0, 0.9):
            options = {"seed": 7, "temperature": temperature, "max_output_tokens": 30}
            question = ask("Write a haiku about rain.", **options)
            first = text(answer(question))
            answer(ask("Write a haiku", max_output_tokens=3))
            assert text(answer(question)) == first

    def test_quicksort_runs(self, home: Path) -> None:
        found = text(answer(ask("Write quicksort in Python. Only code.", max_output_tokens=400)))
        code = found.split("```python")[1].split("```")[0]
        space: dict[str, Any] = {}
        exec(code, space)
        sort = next(f for name, f in space.items() if "sort" in name and callable(f))
        data = [3, 1, 2, 2, -5]
        assert (sort(data) or data) == sorted(data)

    def test_a_schema_is_kept(self, home: Path) -> None:
        schema = {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "country": {"enum": ["France", "Spain"]},
                "inhabitants": {"type": "integer"},
            },
            "required": ["city", "country", "inhabitants"],
            "additionalProperties": False,
        }
        found = json.loads(text(answer(ask("Describe Paris.", json.dumps(schema)))))
        assert list(found) == ["city", "country", "inhabitants"]
        assert found["country"] in ("France", "Spain")

    def test_settings_reach_it(self, home: Path) -> None:
        found = answer(ask(LONG, stop=("5",), max_output_tokens=100))
        assert "5" not in text(found)
        found = answer(ask(LONG, max_output_tokens=7))
        assert found[-1].finish_reason == "MAX_TOKENS"  # type: ignore[union-attr]
        wild = {"temperature": 1.5, "top_k": 1, "seed": 3}  # top_k = 1 is greedy
        assert text(answer(ask(LONG, **wild))) == text(answer(ask(LONG, seed=3)))

    def test_thinking_is_left_out_with_a_notice(self, home: Path) -> None:
        found = answer(ask("hi", thinking="high", max_output_tokens=4))
        notices = [event.text for event in found if isinstance(event, Notice)]
        assert notices == [local.WARNING, "thinking left out: the local model cannot"]

    def test_a_text_file_is_read(self, home: Path, tmp_path: Path) -> None:
        path = tmp_path / "town.txt"
        path.write_text("The town of Zorb has 4711 inhabitants.")
        known = File(str(path), path.stat().st_size, "")
        part = Part(file=known, mime_type="text/plain", name="town.txt")
        asked = Request((Message("user", (Part("How many live in Zorb? "), part)),),
                        settings=Settings(temperature=0.0, max_output_tokens=40))  # fmt: skip
        assert "4711" in text(answer(asked)).replace(",", "")

    def test_a_function_is_called_and_its_result_told(self, home: Path) -> None:
        parameters = {"type": "object", "properties": {"city": {"type": "string"}},
                      "required": ["city"]}  # fmt: skip
        tools = (Tool("get_weather", "The weather of a city now", json.dumps(parameters)),)
        schema = {"type": "object", "properties": {"degrees": {"type": "integer"}},
                  "required": ["degrees"]}  # fmt: skip
        asked = replace(ask("What is the weather in Tokyo?"), tools=tools)
        found = answer(replace(asked, schema=json.dumps(schema)))
        assert Notice("the schema holds for the answer after the calls") in found
        (called,) = [event for event in found if isinstance(event, ToolCalled)]
        assert called.call.name == "get_weather"
        assert json.loads(called.call.arguments) == {"city": "Tokyo"}
        result = ToolResult("get_weather", '{"temperature": 21, "sky": "clear"}', called.call.id)
        talk = (*asked.messages, Message("model", (called.part,)),
                Message("user", (Part(result=result),)))  # fmt: skip
        found = answer(replace(asked, messages=talk))
        assert "21" in text(found) and not any(isinstance(e, ToolCalled) for e in found)
        assert Notice("the local model answers after one round of calls") in found
        found = answer(replace(asked, messages=talk, schema=json.dumps(schema)))
        assert json.loads(text(found)) == {"degrees": 21}

    def test_too_long_a_prompt(self, home: Path) -> None:
        with pytest.raises(WireError) as caught:
            answer(ask("word " * 5000))
        assert caught.value.status == 400
        assert "exceed_context_size_error" in json.dumps(caught.value.body)

    def test_each_answer_has_the_whole_context(self, home: Path) -> None:
        found = answer(ask("word " * 440 + "Say yes.", max_output_tokens=2), context=512)
        assert isinstance(found[-1], Ended)
        local.stop()

    def test_counting(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        backend = LocalBackend(NAME)
        question = ask("What is the capital of France?")
        tools = (Tool("f", "Does it", '{"type": "object", "properties": {}}'),)
        with_tools = asyncio.run(backend.count_tokens(replace(question, tools=tools), NAME))
        assert with_tools is not None and with_tools > 80
        assert asyncio.run(backend.count_tokens(question, NAME)) == 36
        assert asyncio.run(LocalBackend(NAME, context=700).count_tokens(question, NAME)) is None

    def test_models_and_status(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        (model,) = asyncio.run(LocalBackend(NAME).models())
        assert (model.name, model.input_limit) == (NAME, 4096)
        state = local.status()[0]
        assert state.pid == only_child().pid
        assert not state.loading
        assert state.uptime is not None
        if sys.platform == "linux":
            assert state.memory and 5e8 < state.memory < 1.2e9

    def test_its_key_is_needed(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        for path in ("/v1/models", "/v1/chat/completions", "/metrics", "/slots", "/props"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(
                    only_child().url + path, data=b"{}" if "chat" in path else None
                )
            assert caught.value.code == 401
            caught.value.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc")
    def test_the_process_list_shows_no_key(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        local.stop()
        monkeypatch.setenv("GEMINI_API_KEY", "AIza-a-users-key")
        answer(ask("hi", max_output_tokens=2))
        child = only_child()
        shown = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        shown += Path(f"/proc/{child.pid}/environ").read_bytes()
        shown += (home / "state" / "local.log").read_bytes()
        assert child.key.encode() not in shown
        assert b"AIza" not in shown

    def test_a_proxy_of_the_environment_sees_nothing(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert text(answer(ask("hi", max_output_tokens=2)))

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc")
    def test_it_is_nobodys_child(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        child = only_child()
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) != os.getpid()
        assert os.getsid(child.pid) == child.pid

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
    def test_a_forked_kernel_does_not_end_it(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        child = only_child()
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        os.waitpid(pid, 0)
        answer(ask("hi", max_output_tokens=2))
        assert only_child() == child

    def test_kernels_that_start_at_once_share_one(self, home: Path) -> None:
        local.stop()
        script = f"""
            import asyncio
            from gemini_magic.backends import rendezvous
            from gemini_magic.backends.local import LocalBackend
            from gemini_magic.types import *
            request = Request((Message("user", (Part("Name a colour."),)),),
                              settings=Settings(temperature=0, max_output_tokens=5))
            async def main():
                async for event in LocalBackend({NAME!r}).stream(request, {NAME!r}):
                    pass
            asyncio.run(main())
            print([rendezvous.read(place).pid for place in rendezvous.everyone()])
        """
        command = [sys.executable, "-c", textwrap.dedent(script)]
        kernels = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        told = {kernel.communicate()[0].strip() for kernel in kernels}
        assert told == {str([only_child().pid])}

    def test_a_closed_answer_frees_it(self, home: Path) -> None:
        async def begin() -> None:
            async with open_backend(LocalBackend(NAME)) as backend:
                stream = backend.stream(ask(LONG, max_output_tokens=2000), NAME)
                async for event in stream:
                    if isinstance(event, TextDelta):
                        break
                assert await asyncio.to_thread(busy)
                await stream.aclose()  # type: ignore[attr-defined]
                await asyncio.to_thread(until, lambda: not busy(), 2)

        asyncio.run(begin())

    def test_closed_while_it_loads_the_next_cell_finds_it(self, home: Path) -> None:
        local.stop()

        async def begin() -> float:
            stream = LocalBackend(NAME).stream(ask("hi"), NAME)
            assert await anext(aiter(stream)) == Waiting(local.LOADING)
            started = time.monotonic()
            await stream.aclose()  # type: ignore[attr-defined]
            return time.monotonic() - started

        assert asyncio.run(begin()) < 0.3
        until(lambda: children(), 2)
        pid = only_child().pid
        answer(ask("hi", max_output_tokens=2))
        assert only_child().pid == pid

    def test_killed_in_an_answer_the_next_cell_starts_anew(self, home: Path) -> None:
        async def begin() -> None:
            async with open_backend(LocalBackend(NAME)) as backend:
                request = ask(LONG, max_output_tokens=2000)
                async for event in backend.stream(request, NAME):
                    if isinstance(event, TextDelta):
                        os.kill(only_child().pid, getattr(signal, "SIGKILL", signal.SIGTERM))

        answer(ask("hi", max_output_tokens=2))
        old = only_child().pid
        with pytest.raises(WireError) as caught:
            asyncio.run(begin())
        assert caught.value.phase == "stream"
        assert "Paris" in text(answer(ask("What is the capital of France?")))
        assert only_child().pid != old

    def test_killed_while_it_loads(self, home: Path) -> None:
        local.stop()

        async def begin() -> None:
            async for event in LocalBackend(NAME).stream(ask("hi"), NAME):
                if isinstance(event, Waiting):
                    os.kill(only_child().pid, getattr(signal, "SIGKILL", signal.SIGTERM))

        with pytest.raises(GeminiMagicError, match="ended while loading"):
            asyncio.run(begin())
        assert text(answer(ask("hi", max_output_tokens=2)))

    def test_it_ends_when_idle(self, home: Path) -> None:
        local.stop()
        answer(ask("hi", max_output_tokens=2), idle_minutes=2 / 60)
        child = only_child()
        lasted = until(lambda: not rendezvous.alive(child), 8)
        assert lasted > 1.5
        assert not rendezvous.everyone()

    def test_a_long_answer_is_no_idleness(self, home: Path) -> None:
        local.stop()
        found = answer(ask(LONG, max_output_tokens=250), idle_minutes=0.5 / 60)
        assert isinstance(found[-1], Ended)

    def test_it_ends_when_its_file_goes(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        child = only_child()
        rendezvous.everyone()[0].unlink()
        until(lambda: not rendezvous.alive(child), 3)

    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    def test_sigterm_ends_it_cleanly(self, home: Path) -> None:
        answer(ask("hi", max_output_tokens=2))
        child = only_child()
        os.kill(child.pid, signal.SIGTERM)
        until(lambda: not rendezvous.alive(child), 3)
        assert not rendezvous.everyone()

    def test_a_switch_is_stated(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local_process, "_JUST_FOUND", 0.0)
        answer(ask("hi", max_output_tokens=2))
        old, own = only_child(), home / "own.gguf"
        os.link(weights.known()[NAME].path, own)
        found = answer(ask("What is the capital of France?"), str(own))
        notices = [event.text for event in found if isinstance(event, Notice)]
        assert notices == [f"local model switched from {NAME} to own", local.WARNING]
        assert "Paris" in text(found)
        assert not rendezvous.alive(old)
        assert [one.name for one in local.status() if one.pid] == ["own"]
        local.stop()

    def test_the_template_announces_what_the_model_writes(self, home: Path) -> None:
        template = local_server.fenced_template(weights.known()[NAME].path)
        assert "```json" in template
        assert "tool_call>" not in template


def test_an_answer_with_a_schema_ends() -> None:
    asked = Request((Message("user", (Part(text="x"),)),), schema='{"type": "array"}')
    bounded, notices = local._within_reach(asked)
    assert bounded.settings.max_output_tokens == 1_000 and notices == []
    given = replace(asked, settings=Settings(max_output_tokens=7))
    assert local._within_reach(given)[0].settings.max_output_tokens == 7
