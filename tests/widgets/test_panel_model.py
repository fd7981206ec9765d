"""What a panel holds and does, without a widget and without a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.config import load
from gemini_magic.errors import ConfigError, UsageError
from gemini_magic.option_table import OPTIONS
from gemini_magic.options import BY_NAME
from gemini_magic.types import Message, Part, Reply
from gemini_magic.widgets.panel_abilities import abilities
from gemini_magic.widgets.panel_desk import Outcome, Who
from gemini_magic.widgets.panel_media import keep
from gemini_magic.widgets.panel_model import ABSENT, PanelModel, shown_options
from gemini_magic.widgets.panel_presets import Presets
from gemini_magic.widgets.panel_text import shown, typed


class Desk:
    """Answers in the user's words; a run ends when the test says so."""

    magic = "gemini"
    folder = Path("gemini_inputs")

    def __init__(self) -> None:
        self.barred: dict[str, str] = {}
        self.problem = ""
        self.asked: list[tuple[GeminiCell, Sequence[Message]]] = []
        self.over: Callable[[Outcome], None] = lambda outcome: None
        self.stops = 0
        self.schema: Callable[[str], str] = lambda text: "{}"

    def who(self, cell: GeminiCell) -> Who:
        return Who("studio", cell.text("model") or "m", "asks m", "", self.barred, self.problem)

    def ask(self, cell: GeminiCell, history: Any, place: Any, over: Any) -> Any:
        self.asked.append((cell, history))
        self.over = over
        return self

    def stop(self) -> None:
        self.stops += 1

    def answer(self, text: str, counts: bool = True, error: str = "") -> None:
        question = Message("user", (Part(text=self.asked[-1][0].template),))
        exchanged = (Message("model", (Part(text=text),)),)
        self.over(Outcome(question, Reply.saying(text, exchanged=exchanged), counts, error))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def model(desk: Desk, tmp_path: Path) -> PanelModel:
    return PanelModel(desk, Presets(tmp_path / "config" / "presets.json"))  # type: ignore[arg-type]


PLACE: Any = None

# --- fields --------------------------------------------------------------------------------------


def test_every_option_of_the_table_is_there_or_has_no_sense_here() -> None:
    assert {option.name for option in shown_options()} | set(ABSENT) == {o.name for o in OPTIONS}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", " 0.2 ", 0.2),
        ("top-k", "40", 40),
        ("stop", "END\n\\n\\n\n\nC:\\\\x\\q", ("END", "\n\n", "C:\\x\\q")),
        ("thinking", "high", "high"),
        ("thinking", "2048", 2048),
        ("modalities", "text, image", ("text", "image")),
        ("system", " Be brief.\n", " Be brief.\n"),
        ("schema", " Recipe ", "Recipe"),
        ("search", "yes", True),
        ("search", "", None),
        ("temperature", "  ", None),
        ("stop", "\n", None),
    ],
)
def test_what_is_typed_is_read_as_a_cell_reads_it(name: str, text: str, value: Any) -> None:
    assert typed(BY_NAME[name], text) == value


@pytest.mark.parametrize(
    ("name", "text"), [("temperature", "warm"), ("temperature", "3"), ("top-k", "0.5"),
                       ("thinking", "hard"), ("modalities", "smell"), ("out", "1x")]
)  # fmt: skip
def test_what_does_not_fit_is_told_and_not_sent(model: PanelModel, name: str, text: str) -> None:
    assert f"--{name}" in model.put(name, text)
    model.template = "x"
    with pytest.raises(UsageError, match=f"--{name}"):
        model.run(PLACE)
    assert model.put(name, "") == ""
    model.run(PLACE)


@given(st.lists(st.text(min_size=1), min_size=1))
def test_texts_come_back_from_their_lines(texts: list[str]) -> None:
    option = BY_NAME["stop"]
    value = tuple(texts)
    assert typed(option, shown(option, value)) == value


# --- cells ---------------------------------------------------------------------------------------


def test_a_cell_is_taken_over_and_comes_back(model: PanelModel) -> None:
    source = "%%gemini --model m --image a.png --temperature 0.5 --search --out answer\nHi {{ x }}!"
    assert model.load(source) == ()
    assert model.source(model.cell) == source
    assert model.cells() == (GeminiCell.parse(source),)


def test_what_a_panel_has_not_is_said(model: PanelModel) -> None:
    assert model.load("%%gemini --chat tides --quiet -t 1\nx") == ("chat", "quiet")
    assert model.source(model.cell) == "%%gemini --temperature 1.0\nx"


@pytest.mark.parametrize(
    "source", ["", "x = 1", "%gemini quota", "%%bash\nls", "%%gemini --nonsense\nx"]
)
def test_what_is_no_cell_changes_nothing(model: PanelModel, source: str) -> None:
    model.load("%%gemini -t 1\nkept")
    with pytest.raises(UsageError):
        model.load(source)
    assert model.template == "kept" and model.given == {"temperature": 1.0}


