"""One JupyterLab and one Chromium for this folder, and a page for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.browser.chromium import FLAGS, program
from tests.wire import GoogleServer

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.browser.lab import Lab, Notebook

#: Kept for looking at; git ignores it.
OUTPUT = Path(__file__).parent / "output"


def missing(what: str) -> NoReturn:
    """Skip; in CI, where nothing may be missing, fail."""
    reason = f"{what} is missing, so no browser test can run"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _chromium() -> str:
    return program() or missing("Chromium (apt-get install chromium, or GEMINI_MAGIC_CHROMIUM)")


def started_lab(folder: Path) -> Iterator[Lab]:
    """A JupyterLab server in a folder, for a fixture."""
    for package in ("playwright", "jupyterlab"):
        if find_spec(package) is None:
            missing(package)
    _chromium()
    from tests.browser.lab import Lab

    OUTPUT.mkdir(exist_ok=True)
    running = Lab(folder)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server of this folder's own."""
    yield from started_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="package")
def chromium(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A headless Chromium with a new profile.

    Its scope is this folder's: Playwright keeps an event loop in the main thread while it runs,
    which tests elsewhere would stumble over.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            headless=True,
            args=FLAGS,
            executable_path=_chromium(),
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


@pytest.fixture
def google(lab: Lab) -> Iterator[GoogleServer]:
    """A server on loopback that every cell of the Lab asks."""
    from tests.browser.lab import KEY

    with GoogleServer(key=KEY) as server:
        lab.configure(server.url)
        yield server
    assert not server.errors, server.errors


@pytest.fixture(scope="package")
def pages(lab: Lab, chromium: BrowserContext) -> Callable[[int], Page]:
    """``pages(n)``: the n-th page with Lab in it. Pages are kept: loading Lab takes seconds."""
    known: list[Page] = []

    def page(number: int) -> Page:
        while len(known) <= number:
            known.append(lab.open_page(chromium))
        return known[number]

    return page


@pytest.fixture
def opened(
    lab: Lab, pages: Callable[[int], Page], google: GoogleServer, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """``opened(*cells)`` opens a notebook whose first cell loads the extension and has run."""
    count = 0

    def open_it(*cells: str, name: str = "", first: str = "%load_ext gemini_magic") -> Notebook:
        nonlocal count
        from tests.browser.lab import Notebook

        path = lab.write(name or f"{request.node.name}-{count}", first, *cells)
        notebook = Notebook(lab, pages(count), path)
        count += 1
        notebook.run(0)
        return notebook

    yield open_it
    lab.close_kernels()


def picture(page: Page, name: str) -> Path:
    """Keep a screenshot to look at."""
    path = OUTPUT / f"{name}.png"
    page.screenshot(path=str(path))
    return path
