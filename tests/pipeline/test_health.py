"""What a device's own reports say about whether it can be believed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.health import NO, UNKNOWN, YES, Finding, Health, HealthRule, Power, Reports

T0 = 1_780_000_000_000
HOUR_S = 3600


def report(at_s: float, row: int = 0, **said: Any) -> dict[str, Any]:
    fix_ms = T0 + round(at_s * 1000)
    lag_ms = round(said.pop("lag_s", 1) * 1000)
    plain = {"lat": 30.0 + at_s * 1e-6, "lon": 120.0, "satellite": True, "battery_pct": np.nan, "charging": UNKNOWN}
    flags = {"low_alarm": False, "power_off": False, "mock": False}
    return {"rows": row, "fix_ms": fix_ms, "received_ms": fix_ms + lag_ms, **plain, **flags, **said}


def reports(*rows: dict[str, Any]) -> Reports:
    kinds = {"rows": np.intp, "fix_ms": np.int64, "received_ms": np.int64, "charging": np.int8}
    flags = dict.fromkeys(("satellite", "low_alarm", "power_off", "mock"), np.bool_)
    kinds |= flags  # type: ignore[arg-type]
    return Reports(**{n: np.array([r[n] for r in rows], kinds.get(n, np.float64)) for n in Reports._fields})  # type: ignore[arg-type]


def observe(*rows: dict[str, Any], health: Health | None = None, rule: HealthRule | None = None) -> list[Finding]:
    health = health or Health(rule)
    health.reserve(max((row["rows"] for row in rows), default=0) + 1)
    return health.observe(reports(*rows))


def kinds(findings: list[Finding]) -> list[tuple[str, float]]:
    return [(finding.kind, (finding.occurred_ms - T0) / 1000) for finding in findings]


def test_a_low_battery_is_told_once_per_discharge() -> None:
    levels = [40, 16, 15, 14, 20, 12, 26, 15, 9]
    found = observe(*(report(60 * n, battery_pct=level) for n, level in enumerate(levels)))
    assert kinds(found) == [("battery_low", 120), ("battery_low", 420)]
    assert found[0].evidence == {"battery_pct": 15.0}


def test_a_battery_that_charges_is_not_low() -> None:
    assert observe(report(0, battery_pct=5, charging=YES), report(60, battery_pct=6)) == []


def test_unplugged_again_it_is() -> None:
    found = observe(report(0, battery_pct=5, charging=YES), report(60, battery_pct=5, charging=NO))
    assert kinds(found) == [("battery_low", 60)]


def test_the_devices_own_alarm_will_do() -> None:
    assert observe(report(0, low_alarm=True))[0].evidence == {"battery_pct": None}


def test_switching_off_is_told_with_what_is_known_of_the_battery() -> None:
    health = Health()
    found = observe(report(0, battery_pct=80), report(60, power_off=True), report(61, power_off=True), health=health)
    assert kinds(found) == [("power_off", 60)]
    assert found[0].evidence == {"battery_pct": 80.0, "charging": False}
    assert health.power(0) == Power(80.0, None, T0 + 60_000)
    assert kinds(observe(report(100), report(160, power_off=True), health=health)) == [("power_off", 160)]


def test_invented_positions_are_told_once_an_hour() -> None:
    found = observe(*(report(60 * n, mock=True) for n in range(70)))
    assert kinds(found) == [("mocked", 0), ("mocked", 3600)]


def test_a_position_that_never_trembles_is_stuck() -> None:
    still = [report(600 * n, lat=30.25, lon=120.5) for n in range(30)]
    (found,) = observe(report(-60), *still)
    assert (found.kind, found.occurred_ms, found.place) == ("stuck", T0, 25)
    assert found.evidence == {"fixes": 25, "still_s": 4 * HOUR_S}


def test_a_tremble_of_two_centimetres_is_life() -> None:
    """The seventh decimal of a degree is a centimetre; receivers at rest change it all the time."""
    assert observe(*(report(600 * n, lat=30.25 + 2e-7 * (n % 2)) for n in range(60))) == []


def test_positions_from_the_network_may_repeat() -> None:
    assert observe(*(report(600 * n, lat=30.25, satellite=False) for n in range(60))) == []


def test_zero_zero_is_a_place_like_any_other() -> None:
    assert observe(*(report(600 * n, lat=0.0, lon=0.0) for n in range(20))) == []


def test_few_reports_over_hours_are_no_proof() -> None:
    assert observe(*(report(HOUR_S * n, lat=30.25) for n in range(15))) == []


def test_once_it_moves_it_can_be_stuck_again() -> None:
    still = [report(600 * n, lat=30.25) for n in range(30)]
    again = [report(600 * n, lat=31.25) for n in range(30, 60)]
    assert kinds(observe(*still, *again)) == [("stuck", 0), ("stuck", 600 * 30)]


def test_a_time_from_the_future_is_a_wrong_clock_and_hides_nothing_after_it() -> None:
    health = Health()
    found = observe(report(0), report(8 * HOUR_S, lag_s=-8 * HOUR_S), health=health)
    assert [f.kind for f in found] == ["clock_wrong"]
    assert found[0].evidence["offset_s"] == 8 * HOUR_S
    assert kinds(observe(report(60, power_off=True), health=health)) == [("power_off", 60)]


def test_a_lag_that_stays_is_a_wrong_clock() -> None:
    found = observe(*(report(90 * n, lag_s=8 * HOUR_S + n % 3) for n in range(20)))
    assert [(f.kind, f.evidence["fixes"]) for f in found] == [("clock_wrong", 8)]


def test_a_lag_that_shrinks_is_a_buffer_being_emptied() -> None:
    assert observe(*(report(60 * n, lag_s=HOUR_S - 58 * n) for n in range(60))) == []


def test_a_buffer_sent_at_once_is_no_wrong_clock() -> None:
    assert observe(*(report(15 * n, lag_s=2 * HOUR_S - 15 * n) for n in range(400))) == []


def test_without_the_gateways_time_no_clock_is_judged() -> None:
    rows = [report(60 * n) | {"received_ms": 0} for n in range(20)]
    assert observe(*rows) == []


def test_nothing_in_nothing_out() -> None:
    assert Health().observe(reports()) == []


said = st.fixed_dictionaries(
    {
        "row": st.integers(0, 2),
        "step_s": st.sampled_from([-30, 0, 15, 60, 600]),
        "lat": st.sampled_from([30.25, 30.25, 30.25, 30.3]),
        "satellite": st.sampled_from([True, True, False]),
        "battery_pct": st.sampled_from([np.nan, 5.0, 15.0, 16.0, 26.0, 80.0]),
        "charging": st.sampled_from([UNKNOWN, NO, YES]),
        "low_alarm": st.sampled_from([False, False, False, True]),
        "power_off": st.sampled_from([False, False, False, True]),
        "mock": st.sampled_from([False, False, False, True]),
        "lag_s": st.sampled_from([1, 1, 1, 1000, 1001, -500]),
    }
)


@settings(max_examples=80, deadline=None)
@given(st.lists(said, min_size=1, max_size=120), st.integers(1, 50))
def test_batches_change_nothing(story: list[dict[str, Any]], size: int) -> None:
    rule = HealthRule(stuck_s=1200, stuck_fixes=3, clock_s=60, clock_fixes=3, mock_again_s=300)
    clock, rows = 0.0, []
    for one in story:
        told = dict(one)
        clock += told.pop("step_s")
        rows.append(report(clock, **told))
    ways = []
    for step in (1, size, len(rows)):
        health = Health(rule)
        health.reserve(3)
        found = []
        for start in range(0, len(rows), step):
            piece = health.observe(reports(*rows[start : start + step]))
            found += [finding._replace(place=finding.place + start) for finding in piece]
        ways.append((found, health.rows.tobytes()))
    assert ways[0] == ways[1] == ways[2]


def test_state_survives_being_written() -> None:
    health = Health()
    observe(*(report(600 * n, lat=30.25, battery_pct=10) for n in range(20)), health=health)
    other = Health()
    other.reserve(1)
    other.rows[:1] = health.rows[:1]
    more = [report(600 * n, lat=30.25, battery_pct=10) for n in range(20, 40)]
    assert observe(*more, health=other) == observe(*more, health=health) != []
    with pytest.raises(IndexError):
        Health().power(0)
