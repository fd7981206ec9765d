"""The gallery's grid, by itself."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances

from gemini_magic.widgets.gallery import PAGE, Card, Gallery, card_html


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def gallery(count: int) -> tuple[Gallery, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def load(start: int, stop: int) -> list[Card]:
        asked.append((start, stop))
        return [Card(f"{n}.png", f"prompt {n}", ("m",), b"png") for n in range(start, stop)]

    def fail(number: int) -> str:
        raise ValueError(f"no cell <{number}>")

    return Gallery(count, load, lambda number: f"bound {number}", fail), asked


def test_pages_are_loaded_one_at_a_time_and_the_old_ones_are_gone() -> None:
    made, asked = gallery(2 * PAGE + 1)
    widgets = len(_instances)
    for turn, wanted in ((1, PAGE), (1, 2 * PAGE), (1, 2 * PAGE), (-5, 0)):
        made.turn(turn)
        assert asked[-1][0] == wanted
    assert len(_instances) == widgets
    grid, pages, *_ = made.widget.children
    back, on, where = pages.children
    assert len(grid.children) == PAGE and where.value == "1–12 of 25"
    assert back.disabled and not on.disabled
    made.turn(2)
    assert len(grid.children) == 1 and where.value == "25–25 of 25" and on.disabled
    made.close()
    assert made.widget.comm is None and grid.comm is None


def test_one_page_needs_no_buttons_for_pages() -> None:
    made, _ = gallery(PAGE)
    assert made.widget.children[1].layout.display == "none"


def test_buttons_are_labelled_and_what_they_do_is_said() -> None:
    made, _ = gallery(2)
    grid, _, said, area = made.widget.children
    picture, buttons = grid.children[1].children
    use, copy = buttons.children
    assert 'alt="prompt 1"' in picture.value
    assert use.tooltip == "use 1.png as input" and copy.tooltip == "the cell of 1.png"
    use.click()
    assert said.value == '<div role="status" aria-live="polite">bound 1</div>'
    copy.click()
    assert "no cell &lt;1&gt;" in said.value and area.layout.display == "none"


def test_a_card_is_escaped() -> None:
    bad = '"><script>x</script>$y$'
    html = card_html(Card(bad, bad, (bad,), None)) + card_html(Card(bad, bad, (bad,), b"x"))
    assert "<script" not in html and html.count("<img") == 1
    assert "&quot;&gt;&lt;script&gt;" in html
