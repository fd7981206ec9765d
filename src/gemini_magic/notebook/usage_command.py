"""``%gemini usage``: what was used per day and model, as a plot, a table or a DataFrame."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from gemini_magic.config_files import printable
from gemini_magic.errors import MissingExtra, UsageError
from gemini_magic.notebook.tables import show_table, text_table
from gemini_magic.quota.money import dollars
from gemini_magic.quota.usage import DayUse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

DAYS, MOST_DAYS = 30, 3660
#: How many models a plot tells apart; the rest is "others".
MODELS = 8

_FORMS = ("df", "plot", "table")
_HEAD = ("day", "backend", "project", "model", "tier", "requests", "input", "output", "images",
         "cost")  # fmt: skip
# Colours that can be told from a white and from a black page, as the picture has none of its own.
_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#c8a72e", "#9c755f")
_REST, _GREY = "#a0a0a0", "#7a7a7a"
_DPI = 144


def run(
    shell: Any, days: Callable[[int], Sequence[DayUse]], words: list[str], magic_name: str
) -> Any:
    """Show what ``days(n)`` says of the last n days; with ``--as df``, return a DataFrame.

    Without ``--as``: a plot in a notebook that has matplotlib, else a table. Raises UsageError,
    and MissingExtra where a form is asked for whose package is not installed.
    """
    count, form = _options(words, magic_name)
    uses = days(count)
    if form == "df":
        return frame(uses)
    if not uses:
        print(f"Nothing was asked in the last {count} days." if count > 1 else
              "Nothing was asked today (Pacific time).")  # fmt: skip
        return None
    if form == "plot" or (form is None and hasattr(shell, "kernel")):
        try:
            data, metadata = picture(uses)
        except MissingExtra as missing:
            if form == "plot":
                raise
            _show_table(shell, uses)
            print(f"For a plot, {missing.next_step}")
        else:
            shell.display_pub.publish(data, metadata)
        return None
    _show_table(shell, uses)
    return None


def _options(words: list[str], magic_name: str) -> tuple[int, str | None]:
    usage = UsageError(f"usage: %{magic_name} usage [--days N] [--as df|plot|table]")
    found: dict[str, str] = {}
    rest = [part for word in words for part in word.split("=", 1)]
    while rest:
        name, *rest = rest
        if name not in ("--days", "--as") or not rest:
            raise usage
        found[name] = rest.pop(0)
    days, form = found.get("--days", str(DAYS)), found.get("--as")
    if not (days.isascii() and days.isdigit()) or not 1 <= int(days) <= MOST_DAYS:
        raise UsageError(f"--days is a number of days from 1 to {MOST_DAYS}, not {days}.")
    if form is not None and form not in _FORMS:
        raise usage
    return int(days), form


# --- table and DataFrame --------------------------------------------------------------------------


def _show_table(shell: Any, uses: Sequence[DayUse]) -> None:
    show_table(shell, _HEAD, _rows(uses), numbers=range(5, len(_HEAD)))


def _rows(uses: Sequence[DayUse]) -> list[tuple[str, ...]]:
    counted = [(use.requests, use.tokens, use.output, use.images, use.cost) for use in uses]
    rows = [
        (
            *map(printable, (use.day, use.backend, use.project, use.model, use.tier)),
            *_words(numbers, use.priced),
        )
        for use, numbers in zip(uses, counted, strict=True)
    ]
    total = [sum(column) for column in zip(*counted, strict=True)]
    return [*rows, ("all", "", "", "", "", *_words(total, all(use.priced for use in uses)))]


def _words(numbers: Sequence[int], priced: bool) -> list[str]:
    *counts, cost = numbers
    return [*(f"{count:,}" for count in counts), _money(cost, priced)]


def _money(cost: int, priced: bool) -> str:
    """Micro-dollars; what nobody knows the price of is never $0."""
    known = dollars(cost)
    return known if priced else f"{known} + ?" if cost else "?"


def frame(uses: Sequence[DayUse]) -> DataFrame:
    """The uses as a DataFrame, a row per day and model; empty, it has the same columns.

    ``day`` is the Pacific day as datetime64; ``backend``, ``project``, ``model`` and ``tier`` are
    texts; ``requests``, ``input_tokens``, ``output_tokens`` and ``images`` are int64;
    ``cost_usd`` is a float in dollars, NaN where no price is known. Raises MissingExtra.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtra("pandas", "plot") from None
    texts = {
        name: pandas.Series([getattr(use, name) for use in uses], dtype="str")
        for name in ("backend", "project", "model", "tier")
    }
    sources = {"requests": "requests", "input_tokens": "tokens", "output_tokens": "output",
               "images": "images"}  # fmt: skip
    counts = {
        name: pandas.Series([getattr(use, source) for use in uses], dtype="int64")
        for name, source in sources.items()
    }
    day = pandas.Series([use.day for use in uses], dtype="datetime64[s]")
    cost = pandas.Series([use.cost / 1e6 if use.priced else None for use in uses], dtype="float64")
    return pandas.DataFrame({"day": day, **texts, **counts, "cost_usd": cost})


