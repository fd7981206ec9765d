"""What a reservation costs, beside a bare transaction of one row and beside other limiters."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.machine import ROOT, environment
from benchmarks.servers import redis
from benchmarks.stats import Target

_SCRIPT = ROOT / "benchmarks" / "limiters.py"
#: Processes at once, and the most that a reservation may take of a bare transaction.
_MOST = {1: 3.0, 8: 2.0}
_HISTORY = 1.5


def run(options: Options) -> Outcome:
    folder = options.home("reserve")
    notes: list[str] = []
    with redis(folder) as url:
        if url is None:
            notes.append("without Redis, and what needs it: there is no redis-server")

        def measure(
            python: str, way: str, processes: int, place: str = "sqlite", *more: str
        ) -> Callable[[int], dict[str, float]]:
            numbers = itertools.count()

            def once(round_: int) -> dict[str, float]:
                file = folder / f"{_name(python)}-{way}-{processes}{''.join(more)}-{next(numbers)}"
                where = url if place == "redis" and url else f"{file}.db"
                return _timed(folder, python, way, where, processes, *more)

            return once

        runnable = []
        for peer in options.limiters:
            if peer.place == "redis" and url is None:
                continue
            why = peer.install()
            if not why:
                try:
                    measure(peer.python, peer.way, 1, peer.place)(-1)
                except RuntimeError as error:
                    why = str(error)
            if why:
                notes.append(f"without {peer.name} ({', '.join(peer.requirements)}): {why}")
            else:
                runnable.append(peer)

        variants = []
        for processes, most in _MOST.items():
            together = f", {processes} at once" if processes > 1 else ""
            bare, ours = f"bare transaction{together}", f"SqliteStore.reserve{together}"
            python = sys.executable
            variants += [
                Variant(bare, measure(python, "bare", processes)),
                Variant(
                    ours,
                    measure(python, "reserve", processes),
                    baseline=bare,
                    targets=(Target("p50", "ratio", most),),
                ),
                Variant(
                    f"same after a year of use{together}",
                    measure(python, "reserve", processes, "sqlite", "year"),
                    baseline=ours,
                    targets=(Target("p50", "ratio", _HISTORY),),
                ),
                Variant(
                    f"Ledger.admit{together}", measure(python, "admit", processes), baseline=bare
                ),
            ]
            if processes > 1:
                variants.append(
                    Variant(
                        f"bare transaction in a queue{together}",
                        measure(python, "bare_queue", processes),
                        baseline=bare,
                    )
                )
            if url is not None:
                variants.append(
                    Variant(
                        f"RedisStore.reserve{together}",
                        measure(python, "reserve_redis", processes, "redis"),
                        baseline=ours,
                    )
                )
            for peer in runnable:
                variants.append(
                    Variant(
                        f"{peer.name}{together}",
                        measure(peer.python, peer.way, processes, peer.place),
                        baseline=ours,
                        every=2,
                        targets=(Target("p50", "ratio", 1.0, at_least=True),) * peer.rival,
                    )
                )
        outcome = take_turns(
            "reserve",
            "one admitted reservation among 1,000 (or 1 s) without a pause, in each process",
            variants,
            rounds=options.rounds or (3 if options.quick else 9),
            seconds=20 if options.quick else 300,
            warm_up=False,
        )
    outcome.notes += notes
    return outcome


def _name(python: str) -> str:
    return Path(python).parent.parent.name


def _timed(
    home: Path, python: str, way: str, where: str, processes: int, *more: str
) -> dict[str, float]:
    """One run in a process of its own. Raises ``RuntimeError`` where nothing is admitted."""
    done = subprocess.run(
        [python, "-P", str(_SCRIPT), way, where, str(processes), *more],
        env=environment(home), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise RuntimeError(lines[-1])
    found: dict[str, float] = json.loads(done.stdout)
    return found
