"""Puts a script together: its head, what it needs, and the cells in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from gemini_magic.convert import pytext
from gemini_magic.convert.asking import Asking
from gemini_magic.convert.library import (
    Helper,
    Import,
    asking_again,
    closure,
    import_block,
    renamed,
)
from gemini_magic.convert.main_function import in_main, without_stars
from gemini_magic.convert.names import Names
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.pytext import literal

#: Where the notebook's own thing is what a helper of the same name stands for.
_ORIGINS = ("IPython.display.", "IPython.core.display.", "google.colab.")


class Cell(NamedTuple):
    """A cell of the script: its marker's words, its code, and whether something awaits in it.

    ``defines`` says of its first and its last statement whether it is a function or a class.
    """

    marker: str
    source: str
    awaits: bool = False
    defines: tuple[bool, bool] = (False, False)

    @property
    def marked(self) -> str:
        return f"# %% {self.marker}\n{self.source}".rstrip()


def assembled(
    notebook: Notebook,
    target: str,
    cells: Sequence[Cell],
    asking: Asking,
    names: Names,
    packages: Mapping[str, str],
    *,
    retry: bool,
) -> str:
    """The text of a script. ``packages`` are what the notebook installs itself, by name."""
    helpers = closure(asking.helpers, names.read)
    if retry and asking.clients:
        helpers = asking_again(helpers, names.read)
        asking.dependencies.add("tenacity>=9")
    imports = asking.imports | {one for helper in helpers for one in helper.imports}
    called = _called(imports, helpers, asking, names)
    wanted = {one._replace(alias=called.get(one.known_as, one.alias)) for one in imports}
    if any(one.name == "smaller" for one in helpers) or (
        names.asks and "images" in names.attributes
    ):
        asking.dependencies.add("pillow")
    others = {one for one in asking.dependencies if one not in packages}
    # Who names a package without a version takes what another wants of it.
    others -= {one for one in others for more in others if more.startswith(f"{one}>")}
    blocks = [_head(notebook, target, [*sorted(others), *packages.values()])]
    if asking.futures:
        blocks.append(f"from __future__ import {', '.join(sorted(asking.futures))}")
    if wanted:
        blocks.append(import_block(wanted))
    first: list[str] = []
    if wanted and not asking.clients and "NOTEBOOK" not in names.bound:
        # Something has to stand between these imports and those of the cells.
        first.append(f"NOTEBOOK = {literal(notebook.name)}")
    first += [pytext.settled(one, called) for one in asking.first]
    for name, made in asking.clients.values():
        first.append(pytext.settled(f"{name} = {made}", called))
    blocks += ["\n".join(first)] if first else []
    text = "\n\n".join(blocks)
    for helper in helpers:
        text += f"\n\n\n{renamed(helper.source, called)}"
    rows = [f"{name}: {kind} = []" for name, kind in asking.histories.values()]
    text += "\n\n\n" * bool(rows) + pytext.settled("\n".join(rows), called)
    text += "\n" * (1 if rows or not helpers else 2)
    settled = [one._replace(source=pytext.settled(one.source, called)) for one in cells]
    text = f"{text}{_body(settled, asking, names)}".rstrip("\n") + "\n"
    return _told_to_linters(text, {one.known_as for one in wanted} & names.imported)


def _called(
    imports: Set[Import], helpers: Sequence[Helper], asking: Asking, names: Names
) -> dict[str, str]:
    """What our names are called where the notebook calls something else so."""
    called: dict[str, str] = {}
    for one in sorted(imports):
        if names.is_foreign(one.known_as, one.origin):
            called[one.known_as] = asking.name(one.known_as)
    for helper in helpers:
        given = {f"{origin}{helper.name}" for origin in _ORIGINS} | ({"IPython"} & {helper.name})
        if names.bound.get(helper.name, set()) - given:
            called[helper.name] = asking.name(helper.name)
    if any(helper.name == "show_value" for helper in helpers):
        called["show_value"] = asking.name("show")
    return called


def _body(cells: Sequence[Cell], asking: Asking, names: Names) -> str:
    """The cells; from the first one on that awaits they are a coroutine."""
    first = next((i for i, cell in enumerate(cells) if cell.awaits), len(cells))
    text, defined = "", False
    for cell in cells[:first]:
        apart = text and (defined or cell.defines[0])
        text += "\n" * (2 if apart else 1) + f"{cell.marked}\n"
        defined = cell.defines[1]
    if first == len(cells):
        return text
    inner, stars = without_stars("\n\n".join(cell.marked for cell in cells[first:]))
    main = asking.name("main")
    asyncio = asking.name("asyncio_") if names.is_foreign("asyncio", "asyncio") else "asyncio"
    how = "" if asyncio == "asyncio" else f" as {asyncio}"
    text += "".join(f"\n{line}\n" for line in stars)
    earlier = "\n".join(cell.source for cell in cells[:first])
    text += f"\n\n{in_main(inner, earlier, main)}\n\n\n"
    text += f'if __name__ == "__main__":\n    import asyncio{how}\n\n'
    return f"{text}    {asyncio}.run({main}())\n"


def _head(notebook: Notebook, target: str, packages: Sequence[str]) -> str:
    rows = "".join(f"#   {literal(one)},\n" for one in dict.fromkeys(packages))
    needed = f"# dependencies = [\n{rows}# ]" if rows else "# dependencies = []"
    name = pytext.in_line(notebook.name).replace("\\", "\\\\").replace('"', "'")
    return (
        f'# /// script\n# requires-python = ">=3.11"\n{needed}\n# ///\n'
        f'"""Exported from {name} ({target}).\n\nsha256: {notebook.digest}\n"""'
    )


def _told_to_linters(text: str, twice: Set[str]) -> str:
    """Notebooks import where they need it, and have long lines; that is said to linters.

    ``twice`` are the names that the head imports and a cell, too.
    """
    body = text.split("\n# %%", 1)[-1]
    codes = ["E402", "I001"] if re.search(r"^ *(?:import|from) ", body, re.M) else []
    codes += ["F811"] if twice else []
    if any(len(line) > pytext.LINE for line in text.split("\n")):
        codes.append("E501")
    if not codes:
        return text
    at = text.index('"""')
    return f"{text[:at]}# ruff: noqa: {', '.join(codes)}\n{text[at:]}"
