"""What an ask sends, in the words of a wire: JSON values, and the files that they hold."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple

from gemini_magic.config import Backend
from gemini_magic.convert import python_openai
from gemini_magic.convert.foreign_steps import Ask
from gemini_magic.convert.foreign_values import Slot
from gemini_magic.errors import UsageError
from gemini_magic.types import SEARCH, Message, Part

#: Bytes of a file from which on it lies beside the script.
_BESIDE = 2_000
#: What of Gemini's configuration stands beside ``generationConfig`` in a body.
#: Source: https://ai.google.dev/api/generate-content, its request body
TOP = ("systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "labels")


class Original(NamedTuple):
    """A picture that is to be edited: the file beside the script, its own name, and its type."""

    file: str
    name: str
    type: str


class Sent(NamedTuple):
    """JSON values of an ask. ``messages`` are contents or messages, ``settings`` all else.

    ``before`` are messages that go before a chat's history. ``results`` are what functions gave
    back, as ``{"name", "args", "response"}``. ``slots`` and ``mark`` are as in ``Ask``; a chosen
    file's base64 is a slot, too. ``files`` are such files' names and contents. ``draws``: OpenAI's
    interface for pictures is asked, for an edit of the ``originals`` if there are any.
    """

    before: list[Any]
    messages: list[Any]
    settings: dict[str, Any]
    results: list[Any] | None
    mark: str
    slots: tuple[Slot, ...]
    files: tuple[tuple[str, bytes], ...]
    draws: bool = False
    originals: tuple[Original, ...] = ()


def speaks_gemini(backend: Backend, target: str) -> bool:
    """Whether a target asks a backend on Gemini's own wire."""
    return backend.kind == "google" and target in ("node-genai", "curl")


def sent(ask: Ask, gemini: bool, note: Callable[[str, str], None]) -> Sent:
    """What an ask sends; ``note`` takes what this wire cannot say. Raises ``GeminiMagicError``."""
    from gemini_magic.backends import openai_images

    if not gemini and ask.backend.vertex is not None:
        raise UsageError("Vertex AI is asked on Gemini's own wire only: --to node-genai or curl.")
    if not gemini and openai_images.draws(ask.model, python_openai.dialect(ask.backend)):
        return _pictures(ask, note)
    made = _gemini(ask, note) if gemini else _openai(ask, note)
    mark = ask.mark or "\ue000"
    files: dict[str, tuple[str, bytes]] = {}
    for message in ask.request.messages:
        for part in message.parts:
            if part.data is not None and len(part.data) > _BESIDE:
                encoded = base64.b64encode(part.data).decode("ascii")
                files[encoded] = (_file_name(part), part.data)
    slots = list(ask.slots)

    def beside(value: Any) -> Any:
        """The values with slots for what lies in files."""
        if isinstance(value, dict):
            return {key: beside(one) for key, one in value.items()}
        if isinstance(value, list):
            return [beside(one) for one in value]
        if isinstance(value, str) and len(value) > _BESIDE:
            head, comma, encoded = value.rpartition(";base64,")
            if encoded in files:
                slots.append(Slot("file", files[encoded][0]))
                return f"{head}{comma}{mark}{len(slots) - 1}{mark}"
        return value

    messages = beside(made.messages) if files else made.messages
    return made._replace(
        messages=messages, mark=mark, slots=tuple(slots),
        files=tuple(sorted(dict(files.values()).items())),
    )  # fmt: skip


def gemini_body(one: Sent) -> dict[str, Any]:
    """The body of a generate call: what the SDKs make of contents and configuration."""
    body: dict[str, Any] = {"contents": one.messages}
    for name in TOP:
        if name in one.settings:
            body[name] = one.settings[name]
    if (said := body.get("systemInstruction")) is not None:
        body["systemInstruction"] = {"role": "user", "parts": [{"text": said}]}
    rest = {name: value for name, value in one.settings.items() if name not in TOP}
    return body | ({"generationConfig": rest} if rest else {})


