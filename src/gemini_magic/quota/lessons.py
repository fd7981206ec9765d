"""What a refusal teaches the ledger: whose window is full, how large it is, and for how long.

Only what is certain is taught. A limit of one region, of one user or of a tool is none of the
model's, however much its error looks like one.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemini_magic.errors import WireError
from gemini_magic.quota import bodies

#: Seconds after which a service may be asked again whose day ends nobody knows when.
_SOME_DAY = 3600.0


@dataclass(frozen=True, slots=True)
class Told:
    """A limit that a body names; ``window`` is "rpm", "tpm", "ipm", "rpd" or "tpd"."""

    window: str
    size: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a refusal for quota tells of a bucket; "" is what it does not say.

    ``kind``: a "window" is full, "limit0" (the tier has none of this model), "spend" (too fast),
    "prepaid" (no credit), "tool" (what a tool may do), "shared" (everybody's capacity) or
    "unknown". ``window`` is the longest that is full, ``sizes`` are the limits above 0, ``model``
    is whose quota it is, ``tier`` "free" or "tier1" to "tier3", ``project`` as in "projects/123".

    ``wait`` is after how many seconds the service may be asked again, where that is true. For
    Google's days it is not told (the delay in their bodies is of the minute); for a day's window of
    another service it is, where the service names the moment.
    """

    kind: bodies.Kind
    window: str = ""
    sizes: tuple[Told, ...] = ()
    model: str = ""
    tier: str = ""
    project: str = ""
    wait: float | None = None


def lesson(failure: WireError) -> Lesson | None:
    """What a failure teaches; None where it is no refusal for quota (429 or 402). Never raises."""
    body = bodies.read(failure)
    if body.status not in (402, 429):
        return None
    kind, worst = body.kind, body.worst
    if kind in ("prepaid", "spend"):  # the account's, whatever was asked
        return Lesson(kind, project=body.project)
    sizes: dict[str, int] = {}
    for one in body.full:
        # What others call a day is not the Pacific day that the ledger counts.
        countable = one.pacific or one.window not in ("rpd", "tpd")
        if one.scope == "model" and one.window and one.limit and countable:
            sizes[one.window] = min(one.limit, sizes.get(one.window, one.limit))
    model = ""
    if worst.scope != "tool":  # the model that a tool asks is not the one that we asked
        model = next((one.model for one in (worst, *body.full) if one.model), "")
    return Lesson(
        kind,
        window=worst.window if worst.fits else "",
        sizes=tuple(Told(name, sizes[name]) for name in bodies.LONGEST_FIRST if name in sizes),
        model=model,
        tier=worst.tier if worst.scope == "model" else "",
        project=body.project,
        wait=_wait(body),
    )


def _wait(body: bodies.Body) -> float | None:
    worst = body.worst
    if worst.never_opens or worst.opens_at_midnight:
        return None
    if body.delay is None and worst.window in ("rpd", "tpd"):
        return _SOME_DAY
    return body.delay
