"""The values that cross from room to room."""

from __future__ import annotations

import json
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.types import (
    CUT,
    STOP,
    Message,
    Part,
    Reply,
    Request,
    Settings,
    Target,
    Usage,
    digest,
)


def ask(text: str = "hi", **more: object) -> Request:
    return Request((Message("user", (Part(text=text),)),), **more)  # type: ignore[arg-type]


def test_a_part_is_text_or_data() -> None:
    assert Part(text="x").to_json() == {"text": "x"}
    assert Part(text="").to_json() == {"text": ""}
    assert Part(data=b"\0\xff", mime_type="image/png").to_json() == {
        "data": "AP8=",
        "mime_type": "image/png",
    }
    for wrong in ({}, {"text": "x", "data": b"y", "mime_type": "z"}, {"data": b"y"}):
        with pytest.raises(ValueError, match="part"):
            Part(**wrong)  # type: ignore[arg-type]


def test_a_message_has_the_text_of_its_parts() -> None:
    parts = (Part(text="a"), Part(data=b"x", mime_type="image/png"), Part(text="b"))
    assert Message("user", parts).text == "ab"


def test_settings_say_what_is_given() -> None:
    assert Settings().to_json() == {} and Settings().given() == ()
    some = Settings(temperature=0, stop=("a",), seed=0)
    assert some.given() == ("temperature", "stop", "seed")
    assert json.loads(json.dumps(some.to_json())) == {"temperature": 0, "stop": ["a"], "seed": 0}


def test_a_request_as_json() -> None:
    assert ask().to_json() == {"messages": [{"role": "user", "parts": [{"text": "hi"}]}]}
    whole = ask(system="s", settings=Settings(seed=1), schema='{"b": 1, "a": 2}')
    assert list(whole.to_json()) == ["messages", "system", "settings", "schema"]
    assert list(whole.to_json()["schema"]) == ["b", "a"]
    assert (whole.prompt, Request(()).prompt) == ("hi", "")


def test_the_digest_tells_requests_apart() -> None:
    different = [
        ask(),
        ask("ho"),
        ask(system=""),
        ask(settings=Settings(temperature=0)),
        ask(settings=Settings(temperature=0.5)),
        ask(schema="{}"),
        ask(schema='{"a": 1, "b": 2}'),
        ask(schema='{"b": 2, "a": 1}'),
        Request((Message("model", (Part(text="hi"),)),)),
        Request((Message("user", (Part(text="h"), Part(text="i"))),)),
        Request((Message("user", (Part(data=b"hi", mime_type="text/plain"),)),)),
    ]
    assert len({request.digest for request in different}) == len(different)
    assert ask().digest == ask().digest
    one, other = (ask(settings=Settings(temperature=t, top_p=t)) for t in (1, 1.0))
    assert one == other and one.to_json() == other.to_json()
    assert digest(json.dumps(one.to_json())) == digest(json.dumps(other.to_json()))
    assert ask(schema='{"a":1}').digest == ask(schema='{ "a" : 1 }').digest


@given(st.text(st.characters(codec=None)))
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest(text)) == len(ask(text).digest) == 64


def test_values_are_frozen_and_can_be_keys_and_pickled() -> None:
    request = ask(settings=Settings(stop=("a",)))
    for value in (request, Target("a", "b"), Usage(1, 2), Reply("x", request=request)):
        assert pickle.loads(pickle.dumps(value)) == value
        assert hash(value) == hash(pickle.loads(pickle.dumps(value)))
        with pytest.raises(AttributeError):  # which a dataclass's own error is too
            setattr(value, next(iter(value.__match_args__)), None)


def test_a_target_is_whom_it_asks() -> None:
    assert str(Target("studio", "m")) == "studio:m"
    assert Target("a", "b", ("rpd",)) == Target("a", "b")
    assert Target("a", "b") != Target("a", "c")


def test_a_reply() -> None:
    reply = Reply('{"a": [1]}', finish_reason=STOP, request=ask("secret"))
    assert str(reply) == reply.text
    assert reply.json == {"a": [1]}
    assert reply.complete and not reply.replace(finish_reason=CUT).complete
    assert "secret" not in repr(reply)
    with pytest.raises(json.JSONDecodeError):
        _ = Reply("no").json


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a `b` c", "a `b` c"),
        ("Sure:\n```python\nx = 1\ny = 2\n```\nDone.", "x = 1\ny = 2"),
        ("```\nx\n```", "x"),
        ("```\n```", ""),
        ("```py\nx\n\n```", "x\n"),
        ("```py\nx\n", "x\n"),
        ("```py\n", ""),
        ("~~~\n```\nx\n```\n~~~", "```\nx\n```"),
        ("````md\n```\nx\n```\n````", "```\nx\n```"),
        ("```a\n1\n```\n```b\n2\n```", "1"),
        ('```py title="x"\ny\n```', "y"),
        ("```py\nx\n```  ", "x"),
        ("```py\nx = '```'\n```", "x = '```'"),
        ("```py\r\nx\r\ny\r\n```\r\nz", "x\r\ny"),
        ("1. Do:\n   ```py\n   if x:\n       y\n\n   z\n   ```\n", "if x:\n    y\n\nz"),
        ("```inline``` x", "```inline``` x"),
    ],
)
def test_the_code_of_a_reply_is_its_first_block(text: str, code: str) -> None:
    assert Reply(text).code == code


@pytest.mark.parametrize("unit", ["```\n", "```", "\n", "~~~ x\n", " ", "   ```\n\n", "`"])
def test_the_code_of_a_long_reply_is_found_in_a_moment(unit: str) -> None:
    began = time.process_time()
    assert isinstance(Reply(unit * (60_000 // len(unit))).code, str)
    assert time.process_time() - began < 2
