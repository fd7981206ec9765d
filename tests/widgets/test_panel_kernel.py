"""The panel in a real kernel, its widgets driven over their comms as a front end does."""

from __future__ import annotations

import html
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import Kernel
from tests.notebook.media_values import picture
from tests.widgets.panel_front import Front
from tests.wire import Answer, Call, GoogleServer, Picture, payloads

pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
MODEL = "gemini-2.5-flash"
CONFIG = """
[settings]
model = "{model}"
[backends.studio]
kind = "google"
base_url = "{url}"
{more}
"""


class Page:
    """A panel as its user sees it."""

    def __init__(self, front: Front, server: GoogleServer) -> None:
        self.front, self.server = front, server
        self.run_button = front.find(css="gemini-magic-run")
        self.stop_button = front.find(css="gemini-magic-stop")
        self.prompt = front.find(css="gemini-magic-prompt")
        self.turns = front.find(css="gemini-magic-turns")

    def type(self, text: str) -> None:
        self.front.set(self.prompt, text)

    def ask(self, text: str) -> None:
        """Ask, and wait until the answer is there."""
        count = len(self.server.generate_calls)
        self.type(text)
        self.front.click(self.run_button)
        self.front.until(lambda: len(self.server.generate_calls) > count, "it was not sent")
        self.over()

    def over(self) -> None:
        self.front.until(lambda: not self.value(self.run_button, "disabled"), "it never ended")

    def value(self, comm: str, name: str = "value") -> Any:
        return self.front.models[comm][name]

    @property
    def shown(self) -> str:
        return self.front.texts(self.turns)

    @property
    def all(self) -> str:
        return self.front.texts(self.front.find(css="gemini-magic-talk"))

    def says(self, *words: str) -> None:
        self.front.until(lambda: all(word in self.all for word in words), f"no {words}")

    def press(self, word: str) -> None:
        """Press the newest button of that name."""
        self.front.click(self.field(word))

    def open(self, title: str) -> None:
        self.press(f"▸ {title}")

    def field(self, label: str) -> str:
        return self.front.until(
            lambda: self.front.has(description=label) and self.front.find(description=label)
        )

    def set(self, label: str, value: Any) -> None:
        self.front.set(self.field(label), value)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [call.json for call in self.server.generate_calls]


@pytest.fixture
def server(google_server, configure, monkeypatch: pytest.MonkeyPatch) -> GoogleServer:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    made = google_server(Answer.words("High **water** is at 06:12."), key=KEY)
    configure(CONFIG.format(model=MODEL, url=made.url, more=""))
    return made


@pytest.fixture
def opened(server: GoogleServer, kernel: Kernel) -> Iterator[Callable[..., Page]]:
    def open_it(code: str = "%gemini panel", *before: str) -> Page:
        front = Front(kernel)
        for one in before:
            front.run(one, cell_id="before")
        done = front.run(code)
        assert done.status == "ok", done.error
        return Page(front, server)

    yield open_it
    # What a thread prints lands in a cell: nothing here may fail out of sight.


def quiet(page: Page, *said: str) -> None:
    """Nothing was printed, and nothing failed, out of the panel's sight."""
    page.front.read()
    odd = [m["content"] for m in page.front.others if m["msg_type"] in ("stream", "error")]
    odd = [one for one in odd if one.get("text") not in said]
    assert odd == []


