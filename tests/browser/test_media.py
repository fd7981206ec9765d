"""Pictures, sound, tools, pages and the gallery in JupyterLab, and what hostile ones do: nothing.

The cells draw with the view itself; no service takes part.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.canary import Canary
from tests.browser.conftest import picture
from tests.browser.hostile import aimed
from tests.browser.lab import Notebook

pytestmark = pytest.mark.browser

#: Draws events and a reply as a cell does: ``draw(parts, form)``.
SETUP = """
import io, os, struct, wave
from pathlib import Path
from PIL import Image
import pandas
from gemini_magic.notebook import display, gallery_command, saving
from gemini_magic.notebook.footer import footer
from gemini_magic.types import *
from gemini_magic.events import PartDone, Preview, TextDelta, ToolCalled, ToolReturned
from gemini_magic.types import (Citation, Code, CodeOutput, Part, Target, ToolCall, ToolResult,
                                ToolUse, Reply)

shell = get_ipython()
A = Target("studio", "imager")

def photo(size=(1024, 768), form="PNG"):
    image = Image.merge("RGB", [Image.radial_gradient("L").resize(size),
                                Image.linear_gradient("L").resize(size),
                                Image.radial_gradient("L").rotate(90).resize(size)])
    kept = io.BytesIO()
    image.save(kept, form)
    return Part(data=kept.getvalue(), mime_type=f"image/{form.lower()}")

def sound(seconds=1.0):
    return Part(data=struct.pack("<h", 900) * int(24000 * seconds),
                mime_type="audio/L16;codec=pcm;rate=24000")

def draw(*parts, form="markdown", uses=(), prompt="A cat", frame=None, **more):
    view = display.view_for(shell, form, quiet=False, remote_images=False)
    waiting = list(uses)
    for part in parts:
        if part.text is not None:
            view.take([TextDelta(part.text)])
        elif part.call is not None:
            view.take([ToolCalled(part.call, part)])
            if waiting:
                view.take([ToolReturned(waiting.pop(0))])
        else:
            view.take([PartDone(part)])
        import time
        time.sleep(max(0, view.delay()))
        view.take([])
    reply = Reply("".join(part.text or "" for part in parts), parts=parts, target=A,
                  tool_calls=tuple(uses), **more)
    saved = saving.save(reply, Path("gemini_outputs"), prompt=prompt)
    album.add(reply, saved, prompt=prompt)
    view.close(reply, display.Ending(footer(reply, saved.paths), {"model": "imager"}, saved.paths,
                                     frame))

album = gallery_command.Album()
"""


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as running:
        yield running


@pytest.fixture
def bench(opened, canary) -> Notebook:  # type: ignore[no-untyped-def]
    """A notebook whose second cell may be run with any source; ``draw`` is there."""
    canary.hits.clear()
    notebook: Notebook = opened("pass", first=SETUP)
    notebook.witness.clear()
    return notebook


def run(notebook: Notebook, source: str) -> None:
    notebook.set_source(1, source)
    notebook.run(1)
    assert notebook.cell(1).locator("[data-mime-type$=stderr]").count() == 0, notebook.text(1)


def look(notebook: Notebook, name: str) -> None:
    """Keep a screenshot of the outputs."""
    outputs = notebook.cell(1).locator(".jp-Cell-outputWrapper")
    outputs.evaluate("node => node.scrollIntoView({block: 'start'})")
    notebook.page.wait_for_timeout(200)
    picture(notebook.page, name)


def assert_unharmed(notebook: Notebook, canary: Canary, *, stopped: bool = False) -> None:
    """Nothing happened; with ``stopped`` the browser may have stopped requests before they left."""
    notebook.page.wait_for_timeout(300)
    ran = notebook.page.evaluate("() => window.__pwned ?? null")
    # What the browser refuses is an error in its console, and no harm.
    harmless = ("errors:", "visited:", *(("elsewhere:", "fetched:") if stopped else ()))
    seen = [one for one in notebook.witness.report if not one.startswith(harmless)]
    empty = ("about:", "chrome-error:")
    frames = [one for one in notebook.witness.visited if one and not one.startswith(empty)]
    assert (ran, canary.hits, seen, frames) == (None, [], [], [])


def test_pictures_stand_between_the_words_in_their_order(bench: Notebook) -> None:
    run(
        bench,
        """draw(Part(text="**First** a cat."), photo(), Part(text="Then *another*."),
        photo((300, 500), "JPEG"), photo((64, 64), "WEBP"), prompt="A cat & a dog")""",
    )
    cell = bench.cell(1)
    images = cell.locator(".jp-OutputArea-output img")
    assert images.count() == 3
    sizes = images.evaluate_all("all => all.map(i => [i.naturalWidth, i.width, i.complete])")
    assert sizes[0][0] == 1024 and 300 <= sizes[0][1] <= 640
    assert sizes[1][:2] == [300, 300] and sizes[2][:2] == [64, 64]
    kinds = cell.locator(".jp-OutputArea-output").evaluate_all(
        "all => all.map(one => one.querySelector('img') ? 'img' : one.innerText.trim())"
    )
    assert kinds[:5] == ["First a cat.", "img", "Then another.", "img", "img"]
    assert "3 pictures · saved in gemini_outputs/" in kinds[5]
    look(bench, "media-pictures")
    kept = bench.save()["cells"][1]["outputs"]
    said = "".join(kept[1]["data"]["text/plain"])
    assert said.startswith("<picture 1024x768, saved as gemini_outputs/2")
    assert kept[0]["metadata"] == {"gemini_magic": {"model": "imager"}}
    assert kept[1]["metadata"] == {"image/png": {"width": 640}}


def test_tools_programs_and_sources(bench: Notebook) -> None:
    run(
        bench,
        """
