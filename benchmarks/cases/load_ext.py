"""What ``%load_ext`` costs a fresh IPython process, over one that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Options, Outcome, Variant, take_turns
from benchmarks.cells import KINDS, LOAD, SDKS, configure, sdk
from benchmarks.machine import environment
from benchmarks.servers import SHORT, Wire, serve
from benchmarks.stats import Target

#: Waits until the background warm-up is through: its thread, then the loop that it gave work to.
_WAIT_FOR_WARM_UP = """
import asyncio, threading
[one.join() for one in threading.enumerate() if one.name == "gemini_magic warm-up"]
from gemini_magic.engine import loop
asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop.current().loop).result()
"""
#: The peak of this process's own memory: wait4's ru_maxrss includes the parent's before exec.
_PEAK = """
try:
    print(*[line for line in open("/proc/self/status") if line.startswith("VmHWM")])
except OSError:
    import resource
    print("maxrss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
_TARGETS = (Target("cpu", "difference", 0.050), Target("rss", "difference", 5e6))


def run(options: Options) -> Outcome:
    home = options.home("load")
    nowhere = {kind: Wire(kind, "http://127.0.0.1:9/v1", "AIza" + "x" * 35) for kind in KINDS}
    bare = Variant("bare IPython", _process(sys.executable, "pass", environment(home)))
    ours = Variant(
        "%load_ext gemini_magic",
        _process(sys.executable, LOAD, environment(home)),
        baseline=bare.name,
        targets=_TARGETS,
    )
    variants = [bare, ours]
    for kind, wire in nowhere.items():
        warm_home = options.home(f"load-{kind}")
        key = configure(warm_home, wire)
        environ = environment(warm_home, **key, GEMINI_MAGIC_WARM_UP="1")
        variants += [
            Variant(
                f"same + its warm-up ({kind})",
                _process(sys.executable, LOAD + _WAIT_FOR_WARM_UP, environ),
                baseline=bare.name,
            ),
            Variant(
                f"import {SDKS[kind]}, client",
                _process(sys.executable, sdk(wire), environment(warm_home)),
                baseline=bare.name,
            ),
        ]
    with serve("openai", SHORT) as wire:
        for peer in options.peers:
            environ = environment(home, **peer.environment(wire))
            bare_peer = Variant(
                f"bare IPython of {peer.name}",
                _process(peer.python, "pass", environ),
                every=peer.every,
            )
            variants += [
                bare_peer,
                Variant(
                    f"%load_ext {peer.extension}",
                    _process(peer.python, f"%load_ext {peer.extension}", environ),
                    baseline=bare_peer.name,
                    every=peer.every,
                ),
            ]
        return take_turns(
            "load_ext",
            "a fresh IPython process, start to end; peak of its memory",
            variants,
            rounds=options.rounds or (3 if options.quick else 11),
            seconds=15 if options.quick else 110,
            warm_up=not options.quick,
        )


def _process(python: str, code: str, environ: dict[str, str]) -> Callable[[int], dict[str, float]]:
    """Measures one IPython process that runs ``code``."""
    words = [python, "-m", "IPython", "--no-banner", "--simple-prompt"]
    words += ["--HistoryManager.enabled=False", "-c", code + "\n" + _PEAK]

    def measure(round_: int) -> dict[str, float]:
        began = time.monotonic()
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environ, cwd=Path(environ["GEMINI_MAGIC_HOME"]),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        if process.returncode != 0 or "Traceback" in printed:
            raise RuntimeError(f"{words} failed:\n{printed}")
        peak = float(printed.split()[-2 if "kB" in printed else -1]) * 1024
        return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": peak}

    return measure