def test_options_that_are_of_no_use_are_kept_and_not_sent(model: PanelModel, desk: Desk) -> None:
    model.load("%%gemini --top-k 3 --temperature 1\nx")
    desk.barred = {"top-k": "not with m"}
    model.look()
    model.run(PLACE)
    assert desk.asked[0][0] == GeminiCell.of("x", {"temperature": 1.0})
    desk.barred = {}
    model.look()
    assert model.cell.get("top-k") == 3


@given(st.text(), st.dictionaries(st.sampled_from(["stop", "system", "model"]), st.text()))
def test_a_run_goes_through_the_text_of_a_cell(template: str, fields: dict[str, str]) -> None:
    desk = Desk()
    model = PanelModel(desk, Presets(Path("nowhere")))  # type: ignore[arg-type]
    model.template = template
    for name, text in fields.items():
        model.put(name, text)
    wanted = model.cell
    try:
        model.run(PLACE)
    except UsageError:
        assert not template.strip()
        return
    (asked, _) = desk.asked[0]
    assert asked.options == wanted.options
    assert asked.template == GeminiCell.parse(wanted.to_source()).template


# --- runs ----------------------------------------------------------------------------------------


def test_a_conversation_is_sent_along_and_written_as_a_chat(model: PanelModel, desk: Desk) -> None:
    model.template = "one"
    model.run(PLACE)
    assert model.running and model.template == ""
    desk.answer("ONE")
    assert not model.running
    model.template = "two"
    model.run(PLACE)
    cell, history = desk.asked[1]
    assert cell.template == "two" and [message.text for message in history] == ["one", "ONE"]
    desk.answer("TWO", counts=False)
    model.template = "three"
    assert [model.source(cell) for cell in model.cells()] == [
        "%%gemini --chat panel\none",
        "%%gemini --chat panel\nthree",
    ], "what was stopped is no turn"


def test_media_belong_to_one_question(model: PanelModel, desk: Desk) -> None:
    model.load("%%gemini --image a.png --temperature 1\nwhat is it?")
    model.run(PLACE)
    assert model.given == {"temperature": 1.0}
    desk.answer("a boat")
    model.edit(model.turns.path[0])
    assert model.template == "what is it?" and model.given["image"] == ("a.png",)
    assert model.turns.path == ()


def test_a_failed_question_stays_to_be_mended(model: PanelModel, desk: Desk) -> None:
    told: list[tuple[Any, str]] = []
    model.over = lambda turn, place, error: told.append((turn, error))
    model.load("%%gemini --image a.png\nx")
    model.run(PLACE)
    desk.over(Outcome(error="no key. Next: get one"))
    assert told == [(None, "no key. Next: get one")]
    assert model.template == "x" and model.given == {"image": ("a.png",)} and not model.running
    model.run(PLACE)
    model.template = "typed meanwhile"
    desk.over(Outcome(error="again"))
    assert model.template == "typed meanwhile" and model.given == {}
    (failed,) = model.turns.path
    assert told[-1] == (failed, "again") and failed.reply is None
    assert model.turns.history() == () and len(model.cells()) == 1, "it is no part of what is sent"
    with pytest.raises(UsageError, match="not asked yet"):
        model.edit(failed)
    assert model.template == "typed meanwhile" and model.turns.path == (failed,)
    model.template = ""
    model.edit(failed)
    assert model.template == "x" and model.given == {"image": ("a.png",)}
    model.edit(failed)  # nothing is lost


def test_again_asks_a_question_beside_a_draft(model: PanelModel, desk: Desk) -> None:
    model.load("%%gemini --image a.png\nx")
    model.run(PLACE)
    desk.answer("X")
    model.template = "y"
    model.run(PLACE)
    desk.answer("Y")
    model.load("%%gemini --file b.pdf -t 1\ndraft")
    first, second = model.turns.path
    model.run(PLACE, first)
    cell, history = desk.asked[-1]
    assert model.source(cell) == "%%gemini --image a.png --temperature 1.0\nx" and history == ()
    desk.over(Outcome(error="no"))
    assert model.turns.path == (first, second), "nothing came of it, and nothing is hidden"
    model.run(PLACE, first)
    desk.answer("X2")
    assert [one.reply.text for one in model.turns.path if one.reply] == ["X2"]
    assert model.turns.siblings(first) == (first, *model.turns.path)
    assert model.source(model.cell) == "%%gemini --file b.pdf --temperature 1.0\ndraft"


def test_a_schema_counts_once_its_type_is_there(model: PanelModel, desk: Desk) -> None:
    def schema(text: str) -> str:
        raise UsageError(f"{text} is not defined.")

    desk.schema = schema
    model.put("schema", "Tide")
    model.problems["schema"] = "Tide is not defined."
    model.template = "x"
    with pytest.raises(UsageError, match="not defined"):
        model.run(PLACE)
    desk.schema = lambda text: "{}"
    model.run(PLACE)
    assert desk.asked[0][0].get("schema") == "Tide" and model.problems == {}


