"""What hypothesis draws: options with nasty values, and cells."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.option_table import OPTIONS, Option
from gemini_magic.options import OptionValue, in_table_order
from tests import corpus

_NASTY = [
    "", " ", "--", "-", "-m", "--model", "--model=x", "-5", "=x", "'", '"', "'\"", "a b", "a\nb",
    "a\r\nb", "\\", "\\n", "\\\\", '\\"', "it's", 'say "hi"', "tab\there", "{", "[", '{"a": 1}',
    "{{ x }}", "\u2028", "\u00a0", "\x0b\x0c", "\x1c", "\x85", "naïve", "-a\u2028b", "-x=y", "'a'b",
    "# x", "%gemini", "$x", "\ud800",
]  # fmt: skip

TEXTS = st.sampled_from(_NASTY) | st.text() | st.lists(st.sampled_from(_NASTY)).map("".join)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def _json_texts(draw: st.DrawFn) -> str:
    value = draw(_JSON.filter(lambda value: isinstance(value, dict | list)))
    return json.dumps(
        value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 2]))
    )


def values(option: Option) -> st.SearchStrategy[OptionValue]:
    """The values that an option can have."""
    found: st.SearchStrategy[Any]
    match option.type:
        case "flag":
            found = st.just(True)
        case "choice":
            found = st.sampled_from(option.choices)
        case "name":
            found = st.sampled_from(["x", "_", "answer_1", "größe", "名前"])
        case "thinking":
            found = st.sampled_from(option.choices) | st.integers(0, 10**6)
        case "json":
            found = _json_texts() | TEXTS
        case "int":
            low = -(10**6) if option.minimum is None else int(option.minimum)
            found = st.integers(low, 10**9 if option.maximum is None else int(option.maximum))
        case "names":
            words = st.sampled_from(
                option.choices or ("a", "b:c", "größe", "x/y:free", "-n", "a b")
            )
            return st.lists(words, min_size=1, max_size=3, unique=True).map(tuple)
        case "float":
            found = st.floats(option.minimum, option.maximum)
        case _:
            found = TEXTS
    if option.repeat:
        return st.lists(found, min_size=1, max_size=4).map(tuple)
    return found  # type: ignore[no-any-return]


@st.composite
def options(draw: st.DrawFn) -> tuple[tuple[str, OptionValue], ...]:
    """Some options with values, in the table's order."""
    chosen = draw(st.lists(st.sampled_from(OPTIONS), unique=True, max_size=5))
    return in_table_order({option.name: draw(values(option)) for option in chosen})


_PROMPTS = (
    st.text(st.characters(codec=None))
    | st.sampled_from(sorted(corpus.ALL.values()))
    | st.lists(st.sampled_from([*_NASTY, "\n", "\r", "%%gemini", "models", "{{ x }}"])).map("".join)
)
_PREAMBLES = st.lists(
    st.sampled_from(["\n", "\r\n", "# why\n", "  # {{ x }}\t\n", " \t\n", "#\n", "# é\r\n"])
).map("".join)


@st.composite
def _cells(draw: st.DrawFn) -> GeminiCell:
    line = draw(st.booleans())
    prompt = draw(_PROMPTS)
    if line:  # one line, and it begins where blanks end
        prompt = prompt.replace("\n", "").replace("\r", "").lstrip(" \t\f\v")
    magic = draw(st.sampled_from(["gemini", "ask", "größe"]))
    return GeminiCell(prompt, draw(options()), line, draw(_PREAMBLES), magic)


CELLS: st.SearchStrategy[GeminiCell] = _cells()
