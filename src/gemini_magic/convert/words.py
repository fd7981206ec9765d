"""The words of ``jupyter gemini export`` and ``%gemini export``.

Whoever types another command pays for this module, too: it imports nothing that is slow.
"""

from __future__ import annotations

import argparse

from gemini_magic.convert.targets import SUFFIXES, TARGETS

HELP = "write a notebook as a program that needs nothing but the official SDK"


def add_words(parser: argparse.ArgumentParser, *, notebook_needed: bool) -> None:
    """The options of both faces."""
    parser.add_argument(
        "notebooks", nargs="+" if notebook_needed else "*", metavar="NOTEBOOK",
        help="a file, a folder, or a pattern"
        + ("" if notebook_needed else "; without one: this notebook, as it was last saved"),
    )  # fmt: skip
    parser.add_argument(
        "--to", choices=tuple(SUFFIXES), help=f"the target; without it {TARGETS[0]}"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="a file or a folder; - shows it instead"
    )
    parser.add_argument(
        "--bundle", metavar="OUT.zip", help="all targets, or that of --to, with all that they need"
    )
    parser.add_argument(
        "--git",
        metavar="DIR|REMOTE",
        help="the same as a commit on a branch there; it is shown first",
    )
    parser.add_argument("--branch", metavar="NAME", help="of --git; without it gemini-export")
    parser.add_argument("--yes", action="store_true", help="of --git: commit without a question")
    parser.add_argument(
        "--freeze",
        action="store_true",
        help="what placeholders were when the cells ran, instead of code",
    )
    parser.add_argument(
        "--params",
        action="store_true",
        help="the assignments of a cell tagged parameters become options",
    )
    parser.add_argument(
        "--retry", action="store_true", help="try again after 429 and 503, where that can help"
    )
    parser.add_argument(
        "--lift-keys",
        action="store_true",
        help="read keys that stand in the code from the environment",
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a script is not up to date"
    )
    parser.add_argument("--report", choices=("text", "json"), default="text",
                        help="how to tell what could not be exported")  # fmt: skip
