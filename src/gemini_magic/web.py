"""Fetches what an address names: one that the user typed, or one that an answer handed us.

The second kind is untrusted: it is fetched over https only, and from public addresses only. A name
is resolved once, its addresses are checked, and the connection goes to one of those that were
checked, so a name that changes its mind in between gains nothing. Nothing is sent along: no
cookie, no credential, no referrer.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import os
import re
import selectors
import socket
import ssl
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

#: How often a server may send us elsewhere.
_REDIRECTS = 5
#: Seconds between two looks at whether the user interrupted (Windows does not wake a wait).
_SLICE = 0.1
#: Bytes that are read at a time.
_PIECE = 1 << 16
_MOVED = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9_.:-]{1,255}\Z", re.I)
_MIME_TYPE = re.compile(r"[\w.+-]{1,80}/[\w.+-]{1,80}")
#: What stays as it is in a path or a query; the rest is percent-encoded.
_SAFE = "%/:?#[]@!$&'()*+,;=~-._"

#: Addresses that are not the public's although some versions of ``ipaddress`` say so.
#: Source: https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 counterpart.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
#: All that is assigned to the public is here; loopback, mapped, local and multicast are not.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: IPv4 as networks without it see it (RFC 6052); the last four bytes are the address meant.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

T = TypeVar("T")

#: A family of addresses, and an address of it as ``socket.connect`` takes it.
Place: TypeAlias = tuple[int, tuple[Any, ...]]


class Fetched(NamedTuple):
    """What was there. ``mime_type`` is what the server says, in lower case; empty: nothing."""

    data: bytes
    mime_type: str


class FetchError(Exception):
    """An address could not be fetched; one line for people, which names the host."""


class Network:
    """How names become addresses and addresses connections. Tests put one of their own here."""

    def resolve(self, host: str, port: int) -> list[Place]:
        """All addresses of a name. Raises ``OSError``; may block."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, place) for family, _, _, _, place in found]

    def connect(self, place: Place) -> socket.socket:
        """A connection in the making, to exactly this address; never blocks."""
        family, address = place
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect_ex(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def tls(self) -> ssl.SSLContext:
        """Whom to trust."""
        return ssl.create_default_context()


def fetch(
    url: str, *, limit: int, public: bool, timeout: float = 20.0, network: Network | None = None
) -> Fetched:
    """What is at an http or https address: at most ``limit`` bytes, within ``timeout`` seconds.

    With ``public`` the address is untrusted: https only, public addresses only, no proxy. Without
    it the environment's proxies are used, and any address will do, but a public one may not send
    us to a private one. Blocks; an interrupt comes through at once. Raises ``FetchError``.
    """
    visit = _Visit(network or Network(), limit, public, time.monotonic() + timeout, timeout)
    for _ in range(_REDIRECTS + 1):
        found = visit.get(url)
        if isinstance(found, Fetched):
            return found
        url = found
    raise FetchError(f"{_host_of(url)}: sent on more than {_REDIRECTS} times.")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64:
        ip = ipaddress.IPv4Address(ip.packed[-4:])
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return (
        ip.is_global
        and not (ip.is_multicast or ip.is_reserved or ip.is_private)
        and not any(ip.version == net.version and ip in net for net in _SPECIAL)
    )


class _Address(NamedTuple):
    """A checked URL. ``host`` is ASCII; ``path`` is percent-encoded and holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        usual = self.port == _PORTS[self.scheme]
        return _bracketed(self.host) if usual else f"{_bracketed(self.host)}:{self.port}"


class _Visit:
    """One ``fetch``: what it may do, and how long it still has."""

    def __init__(
        self, network: Network, limit: int, public: bool, deadline: float, timeout: float
    ) -> None:
        self._network = network
        self._limit = limit
        self._https_only = self._public_only = public
        self._unproxied = public
        self._deadline = deadline
        self._timeout = timeout

    def get(self, url: str) -> Fetched | str:
        """What is at the address, or where it sends us."""
        address = _read(url, https_only=self._https_only)
        try:
            with closing(self._connected(address)) as sock:
                return self._ask(address, url, sock)
        except FetchError:
            raise
        except TimeoutError:
            raise FetchError(
                f"{address.host}: not done within {self._timeout:g} seconds."
            ) from None
        except ssl.SSLCertVerificationError as error:
            why = _short(error.verify_message)
            raise FetchError(f"{address.host}: its certificate is not valid ({why}).") from None
        except (http.client.HTTPException, ValueError, zlib.error, EOFError) as error:
            why = _short(error) or type(error).__name__
            raise FetchError(f"{address.host}: its answer cannot be read ({why}).") from None
        except OSError as error:
            why = _short(error.strerror or error)
            raise FetchError(f"{address.host}: {why or 'no connection'}.") from None

    # --- the connection ---

    def _connected(self, address: _Address) -> socket.socket:
        proxy = None if self._unproxied else _proxy(address)
        if proxy is None:
            sock = self._open(address.host, address.port, address.host)
        else:
            self._check_literal(address.host)
            self._public_only = True  # for where we are sent next
            sock = self._open(proxy.host, proxy.port, f"the proxy {proxy.host}", checked=False)
        try:
            if address.scheme == "http":
                return sock
            if proxy is not None:
                self._tunnel(sock, address, proxy)
            return self._secured(sock, address.host)
        except BaseException:
            sock.close()
            raise

    def _open(self, host: str, port: int, name: str, *, checked: bool = True) -> socket.socket:
        try:
            places = self._resolved(host, port)
        except (socket.gaierror, UnicodeError):
            raise FetchError(f"{name}: there is no host of this name.") from None
        if not places:
            raise FetchError(f"{name}: there is no host of this name.")
        if checked:
            self._check(name, places)
        failure: OSError = OSError("no connection")
        for index, place in enumerate(places):
            share = _left(self._deadline) / (len(places) - index)  # one may be a black hole
            sock = self._network.connect(place)
            try:
                _ready(sock, time.monotonic() + share, write=True)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return sock
                failure = OSError(code, os.strerror(code))
            except TimeoutError as error:
                failure = error
            except BaseException:
                sock.close()
                raise
            sock.close()
        if isinstance(failure, TimeoutError):
            raise failure
        raise FetchError(f"{name}: {_short(failure.strerror or failure)}.")

    def _check(self, name: str, places: Sequence[Place]) -> None:
        private = [place[1][0] for place in places if not is_public(place[1][0])]
        if private and self._public_only:
            raise FetchError(f"{name} is at {private[0]}, which is no public address.")
        self._public_only = self._public_only or not private

    def _check_literal(self, host: str) -> None:
        """Check a host that only the proxy resolves, as far as that is possible: an address."""
        with suppress(OSError, ValueError):  # it is a name
            number = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
            if self._public_only and not is_public(number):
                raise FetchError(f"{host} is at {number}, which is no public address.")

    def _resolved(self, host: str, port: int) -> list[Place]:
        """The addresses, found on a thread of their own: the system's search cannot be stopped."""
        done = threading.Event()
        found: list[list[Place] | Exception] = []

        def look() -> None:
            try:
                found.append(self._network.resolve(host, port))
            except Exception as error:
                found.append(error)
            done.set()

        threading.Thread(target=look, name="gemini_magic name", daemon=True).start()
        while not done.wait(min(_SLICE, _left(self._deadline))):
            pass
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _secured(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        context = self._network.tls()
        context.set_alpn_protocols(["http/1.1"])
        secure = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        try:
            _patiently(secure, self._deadline, secure.do_handshake)
        except BaseException:
            secure.close()
            raise
        return secure

    def _tunnel(self, sock: socket.socket, address: _Address, proxy: _Proxy) -> None:
        where = f"{_bracketed(address.host)}:{address.port}"
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *proxy.headers]
        self._send(sock, lines)
        answer = self._answer(sock, "CONNECT")
        if answer.status != 200:
            raise FetchError(f"{address.host}: the proxy {proxy.host} answered {answer.status}.")

    # --- the exchange ---

    def _ask(self, address: _Address, url: str, sock: socket.socket) -> Fetched | str:
        proxy = None if self._unproxied or address.scheme == "https" else _proxy(address)
        target = address.path if proxy is None else f"http://{address.authority}{address.path}"
        self._send(
            sock,
            [
                f"GET {target} HTTP/1.1",
                f"Host: {address.authority}",
                "User-Agent: gemini-magic",
                "Accept: */*",
                "Accept-Encoding: identity",
                "Connection: close",
                *(proxy.headers if proxy else ()),
            ],
        )
        answer = self._answer(sock, "GET")
        if answer.status in _MOVED and (location := answer.getheader("Location")):
            return urljoin(url, location.strip())
        if answer.status not in (200, 203):
            raise FetchError(f"{address.host} answered {_status(answer.status)}.")
        if (answer.length or 0) > self._limit:
            raise self._too_large(address.host)
        data = self._body(answer, address.host)
        kind = _MIME_TYPE.match((answer.getheader("Content-Type") or "").strip().lower())
        return Fetched(data, kind.group() if kind else "")

    def _send(self, sock: socket.socket, lines: Sequence[str]) -> None:
        rest = memoryview("\r\n".join([*lines, "", ""]).encode("ascii"))
        while rest:
            rest = rest[_patiently(sock, self._deadline, partial(sock.send, rest), write=True) :]

    def _answer(self, sock: socket.socket, method: str) -> http.client.HTTPResponse:
        line: Any = _Line(sock, self._deadline)
        answer = http.client.HTTPResponse(line, method=method)
        answer.begin()
        return answer

    def _body(self, answer: http.client.HTTPResponse, host: str) -> bytes:
        encoding = (answer.getheader("Content-Encoding") or "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise FetchError(f"{host}: its answer is compressed in an unknown way.")
        unpack = None if encoding == "identity" else zlib.decompressobj(wbits=47)  # both kinds
        body = bytearray()
        while piece := answer.read(_PIECE):
            if unpack is not None:
                piece = unpack.decompress(piece, self._limit - len(body) + 1)
            body += piece
            if len(body) > self._limit:
                raise self._too_large(host)
        if unpack is not None and unpack.unused_data:
            raise FetchError(f"{host}: its answer is compressed in an unknown way.")
        if answer.length or (unpack is not None and not unpack.eof):
            raise FetchError(f"{host}: the connection ended before all was there.")
        return bytes(body)

    def _too_large(self, host: str) -> FetchError:
        return FetchError(f"{host}: more than {self._limit / 1e6:.3g} MB, which is too large.")


class _Line(io.RawIOBase):
    """What a socket receives, as a file that keeps to a deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, _PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return _patiently(self._sock, self._deadline, partial(self._sock.recv_into, buffer))


def _patiently(
    sock: socket.socket, deadline: float, attempt: Callable[[], T], *, write: bool = False
) -> T:
    """Do something with a socket that does not block, as soon as it can be done."""
    while True:
        _left(deadline)
        try:
            return attempt()
        except ssl.SSLWantReadError:
            _ready(sock, deadline, write=False)
        except ssl.SSLWantWriteError:
            _ready(sock, deadline, write=True)
        except BlockingIOError:
            _ready(sock, deadline, write=write)


def _ready(sock: socket.socket, deadline: float, *, write: bool) -> None:
    """Wait until a socket can be read or written, in slices, so that Windows can interrupt."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE if write else selectors.EVENT_READ)
        while not selector.select(min(_SLICE, _left(deadline))):
            pass


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises ``TimeoutError`` after it."""
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


# --- addresses -----------------------------------------------------------------------------------


def _read(url: str, *, https_only: bool) -> _Address:
    host = _host_of(url)
    if any(char <= " " or char == "\x7f" for char in url.strip(" ")):
        raise FetchError(f"{host}: an address holds no blanks and no control characters.")
    try:
        split = urlsplit(url.strip(" "))
        port, name = split.port, split.hostname or ""
        name = name if ":" in name else name.encode("idna").decode("ascii")
    except ValueError:  # also UnicodeError
        raise FetchError(f"{host}: this is no address.") from None
    if split.scheme not in (("https",) if https_only else ("http", "https")):
        wanted = "https" if https_only else "http and https"
        raise FetchError(f"{host}: only {wanted} addresses are fetched.")
    if split.username is not None or split.password is not None:
        raise FetchError(f"{host}: an address with a user name or password is not fetched.")
    if not _HOST.match(name) or port == 0:
        raise FetchError(f"{host}: this is no address.")
    path = f"{split.path or '/'}{'?' if split.query else ''}{split.query}"
    return _Address(split.scheme, name, port or _PORTS[split.scheme], quote(path, safe=_SAFE))


def _host_of(url: str) -> str:
    """The host of any text that may be an address, for an error's first word."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return _short(host or url.partition("?")[0].rpartition("@")[2]) or "(no host)"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Proxy(NamedTuple):
    host: str
    port: int
    headers: tuple[str, ...]


def _proxy(address: _Address) -> _Proxy | None:
    """The proxy that the environment names for an address."""
    from urllib.request import getproxies, proxy_bypass

    given = getproxies()
    url = given.get(address.scheme) or given.get("all")
    if not url or proxy_bypass(address.authority):
        return None
    try:
        split = urlsplit(url if "://" in url else f"http://{url}")
        host, port = split.hostname, split.port or 80
    except ValueError:
        host, port = None, 0
    if not host or split.scheme != "http":
        raise FetchError(
            f"{address.host}: the proxy that the environment names for it is no http:// proxy."
        )
    if split.username is None:
        return _Proxy(host, port, ())
    words = f"{unquote(split.username)}:{unquote(split.password or '')}"
    token = b64encode(words.encode()).decode("ascii")
    return _Proxy(host, port, (f"Proxy-Authorization: Basic {token}",))


# --- words ---------------------------------------------------------------------------------------


def _status(code: int) -> str:
    """A status as people know it; the server's own phrase is not repeated."""
    phrase = http.client.responses.get(code, "")
    return f"{code} {phrase}".strip()


def _short(what: object) -> str:
    """One short printable line of anything."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(what)).split())
    return text.rstrip(".") if len(text) <= 160 else f"{text[:159]}…"
