"""Frozen Node modules and shell scripts send what the notebook sent, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.abroad import compared, difference, exported, ran, run
from tests.convert.fixtures import ANSWERS, AT_ONCE, GEMINI_ONLY, NOTEBOOKS, OPENAI_ONLY, PNG
from tests.convert.lab import asking, bodies

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

#: What is not sent even so, and the kind of the report's line. A closed list: docs/export.md's.
NOT_SAID = {
    "def": "left-out",  # what a function made by --def asks leaves no output behind
    "def of all": "left-out",
    "schema in a function": "left-out",
    "in classes and blocks": "left-out",  # --quiet within Python code leaves none either
    "await in functions": "left-out",
    "repaired": "left-out",  # --repair: the question whose answer did not fit is not asked again
}
#: What the two wires say in ways of their own; of all else one wire is enough: it is frozen.
_ON_BOTH = ("plain", "system", "chat", "tools", "pictures", "schema of a class", "thinking")
_WIRES = ("gemini", "openai")
CASES = [
    *((name, cells, wire) for number, (name, cells) in enumerate(NOTEBOOKS.items())
      for wire in (_WIRES if name in _ON_BOTH else _WIRES[number % 2 :][:1])),
    *((name, cells, "gemini") for name, cells in GEMINI_ONLY.items()),
    *((name, cells, "openai") for name, cells in OPENAI_ONLY.items()),
]  # fmt: skip


def test_enough_is_said() -> None:
    said = {name for name, _, _ in CASES} - set(NOT_SAID)
    assert len(said) >= 60 and set(NOT_SAID) <= {name for name, _, _ in CASES}


@pytest.mark.parametrize(
    ("name", "cells", "wire"), CASES, ids=[f"{name}-{wire}" for name, _, wire in CASES]
)
def test_the_requests_are_the_notebooks(
    name: str, cells: list[str], wire: str, google_server, openai_server, configure,
    shared_kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    google, openai = google_server(), openai_server()
    cells = asking(cells, wire == "gemini", google, openai, configure, monkeypatch)
    Path("photo.png").write_bytes(PNG)
    Path("notes.txt").write_text("Some notes\nin lines", "utf-8")
    servers = (google, openai)
    answers = ANSWERS.get(name)
    for server in servers:
        server.set_script(answers)
    notebook = ran(cells, shared_kernel.fresh())
    wanted = bodies(*servers)
    assert wanted, "the notebook asked nothing"

    failures = []
    for target in ("node-genai" if wire == "gemini" else "node-openai", "curl"):
        made = exported(notebook, target, freeze=True)
        kinds = {note.kind for note in made.notes}
        for server in servers:
            server.clear()
            server.set_script(answers)
        done = run(made, target, tmp_path / target)
        found = bodies(*servers)
        if name in AT_ONCE:
            found, wanted = sorted(found, key=one_of), sorted(wanted, key=one_of)
        unlike = difference(wanted, found)
        if name in NOT_SAID:
            assert unlike and NOT_SAID[name] in kinds, "it is said now: take it off the list"
            continue
        failures += [f"{target}: {line}" for line in unlike]
        if done.returncode:
            failures.append(f"{target} ended with {done.returncode}: {done.stderr[-2000:]}")
        if not kinds <= {"left-out", "differs", "command", "route", "undefined"}:
            failures.append(f"{target}: {made.notes}")
    assert not failures, "\n".join(failures)


def one_of(call: tuple[str, object]) -> str:
    return compared([call])
