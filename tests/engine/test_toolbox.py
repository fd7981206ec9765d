"""Functions that a model calls: how they are told, called, stopped, and what comes of them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import enum
import functools
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from gemini_magic.engine import loop
from gemini_magic.engine.run import Run
from gemini_magic.engine.tool_docs import describe
from gemini_magic.engine.tool_errand import TooLong, within
from gemini_magic.engine.tool_results import LIMIT, as_json
from gemini_magic.engine.toolbox import Toolbox
from gemini_magic.errors import UsageError
from gemini_magic.events import ToolReturned
from gemini_magic.types import Message, Part, Reply, Request, ToolCall
from tests.kernels import Kernel
from tests.wire.google_rules import json_schema_rules


class Unit(enum.Enum):
    GRAM = "g"
    LITRE = "l"


@dataclasses.dataclass
class Place:
    city: str
    zip: int = 0


class Stay(BaseModel):
    place: Place
    nights: Annotated[int, Field(ge=1, description="how many")]


class Old(TypedDict):
    name: str


def called(
    functions: dict[str, Callable[..., Any]] | Callable[..., Any],
    *calls: ToolCall | tuple[Any, ...] | str,
    timeout: float = 5.0,
    serves: bool = True,
    thread: bool = False,
) -> Run:
    """Call functions as the engine does, polling as a cell does; the run when it is over."""
    if not isinstance(functions, dict):
        functions = {"f": functions}
    box = Toolbox(functions, timeout=timeout)
    made = [
        ToolCall("f", one) if isinstance(one, str) else ToolCall(*one) for one in (calls or ("",))
    ]
    run = Run(Request((Message("user", (Part("?"),)),)))
    run.serves_errands = serves
    results: list[Any] = []

    async def work() -> None:
        try:
            results.extend(await box.call(made, run))
        except BaseException as error:
            run.end(run.draft.whole("CANCELLED"), error)
            raise
        run.end(Reply(parts=tuple(results)))

    run.attach(loop.current().submit(work()))
    if thread:
        threading.Thread(target=lambda: list(run), daemon=True).start()
        assert run.wait(10)
    else:
        for _ in run:
            pass
    assert len(run.draft.uses) == len(made)
    return run


def said(function: Callable[..., Any], arguments: str = "", **more: Any) -> Any:
    """What a function gives, read from the result's JSON."""
    result = called(function, arguments, **more).reply.parts[0].result
    assert result is not None and not result.failed, result
    return json.loads(result.content)


def fault(function: Callable[..., Any], arguments: str = "", **more: Any) -> str:
    result = called(function, arguments, **more).reply.parts[0].result
    assert result is not None and result.failed, result
    message = json.loads(result.content)
    assert isinstance(message, str) and "\n" not in message
    return message


# --- declarations ---------------------------------------------------------------------------------


def told(function: Callable[..., Any]) -> dict[str, Any]:
    (tool,) = Toolbox({"f": function}).tools
    made: dict[str, Any] = json.loads(tool.parameters)
    assert made["type"] == "object" and not list(json_schema_rules(made, "parameters"))
    return made


def test_hints_and_words_become_the_declaration() -> None:
    def book(
        stay: Stay,
        unit: Unit,
        kind: Literal["a", "b"],
        guests: list[Place],
        when: datetime.date | None = None,
        note: Annotated[str, Field(description="for the cook")] = "none",
        price: float = 1.5,
        anything=None,  # type: ignore[no-untyped-def]
        many=3,  # type: ignore[no-untyped-def]
        old: Old | None = None,
        *,
        sure: bool = False,
    ) -> str:
        """Books a stay,
        for good.

        More words.

        Args:
            stay: Where, and
                how long.
            unit (Unit): Of what.
            note: Not this one.

        Returns:
            kind: nothing of a parameter
        """
        return ""

    (tool,) = Toolbox({"book": book}).tools
    assert tool.name == "book" and tool.description == "Books a stay, for good."
    made = told(book)
    fields = made["properties"]
    assert list(fields) == ["stay", "unit", "kind", "guests", "when", "note", "price", "anything",
                            "many", "old", "sure"]  # fmt: skip
    assert made["required"] == ["stay", "unit", "kind", "guests"]
    assert made["additionalProperties"] is False
    assert fields["stay"]["description"] == "Where, and how long."
    assert fields["stay"]["properties"]["nights"]["description"] == "how many"
    assert fields["unit"] == {"type": "string", "enum": ["g", "l"], "description": "Of what."}
    assert fields["kind"] == {"type": "string", "enum": ["a", "b"]}
    assert fields["guests"]["items"]["properties"]["city"] == {"type": "string"}
    assert fields["note"]["description"] == "for the cook"
    assert fields["note"]["default"] == "none" and fields["price"]["default"] == 1.5
    assert fields["sure"] == {"type": "boolean", "default": False}
    assert fields["anything"] == {}
    assert "title" not in json.dumps(made)


