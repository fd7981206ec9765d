"""Hostile answers in a cell that was run: there JupyterLab runs scripts and loads images."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.notebook.sanitise import Sanitiser
from tests.browser.canary import Canary
from tests.browser.conftest import picture
from tests.browser.hostile import PAYLOADS, aimed
from tests.browser.lab import KEY, Notebook
from tests.wire import Answer, Failure, GoogleServer
from tests.wire.google_rules import last_text

pytestmark = pytest.mark.browser

INSPECT = (Path(__file__).parent / "inspect.js").read_text("utf-8")

#: Renders each text as a trusted cell would, in the page; [name, text, what is wrong with it].
RENDER = """async texts => {
  const {rendermime} = jupyterapp.shell.currentWidget.content;
  const host = document.createElement('div');
  jupyterapp.shell.currentWidget.content.node.append(host);
  const bad = [];
  for (const [name, text] of texts) {
    const renderer = rendermime.createRenderer('text/markdown');
    renderer.constructor.attach(renderer, host);
    const data = {'text/markdown': text};
    await renderer.renderModel(rendermime.createModel({data, trusted: true}));
    const wrong = (INSPECT)(renderer.node);
    if (wrong.length) bad.push([name, text, wrong]);
    renderer.dispose();
  }
  host.remove();
  return bad;
}""".replace("INSPECT", INSPECT)


@dataclass
class Arena:
    """A notebook whose one ``%%gemini`` cell gets the payload that its prompt names."""

    notebook: Notebook
    canary: Canary
    payloads: dict[str, str]
    server: GoogleServer

    def ask(self, name: str, options: str = "") -> None:
        """Run the cell; what it asks for is the payload of that name."""
        self.server.set_script(lambda request: _answer(self.payloads, request))
        self.tell(name, options)

    def tell(self, prompt: str, options: str = "") -> None:
        """Run the cell; the server's script says what comes."""
        self.notebook.set_source(1, f"%%gemini {options}\n{prompt}")
        self.notebook.run(1)

    def wrong(self) -> list[str]:
        """What of the outputs on the page no answer may bring there."""
        found: list[str] = self.notebook.page.evaluate(
            f"""() => [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')]
                  .flatMap({INSPECT})"""
        )
        return found

    def assert_unharmed(self, allowed: tuple[str, ...] = ()) -> None:
        """Nothing happened since the last look; ``allowed`` is what Lab itself puts there."""
        wrong = [one for one in self.wrong() if one not in allowed]
        seen = [*wrong, *self.canary.hits, *self.notebook.witness.report]
        seen += self.notebook.page.evaluate(
            "() => { const was = window.__pwned; delete window.__pwned; return was ? ['ran'] : [] }"
        )
        self.canary.hits.clear()
        self.notebook.witness.clear()
        assert seen == []


