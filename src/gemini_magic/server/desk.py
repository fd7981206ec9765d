"""What the routes share: the server's root, the configuration in force, ledger and log, threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gemini_magic import config as configuration
from gemini_magic import keys
from gemini_magic.config import Backend, Config
from gemini_magic.config_backends import built_in, from_presets
from gemini_magic.engine.runlog import RunLog, open_log
from gemini_magic.errors import GeminiMagicError
from gemini_magic.quota.reader import Reader
from gemini_magic.server.places import Root

if TYPE_CHECKING:
    from gemini_magic.engine.engine import Engine

T = TypeVar("T")

#: Routes that do work at the same time; the others wait.
_HANDS = 8


class Refused(GeminiMagicError):
    """A request that cannot be done; ``status`` is what HTTP calls that (4xx)."""

    def __init__(self, what: str, next_step: str = "", *, status: int = 400) -> None:
        super().__init__(what, next_step)
        self.status = status


class Given(NamedTuple):
    """What a request brings along, checked: names in its path and query, and its body."""

    params: dict[str, Any]
    body: dict[str, Any]


class Desk:
    """One server's. Its methods may be called on any thread but the event loop's."""

    def __init__(self, root: Root, *, on_disk: bool = True) -> None:
        self.root = root
        self._on_disk = on_disk
        self.log: RunLog = open_log()
        self.hands = ThreadPoolExecutor(_HANDS, "gemini_magic server")
        # A ledger is used by one thread at a time.
        self.counting = ThreadPoolExecutor(1, "gemini_magic ledger")
        self._reader: Reader | None = None
        self._engine: Engine | None = None

    def files(self) -> Root:
        """The files that may be named. Raises ``Refused`` where they are on no disk of ours."""
        if not self._on_disk:
            raise Refused("this server's files are not on its disk.", status=422)
        return self.root

    def config(self) -> Config:
        """The configuration in force for the root. Raises ``ConfigError``."""
        return configuration.load(folder=self.root.folder)

    def find_key(self, service: Backend) -> keys.Key | None:
        """A backend's key as this process finds it. Raises ``ConfigError``."""
        return keys.find(service, environ=os.environ, env_file=self.config().env_file)

    def key_place(self, service: Backend) -> str | None:
        """Which of ``keys.PLACES`` that is. Raises ``ConfigError``."""
        return keys.place(service, env_file=self.config().env_file)

    def key_names(self) -> list[str]:
        """The environment's variables that hold keys; the usual ones where no file can be read."""
        try:
            return list(self.config().key_names)
        except GeminiMagicError:
            usual = (*built_in().values(), *from_presets(os.environ).values())
            return [name for service in usual for name in service.key_env]

    def reading(self, work: Callable[[Reader], T]) -> T:
        """Have something read from the ledger. Raises what the work raises, and ``ConfigError``."""
        return self.counting.submit(lambda: work(self.reader())).result()

    def reader(self) -> Reader:
        """The ledger as the configuration names it now; on the thread ``counting`` alone."""
        config = self.config()
        if self._reader is None or self._reader.config is not config:
            if self._reader is not None:
                self._reader.close()
            self._reader = Reader(config)
        return self._reader

    def engine(self) -> Engine:
        """What asks backends which models they have: it counts, stores and logs nothing."""
        from gemini_magic.engine.connections import Connections
        from gemini_magic.engine.engine import Engine

        config = self.config()
        if self._engine is None:
            self._engine = Engine(Connections(config, os.environ))
        self._engine.connections.config = config
        return self._engine

    def shortened(self, text: str) -> str:
        """A text for people without the server's root in it."""
        folder = str(self.root.folder)
        return text.replace(f"{folder}{os.sep}", "").replace(folder, "the server's root")
