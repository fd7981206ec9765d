"""Every route answers by its schema, to nobody without a token, and refuses what is none of it."""

from __future__ import annotations

import asyncio
import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from gemini_magic.option_table import OPTIONS
from gemini_magic.server.table import ROUTES, Route
from tests.server.lab import API, Jupyter, notebook

READING = [route for route in ROUTES if route.verb == "GET"]
WRITING = [route for route in ROUTES if route.body is not None]


def address(route: Route) -> str:
    return route.path.replace("{name}", "studio")


def example(route: Route) -> dict[str, Any]:
    """A body that the route's schema takes."""
    values = {"path": "none.ipynb", "target": "curl", "to": "openai", "content": notebook("1"),
              "ids": ["1"], "id": "1", "name": "other"}  # fmt: skip
    assert route.body is not None
    body = {name: values[name] for name in route.body["required"]}
    Draft202012Validator(route.body).validate(body)
    return body


@pytest.mark.parametrize("route", READING, ids=lambda route: route.path)
def test_what_is_read_fits_its_schema(jupyter: Jupyter, route: Route) -> None:
    jupyter.call("GET", route.path)


def test_the_document_tells_every_route(jupyter: Jupyter) -> None:
    document = json.loads(jupyter.get(f"{API}/openapi.json"))
    told = {(verb.upper(), path[1:]) for path, verbs in document["paths"].items() for verb in verbs}
    known = {(route.verb, route.path) for route in ROUTES}
    assert told == {*known, ("GET", "openapi.json"), ("GET", "live")}
    for route in ROUTES:
        operation = document["paths"][f"/{route.path}"][route.verb.lower()]
        assert str(route.status) in operation["responses"]
        assert ("requestBody" in operation) == (route.body is not None)
    assert document["servers"] == [{"url": API}]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token 0123456789abcdef"}])
@pytest.mark.parametrize(
    ("verb", "path"),
    [*((route.verb, address(route)) for route in ROUTES), ("GET", "openapi.json"),
     ("GET", "live"), ("GET", "none"), ("POST", "none"), ("PUT", "cache"), ("HEAD", "quota"),
     ("PATCH", "quota")],
)  # fmt: skip
def test_nobody_is_answered_without_a_token(
    jupyter: Jupyter, verb: str, path: str, headers: dict[str, str]
) -> None:
    body = b"{}" if verb in ("POST", "PUT", "PATCH") else None
    status, content = jupyter.ask(verb, f"{API}/{path}", body, headers)
    assert status == 403 or (status, verb) == (405, "HEAD")
    assert verb == "HEAD" or set(json.loads(content)) == {"message", "next"}


class Browser:
    """Somebody who logged in, and whom a foreign page may let send requests."""

    def __init__(self, jupyter: Jupyter) -> None:
        self._url = jupyter.url
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._opener.open(f"{self._url}/login", timeout=60).read()
        form = {"password": jupyter.token, "_xsrf": self.cookie("_xsrf")}
        data = urllib.parse.urlencode(form).encode()
        self._opener.open(f"{self._url}/login", data, timeout=60).read()

    def cookie(self, name: str) -> str:
        return next(cookie.value or "" for cookie in self._jar if cookie.name == name)

    @property
    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> int:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data, headers, method=verb)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code


def test_a_foreign_page_cannot_use_the_cookies_of_who_is_logged_in(jupyter: Jupyter) -> None:
    browser = Browser(jupyter)
    xsrf = {"X-XSRFToken": browser.cookie("_xsrf")}
    body = {"content": notebook("1")}
    scan = f"{API}/secrets/scan"
    assert browser.ask("POST", scan, body, **xsrf) == 200
    assert browser.ask("POST", scan, body) == 403
    assert browser.ask("POST", scan, body, **{"X-XSRFToken": "x"}) == 403
    assert browser.ask("DELETE", f"{API}/cache") == 403
    assert browser.ask("DELETE", f"{API}/cache", **xsrf) == 204
    foreign = {"Origin": "https://evil.example", **xsrf}
    assert browser.ask("GET", f"{API}/quota", **xsrf) == 200
    assert browser.ask("GET", f"{API}/quota", **foreign) == 404
    assert browser.ask("POST", scan, body, **foreign) == 404
    assert connects(jupyter, Cookie=browser.cookies, Origin=jupyter.url) == 101
    assert connects(jupyter, Cookie=browser.cookies, Origin="https://evil.example") == 403
    assert connects(jupyter, Origin=jupyter.url) == 403


def connects(jupyter: Jupyter, **headers: str) -> int:
    """The status that the websocket gives to these headers."""

    async def connect() -> int:
        address = f"{jupyter.url.replace('http', 'ws')}{API}/live"
        try:
            (await websocket_connect(HTTPRequest(address, headers=headers))).close()
        except HTTPClientError as refusal:
            return int(refusal.code)
        return 101

    return asyncio.run(connect())


