"""``jupyter gemini``: what is done outside of a notebook; one module for each command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gemini_magic import __version__
from gemini_magic.errors import GeminiMagicError


def parser() -> argparse.ArgumentParser:
    """The command line; each command's module adds its own part."""
    from gemini_magic.cli import demo, enable, export, import_, local, migrate, verify

    top = argparse.ArgumentParser(
        prog="jupyter gemini",
        description="Carry on with Gemini in a notebook when AI Studio's free quota is gone.",
    )
    top.add_argument("--version", action="version", version=f"gemini-magic {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (demo, enable, export, import_, local, migrate, verify):
        module.add_to(commands)
    return top


def main(words: Sequence[str] | None = None) -> None:
    """Do what the command line says; exit status 1 and two lines where it cannot be done."""
    arguments = parser().parse_args(words)
    try:
        arguments.do(arguments)
    except GeminiMagicError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
