"""The quota as a user sees it: meters, countdown, footer, a switch along a route, commands."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gemini_magic.quota import sqlite_tables
from tests.browser.conftest import OUTPUT, picture
from tests.browser.lab import Lab, Notebook
from tests.wire import Answer, GoogleServer, OpenAIServer, Quota, Usage
from tests.wire.quota import QuotaBook

pytestmark = pytest.mark.browser

#: The README's picture; drawn anew where GEMINI_MAGIC_TEST_SCREENSHOTS is set.
README_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "quota.png"

PROJECT = 'project = "tide-tables"\ntier = "free"\n'
PROXY_KEY = "sk-TESTKEYtestkeyTESTKEYtestkey0123456789"
PROXY = """
[prices.proxy."gemini-2.5-flash"]
input = "0.30 USD"
output = "2.50 USD"
[backends.proxy]
kind = "openai"
base_url = "{url}/v1"
key_env = "PROXY_KEY"
project = "proxy"
models = {{ "gemini-2.5-flash" = "google/gemini-2.5-flash" }}
"""
ASK = "%%gemini --fresh\nWhen is high water in Saint-Malo?"
WATER = "High water is at **06:12** and at **18:37**."
#: The least contrast that WCAG (AA) asks for in small text.
READABLE = 4.5


def limits(model: str, **sizes: int) -> str:
    """The user's limits of a model, as a configuration has them."""
    rows = "\n".join(f"{window} = {size}" for window, size in sizes.items())
    return f'[limits."tide-tables"."{model}"]\n{rows}\n'


def ask(model: str, count: int, text: str = "question") -> str:
    """A cell that asks a model so many times, in a second or more, and shows nothing of it."""
    line = f"f'--quiet -m {model} {text} {{n}}'"
    asks = f"get_ipython().run_line_magic('gemini', {line})"
    return f"import time\nfor n in range({count}):\n    {asks}\n    time.sleep({1 / count})"


# Not awaited: where a second change comes before the first is done, that one never says so.
THEME = """dark => { jupyterapp.commands.execute('apputils:change-theme',
  {theme: dark ? 'JupyterLab Dark' : 'JupyterLab Light'}) }"""

THEMED = """dark => document.body.dataset.jpThemeLight === String(!dark) &&
  !document.getElementById('jupyterlab-splash')"""

# Every state that the first output of the notebook was in, with the time.
WATCH = """() => {
  const area = document.querySelector('.jp-Cell-outputArea:has(.jp-OutputArea-output)');
  window.__states = [];
  const look = () => {
    const text = area.innerText;
    if (text !== window.__states.at(-1)?.text)
      window.__states.push({at: performance.now() / 1000, text});
  };
  look();
  window.__watch = new MutationObserver(look);
  window.__watch.observe(area, {childList: true, subtree: true, characterData: true});
}"""


@pytest.fixture(autouse=True)
def nothing_counted_yet(lab: Lab) -> Iterator[None]:
    """A ledger of the test's own."""
    shutil.rmtree(lab.home / "data", ignore_errors=True)
    keys = lab.root / ".env"
    keys.write_text(f"PROXY_KEY={PROXY_KEY}\n")
    keys.chmod(0o600)
    yield
    keys.unlink()


def seen(notebook: Notebook, index: int) -> str:
    """What the cell's outputs show; what is hidden does not count."""
    return notebook.cell(index).locator(".jp-Cell-outputArea").inner_text()


def says(notebook: Notebook, *words: str, timeout: float = 15) -> None:
    """Wait until the outputs of the notebook's cells say this."""
    notebook.page.wait_for_function(
        """words => {
          const text = [...document.querySelectorAll('.jp-Notebook .jp-Cell-outputArea')]
            .map(node => node.innerText).join('\\n');
          return words.every(word => text.includes(word));
        }""",
        arg=list(words),
        timeout=timeout * 1000,
    )


def both_themes(notebook: Notebook, name: str) -> list[float]:
    """Pictures in both themes; the weakest contrast of the outputs' texts in each."""
    found = []
    for dark in (False, True):
        themed(notebook, dark)
        picture(notebook.page, f"{name}-dark" if dark else name)
        found.append(contrast(notebook))
    themed(notebook, False)
    return found


def themed(notebook: Notebook, dark: bool) -> None:
    notebook.page.evaluate(THEME, dark)
    notebook.page.wait_for_function(THEMED, arg=dark)
    time.sleep(0.3)


def contrast(notebook: Notebook) -> float:
    """The weakest contrast of a text in the outputs with what it stands on, as WCAG counts it."""
    return float(
        notebook.page.evaluate(
            """() => {
              const canvas = document.createElement('canvas').getContext('2d');
              const paint = color => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); };
              const light = () => [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
                .map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
              const under = node => {  // paint what is behind a node, from the page up
                if (node.parentElement) under(node.parentElement);
                else paint('white');
                paint(getComputedStyle(node).backgroundColor);
              };
              let worst = 21;
              for (const area of document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')) {
                const walk = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
                while (walk.nextNode()) {
                  const node = walk.currentNode.parentElement;
                  if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
                  under(node);
                  const base = light();
                  paint(getComputedStyle(node).color);
                  const front = light();
                  const one = (Math.max(base, front) + 0.05) / (Math.min(base, front) + 0.05);
                  if (one < worst) { worst = one; window.__worst = node.outerHTML; }
                }
              }
              return worst;
            }"""
        )
    )


