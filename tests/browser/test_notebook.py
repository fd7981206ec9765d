"""What a user does with ``%%gemini`` cells in JupyterLab: stop, complete, talk, save, go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import picture
from tests.browser.lab import KEY, Lab, Notebook
from tests.wire import Answer, GoogleServer
from tests.wire.google_rules import last_text

pytestmark = pytest.mark.browser

WORDS = [f"word{i} " for i in range(400)]


def test_the_stop_button_keeps_what_came(
    opened: Callable[..., Notebook], google: GoogleServer
) -> None:
    notebook = opened("%%gemini\nhello", "%%gemini\nhello again")
    google.set_script(Answer(text="warm"))
    notebook.run(1)
    google.set_script(Answer(chunks=WORDS, delay=0.05))
    notebook.start(1)
    notebook.page.wait_for_function(
        "() => document.querySelector('.jp-OutputArea-output')?.innerText.includes('word5')"
    )
    began = time.monotonic()
    notebook.page.locator("[data-command='notebook:interrupt-kernel']").first.click()
    notebook.wait_idle(timeout=5)
    seconds = time.monotonic() - began
    assert seconds < 5, seconds  # the whole answer takes 20 s
    answer, footer, error = notebook.outputs(1).all_inner_texts()
    assert answer.startswith("word0 word1 word2 ") and "word399" not in answer
    assert "(interrupted)" in answer
    assert "interrupted" not in footer  # said once, where the answer ends
    assert 1 <= len(error.strip().splitlines()) <= 2, error
    assert "Interrupted" in error and "Traceback" not in error
    picture(notebook.page, "interrupted")
    google.set_script(Answer(text="*fine*"))
    notebook.run(2)
    assert notebook.outputs(2).locator("em").inner_text() == "fine"


def test_an_error_is_short_and_says_what_to_do(
    opened: Callable[..., Notebook], google: GoogleServer
) -> None:
    # A kernel runs what reaches it after an error; so all is there before the first one comes.
    notebook = opened(
        "import time; time.sleep(1)",
        "%%gemini --temprature 1\nhello",
        "%%gemini\nAbout {{ topik }}",
        "print('ran')",
    )
    for index in (2, 3):
        notebook.run(index)
        (shown,) = notebook.outputs(index).all_inner_texts()
        assert "Traceback" not in shown and len(shown.strip().splitlines()) <= 2, shown
    assert "--temperature" in notebook.text(2)
    picture(notebook.page, "errors")
    notebook.command("notebook:run-all-cells")
    assert notebook.outputs(4).count() == 0, "Run All went on after an error"
    assert google.requests == []


class Completer:
    """Lab's box of completions."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.box = notebook.page.locator(".jp-Completer:not(.lm-mod-hidden)")

    def ask(self, index: int, text: str) -> float:
        """Write the text into the cell and press Tab; seconds until something came of it."""
        page = self.notebook.page
        self.notebook.set_source(index, "")
        self.notebook.type_in(index, text)
        page.wait_for_timeout(100)
        page.evaluate(
            """() => {
              const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
              window.__replied = new Promise(done => kernel.anyMessage.connect((_, {msg}) => {
                if (msg.header.msg_type === 'complete_reply') done(performance.now());
              }));
              window.__asked = performance.now();
              return null;
            }"""
        )
        page.keyboard.press("Tab")
        waited = page.evaluate("async () => (await window.__replied) - window.__asked")
        page.wait_for_timeout(150)
        return float(waited) / 1000

    @property
    def offers(self) -> list[str]:
        """What the box offers now; empty if there is no box."""
        if not self.box.count():
            return []
        return [t.strip() for t in self.box.locator(".jp-Completer-match").all_inner_texts()]

    def wait(self) -> list[str]:
        """What the box offers, as soon as there is one."""
        self.box.locator(".jp-Completer-match").first.wait_for()
        return self.offers

    def source(self, index: int) -> str:
        return self.notebook.sources()[index]


def test_tab_completes_options_and_models(opened: Callable[..., Notebook]) -> None:
    notebook = opened("", "topic = 'tides'")
    notebook.run(2)
    completer = Completer(notebook)

    completer.ask(1, "%%gemini --t")
    offers = completer.wait()
    assert "--temperature" in offers and "--top-p" in offers, offers
    assert all(offer.startswith("--t") for offer in offers), offers
    picture(notebook.page, "completion-options")
    notebook.page.keyboard.press("Escape")

    completer.ask(1, "%%gemini --temp")
    assert completer.wait() == ["--temperature"]
    notebook.page.keyboard.press("Enter")
    assert completer.source(1) == "%%gemini --temperature"

    completer.ask(1, "%%gemini -m gem")
    offers = completer.wait()
    assert "gemini-2.5-flash" in offers and all(o.startswith("gem") for o in offers), offers
    picture(notebook.page, "completion-models")
    notebook.page.keyboard.press("Escape")

    completer.ask(1, "%%gemini\nExplain {{ top")
    assert completer.wait() == ["topic"]
    notebook.page.keyboard.press("Enter")
    assert completer.source(1) == "%%gemini\nExplain {{ topic"


def test_tab_in_a_prompt_answers_at_once_and_changes_nothing(
    opened: Callable[..., Notebook],
) -> None:
    notebook = opened("", "import os")
    notebook.run(2)
    completer = Completer(notebook)
    for body in ("Why is os.pa", "import o", "What is a ring"):
        seconds = completer.ask(1, f"%%gemini\n{body}")
        print(f"{body!r}: {seconds * 1000:.0f} ms, offers {completer.offers}")
        assert seconds < 0.5, seconds
        picture(notebook.page, "completion-body")
        notebook.page.keyboard.press("Escape")
        assert completer.source(1) == f"%%gemini\n{body}"
        assert set(completer.offers) <= {body.split()[-1]}


