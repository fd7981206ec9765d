"""What the Lab server of these tests is configured with: a keyring of its own.

It is there once a test has made its file; without that there is none, as on most servers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import keyring
import keyring.backend


class FileKeyring(keyring.backend.KeyringBackend):
    """A keyring as far as the package is concerned, in ``keyring.json``."""

    _path = Path(os.environ["GEMINI_MAGIC_HOME"]) / "keyring.json"

    @property
    def priority(self) -> float:
        return 1 if self._path.exists() else 0

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        kept = self._kept() | {f"{service}/{username}": password}
        self._path.write_text(json.dumps(kept), "utf-8")

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        del kept[f"{service}/{username}"]
        self._path.write_text(json.dumps(kept), "utf-8")

    def _kept(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text("utf-8")))


keyring.set_keyring(FileKeyring())
