"""Incidents about devices: silent and why, back, unfit, and nobody's fault when an area is out."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.sentences import sentence
from pipeline.health import NO, UNKNOWN, YES, Reports
from pipeline.hearing import NEVER_MS
from pipeline.outage import OutageCore, Outages
from pipeline.step import Emission, Record
from pipeline.tidings import Who
from pipeline.vitals import Vitals
from schemas.incident import Incident
from schemas.message import encode
from schemas.outage import Outage
from schemas.times import from_epoch, parse

T0_S = 1_780_000_000
T0 = T0_S * 1000


def who(row: int) -> Who:
    return Who(f"a-{row}", f"d-{row}", f"s-{row}", "police")


def vitals(count: int = 1, source: str = "", period_s: float | None = 60.0, outages: Outages | None = None) -> Vitals:
    found = Vitals(who, outages=outages, source=source, rule_version="r1")
    rows = np.arange(count)
    found.admit(rows, np.full(count, T0), np.full(count, T0 + 30 * 86_400_000), np.full(count, period_s or 0.0))
    return found


def report(at_s: float, row: int = 0, **said: Any) -> dict[str, Any]:
    plain = {"lat": 30.27 + at_s * 1e-7, "lon": 120.15, "battery_pct": np.nan, "charging": UNKNOWN, "satellite": True}
    flags = {"low_alarm": False, "power_off": False, "mock": False}
    at = T0 + round(at_s * 1000)
    return {"rows": row, "fix_ms": at, "received_ms": at, **plain, **flags, **said}


def observe(to: Vitals, *rows: dict[str, Any], carrier: str | None = None) -> list[Incident]:
    kinds: dict[str, Any] = {"rows": np.intp, "fix_ms": np.int64, "received_ms": np.int64, "charging": np.int8}
    kinds |= dict.fromkeys(("satellite", "low_alarm", "power_off", "mock"), np.bool_)
    columns = {name: np.array([row[name] for row in rows], kinds.get(name, np.float64)) for name in Reports._fields}
    reports = Reports(**columns)
    carriers = None if carrier is None else [carrier] * len(rows)
    return [e.message for e in to.observe(reports, reports.received_ms, carriers)]


def wake(to: Vitals, after_s: float) -> list[Incident]:
    return [e.message for e in to.wake(T0 + round(after_s * 1000)) if e.topic == "incidents"]


def test_silence_says_since_when_where_and_how_it_was_with_the_battery() -> None:
    devices = vitals()
    observe(devices, report(10), report(70, battery_pct=44, charging=NO), carrier="460-00")
    (silent,) = wake(devices, 3600)
    assert (silent.type, silent.subject_id, silent.activation_id) == ("device.silent", "s-0", "a-0")
    assert (silent.occurred_at, silent.detected_at) == (from_epoch(T0_S + 70), from_epoch(T0_S + 250))
    assert silent.evidence == {
        "silent_s": 180.0, "patience_s": 180.0, "period_s": 60.0, "period_learnt": False, "likely_cause": "unknown",
        "battery_pct": 44.0, "charging": False, "last_heard": "2026-05-28T20:27:50.000Z",
        "lat": 30.270007, "lon": 120.15, "carrier": "460-00", "district": "30.2,120.1",
    }  # fmt: skip
    assert silent.rule_version == "r1"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"power_off": True}, "switched_off"),
        ({"battery_pct": 3.0}, "battery_empty"),
        ({"battery_pct": 3.0, "charging": YES}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_what_was_known_before_shapes_the_likely_cause(said: dict[str, Any], cause: str) -> None:
    devices = vitals()
    observe(devices, report(10), report(70, **said))
    (silent,) = wake(devices, 3600)
    assert silent.evidence["likely_cause"] == cause
    assert sentence(silent)


def test_back_says_for_how_long_it_was_gone() -> None:
    devices = vitals()
    observe(devices, report(10))
    wake(devices, 3600)
    (back,) = observe(devices, report(4000), report(4030))
    assert (back.type, back.occurred_at, back.evidence["silent_s"]) == ("device.back", from_epoch(T0_S + 4000), 3990.0)


def test_findings_carry_the_place_of_the_fix_that_settled_them() -> None:
    found = observe(vitals(), report(10, battery_pct=9.0), report(20), report(30, mock=True))
    assert [(i.type, i.severity, i.evidence["lat"]) for i in found] == [
        ("device.battery_low", "low", 30.270001),
        ("fix.mocked", "high", 30.270003),
    ]


def test_nothing_is_expected_when_supervision_has_ended() -> None:
    devices = vitals()
    observe(devices, report(30 * 86400 - 30))
    assert wake(devices, 40 * 86400) == []
    assert devices.next_wake_ms() == NEVER_MS


def test_state_survives_being_written() -> None:
    devices, other = vitals(), vitals()
    observe(devices, report(10, battery_pct=3), report(70), carrier="460-00")
    other.load(np.array([0]), [*devices.dump(np.array([0]))])
    assert wake(devices, 3600) == wake(other, 3600) != []


stories = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([1, 20, 20, 60, 200, 700]),
        st.sampled_from([{}, {}, {}, {"battery_pct": 4.0}, {"power_off": True}, {"mock": True}, {"lat": 31.0}]),
    ),
    min_size=1,
    max_size=150,
)


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(2, 40))
def test_batches_change_nothing(story: list[tuple[int, int, dict[str, Any]]], size: int) -> None:
    """One fix at a time with the timer before each, in batches, or all at once: the same incidents, to the byte."""
    clock = np.cumsum([gap for _, gap, _ in story])
    rows = [report(float(at), row, **said) for at, (row, _, said) in zip(clock, story, strict=True)]
    runs = []
    for step in (1, size, len(rows)):
        devices, found = vitals(3, period_s=None), []
        for start in range(0, len(rows), step):
            if step == 1:
                found += wake(devices, float(clock[start]))
            found += observe(devices, *rows[start : start + step])
        found += wake(devices, float(clock[-1]) + 7200)
        runs.append(sorted(encode(incident) for incident in found))
    assert runs[0] == runs[1] == runs[2]


def put(core: OutageCore, outages: Outages, emissions: list[Emission]) -> int:
    pulses = [e for e in emissions if e.topic == "pulses"]
    records = [Record("pulses", 0, n, e.key.encode(), encode(e.message), T0_S) for n, e in enumerate(pulses)]
    for said in core.apply(records, from_epoch(T0_S)):
        outages.learn(said.message)
    return len(pulses)


def test_a_carrier_goes_out_and_every_silence_of_it_is_marked_in_time() -> None:
    """Two partitions of 30 devices each, 40 % of them with the carrier that fails; two others are switched off."""
    outages, core, rng = Outages(), OutageCore(), np.random.default_rng(8)
    parts = [vitals(30, f"locate/{n}", 60.0, outages) for n in range(2)]
    incidents: list[Incident] = []
    pulses = 0
    fail_s = 1200
    for at in range(0, 3600, 5):
        for part in parts:
            for row in range(30):
                on_carrier = row % 5 < 2
                gone = (on_carrier and fail_s <= at < 2400) or (row in (3, 4) and at > 1000)
                if at % 60 == row * 2 - row * 2 % 5 and not gone and rng.random() > 0.02:
                    said = {"lat": 30.0 + row * 0.2 + at * 1e-7}
                    incidents += observe(part, report(at, row, **said), carrier="460-00" if on_carrier else "460-01")
            emissions = part.wake(T0 + at * 1000)
            incidents += [e.message for e in emissions if e.topic == "incidents"]
            pulses += put(core, outages, emissions)
    silent = [i for i in incidents if i.type == "device.silent"]
    marked = {i.subject_id for i in silent if not i.attributable}
    assert marked == {f"s-{row}" for row in range(30) if row % 5 < 2}
    assert {i.subject_id for i in silent if i.attributable} == {"s-3", "s-4"}
    assert len({i.incident_id for i in silent}) == len({(i.subject_id, i.incident_id) for i in silent})
    first = next(i for i in silent if not i.attributable)
    assert first.evidence["outage_area"] == "carrier:460-00"
    assert first.evidence["likely_cause"] == "outage"
    assert first.evidence["outage_quiet"] / first.evidence["outage_devices"] >= 0.5
    assert abs(outages_since(first) - fail_s) <= 120
    back = [i for i in incidents if i.type == "device.back" and i.subject_id in marked]
    assert back
    assert not any(i.attributable for i in back)
    assert pulses > 20


def outages_since(incident: Incident) -> float:
    return parse(incident.evidence["outage_since"]).timestamp() - T0_S


def test_told_before_the_outage_was_known_it_is_told_again_under_the_same_id() -> None:
    outages = Outages()
    devices = vitals(1, "locate/0", 60.0, outages)
    observe(devices, report(10), carrier="460-00")
    (silent,) = wake(devices, 300)
    assert silent.attributable
    outages.learn(
        Outage(
            outage_id="o-1",
            area="carrier:460-00",
            since=from_epoch(T0_S),
            detected_at=from_epoch(T0_S + 310),
            quiet=9,
            devices=10,
        )
    )
    emissions = [e for e in devices.wake(T0 + 400_000) if e.topic == "incidents"]
    (again,) = [e.message for e in emissions]
    assert (again.incident_id, again.attributable, again.evidence["outage_id"]) == (silent.incident_id, False, "o-1")
    assert emissions[0].id != silent.incident_id
    assert again.detected_at - silent.detected_at == timedelta()
    assert wake(devices, 500) == []
