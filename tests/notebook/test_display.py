"""Answers in a notebook's output and in a terminal, without a kernel."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest
from PIL import Image

from gemini_magic.events import (
    Event,
    Finished,
    Notice,
    PartDone,
    Preview,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
    Uploading,
    Waiting,
)
from gemini_magic.notebook import display
from gemini_magic.notebook.display import Ending, NoView, Output, status_of, view_for
from gemini_magic.notebook.notebook_view import NotebookView, draw_whole
from gemini_magic.notebook.pieces import reply_data
from gemini_magic.notebook.tables import html_table, show_table, text_table
from gemini_magic.notebook.terminal_view import TerminalView
from gemini_magic.types import (
    CANCELLED,
    CUT,
    Citation,
    Code,
    CodeOutput,
    Part,
    Reply,
    Step,
    Target,
    ToolCall,
    ToolResult,
    ToolUse,
)
from gemini_magic.widgets.markup import readable
from tests.notebook.media_values import HEIC, MP4, SVG, bomb, picture, png, wav

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
    view.close(Reply("x"), Ending("f", {}))
    view.abandon()
    assert view.delay() == 0 and shown(shell) == [] and capsys.readouterr().out == ""


def test_an_answer_grows_in_one_output_and_its_footer_is_another(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell)
    view.take([Started(A), TextDelta("**a")])
    clock.now += 1
    view.take([TextDelta("b**")])
    view.close(Reply("**ab**"), Ending("the <b>footer", {"model": "x"}))
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
    view.close(Reply(finish_reason=CANCELLED), Ending("0.5 s", {}))
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
    view.close(Reply("ab"), Ending("foot", {}))
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
    view.close(Reply(HOSTILE), Ending("f", {}))
    for data in shell.display_pub.calls[:-1]:
        assert "<script" not in data["text/markdown"]
        assert "![x](http" not in data["text/markdown"]
        assert "](javascript:" not in data["text/markdown"]
    assert shell.display_pub.calls[-2]["text/plain"] == HOSTILE


def test_text_is_shown_as_text_only(shell: Kernel) -> None:
    view = notebook(shell, "text")
    view.take([TextDelta("<b>\x1b[2J*x*")])
    view.close(Reply("<b>\x1b[2J*x*"), Ending("f", {}))
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


# --- answers of several parts ---------------------------------------------------------------

CALL = ToolCall("lookup", '{"city": "Oslo"}')
USE = ToolUse(CALL, ToolResult("lookup", '"12 °C"'), 0.2)
CALLED = ToolCalled(CALL, Part(call=CALL))


def kinds(shell: Kernel) -> list[str]:
    """The richest type of each output, in their order."""
    return [
        next((one for one in data if one != "text/plain"), "text/plain") for data in shown(shell)
    ]


def whole(*parts: Part, **more: Any) -> Reply:
    return Reply("".join(part.text or "" for part in parts), parts=parts, target=A, **more)


def stream(view: NotebookView, clock: Clock, *events: Event) -> None:
    """Each event is drawn before the next one comes."""
    for event in events:
        view.take([event])
        clock.now += 0.2
        view.take([])


def test_parts_are_shown_in_the_order_in_which_they_come(shell: Kernel, clock: Clock) -> None:
    picture = png()
    code, output = Part(code=Code("print(1)")), Part(output=CodeOutput("1"))
    view = notebook(shell)
    stream(view, clock, Started(A), TextDelta("**before**"), PartDone(picture), TextDelta("mid"))
    stream(view, clock, TextDelta("dle"), PartDone(code), PartDone(output), TextDelta("end"))
    order = ["text/markdown", "image/png", "text/markdown", "text/markdown", "text/html"]
    assert kinds(shell) == [*order, "text/markdown"]
    texts = [Part(text=text) for text in ("**before**", "middle", "end")]
    reply = whole(texts[0], picture, texts[1], code, output, texts[2])
    drawn = len(shell.display_pub.calls)
    view.close(reply, Ending("foot", {"model": "x"}))
    assert kinds(shell) == [*order, "text/markdown", "text/html"]
    assert len(shell.display_pub.calls) == drawn + 3 + 1  # the texts and the footer
    said = [data["text/plain"] for data in shown(shell)]
    assert said[0] == "**before**" and said[2] == "middle" and said[5:] == ["end", "foot"]
    assert said[1] == "<picture 32x20>"
    assert shell.display_pub.metadata == {"gemini_magic": {"model": "x"}}


def test_what_is_there_at_once_is_drawn_once(shell: Kernel, clock: Clock) -> None:
    picture = png()
    reply = whole(Part(text="a"), picture, Part(text="b"))
    view = notebook(shell)
    view.take([TextDelta("a"), PartDone(picture), TextDelta("b"), Finished(reply)])
    assert shown(shell) == []
    view.close(reply, Ending("foot", saved=(Path("out/cat.png"),)))
    assert len(shell.display_pub.calls) == 4
    assert shown(shell)[1]["text/plain"] == "<picture 32x20, saved as out/cat.png>"


@pytest.mark.parametrize("form", ["markdown", "text", "code"])
def test_a_reply_that_is_there_already_shows_the_same(
    shell: Kernel, clock: Clock, form: str
) -> None:
    reply = whole(
        Part(text="<b>a</b>"), Part(call=CALL), Part(result=USE.result), png(),
        Part(code=Code("1")), Part(output=CodeOutput("1")), Part(text="b"),
        tool_calls=(USE,), thoughts="hm", citations=(Citation("https://a.example/", "A"),),
    )  # fmt: skip
    view = notebook(shell, form)
    stream(view, clock, ThoughtDelta("hm"), TextDelta("<b>a</b>"), CALLED, ToolReturned(USE))
    stream(view, clock, *(PartDone(part) for part in reply.parts[3:6]), TextDelta("b"))
    view.close(reply, Ending("foot"))
    other = Kernel()
    notebook(other, form).close(reply, Ending("foot"))
    assert shown(other) == shown(shell) and len(shown(shell)) == 9
    assert len(other.display_pub.calls) == 9


def test_a_call_is_shown_while_it_runs_and_then_what_it_gave(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    stream(view, clock, CALLED)
    assert shown(shell)[0]["text/plain"].endswith("running …")
    stream(view, clock, ToolReturned(USE))
    assert len(shown(shell)) == 1 and "12 °C" in shown(shell)[0]["text/plain"]
    view.take([Started(A)])
    clock.now += 1
    view.take([])
    assert shown(shell)[1]["text/plain"] == "waiting for gemini-x on studio …"
    stream(view, clock, TextDelta("It is 12 °C."))
    assert [data["text/plain"] for data in shown(shell)][1:] == ["It is 12 °C."]
    reply = whole(Part(call=CALL), Part(result=USE.result), Part(text="It is 12 °C."))
    view.close(reply.replace(tool_calls=(USE,)), Ending("foot"))
    assert len(shown(shell)) == 3


def test_the_same_call_twice_gets_both_results(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    later = ToolUse(CALL, ToolResult("lookup", '"later"', failed=True), 9.0)
    stream(view, clock, CALLED, CALLED, ToolReturned(USE), ToolReturned(later))
    first, second = (data["text/plain"] for data in shown(shell))
    assert "12 °C" in first and "✗" in second and "later" in second


def test_a_call_that_was_stopped_says_so(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    stream(view, clock, TextDelta("Let me see."), CALLED)
    view.close(
        whole(Part(text="Let me see."), Part(call=CALL), finish_reason=CANCELLED), Ending("foot")
    )
    said = [data["text/plain"].strip() for data in shown(shell)]
    assert said[0] == "Let me see." and said[1].endswith("· stopped")
    assert said[2:] == ["*… (interrupted)*", "foot"]


def test_a_picture_that_grows_is_one_output(shell: Kernel, clock: Clock) -> None:
    small, middle, final = png((8, 8)), png((16, 16)), png((2000, 1000))
    view = notebook(shell)
    stream(view, clock, Preview(small), Preview(middle))
    assert [data["text/plain"] for data in shown(shell)] == ["<picture 16x16, unfinished>"]
    stream(view, clock, PartDone(final))
    view.close(whole(final), Ending("foot", {"m": 1}, saved=(Path("x.png"),)))
    assert [data["text/plain"] for data in shown(shell)] == [
        "<picture 2000x1000, saved as x.png>", "foot",
    ]  # fmt: skip
    assert shell.display_pub.metadata == {"image/png": {"width": 640}, "gemini_magic": {"m": 1}}
    assert base64.b64decode(shown(shell)[0]["image/png"]) == final.data


def test_an_unfinished_picture_stays_when_stopped(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    stream(view, clock, Preview(png()))
    view.close(Reply(finish_reason=CANCELLED, target=A), Ending("foot"))
    said = [data["text/plain"].strip() for data in shown(shell)]
    assert said == ["<picture 32x20, unfinished>", "*… (interrupted)*", "foot"]


def test_thoughts_are_folded_away_before_what_came_of_them(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    stream(view, clock, ThoughtDelta("<b>hm"), ThoughtDelta(" hm"))
    clock.now += 1
    view.take([ThoughtDelta("!")])
    assert [data["text/plain"] for data in shown(shell)] == ["thinking …"]
    calls = len(shell.display_pub.calls)
    view.take([ThoughtDelta("!")])
    assert len(shell.display_pub.calls) == calls
    stream(view, clock, TextDelta("Yes."))
    thoughts, answer = shown(shell)
    assert "<details>" in thoughts["text/html"] and "&lt;b&gt;hm hm!!" in thoughts["text/html"]
    assert "hm" not in thoughts["text/plain"] and answer["text/plain"] == "Yes."
    view.close(whole(Part(text="Yes."), thoughts="<b>hm hm!!"), Ending("foot", {"m": 1}))
    assert len(shown(shell)) == 3 and shell.display_pub.calls[-2]["text/plain"] == "Yes."


def test_thoughts_of_a_target_that_failed_are_gone(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    view.take([ThoughtDelta("old"), Switched(A, B, "studio is full."), ThoughtDelta("new")])
    stream(view, clock, TextDelta("x"))
    assert "old" not in str(shown(shell)) and "new" in shown(shell)[0]["text/html"]


def test_thoughts_between_words_do_not_break_the_text(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    for n in range(50):
        stream(view, clock, TextDelta(f"w{n} "), ThoughtDelta(f"t{n} "))
    text, thoughts = ("".join(f"{c}{n} " for n in range(50)) for c in "wt")
    view.close(whole(Part(text=text), thoughts=thoughts), Ending("foot"))
    assert shown(shell)[0]["text/plain"] == text and len(shown(shell)) <= 4


def test_a_status_in_the_middle_leaves_when_words_come(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    stream(view, clock, TextDelta("a"))
    view.take([Waiting("the minute is full")])
    clock.now += 1
    view.take([])
    assert shown(shell)[1]["text/plain"] == "the minute is full …"
    stream(view, clock, TextDelta("b"))
    assert [data["text/plain"] for data in shown(shell)] == ["ab", ""]
    view.close(whole(Part(text="ab")), Ending("foot"))
    assert [data["text/plain"] for data in shown(shell)] == ["ab", "foot"]


def test_an_upload_shows_how_far_it_is(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    clock.now += 1
    for done in range(0, 101):
        view.take([Uploading("film.mp4", done * 10**6, 100 * 10**6)])
        clock.now += 0.01
    assert 8 <= len(shell.display_pub.calls) <= 12 and len(shown(shell)) == 1
    view.take([])
    clock.now += 0.2
    view.take([])
    assert shown(shell)[0]["text/plain"] == "uploading film.mp4: 100 % of 100.0 MB …"
    view.abandon()
    assert shown(shell) == [{"text/plain": ""}]


def test_what_a_reply_has_and_the_events_had_not_is_drawn_at_the_end(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell)
    stream(view, clock, TextDelta("no JSON"), PartDone(png()))
    view.close(whole(Part(text='{"a": 1}'), thoughts="hm"), Ending("foot"))
    assert [data["text/plain"].split(":")[0] for data in shown(shell)] == [
        '{"a"', "", "(thoughts", "foot",
    ]  # fmt: skip
    late = notebook(shell)
    late.take([Finished(Reply())])
    late.close(whole(Part(text="x"), png()), Ending("foot"))
    assert [data["text/plain"] for data in shown(shell)][-3:] == ["x", "<picture 32x20>", "foot"]


def test_only_the_last_text_takes_a_form(shell: Kernel, clock: Clock) -> None:
    parts = (Part(text="I look it up."), Part(call=CALL), Part(text='{"t": 12}'))
    for form, wanted in (("json", "application/json"), ("html", "text/html")):
        view = notebook(shell, form)
        stream(view, clock, TextDelta("I look it up."), CALLED, TextDelta('{"t": 12}'))
        assert all("text/markdown" not in data for data in shown(shell))
        view.close(whole(*parts), Ending("foot"))
        assert shown(shell)[0] == {"text/plain": "I look it up."}
        assert wanted in shown(shell)[2]
        shell.display_pub = Publisher()
    view = notebook(shell, "df")
    stream(view, clock, TextDelta('[{"t": 12}]'))
    view.close(whole(Part(text='[{"t": 12}]')), Ending("foot", frame=pandas.DataFrame([{"t": 12}])))
    assert "<td>12</td>" in shown(shell)[0]["text/html"] and len(shown(shell)) == 2


def test_what_is_no_picture_is_a_line(shell: Kernel, clock: Clock) -> None:
    view = notebook(shell)
    parts = (
        Part(data=b"<script>", mime_type="image/png"), Part(data=bomb(), mime_type="image/png"),
        Part(data=SVG, mime_type="image/svg+xml"), Part(data=wav(), mime_type="audio/wav"),
        Part(data=MP4, mime_type="video/mp4"),
        Part(data=b"ID3" + bytes(11_000_000), mime_type="audio/mpeg"),
    )  # fmt: skip
    view.take([PartDone(part) for part in parts])
    view.close(
        whole(*parts), Ending("f", saved=(None, None, Path("a.svg"), None, None, Path("b.mp3")))
    )
    none, large, svg, sound, film, long, _ = shown(shell)
    assert list(none) == list(large) == list(long) == ["text/plain"]
    assert "no picture that is known" in none["text/plain"] and "too large" in large["text/plain"]
    assert svg["text/html"].startswith("<img ") and "<svg" not in svg["text/html"]
    assert "data:image/svg+xml;base64," in svg["text/html"]
    assert svg["text/plain"] == "<picture, 89 bytes, saved as a.svg>"
    assert '<audio controls preload="metadata" src="data:audio/wav;base64,' in sound["text/html"]
    assert sound["text/plain"].startswith("<sound, ") and "<video controls" in film["text/html"]
    assert long["text/plain"] == "<sound, 11.0 MB, saved as b.mp3>"


def test_plain_answers_load_nothing_more() -> None:
    code = """
