"""The panel as its user sees it: run, stop, keyboard, files, two themes, a narrow column."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import OUTPUT, picture
from tests.browser.lab import Lab, Notebook
from tests.browser.test_quota import READABLE, contrast, limits, nothing_odd, themed
from tests.notebook.media_values import picture as png
from tests.wire import Answer, GoogleServer

pytestmark = pytest.mark.browser

#: The README's picture; drawn anew where GEMINI_MAGIC_TEST_SCREENSHOTS is set.
README_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "panel.png"

PROJECT = 'project = "tide-tables"\ntier = "free"\n'
TIDES = """On Sunday, high water in **Saint-Malo** comes twice:

| | time | height |
|---|---|---|
| morning | 06:12 | 11.9 m |
| evening | 18:37 | 12.1 m |

The evening tide is the larger one; be back before `20:00`.
"""
CROSSING = """The causeway is dry for about **two hours** on either side of low water:

- from `10:25` to `14:25`, and
- you must be *back* by `14:25`: the sea comes in fast.
"""
PROMPT = ".gemini-magic-prompt textarea"
RUN, STOP = ".gemini-magic-run", ".gemini-magic-stop"

#: Focusable elements of the panel that are shown and have no name.
NAMELESS = """() => [...document.querySelectorAll('.gemini-magic-panel :is(input, textarea, select,'
    + ' button, [tabindex]:not([tabindex="-1"]))')]
  .filter(one => one.checkVisibility() && !one.closest('.noUi-target'))
  .filter(one => !(one.labels?.length && one.labels[0].innerText.trim()) &&
    !one.title && !one.ariaLabel && !one.innerText.trim())
  .map(one => one.outerHTML.slice(0, 200))"""

DROP = """bytes => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], 'boat.png', {type: 'image/png'}));
  const field = document.querySelector('.gemini-magic-prompt textarea');
  for (const name of ['dragover', 'drop'])
    field.dispatchEvent(new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""

TIMEOUT = 60_000


@pytest.fixture(autouse=True)
def nothing_counted_yet(lab: Lab) -> None:
    """A ledger of the test's own."""
    shutil.rmtree(lab.home / "data", ignore_errors=True)


def panel(opened: Callable[..., Notebook], *cells: str, name: str = "") -> Notebook:
    """A notebook in which ``%gemini panel`` has run."""
    notebook = opened("%gemini panel", *cells, name=name)
    notebook.page.set_default_timeout(TIMEOUT)
    notebook.run(1)
    notebook.page.wait_for_selector(PROMPT)
    return notebook


def says(notebook: Notebook, *words: str, where: str = ".gemini-magic-panel") -> None:
    notebook.page.wait_for_function(
        """([where, words]) => {
          const text = document.querySelector(where)?.innerText ?? '';
          return words.every(word => text.includes(word));
        }""",
        arg=[where, words],
        timeout=TIMEOUT,
    )


def write(notebook: Notebook, text: str) -> None:
    notebook.page.locator(PROMPT).click()
    notebook.page.keyboard.type(text)


def is_over(notebook: Notebook) -> None:
    notebook.page.wait_for_function(
        """([run, stop]) => !document.querySelector(run).disabled &&
          !document.querySelector(stop).checkVisibility()""",
        arg=[RUN, STOP],
        timeout=TIMEOUT,
    )


def test_run_and_stop_although_a_cell_runs(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT)
    google.set_script(Answer.words("tide " * 3_000, delay=0.05))
    flag = lab.root / "go-on"
    waiting = "import os, time\nwhile not os.path.exists('go-on'): time.sleep(0.05)"
    notebook = panel(opened, waiting)
    page = notebook.page
    write(notebook, "When is high water?")
    says(notebook, "≈", "tokens", where=".gemini-magic-count")
    assert google.requests == [], "to count sends nothing"
    page.keyboard.press("Control+Enter")
    says(notebook, "tide tide tide", where=".gemini-magic-answer")
    assert page.locator(PROMPT).input_value() == ""
    assert page.locator(RUN).is_disabled()
    notebook.start(2)
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    before = len(page.locator(".gemini-magic-answer").inner_text())
    page.wait_for_function(
        "before => document.querySelector('.gemini-magic-answer').innerText.length > before",
        arg=before,
        timeout=TIMEOUT,
    )
    picture(page, "panel-streaming")
    page.locator(STOP).click()
    says(notebook, "(interrupted)", where=".gemini-magic-answer")
    is_over(notebook)
    assert len(google.wait_disconnects(1, 60)) == 1
    google.set_script(Answer(TIDES))
    write(notebook, "And on Sunday?")  # what is typed waits for the cell, all but the first key
    page.locator(RUN).click()
    flag.touch()
    notebook.wait_idle(60)
    flag.unlink()
    says(notebook, "18:37", "requests/day", "≥ 2 / 20")
    is_over(notebook)
    assert google.generate_calls[-1].json["contents"][-1]["parts"] == [{"text": "And on Sunday?"}]
    page.wait_for_function("prompt => !document.querySelector(prompt).value", arg=PROMPT)
    assert page.locator(".gemini-magic-answer table").count() == 1
    nothing_odd(notebook)


def test_keyboard_files_and_a_narrow_column(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT)
    google.set_script(Answer(TIDES))
    notebook = panel(opened)
    page = notebook.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    write(notebook, "What is it?")
    for title in ("Structured output", "Pictures and sound", "Presets", "Load a cell", "Get code"):
        page.get_by_role("button", name=f"▸ {title}").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name=f"▾ {title}").wait_for()
    says(notebook, "makes no pictures")
    assert page.get_by_label("Size", exact=True).is_disabled()
    page.get_by_role("tab", name="curl").wait_for()
    assert page.evaluate(NAMELESS) == []
    page.locator(PROMPT).focus()
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.innerText || "
                                  "document.activeElement.title"))  # fmt: skip
    assert [" ".join(one.split()[:2]) for one in seen] == ["Add files", "a path,", "Run", "New"]
    slider = page.locator(".gemini-magic-settings .noUi-handle").first
    slider.focus()
    assert "Temperature" in (slider.get_attribute("aria-label") or "")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.gemini-magic-settings input')]"
        ".some(one => one.value === '0.05')"
    )

    page.evaluate(DROP, list(png()))
    page.get_by_role("button", name="boat.png").wait_for()
    page.locator(PROMPT).focus()
    page.keyboard.press("Meta+Enter")
    says(notebook, "18:37")
    is_over(notebook)
    (sent,) = google.generate_calls
    parts = sent.json["contents"][0]["parts"]
    assert "inlineData" in parts[0] and parts[1]["text"] == "What is it?"
    assert sent.json["generationConfig"] == {"temperature": 0.05}

    page.get_by_role("button", name="Refresh").click()
    copy = page.get_by_role("button", name="Copy", exact=True)
    page.wait_for_function(
        """() => [...document.querySelectorAll('.gemini-magic-codes textarea')]
          .some(one => one.value.includes('boat.png'))"""
    )
    copy.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("() => navigator.clipboard.readText()") == (
        "%%gemini --image gemini_inputs/boat.png --temperature 0.05\nWhat is it?"
    )
    page.get_by_role("button", name="▾ Load a cell").click()
    page.set_viewport_size({"width": 480, "height": 1400})
    try:
        page.wait_for_function(
            """() => document.querySelector('.gemini-magic-settings').offsetTop >
              document.querySelector('.gemini-magic-prompt').offsetTop"""
        )
        wide = page.evaluate(
            """() => [...document.querySelectorAll('.gemini-magic-panel *')]
              .filter(one => one.checkVisibility() && one.getBoundingClientRect().right >
                document.querySelector('.gemini-magic-panel').getBoundingClientRect().right + 1)
              .map(one => one.outerHTML.slice(0, 150))"""
        )
        assert wide == [], "it is cut off"
        picture(page, "panel-narrow")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
    nothing_odd(notebook)


