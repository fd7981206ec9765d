"""How long the first words of a slow stream take from the server to the front end."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cells import KINDS, LOAD, SDKS, configure, naive, ours, sdk
from benchmarks.kernels import TimedKernel
from benchmarks.machine import environment
from benchmarks.servers import SHORT, serve
from benchmarks.stats import Target

#: ``time.monotonic_ns()`` of the server when it sent the chunk: one clock for the whole machine.
_STAMP = re.compile(r"\d{12,}")
#: Seconds after a request at which the server sends the first chunk.
_FIRST = 0.2
_TARGETS = (Target("latency", "value", 0.050),)


def run(options: Options) -> Outcome:
    with ExitStack() as stack:
        slow = {"chunks": 10, "delay": 0.1, "first_delay": _FIRST, "stamp": True}
        wires = {kind: stack.enter_context(serve(kind, SHORT, **slow)) for kind in KINDS}

        def kernel(python: str, environ: dict[str, str], setup: str) -> TimedKernel:
            started = stack.enter_context(TimedKernel(python, environ))
            started.timed(setup)
            return started

        variants = []
        for kind, wire in wires.items():
            home = options.home(f"text-{kind}")
            environ = environment(home, **configure(home, wire))
            raw = f"raw {SDKS[kind]}, drawn per token"
            raw_kernel = kernel(sys.executable, environ, sdk(wire))
            our_kernel = kernel(sys.executable, environ, LOAD)
            variants += [
                Variant(raw, _latency(raw_kernel, naive)),
                Variant(
                    f"%%gemini ({kind})", _latency(our_kernel, ours), baseline=raw, targets=_TARGETS
                ),
            ]
        for peer in options.peers:
            environ = environment(options.home("text-peer"), **peer.environment(wires["openai"]))
            peer_kernel = kernel(peer.python, environ, f"%load_ext {peer.extension}")
            variants.append(
                Variant(
                    f"%%ai of {peer.name} (at its end)",
                    _latency(peer_kernel, peer.ask),
                    baseline=f"raw {SDKS['openai']}, drawn per token",
                    every=peer.every,
                )
            )
        return take_turns(
            "first_text",
            "from the server's first chunk to the first text at the front end (stream of 1 s)",
            variants,
            rounds=options.rounds or (2 if options.quick else 11),
            seconds=15 if options.quick else 60,
        )


def _latency(
    kernel: TimedKernel, source: Callable[[str], str]
) -> Callable[[int], dict[str, float]]:
    """From the stamp in the text; of a magic that does not stream, from when it could have been."""

    def measure(round_: int) -> dict[str, float]:
        took = kernel.timed(source(f"How do tides work, in {round_ + 10} words?"))
        for at, message in took.drawn:
            text = json.dumps(message["content"].get("data", {}))
            if stamp := _STAMP.search(text):
                return {"latency": at - int(stamp[0]) / 1e9}
            if "tides" in text:  # asked for in one piece: no chunks, and no stamps
                return {"latency": at - took.sent - _FIRST}
        raise RuntimeError(f"no text was drawn: {took.done.outputs}")

    return measure