@pytest.mark.parametrize(
    "doc",
    [
        "S.\n\nArgs:\n    a (int): one\n        more\n    b: two\n\nReturns:\n    c: no",
        "S.\n\nParameters\n-----\na : int\n    one\n    more\nb\n    two\n\nReturns\n-------\nc",
        "S.\n\n:param int a: one\n    more\n:param b: two\n:returns: c: no",
        "S.\n\nArguments:\n  a: one\n    more\n  b: two\nRaises:\n  c: no",
        "S.\n:param a: one more\n:type a: int\n:param b: two",
    ],
)
def test_docstrings_of_three_styles(doc: str) -> None:
    assert describe(doc) == ("S.", {"a": "one more", "b": "two"})


def test_two_parameters_with_one_text() -> None:
    assert describe("S\n\nParameters\n----------\na, b : int\n    both").parameters == {
        "a": "both",
        "b": "both",
    }
    assert describe(None) == ("", {})


@given(st.text() | st.lists(st.sampled_from(
    ["Args:", "Parameters", "----", ":param a: b", "    a: b", "  ", "a : int", "\t", ":", "*a"]
)).map("\n".join))  # fmt: skip
def test_no_docstring_is_too_strange(doc: str) -> None:
    describe(doc)


class Shop:
    """A shop."""

    def find(self, name: str) -> str:
        """Finds."""
        return name

    def __call__(self, n: int) -> int:
        return n

    @classmethod
    def make(cls, n: int) -> int:
        return n

    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b


def test_whatever_can_be_called_can_be_a_tool() -> None:
    def wrap(inner: Any) -> Any:
        @functools.wraps(inner)
        def outer(*args: Any, **more: Any) -> Any:
            return inner(*args, **more)

        return outer

    def only(a: int, /, b: int = 2, *rest: int, c: int = 3, **more: int) -> list[int]:
        return [a, b, *rest, c, *more.values()]

    def local(unit: Unit, place: Place) -> list[Any]:
        assert isinstance(unit, Unit) and isinstance(place, Place)
        return [unit, place]

    assert said(Shop().find, '{"name": "x"}') == "x"
    assert said(Shop(), '{"n": 3}') == 3
    assert said(Shop.make, '{"n": 3}') == 3
    assert said(Shop.add, '{"a": 3, "b": 4}') == 7
    assert said(Place, '{"city": "Ulm"}') == {"city": "Ulm", "zip": 0}
    assert said(functools.partial(Shop.add, 3), '{"b": 4}') == 7
    assert said(lambda: "now") == "now"
    assert said(wrap(Shop.add), '{"a": 3, "b": 4}') == 7
    assert said(only, '{"a": 1, "c": 5}') == [1, 2, 5]
    assert list(told(only)["properties"]) == ["a", "b", "c"]
    assert said(local, '{"unit": "g", "place": {"city": "Ulm"}}') == [
        "g",
        {"city": "Ulm", "zip": 0},
    ]


def test_what_a_model_cannot_give_keeps_its_default() -> None:
    def f(q: str, frame: pandas.DataFrame = None, hook: Callable[[], int] = int) -> str:  # type: ignore[assignment]
        return f"{q} {frame} {hook()}"

    assert list(told(f)["properties"]) == ["q"]
    assert said(f, '{"q": "a"}') == "a None 0"


def test_a_default_of_none_takes_null() -> None:
    def f(q: str = None) -> Any:  # type: ignore[assignment]  # noqa: RUF013
        return q

    assert said(f, '{"q": null}') is None


