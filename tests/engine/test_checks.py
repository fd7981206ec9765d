"""What ``%gemini backends``, ``models`` and ``doctor`` find out, and that they can be stopped."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import openai  # noqa: F401 - its import takes a second, which no test is about
import pytest

from gemini_magic import config
from gemini_magic.backends import local_process, rendezvous, weights
from gemini_magic.engine import checks
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.errors import Unreachable


@pytest.fixture
def engine(home: Path) -> Iterator[Callable[[], Engine]]:
    """``engine()`` makes one of the configuration as it is then."""
    made: list[Engine] = []

    def make() -> Engine:
        made.append(Engine(Connections(config.load(), os.environ)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def hanging(configure) -> Iterator[list[str]]:  # type: ignore[no-untyped-def]
    """The names of three backends that accept connections and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        names = ["one", "two", "three"]
        configure("".join(f'[backends.{n}]\nkind = "openai"\nbase_url = "{url}"\n' for n in names))
        yield names


@pytest.fixture
def own_file(home: Path, configure) -> Path:  # type: ignore[no-untyped-def]
    """A file that is a GGUF by its first bytes, as the local backend's model."""
    path = home / "own.gguf"
    path.write_bytes(weights.MAGIC + bytes(100))
    configure(f'[backends.local]\nkind = "local"\nmodel = "{path}"\n')
    return path


def test_without_weights_the_local_model_is_not_there(engine) -> None:  # type: ignore[no-untyped-def]
    made = engine()
    (found,) = checks.survey(made, ["local"])
    assert found.reachable is False and "not on this machine" in found.problem
    *_, last = checks.examine(made, "local", send=True)
    assert (last.good, last.next_step) == (False, "run: %gemini local install")


def test_with_weights_it_is_and_nothing_is_started(engine, own_file: Path) -> None:  # type: ignore[no-untyped-def]
    made = engine()
    (found,) = checks.survey(made, ["local"])
    assert found.reachable is True, found
    findings = list(checks.examine(made, "local", send=False))
    assert all(finding.good for finding in findings), findings
    assert not list(rendezvous.everyone())


def test_a_machine_that_cannot_run_it_is_told_before_weights_are(engine, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(local_process, "_has_avx2", lambda: False)
    made = engine()
    (found,) = checks.survey(made, ["local"])
    assert found.reachable is False and "AVX2" in found.problem
    *_, last = checks.examine(made, "local", send=True)
    assert not last.good and "AVX2" in last.what and last.next_step


@pytest.mark.parametrize("ask", ["survey", "list_all_models"])
def test_an_interrupt_waits_for_nobody(engine, hanging, ask) -> None:  # type: ignore[no-untyped-def]
    made = engine()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            getattr(checks, ask)(made, hanging)
        assert 0.4 < time.monotonic() - began < 1.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_all_are_asked_at_once(engine, hanging, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(checks, "TIMEOUT", 1.0)
    began = time.monotonic()
    listed = checks.list_all_models(engine(), hanging)
    assert time.monotonic() - began < 2
    assert [type(each) for each in listed] == [Unreachable] * 3
