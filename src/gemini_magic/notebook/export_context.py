"""What the rooms of the engine and of the notebook know that an export has to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemini_magic.convert.context import Context


def context_of(folder: Path, overrides: Mapping[str, Any] | None = None) -> Context:
    """The context of a notebook in this folder; ``overrides`` is what a session set."""
    from gemini_magic import config as configuration
    from gemini_magic.convert.context import Context
    from gemini_magic.engine import targets
    from gemini_magic.notebook.transform import transform

    given = dict(overrides or {})
    config = configuration.load(folder=folder, overrides=given)

    def choose(cell: Any, used: str | None) -> Any:
        asked = config
        if used is not None:
            routes = ("default", *config.routes, *config.backends, *config.presets)
            override = {"route": used} if used in routes else {"model": used}
            asked = configuration.load(folder=folder, overrides={**given, **override})
        return targets.choose(
            asked,
            lambda _: "a script takes its key from the environment",
            model=cell.text("model"),
            route=cell.text("route"),
            fallback=not cell.flag("no-fallback"),
        )

    def schema(text: str, evaluate: Callable[[str], Any]) -> str:
        from gemini_magic.engine.schema import schema_of

        return schema_of(text, evaluate).document

    def tool(name: str, function: Callable[..., Any]) -> Any:
        from gemini_magic.engine.tool_function import Function

        return Function(name, function).tool

    magic = config.magic_name
    rewrite = partial(transform, magic=magic)
    return Context(config, choose, schema, tool, rewrite, folder, magic, _run)


def _run(request: str) -> dict[str, Any] | None:
    """The newest run of a request in the log; a log that cannot be read holds none."""
    from gemini_magic.engine.database import Unusable
    from gemini_magic.engine.runlog import open_log

    try:
        logged = open_log().find(request)
    except Unusable:
        return None
    return None if logged is None else logged._asdict()