def test_a_chat_reads_as_the_notebook_does(
    opened: Callable[..., Notebook], google: GoogleServer
) -> None:
    google.set_script(lambda request: f"answer to {last_text(request)}")
    cells = [f"%%gemini --chat talk\n{n}" for n in ("one", "two", "three")]
    notebook = opened(*cells, "%gemini chat show talk")
    for index in (1, 2, 3):
        notebook.run(index)
    assert said(google) == ["one", "answer to one", "two", "answer to two", "three"]
    notebook.set_source(2, "%%gemini --chat talk\ntwo, again")
    notebook.run(2)
    assert said(google) == ["one", "answer to one", "two, again"]
    assert "1 later turn of the chat counts no more" in notebook.text(2)
    notebook.run(4)
    picture(notebook.page, "chat")
    notebook.run(3)
    assert said(google) == [
        "one", "answer to one", "two, again", "answer to two, again", "three",
    ]  # fmt: skip


def said(google: GoogleServer) -> list[str]:
    """The texts of the last request's messages."""
    contents = google.generate_calls[-1].json["contents"]
    return [content["parts"][0]["text"] for content in contents]


def test_a_saved_notebook_keeps_the_answer_and_no_secret(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    google.set_script(Answer(text="A **bold** answer with `code`.\n"))
    secret = "hunter2-in-a-variable"
    notebook = opened(
        f"secret = '{secret[:7]}' + '{secret[7:]}'", "%%gemini\nWhat is {{ secret }} good for?"
    )
    notebook.run(1)
    notebook.run(2)
    assert secret in json.dumps(google.generate_calls[0].json)
    saved = notebook.save()
    text = notebook.path.read_text("utf-8")
    assert KEY not in text and secret not in text
    answer, line = saved["cells"][2]["outputs"]
    assert set(answer["data"]) == {"text/markdown", "text/plain"}
    assert "".join(answer["data"]["text/markdown"]) == "A **bold** answer with `code`.\n"
    assert "".join(answer["data"]["text/plain"]) == "A **bold** answer with `code`.\n"
    assert set(line["data"]) == {"text/html", "text/plain"}
    kept = answer["metadata"]["gemini_magic"]
    assert set(kept) == {"request", "template", "backend", "model", "finish_reason", "usage"}
    assert all(set(kept[name]) <= set("0123456789abcdef") for name in ("request", "template"))

    # Somebody else opens it: not trusted, and without a kernel.
    saved["metadata"] = {
        "kernelspec": {"name": "elsewhere", "display_name": "Elsewhere", "language": "fortran"},
        "language_info": {"name": "fortran"},
    }
    path = lab.root / "received.ipynb"
    path.write_text(json.dumps(saved))
    received = Notebook(lab, notebook.page, path, kernel=False)
    dialog = received.page.locator(".jp-Dialog")
    dialog.wait_for()
    received.page.evaluate(
        """() => {
          const choice = document.querySelector('.jp-Dialog select');
          choice.value = [...choice.options].find(o => o.text.includes('No Kernel')).value;
          choice.dispatchEvent(new Event('change'));
        }"""
    )
    dialog.locator("button.jp-mod-accept").click()
    dialog.wait_for(state="detached")
    for tag, word in (("strong", "bold"), ("code", "code")):
        received.outputs(2).locator(tag, has_text=word).wait_for()
    footer = received.outputs(2).nth(1).locator("div").last
    assert "studio" in footer.inner_text()
    colour = footer.evaluate("node => getComputedStyle(node).color")
    assert colour == "rgb(117, 117, 117)", "the footer has lost its colour"
    assert received.page.evaluate(
        "() => !jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
    )
    picture(received.page, "received")


def test_code_is_offered_as_the_next_cell_once(
    opened: Callable[..., Notebook], google: GoogleServer
) -> None:
    google.set_script(
        Answer.words(
            "Two ways:\n\n```python\nx = 1\nprint(x)\n```\n\n```python\nx = 2\n```\n", delay=0.03
        )
    )
    notebook = opened("%%gemini --as code\nset x", "print('after')")
    notebook.run(1)
    assert notebook.sources()[1:] == [
        "%%gemini --as code\nset x", "x = 1\nprint(x)", "print('after')",
    ]  # fmt: skip
    assert notebook.outputs(2).count() == 0, "the code was run"
    picture(notebook.page, "code")


def test_two_notebooks_stream_at_the_same_time(
    opened: Callable[..., Notebook], google: GoogleServer
) -> None:
    def respond(request: Any) -> Answer:
        name = last_text(request)
        return Answer(chunks=[f"{name}{i} " for i in range(30)], delay=0.1)

    notebooks = [opened(f"%%gemini\n{name}") for name in ("left", "right")]
    google.set_script(respond)
    for notebook in notebooks:
        notebook.start(1)
    for notebook in notebooks:
        notebook.wait_idle()
    first, second = google.generate_calls
    assert abs(first.at - second.at) < 2.5, "one waited for the other"
    for notebook, name in zip(notebooks, ("left", "right"), strict=True):
        words = notebook.outputs(1).first.inner_text().split()
        assert words == [f"{name}{i}" for i in range(30)]
