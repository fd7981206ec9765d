"""Long answers in JupyterLab, which the extension renders piece by piece."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from gemini_magic.notebook.answer_blocks import MIME
from gemini_magic.notebook.sanitise import sanitise
from tests.browser.conftest import picture
from tests.browser.hostile import PAYLOADS, aimed
from tests.browser.lab import Lab, Notebook
from tests.browser.test_hostile import INSPECT
from tests.wire import Answer, GoogleServer

pytestmark = pytest.mark.browser

SECTION = """\
## Part {n}: the tide 🌊

The *height* of the water is a **sum of waves**; `M2` is the largest. Written out, it is
$h(t) = \\sum_i A_i \\cos(\\omega_i t)$, as in [the handbook](https://example.org/{n}).

1. Take the constants from a table.

   - mind the time zone

2. Evaluate each wave.

$$
\\int_0^1 x \\, dx < {n}
$$

| wave | period | cause |
|------|-------:|-------|
| M2   | 12.42  | moon  |

```python
def height(t: float) -> float:

    return sum(w.size * cos(w.speed * t) for w in WAVES if t < {n})
```

### Notes

> A quote
> of two lines.

"""
TEXT = "".join(SECTION.format(n=n) for n in range(1, 21))

#: The node of a long answer; null if there is none.
NODE = """() => [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')]
  .find(node => node.classList.contains('jp-RenderedMarkdown')) ?? null"""

#: What the answer's node shows: its text, height and blocks (name, top, height).
LOOK = """node => {
  const top = node.getBoundingClientRect().top;
  const places = [...node.children].map(one => {
    const box = one.getBoundingClientRect();
    return [one.tagName, Math.round(box.top - top), Math.round(box.height)];
  });
  return {text: node.innerText, height: node.offsetHeight, places,
          formulas: node.querySelectorAll('mjx-container').length};
}"""

#: The same of the answer's Markdown as Lab itself renders it, in a node of the same width.
REFERENCE = """async () => {
  const node = (NODE)();
  const {content} = jupyterapp.shell.currentWidget;
  const outputs = content.widgets.flatMap(cell => cell.model.outputs?.toJSON() ?? []);
  const {data} = outputs.find(output => output.data?.['MIME']);
  const markdown = {'text/markdown': [data['text/markdown']].flat().join('')};
  const renderer = content.rendermime.createRenderer('text/markdown');
  renderer.node.className = node.className;
  renderer.node.style.width = `${node.getBoundingClientRect().width}px`;
  renderer.node.style.flex = 'none';
  const host = document.createElement('div');
  document.body.append(host);
  host.className = node.parentNode.className;
  renderer.constructor.attach(renderer, host);
  await renderer.renderModel(content.rendermime.createModel({data: markdown, trusted: true}));
  for (let i = 0; i < 600; i++) {
    if (renderer.node.querySelectorAll('mjx-container').length === COUNT) break;
    await new Promise(done => setTimeout(done, 50));
  }
  const found = (LOOK)(renderer.node);
  renderer.dispose();
  host.remove();
  return found;
}"""
FORMULAS = 2 * 20


def look(notebook: Notebook) -> Any:
    """What the answer shows, once all its formulas are set."""
    notebook.page.wait_for_function(
        f"count => ({NODE})()?.querySelectorAll('mjx-container').length === count",
        arg=FORMULAS,
        timeout=60_000,
    )
    return notebook.page.evaluate(f"() => ({LOOK})(({NODE})())")


def reference(notebook: Notebook) -> Any:
    script = REFERENCE.replace("NODE", NODE).replace("LOOK", LOOK).replace("MIME", MIME)
    return notebook.page.evaluate(script.replace("COUNT", str(FORMULAS)))


def test_a_long_answer_looks_as_lab_has_it_and_keeps_what_is_there(
    opened: Callable[..., Notebook], google: GoogleServer, pages: Any, lab: Lab
) -> None:
    chunks = [TEXT[i : i + 160] for i in range(0, len(TEXT), 160)]
    google.set_script(Answer(chunks=chunks, delay=0.03))
    notebook = opened("%%gemini\nHow do tides work?")
    page = notebook.page
    notebook.start(1)
    page.wait_for_function(
        f"() => ({NODE})()?.innerText.length > 5000", timeout=60_000, polling="raf"
    )
    # What is there in the middle of the answer, but for its end, is the same at the end.
    page.evaluate(f"() => {{ window.__kept = [...({NODE})().children].slice(0, 30) }}")
    notebook.wait_idle(60)
    shown = look(notebook)
    kept = page.evaluate(
        f"() => {{ const now = [...({NODE})().children];"
        "  return window.__kept.every((node, index) => node === now[index]) }"
    )
    assert kept
    assert shown == reference(notebook)
    assert len(shown["places"]) == 20 * 8
    assert "Part 20: the tide" in shown["text"]
    assert notebook.witness.errors == []
    picture(page, "lab-answer")

    saved = notebook.save()["cells"][1]["outputs"][0]["data"]
    assert "".join(saved["text/markdown"]) == (safe := sanitise(TEXT))
    assert sum(saved[MIME]["blocks"]) == len(safe.encode("utf-16-le")) // 2
    again = Notebook(lab, pages(0), notebook.path, kernel=False)
    assert look(again) == shown


#: What neither Lab nor anybody else shows of a notebook that is not trusted.
FORBIDDEN = re.compile(
    r"<(script|iframe|object|embed|base|meta|link|svg)>|on\w+=|\w+=\s*javascript:", re.I
)


def test_pieces_of_a_hostile_notebook_do_no_harm(lab: Lab, chromium: Any) -> None:
    """It is not trusted; each cell has the payloads, and says something else of their pieces."""
    payloads = aimed("http://127.0.0.1:9")
    text = "begin\n\n" + "\n\n".join(payloads[name] for name in PAYLOADS) + "\n\nend\n"
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    cuts: list[Any] = [
        [250] * (length // 250) + [length % 250 or 1], [length], [-1, length + 1], [2**53, 1],
        [1] * length, {"0": length},
    ]  # fmt: skip
    cells = []
    for cut in cuts:
        data = {"text/markdown": text, "text/plain": "plain", MIME: {"blocks": cut}}
        output = nbformat.v4.new_output("display_data", data=data)
        cells.append(nbformat.v4.new_code_cell("x", outputs=[output]))
    path = lab.root / "hostile-pieces.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    notebook = Notebook(lab, lab.open_page(chromium), path, kernel=False)  # not seen again
    for index in range(len(cells)):
        notebook.page.evaluate(
            "async i => { await jupyterapp.shell.currentWidget.content.scrollToItem(i) }", index
        )
        output = notebook.outputs(index)
        for word in ("begin", "end"):
            output.get_by_text(word, exact=True).first.wait_for(timeout=60_000)
        found: list[str] = output.first.evaluate(INSPECT)
        assert len(found) > 20, "the payloads are not there"
        assert [one for one in found if FORBIDDEN.match(one)] == []
    assert notebook.page.evaluate("() => window.__pwned") is None
    assert notebook.witness.dialogs == notebook.witness.pages == []
    notebook.page.close()
