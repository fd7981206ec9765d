"""Says in words why a request waits or is not let in, until when, and what else can be done."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING

from gemini_magic.errors import PromptTooLong, QuotaExceeded
from gemini_magic.quota.money import dollars
from gemini_magic.types import Target

if TYPE_CHECKING:
    from gemini_magic.quota.ledger import Denied, Wall


def waiting_for(wall: Wall, target: Target) -> str:
    """What a request waits for, in one line."""
    if wall.closed:
        return f"{target} refused for now"
    return f"{target}: {_fullness(wall)}"


def refused(
    target: Target, denied: Denied, patience: float, others: str
) -> QuotaExceeded | PromptTooLong:
    """The error for a request that was not sent. ``others`` is who else can answer."""
    wall = denied.last
    if math.isinf(wall.opens) and wall.window in ("tpm", "tpd"):
        return PromptTooLong(
            f"the prompt is larger than the whole limit of {target} ({wall.size:,}"
            f" {_label(wall.window)}{_provenance(wall)}); nothing was sent.",
            f"Shorten it, or ask another model. {others}".strip(),
            status=0,
        )
    if wall.window == "limit0":
        what = f"{target} has no quota on this tier (limit 0), it said; nothing was sent."
        step = "Send it all the same: --force."
    elif wall.window == "budget":
        until = f"it opens {_when(wall.opens)}" if math.isfinite(wall.opens) else "it costs more"
        what = (
            f"the budget of {target.backend} does not allow for it: {dollars(wall.used)} of"
            f" {dollars(wall.size or 0)} are used; {until}."
        )
        step = "Nothing was sent. Send it all the same: --force."
    else:
        until = f"; it opens {_when(wall.opens)}" if math.isfinite(wall.opens) else ""
        what = f"{target}: {_fullness(wall)}{until}. Nothing was sent."
        step = "Send it all the same: --force."
        wait = wall.opens - denied.at
        if wall.window not in ("rpd", "tpd") and math.isfinite(wait) and wait > patience:
            step = f"Wait longer: %env GEMINI_MAGIC_MAX_WAIT={math.ceil(wait)} {step}"
    return QuotaExceeded(
        what,
        f"{others} {step}".strip(),
        status=0,
        window=wall.window,
        limit=wall.size,
        retry_after=max(0.0, wall.opens - denied.at) if math.isfinite(wall.opens) else None,
    )


def crowded(target: Target, patience: float, others: str) -> QuotaExceeded:
    """The error for a request that waited too long behind others of this kernel."""
    return QuotaExceeded(
        f"{target}: other requests of this kernel waited first, for more than {patience:g} s;"
        " nothing was sent.",
        f"{others} Wait longer: %env GEMINI_MAGIC_MAX_WAIT={patience * 4:g}".strip(),
        status=0,
        window="rpm",
    )


def beyond(denied: Denied, target: Target) -> str:
    """What to tell of a request that is sent although a limit that may be stale is reached."""
    wall = denied.last
    return f"{target}: {_fullness(wall)}, but that may be out of date: sent all the same"


def _fullness(wall: Wall) -> str:
    if wall.window == "budget":
        return f"{dollars(wall.used)} of the budget of {dollars(wall.size or 0)} are used"
    if wall.closed:
        size = f" of {wall.size:,}" if wall.size else ""
        unit, _, span = _label(wall.window).rpartition(" a ")
        return f"the {span}'s quota{size} {unit} is used up, the service said"
    if math.isinf(wall.opens) and not wall.used:
        return f"at most {wall.size or 0:,} {_label(wall.window)}{_provenance(wall)}"
    return f"{wall.used:,} of {wall.size or 0:,} {_label(wall.window)} are used{_provenance(wall)}"


def _label(window: str) -> str:
    """What a window counts: "requests a minute"."""
    from gemini_magic.quota.windows import WINDOWS

    return WINDOWS[window].label if window in WINDOWS else "requests a minute"


def _provenance(wall: Wall) -> str:
    limit = wall.limit
    if limit is None:
        return ""
    if limit.provenance == "seed":
        date = datetime.fromtimestamp(limit.as_of).strftime("%b %Y")
        return f" (as published in {date})"
    return {"user": " (your limit)", "learned": " (as the service told)"}[limit.provenance]


def _when(at: float) -> str:
    """A time in the machine's zone and in Google's."""
    from gemini_magic.quota import windows

    here = datetime.fromtimestamp(at).astimezone()
    pacific = datetime.fromtimestamp(at, windows.zone(windows.PACIFIC))
    days = (here.date() - datetime.fromtimestamp(time.time()).date()).days
    day = {0: "", 1: " tomorrow"}.get(days, f" on {here:%d %b}")
    return f"at {here:%H:%M}{day} ({pacific:%H:%M} Pacific)"
