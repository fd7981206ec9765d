"""Helpers of scripts that ask Gemini by google-genai."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from google import genai
from google.genai import types

from gemini_magic.convert.helpers.common import (
    Citation,
    Media,
    Reply,
    ToolCall,
    ToolUse,
    Usage,
    called,
    used,
    wav,
)


def ask_gemini(
    client: genai.Client,
    model: str,
    prompt: str | list[str | Media],
    config: types.GenerateContentConfig | None = None,
    *,
    history: list[types.Content] | None = None,
    quiet: bool = False,
) -> Reply:
    """Ask, print the answer as it comes, and add both to the history."""
    question = types.Content(role="user", parts=gemini_parts(prompt))
    reply = Reply()
    said = stream_gemini(
        client, model, [*(history or []), question], config, reply, quiet
    )
    if history is not None:
        history += (
            [question, types.Content(role="model", parts=said)] if said else [question]
        )
    return reply


def ask_gemini_with_functions(
    client: genai.Client,
    model: str,
    prompt: str | list[str | Media],
    config: types.GenerateContentConfig,
    functions: Mapping[str, Callable[..., Any]],
    *,
    history: list[types.Content] | None = None,
    quiet: bool = False,
    hops: int = 8,
    seconds: float | None = None,
) -> Reply:
    """Ask, call the functions that the model wants, and ask with their results."""
    exchanged = [types.Content(role="user", parts=gemini_parts(prompt))]
    before = history or []
    uses: list[ToolUse] = []  # if tool_calls
    for hop in range(hops + 1):
        reply = Reply()
        said = stream_gemini(client, model, [*before, *exchanged], config, reply, quiet)
        calls = [part.function_call for part in said if part.function_call]
        if not calls or hop == hops:
            said = [part for part in said if not part.function_call]
            break
        results: list[types.Part] = []
        for call in calls:
            name = call.name or ""
            began = time.monotonic()  # if tool_calls
            value, failed = called(functions, name, call.args or {}, seconds)
            uses.append(used(gemini_call(call), value, failed, began))  # if tool_calls
            if failed:
                value = {"error": value}
            elif not isinstance(value, dict):
                value = {"result": value}
            answer = types.FunctionResponse(name=name, id=call.id, response=value)
            results.append(types.Part(function_response=answer))
        exchanged.append(types.Content(role="model", parts=said))
        exchanged.append(types.Content(role="user", parts=results))
    reply.tool_calls = tuple(uses)  # if tool_calls
    if history is not None:
        history += exchanged
        if said:
            history.append(types.Content(role="model", parts=said))
    return reply


def gemini_call(call: types.FunctionCall) -> ToolCall:
    """A call of a function, with its arguments as text."""
    arguments = json.dumps(call.args or {}, ensure_ascii=False)
    return ToolCall(call.name or "", arguments, call.id or "")


def stream_gemini(
    client: genai.Client,
    model: str,
    contents: list[types.Content],
    config: types.GenerateContentConfig | None,
    reply: Reply,
    quiet: bool,
) -> list[types.Part]:
    """Ask once; the parts of the answer, without the model's thoughts."""
    said: list[types.Part] = []
    sound = b""
    reply.model = model  # if model
    sent: Any = contents
    once = {"automatic_continuation": False}  # no request but this one
    config = (config or types.GenerateContentConfig()).model_copy(update=once)
    ask = client.models.generate_content_stream
    for chunk in ask(model=model, contents=sent, config=config):
        reply.usage = gemini_usage(chunk.usage_metadata, reply.usage)  # if usage
        for candidate in (chunk.candidates or [])[:1]:
            if candidate.finish_reason:
                reply.finish_reason = candidate.finish_reason.value
            add_citations(candidate, reply)  # if citations
            for part in (candidate.content and candidate.content.parts) or []:
                blob = part.inline_data
                if part.thought:
                    continue
                if part.text:
                    reply.text += part.text
                    if not quiet:
                        print(part.text, end="", flush=True)
                    if said and said[-1].text is not None:
                        said[-1].text += part.text
                    else:
                        said.append(types.Part(text=part.text))
                elif (
                    blob
                    and blob.data
                    and (blob.mime_type or "").startswith("audio/L16")
                ):
                    sound += blob.data
                elif blob and blob.data:
                    reply.media.append(Media(blob.mime_type or "", blob.data))
                    said.append(part)
                elif part.text is None:
                    said.append(part)
    if sound:
        reply.media.append(Media("audio/wav", wav(sound)))
        said.append(types.Part.from_bytes(data=wav(sound), mime_type="audio/wav"))
    if not quiet and reply.text:
        print()
    return said


def add_citations(candidate: types.Candidate, reply: Reply) -> None:
    """Add the sources that an answer names."""
    named: list[Any] = []
    grounding, pages = candidate.grounding_metadata, candidate.url_context_metadata
    for chunk in (grounding and grounding.grounding_chunks) or []:
        named += [chunk.web, chunk.maps, chunk.retrieved_context, chunk.image]
    for page in (pages and pages.url_metadata) or []:
        if str(page.url_retrieval_status).endswith("SUCCESS"):
            named.append(Citation(page.retrieved_url or ""))
    cited = candidate.citation_metadata
    named += (cited and cited.citations) or []
    found = {one.uri: one for one in reply.citations}
    for one in named:
        uri = getattr(one, "source_uri", None) or getattr(one, "uri", None)
        if uri and not (uri in found and found[uri].title):
            found[uri] = Citation(uri, one.title or "")
    reply.citations = tuple(found.values())


def gemini_usage(counted: Any, before: Usage) -> Usage:
    """The tokens that were counted."""
    if counted is None:
        return before
    asked, tools = counted.prompt_token_count, counted.tool_use_prompt_token_count
    return Usage(
        (asked or 0) + tools if tools else asked,
        counted.candidates_token_count,
        counted.thoughts_token_count,
        counted.cached_content_token_count,
    )


def gemini_parts(prompt: str | list[str | Media]) -> list[types.Part]:
    """A prompt as the parts of a message."""
    parts: list[types.Part] = []
    for one in [prompt] if isinstance(prompt, str) else prompt:
        if isinstance(one, str):
            parts.append(types.Part(text=one))
        elif one.uri:
            parts.append(types.Part.from_uri(file_uri=one.uri, mime_type=one.mime_type))
        else:
            parts.append(types.Part.from_bytes(data=one.data, mime_type=one.mime_type))
    return parts
