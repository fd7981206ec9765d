"""JupyterLab in a real browser, with the Lab extension and without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.browser.chromium import FLAGS, program
from tests.browser.lab import QUIET, Lab

from benchmarks.bench import Options

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

#: The two pages: the extension's plugins are active in one alone.
WITH, WITHOUT = "with the extension", "without"

_CLOSE = "() => { for (const one of [...jupyterapp.shell.widgets('main')]) one.dispose() }"


class Tab(NamedTuple):
    """A page with JupyterLab in it, and the browser's own measurements of it."""

    page: Page
    browser: CDPSession

    def busy(self) -> float:
        """Seconds that the page's main thread has worked so far."""
        found = self.browser.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))

    def close_all(self) -> None:
        self.page.evaluate(_CLOSE)


@contextmanager
def tabs(options: Options, name: str) -> Iterator[tuple[Lab, dict[str, Tab]]]:
    """One JupyterLab, and a tab for each of ``WITH`` and ``WITHOUT``. Raises ``OSError``.

    It raises where there is no browser.
    """
    from playwright.sync_api import sync_playwright

    found = program()
    if found is None:
        raise OSError("there is no Chromium")
    folder = options.home(name)
    lab = Lab(folder / "lab")
    settings = folder / "lab" / "config" / "labconfig" / "page_config.json"
    try:
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                str(folder / "profile"), headless=True, args=FLAGS, executable_path=found,
                viewport={"width": 1280, "height": 800},
            )  # fmt: skip
            opened = {}
            for variant in (WITHOUT, WITH):
                disabled = {**QUIET["disabledExtensions"], "gemini-magic": variant == WITHOUT}
                settings.write_text(json.dumps({"disabledExtensions": disabled}))
                page = lab.open_page(context)
                active = page.evaluate("() => jupyterapp.hasPlugin('gemini-magic:editor')")
                if active != (variant == WITH):
                    raise OSError("the Lab extension is not installed (make lab)")
                browser = context.new_cdp_session(page)
                browser.send("Performance.enable")
                opened[variant] = Tab(page, browser)
            yield lab, opened
            context.close()
    finally:
        lab.stop()


def measured(tab: Tab, script: str, argument: Any, settle: float) -> tuple[Any, float]:
    """What a script gives, and the main thread's seconds until so many seconds after it."""
    tab.page.bring_to_front()
    before = tab.busy()
    given = tab.page.evaluate(script, argument)
    tab.page.wait_for_timeout(settle * 1000)
    return given, tab.busy() - before
