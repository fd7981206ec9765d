"""``jupyter gemini enable|disable``: load the extension by itself, in this environment only."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gemini_magic.errors import ConfigError

_BEGIN, _END = "# >>> gemini_magic >>>", "# <<< gemini_magic <<<"
_BLOCK = f"""{_BEGIN}
# Written by `jupyter gemini enable`; `jupyter gemini disable` takes it out again.
c.InteractiveShellApp.extra_extensions.append("gemini_magic")  # noqa: F821
{_END}
"""


def add_to(commands: Any) -> None:
    for name, do, text in (
        ("enable", enable, "have %%%%gemini in every notebook of this environment"),
        ("disable", disable, "leave %%%%gemini to %%load_ext again"),
    ):
        command = commands.add_parser(name, help=text, description=text.replace("%%", "%"))
        command.set_defaults(do=do)


def config_file() -> Path:
    """IPython's configuration of this environment (IPython.paths, ``ENV_CONFIG_DIRS``)."""
    return Path(sys.prefix) / "etc" / "ipython" / "ipython_config.py"


def enable(_: argparse.Namespace) -> None:
    """Append our lines to the environment's ``ipython_config.py``."""
    path = config_file()
    with _file_problems(path):
        text = path.read_text("utf-8") if path.exists() else "c = get_config()  # noqa: F821\n\n"
        if _BEGIN in text:
            print(f"already enabled in {path}")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text.rstrip()}\n\n{_BLOCK}", "utf-8")
    print(f"enabled in {path}: new kernels of this environment have %%gemini")


def disable(_: argparse.Namespace) -> None:
    """Take our lines out again; a file that held nothing else is removed."""
    path = config_file()
    with _file_problems(path):
        text = path.read_text("utf-8") if path.exists() else ""
        if _BEGIN not in text:
            print("it was not enabled")
            return
        rest = re.sub(rf"\n*{re.escape(_BEGIN)}.*?{re.escape(_END)}\n?", "\n", text, flags=re.S)
        if _BEGIN in rest:
            raise ConfigError(
                f"{path} holds the line {_BEGIN!r} without its end.",
                "Take our lines out of it in an editor.",
            )
        if rest.strip() in ("", "c = get_config()  # noqa: F821"):
            path.unlink()
        else:
            path.write_text(rest, "utf-8")
    print(f"disabled in {path}")


@contextmanager
def _file_problems(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"cannot change {path}: {error.strerror or error}.",
            "Use an environment of your own (python -m venv .venv), or %load_ext gemini_magic.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8.", "Save it as UTF-8.") from None
