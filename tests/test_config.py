"""What is configured is what the user said, whoever else speaks."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_magic import catalog, keys, paths, trust
from gemini_magic.config import (
    Backend,
    Config,
    Step,
    Vertex,
    default_target_names,
    load,
    project_backends,
)
from gemini_magic.config_files import line_of
from gemini_magic.config_schema import GENERATION, SETTINGS, WHEN
from gemini_magic.errors import ConfigError
from gemini_magic.types import Settings

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")

EXAMPLE = """\
[settings]
route = "default"
model = "gemini-2.5-flash"
timeout = 120
max_wait = 90
retries = 1
warm_up = true
magic_name = "gemini"
run_log = true
cache = { size = "1 GB", days = 30 }
[generation]
temperature = 0.7
[ledger]
store = "sqlite"
store_password_env = "GEMINI_MAGIC_REDIS_PASSWORD"
on_ledger_error = "warn"
[backends.studio]
kind = "google"
key_env = ["GOOGLE_API_KEY", "GEMINI_API_KEY"]
project = "my-project"
tier = "free"
api_version = "v1beta"
[backends.apiyi]
preset = "apiyi"
models = { "gemini-2.5-flash" = "google/gemini-2.5-flash" }
budget = { day = "1 USD", month = "20 USD", zone = "local" }
[backends.local]
kind = "local"
model = "qwen2.5-coder-0.5b"
idle_minutes = 10
[routes.default]
targets = ["studio", { backend = "apiyi", when = ["rpd", "overloaded"] }, "local"]
[limits."my-project"."gemini-2.5-flash"]
rpm = 10
rpd = 250
[prices.apiyi."gemini-2.5-flash"]
input = "0.30 USD"
output = "2.50 USD"
"""


class Place:
    """A user with a configuration, and a project folder with a notebook in it."""

    def __init__(self, root: Path) -> None:
        self.project = root / "user" / "work" / "project"
        self.notebooks = self.project / "notebooks" / "deep"
        self.notebooks.mkdir(parents=True)
        self.project_file = self.project / "gemini_magic.toml"

    def user(self, text: str) -> Place:
        paths.config_file().parent.mkdir(parents=True, exist_ok=True)
        paths.config_file().write_text(text, "utf-8")
        return self

    def own(self, text: str) -> Place:
        self.project_file.write_text(text, "utf-8")
        return self

    def trust(self) -> None:
        trust.trust(self.project_file, self.project_file.read_bytes())

    def load(self, environ: Mapping[str, str] | None = None, **overrides: Any) -> Config:
        return load(folder=self.notebooks, environ=environ or {}, overrides=overrides)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    return Place(tmp_path)


def fails(load: Callable[[], object], *words: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load()
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


# --- nothing configured -------------------------------------------------------------------------


def test_with_no_configuration_two_backends(place: Place) -> None:
    config = place.load()
    assert list(config.backends) == ["studio", "local"]
    studio, local = config.backends.values()
    assert (studio.kind, studio.base_url) == ("google", "https://generativelanguage.googleapis.com")
    assert studio.key_env == ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    assert (studio.api_version, studio.key_required) == ("v1beta", True)
    assert (local.kind, local.model, local.idle_minutes) == ("local", "qwen2.5-coder-0.5b", 10)
    assert not local.key_required
    assert {backend.defined_in for backend in config.backends.values()} == {"built in"}
    assert (config.timeout, config.max_wait, config.retries) == (120, 90, 1)
    assert (config.route, config.model, config.notices) == (None, None, ())
    assert config.sources["timeout"] == "built in"


def test_google_answers_if_its_key_is_there_else_the_embedded_model(place: Place) -> None:
    config = place.load()

    def find(environ: dict[str, str]) -> Callable[[Backend], keys.Key | None]:
        return lambda backend: keys.find(backend, environ=environ)

    assert default_target_names(config, find({})) == ("local",)
    assert default_target_names(config, find({"GEMINI_API_KEY": "k"})) == ("studio",)
    assert default_target_names(config, find({"OPENAI_API_KEY": "k"})) == ("local",)
    place.user('[routes.default]\ntargets = ["local", "studio"]')
    assert default_target_names(place.load(), find({})) == ("local", "studio")
    assert default_target_names(place.load(route="studio"), find({})) == ("studio",)


def test_vertex_answers_without_a_key(place: Place) -> None:
    place.user('[backends.studio]\nvertex = { project = "p" }')
    assert default_target_names(place.load(), lambda backend: None) == ("studio",)


def test_presets_are_there_by_name_but_not_configured(place: Place) -> None:
    config = place.load(environ={"OPENAI_API_KEY": "k"})
    assert set(config.presets) == set(catalog.presets()) - {"colab"}
    assert config.backend("ollama").base_url == "http://127.0.0.1:11434/v1"
    assert config.backend("ollama").defined_in == "preset"
    assert config.steps("openrouter") == (Step("openrouter"),)
    error = fails(lambda: config.backend("olama"), "no backend olama")
    assert "ollama" in error.next_step
    assert "studio" in fails(lambda: config.steps("studoi")).next_step


def test_colab_is_there_only_where_both_its_variables_are(place: Place) -> None:
    both = {"MODEL_PROXY_HOST": "https://proxy.example/", "MODEL_PROXY_API_KEY": "k"}
    backend = place.load(environ=both).backend("colab")
    assert backend.base_url == "https://proxy.example/models/openapi"
    assert backend.map_model("gemini-2.5-flash") == "google/gemini-2.5-flash"
    for name in both:
        only = {name: both[name]}
        assert "colab" not in place.load(environ=only).presets
    for evil in ("http://proxy.example", "https://user:pw@proxy.example", "https://x?y=", "//"):
        assert "colab" not in place.load(environ={**both, "MODEL_PROXY_HOST": evil}).presets


def test_a_route_goes_without_what_is_not_available_here(place: Place) -> None:
    place.user('[backends.c]\npreset = "colab"\n[routes.default]\ntargets = ["c", "studio"]')
    config = place.load()
    assert config.steps() == (Step("studio"),)
    assert any("c is not available" in notice for notice in config.notices)
    assert any("goes without c" in notice for notice in config.notices)


# --- the example --------------------------------------------------------------------------------


def test_the_example_is_read_whole(place: Place) -> None:
    config = place.user(EXAMPLE).load()
    assert config.notices == ()
    apiyi = config.backends["apiyi"]
    assert (apiyi.kind, apiyi.base_url) == ("openai", "https://api.apiyi.com/v1")
    assert (apiyi.key_env, apiyi.key_required) == (("APIYI_API_KEY",), True)
    assert apiyi.budget == {"day": "1 USD", "month": "20 USD", "zone": "local"}
    assert apiyi.defined_in == f"user file {paths.config_file()}"
    assert config.backends["studio"].project == "my-project"
    assert config.steps() == (Step("studio"), Step("apiyi", ("rpd", "overloaded")), Step("local"))
    assert config.generation == {"temperature": 0.7}
    assert config.limits["my-project"]["gemini-2.5-flash"] == {"rpm": 10, "rpd": 250}
    assert config.prices["apiyi"]["gemini-2.5-flash"]["input"] == "0.30 USD"
    assert config.ledger["store"] == "sqlite"
    assert config.cache == {"size": "1 GB", "days": 30}
    assert config.sources["model"] == f"user file {paths.config_file()}"
    assert "apiyi" not in config.presets


def test_a_part_of_cache_leaves_the_rest_as_it_was(place: Place) -> None:
    config = place.user("[settings]\ncache = { days = 5 }").load()
    assert config.cache == {"size": "1 GB", "days": 5}


def test_the_names_of_generation_are_those_of_the_vocabulary() -> None:
    assert tuple(GENERATION) == tuple(Settings.__dataclass_fields__)


# --- models -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "asked", "theirs", "has"),
    [
        ("studio", "gemini-2.5-flash", "gemini-2.5-flash", True),
        ("studio", "models/gemini-2.5-flash", "gemini-2.5-flash", True),
        ("studio", "gemma-4-31b-it", "gemma-4-31b-it", True),
        ("studio", "imagen-4.0-generate-001", "imagen-4.0-generate-001", True),
        ("studio", "llama3:8b", "llama3:8b", False),
        ("studio", "qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b", False),
        ("local", "qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b", True),
        ("local", "Qwen2.5-Coder-1.5B", "Qwen2.5-Coder-1.5B", True),
        ("local", "smollm2-135m", "smollm2-135m", True),
        ("local", "/models/any.GGUF", "/models/any.GGUF", True),
        ("local", "gemini-2.5-flash", "gemini-2.5-flash", False),
        ("apiyi", "gemini-2.5-flash", "google/gemini-2.5-flash", True),
        ("apiyi", "models/gemini-2.5-flash", "google/gemini-2.5-flash", True),
        ("apiyi", "gemini-3.8-flash", "gemini-3.8-flash", True),
        ("apiyi", "claude-5", "claude-5", True),
        ("openrouter", "gemini-2.5-flash", "google/gemini-2.5-flash", True),
        ("openrouter", "google/gemini-2.5-flash", "google/gemini-2.5-flash", True),
        ("openrouter", "google/x:free", "google/x:free", True),
        ("openrouter", "llama3:8b", "llama3:8b", False),
        ("openai", "gpt-5.2", "gpt-5.2", True),
        ("openai", "o4-mini", "o4-mini", True),
        ("openai", "gemini-2.5-flash", "gemini-2.5-flash", False),
        ("gemini-compat", "gemini-2.5-flash", "gemini-2.5-flash", True),
        ("gemini-compat", "gpt-5.2", "gpt-5.2", False),
        ("ollama", "llama3:8b", "llama3:8b", True),
        ("ollama", "gemma3", "gemma3", True),
        ("ollama", "gemini-2.5-flash", "gemini-2.5-flash", False),
        ("litellm", "gemini-2.5-flash", "gemini-2.5-flash", True),
        ("vllm", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B", True),
    ],
)
def test_which_backend_has_a_model_and_what_it_calls_it(
    place: Place, backend: str, asked: str, theirs: str, has: bool
) -> None:
    found = place.user(EXAMPLE).load().backend(backend)
    assert found.map_model(asked) == theirs
    assert found.has(asked) == has


def test_along_a_route_a_backend_without_the_model_answers_with_its_own(place: Place) -> None:
    config = place.user(EXAMPLE + '[backends.mine]\npreset = "ollama"\nmodel = "llama3"\n').load()
    assert config.backends["local"].model_for("gemini-2.5-flash") == "qwen2.5-coder-0.5b"
    assert config.backends["mine"].model_for("gemini-2.5-flash") == "llama3"
    assert config.backends["mine"].model_for("phi4") == "phi4"
    assert config.backends["apiyi"].model_for("gemini-2.5-flash") == "google/gemini-2.5-flash"
    assert config.presets["ollama"].model_for("gemini-2.5-flash") is None
    assert config.backends["studio"].model_for(None) is None


def test_a_service_of_the_users_own_may_have_googles_models_unless_it_has_one(place: Place) -> None:
    own = '[backends.{0}]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
    config = place.user(own.format("a") + own.format("b") + 'model = "llama3"').load()
    assert config.backends["a"].model_for("gemini-2.5-flash") == "gemini-2.5-flash"
    assert config.backends["b"].model_for("gemini-2.5-flash") == "llama3"
    assert not config.backends["a"].key_required


@pytest.mark.parametrize(
    ("asked", "split"),
    [
        ("gemini-2.5-flash", (None, "gemini-2.5-flash")),
        ("apiyi:gemini-2.5-flash", ("apiyi", "gemini-2.5-flash")),
        ("ollama:llama3:8b", ("ollama", "llama3:8b")),
        ("google/x:free", (None, "google/x:free")),
        ("llama3:8b", (None, "llama3:8b")),
        ("studio:", ("studio", "")),
        ("C:/models/x.gguf", (None, "C:/models/x.gguf")),
    ],
)
def test_text_before_a_colon_is_a_backend_only_if_there_is_one(
    place: Place, asked: str, split: tuple[str | None, str]
) -> None:
    assert place.user(EXAMPLE).load().split_model(asked) == split


# --- precedence ---------------------------------------------------------------------------------

VALUES = {
    "model": ("m-session", "m-environment", "m-project", "m-user"),
    "timeout": (11, 22, 33.5, 44),
    "max_wait": (1, 2, 3, 4.5),
    "route": ("local", "studio", "mine", "default"),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("present", list(itertools.product([True, False], repeat=4)))
def test_precedence(place: Place, name: str, present: tuple[bool, ...]) -> None:
    session, environment, project, user = VALUES[name]
    routes = '[routes.mine]\ntargets = ["local"]\n'
    quoted = {value: f'"{value}"' if isinstance(value, str) else value for value in VALUES[name]}
    place.user(routes + (f"[settings]\n{name} = {quoted[user]}" if present[3] else ""))
    if present[2]:
        place.own(f"[settings]\n{name} = {quoted[project]}")
    environ = {f"GEMINI_MAGIC_{name.upper()}": str(environment)} if present[1] else {}
    config = place.load(environ, **({name: session} if present[0] else {}))
    layers = [
        (session, "this session"),
        (environment, f"GEMINI_MAGIC_{name.upper()}"),
        (project, f"project file {place.project_file}"),
        (user, f"user file {paths.config_file()}"),
        ({"timeout": 120, "max_wait": 90}.get(name), "built in"),
    ]
    expected, source = next(
        layer for layer, there in zip(layers, (*present, True), strict=True) if there
    )
    assert getattr(config, name) == expected
    assert config.sources[name] == source


@pytest.mark.parametrize(
    ("variable", "text", "name", "expected"),
    [
        ("MODEL", " gemini-2.5-pro ", "model", "gemini-2.5-pro"),
        ("MODEL", "1", "model", "1"),
        ("TIMEOUT", "2.5", "timeout", 2.5),
        ("RETRIES", "0", "retries", 0),
        ("WARM_UP", "0", "warm_up", False),
        ("WARM_UP", "Yes", "warm_up", True),
        ("RUN_LOG", "off", "run_log", False),
        ("MAGIC_NAME", "ask", "magic_name", "ask"),
        ("TIMEOUT", "", "timeout", 120),
    ],
)
def test_variables_are_typed(
    place: Place, variable: str, text: str, name: str, expected: object
) -> None:
    found = getattr(place.load({f"GEMINI_MAGIC_{variable}": text}), name)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("variable", "text", "word"),
    [
        ("TIMEOUT", "soon", "a number of seconds"),
        ("TIMEOUT", "-1", "a number of seconds"),
        ("TIMEOUT", "nan", "a number of seconds"),
        ("RETRIES", "1.5", "a whole number"),
        ("WARM_UP", "maybe", "true or false"),
        ("MAGIC_NAME", "a b", "a name"),
        ("ROUTE", "nowhere", "no route or backend nowhere"),
    ],
)
def test_a_wrong_variable_is_named(place: Place, variable: str, text: str, word: str) -> None:
    name = f"GEMINI_MAGIC_{variable}"
    fails(lambda: place.load({name: text}), name, word)


def test_a_misspelt_variable_gets_a_hint_and_others_none(place: Place) -> None:
    config = place.load(
        {"GEMINI_MAGIC_MODLE": "x", "GEMINI_MAGIC_REDIS_PASSWORD": "y", "GEMINI_MAGIC_HOME": "z"}
    )
    assert len(config.notices) == 1
    assert "did you mean GEMINI_MAGIC_MODEL" in config.notices[0]


def test_the_session_is_checked_too(place: Place) -> None:
    config = place.load(timeout=5, model=None, generation={"temperature": 1, "stop": ["a", "b"]})
    assert (config.timeout, config.model) == (5, None)
    assert config.generation == {"temperature": 1, "stop": ("a", "b")}
    assert config.sources["generation.stop"] == "this session"
    fails(lambda: place.load(timeout="5"), "this session", "timeout", "number of seconds")
    assert "timeout" in fails(lambda: place.load(timeuot=5), "timeuot").next_step
    fails(lambda: place.load(generation={"temprature": 1}), "temprature")
    fails(lambda: place.load(route="nowhere"), "this session", "nowhere")
    fails(lambda: place.load(generation=5), "generation")


# --- typos and wrong values ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[setings]\nroute='x'", ("line 1", "setings", "did you mean settings?")),
        ("\n[settings]\nmodle = 'x'", ("line 3", "settings.modle", "did you mean model?")),
        ("[settings]\ntimeout = 'long'", ("line 2", "settings.timeout", "seconds", "'long'")),
        ("[settings]\ntimeout = true", ("settings.timeout", "not True")),
        ("[settings]\ncache = { sise = 1 }", ("line 2", "settings.cache.sise", "size")),
        ("settings = 5", ("line 1", "settings should be a table")),
        ("[generation]\ntemperature = 3", ("line 2", "from 0 to 2", "not 3")),
        ("[generation]\ntop-k = 3", ("generation.top-k", "top_k")),
        ("[backends.x]\nbase_url = 'https://a/v1'", ("line 1", "backends.x", "kind =")),
        ("[backends.x]\nkind = 'gogle'", ("line 2", "google, openai, local", "'gogle'")),
        ("[backends.x]\nkind = 'openai'", ("line 1", "completed by a base_url")),
        ("[backends.x]\npreset = 'apiyy'", ("line 2", "apiyi")),
        ("[backends.x]\npreset = 'apiyi'\nkind = 'google'", ("base_url",)),
        ("[backends.local]\nbase_url = 'https://a'", ("base_url", "kind local")),
        ("[backends.studio]\nidle_minutes = 5", ("idle_minutes", "kind google")),
        ("[backends.studio]\nvertex = { location = 'us' }", ("vertex", "project")),
        ("[backends.studio]\nvertex = { project = 'p', location = 'evil.com/#' }", ("location",)),
        ("[backends.studio]\ntier = 'paid'", ("tier1",)),
        ("[backends.studio]\napi_version = '../v1'", ("v1beta",)),
        ("[routes.default]\ntargets = ['studoi']", ("line 2", "studoi", "did you mean studio")),
        ("[routes.default]\ntargets = []", ("targets", "at least one")),
        ("[routes.default]", ("no targets",)),
        ("[routes.r]\ntargets = [{ backend = 'local', when = ['429'] }]", ("rpm, tpm",)),
        ("[routes.r]\ntargets = [{ when = ['rpm'] }]", ("the name of a backend",)),
        ("[settings]\nroute = 'defualt'", ("user file", "defualt", "did you mean default?")),
        ("[limits.p.m]\nrpx = 1", ("line 2", "limits.p.m.rpx", "rpm")),
        ("[limits.p.'gemini-2.5-flash']\nrpm = -1", ("line 2", "rpm", "not -1")),
        ("[prices.b.m]\ninput = 0.3", ("line 2", "0.30 USD")),
        ("[ledger]\nstore = 'redis://user:pw@host'", ("store_password_env",)),
        ("[ledger]\non_ledger_error = 'x'", ("warn, stop",)),
        ("[a\nb = 1", ("line 1", "not TOML")),
        ("a = 1\n\na = 2", ("line 3", "not TOML")),
        ("a = '", ("line 1", "not TOML")),
        ("a = " + "[" * 5000, ("not TOML",)),
        ("a = " + "9" * 5000, ("not TOML",)),
        ("[settings]\nretries = 0x" + "f" * 5000, ("settings.retries",)),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_hint(
    place: Place, text: str, words: tuple[str, ...]
) -> None:
    place.user(text)
    fails(place.load, str(paths.config_file()), *words)


def test_a_mistake_in_pyproject_points_into_it(place: Place) -> None:
    file = place.project / "pyproject.toml"
    file.write_text('[project]\nname = "x"\n\n[tool.gemini_magic.settings]\nmodle = "y"\n')
    fails(place.load, f"{file}, line 5", "did you mean model?")


@pytest.mark.parametrize("key", ["AIzaSyA0123456789", "sk-or-v1-0123", "sk_live_123", "AQ.Ab8"])
@pytest.mark.parametrize("line", ["key_env = '{}'", "key_env = ['{}']", "key = '{}'"])
def test_a_key_pasted_into_the_file_is_refused_unseen(place: Place, key: str, line: str) -> None:
    place.user("[backends.studio]\n" + line.format(key))
    assert key not in str(fails(place.load, "line 2"))


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com/v1", "ftp://h/v1", "https://", "https:///v1", "https://h:99999",
        "https://u:p@h/v1", "https://u@h/v1", "https://h/v1?key=1", "https://h/v1#x",
        "https://h\\@evil/v1", "https://h /v1", "https://[::1/v1", "javascript:1", "", 5,
    ],
)  # fmt: skip
def test_addresses_that_are_none(place: Place, url: object) -> None:
    place.user(f"[backends.x]\nkind = 'openai'\nbase_url = {str(url) if url == 5 else repr(url)}")
    fails(place.load, "backends.x.base_url", "line 3")


@pytest.mark.parametrize(
    ("url", "notices"),
    [
        ("https://host.example/v1", 0),
        ("http://127.0.0.1:8080/v1", 0),
        ("http://localhost:1/v1", 0),
        ("http://[::1]:1/v1", 0),
        ("http://192.168.1.5:8080/v1", 1),
        ("http://localhost.evil.example/v1", 1),
        ("http://127.0.0.1.evil.example/v1", 1),
    ],
)
def test_http_elsewhere_is_noticed(place: Place, url: str, notices: int) -> None:
    place.user(f'[backends.x]\nkind = "openai"\nbase_url = "{url}"')
    config = place.load()
    assert config.backends["x"].base_url == url
    assert len(config.notices) == notices


def test_vertex(place: Place) -> None:
    for location, url in {
        "global": "https://aiplatform.googleapis.com",
        "europe-west4": "https://europe-west4-aiplatform.googleapis.com",
        "eu": "https://aiplatform.eu.rep.googleapis.com",
    }.items():
        place.user(
            f'[backends.v]\nkind = "google"\nvertex = {{ project="p", location="{location}" }}'
        )
        backend = place.load().backends["v"]
        assert (backend.base_url, backend.api_version) == (url, "v1beta1")
        assert backend.vertex == Vertex("p", location)
        assert (backend.key_env, backend.key_required) == ((), False)


@given(
    st.recursive(
        st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(
                st.sampled_from(
                    ["settings", "generation", "backends", "routes", "limits", "prices", "ledger",
                     "studio", "local", "default", "targets", "backend", *SETTINGS, *GENERATION,
                     "kind", "base_url", "key_env", "vertex", "x", *WHEN]
                ),
                inner,
                max_size=3,
            ),
        ),
        max_leaves=20,
    )
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_says_the_answer_is_a_config_or_a_config_error(
    place: Place, content: object
) -> None:
    from gemini_magic.config_files import Document

    raw = content if isinstance(content, dict) else {"settings": content}
    document = Document(Path("any.toml"), b"", raw, ())
    for part in (raw, document.split()[0]):
        try:
            document.checked(part)
        except ConfigError as error:
            assert "\n" not in str(error)


def test_lines_are_found_in_tables_with_dots_in_their_names() -> None:
    toml = '# x = 1\n[limits."p.q"."gemini-2.5-flash"] # note\nrpm = 1\n[a]\nb.c = { d = 1 }\n'
    assert line_of(toml, ("limits", "p.q", "gemini-2.5-flash", "rpm")) == 3
    assert line_of(toml, ("limits", "p.q")) == 2
    assert line_of(toml, ("a", "b", "c", "d")) == 5
    assert line_of(toml, ("x",)) is None


# --- project files ------------------------------------------------------------------------------

ATTACK = """\
[settings]
model = "gemini-2.5-pro"
warm_up = false
[backends.studio]
kind = "google"
base_url = "https://evil.example"
key_env = ["GOOGLE_API_KEY"]
[routes.default]
targets = ["studio"]
[ledger]
store = "redis://evil.example:6379"
"""


def test_a_project_file_redefines_nothing(place: Place) -> None:
    config = place.own(ATTACK).load()
    assert config.backends["studio"].base_url == "https://generativelanguage.googleapis.com"
    assert config.steps() == ()
    assert config.ledger == {}
    assert config.warm_up is True
    assert config.model == "gemini-2.5-pro", "what it may say counts"
    assert config.ignored == (
        "settings.warm_up", "backends.studio", "routes.default", "ledger.store",
    )  # fmt: skip
    assert config.notices == (
        f"{place.project_file} defines settings.warm_up, backends.studio, routes.default and"
        " ledger.store, which only your own configuration may; ignored."
        " Accept the file with: %gemini trust",
    )


def test_until_the_user_accepts_it_and_only_as_it_was(place: Place) -> None:
    place.own(ATTACK)
    place.trust()
    config = place.load()
    assert config.backends["studio"].base_url == "https://evil.example"
    assert config.backends["studio"].defined_in == f"project file {place.project_file}"
    assert (config.notices, config.ignored, config.warm_up) == ((), (), False)
    place.own(ATTACK + "# changed\n")
    assert place.load().backends["studio"].base_url == "https://generativelanguage.googleapis.com"
    place.own(ATTACK)
    assert place.load().backends["studio"].base_url == "https://evil.example"
    trust.untrust(place.project_file)
    assert place.load().backends["studio"].base_url == "https://generativelanguage.googleapis.com"


def test_what_a_hostile_file_says_is_shown_without_its_control_codes(place: Place) -> None:
    place.own("\n".join(f'[backends."\\u001b[31m{n}"]' for n in range(100)))
    notice = place.load().notices[0]
    assert notice.isprintable() and "93 more" in notice
    place.own('[settings]\n"\\u001b]0;x" = 1')
    assert str(fails(place.load)).isprintable()


def test_even_accepted_it_sends_nothing_unencrypted(place: Place) -> None:
    place.own('[backends.x]\nkind = "openai"\nbase_url = "http://host.example/v1"')
    place.trust()
    fails(place.load, "https", "your own configuration")
    place.own('[backends.x]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"')
    place.trust()
    assert place.load().backends["x"].base_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ('route = "openrouter"', True),
        ('route = "nowhere"', True),
        ('route = "local"', False),
        ('route = "team"', False),
        ('route = "default"', False),
        ('model = "openrouter:google/x"', True),
        ('model = "local:./evil.gguf"', True),
        ('model = "../evil.GGUF"', True),
        ('model = "local:./evil"', True),
        ('model = "local:/tmp/x/evil.bin"', True),
        ('model = "local:~evil"', True),
        ("model = 'local:..\\evil'", True),
        ('model = "weights:./evil"', True),
        ('model = "~/x"', True),
        ('model = "./evil"', True),
        ('model = "/tmp/x/evil.bin"', True),
        ('model = "qwen2.5-coder-/../evil"', True),
        ('model = "studio:qwen2.5-coder-/../evil"', True),
        ('model = "studio:../evil.gguf"', True),
        ('model = "local:smollm2-135m"', False),
        ('model = "weights:smollm2-135m"', False),
        ('model = "smollm2-135m"', False),
        ('model = "local"', False),
        ('model = "mine"', False),
        ('model = "mine:google/x"', False),
        ('model = "mine:x"', False),
        ('model = "studio:gemini-2.5-pro"', False),
        ('model = "google/x:free"', False),
        ('model = "llama3:8b"', False),
    ],
)
def test_an_unknown_project_chooses_only_among_what_is_configured(
    place: Place, line: str, ignored: bool
) -> None:
    place.user(
        '[backends.mine]\npreset = "apiyi"\n[backends.weights]\nkind = "local"\n'
        '[routes.team]\ntargets = ["mine"]'
    )
    config = place.own(f"[settings]\n{line}").load()
    name = line.split()[0]
    assert config.ignored == ((f"settings.{name}",) if ignored else ())
    assert (getattr(config, name) is None) == ignored
    place.trust()
    if "nowhere" not in line:
        assert place.load().ignored == ()


@pytest.mark.parametrize("preset", catalog.presets())
@pytest.mark.parametrize("line", ['model = "{}"', 'model = "{}:x"', 'route = "{}"'])
def test_an_unknown_project_names_no_preset(place: Place, preset: str, line: str) -> None:
    name = line.split()[0]
    environ = {"MODEL_PROXY_HOST": "https://proxy.example", "MODEL_PROXY_API_KEY": "k"}
    place.own(f"[settings]\n{line.format(preset)}")
    config = place.load(environ)
    assert (getattr(config, name), config.ignored) == (None, (f"settings.{name}",))
    assert f"settings.{name}, which only your own configuration may" in config.notices[0]
    place.user(f'[backends.{preset}]\nkind = "openai"\nbase_url = "https://mine.example/v1"')
    assert place.load(environ).ignored == ()


def test_what_a_project_file_would_define_is_told_from_what_was_read(place: Place) -> None:
    place.own(ATTACK + '[backends.weights]\nkind = "local"\nmodel = "./evil.gguf"\n')
    config = place.load()
    seen = place.project_file.read_bytes()
    place.own("")
    assert config.project_content == seen
    studio, weights = project_backends(config)
    assert (studio.name, studio.base_url) == ("studio", "https://evil.example")
    assert studio.key_env == ("GOOGLE_API_KEY",)
    assert (weights.kind, weights.model) == ("local", "./evil.gguf")
    assert config.backends["studio"].base_url == "https://generativelanguage.googleapis.com"
    config = place.load()
    assert (config.project_content, project_backends(config)) == (b"", ())
    place.project_file.unlink()
    config = place.load()
    assert (config.project_content, project_backends(config)) == (None, ())


def test_a_project_file_that_could_not_be_used_is_told_before_it_is_accepted(place: Place) -> None:
    place.own('[backends.x]\nkind = "openai"\nbase_url = "http://host.example/v1"')
    config = place.load()
    fails(lambda: project_backends(config), "https", str(place.project_file), "line 3")


def test_a_configured_preset_can_be_chosen(place: Place) -> None:
    place.user('[backends.openrouter]\npreset = "openrouter"')
    config = place.own('[settings]\nmodel = "openrouter:x/y"\nroute = "openrouter"').load()
    assert (config.model, config.route, config.ignored) == ("openrouter:x/y", "openrouter", ())


def test_a_typo_in_an_unknown_project_file_is_told(place: Place) -> None:
    place.own("[settings]\nmodle = 'x'")
    fails(place.load, str(place.project_file), "line 2", "did you mean model?")
    place.own("[sttings]\nmodel = 'x'")
    fails(place.load, "did you mean settings?")


def test_pyproject_counts_and_the_nearest_file_wins(place: Place) -> None:
    pyproject = place.project / "pyproject.toml"
    pyproject.write_text('[tool.gemini_magic.settings]\nmodel = "p"\n')
    assert (place.load().model, place.load().project_file) == ("p", pyproject)
    place.own("[settings]\nmodel = 'q'")
    assert place.load().model == "q", "gemini_magic.toml comes before pyproject.toml"
    nearer = place.notebooks / "pyproject.toml"
    nearer.write_text("[tool.gemini_magic]\nsettings = { model = 'r' }")
    assert place.load().model == "r"
    nearer.write_text("[tool.black]\n")
    assert place.load().model == "q", "one without our table is passed over"


def test_a_broken_pyproject_of_somebody_else_is_not_our_business(place: Place) -> None:
    (place.project / "pyproject.toml").write_text("[tool.black\n")
    assert place.load().project_file is None
    (place.project / "pyproject.toml").write_text("[tool.gemini_magic\n")
    fails(place.load, "not TOML")


@pytest.mark.parametrize("git", ["folder", "file"])
def test_never_above_a_git_repository(place: Place, git: str) -> None:
    place.own("[settings]\nmodel = 'above'")
    marker = place.notebooks.parent / ".git"
    marker.mkdir() if git == "folder" else marker.write_text("gitdir: elsewhere")
    assert place.load().model is None
    (marker.parent / "gemini_magic.toml").write_text("[settings]\nmodel = 'beside'")
    assert place.load().model == "beside"


def test_never_above_the_home_directory(place: Place, tmp_path: Path) -> None:
    (tmp_path / "gemini_magic.toml").write_text("[settings]\nmodel = 'above'")
    assert place.load().model is None
    (tmp_path / "user" / "gemini_magic.toml").write_text("[settings]\nmodel = 'home'")
    assert place.load().model == "home"


@posix
def test_never_in_a_folder_where_everyone_may_put_files(place: Place) -> None:
    shared = place.notebooks.parent
    (shared / "gemini_magic.toml").write_text("[settings]\nmodel = 'planted'")
    shared.chmod(0o1777)
    assert place.load().model is None


@posix
def test_a_pipe_as_project_file_is_passed_over(place: Place) -> None:
    os.mkfifo(place.project_file)
    assert place.load().project_file is None


def test_a_huge_or_binary_project_file_is_a_clear_error(place: Place) -> None:
    place.project_file.write_bytes(b"#" * 1_000_001)
    fails(place.load, "too large")
    place.project_file.write_bytes(b"a = '\xff'")
    fails(place.load, "UTF-8")


def test_env_file_lies_beside_the_project_file(place: Place) -> None:
    assert place.load().env_file == place.notebooks / ".env"
    place.own("")
    assert place.load().env_file == place.project / ".env"


# --- nothing in the environment redirects -------------------------------------------------------


def test_no_variable_and_no_env_file_redirects_anything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: b.base_url for name, b in (place.load().backends | {}).items()}
    before |= {name: b.base_url for name, b in place.load().presets.items()}
    evil = {
        name: "https://evil.example"
        for name in (
            "OPENAI_BASE_URL", "OPENAI_API_BASE", "GOOGLE_GEMINI_BASE_URL", "OLLAMA_HOST",
            "GOOGLE_VERTEX_BASE_URL", "GEMINI_MAGIC_BASE_URL", "LITELLM_API_BASE",
            "GEMINI_MAGIC_BACKENDS", "GEMINI_MAGIC_STUDIO_BASE_URL",
        )
    }  # fmt: skip
    for name, value in evil.items():
        monkeypatch.setenv(name, value)
    lines = [f"{name}={value}" for name, value in evil.items()]
    lines += ["GEMINI_MAGIC_MODEL=evil", "GEMINI_MAGIC_ROUTE=openrouter", "GOOGLE_API_KEY=k1"]
    lines += ["MODEL_PROXY_HOST=https://evil.example", "MODEL_PROXY_API_KEY=x"]
    (place.notebooks / ".env").write_text("\n".join(lines))
    config = place.load(environ=os.environ)
    after = {name: b.base_url for name, b in (*config.backends.items(), *config.presets.items())}
    assert after == before
    assert (config.model, config.route) == (None, None)
    key = keys.find(config.backends["studio"], environ={}, env_file=config.env_file)
    assert key is not None and key.secret.reveal() == "k1"


# --- once read, cheap ---------------------------------------------------------------------------


def test_unchanged_it_is_the_same_value_and_cheap(place: Place) -> None:
    place.user(EXAMPLE).own("[settings]\nmodel = 'x'\n[ledger]\nstore = 'sqlite'")
    first = place.load(dict(os.environ), timeout=5)
    took = []
    for _ in range(50):
        start = time.perf_counter()
        assert place.load(dict(os.environ), timeout=5) is first
        took.append(time.perf_counter() - start)
    assert sorted(took)[25] < 0.001


def test_a_change_on_disk_counts_at_once(place: Place) -> None:
    assert place.load().model is None
    place.user("[settings]\nmodel = 'a'")
    assert place.load().model == "a"
    place.user("[settings]\nmodel = 'bb'")
    assert place.load().model == "bb"
    place.own("[settings]\nmodel = 'c'")
    assert place.load().model == "c"
    place.project_file.unlink()
    paths.config_file().unlink()
    assert place.load().model is None


def test_a_configuration_cannot_be_changed_by_its_readers(place: Place) -> None:
    config = place.user(EXAMPLE).load()
    with pytest.raises(TypeError):
        config.backends["studio"] = config.backends["local"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        config.model = "x"  # type: ignore[misc]
    assert hash(config.backends["apiyi"])


def test_the_working_directory_is_where_it_looks_by_default(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.own("[settings]\nmodel = 'here'")
    monkeypatch.chdir(place.notebooks)
    assert load(environ={}).model == "here"
