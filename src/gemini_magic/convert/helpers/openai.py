"""Helpers of scripts that ask an OpenAI-compatible service by openai."""

from __future__ import annotations

import base64
import json
import mimetypes
import time
from collections.abc import Callable, Mapping
from typing import Any

from openai import OpenAI

from gemini_magic.convert.helpers.common import (
    Media,
    Reply,
    ToolCall,
    ToolUse,
    Usage,
    called,
    data_url,
    fetched,
    picture_type,
    used,
    wav,
)

Message = dict[str, Any]


def ask_openai(
    client: OpenAI,
    model: str,
    prompt: str | list[str | Media],
    settings: Mapping[str, Any] | None = None,
    *,
    instructions: list[Message] | None = None,
    history: list[Message] | None = None,
    quiet: bool = False,
) -> Reply:
    """Ask, print the answer as it comes, and add both to the history.

    ``settings`` are further arguments of ``client.chat.completions.create``;
    ``instructions`` are messages that go before the history.
    """
    question = {"role": "user", "content": openai_content(prompt)}
    reply = Reply()
    messages = [*(instructions or []), *(history or []), question]
    stream_openai(client, model, messages, settings or {}, reply, quiet)
    if history is not None:
        history.append(question)
        if reply.text:
            history.append({"role": "assistant", "content": reply.text})
    return reply


def ask_openai_with_functions(
    client: OpenAI,
    model: str,
    prompt: str | list[str | Media],
    settings: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    *,
    instructions: list[Message] | None = None,
    history: list[Message] | None = None,
    quiet: bool = False,
    hops: int = 8,
    seconds: float | None = None,
) -> Reply:
    """Ask, call the functions that the model wants, and ask with their results."""
    exchanged: list[Message] = [{"role": "user", "content": openai_content(prompt)}]
    before = [*(instructions or []), *(history or [])]
    uses: list[ToolUse] = []  # if tool_calls
    for hop in range(hops + 1):
        reply = Reply()
        calls = stream_openai(
            client, model, [*before, *exchanged], settings, reply, quiet
        )
        if not calls or hop == hops:
            break
        said = {"role": "assistant", "content": reply.text or None, "tool_calls": calls}
        exchanged.append(said)
        for call in calls:
            began = time.monotonic()  # if tool_calls
            name = call["function"]["name"]
            try:
                arguments = json.loads(call["function"]["arguments"])
            except ValueError as error:
                value, failed = f"wrong arguments: no JSON: {error}", True
            else:
                value, failed = called(functions, name, arguments, seconds)
            uses.append(used(openai_call(call), value, failed, began))  # if tool_calls
            content = json.dumps(value, ensure_ascii=False)
            exchanged.append(
                {"role": "tool", "tool_call_id": call["id"], "content": content}
            )
    reply.tool_calls = tuple(uses)  # if tool_calls
    if history is not None:
        history += exchanged
        if reply.text:
            history.append({"role": "assistant", "content": reply.text})
    return reply


def openai_call(call: Message) -> ToolCall:
    """A call of a function."""
    return ToolCall(**call["function"], id=call["id"])


def draw_openai(
    client: OpenAI,
    model: str,
    prompt: str | list[str | Media],
    settings: Mapping[str, Any] | None = None,
    *,
    instructions: str = "",
    history: list[Media] | None = None,
) -> Reply:
    """Ask for pictures: those of the prompt, else the history's newest, are edited."""
    parts = [prompt] if isinstance(prompt, str) else prompt
    words = "".join(one for one in parts if isinstance(one, str)).strip()
    given = [one for one in parts if not isinstance(one, str)] or (history or [])[-1:]
    options: Any = dict(settings or {})
    ask: Any = client.images.generate
    if given:
        ask = client.images.edit
        files = [(file_name(one), one.data, one.mime_type) for one in given]
        options["image"] = files if len(files) > 1 else files[0]
    text = "\n\n".join(filter(None, (instructions, words)))
    answer = ask(model=model, prompt=text, **options)
    reply = Reply(finish_reason="STOP")
    reply.model = model  # if model
    for one in answer.data or []:
        if one.b64_json:
            data = base64.b64decode(one.b64_json)
            reply.media.append(Media(picture_type(data) or "image/png", data))
        elif one.url and isinstance(drawn := fetched(one.url), Media):
            reply.media.append(drawn)
    if history is not None:
        history += reply.media
    return reply


