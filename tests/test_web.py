"""What an address names is fetched within its bounds, or refused in one line; real servers."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.web import Fetched, FetchError, Network, Place, fetch, is_public

PUBLIC = "93.184.216.34"
NAME = "pictures.example"
Answer = Callable[[socket.socket, bytes], None]


def reply(
    body: bytes = b"hello", *headers: str, status: str = "200 OK", length: bool = True
) -> Answer:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] * length), "", ""]
    return lambda client, _: client.sendall("\r\n".join(lines).encode() + body)


class Server:
    """Gives each connection in turn the next answer (the last one again and again)."""

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answers, self.context = list(answers), context
        self.received: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{path}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self.context is not None:
                client = self.context.wrap_socket(client, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request and (piece := client.recv(65536)):
                request += piece
            self.received.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            answer(client, request)
            client.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(*answers: Answer, context: ssl.SSLContext | None = None) -> Server:
            server = Server(*answers, context=context)
            stack.callback(server.listener.close)
            return server

        yield start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for NAME that is its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    key, made = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context


class Pretend(Network):
    """Names of its own, whose addresses all lead to loopback; remembers who was connected."""

    def __init__(self, authority: Path | None = None, **names: list[str] | list[list[str]]) -> None:
        self.authority = authority
        self.names: dict[str, Any] = {NAME: [PUBLIC], **names}
        self.resolved: list[str] = []
        self.connected: list[str] = []

    def resolve(self, host: str, port: int) -> list[Place]:
        self.resolved.append(host)
        found = self.names.get(host)
        if found is None:
            return super().resolve(host, port)
        if found and isinstance(found[0], list):  # a name that changes its mind
            found = found.pop(0) if len(found) > 1 else found[0]
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in address], (address, port)) for address in found]

    def connect(self, place: Place) -> socket.socket:
        address, port = place[1][:2]
        self.connected.append(address)
        return super().connect((socket.AF_INET, ("127.0.0.1", port)))

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)


def get(url: str, *, limit: int = 1_000_000, public: bool = False, **more: Any) -> Fetched:
    return fetch(url, limit=limit, public=public, **more)


def refused(url: str, **more: Any) -> str:
    with pytest.raises(FetchError) as caught:
        get(url, **more)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value)


# --- what works ----------------------------------------------------------------------------------


def test_a_file_is_fetched_with_its_type(serve: Callable[..., Server]) -> None:
    server = serve(reply(b"\x89PNG", "Content-Type: Image/PNG; charset=x"))
    assert get(server.url("/a b?q=ä#part".replace(" ", "%20"))) == Fetched(b"\x89PNG", "image/png")
    [request] = server.received
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /a%20b?q=%C3%A4 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert not any(
        line.lower().startswith(("cookie", "authorization", "referer")) for line in lines
    )


@pytest.mark.parametrize("kind", ["", "Content-Type:", "Content-Type: ???", "X: y"])
def test_a_type_that_is_none_is_empty(serve: Callable[..., Server], kind: str) -> None:
    headers = [kind] if kind else []
    assert get(serve(reply(b"x", *headers)).url()) == Fetched(b"x", "")


def test_answers_in_chunks_without_a_length_and_compressed(serve: Callable[..., Server]) -> None:
    chunked = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    answers = (
        reply(chunked, "Transfer-Encoding: chunked", length=False),
        reply(b"abcde", length=False),
        reply(gzip.compress(b"abcde"), "Content-Encoding: gzip"),
        reply(zlib.compress(b"abcde"), "Content-Encoding: deflate"),
    )
    server = serve(*answers)
    for _ in answers:
        assert get(server.url()).data == b"abcde"
    assert all(b"Accept-Encoding: identity" in request for request in server.received)


def test_the_limit_is_inclusive(serve: Callable[..., Server]) -> None:
    server = serve(reply(b"x" * 100))
    assert len(get(server.url(), limit=100).data) == 100
    assert "too large" in refused(server.url(), limit=99)


def test_redirects_are_followed(serve: Callable[..., Server]) -> None:
    last = serve(reply(b"there"))
    server = serve(
        reply(b"", "Location: /b", status="301 Moved"),
        reply(b"", "Location: c?d", status="303 See Other"),
        reply(b"", f"Location: {last.url()}", status="307 Temporary"),
    )
    assert get(server.url("/a/")).data == b"there"
    assert [request.split()[1] for request in server.received] == [b"/a/", b"/b", b"/c?d"]


def test_tls_is_verified_against_the_name(
    serve: Callable[..., Server], secure: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    server = serve(reply(b"safe"), context=secure)
    network = Pretend(certificate[1], **{"other.example": [PUBLIC]})
    assert get(server.url(host=NAME), public=True, network=network).data == b"safe"
    assert network.connected == [PUBLIC] and network.resolved == [NAME]
    words = refused(server.url(host="other.example"), public=True, network=network)
    assert words.startswith("other.example: its certificate is not valid (") and "ismatch" in words
    words = refused(server.url(host=NAME), public=True, network=Pretend())
    assert words.startswith(f"{NAME}: its certificate is not valid (")
    assert len(server.received) == 1


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1",
        "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "239.1.1.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
        "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1",
        "2001::1", "2001:0:53aa:64c:0:7fff:f2ff:fffe", "2001:10::1", "2001:db8::1", "2002:7f00:1::",
        "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fe80::1%eth0", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)
    words = refused(f"https://{NAME}/", public=True, network=Pretend(**{NAME: [address]}))
    assert words == f"{NAME} is at {address}, which is no public address."


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="fc00::/7"))
def test_no_private_address_is_public(address: Any) -> None:
    assert not is_public(str(address))


def test_every_address_of_a_name_has_to_be_public() -> None:
    network = Pretend(**{NAME: [PUBLIC, "10.0.0.7"]})
    assert "is at 10.0.0.7" in refused(f"https://{NAME}/", public=True, network=network)
    assert network.connected == []


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "①②⑦.⓪.⓪.①"]
)
def test_no_spelling_of_loopback_is_public(serve: Callable[..., Server], host: str) -> None:
    server = serve(reply())
    words = refused(f"https://{host}:{server.port}/", public=True)
    assert "no public address" in words or "no host of this name" in words
    assert server.received == []


def test_a_name_that_changes_its_mind_gains_nothing(
    serve: Callable[..., Server], secure: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    server = serve(reply(b"safe"), context=secure)
    network = Pretend(certificate[1], **{NAME: [[PUBLIC], ["127.0.0.1"]]})
    assert get(server.url(host=NAME), public=True, network=network).data == b"safe"
    assert network.connected == [PUBLIC]
    words = refused(server.url(host=NAME), public=True, network=network)
    assert "no public address" in words and network.connected == [PUBLIC]


@pytest.mark.parametrize("public", [True, False])
def test_a_redirect_of_the_public_leads_to_no_private_place(
    serve: Callable[..., Server],
    secure: ssl.SSLContext,
    certificate: tuple[Path, Path],
    public: bool,
) -> None:
    canary = serve(reply(b"secret"), context=secure)
    server = serve(reply(b"", f"Location: {canary.url()}", status="302 Found"), context=secure)
    network = Pretend(certificate[1])
    words = refused(server.url(host=NAME), public=public, network=network)
    assert words == "127.0.0.1 is at 127.0.0.1, which is no public address."
    assert canary.received == [] and network.connected == [PUBLIC]


@pytest.mark.parametrize(
    "location",
    ["http://pictures.example/", "file:///etc/passwd", "ftp://x/y", "data:text/plain,x",
     "https://u:p@pictures.example/", "//[::1/"],
)  # fmt: skip
def test_where_a_redirect_may_not_lead(
    serve: Callable[..., Server],
    secure: ssl.SSLContext,
    certificate: tuple[Path, Path],
    location: str,
) -> None:
    server = serve(reply(b"", f"Location: {location}", status="302 Found"), context=secure)
    network = Pretend(certificate[1])
    refused(server.url(host=NAME), public=True, network=network)
    assert len(network.connected) == 1


def test_redirects_in_a_circle_end(serve: Callable[..., Server]) -> None:
    server = serve(reply(b"", "Location: /", status="302 Found"))
    assert refused(server.url()) == "127.0.0.1: sent on more than 5 times."
    assert len(server.received) == 6


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h.example/", "h.example: only https addresses are fetched."),
        ("https://a:b@h.example/", "h.example: an address with a user name"),
        ("https://@h.example/", "h.example: an address with a user name"),
        ("https://h.example:99999/", "h.example: this is no address."),
        ("https://h.example:0/", "h.example: this is no address."),
        ("https://[::1/", "this is no address."),
        ("https:///x", "this is no address."),
        ("https://h\r\nX: y/", "control characters"),
        ("https://h.example/\x00", "h.example: an address holds no blanks"),
        ("https://" + "a" * 70 + ".example/", "this is no address."),
        ("https://a<b>.example/", "a<b>.example: this is no address."),
        ("https://" + "a." * 5_000 + "b/", "this is no address."),
        ("", "(no host): only https"),
        ("x", "x: only https"),
    ],
)
def test_what_is_no_such_address(url: str, words: str) -> None:
    network = Pretend()
    assert words in refused(url, public=True, network=network)
    assert network.resolved == []


def test_names_that_nobody_has() -> None:
    assert refused("https://nobody.invalid/", public=True) == (
        "nobody.invalid: there is no host of this name."
    )
    assert "no host of this name" in refused("http://x/", network=Pretend(x=[]))


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = refused(f"http://127.0.0.1:{port}/")
    assert words.startswith("127.0.0.1: ") and "refused" in words.lower()


def test_a_dead_address_does_not_hide_a_live_one(serve: Callable[..., Server]) -> None:
    server = serve(reply(b"alive"))

    class HalfDead(Pretend):
        def connect(self, place: Place) -> socket.socket:
            if place[1][0] == "10.0.0.1":
                self.connected.append("10.0.0.1")
                return Network.connect(self, (socket.AF_INET, ("127.0.0.1", 1)))
            return super().connect(place)

    network = HalfDead(both=["10.0.0.1", "10.0.0.2"])
    assert get(f"http://both:{server.port}/", network=network).data == b"alive"
    assert network.connected == ["10.0.0.1", "10.0.0.2"]


def test_an_address_that_never_answers_does_not_take_all_the_time(
    serve: Callable[..., Server],
) -> None:
    server = serve(reply(b"alive"))
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]  # they fill its queue, so the next one waits

    class BlackHole(Pretend):
        def connect(self, place: Place) -> socket.socket:
            if place[1][0] == "10.0.0.1":
                return Network.connect(self, (socket.AF_INET, full.getsockname()))
            return super().connect(place)

    with full, ExitStack() as stack:
        for sock in waiting:
            stack.enter_context(sock).setblocking(False)
            sock.connect_ex(full.getsockname())
        url = f"http://both:{server.port}/"
        names = {"both": ["10.0.0.1", "10.0.0.2"]}
        assert get(url, network=BlackHole(**names), timeout=2).data == b"alive"


# --- hostile answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(b"", status="404 <b>no\x1b[31m</b>"), "127.0.0.1 answered 404 Not Found."),
        (reply(b"", status="799 x"), "127.0.0.1 answered 799."),
        (reply(b"", status="302 Found"), "answered 302 Found."),
        (reply(b"x", status="206 Partial"), "answered 206"),
        (reply(b"", status="204 No Content"), "answered 204"),
        (lambda client, _: client.sendall(b"nonsense\r\n\r\n"), "cannot be read"),
        (lambda client, _: None, "cannot be read"),
        (lambda client, _: client.sendall(b"HTTP/1.1 200\r\n" + b"a: b\r\n" * 999), "cannot be"),
        (lambda client, _: client.sendall(b"HTTP/1.1 200 OK\r\n" + b"a" * 100_000), "cannot be"),
        (reply(b"x", "Content-Length: 10", length=False), "ended before all was there"),
        (reply(b"5\r\nab", "Transfer-Encoding: chunked", length=False), "cannot be read"),
        (reply(b"zz\r\nab", "Transfer-Encoding: chunked", length=False), "cannot be read"),
        (reply(b"x", "Content-Encoding: br"), "compressed in an unknown way"),
        (reply(gzip.compress(b"x") * 2, "Content-Encoding: gzip"), "compressed in an unknown way"),
        (reply(b"no gzip", "Content-Encoding: gzip"), "cannot be read"),
        (reply(gzip.compress(b"x" * 99)[:-9], "Content-Encoding: gzip"), "ended before all"),
        (reply(b"x", "Content-Length: 99999999999", length=False), "too large"),
    ],
)  # fmt: skip
def test_answers_that_are_none(serve: Callable[..., Server], answer: Answer, words: str) -> None:
    text = refused(serve(answer).url(), timeout=5)
    assert words in text and "<b>" not in text and "\x1b" not in text


def test_a_length_that_lies_and_a_stream_without_end(serve: Callable[..., Server]) -> None:
    sent = 0

    def endless(client: socket.socket, _: bytes) -> None:
        nonlocal sent
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += client.send(b"x" * 65536)

    assert "more than 1 MB" in refused(serve(endless).url(), limit=1_000_000)
    assert sent < 20_000_000
    short = serve(reply(b"x" * 500, "Content-Length: 5", length=False))
    assert get(short.url()).data == b"x" * 5


def test_a_bomb_is_not_unpacked(serve: Callable[..., Server]) -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    server = serve(reply(bomb, "Content-Encoding: gzip"))
    began = time.process_time()
    assert "too large" in refused(server.url(), limit=1_000_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("where", ["head", "body", "handshake", "connect"])
def test_a_slow_drip_ends_with_the_deadline(serve: Callable[..., Server], where: str) -> None:
    def drip(client: socket.socket, _: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nX: "
        client.sendall(head if where == "head" else head + b"y\r\n\r\n")
        while True:
            client.sendall(b"z")
            time.sleep(0.05)

    began = time.monotonic()
    if where in ("head", "body"):
        words = refused(serve(drip).url(), timeout=0.5)
    else:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:  # accepts nobody
            port = silent.getsockname()[1]
            scheme = "https" if where == "handshake" else "http"
            words = refused(f"{scheme}://127.0.0.1:{port}/", timeout=0.5)
    assert words == "127.0.0.1: not done within 0.5 seconds."
    assert 0.4 < time.monotonic() - began < 3


def test_a_search_for_a_name_without_end_ends_with_the_deadline() -> None:
    class Slow(Network):
        def resolve(self, host: str, port: int) -> list[Place]:
            time.sleep(3)
            return []

    began = time.monotonic()
    assert "not done within 0.3" in refused("http://x/", timeout=0.3, network=Slow())
    assert time.monotonic() - began < 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signals here")
def test_an_interrupt_comes_through_at_once(serve: Callable[..., Server]) -> None:
    asked = threading.Event()

    def silent(client: socket.socket, _: bytes) -> None:
        asked.set()
        time.sleep(5)

    def interrupt() -> None:
        asked.wait(5)
        time.sleep(0.1)
        began.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    began: list[float] = []
    server = serve(silent)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            get(server.url(), timeout=10)
        assert time.monotonic() - began[0] < 0.3
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)


# --- proxies -------------------------------------------------------------------------------------


def test_the_users_proxy_is_used_for_the_users_addresses(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(reply(b"through"))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", f"http://me:se%20cret@127.0.0.1:{proxy.port}")
    assert get("http://far.invalid/x?y").data == b"through"
    [request] = proxy.received
    assert request.startswith(b"GET http://far.invalid/x?y HTTP/1.1\r\nHost: far.invalid\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2UgY3JldA==" in request
    for host in ("127.0.0.1:1", "169.254.169.254", "2130706433", "[::1]"):
        proxy.answers[:] = [reply(b"", f"Location: http://{host}/", status="302 Found")]
        asked = len(proxy.received)
        assert "no public address" in refused("http://far.invalid/")
        assert len(proxy.received) == asked + 1
    monkeypatch.setenv("no_proxy", "far.invalid")
    assert "no host of this name" in refused("http://far.invalid/")
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    assert "no http:// proxy" in refused("http://near.invalid/")


def test_a_tunnel_through_the_proxy(
    serve: Callable[..., Server],
    secure: ssl.SSLContext,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tunnel(client: socket.socket, _: bytes) -> None:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with secure.wrap_socket(client, server_side=True) as inner:
            inner.recv(65536)
            reply(b"safe")(inner, b"")

    proxy = serve(tunnel, reply(b"", status="403 Forbidden"), tunnel)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    network = Pretend(certificate[1])
    assert get(f"https://{NAME}/", network=network).data == b"safe"
    assert proxy.received[0].startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n".encode())
    assert "the proxy 127.0.0.1 answered 403" in refused(f"https://{NAME}/", network=network)
    direct = Pretend(certificate[1])
    refused(f"https://{NAME}:1/", public=True, network=direct)
    assert len(proxy.received) == 2 and direct.connected == [PUBLIC]
