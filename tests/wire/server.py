"""The HTTP/1.1 core: one thread per loopback connection, so that every byte leaves at once."""

from __future__ import annotations

import json
import random
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

T = TypeVar("T")
MAX_HEAD = 64 * 1024


class Gone(Exception):
    """The client closed its side before the answer was complete."""


@dataclass(frozen=True)
class Recorded:
    """One request, exactly as it came over the socket.

    `headers` have lower-case names; `json` is None if the body is not JSON; `time` is
    `time.time()`, `at` is `time.monotonic()` when the last byte was read; `connection` numbers the
    TCP connections from 1; `op` is generate, count, models, upload or other.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    json: Any
    time: float
    at: float
    connection: int
    op: str = "other"
    model: str = ""
    stream: bool = False


@dataclass(frozen=True)
class Disconnect:
    """The client went away: before which request was answered, after how many stream chunks."""

    request: Recorded
    chunks: int
    at: float = field(default_factory=time.monotonic)


#: Not ``select``, which knows a process's first 1,024 files only.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _readable(sock: socket.socket, timeout: float | None) -> bool:
    """Whether bytes or the end come within ``timeout`` seconds (None: for ever)."""
    with _Selector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(timeout))


class Exchange:
    """One request and the ways to answer it, well or badly."""

    def __init__(
        self,
        sock: socket.socket,
        request: Recorded,
        date_offset: float,
        travel: Callable[[], None] = lambda: None,
    ) -> None:
        self.request = request
        self.chunks = 0  # stream chunks that carried data
        self.keep_alive = request.headers.get("connection", "").lower() != "close"
        self.extra_headers: dict[str, str] = {}
        self._sock = sock
        self._date_offset = date_offset
        self._travel = travel

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str], *, upto: int | None = None
    ) -> None:
        """A whole answer; `upto` sends only that many bytes of the body it announced."""
        head = self._head(status, {**headers, "Content-Length": str(len(body))})
        self._travel()
        self._write(head + body[:upto])

    def start_stream(self, headers: Mapping[str, str], status: int = 200) -> None:
        head = self._head(status, {**headers, "Transfer-Encoding": "chunked"})
        self._travel()
        self._write(head)

    def chunk(self, data: bytes) -> None:
        if self.client_gone():
            raise Gone
        self._write(b"%x\r\n%b\r\n" % (len(data), data))
        self.chunks += 1

    def end_stream(self) -> None:
        self._write(b"0\r\n\r\n")

    def reset(self) -> None:
        """Close with a TCP RST, after a moment in which the client can read what was sent."""
        self.keep_alive = False
        self.wait(0.02)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        """Close with a TCP FIN in the middle of whatever was being sent."""
        self.keep_alive = False
        self._sock.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float | None) -> None:
        """Sleep (None: for ever), but raise Gone as soon as the client closes."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            if self._sock.fileno() < 0:
                raise Gone
            if not _readable(self._sock, left):
                return
            if self.client_gone():
                raise Gone
            time.sleep(min(left or 0.01, 0.01))  # bytes of the next request: leave them there

    def client_gone(self) -> bool:
        try:
            flags = socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)
            if not _readable(self._sock, 0):
                return False
            return self._sock.recv(1, flags) == b""
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        merged = {
            "date": formatdate(time.time() + self._date_offset, usegmt=True),
            "connection": "keep-alive" if self.keep_alive else "close",
        }
        for more in (self.extra_headers, headers):  # what a script says wins
            merged |= {name.lower(): value for name, value in more.items()}
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in merged.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _write(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise Gone from error


class WireServer:
    """A loopback HTTP server that records everything; subclasses give it a protocol.

    `date_offset` (seconds) shifts the Date header, to play a server whose clock differs. `network`
    is the least and the most time that a request takes to get here, and its answer's head to get
    back, in seconds.
    """

    base_path = ""

    def __init__(
        self,
        *,
        port: int = 0,
        date_offset: float = 0.0,
        network: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.date_offset = date_offset
        self.network = network
        self.running = False
        self.errors: list[BaseException] = []  # bugs of the server itself; empty in a good test
        self._changed = threading.Condition()
        self._requests: list[Recorded] = []
        self._disconnects: list[Disconnect] = []
        self._connections = 0
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    # what a protocol fills in

    def classify(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[str, str, bool]:
        """(op, model, stream) of a request."""
        return "other", "", False

    def handle(self, exchange: Exchange) -> None:
        raise NotImplementedError

    # life

    @property
    def url(self) -> str:
        """What to give an SDK as its base URL."""
        return f"http://{self.host}:{self.port}{self.base_path}"

    def start(self) -> Self:
        self.running = True
        self.listen()
        return self

    def stop(self) -> None:
        self.running = False
        self.close_listener()
        with self._changed:
            sockets = list(self._open)
        for sock in sockets:
            with suppress(OSError):  # already closed by the other side
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def listen(self) -> None:
        """Open the port (again); a no-op while it is open."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._acceptor.start()

    def close_listener(self) -> None:
        """Close the port: new connections are refused (ECONNREFUSED), open ones go on."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with suppress(OSError):  # wakes accept() on Linux; on macOS close() does, and this fails
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        if self._acceptor is not None:
            self._acceptor.join(1)

    # what tests read

    @property
    def requests(self) -> list[Recorded]:
        with self._changed:
            return list(self._requests)

    @property
    def generate_calls(self) -> list[Recorded]:
        """The requests that spend quota; counting tokens, listing models and uploads do not."""
        return [r for r in self.requests if r.op == "generate"]

    @property
    def disconnects(self) -> list[Disconnect]:
        with self._changed:
            return list(self._disconnects)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._connections

    def wait_for(self, n: int, timeout: float = 5.0, *, op: str = "generate") -> list[Recorded]:
        """Wait until `n` requests of this kind came; return them, or raise TimeoutError."""
        return self._await(lambda: [r for r in self._requests if r.op == op], n, timeout)

    def wait_disconnects(self, n: int = 1, timeout: float = 5.0) -> list[Disconnect]:
        return self._await(lambda: list(self._disconnects), n, timeout)

    def clear(self) -> None:
        with self._changed:
            self._requests.clear()
            self._disconnects.clear()

    def _await(self, look: Callable[[], list[T]], n: int, timeout: float) -> list[T]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(look()) >= n, timeout):
                raise TimeoutError(f"{len(look())} of {n} within {timeout} s")
            return look()

    # connections

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._connections += 1
                number = self._connections
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        buffer = bytearray()
        try:
            while True:
                request = self._read(sock, buffer, number)
                if request is None or not self._answer(sock, request):
                    return
        except OSError:
            pass  # the client vanished between two requests
        except Exception as error:
            self.errors.append(error)
            raise
        finally:
            with self._changed:
                self._open.discard(sock)
            sock.close()

    def _answer(self, sock: socket.socket, request: Recorded) -> bool:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
        exchange = Exchange(sock, request, self.date_offset, self._travel)
        try:
            self.handle(exchange)
        except Gone:
            if not self.running:  # it was us
                return False
            with self._changed:
                self._disconnects.append(Disconnect(request, exchange.chunks))
                self._changed.notify_all()
            return False
        return exchange.keep_alive

    def _read(self, sock: socket.socket, buffer: bytearray, number: int) -> Recorded | None:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            data = sock.recv(65536)
            if not data or len(buffer) > MAX_HEAD:
                return None
            buffer += data
        first, *lines = buffer[:end].decode("latin-1").split("\r\n")
        del buffer[: end + 4]
        method, target, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, v in (x.split(":", 1) for x in lines)}
        if headers.get("expect", "").lower() == "100-continue":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._read_body(sock, buffer, headers)
        if body is None:
            return None
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        path = unquote(url.path)
        value = parse_json(body)
        op, model, stream = self.classify(method, path, query, value)
        self._travel()
        now, at = time.time(), time.monotonic()
        return Recorded(
            method, path, query, headers, body, value, now, at, number, op, model, stream
        )

    def _travel(self) -> None:
        if self.network[1]:
            time.sleep(random.uniform(*self.network))

    @staticmethod
    def _read_body(
        sock: socket.socket, buffer: bytearray, headers: Mapping[str, str]
    ) -> bytes | None:
        def more() -> bool:
            data = sock.recv(262144)
            buffer.extend(data)
            return bool(data)

        def take(n: int) -> bytes:
            taken = bytes(buffer[:n])
            del buffer[:n]
            return taken

        if headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(headers.get("content-length", "0"))
            while len(buffer) < length:
                if not more():
                    return None
            return take(length)
        body = b""
        while True:
            while (end := buffer.find(b"\r\n")) < 0:
                if not more():
                    return None
            size = int(take(end + 2).split(b";")[0], 16)
            while len(buffer) < size + 2:
                if not more():
                    return None
            body += take(size + 2)[:size]
            if size == 0:
                return body


def parse_json(body: bytes) -> Any:
    """The body as JSON, or None; NaN, Infinity and repeated keys are not JSON here."""

    def refuse(text: str) -> Any:
        raise ValueError(text)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("repeated key")
        return result

    try:
        return json.loads(body, parse_constant=refuse, object_pairs_hook=once)
    except ValueError:
        return None
