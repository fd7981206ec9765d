"""Every command of the README is run here, or by `.ci/run` where it is a whole test run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_magic import config, config_schema
from gemini_magic.backends import weights
from gemini_magic.cell import GeminiCell
from gemini_magic.option_table import OPTIONS
from tests.kernels import Kernel
from tests.wire import Answer, Quota, payloads

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
QUOTA = (ROOT / "docs" / "quota.md").read_text("utf-8")
PROMPTS = (ROOT / "docs" / "prompts.md").read_text("utf-8")
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


@pytest.mark.parametrize("page", [README, CONFIGURATION])
def test_the_configuration_is_valid_and_carries_on(home: Path, configure, page: str) -> None:
    (text,) = blocks("toml", page)
    configure(text)
    loaded = config.load(environ={})
    first, second, third = loaded.steps()
    assert (first.backend, third.backend) == ("studio", "local")
    assert loaded.backend(second.backend).preset == "openrouter"
    assert second.when == ("rpd", "overloaded") and not loaded.notices


def test_the_quota_pages_configuration_is_valid(home: Path, configure) -> None:
    (text,) = blocks("toml", QUOTA)
    configure(text)
    assert config.load(environ={}).ledger["store"].startswith("redis://")


def test_every_setting_has_its_line() -> None:
    (text,) = blocks("toml", CONFIGURATION)
    names = [*config_schema.SETTINGS, *config_schema.GENERATION]
    names += ["store", "store_password_env", "on_ledger_error", "failures_count"]
    names += [name for name in config_schema.BACKEND if name != "base_url"]
    assert not [name for name in names if not re.search(rf"\b{name} ?=", text)]
    for page in (CONFIGURATION, QUOTA):
        assert not [word for word in config_schema.WHEN if f"`{word}`" not in page]


def test_cells_that_only_a_service_answers_can_be_read() -> None:
    """Those of the README are run in ``test_everything.py``, as the notebook has them."""
    cells = [cell for block in blocks("text") for cell in re.split(r"\n(?=%%gemini)", block)]
    cells += [block for block in blocks("python", PROMPTS) if block.startswith("%%gemini")]
    assert len(cells) == 14
    for cell in cells:
        parsed = GeminiCell.parse(cell.rstrip("\n"))
        assert parsed.template.strip(), cell


def test_every_option_has_its_place() -> None:
    for option in OPTIONS:
        assert re.search(rf"--{option.name}(?![\w-])", PROMPTS), option.name


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
                if cell in ("%gemini quota\n", "%gemini usage\n", "%gemini advise\n"):
                    assert "qwen2.5-coder-0.5b" in done.text
                if "temperature in Oslo" in cell:
                    assert 'temperature(city="Oslo") → {"city": "Oslo", "celsius": -3}' in done.text
                if cell.startswith("translate("):
                    assert "Danke" in done.text
            assert kernel.value("person.parsed['age']") == 36
            assert kernel.value("answer.usage.output_tokens > 0")
    finally:
        local.stop()


@pytest.mark.kernel
def test_the_route_carries_on(
    home: Path, configure, google_server, openai_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's route, with both services on loopback: a day of one request, then overload."""
    model = "gemini-3.5-flash-lite"
    google = google_server(Answer(text="from Google"), quota=Quota(rpd=1))
    proxy = openai_server(Answer(text="from the proxy"), models=[f"google/{model}"])
    monkeypatch.setenv("GEMINI_API_KEY", google.key)
    monkeypatch.setenv("OPENROUTER_API_KEY", proxy.key)
    (text,) = blocks("toml", README)
    there = text.replace(
        'preset = "openrouter"', f'preset = "openrouter"\nbase_url = "{proxy.url}"'
    )
    configure(
        f"""{there}
        [backends.studio]
        kind = "google"
        base_url = "{google.url}"
        key_env = "GEMINI_API_KEY"
        [prices.openrouter."google/{model}"]  # on loopback it is nobody's
        input = "0.30 USD"
        output = "2.50 USD"
        """
    )
    with Kernel() as kernel:
        assert "from Google" in kernel.run("%%gemini\nfirst").text
        for prompt in ("second", "third"):
            done = kernel.run(f"%%gemini\n{prompt}")
            assert "from the proxy" in done.text and "$0.30 in" in done.text, done.error
            assert "was asked because of this" in done.text
        assert len(google.generate_calls) == 2  # the third was not sent there any more
        stays = kernel.run("%%gemini --no-fallback\nfourth")
        assert (
            "QuotaExceeded" in stays.error and "Another may answer: -m openrouter:" in stays.error
        )
        shown = kernel.run("%gemini quota").text
        assert "≥ 1 / 1" in shown and "learned" in shown and "/ $1.00" in shown
        proxy.set_script([payloads.openai_error(503, "no capacity")] * 2)
        done = kernel.run("%%gemini\nfifth")  # the embedded model is not installed in this home
        assert "MissingWeights" in done.error and len(google.generate_calls) == 2


@pytest.mark.kernel
def test_the_quota_pages_commands_run(kernel: Kernel) -> None:
    cells = blocks("python", QUOTA)
    assert len(cells) == 3
    for cell in cells:
        done = kernel.run(cell.rstrip("\n"))
        assert done.status == "ok" and "gemini-2.5-flash" in done.text, (cell, done.error)


@pytest.mark.slow
def test_an_install_of_ones_own(tmp_path: Path) -> None:
    install, enable, export = [line for line in SHELL if line and line not in MAKE]
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
    assert export.startswith("jupyter gemini export ")
    shell(export)
    compile((project / "quickstart.py").read_text("utf-8"), "quickstart.py", "exec")
    assert "disabled" in shell("jupyter gemini disable")
    assert "would ask" not in shell(ask)
    assert "demo" in shell("jupyter gemini --help")
    assert "not on" not in shell("jupyter gemini local")
