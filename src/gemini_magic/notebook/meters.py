"""How a ledger's state looks: the meters of ``quota.meters`` as HTML and as text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from gemini_magic.quota.meters import NEARLY, Group, Meter, both, groups, notes, plain, span
from gemini_magic.quota.usage import Snapshot
from gemini_magic.quota.windows import WINDOWS
from gemini_magic.widgets.markup import FAINT, escaped

EMPTY = "Nothing is counted yet. Run a %%gemini cell, and its quota shows here."

# --- text -----------------------------------------------------------------------------------------

_WIDTH, _BAR = 80, 10


def meters_text(snapshot: Snapshot, now: float) -> str:
    """The meters as aligned text for a terminal of 80 columns. ``now``: the ledger's clock."""
    lines = [f"! {line}" for line in _wrapped(_problem(snapshot))]
    shown = list(groups(snapshot, now))
    if not shown:
        return "\n".join(lines or [EMPTY])
    meters = [meter for group in shown for row in group.rows for meter in row[2]]
    amounts = max((len(meter.amount) for meter in meters), default=0)
    whens = max((len(one.when) for one in meters if not one.when.startswith("closed")), default=0)
    for group in shown:
        lines += ["", *_wrapped(" · ".join(filter(None, (group.title, group.details))))]
        lines += _wrapped(group.hint)
        for name, also, rows in group.rows:
            lines += _wrapped(f"{name} ({also})" if also else name, " ")
            for one in rows:
                bar = " " * _BAR if one.share is None else blocks(one.share, _BAR)
                start = f"  {one.label:<12} {bar} {one.amount:>{amounts}}  "
                line = f"{start}{one.when:<{whens}}  {one.source}".rstrip()
                if len(line) > _WIDTH:
                    line = f"{start}{one.when}\n{'':15}{one.source}".rstrip()
                lines.append(line)
    lines.append("")
    days = [
        one.resets
        for use in snapshot.buckets
        for one in use.windows
        if one.resets is not None and one.window in WINDOWS and WINDOWS[one.window].daily
    ]
    if days:
        end = min(days)
        lines += _wrapped(f"The day ends at {both(end, now)}, in {span(end - now)}.")
    lines += [line for note in notes(snapshot, now) for line in _wrapped(note)]
    return "\n".join(lines).strip("\n")


def blocks(share: float, width: int) -> str:
    """A bar of block characters; a little is never drawn as nothing, nor nearly all as all."""
    eighths = round(share * width * 8)
    if 0 < share < 1:
        eighths = min(max(eighths, 1), width * 8 - 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width, "·")


def _wrapped(text: str, indent: str = "") -> list[str]:
    from textwrap import wrap

    return wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _problem(snapshot: Snapshot) -> str:
    problem = plain(snapshot.problem)
    return f"The ledger cannot be read: {problem}" if problem else ""


# --- HTML -----------------------------------------------------------------------------------------

# Lab drops var() from an untrusted notebook's styles; the plain value before it stays, and has to
# do in a light and in a dark theme.
_CELL = (
    "padding: 1px 14px 1px 0; border: none; text-align: left; vertical-align: middle; "
    "line-height: 1.4"
)
_FILLS = {
    "fine": "background: #2f7fd1; background: var(--jp-brand-color1, #2f7fd1)",
    "nearly": "background: #e07b00; background: var(--jp-warn-color1, #e07b00)",
    "full": "background: #d64541; background: var(--jp-error-color1, #d64541)",
}


