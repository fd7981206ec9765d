"""Notebooks as they run and as they are exported: both against the same loopback servers."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemini_magic.cli.export import context_of
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import notebook_of
from gemini_magic.convert.targets import export
from tests.kernels import Kernel
from tests.wire import GoogleServer, OpenAIServer

GEMINI, GPT = "gemini-2.5-flash", "gpt-4o-mini"
RUFF = Path(sys.executable).with_name("ruff")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc00000030101005bb6ee560000000049454e44ae426082"
)


def document(*cells: str | dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A notebook of code cells with the ids c1, c2, ..."""
    made = []
    for number, cell in enumerate(cells, 1):
        given = {"source": cell} if isinstance(cell, str) else cell
        made.append(
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [],
             "execution_count": None, **given}
        )  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}


def script_of(*cells: str | dict[str, Any], target: Any = "python-genai") -> Exported:
    """The script of a notebook of these cells, in the working directory."""
    made = export(notebook_of(document(*cells), "test.ipynb"), context_of(Path.cwd()), target)
    ast.parse(made.text)
    assert made == export(
        notebook_of(document(*cells), "test.ipynb"), context_of(Path.cwd()), target
    )
    return made


def kinds(made: Exported) -> list[str]:
    return [note.kind for note in made.notes]


def setting(google: GoogleServer, openai: OpenAIServer, model: str) -> str:
    """A configuration with both servers as backends."""
    return (
        f'[settings]\nmodel = "{model}"\n'
        f'[backends.gem]\nkind = "google"\nbase_url = "{google.url}"\nkey_env = "GEM_KEY"\n'
        f'[backends.oai]\nkind = "openai"\nbase_url = "{openai.url}"\nkey_env = "OAI_KEY"\n'
    )


def bodies(*servers: GoogleServer | OpenAIServer) -> list[tuple[str, Any]]:
    """The generate calls of all servers in the order of their arrival: path and body."""
    calls = [call for server in servers for call in server.generate_calls]
    return [(call.path, call.json) for call in sorted(calls, key=lambda call: call.at)]


def run_notebook(cells: Sequence[str], kernel: Kernel) -> None:
    for number, cell in enumerate(cells, 1):
        done = kernel.run(cell, cell_id=f"c{number}")
        assert done.status == "ok", f"{cell}\n{done.evalue}\n{done.error}"


def run_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with the plain SDKs: neither gemini_magic nor IPython can be imported."""
    path = folder / "script.py"
    path.write_text(text, "utf-8", newline="")
    guard = (
        "import runpy, sys\n"
        "for name in ('gemini_magic', 'IPython'): sys.modules[name] = None\n"
        f"runpy.run_path({str(path)!r}, run_name='__main__')\n"
    )
    env = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_MAGIC")}
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-c", guard],
        cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


def ruff_complaints(text: str) -> str:
    done = subprocess.run(
        [RUFF, "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP",
         "--target-version", "py311", "--stdin-filename", "script.py", "-"],
        input=text, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    return done.stdout if done.returncode else ""


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
