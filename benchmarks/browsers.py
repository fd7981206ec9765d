"""JupyterLab in a real browser, with the extensions of its page and server and without them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.browser.chromium import FLAGS, program
from tests.browser.lab import QUIET, Lab

from benchmarks.bench import Options

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

#: The two pages, each of a server of its own: one alone has our plugins and routes.
WITH, WITHOUT = "with the extension", "without"

#: What a page may work to count as idle, as a share of the time; for how long; and how long, in
#: seconds, is waited for it.
_IDLE, _IDLE_FOR, _IDLE_WITHIN = 0.1, 0.5, 20.0

_CLOSE = "() => { for (const one of [...jupyterapp.shell.widgets('main')]) one.dispose() }"


class Tab(NamedTuple):
    """A page with JupyterLab in it, and the browser's own measurements of it."""

    lab: Lab
    page: Page
    browser: CDPSession

    def busy(self) -> float:
        """Seconds that the tasks of the page's main thread have taken so far."""
        return self._metric("TaskDuration")

    def cpu(self) -> float:
        """Seconds of a processor that the page's main thread has used so far."""
        return self._metric("ThreadTime")

    def close_all(self) -> None:
        self.page.evaluate(_CLOSE)

    def _metric(self, name: str) -> float:
        found = self.browser.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == name))


@contextmanager
def tabs(options: Options, name: str) -> Iterator[dict[str, Tab]]:
    """A tab for each of ``WITH`` and ``WITHOUT``, in one browser. Raises ``OSError``.

    It raises where there is no browser.
    """
    from playwright.sync_api import sync_playwright

    found = program()
    if found is None:
        raise OSError("there is no Chromium")
    folder = options.home(name)
    labs: list[Lab] = []
    try:
        for variant in (WITHOUT, WITH):
            labs.append(_lab(folder / f"lab-{len(labs)}", ours=variant == WITH))
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                str(folder / "profile"), headless=True, args=FLAGS, executable_path=found,
                viewport={"width": 1280, "height": 800},
            )  # fmt: skip
            opened = {}
            for variant, lab in zip((WITHOUT, WITH), labs, strict=True):
                page = lab.open_page(context)
                active = page.evaluate("() => jupyterapp.hasPlugin('gemini-magic:editor')")
                if active != (variant == WITH):
                    raise OSError("the Lab extension is not installed (make lab)")
                browser = context.new_cdp_session(page)
                browser.send("Performance.enable")
                opened[variant] = Tab(lab, page, browser)
            yield opened
            context.close()
    finally:
        for lab in labs:
            lab.stop()


def _lab(folder: Path, *, ours: bool) -> Lab:
    """A JupyterLab with or without our extensions of page and server."""
    config = folder / "config"
    config.mkdir(parents=True, mode=0o700)
    extensions = {"ServerApp": {"jpserver_extensions": {"gemini_magic.server": ours}}}
    (config / "jupyter_server_config.json").write_text(json.dumps(extensions))
    lab = Lab(folder)
    disabled = {**QUIET["disabledExtensions"], "gemini-magic": not ours}
    (config / "labconfig" / "page_config.json").write_text(
        json.dumps({"disabledExtensions": disabled})
    )
    return lab


def calm(opened: Mapping[str, Tab]) -> None:
    """Let all pages finish what they are at, and collect their garbage.

    A page that still puts away what it was measured with would slow the other one down.
    """
    for tab in opened.values():
        tab.browser.send("HeapProfiler.collectGarbage")
    deadline = time.monotonic() + _IDLE_WITHIN
    while time.monotonic() < deadline:
        began, before = time.monotonic(), [tab.busy() for tab in opened.values()]
        time.sleep(_IDLE_FOR)
        worked = [tab.busy() - was for tab, was in zip(opened.values(), before, strict=True)]
        if max(worked) < _IDLE * (time.monotonic() - began):
            return
