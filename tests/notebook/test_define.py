"""Functions made of cells: their parameters, their help, and what calling them sends."""

from __future__ import annotations

import asyncio
import inspect
import math
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import GeminiCell, api, errors
from gemini_magic.engine.house import House
from gemini_magic.notebook.define import PromptFunction, define
from gemini_magic.notebook.namespace import Namespace
from tests.wire import Answer, Fault

Make = Callable[..., PromptFunction]


@pytest.fixture
def server(openai_server, configure):  # type: ignore[no-untyped-def]
    running = openai_server(Answer(text="fine"), key="")
    configure(
        f"""
        [settings]
        model = "test:gemini-2.5-flash"
        retries = 0
        [backends.test]
        kind = "openai"
        base_url = "{running.url}"
        """
    )
    return running


@pytest.fixture
def make(server) -> Iterator[Make]:  # type: ignore[no-untyped-def]
    """``make(cell, **variables)``: the function that a cell defines beside these variables."""
    house = House()

    def made(source: str, **variables: Any) -> PromptFunction:
        session: Any = SimpleNamespace(
            engine=house.engine,
            refresh=house.refresh,
            shell=SimpleNamespace(user_ns=variables),
            namespace=Namespace(variables),
        )
        cell = GeminiCell.parse(source)
        define(session, cell)
        function = variables[cell.text("def") or ""]
        assert isinstance(function, PromptFunction)
        return function

    yield made
    house.engine.close()
    api.close()


def prompts(server: Any) -> list[str]:
    return [call.json["messages"][-1]["content"] for call in server.generate_calls]


def parameters(function: PromptFunction) -> dict[str, Any]:
    return {name: one.default for name, one in inspect.signature(function).parameters.items()}


def test_placeholders_become_parameters(make: Make, server, capsys) -> None:
    summarise = make(
        "%%gemini --def summarise --temperature 0.5\n{{ topic }} in {{ n }} words, {{ topic!r }}"
    )
    assert server.requests == []
    out = capsys.readouterr().out
    assert out == (
        "summarise(topic, n) -> Reply is defined; it asks test:gemini-2.5-flash. "
        "Nothing was sent.\n"
    )
    reply = summarise("tides", n=3)
    assert reply.text == "fine" and capsys.readouterr().out == ""
    assert prompts(server) == ["tides in 3 words, 'tides'"]
    assert server.generate_calls[0].json["temperature"] == 0.5
    assert list(parameters(summarise)) == ["topic", "n"]
    assert inspect.signature(summarise).return_annotation is type(reply)


def test_what_exists_is_a_default_and_stands_after_what_is_required(make: Make, server) -> None:
    f = make("%%gemini --def f\n{{ style }}: {{ topic }}", style="short")
    assert parameters(f) == {"topic": inspect.Parameter.empty, "style": "short"}
    assert repr(f).startswith("<f(topic, style='short')")
    f("tides")
    f("tides", "long")
    f(style="odd", topic="x")
    assert prompts(server) == ["short: tides", "long: tides", "odd: x"]


def test_helpers_are_no_parameters(make: Make, server) -> None:
    def shout(text: str) -> str:
        return text.upper()

    f = make(
        "%%gemini --def f\n{{ shout(topic) }} {{ len(words) }} {{ math.floor(x) }} "
        "{{ ', '.join(w) if 0 else 1 }} {{ df.head(n) }} {{ str([i for i in many]) }}",
        shout=shout,
        math=math,
    )
    assert list(parameters(f)) == ["topic", "words", "x", "df", "n", "many"]
    head = SimpleNamespace(head=lambda n: f"first {n}")
    f("a", [1, 2], 2.5, head, 3, "xy")
    (prompt,) = prompts(server)
    assert prompt.startswith("A 2 2 ") and "first 3 ['x', 'y']" in prompt


def test_placeholders_of_the_system_instruction_count(make: Make, server) -> None:
    f = make("%%gemini --def f --system 'You are {{ role }}.'\n{{ question }}")
    assert list(parameters(f)) == ["question", "role"]
    f("why?", role="a sailor")
    assert "You are a sailor." in server.generate_calls[0].body.decode()


def test_raw_has_no_parameters_and_values_are_not_read_again(make: Make, server) -> None:
    assert not parameters(make("%%gemini --def f --raw\n{{ x }}"))
    make("%%gemini --def g\n{{ x }}")("{{ y }} --seed 3")
    assert prompts(server) == ["{{ y }} --seed 3"]


