"""Other magics and limiters, each in an environment of its own, made with its first use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.servers import Wire

VENVS = Path(__file__).resolve().parent / ".venvs"


@dataclass(frozen=True)
class Package:
    """Something to install from the package index. ``least`` is the oldest Python that it takes."""

    name: str
    requirements: tuple[str, ...]
    least: tuple[int, int] = field(default=(3, 11), kw_only=True)

    @property
    def folder(self) -> Path:
        return VENVS / re.sub(r"\W+", "-", self.name).strip("-")

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self) -> str:
        """Make its environment unless it is there; "", or why that is not possible."""
        folder = self.folder
        wanted = [*self.requirements, *self._more()]
        stamp = folder / "installed.txt"
        if stamp.exists() and stamp.read_text("utf-8").split("\n") == wanted:
            return ""
        base = _interpreter(self.least)
        if base is None:
            return f"it needs Python {'.'.join(map(str, self.least))}, and there is none"
        print(f"installing {self.name} (once) ...", file=sys.stderr, flush=True)
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        quiet = ["-q", "--disable-pip-version-check"]
        try:
            subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
            subprocess.run(
                [self.python, "-m", "pip", "install", *quiet, *wanted],
                check=True, env=environ, timeout=600, capture_output=True, text=True,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines() or [str(error)]
            print(f"without {self.name}: {lines[-1]}", file=sys.stderr)
            return lines[-1]
        except (subprocess.SubprocessError, OSError) as error:
            print(f"without {self.name}: {error}", file=sys.stderr)
            return str(error)
        stamp.write_text("\n".join(wanted), "utf-8")
        return ""

    def _more(self) -> list[str]:
        """What it is measured with, beside its own requirements."""
        return []


@dataclass(frozen=True)
class Peer(Package):
    """A package with an ``%%ai`` magic for OpenAI's wire.

    ``every``: it is measured in every how-manieth round (the slow ones take all the time else).
    """

    extension: str
    cell: str
    every: int = 2

    def ask(self, prompt: str) -> str:
        return f"{self.cell}\n{prompt}"

    def environment(self, wire: Wire) -> dict[str, str]:
        """The variables by which it finds the server."""
        return {
            "OPENAI_API_KEY": wire.key,
            "OPENAI_BASE_URL": wire.url,
            "OPENAI_API_BASE": wire.url,
        }

    def _more(self) -> list[str]:
        return [f"{one}=={version(one)}" for one in ("ipython", "ipykernel")]


@dataclass(frozen=True)
class Limiter(Package):
    """A rate limiter. ``way`` is its name in ``limiters.py``, ``place`` what it keeps counts in.

    ``rival``: ours is to be faster.
    """

    way: str
    place: str = "sqlite"
    rival: bool = True


def _interpreter(least: tuple[int, int]) -> str | None:
    """A Python of at least this version: this one, or another on the path or of pyenv."""
    if sys.version_info[:2] >= least:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(least[1], least[1] + 4)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [*filter(None, map(shutil.which, names))]
    found += [str(one) for name in names for one in sorted(pyenv.glob(f"*/bin/{name}"))]
    return next((one for one in found if _runs(one)), None)


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


PEERS = (
    Peer(
        "jupyter-ai-magics",
        ("jupyter-ai-magics==2.31.7", "langchain-openai==0.3.35"),
        "jupyter_ai_magics",
        "%%ai openai-chat:gpt-4o-mini",
    ),
    Peer(
        "jupyter-ai-magic-commands",
        ("jupyter-ai-magic-commands==0.0.4",),
        "jupyter_ai_magic_commands",
        "%%ai openai/gpt-4o-mini",
        every=4,
    ),
)
LIMITERS = (
    Limiter("gemini-router", ("gemini-router==0.9.0",), "gemini_router", least=(3, 12)),
    Limiter("pyrate-limiter", ("pyrate-limiter==4.5.1",), "pyrate"),
    Limiter(
        "pyrate-limiter with its file lock (filelock 3)",
        ("pyrate-limiter==4.5.1", "filelock<4"),
        "pyrate_file_lock",
    ),
    Limiter(
        "pyrate-limiter with its file lock (filelock 4)",
        ("pyrate-limiter==4.5.1", "filelock>=4"),
        "pyrate_file_lock",
        rival=False,
    ),
    Limiter("limits", ("limits==5.8.0", "redis>=5"), "limits", "redis"),
    Limiter(
        "token-throttle", ("token-throttle==14.0.0",), "token_throttle", rival=False, least=(3, 12)
    ),
)
