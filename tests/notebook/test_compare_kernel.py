"""``--compare`` and ``--def`` in a real kernel, against a server of each wire."""

from __future__ import annotations

import time

import pytest

from tests.kernels import Kernel
from tests.wire import Answer, Fault

pytest.importorskip("pandas")
pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
BOTH = "one:gemini-2.5-flash,two:gemini-2.5-flash"
WORDS = [f"word{i} " for i in range(400)]


@pytest.fixture
def two(google_server, openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TEST_KEY", KEY)
    google, proxy = google_server(key=KEY), openai_server(key=KEY)
    configure(
        f"""
        [settings]
        model = "one:gemini-2.5-flash"
        retries = 0
        [backends.one]
        kind = "google"
        base_url = "{google.url}"
        key_env = "TEST_KEY"
        project = "mine"
        [backends.two]
        kind = "openai"
        base_url = "{proxy.url}"
        key_env = "TEST_KEY"
        model = "gemini-2.5-flash"
        [limits.mine."gemini-2.5-flash"]
        rpm = 100
        """
    )
    return google, proxy


def test_side_by_side(two, kernel: Kernel) -> None:
    for server, word in zip(two, ("red ", "blue "), strict=True):
        server.set_script(Answer(chunks=[word] * 20, delay=0.05))
    done = kernel.run(f"%%gemini --compare {BOTH} --out got\nhello")
    assert done.status == "ok", done.error
    (shown,) = done.outputs  # one output, updated in place
    assert "red red" in shown["data"]["text/html"] and "blue blue" in shown["data"]["text/html"]
    assert "=== gemini-2.5-flash · two ===" in shown["data"]["text/plain"]
    assert sum(m["msg_type"] == "update_display_data" for _, m in done.messages) >= 3
    assert kernel.value("(_ is got, list(got.backend), list(got.finish_reason))") == (
        True, ["one", "two"], ["STOP", "STOP"],
    )  # fmt: skip
    kernel.run(f"df = %gemini --compare {BOTH} hello")
    assert kernel.value("type(df).__name__") == "DataFrame"


@pytest.mark.alone
def test_an_interrupt_keeps_all_that_came(two, kernel: Kernel) -> None:
    for server in two:
        server.set_script(Answer(text="warm"))
    assert kernel.run(f"%%gemini --compare {BOTH}\nwarm up").status == "ok"
    two[0].set_script(Answer(chunks=WORDS, delay=0.05))
    two[1].set_script(Fault("stall", after=3, answer=Answer(chunks=WORDS)))
    done, seconds = kernel.interrupt_when(
        f"%%gemini --compare {BOTH} -o got\nlong",
        lambda: all(len(one.generate_calls) == 2 for one in two) and not time.sleep(0.5),
    )
    assert (done.status, done.ename) == ("error", "Interrupted"), done.error
    assert seconds < 0.3 and len(done.traceback) <= 2
    assert kernel.value("(_ is got, list(got.finish_reason))") == (True, ["CANCELLED"] * 2)
    assert kernel.value("[t.startswith('word0 ') for t in got.text]") == [True, True]
    assert done.texts()[0].count("(interrupted)") == 2
    for server in two:
        assert server.wait_disconnects(1, timeout=3)
        server.set_script(Answer(text="fine"))
    assert kernel.run(f"%%gemini --compare {BOTH}\nagain").status == "ok"


@pytest.mark.alone
def test_an_interrupt_in_a_tool_and_while_nothing_comes(two, kernel: Kernel) -> None:
    from tests.wire import Call

    for server in two:
        server.set_script(Answer(text="warm"))
    kernel.run(f"%%gemini --compare {BOTH}\nwarm up")
    kernel.run("import time\ndef slow() -> str:\n    'Waits.'\n    time.sleep(20)\n    return 'x'")
    two[0].set_script(Answer(calls=[Call("slow")]))
    two[1].set_script(Fault("hang"))
    done, seconds = kernel.interrupt_when(
        f"%%gemini --compare {BOTH} --tools slow\nlong",
        lambda: all(len(one.generate_calls) == 2 for one in two) and not time.sleep(0.7),
    )
    assert done.ename == "Interrupted" and seconds < 0.3, seconds
    assert kernel.run("1").status == "ok"


def test_without_pandas_nothing_is_sent(two, kernel: Kernel) -> None:
    kernel.run("import sys; sys.modules['pandas'] = None")
    done = kernel.run(f"%%gemini --compare {BOTH}\nhello")
    assert done.ename == "MissingExtra" and "gemini-magic[plot]" in done.error
    assert [server.requests for server in two] == [[], []]


def test_a_cell_becomes_a_function(two, kernel: Kernel) -> None:
    two[0].set_script(lambda body: Answer(text=body["contents"][-1]["parts"][-1]["text"].upper()))
    kernel.run("style = 'short'")
    done = kernel.run("%%gemini --def summarise -t 0.5\n{{ style }}: {{ topic }}")
    assert done.status == "ok" and two[0].requests == []
    assert done.text.startswith("summarise(topic, style='short') -> Reply is defined; it asks one:")
    done = kernel.run("[str(summarise(t)) for t in ('tides', 'moons')]")
    assert done.text == "['SHORT: TIDES', 'SHORT: MOONS']" and len(done.outputs) == 1
    assert kernel.value("str(summarise('x', style='long'))") == "LONG: X"
    from_threads = "list(ThreadPoolExecutor(4).map(lambda t: str(summarise(t)), 'abc'))"
    kernel.run("from concurrent.futures import ThreadPoolExecutor")
    assert kernel.value(from_threads) == ["SHORT: A", "SHORT: B", "SHORT: C"]
    assert "style=" in kernel.complete("summarise(st")["matches"]
    (page,) = kernel.run("summarise?").payload
    assert "summarise(topic, style='short')" in page["data"]["text/plain"]
    assert "{{ topic }}" in page["data"]["text/plain"]
    assert kernel.run("summarise").text == "<summarise(topic, style='short'): a prompt of %%gemini>"
    kernel.run("%%gemini --def summarise\nNow {{ subject }}")
    assert kernel.value("str(summarise(subject='x'))") == "NOW X"
    done = kernel.run("summarise()")
    assert done.ename == "CallError" and len(done.traceback) == 2


def test_a_function_uses_the_session_and_what_the_cell_names(two, kernel: Kernel) -> None:
    two[1].set_script(Answer(text='{"name": "Rome", "size": 3}'))
    kernel.run(
        "from pydantic import BaseModel\nclass City(BaseModel):\n    name: str\n    size: int"
    )
    assert kernel.run("%%gemini --def city --schema City\nA city in {{ land }}").status == "ok"
    kernel.run("%gemini use two")
    assert kernel.value("(city('Italy').parsed.name, city('Italy').backend)") == ("Rome", "two")
    done = kernel.run("%%gemini --def f --chat talk\n{{ x }}")
    assert done.ename == "UsageError" and len(done.traceback) <= 2
    assert kernel.value("'f' in globals()") is False


def test_restart_and_run_all_costs_nothing(two, kernel: Kernel) -> None:
    two[0].set_script(Answer(text="fine"))
    cells = ("%%gemini --def f\n{{ x }}", "replies = [f(x) for x in 'ab']")
    for number in range(2):
        for cell in cells:
            assert kernel.run(cell, cell_id=f"id{cells.index(cell)}").status == "ok"
        assert kernel.value("[r.cached for r in replies]") == [bool(number)] * 2
        time.sleep(0.5)
        kernel.manager.restart_kernel(now=False)
        kernel.client.wait_for_ready(timeout=60)
        kernel.run("%load_ext gemini_magic")
    assert len(two[0].generate_calls) == 2