def file_name(media: Media) -> str:
    """What a file is called when it is sent."""
    return media.name or f"file{mimetypes.guess_extension(media.mime_type) or '.bin'}"


def stream_openai(
    client: OpenAI,
    model: str,
    messages: list[Message],
    settings: Mapping[str, Any],
    reply: Reply,
    quiet: bool,
) -> list[Message]:
    """Ask once; the calls of functions that the answer wants."""
    calls: dict[int, Message] = {}
    sound = b""
    reply.model = model  # if model
    sent: Any = messages
    options: Any = {
        "stream": True,
        "stream_options": {"include_usage": True},
        **settings,
    }
    ask: Any = client.chat.completions.create
    for chunk in ask(model=model, messages=sent, **options):
        reply.usage = openai_usage(chunk.usage, reply.usage)  # if usage
        for choice in chunk.choices or []:
            delta = choice.delta
            if choice.finish_reason:
                reply.finish_reason = FINISHED.get(choice.finish_reason, "OTHER")
            audio = getattr(delta, "audio", None) or {}
            sound += base64.b64decode(audio.get("data") or "")
            for text in (delta.content, delta.refusal, audio.get("transcript")):
                if text:
                    reply.text += text
                    if not quiet:
                        print(text, end="", flush=True)
            for picture in getattr(delta, "images", None) or []:
                head, _, data = picture["image_url"]["url"].partition(";base64,")
                kind = head.removeprefix("data:")
                reply.media.append(Media(kind, base64.b64decode(data)))
            for piece in delta.tool_calls or []:
                empty = {"name": "", "arguments": ""}
                new: Message = {"id": "", "type": "function", "function": empty}
                call = calls.setdefault(piece.index, new)
                call["id"] = call["id"] or piece.id or f"call_{len(calls)}"
                call["function"]["name"] += (
                    piece.function and piece.function.name
                ) or ""
                arguments = (piece.function and piece.function.arguments) or ""
                call["function"]["arguments"] += arguments
                if extra := getattr(piece, "extra_content", None):
                    call["extra_content"] = extra
    if sound:
        reply.media.append(Media("audio/wav", wav(sound)))
    if not quiet and reply.text:
        print()
    for call in calls.values():
        call["function"]["arguments"] = call["function"]["arguments"].strip() or "{}"
    return list(calls.values())


#: Google's words for why an answer ended.
FINISHED = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


def openai_usage(counted: Any, before: Usage) -> Usage:
    """The tokens that were counted; this wire counts thoughts as output, too."""
    if counted is None:
        return before
    asked, answered = counted.prompt_tokens_details, counted.completion_tokens_details
    thoughts = answered and answered.reasoning_tokens
    return Usage(
        counted.prompt_tokens,
        max(0, counted.completion_tokens - (thoughts or 0)),
        thoughts,
        asked and asked.cached_tokens,
    )


def openai_content(prompt: str | list[str | Media]) -> str | list[Message]:
    """A prompt as the content of a message."""
    if isinstance(prompt, str):
        return prompt
    if all(isinstance(one, str) for one in prompt):
        return "".join(map(str, prompt))
    content: list[Message] = []
    for one in prompt:
        if isinstance(one, str):
            content.append({"type": "text", "text": one})
        elif one.mime_type.startswith("image/"):
            url = {"url": one.uri or data_url(one)}
            content.append({"type": "image_url", "image_url": url})
        elif one.mime_type.startswith("audio/"):
            form = {"mpeg": "mp3", "x-wav": "wav"}.get(
                one.mime_type[6:], one.mime_type[6:]
            )
            sound = {"data": base64.b64encode(one.data).decode(), "format": form}
            content.append({"type": "input_audio", "input_audio": sound})
        else:
            file = {"filename": file_name(one), "file_data": data_url(one)}
            content.append({"type": "file", "file": file})
    return content
