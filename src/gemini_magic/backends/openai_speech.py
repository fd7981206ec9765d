"""Speech on OpenAI's wire, which has an interface of its own for it: a text is read aloud."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import catalog, pictures
from gemini_magic.backends.openai_calls import text
from gemini_magic.backends.openai_dialects import Dialect, refused
from gemini_magic.backends.openai_request import left_out
from gemini_magic.backends.wire import Progress
from gemini_magic.errors import UsageError, WireError
from gemini_magic.events import BackendEvent, Ended, Notice, PartDone
from gemini_magic.types import STOP, Part, Request

if TYPE_CHECKING:
    from openai import AsyncOpenAI

#: The voice where the user names none, and the most characters that are read aloud.
#: Source: openai 3.54.0, audio.speech.create
_VOICE, _LONGEST = "alloy", 4_096
#: Samples a second of "pcm": 16 bits, one channel. Source: OpenAI's guide "Text to speech".
_RATE = 24_000
#: The most bytes of one answer's sound.
_MOST = 50_000_000
#: What a service says of samples without a head.
_RAW = ("audio/pcm", "audio/l16", "application/octet-stream", "")
_SENSELESS = (
    "temperature", "top_p", "top_k", "max_output_tokens", "stop", "seed", "presence_penalty",
    "frequency_penalty", "thinking", "safety", "media_resolution", "size", "aspect", "quality",
    "count",
)  # fmt: skip


class Order(NamedTuple):
    """What is asked of the interface for speech."""

    fields: dict[str, Any]
    notices: list[str]


def speaks(model: str, dialect: Dialect) -> bool:
    """Whether a model speaks here; others that make sound do so in a chat."""
    return catalog.has_speech_api(model) and dialect.kind in ("openai", "other")


def order_of(request: Request, model: str) -> Order:
    """What to ask for: the last message is read aloud, the system text says how.

    Raises ``UsageError`` for what cannot be read aloud.
    """
    asked = {
        "--schema": request.schema is not None,
        "--tools": bool(request.tools),
        **{f"--{name.replace('_', '-')}": True for name in request.services},
    }
    for option, given in asked.items():
        if given:
            raise refused(f"{model} reads aloud, and {option} is for words", "a chat model can")
    said = request.messages[-1]
    if media := next((part for part in said.parts if part.is_media), None):
        raise refused(f"{model} reads text aloud, and the prompt holds {media.mime_type}")
    words = said.text.strip()
    if len(words) > _LONGEST:
        raise UsageError(
            f"{model} reads {_LONGEST:,} characters at most, and the prompt has {len(words):,}; "
            "nothing was sent.",
            "Give it a piece at a time.",
        )
    notices = left_out(request.settings, _SENSELESS, f"{model} has no such setting")
    if len(request.messages) > 1:
        notices.append("earlier turns left out: this model reads the last message aloud")
    voice = request.settings.voice or _VOICE
    fields = {"model": model, "input": words, "voice": voice, "response_format": "pcm"}
    if request.system and model.rpartition("/")[2].lower().startswith("tts-1"):
        notices.append(f"system left out: {model} cannot be told how to speak")
    elif request.system:
        fields["instructions"] = request.system
    return Order(fields, notices)


async def speak(
    client: AsyncOpenAI, order: Order, headers: list[Any], progress: Progress
) -> AsyncGenerator[BackendEvent]:
    """Ask once; ``headers`` is what ``noting_headers`` fills. Raises what the SDK raises."""
    sound = bytearray()
    async with client.audio.speech.with_streaming_response.create(**order.fields) as answer:
        if headers:
            yield headers[0]
        progress.streaming = True
        kind = text(answer.headers.get("content-type"))
        async for piece in answer.iter_bytes():
            sound += piece
            if len(sound) > _MOST:
                raise WireError("stream", detail=f"it speaks for more than {_MOST / 1e6:.0f} MB")
    if kind.startswith(("application/json", "text/")):
        yield Notice(f"this is no sound, and was left out: the service sent {kind[:40]}")
    elif sound:
        yield PartDone(_part(bytes(sound), kind))
    yield Ended(STOP, model_version=order.fields["model"])


def _part(data: bytes, kind: str) -> Part:
    """The sound as a part: samples get a WAV's head; a service may send a file all the same."""
    bare = kind.partition(";")[0].strip().lower()
    if data[:4] == b"RIFF":
        return Part(data=data, mime_type="audio/wav")
    if data[:3] == b"ID3" or bare not in _RAW:
        return Part(data=data, mime_type="audio/mpeg" if bare in _RAW else bare)
    return Part(data=pictures.wav(data, _RATE), mime_type="audio/wav")