def test_what_is_set_reaches_the_wire_and_the_answer_the_panel(opened) -> None:
    page = opened("%gemini panel", "place = 'Saint-Malo'")
    page.set("Temperature", "0.25")
    page.set("Top K", "7")
    page.set("Stop sequences", "END\n\\n\\n")
    page.set("System instruction", "Be brief.")
    page.open("What the model may use")
    page.set("Search", True)
    page.ask("When is high water in {{ place }}?")
    assert "High **water** is at 06:12." in page.shown
    (sent,) = page.sent
    assert sent["contents"] == [
        {"role": "user", "parts": [{"text": "When is high water in Saint-Malo?"}]}
    ]
    assert sent["generationConfig"] == {
        "temperature": 0.25, "topK": 7, "stopSequences": ["END", "\n\n"],
    }  # fmt: skip
    assert sent["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert sent["tools"] == [{"googleSearch": {}}]
    assert page.value(page.prompt) == "" and "studio" in page.shown
    page.says("requests/day", "1 / 20")
    assert page.front.kernel.value("get_ipython().run_line_magic('gemini', 'last').text") == (
        "High **water** is at 06:12."
    )
    quiet(page)


def test_what_does_not_fit_is_said_at_its_field(opened) -> None:
    page = opened()
    page.set("Temperature", "hot")
    settings = page.front.find(css="gemini-magic-settings")
    page.front.until(lambda: "--temperature takes a number" in page.front.texts(settings))
    page.type("x")
    page.press("Run")
    page.says("--temperature takes a number")
    assert page.sent == []
    page.set("Temperature", "")
    page.front.until(lambda: "--temperature" not in page.front.texts(settings))
    page.ask("x")
    quiet(page)


def test_an_answer_streams_while_cells_run(opened, server: GoogleServer) -> None:
    page = opened()
    server.set_script(Answer.words("word " * 2_000, delay=0.02))
    page.type("x")
    page.press("Run")
    page.press("Run")  # a double click
    page.front.until(lambda: page.shown.count("word") > 5)
    assert page.front.run("print(6 * 7)", cell_id="other").text == "42\n"
    before = page.shown.count("word")
    page.front.until(lambda: page.shown.count("word") > before)
    page.front.click(page.stop_button)
    page.over()
    assert "… (interrupted)" in page.shown and len(server.wait_disconnects(1, 30)) == 1
    assert page.front.models[page.prompt]["value"] == ""
    server.set_script(Answer("again"))
    page.ask("y")
    assert [turn["parts"][0]["text"] for turn in page.sent[1]["contents"]] == ["y"], (
        "what was stopped is not sent along"
    )
    assert len(page.sent) == 2
    quiet(page, "42\n")


def test_stop_is_heard_while_a_cell_runs(opened, server: GoogleServer, tmp_path: Path) -> None:
    page = opened()
    kernel = page.front.kernel
    if "kernel subshells" not in kernel.client.kernel_info(reply=True, timeout=60)["content"].get(
        "supported_features", []
    ):
        pytest.skip("this ipykernel has no subshells")
    request = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(request)
    subshell = kernel.client.get_control_msg(timeout=60)["content"]["subshell_id"]
    server.set_script(Answer.words("word " * 2_000, delay=0.02))
    page.type("x")
    page.press("Run")
    page.front.until(lambda: page.shown.count("word") > 5)
    flag = tmp_path / "go on"
    blocking = kernel.start(
        f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.05)"
    )
    page.front.click(page.stop_button, subshell_id=subshell)
    page.over()
    assert "(interrupted)" in page.shown
    flag.touch()
    assert kernel.finish(blocking).status == "ok"
    quiet(page)


def test_an_error_is_one_line_and_the_prompt_stays(opened, server: GoogleServer) -> None:
    page = opened()
    server.set_script(payloads.KEY_INVALID)
    page.type("x")
    page.press("Run")
    page.says("studio", "key")
    page.over()
    said = page.front.texts(page.front.find(css="gemini-magic-talk"))
    assert "Traceback" not in said and said.count('role="alert"') == 1
    assert page.value(page.prompt) == "x" and page.shown == ""
    server.set_script(Answer("fine"))
    page.press("Run")
    page.front.until(lambda: "fine" in page.shown)
    page.over()
    page.front.until(lambda: 'role="alert"' not in page.all)
    page.type("{{ nothing_of_that_name }}")
    page.press("Run")
    page.says("nothing_of_that_name", "not defined")
    assert len(page.sent) == 2
    quiet(page)


def test_a_conversation_is_edited_branched_and_cut(opened, server: GoogleServer) -> None:
    page = opened()
    server.set_script(lambda request: Answer(f"{len(request['contents'])} messages"))
    page.ask("one")
    page.ask("two")
    assert "1 messages" in page.shown and "3 messages" in page.shown
    page.press("Edit")  # of the second turn
    page.front.until(lambda: page.value(page.prompt) == "two")
    page.ask("two, again")
    page.front.until(lambda: "2/2" in page.front.texts(page.turns))
    assert [turn["parts"][0]["text"] for turn in page.sent[2]["contents"]] == [
        "one", "1 messages", "two, again",
    ]  # fmt: skip
    page.press("‹")
    page.front.until(lambda: "1/2" in page.shown)
    assert ">two<" in page.shown and "two, again" not in page.shown
    page.press("Delete")
    page.front.until(lambda: ">two<" not in page.shown)
    assert "two, again" in page.shown
    page.press("New")
    page.front.until(
        lambda: page.front.models[page.turns]["children"] and ">one<" not in page.shown
    )
    page.ask("three")
    assert len(page.sent[3]["contents"]) == 1
    quiet(page)


