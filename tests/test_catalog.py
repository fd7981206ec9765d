"""The catalog's rows are complete, dated and consistent with each other."""

from __future__ import annotations

import datetime
import string
import tomllib
from pathlib import Path

import pytest

from gemini_magic import catalog

RAW = tomllib.loads(Path(catalog.__file__).with_suffix(".toml").read_text("utf-8"))


def rows() -> list[dict[str, object]]:
    return [
        RAW["default"],
        RAW["families"],
        *RAW["google"],
        *RAW["retired"].values(),
        *RAW["presets"].values(),
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.get("name", "")))
def test_every_row_has_a_date_and_a_source(row: dict[str, object]) -> None:
    assert isinstance(row["as_of"], datetime.date)
    assert isinstance(row["source"], str) and row["source"]


def test_the_default_is_a_known_model_in_use() -> None:
    names = [model.name for model in catalog.google_models()]
    assert catalog.default_model() in names
    assert catalog.successor(catalog.default_model()) is None
    assert len(set(names)) == len(names)
    assert all(catalog.is_google(name) for name in names)


def test_no_known_model_is_retired_and_successors_are_not_either() -> None:
    for model in catalog.google_models():
        assert catalog.successor(model.name) is None
    for name in RAW["retired"]:
        successor = catalog.successor(name)
        assert successor is not None
        assert successor not in RAW["retired"]
    assert catalog.successor("models/gemini-2.0-flash") == catalog.successor("gemini-2.0-flash")
    assert catalog.successor("llama3") is None


@pytest.mark.parametrize(
    ("name", "url", "keys"),
    [
        ("apiyi", "https://api.apiyi.com/v1", ("APIYI_API_KEY",)),
        ("openrouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
        ("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",)),
        (
            "gemini-compat",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        ),
        ("litellm", "http://127.0.0.1:4000/v1", ("LITELLM_API_KEY",)),
        ("ollama", "http://127.0.0.1:11434/v1", ()),
        ("lmstudio", "http://127.0.0.1:1234/v1", ()),
        ("vllm", "http://127.0.0.1:8000/v1", ()),
        ("colab", "{MODEL_PROXY_HOST}/models/openapi", ("MODEL_PROXY_API_KEY",)),
    ],
)
def test_presets(name: str, url: str, keys: tuple[str, ...]) -> None:
    preset = catalog.presets()[name]
    assert (preset.base_url, preset.key_env) == (url, keys)
    assert preset.key_required == (bool(keys) and name != "litellm")  # it can be open


def test_preset_names_can_stand_before_a_colon() -> None:
    allowed = set(string.ascii_lowercase + string.digits + "-")
    assert all(set(name) <= allowed for name in catalog.presets())
    assert not {"studio", "local", "default"} & set(catalog.presets())


@pytest.mark.parametrize(
    ("name", "google"),
    [
        ("gemini-9-flash", True),
        ("Gemini-2.5-Flash", True),
        ("models/anything", True),
        ("gemma-4-31b-it", True),
        ("gemma3", False),
        ("google/gemini-2.5-flash", False),
        ("llama3:8b", False),
        ("gpt-5.2", False),
    ],
)
def test_is_google(name: str, google: bool) -> None:
    assert catalog.is_google(name) == google
