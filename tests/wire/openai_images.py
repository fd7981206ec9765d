"""OpenAI's interface for pictures: what it refuses, and how it answers, whole or streamed."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from typing import Any

from .openai_rules import _bad, _missing, _unknown
from .play import Piece
from .script import Answer, Failure, Picture
from .server import Recorded

FIELDS = {
    "model", "prompt", "background", "n", "output_compression", "output_format", "partial_images",
    "quality", "size", "stream", "user", "response_format", "safety_identifier",
}  # fmt: skip
GENERATE_ONLY = {"moderation", "style"}
EDIT_ONLY = {"image", "mask", "input_fidelity"}
FILES = ("image/png", "image/jpeg", "image/webp")
SIZES = {
    "gpt-image-1": {"1024x1024", "1536x1024", "1024x1536", "auto"},
    "dall-e-3": {"1024x1024", "1792x1024", "1024x1792"},
}
NUMBERS = ("n", "partial_images", "output_compression")


def form_of(request: Recorded) -> dict[str, Any] | None:
    """A multipart form's fields, numbers and flags read; `image` is a list of (type, bytes)."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return None
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    form: dict[str, Any] = {}
    for part in whole.get_payload():
        name = str(part.get_param("name", header="content-disposition")).removesuffix("[]")
        data = part.get_payload(decode=True)
        if part.get_filename() is not None:
            form.setdefault(name, []).append((part.get_content_type(), data))
        elif name in NUMBERS:
            form[name] = int(data)
        else:
            text = data.decode()
            form[name] = {"true": True, "false": False}.get(text, text)
    return form


def check_images(body: Any, *, edit: bool) -> Failure | None:
    """The first thing wrong with a request for pictures, or None."""
    return next(_all(body, edit), None)


def _all(body: Any, edit: bool) -> Iterator[Failure]:
    if not isinstance(body, dict):
        yield _bad("We could not parse the body of your request.")
        return
    for name in set(body) - FIELDS - (EDIT_ONLY if edit else GENERATE_ONLY):
        yield _unknown(name)
    for name in ("model", "prompt", *(["image"] if edit else [])):
        if not body.get(name):
            yield _missing(name)
    model = body["model"]
    gpt = model.startswith(("gpt-image", "chatgpt-image"))
    if not isinstance(body["prompt"], str) or len(body["prompt"]) > 32_000:
        yield _bad("Invalid 'prompt': string too long.", "prompt", "string_above_max_length")
    if not 1 <= body.get("n", 1) <= 10 or (model == "dall-e-3" and body.get("n", 1) > 1):
        yield _bad("Invalid 'n'.", "n", "integer_above_max_value")
    if "response_format" in body and gpt:
        yield _unknown("response_format")
    if ("stream" in body or "partial_images" in body) and not gpt:
        yield _unknown("stream")
    if "partial_images" in body and not (body.get("stream") and 0 <= body["partial_images"] <= 3):
        yield _bad("Invalid 'partial_images'.", "partial_images", "invalid_value")
    if body.get("stream") and body.get("n", 1) > 1:
        yield _bad("Streaming draws one picture.", "n", "invalid_value")
    qualities = ("low", "medium", "high", "auto") if gpt else ("standard", "hd")
    if "quality" in body and body["quality"] not in qualities and not model.startswith("flux"):
        yield _bad(f"Invalid value: '{body['quality']}'.", "quality", "invalid_value")
    if "size" in body and not _size(model, body["size"]):
        yield _bad(f"Invalid size '{body['size']}'.", "size", "invalid_value")
    for kind, data in body.get("image", ()):
        if kind not in FILES or not data:
            text = f"Invalid file 'image': unsupported mimetype ('{kind}')."
            yield _bad(text, "image", "unsupported_file_mimetype")
    if len(body.get("image", ())) > 16:
        yield _bad("Too many images.", "image")


def _size(model: str, size: str) -> bool:
    for prefix, sizes in SIZES.items():
        if model.startswith(prefix):
            return size in sizes
    found = re.fullmatch(r"(\d+)x(\d+)", size)
    if not found:
        return size == "auto"
    width, height = int(found[1]), int(found[2])
    return (
        width % 16 == height % 16 == 0
        and max(width, height) <= 3 * min(width, height)
        and max(width, height) <= 3840
        and width * height <= 3840 * 2160
    )


class ImageDialect:
    """Rows of data, or of a stream previews and at last the picture.

    Mappings among the answer's items are rows (or a stream's events) as they are.
    """

    newline = b"\n\n"
    done = b""

    def __init__(self, answer: Answer, kind: str) -> None:
        self.answer = answer
        self.kind = kind
        self._previews = 0

    def event(self, piece: Piece | None, *, first: bool, last: bool) -> dict[str, Any]:
        kind, value = piece or ("", None)
        if kind == "part":
            return dict(value)
        data = value.data if isinstance(value, Picture) else b""
        event = {
            "type": f"{self.kind}.{'completed' if last else 'partial_image'}",
            "b64_json": base64.b64encode(data).decode("ascii"),
            "created_at": int(time.time()),
            "size": "1024x1024",
            "quality": "high",
            "background": "opaque",
            "output_format": "png",
        }
        if last:
            return {**event, "usage": self._usage()}
        self._previews += 1
        return {**event, "partial_image_index": self._previews - 1}

    def tail(self) -> Iterable[dict[str, Any]]:
        return ()

    def whole(self) -> dict[str, Any]:
        rows = [
            {"b64_json": base64.b64encode(one.data).decode("ascii")}
            if isinstance(one, Picture)
            else one
            for one in self.answer.items or self.answer.pictures
        ]
        return {"created": int(time.time()), "data": rows, "usage": self._usage()}

    def _usage(self) -> dict[str, Any]:
        used = self.answer.usage
        told, drawn = used.prompt or 0, used.output or 0
        return {
            "input_tokens": told,
            "output_tokens": drawn,
            "total_tokens": told + drawn,
            "input_tokens_details": {"text_tokens": told, "image_tokens": 0},
        }
