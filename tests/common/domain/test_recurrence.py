"""When schedules are due, over the real changes of real zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.recurrence import Cron, Interval, cron, interval
from tq.common.errors import InvalidArgument

# Zones, and a day about which their clock is set: by an hour, by half of one, at midnight, by a whole day, twice a year
# and not at all.
CHANGES = [
    ("Europe/Prague", "2026-03-29"),
    ("Europe/Prague", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # by 30 minutes
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),  # at midnight, forward
    ("America/Sao_Paulo", "2018-02-18"),  # at midnight, back
    ("Africa/Cairo", "2023-04-28"),
    ("Asia/Beirut", "2022-03-27"),
    ("America/Havana", "2026-11-01"),
    ("Atlantic/Azores", "2026-10-25"),
    ("America/St_Johns", "2010-11-07"),  # a minute after midnight
    ("Pacific/Apia", "2011-12-30"),  # a day that does not exist
    ("Africa/Casablanca", "2026-02-15"),
    ("Asia/Pyongyang", "2018-05-05"),  # for good, by 30 minutes
    ("Europe/London", "1995-03-26"),
    ("Asia/Kathmandu", "2026-05-01"),  # 5:45 ahead, never set
    ("UTC", "2026-05-01"),
]
FIXED = ["30 2 * * *", "0 0 * * *", "15 23 * * *", "0,30 1,2 * * *", "0 3 * * MON", "30 0 L * *"]
PASSING = ["*/10 * * * *", "* 2 * * *", "*/7 0,1,2,3 * * *", "5 * * * *", "*/30 23 * * SUN"]


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def local(moment: int, zone: str) -> str:
    return datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def instants(rule: Cron, first: int, last: int) -> list[int]:
    found, moment = [], rule.after(first)
    while moment is not None and moment <= last:
        found.append(moment)
        moment = rule.after(moment)
    return found


def about(day: str) -> tuple[int, int]:
    noon = ms(f"{day}T12:00")
    return noon - 60 * 3_600_000, noon + 60 * 3_600_000


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_a_rule_of_the_time_that_passes_is_due_at_every_minute_whose_local_time_it_names(
    zone: str, day: str
) -> None:
    """Against every minute, asked in UTC, where no time is missing and none comes twice."""
    first, last = about(day)
    place, times = ZoneInfo(zone), []  # every minute, and what the clock there shows as if that were UTC
    for moment in range(first - first % 60_000 + 60_000, last + 1, 60_000):
        there = datetime.fromtimestamp(moment / 1000, place).replace(tzinfo=UTC)
        times.append((moment, int(there.timestamp() * 1000)))
    for text in PASSING:
        named = set(instants(cron(text, "UTC"), first - 24 * 3_600_000, last + 24 * 3_600_000))
        expected = [moment for moment, there in times if there in named]
        assert instants(cron(text, zone), first, last) == expected, text


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_a_rule_of_fixed_times_is_due_once_at_each_of_them_or_at_the_first_one_that_exists(
    zone: str, day: str
) -> None:
    for text in FIXED:
        is_due_once_at_each(zone, day, text)


def is_due_once_at_each(zone: str, day: str, text: str) -> None:
    first, last = about(day)
    place, plain = ZoneInfo(zone), cron(text, "UTC")
    named = instants(plain, ms(f"{day}T00:00") - 72 * 3_600_000, ms(f"{day}T00:00") + 96 * 3_600_000)
    expected = set()
    for moment in named:  # read as the zone's own
        there = datetime.fromtimestamp(moment / 1000, UTC).replace(tzinfo=None)
        while True:
            found = there.replace(tzinfo=place)
            if found.astimezone(UTC).astimezone(place).replace(tzinfo=None) == there:
                break
            there += timedelta(minutes=1)
        expected.add(int(found.timestamp() * 1000))
    due = [one for one in sorted(expected) if first < one <= last]
    assert instants(cron(text, zone), first, last) == due, text


@pytest.mark.parametrize(
    ("text", "zone", "after", "due"),
    [
        ("30 2 * * *", "Europe/Prague", "2026-03-28T12:00", ["2026-03-29 03:00", "2026-03-30 02:30"]),
        ("30 2 * * *", "Europe/Prague", "2026-10-24T12:00", ["2026-10-25 02:30", "2026-10-26 02:30"]),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", ["2018-11-04 01:00", "2018-11-05 00:00"]),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", ["2011-12-29 12:00", "2011-12-31 00:00"]),
        ("0 3 L * *", "UTC", "2026-02-01T00:00", ["2026-02-28 03:00", "2026-03-31 03:00"]),
        ("0 9 * * 1#2", "UTC", "2026-06-01T00:00", ["2026-06-08 09:00", "2026-07-13 09:00"]),
        ("0 9 * jan-mar fri", "UTC", "2026-12-01T00:00", ["2027-01-01 09:00", "2027-01-08 09:00"]),
    ],
)
def test_examples(text: str, zone: str, after: str, due: list[str]) -> None:
    rule, moment = cron(text, zone), ms(after)
    for expected in due:
        found = rule.after(moment)
        assert found is not None
        assert local(found, zone) == expected
        moment = found


@given(st.sampled_from(FIXED + PASSING), st.sampled_from(CHANGES), st.integers(-200_000_000, 200_000_000))
def test_the_next_instant_is_later_and_none_is_between(
    text: str, change: tuple[str, str], offset: int
) -> None:
    zone, day = change
    rule, moment = cron(text, zone), ms(f"{day}T12:00") + offset
    following = rule.after(moment)
    assert following is not None
    assert following > moment
    assert rule.after(following - 1) == following
    assert rule.after((moment + following) // 2) in (following, rule.after(following))


def test_an_interval_is_counted_from_1970() -> None:
    rule = interval(300)
    assert rule == Interval(300_000)
    assert [rule.after(moment) for moment in (0, 1, 299_999, 300_000)] == [300_000, 300_000, 300_000, 600_000]
    assert all(later - earlier == 300_000 for earlier, later in pairwise([300_000, 600_000, 900_000]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("61 * * * *", "the minute is '61'; allowed are 0 to 59"),
        ("0 24 * * *", "the hour is '24'; allowed are 0 to 23"),
        ("0 0 32 * *", "the day of the month is '32'; allowed are 1 to 31, L"),
        ("0 0 * 13 *", "the month is '13'; allowed are 1 to 12 or JAN to DEC"),
        ("0 0 * * 8", "the day of the week is '8'; allowed are 0 to 7 or SUN to SAT"),
        ("0 0 * * MOON", "the day of the week is 'MOON'"),
        ("5-1 * * * *", "the minute is '5-1'"),
        ("*/0 * * * *", "the minute is '\\*/0'"),
        ("* * * * 5L/2", "the day of the week is '5L/2'"),
        ("0 0 30 2 *", "no month of it has such a day"),
        ("", "it has 0 fields and not five"),
        ("@daily", "it has 1 fields and not five: .*; write '0 0 \\* \\* \\*' for it"),
        ("0 0 0 * * *", "for seconds use every="),
        ("* * * *", "it has 4 fields and not five: minute, hour, day of the month"),
        ("9" * 300, "text of at most 200 characters"),
        (5, "cron=5: a cron rule is text"),
    ],
)
def test_a_wrong_rule_names_the_field_and_what_is_allowed(text: object, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        cron(text, "UTC")


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Prag", "did you mean Europe/Prague"),
        ("europe/prague", "no such time zone"),
        ("", "write it as in 'Europe/Prague'"),
        ("../../etc/passwd", "no such time zone"),
        ("America", "no such time zone"),
        ("x" * 200, "a time zone is text"),
        (None, "a time zone is text"),
    ],
)
def test_an_unknown_zone_names_one_that_is_near(zone: object, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        cron("* * * * *", zone)


@given(st.text("0123456789*/,-#LWMONJAN \t", max_size=40))
def test_any_text_is_a_rule_or_an_error_of_ours(text: str) -> None:
    try:
        rule = cron(text, "Europe/Prague")
    except InvalidArgument:
        return
    following = rule.after(1_700_000_000_000)
    assert following is None or following > 1_700_000_000_000
