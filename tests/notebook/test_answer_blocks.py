"""Where a long answer is cut into pieces that can be rendered on their own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_magic.notebook.answer_blocks import LEAST, LONG, MIME
from gemini_magic.notebook.pieces import Text, reply_data
from gemini_magic.notebook.sanitise import Cleaned, Sanitiser
from gemini_magic.types import CANCELLED, Reply

SECTION = """\
## Tides 🌊

The *height* of the water: $h(t) = \\sum_i A_i$, see [there](https://example.org/).

1. Take the constants.

   - mind leap years

2. Evaluate them.

| wave | cause |
|------|-------|
| M2   | moon  |

```python
def height(t):

    return sum(x < t for x in WAVES)
```

"""

LINES = st.sampled_from(
    ["", "", "", "a word", "- item", "  more of it", "1. one", "2. two", "```", "```py", "    code",
     "> quote", "# title", "***", "| a | b |", "|---|---|", "🌊 $x$", "\ttab", "~~~", "a[0]: b",
     "<b>", "\\begin{a}", "$", "[a](https://example.org)", "===", "  ", "* * *", "  ```", "`c`"]
)  # fmt: skip


def cleaned(text: str, least: int = 1) -> Cleaned:
    sanitiser = Sanitiser(least=least)
    sanitiser.feed(text)
    return sanitiser.cleaned()


def pieces(found: Cleaned) -> list[str]:
    """The pieces as JavaScript's `slice` gives them."""
    units = found.markdown.encode("utf-16-le", "surrogatepass")
    ends = [0]
    for length in found.blocks:
        ends.append(ends[-1] + 2 * length)
    ends.append(len(units))
    return [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(ends)]


@pytest.mark.parametrize(
    "parts",
    [
        ["a\nb\n\n", "c\n\n\n", "# d\n\n", "e\n"],
        ["a\n\n", "```\nx\n\ny\n```\n\n", "b\n"],
        ["- a\n\n- b\n\n  c\n\n", "d\n"],
        ["1. a\n\n", "```\nx\n```\n\n", "2. b\n"],
        ["-\n\n- b\n\n", "d\n"],
        ["a\n\n    code\n\n    code\n\n", "b\n"],
        ["> a\n\n> b\n\n", "c\n"],
        ["a\n\n", "- b\n\n- c\n\n", "| a |\n|---|\n| b |\n\n", "***\n\n", "🌊🌊\n\n", "e\n"],
        ["$$\nx\n$$\n\n", "**bold**\n\n", "`code` and [a](https://example.org)\n"],
        ["- a\n\n\tcode\n\n* * *\n\n- b\n\n", "c\n"],
        ["a\n\n1"],  # of a line that has not ended nobody knows what it begins
    ],
    ids=repr,
)
def test_it_is_cut_where_all_blocks_are_over(parts: list[str]) -> None:
    assert pieces(cleaned("".join(parts))) == parts


def test_a_definition_holds_all_together() -> None:
    assert pieces(cleaned("see [a]\n\nb\n\nc\n"))[0] == "see [a]\n\n"
    assert cleaned("see [a]\n\nb\n\n[a]: https://example.org").blocks == ()
    none = "`x[0]: int`\n\n```\n[a]: https://example.org\n```\n\nb\n"
    assert len(cleaned(none).blocks) == 2


@example("\na word\n", [1])
@given(st.lists(LINES, max_size=40).map("\n".join), st.lists(st.integers(1, 30), min_size=1))
def test_a_stream_is_cut_as_the_whole_is(text: str, steps: list[int]) -> None:
    """And what was cut once stays so, whatever comes."""
    whole = cleaned(text)
    assert "".join(pieces(whole)) == whole.markdown
    stream = Sanitiser(least=1)
    start = turn = 0
    before: list[str] = []
    while start < len(text):
        step = steps[turn % len(steps)]
        stream.feed(text[start : start + step])
        start, turn = start + step, turn + 1
        found = stream.cleaned()
        assert "".join(pieces(found)) == found.markdown
        closed = pieces(found)[:-1]
        assert closed[: len(before)] == before or not found.blocks
        before = closed
    assert stream.cleaned() == whole


@given(st.lists(LINES, max_size=25).map("\n".join), st.lists(LINES, max_size=25).map("\n".join))
def test_what_follows_a_cut_is_sanitised_as_if_it_came_first(text: str, more: str) -> None:
    """So each piece is as safe as a text of its own."""
    text, rest = f"{text}\n\n", f"Then this.\n{more}"
    stream = Sanitiser(least=1)
    stream.feed(f"{text}Then this.\n")
    *_, last = pieces(stream.cleaned())
    whole, alone = cleaned(text + rest).markdown, cleaned(rest).markdown
    if last == "Then this.\n":  # it was cut before this line
        assert whole == stream.cleaned().markdown.removesuffix(last) + alone


def test_pieces_are_not_too_short() -> None:
    text = "a word\n\n" * 2_000
    *closed, last = pieces(cleaned(text, LEAST))
    assert min(map(len, closed)) >= LEAST > max(map(len, closed)) - 10
    assert len(last) <= LEAST + 8


def shown(text: str, **more: Any) -> dict[str, Any]:
    return reply_data(Reply(text, **more), "markdown")


def test_only_a_long_answer_names_its_pieces() -> None:
    assert set(shown("a\n\n" * (LONG // 3))) == {"text/markdown", "text/plain"}
    data = shown(SECTION * (1 + LONG // len(SECTION)), finish_reason=CANCELLED)
    assert set(data) == {"text/markdown", "text/plain", MIME}
    assert data["text/markdown"].endswith("*… (interrupted)*")
    blocks = data[MIME]["blocks"]
    assert len(blocks) > 3
    assert sum(blocks) == len(data["text/markdown"].encode("utf-16-le")) // 2
    nbformat.validate(
        nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(
                    outputs=[nbformat.v4.new_output("display_data", data=data)], id="x"
                )
            ]
        )
    )


def test_what_cannot_be_cut_is_one_piece() -> None:
    for text in ("```\n" + "x = 1\n\n" * LONG, SECTION * 20 + "[a]: https://example.org\n"):
        data = shown(text)
        assert data[MIME]["blocks"] == [len(data["text/markdown"].encode("utf-16-le")) // 2]


def test_the_pieces_of_a_stream_are_those_of_the_end() -> None:
    text = SECTION * 30
    streamed = Text("markdown", remote_images=False)
    seen: list[int] = []
    for start in range(0, len(text), 97):
        streamed.feed(text[start : start + 97])
        data, _ = streamed.data()
        blocks = data.get(MIME, {"blocks": []})["blocks"]
        assert blocks[: len(seen)] == seen
        seen = blocks[:-1]
    assert streamed.data()[0][MIME] == shown(text)[MIME]
    assert len(seen) > 8
