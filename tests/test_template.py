"""Where a prompt's double braces are Python, and where they are just braces."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_magic.template import Placeholder, Segment, escape, left_alone, placeholders, split
from tests import corpus

PIECES = st.one_of(
    st.sampled_from(
        [
            *("{{", "}}", "{", "}", "\\", "$", "_", "^", "(", ")", "[", "]", "'", '"', "\n", " "),
            *("{{ x }}", "{{x.y}}", "{{ f('}}') }}", '{{ f("{{ y }}") }}', "{{ d[k](1)!r:>9 }}"),
            *(r"\{{", r"\{{ x }}", r"\frac", r"\frac*", "x_", "if", "x", "é", "!r", ":>9", "#"),
            *("}}}", "\t"),
        ]
    ),
    st.text(max_size=5),
)
TEMPLATES = st.lists(PIECES, max_size=14).map("".join)


def source(segments: list[Segment]) -> str:
    return "".join(s if isinstance(s, str) else s.source for s in segments)


@pytest.mark.parametrize(
    ("text", "expression", "conversion", "spec"),
    [
        ("{{ x }}", "x", "", ""),
        ("{{x}}", "x", "", ""),
        ("{{\tx\t}}", "x", "", ""),
        ("{{ größe }}", "größe", "", ""),
        ("{{ x.y.z }}", "x.y.z", "", ""),
        ("{{ x[0] }}", "x[0]", "", ""),
        ("{{ x['a']['b'] }}", "x['a']['b']", "", ""),
        ('{{ x["}}"] }}', 'x["}}"]', "", ""),
        ("{{ f() }}", "f()", "", ""),
        ("{{ f(1, k={'a': [2]})[3].g(h(4)) }}", "f(1, k={'a': [2]})[3].g(h(4))", "", ""),
        ("{{ x[1:2] }}", "x[1:2]", "", ""),
        ("{{ x[lambda: 0] }}", "x[lambda: 0]", "", ""),
        ("{{ x!r }}", "x", "r", ""),
        ("{{ x!s:>10 }}", "x", "s", ">10"),
        ("{{ x:.2f }}", "x", "", ".2f"),
        ("{{ x :,}}", "x", "", ","),
        ("{{ d:%Y-%m-%d %H:%M }}", "d", "", "%Y-%m-%d %H:%M"),
        ("{{ match }}", "match", "", ""),
        ("{{ f('a', \"b\") }}", "f('a', \"b\")", "", ""),
    ],
)
def test_a_placeholder(text: str, expression: str, conversion: str, spec: str) -> None:
    wanted = Placeholder(expression, conversion, spec, text)
    assert split(f"a {text} b") == ["a ", wanted, " b"]
    assert placeholders(text) == [wanted]
    assert left_alone(text) == []
    assert wanted.name == re.match(r"\w+", expression)[0]  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    [
        "{{}}", "{{ }}", "{{ 1 }}", "{{ 'x' }}", "{{ x y }}", "{{ x + 1 }}", "{{ -x }}",
        "{{ x | upper }}", "{{ .x }}", "{{- x }}", "{{ x -}}", "{{ x. }}", "{{ x..y }}",
        "{{ x.0 }}", "{{ x[ }}", "{{ x[] }}", "{{ x(] }}", "{{ x) }}", "{{ x!q }}", "{{ x! }}",
        "{{ x = }}", "{{ x:'a' }}", "{{ x:{y} }}", "{{ x:\n}}", "{{\nx }}", "{{ x\n}}",
        "{{ x[\n0] }}", "{{ x['\\n'] }}", "{{ x['#'] }}", "{{ if }}", "{{ None }}", "{{ True }}",
        "{{ lambda: 0 }}", "{{ await x }}", "{{ f'x' }}", "{{ x['''a''', \"b\"] }}", "{{ x }",
        "{ x }", "{{{ x }}}", "{{color: 'red'}}", "{{1,2},{3,4}}", "{{ ...x }}", "{{ x\0 }}",
        "{{ f(await) }}", "{{ f(x for) }}", "{{ x; }}", "{{ x: {y} }}", "{{ ² }}",
    ],
)  # fmt: skip
def test_just_braces(text: str) -> None:
    assert split(text) == [text]
    assert placeholders(text) == []


@pytest.mark.parametrize("before", ["$", "_", "^", "}}", r"\frac", r"\text*", r"\frac{{x}}"])
def test_braces_that_belong_to_what_stands_before_them(before: str) -> None:
    text = f"{before}{{{{ name }}}}"
    assert placeholders(text) == []
    assert source(split(text)) == text
    assert left_alone(text) == []
    assert [p.name for p in placeholders(f"{before} {{{{ name }}}}")][-1:] == ["name"]


def test_placeholders_may_follow_each_other() -> None:
    assert [p.name for p in placeholders("{{x}}{{ y }}{{z}}")] == ["x", "y", "z"]
    assert [p.name for p in placeholders(r"\{{x}}{{ y }} {{ f }}{{z}}")] == ["f", "z"]


def test_an_escaped_brace() -> None:
    assert split(r"\{{ x }} {{ y }}") == ["{{ x }} ", Placeholder("y", "", "", "{{ y }}")]
    assert split(r"\\{{ x }}") == [r"\{{ x }}"]
    assert split(r"\{{{ x }}}") == [r"\{{{ x }}}"]


def test_what_is_left_alone_is_told_in_short() -> None:
    text = "{{color: 'red'}} {{ x }} {{- if a }}\n${{ y }} {{ f('{{ z }}') }} {{" + "1" * 60
    assert left_alone(text) == ["{{color: 'red'}}", "{{- if a }}", "{{" + "1" * 38]


@pytest.mark.parametrize("text", corpus.LITERAL.values(), ids=corpus.LITERAL.keys())
def test_the_corpus_has_no_placeholders(text: str) -> None:
    assert placeholders(text) == []
    assert split(text) == ([re.sub(r"\\\{\{(?!\{)", "{{", text)] if text else [])


@pytest.mark.parametrize("text", corpus.FILLED.values(), ids=corpus.FILLED.keys())
def test_the_corpus_has_placeholders(text: str) -> None:
    assert placeholders(text)
    assert source(split(text)) == text


@given(TEMPLATES)
def test_the_segments_are_the_whole_template(text: str) -> None:
    segments = split(text)
    assert source(segments) == re.sub(r"\\\{\{(?!\{)", "{{", text)
    assert "" not in segments
    assert not any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(segments))
    assert placeholders(text) == [s for s in segments if isinstance(s, Placeholder)]


@given(TEMPLATES)
def test_a_placeholder_is_valid_in_an_f_string(text: str) -> None:
    for found in placeholders(text):
        tail = f"!{found.conversion}" * bool(found.conversion) + f":{found.spec}" * bool(found.spec)
        quote = "'''" if '"' in found.expression else '"""'
        compile(f"f{quote}{{{found.expression}{tail}}}{quote}", "x", "eval")
        assert found.source.startswith("{{") and found.source.endswith("}}")


