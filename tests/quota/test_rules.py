"""What is known of limits and projects: who wins, what expires, what merges, what is written."""

from __future__ import annotations

import contextlib
import json
from dataclasses import astuple
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic.quota import rules as r
from gemini_magic.quota.rules import (
    LAG_PAUSE,
    LEARNED,
    SEED,
    USER,
    Bucket,
    Closure,
    Known,
    Limit,
    Rules,
    Stream,
    from_json,
    to_json,
)
from gemini_magic.quota.windows import LAG, LATE, PACIFIC, dawn, midnight
from tests.quota.stores import NOON, Place, in_processes

FLASH = Bucket("p", "flash", "free")
PRO = Bucket("p", "pro", "free")


def seed(size: int, as_of: float) -> Limit:
    return Limit("rpd", size, SEED, False, as_of, "high", "a page")


def pacific(*wall: int) -> float:
    return datetime(*wall, tzinfo=ZoneInfo(PACIFIC)).timestamp()  # type: ignore[misc,arg-type]


def in_force(rules: Rules, now: float, given: Limit | None = None, bucket: Bucket = FLASH) -> Any:
    limit = rules.limit(bucket, "rpd", given, now)
    return limit and (limit.size, limit.provenance, limit.firm)


# --- which limit is in force ---------------------------------------------------------------------


def test_without_anything_known_the_seed_paces() -> None:
    assert in_force(Rules(), NOON) is None
    assert in_force(Rules(), NOON, seed(20, NOON)) == (20, SEED, False)


def test_the_newest_of_user_and_learned_wins() -> None:
    user = r.with_user_limit(Rules(), FLASH, "rpd", 50, NOON)
    assert in_force(user, NOON, seed(20, NOON + 9)) == (50, USER, True)
    later = r.with_learned(user, FLASH, "rpd", 20, NOON + 1, "free")
    assert in_force(later, NOON + 2) == (20, LEARNED, True)
    again = r.with_user_limit(later, FLASH, "rpd", 70, NOON + 3)
    assert in_force(again, NOON + 4) == (70, USER, True)
    assert in_force(r.with_user_limit(again, FLASH, "rpd", None, NOON + 5), NOON + 6) == (
        20, LEARNED, True,
    )  # fmt: skip
    assert in_force(again, NOON + 4, bucket=PRO) is None


def test_a_learned_limit_refuses_to_the_next_pacific_midnight_and_paces_then() -> None:
    rules = r.with_learned(Rules(), FLASH, "rpd", 20, NOON, "free")
    end = midnight(NOON) + LATE
    assert in_force(rules, end - 0.5) == (20, LEARNED, True)
    assert in_force(rules, end) == (20, LEARNED, False)
    assert in_force(rules, end, seed(50, NOON + 1)) == (50, SEED, False)  # published since
    assert in_force(rules, end, seed(50, NOON - 1)) == (20, LEARNED, False)
    older = r.with_user_limit(rules, FLASH, "rpd", 70, NOON - 1)
    assert in_force(older, end - 0.5) == (20, LEARNED, True)
    assert in_force(older, end) == (70, USER, True)


@pytest.mark.parametrize("now", [pacific(2026, 3, 7, 23), pacific(2026, 10, 31, 23, 59, 59)])
def test_learned_on_the_eve_of_a_long_or_short_day(now: float) -> None:
    rules = r.with_learned(Rules(), FLASH, "rpd", 20, now, "free")
    limit = rules.limit(FLASH, "rpd", None, midnight(now) + LATE)
    assert limit and not limit.firm
    eve = r.with_learned(Rules(), FLASH, "rpd", 20, midnight(now), "free")
    (known,) = eve.limits.values()
    assert known.firm_until == midnight(midnight(now)) + LATE


def test_a_learned_limit_holds_in_its_tier_only() -> None:
    rules = r.with_learned(Rules(), FLASH, "rpd", 20, NOON, "free")
    assert rules.bucket("p", "flash").tier == "free"  # the refusal says what the tier is
    assert rules.bucket("p", "flash", "tier1").tier == "tier1"
    assert in_force(rules, NOON, bucket=rules.bucket("p", "flash", "tier1")) is None
    user = r.with_user_limit(rules, FLASH, "rpd", 9, NOON)
    assert in_force(user, NOON + 1, bucket=Bucket("p", "flash", "tier1")) == (9, USER, True)