call, bad = ToolCall("lookup", '{"city": "Oslo", "days": 3}'), ToolCall("book", '{"at": "x"}')
uses = (ToolUse(call, ToolResult("lookup", '{"t": [12, 14], "sky": "clear"}'), 0.26),
        ToolUse(bad, ToolResult("book", '"KeyError: x"', failed=True), 1.5))
draw(Part(text="Let me look."), Part(call=call), Part(result=uses[0].result), Part(call=bad),
     Part(result=uses[1].result), Part(code=Code("for x in range(3):\\n    print(x)\\n")),
     Part(output=CodeOutput("0\\n1\\n2")), Part(text="It is **12 °C**."), uses=uses,
     thoughts="First I think.\\nThen I look.",
     citations=(Citation("https://www.example.org/tides", "Tides at Oslo"),
                Citation("javascript:alert(1)", "Nowhere")), queries=("weather oslo",))
""",
    )
    cell = bench.cell(1)
    folded = cell.locator("details")
    assert folded.count() == 3 and cell.locator("details[open]").count() == 0
    summaries = [one.strip() for one in folded.locator("summary").all_inner_texts()]
    assert summaries == [
        'lookup (city="Oslo", days=3) · done in 0.3 s', 'book (at="x") · ✗ failed in 1.5 s',
        "thoughts",
    ]  # fmt: skip
    folded.first.locator("summary").focus()
    bench.page.keyboard.press("Enter")
    assert '"sky": "clear"' in folded.first.inner_text()
    links = cell.locator("li a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert links == ["https://www.example.org/tides"]
    assert "Tides at Oslo (www.example.org)" in bench.text(1)
    assert cell.locator(".jp-RenderedMarkdown pre code").count() == 1
    look(bench, "media-tools")


def test_sound_and_film_have_players(bench: Notebook) -> None:
    run(bench, "draw(Part(text='Listen:'), sound(), prompt='Say hello')")
    player = bench.cell(1).locator("audio")
    player.wait_for()
    bench.page.wait_for_function(
        "() => document.querySelector('.jp-OutputArea-output audio').duration > 0.9"
    )
    assert "1 sound · saved in gemini_outputs/" in bench.text(1)
    look(bench, "media-sound")


def test_hostile_parts_do_nothing(bench: Notebook, canary: Canary) -> None:
    payloads = aimed(canary.url)
    run(
        bench,
        f"""
hostile = {list(payloads.values())!r}
svg = ('<svg xmlns="http://www.w3.org/2000/svg" onload="window.top.__pwned=1"><script>'
       'window.top.__pwned=1</script><image href="{canary.url}/svg.png"/><style>'
       '@import "{canary.url}/svg.css"</style><rect width="9" height="9"/></svg>').encode()
one = "</pre></details></script></iframe>" + "\\n".join(hostile)
call = ToolCall(one, '{{"x": 1}}')
uses = (ToolUse(call, ToolResult(one, one, failed=True), 0.1),)
draw(Part(call=call), Part(result=uses[0].result), Part(code=Code(one, one)),
     Part(output=CodeOutput(one)), Part(data=svg, mime_type="image/svg+xml"),
     Part(data=one.encode(), mime_type="image/png"), uses=uses, thoughts=one, prompt=one,
     citations=tuple(Citation(address, text) for text in hostile
                     for address in (text, "{canary.url}/cited?" + text, "https://x.example/")),
     queries=tuple(hostile))