@given(TEMPLATES)
@example('{{ f("{{ y }}") }}')
@example("{{ f('{{ g(1) }} {{ y }}') }}{{ z }}")
def test_an_escaped_text_stands_for_itself(text: str) -> None:
    escaped = escape(text)
    if r"\{{" in text:
        assert escaped is None
    else:
        assert escaped is not None
        assert split(escaped) == ([text] if text else [])


@pytest.mark.parametrize(
    "unit",
    [
        "{{", "{{a[", "{{ x(", "{{a['", '{{a["', "{{a['\"", "{{a[]", "{{a.b", "{{ x }}", "{{a(){{",
        "{{ f('}}') }} ", "}}", r"\{{", r"\a{{x}}", "{{a:", "{{a ", "a{{b[1", "{{f(x,[{", "{{ ",
        "'{{a[", "{{a!r:", "{{x[{{y]", "(", "{{x}} ",
    ],
)  # fmt: skip
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    began = time.process_time()
    split(text)
    left_alone(text[:10_000])
    escape(text[:10_000])
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    ("head", "unit", "tail"),
    [
        ("{{a", " ", ""), ("{{a:", " ", ""), ("{{a!r", " ", "x"), ("{{", " ", "a}}"),
        ("{{a", ".b", "}}"), ("{{a", "[0]", "}}"), ("{{a", "()", "}}"), ("{{a", "(", ""),
        ("{{a(", "1+", "1)}}"), ("{{a[", "-", "1]}}"), ("{{a(", "x,", ")}}"), ("{{a", "b", "}}"),
        ("{{a('", "x", "')}}"), ("{{a:", "x", "}}"), ("{{a[", "(1,", ")]}}"),
    ],
)  # fmt: skip
def test_one_huge_placeholder_is_read_in_a_moment(head: str, unit: str, tail: str) -> None:
    text = head + unit * (100_000 // len(unit)) + tail
    began = time.process_time()
    assert source(split(text)) == text
    assert time.process_time() - began < 3
