"""The small things that every cell or every token pays for, in this process."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, process_time

from IPython.core.inputtransformer2 import TransformerManager

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cases.streaming import markdown
from gemini_magic.cell import GeminiCell
from gemini_magic.notebook.sanitise import Sanitiser, sanitise
from gemini_magic.notebook.transform import transform

_CELL = """\
%%gemini -m gemini-2.5-flash -t 0.3 --top-p 0.9 --system "You are a sailor." --out answer
Explain {{ topic }} to {{ names[0]!r }} in {{ words }} words, as JSON: {"text": "..."}
"""
_LINE = "values = [f(x) % 7 for x in range(10)]  # a comment with 100% of words\n"


def run(options: Options) -> Outcome:
    text = markdown(8_000)
    tokens = [text[i : i + 4] for i in range(0, len(text), 4)]
    lines = [_LINE] * 500
    with_magic = [*lines, "x = %gemini why are {{ topic }} hard?\n"]
    ipython = TransformerManager().transform_cell  # type: ignore[no-untyped-call]

    def streamed() -> None:
        """As a notebook's view does: fed by token, read for each of some 100 drawings."""
        sanitiser = Sanitiser()
        for number, token in enumerate(tokens):
            sanitiser.feed(token)
            if number % 20 == 0:
                _ = sanitiser.markdown

    def sanitised_anew() -> None:
        for number in range(0, len(tokens), 20):
            sanitise("".join(tokens[: number + 1]))

    own = "IPython's transformers, 500 lines"
    whole = "sanitiser, 8 kB anew for each of 100 drawings"
    variants = [
        Variant("parse a cell", _timed(lambda: GeminiCell.parse(_CELL).segments, 50)),
        Variant("transformer, 500 lines without a magic",
                _timed(lambda: transform(lines, "gemini"), 5), baseline=own),
        Variant("transformer, 500 lines and a magic",
                _timed(lambda: transform(with_magic, "gemini"), 1), baseline=own),
        Variant(own, _timed(lambda: ipython("".join(lines)), 1)),
        Variant("sanitiser, 8 kB once", _timed(lambda: sanitise(text), 2)),
        Variant("sanitiser, 8 kB as a stream, 100 drawings",
                _timed(streamed, 1), baseline=whole),
        Variant(whole, _timed(sanitised_anew, 1)),
    ]  # fmt: skip
    return take_turns(
        "micro",
        "single steps, called in this process",
        variants,
        rounds=options.rounds or (5 if options.quick else 15),
        seconds=5 if options.quick else 15,
    )


def _timed(work: Callable[[], object], times: int) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        cpu, began = process_time(), perf_counter()
        for _ in range(times):
            work()
        wall = perf_counter() - began
        return {"wall": wall / times, "cpu": (process_time() - cpu) / times}

    return measure
