"""Keeps what answers taught about each model's tokens, from one kernel to the next."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from gemini_magic import paths
from gemini_magic.errors import ConfigError
from gemini_magic.quota.estimate import Calibration

#: Seconds between two writings of the file.
_PAUSE = 30.0
#: Models that are remembered; those that were asked last stay.
_MOST = 100


class Calibrations:
    """The calibrations of all models, in one small file. What goes wrong with it costs nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Calibration] | None = None
        self._written = 0.0

    def of(self, model: str) -> Calibration:
        """What is known of a model; the plain estimate where nothing is."""
        return self._all().get(model, Calibration())

    def learn(self, model: str, estimated: int, real: int | None, output: int) -> None:
        """An answer has come; ``estimated`` is the plain estimate of its request."""
        known = self._all()
        known[model] = known.pop(model, Calibration()).learned(estimated, real, output)
        while len(known) > _MOST:
            del known[next(iter(known))]
        now = time.monotonic()
        if not self._written or now > self._written + _PAUSE:
            self._written = now
            self._write()

    def _all(self) -> dict[str, Calibration]:
        if self._known is None:
            self._known = {}
            with suppress(OSError, ValueError, AttributeError):
                rows = json.loads(self._path.read_text("utf-8"))
                self._known = {name: Calibration.from_json(row) for name, row in rows.items()}
        return self._known

    def _write(self) -> None:
        rows = {name: known.to_json() for name, known in self._all().items()}
        with suppress(OSError, ConfigError):
            paths.write_private(self._path, json.dumps(rows).encode())
