"""Who is asked: by the cell's words, the routes and the keys there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_magic import catalog
from gemini_magic.config import Config, load
from gemini_magic.engine.targets import choose
from gemini_magic.errors import ConfigError, UsageError

ROUTES = """
[backends.paid]
kind = "google"
key_env = "PAID_KEY"

[backends.proxy]
preset = "apiyi"

[backends.lab]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
model = "lab-7b"
models = { "gemini-2.5-flash" = "flash-at-lab" }

[routes.long]
targets = [ { backend = "studio" }, { backend = "paid", when = ["rpd", "limit0"] }, "local" ]

[routes.proxies]
targets = ["proxy", "lab"]
"""

KEYED = ("studio", "paid", "proxy")


@pytest.fixture
def config(configure: Callable[[str], Path]) -> Config:
    configure(ROUTES)
    return load()


def ask(config: Config, *, keys: tuple[str, ...] = KEYED, **words: Any) -> list[str]:
    targets = choose(config, lambda b: "key" if b.name in keys else None, **words)
    assert targets
    return [str(target) for target in targets]


DEFAULT = catalog.default_model()


def test_with_nothing_said_google_answers_if_it_has_a_key_else_this_machine() -> None:
    assert ask(load()) == [f"studio:{DEFAULT}"]
    [local] = ask(load(), keys=())
    assert local.startswith("local:")


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gemini-2.5-pro", ["studio:gemini-2.5-pro"]),
        ("models/gemini-2.5-pro", ["studio:gemini-2.5-pro"]),
        ("studio", [f"studio:{DEFAULT}"]),
        ("studio:", [f"studio:{DEFAULT}"]),
        ("studio:gemini-9", ["studio:gemini-9"]),
        ("lab", ["lab:lab-7b"]),
        ("lab:other", ["lab:other"]),
        ("lab:gemini-2.5-flash", ["lab:flash-at-lab"]),
        ("ollama:llama3:8b", ["ollama:llama3:8b"]),
        ("openrouter:gemini-2.5-flash", ["openrouter:google/gemini-2.5-flash"]),
        ("openrouter:google/x:free", ["openrouter:google/x:free"]),
    ],
)
def test_a_model_of_the_cell(config: Config, model: str, wanted: list[str]) -> None:
    assert ask(config, model=model) == wanted


def test_a_gemini_model_without_a_key_is_still_asked_of_google(config: Config) -> None:
    assert ask(config, keys=(), model="gemini-2.5-pro") == ["studio:gemini-2.5-pro"]


def test_a_model_that_nobody_has_is_refused(config: Config) -> None:
    with pytest.raises(UsageError) as caught:
        ask(config, model="Gemni-2.5-pro")
    assert "no backend of the route (studio) has a model 'Gemni-2.5-pro'" in caught.value.what
    assert "Did you mean gemini-2.5-pro" in caught.value.next_step
    with pytest.raises(UsageError) as caught:
        ask(config, model="Zyx/W")
    assert caught.value.next_step == "Name its backend: -m BACKEND:Zyx/W"
    with pytest.raises(UsageError, match="no default model"):
        ask(config, model="ollama")


def test_a_route_is_asked_in_its_order(config: Config) -> None:
    targets = choose(config, lambda _: "key", route="long")
    assert [t.backend for t in targets] == ["studio", "paid", "local"]
    assert [t.when for t in targets] == [(), ("rpd", "limit0"), ()]
    assert [t.model for t in targets[:2]] == [DEFAULT, DEFAULT]
    assert ask(config, route="long", fallback=False) == [f"studio:{DEFAULT}"]


def test_a_model_begins_at_the_first_backend_of_the_route_that_has_it(config: Config) -> None:
    local = load().backends["local"].model
    assert ask(config, route="long", model="gemini-2.5-pro") == [
        "studio:gemini-2.5-pro",
        "paid:gemini-2.5-pro",
        f"local:{local}",
    ]
    assert ask(config, route="long", model=local) == [f"local:{local}"]
    assert ask(config, route="proxies", model="lab-7b")[-1] == "lab:lab-7b"
    assert ask(config, route="proxies", model="gemini-2.5-flash") == [
        "proxy:gemini-2.5-flash",
        "lab:flash-at-lab",
    ]


def test_a_backend_is_a_route_of_one_step(config: Config) -> None:
    assert ask(config, route="lab") == ["lab:lab-7b"]
    assert ask(config, route="paid", model="gemini-2.5-pro") == ["paid:gemini-2.5-pro"]


def test_a_backend_in_the_model_and_a_route_exclude_each_other(config: Config) -> None:
    for model in ("lab:x", "lab"):
        with pytest.raises(UsageError, match="exclude each other; nothing was sent"):
            ask(config, model=model, route="long")


def test_an_unknown_route_is_refused(config: Config) -> None:
    with pytest.raises(ConfigError, match="no route or backend lng") as caught:
        ask(config, route="lng")
    assert "long" in caught.value.next_step


def test_the_sessions_model_and_route(config: Config) -> None:
    session = load(overrides={"model": "lab:big", "route": "long"})
    assert ask(session, model="gemini-2.5-pro")[0] == "studio:gemini-2.5-pro"
    assert ask(session)[0] == "lab:big"
    assert ask(load(overrides={"route": "proxies"}), model="lab-7b")[-1] == "lab:lab-7b"
    # a cell's route wins over the backend in the session's model
    assert ask(load(overrides={"model": "lab:gemini-2.5-pro"}), route="long")[0] == (
        "studio:gemini-2.5-pro"
    )
    assert ask(load(overrides={"model": "lab"}), route="long")[0] == f"studio:{DEFAULT}"


def test_the_route_default_is_what_answers_without_a_route(config: Config) -> None:
    session = load(overrides={"route": "proxies"})
    assert ask(session)[0].startswith("proxy:")
    assert ask(session, route="default") == [f"studio:{DEFAULT}"]


def test_a_route_of_the_users_may_be_called_default(configure: Callable[[str], Path]) -> None:
    configure(ROUTES + '[routes.default]\ntargets = ["lab"]\n')
    assert ask(load()) == ask(load(), route="default") == ["lab:lab-7b"]