# --- plot -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stack:
    """What one model used, day by day: requests, tokens and dollars."""

    label: str
    colour: str
    requests: list[int]
    tokens: list[int]
    cost: list[float]


def stacks(uses: Sequence[DayUse]) -> tuple[list[date], list[Stack]]:
    """Every day from the first to the last (a week at least), and the models by their requests."""
    last = max(date.fromisoformat(use.day) for use in uses)
    first = min(date.fromisoformat(use.day) for use in uses)
    first = min(first, last - timedelta(days=6))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    requests: dict[str, int] = defaultdict(int)
    for use in uses:
        requests[use.model] += use.requests
    names = sorted(requests, key=lambda name: (-requests[name], name))
    labels = list(zip(names[:MODELS], _COLOURS, strict=False))
    if len(names) > MODELS:
        labels.append((f"{len(names) - MODELS} others", _REST))
    size = len(days)
    found = [Stack(*label, [0] * size, [0] * size, [0.0] * size) for label in labels]
    by_name = {name: found[min(index, MODELS)] for index, name in enumerate(names)}
    for use in uses:
        stack, at = by_name[use.model], (date.fromisoformat(use.day) - first).days
        stack.requests[at] += use.requests
        stack.tokens[at] += use.tokens + use.output
        stack.cost[at] += use.cost / 1e6
    return days, found


def picture(uses: Sequence[DayUse]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plot as MIME data and metadata: a picture with a text in its place, and the table.

    Raises MissingExtra.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plot") from None
    days, found = stacks(uses)
    panels: list[tuple[str, list[Sequence[float]]]] = [
        ("requests", [one.requests for one in found]),
        ("tokens", [one.tokens for one in found]),
    ]
    if any(use.cost for use in uses):
        panels.append(("dollars", [one.cost for one in found]))
    width, height = 9.0, 0.6 + 1.55 * len(panels)
    # A Figure of its own: pyplot's state and the user's figures stay as they are. What its styles
    # set is given here, whatever the user's styles say.
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, values) in zip(every, panels, strict=True):
        _bars(axes, title, values, [one.colour for one in found])
    step = max(1, -(-len(days) // 10))
    ticks = range(len(days) - 1, -1, -step)
    every[-1].set_xticks(list(ticks), [f"{days[n].day} {days[n]:%b}" for n in ticks])
    every[-1].set_xlim(-0.6, len(days) - 0.4)
    _legend(figure, found)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may have characters that the font lacks
        figure.savefig(buffer, format="png", dpi=_DPI, transparent=True)
    return _bundle(buffer.getvalue(), uses, round(width * 96))


def _bars(
    axes: Axes, title: str, values: Sequence[Sequence[float]], colours: Sequence[str]
) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    base = [0.0] * len(values[0])
    for heights, colour in zip(values, colours, strict=True):
        axes.bar(range(len(base)), heights, 0.8, base, color=colour, linewidth=0)
        base = [low + high for low, high in zip(base, heights, strict=True)]
    axes.set_title(title, loc="left", fontsize=10, color=_GREY)
    axes.set_facecolor("none")
    axes.set_ylim(0, max(base) * 1.08 or 1)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=title != "dollars"))
    axes.yaxis.set_major_formatter(
        (lambda value, _: f"${value:,.6g}") if title == "dollars" else EngFormatter(sep="")
    )
    axes.tick_params(colors=_GREY, labelsize=9, length=0)
    axes.grid(True, axis="y", color=_GREY, alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    for edge in axes.spines.values():
        edge.set_visible(False)


def _legend(figure: Any, found: Sequence[Stack]) -> None:
    from matplotlib.patches import Patch

    legend = figure.legend(
        handles=[Patch(facecolor=one.colour, linewidth=0) for one in found],
        labels=[f" {_label(one.label)}" for one in found],  # one that begins with "_" is left out
        loc="outside right upper", frameon=False, fontsize=9, labelcolor=_GREY,
        handlelength=1.0, handleheight=1.0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name is no formula


def _label(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= 32 else shown[:31] + "…"


def _bundle(
    png: bytes, uses: Sequence[DayUse], width: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The picture inside HTML too: Lab knows no other way to give a picture its text."""
    table = text_table(_HEAD, _rows(uses))
    total = sum(use.requests for use in uses)
    models = len({use.model for use in uses})
    first, last = min(use.day for use in uses), max(use.day for use in uses)
    cost = _money(sum(use.cost for use in uses), all(use.priced for use in uses))
    said = (
        f"Bars for every day from {first} to {last}: {total:,} requests to {models} "
        f"{'model' if models == 1 else 'models'}, {cost} in all"
    )
    coded = base64.b64encode(png).decode()
    alt = html.escape(said, quote=True)
    image = (
        f'<img alt="{alt}" title="{alt}" width="{width}" style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{coded}">'
    )
    data = {"text/html": image, "image/png": coded, "text/plain": table}
    return data, {"image/png": {"alt": said, "width": width}}
