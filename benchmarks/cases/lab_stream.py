"""Whether a page stays responsive while a long answer comes: 200 tokens a second, up to 16 kB."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.browser.lab import KEY, Notebook

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.browsers import WITH, WITHOUT, Tab, calm, tabs
from benchmarks.cases.streaming import markdown
from benchmarks.cells import LOAD, ours
from benchmarks.servers import serve
from benchmarks.stats import Target

#: Tokens a second, and characters of a token.
RATE, TOKEN = 200, 4
_TARGETS = (Target("longest", "value", 0.1),)

# The longest task of the page while the cell runs, in milliseconds; 0 if none took over 50.
_RUN = """async index => {
  const tasks = [];
  const observer = new PerformanceObserver(list => tasks.push(...list.getEntries()));
  observer.observe({type: 'longtask'});
  const {content, sessionContext} = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  await jupyterapp.commands.execute('notebook:run-cell');
  await new Promise(done => setTimeout(done, 500));
  tasks.push(...observer.takeRecords());
  observer.disconnect();
  const shown = content.widgets[index].node.querySelector('.jp-OutputArea').innerText.length;
  return [Math.max(0, ...tasks.map(task => task.duration)), shown];
}"""


def run(options: Options) -> Outcome:
    length = 4_000 if options.quick else 16_000
    text, chunks = markdown(length), length // TOKEN
    title = f"{length:,} characters of Markdown in {chunks / RATE:g} s: the page's longest task"
    pace: dict[str, str | float] = {"chunks": chunks, "delay": 1 / RATE, "key": KEY}
    try:
        with serve("google", text, **pace) as wire, tabs(options, "stream") as opened:
            for tab in opened.values():
                tab.lab.configure(wire.url, 'tier = "tier3"')
            variants = [
                Variant(WITHOUT, _stream(opened, WITHOUT, length)),
                Variant(WITH, _stream(opened, WITH, length), baseline=WITHOUT, targets=_TARGETS),
            ]
            return take_turns(
                "lab_stream", title, variants,
                rounds=options.rounds or (1 if options.quick else 4),
                seconds=60 if options.quick else 300,
                warm_up=not options.quick,
            )  # fmt: skip
    except (OSError, ImportError) as error:
        return Outcome("lab_stream", title, notes=[f"not measured: {error}"])


def _stream(
    opened: Mapping[str, Tab], variant: str, length: int
) -> Callable[[int], dict[str, float]]:
    tab = opened[variant]
    lab = tab.lab

    def measure(round_: int) -> dict[str, float]:
        path = lab.write(f"stream-{round_}", LOAD, ours(f"How do tides work? ({round_})"))
        notebook = Notebook(lab, tab.page, path)
        notebook.run(0)
        calm(opened)
        tab.page.bring_to_front()
        before = tab.busy()
        longest, shown = tab.page.evaluate(_RUN, 1)
        busy = tab.busy() - before
        assert shown > length / 2, f"only {shown} characters came"
        tab.close_all()
        lab.close_kernels()
        return {"longest": longest / 1000, "busy": busy}

    return measure
