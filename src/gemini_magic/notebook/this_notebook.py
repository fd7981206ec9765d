"""Finds the file of the notebook that a kernel runs, which no protocol tells it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gemini_magic.errors import UsageError


def notebook_path(
    variables: Mapping[str, Any], name: str = "gemini", command: str = "export"
) -> Path:
    """The notebook's file; ``command`` is the one that can be told it instead.

    VS Code puts it into a variable, and Jupyter Server into the kernel's environment when it
    starts it (jupyter_server.services.sessions.sessionmanager.get_kernel_env): a notebook that
    was renamed since then is not found. Raises ``UsageError``.
    """
    found = list(dict.fromkeys(_told(variables)))
    for path in found:
        if path.is_file():
            return path
    named = f"%{name} {command} FILE.ipynb"
    if found:
        raise UsageError(
            f"this notebook was {found[0]} when its kernel started, and is there no more.",
            f"Name it: {named}",
        )
    raise UsageError("this kernel does not know its notebook's file.", f"Name it: {named}")


def told_path(variables: Mapping[str, Any]) -> str:
    """The notebook's file if this kernel knows it and it is there, else nothing."""
    found = next((path for path in _told(variables) if path.is_file()), None)
    return "" if found is None else str(found.absolute())


def _told(variables: Mapping[str, Any]) -> Iterator[Path]:
    told = variables.get("__vsc_ipynb_file__")
    if isinstance(told, str) and told:
        yield Path(told)
    session = os.environ.get("JPY_SESSION_NAME")
    if session:
        path = Path(session)
        yield path
        yield Path.cwd() / path.name  # the server may have put the folder twice into it


def saved_when(path: Path) -> str:
    """When a file was saved last, for people: ``14:02:11, 3 minutes ago``."""
    saved = path.stat().st_mtime
    now = time.time()
    days = time.localtime(saved)[:3] != time.localtime(now)[:3]
    clock = time.strftime("%Y-%m-%d %H:%M:%S" if days else "%H:%M:%S", time.localtime(saved))
    return f"{clock}, {_ago(max(0.0, now - saved))}"


def _ago(seconds: float) -> str:
    for unit, worth in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= worth:
            count = int(seconds // worth)
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"
