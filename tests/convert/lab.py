"""Notebooks as they run and as they are exported: both against the same loopback servers."""

from __future__ import annotations

import ast
import atexit
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.cli.export import context_of
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import notebook_of
from gemini_magic.convert.options import NONE, Options
from gemini_magic.convert.targets import export
from gemini_magic.engine.runlog import RunLog
from gemini_magic.paths import state_dir
from tests.kernels import Kernel
from tests.wire import GoogleServer, OpenAIServer
from tests.wire.openai_images import form_of
from tests.wire.server import Recorded

GEMINI, GPT = "gemini-2.5-flash", "gpt-4o-mini"
RUFF = Path(sys.executable).with_name("ruff")


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


def script_of(
    *cells: str | dict[str, Any], target: Any = "python-genai", options: Options = NONE
) -> Exported:
    """The script of a notebook of these cells, in the working directory."""
    notebook = notebook_of(document(*cells), "test.ipynb")
    made = export(notebook, context_of(Path.cwd()), target, options)
    ast.parse(made.text)
    assert made == export(notebook, context_of(Path.cwd()), target, options)
    return made


def kinds(made: Exported) -> list[str]:
    return [note.kind for note in made.notes]


def setting(google: GoogleServer, openai: OpenAIServer, model: str) -> str:
    """A configuration with both servers as backends."""
    return (
        f'[settings]\nmodel = "{model}"\n'
        f'[backends.gem]\nkind = "google"\nbase_url = "{google.url}"\nkey_env = "GEM_KEY"\n'
        f'[backends.oai]\nkind = "openai"\nbase_url = "{openai.url}"\nkey_env = "OAI_KEY"\n'
        f'[routes.pair]\ntargets = ["gem", "oai"]\n'
    )


def bodies(*servers: GoogleServer | OpenAIServer) -> list[tuple[str, Any]]:
    """The generate calls of all servers in the order of their arrival: path and body."""
    calls = [call for server in servers for call in server.generate_calls]
    return [(call.path, _body(call)) for call in sorted(calls, key=lambda call: call.at)]


def _body(call: Recorded) -> Any:
    """The JSON of a request; a form's fields, files as their type and bytes in hex."""
    form = form_of(call)
    if form is None:
        return call.json
    form["image"] = [(kind, data.hex()) for kind, data in form.get("image", ())]
    return form


_RESET = """
get_ipython().run_line_magic("unload_ext", "gemini_magic")
get_ipython().config.pop("GeminiMagic", None)
import os, sys
os.environ.clear()
os.environ.update({env!r})
os.chdir({folder!r})
get_ipython().run_line_magic("reset", "-f")
get_ipython().run_line_magic("load_ext", "gemini_magic")
"""


class SharedKernel:
    """One kernel for many notebooks: to start one takes longer than most of them run.

    ``fresh`` gives it the environment and the folder of the test, no variables, and the extension
    loaded anew: a session with its engine, its chats and its settings lives and ends with that.
    Modules stay imported.
    """

    def __init__(self) -> None:
        self._kernel: Kernel | None = None

    def fresh(self) -> Kernel:
        if self._kernel is None or not self._kernel.manager.is_alive():
            self._kernel = Kernel(load=False).__enter__()
        env = {**os.environ, "PYTHONPATH": ""}
        done = self._kernel.run(_RESET.format(env=env, folder=os.getcwd()))
        assert done.status == "ok", done.error
        return self._kernel

    def close(self) -> None:
        if self._kernel is not None:
            self._kernel.__exit__(None, None, None)


def ran_notebook(cells: Sequence[str], kernel: Kernel) -> list[dict[str, Any]]:
    """Run cells; they come back with their outputs, as a notebook's file has them."""
    ran = []
    for number, cell in enumerate(cells, 1):
        done = kernel.run(cell, cell_id=f"c{number}")
        assert done.status == "ok", f"{cell}\n{done.evalue}\n{done.error}"
        outputs = [
            {"output_type": one["kind"], "data": one["data"], "metadata": one["metadata"]}
            for one in done.outputs
            if one["kind"] == "display_data"
        ]
        ran.append({"source": cell, "id": f"c{number}", "outputs": outputs})
    log, deadline = RunLog(state_dir() / "runs.db"), time.monotonic() + 30
    for cell in notebook_of(document(*ran), "ran.ipynb").cells:
        while any(log.find(asked.request) is None for asked in cell.asked):
            assert time.monotonic() < deadline, "what was sent is not in the log"
            time.sleep(0.01)
    return ran


def run_notebook(cells: Sequence[str], kernel: Kernel) -> None:
    for number, cell in enumerate(cells, 1):
        done = kernel.run(cell, cell_id=f"c{number}")
        assert done.status == "ok", f"{cell}\n{done.evalue}\n{done.error}"


def run_script(
    text: str, folder: Path, *words: str, files: Sequence[tuple[str, bytes]] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a script with the plain SDKs: neither gemini_magic nor IPython can be imported.

    ``words`` are its arguments, ``files`` what was exported beside it.
    """
    path = folder / "script.py"
    path.write_text(text, "utf-8", newline="")
    for name, data in files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    env = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_MAGIC")}
    if hasattr(os, "fork"):
        return _runner().run(path, folder, words, env)
    guard = (
        "import runpy, sys\n"
        "for name in ('gemini_magic', 'IPython'): sys.modules[name] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-c", guard, str(path), *words],
        cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


class Runner:
    """A process that runs scripts, one after another, in forks of itself."""

    def __init__(self) -> None:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", str(Path(__file__).with_name("runner.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            cwd=Path(__file__).parent, env=env,
        )  # fmt: skip
        assert self._answer() == "ready"
        atexit.register(self.close)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def run(
        self, path: Path, folder: Path, words: Sequence[str], env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        places = {name: str(path.with_suffix(f".{name}")) for name in ("out", "err")}
        order = {"path": str(path), "folder": str(folder), "words": words, "env": env, **places}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        code = int(self._answer())
        said = [Path(place).read_text("utf-8") for place in places.values()]
        for place in places.values():
            os.unlink(place)
        return subprocess.CompletedProcess([str(path), *words], code, *said)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@functools.cache
def _runner() -> Runner:
    return Runner()


def ruff_complaints(text: str) -> str:
    done = subprocess.run(
        [RUFF, "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP",
         "--target-version", "py311", "--stdin-filename", "script.py", "-"],
        input=text, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    return done.stdout if done.returncode else ""


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def asking(
    cells: list[str],
    gemini: bool,
    google: GoogleServer,
    openai: OpenAIServer,
    configure: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """The cells with their models' names, once both servers are configured; one is the default."""
    model, another = (
        (f"gem:{GEMINI}", "gem:gemini-2.5-pro") if gemini
        else (f"oai:{GPT}", "oai:gpt-5-mini")
    )  # fmt: skip
    configure(setting(google, openai, model))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)
    return [cell.replace("MODEL", another).replace("OTHER", model) for cell in cells]
