"""Pictures on OpenAI's wire where they have an interface of their own: generate and edit."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.backends import openai_media as media
from gemini_magic.backends.openai_calls import get, text
from gemini_magic.backends.openai_dialects import Dialect, refused
from gemini_magic.backends.openai_pictures import MAX_PICTURES, Album, from_base64, told
from gemini_magic.backends.openai_request import left_out
from gemini_magic.backends.wire import Progress, count
from gemini_magic.errors import UsageError
from gemini_magic.events import BackendEvent, Ended, Notice, PartDone, Preview
from gemini_magic.types import CUT, STOP, Message, Part, Request, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

#: How many previews are asked for; each costs 100 tokens of output.
#: Source: OpenAI's guide "Image generation", partial images.
_PREVIEWS = 2
_CHAT_ONLY = (
    "temperature", "top_p", "top_k", "max_output_tokens", "stop", "seed", "presence_penalty",
    "frequency_penalty", "thinking", "safety", "media_resolution", "voice",
)  # fmt: skip

#: The sizes of models that know but a few (openai 3.54.0, images.generate, size).
_SIZES = {
    "gpt-image-1": ((1024, 1024), (1536, 1024), (1024, 1536)),
    "chatgpt-image": ((1024, 1024), (1536, 1024), (1024, 1536)),
    "dall-e-3": ((1024, 1024), (1792, 1024), (1024, 1792)),
    "dall-e-2": ((1024, 1024), (512, 512), (256, 256)),
}
#: Of models that draw any size: the longest side, pixels at most, and what sides are multiples of.
_LONGEST, _PIXELS, _STEP = 3840, 3840 * 2160, 16
_EDGES = {"1K": 1024, "2K": 2048, "4K": 4096}


class Order(NamedTuple):
    """What is asked of the pictures' interface; ``originals`` are pictures to be edited."""

    fields: dict[str, Any]
    originals: list[tuple[str, bytes, str]]
    notices: list[str]


def draws(model: str, dialect: Dialect) -> bool:
    """Whether a model's pictures are asked for here; OpenRouter has them in a chat only."""
    return catalog.has_images_api(model) and dialect.kind not in ("openrouter", "llama.cpp")


def order_of(request: Request, model: str, dialect: Dialect) -> Order:
    """What to ask for; blocks where files are read. Raises ``UsageError`` for what is no picture.

    In a conversation the last message counts, and the newest picture is the one to be edited.
    """
    _check(request, model)
    said = request.messages[-1]
    words = "".join(p.text or "" for p in said.parts).strip()
    prompt = "\n\n".join(filter(None, (request.system, words)))
    if not prompt:
        raise UsageError(f"{model} needs words, too: what is to be drawn? Nothing was sent.")
    notices = left_out(request.settings, _CHAT_ONLY, f"{model} has no such setting")
    pictures = _originals(request.messages, notices)
    media.weigh([Message("user", tuple(pictures))], dialect)
    settings = request.settings
    fields: dict[str, Any] = {"model": model, "prompt": prompt}
    size, lost = picture_size(model, settings.size, settings.aspect)
    if size:
        fields["size"] = size
    if lost:
        notices.append(lost)
    bare = _bare(model)
    if settings.quality is not None:
        older = {"low": "standard", "medium": "standard", "high": "hd"}
        fields["quality"] = older[settings.quality] if "dall-e" in bare else settings.quality
    if settings.count is not None:
        fields["n"] = settings.count
    if bare.startswith("dall-e"):
        fields["response_format"] = "b64_json"  # an address would have to be fetched
    originals = [(media.name_of(p), media.content(p), p.mime_type or "") for p in pictures]
    return Order(fields, originals, notices)


def _check(request: Request, model: str) -> None:
    asked = {
        "--schema": request.schema is not None,
        "--tools": bool(request.tools),
        **{f"--{name.replace('_', '-')}": True for name in request.services},
    }
    for option, given in asked.items():
        if given:
            raise refused(f"{model} makes pictures, and {option} is for words", "a chat model can")
    if "audio" in request.settings.modalities:
        raise refused(f"{model} makes pictures, no sound", "leave --modalities out, or ask")


def _originals(messages: tuple[Message, ...], notices: list[str]) -> list[Part]:
    """The pictures to be edited: the last message's, else the newest of an answer."""
    found = [part for part in messages[-1].parts if part.is_media]
    for part in found:
        if not (part.mime_type or "").startswith("image/"):
            raise refused(f"this model takes words and pictures, no {part.mime_type}")
        if part.uri is not None:
            raise UsageError(
                "this model takes pictures as data, not by address; nothing was sent.",
                "load it into a variable, and put that into the prompt: {{ photo }}",
            )
    if len(messages) > 1:
        notices.append("earlier turns left out: this model sees the last message and picture only")
    if not found:
        for message in reversed(messages[:-1]):
            drawn = [p for p in message.parts
                     if (p.mime_type or "").startswith("image/") and p.uri is None]  # fmt: skip
            if drawn:
                return drawn[-1:]
    return found