def _answer(payloads: dict[str, str], request: Any) -> Answer:
    """The payload in small pieces, each of which is drawn before the next one comes."""
    text = payloads[last_text(request)]
    size = max(1, -(-len(text) // 3))
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    return Answer(chunks=pieces, delay=0.055)


@pytest.fixture(scope="module")
def arena(lab, pages) -> Iterator[Arena]:  # type: ignore[no-untyped-def]
    with Canary() as canary:
        payloads = aimed(canary.url)
        payloads["all"] = "\n\n".join(payloads.values())
        payloads["json"] = json.dumps({text: [text, {text: text}] for text in payloads.values()})
        payloads["code"] = f"{payloads['script']}\n```python\n{payloads['img-onerror']}\n```\n"
        with GoogleServer(key=KEY) as server:
            lab.configure(server.url)
            path = lab.write("hostile", "%load_ext gemini_magic", "%%gemini\n")
            notebook = Notebook(lab, pages(0), path)
            notebook.run(0)
            payloads["warm"] = "*warm* $x$\n\n```python\nx = 1\n```\n"
            running = Arena(notebook, canary, payloads, server)
            running.ask("warm")  # loads MathJax and the highlighter
            notebook.page.locator("mjx-container").first.wait_for()
            notebook.witness.clear()
            yield running
        lab.close_kernels()


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_hostile_answer_does_nothing(arena: Arena, name: str) -> None:
    arena.ask(name)
    assert arena.notebook.outputs(1).count() == 2, arena.notebook.text(1)
    arena.assert_unharmed()


def test_every_way_to_show_it_does_nothing(arena: Arena) -> None:
    arena.ask("all", "--as text")
    assert "<script>" in arena.notebook.text(1)
    arena.assert_unharmed()
    arena.ask("json", "--as json")
    tree = arena.notebook.cell(1).locator(".jp-RenderedJSON")
    tree.wait_for()
    assert "onerror" in tree.inner_text()
    arena.assert_unharmed(allowed=("<input>", "<svg>"))  # its search field
    arena.ask("code", "--as code")
    arena.assert_unharmed()
    assert arena.notebook.sources()[2] == arena.payloads["img-onerror"]
    arena.notebook.set_source(2, "_")
    arena.notebook.run(2)
    assert arena.notebook.outputs(2).count() >= 1
    arena.assert_unharmed()
    arena.notebook.set_source(2, "%gemini last")
    arena.notebook.run(2)
    arena.assert_unharmed()


def test_what_a_server_says_around_an_answer_does_nothing(arena: Arena) -> None:
    hostile = arena.payloads["img-onerror"] + arena.payloads["script"]
    error = {"error": {"code": 400, "message": hostile, "status": hostile}}
    for script in (
        Failure(400, error),
        Failure(500, f"<html>{hostile}</html>"),
        Answer(text="x", finish=hostile),
        Answer(text="x", model_version=hostile),
        Answer(block=hostile),
    ):
        arena.server.set_script(script)
        arena.tell("whatever")
        shown = arena.notebook.outputs(1).all_inner_texts()
        assert 1 <= len(shown) <= 3 and "Warning" not in "".join(shown), shown
        arena.assert_unharmed()


def test_links_that_stay_lead_nowhere_when_clicked(arena: Arena) -> None:
    """Every anchor that is not http(s) or mail is clicked; none runs anything."""
    arena.ask("all")
    clicked = arena.notebook.page.evaluate(
        """() => {
          const links = [...document.querySelectorAll('.jp-OutputArea-output a')];
          const rest = links.filter(a => !/^(https?|mailto):/i.test(a.getAttribute('href') ?? ''));
          rest.forEach(a => a.click());
          return links.length;
        }"""
    )
    assert clicked > 5
    page = arena.notebook.page
    page.wait_for_timeout(200)
    picture(page, "hostile")
    visited = arena.notebook.witness.visited
    assert all(url.split("#")[0] == page.url.split("#")[0] for url in visited)
    visited.clear()
    arena.assert_unharmed()


def test_no_beginning_of_a_hostile_answer_does_anything(arena: Arena) -> None:
    """Every prefix of every payload, as if the stream had just come that far."""
    texts = []
    for name in PAYLOADS:
        sanitiser = Sanitiser()
        for character in arena.payloads[name]:
            sanitiser.feed(character)
            texts.append((name, sanitiser.markdown))
    texts = [t for i, t in enumerate(texts) if i == 0 or t[1] != texts[i - 1][1]]
    began = time.monotonic()
    bad = arena.notebook.page.evaluate(RENDER, texts)
    print(f"{len(texts)} beginnings rendered in {time.monotonic() - began:.1f} s")
    assert bad == [], f"{len(bad)}, the first: {bad[0]}"
    arena.notebook.page.wait_for_timeout(200)
    arena.assert_unharmed()


def test_remote_images_come_only_where_they_were_asked_for(arena: Arena) -> None:
    arena.ask("image", "--allow-remote-images")
    arena.notebook.cell(1).locator("img").first.wait_for()
    arena.notebook.page.wait_for_timeout(200)
    assert "GET /image.png" in arena.canary.hits
    arena.canary.hits.clear()
    arena.notebook.witness.clear()
    arena.ask("warm")
    arena.notebook.witness.clear()


def test_the_same_answers_unsanitised_do_harm(lab, chromium, arena) -> None:  # type: ignore[no-untyped-def]
    """The control: what the tests above look for can be seen with the same eyes."""
    with Canary() as canary:
        payloads = aimed(canary.url)
        names = ("script-block", "img-onerror", "image", "a-javascript")
        raw = "\n\n".join(payloads[name] for name in names)
        path = lab.write("control", f"from IPython.display import Markdown\nMarkdown({raw!r})")
        notebook = Notebook(lab, lab.open_page(chromium), path)
        notebook.run(0)
        notebook.page.wait_for_function("() => window.__pwned === 1")
        notebook.page.locator(".jp-OutputArea-output a").first.wait_for()
        notebook.page.wait_for_timeout(300)
        paths = {hit.split()[1] for hit in canary.hits}
        assert {"/script-block", "/img-onerror", "/image.png", "/image2.png"} <= paths
        assert notebook.witness.elsewhere
        control = Arena(notebook, canary, payloads, arena.server)
        assert {"<script>", "<img>"} <= set(control.wrong())
        leaves = {"base-meta", "link-local"}  # would take the page away, or log it out
        texts = [(name, text) for name, text in payloads.items() if name not in leaves]
        bad = {name: wrong for name, _, wrong in notebook.page.evaluate(RENDER, texts)}
        harmless = sorted(set(payloads) - leaves - set(bad))
        print(f"{len(bad)} of {len(texts)} do harm as they are; not: {', '.join(harmless)}")
        assert len(bad) >= 30, harmless
        notebook.page.close()
