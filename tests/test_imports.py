"""The collector rests while packages are imported, and goes on as it was."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from gemini_magic.imports import uncollected


class Loop:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.unfreeze()
    gc.enable()


def test_it_rests_and_goes_on() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError("no such package")
    assert gc.isenabled()


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Imports a hundred modules."""

    def load() -> None:
        for number in range(100):
            monkeypatch.setitem(sys.modules, f"of_{__name__}_{number}", sys)

    return load


def test_what_came_is_old_and_is_collected_when_it_is_garbage(modules: Callable[[], None]) -> None:
    with uncollected():
        modules()
        many = [Loop() for _ in range(5_000)]
    assert gc.get_count()[0] < 5_000 and gc.get_freeze_count() == 0
    seen = weakref.ref(many[0])
    del many
    gc.collect(0)
    gc.collect(1)
    assert seen() is not None
    gc.collect()
    assert seen() is None


def test_garbage_does_not_grow_old_where_nothing_was_imported() -> None:
    gc.collect()
    seen = []
    for _ in range(3):
        with uncollected():
            one = Loop()
        seen.append(weakref.ref(one))
        del one
    gc.collect(0)
    assert [one() for one in seen] == [None] * 3


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_what_the_user_froze_stays_frozen(modules: Callable[[], None]) -> None:
    gc.freeze()
    count = gc.get_freeze_count()
    with uncollected():
        modules()
    assert gc.get_freeze_count() == count > 0 and gc.isenabled()


def test_threads_may_import_at_once() -> None:
    barrier, seen = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        for _ in range(500):
            with uncollected():
                seen.append(gc.isenabled())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(seen) and gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_is_forked_meanwhile_collects() -> None:
    with uncollected():
        child = os.fork()
        if not child:
            os._exit(0 if gc.isenabled() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not gc.isenabled()
