"""When a duty holds: windows, rules, exceptions, and the clock's own jumps."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fences.lint import lint
from fences.schedule import CompiledSchedule, compile_schedule
from schemas.message import Invalid
from schemas.reference import Recurrence, Schedule, Window
from schemas.times import from_epoch, parse


def at(text: str) -> float:
    return parse(text).timestamp()


def local(text: str, zone: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def edges(schedule: Schedule, since: float, until: float) -> list[tuple[str, bool]]:
    return [(str(from_epoch(edge.at_s)), edge.on) for edge in compile_schedule(schedule).edges(since, until)]


def nightly(zone: str, start: str = "21:00", end: str = "06:00", **more: object) -> Schedule:
    return Schedule(time_zone=zone, windows=(Window(start=start, end=end),), **more)  # type: ignore[arg-type]


def test_a_window_past_midnight_is_one_spell() -> None:
    found = edges(nightly("Asia/Shanghai"), at("2026-11-23T00:00:00Z"), at("2026-11-24T12:00:00Z"))
    assert found == [
        ("2026-11-23T13:00:00.000Z", True),
        ("2026-11-23T22:00:00.000Z", False),
    ]


def test_the_beginning_belongs_to_the_spell_and_the_end_does_not() -> None:
    night = compile_schedule(nightly("Asia/Shanghai"))
    assert night.active(at("2026-11-23T13:00:00Z"))
    assert not night.active(at("2026-11-23T12:59:59.999Z"))
    assert night.active(at("2026-11-23T21:59:59.999Z"))
    assert not night.active(at("2026-11-23T22:00:00Z"))


def test_an_edge_asked_for_at_an_edge_is_the_next_one() -> None:
    night = compile_schedule(nightly("Asia/Shanghai"))
    first = night.next_edge(at("2026-11-23T12:00:00Z"))
    assert first is not None
    second = night.next_edge(first.at_s)
    assert second is not None
    assert (second.at_s - first.at_s, first.on, second.on) == (9 * 3600, True, False)


def test_a_curfew_that_ends_in_the_hour_shown_twice_ends_once_at_the_first() -> None:
    found = edges(nightly("Europe/Berlin", "22:00", "02:30"), at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z"))
    assert found == [("2026-10-24T20:00:00.000Z", True), ("2026-10-25T00:30:00.000Z", False)]


def test_a_curfew_that_starts_in_the_hour_shown_twice_starts_at_the_first() -> None:
    found = edges(nightly("Europe/Berlin", "02:30", "06:00"), at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z"))
    assert found == [("2026-10-25T00:30:00.000Z", True), ("2026-10-25T05:00:00.000Z", False)]


def test_a_start_that_the_clock_skips_is_the_jump() -> None:
    found = edges(nightly("Europe/Berlin", "02:30", "06:00"), at("2026-03-28T12:00:00Z"), at("2026-03-29T12:00:00Z"))
    assert found == [("2026-03-29T01:00:00.000Z", True), ("2026-03-29T04:00:00.000Z", False)]


def test_a_window_wholly_in_the_skipped_hour_does_not_happen() -> None:
    assert (
        edges(nightly("Europe/Berlin", "02:10", "02:50"), at("2026-03-28T12:00:00Z"), at("2026-03-29T12:00:00Z")) == []
    )


def test_a_day_that_a_country_left_out() -> None:
    """Samoa had no 30 December 2011: what would begin then begins when the 31st does."""
    found = edges(nightly("Pacific/Apia", "21:00", "05:00"), at("2011-12-30T09:00:00Z"), at("2012-01-01T00:00:00Z"))
    assert found == [
        ("2011-12-30T15:00:00.000Z", False),  # the night of the 29th ends as the clock shows the 31st, 05:00
        ("2011-12-31T07:00:00.000Z", True),
        ("2011-12-31T15:00:00.000Z", False),
    ]


def test_whole_days_that_touch_have_no_edges_between_them() -> None:
    schedule = Schedule(time_zone="Europe/Berlin", windows=(Window(start="00:00", end="24:00"),))
    assert compile_schedule(schedule).active(at("2026-11-23T12:00:00Z"))
    assert compile_schedule(schedule).next_edge(at("2026-11-23T12:00:00Z")) is None


def test_days_are_those_of_the_start() -> None:
    friday_night = Schedule(time_zone="UTC", windows=(Window(start="22:00", end="04:00", days=(4,)),))
    assert edges(friday_night, at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z")) == [
        ("2026-11-27T22:00:00.000Z", True),
        ("2026-11-28T04:00:00.000Z", False),
    ]


def test_on_an_exception_nothing_begins_and_the_night_before_runs_out() -> None:
    schedule = nightly("UTC", exceptions=("2026-12-25",))
    assert edges(schedule, at("2026-12-24T12:00:00Z"), at("2026-12-26T22:00:00Z")) == [
        ("2026-12-24T21:00:00.000Z", True),
        ("2026-12-25T06:00:00.000Z", False),
        ("2026-12-26T21:00:00.000Z", True),
    ]


def test_public_holidays_are_without_duty() -> None:
    """1 October is China's national day."""
    days = compile_schedule(nightly("Asia/Shanghai", "09:00", "17:00", holidays="CN"))
    assert not days.active(local("2026-10-01T12:00", "Asia/Shanghai"))
    assert days.active(local("2026-11-23T12:00", "Asia/Shanghai"))