def nothing_odd(*notebooks: Notebook) -> None:
    """No error in a console, no request elsewhere, no price that became a formula."""
    for notebook in notebooks:
        assert notebook.witness.report == [], notebook.witness.report
        assert notebook.page.locator("mjx-container").count() == 0


def minute_ago(lab: Lab, seconds: float) -> None:
    """All that was asked so far was asked so many seconds earlier."""
    with closing(sqlite3.connect(lab.home / "data" / "ledger.db", timeout=10)) as ledger, ledger:
        ledger.execute(sqlite_tables.MOVE, (-seconds,))


def test_quota_is_live_across_notebooks_and_readable_without_a_kernel(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT + limits("gemini-2.5-flash", rpm=100))
    google.book = QuotaBook(Quota(rpd=20))
    watcher = opened("%gemini quota")
    worker = opened("%%gemini\nhello", ask("gemini-2.5-flash", 18), "%%gemini\nlast", "%%gemini\nx")
    watcher.run(1)
    assert "Nothing is counted yet" in seen(watcher, 1)
    watcher.page.evaluate(WATCH)
    worker.run(1)
    says(watcher, "tide-tables · tier free", "≥ 1 / 100", "99 left", "frees in", "seed")

    watcher.page.evaluate("() => { window.__states.length = 0 }")
    worker.run(2)
    says(watcher, "≥ 19 / 100", "81 left")
    times = [state["at"] for state in watcher.page.evaluate("() => window.__states")]
    assert len(times) >= 2, "it changed once only"
    for begin in times:
        assert sum(begin <= at < begin + 0.99 for at in times) <= 4, times
    worker.run(3)
    says(watcher, "≥ 20 / 20")
    worker.run(4)
    assert "opens again at" in seen(worker, 4) and "midnight Pacific" in seen(worker, 4)
    says(watcher, "closed until")
    closed = r"closed until ((?:[A-Z][a-z]{2} )?\d\d:\d\d \(00:00 P[SD]T\)|00:00 P[SD]T)"
    assert re.search(closed, seen(watcher, 1)), seen(watcher, 1)
    assert watcher.page.locator("[role='meter']:visible[aria-valuenow='100.0']").count() == 1
    assert min(both_themes(watcher, "quota-closed")) >= READABLE
    assert len(google.generate_calls) == 21
    nothing_odd(watcher, worker)

    time.sleep(3)  # what stays in the file is drawn again when all is quiet
    saved = watcher.save()
    watcher.page.evaluate("() => { window.__watch.disconnect() }")
    lab.close_kernels()
    assert "widgets" not in saved["metadata"], "so nothing there could draw the widget"
    again = Notebook(lab, watcher.page, watcher.path, kernel=False)
    time.sleep(3)
    shown = seen(again, 1)
    assert re.search(closed, shown) and "Loading" not in shown and "Error" not in shown
    assert again.page.locator("[role='meter']:visible").count() == 3
    picture(again.page, "quota-saved")


def test_a_cell_counts_down_and_answers_and_can_be_stopped_meanwhile(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT + limits("gemini-2.5-flash", rpm=2))
    google.set_script(Answer(text=WATER))
    notebook = opened(ASK, ASK, ASK, "%gemini quota")
    notebook.run(1)
    notebook.run(1)
    minute_ago(lab, 42)
    notebook.run(4)
    notebook.start(2)
    says(notebook, "waiting", "full · frees in")
    assert "2 of 2 requests a minute are used (your limit)" in seen(notebook, 2)
    assert min(both_themes(notebook, "countdown")) >= READABLE
    numbers = set()
    deadline = time.monotonic() + 25
    while "High water" not in (text := seen(notebook, 2)):
        assert time.monotonic() < deadline, text
        if found := re.search(r"waiting (\d+) s", text):
            numbers.add(int(found[1]))
        time.sleep(0.1)
    notebook.wait_idle()
    assert len(numbers) >= 3 and max(numbers) <= 18, numbers
    assert "waiting" not in seen(notebook, 2)
    assert len(google.generate_calls) == 3

    notebook.run(2)
    notebook.start(3)
    says(notebook, "waiting")
    began = time.monotonic()
    notebook.page.locator("[data-command='notebook:interrupt-kernel']").first.click()
    notebook.wait_idle(timeout=5)
    assert time.monotonic() - began < 3
    assert seen(notebook, 3).strip() == "Interrupted: you stopped it; nothing had come."
    picture(notebook.page, "countdown-stopped")
    time.sleep(1.5)
    assert len(google.generate_calls) == 4, "it went on after all"
    nothing_odd(notebook)


