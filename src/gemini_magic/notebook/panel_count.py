"""About how many tokens a prompt takes that is being typed, and what that costs; nothing is sent.

Nothing of the user's is run for it either: placeholders are counted as they are typed.
"""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic import template
from gemini_magic.cell import GeminiCell
from gemini_magic.engine.question import targets_of
from gemini_magic.engine.request import build
from gemini_magic.errors import PlaceholderError
from gemini_magic.quota import prices
from gemini_magic.quota.estimate import estimate
from gemini_magic.quota.money import dollars
from gemini_magic.types import File, Message, Part, Request

if TYPE_CHECKING:
    from gemini_magic.config import Config
    from gemini_magic.notebook.session import Session
    from gemini_magic.types import Target

_MEDIA = ("image", "file")


def count(session: Session, cell: GeminiCell, history: Sequence[Message]) -> str:
    """One line on it, empty where there is no prompt. Raises ``GeminiMagicError``."""
    media = [part for name in _MEDIA for part in _parts(name, cell.get(name))]
    if not cell.template.strip() and not media:
        return ""
    config = session.config()
    given = {name: value for name, value in cell.options if name not in _MEDIA}
    given["raw"] = True
    for name in ("tools", "schema"):
        if "(" in str(given.get(name, "")):  # a call of the user's, which is made once, with Run
            del given[name]
    counted = GeminiCell.of(cell.template if cell.template.strip() else ".", given)
    built = build(counted, _evaluator(session), presets=config.generation, history=history)
    *before, last = built.request.messages
    request = replace(built.request, messages=(*before, last._replace(parts=(*media, *last.parts))))
    words = [f"≈ {estimate(request):,} tokens"]
    if not cell.flag("raw") and (unfilled := template.placeholders(cell.template)):
        words[0] += f" + {len(unfilled)} placeholder{'s' * (len(unfilled) > 1)}"
    if request.messages[:-1]:
        words[0] += f", with {len(history)} earlier messages"
    words.append(_price(config, targets_of(session.engine, config, cell)[0], request))
    return " · ".join(words)


def _evaluator(session: Session) -> Any:
    def value(expression: str) -> Any:
        if "(" in expression:
            raise PlaceholderError(f"{expression[:40]} is called when it is sent.")
        return session.namespace.value(expression)

    return value


def _parts(name: str, value: object) -> list[Part]:
    """What stands for media while tokens are counted: nothing is read or fetched."""
    found = []
    for word in value if isinstance(value, tuple) else ():
        kind = mimetypes.guess_type(word.partition("?")[0])[0]
        kind = kind or ("image/png" if name == "image" else "text/plain")
        try:
            path = Path(word).expanduser()
            size = path.stat().st_size
        except (OSError, ValueError, RuntimeError):
            found.append(Part(uri=word, mime_type=kind))
        else:
            found.append(Part(file=File(str(path), size, ""), mime_type=kind))
    return found


def _price(config: Config, target: Target, request: Request) -> str:
    """What the request costs there, and each token of its answer."""
    service = config.backend(target.backend)
    price = prices.find(service, target.model, config.prices, time.time())
    if price is None:
        return f"nobody knows the price of {target.model}"
    tokens = estimate(request)
    rates = price.rates(tokens)
    if not rates.input and not rates.output:
        return "free: on this machine" if service.kind == "local" else "free"
    thousand = int(rates.output * Decimal(1000))  # micro-dollars
    listed = f"{dollars(prices.planned(price, tokens, 0))} + {dollars(thousand)} per 1,000 out"
    return f"$0 (list {listed})" if prices.tier_is_free(service) else listed
