"""Fetches a file over HTTP so that a killed download goes on, and verifies it.

Nothing is installed, imported or run. Credentials in an address are sent to that host alone and
never told.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from gemini_magic.backends.base import CONNECT_TIMEOUT
from gemini_magic.errors import GeminiMagicError, Interrupted

#: Seconds of silence after which a download is taken up anew.
READ_TIMEOUT = 30.0
#: How often in a row a download may break off without a new byte, unless told otherwise.
PATIENCE = 3
_CHUNK = 1 << 18
_NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
_DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Unfetched(Exception):
    """One source did not give the file; the message is one line without addresses' secrets."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download has come, in bytes; ``what`` is what is happening now."""

    done: int
    total: int
    what: str


def public(url: str) -> str:
    """The address without user, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_trouble(path: Path) -> Iterator[None]:
    """Within it, a full disk is an error for people."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _DISK_FULL:
            raise
        raise GeminiMagicError(
            f"the disk that holds {path.parent} is full.",
            "make room and run the same command again: it goes on where it stopped",
        ) from problem


def stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Interrupted(
            "the download was stopped; what has come is kept.",
            "run the same command again to go on",
        )


# --- HTTP ---------------------------------------------------------------------------------------


class _Timeouts(http.client.HTTPConnection):
    """Little time to connect, more for what comes after."""

    def connect(self) -> None:
        self.timeout = CONNECT_TIMEOUT
        super().connect()
        self.sock.settimeout(READ_TIMEOUT)


class _SecureTimeouts(_Timeouts, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Timeouts, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        context = self._context  # type: ignore[attr-defined]
        return self.do_open(_SecureTimeouts, req, context=context)


@lru_cache(maxsize=1)
def _opener() -> urllib.request.OpenerDirector:
    from gemini_magic.backends.indexes import ca_bundles

    context = ssl.create_default_context()  # reads SSL_CERT_FILE and SSL_CERT_DIR
    bundles = ca_bundles()
    if not bundles and not context.get_ca_certs() and ssl.get_default_verify_paths().cafile is None:
        try:  # Pythons from python.org bring no certificates on macOS
            import certifi
        except ImportError:
            pass
        else:
            bundles = [Path(certifi.where())]
    for bundle in bundles:
        if bundle.is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    return urllib.request.build_opener(_Http(), _Https(context=context))


def open_url(url: str, headers: dict[str, str], authorization: str) -> Any:
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unfetched(f"{public(url)}: not an http address")
    request = urllib.request.Request(without_user(url), headers=headers)
    if authorization:  # unredirected: never handed on to another host
        request.add_unredirected_header("Authorization", authorization)
    return _opener().open(request)


def without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def authorization_for(url: str) -> str:
    """The header that carries the user and password in an address; empty if there are none."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return ""
    if ":" not in user:
        user += ":"
    return "Basic " + base64.b64encode(unquote(user).encode()).decode("ascii")


def told(url: str, problem: Exception) -> str:
    host = urlsplit(public(url)).netloc
    if isinstance(problem, urllib.error.HTTPError):
        return f"{host} answered {problem.code}"
    reason = getattr(problem, "reason", problem)
    return f"{host}: {' '.join(str(reason).split()) or type(reason).__name__}"


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str,
    limit: int,
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
    authorization: str = "",
    patience: int = PATIENCE,
) -> None:
    """Fetch ``url`` into ``target``, going on from what is there, and verify it.

    ``progress`` gets the bytes that are there; ``limit`` is the largest size accepted; ``patience``
    is how often in a row the download may break off without a new byte. Raises Unfetched (a file
    of wrong content is deleted first), Interrupted, or GeminiMagicError where the disk is full.
    """
    fruitless = 0
    while True:
        stop_if(cancelled)
        before = _size(target)
        try:
            whole = _fetch_on(url, target, limit, progress, cancelled, authorization)
        except urllib.error.HTTPError as problem:
            problem.close()
            fruitless += 1
            passing = problem.code in (408, 429) or problem.code >= 500
            if passing and fruitless < patience:
                time.sleep(0.2 * 3**fruitless)
                continue
            if problem.code != 416 or not before:
                raise Unfetched(told(url, problem)) from None
            whole = True  # nothing is left to fetch; the hash decides
        except _NETWORK as problem:
            fruitless = 0 if _size(target) > before else fruitless + 1
            if fruitless >= patience:
                raise Unfetched(told(url, problem)) from None
            time.sleep(0.2 * 3**fruitless)
            continue
        if not whole:
            fruitless = 0 if _size(target) > before else fruitless + 1
            if fruitless >= patience:
                raise Unfetched(f"{urlsplit(public(url)).netloc}: the download breaks off")
            time.sleep(0.2)
            continue
        if sha256_of(target) == sha256:
            return
        target.unlink()
        if not before:
            name = Path(urlsplit(url).path).name
            raise Unfetched(f"{urlsplit(public(url)).netloc}: {name} has the wrong SHA-256")
        # The part from an earlier run may have been the bad one: once more from the start.


def _fetch_on(
    url: str,
    target: Path,
    limit: int,
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
    authorization: str,
) -> bool:
    """Add what is missing to ``target``; whether all came that the server announced."""
    have = _size(target)
    headers = {"Accept-Encoding": "identity", "User-Agent": "gemini-magic"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with open_url(url, headers, authorization) as answer:
        start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
        if answer.status != 206 or not start or int(start[1]) != have:
            if answer.status == 206:
                raise Unfetched(f"{urlsplit(public(url)).netloc}: sent another range than asked")
            have = 0
        length = answer.headers.get("Content-Length")
        end = have + int(length) if length else None
        with disk_trouble(target), target.open("ab" if have else "wb") as file:
            while chunk := answer.read(_CHUNK):
                have += len(chunk)
                if have > limit:
                    file.truncate(0)
                    raise Unfetched(f"{urlsplit(public(url)).netloc}: the file is too large")
                file.write(chunk)
                progress(have)
                stop_if(cancelled)
        return end is None or have == end


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def folder_has_room(folder: Path, needed: int) -> None:
    """Raise unless the disk that holds ``folder`` has ``needed`` bytes left."""
    import shutil

    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GeminiMagicError(
            f"{needed / 1e6:.0f} MB are needed in {folder}, and {free / 1e6:.0f} MB are free.",
            "make room, or choose another folder with the variable GEMINI_MAGIC_HOME",
        )
