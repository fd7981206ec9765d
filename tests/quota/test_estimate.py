"""The estimate of a request's tokens, and what answers teach it."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.quota import estimate as module
from gemini_magic.quota.estimate import Calibration, estimate
from gemini_magic.types import (
    Code,
    CodeOutput,
    File,
    Message,
    Part,
    Request,
    Tool,
    ToolCall,
    ToolResult,
)

SENTENCE = "The committee met on Tuesday to discuss the new proposal and its costs. "


def ask(*parts: Part | str, system: str | None = None, schema: str | None = None) -> Request:
    made = tuple(Part(text=part) if isinstance(part, str) else part for part in parts)
    return Request((Message("user", made),), system=system, schema=schema)


def media(data: bytes, mime_type: str) -> float:
    """The estimate of one part, without the message around it and the margin."""
    whole = estimate(ask(Part(data=data, mime_type=mime_type))) - module.PER_MESSAGE
    return whole / module.MARGIN


def near(tokens: int) -> object:
    """The estimate is rounded up, and a file's header counts as sound."""
    return pytest.approx(tokens, rel=0.01)


def slow(text: str) -> float:
    """The same count, one character at a time."""
    total = 0.0
    for char in text:
        code = ord(char)
        if "0" <= char <= "9":
            total += 1 / module.DIGIT
        elif (char.isascii() and char.isalpha()) or char == " " or 0xC0 <= code <= 0x27F:
            total += 1 / module.LATIN
        elif 0x3000 <= code <= 0xDFFF or code >= 0xF000:
            total += 1 / module.WIDE
        else:
            total += 1 / module.OTHER
    return total


@given(st.text(st.characters(codec=None), max_size=300))
def test_every_character_is_counted_once_by_its_kind(text: str) -> None:
    expected = math.ceil(slow(text) * module.MARGIN) + module.PER_MESSAGE
    assert abs(estimate(ask(text)) - expected) <= 1  # sums of fractions in another order


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        (SENTENCE * 100, 3.5, 5.0),  # English prose: 4 to 5 characters a token
        ("1234567890" * 100, 1.5, 1.8),
        ("今日は良い天気です" * 100, 1.2, 1.7),
        ("Съешь ещё этих мягких булок " * 100, 1.8, 2.5),
        ("Größe, Äpfel und façade naïve " * 100, 3.5, 5.0),
    ],
)
def test_characters_a_token(text: str, least: float, most: float) -> None:
    assert least <= len(text) / estimate(ask(text)) <= most


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_never_counts_less(one: str, other: str) -> None:
    assert estimate(ask(one)) <= estimate(ask(one + other))
    assert estimate(ask(one, other)) <= estimate(ask(one)) + estimate(ask(other))


def test_all_that_is_sent_counts() -> None:
    bare = estimate(ask(SENTENCE))
    assert estimate(ask(SENTENCE, system=SENTENCE)) > 1.8 * bare
    assert estimate(ask(SENTENCE, schema=SENTENCE)) > 1.5 * bare
    turns = Request((Message("user", (Part(text=SENTENCE),)), Message("model", (Part(text="a"),))))
    assert estimate(turns) > bare
    assert estimate(Request(())) == 1


def test_a_long_text_is_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (SENTENCE + "天気 42é ") * 50
    whole = estimate(ask(text))
    monkeypatch.setattr(module, "_PIECE", 7)
    assert abs(estimate(ask(text)) - whole) <= 1


def test_a_megabyte_takes_little_time() -> None:
    for text in (SENTENCE, "今日は良い天気です"):
        request = ask((text * 100_000)[:1_000_000])
        took = []
        for _ in range(5):
            begin = time.perf_counter()
            estimate(request)
            took.append(time.perf_counter() - begin)
        assert min(took) < 0.1


def test_media() -> None:
    assert media(b"\x89PNG" * 9999, "image/png") == near(module.PICTURE)
    wav = b"RIFF\0\0\0\0WAVEfmt " + bytes(12) + (32_000).to_bytes(4, "little") + bytes(320_000)
    assert media(wav, "audio/wav") == near(10 * module.SOUND)
    assert media(bytes(80_000), "audio/mpeg") == near(10 * module.SOUND)
    assert media(bytes(500_000), "audio/flac") == near(10 * module.SOUND)
    assert media(bytes(1_250_000), "video/mp4") == near(10 * module.FILM)
    assert media(b"1234567890" * 18, "text/csv; charset=utf-8") == near(100)
    silent = b"RIFF\0\0\0\0WAVEfmt " + bytes(100)  # a rate of 0 divides nothing
    assert media(silent, "audio/wav") < module.SOUND


def of(part: Part) -> float:
    """The estimate of one part, without the message around it and the margin."""
    return (estimate(ask(part)) - module.PER_MESSAGE) / module.MARGIN


