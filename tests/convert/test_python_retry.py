"""``--retry``: what passes is waited for, before the first word; nothing else is asked again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gemini_magic.convert.options import Options
from tests.convert.fixtures import PNG
from tests.convert.lab import GEMINI, GPT, ruff_complaints, run_script, script_of, setting
from tests.wire import Answer, Failure, Fault, Picture

RETRY = Options(retry=True)
_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"


def full(quota: str, delay: str = "0.1s", value: str | None = "5") -> Failure:
    """A 429 of Google's."""
    broken: dict[str, Any] = {"quotaId": quota, "quotaDimensions": {"model": GEMINI}}
    if value is not None:
        broken["quotaValue"] = value
    kind = "type.googleapis.com/google.rpc."
    details = [
        {"@type": f"{kind}QuotaFailure", "violations": [broken]},
        {"@type": f"{kind}RetryInfo", "retryDelay": delay},
    ]
    said = f"You exceeded your current quota.\n* limit: {value or 0}, model: {GEMINI}"
    error = {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED", "details": details}
    return Failure(429, {"error": error})


def limited(after: str, kind: str = "requests") -> Failure:
    """A 429 of OpenAI's."""
    error = {"message": "Rate limit reached", "type": kind, "param": None, "code": kind}
    return Failure(429, {"error": error}, {"retry-after": after})


BUSY = Failure(503, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})
BAD = Failure(400, {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})


@pytest.fixture
def run(google_server, openai_server, configure, monkeypatch, tmp_path: Path):  # type: ignore
    google, openai = google_server(), openai_server()
    configure(setting(google, openai, f"gem:{GEMINI}"))
    monkeypatch.setenv("GEM_KEY", google.key)
    monkeypatch.setenv("OAI_KEY", openai.key)

    def ask(wire: str, answers: Any, cell: str = "", options: Options = RETRY) -> Any:
        server = google if wire == "gem" else openai
        server.clear()
        server.set_script(answers)
        model = f"gem:{GEMINI}" if wire == "gem" else f"oai:{GPT}"
        made = script_of(cell or f"%%gemini -m {model}\nHello", options=options)
        assert not ruff_complaints(made.text)
        began = time.monotonic()
        done = run_script(made.text, tmp_path)
        return done, len(server.generate_calls), time.monotonic() - began, made.text

    return ask


@pytest.mark.parametrize(
    ("wire", "failure"), [("gem", full(_MINUTE)), ("oai", limited("0.1"))], ids=["gem", "oai"]
)
def test_a_full_minute_is_waited_for(run, wire: str, failure: Failure) -> None:
    done, asked, took, text = run(wire, [failure, Answer("There.")])
    assert (done.returncode, done.stdout, asked) == (0, "There.\n", 2), done.stderr
    assert took >= 1.1 and '#   "tenacity>=9",' in text


@pytest.mark.parametrize(
    ("wire", "failure"),
    [
        ("gem", full(_DAY)),
        ("gem", full(_MINUTE, value=None)),
        ("gem", full(_MINUTE, delay="3600s")),
        ("gem", BAD),
        ("oai", limited("0.1", "insufficient_quota")),
        ("oai", limited("4000")),
    ],
    ids=["a day", "a limit of 0", "an hour", "wrong", "no money", "an hour of OpenAI's"],
)
def test_what_does_not_pass_ends_at_once(run, wire: str, failure: Failure) -> None:
    done, asked, _, _ = run(wire, [failure, Answer("Never.")])
    assert done.returncode == 1 and asked == 1 and "Never." not in done.stdout


@pytest.mark.parametrize("wire", ["gem", "oai"])
def test_no_capacity_and_a_lost_connection_pass(run, wire: str) -> None:
    answers = [BUSY, Fault("drop_before_headers"), Answer("There.")]
    done, asked, _, _ = run(wire, answers)
    assert (done.returncode, done.stdout, asked) == (0, "There.\n", 3), done.stderr


@pytest.mark.parametrize("wire", ["gem", "oai"])
def test_nothing_is_asked_again_after_the_first_word(run, wire: str) -> None:
    broken = Fault("drop", after=1, answer=Answer(chunks=["One ", "two."]))
    done, asked, _, _ = run(wire, [broken, Answer("Never.")])
    assert done.returncode == 1 and asked == 1 and done.stdout.startswith("One")


def test_pictures_are_asked_for_again(run) -> None:
    cell = "%%gemini -m oai:gpt-image-2.5-flare -o art\nDraw"
    done, asked, _, text = run("oai", [limited("0.1"), Answer(items=[Picture(PNG)])], cell)
    assert (done.returncode, asked) == (0, 2), done.stderr
    assert "again(client.images.generate)" in text


def test_without_it_the_script_is_bare(run) -> None:
    done, asked, _, text = run("gem", [BUSY, Answer("Never.")], options=Options())
    assert done.returncode == 1 and asked == 1 and "tenacity" not in text
    assert "tenacity" not in script_of("x = 1", options=RETRY).text
