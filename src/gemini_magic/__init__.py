"""Carry on with Gemini in a notebook when Google AI Studio's free quota is gone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

#: The public names and where they live; each is imported with its first use.
_PUBLIC = {
    "GeminiCell": "cell",
    "GeminiMagicError": "errors",
    "Message": "types",
    "Part": "types",
    "Reply": "types",
    "Request": "types",
    "Settings": "types",
    "aask": "api",
    "ask": "api",
    "stream": "api",
}

__all__ = [
    "GeminiCell",
    "GeminiMagicError",
    "Message",
    "Part",
    "Reply",
    "Request",
    "Settings",
    "aask",
    "ask",
    "stream",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # what completion shows


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"gemini_magic.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%gemini`` and ``%%gemini`` (``%load_ext gemini_magic``)."""
    from gemini_magic.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics out again (``%unload_ext gemini_magic``)."""
    from gemini_magic.notebook.magics import unload

    unload(shell)
