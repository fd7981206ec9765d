"""The process that holds an embedded model: loads it, serves it on loopback, ends when unused.

It belongs to no kernel: a crash of the engine kills no notebook, and all notebooks share it. What
it needs comes as JSON over stdin, so that its key is in no process list and no environment.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

#: How many answers are written at the same time; each has the whole context to itself.
PARALLEL = 2
#: MB of main memory for the state of earlier conversations (the engine's own default is 8192).
CACHE_MB = 256
#: Bytes that the log may grow to.
LOG_LIMIT = 1 << 20
_TICK = 0.5
_KEY = b"tokenizer.chat_template"


def engine(settings: dict[str, Any]) -> Any:
    """Load the model and serve it. Raises RuntimeError where the engine cannot.

    Source: xllamacpp's CommonParams, which are llama.cpp's server options.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["model"]}
    params.n_parallel = PARALLEL
    params.n_ctx = settings["context"] * PARALLEL  # the engine divides it among the slots
    params.cache_ram_mib = CACHE_MB
    params.verbosity = -1
    params.use_jinja = True
    if settings["fenced_tools"] and (template := fenced_template(Path(settings["path"]))):
        params.chat_template = template
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings["threads"]
        cpu.poll = 0  # do not spin: browser, server and kernel want the same cores
    params.hostnames = ["127.0.0.1"]  # an empty list crashes the process
    params.port = 0
    params.api_keys = [settings["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_metrics = True  # with the key only; tells whether it is busy
    params.cors_origins = "http://127.0.0.1"
    params.cors_credentials = False
    return xllamacpp.Server(params)


def fenced_template(path: Path) -> str:
    """The model's own chat template, made to announce tool calls as the model really writes them.

    These models write calls in JSON fences although their template says ``<tool_call>``; without
    the change the engine never recognises a call. Empty where the file has no template.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_KEY)
        if at < 0:
            return ""
        # Source: the GGUF specification; a string is type 8, then its length, then its bytes.
        kind, length = struct.unpack_from("<IQ", data, at + len(_KEY))
        start = at + len(_KEY) + 12
        if kind != 8 or length > 1 << 20:
            return ""
        text = data[start : start + length].decode("utf-8")
    return text.replace("<tool_call>", "```json").replace("</tool_call>", "```")


def threads() -> int:
    """How many threads compute: the physical cores that we may use, one spared on large machines.

    More runnable threads than cores slow the engine down many times.
    """
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    usable = min(usable, _quota() or usable, _physical() or usable)
    return max(1, usable - 1 if usable > 4 else usable)


def _quota() -> int:
    """The CPUs that a container may use (Linux, cgroup v2); 0 if unlimited."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return 0 if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 0


def _physical() -> int:
    """Physical cores; 0 where the system does not say."""
    if sys.platform == "darwin":
        import subprocess

        for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
            told = subprocess.run(["sysctl", "-n", name], capture_output=True, check=False).stdout
            if told.strip().isdigit():
                return int(told)
        return 0
    try:
        blocks = Path("/proc/cpuinfo").read_text().split("\n\n")
    except OSError:
        return 0
    cores = set()
    for block in blocks:
        facts = {k.strip(): v.strip() for k, _, v in (s.partition(":") for s in block.splitlines())}
        if "core id" in facts:
            cores.add((facts.get("physical id"), facts["core id"]))
    return len(cores)


class Watch:
    """Knows when the process is no longer wanted: replaced, told to stop, or idle for too long."""

    def __init__(self, place: Path, server: Any, idle: float) -> None:
        self._place = place
        self._server = server
        self._idle = idle
        self._seen: tuple[object, ...] = ()
        self._last = time.monotonic()
        self.stopped = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopped = True

    def active(self) -> bool:
        """Whether anything happened since the last look: a request, or a kernel that found us."""
        counts = metrics(self._server.handle_metrics())
        try:
            touched: object = self._place.stat().st_mtime_ns
        except OSError:
            touched = None
        seen = (touched, counts.get("prompt_tokens_total"), counts.get("tokens_predicted_total"))
        changed, self._seen = seen != self._seen, seen
        return changed or busy(counts)

    def unused(self) -> bool:
        if self.active():
            self._last = time.monotonic()
        return time.monotonic() - self._last > self._idle


def metrics(text: str) -> dict[str, float]:
    """llama.cpp's metrics by name (Prometheus text)."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("llamacpp:"):
            found[name.removeprefix("llamacpp:")] = float(value)
    return found


def busy(counts: dict[str, float]) -> bool:
    return bool(counts.get("requests_processing") or counts.get("requests_deferred"))


def _log_to(path: Path) -> None:
    """Send all output, the engine's included, to the log."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _trim(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        os.truncate(log, 0)


def main() -> int:
    settings = json.loads(sys.stdin.buffer.read())
    sys.stdin.close()
    log, place = Path(settings["log"]), Path(settings["place"])
    _trim(log)
    _log_to(log)
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    from dataclasses import replace

    from gemini_magic.backends import rendezvous

    def mine() -> rendezvous.Child | None:
        child = rendezvous.read(place)
        return child if child and child.key == settings["key"] else None

    def announce(**news: Any) -> bool:
        with rendezvous.held(rendezvous.lock_of(place)):
            if child := mine():
                rendezvous.write(place, replace(child, **news))
            return child is not None

    started = time.monotonic()
    try:
        server = engine(settings)
    except Exception as problem:
        announce(error=f"{type(problem).__name__}: {problem}")
        return 1
    watch = Watch(place, server, settings["idle_seconds"])
    signal.signal(signal.SIGTERM, watch.stop)
    print(f"{settings['model']} loaded in {time.monotonic() - started:.1f} s", flush=True)
    if not announce(url=server.listening_address):
        return 0
    look = max(1, int(min(5.0, settings["idle_seconds"] / 4) / _TICK))
    ticks = 0
    while not watch.stopped and mine():
        time.sleep(_TICK)
        ticks += 1
        if ticks % look:
            continue
        _trim(log)
        if watch.unused():
            with rendezvous.held(rendezvous.lock_of(place)):
                if not watch.active() and mine():  # nobody has found us since
                    place.unlink(missing_ok=True)
                    break
    if mine():
        place.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the engine's threads need no farewell
