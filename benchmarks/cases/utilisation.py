"""How much of a minute's quota is used: many prompts at once, against a server that enforces it."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cells import MODEL, configure
from benchmarks.machine import ROOT, environment
from benchmarks.servers import SHORT, Wire, serve
from benchmarks.stats import Target

_RPM = 60
#: Seconds that a request takes to the server, and its answer to us, at least and at most.
_NETWORK = (0.02, 0.2)
#: The user's limit, and patience for the whole batch.
_LIMITS = f"""
project = "bench"
[limits.bench."{MODEL}"]
rpm = {_RPM}
"""
_PATIENCE = {"GEMINI_MAGIC_MAX_WAIT": "900"}


def run(options: Options) -> Outcome:
    prompts = 90 if options.quick else 300
    optimum = 60.0 * ((prompts - 1) // _RPM)  # the first minute's are admitted at once
    targets = (
        Target("ratio", "value", 1.05),
        Target("refused", "value", 0),
        Target("failed", "value", 0),
    )

    @functools.cache
    def race(round_: int) -> Mapping[str, Mapping[str, float]]:
        """Both at the same time, each with a server of its own."""
        with ExitStack() as stack:
            wires: dict[str, Wire] = {}
            running: dict[str, subprocess.Popen[str]] = {}
            for way in ("ours", "tenacity"):
                wire = stack.enter_context(serve("google", SHORT, rpm=_RPM, network=_NETWORK))
                home = options.home(f"utilisation-{way}-{round_}")
                environ = environment(home, **configure(home, wire), **_PATIENCE)
                with (home / "config" / "gemini_magic.toml").open("a", encoding="utf-8") as file:
                    file.write(_LIMITS)
                words = ["-m", "benchmarks.prompts", way, wire.url, wire.key, str(prompts)]
                wires[way] = wire
                running[way] = subprocess.Popen(
                    [sys.executable, *words], cwd=ROOT, env=environ,
                    stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
            told = {way: process.communicate()[0] for way, process in running.items()}
        measured = {}
        for way, text in told.items():
            took = json.loads(text)
            measured[way] = {
                "total": took["seconds"],
                "ratio": took["seconds"] / optimum,
                "requests": wires[way].counts["generate"],
                "refused": wires[way].counts["refused"],
                "failed": took["failed"],
            }
        return measured

    def of(way: str) -> Callable[[int], Mapping[str, float]]:
        return lambda round_: race(round_)[way]

    return take_turns(
        "utilisation",
        f"{prompts} prompts at once, {_RPM} requests a minute, {_NETWORK[0] * 1000:g} to"
        f" {_NETWORK[1] * 1000:g} ms each way; total, and as a multiple of the optimum"
        f" ({optimum:g} s); requests and refusals (429) as the server counted them",
        [
            Variant("gemini_magic", of("ours"), targets=targets),
            Variant("raw google-genai in a tenacity loop", of("tenacity")),
        ],
        rounds=options.rounds or 1,
        seconds=600,
        warm_up=False,
    )
