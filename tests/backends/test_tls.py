"""Certificates are verified on https, although none are loaded for plain http."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gemini_magic.backends.base import Backend
from gemini_magic.backends.google import GoogleBackend
from gemini_magic.backends.openai import OpenAIBackend
from gemini_magic.errors import WireError
from gemini_magic.keys import Secret
from gemini_magic.types import Message, Part, Request

KEY = Secret("k" * 20)


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """An https server with a certificate that nobody trusts, and what it was sent."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[bytes] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(client, server_side=True) as tls:
                        received.append(tls.recv(1000))

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", received


@pytest.mark.parametrize("kind", [GoogleBackend, OpenAIBackend])
def test_an_untrusted_certificate_is_refused(
    kind: type[GoogleBackend | OpenAIBackend], impostor: tuple[str, list[bytes]]
) -> None:
    url, received = impostor
    backend: Backend = kind(url, KEY)

    async def ask() -> None:
        async for _ in backend.stream(Request((Message("user", (Part("x"),)),)), "m"):
            pass

    with pytest.raises(WireError) as caught:
        asyncio.run(ask())
    assert caught.value.phase == "connect" and "CERTIFICATE" in caught.value.detail
    assert received == []
