"""Time and absence in the core that the worker runs: curfews, leave, silence, outages, across restarts."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from pipeline import vitalsigns
from pipeline.locate import LocateCore
from pipeline.reference import Reference
from pipeline.step import Emission, Entry, Record
from schemas.incident import Incident
from schemas.message import encode
from schemas.outage import Outage
from schemas.reference import Leave, Schedule, Window
from schemas.times import instant, parse
from tests.support.cores import changes
from tests.support.ground import fence, moved, point

NINE_PM = parse("2026-11-23T13:00:00Z")  # in Shanghai
HOME = (30.27, 120.15)
CURFEW = Schedule(time_zone="Asia/Shanghai", windows=(Window(start="21:00", end="06:00"),))


def after(minutes: float) -> datetime:
    return NINE_PM + timedelta(minutes=minutes)


class Night:
    """One device, reporting every 15 s from where it is told to be; arrival a second after the fix."""

    def __init__(self, schedule: Schedule | None = CURFEW, source: str = "", seed: int = 3) -> None:
        self.reference = Reference(open_world=True)
        self.reference.put_fence(fence(point(*HOME[::-1]), "home", buffer_m=100.0, schedule=schedule))
        self.source = source
        self.core = LocateCore(self.reference, source=source)
        self.told: list[Incident] = []
        self.records: list[Record] = []
        self.rng = np.random.default_rng(seed)
        self.offset = 0
        self.error = np.zeros(2)

    def report(self, at: datetime, away_m: float, *, wake: bool = True, **said: Any) -> None:
        self.error = 0.78 * self.error + self.rng.normal(0, 2.5, 2)
        lat, lon = moved(*HOME, 0.0, away_m)
        fix = {
            "device_id": "d-1", "fix_time": str(instant(at)), "lat": float(lat + self.error[0] / 110_860),
            "lon": float(lon + self.error[1] / 96_000), "accuracy_m": 8, "provider": "gnss",
            "received_at": str(instant(at + timedelta(seconds=1))), **said,
        }  # fmt: skip
        self.offset += 1
        record = Record("fixes", 0, self.offset, b"d-1", encode(fix), at.timestamp() + 1)
        self.records.append(record)
        if wake:
            self.wake(at)
        self.keep(self.core.apply([record], at))

    def wake(self, at: datetime) -> None:
        self.keep(self.core.wake(at))

    def keep(self, emissions: list[Emission]) -> None:
        self.told += [e.message for e in emissions if e.topic == "incidents"]

    def stay(self, since: float, until: float, away_m: float, to_m: float | None = None, **said: Any) -> None:
        """Report from minute `since` to `until`, going from `away_m` to `to_m`."""
        moments = np.arange(since, until, 0.25)
        for minute in moments:
            share = (minute - since) / (until - since)
            there = away_m if to_m is None else away_m + share * (to_m - away_m)
            self.report(after(float(minute)), there, **said)

    def restart(self) -> None:
        entries = changes(self.core)
        self.core = LocateCore(self.reference, source=self.source)
        self.core.restore(Entry(key, value or b"") for key, value in entries)

    def kinds(self) -> list[tuple[str, float]]:
        return [(i.type, round((i.occurred_at - NINE_PM).total_seconds() / 60, 2)) for i in self.told]


def test_already_out_when_the_curfew_begins_is_a_breach_at_that_moment_without_a_fix() -> None:
    night = Night()
    night.stay(-30, -20, 0)
    night.stay(-20, -18, 0, 800)
    night.stay(-18, -1, 800)
    assert night.told == []
    night.wake(after(0.5))
    (opened,) = night.told
    assert (opened.type, opened.occurred_at) == ("breach.opened", NINE_PM)
    assert opened.detected_at - NINE_PM <= timedelta(seconds=30)
    assert opened.evidence["edge"] is True


def test_who_was_out_and_stands_on_the_line_when_the_curfew_begins_is_uncertain_until_fixes_say_more() -> None:
    night = Night()
    night.stay(-30, -20, 0)
    night.stay(-20, -18, 0, 800)
    night.stay(-18, -12, 800)
    night.stay(-12, -6, 800, 105)
    night.stay(-6, 6, 105)
    assert [i for i in night.told if i.type.startswith("breach")] == []
    night.stay(6, 10, 105, 500)
    (opened,) = night.told
    assert (opened.type, opened.occurred_at, opened.confidence >= 0.99) == ("breach.opened", NINE_PM, True)


def test_a_breach_that_lasts_when_the_curfew_ends_is_closed_at_that_edge() -> None:
    night = Night()
    night.stay(-30, -20, 0)
    night.stay(-20, -18, 0, 800)
    night.stay(-18, 5, 800)
    night.stay(530, 541, 800)
    opened, closed = [i for i in night.told if i.type.startswith("breach")]
    assert (closed.type, closed.occurred_at) == ("breach.closed", after(9 * 60))
    assert (closed.evidence["reason"], closed.breach_id) == ("schedule", opened.breach_id)
    assert (closed.confidence, closed.evidence["opened_at"]) == (1.0, str(NINE_PM))


def test_at_home_when_the_curfew_begins_is_nothing() -> None:
    night = Night()
    night.stay(-30, 30, 0)
    night.wake(after(60))
    assert [i for i in night.told if i.type.startswith("breach")] == []


def test_a_place_known_too_long_ago_waits_for_a_fix_and_then_dates_from_the_edge() -> None:
    night = Night()
    night.stay(-70, -60, 0)
    night.stay(-60, -58, 0, 800)
    night.stay(-58, -50, 800)
    night.wake(after(10))
    assert "breach.opened" not in [i.type for i in night.told]
    night.stay(12, 15, 800)
    (opened,) = [i for i in night.told if i.type == "breach.opened"]
    assert opened.occurred_at == NINE_PM


def test_edges_are_judged_the_same_after_a_restart() -> None:
    plain, stopped = Night(), Night()
    for night in (plain, stopped):
        night.stay(-30, -20, 0)
        night.stay(-20, -18, 0, 800)
        night.stay(-18, -1, 800)
        if night is stopped:
            night.restart()
        night.stay(-1, 20, 800)
        night.wake(after(60))
    assert plain.told == stopped.told != []


def leave(night: Night, start: float, end: float, said_at: float, state: str = "approved", **more: Any) -> None:
    message = Leave(
        leave_id="l-1", subject_id="d-1", starts_at=instant(after(start)), ends_at=instant(after(end)),
        state=state, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    assert night.reference.learn("leaves", b"l-1", encode(message), after(said_at)) is None


def test_who_is_on_leave_breaks_nothing_until_it_ends_and_is_out_then() -> None:
    night = Night(schedule=None)
    leave(night, 0, 60, said_at=-60)
    night.stay(-10, 5, 0)
    night.stay(5, 7, 0, 800)
    night.stay(7, 59, 800)
    assert [i for i in night.told if i.type.startswith("breach")] == []
    night.wake(after(61))
    (opened,) = [i for i in night.told if i.type == "breach.opened"]
    assert opened.occurred_at == after(60)


def test_leave_to_a_region_allows_the_region_and_nowhere_else() -> None:
    lat, lon = moved(*HOME, 0.0, 800)
    ring = [
        [lon - 0.003, lat - 0.003],
        [lon + 0.003, lat - 0.003],
        [lon + 0.003, lat + 0.01],
        [lon - 0.003, lat + 0.01],
    ]
    region = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    inside, beyond = Night(schedule=None), Night(schedule=None)
    for night, goes_to in ((inside, 800), (beyond, 2500)):
        leave(night, -5, 300, said_at=-60, region=region)
        night.stay(-10, 0, 0)
        night.stay(0, 1, 0, 560)
        night.stay(1, 5, 560, goes_to)
        night.stay(5, 30, goes_to)
    # The way there is 360 m of neither; half a minute of it is no breach that stays open.
    stands = [i.type for i in inside.told if i.type.startswith("breach")]
    assert stands in ([], ["breach.opened", "breach.closed"])
    assert [i.type for i in beyond.told if i.type.startswith("breach")][-1] == "breach.opened"


def test_leave_given_while_a_breach_stands_closes_it() -> None:
    night = Night(schedule=None)
    night.stay(-10, 0, 0)
    night.stay(0, 2, 0, 800)
    night.stay(2, 10, 800)
    leave(night, 5, 100, said_at=10)
    night.stay(10, 12, 800)
    opened, closed = [i for i in night.told if i.type.startswith("breach")]
    assert (closed.type, closed.evidence["reason"], closed.breach_id) == ("breach.closed", "leave", opened.breach_id)
    assert opened.occurred_at <= closed.occurred_at <= after(12)


def test_leave_given_afterwards_closes_the_breach_of_a_device_that_says_no_more() -> None:
    night = Night(schedule=None)
    night.stay(-10, 0, 0)
    night.stay(0, 2, 0, 800)
    night.stay(2, 10, 800)
    leave(night, 5, 100, said_at=30)
    night.wake(after(31))
    closed = [i for i in night.told if i.type == "breach.closed"]
    assert [(i.occurred_at, i.evidence["reason"]) for i in closed] == [(after(5), "leave")]


@pytest.mark.parametrize("at_once", [1, vitalsigns.TAKEN_AT_ONCE])
def test_silence_and_return_survive_a_restart_in_between(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitalsigns, "TAKEN_AT_ONCE", at_once)
    plain, stopped = Night(schedule=None), Night(schedule=None)
    for night in (plain, stopped):
        night.stay(0, 20, 0, battery_pct=41)
        if night is stopped:
            night.restart()
        night.wake(after(25))
        if night is stopped:
            night.restart()
        night.stay(40, 42, 0)
    assert plain.told == stopped.told
    assert [kind for kind, _ in plain.kinds()] == ["device.silent", "device.back"]
    silent = plain.told[0]
    assert (silent.device_id, silent.activation_id, silent.evidence["battery_pct"]) == ("d-1", "d-1", 41.0)


def test_a_file_that_does_not_say_when_fixes_arrived_says_nothing_of_silence() -> None:
    night = Night(schedule=None)
    fixes = [
        {"device_id": "d-1", "fix_time": str(instant(after(m))), "lat": HOME[0], "lon": HOME[1]} for m in (0, 1, 2, 300)
    ]
    night.keep(night.core.apply([Record("fixes", 0, n, b"", encode(fix), 0.0) for n, fix in enumerate(fixes)], NINE_PM))
    night.keep(night.core.flush(after(600)))
    assert night.told == []


def test_an_outage_told_on_its_topic_marks_the_silence() -> None:
    night = Night(schedule=None, source="locate/0")
    night.stay(0, 20, 0, carrier="460-00")
    outage = Outage(
        outage_id="o-1", area="carrier:460-00", since=after(19.5), detected_at=after(21), quiet=40, devices=50
    )
    assert night.reference.learn("outages", b"o-1", encode(outage), after(21)) is None
    night.wake(after(25))
    (silent,) = night.told
    assert (silent.attributable, silent.evidence["outage_id"], silent.evidence["carrier"]) == (False, "o-1", "460-00")


def test_pulses_are_sent_for_a_named_partition_only() -> None:
    sent = []
    for source in ("", "locate/0"):
        night = Night(schedule=None, source=source)
        night.stay(0, 5, 0)
        sent.append([e for minute in range(5, 12) for e in night.core.wake(after(minute)) if e.topic == "pulses"])
    assert sent[0] == []
    assert sent[1][0].message.source == "locate/0"
    assert sent[1][-1].message.areas[0].quiet != {}


def test_a_mocked_position_and_a_time_from_the_future_are_told_and_not_believed() -> None:
    night = Night(schedule=None)
    night.stay(0, 5, 0)
    night.report(after(5), 5000, mock=True)
    night.report(after(500), 0, wake=False, received_at=str(instant(after(5.3))))
    night.stay(5.5, 8, 0)
    assert [kind for kind, _ in night.kinds()] == ["fix.mocked", "device.clock_wrong"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_change_nothing(size: int) -> None:
    """The same night in other portions gives the same incidents."""
    night = Night()
    night.stay(-30, -20, 0)
    night.stay(-20, -18, 0, 800)
    night.stay(-18, 20, 800)
    night.stay(45, 60, 700)
    night.stay(60, 62, 700, 0)
    night.stay(62, 80, 0, battery_pct=9)

    def run(step: int) -> list[bytes]:
        core = LocateCore(night.reference)
        found: list[Emission] = []
        for start in range(0, len(night.records), step):
            found += core.apply(night.records[start : start + step], NINE_PM)
        found += core.flush(after(90))
        return sorted(encode(e.message) for e in found)

    assert run(size) == run(50)
    assert len(run(50)) >= 5
