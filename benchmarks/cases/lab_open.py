"""What the Lab extension costs when a notebook is opened: 300 cells, a third of them prompts.

Lab draws the cells that are in sight, and makes all others one by one whenever the page is idle.
``wall`` and ``cpu``, which is the page's main thread, end with the cells in sight; ``total`` is the
main thread's processor time up to the last cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tests.browser.lab import Lab

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.browsers import WITH, WITHOUT, Tab, calm, tabs
from benchmarks.cases.streaming import markdown
from benchmarks.stats import Target

CELLS = 300
_TARGETS = tuple(Target(metric, "ratio", 1.05) for metric in ("wall", "cpu", "total"))

# Milliseconds until the cells that are in sight have been drawn, with their outputs.
_OPEN = """async ([path, cells]) => {
  const began = performance.now();
  const kernelPreference = {shouldStart: false, canStart: false, autoStartDefault: false};
  const panel = await jupyterapp.commands.execute('docmanager:open', {path, kernelPreference});
  await panel.context.ready;
  await panel.revealed;
  const done = cell => cell.querySelector('.cm-content') !== null &&
    [...cell.querySelectorAll('.jp-RenderedMarkdown')].every(one => one.firstElementChild);
  const drawn = () => {
    const {bottom} = panel.node.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
    const made = [...panel.node.querySelectorAll('.jp-Notebook .jp-Cell')];
    const seen = made.findIndex(cell => cell.getBoundingClientRect().bottom > bottom);
    return seen >= 0 && made.slice(0, seen + 1).every(done);
  };
  while (panel.content.widgets.length < cells || !drawn()) {
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""

# Until Lab has made all cells, seen or not.
_ALL = """async cells => {
  const {node} = jupyterapp.shell.currentWidget;
  while (node.querySelectorAll('.jp-Notebook .cm-content').length < cells) {
    await new Promise(done => setTimeout(done, 100));
  }
  await new Promise(requestIdleCallback);
}"""

_PROMPT = """\
%%gemini -m gemini-2.5-flash --temperature 0.{n} --system "Be brief" --out tide_{n}
Explain in *two* lines why {{{{ harbours[{n}].name }}}} has such tides, as in:

```python
def height(t: float, waves: list[Wave]) -> float:
    return sum(w.size * cos(w.speed * t + w.phase) for w in waves)
```

- mind the **time zone** of {{{{ zone }}}}"""
_CODE = "import math\nfor day in range({n}):\n    print(f'{{day}}: {{math.sin(day):.2f}}')\n"


def run(options: Options) -> Outcome:
    title = f"a notebook of {CELLS} cells: until those in sight are drawn; the page's work for all"
    try:
        with tabs(options, "open") as opened:
            for tab in opened.values():
                _write(tab.lab)
            variants = [
                Variant(WITHOUT, _open(opened, WITHOUT)),
                Variant(WITH, _open(opened, WITH), baseline=WITHOUT, targets=_TARGETS),
            ]
            return take_turns(
                "lab_open", title, variants,
                rounds=options.rounds or (2 if options.quick else 20),
                seconds=30 if options.quick else 500,
                warm_up=not options.quick,
            )  # fmt: skip
    except (OSError, ImportError) as error:
        return Outcome("lab_open", title, notes=[f"not measured: {error}"])


def _write(lab: Lab) -> None:
    cells = []
    for n in range(CELLS // 3):
        answer = new_output("display_data", {"text/markdown": markdown(600)})
        cells += [
            new_markdown_cell(f"## Part {n}\n\nSome *words* about it."),
            new_code_cell(_PROMPT.format(n=n), outputs=[answer]),
            new_code_cell(_CODE.format(n=n)),
        ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, lab.root / "long.ipynb")


def _open(opened: Mapping[str, Tab], variant: str) -> Callable[[int], dict[str, float]]:
    tab = opened[variant]

    def measure(round_: int) -> dict[str, float]:
        calm(opened)
        tab.page.bring_to_front()
        before = tab.cpu()
        wall = tab.page.evaluate(_OPEN, ["long.ipynb", CELLS])
        cpu = tab.cpu() - before
        tab.page.evaluate(_ALL, CELLS)
        total = tab.cpu() - before
        tab.close_all()
        return {"wall": wall / 1000, "cpu": cpu, "total": total}

    return measure