def _gemini(ask: Ask, note: Callable[[str, str], None]) -> Sent:
    from gemini_magic.backends import google_out, google_settings

    google_settings.refuse(ask.request, ask.model, vertex=ask.backend.vertex is not None)
    asked = google_settings.asked(ask.request, ask.model)
    for notice in asked.notices:
        note("left-out", notice)
    settings = plain(asked.config)
    for name in ("automaticFunctionCalling", "automaticContinuation"):
        settings.pop(name, None)  # the helper that asks sees to these
    said = google_out.contents(ask.request.messages, ask.model)
    contents = [{"role": one.role, "parts": plain(one.parts)} for one in said]
    return Sent([], contents, settings, _gemini_results(ask), "", (), ())


def _gemini_results(ask: Ask) -> list[Any] | None:
    from gemini_magic.backends import google_out

    if ask.results is None:
        return None
    rows = []
    for call, result in ask.results:
        said = Message("user", (Part(call=call), Part(result=result)))
        called, gave = plain(google_out.contents([said], "")[0])["parts"]
        rows.append(
            {
                "name": call.name,
                "args": called["functionCall"].get("args", {}),
                "response": gave["functionResponse"]["response"],
            }
        )
    return rows


def _openai(ask: Ask, note: Callable[[str, str], None]) -> Sent:
    from gemini_magic.backends.openai_request import chat_body

    dialect = python_openai.dialect(ask.backend)
    request = ask.request
    for service in request.services:
        if service != SEARCH or dialect.kind == "google":
            note("left-out", f"--{service.replace('_', '-')} left out: this wire cannot say it")
            kept = tuple(one for one in request.services if one != service)
            request = replace(request, services=kept)
    body = chat_body(request, ask.model, dialect)
    for notice in body.notices:
        note("left-out", notice)
    fields = {name: value for name, value in body.fields.items()
              if name not in ("model", "messages", "extra_body")}  # fmt: skip
    fields |= body.fields.get("extra_body", {})
    messages = list(body.fields["messages"])
    at = next((i for i, one in enumerate(messages) if one["role"] != "system"), len(messages))
    results = None
    if ask.results is not None:
        results = [
            {"name": call.name, "args": _object(call.arguments), "response": result.content}
            for call, result in ask.results
        ]
    return Sent(messages[:at], messages[at:], fields, results, "", (), ())


def _pictures(ask: Ask, note: Callable[[str, str], None]) -> Sent:
    from gemini_magic.backends import openai_images

    dialect = python_openai.dialect(ask.backend)
    order = openai_images.order_of(ask.request, ask.model, dialect)
    for notice in order.notices:
        note("left-out", notice)
    if dialect.kind == "openai":
        note("differs", "previews of the picture are not asked for")
    if ask.chat and not ask.whole:
        note("differs", "pictures of a chat's earlier answers are edited with --freeze only")
    files: dict[str, bytes] = {}
    originals: list[Original] = []
    for name, data, kind in order.originals:
        file = _file_name(Part(data=data, mime_type=kind))
        files[file] = data
        originals.append(Original(file, name, kind))
    return Sent([], [], order.fields, None, ask.mark, ask.slots, tuple(sorted(files.items())),
                True, tuple(originals))  # fmt: skip


def plain(value: Any) -> Any:
    """What an SDK's model says as JSON values: the names and the forms of the wire."""
    if hasattr(type(value), "model_fields"):
        return plain(value.model_dump(mode="python", by_alias=True, exclude_none=True))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def _object(arguments: str) -> Any:
    try:
        made = json.loads(arguments)
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def _file_name(part: Part) -> str:
    digest = hashlib.sha256(part.data or b"").hexdigest()[:8]
    kind = (part.mime_type or "").partition(";")[0].strip().lower()
    return f"inputs/{digest}{mimetypes.guess_extension(kind) or '.bin'}"


def key_names(asks: tuple[Ask, ...]) -> set[str]:
    """The variables of the environment that hold the keys of these asks' backends."""
    return {name for ask in asks for name in ask.backend.key_env}
