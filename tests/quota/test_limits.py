"""The table of limits: what counts of it, and that its rows say where they are from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import catalog
from gemini_magic.quota import limits
from gemini_magic.quota.windows import WINDOWS

MODELS = (*limits.names(), "gemini-3.1-pro-preview", "gemma-4-31b-it", "gemini-embedding-001", "x")


def sizes(model: str, tier: str = "free") -> dict[str, int]:
    found = {window: limits.seed(model, tier, window) for window in WINDOWS}
    return {window: seed.size for window, seed in found.items() if seed is not None}


@pytest.mark.parametrize(
    ("model", "tier", "expected"),
    [
        ("gemini-3.8-flash", "free", {"rpm": 5, "tpm": 250_000, "rpd": 20}),
        ("gemini-2.5-flash", "free", {"rpm": 5, "tpm": 250_000, "rpd": 20}),
        ("gemini-3.5-flash-lite", "free", {"rpm": 15, "tpm": 250_000, "rpd": 500}),
        ("gemini-2.5-flash-lite", "free", {"rpm": 10, "tpm": 250_000, "rpd": 20}),
        ("gemma-4-31b-it", "free", {"rpm": 30, "tpm": 16_000, "rpd": 14_400}),
        ("gemini-embedding-001", "free", {"rpm": 100, "rpd": 1000}),
        ("gemini-3.1-pro-preview", "free", {"rpm": 0, "rpd": 0}),
        ("gemini-2.5-pro", "free", {"rpm": 0, "rpd": 0}),
        ("gemini-pro-latest", "free", {"rpm": 0, "rpd": 0}),
        ("gemini-2.5-pro", "tier1", {"rpm": 150}),
        ("gemini-2.5-pro", "tier2", {"rpm": 500}),
        ("gemini-2.5-pro", "tier3", {"rpm": 1000}),
        ("gemini-2.5-flash", "tier1", {"rpm": 1000}),
        ("gemini-2.5-flash", "tier3", {"rpm": 4000}),
        ("gemini-4-argon", "free", {}),
        ("gemini-2.5-flash", "tier9", {}),
        ("gpt-4o", "", {}),
    ],
)
def test_what_counts_now(model: str, tier: str, expected: dict[str, int]) -> None:
    assert sizes(model, tier) == expected


def test_a_seed_says_where_it_is_from_and_refuses_nothing() -> None:
    seed = limits.seed("models/gemini-3.8-flash", "", "rpd")
    assert seed is not None
    assert (seed.window, seed.size, seed.provenance, seed.firm) == ("rpd", 20, "seed", False)
    assert seed.as_of == datetime(2026, 10, 1, tzinfo=UTC).timestamp()
    assert "aistudio.google.com" in seed.source and seed.confidence in limits.CONFIDENCE


def test_no_two_rows_of_one_day_contradict_each_other() -> None:
    seen = set()
    for row in limits.rows():
        for window, size in row.limits:
            key = (row.model, row.tier, row.as_of, row.confidence, window)
            assert key not in seen, (key, size)
            seen.add(key)


def test_every_row_is_sound() -> None:
    for row in limits.rows():
        assert row.tier in limits.TIERS and row.confidence in limits.CONFIDENCE
        assert row.limits and all(size >= 0 for _, size in row.limits)
        assert date(2025, 12, 1) <= row.as_of <= date(2026, 11, 30)
        assert row.source.strip() and not row.source.startswith("/")


def test_every_free_text_model_of_the_catalogue_has_a_daily_limit() -> None:
    aside = ("picture", "speech", "video", "music", "shut down", "text")
    named = [m.name for m in catalog.google_models() if not any(w in m.notes for w in aside)]
    unknown = {name for name in named if limits.seed(name, "free", "rpd") is None}
    assert unknown == {"gemini-4-argon", "gemini-4-carbon", "gemini-4-hydrogen"}


def test_history_shows_what_was_known_on_a_day() -> None:
    before = limits.rows("gemini-2.5-flash", date(2025, 12, 5))
    free = {row.size("rpd") for row in before if row.tier == "free"}
    assert free == {500}
    after = limits.rows("gemini-2.5-flash", date(2025, 12, 7))
    counting = [r for r in after if r.tier == "free" and "rpd" in r.counts]
    assert [row.size("rpd") for row in counting] == [20]
    of_minute = [r for r in after if r.tier == "free" and "rpm" in r.counts]
    assert [row.size("rpm") for row in of_minute] == [15]  # nothing newer said otherwise then
    assert limits.rows("gemini-2.5-flash", date(2025, 11, 1)) == ()


def test_a_pattern_counts_where_it_beats_a_name() -> None:
    free = [row for row in limits.rows("gemini-2.5-pro") if row.tier == "free"]
    assert [(row.is_pattern, row.counts) for row in free] == [(True, ("rpm", "rpd")), (False, ())]
    everything = [r for r in limits.rows() if (r.model, r.tier) == ("gemini-2.5-pro", "free")]
    assert [row.counts for row in everything] == [()]


@given(
    st.sampled_from(MODELS),
    st.dates(date(2025, 11, 1), date(2027, 1, 1)),
    st.sampled_from(limits.TIERS),
    st.sampled_from(tuple(WINDOWS)),
)
def test_one_row_counts_and_none_better_or_newer(
    model: str, day: date, tier: str, window: str
) -> None:
    rows = [
        row for row in limits.rows(model, day) if row.tier == tier and row.size(window) is not None
    ]
    counting = [row for row in rows if window in row.counts]
    assert len(counting) == (1 if rows else 0)
    for one in counting:
        rank = limits.CONFIDENCE.index(one.confidence)
        for row in rows:
            other = limits.CONFIDENCE.index(row.confidence)
            assert (rank, -one.as_of.toordinal()) <= (other, -row.as_of.toordinal())
    if day >= date(2026, 12, 1):
        seed = limits.seed(model, tier, window)
        assert (seed.size if seed else None) == (counting[0].size(window) if counting else None)


@given(st.sampled_from(MODELS), st.dates(date(2025, 11, 1), date(2027, 1, 1)))
def test_rows_are_about_the_model_and_known_by_then(model: str, day: date) -> None:
    for row in limits.rows(model, day):
        assert row.as_of <= day and fnmatchcase(model, row.model)
    assert len(limits.rows(model, day)) <= len(limits.rows(model, day + timedelta(days=30)))
