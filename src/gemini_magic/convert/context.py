"""What an export has to be told by the face that starts it: rooms above ours know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gemini_magic.cell import GeminiCell
    from gemini_magic.config import Config
    from gemini_magic.types import Target, Tool


class Context(NamedTuple):
    """The configuration in force, and the notebook's own ways to read a cell.

    ``targets(cell, used)`` says who is asked, where the session chose ``used`` before; it raises
    ``GeminiMagicError``. ``schema(text, evaluate)`` is the JSON schema that ``--schema`` stands
    for, as JSON text, and ``tool(name, function)`` what a model is told of a function; both raise
    whatever is wrong. ``transform`` rewrites our magics, called ``magic``, in a cell's lines.
    ``folder`` is where the notebook is. ``runs(request)`` is the log's document of the newest run
    of the request with this SHA-256: what ``sent`` it, ``backend``, ``model`` and the answer's
    ``parts``; None where there is none. ``may_read`` says of a file that a prompt names whether its
    content may get into what is written: a server reads but its own.
    """

    config: Config
    targets: Callable[[GeminiCell, str | None], Sequence[Target]]
    schema: Callable[[str, Callable[[str], Any]], str]
    tool: Callable[[str, Callable[..., Any]], Tool]
    transform: Callable[[list[str]], list[str]]
    folder: Path
    magic: str = "gemini"
    runs: Callable[[str], Mapping[str, Any] | None] | None = None
    may_read: Callable[[Path], bool] = lambda _: True
