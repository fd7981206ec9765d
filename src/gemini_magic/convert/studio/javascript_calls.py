"""The calls of Gemini's API in JavaScript and TypeScript: the new SDK's and the old one's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.bodies import Call, Unknown, get
from gemini_magic.convert.studio.javascript import Called, Reader
from gemini_magic.convert.studio.naming import identifier

_SDK = re.compile(r"""["'](?:@google/genai|@google/generative-ai|npm:@google/genai)[^"']*["']""")
_CDN = re.compile(r"https?://[^\s\"'`]+@google/(?:genai|generative-ai)")


def is_ours(source: str) -> bool:
    """Whether it is code that asks Gemini."""
    return bool(_SDK.search(source) or _CDN.search(source))


def calls(source: str) -> Iterator[Call]:
    """The calls, in their order. Raises ``Unreadable`` for what is no program."""
    try:
        found = list(Reader(source).statements())
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    for number, called in enumerate(found):
        if (call := _call(called, f"chat_{number}")) is not None:
            yield call


def live(source: str) -> bool:
    """Whether it talks over a connection that stays open, which no cell does."""
    return "live.connect" in source


def _call(called: Called, chat: str) -> Call | None:
    method = called.name.rpartition(".")[2]
    given = called.arguments[0] if called.arguments else None
    if method in ("generateContent", "generateContentStream"):
        made = _made(called.on, "getGenerativeModel")
        if made is None:
            return Call(get(given, "model"), get(given, "contents"), get(given, "config") or {})
        base = _first(made)
        if isinstance(given, Mapping) and get(given, "contents") is not None:
            return Call(base.get("model"), get(given, "contents"), {**base, **given})
        return Call(base.get("model"), given, base)
    if method in ("generateImages",):
        config = {"responseModalities": ["TEXT", "IMAGE"]}
        return Call(get(given, "model"), get(given, "prompt"), config)
    if method in ("sendMessage", "sendMessageStream"):
        if (made := _made(called.on, "create")) is not None:  # ai.chats.create({...})
            base = _first(made)
            text = get(given, "message") if isinstance(given, Mapping) else given
            own = get(given, "config") if isinstance(given, Mapping) else None
            config = {**values.mapping(base.get("config")), **values.mapping(own)}
            return Call(base.get("model"), text, config, base.get("history"), _name(made, chat))
        if (made := _made(called.on, "startChat")) is not None:
            options = _first(made)
            of_model = _made(made.on, "getGenerativeModel")
            base = _first(of_model) if of_model is not None else {}
            return Call(base.get("model"), given, {**base, **options}, options.get("history"),
                        _name(made, chat))  # fmt: skip
    return None


def _made(value: Any, method: str) -> Called | None:
    """The call that made a value, if it was this one."""
    if isinstance(value, Called) and value.name.rpartition(".")[2] == method:
        return value
    return None


def _first(called: Called) -> dict[str, Any]:
    """The options that a call was given."""
    given = called.arguments[0] if called.arguments else None
    options = dict(given) if isinstance(given, Mapping) else {}
    return {key: value for key, value in options.items() if not _is_code(value)}


def _is_code(value: Any) -> bool:
    return isinstance(value, Unknown) and "=>" in value.source


def _name(called: Called, otherwise: str) -> str:
    return identifier(f"chat_{called.start}", otherwise)
