"""Starts the process that holds an embedded model, and finds the one that runs already."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gemini_magic.backends import rendezvous
from gemini_magic.errors import BackendError, MissingExtra, MissingWeights, Unreachable

#: Seconds that a model may take to load (a cold disk reads 50 MB/s).
LOAD_TIMEOUT = 300.0
_TICK = 0.03
#: Seconds during which a kernel that has found a process is believed to be about to use it.
_JUST_FOUND = 3.0
_SERVER = Path(__file__).with_name("local_server.py")
#: What of the environment the process sees; keys and tokens stay out.
_KEPT = re.compile(
    r"(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|APPDATA|LOCALAPPDATA"
    r"|XDG_.*_(HOME|DIR)|GEMINI_MAGIC_HOME|VIRTUAL_ENV|PYTHON(PATH|HOME|UTF8)|LD_LIBRARY_PATH"
    r"|DYLD_.*|OMP_.*|GOMP_.*|GGML_.*)"
)


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run. ``sha256`` is empty for a file of the user's own."""

    model: str
    path: Path
    sha256: str
    context: int
    fenced_tools: bool
    idle_seconds: float

    @property
    def place(self) -> Path:
        return rendezvous.place(rendezvous.identity(self.sha256 or str(self.path), self.context))


def check_machine() -> None:
    """Raise unless the engine is installed and the processor can run it."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("xllamacpp", "local")
    if not _has_avx2():
        raise BackendError(
            "this computer's processor lacks AVX2, which the local model's engine needs.",
            "use another backend: %gemini backends",
        )


@lru_cache(maxsize=1)
def _has_avx2() -> bool:
    """Whether the engine's wheels run here (they are built for AVX2 on x86); True if unknown."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    if sys.platform == "win32":
        import ctypes

        kernel: Any = ctypes.windll.kernel32
        return bool(kernel.IsProcessorFeaturePresent(40))  # PF_AVX2_INSTRUCTIONS_AVAILABLE
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.leaf7_features"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return not told or "AVX2" in told.split()
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return True
    return flags is None or "avx2" in flags[1].split()


# --- finding and starting -----------------------------------------------------------------------


def ensure(spec: Spec, given_up: Callable[[], bool]) -> tuple[rendezvous.Child, list[str]]:
    """The running process for ``spec``, and the models that were stopped to make room for it.

    Blocks while the model loads. Raises Unreachable once ``given_up`` says so (loading goes on by
    itself, the next call finds it), BackendError or MissingWeights where it cannot be loaded.
    """
    place, stopped = spec.place, []
    with rendezvous.held(rendezvous.lock_of(place), given_up) as mine:
        if not mine:
            raise Unreachable("the wait for the local model was stopped.")
        child = _usable(place)
        if child is None:
            rendezvous.end(place)
            stopped = _stop_others(spec, place)
            child = _start(spec, place)
        else:
            rendezvous.touch(place)
    until = time.monotonic() + LOAD_TIMEOUT
    while not child.url:
        if given_up():
            raise Unreachable("the wait for the local model was stopped.")
        if time.monotonic() > until:
            with rendezvous.held(rendezvous.lock_of(place)):
                rendezvous.end(place)
            raise _failed(spec, f"loading took more than {LOAD_TIMEOUT:.0f} s")
        time.sleep(_TICK)
        news = rendezvous.read(place)
        if news and news.key == child.key:
            child = news
        if child.error or not (news and rendezvous.alive(child)):
            with rendezvous.held(rendezvous.lock_of(place)):
                if news and news.key == child.key:
                    rendezvous.end(place)
            raise _failed(spec, child.error or "its process ended while loading")
    return child, stopped


def running(spec: Spec) -> rendezvous.Child | None:
    """The process for ``spec`` if it runs and answers."""
    child = rendezvous.read(spec.place)
    if child is None or not child.url or not rendezvous.alive(child):
        return None
    return child


def _usable(place: Path) -> rendezvous.Child | None:
    """The process of a file if it runs: still loading, or answering to its key."""
    child = rendezvous.read(place)
    if child is None or child.error or not rendezvous.alive(child):
        return None
    if not child.url or ask(child, "/v1/models", timeout=2) or ask(child, "/v1/models", timeout=5):
        return child
    return None