def test_the_footer_says_what_is_left_and_a_switch_says_why(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    google.book = QuotaBook(Quota(rpd=3))
    google.set_script(Answer(text=WATER, usage=Usage(52, 307)))
    answer = Answer.words(WATER, delay=0.05, first_delay=2.0)
    with OpenAIServer(answer, key=PROXY_KEY, models=["google/gemini-2.5-flash"]) as proxy:
        route = '[routes.default]\ntargets = ["studio", { backend = "proxy", when = ["rpd"] }]\n'
        lab.configure(google.url, PROJECT + PROXY.format(url=proxy.url) + route)
        notebook = opened(ASK, ASK, ASK)
        notebook.run(1)
        time.sleep(3)  # the price is looked up while nobody waits
        notebook.run(2)
        footer = notebook.outputs(2).last
        assert re.search(r"· about 18 of 20 requests left today · \$0 \(list \$0\.\d+\)$",
                         footer.inner_text()), footer.inner_text()  # fmt: skip
        assert min(both_themes(notebook, "footer")) >= READABLE
        notebook.run(2)
        notebook.start(3)
        says(notebook, "Asking proxy:google/gemini-2.5-flash")
        banner = seen(notebook, 3)
        assert "the day's quota of 3 requests is used up" in banner
        assert "(127.0.0.1, $0.30 in, $2.50 out a million tokens)" in banner
        both_themes(notebook, "switching")
        notebook.wait_idle()
        text, footer_text = notebook.outputs(3).all_inner_texts()
        assert text.startswith("High water")
        assert footer_text.startswith("google/gemini-2.5-flash · proxy · ")
        assert "proxy (127.0.0.1, $0.30 in, $2.50 out" in footer_text
        assert "the day's quota of 3 requests is used up" in footer_text
        assert min(both_themes(notebook, "switched")) >= READABLE
        assert len(proxy.generate_calls) == 1
        nothing_odd(notebook)


def test_the_commands_show_tables_and_a_picture(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT)
    google.set_script(Answer(text=WATER, usage=Usage(900, 2_500)))
    notebook = opened(
        f"{ask('gemini-2.5-flash', 4)}\n{ask('gemini-2.5-pro', 2)}",
        "%gemini usage",
        "%gemini advise",
        "%gemini limits gemini-2.5-flash",
        "%gemini cache",
    )
    notebook.page.set_viewport_size({"width": 1280, "height": 2300})
    try:
        for index in range(1, 6):
            notebook.run(index)
        image = notebook.cell(2).locator("img")
        assert image.evaluate("image => image.complete && image.naturalWidth > 800")
        assert (image.get_attribute("alt") or "").endswith("6 requests to 2 models, $0.00 in all")
        for words, index in (
            ("you ask 6 requests on a usual day", 3),
            ("1. Stay free, or run locally", 3),
            ("20 RPD", 4),
            ("($50 spent)", 4),
            ("30 days", 5),
        ):
            assert words in seen(notebook, index), words
        wide = notebook.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output')]
              .filter(node => node.scrollWidth > node.clientWidth + 1)
              .map(node => node.innerText)"""
        )
        assert wide == [], "it has to be scrolled sideways"
        assert min(both_themes(notebook, "commands")) >= READABLE
        nothing_odd(notebook)
    finally:
        notebook.page.set_viewport_size({"width": 1280, "height": 800})


def test_a_picture_of_the_quota(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    google.book = QuotaBook(Quota(rpd=20))
    google.set_script(Answer(text=WATER, usage=Usage(52, 307)))
    with OpenAIServer(WATER, key=PROXY_KEY, models=["google/gemini-2.5-flash"]) as proxy:
        budget = 'budget = { day = "1 USD" }\n'
        sizes = limits("gemini-2.5-flash", rpm=10) + limits("gemini-2.5-flash-lite", rpm=30)
        lab.configure(google.url, PROJECT + PROXY.format(url=proxy.url) + budget + sizes)
        google.set_script(Answer(text=WATER, usage=Usage(1_520, 3_070)))
        notebook = opened(ASK.replace(" --fresh", ""), "%gemini quota", name="tides")
        worker = opened(
            ask("gemini-2.5-flash", 7),
            ask("gemini-2.5-flash-lite", 20),
            "%%gemini -m gemini-2.5-flash-lite\nx",
            ask("proxy:gemini-2.5-flash", 3, "tide " * 9_000),
        )
        notebook.run(2)
        for index in (1, 2, 3, 4):
            worker.run(index)
        notebook.run(1)
        says(notebook, "closed until", "≥ 8 / 10", "frees in")
        notebook.page.set_viewport_size({"width": 1280, "height": 690})
        try:
            contrasts = both_themes(notebook, "quota")
        finally:
            notebook.page.set_viewport_size({"width": 1280, "height": 800})
        assert min(contrasts) >= READABLE
        nothing_odd(notebook)
    light = OUTPUT / "quota.png"
    assert light.stat().st_size < 200_000
    if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
        shutil.copy(light, README_PICTURE)
