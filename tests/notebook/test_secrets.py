"""The key goes into one header and nowhere else, whatever happens."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.kernels import Kernel
from tests.wire import Answer, Fault, GoogleServer, OpenAIServer, payloads

pytestmark = pytest.mark.kernel

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"


@pytest.mark.parametrize("kind", ["google", "openai"])
def test_the_key_is_in_one_header_only(
    kind: str, google_server, openai_server, configure, monkeypatch, home: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    server: GoogleServer | OpenAIServer
    server = (google_server if kind == "google" else openai_server)(key=KEY)
    configure(
        f"""
        [settings]
        model = "test:gemini-2.5-flash"
        [backends.test]
        kind = "{kind}"
        base_url = "{server.url}"
        key_env = "TEST_KEY"
        """
    )
    seen: list[str] = []
    with Kernel() as kernel:
        assert "Verbose" in kernel.run("%xmode Verbose").text
        for script, cell in [
            (Answer(text="fine"), "%%gemini --chat c\nhello"),
            (payloads.KEY_INVALID, "%%gemini\nhello"),
            (payloads.FREE_RPD, "%%gemini\nhello"),
            (Fault("drop", after=1, answer=Answer(chunks=["a", "b"])), "%%gemini\nhello"),
            (Fault("malformed", after=1, answer=Answer(chunks=["a", "b"])), "%%gemini\nhello"),
            (Fault("refuse"), "%%gemini\nhello"),
        ]:
            server.set_script(script)
            done = kernel.run(cell)
            seen += [json.dumps(message, default=str) for _, message in done.messages]
            done = kernel.run("%tb")
            seen += [json.dumps(message, default=str) for _, message in done.messages]
        server.set_script(Answer(text="fine"))
        for line in (
            "%gemini backends", "%gemini doctor --send", "%gemini last", "%config GeminiMagic",
            "print(vars(get_ipython().magics_manager.registry['GeminiMagic'].session))",
            "print(get_ipython().magics_manager.registry['GeminiMagic'].session.engine"
            ".connections._open)",
        ):  # fmt: skip
            done = kernel.run(line)
            assert done.status == "ok", done.error
            seen += [json.dumps(message, default=str) for _, message in done.messages]
        pid = kernel.manager.provisioner.process.pid  # type: ignore[union-attr]
        seen.append(Path(f"/proc/{pid}/cmdline").read_text() if os.path.exists("/proc") else "")
    calls = server.generate_calls
    assert calls
    header = "x-goog-api-key" if kind == "google" else "authorization"
    assert all(KEY in call.headers[header] for call in calls)
    for call in server.requests:
        assert KEY.encode() not in call.body and KEY not in call.path + str(call.query)
        assert sum(KEY in value for value in call.headers.values()) == 1
    assert "fine" in "".join(seen)  # what we look through is what was shown
    assert not [text for text in seen if KEY in text]
    files = [path for path in [*home.rglob("*"), *tmp_path.rglob("*")] if path.is_file()]
    assert any(path.name == "runs.db" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_hostile_project_redirects_nothing(openai_server, google_server, monkeypatch) -> None:
    attacker, attacker_google = openai_server(), google_server()
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    Path("gemini_magic.toml").write_text(
        f"""
        [settings]
        model = "openai:gpt-x"
        [backends.studio]
        kind = "google"
        base_url = "{attacker_google.url}"
        key_env = "GOOGLE_API_KEY"
        [backends.openai]
        kind = "openai"
        base_url = "{attacker.url}"
        key_env = "OPENAI_API_KEY"
        [routes.default]
        targets = ["openai"]
        """,
        "utf-8",
    )
    Path(".env").write_text(
        f"OPENAI_BASE_URL={attacker.url}\nGOOGLE_GEMINI_BASE_URL={attacker_google.url}\n"
        f"GEMINI_MAGIC_MODEL=openai:gpt-x\nHTTPS_PROXY={attacker.url}\n",
        "utf-8",
    )
    with Kernel(env={"HTTPS_PROXY": "http://127.0.0.1:9"}) as kernel:
        done = kernel.run("%%gemini --dry-run\nhello")
        assert "generativelanguage.googleapis.com" in done.text
        for cell in ("%%gemini\nhello", "%%gemini -m openai:gpt-x\nhello"):
            assert kernel.run(cell).ename == "Unreachable"
        backends = kernel.run("%gemini backends")
        assert "ignored" in backends.text and "%gemini trust" in backends.text
        assert attacker.url not in backends.text
    assert attacker.requests == [] and attacker_google.requests == []


def test_an_environment_with_other_addresses_redirects_nothing(
    openai_server, google_server, monkeypatch, configure
) -> None:
    mine, attacker = openai_server(key=KEY), openai_server()
    attacker_google, studio = google_server(), google_server(key=KEY)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", attacker.url)
    monkeypatch.setenv("OPENAI_API_BASE", attacker.url)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", attacker_google.url)
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    configure(
        f"""
        [backends.proxy]
        kind = "openai"
        base_url = "{mine.url}"
        key_env = "TEST_KEY"
        [backends.direct]
        kind = "google"
        base_url = "{studio.url}"
        key_env = "TEST_KEY"
        """
    )
    with Kernel() as kernel:
        assert kernel.run("%%gemini -m proxy:gemini-2.5-flash\nhello").status == "ok"
        done = kernel.run("%%gemini -m direct:gemini-2.5-flash\nhello")
        assert done.status == "ok", done.error
    assert attacker.requests == [] and attacker_google.requests == []
    assert "org-mine" not in str(mine.requests[0].headers)
    assert studio.requests[0].path.startswith("/v1beta/")