def test_what_is_counted_is_neither_sent_nor_run(opened) -> None:
    page = opened("%gemini panel", "calls = []\ndef boom():\n    calls.append(1)\n    return 'x'")
    count = page.front.find(css="gemini-magic-count")
    page.type("{{ boom() }} " + "word " * 200)
    page.front.until(lambda: "+ 1 placeholder" in page.value(count))
    assert "tokens" in page.value(count) and "0 (list" in page.value(count)
    page.type("{{ boom() }}")
    page.front.until(lambda: "≈" in page.value(count))
    assert page.front.kernel.value("calls") == [] and page.server.requests == []
    page.ask("{{ boom() }}")
    assert page.front.kernel.value("calls") == [1]
    quiet(page)


def test_the_code_is_the_one_of_cells_and_a_cell_goes_back(opened) -> None:
    page = opened("%gemini panel", "place = 'Saint-Malo'")
    page.set("Temperature", "0.25")
    page.ask("High water in {{ place }}?")
    page.type("And low water?")
    page.open("Get code")
    page.front.until(lambda: page.front.has(titles=[
        "The cell", "Python (genai)", "Python (openai)", "Node (genai)", "Node (openai)", "curl"
    ]))  # fmt: skip
    tab = page.front.find(_model_name="TabModel")
    texts = [one["value"] for one in page.front.below(tab) if one["_model_name"] == "TextareaModel"]
    first = "%%gemini --chat panel --temperature 0.25\nHigh water in {{ place }}?"
    second = "%%gemini --chat panel --temperature 0.25\nAnd low water?"
    assert texts[0] == f"{first}\n\n{second}"
    assert len(texts) == 6 and all("And low water?" in text for text in texts), texts
    assert "place = 'Saint-Malo'" in texts[1] and "curl" in texts[5]
    compile(texts[1], "program", "exec")
    page.press("Insert as cell")
    page.says("below the next cell")
    page.press("Insert as cell")
    page.says("waits to be inserted already")
    done = page.front.run("1", cell_id="next")
    (payload,) = done.payload
    assert (payload["source"], payload["text"], payload["replace"]) == (
        "set_next_input", second, False,
    )  # fmt: skip
    quiet(page)


def lab(page: Page, does: str, prompt: str, **more: Any) -> str:
    """What panel.js tells of a click on one of these buttons, where the Lab extension is there."""
    click = f"{time.monotonic()}"
    told = {"id": click, "does": does, "text": prompt, **more}
    page.front.set(page.front.find(css="gemini-magic-told"), json.dumps(told))
    return click


def wish(page: Page, click: str) -> dict[str, Any]:
    """What the page is asked to do for a click."""
    place = page.front.find(css="gemini-magic-wish")
    page.front.until(lambda: click in page.value(place))
    return json.loads(html.unescape(page.value(place)))


def test_where_lab_hears_it_a_cell_is_inserted_at_once(opened) -> None:
    page = opened()
    page.set("Temperature", "0.25")
    page.type("High wat")  # what follows is held back by the front end
    page.open("Get code")
    page.field("Insert as cell")
    click = lab(page, "insert", 'High <b>water</b>\n\t"?"')
    wanted = wish(page, click)
    cell = '%%gemini --temperature 0.25\nHigh <b>water</b>\n\t"?"'
    assert (wanted["what"], wanted["source"]) == ("insert", cell)
    lab(page, "insert", 'High <b>water</b>\n\t"?"', done=True)
    page.says("below this cell")
    page.type('High <b>water</b>\n\t"?"')
    assert page.front.run("1", cell_id="next").payload == []
    # A notebook that does not take it after all: as without an extension.
    lab(page, "insert", "x", done=False)
    page.says("below the next cell")
    (payload,) = page.front.run("1", cell_id="next").payload
    assert payload["text"] == "%%gemini --temperature 0.25\nx"
    assert page.sent == []
    quiet(page)


