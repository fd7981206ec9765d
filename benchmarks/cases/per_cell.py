"""What a cell costs once all is loaded, with a backend that answers at once."""

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

_TARGETS = (Target("wall", "difference", 0.005),)


def run(options: Options) -> Outcome:
    with ExitStack() as stack:
        wires = {kind: stack.enter_context(serve(kind, SHORT)) for kind in KINDS}

        def kernel(python: str, environ: dict[str, str], setup: str) -> TimedKernel:
            started = stack.enter_context(TimedKernel(python, environ))
            started.timed(setup)
            return started

        variants = []
        for kind, wire in wires.items():
            home = options.home(f"cell-{kind}")
            environ = environment(home, **configure(home, wire))
            raw = f"raw {SDKS[kind]}"
            raw_kernel = kernel(sys.executable, environ, sdk(wire))
            our_kernel = kernel(sys.executable, environ, LOAD)
            variants += [
                Variant(raw, _cell(raw_kernel, shown)),
                Variant(
                    f"%%gemini ({kind})", _cell(our_kernel, ours), baseline=raw, targets=_TARGETS
                ),
            ]
        variants.append(Variant("an empty cell", _cell(our_kernel, lambda prompt: "pass")))
        for peer in options.peers:
            environ = environment(options.home("cell-peer"), **peer.environment(wires["openai"]))
            peer_kernel = kernel(peer.python, environ, f"%load_ext {peer.extension}")
            variants.append(
                Variant(
                    f"%%ai of {peer.name}",
                    _cell(peer_kernel, peer.ask),
                    baseline=f"raw {SDKS['openai']}",
                )
            )
        return take_turns(
            "per_cell",
            "one more cell in a kernel where all is loaded; an answer of 10 chunks at once",
            variants,
            rounds=options.rounds or (8 if options.quick else 30),
            seconds=10 if options.quick else 60,
        )


def _cell(kernel: TimedKernel, source: Callable[[str], str]) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        took = kernel.timed(source(f"How do tides work, in {round_ + 10} words?"))
        return {"wall": took.wall, "cpu": took.cpu}

    return measure
