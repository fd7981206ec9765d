"""Money in words, the same wherever it is shown: footers, meters, refusals, advice."""

from __future__ import annotations


def dollars(micro: int) -> str:
    """Micro-dollars as people write them; small amounts are never shown as nothing."""
    amount = abs(micro) / 1_000_000
    if 0 < amount < 0.0001:
        return "<$0.0001"
    text = f"${amount:,.4f}" if 0 < amount < 0.01 else f"${amount:,.2f}"
    return f"-{text}" if micro < 0 else text
