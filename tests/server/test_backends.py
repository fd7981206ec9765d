"""Backends are added to the user's own file, taken out of it, and tested; keys go elsewhere."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_magic import config, config_writing, keys
from gemini_magic.errors import ConfigError, GeminiMagicError, UsageError
from gemini_magic.server import adding
from gemini_magic.server.desk import Desk, Given
from gemini_magic.server.places import Root
from tests.server.lab import Jupyter
from tests.wire import Answer

KEY = "AIzaSyTESTKEYtestkeyTESTKEYtestkey012345"
FILE = """\
# mine, with care
[settings]
route = "work"   # as agreed

[backends.work] # the team's
kind = "openai"
base_url = "https://work.example/v1"

[backends.work.models]
"gemini-2.5-flash" = "flash"

# about the routes
[routes.work]
targets = ["studio"]
"""


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def file(home: Path) -> Path:
    return home / "config" / "gemini_magic.toml"


def test_a_backend_is_added_and_taken_out_again(
    own: Jupyter, configure: Callable[[str], Path], home: Path
) -> None:
    configure(FILE)
    body = {"name": "proxy", "preset": "apiyi", "model": 'a "quoted" one', "project": "p"}
    made = own.call("POST", "backends", body)
    assert (made["name"], made["kind"], made["model"]) == ("proxy", "openai", 'a "quoted" one')
    assert (made["base_url"], made["state"]) == ("https://api.apiyi.com/v1", "no key")
    text = file(home).read_text()
    assert text.startswith(FILE) and "[backends.proxy]" in text
    assert made in own.call("GET", "backends")
    status, message, step = own.refused("POST", "backends", body)
    assert status == 409 and "proxy" in message and step
    assert own.call("DELETE", "backends/proxy") is None
    assert file(home).read_text() == FILE
    assert own.refused("DELETE", "backends/proxy")[0] == 404
    assert own.refused("DELETE", "backends/studio")[0] == 422
    own.call("DELETE", "backends/work")
    assert "work.example" not in file(home).read_text() and "# about the routes" in (
        file(home).read_text()
    )
    assert config.load().route == "work"


def test_the_key_of_a_form_is_kept_where_keys_are(own: Jupyter, home: Path) -> None:
    body = {"name": "proxy", "kind": "openai", "base_url": "https://proxy.example/v1", "key": KEY}
    status, message, _ = own.refused("POST", "backends", body)
    assert status == 428 and "file that only you can read" in message
    assert not file(home).exists() and KEY.encode() not in everything(home)
    made = own.call("POST", "backends", {**body, "key_file": True})
    assert made["key"]["found"] and made["key"]["where"].endswith("keys.json")
    kept = home / "data" / "keys.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and KEY in kept.read_text()
    assert KEY not in file(home).read_text() and KEY not in json.dumps(made)
    assert KEY not in own.log.read_text()
    own.call("DELETE", "backends/proxy")
    assert KEY.encode() not in everything(home)


@pytest.mark.parametrize("name", ["studio", "gemini", "openrouter"])
@pytest.mark.parametrize("preset", ["aistudio", "openrouter"])
def test_the_key_of_a_form_is_the_one_that_is_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, preset: str
) -> None:
    for variable in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(variable, "AIzaSyFREEfreeFREEfreeFREEfreeFREEfree99")
    desk = Desk(Root(Path.cwd()))
    body = {"name": name, "preset": preset, "key": KEY, "key_file": True}
    made = adding.add(desk, Given({}, body))
    assert made["key"]["where"].endswith("keys.json") and made["state"] == "ready"
    used = keys.find(config.load().backend(name), environ=os.environ)
    assert used is not None and used.secret == keys.Secret(KEY)


def test_a_key_that_is_kept_already_is_neither_replaced_nor_forgotten(
    own: Jupyter, home: Path
) -> None:
    keys.store("proxy", "sk-MINEmineMINEmine0123456789", consent=lambda _: True)
    before = (home / "data" / "keys.json").read_bytes()
    body = {"name": "proxy", "kind": "openai", "base_url": "https://p.example", "key_file": True}
    status, message, step = own.refused("POST", "backends", {**body, "key": KEY})
    assert status == 409 and "proxy" in message and step
    assert (home / "data" / "keys.json").read_bytes() == before and not file(home).exists()
    own.call("POST", "backends", {**body, "key": "sk-MINEmineMINEmine0123456789"})
    own.call("DELETE", "backends/proxy")
    assert (home / "data" / "keys.json").read_bytes() == before


def test_a_file_that_cannot_be_written_keeps_the_keys_as_they_are(own: Jupyter, home: Path) -> None:
    file(home).parent.mkdir(mode=0o700)
    file(home).write_text("# no table may follow\nbackends = {}\n")
    body = {"name": "proxy", "kind": "openai", "base_url": "https://p.example", "key_file": True}
    assert own.refused("POST", "backends", {**body, "key": KEY})[0] == 422
    assert KEY.encode() not in everything(home)
    keys.store("proxy", KEY, consent=lambda _: True)
    assert own.refused("POST", "backends", {**body, "key": KEY})[0] == 422
    assert KEY.encode() in everything(home)


def test_googles_own_services_can_be_added(own: Jupyter, home: Path) -> None:
    body = {"name": "studio", "preset": "aistudio", "project": "mine", "tier": "tier1"}
    studio = own.call("POST", "backends", body)
    assert (studio["kind"], studio["project"], studio["tier"]) == ("google", "mine", "tier1")
    cloud = own.call("POST", "backends", {"name": "cloud", "preset": "vertex", "project": "gcp"})
    assert (cloud["project"], cloud["key"]["needed"]) == ("gcp", False)
    assert own.refused("POST", "backends", {"name": "studio", "preset": "aistudio"})[0] == 409
    own.call("DELETE", "backends/studio")  # the built-in one is there again
    names = {one["name"]: one for one in own.call("GET", "backends")}
    assert names["studio"]["project"] is None and "cloud" in names


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "x", "preset": "none"},
        {"name": "x", "preset": "apiyi", "kind": "openai"},
        {"name": "x", "kind": "openai"},
        {"name": "x", "kind": "local"},
        {"name": "x", "kind": "openai", "base_url": "file:///etc/passwd"},
        {"name": "x", "kind": "openai", "base_url": f"https://user:{KEY}@host/"},
        {"name": "x", "kind": "openai", "base_url": "https://a\nb"},
        {"name": "x", "kind": "openai", "base_url": "https://a", "tier": KEY},
        {"name": "x", "kind": "openai", "base_url": "https://a", "model": "a\nb"},
        {"name": "x", "kind": "openai", "base_url": "https://a", "key": f"{KEY}\n{KEY}"},
        {"name": "x", "preset": "vertex"},
        {"name": "x]\n[backends.y", "preset": "ollama"},
        {"name": "", "preset": "ollama"},
        {"name": "../x", "preset": "ollama"},
        {"name": "x" * 41, "preset": "ollama"},
    ],
)
def test_what_makes_no_backend_changes_nothing(jupyter: Jupyter, body: dict[str, Any]) -> None:
    home = jupyter.root.parent / "home"
    if body == {"name": "x", "kind": "local"}:
        body = {**body, "base_url": "https://a"}
    status, message, _ = jupyter.refused("POST", "backends", {"key_file": True, **body})
    assert status in (400, 422), message
    assert KEY not in message
    assert not file(home).exists() and not (home / "data" / "keys.json").exists()


def test_a_backend_that_a_route_names_stays(
    own: Jupyter, configure: Callable[[str], Path], home: Path
) -> None:
    text = (
        '[backends]\nb.kind = "openai"\nb.base_url = "https://b.example"\n'
        '[backends.a]\nkind = "openai"\nbase_url = "https://a.example"\n'
        '[routes.both]\ntargets = ["studio", { backend = "a", when = "rpd" }]\n'
    )
    configure(text)
    status, message, step = own.refused("DELETE", "backends/a")
    assert status == 400 and "route" in message and "gemini_magic.toml" in step
    status, message, step = own.refused("DELETE", "backends/b")
    assert status == 400 and "by hand" in step
    assert file(home).read_text() == text


def test_a_connection_is_tested_without_a_generate_call(
    own: Jupyter, configure: Callable[[str], Path], google_server: Any, openai_server: Any,
    home: Path,
) -> None:  # fmt: skip
    google, proxy = google_server([Answer("no")], key=KEY), openai_server([Answer("no")])
    keys.store("good", KEY, consent=lambda _: True)
    keys.store("bad", "sk-WRONGwrongWRONGwrong0123456789", consent=lambda _: True)
    configure(
        "".join(
            f'[backends.{name}]\nkind = "{kind}"\nbase_url = "{url}"\n'
            for name, kind, url in (
                ("good", "google", google.url), ("bad", "google", google.url),
                ("gone", "openai", "http://127.0.0.1:9/v1"),
            )
        )
    )  # fmt: skip
    good = own.call("POST", "backends/good/test", {})
    assert good["ok"] and good["next"] is None and good["models"] and good["seconds"] > 0
    bad = own.call("POST", "backends/bad/test", {})
    assert not bad["ok"] and bad["models"] == [] and "key" in bad["message"].lower()
    assert "WRONGwrong" not in json.dumps(bad)
    body = {"name": "proxy", "kind": "openai", "base_url": proxy.url, "key": proxy.key}
    assert own.call("POST", "backends", {**body, "key_file": True})["key"]["found"]
    assert own.call("POST", "backends/proxy/test", {})["ok"]
    gone = own.call("POST", "backends/gone/test")
    assert not gone["ok"] and gone["message"]
    studio = own.call("POST", "backends/studio/test", {})
    assert not studio["ok"] and "%gemini key studio" in studio["next"]
    assert own.refused("POST", "backends/none/test", {})[0] == 404
    assert not google.generate_calls and not proxy.generate_calls
    assert KEY not in own.log.read_text()


# --- the file itself ---

_NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=8)
_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and text.isprintable()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.dictionaries(_NAMES, _TEXTS, max_size=4), _NAMES, _TEXTS, st.booleans())
def test_adding_and_removing_leaves_the_rest_as_it_was(
    home: Path, others: dict[str, str], name: str, model: str, trailing: bool
) -> None:
    path = file(home)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    table = "".join(
        f'# about {one}\n[ backends . "{one}" ]\nkind = "openai" # [no table]\n'
        f'base_url = "https://a.example/[x]"\nmodel = {json.dumps(text, ensure_ascii=False)}\n\n'
        for one, text in others.items()
    )
    before = f"[settings]\nretries = 2\n\n{table}# the end" + "\n" * trailing
    path.write_text(before, "utf-8")
    row = {"kind": "openai", "base_url": "https://b.example", "model": model}
    if name in others:
        with pytest.raises(GeminiMagicError):
            config_writing.add_backend(name, row)
        assert path.read_text("utf-8") == before
        return
    config_writing.add_backend(name, row)
    text = path.read_text("utf-8")
    assert text.startswith(before)
    assert config.load().backend(name).model == model
    for one in others:
        config_writing.remove_backend(one)
    assert set(tomllib.loads(path.read_text("utf-8"))["backends"]) == {name}
    config_writing.remove_backend(name)
    left = tomllib.loads(path.read_text("utf-8"))
    assert left == {"settings": {"retries": 2}}


def test_the_users_link_and_mode_stay(home: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "magic.toml"
    real.parent.mkdir()
    real.write_text("# mine\n")
    real.chmod(0o640)
    real.parent.chmod(0o755)
    file(home).parent.mkdir(mode=0o700)
    file(home).symlink_to(real)
    config_writing.add_backend("a", {"kind": "openai", "base_url": "https://a.example"})
    assert file(home).is_symlink() and real.read_text().startswith("# mine\n\n[backends.a]\n")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    config_writing.remove_backend("a")
    assert real.read_text() == "# mine\n"
    assert stat.S_IMODE(real.parent.stat().st_mode) == 0o755
    assert os.listdir(real.parent) == ["magic.toml"]


def test_a_file_that_is_none_is_left_alone(home: Path) -> None:
    file(home).parent.mkdir(mode=0o700)
    file(home).write_text("[backends\n")
    row = {"kind": "openai", "base_url": "https://a.example"}
    for work in (lambda: config_writing.add_backend("a", row),
                 lambda: config_writing.remove_backend("a")):  # fmt: skip
        with pytest.raises(ConfigError):
            work()
    assert file(home).read_text() == "[backends\n"
    file(home).write_text("backends = { b = { kind = 'local' } }\n")
    with pytest.raises(ConfigError):
        config_writing.add_backend("a", row)
    with pytest.raises(UsageError):
        config_writing.remove_backend("b")
    os.remove(file(home))
    config_writing.add_backend("a", row)
    assert stat.S_IMODE(file(home).stat().st_mode) == 0o600
