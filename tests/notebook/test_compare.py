"""Several models side by side: what is asked, drawn and bound; hostile answers stay text."""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic import GeminiCell, errors
from gemini_magic.engine.house import House
from gemini_magic.events import PartDone, TextDelta
from gemini_magic.notebook.chat import Conversations
from gemini_magic.notebook.compare import compare
from gemini_magic.notebook.compare_view import Column, page
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.types import Message, Part, Reply, Target
from tests.browser.hostile import PAYLOADS
from tests.wire import Answer, Call, Failure, Fault, Picture, Usage, payloads

pd = pytest.importorskip("pandas")

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
BOTH = "one:gemini-2.5-flash,two:gemini-2.5-flash"


@pytest.fixture
def two(google_server, openai_server, configure, monkeypatch):  # type: ignore[no-untyped-def]
    """A Google backend ``one`` and an OpenAI-compatible one ``two``."""
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
        tier = "tier1"
        [backends.two]
        kind = "openai"
        base_url = "{proxy.url}"
        key_env = "TEST_KEY"
        model = "gemini-2.5-flash"
        [backends.keyless]
        kind = "openai"
        base_url = "{proxy.url}"
        key_env = "NO_SUCH_KEY"
        model = "gemini-2.5-flash"
        [prices.one."gemini-2.5-flash"]
        input = "0.30 USD"
        output = "2.50 USD"
        """
    )
    return google, proxy


class Notebook:
    """What ``compare`` needs of a session, and what it drew and bound."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.house = House()
        self.engine, self.refresh = self.house.engine, self.house.refresh
        self.begin = self.house.refresh
        self.drawn: list[tuple[dict[str, Any], bool, float]] = []
        self.metadata: dict[str, Any] = {}
        self.bound: list[Any] = []
        self.variables: dict[str, Any] = {}
        self.namespace = Namespace(self.variables)
        self.chats = Conversations()
        self.shell = SimpleNamespace(
            display_pub=SimpleNamespace(publish=self._publish),
        )
        self.bind = self.bound.append
        if not terminal:
            self.shell.kernel = object()

    def _publish(self, data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        self.drawn.append((data, update, time.monotonic()))
        self.metadata = metadata

    def chat_of(self, cell: GeminiCell) -> Any:
        name = cell.text("chat")
        return (self.chats.open(name), None) if name else (None, None)

    def compare(self, source: str) -> Any:
        return compare(self, GeminiCell.parse(source))  # type: ignore[arg-type]

    @property
    def page(self) -> str:
        return str(self.drawn[-1][0]["text/html"])

    @property
    def plain(self) -> str:
        return str(self.drawn[-1][0]["text/plain"])


@pytest.fixture
def notebook(two) -> Iterator[Notebook]:  # type: ignore[no-untyped-def]
    made = Notebook()
    yield made
    made.engine.close()


def test_all_are_asked_at_once_and_bound_as_a_table(two, notebook: Notebook) -> None:
    for server, word in zip(two, ("red ", "blue "), strict=True):
        server.set_script(
            Answer(chunks=[word] * 8, delay=0.1, usage=Usage(prompt=1_000_000, output=50))
        )
    notebook.variables["topic"] = "tides"
    frame = notebook.compare(f"%%gemini --compare {BOTH} -t 0.5 --out got\nAbout {{{{ topic }}}}")
    assert notebook.variables["got"] is frame and notebook.bound == []
    assert list(frame.columns) == [
        "model", "backend", "text", "seconds", "first", "input_tokens", "output_tokens", "cost",
        "finish_reason", "error", "reply",
    ]  # fmt: skip
    assert list(frame.error) == [None, None]
    assert list(frame.backend) == ["one", "two"] and list(frame.text) == ["red " * 8, "blue " * 8]
    assert list(frame.input_tokens) == [1_000_000] * 2 and frame.input_tokens.dtype == "Int64"
    assert (
        frame.cost[0] == pytest.approx(0.3, rel=0.01) and list(frame.finish_reason) == ["STOP"] * 2
    )
    assert list(frame.error) == [None, None] and isinstance(frame.reply[0], Reply)
    assert all(0 < first < seconds for first, seconds in zip(frame["first"], frame.seconds,
                                                             strict=True))  # fmt: skip
    one, other = (server.generate_calls[0] for server in two)
    assert abs(one.at - other.at) < 0.6 and "tides" in one.body.decode() + other.body.decode()
    assert "0.5" in one.body.decode() and "0.5" in other.body.decode()


def test_one_output_grows_in_place_at_a_bearable_rate(two, notebook: Notebook) -> None:
    for server in two:
        server.set_script(Answer(chunks=["word "] * 100, delay=0.02))
    notebook.compare(f"%%gemini --compare {BOTH}\nx")
    updates = [update for _, update, _ in notebook.drawn]
    assert updates[0] is False and all(updates[1:]) and len(updates) >= 4
    times = [at for _, _, at in notebook.drawn]
    assert len(times) <= (times[-1] - times[0]) * 10 + 3
    lengths = [len(data["text/plain"]) for data, _, _ in notebook.drawn]
    assert lengths == sorted(lengths)
    assert "=== gemini-2.5-flash · one ===" in notebook.plain and " → " in notebook.plain
    (runs,) = notebook.metadata["gemini_magic"].values()
    assert [run["backend"] for run in runs] == ["one", "two"] and "word" not in str(runs)


def test_an_error_stays_in_its_column(two, notebook: Notebook) -> None:
    two[0].set_script(Failure(500, {"error": {"code": 500, "message": "oops", "status": "X"}}))
    two[1].set_script(Answer(text="fine"))
    frame = notebook.compare(f"%%gemini --compare {BOTH},keyless\nx")
    assert frame.text[1] == "fine" and frame.error[1] is None
    assert "500" in frame.error[0] or "capacity" in frame.error[0], frame.error[0]
    assert "NO_SUCH_KEY" in frame.error[2] and "NO_SUCH_KEY" in notebook.page
    assert len(two[1].generate_calls) == 1 and pd.isna(frame.cost[2])


def test_a_cut_answer_is_kept_and_marked(two, notebook: Notebook) -> None:
    two[0].set_script(Fault("truncate", after=2, answer=Answer(chunks=["so ", "far ", "more"])))
    two[1].set_script(Answer(text="fine"))
    frame = notebook.compare(f"%%gemini --compare {BOTH}\nx")
    assert (frame.text[0], frame.finish_reason[0]) == ("so far ", "CUT") and frame.error[0]
    assert "so far  … (cut off)" in notebook.plain


def test_where_all_fail_the_cell_does(two, notebook: Notebook) -> None:
    for server in two:
        server.set_script(payloads.KEY_INVALID)
    with pytest.raises(errors.BackendError, match="all 2 models failed; one:gemini"):
        notebook.compare(f"%%gemini --compare {BOTH} -o got\nx")
    assert notebook.bound[0] is notebook.variables["got"] and notebook.bound[0].error.notna().all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("one:gemini-2.5-flash", "needs two models or more"),
        ("one:gemini-2.5-flash,one:gemini-2.5-flash", "needs two models or more"),
        ("one:gemini-2.5-flash,tow:x", "no backend"),
        ("one:gemini-2.5-flash,no-such-model", "has a model 'no-such-model'"),
        (f"{BOTH} -m one", "does not go with --model"),
        (f"{BOTH} -r one", "does not go with --route"),
        (f"{BOTH} --cached", "asks anew"),
        (f"{BOTH} --as json", "shown as text"),
        (f"{BOTH} --repair", "as they came"),
        (f"{BOTH} --schema nowhere", "nowhere"),
    ],
)
def test_what_is_off_is_told_and_nothing_is_sent(two, notebook, options: str, told: str) -> None:
    with pytest.raises(errors.GeminiMagicError, match=told) as caught:
        notebook.compare(f"%%gemini --compare {options}\nx")
    if "does not go with" in caught.value.what:
        assert caught.value.next_step.startswith("Leave --")
    assert [server.requests for server in two] == [[], []] and notebook.drawn == []


