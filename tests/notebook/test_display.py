"""Answers in a notebook's output and in a terminal, without a kernel."""

from __future__ import annotations

import io
from typing import Any

import pytest

from gemini_magic.notebook import display
from gemini_magic.notebook.display import (
    NotebookView,
    NoView,
    Output,
    TerminalView,
    readable,
    reply_data,
    status_of,
    view_for,
)
from gemini_magic.notebook.tables import html_table, show_table, text_table
from gemini_magic.types import (
    CANCELLED,
    CUT,
    Event,
    Finished,
    Notice,
    Reply,
    Started,
    Switched,
    Target,
    TextDelta,
    ThoughtDelta,
    Waiting,
)

A, B = Target("studio", "gemini-x"), Target("local", "tiny")


class Publisher:
    """What a front end was told to show, and the outputs as they are now."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        self.metadata: dict[str, Any] = {}

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, str] | None = None,
        update: bool = False,
    ) -> None:
        self.calls.append(data)
        name = (transient or {}).get("display_id", f"#{len(self.calls)}")
        assert update == (name in self.outputs)
        self.outputs[name] = data
        self.metadata.update(metadata or {})


class Kernel:
    """A shell as far as a view looks at it."""

    kernel = object()

    def __init__(self) -> None:
        self.display_pub = Publisher()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(display.time, "monotonic", made)
    return made


@pytest.fixture
def shell() -> Kernel:
    return Kernel()


def shown(shell: Kernel) -> list[dict[str, Any]]:
    return list(shell.display_pub.outputs.values())


def let_draw(view: NotebookView, clock: Clock) -> None:
    """Wait as long as the view asks for, and let it draw."""
    clock.now += view.delay() + 0.0001
    view.take([])


def notebook(shell: Kernel, form: str = "markdown") -> NotebookView:
    return NotebookView(Output(shell), form)


def test_the_view_fits_the_front_end(shell: Kernel) -> None:
    for quiet, where, kind in (
        (True, shell, NoView),
        (False, shell, NotebookView),
        (False, object(), TerminalView),
        (True, object(), NoView),
    ):
        view = view_for(where, "markdown", quiet=quiet, remote_images=False)
        assert type(view) is kind


def test_a_quiet_view_draws_nothing(shell: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    view = NoView()
    view.take([TextDelta("x")])
    view.close(Reply("x"), "f", {})
    view.abandon()
    assert view.delay() == 0 and shown(shell) == [] and capsys.readouterr().out == ""


def test_an_answer_grows_in_one_output_and_its_footer_is_another(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell)
    view.take([Started(A), TextDelta("**a")])
    clock.now += 1
    view.take([TextDelta("b**")])
    view.close(Reply("**ab**"), "the <b>footer", {"model": "x"})
    answer, foot = shown(shell)
    assert answer["text/markdown"].strip() == "**ab**" and answer["text/plain"] == "**ab**"
    assert foot["text/plain"] == "the <b>footer"
    assert "the &lt;b&gt;footer" in foot["text/html"]
    assert shell.display_pub.metadata == {"gemini_magic": {"model": "x"}}


def test_many_pieces_are_few_updates(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    for _ in range(2000):  # a piece every 5 ms for 10 s
        view.take([TextDelta("word ")])
        clock.now += 0.005
    updates = len(shell.display_pub.calls)
    assert 80 <= updates <= 20 + 9 * 10 + 2


def test_what_is_held_back_is_drawn_when_its_time_has_come(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    assert view.delay() == 0
    view.take([TextDelta("a")])
    assert view.delay() < 0.01  # the first text is there at once
    let_draw(view, clock)
    assert view.delay() == 0
    view.take([TextDelta("b")])
    assert len(shell.display_pub.calls) == 1
    assert 0 < view.delay() <= 0.06
    let_draw(view, clock)
    assert len(shell.display_pub.calls) == 2 and "ab" in shown(shell)[0]["text/markdown"]
    assert view.delay() == 0


def test_long_answers_are_drawn_less_often(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell, "text")
    clock.now += 5
    view.take([TextDelta("x" * 160_000)])
    let_draw(view, clock)
    view.take([TextDelta("y")])
    assert 0.9 < view.delay() < 1.1


def test_a_status_is_shown_only_after_a_while_and_gone_with_the_first_word(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell)
    view.take([Started(A)])
    assert shown(shell) == []
    clock.now += display.PATIENCE + 0.01
    view.take([])
    (status,) = shown(shell)
    assert status["text/plain"] == "waiting for gemini-x on studio …"
    assert ">waiting for gemini-x on studio …</div>" in status["text/html"]
    view.take([])
    assert len(shell.display_pub.calls) == 1
    view.take([TextDelta("a")])
    let_draw(view, clock)
    assert [one["text/plain"] for one in shown(shell)] == ["a"]


def test_a_switch_stays_until_the_first_word(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    clock.now += display.PATIENCE + 0.01
    view.take([Started(A), Switched(A, B, "studio is full.", "h", "free"), Started(B)])
    (status,) = shown(shell)
    assert status["text/plain"].startswith("studio is full. Asking ")
    assert "(h, free)" in status["text/plain"]


def test_what_was_stopped_before_anything_was_asked_leaves_nothing(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell)
    clock.now += display.PATIENCE + 0.01
    view.take([Waiting("the minute is full")])
    assert shown(shell)[0]["text/plain"] == "the minute is full …"
    view.close(Reply(finish_reason=CANCELLED), "0.5 s", {})
    assert shown(shell) == [{"text/plain": ""}]


def test_an_abandoned_status_leaves_nothing_behind(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    view.abandon()
    assert shown(shell) == []
    view.take([Started(A)])
    clock.now += 1
    view.take([])
    view.abandon()
    assert shown(shell) == [{"text/plain": ""}]


def test_an_answer_that_is_there_at_once_is_drawn_once(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    view.take([TextDelta("a"), TextDelta("b"), Finished(Reply("ab"))])
    assert shown(shell) == [] and view.delay() == 0
    view.close(Reply("ab"), "foot", {})
    assert [one["text/plain"] for one in shown(shell)] == ["ab", "foot"]
    assert len(shell.display_pub.calls) == 2


HOSTILE = "<script>alert(1)</script> ![x](https://evil.example/p.png) [y](javascript:alert(1))"


@pytest.mark.parametrize("form", ["markdown", "code"])
def test_markdown_is_sanitised_while_it_streams_and_at_its_end(
    shell: Kernel, clock: Clock, form: str
) -> None:
    view = notebook(shell, form)
    for char in HOSTILE:
        view.take([TextDelta(char)])
        clock.now += 1
    view.close(Reply(HOSTILE), "f", {})
    for data in shell.display_pub.calls[:-1]:
        assert "<script" not in data["text/markdown"]
        assert "![x](http" not in data["text/markdown"]
        assert "](javascript:" not in data["text/markdown"]
    assert shell.display_pub.calls[-2]["text/plain"] == HOSTILE


def test_text_is_shown_as_text_only(shell: Kernel) -> None:
    view = notebook(shell, "text")
    view.take([TextDelta("<b>\x1b[2J*x*")])
    view.close(Reply("<b>\x1b[2J*x*"), "f", {})
    for data in shell.display_pub.calls[:-1]:
        assert data == {"text/plain": "<b>[2J*x*"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a": 1}', {"application/json": {"a": 1}, "text/plain": '{"a": 1}'}),
        ("not json", {"text/plain": "not json"}),
        ("[" * 100_000, {"text/plain": "[" * 100_000}),
        ("", {"text/plain": ""}),
    ],
    ids=["json", "text", "deep", "empty"],
)
def test_json_is_shown_as_such_where_it_is_json(text: str, wanted: dict[str, Any]) -> None:
    assert reply_data(Reply(text), "json") == wanted


@pytest.mark.parametrize(
    ("reason", "words"), [(CANCELLED, "… (interrupted)"), (CUT, "… (cut off)")]
)
def test_a_partial_answer_is_marked(reason: str, words: str) -> None:
    reply = Reply("half", finish_reason=reason)
    assert reply_data(reply, "text")["text/plain"] == f"half {words}"
    data = reply_data(reply, "markdown")
    assert data["text/markdown"].endswith(f"\n\n*{words}*")
    assert "interrupted" not in reply_data(Reply("whole"), "markdown")["text/markdown"]


def test_control_characters_reach_no_terminal() -> None:
    everything = "".join(map(chr, range(0x300)))
    assert all(char.isprintable() or char in "\t\n\u00a0\u00ad" for char in readable(everything))
    assert readable("a\r\nb\tc é 水 👩‍👧 \u202e") == "a\nb\tc é 水 👩‍👧 \u202e"
    assert readable("safe\rrm -rf") == "saferm -rf"


def test_a_terminal_gets_the_text_as_it_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    view = TerminalView("markdown")
    view.take([Started(A), TextDelta("a\x1b["), TextDelta("b")])
    assert capsys.readouterr().out == "a[b"
    view.take([])
    view.close(Reply("ab"), "foot", {})
    assert capsys.readouterr().out == "\n[foot]\n"
    view = TerminalView("json")
    view.take([TextDelta("{}")])
    view.close(Reply("{}", finish_reason=CUT), "foot", {})
    assert capsys.readouterr().out == "{} … (cut off)\n[foot]\n"
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    TerminalView("text").close(Reply(""), "foot", {})
    assert out.getvalue() == "[foot]\n"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Waiting("the minute is full"), "the minute is full …"),
        (Started(A), "waiting for gemini-x on studio …"),
        (
            Switched(A, B, "quota used up.", "h", "free"),
            "studio:gemini-x: quota used up. Asking local:tiny (h, free) …",
        ),
        (ThoughtDelta("hm"), "thinking …"),
        (TextDelta("x"), None),
        (Notice("x"), None),
        (Finished(Reply()), None),
    ],
)
def test_what_an_event_says_of_the_state(event: Event, words: str | None) -> None:
    assert status_of(event) == words


def test_tables(shell: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    head, rows = ("name", "n"), [("<a>", 1), ("longer", None)]
    assert text_table(head, rows) == "name    n\n------  ----\n<a>     1\nlonger  None"
    page = html_table(head, rows)
    assert "&lt;a&gt;" in page and "<a>" not in page and page.count("<tr>") == 3
    show_table(object(), head, rows)
    assert capsys.readouterr().out == text_table(head, rows) + "\n"
    show_table(shell, head, rows)
    assert shown(shell) == [{"text/html": page, "text/plain": text_table(head, rows)}]
    assert text_table(head, []) == "name  n\n----  -"
