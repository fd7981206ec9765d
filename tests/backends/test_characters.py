"""Characters that a service cut in half are put together, or replaced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.backends.characters import Halves, whole

_any = st.text(st.characters(codec=None))


def test_a_pair_is_put_together_and_a_lone_half_replaced() -> None:
    assert whole("a\ud83d\ude00b") == "a😀b"
    assert whole("a\ud83d b\ude00") == "a\ufffd b\ufffd"
    halves = Halves()
    assert [halves.take(piece) for piece in ("a\ud83d", "", "\ude00b\ud83d", "c")] == [
        "a", "", "😀b", "\ufffdc",
    ]  # fmt: skip
    assert halves.rest() == "" and halves.take("\ud83d") == "" and halves.rest() == "\ufffd"


@given(_any)
def test_any_text_can_be_sent(text: str) -> None:
    mended = whole(text)
    mended.encode()
    assert whole(mended) == mended
    clean = text.encode("utf-8", "ignore").decode()
    assert whole(clean) == clean


@given(st.lists(_any, max_size=6))
def test_pieces_give_what_the_whole_gives(pieces: list[str]) -> None:
    halves = Halves()
    taken = [halves.take(piece) for piece in pieces]
    assert "".join([*taken, halves.rest()]) == whole("".join(pieces))
