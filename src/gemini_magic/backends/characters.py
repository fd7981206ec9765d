"""Half characters in what services send: a pair may be cut in two, or one half may be all.

JSON can spell them, UTF-8 cannot: what holds one can neither be shown, kept nor sent.
"""

from __future__ import annotations

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def whole(text: str) -> str:
    """The text with its pairs put together, and its lone halves replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Halves:
    """Mends a text that comes in pieces; the first half of a pair waits for the second."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, piece: str) -> str:
        """As much of the text as is whole now; may be empty."""
        if self._held or "\ud800" <= piece[-1:] <= "\udbff":
            piece, self._held = self._held + piece, ""
            if "\ud800" <= piece[-1:] <= "\udbff":
                piece, self._held = piece[:-1], piece[-1]
        return whole(piece)

    def rest(self) -> str:
        """What stands for a half that nothing follows; empty where there is none."""
        held, self._held = self._held, ""
        return _UNKNOWN if held else ""
