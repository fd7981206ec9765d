"""Real ``%%gemini`` cells of every kind, end to end: how they look, and what hostile ones do."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from PIL import Image

from tests.browser.canary import Canary
from tests.browser.conftest import picture
from tests.browser.hostile import aimed
from tests.browser.lab import KEY, Lab, Notebook
from tests.browser.test_hostile import INSPECT
from tests.browser.test_media import assert_unharmed
from tests.browser.test_quota import THEME, THEMED
from tests.notebook.media_values import bomb, wav
from tests.notebook.media_values import picture as drawn
from tests.wire import Answer, Call, GoogleServer, OpenAIServer, Picture, Printed, Program

pytestmark = pytest.mark.browser

DRAWS, SPEAKS = "-m gemini-3.1-flash-image", "-m gemini-3.8-flash-tts"
SETUP = """
%load_ext gemini_magic
def lookup(city: str) -> dict:
    "The weather in a city."
    if city == "Atlantis":
        raise ValueError("no such city")
    return {"city": city, "sky": "clear", "degrees": [12, 14]}
"""
TIDES = """High water comes **twice a day**:

| port | height |
|---|---|
| Saint-Malo | 12.1 m |

It follows $h = a \\cos(\\omega t)$.

```python
def high(n):
    return n * 12.42
```
"""
GROUNDING = {
    "webSearchQueries": ["high water saint-malo"],
    "groundingChunks": [
        {"web": {"uri": "https://www.example.org/tides", "title": "Tides at Saint-Malo"}},
        {"web": {"uri": "https://example.com/a/long/way", "title": "example.com"}},
    ],
}


class Bench(NamedTuple):
    """A notebook with one cell to run, the servers that it asks, and where nobody may ask."""

    notebook: Notebook
    google: GoogleServer
    proxy: OpenAIServer
    canary: Canary
    payloads: dict[str, str]

    def run(self, source: str, script: Any = None, *, fails: bool = False) -> str:
        """Run a cell; what it shows."""
        if script is not None:
            self.google.set_script(script)
        self.notebook.set_source(1, source)
        self.notebook.run(1)
        text = self.notebook.text(1)
        stopped = self.notebook.cell(1).locator("[data-mime-type$=stderr]").count()
        assert fails == bool(stopped), text[:2_000]
        return text

    def look(self, name: str) -> None:
        """Keep a picture of what the cell shows, in both themes."""
        page = self.notebook.page
        page.locator(".jp-Notebook").evaluate("node => node.scrollTo(0, 0)")
        self.notebook.cell(1).locator(".jp-Cell-outputWrapper").evaluate(
            "node => node.scrollIntoView({block: 'start'})"
        )
        for dark in (False, True):
            page.evaluate(THEME, dark)
            page.wait_for_function(THEMED, arg=dark)
            page.wait_for_timeout(150)
            picture(page, f"cell-{name}{'-dark' * dark}")
        page.evaluate(THEME, False)
        page.wait_for_function(THEMED, arg=False)

    def opened(self) -> None:
        """Open all that is folded."""
        folded = self.notebook.cell(1).locator("details")
        folded.evaluate_all("all => all.forEach(one => one.open = true)")

    def unharmed(self, allowed: tuple[str, ...] = ("<details>",)) -> None:
        """Nothing ran, nobody was asked, and nothing stands there that may not."""
        self.opened()
        wrong = self.notebook.page.evaluate(
            f"""() => [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')]
                  .flatMap({INSPECT})"""
        )
        assert [one for one in wrong if not one.startswith(allowed)] == []
        assert_unharmed(self.notebook, self.canary, stopped=True)


@pytest.fixture(scope="module")
def bench(lab: Lab, pages: Callable[[int], Any]) -> Iterator[Bench]:
    with Canary() as canary, GoogleServer(key=KEY) as google, OpenAIServer(key=KEY) as proxy:
        lab.configure(
            google.url,
            f'[backends.proxy]\nkind = "openai"\nbase_url = "{proxy.url}"\n'
            'key_env = "GEMINI_API_KEY"\n',
        )
        path = lab.write("cells", SETUP, "pass")
        notebook = Notebook(lab, pages(0), path)
        notebook.run(0)
        running = Bench(notebook, google, proxy, canary, aimed(canary.url))
        running.run("%%gemini\nwarm up", Answer(text="*warm* $x$\n\n```python\nx = 1\n```\n"))
        notebook.page.locator("mjx-container").first.wait_for()
        yield running
        lab.close_kernels()
        assert not google.errors + proxy.errors


@pytest.fixture(autouse=True)
def quiet(bench: Bench) -> None:
    bench.canary.hits.clear()
    bench.notebook.witness.clear()


# --- how they look -------------------------------------------------------------------------------


def test_text_pictures_and_sound(bench: Bench) -> None:
    photo = drawn("PNG", (1200, 800))
    text = bench.run(
        f"%%gemini {DRAWS} --seed 7\nA harbour at $5 and $6",
        Answer(items=[TIDES, Picture(photo), "and small:", Picture(drawn("JPEG", (64, 48)))]),
    )
    images = bench.notebook.cell(1).locator(".jp-OutputArea-output img")
    assert images.count() == 2 and "2 pictures · saved in gemini_outputs/" in text
    bench.look("pictures")
    bench.run(
        f"%%gemini {SPEAKS} --voice Kore\nSay hello", Answer(items=[Picture(wav(1.0), "audio/wav")])
    )
    bench.notebook.page.wait_for_function(
        "() => document.querySelector('.jp-OutputArea-output audio')?.duration > 0.9"
    )
    bench.look("sound")
    bench.run("%gemini gallery")
    cell = bench.notebook.cell(1)
    cell.locator(".jupyter-widgets img").first.wait_for()
    assert cell.get_by_text("seed 7").count() >= 2
    bench.look("gallery")
    cell.get_by_role("button", name="Use as input").last.click()
    cell.get_by_text("is bound to picture1").wait_for()
    cell.get_by_role("button", name="Copy as cell").last.click()
    cell.locator("textarea").wait_for()
    bench.look("gallery-copy")
    assert "--seed 7" in cell.locator("textarea").input_value()
    bench.run(
        f"%%gemini {DRAWS}\nMake it night: {{{{ picture1 }}}}", Answer(items=[Picture(photo)])
    )
    parts = bench.google.generate_calls[-1].json["contents"][-1]["parts"]
    assert "inlineData" in parts[-1]


def test_a_large_picture_is_shown_small_and_kept_large(bench: Bench) -> None:
    """The file has all of it; the notebook, which is saved and sent about, what is seen."""
    noise = Image.effect_noise((2048, 2048), 90).convert("RGB")
    kept = io.BytesIO()
    noise.save(kept, "PNG", compress_level=1)
    assert len(kept.getvalue()) > 6_000_000
    items = [Picture(kept.getvalue()), "and", Picture(kept.getvalue())]
    text = bench.run(f"%%gemini {DRAWS} --out large\nlarge", Answer(items=items))
    images = bench.notebook.cell(1).locator(".jp-OutputArea-output img")
    assert images.count() == 2
    assert images.evaluate_all("all => all.map(one => [one.width, one.complete])")[0][0] == 640
    assert "2 pictures · saved in gemini_outputs/" in text
    outputs = bench.notebook.save()["cells"][1]["outputs"]
    assert len(json.dumps(outputs)) < 3_000_000


def test_tools_programs_thoughts_and_sources(bench: Bench) -> None:
    text = bench.run(
        "%%gemini --tools lookup --thinking low\nWhat is the weather?",
        [
            Answer(thoughts=["I should look.\n"], calls=[Call("lookup", {"city": "Oslo"})]),
            Answer(items=["Now the other: ", Call("lookup", {"city": "Atlantis"})]),
            Answer(thoughts=["That is all."], text="It is **clear**."),
        ],
    )
    assert 'lookup (city="Oslo") · done in' in text and "✗ failed in" in text
    bench.opened()
    bench.look("tools")
    bench.run(
        "%%gemini --code-execution --search\nWork it out",
        Answer(
            items=["I compute:", Program("print(sum(range(10)))"), Printed("45\n"), "It is 45."],
            grounding=GROUNDING,
        ),
    )
    links = bench.notebook.cell(1).locator("li a")
    assert links.evaluate_all("all => all.map(a => a.href)") == [
        chunk["web"]["uri"] for chunk in GROUNDING["groundingChunks"]
    ]
    bench.look("sources")


def test_schemas_tables_and_pages(bench: Bench) -> None:
    ports = '{"ports": [{"name": "Brest", "height": 7.2}, {"name": "Saint-Malo", "height": 12.1}]}'
    schema = "{'type': 'object', 'properties': {'ports': {'type': 'array'}}}"
    bench.run(f'%%gemini --schema "{schema}"\nWhich ports?', Answer(text=ports))
    bench.notebook.cell(1).locator(".jp-RenderedJSON").wait_for()
    assert "Saint-Malo" in bench.notebook.text(1)  # the tree is open
    bench.look("schema")
    bench.run(f'%%gemini --schema "{schema}" --as df\nWhich ports?')
    assert bench.notebook.cell(1).locator("table td").count() == 4
    bench.look("df")
    text = bench.run(
        "%%gemini --schema 'name, age int'\nWho?", Answer(text='{"name": 1}'), fails=True
    )
    assert bench.notebook.cell(1).locator(".jp-RenderedJSON").count() == 0
    assert text.startswith('{"name": 1}') and "should be a valid string" in text
    bench.look("unfit")
    bench.run("%%gemini --as html\nA page", Answer(text="```html\n<h1>Tides</h1>\n```"))
    bench.notebook.cell(1).frame_locator("iframe").locator("h1").wait_for()
    bench.look("html")


def test_a_comparison(bench: Bench) -> None:
    bench.proxy.set_script(Answer(chunks=["Twice a day.\n\n```python\nx = 12.42\n```\n"]))
    bench.run(
        "%%gemini --compare gemini-3.1-flash-image,proxy:gemini-2.5-flash\nWhen?",
        Answer(items=["Twice, **always**: ", Picture(drawn("PNG", (400, 300)))]),
    )
    assert bench.notebook.cell(1).locator("td img").count() == 1
    bench.look("compare")
    bench.run(
        "%gemini --compare gemini-2.5-flash,proxy:gemini-2.5-flash When?", Answer(text="Twice")
    )
    assert bench.notebook.cell(1).locator("table.dataframe").count() == 1
    bench.look("compare-line")


# --- hostile answers -----------------------------------------------------------------------------


def _some(payloads: dict[str, str]) -> str:
    return "</pre></details></td></table></iframe>\n" + "\n\n".join(payloads.values())


def test_hostile_tools_programs_thoughts_and_sources(bench: Bench) -> None:
    hostile = _some(bench.payloads)
    bench.notebook.set_source(
        0,
        SETUP + f"\ndef told(text: str) -> str:\n    'x'\n    return {hostile!r}\n"
        f"def fails(text: str) -> str:\n    'x'\n    raise ValueError({hostile!r})\n",
    )
    bench.notebook.run(0)
    bench.run(
        "%%gemini --tools told,fails --thinking low\nx",
        [
            Answer(calls=[Call("told", {"text": hostile}), Call("fails", {"text": hostile})]),
            Answer(calls=[Call("unknown", {hostile: hostile})]),
            Answer(thoughts=[hostile], text="done"),
        ],
    )
    assert bench.notebook.cell(1).locator("details").count() == 4
    bench.unharmed()
    chunks = [
        {"web": {"uri": address, "title": text}}
        for text in bench.payloads.values()
        for address in (text, "https://x.example/?" + text, f"{bench.canary.url}/cited")
    ]
    for few in (chunks[n : n + 45] for n in range(0, len(chunks), 45)):
        bench.run(
            "%%gemini --code-execution --search\nx",
            Answer(
                items=[
                    Program(hostile, "PYTHON"),
                    Printed(hostile),
                    Printed(hostile, "OUTCOME_FAILED"),
                ],
                grounding={
                    "webSearchQueries": list(bench.payloads.values()),
                    "groundingChunks": few,
                },
            ),
        )
        bench.unharmed()


def test_hostile_pictures(bench: Bench) -> None:
    address = bench.canary.url
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" onload="window.top.__pwned=1"><script>'
        f'window.top.__pwned=1</script><image href="{address}/svg.png"/><style>@import '
        f'"{address}/svg.css"</style><rect width="90" height="90" fill="teal"/></svg>'
    ).encode()
    large = drawn("PNG") + b"\0" * 50_000_000
    fakes = (
        svg,
        b"no PNG",
        bomb(),
        drawn()[:100],
        b"<!doctype html><script>window.top.__pwned=1</script>",
    )
    text = bench.run(
        f"%%gemini {DRAWS} --save here\n../../{bench.payloads['img-onerror']}",
        Answer(items=[Picture(data) for data in fakes]),
    )
    assert text.count("its bytes are in reply.media") == 4
    bench.unharmed(("<img>", "src=data:image/svg+xml;base64,"))
    text = bench.run(
        f"%%gemini {DRAWS}\nlarge", Answer(items=["Large: ", Picture(large)]), fails=True
    )
    assert "more than 50 MB" in text and bench.notebook.cell(1).locator("img").count() == 0
    bench.unharmed()
    bench.proxy.set_script(
        Answer(items=[{"url": f"{address}/x.png"}, {"url": "file:///etc/passwd"}])
    )
    bench.run("%%gemini -m proxy:gpt-image-2.5-flare -n 2\nx", fails=True)
    bench.unharmed()
    bench.run("%gemini gallery here")
    bench.notebook.cell(1).locator(".jupyter-widgets button").first.wait_for()
    assert bench.notebook.cell(1).get_by_text("onerror").count() >= 1
    assert_unharmed(bench.notebook, bench.canary)
    root = bench.notebook.path.parent
    assert {path.parent for path in root.parent.rglob("*onerror*")} == {root / "here"}


def test_hostile_columns_pages_tables_and_schemas(bench: Bench) -> None:
    hostile = _some(bench.payloads)
    bench.proxy.set_script(Answer(text=hostile))
    bench.run(
        "%%gemini --compare gemini-2.5-flash,proxy:gemini-2.5-flash\nx",
        Answer(text=hostile, model_version=bench.payloads["script"]),
    )
    bench.unharmed()
    bench.run("%gemini --compare gemini-2.5-flash,proxy:gemini-2.5-flash x")
    assert_unharmed(bench.notebook, bench.canary)
    for text in (hostile, *list(bench.payloads.values())[:6]):
        bench.run("%%gemini --as html\nx", Answer(text=text))
        assert bench.notebook.cell(1).locator("iframe").count() == 1
        assert_unharmed(bench.notebook, bench.canary, stopped=True)
    rows = json.dumps([{"name": text, text: 1} for text in bench.payloads.values()])
    bench.run("%%gemini --as df\nx", Answer(text=rows))
    bench.unharmed(("<style>",))
    document = json.dumps({text: [text] for text in bench.payloads.values()})
    bench.run("%%gemini --schema dict\nx", Answer(text=document))
    bench.notebook.cell(1).locator(".jp-RenderedJSON").wait_for()
    bench.unharmed(("<input>", "<svg>"))  # the search field of the tree
    bench.run("%%gemini --schema 'name, age int'\nx", Answer(text=document), fails=True)
    bench.unharmed()


def test_a_stream_without_end_can_be_stopped(bench: Bench) -> None:
    pieces = [f"{text}\n\n" for text in bench.payloads.values()] * 200
    bench.google.set_script(Answer(chunks=pieces, delay=0.01))
    bench.notebook.set_source(1, "%%gemini\non and on")
    bench.notebook.start(1)
    time.sleep(3)
    bench.notebook.command("notebook:interrupt-kernel")
    bench.notebook.wait_idle(60)  # it draws what came
    assert "you stopped it; what had come is kept in _." in bench.notebook.text(1)
    bench.unharmed()
    bench.run("%%gemini\nnext", Answer(text="fine"))