@pytest.mark.parametrize(
    ("mime_type", "tokens"),
    [
        ("image/png", module.PICTURE),
        ("application/pdf", 192 * module.PAGE),
        ("audio/mpeg", 1_200 * module.SOUND),
        ("audio/wav", 100 * module.SOUND),
        ("audio/aiff", 100 * module.SOUND),
        ("audio/flac", 192 * module.SOUND),
        ("video/mp4", 76.8 * module.FILM),
        ("text/plain", 9_600_000 / module.LATIN),
    ],
)
def test_files_are_counted_by_their_size_and_not_read(mime_type: str, tokens: float) -> None:
    file = File("/there/is/no/such/file", 9_600_000, "0" * 64)
    assert of(Part(file=file, mime_type=mime_type)) == near(tokens)


def test_addresses_are_counted_by_their_type() -> None:
    assert of(Part(uri="https://youtu.be/x", mime_type="video/mp4")) == near(300 * module.FILM)
    assert of(Part(uri="gs://b/x.mp3", mime_type="audio/mpeg")) == near(300 * module.SOUND)
    assert of(Part(uri="gs://b/x.pdf", mime_type="application/pdf")) == near(10 * module.PAGE)
    assert of(Part(uri="gs://b/x.png", mime_type="image/png")) == near(module.PICTURE)


def test_what_was_said_between_functions_and_models_counts() -> None:
    words = SENTENCE * 50
    plain = of(Part(text=words))
    for part in (
        Part(call=ToolCall("f", words)),
        Part(result=ToolResult("f", words)),
        Part(code=Code(words)),
        Part(output=CodeOutput(words, failed=True)),
    ):
        assert of(part) == pytest.approx(plain, rel=0.02)
    tool = Tool("f", words, "{}")
    bare = Request((Message("user", (Part(text="x"),)),))
    with_tool = Request(bare.messages, tools=(tool,))
    assert estimate(with_tool) - estimate(bare) == pytest.approx(plain * module.MARGIN, rel=0.02)


def test_pages_of_a_pdf() -> None:
    plain = b"%PDF-1.4 /Type /Pages /Count 9 " + b"<< /Type /Page >> <</Type/Page/X 1>> " * 2
    assert media(plain, "application/pdf") == near(4 * module.PAGE)
    packed = b"%PDF-1.7 /Count 3 /Count 12 " + bytes(10)
    assert media(packed, "application/pdf") == near(12 * module.PAGE)
    assert media(b"%PDF-1.7" + bytes(120_000), "application/pdf") == near(3 * module.PAGE)


# --- calibration ---------------------------------------------------------------------------------

COUNTS = st.one_of(st.none(), st.integers(0, 10**7))
ANSWERS = st.lists(st.tuples(st.integers(1, 10**7), COUNTS, COUNTS), max_size=80)


def taught(answers: list[tuple[int, int | None, int | None]]) -> Calibration:
    learning = Calibration()
    for estimated, real, output in answers:
        learning = learning.learned(estimated, real, output)
    return learning


@given(ANSWERS)
def test_it_stays_within_bounds_and_survives_json(answers) -> None:  # type: ignore[no-untyped-def]
    learning = taught(answers)
    assert 0.25 <= learning.ratio <= 4.0
    outputs = [output for _, _, output in answers if output is not None]
    assert list(learning.outputs) == outputs[-50:]
    assert Calibration.from_json(json.loads(json.dumps(learning.to_json()))) == learning


@given(st.floats(0.3, 3.5), st.integers(100, 10**6))
def test_it_comes_near_the_truth(ratio: float, size: int) -> None:
    learning = taught([(size, max(1, round(size * ratio)), None)] * 3)
    assert learning.tokens(size) == pytest.approx(size * ratio, rel=0.02, abs=2)


def test_one_odd_answer_among_many_changes_little() -> None:
    learning = taught([(1000, 900, None)] * 20)
    assert 900 < learning.learned(1000, 4000, None).tokens(1000) < 1600


def test_what_says_too_little_teaches_nothing() -> None:
    assert Calibration().learned(5, 40, None) == Calibration()
    assert Calibration().learned(1000, None, None) == Calibration()
    assert Calibration().learned(1000, 0, None) == Calibration()


def test_p95() -> None:
    assert taught([(1, None, 100)] * 4).p95(8192) == 8192
    assert taught([(1, None, n) for n in range(1, 51)]).p95(8192) == 48
    assert taught([(1, None, n) for n in range(100)]).p95(0) == 97  # the last 50 are 50 to 99


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=50))
def test_p95_covers_95_of_100_answers(outputs: list[int]) -> None:
    bound = taught([(1, None, n) for n in outputs]).p95(0)
    assert sum(n <= bound for n in outputs) >= 0.95 * len(outputs) and bound in outputs


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"ratio": "x", "seen": 1, "outputs": []},
        {"ratio": float("nan"), "seen": 1, "outputs": []},
        {"ratio": 1.0, "seen": -1, "outputs": []},
        {"ratio": 1.0, "seen": 1, "outputs": [-5]},
        {"ratio": 1.0, "seen": 1, "outputs": None},
        {"ratio": 1.0, "seen": float("inf"), "outputs": []},
        [],
    ],
)
def test_what_is_no_calibration(data) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="no calibration"):
        Calibration.from_json(data)
