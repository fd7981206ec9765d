"""How events add up to a reply, over one hop and over several."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.engine.draft import Draft
from gemini_magic.events import (
    Notice,
    PartDone,
    Started,
    Switched,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from gemini_magic.types import (
    CANCELLED,
    STOP,
    Citation,
    Cost,
    Message,
    Part,
    Reply,
    Request,
    Target,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
)

QUESTION = Request((Message("user", (Part("?"),)),))
PICTURE = Part(data=b"png", mime_type="image/png")
CALL = ToolCall("f", "{}", "a")
RESULT = ToolResult("f", "1", "a")


def said(*events: object) -> Draft:
    draft = Draft(QUESTION)
    for event in events:
        draft.take(event)  # type: ignore[arg-type]
    return draft


def hop(draft: Draft, usage: Usage, cost: Cost | None, *citations: Citation) -> None:
    """The present hop wants ``f`` called, is settled, and gets its result."""
    draft.take(ToolCalled(CALL, Part(call=CALL)))
    draft.reply = draft.reply.replace(usage=usage, cost=cost, citations=citations)
    draft.take(ToolReturned(ToolUse(CALL, RESULT, 0.1)))
    draft.next_hop((Part(result=RESULT),))


def test_neighbouring_texts_are_one_part_and_pictures_stay_in_their_place() -> None:
    draft = said(TextDelta("a"), TextDelta("b"), PartDone(PICTURE), TextDelta(""), TextDelta("c"))
    reply = draft.whole(STOP)
    assert reply.text == "abc"
    assert reply.parts == (Part("ab"), PICTURE, Part("c"))
    assert reply.exchanged == (Message("model", reply.parts),)
    assert draft.has_content and draft.begun and draft.hop_begun


def test_a_signed_text_is_a_part_of_its_own() -> None:
    events = (TextDelta("a"), TextDelta("b", b"1"), TextDelta("c"), TextDelta(""), TextDelta("d"))
    reply = said(*events, TextDelta("", b"2")).whole(STOP)
    assert reply.text == "abcd"
    signed = (Part("a"), Part("b", signature=b"1"), Part("cd"), Part("", signature=b"2"))
    assert reply.parts == signed and reply.exchanged == (Message("model", signed),)


def test_a_signature_alone_says_nothing() -> None:
    draft = said(TextDelta("", b"1"))
    assert not (draft.has_content or draft.begun or draft.hop_begun) and draft.first is None


def test_nothing_came() -> None:
    reply = said(ThoughtDelta("hm")).whole(CANCELLED)
    assert (reply.text, reply.parts, reply.exchanged, reply.thoughts) == ("", (), (), "hm")
    assert not said(ThoughtDelta("hm")).has_content and not said(TextDelta("")).has_content


def test_hops_add_up() -> None:
    draft = said(Started(Target("b", "m")), ThoughtDelta("1"), TextDelta("Look. "))
    hop(draft, Usage(10, 5), Cost(7, 8), Citation("x"))
    assert draft.begun and not draft.hop_begun and not draft.has_content and not draft.calls
    assert draft.asking.messages == (
        *QUESTION.messages,
        Message("model", (Part("Look. "), Part(call=CALL))),
        Message("user", (Part(result=RESULT),)),
    )
    for event in (ThoughtDelta("2"), TextDelta("Done.")):
        draft.take(event)
    draft.reply = draft.reply.replace(
        usage=Usage(20, 6, cached_tokens=3), cost=Cost(1, 2), citations=(Citation("x"),)
    )
    alone = draft.hop(STOP)
    assert alone.usage == Usage(20, 6, cached_tokens=3) and alone.parts == (Part("Done."),)
    reply = draft.whole(STOP)
    assert reply.text == "Done." and reply.thoughts == "12"
    assert reply.usage == Usage(30, 11, cached_tokens=3) and reply.cost == Cost(8, 10)
    assert reply.citations == (Citation("x"),)
    assert reply.tool_calls == (ToolUse(CALL, RESULT, 0.1),)
    assert [message.role for message in reply.exchanged] == ["model", "user", "model"]
    assert reply.target == Target("b", "m") and reply.request is QUESTION


def test_what_costs_nobody_knows_adds_nothing() -> None:
    draft = said()
    hop(draft, Usage(), None)
    assert draft.whole(STOP).cost is None
    draft.reply = draft.reply.replace(cost=Cost(1, 1))
    assert draft.whole(STOP).cost == Cost(1, 1)


def test_a_call_without_an_answer_is_shown_and_no_part_of_the_history() -> None:
    draft = said(TextDelta("Look."))
    hop(draft, Usage(), None)
    draft.take(ToolCalled(CALL, Part(call=CALL)))
    reply = draft.whole(CANCELLED)
    assert reply.parts[-1].call == CALL
    assert reply.exchanged[-1] == Message("user", (Part(result=RESULT),))
    draft.take(TextDelta("more"))
    assert draft.whole(CANCELLED).exchanged[-1] == Message("model", (Part("more"),))


def test_a_switch_forgets_what_the_old_one_thought() -> None:
    old, new = Target("a", "m"), Target("b", "m")
    draft = said(
        Notice("before"), Started(old), ThoughtDelta("hm"), Notice("about the old"),
        Switched(old, new, "it was full.", "host", "1 USD"), Started(new), TextDelta("x"),
    )  # fmt: skip
    reply = draft.whole(STOP)
    assert reply.thoughts == "" and reply.target == new
    assert reply.notices == ("before", "b (host, 1 USD) was asked because of this: it was full.")


@given(
    st.lists(
        st.lists(
            st.builds(TextDelta, st.text(max_size=3), st.sampled_from((None, None, b"s")))
            | st.just(PartDone(PICTURE)),
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_nothing_is_lost_and_nothing_comes_twice(hops: list[list[TextDelta | PartDone]]) -> None:
    draft = Draft(QUESTION)
    for number, events in enumerate(hops):
        if number:
            hop(draft, Usage(1, 1), Cost(1, 1))
        for event in events:
            draft.take(event)
    reply: Reply = draft.whole(STOP)
    everything = [event for events in hops for event in events]
    texts = "".join(event.text for event in everything if isinstance(event, TextDelta))
    assert "".join(part.text or "" for part in reply.parts) == texts
    assert len(reply.media) == sum(isinstance(event, PartDone) for event in everything)
    assert reply.parts == tuple(part for message in reply.exchanged for part in message.parts)
    assert reply.usage.input_tokens == (len(hops) - 1 or None)
    assert len(reply.tool_calls) == len(hops) - 1
    assert all(part.text != "" or part.signature for part in reply.parts)
    signed = sum(isinstance(event, TextDelta) and bool(event.signature) for event in everything)
    assert sum(part.signature is not None for part in reply.parts) == signed
