"""Says into which pieces a long answer falls, so that a page lays out anew only what came last.

JupyterLab renders the whole Markdown with each update of an output, which takes it longer the more
there is (measured: 0.16 s for 16 kB). So the MIME bundle of a long text names its pieces beside the
text, and the Lab extension renders those that changed. Every other front end ignores that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

#: The type that the Lab extension has a renderer for (labextension/src/answer).
MIME = "application/vnd.gemini-magic.answer+json"
#: Shorter texts are rendered whole.
LONG = 4_000
#: The least length of a piece.
LEAST = 800


class Lengths:
    """Adds up the pieces of a text, in UTF-16 code units, as JavaScript counts."""

    def __init__(self, least: int) -> None:
        self.closed: list[int] = []  # of the pieces that are whole
        self._least = least
        self._open = 0

    def add(self, texts: Sequence[str], cuts: Iterable[int]) -> None:
        """Go on with `texts`; `cuts` counts how many of them stand before each place to cut at."""
        start = 0
        for cut in cuts:
            self._open += _units("".join(texts[start:cut]))
            start = cut
            if self._open >= self._least:
                self.closed.append(self._open)
                self._open = 0
        self._open += _units("".join(texts[start:]))


def blocks_data(markdown: str, closed: Iterable[int]) -> dict[str, Any]:
    """What the MIME bundle of a long text says of its pieces, the last one included; else nothing.

    `{MIME: {"blocks": [length, ...]}}`, in UTF-16 code units, whose sum is the text's length.
    """
    length = _units(markdown)
    if length <= LONG:
        return {}
    blocks = list(closed)
    return {MIME: {"blocks": [*blocks, length - sum(blocks)]}}


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
