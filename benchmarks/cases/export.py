"""What an export takes beside nbconvert's: whole processes, and how it grows with the cells."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.machine import environment
from benchmarks.stats import Target

_CELLS = 1_000
#: The sizes whose time per cell is to be the same; the first is the baseline.
_SIZES = (500, 1_000, 2_000, 4_000)
#: How much more a cell of a large notebook may take than one of a small one.
_GROWTH = 1.15
_OUTPUTS, _OUTPUT_BYTES = 50, 750_000  # a million letters of base64 each
_NOT_SLOWER = (Target("wall", "ratio", 1.0), Target("cpu", "ratio", 1.0))
#: Prints the seconds of processor time that an export takes once all is imported.
_GROW = """
import sys, time
from pathlib import Path
from gemini_magic.convert.notebook_file import read_file
from gemini_magic.convert.targets import export
from gemini_magic.notebook.export_context import context_of
small, path = map(Path, sys.argv[1:])
context = context_of(path.parent)
export(read_file(small), context, "python-genai")
began = time.process_time()
export(read_file(path), context, "python-genai")
print(time.process_time() - began)
"""


def run(options: Options) -> Outcome:
    home = options.home("export")
    environ = environment(home)
    many = _written(home / "many.ipynb", notebook(_CELLS))
    heavy = _written(home / "heavy.ipynb", _with_outputs(notebook(_OUTPUTS * 2)))
    small = _written(home / "small.ipynb", notebook(20))
    variants = []
    for what, path in ((f"{_CELLS:,} cells", many), ("50 MB of outputs", heavy)):
        baseline = Variant(f"nbconvert, {what}", _process(_nbconvert(path), environ))
        variants.append(baseline)
        for target in ("python-genai", "python-openai"):
            words = [_beside("jupyter-gemini"), "export", str(path), "--to", target, "--force"]
            variants.append(
                Variant(
                    f"jupyter gemini export --to {target}, {what}",
                    _process(words, environ),
                    baseline=baseline.name,
                    targets=_NOT_SLOWER,
                )
            )
    for size in _SIZES[:-1] if options.quick else _SIZES:
        path = _written(home / f"{size}.ipynb", notebook(size))
        variants.append(
            Variant(
                f"per cell of {size:,}",
                _per_cell(size, small, path, environ),
                baseline=None if size == _SIZES[0] else f"per cell of {_SIZES[0]:,}",
                targets=() if size == _SIZES[0] else (Target("cpu", "ratio", _GROWTH),),
            )
        )
    return take_turns(
        "export",
        "a notebook as a script, whole processes; processor time for each cell in larger notebooks",
        variants,
        rounds=options.rounds or (3 if options.quick else 9),
        seconds=40 if options.quick else 300,
        warm_up=not options.quick,
    )


def notebook(cells: int) -> dict[str, Any]:
    """A notebook such as people write: a quarter prompts, a quarter text, half code."""
    made = [_cell(number) for number in range(cells)]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": "python"}},
        "cells": made,
    }


def _cell(number: int) -> dict[str, Any]:
    source = (
        f"## Step {number}\n\nWhat is done here, and *why*: `value_{number}`.\n\n- one\n- two",
        f"import math\n\ndef area_{number}(radius: float) -> float:\n"
        f'    """The area of a circle."""\n    if radius < 0:\n        raise ValueError(radius)\n'
        f"    return math.pi * radius**2\n\nvalue_{number} = area_{number}({number})\n"
        f"value_{number}",
        f"%%gemini -t 0.3 --chat talk --out reply_{number}\nExplain {{{{ value_{number - 1} }}}} to"
        f' a child, in {number % 7 + 1} sentences.\nReturn no JSON such as {{"a": 1}}.',
        f"table_{number} = [{{'row': i, 'square': i * i}} for i in range({number % 50})]\n"
        f"!echo {number}\nprint(f'{{len(table_{number})}} rows')\ntable_{number}",
    )[number % 4]
    cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": source}
    if number % 4 == 0:
        return {"cell_type": "markdown", **cell}
    return {"cell_type": "code", "execution_count": number, "outputs": [], **cell}


def _with_outputs(document: dict[str, Any]) -> dict[str, Any]:
    """The notebook with 50 MB of pictures below its code."""
    chance = random.Random(0)
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    for cell in code[:_OUTPUTS]:
        data = base64.b64encode(chance.randbytes(_OUTPUT_BYTES)).decode()
        cell["outputs"] = [
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": data}}
        ]
    return document


def _written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document, indent=1), "utf-8")
    return path


def _beside(program: str) -> str:
    return str(Path(sys.executable).with_name(program))


def _nbconvert(path: Path) -> list[str]:
    words = [_beside("jupyter-nbconvert"), "--to", "script", "--log-level", "ERROR"]
    return [*words, "--output", f"{path.stem}-nbconvert", str(path)]


def _process(words: list[str], environ: dict[str, str]) -> Callable[[int], dict[str, float]]:
    """Measures one process from its start to its end, and the peak of its memory."""

    def measure(round_: int) -> dict[str, float]:
        began = time.monotonic()
        process = subprocess.Popen(
            words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        said = process.stderr.read()
        process.stderr.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{words} failed:\n{said}")
        return {"wall": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime}

    return measure


def _per_cell(
    size: int, small: Path, path: Path, environ: dict[str, str]
) -> Callable[[int], dict[str, float]]:
    def measure(round_: int) -> dict[str, float]:
        words = [sys.executable, "-c", _GROW, str(small), str(path)]
        done = subprocess.run(words, env=environ, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return {"cpu": float(done.stdout) / size}

    return measure