""",
    )
    assert bench.cell(1).locator("details").count() == 2
    bench.cell(1).locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
    links = bench.cell(1).locator(".jp-OutputArea-output a")
    addresses = links.evaluate_all("all => all.map(a => a.href)")
    assert addresses and all(one.startswith(("http:", "https:", "mailto:")) for one in addresses)
    assert_unharmed(bench, canary)
    source = "for text in {}: draw(Part(call=ToolCall('f', text)), Part(output=CodeOutput(text)))"
    for few in _few(list(payloads.values()), 15):
        run(bench, source.format(repr(few)))
        assert bench.cell(1).locator("details").count() == len(few)
        bench.cell(1).locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
        assert_unharmed(bench, canary)


def _few(texts: list[str], count: int) -> list[list[str]]:
    """Some at a time: Lab shows the first 50 outputs of a cell."""
    return [texts[n : n + count] for n in range(0, len(texts), count)]


def test_a_page_is_shown_in_a_frame_that_runs_and_loads_nothing(
    bench: Notebook, canary: Canary
) -> None:
    run(
        bench,
        """draw(form="html", *[Part(text='Here:\\n```html\\n<!doctype html><html><head><style>'
        'h1 { color: teal }</style></head><body><h1>Tides</h1><p>Costs $5 and $6.</p></body>'
        '</html>\\n```')])""",
    )
    frame = bench.cell(1).frame_locator("iframe")
    frame.locator("h1").wait_for()
    assert frame.locator("p").inner_text() == "Costs $5 and $6."
    colour = frame.locator("h1").evaluate("h1 => getComputedStyle(h1).color")
    assert colour == "rgb(0, 128, 128)"
    look(bench, "media-page")
    payloads = aimed(canary.url)
    hostile = [
        *payloads.values(),
        "".join(payloads.values()),
        f"</iframe>\"'><script>window.top.__pwned=1</script><img src={canary.url}/out>",
        f"<link rel=preconnect href={canary.url}><link rel=dns-prefetch href={canary.url}>",
        f"<iframe src={canary.url}/f></iframe><object data={canary.url}/o></object>",
        f"<meta http-equiv=refresh content='0;url={canary.url}/refresh'>",
        f"<svg><image href={canary.url}/i /><use href={canary.url}/u#x /></svg>",
        f"<div style='background:url({canary.url}/bg)'>x</div>",
        f"<style>@import '{canary.url}/c'; body {{ background: url({canary.url}/b) }}</style>",
        f"<a id=go href={canary.url}/clicked target=_self>click</a>",
        f"<form action={canary.url}/form><button id=go>click</button></form>",
    ]
    bench.witness.clear()
    for few in _few(hostile, 20):
        run(bench, f"for text in {few!r}: draw(Part(text=text), form='html')")
        assert bench.cell(1).locator("iframe").count() == len(few)
        buttons = [
            number
            for number, text in enumerate(few)
            if "id=go" in text and bench.cell(1).locator("iframe").nth(number).is_visible()
        ]
        for number in buttons:
            frame = bench.cell(1).locator("iframe").nth(number).content_frame
            frame.locator("#go").click()
        assert_unharmed(bench, canary, stopped=True)
    assert len(buttons) == 2


def test_a_table_of_hostile_cells_is_text(bench: Notebook, canary: Canary) -> None:
    hostile = list(aimed(canary.url).values())
    run(
        bench,
        f"""
hostile = {hostile!r}
draw(Part(text="[]"), form="df", frame=pandas.DataFrame({{"x": hostile, "$y$": hostile}}))""",
    )
    assert bench.cell(1).locator("table").count() == 1
    assert bench.cell(1).locator("mjx-container, td img, td a, td script").count() == 0
    assert_unharmed(bench, canary)


def test_the_gallery(bench: Notebook, canary: Canary) -> None:
    run(
        bench,
        f"""
from IPython.display import clear_output
for n in range(14):
    draw(photo((320 + 20 * n, 240)), prompt=f"Picture {{n}} of a *cat* at $5 and $6")
draw(photo((200, 300)), prompt={aimed(canary.url)["img-onerror"]!r})
clear_output()
gallery_command.run(shell, album, [], "gemini", folder=Path("gemini_outputs"), widgets=True)""",
    )
    cell = bench.cell(1)
    cell.locator("img").first.wait_for()
    assert cell.locator("img").count() == 12
    look(bench, "media-gallery")
    cell.get_by_role("button", name="Use as input").nth(1).focus()
    bench.page.keyboard.press("Enter")
    cell.get_by_text("is bound to picture1").wait_for()
    cell.get_by_role("button", name="Copy as cell").nth(1).click()
    cell.locator("textarea").wait_for()
    assert cell.locator("textarea").input_value().startswith("%%gemini")
    cell.get_by_role("button", name="Next").click()
    cell.get_by_text("13–").wait_for()
    look(bench, "media-gallery-2")
    assert_unharmed(bench, canary)
    run(bench, 'gallery_command.run(shell, album, [], "gemini", folder=Path("."), widgets=False)')
    assert cell.locator("img").count() == 15 and cell.locator("mjx-container").count() == 0
    look(bench, "media-gallery-still")
    assert_unharmed(bench, canary)
