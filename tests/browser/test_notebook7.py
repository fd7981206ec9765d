"""The extension in Notebook 7: the same plugins, no status bar, and a page for each notebook."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import missing, picture, started_lab
from tests.browser.lab import READY, Lab, Notebook, Witness
from tests.browser.test_lab_editor import coloured, words
from tests.wire import Answer, GoogleServer, Usage

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
#: A loaded machine is slow.
LONG = 60_000

PROJECT = """project = "tide-tables"
tier = "free"
[limits."tide-tables"."gemini-2.5-flash"]
rpm = 100
rpd = 20
"""
ASK = """\
%%gemini -m gemini-2.5-flash --fresh
When is **high water** in {{ harbour }}?"""
WATER = "High water is at **06:12** and at **18:37**; the range is 11.4 m, so it is a spring tide."
#: A key of a shape that is known, and of no service.
SECRET = "AIza" + "SyQ8w3e5r7t9y1u2i4o6p8a0s2d4f6g8h0j"
#: An error of Notebook 7.6 itself, with and without us.
THEIRS = "Cannot read properties of undefined (reading 'schema')"
#: Collects what the outputs of the third cell show from now on.
WATCH = """() => {
  window.seen = new Set();
  const cell = document.querySelector(".jp-Notebook .jp-Cell[data-windowed-list-index='2']");
  const look = () => { seen.add(cell.querySelector('.jp-OutputArea')?.innerText.slice(0, 60)) };
  new MutationObserver(look).observe(cell, {childList: true, subtree: true, characterData: true});
}"""


class Notebook7(Notebook):
    """A notebook that has a page of its own."""

    def __init__(self, lab: Lab, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.witness = Witness(urlsplit(lab.url).netloc)
        self.witness.watch(page)
        page.goto(f"{lab.url}/notebooks/{path.name}?token={lab.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LONG)
        page.wait_for_function(READY, timeout=LONG)

    def nothing_odd(self) -> None:
        """No error in the console but theirs, no request elsewhere."""
        errors = [text for text in self.witness.errors if THEIRS not in text]
        assert errors + self.witness.elsewhere + self.witness.dialogs == []


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server of these tests' own.

    One that has served a file of Notebook refuses (403) Lab's file of that name from then on:
    ``FileFindHandler`` of jupyter_server remembers paths by their names alone.
    """
    if find_spec("notebook") is None:
        missing("notebook")
    yield from started_lab(tmp_path_factory.mktemp("notebook7"))


@pytest.fixture
def notebook7(
    lab: Lab, chromium: BrowserContext, google: GoogleServer
) -> Iterator[Callable[..., Notebook7]]:
    """``notebook7(name, *cells)``: a notebook in which the extension is loaded."""
    expect.set_options(timeout=LONG)
    for folder in ("data", "state"):
        shutil.rmtree(lab.home / folder, ignore_errors=True)
    lab.configure(google.url, PROJECT)
    google.set_script(Answer.words(WATER, delay=0.1, usage=Usage(52, 307)))
    opened: list[Page] = []

    def open_it(name: str, *cells: str) -> Notebook7:
        opened.append(chromium.new_page())
        opened[-1].set_default_timeout(LONG)
        made = Notebook7(lab, opened[-1], lab.write(name, "%load_ext gemini_magic", *cells))
        made.run(0)
        return made

    yield open_it
    for page in opened:
        page.close()
    lab.close_kernels()


def section(page: Page, name: str) -> Locator:
    return page.locator(f".jp-gemini-Sidebar [data-section='{name}']")


def toast(page: Page, text: str) -> Locator:
    return page.locator(".Toastify__toast", has_text=text).first


def keep(page: Page, name: str) -> None:
    """A picture for the documentation."""
    shown = picture(page, name)
    if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
        shutil.copy(shown, IMAGES / shown.name)


def test_a_cell_its_answer_its_meter_and_the_side_bar(
    notebook7: Callable[..., Notebook7], google: GoogleServer
) -> None:
    notebook = notebook7("tides7", "harbour = 'Saint-Malo'", ASK)
    page = notebook.page
    meter = page.locator(".jp-NotebookPanel-toolbar .jp-gemini-StatusItem")
    expect(meter.get_by_role("meter")).to_have_count(0)  # nothing was asked
    coloured(notebook, 2, "%%gemini", "keyword")
    coloured(notebook, 2, "--fresh", "attribute")
    expect(words(notebook, 2, "Placeholder")).to_have_text("{{ harbour }}")

    notebook.run(1)
    page.evaluate(WATCH)
    notebook.start(2)
    shown = notebook.outputs(2).first
    expect(shown).to_contain_text("it is a spring tide.")
    notebook.wait_idle(60)
    expect(shown.locator("strong").first).to_have_text("06:12")
    assert page.evaluate("() => seen.size") > 2, "it came at once"
    assert b"Saint-Malo" in google.generate_calls[0].body

    expect(meter).to_contain_text("RPD 1/20 · 2.5-flash")
    bar = meter.get_by_role("meter")
    expect(bar).to_have_attribute("aria-valuetext", "1 of 20 requests per day, available")
    meter.get_by_role("button").click()
    day = section(page, "quota").get_by_role("meter", name="RPD of gemini-2.5-flash")
    expect(day).to_have_attribute("aria-valuenow", "1")
    backend = page.locator("[data-backend='studio']")
    expect(backend).to_contain_text("Key found by 1 kernel (environment)")
    row = section(page, "requests").get_by_role("listitem").first
    expect(row).to_contain_text("tides7.ipynb")
    keep(page, "notebook7")
    notebook.select(0)
    row.get_by_role("button").click()
    page.wait_for_function("() => jupyterapp.shell.currentWidget.content.activeCellIndex === 2")
    notebook.nothing_odd()


def test_a_key_is_asked_for_and_what_something_else_saves_is_told(
    notebook7: Callable[..., Notebook7], lab: Lab
) -> None:
    notebook = notebook7("guarded7", "x = 1")
    page = notebook.page
    notebook.set_source(1, f'key = "{SECRET}"')
    notebook.cell(1).locator(".cm-content").click()
    page.keyboard.press("Control+s")
    asked = page.locator(".jp-Dialog", has_text="A key is in “guarded7.ipynb”")
    asked.get_by_role("button", name="Redact", exact=True).click()
    asked.wait_for(state="detached")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    assert SECRET not in notebook.path.read_text("utf-8")

    lab.save(notebook.path, f'key = "{SECRET}"')  # the server's own hook sees it
    expect(toast(page, "guarded7.ipynb” was saved with a key in it")).to_be_visible()
    expect(page.get_by_role("button", name="1 key in this notebook")).to_be_visible()
    assert SECRET not in page.locator(".Toastify__toast").first.inner_text()


def test_the_panel_runs(notebook7: Callable[..., Notebook7], google: GoogleServer) -> None:
    notebook = notebook7("panel7", "%gemini panel")
    page = notebook.page
    notebook.run(1)
    panel = page.locator(".gemini-magic-panel")
    prompt = panel.locator(".gemini-magic-prompt textarea")
    prompt.fill("When is high water?")
    prompt.press("Control+Enter")
    expect(panel).to_contain_text("it is a spring tide.")
    expect(panel.locator("strong").first).to_have_text("06:12")
    assert len(google.generate_calls) == 1
    notebook.nothing_odd()