@pytest.mark.parametrize(
    ("name", "function", "says"),
    [
        ("f", 5, "--tools f: it is no function (int)"),
        ("f", lambda *a, **k: 0, "does not name its parameters"),
        ("f", dict.update, ""),
        ("max", max, "--tools max"),
        ("x" * 65, lambda: 0, "64 characters"),
    ],
)
def test_what_is_no_tool_is_refused(name: str, function: Any, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Toolbox({name: function})
    assert says in caught.value.what and "nothing was sent" in caught.value.what


def test_a_refusal_names_function_and_parameter() -> None:
    def f(frame: pandas.DataFrame) -> None: ...
    def g(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(UsageError, match="--tools f: it has a parameter 'frame' of a type"):
        Toolbox({"f": f})
    with pytest.raises(UsageError, match=r"--tools g: it has a parameter 'x'.*Nowhere"):
        Toolbox({"g": g})


def test_names_are_those_that_both_wires_take() -> None:
    def f() -> int:
        return 1

    names = [tool.name for tool in Toolbox({"shop.find": f, "größe": f, "_x": f, "1a": f}).tools]
    assert names == ["shop_find", "gr__e", "_x", "_1a"]
    with pytest.raises(UsageError, match="a_b"):
        Toolbox({"a.b": f, "a_b": f})


# --- calls ----------------------------------------------------------------------------------------


def add(a: int, b: int = 1) -> int:
    return a + b


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "a: is missing"),
        ("{}", "a: is missing"),
        ('{"a": "x"}', "a: should be a valid integer, got 'x'"),
        ('{"a": 1, "c": 2}', "c: is not known here"),
        ("[1]", "should be"),
        ("null", "should be"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"a": "\ud800"}', ""),
    ],
)
def test_wrong_arguments_are_told_to_the_model(arguments: str, says: str) -> None:
    message = fault(add, arguments)
    assert message.startswith("wrong arguments: ") and says in message


def test_an_unknown_function_is_told_to_the_model() -> None:
    run = called(add, ("g", "{}"))
    result = run.reply.parts[0].result
    assert result is not None and result.failed and result.name == "g"
    assert json.loads(result.content) == "there is no function 'g'; there are: f"


def test_results_come_in_the_order_of_the_calls_each_told_as_it_ends() -> None:
    order: list[str] = []

    async def slow(n: int) -> int:
        await asyncio.sleep(0.2)
        order.append(f"slow {n}")
        return n

    def quick(n: int) -> int:
        order.append(f"quick {n}")
        assert threading.current_thread() is threading.main_thread()
        return n

    began = time.monotonic()
    events: list[ToolReturned] = []
    emit = Run.emit
    run = called(
        {"slow": slow, "quick": quick},
        ("slow", '{"n": 1}', "a"), ("quick", '{"n": 2}', "b"), ("slow", '{"n": 3}', "c"),
        ("quick", '{"n": 4}', "d"),
    )  # fmt: skip
    assert time.monotonic() - began < 0.38  # the slow ones at once
    assert emit is Run.emit and not events
    results = [part.result for part in run.reply.parts]
    assert [(r.content, r.id, r.name) for r in results if r] == [
        ("1", "a", "slow"), ("2", "b", "quick"), ("3", "c", "slow"), ("4", "d", "quick"),
    ]  # fmt: skip
    assert order == ["quick 2", "quick 4", "slow 1", "slow 3"]
    assert [use.call.id for use in run.draft.uses] == ["b", "d", "a", "c"]
    assert all(use.seconds >= 0 for use in run.draft.uses)


def test_what_was_told_before_is_drawn_before_a_function_runs() -> None:
    run = Run(Request((Message("user", (Part("?"),)),)))
    ran: list[int] = []
    run.emit(ToolReturned(None))  # type: ignore[arg-type]
    run.send_on(lambda: ran.append(1))
    run.send_on(lambda: ran.append(2))
    assert len(run.poll(0)) == 1 and not ran
    assert run.poll(0) == [] and ran == [1]
    assert run.poll(0) == [] and ran == [1, 2]


def test_a_cancelled_run_begins_nothing_more() -> None:
    run = Run(Request((Message("user", (Part("?"),)),)))
    run.send_on(lambda: pytest.fail("it ran"))
    run.cancel()
    assert run.poll(0) == []


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("no\nsuch thing"), "ValueError: no such thing"),
        (SystemExit(3), "SystemExit: 3"),
        (asyncio.CancelledError(), "CancelledError"),
        (KeyError(), "KeyError"),
        (type("Mute", (Exception,), {"__str__": Odd.__str__})(), "Mute"),
        (ValueError("x" * 10_000), "ValueError: xxx"),
        (ValueError("\ud800"), "ValueError: ?"),
    ],
)
def test_what_a_function_raises_is_told_to_the_model(
    error: BaseException, says: str, asynchronous: bool
) -> None:
    def f() -> None:
        raise error

    async def g() -> None:
        raise error

    message = fault(g if asynchronous else f)
    assert message.startswith(says) and len(message) <= 2_000


def test_an_async_function_that_interrupts_does_not_take_the_loop_down() -> None:
    async def f() -> None:
        raise KeyboardInterrupt

    assert fault(f) == "KeyboardInterrupt"
    assert said(lambda: 1) == 1


