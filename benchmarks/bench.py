"""What all cases share: variants that take turns, within a time that is never exceeded by much."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Limiter, Peer
from benchmarks.stats import Comparison, Samples, Target, Verdict


@dataclass(frozen=True)
class Options:
    """How much is measured. ``rounds`` overrides every case's own number; ``scratch`` is empty.

    ``limiters`` are not installed yet.
    """

    scratch: Path
    quick: bool = False
    rounds: int | None = None
    peers: Sequence[Peer] = ()
    limiters: Sequence[Limiter] = ()

    def home(self, name: str) -> Path:
        """An empty home below the scratch folder."""
        folder = self.scratch / name.replace(" ", "-").replace("%", "")
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        return folder


@dataclass(frozen=True)
class Variant:
    """One way of doing it. ``measure(round)`` gives its metrics, in seconds, bytes or counts.

    Differences and ratios are to ``baseline``; ``every`` skips rounds of slow ones.
    """

    name: str
    measure: Callable[[int], Mapping[str, float]]
    baseline: str | None = None
    every: int = 1
    targets: tuple[Target, ...] = ()


@dataclass
class Outcome:
    """What a case measured. ``notes`` tell what could not be."""

    name: str
    title: str
    samples: Samples = field(default_factory=Samples)
    variants: list[Variant] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def comparisons(self) -> list[Comparison]:
        return [
            found
            for variant in self.variants
            for metric in self.samples.values.get(variant.name, {})
            if variant.baseline is not None
            and (found := Comparison.of(self.samples, variant.name, variant.baseline, metric))
        ]

    def verdicts(self) -> list[Verdict]:
        compared = {(one.variant, one.metric): one for one in self.comparisons()}
        verdicts = []
        for variant in self.variants:
            for target in variant.targets:
                if target.how == "value":
                    measured = self.samples.spread(variant.name, target.metric).median
                else:
                    measured = getattr(compared[variant.name, target.metric], target.how)
                verdicts.append(Verdict(target, variant.name, measured))
        return verdicts


def take_turns(
    name: str,
    title: str,
    variants: Sequence[Variant],
    *,
    rounds: int,
    seconds: float,
    warm_up: bool = True,
) -> Outcome:
    """Measure every variant once a round, in an order that rotates, until rounds or time are over.

    A first round for byte code, caches and connections is thrown away.
    """
    outcome = Outcome(name, title, variants=list(variants))
    began = time.monotonic()
    if warm_up:
        _say(f"{name}: warming up")
        for variant in variants:
            variant.measure(-1)
    measured_from = time.monotonic()
    for round_ in range(rounds):
        spent = time.monotonic() - measured_from
        if round_ and spent + spent / round_ > seconds:
            break
        shift = round_ % len(variants)
        _say(f"{name}: round {round_ + 1} of {rounds} ({spent:.0f} of at most {seconds:.0f} s)")
        for variant in (*variants[shift:], *variants[:shift]):
            if round_ % variant.every == 0:
                outcome.samples.add(round_, variant.name, **variant.measure(round_))
        outcome.rounds += 1
    outcome.seconds = time.monotonic() - began
    _say("")
    return outcome


def _say(text: str) -> None:
    """Progress: one line that is written over where somebody looks at it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