def ask(
    child: rendezvous.Child, path: str, body: Any = None, *, timeout: float = 10
) -> dict[str, Any] | None:
    """One call of the process's own HTTP interface; None where it fails. Proxies are bypassed."""
    request = urllib.request.Request(
        child.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {child.key}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            content = answer.read()
        if path == "/metrics":
            return {"text": content.decode()}
        parsed = json.loads(content)
    except (OSError, ValueError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _stop_others(spec: Spec, place: Path) -> list[str]:
    """End the other models' processes that nobody uses now; the names of other models."""
    from gemini_magic.backends.local_server import busy, metrics

    stopped = []
    for other in rendezvous.everyone():
        child = rendezvous.read(other)
        if other == place or child is None:
            continue
        with rendezvous.held(rendezvous.lock_of(other), lambda: True) as mine:
            if not mine:
                continue
            if rendezvous.alive(child):
                told = ask(child, "/metrics", timeout=2) if child.url else None
                used = told is None or busy(metrics(told["text"]))
                if used or abs(time.time() - other.stat().st_mtime) < _JUST_FOUND:
                    continue
                if child.model != spec.model:
                    stopped.append(child.model)
            rendezvous.end(other)
    return stopped


def _start(spec: Spec, place: Path) -> rendezvous.Child:
    """Start the process and write its file; the lock is held."""
    from gemini_magic import paths
    from gemini_magic.backends.local_server import threads

    key = secrets.token_urlsafe(32)
    log = paths.private_folder(paths.state_dir()) / "local.log"
    settings = {
        "key": key,
        "model": spec.model,
        "path": str(spec.path),
        "context": spec.context,
        "fenced_tools": spec.fenced_tools,
        "idle_seconds": spec.idle_seconds,
        "threads": threads(),
        "place": str(place),
        "log": str(log),
    }
    pid = _launch([sys.executable, "-P", str(_SERVER)], json.dumps(settings).encode(), place.parent)
    child = rendezvous.Child(
        pid=pid, began=rendezvous.began(pid), url="", key=key, model=spec.model,
        path=str(spec.path), context=spec.context, started=time.time(),
    )  # fmt: skip
    rendezvous.write(place, child)
    return child


def _launch(command: list[str], told: bytes, folder: Path) -> int:
    """Run ``command`` in a session of its own with ``told`` as its input; its process id.

    On POSIX a short-lived process between us and it makes sure that it is not our child: kernels
    end their children when they shut down, and a forked kernel must not have a handle on it.
    """
    env = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name.upper())}
    # Threads that wait spin for a moment, then sleep. Measured on 2 cores: without any spinning an
    # idle machine loses 40 % of the speed, with libgomp's default a busy one loses 90 %.
    env |= {"GOMP_SPINCOUNT": "300", "OMP_WAIT_POLICY": "PASSIVE"}
    where: dict[str, Any] = {"cwd": folder, "env": env, "stderr": subprocess.DEVNULL}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        started = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, creationflags=flags, **where
        )
        assert started.stdin
        with started.stdin as pipe:
            pipe.write(told)
        return started.pid
    between = (
        "import subprocess, sys\n"
        "print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL,"
        " start_new_session=True).pid)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", between, *command],
        input=told, stdout=subprocess.PIPE, check=True, **where,
    )  # fmt: skip
    return int(done.stdout)


def _failed(spec: Spec, why: str) -> Exception:
    """Why a model could not be loaded, in the user's words."""
    from gemini_magic import paths
    from gemini_magic.backends import download

    if not spec.path.exists():
        return MissingWeights(f"the file {spec.path} has gone.", "run: %gemini local install")
    if spec.sha256 and download.sha256_of(spec.path) != spec.sha256:
        return MissingWeights(
            f"the weights of {spec.model} on this machine are damaged.",
            f"run: %gemini local install {spec.model}",
        )
    log = paths.state_dir() / "local.log"
    return BackendError(
        f"the local model {spec.model} could not be loaded: {why}.",
        f"see {log}; or use another backend: %gemini backends"
        if spec.sha256
        else f"choose another GGUF file (this engine may not know its kind; see {log})",
    )