def test_a_limit_that_was_passed_rises_and_refuses_no_more() -> None:
    rules = r.with_learned(Rules(), FLASH, "rpd", 20, NOON, "free")
    assert r.risen(rules, FLASH, "rpd", 20) is rules
    assert r.risen(rules, PRO, "rpd", 99) is rules
    assert r.risen(rules, FLASH, "rpm", 99) is rules
    assert r.risen(rules, Bucket("p", "flash", "tier1"), "rpd", 99) is rules
    above = r.risen(rules, FLASH, "rpd", 21)
    assert in_force(above, NOON) == (21, LEARNED, False)
    user = r.with_user_limit(Rules(), FLASH, "rpd", 20, NOON)
    assert r.risen(user, FLASH, "rpd", 99) is user  # the user's word stays


def test_forgotten_limits_leave_who_is_who() -> None:
    rules = r.with_label(r.with_stream(Rules(), Stream("k", "flash")), "k", "p")
    full = r.with_user_limit(rules, FLASH, "rpd", 3, NOON)
    full = r.with_learned(full, FLASH, "rpm", 3, NOON)
    full = r.with_learned(full, PRO, "rpm", 3, NOON)
    full = r.closed(full, FLASH, "rpd", NOON, "", None)
    left = r.forgotten(full, FLASH)
    assert [key[1] for key in left.limits] == ["pro"]
    assert not left.closures
    assert (left.streams, left.labels) == (full.streams, full.labels)


# --- closed buckets ------------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["rpd", "tpd", "limit0"])
def test_a_refusal_for_the_day_closes_to_midnight_and_half_a_minute(window: str) -> None:
    closure = r.closed(Rules(), FLASH, window, NOON, "free", None).closure(FLASH)
    assert closure == Closure(window, midnight(NOON) + LATE, NOON, "free")


def test_a_service_that_tells_when_its_day_opens_is_believed_but_not_about_a_limit_of_0() -> None:
    told = r.closed(Rules(), FLASH, "rpd", NOON, "", 7200.0).closure(FLASH)
    assert told and told.until == NOON + 7200.0 and not told.lag
    none = r.closed(Rules(), FLASH, "limit0", NOON, "", 17.0).closure(FLASH)
    assert none and none.until == midnight(NOON) + LATE


@pytest.mark.parametrize("wait", [0.0, 21.0, None])
def test_a_refusal_for_the_minute_closes_as_long_as_it_says(wait: float | None) -> None:
    closure = r.closed(Rules(), FLASH, "rpm", NOON, "free", wait).closure(FLASH)
    assert closure and closure.until == NOON + (60.0 if wait is None else wait)


@pytest.mark.parametrize(
    ("window", "longest"),
    [("rpm", 3_600.0), ("tpm", 3_600.0), ("ipm", 3_600.0), ("rpd", 31 * 86_400.0),
     ("tpd", 31 * 86_400.0)],
)  # fmt: skip
@pytest.mark.parametrize("wait", [1e12, float("inf")])
def test_nobody_closes_a_minute_for_more_than_an_hour_or_a_day_for_more_than_a_month(
    window: str, longest: float, wait: float
) -> None:
    closure = r.closed(Rules(), FLASH, window, NOON, "free", wait).closure(FLASH)
    assert closure and closure.until == NOON + longest


@pytest.mark.parametrize("date", [(2026, 11, 22), (2026, 3, 8), (2026, 11, 1)])
def test_shortly_after_midnight_a_refusal_for_the_day_is_lag(date: tuple[int, int, int]) -> None:
    begin = pacific(*date)
    assert begin == dawn(begin)
    for late in (0.0, LAG - 0.5):
        closure = r.closed(Rules(), FLASH, "rpd", begin + late, "", None).closure(FLASH)
        assert closure and closure.lag and closure.until == begin + late + LAG_PAUSE
    after = r.closed(Rules(), FLASH, "rpd", begin + LAG, "", None).closure(FLASH)
    assert after and not after.lag and after.until == midnight(begin) + LATE
    never = r.closed(Rules(), FLASH, "limit0", begin, "", None).closure(FLASH)
    assert never and not never.lag


