"""What a bundle says of itself: how its scripts are run, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_magic.convert.steps import told
from gemini_magic.errors import GeminiMagicError

if TYPE_CHECKING:
    from gemini_magic.convert.bundle import Script

_RUN = {
    "python": ("uv run --env-file .env {name}",
               "Or `pip install -r requirements.txt`, set the variables, and `python {name}`."),
    "node": ("npm install --prefix node\nnode --env-file=.env {name}", "Needs Node 22 or newer."),
    "curl": ("(set -a; . ./.env; bash {name})", "Needs bash, curl and jq."),
}  # fmt: skip
_TITLES = {"python": "Python", "node": "Node", "curl": "curl"}


def env_example(names: Sequence[str]) -> str:
    """The variables that hold keys, without their values."""
    rows = "".join(f"{name}=\n" for name in names)
    return (
        "# Copy this file to .env and fill in what you have; .env is never committed.\n" + rows
    )  # fmt: skip


def readme(
    scripts: Sequence[Script],
    missing: Iterable[str],
    refused: Sequence[tuple[Path, str, GeminiMagicError]],
) -> str:
    """README.md."""
    names = dict.fromkeys(one.notebook.name for one in scripts)
    lines = [
        "# Exported notebooks",
        "",
        f"{', '.join(map(code, names))} as programs that need nothing but the official SDKs.",
        "Keys are read from the environment: copy `.env.example` to `.env`, and fill it in.",
        "Run everything in this folder.",
    ]
    for folder, (command, more) in _RUN.items():
        own = [one for one in scripts if one.name.startswith(f"{folder}/")]
        if not own:
            continue
        shown = own[0].name if " " not in own[0].name else f"'{own[0].name}'"
        lines += ["", f"## {_TITLES[folder]}", "", "```sh", command.format(name=shown), "```", "",
                  more.format(name=shown)]  # fmt: skip
        for one in own:
            lines += ["", f"- {code(one.name)}: {code(one.notebook.name)} ({one.target})"]
            lines += [
                f"  - {plain(text)}" for text in dict.fromkeys(text for _, text in told(one.notes))
            ]
    if needed := list(dict.fromkeys(missing)):
        lines += ["", "## Files that are not here", "", "The scripts read these, too:", ""]
        lines += [f"- {code(name)}" for name in needed]
    if refused:
        lines += ["", "## What could not be written", ""]
        lines += [
            f"- {code(path.name)}, {target}: {plain(problem.what)}"
            for path, target, problem in refused
        ]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """A name as code in Markdown."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def plain(text: str) -> str:
    """A text in Markdown that means nothing there."""
    escaped = "".join(f"\\{char}" if char in "\\`*_[]<>#|" else char for char in text)
    return " ".join(escaped.split())
