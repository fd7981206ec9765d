"""Which notebooks the words of a command line name, and where their scripts go."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from gemini_magic.convert.targets import SUFFIXES
from gemini_magic.errors import UsageError

#: Folders of copies and packages, whose notebooks nobody means.
_NOT_MEANT = (".ipynb_checkpoints", "node_modules", ".venv", ".git")


def notebooks(words: Sequence[str]) -> list[Path]:
    """The files that the words name; patterns are for shells that know none.

    A folder stands for the notebooks in it, and below it. Raises ``UsageError``.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*.ipynb") if _is_meant(one, path))
            if not inside:
                raise UsageError(f"there is no notebook in {word}.", "Name a notebook: FILE.ipynb")
            found += inside
        elif path.exists() or not glob.has_magic(word):
            found.append(path)
        else:
            matching = sorted(map(Path, glob.glob(word, recursive=True)))
            if not matching:
                raise UsageError(f"no file is called {word}.", "Name a notebook: FILE.ipynb")
            found += matching
    return list(dict.fromkeys(found))


def _is_meant(path: Path, folder: Path) -> bool:
    return not any(part in _NOT_MEANT for part in path.relative_to(folder).parts)


def places(paths: Sequence[Path], output: str | None, target: str) -> list[Path | None]:
    """Where the scripts go, None for the terminal: beside the notebooks if nothing is said.

    Raises ``UsageError`` where two would be one, or one would replace a notebook.
    """
    if output == "-":
        return [None] * len(paths)
    found = _places(paths, output, SUFFIXES[target])
    names = [os.path.normcase(place) for place in found]
    if twice := [place for place in found if names.count(os.path.normcase(place)) > 1]:
        raise UsageError(
            f"two notebooks would be written to {twice[0]}; nothing was written.",
            "Export them one by one.",
        )
    own = {os.path.normcase(path.resolve()) for path in paths}
    for place in found:
        if os.path.normcase(place.resolve()) in own:
            raise UsageError(f"{place} is the notebook itself.", "Name another place: -o PATH")
    return list(found)


def _places(paths: Sequence[Path], output: str | None, suffix: str) -> list[Path]:
    if output is None:
        return [path.with_name(script_name(path, suffix)) for path in paths]
    target = Path(output)
    if target.is_dir() or output.endswith(("/", os.sep)) or len(paths) > 1:
        if target.exists() and not target.is_dir():
            raise UsageError(f"{output} is a file, and {len(paths)} scripts need a folder.")
        return [target / script_name(path, suffix) for path in paths]
    return [target]


def script_name(path: Path, suffix: str) -> str:
    """What the script of a notebook's file is called."""
    return f"{script_stem(path.stem, suffix)}{suffix}"


def script_stem(stem: str, suffix: str) -> str:
    """What the script of a notebook is called: ``openai.py`` would import itself."""
    if suffix != ".py":
        return stem
    from gemini_magic.convert.packages import is_module

    return f"{stem}_script" if is_module(stem) else stem
