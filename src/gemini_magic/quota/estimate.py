"""How many tokens a request will take, before it is sent; and what answers teach about that.

The true count comes with the answer. Until then the ledger reserves this estimate, which is meant
to be a little too high, and which each model's own answers correct (``Calibration``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemini_magic.types import Part, Request

#: Estimates are this much too high on purpose: a reservation too small could overrun a limit.
MARGIN = 1.1
#: What marks the beginning, the end and the side of a message.
PER_MESSAGE = 3

#: Characters a token, by kind: a public fit to Gemini 3's own counts.
LATIN, DIGIT, OTHER, WIDE = 5.4, 1.8, 2.2, 1.7

#: Tokens of a picture and of a page of a PDF as Gemini 3 counts them by default; up to 1,120 and
#: 560. Source: https://ai.google.dev/gemini-api/docs/media-resolution
PICTURE, PAGE = 1089, 560
#: Tokens of a second of sound, and of film (one picture of 70 tokens, and its sound).
SOUND, FILM = 25, 95

#: Bytes a second where a file does not say: speech in MP3 or Ogg, FLAC, small film.
_LOSSY, _FLAC, _VIDEO = 8_000, 50_000, 125_000
#: Bytes of a PDF's page where its pages cannot be counted.
_PAGE_BYTES = 50_000
#: Bytes a second of sound that is not compressed, in a file that is not read (48 kHz, one channel).
_WAVES = 96_000
#: What stands behind an address that only the service reads: seconds of sound or film, pages.
_UNSEEN_SECONDS, _UNSEEN_PAGES = 300, 10

# The kinds of text by the bytes of UTF-8. Bytes 80 to BF only continue a character.
_DIGITS = b"0123456789"
_LATIN = (
    bytes([*range(0x41, 0x5B), *range(0x61, 0x7B), 0x20])
    + bytes(range(0xC3, 0xCA))  # U+00C0 to U+027F: letters with accents
)
_WIDE = bytes(range(0xE3, 0xEE)) + bytes(range(0xEF, 0xF5))  # kana, CJK, Hangul; emoji
_CONTINUING = bytes(range(0x80, 0xC0))

#: Characters of a part that are looked at as one piece.
_PIECE = 1 << 20


def estimate(request: Request) -> int:
    """Input tokens that a request will take, on any model; at least 1.

    An estimate: about 10 % too high for prose, further off for other texts. 1 MB of text takes
    some milliseconds.
    """
    texts = [request.system or "", request.schema or ""]
    texts += [text for tool in request.tools for text in tool]
    total = sum(map(_text, texts))
    total += sum(_part(part) for message in request.messages for part in message.parts)
    messages = len(request.messages) + (request.system is not None)
    return max(1, math.ceil(total * MARGIN) + PER_MESSAGE * messages)


def _part(part: Part) -> float:
    if part.is_media:
        return _media(part)
    if part.text is not None:
        return _text(part.text)
    said = (part.call, part.result, part.code, part.output, part.step)
    return sum(_text(text) for one in said if one for text in one if isinstance(text, str))


def _media(part: Part) -> float:
    """Tokens of a file: of its bytes where they are there, else of its size and type."""
    kind = (part.mime_type or "").partition(";")[0].strip().lower()
    family = kind.partition("/")[0]
    data = part.data or b""
    if family == "image":
        return PICTURE
    if kind == "application/pdf":
        unread = _UNSEEN_PAGES if part.uri else math.ceil(part.size / _PAGE_BYTES)
        return PAGE * (_pages(data) if data else unread)
    if family in ("audio", "video"):
        each = SOUND if family == "audio" else FILM
        return each * (_UNSEEN_SECONDS if part.uri else _seconds(data, part.size, kind))
    return _utf8(data) if data else part.size / LATIN


def _text(text: str) -> float:
    """Tokens of a text, in pieces, so that no second copy of a large one is made."""
    return sum(
        _utf8(text[start : start + _PIECE].encode("utf-8", "surrogatepass"))
        for start in range(0, len(text), _PIECE)
    )


def _utf8(text: bytes) -> float:
    """Tokens of a text in UTF-8. Counts by deleting bytes, which is what Python does fastest."""
    size = len(text)
    without_latin = text.translate(None, _LATIN)
    rest = without_latin.translate(None, _DIGITS)
    latin, digits = size - len(without_latin), len(without_latin) - len(rest)
    if rest.isascii():
        return latin / LATIN + digits / DIGIT + len(rest) / OTHER
    starts = rest.translate(None, _CONTINUING)
    other = len(starts.translate(None, _WIDE))
    return latin / LATIN + digits / DIGIT + other / OTHER + (len(starts) - other) / WIDE


def _pages(pdf: bytes) -> int:
    """The pages of a PDF: its page objects, else what its page tree says, else by its size."""
    if pages := len(re.findall(rb"/Type\s*/Page(?![A-Za-z])", pdf)):
        return pages
    counts = [int(count) for count in re.findall(rb"/Count\s+(\d{1,5})\b", pdf)]
    return max(counts, default=0) or math.ceil(len(pdf) / _PAGE_BYTES)


def _seconds(data: bytes, size: int, kind: str) -> float:
    """The length of a sound or film of ``size`` bytes, of which ``data`` may be there.

    A WAV file says its rate in bytes a second (RIFF, at offset 28).
    """
    if kind.startswith("video"):
        return size / _VIDEO
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and len(data) > 44:
        rate = int.from_bytes(data[28:32], "little")
        return size / (rate or _LOSSY)
    if not data and any(name in kind for name in ("wav", "aiff")):
        return size / _WAVES
    return size / (_FLAC if "flac" in kind else _LOSSY)


# --- what answers teach --------------------------------------------------------------------------

#: How much the newest answer changes the ratio once there are many.
_WEIGHT = 0.2
#: The ratio stays between these: further off, something else is wrong.
_LEAST, _MOST = 0.25, 4.0
#: Estimates below this teach nothing: a token more or less is too much of them.
_TELLING = 50
#: Answers that are remembered, and how many of them make a percentile.
_KEPT, _ENOUGH = 50, 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one model's answers taught: ``ratio`` is true by estimated input tokens.

    ``seen`` is how many answers the ratio rests on; ``outputs`` are the tokens of the latest
    answers (thinking included), oldest first.
    """

    ratio: float = 1.0
    seen: int = 0
    outputs: tuple[int, ...] = ()

    def learned(self, estimated: int, real_input: int | None, output: int | None) -> Calibration:
        """With one more answer; None where the service did not say.

        ``estimated`` is what ``estimate`` said, not what ``tokens`` made of it.
        """
        ratio, seen, outputs = self.ratio, self.seen, self.outputs
        if real_input and estimated >= _TELLING:
            seen += 1
            weight = max(_WEIGHT, 1 / seen)
            ratio += weight * (_clamped(real_input / estimated) - ratio)
        if output is not None and output >= 0:
            outputs = (*outputs, output)[-_KEPT:]
        return Calibration(ratio, seen, outputs)

    def tokens(self, estimated: int) -> int:
        """The estimate, corrected; at least 1."""
        return max(1, math.ceil(estimated * self.ratio))

    def p95(self, default: int) -> int:
        """The tokens that 95 % of the latest answers stay within; ``default`` after too few."""
        if len(self.outputs) < _ENOUGH:
            return default
        return sorted(self.outputs)[math.ceil(0.95 * len(self.outputs)) - 1]

    def to_json(self) -> dict[str, Any]:
        """The value as JSON data; ``from_json`` reads it."""
        return {"ratio": self.ratio, "seen": self.seen, "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """The value of JSON data. Raises ``ValueError`` for what is none."""
        try:
            ratio, seen = float(data["ratio"]), int(data["seen"])
            outputs = tuple(int(count) for count in data["outputs"])
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise ValueError(f"no calibration: {problem!r}") from None
        if not math.isfinite(ratio) or seen < 0 or any(count < 0 for count in outputs):
            raise ValueError("no calibration: a number is out of its range")
        return cls(_clamped(ratio), seen, outputs[-_KEPT:])


def _clamped(ratio: float) -> float:
    return min(_MOST, max(_LEAST, ratio))
