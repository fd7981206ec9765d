"""Other notebook magics, each in a virtual environment of its own, made with its first use."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.servers import Wire

VENVS = Path(__file__).resolve().parent / ".venvs"


@dataclass(frozen=True)
class Peer:
    """A package with an ``%%ai`` magic for OpenAI's wire.

    ``every``: it is measured in every how-manieth round (the slow ones take all the time else).
    """

    name: str
    extension: str
    requirements: tuple[str, ...]
    cell: str
    every: int = 2

    @property
    def python(self) -> str:
        return str(VENVS / self.name / "bin" / "python")

    def ask(self, prompt: str) -> str:
        return f"{self.cell}\n{prompt}"

    def environment(self, wire: Wire) -> dict[str, str]:
        """The variables by which it finds the server."""
        return {
            "OPENAI_API_KEY": wire.key,
            "OPENAI_BASE_URL": wire.url,
            "OPENAI_API_BASE": wire.url,
        }

    def install(self) -> bool:
        """Make its environment unless it is there; False if the index does not give it."""
        folder = VENVS / self.name
        wanted = [
            *self.requirements,
            *(f"{one}=={version(one)}" for one in ("ipython", "ipykernel")),
        ]
        stamp = folder / "installed.txt"
        if stamp.exists() and stamp.read_text("utf-8").split() == wanted:
            return True
        print(f"installing {self.name} (once) ...", file=sys.stderr, flush=True)
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        quiet = ["-q", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run(
                [self.python, "-m", "pip", "install", *quiet, *wanted],
                check=True, env=environ, timeout=600,
                capture_output=True,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            print(f"without {self.name}: {error}", file=sys.stderr)
            return False
        stamp.write_text("\n".join(wanted), "utf-8")
        return True


PEERS = (
    Peer(
        "jupyter-ai-magics",
        "jupyter_ai_magics",
        ("jupyter-ai-magics==2.31.7", "langchain-openai==0.3.35"),
        "%%ai openai-chat:gpt-4o-mini",
    ),
    Peer(
        "jupyter-ai-magic-commands",
        "jupyter_ai_magic_commands",
        ("jupyter-ai-magic-commands==0.0.4",),
        "%%ai openai/gpt-4o-mini",
        every=4,
    ),
)
