"""A keyring that a server of a test's own can use: the file that a variable names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    priority: ClassVar[float] = 5

    @property
    def _file(self) -> Path:
        return Path(os.environ["TEST_KEYRING"])

    def _known(self) -> dict[str, str]:
        known: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return known

    def get_password(self, service: str, username: str) -> str | None:
        return self._known().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps({**self._known(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        known = self._known()
        del known[f"{service}/{username}"]
        self._file.write_text(json.dumps(known))
