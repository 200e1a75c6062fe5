"""When repeating alarms are due."""

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrivet._recurrence import Cron, Interval

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
MINUTE = timedelta(minutes=1)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def times(cron: Cron, after: str, how_many: int) -> list[str]:
    """Return when an alarm would be due in the zone, one after the other."""
    due = ms(datetime.fromisoformat(after))
    found = []
    for _ in range(how_many):
        later = cron.next_ms(due, 0)
        assert later is not None
        due = later
        local = datetime.fromtimestamp(due / 1000, ZoneInfo(cron.zone))
        found.append(local.strftime("%d %H:%M %Z"))
    return found


@given(st.integers(1, 10**9), st.integers(0, 10**13), st.integers(0, 10**13))
def test_interval_keeps_its_grid_and_makes_up_for_missed_times_once(
    every: int, due: int, now: int
) -> None:
    later = Interval(every).next_ms(due, now)
    assert later is not None
    assert later > max(due, now)
    assert (later - due) % every == 0
    assert later - every <= max(due, now)


@given(st.integers(1, 59), st.integers(1, 23), MOMENTS, MOMENTS)
def test_cron_is_due_at_the_first_minute_that_matches_after_now(
    step: int, hours: int, due: datetime, now: datetime
) -> None:
    later = Cron(f"*/{step} */{hours} * * *", "UTC").next_ms(ms(due), ms(now))
    start = max(due, now).replace(second=0, microsecond=0)
    expected = next(
        moment
        for moment in (start + number * MINUTE for number in count(1))
        if moment.minute % step == 0 and moment.hour % hours == 0
    )
    assert later == ms(expected)


@given(st.sampled_from(ZONES), st.integers(0, 59), st.integers(0, 23), MOMENTS)
def test_time_of_day_comes_once_on_each_day_in_every_zone(
    zone: str, minute: int, hour: int, now: datetime
) -> None:
    cron = Cron(f"{minute} {hour} * * *", zone)
    due = ms(now)
    days = []
    for _ in range(4):
        later = cron.next_ms(due, due)
        assert later is not None
        assert later > due
        due = later
        days.append(datetime.fromtimestamp(due / 1000, ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=number) for number in range(4)]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # 02:30 does not exist on 29 March, and comes twice on 25 October.
        ("30 2 * * *", "2026-03-28T12:00Z", ["29 03:00 CEST", "30 02:30 CEST"]),
        ("30 2 * * *", "2026-10-24T12:00Z", ["25 02:30 CEST", "26 02:30 CET"]),
        ("0 9 * * *", "2026-03-28T12:00Z", ["29 09:00 CEST", "30 09:00 CEST"]),
        # What recurs within hours follows the clock, in real time.
        ("*/30 * * * *", "2026-03-29T00:20Z", ["29 01:30 CET", "29 03:00 CEST"]),
        (
            "*/30 * * * *",
            "2026-10-25T00:20Z",
            ["25 02:30 CEST", "25 02:00 CET", "25 02:30 CET", "25 03:00 CET"],
        ),
    ],
)
def test_daylight_saving(expression: str, after: str, expected: list[str]) -> None:
    assert times(Cron(expression, "Europe/Berlin"), after, len(expected)) == expected


@pytest.mark.parametrize("zone", ["Moon/Sea", "", "../etc/passwd", "Europe"])
def test_zone_that_is_none(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Cron("* * * * *", zone).first(datetime.now(UTC))


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "0 0 30 2 *", "x * * * *"])
def test_expression_that_is_none(expression: str) -> None:
    with pytest.raises(ValueError, match=r"cron expression|no such time"):
        Cron(expression, "UTC").first(datetime.now(UTC))


def test_expression_whose_time_never_comes_ends() -> None:
    assert Cron("* * */20 * 1L", "UTC").next_ms(0, 0) is None
