"""Looks at each notebook that is saved, whatever front end saves it, and tells of keys in it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from gemini_magic.config_files import printable
from gemini_magic.server.desk import Desk
from gemini_magic.server.live import Watcher

#: Notebooks whose findings are remembered, so that each autosave does not repeat them.
_REMEMBERED = 1_000


def guard_saves(contents: Any, desk: Desk, watcher: Watcher, log: logging.Logger) -> None:
    """Have a contents manager call us before it saves; a save is neither changed nor delayed."""
    register = getattr(contents, "register_pre_save_hook", None)
    if register is not None:
        register(_Guard(desk, watcher, log).look)


class _Guard:
    def __init__(self, desk: Desk, watcher: Watcher, log: logging.Logger) -> None:
        self._desk = desk
        self._watcher = watcher
        self._log = log
        self._told: dict[str, frozenset[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self, model: Any, path: str, contents_manager: Any, **more: Any) -> None:
        """Jupyter's hook. On the event loop's thread; the work is done on another, later."""
        content = model.get("content") if isinstance(model, dict) else None
        if not isinstance(content, dict) or model.get("type") != "notebook":
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no server: somebody's script uses the contents manager
            return
        task = loop.create_task(self._scan(loop, content, path))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _scan(
        self, loop: asyncio.AbstractEventLoop, content: dict[str, Any], path: str
    ) -> None:
        from gemini_magic.server.secrets import findings

        try:
            found = await loop.run_in_executor(self._desk.hands, findings, self._desk, content)
        except Exception as problem:  # what somebody saves may be anything
            self._log.debug("gemini_magic: %s not looked at", printable(path), exc_info=problem)
            return
        ids = frozenset(one["id"] for one in found)
        known = self._told.pop(path, frozenset())
        self._told[path] = ids
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        if ids == known:
            return
        self._watcher.saved(path, found)
        if ids - known:
            places = ", ".join(sorted({_place(one) for one in found}))
            self._log.warning(
                "gemini_magic: %s is saved with a key in it: %s", printable(path), places
            )


def _place(finding: dict[str, Any]) -> str:
    """Where a key stands, and nothing of the key."""
    where = "the notebook" if finding["cell"] is None else f"cell {finding['cell'] + 1}"
    return f"{finding['where']} of {where} ({finding['kind']})"