def test_a_selected_cell_is_loaded_and_written_back(opened, server: GoogleServer) -> None:
    page = opened()
    page.open("Load a cell")
    back = page.field("Write back into the cell")
    assert page.value(back, "disabled")
    source = "# the tides\n\n%%gemini --chat sea -t 1\nHigh water?"
    lab(page, "load", "unasked", cell="abc", source=source)
    page.front.until(lambda: page.value(page.prompt) == "High water?")
    page.says("without --chat", "loaded from: %%gemini --chat sea -t 1 High water?")
    page.front.until(lambda: not page.value(back, "disabled"))
    page.front.until(lambda: page.value(page.field("Temperature")) == "1.0")
    page.set("Temperature", "0.5")
    page.type("Low wa")
    wanted = wish(page, lab(page, "back", "Low water?"))
    new = "# the tides\n\n%%gemini --chat sea --temperature 0.5\nLow water?"
    assert (wanted["what"], wanted["cell"], wanted["source"]) == ("replace", "abc", new)
    lab(page, "back", "Low water?", done=True)
    page.says("Written, and not run.")
    # What was asked since is still the cell's prompt.
    page.front.until(lambda: page.value(page.prompt) == "Low water?")
    page.ask("Low water at Brest?")
    wanted = wish(page, lab(page, "back", ""))
    assert wanted["source"] == new.replace("water?", "water at Brest?")
    lab(page, "back", "", done=False)
    page.says("nothing was written")
    # It is what was loaded last that can be written back, and nothing that has no place.
    lab(page, "load", "", cell="def", source="x = 1")
    page.says("this is not a %%gemini cell")
    assert wish(page, lab(page, "back", ""))["cell"] == "abc"
    page.set("or its text", "%%gemini\npasted")
    page.press("Load")
    page.front.until(lambda: page.value(page.prompt) == "pasted")
    page.front.until(lambda: page.value(back, "disabled"))
    lab(page, "back", "")
    page.says("no cell was loaded")
    quiet(page)


def test_without_an_extension_nothing_is_said_of_the_selected_cell(opened) -> None:
    page = opened()
    page.open("Load a cell")
    for label in ("Load the selected cell", "Write back into the cell"):
        button = page.field(label)
        row = next(
            one for one in page.front.models.values() if f"IPY_MODEL_{button}" in
            one.get("children", ())
        )  # fmt: skip
        layout = page.front.models[row["layout"].removeprefix("IPY_MODEL_")]
        assert layout["display"] == "none" and "gemini-magic-in-lab" in row["_dom_classes"]
    for odd in ("no JSON", "[1]", '{"id": 1}', '{"id": "1", "does": "run", "text": "x"}'):
        page.front.set(page.front.find(css="gemini-magic-told"), odd)
    page.ask("x")
    quiet(page)


def test_a_panel_that_nobody_sees_looks_at_nothing(opened, kernel: Kernel) -> None:
    page = opened()
    page.ask("one")
    page.says("1 / 20")
    sight = page.front.find(css="gemini-magic-sight")
    page.front.set(sight, "a seen")
    page.front.set(sight, "a hidden")
    page.says("as of ")
    kernel.run(
        "import sys, threading, time\n"
        "def where():\n"
        "    (one,) = [t for t in threading.enumerate() if t.name == 'gemini_magic meters']\n"
        "    frame, names = sys._current_frames()[one.ident], []\n"
        "    while frame: names.append(frame.f_code.co_name); frame = frame.f_back\n"
        "    return names"
    )
    script = "seen = [where() for _ in range(60) if not time.sleep(0.025)]"
    kernel.run("get_ipython().run_line_magic('gemini', '--quiet --fresh two')")
    kernel.run(script)
    assert kernel.value("all('wait' in one and '_rest' in one for one in seen)")
    page.front.read()
    assert "1 / 20" in page.all and "as of " in page.all
    page.type("typed")  # it is used, by its keyboard perhaps
    page.front.until(lambda: "≈" in page.value(page.front.find(css="gemini-magic-count")))
    assert "as of " in page.all
    page.front.set(sight, "a seen")
    page.says("2 / 20")
    page.front.until(lambda: "as of " not in page.all)
    kernel.run("get_ipython().run_line_magic('gemini', '--quiet --fresh three')")
    page.says("3 / 20")
    quiet(page)


