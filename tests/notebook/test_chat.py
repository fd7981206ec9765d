"""A conversation reads as the notebook does: running a cell again replaces its turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.errors import UsageError
from gemini_magic.notebook.chat import Conversation, Conversations, Place, Turn
from gemini_magic.types import Message, Part, Reply


def question(text: str) -> Message:
    return Message("user", (Part(text=text),))


def say(chat: Conversation, place: Place | None, text: str) -> int:
    said = Message("model", (Part(text=f"re {text}"),))
    return chat.add(place, question(text), Reply(f"re {text}", exchanged=(said,)))


def heard(chat: Conversation, place: Place | None = None) -> list[str]:
    return [message.text for message in chat.history(place)]


A, B, C, D = ("a", 0), ("b", 0), ("c", 0), ("d", 0)


@pytest.fixture
def chat() -> Conversation:
    chat = Conversation("Plan")
    for place, text in ((A, "1"), (B, "2"), (C, "3")):
        assert say(chat, place, text) == 0
    return chat


def test_turns_come_in_the_order_of_their_cells_first_run(chat: Conversation) -> None:
    assert heard(chat) == ["1", "re 1", "2", "re 2", "3", "re 3"]
    assert [m.role for m in chat.history(None)] == ["user", "model"] * 3
    assert heard(chat, ("new", 0)) == heard(chat)


def test_a_cell_is_asked_with_what_was_said_before_it(chat: Conversation) -> None:
    assert heard(chat, A) == []
    assert heard(chat, B) == ["1", "re 1"]
    assert heard(chat, C) == ["1", "re 1", "2", "re 2"]


def test_running_a_cell_again_replaces_its_turn_and_makes_later_ones_stale(
    chat: Conversation,
) -> None:
    assert say(chat, B, "two") == 1
    assert [turn.stale for turn in chat.turns] == [False, False, True]
    assert heard(chat) == ["1", "re 1", "two", "re two"]
    assert heard(chat, ("new", 0)) == heard(chat)
    assert heard(chat, C) == heard(chat)
    assert say(chat, B, "zwei") == 0  # the third was stale already
    assert say(chat, C, "three") == 0
    assert heard(chat) == ["1", "re 1", "zwei", "re zwei", "three", "re three"]
    assert say(chat, A, "one") == 2


def test_two_calls_in_one_cell_are_two_turns(chat: Conversation) -> None:
    say(chat, ("c", 1), "4")
    assert len(chat.turns) == 4
    say(chat, ("c", 1), "four")
    assert heard(chat, ("c", 1))[-1] == "re 3" and heard(chat)[-1] == "re four"


def test_without_cell_ids_turns_append() -> None:
    chat = Conversation("x")
    for text in "112":
        assert say(chat, None, text) == 0
    assert heard(chat) == ["1", "re 1", "1", "re 1", "2", "re 2"]


def test_undo_takes_back_the_last_change(chat: Conversation) -> None:
    before = chat.turns
    say(chat, A, "one")
    chat.undo()
    assert chat.turns == before
    chat.undo()
    assert heard(chat) == ["1", "re 1", "2", "re 2"]
    chat.undo()
    chat.undo()
    assert chat.turns == ()
    with pytest.raises(UsageError, match="chat 'Plan' has nothing to undo"):
        chat.undo()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=12))
def test_running_all_from_the_top_makes_every_turn_count(runs: list[tuple[str, int]]) -> None:
    chat = Conversation("x")
    order: list[str] = []
    snapshots = [chat.turns]
    for cell, number in runs:
        if cell not in order:
            order.append(cell)
        say(chat, (cell, 0), str(number))
        snapshots.append(chat.turns)
        assert [turn.place for turn in chat.turns] == [(one, 0) for one in order]
        said = chat.turns[order.index(cell)]
        assert not said.stale and said.question.text == str(number)
        assert all(turn.stale for turn in chat.turns[order.index(cell) + 1 :])
    for cell in order:
        say(chat, (cell, 0), cell)
        snapshots.append(chat.turns)
    assert heard(chat) == [text for cell in order for text in (cell, f"re {cell}")]
    for wanted in reversed(snapshots[:-1]):
        chat.undo()
        assert chat.turns == wanted


def test_conversations_by_name() -> None:
    chats = Conversations()
    plan = chats.open("Plan")
    assert list(chats) == []  # it is kept with its first turn
    chats.keep(plan)
    assert chats.open("Plan") is plan is chats.find("Plan")
    chats.keep(chats.open("other"))
    assert [chat.name for chat in chats] == ["Plan", "other"]
    with pytest.raises(UsageError) as caught:
        chats.find("Pln")
    assert caught.value.next_step == "Did you mean Plan?"
    with pytest.raises(UsageError) as caught:
        chats.find("zzz")
    assert caught.value.next_step == "See them all: %gemini chat"
    chats.forget("Plan")
    assert [chat.name for chat in chats] == ["other"]
    with pytest.raises(UsageError):
        chats.forget("Plan")


def stored(cell: str, text: str, answer: str | None = "", template: str = "") -> Turn:
    """A turn of an import; ``None`` for one that was never answered."""
    said = f"re {text}" if answer == "" else answer
    reply = None
    if said is not None:
        reply = Reply(said, exchanged=(Message("model", (Part(text=said),)),))
    return Turn((cell, 0), question(text), reply, template=template or text)


@pytest.fixture
def kept() -> Conversation:
    chat = Conversation("kept")
    chat.begin([stored("a", "1"), stored("b", "2", None), stored("c", "3"), stored("d", "4", None)])
    return chat


def test_stored_turns_are_history_and_keep_the_places_of_their_cells(kept: Conversation) -> None:
    assert heard(kept) == ["1", "re 1", "3", "re 3"]
    assert heard(kept, D) == heard(kept, ("new", 0)) == heard(kept)
    assert heard(kept, B) == ["1", "re 1"]
    assert say(kept, B, "2") == 1, "of the later ones, one has an answer"
    assert heard(kept) == ["1", "re 1", "2", "re 2"]
    assert say(kept, ("new", 0), "5") == 0 and heard(kept)[-2:] == ["5", "re 5"]
    say(kept, D, "4")
    assert heard(kept) == ["1", "re 1", "2", "re 2", "4", "re 4"]
    for _ in range(3):
        kept.undo()
    assert heard(kept) == ["1", "re 1", "3", "re 3"]


def test_a_cell_with_an_id_of_its_own_is_no_stored_turn(kept: Conversation) -> None:
    assert kept.place_of(("other-id_1", 0), "1") == ("other-id_1", 0)
    assert kept.place_of(A, "what it says now") == A


def test_without_ids_stored_turns_are_found_by_what_their_cells_say(kept: Conversation) -> None:
    for text in "1234":
        place = kept.place_of(None, text)
        say(kept, place, text)
    assert heard(kept) == [word for text in "1234" for word in (text, f"re {text}")]
    assert kept.place_of(None, "1") is None, "a second run is a new turn"
    assert kept.place_of(None, "unheard of") is None


def test_addresses_of_an_editor_are_no_ids_of_the_file() -> None:
    chat = Conversation("x")
    chat.begin([stored("a", "same"), stored("b", "same"), stored("c", "end")])
    first, second, new = ((f"vscode-notebook-cell:/x.ipynb#W{number}", 0) for number in range(3))
    for wanted, place in (((A), first), (A, first), (B, second), (B, second)):
        found = chat.place_of(place, "same")
        assert found == wanted
        say(chat, found, "same")
    assert chat.place_of(new, "more") == new


@given(st.lists(st.sampled_from("abc"), max_size=6), st.booleans())
def test_stored_turns_run_from_the_top_are_what_was_asked(texts: list[str], ids: bool) -> None:
    chat = Conversation("x")
    chat.begin([stored(f"{number}", text) for number, text in enumerate(texts)])
    for number, text in enumerate(texts):
        place = chat.place_of((f"{number}", 0) if ids else None, text)
        before = [word for one in texts[:number] for word in (one, f"re {one}")]
        assert heard(chat, place) == before
        say(chat, place, text)
    assert len(chat.turns) == len(texts)
