"""How the parts of an answer look that are neither text nor media, as MIME data.

All of it is a model's or a tool's word, and so escaped: tool calls, programs, sources, thoughts.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from gemini_magic.notebook.sanitise import sanitise
from gemini_magic.types import Citation, Code, CodeOutput, ToolCall, ToolUse
from gemini_magic.widgets.markup import SMALL, escaped, readable

#: Characters of a value that are shown; and of one within a line.
_LONG, _SHORT = 4_000, 80
#: JSON longer than this is not laid out anew.
_LARGEST_JSON = 100_000
#: Sources and queries that are listed.
_MOST = 50

# No character that a browser and urlsplit would read differently.
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{|}\x00-\x20\x7f-\x9f]+", re.I)
_PRE = (
    "white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24em; overflow: auto; "
    "margin: 2px 0 6px 1.2em; font-size: 90%"
)


def thoughts_data(text: str) -> dict[str, Any]:
    """What a model thought, folded away."""
    text = _clean(text)
    body = _pre(_cut(text, 10 * _LONG))
    return {
        "text/plain": f"(thoughts: {len(text):,} characters, in reply.thoughts)",
        "text/html": _folded("thoughts", body),
    }


def tool_data(call: ToolCall, use: ToolUse | None, *, over: str = "") -> dict[str, Any]:
    """A call of a function, and what came of it; ``over`` says why nothing more will."""
    name = _cut(_clean(call.name), _SHORT)
    shown = [("arguments", _laid_out(call.arguments))]
    if use is None:
        state = over or "running …"
    else:
        state = f"{'failed' if use.result.failed else 'done'} in {use.seconds:.1f} s"
        shown.append(("error" if use.result.failed else "result", _laid_out(use.result.content)))
    summary = f"<code>{escaped(name)}</code> {escaped(_brief(call.arguments))} · "
    if use is not None and use.result.failed:
        summary += f"<strong>✗ {escaped(state)}</strong>"
    else:
        summary += escaped(state)
    body = "".join(f'<div style="{SMALL}">{word}</div>{_pre(value)}' for word, value in shown)
    return {"text/plain": tool_line(call, use, state), "text/html": _folded(summary, body)}


def tool_line(call: ToolCall, use: ToolUse | None, state: str = "") -> str:
    """The same in one line."""
    line = f"{_cut(_clean(call.name), _SHORT)}{_brief(call.arguments)}"
    if use is None:
        return f"{line} · {state or 'not run'}"
    mark = "✗ " if use.result.failed else ""
    return f"{line} → {mark}{_line(use.result.content)} ({use.seconds:.1f} s)"


def code_data(code: Code) -> dict[str, Any]:
    """A program that the service ran, highlighted."""
    source = _cut(_clean(code.source), 5 * _LONG)
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    language = re.sub(r"[^a-z0-9+#]", "", code.language.lower())[:20]
    end = "" if source.endswith("\n") else "\n"
    markdown = sanitise(f"{fence}{language}\n{source}{end}{fence}\n")
    return {"text/markdown": markdown, "text/plain": source}


def output_data(output: CodeOutput) -> dict[str, Any]:
    """What such a program printed."""
    text = _cut(_clean(output.text), _LONG)
    label = "the program failed" if output.failed else "the program's output"
    page = f'<div style="{SMALL}">{label}</div>{_pre(text)}'
    return {"text/plain": f"[{label}]\n{text}", "text/html": page}


def sources_data(citations: Sequence[Citation], queries: Sequence[str]) -> dict[str, Any] | None:
    """The numbered sources of an answer and what was searched for; None where there are none."""
    lines, items = [], []
    for number, one in enumerate(citations[:_MOST], 1):
        title, host = _cut(_line_of(one.title), 120), host_of(one.uri)
        if host is None:  # no address that may be a link
            lines.append(f"{number}. {title or _cut(_line_of(one.uri), 120)}")
            items.append(f"<li>{escaped(title or _cut(_line_of(one.uri), 120))}</li>")
            continue
        aside = "" if title in ("", host) else f" ({host})"
        lines.append(f"{number}. {title or host}{aside} {one.uri}")
        link = (
            f'<a href="{html.escape(one.uri)}" target="_blank" rel="noopener noreferrer nofollow">'
        )
        items.append(f"<li>{link}{escaped(title or host)}</a>{escaped(aside)}</li>")
    if (more := len(citations) - _MOST) > 0:
        lines.append(f"… {more} more sources in reply.citations")
        items.append(f"<li>… {more} more in reply.citations</li>")
    page = ""
    if items:
        lines.insert(0, "Sources:")
        page = f'<div>Sources:</div><ol style="margin: 0 0 0 1.5em">{"".join(items)}</ol>'
    if queries:
        asked = "Searched for: " + " · ".join(_cut(_line_of(one), 120) for one in queries[:_MOST])
        lines.append(asked)
        page += f"<div>{escaped(asked)}</div>"
    if not lines:
        return None
    return {"text/plain": "\n".join(lines), "text/html": f'<div style="{SMALL}">{page}</div>'}


def host_of(address: str) -> str | None:
    """The host that a web address leads to, in ASCII; None for what is no such address."""
    if len(address) > 4_000 or not _ADDRESS.fullmatch(address):
        return None
    try:
        host = urlsplit(address).hostname
        return host.encode("idna").decode("ascii") if host else None
    except ValueError:
        return None


def _folded(summary: str, body: str) -> str:
    return f'<details><summary style="cursor: pointer; {SMALL}">{summary}</summary>{body}</details>'


def _pre(text: str) -> str:
    return f'<pre style="{_PRE}">{escaped(text)}</pre>'


def _clean(text: str) -> str:
    """Without control characters and lone surrogates, which no message can hold."""
    return readable(text).encode("utf-8", "replace").decode("utf-8")


def _line_of(text: str) -> str:
    return " ".join(_clean(text).split())


def _cut(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    return f"{text[:size]}… {len(text) - size:,} more characters"


def _laid_out(text: str) -> str:
    """JSON with an indent, else the text as it is."""
    if len(text) <= _LARGEST_JSON:
        try:
            value = json.loads(text)
            text = (
                value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            )
        except (ValueError, RecursionError):
            pass
    return _cut(_clean(text), _LONG)


def _brief(arguments: str) -> str:
    """The arguments as a call writes them, in one line."""
    try:
        found = json.loads(arguments) if len(arguments) <= _LARGEST_JSON else None
        if isinstance(found, dict):
            given = (
                f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in found.items()
            )
            return f"({_cut(_line_of(', '.join(given)), _SHORT)})"
    except (ValueError, RecursionError):
        pass
    return f"({_line(arguments)})"


def _line(text: str) -> str:
    return _cut(_line_of(text[: 10 * _LONG]), _SHORT)
