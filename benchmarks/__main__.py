"""Runs the cases: ``python -m benchmarks [--only NAME] [--quick] [--no-peers] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine, report
from benchmarks.bench import Options
from benchmarks.cases import CASES
from benchmarks.peers import LIMITERS, PEERS

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(CASES), metavar="NAME",
        help=f"run this case (may be repeated): {', '.join(CASES)}",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="under two minutes, rough, fewer peers"
    )
    parser.add_argument(
        "--no-peers", action="store_true", help="do not install or run other magics"
    )
    parser.add_argument("--rounds", type=int, help="rounds of every case, instead of its own")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON file")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    wanted = () if args.no_peers else PEERS[:1] if args.quick else PEERS
    peers = [peer for peer in wanted if not peer.install()]
    document = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "quick": args.quick,
        "machine": machine.describe(),
        "load_before": machine.load(),
        "peers": {peer.name: peer.requirements for peer in peers},
    }
    cases = []
    if not args.json:
        print(_introduction(document))
    with tempfile.TemporaryDirectory(prefix="gemini-bench-") as scratch:
        options = Options(
            Path(scratch),
            quick=args.quick,
            rounds=args.rounds,
            peers=peers,
            limiters=() if args.no_peers else LIMITERS[:1] if args.quick else LIMITERS,
        )
        for name in args.only or CASES:
            outcome = CASES[name](options)
            cases.append(report.document(outcome))
            if not args.json:
                print(report.table(outcome), flush=True)
    document |= {"load_after": machine.load(), "cases": cases}
    args.results.mkdir(parents=True, exist_ok=True)
    file = args.results / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(document, indent=1), "utf-8")
    if args.json:
        print(file.read_text("utf-8"))
        return
    print(
        f"\nload of the machine: before {document['load_before']}, after {document['load_after']}"
    )
    print(f"written: {file}", file=sys.stderr)


def _introduction(document: dict[str, object]) -> str:
    found = machine.describe()
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"{found['platform']}, {found['cpus']} × {found['processor']}, Python {found['python']}\n"
        f"{packages}\nload of the machine: {document['load_before']}\n"
        "over baseline: the median of the differences to the baseline of the same round;"
        " (min-min): between the least of both. Targets are judged by the medians."
    )


if __name__ == "__main__":
    main()