def test_a_region_has_its_own_holidays() -> None:
    """6 January is one in Bavaria and not in Berlin."""
    noon = local("2027-01-06T12:00", "Europe/Berlin")
    assert not compile_schedule(nightly("Europe/Berlin", "09:00", "17:00", holidays="DE-BY")).active(noon)
    assert compile_schedule(nightly("Europe/Berlin", "09:00", "17:00", holidays="DE-BE")).active(noon)


def test_exceptions_alone_leave_all_other_days() -> None:
    schedule = Schedule(time_zone="UTC", exceptions=("2026-12-25",))
    assert edges(schedule, at("2026-12-20T00:00:00Z"), at("2026-12-30T00:00:00Z")) == [
        ("2026-12-25T00:00:00.000Z", False),
        ("2026-12-26T00:00:00.000Z", True),
    ]


def weekly(rrule: str, dtstart: str = "2026-11-23T18:00:00", duration_s: float = 7200) -> Schedule:
    rule = Recurrence(rrule=rrule, dtstart=dtstart, duration_s=duration_s)
    return Schedule(time_zone="Europe/Berlin", recurrences=(rule,))


def test_a_rule_begins_by_the_wall_clock_and_lasts_elapsed_seconds() -> None:
    found = edges(
        weekly("RRULE:FREQ=WEEKLY;BYDAY=SU", "2026-03-22T01:00:00"),
        at("2026-03-28T00:00:00Z"),
        at("2026-04-06T00:00:00Z"),
    )
    assert found == [
        ("2026-03-29T00:00:00.000Z", True),
        ("2026-03-29T02:00:00.000Z", False),  # 04:00 by the clock, which jumped
        ("2026-04-04T23:00:00.000Z", True),
        ("2026-04-05T01:00:00.000Z", False),
    ]


@pytest.mark.parametrize("until", ["20261125T170000Z", "20261125T180000", "20261125"])
def test_until_is_read_in_utc_local_or_as_a_day(until: str) -> None:
    found = edges(weekly(f"FREQ=DAILY;UNTIL={until}"), at("2026-11-23T00:00:00Z"), at("2026-12-30T00:00:00Z"))
    assert [edge for edge in found if edge[1]] == [(f"2026-11-{day}T17:00:00.000Z", True) for day in (23, 24, 25)]


def test_count_is_counted_from_the_first() -> None:
    rule = weekly("FREQ=DAILY;COUNT=100")
    assert compile_schedule(rule).active(local("2027-03-02T18:30", "Europe/Berlin"))
    assert not compile_schedule(rule).active(local("2027-03-03T18:30", "Europe/Berlin"))


