"""What meters say and show, from states of a ledger made by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from gemini_magic.config import Backend
from gemini_magic.keys import Secret
from gemini_magic.notebook.meters import EMPTY, blocks, meters_html, meters_text
from gemini_magic.quota import accounts
from gemini_magic.quota.money import dollars
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.usage import BucketUse, Snapshot, WindowUse
from tests.notebook.quota_values import (
    MIDNIGHT,
    NOW,
    hostile,
    learned,
    many,
    ordinary,
    seed,
    yours,
)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Page(HTMLParser):
    """What a browser would see: the elements, their attributes and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.lines: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "tags are not balanced"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.lines.append(data)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def meters(self) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attributes.get("role") == "meter"]


def one(*windows: WindowUse, project: str = "p", guessed: bool = False) -> Snapshot:
    use = BucketUse(Bucket(project, "m", "free"), ("studio",), ("m",), guessed, windows)
    return Snapshot(NOW, (use,))


def both(snapshot: Snapshot) -> tuple[str, str]:
    return Page(meters_html(snapshot, NOW)).text, meters_text(snapshot, NOW)


@pytest.mark.parametrize(
    ("window", "page", "terminal"),
    [
        (WindowUse("rpm", 3, seed("rpm", 15), NOW + 12),
         ["≥ 3 / 15", "12 left · frees in 12 s", "seed, Oct 2026, medium", "never refuses"],
         ["≥ 3 / 15  in 12 s  seed, Oct 2026, medium", "never refuses"]),
        (WindowUse("rpd", 17, learned("rpd", 20), MIDNIGHT),
         ["3 left · resets 09:00 (00:00 PST), in 18 h", "learned 15:02"],
         ["≥ 17 / 20  09:00  learned 15:02", "The day ends at 09:00 (00:00 PST)"]),
        (WindowUse("rpd", 20, learned("rpd", 20), MIDNIGHT, MIDNIGHT),
         ["closed until 09:00 (00:00 PST)"], ["closed to 09:00"]),
        (WindowUse("rpm", 0, None, None, NOW + 43), ["closed until 15:05"], ["closed to 15:05"]),
        (WindowUse("rpm", 5, yours("rpm", 5), NOW + 41), ["full · frees in 41 s", "yours"],
         ["██████████ ≥ 5 / 5  in 41 s  yours"]),
        (WindowUse("tpm", 300_000, learned("tpm", 250_000, firm=False)),
         ["over by 50,000", "learned 18 Nov, old", "a day before"], ["≥ 300,000 / 250,000"]),
        (WindowUse("rpd", 4_200, None), ["≥ 4,200", "no limit known"], ["no limit known"]),
        (WindowUse("rpd", 0, yours("rpd", 0)), ["≥ 0 / 0", "nothing is allowed"], ["≥ 0 / 0"]),
        (WindowUse("tpm", 2**62, yours("tpm", 2**63 - 1)), ["4.6e+06T / 9.2e+06T"], ["9.2e+06T"]),
        (WindowUse("tpm", 12_345_678, yours("tpm", 40_000_000)), ["12.35M / 40M"], ["/ 40M"]),
        (WindowUse("novel", 1, yours("novel", 2)), ["novel", "1 left"], ["novel"]),
    ],
)  # fmt: skip
def test_a_window_in_words(window: WindowUse, page: list[str], terminal: list[str]) -> None:
    html, text = both(one(window))
    assert all(words in html for words in page), html
    assert all(words in text for words in terminal), text
    assert "at least" in html and "at least" in text


def test_pacific_time_is_said_once_where_it_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    html, text = both(one(WindowUse("rpd", 1, yours("rpd", 9), MIDNIGHT)))
    assert "resets 00:00 PST, in" in html and "The day ends at 00:00 PST, in" in text


def test_a_meter_speaks_and_shows_the_same() -> None:
    page = Page(meters_html(one(WindowUse("rpm", 3, yours("rpm", 15), NOW + 12)), NOW))
    (meter,) = page.meters
    assert meter["aria-label"] == "m, requests/min"
    assert (meter["aria-valuemin"], meter["aria-valuenow"], meter["aria-valuemax"]) == (
        "0", "20.0", "100",
    )  # fmt: skip
    assert meter["aria-valuetext"] == "at least 3 of 15 requests a minute, 12 left · frees in 12 s"