METER = "[class*='gemini-magic-live-']:has(> .gemini-magic-sight)"
METER_TEXT = f"""() => document.querySelector("{METER}")?.textContent ?? ''"""


def meter_says(notebook: Notebook, *words: str, never: str = "\0") -> None:
    """Wait until the panel's meters say this, seen or not."""
    notebook.page.wait_for_function(
        """([where, words, never]) => {
          const text = document.querySelector(where)?.textContent ?? '';
          return words.every(word => text.includes(word)) && !text.includes(never);
        }""",
        arg=[METER, words, never],
        timeout=TIMEOUT,
    )


def test_nothing_follows_the_ledger_out_of_sight(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT)
    worker = opened("%gemini --quiet --fresh tide")  # in a process of its own
    notebook = panel(opened, "print('sand\\n' * 300)")
    page = notebook.page
    notebook.run(2)
    scroller = "document.querySelector('.jp-Notebook .jp-WindowedPanel-outer')"
    page.evaluate(f"() => {{ {scroller}.scrollTop = 0 }}")
    worker.run(1)
    meter_says(notebook, "≥ 1 / 20", never="as of")
    page.evaluate(f"() => {{ {scroller}.scrollTop = 1e6 }}")
    meter_says(notebook, "≥ 1 / 20", "as of")
    page.evaluate(
        """() => {
          window.__told = 0;
          const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
          kernel.iopubMessage.connect((_, message) => {
            if (message.header.msg_type === 'comm_msg') window.__told += 1;
          });
        }"""
    )
    for _ in range(3):
        worker.run(1)
        notebook.page.wait_for_timeout(500)
    assert page.evaluate("() => window.__told") == 0, "it is told of what it does not see"
    assert "≥ 1 / 20" in page.evaluate(METER_TEXT)
    page.evaluate(f"() => {{ {scroller}.scrollTop = 0 }}")
    meter_says(notebook, "≥ 4 / 20", never="as of")
    assert page.evaluate("() => window.__told") > 0

    # The whole page is put aside, and comes back.
    for hidden, words, never in ((True, "as of", "\0"), (False, "≥ 5 / 20", "as of")):
        page.evaluate(
            """hidden => {
              Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true});
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            hidden,
        )
        meter_says(notebook, words, never=never)
        worker.run(1)
    meter_says(notebook, "≥ 6 / 20", never="as of")
    page.evaluate("() => { delete document.hidden }")
    # Nobody sees it in a notebook that is behind another document.
    notebook.command("launcher:create")
    meter_says(notebook, "as of")
    page.evaluate("() => { jupyterapp.shell.currentWidget.dispose() }")
    meter_says(notebook, "≥ 6 / 20", never="as of")
    notebook.witness.visited.clear()  # Lab names the document in front in the page's address
    nothing_odd(notebook)


def source(notebook: Notebook, index: int, text: str) -> None:
    """Wait until a cell has this text."""
    notebook.page.wait_for_function(
        """([index, text]) =>
          document.querySelector('.jp-Notebook') && [...jupyterapp.shell.widgets('main')]
            .find(one => one.content?.widgets?.[index]?.model?.sharedModel)
            .content.widgets[index].model.sharedModel.getSource() === text""",
        arg=[index, text],
        timeout=TIMEOUT,
    )


def test_cells_come_and_go_at_once(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    """With the Lab extension; nothing here is ever run."""
    lab.configure(google.url, PROJECT)
    asked = "# the tides\n%%gemini --chat sea -t 1\nHigh water?"
    notebook = opened(asked, "%gemini panel", "x = 1")
    page = notebook.page
    page.set_default_timeout(TIMEOUT)
    notebook.run(2)
    page.wait_for_selector(PROMPT)
    page.get_by_role("button", name="▸ Load a cell").focus()
    page.keyboard.press("Enter")
    load = page.get_by_role("button", name="Load the selected cell")
    back = page.get_by_role("button", name="Write back into the cell")
    says(notebook, "no prompt was selected yet")
    assert load.is_disabled() and back.is_disabled()
    notebook.select(1)
    notebook.select(3)
    page.locator(PROMPT).click()
    says(notebook, "%%gemini --chat sea -t 1 High water?")
    assert page.evaluate(NAMELESS) == []
    page.get_by_role("button", name="▾ Load a cell").focus()
    page.keyboard.press("Tab")
    assert load.evaluate("one => one === document.activeElement")
    page.keyboard.press("Enter")
    says(notebook, "without --chat", "loaded from: %%gemini --chat sea -t 1 High water?")
    assert page.locator(PROMPT).input_value() == "High water?"
    temperature = page.get_by_label("Temperature", exact=True)
    page.wait_for_function("one => one.value === '1.0'", arg=temperature.element_handle())
    temperature.fill("0.5")
    page.locator(PROMPT).fill("Low water?")
    page.wait_for_function(  # the kernel has heard it
        """() => [...document.querySelectorAll('.gemini-magic-settings .noUi-handle')]
          .some(one => Number(one.getAttribute('aria-valuenow')) === 0.5)"""
    )
    load.focus()
    page.keyboard.press("Tab")
    assert back.evaluate("one => one === document.activeElement")
    page.keyboard.press("Enter")
    written = "# the tides\n%%gemini --chat sea --temperature 0.5\nLow water?"
    source(notebook, 1, written)
    says(notebook, "Written, and not run.")
    picture(page, "panel-cells")
    notebook.cell(1).locator(".cm-content").click()
    page.keyboard.press("Control+z")
    source(notebook, 1, asked)

    page.get_by_role("button", name="▸ Get code").click()
    insert = page.get_by_role("button", name="Insert as cell")
    insert.click()
    new = "%%gemini --temperature 0.5\nLow water?"
    source(notebook, 3, new)
    says(notebook, "It is below this cell, and has not run.")
    assert notebook.sources()[4:] == ["x = 1"]
    notebook.command("notebook:undo-cell-action")
    source(notebook, 3, "x = 1")

    # A view of its own, whose notebook is behind it.
    notebook.select(2)
    notebook.command("notebook:create-output-view")
    view = page.locator(".jp-LinkedOutputView")
    view.get_by_role("button", name="Insert as cell").click()
    source(notebook, 3, new)
    view.locator(PROMPT).fill("Neap tide?")
    view.get_by_role("button", name="Write back into the cell").click()
    source(notebook, 1, written.replace("Low water", "Neap tide"))
    assert [cell.inner_text() for cell in notebook.outputs(1).all()] == []
    assert google.generate_calls == []
    notebook.witness.visited.clear()  # Lab names the document in front in the page's address
    nothing_odd(notebook)


def test_a_picture_of_the_panel_and_what_is_left_without_a_kernel(
    opened: Callable[..., Notebook], google: GoogleServer, lab: Lab
) -> None:
    lab.configure(google.url, PROJECT + limits("gemini-2.5-flash", rpm=10, rpd=250))
    google.set_script([Answer.words(TIDES, delay=0.01), Answer.words(CROSSING, delay=0.01)])
    notebook = panel(opened, name="tides")
    page = notebook.page
    page.get_by_label("System instruction").fill("You are a harbour pilot. Be brief.")
    page.get_by_label("Temperature", exact=True).fill("0.4")
    page.get_by_label("Max output tokens").fill("2048")
    write(notebook, "When is high water in Saint-Malo on Sunday?")
    page.keyboard.press("Control+Enter")
    says(notebook, "18:37")
    is_over(notebook)
    write(notebook, "And when can I cross to the Grand Bé on foot?")
    page.keyboard.press("Control+Enter")
    says(notebook, "two hours")
    is_over(notebook)
    write(notebook, "Plan my afternoon around {{ appointments }}.")
    says(notebook, "+ 1 placeholder, with 4 earlier messages")
    says(notebook, "≥ 2 / 250 ·")
    page.set_viewport_size({"width": 1280, "height": 1010})
    try:
        for dark in (False, True):
            themed(notebook, dark)
            picture(page, "panel-dark" if dark else "panel")
            assert contrast(notebook) >= READABLE, page.evaluate("() => window.__worst")
        themed(notebook, False)
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
    nothing_odd(notebook)
    light = OUTPUT / "panel.png"
    assert light.stat().st_size < 250_000
    if os.environ.get("GEMINI_MAGIC_TEST_SCREENSHOTS"):
        shutil.copy(light, README_PICTURE)

    saved = notebook.save()
    assert "widgets" not in saved["metadata"]
    lab.close_kernels()
    again = Notebook(lab, page, notebook.path, kernel=False)
    says(again, "The same as a cell", where=".jp-Notebook")
    assert "18:37" in again.text(1) and "two hours" in again.text(1), "the answers are kept"
    assert "asks gemini-2.5-flash on studio" in again.text(1)
    assert "Error" not in again.text(1)
