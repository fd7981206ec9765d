"""Tells what a JSON document of AI Studio's is, by its content: names and suffixes say nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gemini_magic.catalog import bare
from gemini_magic.errors import GeminiMagicError

#: The kinds of saved prompts that are understood.
KINDS = ("chunkedPrompt", "dataPrompt", "textPrompt", "multiturnPrompt")
#: The most bytes of one saved prompt. AI Studio's own are a few MB; media lie in Drive.
LARGEST = 64_000_000


class NotAPrompt(GeminiMagicError):
    """What was to be imported holds nothing that can be."""


def parsed(data: bytes, name: str) -> Any:
    """The JSON values in a file. Raises ``NotAPrompt`` and says what is wrong."""
    if len(data) > LARGEST:
        raise too_large(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotAPrompt(
            f"{name} is no saved prompt: it is no text.",
            "Name a file that AI Studio saved in Drive.",
        ) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        what = "it is empty" if not text.strip() else "its JSON is broken or cut off"
        where = f" in line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise NotAPrompt(
            f"{name} is no saved prompt: {what}{where}; nothing was written.",
            "Download it from Drive again.",
        ) from None


def too_large(name: str) -> NotAPrompt:
    return NotAPrompt(
        f"{name} has more than {LARGEST // 10**6} MB, which is no prompt that can be sent; "
        "nothing was written.",
        "Take its media out in AI Studio, and save it again.",
    )


def kind_of(document: Any) -> str | None:
    """The key that holds the prompt (``chunkedPrompt``, ...); None for what is no saved prompt.

    Kinds that nobody knows yet are told by their form: a key that ends in ``Prompt``, beside the
    run settings.
    """
    if not isinstance(document, Mapping):
        return None
    for kind in KINDS:
        if isinstance(document.get(kind), Mapping):
            return kind
    if not isinstance(document.get("runSettings"), Mapping):
        return None
    for key, value in document.items():
        if key.endswith("Prompt") and isinstance(value, Mapping):
            return str(key)
    return None


def model_name(document: Mapping[str, Any]) -> str:
    """The model that a saved prompt asked, without Google's ``models/``; "" if it names none."""
    settings = document.get("runSettings")
    model = settings.get("model") if isinstance(settings, Mapping) else None
    return bare(model) if isinstance(model, str) else ""
