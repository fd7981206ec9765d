"""A real Jupyter server for the working directory, without a browser."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Server:
    """A Jupyter server for the working directory."""

    def __init__(self, folder: Path, *words: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.token = secrets.token_hex(8)
        port = self.url.rpartition(":")[2]
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        self.runtime = folder / "jupyter_runtime_dir"
        env = {**os.environ, **{name: str(folder / name.lower()) for name in names}}
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root",
                 "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
                 f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={Path.cwd()}",
                 *words],
                env=env, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 180
        while True:
            try:
                self.get("/api/status")
                return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)

    def get(self, path: str, given: Any = None) -> bytes:
        """What the server answers; with ``given``, to this as JSON."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            headers={"Authorization": f"token {self.token}"},
            data=None if given is None else json.dumps(given).encode(),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def ask(
        self, verb: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of an answer, whatever it is; ``bytes`` are sent as they are.

        With ``headers`` the token is not sent.
        """
        given = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"token {self.token}"} if headers is None else dict(headers)
        request = urllib.request.Request(f"{self.url}{path}", given, sent, method=verb)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
