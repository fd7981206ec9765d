"""What it costs a kernel to show a long answer while it comes: 2,000 tokens in 10 seconds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cells import KINDS, LOAD, SDKS, collected, configure, naive, ours, sdk
from benchmarks.kernels import TimedKernel
from benchmarks.machine import environment
from benchmarks.servers import serve
from benchmarks.stats import Target

#: What models write all day: headings, emphasis, lists, tables, code, mathematics, links.
_SECTION = """\
## Part {n}: the tide at a harbour

The *height* of the water is a **sum of waves**, each with a period of its own; `M2`, the moon's,
is the largest. Written out, $h(t) = \\sum_i A_i \\cos(\\omega_i t + \\phi_i)$, as in
[the handbook](https://example.org/tides/{n}).

1. Take the constants of the harbour from a table.
2. Evaluate each wave at the time `t`, in hours.
   - mind the time zone,
   - mind leap years.

| wave | period (h) | cause |
|------|-----------:|-------|
| M2   | 12.42      | moon  |
| S2   | 12.00      | sun   |

```python
def height(t: float, waves: list[Wave]) -> float:
    \"\"\"The height of the water at t, in metres; 0 <= t < 24.\"\"\"
    return sum(w.size * cos(w.speed * t + w.phase) for w in waves)
```

"""
_TARGETS = (Target("cpu", "difference", 0.3),)


def markdown(length: int) -> str:
    """So many characters of a model's Markdown."""
    sections = "".join(_SECTION.format(n=n) for n in range(1, 2 + length // len(_SECTION)))
    return sections[:length]


def run(options: Options) -> Outcome:
    tokens, duration = (400, 2.0) if options.quick else (2_000, 10.0)
    text = markdown(4 * tokens)
    with ExitStack() as stack:
        pace = {"chunks": tokens, "delay": duration / tokens}
        wires = {kind: stack.enter_context(serve(kind, text, **pace)) for kind in KINDS}

        def kernel(python: str, environ: dict[str, str], setup: str, warm: str) -> TimedKernel:
            started = stack.enter_context(TimedKernel(python, environ))
            started.timed(setup)
            started.timed(warm)
            return started

        variants = []
        for kind, wire in wires.items():
            home = options.home(f"stream-{kind}")
            environ = environment(home, **configure(home, wire))
            with serve(kind, "Warm.") as short:
                # Same process, another server: what is loaded with the first answer is loaded.
                raw_kernel = kernel(sys.executable, environ, sdk(short), collected("warm"))
                raw_kernel.timed(sdk(wire))
                configure(home, short)
                our_kernel = kernel(sys.executable, environ, LOAD, ours("warm"))
                configure(home, wire)
            raw = f"raw {SDKS[kind]}, only collected"
            variants += [
                Variant(raw, _stream(raw_kernel, collected)),
                Variant(
                    f"%%gemini ({kind})", _stream(our_kernel, ours), baseline=raw, targets=_TARGETS
                ),
                Variant(
                    f"raw {SDKS[kind]}, drawn per token",
                    _stream(raw_kernel, naive),
                    baseline=raw,
                    every=2,
                ),
            ]
        for peer in options.peers[:1]:
            environ = environment(options.home("stream-peer"), **peer.environment(wires["openai"]))
            load = f"%load_ext {peer.extension}"
            variants.append(
                Variant(
                    f"%%ai of {peer.name} (at its end)",
                    _stream(kernel(peer.python, environ, load, "pass"), peer.ask),
                    baseline=f"raw {SDKS['openai']}, only collected",
                    every=3,
                )
            )
        return take_turns(
            "streaming",
            f"CPU of the kernel while {tokens:,} tokens ({len(text):,} characters) come in"
            f" {duration:g} s; messages that draw, and their content as JSON",
            variants,
            rounds=options.rounds or (1 if options.quick else 4),
            seconds=20 if options.quick else 180,
            warm_up=False,
        )


def _stream(kernel: TimedKernel, source: Callable[[str], str]) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        took = kernel.timed(source(f"How do tides work, in {round_ + 10} words?"))
        drawn = [json.dumps(message["content"]) for _, message in took.drawn]
        return {"cpu": took.cpu, "messages": len(drawn), "bytes": sum(map(len, drawn))}

    return measure
