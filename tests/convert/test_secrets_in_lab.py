"""The Lab extension's cheap look at a notebook lets no key of a known shape pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.convert import secrets

SOURCE = Path(__file__).parents[2] / "labextension" / "src" / "documents" / "guard" / "patterns.ts"


def begins() -> re.Pattern[str]:
    """The extension's own pattern; JavaScript and Python read it alike."""
    found = re.search(r"const BEGINS =\s*/(.+)/;", SOURCE.read_text("utf-8"))
    assert found is not None
    return re.compile(found[1])


@pytest.mark.parametrize("shape", [shape for shape, _ in secrets._SHAPES])
@settings(max_examples=20)
@given(st.data())
def test_every_key_of_a_known_shape_is_seen(shape: str, data: st.DataObject) -> None:
    key = data.draw(st.from_regex(re.compile(shape, re.ASCII), fullmatch=True))
    assert begins().search(f"key = '{key}'")


def test_private_keys_are_seen_and_prose_is_not() -> None:
    assert begins().search("-----BEGIN RSA PRIVATE KEY-----")
    assert not begins().search("FAQ. A sk-learn model, hf_hub, xai-2 and AIza; ghp_... is none")
