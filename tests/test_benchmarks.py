"""The benchmarks run from end to end; what they measure is for people to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CASES = (
    "load_ext", "first_answer", "per_cell", "first_text", "streaming", "micro", "reserve",
    "utilisation", "export", "lab_open", "lab_stream",
)  # fmt: skip


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.kernel
def test_every_case_measures_all_its_variants(tmp_path: Path) -> None:
    words = ["--no-peers", "--quick", "--rounds", "1", "--json", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text("utf-8")) == document
    assert tuple(case["case"] for case in document["cases"]) == CASES
    for case in document["cases"]:
        if any(note.startswith("not measured: there is no Chromium") for note in case["notes"]):
            assert os.environ.get("CI") != "true", case["notes"]
            continue
        values = [v for metrics in case["samples"].values() for v in metrics.values()]
        assert len(values) >= 4 and all(len(one) == 1 and one[0] >= 0 for one in values), case
    judged = {(t["variant"], t["metric"]) for case in document["cases"] for t in case["targets"]}
    assert ("%load_ext gemini_magic", "cpu") in judged
    assert {("%%gemini (google)", one) for one in ("wall", "latency", "cpu")} <= judged
    assert {("SqliteStore.reserve", "p50"), ("SqliteStore.reserve, 8 at once", "p50")} <= judged
    prompts = document["cases"][CASES.index("utilisation")]["samples"]["gemini_magic"]
    assert (prompts["requests"], prompts["refused"], prompts["failed"]) == ([90], [0], [0])