import sys
from gemini_magic.notebook.display import Ending, Output
from gemini_magic.notebook.notebook_view import NotebookView, draw_whole
from gemini_magic.types import *
from gemini_magic import events, types
before = set(sys.modules)
class Shell:
    class display_pub:
        publish = staticmethod(lambda *_, **__: None)
view = NotebookView(Output(Shell), "markdown")
view.take([events.Started(types.Target("a", "b")), events.TextDelta("**x**")])
view.take([])
view.close(types.Reply.saying("**x**"), Ending("foot", {}))
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_terminal_names_pictures_and_calls(capsys: pytest.CaptureFixture[str]) -> None:
    view = TerminalView("markdown")
    picture = png()
    view.take(
        [TextDelta("Look:"), CALLED, ToolReturned(USE), TextDelta("here "), PartDone(picture)]
    )
    view.take([PartDone(Part(code=Code("1 + 1"))), PartDone(Part(output=CodeOutput("2\x1b[2J")))])
    reply = whole(
        Part(text="Look:"), Part(call=CALL), Part(text="here "), picture,
        citations=(Citation("https://a.example/", "A\x1b[2J"),),
    )  # fmt: skip
    view.close(reply, Ending("foot", saved=(Path("cat.png"),)))
    assert capsys.readouterr().out.splitlines() == [
        "Look:", '[lookup(city="Oslo") → "12 °C" (0.2 s)]', "here ", "<picture 32x20>", "1 + 1",
        "[the program's output]", "2[2J", "[saved as cat.png]", "Sources:",
        "1. A[2J (a.example) https://a.example/", "[foot]",
    ]  # fmt: skip
    view = TerminalView("df")
    view.take([TextDelta("[]")])
    view.close(Reply("[]"), Ending("foot", frame="a table"))
    assert capsys.readouterr().out == "a table\n[foot]\n"


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
    view.close(Reply("ab"), Ending("foot", {}))
    assert capsys.readouterr().out == "\n[foot]\n"
    view = TerminalView("json")
    view.take([TextDelta("{}")])
    view.close(Reply("{}", finish_reason=CUT), Ending("foot", {}))
    assert capsys.readouterr().out == "{} … (cut off)\n[foot]\n"
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    TerminalView("text").close(Reply(""), Ending("foot", {}))
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


