"""A compiled schedule agrees with a walk through every minute by the wall clock."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fences.schedule import compile_schedule
from schemas.reference import Schedule, Window

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/St_Johns",
    "Pacific/Apia",  # left out a day
    "Africa/Casablanca",  # winter time in Ramadan
    "Asia/Kathmandu",
    "UTC",
)
CLOCK_CHANGES = (
    date(2011, 12, 30), date(2026, 2, 15), date(2026, 3, 8), date(2026, 3, 22), date(2026, 3, 29),
    date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25), date(2026, 11, 1), date(2026, 7, 1), date(2024, 2, 29),
)  # fmt: skip

times = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
windows = st.builds(
    Window,
    start=times,
    end=times | st.just("24:00"),
    days=st.frozensets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)


def minute_walk(schedule: Schedule, first: datetime, days: int) -> dict[int, bool]:
    """For each minute whether the duty holds, by looking at the clock and never back."""
    zone = ZoneInfo(schedule.time_zone)
    lead = 3 * 1440
    start = first - timedelta(minutes=lead)
    latest = datetime.min
    clock = []  # the latest time that the clock has shown by each minute
    for minute in range(lead + days * 1440):
        latest = max(latest, (start + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None))
        clock.append(latest)
    on = [False] * len(clock)
    day = (start - timedelta(days=3)).date()
    off = {date.fromisoformat(text) for text in schedule.exceptions}
    while day <= (first + timedelta(days=days + 2)).date():
        for window in schedule.windows:
            if day.weekday() not in window.days or day in off:
                continue
            begin, end = (
                datetime(day.year, day.month, day.day) + timedelta(hours=int(text[:2]), minutes=int(text[3:]))
                for text in (window.start, window.end)
            )
            end += timedelta(days=1) if end <= begin else timedelta()
            for minute, shown in enumerate(clock):
                if begin <= shown < end:
                    on[minute] = True
        day += timedelta(days=1)
    return {int((start + timedelta(minutes=m)).timestamp()): on[m] for m in range(lead, len(clock))}


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    windows=st.lists(windows, min_size=1, max_size=3),
    around=st.sampled_from(CLOCK_CHANGES),
    shift=st.integers(-1, 1),
    without=st.booleans(),
)
def test_every_minute_around_a_clock_change(
    zone: str, windows: list[Window], around: date, shift: int, without: bool
) -> None:
    first = datetime(around.year, around.month, around.day, tzinfo=UTC) + timedelta(days=shift)
    off = (around.isoformat(),) if without else ()
    schedule = Schedule(time_zone=zone, windows=tuple(windows), exceptions=off)
    compiled = compile_schedule(schedule)
    expected = minute_walk(schedule, first, days=2)
    moments = np.array(list(expected), np.float64)
    assert compiled.active_at(moments).tolist() == list(expected.values())
    assert [compiled.active(at) for at in moments[::97].tolist()] == list(expected.values())[::97]
    turns = [(at, state) for (_, was), (at, state) in pairwise(expected.items()) if was != state]
    assert [(edge.at_s, edge.on) for edge in compiled.edges(moments[0], moments[-1])] == turns


@settings(max_examples=20, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    windows=st.lists(windows, min_size=1, max_size=3),
    moments=st.lists(st.floats(0, 4e9), min_size=1, max_size=10),
)
def test_edges_and_states_tell_the_same_story(zone: str, windows: list[Window], moments: list[float]) -> None:
    compiled = compile_schedule(Schedule(time_zone=zone, windows=tuple(windows)))
    assert compiled.active_at(np.array(moments)).tolist() == [compiled.active(at) for at in moments]
    for at in moments:
        edge = compiled.next_edge(at)
        if edge is not None:
            assert edge.at_s > at
            assert compiled.active(edge.at_s) is edge.on
            assert compiled.active(at) is not edge.on
