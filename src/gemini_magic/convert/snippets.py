"""Takes out of ``helpers`` what a program in another language uses, in the order of the files."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

_NAME = re.compile(r"^(?:async )?(?:function )?(\w+)\(", re.M)


@functools.cache
def _snippets(*files: str) -> dict[str, str]:
    """The functions of these files by name; two empty lines stand between them."""
    folder = Path(__file__).parent / "helpers"
    texts = [text for file in files for text in (folder / file).read_text("utf-8").split("\n\n\n")]
    found: dict[str, str] = {}
    for text in texts:
        name = _NAME.search(text)
        assert name is not None, text
        found[name[1]] = text.strip("\n")
    return found


def snippets(files: tuple[str, ...], wanted: Iterable[str]) -> list[str]:
    """The functions of these names and all that they use."""
    known = _snippets(*files)
    todo, needed = list(wanted), set[str]()
    while todo:
        if (name := todo.pop()) not in needed:
            needed.add(name)
            used = set(re.findall(r"\w+", re.sub(r"^(?://|#).*", "", known[name], flags=re.M)))
            todo += used & set(known)
    return [text for name, text in known.items() if name in needed]
