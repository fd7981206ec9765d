"""The rendezvous of kernels: identities, private files, locks, and who is alive."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gemini_magic.backends import local_process, rendezvous
from gemini_magic.backends.rendezvous import Child


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path))
    return rendezvous.place(rendezvous.identity("ab" * 32, 4096))


def child(pid: int) -> Child:
    return Child(
        pid=pid,
        began=rendezvous.began(pid),
        url="http://127.0.0.1:9",
        key="secret-key",
        model="tiny",
        path="/x.gguf",
        context=512,
        started=time.time(),
    )


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_what_makes_kernels_share(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF1")
    names = [
        rendezvous.identity("ab" * 32, 4096),
        rendezvous.identity("ab" * 32, 2048),
        rendezvous.identity("cd" * 32, 4096),
        rendezvous.identity(str(own), 4096),
    ]
    own.write_bytes(b"GGUF12")
    names.append(rendezvous.identity(str(own), 4096))
    assert len(set(names)) == 5
    assert names[0] == rendezvous.identity("ab" * 32, 4096)


def test_the_file_is_private_and_its_key_unshown(place: Path) -> None:
    one = child(os.getpid())
    rendezvous.write(place, one)
    assert rendezvous.read(place) == one
    assert "secret-key" not in repr(one)
    if os.name == "posix":
        assert place.stat().st_mode & 0o777 == 0o600
        assert place.parent.stat().st_mode & 0o777 == 0o700
    assert rendezvous.everyone() == [place]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '"x"'])
def test_a_damaged_file_is_nobody(place: Path, text: str) -> None:
    place.write_text(text)
    assert rendezvous.read(place) is None


def test_alive(place: Path) -> None:
    process = sleeper()
    one = child(process.pid)
    assert rendezvous.alive(one)
    assert not rendezvous.alive(replace(one, began="another"))
    process.kill()
    until = time.monotonic() + 5
    while rendezvous.alive(one) and time.monotonic() < until:
        time.sleep(0.01)
    assert not rendezvous.alive(one)  # although nobody has collected it yet
    process.wait()
    assert not rendezvous.alive(one)


def test_end(place: Path) -> None:
    process = sleeper()
    rendezvous.write(place, child(process.pid))
    rendezvous.end(place)
    assert process.wait(5) != 0
    assert not place.exists()
    rendezvous.end(place)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_end_of_one_that_ignores_it(place: Path) -> None:
    ignoring = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=1)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{ignoring}; time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    rendezvous.write(place, child(process.pid))
    rendezvous.end(place, patience=0.2)
    assert process.wait(5) == -9
    process.stdout.close()


def test_another_process_with_the_same_id_is_left_alone(place: Path) -> None:
    process = sleeper()
    rendezvous.write(place, replace(child(process.pid), began="long ago"))
    rendezvous.end(place)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_one_that_does_not_answer_is_no_use(place: Path) -> None:
    rendezvous.write(place, child(os.getpid()))
    assert local_process._usable(place) is None


def test_locks_exclude_threads_and_can_be_given_up(tmp_path: Path) -> None:
    lock, order = tmp_path / "lock", []

    def work(n: int) -> None:
        with rendezvous.held(lock) as mine:
            order.append((n, "in", mine))
            time.sleep(0.02)
            order.append((n, "out", mine))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    with rendezvous.held(lock):
        for thread in threads:
            thread.start()
        with rendezvous.held(lock, lambda: True) as mine:
            assert not mine
    for thread in threads:
        thread.join()
    assert all(a[0] == b[0] for a, b in zip(order[::2], order[1::2], strict=True))


def test_a_killed_holder_drops_its_lock(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from gemini_magic.backends.rendezvous import held\n"
        "with held(pathlib.Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    with rendezvous.held(lock, lambda: True) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with rendezvous.held(lock, lambda: True) as mine:
        assert mine


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_process_keeps_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with rendezvous.held(lock):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
    try:
        with rendezvous.held(lock, lambda: True) as mine:
            assert mine
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
