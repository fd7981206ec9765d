"""Every command of the README is run here, or by `.ci/run` where it is a whole test run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_magic.backends import weights
from tests.kernels import Kernel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
REAL = weights.find(weights.default())  # before a test moves the home


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


SHELL = [line.partition(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
MAKE = [line for line in SHELL if line.startswith("make ")]


def test_ci_runs_what_make_is_told_to() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert MAKE == ["make demo", "make test"]
    assert all(f'"{line}" {line}' in ci for line in MAKE)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_configuration_page_is_a_valid_configuration(home: Path, configure) -> None:
    from gemini_magic import config

    (text,) = blocks("toml", (ROOT / "docs" / "configuration.md").read_text("utf-8"))
    configure(text)
    loaded = config.load(environ={})
    assert [step.backend for step in loaded.steps()] == ["studio", "proxy", "local"]
    assert not loaded.notices


@pytest.mark.kernel
@pytest.mark.local_model
@pytest.mark.skipif(REAL is None, reason="the embedded model is not on this machine")
def test_the_tour_runs(home: Path) -> None:
    from gemini_magic.backends import local

    assert REAL is not None
    folder = home / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / REAL.name).symlink_to(REAL)
    try:
        with Kernel(load=False) as kernel:
            for cell in blocks("python"):
                done = kernel.run(cell.rstrip("\n"), timeout=180)
                assert done.status == "ok", (cell, done.error)
                if "capital of France?" in cell:
                    assert "Paris" in done.text
            assert kernel.value("answer.usage.output_tokens > 0")
    finally:
        local.stop()


@pytest.mark.slow
def test_an_install_of_ones_own(tmp_path: Path) -> None:
    install, enable = [line for line in SHELL if line and line not in MAKE]
    assert install.startswith("pip install ") and enable.startswith("jupyter gemini ")
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(".venv", ".git", ".venvs", "node_modules", "__pycache__"),
    )
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_folder = tmp_path / "venv" / "bin"
    env = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}

    def shell(command: str) -> str:
        done = subprocess.run(
            command, shell=True, cwd=project, env=env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell(install)
    assert "enabled" in shell(enable)
    cell = "get_ipython().run_cell('%%gemini --dry-run -m local\\nhello')"
    ask = f'ipython --no-banner --simple-prompt -c "{cell}"'
    assert "would ask  qwen2.5-coder-0.5b on local" in shell(ask)
    assert "disabled" in shell("jupyter gemini disable")
    assert "would ask" not in shell(ask)
    assert "demo" in shell("jupyter gemini --help")
    assert "not on" not in shell("jupyter gemini local")