@pytest.mark.parametrize("route", WRITING, ids=lambda route: route.path)
def test_bodies_that_are_none_are_refused(jupyter: Jupyter, route: Route) -> None:
    path, good = address(route), example(route)
    for body in (b"", b"[]", b"1", b"null", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000):
        if route.body == {**route.body, "required": []} and body == b"":
            continue  # nothing is needed
        assert jupyter.refused(route.verb, path, body)[0] == 400, body
    status, message, _ = jupyter.refused(route.verb, path, {**good, "more": 1})
    assert status == 400 and "more" in message
    for name in good:
        rest = {key: value for key, value in good.items() if key != name}
        assert jupyter.refused(route.verb, path, rest)[0] == 400
        for wrong in (None, 7, [1], {"a": "secret-value"}, "x" * 5_000):
            if name == "content" and isinstance(wrong, dict):
                continue  # whatever is in it
            status, message, _ = jupyter.refused(route.verb, path, {**good, name: wrong})
            assert 400 <= status < 500
            assert "secret-value" not in message


def test_queries_that_are_none_are_refused(jupyter: Jupyter) -> None:
    for query in ("limit=0", "limit=x", "limit=1.5", "limit=-1", "limit=501", "limit=" + "9" * 400,
                  "more=1", "limit=%FF", "limit=%C2%B2"):  # fmt: skip
        assert jupyter.refused("GET", f"requests?{query}")[0] == 400, query
    assert jupyter.refused("GET", "quota/history?model=" + "x" * 5_000)[0] == 400
    assert jupyter.call("GET", "requests?limit=3") == []
    assert jupyter.call("GET", "quota/history?model=%00&backend=%2e%2e")["hours"]


def test_a_server_that_allows_nothing_unauthenticated_has_our_routes(own_strict: Jupyter) -> None:
    assert own_strict.call("GET", "cache") == {"replies": 0, "bytes": 0}
    assert own_strict.call("POST", "secrets/scan", {"content": {}}) == {"findings": []}
    for verb, path in (("GET", "cache"), ("HEAD", "cache"), ("GET", "live"), ("GET", "none")):
        assert own_strict.ask(verb, f"{API}/{path}", None, {})[0] == 403
    log = own_strict.log.read_text()  # Jupyter names the handlers that say nothing of it
    assert "RouteHandler registered" not in log and "LiveHandler registered" not in log


def test_what_is_no_route_is_told_in_the_same_form(jupyter: Jupyter) -> None:
    for path in ("none", "", "quota/", "quota/x", "backends/a/b/test", "Quota", "backends//test"):
        assert jupyter.refused("GET", path)[0] in (404, 405), path
    for verb in ("PUT", "PATCH", "DELETE", "POST"):
        body = None if verb == "DELETE" else b"{}"
        assert jupyter.refused(verb, "quota", body)[0] == 405
    assert jupyter.refused("DELETE", "cache", b'{"all": true}')[0] == 400


def test_a_body_is_not_larger_than_it_need_be(jupyter: Jupyter) -> None:
    body = {"path": "x" * 200_000}
    assert jupyter.refused("POST", "import", body)[0] == 413


def test_options_are_those_of_the_table(jupyter: Jupyter) -> None:
    told = {one["name"]: one for one in jupyter.call("GET", "options")}
    assert list(told) == [option.name for option in OPTIONS]
    assert told["temperature"]["values"] == "0 to 2"
    assert told["model"]["short"] == "m"
    assert told["as"]["choices"] and told["out"]["short"] == "o"


def test_presets_can_be_added_and_models_are_known(jupyter: Jupyter) -> None:
    presets = {one["preset"]: one for one in jupyter.call("GET", "presets")}
    assert {"aistudio", "vertex", "openai", "apiyi", "openrouter", "litellm", "ollama",
            "custom"} <= set(presets)  # fmt: skip
    assert presets["vertex"]["needs_project"] and "colab" not in presets
    models = jupyter.call("GET", "models")
    assert any(one["model"] == "gemini-2.5-flash" and one["can"] for one in models)


def test_no_key_is_in_what_is_read(jupyter: Jupyter) -> None:
    for route in READING:
        status, content = jupyter.ask("GET", f"{API}/{route.path}")
        assert status == 200 and Jupyter.KEY.encode() not in content
    studio = next(one for one in jupyter.call("GET", "backends") if one["name"] == "studio")
    assert studio["key"] == {
        "needed": True,
        "found": True,
        "where": "GEMINI_API_KEY",
        "kernels": [],
    }
    assert studio["state"] == "ready" and studio["in_route"]
