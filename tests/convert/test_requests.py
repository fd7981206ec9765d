"""An exported script sends what the notebook's cells sent: real kernel, real SDKs, real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.fixtures import (
    ANSWERS,
    AT_ONCE,
    GEMINI_ONLY,
    NOTEBOOKS,
    OPENAI_ONLY,
    PNG,
    UNTIDY,
)
from tests.convert.lab import (
    as_json,
    asking,
    bodies,
    ruff_complaints,
    run_notebook,
    run_script,
    script_of,
)

pytestmark = pytest.mark.kernel

CASES = [
    *((name, cells, target) for name, cells in NOTEBOOKS.items()
      for target in ("python-genai", "python-openai")),
    *((name, cells, "python-genai") for name, cells in GEMINI_ONLY.items()),
    *((name, cells, "python-openai") for name, cells in OPENAI_ONLY.items()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cells", "target"), CASES, ids=[f"{name}-{target}" for name, _, target in CASES]
)
def test_the_requests_are_the_notebooks(
    name: str, cells: list[str], target: str, google_server, openai_server, configure,
    shared_kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    google, openai = google_server(), openai_server()
    cells = asking(cells, target == "python-genai", google, openai, configure, monkeypatch)
    work = Path.cwd()
    other = tmp_path / "elsewhere"
    other.mkdir()
    for folder in (work, other):
        (folder / "photo.png").write_bytes(PNG)
        (folder / "notes.txt").write_text("Some notes\nin lines", "utf-8")
    servers = (google, openai)
    answers = ANSWERS.get(name)

    made = script_of(*cells, target=target)
    for server in servers:
        server.set_script(answers)
    run_notebook(cells, shared_kernel.fresh())
    wanted = bodies(*servers)
    assert wanted, "the notebook asked nothing"
    for server in servers:
        server.clear()
        server.set_script(answers)
    done = run_script(made.text, other)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{made.text}"
    found = bodies(*servers)
    if name in AT_ONCE:
        found, wanted = sorted(found, key=as_json), sorted(wanted, key=as_json)
    assert as_json(found) == as_json(wanted), made.text
    if name not in UNTIDY:
        assert not ruff_complaints(made.text), ruff_complaints(made.text) + made.text
    assert "get_ipython" not in made.text and "gemini_magic" not in made.text.split('"""')[2]
