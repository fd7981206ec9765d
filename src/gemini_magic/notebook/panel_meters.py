"""The meters beside a panel's Run: of what is asked there alone, in as little room as possible."""

from __future__ import annotations

import html
import time
from collections.abc import Callable

from gemini_magic.config import Config
from gemini_magic.notebook.meters import bar, meters_text
from gemini_magic.quota.meters import Meter, groups
from gemini_magic.quota.reader import Reader
from gemini_magic.quota.usage import Snapshot
from gemini_magic.widgets.live import LiveMeters
from gemini_magic.widgets.markup import escaped
from gemini_magic.widgets.panel_desk import Who

#: Seconds after which the meters of a panel that nobody uses rest.
IDLE = 300.0


def panel_meters(config: Config, who: Callable[[], Who], used: Callable[[], float]) -> LiveMeters:
    """Live meters. Where no page says whether they are seen, those of an idle panel rest."""
    reader = Reader(config)

    def changes() -> int:
        # Who is asked may change without anything being counted.
        return hash((reader.changes(), who().backend, who().model))

    def draw(snapshot: Snapshot, now: float) -> str:
        return meters_html(snapshot, now, who())

    def wanted(meters: LiveMeters) -> bool:
        return meters.sight.told or time.monotonic() - used() <= IDLE

    return LiveMeters(reader.snapshot, changes, draw, meters_text, wanted=wanted)


def meters_html(snapshot: Snapshot, now: float, who: Who) -> str:
    """The windows that a target is counted in, in one line that wraps."""
    if snapshot.problem:
        return f'<span class="gemini-magic-meter">⚠ {escaped(snapshot.problem)}</span>'
    own = tuple(
        use
        for use in snapshot.buckets
        if who.backend in use.backends and who.model in (use.bucket.model, *use.models)
    )
    budgets = tuple(one for one in snapshot.budgets if one.backend == who.backend)
    if not own and not budgets:
        nothing = f"{who.model}: nothing counted yet" if who.model else ""
        return f'<span class="gemini-magic-meter">{escaped(nothing)}</span>'
    shown = groups(snapshot._replace(buckets=own, budgets=budgets), now)
    return "".join(
        _meter(name, meter) for group in shown for name, _, meters in group.rows for meter in meters
    )


def _meter(name: str, meter: Meter) -> str:
    title = html.escape(f"{name}: {meter.exactly}, {meter.status} ({meter.source})", quote=True)
    words = " · ".join(filter(None, (meter.amount, meter.when)))
    return (
        f'<span class="gemini-magic-meter" title="{title}">{escaped(meter.label)} '
        f"{bar(name, meter, 56)} {escaped(words)}</span>"
    )
