"""What is generated is as ``ruff format`` would have it; cells of the notebook stay as they are."""

from __future__ import annotations

import difflib
import subprocess

import pytest

from gemini_magic.convert.options import Options
from tests.convert.fixtures import GEMINI_ONLY, NOTEBOOKS, OPENAI_ONLY
from tests.convert.lab import RUFF, script_of

_CONFIGURED = """
[settings]
model = "gem:gemini-2.5-flash"
[backends.gem]
kind = "google"
[backends.oai]
kind = "openai"
base_url = "https://models.example.com/v1"
key_env = "OAI_KEY"
[routes.pair]
targets = ["gem", "oai"]
"""
#: Expressions within these notebooks' placeholders are written in another style.
_OWN_STYLE = {
    "text placeholders", "name clashes", "values from functions", "tables", "shell", "documents",
    "values of many kinds", "attributes of answers", "photos and bytes", "series and tables",
}  # fmt: skip
ALL = {**NOTEBOOKS, **GEMINI_ONLY, **OPENAI_ONLY}
NAMES = [
    name for name, cells in ALL.items()
    if name not in _OWN_STYLE and any("gemini" in cell.split("\n")[0] for cell in cells)
]  # fmt: skip


def formatted(text: str) -> str:
    return subprocess.run(
        [RUFF, "format", "--isolated", "-"],
        input=text, capture_output=True, text=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("target", ["python-genai", "python-openai"])
def test_scripts_are_formatted(target: str, configure) -> None:  # type: ignore[no-untyped-def]
    """All prompts of the suite, without the code around them."""
    configure(_CONFIGURED)
    wrong = []
    for name in NAMES:
        models = ("gem:gemini-2.5-pro", "gem:gemini-2.5-flash")
        cells = [
            cell.replace("MODEL", models[0]).replace("OTHER", models[1])
            for cell in ALL[name]
            if cell.startswith(("%%gemini", "%gemini"))
        ]
        text = script_of(*cells, target=target, options=Options(retry=name < "m")).text
        if (wanted := formatted(text)) != text:
            lines = difflib.unified_diff(text.split("\n"), wanted.split("\n"), lineterm="", n=2)
            wrong.append("\n".join([name, *lines]))
    assert not wrong, "\n".join(wrong)
