"""Programs of the old JavaScript SDK, and how they are run: one for each shape.

They are in ``javascript_cases.txt``: ``### NAME.SUFFIX`` (``.mjs`` if there is none), then the
program. ``#begin`` stands for an import and a client, ``#model`` for a model beside them. Each is
run as it is with the old SDK, and migrated with the new ones.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.convert.abroad import node, node_modules

HERE = Path(__file__).parent
BEGIN = """\
import { GoogleGenerativeAI } from "@google/generative-ai";

const genAI = new GoogleGenerativeAI(process.env.GEMINI_API_KEY);
"""
MODEL = BEGIN + 'const model = genAI.getGenerativeModel({ model: "gemini-2.5-flash" });\n'


def read(name: str) -> dict[str, str]:
    text = HERE.joinpath(name).read_text("utf-8")
    _, *pieces = re.split(r"(?m)^### (.*)\n", text)
    return {
        name if "." in name else f"{name}.mjs": program.replace("#begin\n", BEGIN).replace(
            "#model\n", MODEL
        )
        for name, program in zip(pieces[::2], pieces[1::2], strict=True)
    }


CASES = read("javascript_cases.txt")


def run(
    programs: Mapping[str, str], folder: Path, url: str, *, redirect: bool = False, **env: str
) -> dict[str, tuple[str, str | None]]:
    """What each program printed, and how it failed."""
    for name, text in programs.items():
        (folder / name).write_text(text, "utf-8", newline="")
    (folder / "package.json").write_text("{}")
    (folder / "node_modules").symlink_to(node_modules())
    compiled = str(node_modules().parent / "compiled")
    words = [node(), "--no-warnings", HERE / "javascript_runner.mjs", url, folder,
             "yes" if redirect else "no", *programs]  # fmt: skip
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=300,
        env={"PATH": "", "HOME": str(folder), "NODE_COMPILE_CACHE": compiled,
             "GEMINI_API_KEY": "test-key", **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, tuple[str, str | None]] = json.loads(done.stdout)
    return said