def test_a_cell_that_ran_is_taken_over(opened) -> None:
    page = opened("%gemini panel 3", "%%gemini -t 1\none", "%%gemini --top-p 0.5\ntwo")
    assert page.value(page.prompt) == "two"
    assert page.value(page.field("Top P")) == "0.5"
    page.open("Load a cell")
    ran = page.field("A cell that ran")
    labels = page.front.until(lambda: page.value(ran, "_options_labels")[1:])
    assert labels[0].startswith("In [3] %%gemini --top-p") and len(labels) == 2
    page.front.set(ran, 2, "index")
    page.press("Load")
    page.front.until(lambda: page.value(page.prompt) == "one")
    page.front.until(lambda: page.value(page.field("Temperature")) == "1.0")
    page.front.until(lambda: page.value(page.field("Top P")) == "")
    page.set("or its text", "no cell")
    page.press("Load")
    page.says("this is not a %%gemini cell")
    assert page.value(page.prompt) == "one"
    quiet(page)


def test_presets_and_the_list_of_models(opened, server: GoogleServer, home: Path) -> None:
    page = opened()
    page.set("Temperature", "0.5")
    page.set("System instruction", "Be brief.")
    page.open("Presets")
    page.set("Name", "pilot")
    page.press("Save preset")
    name = page.field("Name")
    page.front.until(lambda: page.value(name, "options") == ["pilot"])
    page.set("Temperature", "")
    page.set("Top K", "3")
    page.press("Load preset")
    page.front.until(lambda: page.value(page.field("Temperature")) == "0.5")
    page.front.until(lambda: page.value(page.field("Top K")) == "")
    page.press("Delete preset")
    page.front.until(lambda: page.value(name, "options") == [])
    page.press("Load preset")
    page.says("there is no preset")
    assert server.requests == []
    page.press("List models")
    server.wait_for(1, 60, op="models")
    listed = page.front.until(lambda: [
        one for one in server.models if one in page.value(page.field("Model"), "options")
    ])  # fmt: skip
    assert listed and server.generate_calls == []
    quiet(page)


def test_what_a_backend_cannot_do_is_off_with_its_reason(opened, configure, openai_server) -> None:
    other = openai_server(Answer("fine"), key="")
    page = opened()
    configure(
        CONFIG.format(model=MODEL, url=page.server.url, more="")
        + f'[backends.other]\nkind = "openai"\nbase_url = "{other.url}"\nmodel = "{MODEL}"\n'
    )
    page.set("Top K", "7")
    page.set("Temperature", "0.5")
    page.set("Model", f"other:{MODEL}")
    settings = page.front.find(css="gemini-magic-settings")
    page.front.until(lambda: f"asks {MODEL} on other" in page.front.texts(settings))
    page.front.until(lambda: page.value(page.field("Top K"), "disabled") is True)
    page.front.until(lambda: "not with OpenAI-compatible" in page.front.texts(settings))
    assert not page.value(page.field("Temperature"), "disabled")
    page.type("x")
    page.press("Run")
    page.front.until(lambda: "fine" in page.shown)
    page.over()
    (sent,) = other.generate_calls
    assert sent.json["temperature"] == 0.5 and "top_k" not in sent.json
    page.set("Model", "")
    page.front.until(lambda: page.value(page.field("Top K"), "disabled") is False)
    quiet(page)


def test_a_dropped_picture_goes_with_one_prompt(opened, server: GoogleServer) -> None:
    page = opened()
    upload = page.front.find(css="gemini-magic-upload")
    data = picture()
    page.front.upload(upload, "../cat photo.png", "image/png", data)
    page.says()
    page.front.until(lambda: page.front.has(description="📎 gemini_inputs/cat-photo.png ✕"))
    assert Path("gemini_inputs/cat-photo.png").read_bytes() == data
    page.ask("What is it?")
    parts = page.sent[0]["contents"][0]["parts"]
    assert "inlineData" in parts[0] and parts[1]["text"] == "What is it?"
    assert not page.front.has(description="📎 gemini_inputs/cat-photo.png ✕")
    server.set_script(Answer(pictures=[Picture(data)], text="Here"))
    page.ask("Draw one")
    outputs = [
        out["data"] for one in page.front.below(page.turns) for out in one.get("outputs", ())
    ]
    assert any("image/png" in data for data in outputs)
    assert list(Path("gemini_outputs").glob("*-draw-one-1.png"))
    quiet(page)