def test_after_lag_one_request_tries_and_the_others_wait() -> None:
    begin = pacific(2026, 11, 22)
    rules = r.closed(Rules(), FLASH, "rpd", begin, "", None)
    now = begin + LAG_PAUSE
    closure = rules.closure(FLASH)
    assert closure and closure.until <= now
    tried = r.probing(rules, FLASH, now).closure(FLASH)
    assert tried == Closure("rpd", now + LAG_PAUSE, begin, "", True)
    assert r.reopened(rules, FLASH) == Rules()
    assert r.probing(Rules(), FLASH, now) == r.reopened(Rules(), FLASH) == Rules()
    refused = r.closed(r.probing(rules, FLASH, now), FLASH, "rpd", begin + LAG, "", None)
    closure = refused.closure(FLASH)
    assert closure and closure.until == midnight(begin) + LATE


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["rpm", "tpm", "rpd", "limit0", ""]),
            st.floats(0, 1_000),
            st.none() | st.floats(0, 100),
        ),
        max_size=5,
    )
)
def test_a_later_refusal_never_opens_a_bucket_sooner(
    refusals: list[tuple[str, float, float | None]],
) -> None:
    rules, now, until = Rules(), pacific(2026, 11, 22), 0.0
    for window, seconds, wait in refusals:
        now += seconds
        rules = r.closed(rules, FLASH, window, now, "", wait)
        closure = rules.closure(FLASH)
        assert closure and closure.until >= until
        until = closure.until


def test_a_closure_of_another_tier_does_not_count() -> None:
    rules = r.closed(Rules(), FLASH, "rpd", NOON, "free", None)
    assert rules.closure(Bucket("p", "flash", "tier1")) is None
    assert rules.closure(Bucket("p", "flash", "")) is not None
    assert rules.closure(Bucket("q", "flash", "free")) is None


def test_old_closures_are_tidied() -> None:
    rules = r.closed(Rules(), FLASH, "rpm", NOON, "", 10.0)
    assert r.tidied(rules, NOON + 86_400.0) == rules
    assert not r.tidied(rules, NOON + 86_410.0).closures


# --- who is who ----------------------------------------------------------------------------------


def two_keys() -> Rules:
    rules = r.with_stream(Rules(), Stream("key1", "flash"))
    return r.with_stream(rules, Stream("key2", "flash"))


def scopes(rules: Rules, account: str = "key1", model: str = "flash") -> set[str]:
    return set(rules.scopes(rules.bucket(account, model)))


def test_keys_stand_for_themselves_until_somebody_names_their_project() -> None:
    rules = two_keys()
    assert rules.bucket("key1", "flash") == Bucket("key1", "flash")
    assert scopes(rules) == {"key1/flash"}


def test_labels_merge_at_once_and_split_again() -> None:
    apart = r.with_label(two_keys(), "key1", "team")
    together = r.with_label(apart, "key2", "team")
    assert scopes(together) == scopes(together, "key2") == {"key1/flash", "key2/flash"}
    assert str(together.bucket("key2", "flash")) == "team/flash"
    assert scopes(r.with_label(together, "key2", "")) == {"key1/flash"}
    assert scopes(r.with_label(together, "key1", "other")) == {"key1/flash"}
    assert r.with_label(together, "key1", "team") is together


def test_a_services_name_merges_and_the_users_label_covers_it() -> None:
    rules = r.with_consumer(two_keys(), "key1", "projects/7")
    rules = r.with_consumer(rules, "key2", "projects/7")
    assert scopes(rules) == {"key1/flash", "key2/flash"}
    assert rules.project("key1") == "projects/7"
    labelled = r.with_label(rules, "key1", "team")  # the other is of the same project
    assert labelled.project("key2") == "team"
    assert scopes(labelled, "key2") == {"key1/flash", "key2/flash"}
    other = r.with_consumer(labelled, "key2", "projects/8")
    assert scopes(other) == {"key1/flash"}
    assert r.with_consumer(other, "key2", "projects/8") is other


def test_an_alias_merges_models_and_splits_them_again() -> None:
    rules = r.with_stream(two_keys(), Stream("key1", "flash-latest"))
    assert scopes(rules) == {"key1/flash"}
    merged = r.with_alias(rules, "flash-latest", "flash")
    assert scopes(merged) == scopes(merged, model="flash-latest")
    assert scopes(merged) == {"key1/flash", "key1/flash-latest"}
    moved = r.with_alias(merged, "flash-latest", "flash-2")
    assert scopes(moved) == {"key1/flash"}
    assert scopes(r.with_alias(merged, "flash-latest", "flash-latest")) == {"key1/flash"}


