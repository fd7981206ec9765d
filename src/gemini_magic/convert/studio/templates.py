"""Google's notebooks behind "Open in Colab": their parameters hold the whole prompt.

Source: google/generative-ai-docs, templates/aistudio_gemini_prompt_{chat,freeform}(_b64).ipynb.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.bodies import Call
from gemini_magic.convert.studio.javascript import value_of
from gemini_magic.convert.studio.programs import parsed

_MARK = "isTemplate: true"
_NAMES = ("model", "contents", "generation_config", "safety_settings", "user_input")


#: The parameters that make a notebook one of these: others have forms with this mark, too.
_OWN = re.compile(r"(?m)^\s*(?:contents|user_input)(?:_b64)?\s*=")


def is_ours(sources: Sequence[str]) -> bool:
    return any(
        _MARK in source and "@param" in source and _OWN.search(source) is not None
        for source in sources
    )


def call_of(sources: Sequence[str]) -> Call:
    """The call that such a notebook makes, from what its cells assign."""
    given: dict[str, Any] = {}
    for source in sources:
        tree = parsed("\n".join("" if line.lstrip().startswith(("%", "!")) else line
                                for line in source.split("\n")))  # fmt: skip
        for node in ast.walk(tree) if tree is not None and _MARK in source else ():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name.removesuffix("_b64") in _NAMES:
                    try:
                        given[name] = ast.literal_eval(node.value)
                    except (ValueError, SyntaxError, TypeError, RecursionError):
                        continue
    held = {name: _value(given, name) for name in _NAMES}
    config = {
        **values.mapping(held["generation_config"]),
        "safetySettings": held["safety_settings"] or [],
    }
    model, contents, asked = held["model"], held["contents"], held["user_input"]
    if asked is None:
        return Call(model, contents, config)
    return Call(model, asked, config, contents, "chat")


def _value(given: Mapping[str, Any], name: str) -> Any:
    """A parameter: base64 of JSON, JSON as text, or a literal."""
    packed = given.get(f"{name}_b64")
    if isinstance(packed, str):
        data = values.data(packed)
        try:
            return json.loads(data or b"null")
        except (ValueError, RecursionError):
            return None
    value = given.get(name)
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return value_of(value)
        except Unreadable:
            return value
    return value
