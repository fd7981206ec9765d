"""OpenAI's interface for speech: what it refuses, and how the sound comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .openai_rules import _bad, _missing, _unknown
from .script import Answer, Failure, Fault
from .server import Exchange

FIELDS = {"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"}
VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse",
    "marin", "cedar",
)  # fmt: skip
KINDS = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac",
    "wav": "audio/wav", "pcm": "audio/pcm",
}  # fmt: skip


def check_speech(body: Any) -> Failure | None:
    """The first thing wrong with a request for speech, or None."""
    return next(_all(body), None)


def _all(body: Any) -> Iterator[Failure]:
    if not isinstance(body, dict):
        yield _bad("We could not parse the body of your request.")
        return
    for name in set(body) - FIELDS:
        yield _unknown(name)
    for name in ("model", "input", "voice"):
        if not isinstance(body.get(name), str) or not body[name]:
            yield _missing(name)
    if len(body["input"]) > 4_096:
        yield _bad("Invalid 'input': string too long.", "input", "string_above_max_length")
    if body["voice"] not in VOICES:
        yield _bad(f"Invalid value: '{body['voice']}'.", "voice", "invalid_value")
    if body.get("response_format", "mp3") not in KINDS:
        yield _bad("Invalid 'response_format'.", "response_format", "invalid_value")
    if body["model"].startswith("tts-1") and "instructions" in body:
        yield _unknown("instructions")


def speak(exchange: Exchange, item: Answer | Fault, body: dict[str, Any]) -> None:
    """Stream the sounds of an answer as one body; its mime type says what is claimed to come."""
    fault = item if isinstance(item, Fault) else None
    answer = item if isinstance(item, Answer) else item.answer
    pieces = list(answer.pictures) if answer else []
    kind = pieces[0].mime if pieces else KINDS[body.get("response_format", "mp3")]
    exchange.wait(answer.first_delay if answer else 0)
    exchange.start_stream({"Content-Type": kind})
    for i, piece in enumerate(pieces):
        if fault and i >= fault.after:
            break
        exchange.wait(answer.delay if answer and i else 0)
        exchange.chunk(piece.data)
    match fault.kind if fault else None:
        case "drop":
            exchange.reset()
        case "cut":
            exchange.close()
        case "stall":
            exchange.wait(None)
        case _:
            exchange.end_stream()
