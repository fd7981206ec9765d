"""Whose quota a service counts, and whose word on models, projects and the time is taken."""

from __future__ import annotations

import pytest

from gemini_magic.config import Backend, Vertex
from gemini_magic.quota.accounts import counts_as_google, is_googles_own

STUDIO = "https://generativelanguage.googleapis.com"


@pytest.mark.parametrize("kind", ["google", "openai"])
@pytest.mark.parametrize(
    "url",
    [
        STUDIO,
        f"{STUDIO}/v1beta/openai/",
        "https://GenerativeLanguage.GoogleApis.com",
        "https://aiplatform.googleapis.com",
        "https://europe-west4-aiplatform.googleapis.com/v1",
        "https://googleapis.com:443",
    ],
)
def test_google_itself_is_known_by_its_host_whichever_wire_it_speaks(kind: str, url: str) -> None:
    assert is_googles_own(Backend("x", kind, url))


@pytest.mark.parametrize("kind", ["google", "openai"])
@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example.com",
        "https://googleapis.com.example.com",
        "https://notgoogleapis.com",
        "https://example.com/generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com@example.com",
        "",
        None,
    ],
)
def test_a_gateway_is_not_google_itself(kind: str, url: str | None) -> None:
    assert not is_googles_own(Backend("x", kind, url))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
def test_what_speaks_googles_wire_on_this_machine_stands_in_for_google(host: str) -> None:
    assert is_googles_own(Backend("x", "google", f"http://{host}"))
    assert not is_googles_own(Backend("x", "openai", f"http://{host}/v1"))


def test_a_gateway_that_speaks_googles_wire_has_googles_limits_but_not_its_word() -> None:
    gateway = Backend("x", "google", "https://gateway.example.com")
    assert counts_as_google(gateway) and not is_googles_own(gateway)


def test_vertex_has_googles_word() -> None:
    url = "https://aiplatform.googleapis.com"
    assert is_googles_own(Backend("x", "google", url, vertex=Vertex("p")))
