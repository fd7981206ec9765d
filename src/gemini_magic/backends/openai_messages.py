"""A conversation as OpenAI's wire writes it: roles, parts, and calls that pair with results."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from gemini_magic.backends import openai_media as media
from gemini_magic.backends.openai_dialects import Dialect, refused
from gemini_magic.types import Message, Part, Request, ToolCall, ToolResult

#: How closely pictures are looked at; this wire knows no middle.
_DETAIL = {"low": "low", "medium": "auto", "high": "high"}
#: How the wire calls forms of sound.
_SOUNDS = {
    "mpeg": "mp3", "x-mp3": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav",
    "x-flac": "flac", "mp4": "m4a", "x-m4a": "m4a", "x-aac": "aac", "x-aiff": "aiff",
}  # fmt: skip
#: What OpenAI's models see. Source: OpenAI's guide "Images and vision", input requirements.
_SEEN = ("image/png", "image/jpeg", "image/webp", "image/gif")
_OLD_SOUND = "sound of earlier answers left out: this wire takes back their words only"


def messages_of(request: Request, dialect: Dialect) -> tuple[list[dict[str, Any]], list[str]]:
    """The messages, and what they cannot say; blocks where files are read.

    A call without its result and a result without its call, which this wire refuses, are written
    as text. Raises ``UsageError`` for what would be lost.
    """
    writer = _Writer(dialect, _DETAIL.get(request.settings.media_resolution or ""))
    if request.system is not None:
        writer.written.append({"role": "system", "content": request.system})
    for i, message in enumerate(request.messages):
        if message.role == "model":
            writer.model(message, request.messages[i + 1 : i + 2])
        else:
            writer.user(message.parts)
    writer.user(())
    return writer.written, writer.notices


class _Writer:
    def __init__(self, dialect: Dialect, detail: str | None) -> None:
        self.written: list[dict[str, Any]] = []
        self.notices: list[str] = []
        self._dialect = dialect
        self._detail = detail
        self._ids: set[str] = set()
        #: Which parts of the next message answer which calls.
        self._answers: dict[int, str] = {}
        #: Pictures of an answer; only a user may show some, so they go into the next message.
        self._pictures: list[Part] = []

    def model(self, message: Message, following: Sequence[Message]) -> None:
        self.user(())  # pictures of an answer before this one
        results = following[0].parts if following and following[0].role == "user" else ()
        calls, texts = [], []
        for part in message.parts:
            if part.call is not None:
                answer = self._answer_to(part.call, results)
                if answer is None:
                    texts.append(_told(part))
                else:
                    calls.append(self._call(part, part.call, answer))
            elif part.is_media:
                self._remember(part)
            else:
                texts.append(_told(part))
        text = "".join(texts)
        if not (text or calls or self._pictures):
            return
        if not text and not calls:
            text = "(the picture that follows)"
        said: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            said["tool_calls"] = calls
        for part in message.parts:  # there is room for one: the last, which covers all
            if part.text is not None:
                self._sign(said, part)
        self.written.append(said)

    def _remember(self, part: Part) -> None:
        if _family(part) == "image":
            self._pictures.append(part)
        elif _family(part) == "audio":
            if _OLD_SOUND not in self.notices:
                self.notices.append(_OLD_SOUND)
        else:
            self._pictures.append(part)  # refused where it is written, by its own name

    def _answer_to(self, call: ToolCall, results: Sequence[Part]) -> int | None:
        """Which of the next message's parts is this call's result."""

        def fits(given: ToolResult | None, exactly: bool) -> bool:
            if given is None:
                return False
            if exactly:
                return bool(call.id) and given.id == call.id
            return given.name == call.name and not (call.id and given.id)

        for exactly in (True, False):
            for i, part in enumerate(results):
                if i not in self._answers and fits(part.result, exactly):
                    return i
        return None

    def _call(self, part: Part, call: ToolCall, answer: int) -> dict[str, Any]:
        name = call.id or f"call_{len(self._ids) + 1}"
        unique, n = name, 1
        while unique in self._ids:
            n += 1
            unique = f"{name}-{n}"
        self._ids.add(unique)
        self._answers[answer] = unique
        function = {"name": call.name, "arguments": _object(call.arguments)}
        written: dict[str, Any] = {"id": unique, "type": "function", "function": function}
        self._sign(written, part)
        return written

    def _sign(self, written: dict[str, Any], part: Part) -> None:
        """Give a signature back to Google, whose it is, and to nobody else.

        Source: https://ai.google.dev/gemini-api/docs/thought-signatures
        """
        if part.signature is not None and self._dialect.kind == "google":
            signature = base64.b64encode(part.signature).decode("ascii")
            written["extra_content"] = {"google": {"thought_signature": signature}}

    def user(self, parts: Sequence[Part]) -> None:
        """A message of the user's; without parts, only what has to be said between two others."""
        given = [self._part(part) for part in self._pictures]
        self._pictures.clear()
        for i, part in enumerate(parts):
            if part.result is not None and i in self._answers:
                self.written.append(
                    {
                        "role": "tool",
                        "tool_call_id": self._answers[i],
                        "content": part.result.content,
                    }
                )
            else:
                given.append(self._part(part))
        only_results = bool(self._answers) and not given
        self._answers.clear()
        if (not parts and not given) or only_results:
            return
        if all(one["type"] == "text" for one in given):
            content: Any = "".join(one["text"] for one in given)
        else:
            content = [one for one in given if one.get("text") != ""]
        self.written.append({"role": "user", "content": content})

    def _part(self, part: Part) -> dict[str, Any]:
        if not part.is_media:
            return {"type": "text", "text": _told(part)}
        family = _family(part)
        if part.uri is not None:
            known = ("https://", "http://", *(("gs://",) if self._dialect.kind == "google" else ()))
            if family == "image" and part.uri.lower().startswith(known):
                return self._picture(part.uri)
            raise refused(
                f"this wire takes no {_kind(part)} by its address, only pictures on the web"
            )
        if media.is_text(part):
            return {"type": "text", "text": media.text_of(part)}
        if family == "image":
            if self._dialect.kind == "openai" and _kind(part).lower() not in _SEEN:
                raise refused(
                    f"OpenAI sees PNG, JPEG, WebP and GIF only, and the prompt holds {_kind(part)}",
                    "save it as PNG, or ask Google's own wire",
                )
            return self._picture(media.data_url(part))
        if family == "audio":
            form = (part.mime_type or "").partition("/")[2].partition(";")[0].lower()
            form = _SOUNDS.get(form, form)
            if self._dialect.kind == "openai" and form not in ("wav", "mp3"):
                raise refused(
                    f"OpenAI hears wav and mp3 only, and the prompt holds {_kind(part)}",
                    "save it as wav, or ask Google's own wire",
                )
            sound = {"data": media.encoded(part), "format": form}
            return {"type": "input_audio", "input_audio": sound}
        if family == "video":
            raise refused(f"this wire takes no films, and the prompt holds {_kind(part)}")
        document = {"filename": media.name_of(part), "file_data": media.data_url(part)}
        return {"type": "file", "file": document}

    def _picture(self, url: str) -> dict[str, Any]:
        picture = {"url": url}
        if self._detail is not None:
            picture["detail"] = self._detail
        return {"type": "image_url", "image_url": picture}


def _family(part: Part) -> str:
    return (part.mime_type or "").partition("/")[0].lower()


def _kind(part: Part) -> str:
    return (part.mime_type or "file").partition(";")[0]


def _told(part: Part) -> str:
    """A part without media as text."""
    if part.code is not None:
        return f"\n```{part.code.language}\n{part.code.source}\n```\n"
    if part.output is not None:
        return f"\n```\n{part.output.text}\n```\n"
    if part.call is not None:
        return f"[called {part.call.name}({part.call.arguments}); no result]"
    if part.result is not None:
        return f"[{part.result.name} returned: {part.result.content}]"
    return part.text or ""


def _object(arguments: str) -> str:
    """A call's arguments as services want them back: a JSON object, whatever the model wrote."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except ValueError:
        return "{}"
