"""Runs a notebook in a kernel, and a script in a process: both end with us, whatever happens."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gemini_magic.cli.verify_compare import printable
from gemini_magic.convert.reading import SKIPPED
from gemini_magic.errors import GeminiMagicError

#: Runs a Python script without what an exported one must not need.
_ALONE = """
import runpy, sys
for name in ("gemini_magic", "IPython"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
#: Seconds that a process has to end before it is killed.
_GRACE = 2.0


class VerifyError(GeminiMagicError):
    """The notebook, or its script, could not be run to its end."""


def run_notebook(
    document: Any,
    names: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    seconds: float,
    after: Callable[[str], object],
) -> None:
    """Execute the cells of a notebook (nbformat's, version 4) in a kernel of this environment.

    ``names`` are the cells' ids; ``after(id)`` is called when a cell is done. Cells that an export
    leaves out are left out. Raises ``VerifyError``.
    """
    import asyncio

    # asyncio turns an interrupt into a cancellation, so that the kernel can be put away.
    asyncio.run(_notebook_run(document, names, folder, environ, seconds, after))


async def _notebook_run(
    document: Any,
    names: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    seconds: float,
    after: Callable[[str], object],
) -> None:
    import asyncio

    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    manager = AsyncKernelManager(kernel_name="python3")
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = sys.executable
    client = NotebookClient(
        document,
        km=manager,
        extra_arguments=[
            "--IPKernelApp.log_level=ERROR",
            "--IPKernelApp.extra_extensions=gemini_magic",
        ],
        store_widget_state=False,
    )
    client.log.addHandler(logging.NullHandler())  # its errors are ours to tell
    name = ""
    try:
        await client.async_start_new_kernel(env=dict(environ), cwd=str(folder))
        await client.async_start_new_kernel_client()
        until = time.monotonic() + seconds
        for index, cell in enumerate(document.cells):
            if cell.cell_type != "code" or set(cell.metadata.tags) & set(SKIPPED):
                continue
            name = names[index]
            client.timeout = max(1, int(until - time.monotonic()))
            await client.async_execute_cell(cell, index)
            after(name)
    except CellExecutionError as error:
        what = printable(f"{error.ename}: {error.evalue}".split("\n")[0])
        raise VerifyError(
            f"cell {name} of the notebook failed: {what}", "Run the notebook by itself first."
        ) from None
    except CellTimeoutError:
        raise _too_slow(f"the notebook (at cell {name})", seconds) from None
    except DeadKernelError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # nbclient takes every cancellation for that
            raise asyncio.CancelledError from None
        raise VerifyError(f"the notebook's kernel died in cell {name}.") from None
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        if manager.has_kernel:
            await manager.shutdown_kernel(now=True)
        await manager.cleanup_resources()


def run_script(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float
) -> str:
    """Run a command without input to its end; "", or how it failed.

    Raises ``VerifyError`` where it takes too long.
    """
    env = {name: value for name, value in environ.items() if not name.startswith("GEMINI_MAGIC")}
    options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    process = subprocess.Popen(
        words, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", **options,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise _too_slow("the script", seconds) from None
    finally:
        _end(process)
    if process.returncode == 0:
        return ""
    lines = [line for line in said.splitlines() if line.strip()]
    last = printable(lines[-1])[:300] if lines else f"exit status {process.returncode}"
    return f"the script failed: {last}"


def command(target: str, script: Path, folder: Path) -> list[str]:
    """What runs a script of this target. Raises ``VerifyError`` where a tool is missing.

    Node finds packages beside a script, or above it: those of the notebook's folder are lent.
    """
    if target.startswith("python-"):
        return [sys.executable, "-X", "utf8", "-c", _ALONE, str(script)]
    if target == "curl":
        for tool in ("curl", "jq"):
            _tool(tool)
        return [_tool("bash"), str(script)]
    package = {"node-genai": "@google/genai", "node-openai": "openai"}[target]
    for place in (folder, *folder.parents):
        modules = place / "node_modules"
        if (modules / package).is_dir():
            (script.parent / "node_modules").symlink_to(modules, target_is_directory=True)
            return [_tool("node"), str(script)]
    raise VerifyError(
        f"the npm package {package} is not installed beside the notebook.",
        f"run in {printable(str(folder))}: npm install {package}",
    )


@contextmanager
def ended_as_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal end what runs here as Ctrl-C does, with all that it started."""

    def stop(*_: Any) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background process
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    before = {
        one: signal.signal(one, stop) for name in names if (one := getattr(signal, name, None))
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise VerifyError(f"{name} is not installed.", f"Install {name}, or choose another --to.")
    return found


def _too_slow(what: str, seconds: float) -> VerifyError:
    return VerifyError(
        f"{what} took more than {seconds:g} s, and was ended.", "Give it longer: --timeout SECONDS"
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and those that it has started."""
    if os.name == "posix":
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
    elif process.poll() is None:
        process.kill()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