def meters_html(snapshot: Snapshot, now: float) -> str:
    """The meters as HTML with inline styles, everything escaped. ``now``: the ledger's clock."""
    parts = []
    if problem := _problem(snapshot):
        parts.append(_div(f"⚠ {problem}", "font-weight: 600; margin: 0 0 6px 0"))
    shown = list(groups(snapshot, now))
    if shown:
        style = "border-collapse: collapse; border: none; margin: 0; table-layout: auto"
        lines = "".join(line for group in shown for line in _group(group))
        parts.append(f'<table style="{style}"><tbody>{lines}</tbody></table>')
        explained = "<br>".join(map(escaped, notes(snapshot, now)))
        style = f"{FAINT}; font-size: 85%; margin: 8px 0 0 0"
        parts.append(f'<div style="{style}">{explained}</div>')
    elif not problem:
        parts.append(_div(EMPTY, ""))
    style = "font-size: 13px; line-height: 1.5; font-variant-numeric: tabular-nums"
    return f'<div style="{style}">{"".join(parts)}</div>'


def _group(group: Group) -> Iterator[str]:
    title = f'<span style="font-weight: 600">{escaped(group.title)}</span>'
    if group.details:
        title += f' <span style="{FAINT}">· {escaped(group.details)}</span>'
    if group.hint:
        title += _div(group.hint, f"{FAINT}; font-size: 90%; font-weight: 400")
    style = f"{_CELL}; padding: 8px 0 3px 0"
    yield _line([f'<th colspan="6" style="{style}; font-weight: 400">{title}</th>'])
    for name, also, meters in group.rows:
        if also:
            also = _div(also, f"{FAINT}; font-size: 85%; white-space: normal")
        short = "white-space: nowrap" if len(name) <= 32 else "overflow-wrap: anywhere"
        style = f"{_CELL}; vertical-align: top; min-width: 9em; {short}"
        head = (
            f'<th rowspan="{max(1, len(meters))}" style="{style}; font-weight: 400">'
            f"{escaped(name)}{also}</th>"
        )
        for index, meter in enumerate(meters):
            yield _line([head if index == 0 else "", *_cells(name, meter)])
        if not meters:
            yield _line([head, f'<td colspan="5" style="{_CELL}">nothing counted</td>'])


def _cells(name: str, meter: Meter) -> Iterable[str]:
    critical = meter.share is not None and meter.share >= NEARLY
    number = f"{_CELL}; text-align: right; white-space: nowrap"
    weight = "; font-weight: 600" if critical else ""
    full = meter.share == 1
    source = f"{_CELL}; {FAINT}; white-space: nowrap" + (
        "" if meter.firm else "; font-style: italic"
    )
    for text, style in (
        (meter.label, f"{_CELL}; {FAINT}; white-space: nowrap"),
        (None, _CELL),
        (meter.amount, number + weight),
        (meter.status, f"{_CELL}{weight if full else ''}"),
        (meter.source, source),
    ):
        inner = bar(name, meter) if text is None else escaped(text)
        yield f'<td style="{style}">{inner}</td>'


def bar(name: str, meter: Meter, width: int = 110) -> str:
    """A bar of ``width`` CSS pixels that says in words what it shows; dashed where the limit is
    only a seed."""
    if meter.share is None:
        return ""
    level = "full" if meter.share >= 1 else "nearly" if meter.share >= NEARLY else "fine"
    percent = 100 * meter.share
    spoken = html.escape(f"{meter.exactly}, {meter.status}", quote=True)
    edge = "solid" if meter.firm else "dashed"
    track = (
        f"width: {width}px; height: 10px; border: 1px {edge} #8a8a8a; border-radius: 3px; "
        "padding: 1px; box-sizing: border-box; overflow: hidden"
    )
    least = "; min-width: 2px" if percent else ""
    fill = f"width: {percent:.1f}%; height: 100%{least}; {_FILLS[level]}"
    return (
        f'<div role="meter" aria-label="{html.escape(f"{name}, {meter.label}", quote=True)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent:.1f}" '
        f'aria-valuetext="{spoken}" title="{spoken}" style="{track}">'
        f'<div style="{fill}"></div></div>'
    )


def _line(cells: Iterable[str]) -> str:
    return f'<tr style="background: transparent; border: none">{"".join(cells)}</tr>'


def _div(text: str, style: str) -> str:
    return f'<div style="{style}">{escaped(text)}</div>'
