"""An exported script sends what the notebook's cells sent: real kernel, real SDKs, real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.fixtures import ANSWERS, GEMINI_ONLY, NOTEBOOKS
from tests.convert.lab import (
    GEMINI,
    GPT,
    PNG,
    as_json,
    bodies,
    ruff_complaints,
    run_notebook,
    run_script,
    script_of,
    setting,
)
from tests.kernels import Kernel
from tests.wire import Answer, Picture

pytestmark = pytest.mark.kernel

_ONLY = {
    "picture out": [Answer(items=["Here: ", Picture(PNG)]), Answer(items=[Picture(PNG), "Blue."])],
    "speech": [Answer(items=[Picture(b"\1\2" * 50, "audio/L16;codec=pcm;rate=24000")])],
}
CASES = [
    *((name, cells, target) for name, cells in NOTEBOOKS.items()
      for target in ("python-genai", "python-openai")),
    *((name, cells, "python-genai") for name, cells in GEMINI_ONLY.items()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cells", "target"), CASES, ids=[f"{name}-{target}" for name, _, target in CASES]
)
def test_the_requests_are_the_notebooks(
    name: str, cells: list[str], target: str, google_server, openai_server, configure,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    google, openai = google_server(), openai_server()
    model, another = (
        (f"gem:{GEMINI}", "gem:gemini-2.5-pro") if target == "python-genai"
        else (f"oai:{GPT}", "oai:gpt-5-mini")
    )  # fmt: skip
    cells = [cell.replace("MODEL", another) for cell in cells]
    configure(setting(google, openai, model))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    work = Path.cwd()
    other = tmp_path / "elsewhere"
    other.mkdir()
    for folder in (work, other):
        (folder / "photo.png").write_bytes(PNG)
        (folder / "notes.txt").write_text("Some notes\nin lines", "utf-8")
    servers = (google, openai)
    answers = _ONLY.get(name) or ANSWERS.get(name)

    made = script_of(*cells, target=target)
    for server in servers:
        server.set_script(answers)
    with Kernel() as kernel:
        run_notebook(cells, kernel)
    wanted = bodies(*servers)
    assert wanted, "the notebook asked nothing"
    for server in servers:
        server.clear()
        server.set_script(answers)
    done = run_script(made.text, other)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{made.text}"
    found = bodies(*servers)
    assert as_json(found) == as_json(wanted), made.text
    assert not ruff_complaints(made.text), ruff_complaints(made.text) + made.text
    assert "get_ipython" not in made.text and "gemini_magic" not in made.text.split('"""')[2]