def test_a_function_that_gives_something_to_await() -> None:
    async def inner() -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 7

    class Async:
        async def __call__(self) -> int:
            return 8

    assert said(lambda: inner()) == 7
    assert said(Async()) == 8
    assert said(functools.partial(inner)) == 7


# --- time -----------------------------------------------------------------------------------------


def forever() -> None:
    while True:
        time.sleep(0.01)


def test_a_function_that_overruns_in_the_main_thread_is_stopped() -> None:
    stopped: list[str] = []

    def f() -> None:
        try:
            time.sleep(60)
        finally:
            stopped.append("yes")

    began = time.monotonic()
    run = called(
        {"f": f, "g": forever, "h": lambda: 1}, ("f", ""), ("g", ""), ("h", ""), timeout=0.3
    )
    assert time.monotonic() - began < 2 and stopped == ["yes"]
    contents = [part.result.content for part in run.reply.parts if part.result]
    assert contents == ['"it took longer than 0.3 s"'] * 2 + ["1"]


def test_a_function_that_swallows_its_interrupt_gets_another() -> None:
    def f() -> str:
        try:
            time.sleep(60)
        except BaseException:
            time.sleep(60)
        return "done"

    began = time.monotonic()
    assert "took longer" in fault(f, timeout=0.2)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("how", ["worker", "polled elsewhere", "async", "deaf"])
def test_a_function_that_cannot_be_stopped_is_left_behind(how: str) -> None:
    free = threading.Event()

    async def asleep() -> None:
        await asyncio.sleep(60)

    async def deaf() -> None:
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    function: Any = {"async": asleep, "deaf": deaf}.get(how, lambda: free.wait(20))
    began = time.monotonic()
    message = fault(function, timeout=0.2, serves=how != "worker", thread=how == "polled elsewhere")
    assert message == "it took longer than 0.2 s" and time.monotonic() - began < 2
    free.set()


def test_one_whose_turn_never_comes_is_not_run_later() -> None:
    ran: list[int] = []
    run = Run(Request((Message("user", (Part("?"),)),)))
    box = Toolbox({"f": lambda: ran.append(1)}, timeout=0.1)
    future = loop.current().submit(box.call([ToolCall("f", "")], run))
    (part,) = future.result(5)
    assert part.result is not None and part.result.failed
    assert "not called" in part.result.content
    run.poll(0), run.poll(0)
    assert not ran


def test_without_a_thread_of_the_owners_a_function_runs_in_one_of_its_own() -> None:
    where: list[threading.Thread] = []

    def f() -> None:
        where.append(threading.current_thread())

    assert said(f, serves=False) is None
    assert where[0] is not threading.main_thread() and where[0].daemon

    def interrupts() -> None:
        raise KeyboardInterrupt

    assert fault(interrupts, serves=False) == "KeyboardInterrupt"


async def _iterated() -> Run:
    run = Run(Request((Message("user", (Part("?"),)),)))
    assert run.serves_errands
    run.end(Reply())
    async for _ in run:
        pass
    return run


def test_whoever_iterates_asynchronously_has_no_thread_to_offer() -> None:
    assert not asyncio.run(_iterated()).serves_errands


# --- interrupts -----------------------------------------------------------------------------------


def interrupt_later(seconds: float) -> threading.Timer:
    timer = threading.Timer(
        seconds, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    )
    timer.start()
    return timer


def test_the_users_interrupt_goes_through_at_once() -> None:
    interrupt_later(0.1)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        called(forever, timeout=30)
    assert time.monotonic() - began < 0.4


def test_within_tells_the_users_interrupt_from_its_own() -> None:
    interrupt_later(0.05)
    with pytest.raises(KeyboardInterrupt):
        within(5, forever)
    with pytest.raises(TooLong):
        within(0.05, forever)
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


