"""The quota in JupyterLab itself: status bar and side bar over all kernels, backends, pictures."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.browser.conftest import picture
from tests.browser.lab import Lab, Notebook
from tests.wire import Answer, GoogleServer, OpenAIServer, Picture, Usage

pytestmark = pytest.mark.browser

#: Where the documentation's pictures are; drawn anew where GEMINI_MAGIC_TEST_SCREENSHOTS is set.
IMAGES = Path(__file__).parents[2] / "docs" / "images"

PROJECT = """project = "tide-tables"
tier = "free"
[limits."tide-tables"."gemini-2.5-flash"]
rpm = 100
rpd = 20
"""
PROXY_KEY = "sk-TESTKEYtestkeyTESTKEYtestkey0123456789"
WATER = "High water is at **06:12** and at **18:37**; the range is 11.4 m, so it is a spring tide."
ASK_HARBOUR = "%%gemini --fresh -m harbour:gpt-4o-mini\nWhen is high water?"
ASK = "%%gemini --fresh\nWhen is high water in {}?"
#: A loaded machine is slow.
LONG = 60_000

THEME = """dark => { jupyterapp.commands.execute('apputils:change-theme',
  {theme: dark ? 'JupyterLab Dark' : 'JupyterLab Light'}) }"""
THEMED = """dark => document.body.dataset.jpThemeLight === String(!dark) &&
  !document.getElementById('jupyterlab-splash')"""


@pytest.fixture(autouse=True)
def nothing_counted_yet(lab: Lab) -> None:
    """A ledger, a log of runs and a cache of the test's own; and patience."""
    expect.set_options(timeout=LONG)
    for folder in ("data", "state"):
        shutil.rmtree(lab.home / folder, ignore_errors=True)