def test_seeds_look_different_from_firm_limits() -> None:
    edges = [
        "dashed"
        in (Page(meters_html(one(WindowUse("rpm", 3, limit)), NOW)).meters[0]["style"] or "")
        for limit in (seed("rpm", 9), yours("rpm", 9), learned("rpm", 9, firm=False))
    ]
    assert edges == [True, False, True]


def test_a_key_whose_project_is_guessed_says_how_to_name_it() -> None:
    service = Backend("paid", "google", base_url=f"https://{accounts.GOOGLE_HOST}")
    account = accounts.stream(service, Secret("k" * 30), "m", b"salt").account
    window = WindowUse("rpm", 1)
    use = BucketUse(Bucket(account, "m"), ("paid",), ("m",), True, (window,))
    for text in both(Snapshot(NOW, (use,))):
        assert 'project = "..." in [backends.paid]' in text and "project unknown" in text
        assert account not in text
    for text in both(one(window)):
        assert "project = " not in text
    for text in both(one(window, project="local", guessed=True)):  # has no key at all
        assert "project = " not in text


def test_budgets_are_in_dollars() -> None:
    for text in both(ordinary()._replace(buckets=())):
        assert "$0.42 / $1.00" in text and "$19.40 / $20.00" in text and "≥" not in text
    assert "$0.58 left" in both(ordinary())[0]
    amounts = (0, 1, 420, 4_200, 42_000, -2_000_000, 1_234_567_890)
    assert [*map(dollars, amounts)] == [
        "$0.00", "<$0.0001", "$0.0004", "$0.0042", "$0.04", "-$2.00", "$1,234.57",
    ]  # fmt: skip


def test_nothing_used_says_what_to_do_and_a_problem_is_said() -> None:
    assert both(Snapshot(NOW)) == (EMPTY, EMPTY)
    for text in both(Snapshot(NOW, problem="the disk\nis full")):
        assert "The ledger cannot be read: the disk is full" in text and EMPTY not in text
    for text in both(ordinary()._replace(problem="gone")):
        assert "gone" in text and "gemini-2.5-pro" in text


def test_hostile_names_stay_text() -> None:
    shown = meters_html(hostile(), NOW)
    page = Page(shown)
    assert {tag for tag, _ in page.tags} <= {
        "div", "table", "tbody", "tr", "td", "th", "span", "br",
    }  # fmt: skip
    names = {name for _, attributes in page.tags for name in attributes}
    assert not any(name.startswith("on") or name == "src" for name in names), names
    for text in (shown, meters_text(hostile(), NOW)):
        assert "\x1b" not in text and "\u202e" not in text
    # Lab sets formulas between dollar signs and after backslashes that share a text.
    for run in re.split(r"<[^>]*>", re.sub(r'"[^"]*"', "", shown)):
        assert run in ("$", "\\") or not set(run) & set("$\\"), run


def test_fifty_buckets_are_fifty_times_as_much() -> None:
    page = Page(meters_html(many(), NOW))
    assert len(page.meters) == 50
    for text in both(many()):
        assert all(re.search(rf"model-{n}(?!\d)", text) for n in range(50))
        assert text.count("project-3") == 1


def test_the_text_fits_a_terminal_and_is_aligned() -> None:
    text = meters_text(ordinary(), NOW)
    assert max(map(len, text.splitlines())) <= 80, text
    amounts = [line for line in text.splitlines() if line.startswith("  ") and "≥" in line]
    ends = {line.index("≥") + len(line.partition("≥")[2].partition("  ")[0]) for line in amounts}
    assert len(ends) == 1, text
    assert max(map(len, meters_text(hostile(), NOW).splitlines())) <= 80


def test_every_variable_has_a_plain_value_before_it() -> None:
    """Lab drops var() from the styles of a notebook that is not trusted."""
    for _, attributes in Page(meters_html(ordinary(), NOW)).tags:
        rules = [rule.strip() for rule in (attributes.get("style") or "").split(";")]
        for before, rule in zip(["", *rules], rules, strict=False):
            name, _, value = rule.partition(":")
            if "var(" in value:
                assert before.startswith(f"{name}: #"), rules


@pytest.mark.parametrize(
    ("share", "bar"),
    [(0, "····"), (1e-9, "▏···"), (0.5, "██··"), (0.53, "██▏·"), (1 - 1e-9, "███▉"), (1, "████")],
)
def test_blocks(share: float, bar: str) -> None:
    assert blocks(share, 4) == bar