def test_a_spell_longer_than_a_chunk_is_whole() -> None:
    spell = weekly("FREQ=YEARLY", "2026-01-01T00:00:00", 200 * 86400.0)
    inside = np.arange(at("2026-01-01T00:00:00Z"), at("2026-07-19T00:00:00Z"), 6 * 3600.0)
    assert compile_schedule(spell).active_at(inside).all()
    assert len(compile_schedule(spell).edges(at("2026-01-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))) == 1


def test_a_leap_day_is_found_years_ahead() -> None:
    edge = compile_schedule(weekly("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2024-02-29T08:00:00")).next_edge(
        at("2024-03-01T00:00:00Z")
    )
    assert edge is not None
    assert str(from_epoch(edge.at_s)) == "2028-02-29T07:00:00.000Z"


@pytest.mark.parametrize("when", [-1e18, -1.0, 0.0, 4e9, 1e300])
def test_times_far_off_are_answered(when: float) -> None:
    night = compile_schedule(nightly("Asia/Shanghai"))
    assert night.active(when) in (True, False)
    assert night.active_at(np.array([when])).tolist() == [night.active(when)]


SATURDAYS = "FREQ=WEEKLY;BYDAY=SA"


@pytest.mark.parametrize(
    ("schedule", "field", "words"),
    [
        (nightly("Mars/Olympus"), "$.s.time_zone", "IANA"),
        (nightly("../etc/passwd"), "$.s.time_zone", "IANA"),
        (nightly(""), "$.s.time_zone", "IANA"),
        (nightly("Asia"), "$.s.time_zone", "IANA"),
        (nightly("UTC", exceptions=("2026-12-25", "Christmas")), "$.s.exceptions[1]", "2026-12-25"),
        (nightly("UTC", holidays="ZZ"), "$.s.holidays", "ZZ"),
        (nightly("UTC", holidays="DE-XX"), "$.s.holidays", "DE-XX"),
        (Schedule(time_zone="UTC"), "$.s", "leave the schedule out"),
        (
            Schedule(time_zone="UTC", windows=(Window(start="01:00", end="02:00", days=()),)),
            "$.s.windows[0].days",
            "all",
        ),
        (weekly("every Saturday"), "$.s.recurrences[0].rrule", "RRULE"),
        (weekly("FREQ=SECONDLY"), "$.s.recurrences[0].rrule", "DAILY"),
        (weekly("FREQ=DAILY;INTERVAL=0"), "$.s.recurrences[0].rrule", "INTERVAL"),
        (weekly("FREQ=DAILY;COUNT=0"), "$.s.recurrences[0].rrule", "COUNT"),
        (weekly("FREQ=DAILY;UNTIL=soon"), "$.s.recurrences[0].rrule", "UNTIL"),
        (weekly("FREQ=DAILY;UNTIL=20200101"), "$.s.recurrences[0].rrule", "never"),
        (weekly("FREQ=WEEKLY;BYDAY=XX"), "$.s.recurrences[0].rrule", "followed"),
        (weekly("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"), "$.s.recurrences[0].rrule", "never"),
        (
            weekly("FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60)))),
            "$.s.recurrences[0].rrule",
            "60 times a day",
        ),
        (weekly(SATURDAYS, "2026-11-23T18:00:00Z"), "$.s.recurrences[0].dtstart", "offset"),
        (weekly(SATURDAYS, "0001-01-01T00:00:00"), "$.s.recurrences[0].dtstart", "1970"),
        (weekly(SATURDAYS, "next week"), "$.s.recurrences[0].dtstart", "local time"),
        (weekly(SATURDAYS, duration_s=1e12), "$.s.recurrences[0].duration_s", "year"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_field(schedule: Schedule, field: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        compile_schedule(schedule, "$.s")
    assert refused.value.field == field


def test_equal_schedules_share_their_work() -> None:
    assert compile_schedule(nightly("UTC")) is compile_schedule(nightly("UTC"))
    assert isinstance(compile_schedule(nightly("UTC")), CompiledSchedule)


def test_a_fence_whose_hours_cannot_be_followed_is_found_by_lint() -> None:
    properties = {"fence_id": "f", "rule": "stay_in", "datum": "wgs84", "buffer_m": 80}
    hours = {"time_zone": "Asia/Peking", "windows": [{"start": "21:00", "end": "06:00"}]}
    shape = {"type": "Point", "coordinates": [120.15, 30.27]}
    feature = {"type": "Feature", "geometry": shape, "properties": {**properties, "schedule": hours}}
    (finding,) = lint([json.dumps(feature).encode()])
    assert (finding.severity, finding.field) == ("error", "$.properties.schedule.time_zone")