@pytest.fixture
def notebooks(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> Iterator[Callable[..., Notebook]]:
    """``opened``, with limits; the pages are bare again afterwards."""
    lab.configure(google.url, PROJECT)
    google.set_script(Answer.words(WATER, delay=0.02, usage=Usage(52, 307)))
    used: list[Notebook] = []

    def open_it(*cells: str, **more: str) -> Notebook:
        used.append(opened(*cells, **more))
        used[-1].page.set_default_timeout(LONG)
        return used[-1]

    yield open_it
    for notebook in used:
        notebook.page.evaluate("() => { jupyterapp.shell.collapseRight() }")


def status(page: Page) -> Locator:
    return page.locator("#jp-main-statusbar .jp-gemini-StatusItem")


def section(page: Page, name: str) -> Locator:
    return page.locator(f".jp-gemini-Sidebar [data-section='{name}']")


def active(page: Page) -> str:
    """The source of the active cell of the notebook in front."""
    return str(
        page.evaluate(
            """() => jupyterapp.shell.currentWidget?.content?.activeCell?.model
              .sharedModel.getSource() ?? ''"""
        )
    )


def nothing_odd(notebook: Notebook) -> None:
    """No error in the console, no request elsewhere."""
    witness = notebook.witness
    assert witness.errors + witness.elsewhere + witness.dialogs == []


def both_themes(page: Page, name: str) -> None:
    """Pictures in both themes, for the documentation."""
    for dark in (True, False):
        page.evaluate(THEME, dark)
        page.wait_for_function(THEMED, arg=dark, timeout=LONG)
        page.wait_for_timeout(300)  # colours fade
        shown = picture(page, f"{name}-dark" if dark else name)
        if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
            shutil.copy(shown, IMAGES / shown.name)


def test_status_bar_and_side_bar_follow_the_kernels_of_two_notebooks(
    notebooks: Callable[..., Notebook], google: GoogleServer
) -> None:
    here = notebooks(ASK.format("Saint-Malo"), "x = 1", name="tides")
    there = notebooks("y = 1", ASK.format("Granville"), name="harbours")
    page = here.page
    expect(status(page).get_by_role("meter")).to_have_count(0)

    here.run(1)
    for other in (page, there.page):
        meter = status(other).get_by_role("meter")
        expect(meter).to_have_attribute("aria-valuenow", "1")
        expect(meter).to_have_attribute("aria-valuetext", "1 of 20 requests per day, available")
        expect(status(other)).to_contain_text("RPD 1/20 · 2.5-flash")
    width = status(page).bounding_box()

    status(page).get_by_role("button").click()
    day = section(page, "quota").get_by_role("meter", name="RPD of gemini-2.5-flash")
    expect(day).to_have_attribute("aria-valuenow", "1")
    history = section(page, "quota").get_by_role("img").first
    expect(history).to_have_attribute("aria-label", re.compile("1 request in 24 hours"))

    there.run(2)
    expect(day).to_have_attribute("aria-valuenow", "2")
    expect(status(page)).to_contain_text("RPD 2/20")
    assert status(page).bounding_box() == width, "its neighbours moved"
    rows = section(page, "requests").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("When is high water in Granville?")
    expect(rows.first).to_contain_text("52 → 307 tokens")
    expect(rows.first).to_contain_text("harbours.ipynb")
    expect(history).to_have_attribute("aria-label", re.compile("2 requests in 24 hours"))
    key = page.locator("[data-backend='studio']")
    expect(key).to_contain_text("Key found by 2 kernels (environment)")

    page.mouse.move(400, 400)
    status(page).hover()
    popup = page.locator(".jp-gemini-Popup")
    expect(popup.get_by_role("meter", name="RPM of gemini-2.5-flash")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.move(400, 400)
    expect(popup).to_have_count(0)
    both_themes(page, "lab-quota")

    rows.last.get_by_role("button").click()  # a cell of the notebook in front
    page.wait_for_function("() => jupyterapp.shell.currentWidget.content.activeCellIndex === 1")
    rows.first.get_by_role("button").click()  # of one that is not open in this page
    page.wait_for_function(
        """() => jupyterapp.shell.currentWidget?.context?.path === 'harbours.ipynb' &&
          jupyterapp.shell.currentWidget.content.activeCellIndex === 2"""
    )
    assert "Granville" in active(page)
    assert len(google.generate_calls) == 2
    nothing_odd(here)


def test_nobody_listens_where_nothing_is_seen(notebooks: Callable[..., Notebook]) -> None:
    notebook = notebooks(ASK.format("Saint-Malo"))
    page = notebook.page
    notebook.run(1)
    expect(status(page)).to_contain_text("RPD 1/20")
    notebook.command("statusbar:toggle")
    with page.expect_websocket(is_live) as opened:  # so the one before was closed
        notebook.command("gemini-magic:open-sidebar")
    expect(section(page, "requests").get_by_role("listitem")).to_have_count(1)
    with opened.value.expect_event("close"):
        page.evaluate("() => { jupyterapp.shell.collapseRight() }")
    with page.expect_websocket(is_live):
        notebook.command("statusbar:toggle")
    expect(status(page)).to_contain_text("RPD 1/20")


def is_live(socket: WebSocket) -> bool:
    return "/gemini-magic/api/live" in socket.url


def test_a_backend_is_added_tested_and_asked(
    notebooks: Callable[..., Notebook], lab: Lab, google: GoogleServer
) -> None:
    with OpenAIServer(Answer.words(WATER), key=PROXY_KEY, models=["gpt-4o-mini"]) as proxy:
        notebook = notebooks(ASK_HARBOUR, name="harbour")
        page = notebook.page
        notebook.command("gemini-magic:add-backend")
        form = page.get_by_role("form", name="Add a backend")
        form.get_by_label("Service").select_option(label="Another address …")
        form.get_by_label("Name").fill("harbour")
        form.get_by_label("Address").fill(proxy.url)
        form.get_by_label("Model").fill("gpt-4o-mini")
        key = form.get_by_label("Key")
        expect(key).to_have_attribute("type", "password")
        key.fill(PROXY_KEY)
        both_themes(page, "lab-add-backend")
        form.get_by_label("Name").fill("studio")
        form.get_by_role("button", name="Add").click()
        expect(form.get_by_role("alert")).to_contain_text("studio")
        expect(key).to_have_value(PROXY_KEY)  # nothing has to be typed again
        form.get_by_label("Name").fill("harbour")
        form.get_by_role("button", name="Add").click()
        consent = page.locator(".jp-Dialog").get_by_role("button", name="Keep It in a File")
        backend = page.locator("[data-backend='harbour']")
        consent.or_(backend).first.wait_for()
        if consent.is_visible():  # this machine has no keyring
            consent.click()
        expect(backend).to_contain_text("ready")
        expect(form).to_have_count(0)

        backend.get_by_role("button", name="Test connection of harbour").click()
        expect(backend.get_by_role("status")).to_contain_text("Reachable: 1 model")
        assert proxy.generate_calls == []
        notebook.run(1)
        assert "06:12" in notebook.text(1), notebook.text(1)
        assert len(proxy.generate_calls) == 1 and not google.generate_calls
        row = section(page, "requests").get_by_role("listitem").first
        expect(row).to_contain_text("harbour")

        config = (lab.home / "config" / "gemini_magic.toml").read_text("utf-8")
        assert "[backends.harbour]" in config
        for text in (config, page.content(), (notebook.path).read_text("utf-8")):
            assert PROXY_KEY not in text

        backend.get_by_role("button", name="Remove harbour").click()
        page.locator(".jp-Dialog").get_by_role("button", name="Remove").click()
        expect(backend).to_have_count(0)
        assert "harbour" not in (lab.home / "config" / "gemini_magic.toml").read_text("utf-8")


def test_a_kernel_without_a_key_is_named(notebooks: Callable[..., Notebook]) -> None:
    notebook = notebooks("import os; del os.environ['GEMINI_API_KEY']", "%gemini quota", name="dry")
    page = notebook.page
    notebook.command("gemini-magic:open-sidebar")
    studio = page.locator("[data-backend='studio']")
    expect(studio).to_contain_text("Key found: GEMINI_API_KEY")  # as the server has it
    notebook.run(1)
    notebook.run(2)
    expect(studio).to_contain_text("No key: the kernel of dry.ipynb found none")
    expect(studio.locator(".jp-gemini-State")).to_have_text("no key")


def drawn(colour: str, text: str) -> bytes:
    """A small picture as a model might draw it."""
    image = Image.new("RGB", (480, 320), colour)
    ImageDraw.Draw(image).ellipse((90, 60, 390, 260), outline="white", width=8)
    ImageDraw.Draw(image).text((200, 150), text, fill="white", font_size=32)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_the_gallery_shows_a_picture_large_and_goes_to_its_cell(
    notebooks: Callable[..., Notebook], google: GoogleServer
) -> None:
    def draw(request: object) -> Answer:
        number = len(google.generate_calls)
        colours = ["#1565c0", "#2e7d32", "#c62828"]
        return Answer(items=[Picture(drawn(colours[number % 3], f"tide {number}"))])

    google.set_script(draw)
    cell = "%%gemini -m gemini-3.1-flash-image --fresh\nDraw the tide."
    notebook = notebooks(cell, "x = 1", cell, cell, name="pictures")
    page = notebook.page
    notebook.command("gemini-magic:show-pictures")
    gallery = section(page, "gallery")
    expect(gallery).to_contain_text("This notebook has no pictures.")
    for index in (1, 3, 4):
        notebook.run(index)
    pictures = gallery.get_by_role("button", name="Show Picture 1 of cell")
    expect(pictures).to_have_count(3)
    page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-gemini-Gallery img')]
          .every(image => image.complete && image.naturalWidth > 0)"""
    )
    section(page, "cache").scroll_into_view_if_needed()
    both_themes(page, "lab-pictures")

    pictures.nth(1).click()
    large = page.get_by_role("dialog").get_by_role("img", name="Picture 1 of cell 4")
    expect(large).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
    assert saved.value.suggested_filename == "pictures-4-1.png"
    with Image.open(saved.value.path()) as image:
        assert image.size == (480, 320)

    notebook.select(0)
    pictures.nth(2).click()
    page.get_by_role("dialog").get_by_role("button", name="Go to cell").click()
    page.wait_for_function("() => jupyterapp.shell.currentWidget.content.activeCellIndex === 4")
    nothing_odd(notebook)


def test_the_cache_is_cleared_when_the_user_says_so(notebooks: Callable[..., Notebook]) -> None:
    notebook = notebooks("%%gemini\nWhen is high water?")
    page = notebook.page
    notebook.run(1)
    notebook.command("gemini-magic:open-sidebar")
    cache = section(page, "cache")
    expect(cache).to_contain_text("1 answer")
    cache.get_by_role("button", name="Clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(cache).to_contain_text("1 answer")
    cache.get_by_role("button", name="Clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    expect(cache).to_contain_text("0 answers")