_MODELS = st.sampled_from("abcd")


@given(st.lists(st.tuples(_MODELS, _MODELS), max_size=12))
def test_the_newest_alias_holds_and_aliases_make_no_circle(pairs: list[tuple[str, str]]) -> None:
    rules = Rules()
    for model, quota_model in pairs:
        rules = r.with_alias(rules, model, quota_model)
        assert rules.quota_model(model) == quota_model
        for each in "abcd":
            found = rules.quota_model(each)
            assert rules.quota_model(found) == found


@given(st.dictionaries(_MODELS, _MODELS))
def test_a_circle_in_the_document_ends(aliases: dict[str, str]) -> None:
    assert Rules(aliases=aliases).quota_model("a") in "abcd"


@given(
    st.lists(st.tuples(st.sampled_from("12345"), st.sampled_from("xy"), st.booleans()), max_size=12)
)
def test_every_stream_is_in_exactly_one_bucket(names: list[tuple[str, str, bool]]) -> None:
    rules = Rules()
    for account in "12345":
        for model in ("a", "b"):
            rules = r.with_stream(rules, Stream(account, model))
    for account, name, user in names:
        rules = (r.with_label if user else r.with_consumer)(rules, account, name)
    buckets = {rules.bucket(s.account, s.model) for s in rules.streams.values()}
    held = [scope for bucket in buckets for scope in rules.scopes(bucket)]
    assert sorted(held) == sorted(rules.streams)


def test_a_stream_is_written_once_and_its_backend_is_kept_up_to_date() -> None:
    rules = r.with_stream(Rules(), Stream("k", "m", "google", "h"))
    assert r.with_stream(rules, Stream("k", "m", "google", "h")) is rules
    renamed = r.with_stream(rules, Stream("k", "m", "work", "h"))
    assert renamed.streams["k/m"].backend == "work"


# --- the document --------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_RULES = st.builds(
    Rules,
    streams=st.lists(st.builds(Stream, _TEXTS, _TEXTS, _TEXTS, _TEXTS), max_size=4).map(
        lambda streams: {stream.scope: stream for stream in streams}
    ),
    labels=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
    consumers=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
    tiers=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
    aliases=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
    limits=st.dictionaries(
        st.tuples(_TEXTS, _TEXTS, _TEXTS, _TEXTS, _TEXTS),
        st.builds(Known, st.integers(), _NUMBERS, _TEXTS, _NUMBERS),
        max_size=3,
    ),
    closures=st.dictionaries(
        st.tuples(_TEXTS, _TEXTS),
        st.builds(Closure, _TEXTS, _NUMBERS, _NUMBERS, _TEXTS, st.booleans()),
        max_size=3,
    ),
)


@given(_RULES)
def test_what_is_written_is_read_again(rules: Rules) -> None:
    document = to_json(rules)
    again = from_json(document)
    assert again == rules
    assert [*map(astuple, again.streams.values())] == [*map(astuple, rules.streams.values())]
    assert to_json(again) == document


def test_no_document_is_no_rules() -> None:
    assert from_json("") == Rules() == from_json(to_json(Rules()))


_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*json.loads(to_json(Rules()))]), _JSON) | _JSON, st.data())
def test_any_other_document_is_a_value_error(document: Any, data: st.DataObject) -> None:
    if isinstance(document, dict) and data.draw(st.booleans()):
        document = {**json.loads(to_json(Rules())), **document}
    with contextlib.suppress(ValueError):
        assert isinstance(from_json(json.dumps(document)), Rules)


@pytest.mark.parametrize("text", ["{", "nonsense", "[]", "null", '"x"', "{}", "7"])
def test_what_is_no_document_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)


# --- several processes ---------------------------------------------------------------------------


def _label(number: int, barrier: Any, place: Place, count: int) -> int:
    store, tries = place.open(), 0
    barrier.wait()
    for each in range(count):
        while True:
            tries += 1
            version, document = store.rules()
            rules = r.with_label(from_json(document), f"{number}.{each}", "x")
            if store.replace_rules(version, to_json(rules)):
                break
    return tries


def test_no_change_of_several_processes_is_lost(place: Place) -> None:
    in_processes(4, _label, place, 10)
    version, document = place.open().rules()
    assert version == 40
    assert set(from_json(document).labels) == {f"{p}.{n}" for p in range(4) for n in range(10)}
