"""Days and months as quotas and budgets count them, in every zone, with 23 and 25 hours."""

from __future__ import annotations

import math
import time
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_magic.quota import windows
from gemini_magic.quota.windows import PACIFIC, dawn, day, midnight, month, month_end, room_at

HOUR = 3_600.0
#: Whole milliseconds: a datetime rounds what is finer.
_TIMES = st.integers(
    int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()) * 1_000,
    int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()) * 1_000,
).map(lambda milliseconds: milliseconds / 1_000)
_NAMED = st.sampled_from(
    [
        PACIFIC, "UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham", "Australia/Lord_Howe",
        "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Atlantic/Azores",
        "Pacific/Kiritimati", "America/St_Johns",
    ]
)  # fmt: skip
_ANY = st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in Berlin."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be set here")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# --- every zone ----------------------------------------------------------------------------------


@given(_TIMES, _NAMED | _ANY)
def test_a_day_begins_at_its_dawn_and_ends_at_its_midnight(at: float, name: str) -> None:
    begin, end = dawn(at, name), midnight(at, name)
    assert begin <= at < end
    assert end - begin <= 25 * HOUR
    assert day(begin, name) == day(at, name) == day(end - 0.001, name)
    assert day(begin - 0.001, name) < day(at, name) < day(end, name)
    assert dawn(end, name) == end
    assert dawn(begin, name) == begin
    assert midnight(begin, name) == end


@given(_TIMES, _NAMED | _ANY)
def test_a_month_ends_when_its_name_changes(at: float, name: str) -> None:
    end = month_end(at, name)
    assert at < end <= at + 31 * 24 * HOUR + 2 * HOUR
    assert month(at, name) == month(end - 0.001, name) < month(end, name)
    assert dawn(end, name) == end
    assert day(at, name).startswith(month(at, name))


@given(_TIMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_machines_own_zone_is_the_zone_it_is_in(berlin: None, at: float) -> None:
    for function in (day, dawn, midnight, month, month_end):
        assert function(at, "local") == function(at, "Europe/Berlin")


def test_a_zone_that_nobody_knows_is_an_error() -> None:
    for name in ("Europe/Bielefeld", "../../etc/passwd", ""):
        with pytest.raises(KeyError):
            windows.zone(name)


# --- Pacific time --------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2024, 2026, 2027, 2035])
def test_two_days_of_a_pacific_year_have_23_and_25_hours(year: int) -> None:
    noons = [datetime(year, 1, 1, 12, tzinfo=ZoneInfo(PACIFIC)) + timedelta(d) for d in range(365)]
    odd = {
        day(noon.timestamp()): (midnight(noon.timestamp()) - dawn(noon.timestamp())) / HOUR
        for noon in noons
    }
    odd = {name: hours for name, hours in odd.items() if hours != 24}
    first, second = sorted(odd)
    assert odd == {first: 23, second: 25}
    for name, month_, sunday in ((first, 3, 2), (second, 11, 1)):
        on = date.fromisoformat(name)
        assert (on.month, on.weekday(), (on.day + 6) // 7) == (month_, 6, sunday)


def test_days_follow_each_other_without_a_gap() -> None:
    at = datetime(2026, 1, 1, 20, tzinfo=UTC).timestamp()
    ends = [midnight(at + n * 24 * HOUR) for n in range(400)]
    assert all(dawn(end) == end for end in ends)
    assert {later - earlier for earlier, later in pairwise(ends)} == {
        23 * HOUR, 24 * HOUR, 25 * HOUR,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-03-08T07:59:59+00:00", "2026-03-08T08:00:00+00:00"),
        ("2026-03-08T08:00:00+00:00", "2026-03-09T07:00:00+00:00"),  # 23 hours
        ("2026-11-01T07:00:00+00:00", "2026-11-02T08:00:00+00:00"),  # 25 hours
        ("2026-11-22T12:00:00+00:00", "2026-11-23T08:00:00+00:00"),
    ],
)
def test_pacific_midnight_to_the_second(at: str, ends: str) -> None:
    end = midnight(datetime.fromisoformat(at).timestamp())
    assert end == datetime.fromisoformat(ends).timestamp()


def _wall(at: int, rule: object) -> tuple[datetime, int]:
    local = datetime.fromtimestamp(at, rule)  # type: ignore[arg-type]
    return local.replace(tzinfo=None), local.fold


@pytest.mark.parametrize("hours", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_the_rule_without_a_zone_database_agrees_with_it_in_every_hour(hours: int) -> None:
    rule, true = windows._PacificRule(), ZoneInfo(PACIFIC)
    begin = int(datetime(2007, 1, 1, 8, tzinfo=UTC).timestamp())
    end = int(datetime(2041, 1, 1, 8, tzinfo=UTC).timestamp())
    for at in range(begin, end, 3_600 * hours):
        assert _wall(at, rule) == _wall(at, true), datetime.fromtimestamp(at, UTC)


@given(st.datetimes(datetime(2007, 1, 1), datetime(2040, 12, 31)), st.booleans())
def test_the_rule_reads_wall_clocks_as_the_database_does(wall: datetime, fold: bool) -> None:
    wall = wall.replace(fold=int(fold))
    for near in (wall, *_edges(wall.year, fold)):
        mine, true = (near.replace(tzinfo=z) for z in (windows._PacificRule(), ZoneInfo(PACIFIC)))
        if datetime.fromtimestamp(true.timestamp(), true.tzinfo).hour != near.hour:
            continue  # no clock ever showed it
        assert (mine.utcoffset(), mine.tzname()) == (true.utcoffset(), true.tzname())
        assert mine.timestamp() == true.timestamp()


def _edges(year: int, fold: bool) -> list[datetime]:
    """Walls around both changes of a year: an hour is missing, and one is there twice."""
    sundays = (windows._sunday(year, 3, 2), windows._sunday(year, 11, 1))
    minutes = (59, 60, 90, 119, 120, 150, 179, 180)
    return [
        each.replace(fold=int(fold)) + timedelta(minutes=m) for each in sundays for m in minutes
    ]


def test_days_without_a_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [
        (day(at), dawn(at), midnight(at)) for at in range(1_790_000_000, 1_830_000_000, 9_999)
    ]

    def missing(name: str) -> ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    windows.zone.cache_clear()
    try:
        found = [
            (day(at), dawn(at), midnight(at)) for at in range(1_790_000_000, 1_830_000_000, 9_999)
        ]
        with pytest.raises(KeyError):
            windows.zone("Europe/Berlin")
    finally:
        windows.zone.cache_clear()
    assert found == expected


# --- room ----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), max_size=12),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_room_is_when_enough_has_left_and_not_before(
    rows: list[tuple[int, int]], needed: int, limit: int
) -> None:
    leaving = sorted((float(at), amount) for at, amount in rows)
    used = sum(amount for _, amount in leaving)

    def fits(at: float) -> bool:
        return sum(amount for leaves, amount in leaving if leaves > at) + needed <= limit

    opens = room_at(leaving, used, needed, limit)
    if needed > limit:
        assert opens == math.inf
    elif used + needed > limit:
        assert fits(opens)
        assert not fits(opens - 0.5)