@pytest.fixture
def lively() -> Iterator[None]:
    """Threads take turns so often that the clock's gets a word in."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00005)
    yield
    sys.setswitchinterval(before)


def test_no_interrupt_of_its_own_ever_escapes(lively: None) -> None:
    """The function ends just when its time does."""
    outcomes = set()
    for attempt in range(300):
        end = time.perf_counter() + 0.0018 + attempt % 20 * 0.0001

        def work(end: float = end) -> int:
            while time.perf_counter() < end:
                pass
            return 1

        try:
            outcomes.add(within(0.002, work))
        except TooLong:
            outcomes.add(0)
        for _ in range(100):  # a stray one would end this test
            pass
    time.sleep(0.01)
    assert outcomes == {0, 1}


def test_where_others_handle_the_signal_none_is_sent() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        message = fault(lambda: time.sleep(0.4), timeout=0.1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "took longer" in message and not seen


# --- results --------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: int
    b: Any


def str_id(value: Any) -> str:
    return type(value).__name__


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        (None, None), (True, True), (3, 3), (2.5, 2.5), ("a\n<b>", "a\n<b>"),
        (float("nan"), None), (float("inf"), "Infinity"), ({"a": [1, (2,)]}, {"a": [1, [2]]}),
        ({1: 2, Unit.GRAM: None}, {"1": 2, "g": None}), (Place("x"), {"city": "x", "zip": 0}),
        (Stay(place=Place("x"), nights=2), {"place": {"city": "x", "zip": 0}, "nights": 2}),
        (Unit.GRAM, "g"), (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"), (Decimal("1.10"), "1.10"),
        ({5}, [5]), (frozenset([5]), [5]), (Pair(1, 2), {"a": 1, "b": 2}), (range(3), [0, 1, 2]),
        ((n for n in range(2)), [0, 1]), (numpy.float32(0.5), 0.5), (numpy.int64(3), 3),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]), (numpy.float64("nan"), None),
        (numpy.bool_(True), True), (numpy.datetime64("2026-01-02"), "2026-01-02"),
        (pandas.DataFrame({"a": [1, None], "b": ["x", None]}),
         [{"a": 1, "b": "x"}, {"a": None, "b": None}]),
        (pandas.DataFrame({"a": [1]}, index=["k"]), [{"index": "k", "a": 1}]),
        (pandas.Series([1, 2], index=["x", "y"]), {"x": 1, "y": 2}),
        (pandas.Timestamp("2026-01-02"), "2026-01-02T00:00:00"), (pandas.NaT, None),
        (Reply.saying("hello"), "hello"), ("\ud800", "?"), (object, "<class 'object'>"),
        (complex(1, 2), "(1+2j)"), (2**20_000, "about 2**20001"),
    ],
    ids=str_id,
)  # fmt: skip
def test_a_result_becomes_json(value: Any, json_value: Any) -> None:
    assert json.loads(as_json(value)) == json_value


def test_bytes_are_refused_with_a_hint() -> None:
    assert "bytes" in fault(lambda: {"a": [b"x"]}) and "text" in fault(lambda: b"x")
    assert fault(Odd) == "RuntimeError: no words"


@pytest.mark.parametrize(
    "value",
    [
        "x" * 300_000, '"' * 300_000, "\n" * LIMIT, ["x" * 50] * 10_000, list(range(500_000)),
        {str(n): "y" * 90 for n in range(5_000)}, pandas.DataFrame({"a": range(50_000)}),
        numpy.zeros((2_000, 2_000)), [[["z" * 999] * 20] * 20] * 20, iter(int, 1),
    ],
    ids=str_id,
)  # fmt: skip
def test_a_large_result_is_cut_where_one_sees_it(value: Any) -> None:
    text = as_json(value)
    assert len(text) <= LIMIT
    json.loads(text)
    assert "[cut: " in text or "..." in text


def test_a_result_that_holds_itself_is_told_all_the_same() -> None:
    assert len(as_json(LOOP)) < 1_000
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert len(as_json(deep)) <= LIMIT
    del deep


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
))  # fmt: skip
def test_what_is_json_stays_what_it_is(value: Any) -> None:
    assert json.loads(as_json(value)) == value


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=5)), st.integers(200, 400))
def test_a_result_is_never_longer_than_its_limit(value: Any, limit: int) -> None:
    text = as_json(value, limit)
    assert len(text) <= limit
    json.loads(text)
    text.encode()


@pytest.mark.kernel
def test_a_kernel_lets_a_cells_function_be_stopped(kernel: Kernel) -> None:
    told = kernel.run(
        "import time\n"
        "from gemini_magic.engine.tool_errand import TooLong, can_interrupt, within\n"
        "began = time.monotonic()\n"
        "try:\n"
        "    within(0.2, lambda: time.sleep(30))\n"
        "except TooLong:\n"
        "    print(can_interrupt(), time.monotonic() - began < 2)\n"
    )
    assert told.text.strip() == "True True"


def test_nothing_heavy_is_loaded_for_a_cell_without_tools() -> None:
    import subprocess

    code = (
        "import sys, gemini_magic.engine.toolbox, gemini_magic.engine.schema;"
        "print([m for m in ('pydantic', 'numpy', 'pandas', 'jsonschema') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
