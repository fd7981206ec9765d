"""Samples of many variants, and what they say: spread, differences and ratios in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Where a list of numbers lies."""

    n: int
    median: float
    least: float
    iqr: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(len(values), values[0], values[0], 0.0)
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(len(values), median(values), min(values), high - low)


@dataclass
class Samples:
    """What was measured: by variant and metric, one value a round."""

    values: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)

    def add(self, round_: int, variant: str, **metrics: float) -> None:
        of_variant = self.values.setdefault(variant, {})
        for metric, value in metrics.items():
            of_variant.setdefault(metric, {})[round_] = value

    def spread(self, variant: str, metric: str) -> Spread:
        return Spread.of(list(self.values[variant][metric].values()))

    def pairs(self, variant: str, baseline: str, metric: str) -> list[tuple[float, float]]:
        """(variant, baseline) of each round in which both were measured."""
        ours = self.values.get(variant, {}).get(metric, {})
        theirs = self.values.get(baseline, {}).get(metric, {})
        return [(ours[round_], theirs[round_]) for round_ in ours if round_ in theirs]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for variant, metrics in self.values.items():
            for metric in metrics:
                yield variant, metric


@dataclass(frozen=True)
class Target:
    """What a variant must reach: at most ``most``, over or as a multiple of its baseline.

    ``how`` is "difference" (in the metric's unit), "ratio", or "value" (no baseline). With
    ``at_least`` it is a peer's: not less than ``most``.
    """

    metric: str
    how: str
    most: float
    at_least: bool = False


@dataclass(frozen=True)
class Comparison:
    """A variant beside its baseline: medians over the rounds' pairs, and the least of each."""

    variant: str
    baseline: str
    metric: str
    difference: float
    difference_of_least: float
    ratio: float

    @classmethod
    def of(cls, samples: Samples, variant: str, baseline: str, metric: str) -> Comparison | None:
        pairs = samples.pairs(variant, baseline, metric)
        if not pairs:
            return None
        least = [min(side) for side in zip(*pairs, strict=True)]
        return cls(
            variant,
            baseline,
            metric,
            difference=median(ours - theirs for ours, theirs in pairs),
            difference_of_least=least[0] - least[1],
            ratio=median(ours / theirs if theirs else float("nan") for ours, theirs in pairs),
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a target was reached, by the median of the rounds' pairs."""

    target: Target
    variant: str
    measured: float

    @property
    def reached(self) -> bool:
        if self.target.at_least:
            return self.measured >= self.target.most
        return self.measured <= self.target.most

    def to_json(self) -> dict[str, Any]:
        return {
            "variant": self.variant,
            "metric": self.target.metric,
            "how": self.target.how,
            "at_least" if self.target.at_least else "most": self.target.most,
            "measured": self.measured,
            "reached": self.reached,
        }