def test_functions_of_the_user_are_called_while_the_kernel_is_free(
    opened, server: GoogleServer
) -> None:
    page = opened(
        "%gemini panel",
        "import threading\ncalls = []\ndef tide(place: str) -> str:\n    'When high water is.'\n"
        "    calls.append(threading.current_thread() is threading.main_thread())\n"
        "    return '06:12 at ' + place",
    )
    server.set_script([Answer(calls=[Call("tide", {"place": "Brest"})]), Answer("At 06:12.")])
    page.open("What the model may use")
    page.set("Tools", "tide")
    page.ask("High water in Brest?")
    assert "At 06:12." in page.shown and "tide" in page.shown
    assert len(page.sent) == 2 and "06:12 at Brest" in json.dumps(page.sent[1])
    assert page.front.kernel.value("calls") == [False]
    quiet(page)


def test_a_panel_that_is_run_again_goes_on_in_another(opened, server: GoogleServer) -> None:
    page = opened()
    page.set("Temperature", "0.5")
    page.ask("one")
    server.set_script(Answer.words("word " * 2_000, delay=0.02))
    page.type("two")
    page.press("Run")
    page.front.until(lambda: page.shown.count("word") > 5)
    page.type("draft")
    page.front.until(lambda: "≈" in page.value(page.front.find(css="gemini-magic-count")))
    old = {
        comm
        for comm, state in page.front.models.items()
        if "children" in state and "gemini-magic-answer" not in state["_dom_classes"]
    }
    assert page.front.run("%gemini panel").status == "ok"
    again = Page(page.front, server)
    assert again.value(again.prompt) == "draft"
    assert again.value(again.field("Temperature")) == "0.5"
    assert ">one<" in again.shown and "High **water** is at 06:12." in again.shown
    count = again.shown.count("word")
    again.front.until(lambda: again.shown.count("word") > count, "the answer goes on")
    again.front.click(again.stop_button)
    again.over()
    assert "(interrupted)" in again.shown
    again.front.until(lambda: not old & set(again.front.models), "the old one stays")
    again.ask("three")
    assert [turn["parts"][0]["text"] for turn in again.sent[2]["contents"]][::2] == ["one", "three"]
    quiet(page)


def test_what_is_run_is_what_stands_there(opened, server: GoogleServer) -> None:
    """panel.js tells the text with the click; a slow front end sends what is typed later."""
    page = opened()
    sent = page.front.find(css="gemini-magic-sent")
    page.type("When is hi")
    page.front.set(sent, "1\nWhen is high water?")
    page.type("When is high water?")
    page.front.until(lambda: "High **water** is" in page.shown)
    page.over()
    assert [one["contents"][0]["parts"][0]["text"] for one in page.sent] == ["When is high water?"]
    page.front.until(lambda: page.value(page.prompt) == "" == page.value(sent))
    page.type("And low")
    page.front.set(sent, "2\nAnd low water?")
    page.type("And low water? Thank you")
    page.front.until(lambda: len(page.sent) == 2)
    page.over()
    assert page.sent[1]["contents"][-1]["parts"] == [{"text": "And low water?"}]
    page.front.until(lambda: page.value(page.prompt) == "And low water? Thank you")
    quiet(page)


def test_a_question_that_failed_waits_beside_what_is_typed_meanwhile(
    opened, server: GoogleServer
) -> None:
    page = opened()
    answer = threading.Event()
    server.set_script(lambda request: (answer.wait(60), payloads.KEY_INVALID)[1])
    page.type("one")
    page.press("Run")
    page.front.until(lambda: page.sent)
    page.type("two")
    page.front.until(lambda: "≈" in page.value(page.front.find(css="gemini-magic-count")))
    answer.set()
    page.over()
    assert page.value(page.prompt) == "two"
    assert ">one<" in page.shown and 'role="alert"' in page.shown
    page.press("Edit")
    page.says("not asked yet")
    assert page.value(page.prompt) == "two"
    server.set_script(Answer("fine"))
    page.press("Again")
    page.front.until(lambda: "fine" in page.shown)
    page.over()
    assert page.value(page.prompt) == "two" and "2/2" in page.shown
    page.ask("three")
    assert [turn["parts"][0]["text"] for turn in page.sent[-1]["contents"]] == [
        "one", "fine", "three",
    ]  # fmt: skip
    quiet(page)


