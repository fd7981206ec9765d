"""From a fresh kernel to the first answer of a backend that answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cells import KINDS, LOAD, SDKS, configure, ours, sdk, shown
from benchmarks.kernels import TimedKernel
from benchmarks.machine import environment
from benchmarks.servers import SHORT, serve
from benchmarks.stats import Target

_TARGETS = (Target("wall", "ratio", 1.1), Target("cpu", "ratio", 1.1))


def run(options: Options) -> Outcome:
    with ExitStack() as stack:
        wires = {kind: stack.enter_context(serve(kind, SHORT)) for kind in KINDS}
        variants = []
        for kind, wire in wires.items():
            home = options.home(f"first-{kind}")
            environ = environment(home, **configure(home, wire))
            warm = {**environ, "GEMINI_MAGIC_WARM_UP": "1"}
            raw = f"raw {SDKS[kind]}"
            cells = (LOAD, ours("How do tides work?"))
            variants += [
                Variant(raw, _fresh(sys.executable, environ, sdk(wire) + shown("Tides?"))),
                Variant(
                    f"gemini_magic ({kind})",
                    _fresh(sys.executable, warm, *cells),
                    baseline=raw,
                    targets=_TARGETS,
                ),
                Variant(
                    f"same, warm-up off ({kind})",
                    _fresh(sys.executable, environ, *cells),
                    baseline=raw,
                ),
            ]
        for peer in options.peers:
            environ = environment(options.home("first-peer"), **peer.environment(wires["openai"]))
            cells = (f"%load_ext {peer.extension}", peer.ask("How do tides work?"))
            variants.append(
                Variant(
                    peer.name,
                    _fresh(peer.python, environ, *cells),
                    baseline=f"raw {SDKS['openai']}",
                    every=peer.every,
                )
            )
        return take_turns(
            "first_answer",
            "a fresh kernel: load or import, then one answer from an instant backend",
            variants,
            rounds=options.rounds or (2 if options.quick else 11),
            seconds=25 if options.quick else 120,
            warm_up=not options.quick,
        )


def _fresh(python: str, environ: dict[str, str], *cells: str) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        with TimedKernel(python, environ) as kernel:
            took = kernel.timed(*cells)
            return {"wall": took.wall, "cpu": took.cpu}

    return measure
