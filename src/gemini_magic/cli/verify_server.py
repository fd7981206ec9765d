"""A server on this machine that answers in a model's stead, and keeps what it was asked.

It speaks both wires: Gemini's generateContent and streamGenerateContent, and OpenAI's chat
completions, streamed or not. Nobody who does not know its key is answered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gemini_magic.cli.verify_answers import text_for

#: Requests of more bytes than this are refused.
_MOST = 512 * 1024 * 1024
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_USED = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}


class Asked(NamedTuple):
    """A generate call; ``call`` is the path beneath the backend's address.

    ``wire`` is ``gemini`` or ``openai``. A body that is no JSON is its SHA-256.
    """

    backend: str
    call: str
    wire: str
    body: Any


class Recorder:
    """The server, running. ``url`` ends without a slash; ``key`` is what it takes as API key."""

    def __init__(self) -> None:
        self.key = f"recorded-{secrets.token_hex(16)}"
        self._asked: list[Asked] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        # The interval is how long it takes to end.
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="recorder", daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def address(self, backend: str) -> str:
        """The address that stands for a backend's."""
        return f"{self.url}/{quote(backend, safe='')}"

    def keep(self, asked: Asked) -> None:
        with self._lock:
            self._asked.append(asked)

    def taken(self) -> list[Asked]:
        """What was asked since the last time, in the order in which it came."""
        with self._lock:
            found, self._asked = self._asked, []
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recorder = recorder

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up in the middle is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is to be logged."""

    def do_GET(self) -> None:
        if self._is_known():
            empty = {"models": []} if "/v1beta" in self.path else {"object": "list", "data": []}
            self._json(200, empty) if self._path().endswith("/models") else self._missing("")

    def do_POST(self) -> None:
        data = self._data()
        if data is None or not self._is_known():
            return
        try:
            body = json.loads(data)
        except ValueError:
            body = hashlib.sha256(data).hexdigest()
        backend, _, call = self._path().removeprefix("/").partition("/")
        if call.endswith(":countTokens"):
            self._json(200, {"totalTokens": 1})
            return
        found = re.search(r"models/([^/]+:(?:streamG|g)enerateContent)\Z", call)
        if found is None and not call.endswith("/chat/completions"):
            self._missing(call)
            return
        wire = "gemini" if found else "openai"
        name = unquote(found[1] if found else call)
        self.server.recorder.keep(Asked(unquote(backend), name, wire, body))
        if found:
            self._gemini(text_for(body), found[1])
        else:
            self._openai(text_for(body), body if isinstance(body, dict) else {})

    # --- answers ---

    def _gemini(self, text: str, call: str) -> None:
        whole = {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
            ],
            "usageMetadata": _USED,
            "modelVersion": unquote(call.partition(":")[0]),
        }
        if call.endswith(":generateContent"):
            self._json(200, whole)
        elif parse_qs(urlsplit(self.path).query).get("alt") == ["sse"]:
            self._events([whole], newline="\r\n")
        else:
            self._json(200, [whole])

    def _openai(self, text: str, body: dict[str, Any]) -> None:
        head = {"id": "recorded", "created": 0, "model": str(body.get("model", ""))}
        if not body.get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._json(
                200,
                {**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE},
            )
            return
        chunk = {**head, "object": "chat.completion.chunk"}
        delta = {"role": "assistant", "content": text}
        rows: list[Any] = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ]
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            rows.append({**chunk, "choices": [], "usage": _USAGE})
        self._events(rows, end="data: [DONE]\n\n")

    def _missing(self, call: str) -> None:
        """What nobody asks for words is not there: a picture would be saved among the user's."""
        what = "the recording server answers in words alone"
        if "/images/" in call:
            what += ", so a cell that draws cannot be verified"
        elif "upload/" in call:
            what += ", so a cell that uploads a large file cannot be verified"
        self._json(404, {"error": {"code": 404, "message": what, "status": "NOT_FOUND"}})

    def _json(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _events(self, rows: list[Any], *, newline: str = "\n", end: str = "") -> None:
        text = "".join(f"data: {json.dumps(row)}{newline * 2}" for row in rows) + end
        self._send(200, "text/event-stream", text.encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    # --- requests ---

    def _path(self) -> str:
        return urlsplit(self.path).path

    def _is_known(self) -> bool:
        """Whether the asker has our key; who has not is told so."""
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        given = self.headers.get("x-goog-api-key") or bearer
        if hmac.compare_digest(given.encode(), self.server.recorder.key.encode()):
            return True
        self._json(401, {"error": {"code": 401, "message": "this is not the recorder's key"}})
        return False

    def _data(self) -> bytes | None:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length <= _MOST:
            return self.rfile.read(length)
        self.close_connection = True
        self._json(413, {"error": {"code": 413, "message": "the request is too large"}})
        return None

    def _chunks(self) -> bytes | None:
        found = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
            if len(found) > _MOST:
                self.close_connection = True
                return None
        while self.rfile.readline().strip():
            pass
        return bytes(found)