def test_a_dry_run_names_all_and_sends_nothing(two, notebook: Notebook, capsys) -> None:
    assert notebook.compare(f"%%gemini --compare {BOTH} --dry-run\nhello") is None
    out = capsys.readouterr().out
    assert "2 models at once" in out and " one" in out and " two" in out and "hello" in out
    assert [server.requests for server in two] == [[], []]


def test_it_always_asks_anew(two, notebook: Notebook) -> None:
    for server in two:
        server.set_script(Answer(text="fine"))
    for _ in range(2):
        frame = notebook.compare(f"%%gemini --compare {BOTH}\nx")
        assert list(frame.error) == [None, None]
        assert not any(reply.cached for reply in frame.reply)
        time.sleep(0.3)
    assert [len(server.generate_calls) for server in two] == [2, 2]


def test_media_history_schema_and_tools(two, notebook: Notebook) -> None:
    Image = pytest.importorskip("PIL.Image")
    chat = notebook.chats.open("talk")
    chat.add(None, _question("before"), _answer("answer"))
    notebook.chats.keep(chat)

    def double(n: int) -> int:
        """Twice a number."""
        return 2 * n

    notebook.variables |= {"photo": Image.new("RGB", (4, 4)), "double": double}

    def google(body: Any) -> Answer:
        if "functionResponse" in str(body["contents"][-1]):
            return Answer(text='{"n": 4}')
        return Answer(calls=[Call("double", {"n": 2})])

    two[0].set_script(google)
    two[1].set_script(Answer(text="no number at all"))
    frame = notebook.compare(
        "%%gemini --compare one:gemini-3.8-flash,two --chat talk --schema 'n int' --tools double\n"
        "{{ photo }} how many?"
    )
    assert frame.parsed[0] is not None and frame.error[0] is None
    assert frame.parsed[1] is None and "does not fit" in frame.error[1]
    assert frame.text[1] == "no number at all" and "does not fit" in notebook.page
    for server in two:
        turns = server.generate_calls[0].json
        assert len(turns.get("contents") or turns["messages"]) == 3
        assert "image/png" in server.generate_calls[0].body.decode()
    assert len(chat.turns) == 1  # which of the answers would be the turn?


