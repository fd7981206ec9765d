"""Runs scripts in forks of a process that has imported the SDKs already: most of a run is imports.

``python runner.py`` reads one JSON line for each script and answers with its exit status. Neither
gemini_magic nor IPython can be imported there.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback


def serve() -> None:
    for name in ("gemini_magic", "IPython"):
        sys.modules[name] = None  # type: ignore[assignment]
    import openai.resources.chat  # noqa: F401
    from google.genai import types  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            run(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(order: dict[str, object]) -> None:
    """Run a script as its own program; does not return."""
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(str(order[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.environ.clear()
        os.environ.update(order["env"])  # type: ignore[call-overload]
        os.chdir(str(order["folder"]))
        sys.argv = [str(order["path"]), *order["words"]]  # type: ignore[misc]
        runpy.run_path(str(order["path"]), run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
