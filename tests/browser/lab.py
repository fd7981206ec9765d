"""A JupyterLab server with folders of its own, and a notebook in it as its user sees it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import BrowserContext, Dialog, Locator, Page

#: What the kernels of this Lab find as ``GEMINI_API_KEY``.
KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"

#: The toolbar says "idle" before the kernel is connected; a cell run then is lost.
READY = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""

_FOREIGN = ("GEMINI_", "GOOGLE_", "OPENAI_", "JUPYTER", "IPYTHON")
#: What would speak up by itself.
QUIET = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyterlab/extensionmanager-extension": True,
    }
}


class Lab:
    """A running JupyterLab; its notebooks are files in ``root``."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.home = folder / "home"
        self._log = folder / "log"
        self.token = secrets.token_hex(16)
        self._pages = 0
        for path in (self.root, self.home / "config", folder / "config" / "labconfig"):
            path.mkdir(parents=True, mode=0o700)
        (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(QUIET))
        settings = Path(__file__).with_name("server_config.py")
        shutil.copy(settings, folder / "config" / "jupyter_server_config.py")
        env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
                 "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
        env |= {name: str(folder / name.lower()) for name in names}
        if "JUPYTER_PATH" in os.environ:  # where a build of the Lab extension under work is
            env["JUPYTER_PATH"] = os.environ["JUPYTER_PATH"]
        env |= {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "GEMINI_MAGIC_HOME": str(self.home),
            "GEMINI_API_KEY": KEY,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root",
            "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=env, cwd=self.root, stdout=log, stderr=subprocess.STDOUT
            )
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=5)
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.1)
        raise AssertionError("JupyterLab did not start:\n" + self._log.read_text())

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def configure(self, base_url: str, more: str = "") -> None:
        """Every cell from now on asks the server there, as the backend ``studio``.

        ``more`` goes on in its table.
        """
        text = f"""
        [settings]
        model = "gemini-2.5-flash"
        [backends.studio]
        kind = "google"
        base_url = "{base_url}"
        {more}
        """
        (self.home / "config" / "gemini_magic.toml").write_text(text, "utf-8")

    def write(self, name: str, *cells: str) -> Path:
        """A new notebook file with these cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata.kernelspec = {
            "name": "python3",
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
        }
        path = self.root / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def open_page(self, context: BrowserContext) -> Page:
        """A page with this Lab in it, and no document yet; bare, so that a notebook has room."""
        page = context.new_page()
        self._pages += 1  # a new workspace; "?reset" would load the page a second time
        page.goto(f"{self.url}/lab/workspaces/page-{self._pages}?token={self.token}")
        page.wait_for_function("() => window.jupyterapp?.shell", timeout=60_000)
        page.evaluate(
            """async () => {
              const app = window.jupyterapp;
              await app.restored;
              await app.commands.execute('application:set-mode', {mode: 'single-document'});
              app.shell.collapseLeft();
              app.shell.collapseRight();
            }"""
        )
        return page

    def close_kernels(self) -> None:
        """Shut down every kernel; pages notice by themselves."""
        for session in json.loads(self._api("GET", "/api/sessions")):
            self._api("DELETE", f"/api/sessions/{session['id']}")

    def save(self, notebook: Path, *cells: str) -> None:
        """Save a notebook with these cells, as another front end does."""
        content = nbformat.read(notebook, as_version=4)
        content.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        self._api("PUT", f"/api/contents/{notebook.name}", {"type": "notebook", "content": content})

    def _api(self, method: str, path: str, body: Any = None) -> bytes:
        headers = {"Authorization": f"token {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=15) as answer:
            return bytes(answer.read())


@dataclass
class Witness:
    """What a page did that nobody asked for."""

    origin: str
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)  # requests that left the Lab server
    fetched: list[str] = field(default_factory=list)  # pictures, frames, media, styles, fonts
    visited: list[str] = field(default_factory=list)  # addresses of the page and its frames
    pages: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda request: self._request(request.url, request.resource_type))
        page.on("framenavigated", lambda frame: self.visited.append(frame.url))
        page.on("popup", lambda popup: self.pages.append(popup.url))

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, url: str, kind: str) -> None:
        address = urlsplit(url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != self.origin:
            self.elsewhere.append(url)
        elif kind not in ("xhr", "fetch", "websocket", "script", "ping", "other") and not (
            address.path.startswith(("/static/lab/", "/lab/extensions/", "/lab/api/themes/"))
            or address.scheme == "data"
        ):
            self.fetched.append(f"{kind} {url}")

    def clear(self) -> None:
        for seen in (self.dialogs, self.errors, self.elsewhere, self.fetched, self.visited):
            seen.clear()
        self.pages.clear()

    @property
    def report(self) -> list[str]:
        """Everything seen; empty if the page only did its work."""
        return [
            f"{name}: {one}"
            for name in ("dialogs", "errors", "elsewhere", "fetched", "visited", "pages")
            for one in getattr(self, name)
        ]


class Notebook:
    """The one notebook that is open in a page."""

    def __init__(self, lab: Lab, page: Page, path: Path, *, kernel: bool = True) -> None:
        """Open the file in a page of Lab, in place of what is open there."""
        self.page = page
        self.path = path
        page.evaluate(
            """async path => {
              for (const widget of [...jupyterapp.shell.widgets('main')]) widget.dispose();
              await jupyterapp.commands.execute('docmanager:open', {path});
            }""",
            path.name,
        )
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        if kernel:
            page.wait_for_function(READY, timeout=60_000)
        self.witness = Witness(urlsplit(lab.url).netloc)
        self.witness.watch(page)

    def command(self, name: str, **args: Any) -> None:
        """Execute a command of Lab and wait until it is done."""
        self.page.evaluate(
            "async ([name, args]) => { await jupyterapp.commands.execute(name, args) }",
            [name, args],
        )

    def select(self, index: int) -> None:
        self.page.evaluate(
            "i => { jupyterapp.shell.currentWidget.content.activeCellIndex = i }", index
        )

    def run(self, index: int) -> None:
        """Run a cell and wait until it is done."""
        self.select(index)
        self.command("notebook:run-cell")

    def start(self, index: int) -> None:
        """Run a cell without waiting for it."""
        self.select(index)
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell') }")

    def wait_idle(self, timeout: float = 30) -> None:
        """Wait until the cell that was started is done."""
        self.page.wait_for_function(
            """() => {
              const {content, sessionContext} = jupyterapp.shell.currentWidget;
              return sessionContext.session.kernel.status === 'idle' &&
                content.widgets.every(cell => cell.node.dataset.running !== 'true' &&
                  cell.model.executionState !== 'running');
            }""",
            timeout=timeout * 1000,
        )

    def set_source(self, index: int, text: str) -> None:
        self.page.evaluate(
            """([i, text]) =>
              jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.setSource(text)""",
            [index, text],
        )

    def sources(self) -> list[str]:
        found: list[str] = self.page.evaluate(
            """() => jupyterapp.shell.currentWidget.content.widgets
              .map(cell => cell.model.sharedModel.getSource())"""
        )
        return found

    def cell(self, index: int) -> Locator:
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def outputs(self, index: int) -> Locator:
        """The outputs of a cell, as elements."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def text(self, index: int) -> str:
        """All that the cell's outputs show."""
        return "\n".join(self.outputs(index).all_inner_texts())

    def type_in(self, index: int, text: str) -> None:
        """Write into a cell as a user does: with the keyboard, at its end."""
        self.select(index)
        self.command("notebook:enter-edit-mode")
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.insert_text(text)

    def save(self) -> dict[str, Any]:
        """Save the notebook; what is in the file then."""
        self.command("docmanager:save")
        found: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return found
