"""Makes the engine of a process out of its configuration: connections, quota, stored answers, log.

The notebook's session and plain Python (``gemini_magic.ask``) both ask through a house.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gemini_magic import config as configuration
from gemini_magic import paths
from gemini_magic.config import Config
from gemini_magic.engine.admission import Admission
from gemini_magic.engine.cache import Cache, size_of
from gemini_magic.engine.connections import Connections
from gemini_magic.engine.engine import Engine
from gemini_magic.engine.run import Origin
from gemini_magic.engine.runlog import open_log
from gemini_magic.types import Reply

if TYPE_CHECKING:
    from gemini_magic.engine.reports import Reporter


class House:
    """An engine with all that it needs, and the configuration in force for it.

    ``overrides`` gives the session's own settings, each time that the configuration is read; see
    ``config.load``. ``place`` tells the notebook and the cell that ask. Whether answers are stored
    and runs are logged is decided once, here. A house that ``reports`` tells Jupyter's server
    after each run which backends it has keys for. Raises ``ConfigError``.
    """

    def __init__(
        self,
        overrides: Callable[[], Mapping[str, Any]] = dict,
        place: Callable[[], tuple[str, str]] = lambda: ("", ""),
        *,
        reports: bool = False,
    ) -> None:
        self._overrides = overrides
        self._reporter: Reporter | None = None
        self._closed = False
        config = self.config()
        connections = Connections(config, os.environ)
        self.cache = _cache(config)
        self.engine = Engine(
            connections,
            _log(config),
            admission=Admission(lambda: connections.config),
            cache=self.cache,
            place=place,
            after=self._report if reports else None,
        )

    def config(self) -> Config:
        """The configuration in force now, with the session's own settings on top."""
        return configuration.load(overrides=self._overrides())

    def close(self) -> None:
        """Stop what runs, and take back what was reported."""
        self._closed = True
        self.engine.close()
        if self._reporter is not None:
            self._reporter.close()

    def _report(self, notebook: str) -> None:
        if self._reporter is None:
            from gemini_magic.engine.reports import Reporter

            self._reporter = Reporter(self.engine.connections)
        if not self._closed:
            self._reporter.tell(notebook)

    def refresh(self) -> Config:
        """The configuration in force now, which the engine then uses too."""
        config = self.config()
        self.engine.connections.config = config
        return config


def _cache(config: Config) -> Cache | None:
    """The store of answers; None where the user wants none."""
    size = size_of(config.cache["size"])
    days = config.cache["days"]
    return Cache(paths.data_dir() / "cache.db", size=size, days=days) if size and days else None


def _log(config: Config) -> Callable[[Reply, Origin], None] | None:
    if not config.run_log:
        return None
    return open_log().add
