"""Tool calls, programs, sources and thoughts in an output."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.notebook import blocks
from gemini_magic.notebook.blocks import (
    code_data,
    host_of,
    output_data,
    sources_data,
    thoughts_data,
    tool_data,
    tool_line,
)
from gemini_magic.types import Citation, Code, CodeOutput, ToolCall, ToolResult, ToolUse

#: What our own HTML is made of.
OURS = {"details", "summary", "code", "pre", "div", "span", "strong", "ol", "li", "a"}
HOSTILE = (
    "</pre></details></script><script>alert(1)</script><img src=x onerror=alert(1)>"
    '" onmouseover="alert(1)\' $\\href{javascript:x}{y}$ \x1b[2J \ud800 \u2028'
)


class Tags(HTMLParser):
    """The tags and attributes of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(data: dict[str, Any]) -> Tags:
    """Only tags of ours, in a message that can be sent."""
    json.dumps(data, ensure_ascii=False).encode()
    tags = Tags(data.get("text/html", ""))
    for tag, attributes in tags.found:
        assert tag in OURS, tag
        assert set(attributes) <= {"style", "href", "target", "rel"}, attributes
        assert (attributes.get("href") or "https:").lower().startswith(("https:", "http:"))
        if tag == "span":
            assert not attributes
    assert "\x1b" not in json.dumps(data)
    return tags


def everything(text: str) -> list[dict[str, Any] | None]:
    call, result = ToolCall(text, text), ToolResult(text, text, failed=True)
    quoted = json.dumps({text: [text]})
    return [
        tool_data(call, None),
        tool_data(call, ToolUse(call, result, 0.1)),
        tool_data(ToolCall("f", quoted), ToolUse(call, ToolResult("f", quoted), 0.1)),
        code_data(Code(text, text)),
        output_data(CodeOutput(text, failed=True)),
        thoughts_data(text),
        sources_data([Citation(text, text), Citation("https://a.example/", text)], [text]),
        sources_data([Citation(f"https://a.example/{text}", "")], []),
    ]


@given(st.text(max_size=50))
def test_nothing_of_an_answer_becomes_markup(text: str) -> None:
    for data in everything(HOSTILE + text + HOSTILE):
        assert data is not None
        assert_harmless(data)
        for spelling in ("<script", "<img"):
            assert spelling not in data.get("text/html", "")


def test_formulas_are_no_formulas() -> None:
    for data in everything("$x$ \\(y\\) $$z$$"):
        assert data is not None
        if "text/html" in data:
            kept = data["text/html"].replace("<span>$</span>", "").replace("<span>\\</span>", "")
            assert "$" not in kept and "\\" not in kept, kept


def test_a_call_shows_its_name_arguments_result_and_seconds() -> None:
    call = ToolCall("lookup", '{"city": "Oslo", "days": 3}')
    waiting = tool_data(call, None)
    assert waiting["text/plain"] == 'lookup(city="Oslo", days=3) · running …'
    assert "running …" in Tags(waiting["text/html"]).text
    assert "not run" in tool_data(call, None, over="not run")["text/plain"]
    use = ToolUse(call, ToolResult("lookup", '{"t": 12}'), 0.26)
    data = tool_data(call, use)
    assert data["text/plain"] == 'lookup(city="Oslo", days=3) → {"t": 12} (0.3 s)'
    tags = assert_harmless(data)
    assert tags.found[0] == ("details", {}) and '"t": 12' in tags.text and "0.3 s" in tags.text
    assert "✗" not in tags.text
    failed = tool_data(call, use._replace(result=ToolResult("lookup", '"KeyError"', failed=True)))
    assert "✗ failed in 0.3 s" in Tags(failed["text/html"]).text and "✗" in failed["text/plain"]
    assert tool_line(call, None).endswith("· not run")


def test_long_values_are_cut() -> None:
    call = ToolCall("f" * 200, json.dumps({"x": "y" * 50_000}))
    data = tool_data(call, ToolUse(call, ToolResult("f", "z" * 1_000_000), 1))
    assert len(data["text/plain"]) < 400 and len(data["text/html"]) < 15_000
    assert "… 996,000 more characters" in data["text/html"]
    assert len(output_data(CodeOutput("x" * 10**6))["text/html"]) < 10_000
    assert len(code_data(Code("x" * 10**6))["text/markdown"]) < 30_000
    assert len(thoughts_data("x" * 10**6)["text/html"]) < 60_000
    deep = "[" * 50_000
    tool_data(ToolCall("f", deep), ToolUse(ToolCall("f", deep), ToolResult("f", deep), 1))


@pytest.mark.parametrize("source", ["x = '```'\n", "````\n```", "", "a\n~~~\n", "`" * 20])
def test_a_program_cannot_leave_its_fence(source: str) -> None:
    data = code_data(Code(source + "<script>alert(1)</script>", 'python" onclick=x'))
    first, *rest = data["text/markdown"].strip("\n").split("\n")
    fence = rest.pop()
    assert set(fence) == {"`"} and first == f"{fence}pythononclickx"
    assert not any(line.strip().startswith(fence) for line in rest)
    assert "mermaid-source" in code_data(Code("x", "mermaid"))["text/markdown"]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://www.example.org/a?b=c#d", "www.example.org"),
        ("HTTP://EXAMPLE.org", "example.org"),
        ("https://google.com@evil.example/", "evil.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://good.example\\@evil.example/", None), ("javascript:alert(1)", None),
        ("data:text/html,x", None), ("https:///x", None), ("//x.example", None), ("", None),
        ("https://a.example/ x", None), ("https://a.example/\n", None), ("https://[x", None),
        ("https://a.example/\x7f", None), ("https://a.example/'\"", None),
        ("ftp://a.example", None),
        ("https://a.example/" + "x" * 5_000, None),
    ],
)  # fmt: skip
def test_only_web_addresses_are_links_and_show_where_they_lead(
    address: str, host: str | None
) -> None:
    assert host_of(address) == host
    data = sources_data([Citation(address, "Title")], [])
    assert data is not None
    tags = assert_harmless(data)
    links = [attributes for tag, attributes in tags.found if tag == "a"]
    assert [one["href"] for one in links] == ([address] if host else [])
    if host:
        assert f"Title ({host})" in tags.text and "noopener" in (links[0]["rel"] or "")


def test_sources_are_numbered_and_searches_named() -> None:
    assert sources_data([], []) is None
    data = sources_data(
        [Citation("https://a.example/x", "A"), Citation("https://b.example/y")], ["tides", "moon"]
    )
    assert data is not None
    assert data["text/plain"] == (
        "Sources:\n1. A (a.example) https://a.example/x\n2. b.example https://b.example/y\n"
        "Searched for: tides · moon"
    )
    many = sources_data([Citation(f"https://a.example/{n}") for n in range(80)], [])
    assert many is not None and "30 more" in many["text/plain"]
    assert many["text/html"].count("<a ") == blocks._MOST
    assert sources_data([], ["x"]) is not None
