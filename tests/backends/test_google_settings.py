"""Every run setting on Gemini's wire, and what is said of those that it cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.backends.google_settings import asked
from gemini_magic.errors import UsageError, WireError
from gemini_magic.events import Notice, PartDone
from gemini_magic.option_table import OPTIONS
from gemini_magic.types import Message, Part, Request, Settings, Tool, ToolCall, ToolResult
from tests.backends.google_lab import FLASH, IMAGE, NEW, SPEECH, ask, only, request, sent
from tests.wire import Answer, Picture

PRO, NEW_PRO, LATEST = "gemini-2.5-pro", "gemini-3.1-pro-preview", "gemini-flash-latest"


def config_of(server: Any, settings: Settings, model: str = FLASH) -> tuple[Any, list[str]]:
    """The generation_config that a server was sent, and the notices."""
    events = ask(server, request("x", settings=settings), model)
    return sent(server).get("generation_config") or {}, [one.text for one in only(Notice, events)]


def test_the_settings_that_every_model_knows(google_server) -> None:
    settings = Settings(
        temperature=0.5, top_p=0.9, top_k=7, max_output_tokens=100, stop=("END", "STOP"), seed=3,
        presence_penalty=0.25, frequency_penalty=-0.5, media_resolution="low",
    )  # fmt: skip
    config, notices = config_of(google_server(Answer("fine")), settings)
    assert config == {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "max_output_tokens": 100,
        "stop_sequences": ["END", "STOP"],
        "seed": 3,
        "presence_penalty": 0.25,
        "frequency_penalty": -0.5,
        "media_resolution": "MEDIA_RESOLUTION_LOW",
    }
    assert notices == []


def test_nothing_is_said_of_what_was_not_set(google_server) -> None:
    server = google_server(Answer("fine"))
    assert config_of(server, Settings()) == ({}, [])
    assert set(sent(server)) <= {"contents", "generation_config"}


@pytest.mark.parametrize(
    ("word", "threshold"),
    [
        ("off", "OFF"),
        ("none", "BLOCK_NONE"),
        ("few", "BLOCK_ONLY_HIGH"),
        ("some", "BLOCK_MEDIUM_AND_ABOVE"),
        ("most", "BLOCK_LOW_AND_ABOVE"),
    ],
)
def test_safety_is_the_slider_of_ai_studio(google_server, word: str, threshold: str) -> None:
    server = google_server(Answer("fine"))
    config_of(server, Settings(safety=word))
    harms = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
    assert sent(server)["safety_settings"] == [
        {"category": f"HARM_CATEGORY_{harm}", "threshold": threshold} for harm in harms
    ]


@pytest.mark.parametrize(
    ("model", "thinking", "expected", "told"),
    [
        (FLASH, "off", {"thinking_budget": 0, "include_thoughts": False}, False),
        (FLASH, "low", {"thinking_budget": 1024, "include_thoughts": True}, False),
        (FLASH, 0, {"thinking_budget": 0, "include_thoughts": False}, False),
        (FLASH, 500, {"thinking_budget": 500, "include_thoughts": True}, False),
        (PRO, "off", {"thinking_budget": 128, "include_thoughts": False}, True),
        (PRO, "high", {"thinking_budget": 24576, "include_thoughts": True}, False),
        (NEW, "off", {"thinking_level": "MINIMAL", "include_thoughts": False}, True),
        (NEW, "medium", {"thinking_level": "MEDIUM", "include_thoughts": True}, False),
        (NEW, 500, {"thinking_budget": 500, "include_thoughts": True}, False),
        (NEW_PRO, "off", {"thinking_level": "LOW", "include_thoughts": False}, True),
        (LATEST, "high", {"thinking_level": "HIGH", "include_thoughts": True}, False),
    ],
)  # fmt: skip
def test_thinking(google_server, model: str, thinking: Any, expected: Any, told: bool) -> None:
    config, notices = config_of(google_server(Answer("fine")), Settings(thinking=thinking), model)
    assert config["thinking_config"] == expected
    assert bool(notices) == told


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": "2k"}, {"image_size": "2K"}),
        ({"aspect": "16:9"}, {"aspect_ratio": "16:9"}),
        ({"size": "4K", "aspect": "9:16"}, {"image_size": "4K", "aspect_ratio": "9:16"}),
        ({"size": "512", "count": 1}, {"image_size": "512"}),
    ],
)
def test_pictures(google_server, settings: Any, expected: Any) -> None:
    server = google_server(Answer("fine"))
    config, notices = config_of(server, Settings(**settings), IMAGE)
    assert (config["image_config"], notices) == (expected, [])
    assert config["response_modalities"] == ["TEXT", "IMAGE"]


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ("1920x1080", None, {"image_size": "1K", "aspect_ratio": "16:9"}),
        ("4096 x 4096", None, {"image_size": "4K", "aspect_ratio": "1:1"}),
        ("1080×1920", None, {"image_size": "1K", "aspect_ratio": "9:16"}),
        ("512X512", "4:3", {"image_size": "1K", "aspect_ratio": "4:3"}),
    ],
)
def test_a_size_that_gemini_has_not_is_told(google_server, size, aspect, expected) -> None:
    server = google_server(Answer("fine"))
    config, [notice] = config_of(server, Settings(size=size, aspect=aspect), IMAGE)
    assert config.get("image_config") == expected
    assert size in notice


@pytest.mark.parametrize(
    ("settings", "words", "step"),
    [
        ({"size": "huge"}, "--size huge", "Sizes: 512, 1K, 2K, 4K"),
        ({"size": "3K", "aspect": "1:1"}, "--size 3K", "Sizes: "),
        ({"aspect": "17:3"}, "--aspect 17:3", "Ratios: 1:1, "),
    ],
)
def test_a_size_or_shape_that_is_none_is_refused(
    google_server, settings: dict[str, Any], words: str, step: str
) -> None:
    server = google_server()
    with pytest.raises(UsageError, match="nothing was sent") as caught:
        config_of(server, Settings(**settings), IMAGE)
    assert words in caught.value.what and step in caught.value.next_step
    assert server.requests == []
    config_of(server, Settings(**settings))  # which makes no pictures, and says so


@given(st.integers(0, 99_999), st.integers(0, 99_999))
def test_every_size_in_pixels_finds_one_of_geminis(width: int, height: int) -> None:
    made = asked(request("x", settings=Settings(size=f"{width}x{height}")), IMAGE)
    assert made.config.image_config is not None
    assert made.config.image_config.image_size in ("1K", "2K", "4K")
    wide, _, high = (made.config.image_config.aspect_ratio or "").partition(":")
    assert int(wide) > 0 < int(high) and len(made.notices) == 1


def test_what_pictures_of_gemini_cannot_be_is_told(google_server) -> None:
    server = google_server(Answer("fine"))
    config, notices = config_of(server, Settings(quality="high", count=3), IMAGE)
    assert "image_config" not in config and "candidate_count" not in config
    assert len(notices) == 2 and "--quality" in notices[0] and "--count 3" in notices[1]


def test_a_model_without_pictures_and_sound_is_not_asked_for_them(google_server) -> None:
    server = google_server(Answer("fine"))
    settings = Settings(size="2K", aspect="1:1", quality="low", count=2, voice="Kore")
    config, notices = config_of(server, settings)
    assert config == {}
    assert len(notices) == 2 and "--size, --aspect, --quality, --count" in notices[0]


def test_speech(google_server) -> None:
    server = google_server(Answer(items=[Picture(b"\0\0", "audio/L16;rate=24000")]))
    events = ask(server, request("say", settings=Settings(voice="Kore")), SPEECH)
    config = sent(server)["generation_config"]
    assert config["response_modalities"] == ["AUDIO"]
    voice = config["speech_config"]["voice_config"]
    assert voice == {"prebuilt_voice_config": {"voice_name": "Kore"}}
    assert only(PartDone, events)[0].part.mime_type == "audio/wav"
    with pytest.raises(WireError) as caught:
        ask(server, request("say", settings=Settings(voice="Nobody")), SPEECH)
    assert caught.value.status == 400


def test_the_users_modalities_win(google_server) -> None:
    server = google_server(Answer("fine"))
    config, _ = config_of(server, Settings(modalities=("image",)), IMAGE)
    assert config["response_modalities"] == ["IMAGE"]
    with pytest.raises(WireError) as caught:
        ask(server, request("x", settings=Settings(modalities=("image",))))
    assert caught.value.status == 400


def test_a_schema_keeps_its_order(google_server) -> None:
    server = google_server(Answer("{}"))
    schema = '{"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "null"}}}'
    ask(server, request("x", schema=schema))
    config = sent(server)["generation_config"]
    assert config["response_mime_type"] == "application/json"
    assert json.dumps(config["response_json_schema"]) == schema


def test_a_notice_is_said_with_the_first_hop_only(google_server) -> None:
    server = google_server(Answer("fine"))
    tool = Tool("f", "", '{"type": "object"}')
    messages = (
        Message("user", (Part(text="x"),)),
        Message("model", (Part(call=ToolCall("f", "{}")),)),
        Message("user", (Part(result=ToolResult("f", "1")),)),
    )
    settings = Settings(voice="Kore")
    first = ask(server, Request(messages[:1], settings=settings, tools=(tool,)), NEW)
    later = ask(server, Request(messages, settings=settings, tools=(tool,)), NEW)
    assert (len(only(Notice, first)), len(only(Notice, later))) == (1, 0)


def test_every_setting_of_the_table_is_sent_or_told() -> None:
    """No option for this wire is silently dropped, on any kind of model."""
    values: dict[str, Any] = {
        "stop": ("x",), "thinking": "low", "safety": "few", "media_resolution": "high",
        "modalities": ("text",), "size": "2K", "aspect": "1:1", "quality": "low", "count": 2,
        "voice": "Kore",
    }  # fmt: skip
    names = [option.key for option in OPTIONS if option.setting and "google" in option.kinds]
    assert len(names) > 12
    for model in (FLASH, NEW, IMAGE, SPEECH):
        bare = asked(request("x"), model).config.model_dump(exclude_none=True)
        for name in names:
            made = asked(request("x", settings=Settings(**{name: values.get(name, 1)})), model)
            changed = made.config.model_dump(exclude_none=True) != bare
            assert changed or made.notices, (model, name)
