"""What the Lab extension costs when a notebook is opened: 300 cells, a third of them prompts."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tests.browser.lab import Lab

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.browsers import WITH, WITHOUT, Tab, measured, tabs
from benchmarks.cases.streaming import markdown
from benchmarks.stats import Target

CELLS = 300
#: Seconds after the cells are there, in which Lab goes on drawing.
_SETTLE = 2.0
_TARGETS = (Target("wall", "ratio", 1.05), Target("busy", "ratio", 1.05))

# Milliseconds until the cells that are in sight have been drawn.
_OPEN = """async ([path, cells]) => {
  const began = performance.now();
  const kernelPreference = {shouldStart: false, canStart: false, autoStartDefault: false};
  const panel = await jupyterapp.commands.execute('docmanager:open', {path, kernelPreference});
  await panel.context.ready;
  await panel.revealed;
  const drawn = () => panel.content.widgets.length === cells &&
    panel.node.querySelectorAll('.jp-Notebook .cm-content').length > 5;
  while (!drawn()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
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
    title = f"a notebook of {CELLS} cells, until those in sight are drawn; the page's work for it"
    try:
        with tabs(options, "open") as (lab, opened):
            _write(lab)
            variants = [
                Variant(WITHOUT, _open(opened[WITHOUT])),
                Variant(WITH, _open(opened[WITH]), baseline=WITHOUT, targets=_TARGETS),
            ]
            return take_turns(
                "lab_open", title, variants,
                rounds=options.rounds or (4 if options.quick else 20),
                seconds=40 if options.quick else 300,
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


def _open(tab: Tab) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        wall, busy = measured(tab, _OPEN, ["long.ipynb", CELLS], _SETTLE)
        tab.close_all()
        return {"wall": wall / 1000, "busy": busy}

    return measure