def _question(text: str) -> Any:
    return Message("user", (Part(text=text),))


def _answer(text: str) -> Reply:
    return Reply.saying(text, exchanged=(Message("model", (Part(text=text),)),))


def test_quiet_draws_nothing(two, notebook: Notebook) -> None:
    for server in two:
        server.set_script(Answer(text="fine"))
    assert len(notebook.compare(f"%%gemini --compare {BOTH} -q\nx")) == 2
    assert notebook.drawn == []


def test_a_terminal_gets_each_answer_when_it_is_whole(two, capsys) -> None:
    two[0].set_script(Answer(text="slow\x1b[31m", first_delay=0.5))
    two[1].set_script(Answer(text="quick"))
    terminal = Notebook(terminal=True)
    terminal.compare(f"%%gemini --compare {BOTH}\nx")
    terminal.engine.close()
    out = capsys.readouterr().out
    assert out.index("quick") < out.index("slow[31m") and "\x1b" not in out


def test_pictures_are_shown_in_their_column(two, notebook: Notebook) -> None:
    Image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    Image.new("RGB", (600, 600), "red").save(buffer, "PNG")
    two[0].set_script(Answer(text="Here:", pictures=[Picture(buffer.getvalue())]))
    two[1].set_script(Answer(text="fine"))
    frame = notebook.compare("%%gemini --compare one:gemini-3.1-flash-image,two\nDraw")
    assert list(frame.error) == [None, None]
    assert len(frame.reply[0].media) == 1 and frame.text[0] == "Here:"
    assert notebook.page.count("<img ") == 1 and "600x600" in notebook.page
    assert "[1 picture, sound or film]" in notebook.plain


# --- columns ---


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def columns(text: str, *parts: Part, name: str = "m") -> list[Column]:
    column = Column(Target(name, name))
    column.take([TextDelta(text), *map(PartDone, parts)])
    column.close(Reply(text), f"failed: {text}"[:300])
    return [column, Column(Target("other", name))]


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_hostile_answers_stay_text(name: str) -> None:
    text = PAYLOADS[name]
    for form in (text, f"```\n{text}\n```\n{text}", f"```{text}", f"</td></tr></table>{text}"):
        made = Tags(page(columns(form, name=text[:200]))).found
        allowed = {"div", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "span"}
        assert {tag for tag, _ in made} <= allowed
        assert all(set(attrs) <= {"style"} for _, attrs in made)
    assert "$" not in re.sub(r"<span>\$</span>", "", page(columns("$x$ and $$y$$ \\(z\\)")))


def test_pictures_are_drawn_anew_and_small() -> None:
    Image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 1000), "red").save(buffer, "PNG")
    good = Part(data=buffer.getvalue(), mime_type="image/png")
    no_picture = Part(data=b"\x89PNG\r\n\x1a\n<script>", mime_type="image/png")
    odd = Part(data=b"<svg onload=alert(1)>", mime_type='image/svg+xml"><script>')
    made = page(columns("two", good, no_picture, odd))
    pictures = [attrs for tag, attrs in Tags(made).found if tag == "img"]
    assert len(pictures) == 1 and (pictures[0]["src"] or "").startswith("data:image/png;base64,")
    assert len(made) < 20_000 and "<script" not in made and "<svg" not in made


def test_code_stands_out_and_long_answers_are_cut() -> None:
    made = page(columns("See:\n```python\nx < 1\n```\nDone."))
    assert re.search(r"<pre[^>]*><code>x &lt; 1</code></pre>Done\.", made)
    endless = columns("long " * 100_000)
    assert len(page(endless)) < 120_000 and "characters more" in html.unescape(page(endless))


def test_an_endless_stream_is_drawn_in_bounded_time() -> None:
    column = Column(Target("m", "m"))
    began = time.monotonic()
    for _ in range(200):
        column.take([TextDelta("x" * 100_000)])
        page([column])
    assert time.monotonic() - began < 5
