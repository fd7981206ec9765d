"""``jupyter gemini demo``: run the quickstart notebook on the embedded model, and its script."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from gemini_magic.errors import GeminiMagicError
from gemini_magic.notebook import local_command

#: Seconds that a cell may take.
_CELL_TIMEOUT = 600
_ANOTHER = "name another: jupyter gemini demo NOTEBOOK.ipynb — or none, for the quickstart"


def add_to(commands: Any) -> None:
    text = "run the quickstart notebook on the model on this machine, and show its answers"
    command = commands.add_parser("demo", help=text, description=text)
    command.add_argument("notebook", nargs="?", type=Path, help="another notebook to run")
    command.set_defaults(do=demo)


def demo(arguments: argparse.Namespace) -> None:
    """Install the weights if they are missing, execute the notebook, print what it shows; of the
    quickstart, also what the script prints that it becomes.

    Raises ``GeminiMagicError`` where the file is no notebook or does not run to its end.
    """
    from gemini_magic.backends import weights

    path = arguments.notebook or quickstart()
    notebook = _read(path)
    model = weights.default()
    if weights.find(model) is None:
        print("The model is fetched once:")
        local_command.install(None, model)
    os.environ["GEMINI_MAGIC_MODEL"] = f"local:{model}"
    _execute(notebook, path)
    if arguments.notebook is None:
        _run_as_script(path, model)
    print(f"\n{_open(path)}")


def quickstart() -> Path:
    """The quickstart notebook: in the wheel, or in the source tree beside the package."""
    package = Path(__file__).parents[1]
    inside = package / "notebooks" / "quickstart.ipynb"
    return inside if inside.exists() else package.parents[1] / "notebooks" / "quickstart.ipynb"


def _read(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise GeminiMagicError(f"cannot read {path}: {error.strerror}.", _ANOTHER) from None
    except Exception:  # ValidationError, ValueError; AttributeError and more for other JSON
        raise GeminiMagicError(f"{path} is not a Jupyter notebook.", _ANOTHER) from None


def _execute(notebook: Any, path: Path) -> None:
    """Run the notebook that was read from ``path``, and print it with its outputs."""
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    def before(cell: Any, cell_index: int) -> None:
        if cell.cell_type == "markdown":
            print(f"\n{cell.source}")
        else:
            print("\n" + textwrap.indent(cell.source, "│ "), flush=True)

    def after(cell: Any, cell_index: int, execute_reply: Any) -> None:
        for output in cell.outputs:
            print(_text(output).rstrip("\n"), flush=True)

    client = NotebookClient(
        notebook,
        timeout=_CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=before,
        on_cell_executed=after,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        what = f"a cell failed: {error.ename}: {error.evalue}"
        raise GeminiMagicError(what, _open(path)) from None
    except CellTimeoutError:
        what = f"a cell took more than {_CELL_TIMEOUT} s, and was given up."
        raise GeminiMagicError(what, _open(path)) from None
    except DeadKernelError:
        raise GeminiMagicError("the notebook's kernel has died.", _open(path)) from None
    except NoSuchKernel as error:
        raise GeminiMagicError(
            f"there is no Jupyter kernel called {error.name}.",
            f"run: {sys.executable} -m ipykernel install --sys-prefix",
        ) from None


def _run_as_script(path: Path, model: str) -> None:
    """Export a notebook, and print what the script does: it asks the running model by itself."""
    from gemini_magic.backends import local
    from gemini_magic.convert.exporting import export_file
    from gemini_magic.convert.options import NONE
    from gemini_magic.notebook.export_context import context_of

    folder = path.absolute().parent
    made = export_file(path, context_of(folder), "python-genai", NONE)
    print(f"\n## As a script\n\n{_command(path)}\npython {path.stem}.py", flush=True)
    place = local.address(model)
    if place is None:
        raise GeminiMagicError("the model's process has ended.", "run: jupyter gemini demo")
    names = dict(zip(("LOCAL_BASE_URL", "LOCAL_API_KEY"), place, strict=True))
    with tempfile.TemporaryDirectory() as work:
        script = Path(work, f"{path.stem}.py")
        script.write_text(made.text, "utf-8")
        done = subprocess.run(
            [sys.executable, script.name], cwd=work, env={**os.environ, **names}, check=False
        )
    if done.returncode:
        raise GeminiMagicError("the exported script has failed.", f"look: {_command(path)}")


def _command(path: Path) -> str:
    return f"jupyter gemini export {_shown(path)}"


def _text(output: Any) -> str:
    """An output as text for the terminal."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))


def _open(path: Path) -> str:
    return f"Open it in JupyterLab: {_lab()} {_shown(path)}"


def _lab() -> str:
    """The command that opens JupyterLab of this environment."""
    own = Path(sys.executable).with_name("jupyter")
    return f"{_shown(own) if own.exists() else shutil.which('jupyter') or 'jupyter'} lab"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
