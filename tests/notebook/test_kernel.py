"""The magics in a real kernel, against servers on loopback, with the real SDKs."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from tests.kernels import Kernel
from tests.wire import Answer, Failure, Fault

pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
WORDS = [f"word{i} " for i in range(20)]


@pytest.fixture(params=["google", "openai"])
def server(request, google_server, openai_server, configure, monkeypatch):
    """A server of either kind, configured as the backend ``test`` that answers by default."""
    monkeypatch.setenv("TEST_KEY", KEY)
    make = google_server if request.param == "google" else openai_server
    running = make(key=KEY)
    configure(
        f"""
        [settings]
        model = "test:gemini-2.5-flash"
        [backends.test]
        kind = "{request.param}"
        base_url = "{running.url}"
        key_env = "TEST_KEY"
        """
    )
    return running


def test_an_answer_streams_in_order_and_ends_in_a_footer(server, kernel: Kernel) -> None:
    server.set_script(Answer(chunks=WORDS, delay=0.05))
    done = kernel.run("%%gemini\nhello")
    assert done.status == "ok", done.error
    answer, footer = done.outputs
    assert answer["data"]["text/markdown"] == "".join(WORDS)
    assert answer["data"]["text/plain"] == "".join(WORDS)
    assert "gemini-2.5-flash · test · " in footer["data"]["text/plain"]
    grown = [
        len(message["content"]["data"]["text/plain"])
        for _, message in done.messages
        if "text/markdown" in message["content"].get("data", {})
    ]
    assert len(grown) >= 5 and grown == sorted(grown)
    assert len(server.generate_calls) == 1


def test_the_reply_is_bound_and_not_drawn_twice(server, kernel: Kernel) -> None:
    server.set_script(Answer(text="*Paris*"))
    assert kernel.run("%%gemini --out answer\ncapital?").status == "ok"
    assert kernel.value("(_.text, answer.text, answer.finish_reason, str(answer.target))") == (
        "*Paris*", "*Paris*", "STOP", "test:gemini-2.5-flash",
    )  # fmt: skip
    done = kernel.run("%gemini capital?")
    assert len(done.outputs) == 2  # the answer and its footer, once
    done = kernel.run("x = %gemini capital?\nx.text")
    assert [output["kind"] for output in done.outputs][-1] == "execute_result"
    shown = kernel.run("answer")
    assert shown.texts("text/markdown") == ["*Paris*"]


def test_what_is_printed_around_an_answer_stays_around_it(server, kernel: Kernel) -> None:
    server.set_script(Answer(text="Paris"))
    asked = "get_ipython().run_cell_magic('gemini', '', 'capital?')"
    done = kernel.run(f"print('before', end='')\n{asked}\nprint('after', end='')")
    before, answer, footer, after = done.texts()
    assert (before, answer, after) == ("before", "Paris", "after")
    assert "gemini-2.5-flash · test · " in footer


def test_who_listens_to_outputs_or_captures_them_gets_the_footer_too(
    server, kernel: Kernel
) -> None:
    server.set_script(Answer(text="Paris"))
    kernel.run(
        "heard = []\n"
        "def hear(message):\n"
        "    heard.append(message['content']['data']['text/plain'])\n"
        "    return message\n"
        "get_ipython().display_pub.register_hook(hear)"
    )
    assert len(kernel.run("%%gemini\ncapital?").outputs) == 2
    kernel.run("get_ipython().display_pub.unregister_hook(hear)")
    *said, footer = kernel.value("heard")  # a slow machine's answer is drawn more than once
    assert "Paris" in said and footer.startswith("gemini-2.5-flash · test · ")
    assert not kernel.run("%%capture kept\n%gemini capital?").outputs
    captured = "[one.data['text/plain'] for one in kept.outputs if 'text/plain' in one.data]"
    *said, footer = kernel.value(captured)
    assert "Paris" in said and footer.startswith("gemini-2.5-flash · test · ")


def test_quiet_json_text_and_code(server, kernel: Kernel) -> None:
    server.set_script(Answer(text='{"a": 1}'))
    assert kernel.run("%%gemini --quiet\nx").outputs == []
    assert kernel.run("%%gemini --as json\nx").outputs[0]["data"]["application/json"] == {"a": 1}
    assert "text/markdown" not in kernel.run("%%gemini --as text\nx").outputs[0]["data"]
    server.set_script(Answer(text="Here:\n```python\nx = 1\n```\n"))
    done = kernel.run("%%gemini --as code\nx")
    assert [p["text"] for p in done.payload if p["source"] == "set_next_input"] == ["x = 1"]


def test_dry_run_and_errors_before_the_wire_send_nothing(server, kernel: Kernel) -> None:
    kernel.run("topic = 'tides'")
    dry = kernel.run("%%gemini --dry-run -t 0.5\nAbout {{ topic }}, in 10 words?")
    assert "would ask  gemini-2.5-flash on test" in dry.text
    assert "About tides, in 10 words?" in dry.text and "temperature = 0.5" in dry.text
    for cell, ename in [
        ("%%gemini\nAbout {{ topik }}", "PlaceholderError"),
        ("%%gemini --temprature 1\nx", "UsageError"),
        ("%%gemini", "UsageError"),
        ("%%gemini\ngemini-2.5-pro", "UsageError"),
        ("%%gemini -m nowhere:x\nhello", "UsageError"),
        ("%%gemini --schema [1]\nhello", "UsageError"),
    ]:
        done = kernel.run(cell)
        assert (done.status, done.ename) == ("error", ename), done
        assert len(done.traceback) <= 2, done.traceback
    assert "topic" in kernel.run("%%gemini\nAbout {{ topik }}").error
    assert server.requests == []


def test_tb_shows_two_lines_first_and_everything_after(server, kernel: Kernel) -> None:
    done = kernel.run("%%gemini -t 9\nx")
    assert len(done.traceback) == 2
    (shown,) = kernel.run("%tb").outputs
    assert shown["ename"] == "UsageError"
    whole = "\n".join(shown["traceback"])
    assert "Traceback" in whole and "magics.py" in whole


@pytest.mark.alone
@pytest.mark.parametrize("phase", ["streaming", "stalled", "headers"])
def test_an_interrupt_keeps_what_came_and_ends_at_once(server, kernel: Kernel, phase: str) -> None:
    script = {
        "streaming": Answer(chunks=WORDS * 50, delay=0.05),
        "stalled": Fault("stall", after=3, answer=Answer(chunks=WORDS)),
        "headers": Fault("hang"),
    }[phase]
    server.set_script(Answer(text="warm"))
    assert kernel.run("%%gemini\nwarm up").status == "ok"
    server.set_script(script)
    done, seconds = kernel.interrupt_when(
        "%%gemini\nlong", lambda: len(server.generate_calls) == 2 and (time.sleep(0.4) or True)
    )
    assert (done.status, done.ename) == ("error", "Interrupted"), done.error
    assert seconds < 0.3, seconds
    assert len(done.traceback) <= 2
    if phase in ("streaming", "stalled"):
        assert kernel.value("_.finish_reason") == "CANCELLED"
        assert kernel.value("_.text").startswith("word0 word1 ")
        assert done.texts()[0].endswith("(interrupted)*")
    assert server.wait_disconnects(1, timeout=2)
    server.set_script(Answer(text="fine"))
    assert kernel.run("%%gemini\nagain").texts()[0] == "fine"


@pytest.mark.alone
def test_an_interrupt_while_connecting(configure, kernel: Kernel) -> None:
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # fill the queue: further connections are not answered
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        configure(
            f"""
            [settings]
            retries = 0
            [backends.test]
            kind = "openai"
            base_url = "http://127.0.0.1:{listener.getsockname()[1]}/v1"
            """
        )
        kernel.run("%%gemini --dry-run -m test:x\nwarm up")
        sent = time.monotonic()
        done, seconds = kernel.interrupt_when(
            "%%gemini -m test:x\nhello", lambda: time.monotonic() > sent + 2.5
        )
        assert (done.status, done.ename) == ("error", "Interrupted"), done.error
        assert seconds < 0.3
        began = time.monotonic()
        done = kernel.run("%%gemini -m test:x\nhello")
        assert done.ename == "Unreachable" and 4 < time.monotonic() - began < 7, done


def test_run_all_stops_at_an_error(server, kernel: Kernel) -> None:
    server.set_script(Failure(500, {"error": {"code": 500, "message": "boom", "status": "X"}}))
    first = kernel.start("%%gemini\nhello")
    second = kernel.start("print('ran')")
    assert kernel.finish(first).ename == "Overloaded"
    assert kernel.finish(second).status == "aborted"


def test_a_truncated_answer_is_kept_and_told(server, kernel: Kernel) -> None:
    server.set_script(Fault("truncate", after=3, answer=Answer(chunks=WORDS)))
    done = kernel.run("%%gemini --out got\nhello")
    assert (done.status, done.ename) == ("error", "BackendError")
    assert kernel.value("(got.text, got.finish_reason)") == ("word0 word1 word2 ", "CUT")


def test_chat_replaces_a_turn_and_marks_later_ones(server, kernel: Kernel) -> None:
    server.set_script(Answer(text="answer"))
    for cell in ("one", "two", "three"):
        kernel.run(f"%%gemini --chat talk\n{cell}", cell_id=cell)
    assert len(_messages(server.generate_calls[-1].json)) == 5
    done = kernel.run("%%gemini --chat talk\ntwo, again", cell_id="two")
    assert "1 later turn of the chat counts no more" in done.text
    assert _messages(server.generate_calls[-1].json) == ["one", "answer", "two, again"]
    kernel.run("%%gemini --chat talk\nfour", cell_id="four")
    assert _messages(server.generate_calls[-1].json) == [
        "one", "answer", "two, again", "answer", "four",
    ]  # fmt: skip
    kernel.run("%gemini chat undo talk")
    assert "three" in kernel.run("%gemini chat show talk").text
    kernel.run("%gemini chat reset talk")
    assert kernel.run("%gemini chat show talk").ename == "UsageError"


def _messages(body: dict) -> list[str]:
    if "contents" in body:
        return [content["parts"][0]["text"] for content in body["contents"]]
    return [message["content"] for message in body["messages"]]


def test_a_fork_in_a_cell_asks_on_its_own(server, kernel: Kernel) -> None:
    server.set_script(Answer(text="yes"))
    kernel.run("%%gemini\nparent")
    done = kernel.run(
        "import os, sys\n"
        "r, w = os.pipe()\n"
        "if (pid := os.fork()) == 0:\n"
        "    try:\n"
        "        session = get_ipython().magics_manager.registry['GeminiMagic'].session\n"
        "        from gemini_magic import GeminiCell\n"
        "        reply = session.ask(GeminiCell.of('child', {'quiet': True}))\n"
        "        os.write(w, reply.text.encode())\n"
        "    finally:\n"
        "        os._exit(0)\n"
        "os.waitpid(pid, 0); os.close(w); print(os.read(r, 100).decode())"
    )
    assert "yes" in done.text, done
    assert kernel.run("%%gemini\nparent again").status == "ok"
    assert len(server.generate_calls) == 3


@pytest.mark.alone
def test_completion(server, kernel: Kernel) -> None:
    kernel.run("topic = 1")
    assert kernel.complete("%%gemini --temp")["matches"] == ["--temperature"]
    assert "gemini-2.5-flash" in kernel.complete("%%gemini -m gemini-2.5-f")["matches"]
    assert "test:" in kernel.complete("%%gemini -m te")["matches"]
    assert kernel.complete("%gemini mod")["matches"] == ["models"]
    assert "topic" in kernel.complete("%%gemini\nabout {{ top")["matches"]
    began = time.monotonic()
    body = kernel.complete("%%gemini\nimport os\nos.pa")
    assert body["matches"] == ["os.pa"] and time.monotonic() - began < 0.5
    assert "print" in kernel.complete("prin")["matches"]
