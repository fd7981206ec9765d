"""Every test has a home of its own, no key in its environment, and servers on loopback."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.kernels import Kernel
from tests.wire.fixtures import google_server, openai_server

__all__ = ["google_server", "openai_server"]

# A busy machine is no reason to fail.
settings.register_profile("gemini_magic", deadline=None)
settings.load_profile("gemini_magic")

# In the background of a script (``make test &``) Ctrl-C is ignored, and all children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test writes into the keyring of who runs it, and none finds the keyring that another made.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

#: What a user's environment may hold that would change what a test sees.
_FOREIGN = ("GEMINI_", "GOOGLE_", "OPENAI_", "MODEL_PROXY_", "OPENROUTER_", "APIYI_", "LITELLM_")


#: Fixtures that start servers on loopback.
_SERVERS = {"google_server", "openai_server", "redis_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("service")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the test's configuration, keys, ledger and logs."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and not name.startswith("GEMINI_MAGIC_TEST"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(folder))
    monkeypatch.setenv("GEMINI_MAGIC_WARM_UP", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C means what it did before: nbclient leaves it without a meaning where a cell failed."""
    before = signal.getsignal(signal.SIGINT)
    yield
    if signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def configure(home: Path):  # type: ignore[no-untyped-def]
    """``configure(text)`` writes the user's gemini_magic.toml."""

    def write(text: str) -> Path:
        path = home / "config" / "gemini_magic.toml"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    """A real kernel in the test's home, with the extension loaded."""
    with Kernel() as running:
        yield running
