"""A real Jupyter server: one for all tests that do not change its state, or one of a test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.lab import Jupyter


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """One server for the tests of a process; each works in a folder of its own below its root."""
    folder = tmp_path_factory.mktemp("shared")
    home, root = folder / "home", folder / "root"
    home.mkdir(mode=0o700)
    root.mkdir()
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.endswith("_API_KEY"):
                patch.delenv(name)
        patch.setenv("GEMINI_MAGIC_HOME", str(home))
        patch.setenv("GEMINI_API_KEY", Jupyter.KEY)
        patch.chdir(root)
        server = Jupyter(folder)
        patch.chdir(before)
    yield server
    server.close()


@pytest.fixture
def jupyter(shared: Jupyter, request: pytest.FixtureRequest) -> Jupyter:
    """The shared server, and a new folder below its root that ``work`` names."""
    return shared.within(request.node.name)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Jupyter]:
    """A server of the test's own: its root is the working directory, its home the test's."""
    server = Jupyter(tmp_path)
    yield server
    server.close()


@pytest.fixture
def own_strict(tmp_path: Path) -> Iterator[Jupyter]:
    """The same, where Jupyter itself lets nobody in who is not known."""
    server = Jupyter(tmp_path, "--ServerApp.allow_unauthenticated_access=False")
    yield server
    server.close()