def test_the_notebook_keeps_what_was_answered(opened, server: GoogleServer) -> None:
    page = opened()
    server.set_script(Answer("06:12 <b>"))
    page.ask("When is <i>high</i> water?")

    def kept() -> list[str]:
        page.front.read()
        return [one["content"]["data"]["text/html"] for one in page.front.others
                if one["msg_type"] == "update_display_data"]  # fmt: skip

    still = page.front.until(kept)[-1]
    assert "06:12 &lt;b&gt;" in still and "&lt;i&gt;high" in still and "<i>" not in still
    quiet(page)


def test_schemas_are_checked_while_they_are_typed(opened, server: GoogleServer) -> None:
    page = opened(
        "%gemini panel",
        "from pydantic import BaseModel\nclass Tide(BaseModel):\n    time: str\n    height: float",
    )
    page.open("Structured output")
    settings = page.front.find(css="gemini-magic-settings")
    types = page.field("A type of yours")
    page.front.until(lambda: "Tide" in page.value(types, "_options_labels"))
    page.set("Schema", "Tidy")
    page.front.until(lambda: "--schema Tidy" in page.front.texts(settings))
    page.front.run("class Tidy(Tide): pass", cell_id="later")
    page.ask("High water?")
    assert "--schema Tidy" not in page.front.texts(settings)
    page.front.set(types, page.value(types, "_options_labels").index("Tide"), "index")
    page.front.until(lambda: "height" in page.front.texts(settings))
    server.set_script(Answer('{"time": "06:12", "height": 11.9}'))
    page.ask("High water?")
    schema = json.dumps(page.sent[1]["generationConfig"])
    assert "height" in schema and "application/json" in schema
    assert page.front.kernel.value("get_ipython().run_line_magic('gemini', 'last').parsed.height")
    quiet(page)


def test_what_comes_is_never_markup_of_its_own(opened, server: GoogleServer) -> None:
    bad = '<img src=x onerror="x()"><script>x()</script>'
    server.set_script(Answer(f"{bad} [a](javascript:x)"))
    page = opened()
    page.ask(f"{bad} $x$")
    assert "<img" not in page.shown and "<script" not in page.shown, page.shown
    assert "&lt;img" in page.shown and "[a](javascript" not in page.shown
    quiet(page)


def test_without_a_front_end_it_is_a_summary_and_a_cell(
    server: GoogleServer, kernel: Kernel
) -> None:
    kernel.run("%%gemini -t 0.5 --system 'Be <b>brief</b>'\nHi")
    done = kernel.run("%gemini panel 2")
    (data,) = [one["data"] for one in done.outputs]
    assert set(data) == {"text/plain", "text/html"}
    assert "%%gemini --system 'Be <b>brief</b>' --temperature 0.5\nHi" in data["text/plain"]
    assert "&lt;b&gt;brief" in data["text/html"] and "<b>brief" not in data["text/html"]
    kernel.run("%%gemini -t 0.5 --system 'Be <b>brief</b>'\nHi")
    for number in (2, 4):  # the same cell, run again
        done = kernel.run(f"%gemini panel {number}")
        assert "--temperature 0.5" in done.outputs[-1]["data"]["text/plain"]
    done = kernel.run("%gemini panel 7")
    assert done.ename == "UsageError" and "Those that are: 4" in done.error
    live = kernel.run("%gemini panel", cell_id="a")
    still, view = [one["data"] for one in live.outputs]
    assert set(still) == {"text/plain", "text/html"}
    assert set(view) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert "<b>" in kernel.value("_._repr_mimebundle_()['text/html']")


def test_meters_follow_nothing_once_nobody_uses_the_panel(server: GoogleServer) -> None:
    import ipywidgets

    from gemini_magic.config import load
    from gemini_magic.notebook.panel_meters import IDLE, panel_meters
    from gemini_magic.widgets.panel_desk import Who

    used = time.monotonic()
    meters = panel_meters(load(), lambda: Who("studio", MODEL), lambda: used)
    try:
        time.sleep(0.6)
        assert meters.follows and "as of " not in meters.shown
        used -= IDLE + 1
        deadline = time.monotonic() + 60
        while "as of " not in meters.shown:
            assert time.monotonic() < deadline, "it does not say that it is no longer true"
            time.sleep(0.05)
        assert f"{MODEL}: nothing counted yet" in meters.shown and not meters.follows
        used = time.monotonic()
        meters.wake()
        while "as of " in meters.shown:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert meters.follows
    finally:
        ipywidgets.Widget.close_all()
