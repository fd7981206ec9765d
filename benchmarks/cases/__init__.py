"""The cases, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Options, Outcome
from benchmarks.cases import (
    export,
    first_answer,
    first_text,
    lab_open,
    lab_stream,
    load_ext,
    micro,
    per_cell,
    reserve,
    streaming,
    utilisation,
)

CASES: dict[str, Callable[[Options], Outcome]] = {
    "load_ext": load_ext.run,
    "first_answer": first_answer.run,
    "per_cell": per_cell.run,
    "first_text": first_text.run,
    "streaming": streaming.run,
    "micro": micro.run,
    "reserve": reserve.run,
    "utilisation": utilisation.run,
    "export": export.run,
    "lab_open": lab_open.run,
    "lab_stream": lab_stream.run,
}
