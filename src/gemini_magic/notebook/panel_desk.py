"""What a panel is told of the session that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic import catalog
from gemini_magic.cell import GeminiCell, cell_parts
from gemini_magic.config import Config
from gemini_magic.engine import checks
from gemini_magic.engine.question import targets_of
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.types import Message
from gemini_magic.widgets.panel_abilities import abilities
from gemini_magic.widgets.panel_desk import Outcome, Who
from gemini_magic.widgets.panel_text import plainly

if TYPE_CHECKING:
    from gemini_magic.notebook.panel_run import PanelRun
    from gemini_magic.notebook.session import Session
    from gemini_magic.widgets.live import LiveMeters
    from gemini_magic.widgets.panel_place import Place
    from gemini_magic.widgets.programs import Program

#: Where files go that are dropped on a panel, below the notebook's folder.
FOLDER = Path("gemini_inputs")
#: Cells that are offered to be loaded.
_MOST = 30
#: Characters of a JSON schema that are shown.
_LONG = 20_000


class SessionDesk:
    """See ``widgets.panel_desk.Desk``."""

    folder = FOLDER

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def magic(self) -> str:
        return self._session.magic.name

    # --- who ---

    def routes(self) -> tuple[str, ...]:
        with suppress(GeminiMagicError):  # ``who`` tells it
            config = self._session.config()
            return tuple(dict.fromkeys((*config.routes, *config.backends)))
        return ()

    def models(self, route: str | None) -> tuple[str, ...]:
        names: list[str] = []
        with suppress(GeminiMagicError):
            config = self._session.config()
            for backend in self._backends(config, route):
                service = config.backend(backend)
                names += [*service.models, *filter(None, (service.model,))]
                if service.google:
                    names += [model.name for model in catalog.google_models()]
            if route is None:
                names += [f"{one.name}:{one.model}" for one in config.backends.values()
                          if one.model]  # fmt: skip
        return tuple(dict.fromkeys(names))

    def list_models(self, route: str | None) -> tuple[str, ...]:
        session = self._session
        backends = self._backends(session.refresh(), route)
        found = checks.list_all_models(session.engine, backends)
        problems = [one for one in found if isinstance(one, GeminiMagicError)]
        if problems and len(problems) == len(found):
            raise problems[0]
        names = [model.name for one in found if not isinstance(one, GeminiMagicError)
                 for model in one]  # fmt: skip
        return tuple(dict.fromkeys(names))

    def _backends(self, config: Config, route: str | None) -> list[str]:
        cell = GeminiCell.of("?", {"route": route} if route else {})
        with suppress(GeminiMagicError):
            targets = targets_of(self._session.engine, config, cell)
            return list(dict.fromkeys(target.backend for target in targets))
        return []

    def who(self, cell: GeminiCell) -> Who:
        session = self._session
        try:
            config = session.config()
            first, *others = targets_of(session.engine, config, cell)
            service = config.backend(first.backend)
            key = session.engine.connections.find_key(service)
        except GeminiMagicError as error:
            return Who(problem=plainly(error))
        words = f"asks {first.model} on {first.backend}"
        if others:
            words += f", then {', then '.join(map(str, others))}"
        if key is None and service.key_required:
            words += f" — no key was found for it; run: %{self.magic} key {first.backend}"
        known = abilities(service, first.model)
        can = " · ".join((*known.can, *known.notes))
        return Who(first.backend, first.model, words, can, known.barred)

    def count(self, cell: GeminiCell, history: Sequence[Message]) -> str:
        from gemini_magic.notebook.panel_count import count

        return count(self._session, cell, history)

    def meters(self, who: Callable[[], Who], used: Callable[[], float]) -> LiveMeters:
        from gemini_magic.notebook.panel_meters import panel_meters

        return panel_meters(self._session.config(), who, used)

    # --- asking ---

    def ask(
        self,
        cell: GeminiCell,
        history: Sequence[Message],
        place: Place,
        over: Callable[[Outcome], None],
    ) -> PanelRun:
        from gemini_magic.notebook.panel_run import PanelRun

        return PanelRun(self._session, cell, history, place, over)

    # --- cells and programs ---

    def programs(self, cells: Sequence[GeminiCell]) -> Sequence[Program]:
        from gemini_magic.notebook.code_command import programs_of

        return programs_of(self._session, cells)

    def schema(self, text: str) -> str:
        from gemini_magic.engine.schema import schema_of

        document = json.loads(schema_of(text, self._session.namespace.value).document)
        return json.dumps(document, ensure_ascii=False, indent=2)[:_LONG]

    def types(self) -> tuple[str, ...]:
        found = self._session.shell.user_ns.items()
        return tuple(sorted(name for name, value in list(found) if _is_schema_type(name, value)))

    def ran(self) -> tuple[tuple[int, str], ...]:
        sources = self._session.shell.history_manager.input_hist_raw
        asking = {
            source: number
            for number, source in enumerate(list(sources))
            if cell_parts(source, self.magic) is not None
        }
        newest = sorted(((number, source) for source, number in asking.items()), reverse=True)
        return tuple(newest[:_MOST])

    def source(self, number: int) -> str | None:
        """The text of the cell that ran as In [number]; None where that asks nothing."""
        sources = list(self._session.shell.history_manager.input_hist_raw)
        if number >= len(sources) or cell_parts(sources[number], self.magic) is None:
            return None
        return str(sources[number])

    def insert(self, source: str) -> str:
        shell = self._session.shell
        # Of several JupyterLab inserts the first one, and IPython keeps the last one.
        waiting = (one.get("source") for one in shell.payload_manager.read_payload())
        if "set_next_input" in waiting:
            raise UsageError(
                "another cell waits to be inserted already.",
                "Run any cell, or copy this one from the first tab.",
            )
        shell.set_next_input(source)
        return (
            "It appears below the next cell that you run and that ends without an error: a kernel "
            "can insert cells then only. Or copy it from the first tab."
        )


def _is_schema_type(name: str, value: Any) -> bool:
    if name.startswith("_") or not isinstance(value, type):
        return False
    marks = ("model_json_schema", "__dataclass_fields__", "__total__", "_fields")
    return any(hasattr(value, mark) for mark in marks) or (
        issubclass(value, Enum) and value is not Enum
    )