# --- the end ---


def test_a_list_is_shown_without_the_object_around_it(
    shell: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{"items": [1]}'
    parts = (Part(text="I look it up."), Part(call=CALL), Part(text=text))
    reply = whole(*parts).replace(text=text, parsed=[1])
    notebook(shell, "json").close(reply, Ending("foot"))
    assert shown(shell)[0] == {"text/plain": "I look it up."}
    assert shown(shell)[2]["application/json"] == [1]
    shell.display_pub = Publisher()
    draw_whole(shell, reply, "foot")
    assert shown(shell)[2] == {"application/json": [1], "text/plain": "[\n  1\n]"}
    view = TerminalView("json")
    view.take([TextDelta(text)])
    view.close(reply, Ending("foot"))
    assert capsys.readouterr().out == "I look it up.[\n  1\n]\n[foot]\n"


def test_what_a_service_told_its_own_tools_is_not_shown(
    shell: Kernel, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Part(step=Step("GOOGLE_SEARCH_WEB", "{}", "s"))
    reply = whole(step, Part(text="found"), Part(text="", signature=b"s"))
    view = notebook(shell)
    stream(view, clock, PartDone(step), TextDelta("found"), TextDelta("", b"s"))
    view.close(reply, Ending("foot"))
    assert [data["text/plain"] for data in shown(shell)] == ["found", "foot"]
    terminal = TerminalView("markdown")
    terminal.take([PartDone(step), TextDelta("found"), TextDelta("", b"s")])
    terminal.close(reply, Ending("foot"))
    assert capsys.readouterr().out == "found\n[foot]\n"


def test_an_answer_that_does_not_fit_its_schema_is_shown_as_it_is(
    shell: Kernel, clock: Clock
) -> None:
    view = notebook(shell, "json")
    stream(view, clock, TextDelta('{"name": 1}'))
    view.close(whole(Part(text='{"name": 1}')), Ending("foot", raw=True))
    assert shown(shell)[0] == {"text/plain": '{"name": 1}'}


@pytest.mark.parametrize(("count", "opened"), [(10, True), (20_000, False)])
def test_a_tree_of_json_is_open_unless_it_is_large(count: int, opened: bool) -> None:
    shell = Kernel()
    text = json.dumps({"values": [0] * count})
    notebook(shell, "json").close(whole(Part(text=text)), Ending("foot", {"m": 1}))
    assert shown(shell)[0]["application/json"] == {"values": [0] * count}
    wanted = {"application/json": {"expanded": True}} if opened else {}
    assert shell.display_pub.metadata == {"gemini_magic": {"m": 1}, **wanted}


def test_pictures_that_lab_does_not_draw(shell: Kernel) -> None:
    avif = Part(data=picture("AVIF"), mime_type="image/avif")
    heic = Part(data=HEIC, mime_type="image/heic")
    saved = (Path("a.avif"), Path("b.heic"))
    notebook(shell).close(whole(avif, heic), Ending("foot", saved=saved))
    drawn, named = shown(shell)[:2]
    assert drawn["text/plain"] == "<picture 32x20, saved as a.avif>"
    assert Image.open(io.BytesIO(base64.b64decode(drawn["image/png"]))).size == (32, 20)
    words = "<picture 64x48, saved as b.heic; it is HEIC, which cannot be drawn here>"
    assert named == {"text/plain": words}


def test_a_large_picture_is_put_into_the_notebook_as_small_as_it_is_shown() -> None:
    noise = io.BytesIO()
    Image.effect_noise((2_100, 2_100), 90).save(noise, "PNG", compress_level=0)
    shell = Kernel()
    part = Part(data=noise.getvalue(), mime_type="image/png")
    notebook(shell).close(whole(part), Ending("foot", saved=(Path("large.png"),)))
    drawn = shown(shell)[0]
    assert drawn["text/plain"] == "<picture 2100x2100, saved as large.png>"
    small = Image.open(io.BytesIO(base64.b64decode(drawn["image/png"])))
    assert small.size == (640, 640) and len(drawn["image/png"]) < len(noise.getvalue()) / 5