def picture_size(model: str, size: str | None, aspect: str | None) -> tuple[str, str]:
    """The size as the interface takes it ("": its default), and what of it cannot be had.

    Raises ``UsageError`` for what is no size, or no ratio.
    """
    if size is None and aspect is None:
        return "", ""
    width: float
    height: float
    exact = re.fullmatch(r"(\d{1,5})\s*[xX]\s*(\d{1,5})", size or "")
    if exact:
        width, height = int(exact[1]), int(exact[2])
        ratio = width / height if height else 0.0
    else:
        ratio = _ratio(aspect or "1:1")
        edge = _EDGES.get((size or "1K").upper(), 0)
        width, height = edge * math.sqrt(ratio), edge / math.sqrt(ratio) if ratio else 0.0
    if not (width and height):
        odd = f"--aspect {aspect}" if aspect and not exact and not ratio else f"--size {size}"
        raise UsageError(
            f"{odd[:60]}: {model} makes no such pictures; nothing was sent.",
            f"Sizes: {_sizes(model)}; ratios such as 16:9",
        )
    for prefix, sizes in _SIZES.items():
        if _bare(model).startswith(prefix):
            best, fits = _nearest(sizes, width, height)
            asked = " ".join(filter(None, (size, aspect)))
            return best, "" if fits else f"size {best} instead of {asked}: {model} has no other"
    if exact:
        return f"{exact[1]}x{exact[2]}", ""
    scale = min(1.0, math.sqrt(_PIXELS / (width * height)), _LONGEST / max(width, height))
    sides = (max(_STEP, int(side * scale + 0.01) // _STEP * _STEP) for side in (width, height))
    return "x".join(map(str, sides)), ""


def _sizes(model: str) -> str:
    """The sizes that a model has, for people."""
    for prefix, sizes in _SIZES.items():
        if _bare(model).startswith(prefix):
            return ", ".join(f"{width}x{height}" for width, height in sizes)
    return f"{', '.join(_EDGES)}, or pixels such as 1536x1024"


def _nearest(sizes: tuple[tuple[int, int], ...], width: float, height: float) -> tuple[str, bool]:
    """The size most like what is wanted, its shape first, and whether nothing is lost with it."""

    def unlike(size: tuple[int, int]) -> tuple[float, float]:
        shape = math.log((width / height) / (size[0] / size[1]))
        return round(abs(shape), 6), abs(size[0] * size[1] - width * height)

    best = min(sizes, key=unlike)
    fits = unlike(best)[0] < 0.01 and best[0] * best[1] >= round(width * height)
    return f"{best[0]}x{best[1]}", fits


def _ratio(aspect: str) -> float:
    found = re.fullmatch(r"(\d{1,4})\s*[:/x]\s*(\d{1,4})", aspect)
    return int(found[1]) / int(found[2]) if found and int(found[2]) else 0.0


def _bare(model: str) -> str:
    return model.rpartition("/")[2].lower()


def _streams(order: Order, dialect: Dialect) -> bool:
    """Whether previews can be had. Only where that is certain: to ask again would cost again."""
    bare = _bare(order.fields["model"])
    return (
        dialect.kind == "openai"
        and bare.startswith(("gpt-image", "chatgpt-image"))
        and order.fields.get("n", 1) == 1
    )


async def draw(
    client: AsyncOpenAI,
    order: Order,
    dialect: Dialect,
    headers: list[Any],
    progress: Progress,
) -> AsyncGenerator[BackendEvent]:
    """Ask once; ``headers`` is what ``noting_headers`` fills. Raises what the SDK raises."""
    fields = dict(order.fields)
    ask: Any = client.images.generate
    if order.originals:
        ask = client.images.edit
        fields["image"] = order.originals if len(order.originals) > 1 else order.originals[0]
    if _streams(order, dialect):
        usage, done = Usage(), False
        events = await ask(stream=True, partial_images=_PREVIEWS, **fields)
        async with events:
            if headers:
                yield headers[0]
            async for event in events:
                progress.streaming = True
                kind = text(get(event, "type"))
                if kind.endswith(".partial_image"):
                    seen = from_base64(get(event, "b64_json"))
                    if isinstance(seen, Part):
                        yield Preview(seen)
                elif kind.endswith(".completed"):
                    done = True
                    usage = _usage(get(event, "usage"))
                    yield told(from_base64(get(event, "b64_json")))
        yield Ended(STOP if done else CUT, usage, order.fields["model"])
        return
    answer = await ask(**fields)
    if headers:
        yield headers[0]
    progress.streaming = True
    data = get(answer, "data")
    async with aclosing(_drawn(data if isinstance(data, list) else [])) as events:
        async for event in events:
            yield event
    yield Ended(STOP, _usage(get(answer, "usage")), order.fields["model"])


async def _drawn(data: list[Any]) -> AsyncGenerator[PartDone | Notice]:
    album = Album()
    for one in data[:MAX_PICTURES]:
        if revised := text(get(one, "revised_prompt")).strip():
            yield Notice(f"the service drew this: {' '.join(revised.split())[:2000]}")
        if get(one, "b64_json"):
            yield told(from_base64(get(one, "b64_json")))
        else:
            async for found in album.add_url(get(one, "url")):
                yield found


def _usage(counted: Any) -> Usage:
    return Usage(
        input_tokens=count(get(counted, "input_tokens")),
        output_tokens=count(get(counted, "output_tokens")),
    )
