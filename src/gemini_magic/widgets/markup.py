"""Text of others in HTML and in a terminal: as text, and nothing else."""

from __future__ import annotations

import html

# Lab drops var() from an untrusted notebook's styles; the colour before it stays.
#: How lines about an answer, and other asides, look in HTML.
FAINT = "color: #757575; color: var(--jp-ui-font-color2, #757575)"
SMALL = f"{FAINT}; font-size: 85%"

_CONTROLS = {code: None for code in (*range(9), *range(11, 32), 127, *range(128, 160))}


def escaped(text: str) -> str:
    """Text as HTML in which Lab sets no formulas: between two dollar signs it would see one.

    MathJax looks for formulas in the text between two tags. This is not for attributes.
    """
    plain = html.escape(text)
    return plain.replace("$", "<span>$</span>").replace("\\", "<span>\\</span>")


def readable(text: str) -> str:
    """Text for a terminal or a plain output: without control characters."""
    return text.translate(_CONTROLS)
