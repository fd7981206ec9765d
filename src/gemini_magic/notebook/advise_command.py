"""``%gemini advise``: the three ways on when the quota gets narrow, side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from gemini_magic.config import Config
from gemini_magic.errors import UsageError
from gemini_magic.notebook.tables import text_table
from gemini_magic.quota.advice import Advice, LocalModel, Way, advise
from gemini_magic.quota.usage import DayUse
from gemini_magic.widgets.markup import FAINT, escaped

#: Days of use that the advice rests on.
DAYS = 30

#: The rows of the table: their names, and those of ``Way``'s fields.
_ROWS = (
    ("setup effort", "effort"),
    ("limits", "limits"),
    ("cost", "cost"),
    ("card needed", "card"),
    ("stability", "stability"),
    ("best use", "best"),
)
#: The characters of a column of the text.
_WIDTH = 30

_CELL = "text-align: left; vertical-align: top; white-space: normal; padding: 4px 12px 4px 0"
# Lab drops var() from an untrusted notebook's styles; the plain value before it stays, and has to
# do in a light and in a dark theme.
_LINE = "border-top: 1px solid #8a8a8a; border-top: 1px solid var(--jp-border-color2, #8a8a8a)"
_PRE = (
    "margin: 0 0 6px 0; padding: 0; background: transparent; color: inherit; "
    "white-space: pre-wrap; overflow-wrap: anywhere"
)


def run(
    shell: Any, days: Sequence[DayUse], config: Config, words: list[str], magic_name: str
) -> None:
    """Show what the recorded ``days`` speak for, on this machine and now. Raises UsageError."""
    from gemini_magic.backends import weights
    from gemini_magic.backends.memory import machine_memory

    if words:
        raise UsageError(
            f"usage: %{magic_name} advise",
            f"To send it as a prompt, write: %{magic_name} -- advise ...",
        )
    known = [
        LocalModel(one.weights.name, one.weights.size, one.path is not None)
        for one in weights.status()
    ]
    advice = advise(days, config, now=time.time(), memory=machine_memory(), weights=known)
    show(shell, advice, magic_name)


def show(session_shell: Any, advice: Advice, magic_name: str) -> None:
    """Draw the advice in the running cell's output: a table, or text in a terminal."""
    text = advice_text(advice, magic_name)
    if not hasattr(session_shell, "kernel"):
        print(text)
        return
    data = {"text/html": advice_html(advice, magic_name), "text/plain": text}
    session_shell.display_pub.publish(data, {})


def advice_text(advice: Advice, magic_name: str) -> str:
    """The advice as text of about 110 columns; what is to be pasted stands below, unbroken."""
    rows: list[tuple[str, ...]] = []
    for name, field in _ROWS:
        cells = [list(_wrapped(getattr(way, field))) for way in advice.ways]
        rows += zip_longest([name], *cells, fillvalue="")
        rows.append(("",) * (1 + len(advice.ways)))
    table = text_table(("", *(_plain(way.title) for way in advice.ways)), rows[:-1])
    parts = [_plain(advice.verdict), "\n".join(map(_plain, advice.notes)), table]
    for way in advice.ways:
        lines = [_plain(way.title)]
        for heading, pasted in _pasted(way, advice.file, magic_name):
            lines += [f"  {heading}", *(f"    {line}".rstrip() for line in pasted)]
        parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part)


def advice_html(advice: Advice, magic_name: str) -> str:
    """The advice as HTML with inline styles, everything escaped."""
    parts = [_div(advice.verdict, "font-weight: 600; margin: 0 0 4px 0")]
    parts += [_div(note, f"{FAINT}; font-size: 90%") for note in advice.notes]
    head = "".join(
        f'<th scope="col" style="{_CELL}">{_safe(way.title)}</th>' for way in advice.ways
    )
    corner = f'<td style="{_CELL}; width: 7em"></td>'
    lines = [f'<tr style="background: transparent">{corner}{head}</tr>']
    for name, field in _ROWS:
        cells = ("".join(_div(line) for line in getattr(way, field)) for way in advice.ways)
        lines.append(_row(name, cells))
    lines.append(_row("to paste", (_blocks(way, advice.file, magic_name) for way in advice.ways)))
    style = "border-collapse: collapse; table-layout: fixed; width: 100%; margin: 8px 0 0 0"
    table = f'<table style="{style}"><tbody>{"".join(lines)}</tbody></table>'
    return f'<div style="font-size: 13px; line-height: 1.5">{"".join(parts)}{table}</div>'


def _row(name: str, cells: Iterator[str]) -> str:
    style = f"{_CELL}; {_LINE}"
    inner = "".join(f'<td style="{style}; overflow-wrap: anywhere">{cell}</td>' for cell in cells)
    head = f'<th scope="row" style="{style}; {FAINT}; font-weight: 400">{name}</th>'
    return f'<tr style="background: transparent">{head}{inner}</tr>'


def _blocks(way: Way, file: str, magic_name: str) -> str:
    return "".join(
        _div(heading, f"{FAINT}; font-size: 90%")
        + f'<pre style="{_PRE}"><code>{_safe(chr(10).join(lines))}</code></pre>'
        for heading, lines in _pasted(way, file, magic_name)
    )


def _pasted(way: Way, file: str, magic_name: str) -> Iterator[tuple[str, list[str]]]:
    """What is to be pasted or opened, each with where."""
    if way.config:
        yield f"into {_plain(file)}:", [_plain(line) for line in way.config.splitlines()]
    if way.commands:
        yield "in a cell:", [f"%{magic_name} {_plain(command)}" for command in way.commands]
    if way.pages:
        yield "in a browser:", [_plain(page) for page in way.pages]


def _wrapped(lines: Sequence[str]) -> Iterator[str]:
    for line in map(_plain, lines):
        bullet = "" if line[:1].isdigit() else "- "  # a numbered step has its own
        yield from wrap(
            line, _WIDTH, initial_indent=bullet, subsequent_indent="  ", break_on_hyphens=False
        )


def _plain(text: str) -> str:
    """A foreign name within it brings nothing that a terminal obeys or that turns text round."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _safe(text: str) -> str:
    return "\n".join(escaped(_plain(line)) for line in text.split("\n"))


def _div(text: str, style: str = "margin: 0 0 4px 0") -> str:
    return f'<div style="{style}">{_safe(text)}</div>'