@pytest.mark.parametrize("template", ["", " \n "])
def test_nothing_is_not_sent(model: PanelModel, desk: Desk, template: str) -> None:
    model.template = template
    with pytest.raises(UsageError, match="empty"):
        model.run(PLACE)
    model.set("image", ("a.png",))
    model.run(PLACE)
    assert len(desk.asked) == 1


def test_one_question_at_a_time(model: PanelModel, desk: Desk) -> None:
    model.template = "x"
    model.run(PLACE)
    model.template = "y"
    with pytest.raises(UsageError, match="still"):
        model.run(PLACE)
    assert len(desk.asked) == 1 and model.template == "y"


def test_nobody_to_ask_is_said(model: PanelModel, desk: Desk) -> None:
    model.template, desk.problem = "x", "no backend has a model m"
    with pytest.raises(UsageError, match="no backend"):
        model.run(PLACE)
    assert not model.running and model.template == "x"


def test_stop_stops_and_does_nothing_where_nothing_runs(model: PanelModel, desk: Desk) -> None:
    model.stop()
    model.template = "x"
    model.run(PLACE)
    model.stop()
    model.stop()
    assert desk.stops == 2
    desk.answer("half", counts=False, error="")
    model.stop()
    assert desk.stops == 2


def test_stop_while_it_is_only_being_asked(model: PanelModel, desk: Desk) -> None:
    def ask(*args: Any) -> Any:
        model.stop()
        return desk

    desk.ask = ask  # type: ignore[method-assign]
    model.template = "x"
    thread = threading.Thread(target=model.run, args=(PLACE,))
    thread.start()
    thread.join(30)
    assert desk.stops == 1


# --- presets -------------------------------------------------------------------------------------


def test_presets_keep_settings_by_name(model: PanelModel, tmp_path: Path) -> None:
    model.load('%%gemini --image a.png -t 0.5 --stop "\\n" --system \'Be "brief".\' --search\nx')
    model.save_preset("  brief   answers ")
    model.save_preset("Other")
    assert model.presets.names() == ("brief answers", "Other")
    other = PanelModel(model.desk, Presets(tmp_path / "config" / "presets.json"))
    other.load("%%gemini --image b.png --top-k 3\ny")
    other.load_preset("brief answers")
    assert other.given == {**model.given, "image": ("b.png",)} and other.template == "y"
    file = tmp_path / "config" / "presets.json"
    assert file.stat().st_mode & 0o777 == 0o600
    other.presets.delete("Other")
    assert model.presets.names() == ("brief answers",)
    with pytest.raises(UsageError, match="Other"):
        model.load_preset("Other")


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x1bb"])
def test_a_preset_needs_a_name(model: PanelModel, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        model.save_preset(name)


@pytest.mark.parametrize("text", ["{", "[]", '{"presets": 3}', '{"presets": {"a": "--nope 1"}}'])
def test_a_broken_file_is_no_preset_and_is_not_written_over(model: PanelModel, text: str) -> None:
    file = model.presets._path
    file.parent.mkdir(mode=0o700)
    file.write_text(text)
    with pytest.raises(UsageError):
        model.load_preset("a")
    if "nope" not in text:
        with pytest.raises(ConfigError):
            model.save_preset("b")
        assert file.read_text() == text


# --- media ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "file"),
        (".bashrc", "file.bashrc"),
        ("", "file"),
        ("a b\n;c.p n g", "a-b-c.png"),
        ("x" * 300 + ".jpeg", "x" * 80 + ".jpeg"),
        ("Übung 1.pdf", "Übung-1.pdf"),
    ],
)
def test_a_dropped_file_stays_in_its_folder(tmp_path: Path, name: str, kept: str) -> None:
    path = keep(tmp_path / "in", name, b"bytes")
    assert path == tmp_path / "in" / kept and path.read_bytes() == b"bytes"


def test_a_dropped_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    first, again, other = (keep(tmp_path, "a.txt", text) for text in (b"1", b"1", b"2"))
    assert first == again != other
    assert first.read_bytes() == b"1" and other.read_bytes() == b"2"
    assert keep(tmp_path, "a.txt", b"2") == other


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a file")
    with pytest.raises(UsageError, match=r"could not be kept"):
        keep(tmp_path / "in", "a.png", b"x")


# --- abilities -----------------------------------------------------------------------------------


def test_what_a_service_cannot_do_is_barred_with_its_reason() -> None:
    config = load()
    google, local = config.backends["studio"], config.backends["local"]
    openai = config.presets["openrouter"]
    text = abilities(google, "gemini-2.5-flash")
    assert set(text.barred) == {"size", "aspect", "quality", "count", "voice"}
    assert text.barred["size"] == "gemini-2.5-flash makes no pictures"
    assert set(abilities(google, "gemini-3-pro-image").barred) == {"voice"}
    assert "not with the embedded model" in abilities(local, "qwen2.5-coder-0.5b").barred["image"]
    unknown = abilities(openai, "someone/draws-well").barred
    assert set(unknown) == {"top-k", "safety", "url-context", "code-execution"}
    assert "OpenAI-compatible" in unknown["top-k"]
    assert "size" in abilities(openai, "google/gemini-2.5-flash").barred
