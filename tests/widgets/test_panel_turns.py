"""A panel's conversation, against a simple picture of the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_magic.cell import GeminiCell
from gemini_magic.types import Message, Part, Reply
from gemini_magic.widgets.panel_turns import Turn, Turns


def turn(word: str, counts: bool = True) -> Turn:
    question = Message("user", (Part(text=word),))
    answer = Message("model", (Part(text=word.upper()),))
    reply = Reply.saying(word.upper(), exchanged=(answer,))
    return Turn(GeminiCell.of(word), question, reply, counts)


def words(turns: Turns) -> str:
    return " ".join(one.cell.template for one in turns.path)


def talk(*path: str) -> tuple[Turns, list[Turn]]:
    turns, made = Turns(), [turn(word) for word in path]
    for one in made:
        turns.add(one, turns.tip)
    return turns, made


def test_a_conversation_goes_on_from_its_tip() -> None:
    turns, _ = talk("a", "b")
    assert words(turns) == "a b"
    assert [message.text for message in turns.history()] == ["a", "A", "b", "B"]
    assert turns.more == 0
    turns.clear()
    assert turns.history() == () and turns.more == 1
    turns.forward()
    assert words(turns) == "a b"


def test_what_was_stopped_is_shown_and_not_sent() -> None:
    turns, _ = talk("a")
    turns.add(turn("b", counts=False), turns.tip)
    turns.add(turn("c"), turns.tip)
    assert words(turns) == "a b c"
    assert [message.text for message in turns.history()] == ["a", "A", "c", "C"]


def test_an_edited_question_is_a_branch_beside_the_old_one() -> None:
    turns, (a, b, _) = talk("a", "b", "c")
    turns.edit(b)
    assert words(turns) == "a" and turns.more == 1
    other = turn("B2")
    turns.add(other, turns.tip)
    assert words(turns) == "a B2" and turns.siblings(other) == (b, other)
    turns.step(other, -1)
    assert words(turns) == "a b c", "with what followed it"
    turns.step(b, -1)
    assert words(turns) == "a B2", "round the corner"
    turns.edit(a)
    turns.add(turn("A2"), turns.tip)
    assert words(turns) == "A2"
    turns.step(turns.path[0], 1)
    assert words(turns) == "a B2", "where it was left"


def test_branching_off_leaves_what_followed() -> None:
    turns, (_, b, c) = talk("a", "b", "c")
    turns.branch(b)
    assert words(turns) == "a b" and turns.more == 1
    d = turn("d")
    turns.add(d, turns.tip)
    assert turns.siblings(d) == (c, d)


def test_a_deleted_turn_is_no_longer_sent_and_what_followed_stays() -> None:
    turns, (a, b, c) = talk("a", "b", "c")
    turns.delete(b)
    assert words(turns) == "a c"
    turns.delete(c)
    assert words(turns) == "a" and set(turns) == {a}
    turns.delete(a)
    assert turns.path == () and not list(turns) and turns.more == 0


def test_the_branch_beside_a_deleted_turn_is_shown() -> None:
    turns, (_, b) = talk("a", "b")
    turns.edit(b)
    other = turn("b2")
    turns.add(other, turns.tip)
    turns.delete(other)
    assert words(turns) == "a b"


def test_an_answer_whose_parent_is_gone_begins_a_conversation() -> None:
    turns, (a,) = talk("a")
    turns.delete(a)
    turns.add(turn("late"), a)
    assert words(turns) == "late"


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), max_size=40))
def test_no_turn_is_lost_whatever_the_user_does(steps: list[tuple[int, int]]) -> None:
    turns, known = Turns(), set[Turn]()
    for number, (what, which) in enumerate(steps):
        path = turns.path
        chosen = path[which % len(path)] if path else None
        if what == 0 or chosen is None:
            made = turn(str(number))
            turns.add(made, turns.tip)
            known.add(made)
        elif what == 1:
            turns.edit(chosen)
        elif what == 2:
            turns.branch(chosen)
        elif what == 3:
            turns.step(chosen, which - 10)
        elif what == 4:
            turns.clear()
        elif what == 5:
            turns.forward()
        else:
            turns.delete(chosen)
            known.discard(chosen)
        assert set(turns) == known
        path = turns.path
        assert len(set(path)) == len(path) and (path[-1] if path else None) is turns.tip
        assert all(one in turns.siblings(one) for one in known)
        assert turns.tip is None or turns.tip in known
