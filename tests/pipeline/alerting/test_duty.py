"""Who is on duty, when may they be woken, and how often was the alarm right?"""

from typing import Any

import pytest

from pipeline.alerting.policy import QuietHours
from pipeline.alerting.precision import precision_of, wilson
from pipeline.alerting.quiet import not_before
from pipeline.alerting.roster import Rosters, on_duty
from pipeline.scoring.calendar import zone_of
from schemas.alert import Alert
from schemas.message import Invalid, convert
from schemas.reference import Window
from schemas.roster import Roster, Shift, Stand
from schemas.times import parse
from tests.support.office import at

NIGHT = Roster(
    roster_id="r",
    agency="justice",
    time_zone="Europe/Berlin",
    shifts=(
        Shift(windows=(Window(start="22:00", end="06:00", days=(4,)),), people=("friday-night",)),
        Shift(windows=(Window(start="06:00", end="22:00", days=(5, 6)),), people=("weekend", "second")),
    ),
)


@pytest.mark.parametrize(
    ("moment", "people"),
    [
        ("2026-11-27T20:59:59Z", ()),  # Friday 21:59:59 in Berlin
        ("2026-11-27T21:00:00Z", ("friday-night",)),
        ("2026-11-28T04:59:59Z", ("friday-night",)),  # Saturday 05:59:59: still Friday's window
        ("2026-11-28T05:00:00Z", ("weekend", "second")),
        ("2026-11-29T04:59:59Z", ()),  # the night to Sunday is nobody's
        ("2026-07-24T20:00:00Z", ("friday-night",)),  # in summer 22:00 is an hour earlier by UTC
        ("2026-10-25T00:30:00Z", ()),  # the hour that comes twice, on a Sunday at 02:30
    ],
)
def test_shifts_run_over_midnight_and_changes_of_clocks(moment: str, people: tuple[str, ...]) -> None:
    assert on_duty(NIGHT, parse(moment)) == people


def test_a_swap_goes_before_the_weekly_shifts() -> None:
    swap = Stand(starts_at=parse("2026-11-28T08:00:00Z"), ends_at=parse("2026-11-28T12:00:00Z"), people=("deputy",))
    roster = convert({**{k: getattr(NIGHT, k) for k in NIGHT.__struct_fields__}, "stands": (swap,)}, Roster)
    assert on_duty(roster, parse("2026-11-28T08:00:00Z")) == ("deputy",)
    assert on_duty(roster, parse("2026-11-28T12:00:00Z")) == ("weekend", "second")


def test_rosters_of_an_agency_add_up_and_an_unknown_zone_is_refused() -> None:
    rosters = Rosters()
    always = (Shift(people=("a", "b")),)
    rosters.learn(Roster(roster_id="1", agency="justice", shifts=always))
    rosters.learn(Roster(roster_id="2", agency="justice", shifts=(Shift(people=("b", "c")),)))
    rosters.learn(Roster(roster_id="3", agency="police", shifts=always))
    assert rosters.on_duty("justice", "officer", at(0)) == ("a", "b", "c")
    assert rosters.on_duty("justice", "supervisor", at(0)) == ()
    with pytest.raises(Invalid, match="Mars/Olympus"):
        rosters.learn(Roster(roster_id="1", agency="justice", time_zone="Mars/Olympus"))
    rosters.forget("1")
    assert rosters.on_duty("justice", "officer", at(0)) == ("b", "c")


@pytest.mark.parametrize(
    ("moment", "later"),
    [
        ("2026-11-23T13:59:59Z", None),  # 21:59:59 in Shanghai
        ("2026-11-23T14:00:00Z", "2026-11-23T23:00:00Z"),
        ("2026-11-23T20:00:00Z", "2026-11-23T23:00:00Z"),  # 04:00: the same morning
        ("2026-11-23T23:00:00Z", None),
    ],
)
def test_quiet_hours_end_in_the_morning(moment: str, later: str | None) -> None:
    hours = QuietHours(start="22:00", end="07:00", severities=("low",))
    zone = zone_of("Asia/Shanghai", "UTC")
    assert not_before(parse(moment), "low", hours, zone) == (parse(later) if later else None)
    assert not_before(parse(moment), "high", hours, zone) is None


def test_quiet_hours_that_lie_within_a_day() -> None:
    hours = QuietHours(start="12:00", end="14:00", severities=("low",))
    zone = zone_of("UTC", "UTC")
    assert not_before(parse("2026-11-23T13:59:00Z"), "low", hours, zone) == parse("2026-11-23T14:00:00Z")
    assert not_before(parse("2026-11-23T14:00:00Z"), "low", hours, zone) is None


def alert(number: int, outcome: str | None, **fields: Any) -> Alert:
    known = {
        "alert_id": f"a{number}", "change_id": f"c{number}", "seq": 1, "event": "resolved", "state": "resolved",
        "at": str(at(0)), "subject_id": "s1", "agency": "justice", "rule": "breach", "severity": "high",
        "incident_type": "breach.opened", "raised_at": str(at(0)), "first_occurred_at": str(at(0)),
        "last_occurred_at": str(at(0)), "outcome": outcome, "fence_id": "home", "device_id": "d1",
    }  # fmt: skip
    return convert({**known, **fields}, Alert)


def test_precision_by_rule_fence_and_device_the_worst_first() -> None:
    alerts = [alert(n, "true_breach") for n in range(8)]
    alerts += [alert(8, "false_alarm_gps"), alert(9, "false_alarm_device", fence_id="mall", device_id="d2")]
    alerts += [alert(10, "test"), alert(11, None, state="open"), alert(0, "true_breach")]
    found = {(one.of, one.name): one for one in precision_of(alerts)}
    rule = found["rule", "breach"]
    assert (rule.right, rule.wrong, rule.unresolved, rule.precision) == (8, 2, 1, 0.8)
    assert rule.outcomes == {"false_alarm_device": 1, "false_alarm_gps": 1, "test": 1, "true_breach": 8}
    assert found["device", "d2"].precision == 0.0
    assert [one.name for one in precision_of(alerts) if one.of == "fence"] == ["mall", "home"]


def test_wilsons_interval_is_that_of_the_tables() -> None:
    """Eight of ten: 0.490 to 0.943, as in the usual tables (for instance Agresti and Coull 1998)."""
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 5)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(5, 5)[1] == pytest.approx(1)
