"""The tables for people and the JSON for later."""

from __future__ import annotations

from math import isfinite
from typing import Any

from benchmarks.bench import Outcome
from benchmarks.stats import Comparison, Verdict

#: How a metric is shown: its unit, what it is multiplied with, digits after the point.
_UNITS = {
    "wall": ("ms", 1e3, 1),
    "cpu": ("ms", 1e3, 1),
    "latency": ("ms", 1e3, 1),
    "busy": ("ms", 1e3, 0),
    "longest": ("ms", 1e3, 0),
    "rss": ("MB", 1e-6, 1),
    "bytes": ("kB", 1e-3, 0),
    "messages": ("", 1, 0),
    "p50": ("µs", 1e6, 1),
    "p99": ("µs", 1e6, 0),
    "max": ("ms", 1e3, 1),
    "rate": ("/s", 1, 0),
    "total": ("s", 1, 1),
    "ratio": ("×", 1, 3),
    "requests": ("", 1, 0),
    "refused": ("", 1, 0),
    "failed": ("", 1, 0),
}
_HEAD = ("", "", "n", "median", "min", "IQR", "over baseline", "(min-min)", "ratio", "target")


def table(outcome: Outcome) -> str:
    """One case: every variant's metrics, beside its baseline, and whether targets are reached."""
    compared = {(one.variant, one.metric): one for one in outcome.comparisons()}
    judged = {(one.variant, one.target.metric): one for one in outcome.verdicts()}
    rows: list[tuple[str, ...]] = [_HEAD]
    fine = 3 if outcome.name == "micro" else 1
    for variant, metric in outcome.samples:
        spread = outcome.samples.spread(variant, metric)
        unit, scale, digits = _UNITS[metric]
        if digits == 1:
            digits = fine
        numbers = [f"{value * scale:,.{digits}f}" for value in (spread.median, spread.least)]
        first = metric == next(iter(outcome.samples.values[variant]))
        rows.append(
            (
                variant if first else "",
                f"{metric} {unit}".strip(),
                str(spread.n),
                *numbers,
                f"{spread.iqr * scale:,.{digits}f}",
                *_beside(compared.get((variant, metric)), scale, digits),
                _judged(judged.get((variant, metric)), unit, scale),
            )
        )
    ends = f"{outcome.rounds} rounds in turns, {outcome.seconds:.0f} s"
    notes = "".join(f"\n{note}" for note in outcome.notes)
    return f"\n{outcome.name}: {outcome.title} ({ends})\n{_aligned(rows)}{notes}"


def _beside(compared: Comparison | None, scale: float, digits: int) -> tuple[str, str, str]:
    if compared is None:
        return "", "", ""
    return (
        f"{compared.difference * scale:+,.{digits}f}",
        f"{compared.difference_of_least * scale:+,.{digits}f}",
        f"{compared.ratio:.2f}×" if isfinite(compared.ratio) else "",
    )


def _judged(verdict: Verdict | None, unit: str, scale: float) -> str:
    if verdict is None:
        return ""
    most, sign = verdict.target.most, "≥" if verdict.target.at_least else "≤"
    what = {
        "ratio": f"{sign} {most:g}×",
        "difference": f"{sign} +{most * scale:g} {unit}",
        "value": f"{sign} {most * scale:g} {unit}",
    }[verdict.target.how]
    return f"{what} {'reached' if verdict.reached else 'MISSED'}"


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = (0, 1, len(widths) - 1)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def document(outcome: Outcome) -> dict[str, Any]:
    """One case as JSON values; times are in seconds, memory and messages in bytes."""
    return {
        "case": outcome.name,
        "title": outcome.title,
        "rounds": outcome.rounds,
        "seconds": outcome.seconds,
        "samples": {
            variant: {metric: list(values.values()) for metric, values in metrics.items()}
            for variant, metrics in outcome.samples.values.items()
        },
        "comparisons": [vars(one) for one in outcome.comparisons()],
        "targets": [one.to_json() for one in outcome.verdicts()],
        "notes": outcome.notes,
    }