def test_help_and_repr(make: Make) -> None:
    source = "%%gemini --temperature 0.5 --def summarise\nAbout {{ topic }}\nin short"
    f = make(source)
    assert f.__doc__ == source and inspect.getdoc(f) == source
    assert f.__name__ == "summarise" and f.cell == GeminiCell.parse(source)
    assert str(inspect.signature(f)) == "(topic) -> gemini_magic.types.Reply"
    assert repr(f) == "<summarise(topic): a prompt of %%gemini>"
    many = make("%%gemini --def f\n{{ x }}", x="long " * 100)
    assert len(repr(many)) < 120


def test_wrong_calls_are_told_in_one_line(make: Make, server) -> None:
    f = make("%%gemini --def f\n{{ a }} {{ b }}")
    for call in (lambda: f(), lambda: f(1), lambda: f(1, 2, 3), lambda: f(1, c=2)):
        with pytest.raises(api.CallError, match=r"It is called f\(a, b\)") as caught:
            call()
        assert isinstance(caught.value, TypeError)
    with pytest.raises(errors.UsageError, match="empty"):
        f("", "")
    assert server.requests == []


def test_map_threads_and_loops(make: Make, server) -> None:
    server.set_script(lambda body: Answer(text=body["messages"][-1]["content"].upper()))
    f = make("%%gemini --def f\n{{ x }}")
    assert [reply.text for reply in map(f, "abc")] == ["A", "B", "C"]
    with ThreadPoolExecutor(5) as pool:
        assert [reply.text for reply in pool.map(f, "abcde")] == list("ABCDE")

    async def main() -> list[str]:
        return [r.text for r in await asyncio.gather(*(asyncio.to_thread(f, x) for x in "xy"))]

    assert asyncio.run(main()) == ["X", "Y"]


def test_it_can_be_pickled(make: Make, server) -> None:
    f = make("%%gemini --def f\n{{ x }} {{ y }}", y=2)
    copy = pickle.loads(pickle.dumps(f))
    assert copy("a").text == "fine" and prompts(server) == ["a 2"]
    assert (copy.cell, repr(copy)) == (f.cell, repr(f))


def test_defining_again_redefines(make: Make, server) -> None:
    variables: dict[str, Any] = {}
    first = make("%%gemini --def f\nold {{ x }}", **variables)
    second = make("%%gemini --def f\nnew {{ x }} {{ f }}", f=first)
    assert list(parameters(second)) == ["x", "f"]  # the function is no default of its own
    second("a", "b")
    assert prompts(server) == ["new a b"]


def test_an_error_carries_what_came(make: Make, server) -> None:
    server.set_script(Fault("truncate", after=1, answer=Answer(chunks=["so ", "far"])))
    with pytest.raises(errors.BackendError) as caught:
        make("%%gemini --def f\n{{ x }}")("a")
    assert caught.value.reply.text == "so "  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--chat talk", "no place in a conversation"),
        ("--out x", "what a call returns"),
        ("--as df", "draws nothing"),
        ("--save here", "reply.media"),
        ("--compare a,b", "once for each"),
        ("--dry-run", "sends nothing anyway"),
        ("-m tset:x", "no backend"),
        ("-r nowhere", "no route or backend nowhere"),
    ],
)
def test_what_does_not_go_with_it(make: Make, server, options: str, told: str) -> None:
    with pytest.raises(errors.GeminiMagicError, match=told):
        make(f"%%gemini --def f {options}\n{{{{ x }}}}")
    assert server.requests == []


def test_names_that_are_none_and_prompts_that_are_none(make: Make) -> None:
    with pytest.raises(errors.UsageError, match="word of Python"):
        make("%%gemini --def class\n{{ x }}")
    with pytest.raises(errors.UsageError, match="takes a name"):
        make("%%gemini --def a-b\n{{ x }}")
    with pytest.raises(errors.UsageError, match="needs a prompt"):
        make("%%gemini --def f")


def test_hostile_defaults_do_no_harm(make: Make, capsys) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    f = make("%%gemini --def f\n{{ x }}", x=Odd())
    assert repr(f) == "<f(x=<Odd>): a prompt of %%gemini>"


NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "x1", "größe"])
TAILS = st.sampled_from(["", ".upper()", "[0]", "!r", ":>5", ".a.b[1](2)"])


@given(st.lists(st.tuples(NAMES, TAILS, st.text(alphabet="ab .\n", max_size=5)), max_size=8))
def test_the_parameters_are_the_names_in_their_order(pieces) -> None:
    template = "x" + "".join(f"{text} {{{{ {name}{tail} }}}}" for name, tail, text in pieces)
    from gemini_magic.notebook.define import _parameters

    cell = GeminiCell.of(template, {"def": "f"})
    known = {"beta": 1, "x1": 2}
    found = list(_parameters(cell, known))
    names = list(dict.fromkeys(name for name, _, _ in pieces))
    assert found == [n for n in names if n not in known] + [n for n in names if n in known]
