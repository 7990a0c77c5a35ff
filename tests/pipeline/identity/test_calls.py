"""When check-ins are due, called, met and missed; and the end of an order."""

from datetime import timedelta

import pytest

from pipeline.identity.person import Person
from schemas.checkin import CheckinCall
from schemas.gallery import Enrolment, Erasure
from schemas.incident import Incident
from schemas.message import convert
from schemas.times import Instant, instant
from tests.support.faces_told import NOBODY, bench, checkin, core, examined, plan, shanghai, tried, types
from tests.support.office import START, Bench, at, messages

NOON = shanghai("2026-11-23T12:00:00")


def _s(moment: Instant) -> float:
    return (moment - START).total_seconds()


def _events(said: object) -> list[str]:
    return [one.event for one in messages(said, CheckinCall)]  # type: ignore[arg-type]


def _at_noon(**fields: object) -> Bench:
    of = bench()
    of.tell("checkin-plans", plan(fixed=[{"at": "12:00", "early_s": 600, "late_s": 600}], **fields))
    return of


def test_a_person_is_called_when_a_slot_opens_and_missed_when_it_closed_with_no_try() -> None:
    of = _at_noon()
    assert of.pass_time(instant(NOON - timedelta(seconds=601))) == []
    (called,) = messages(of.pass_time(instant(NOON - timedelta(seconds=600))), CheckinCall)
    assert (called.event, called.closes_at, called.tell[0].recipient) == ("called", NOON + timedelta(seconds=600), "s1")
    assert of.pass_time(instant(NOON + timedelta(seconds=659))) == []
    said = of.pass_time(instant(NOON + timedelta(seconds=660)))
    (missed,) = messages(said, Incident)
    assert (missed.type, missed.occurred_at) == ("checkin.missed", NOON + timedelta(seconds=600))
    assert _events(said) == ["missed"]
    of.pass_time(instant(NOON + timedelta(days=2)))
    assert types(of.said).count("checkin.missed") == 2, "tomorrow, too, and the day after has not closed"


def test_a_checkin_meets_its_slot_also_when_it_is_looked_at_after_the_end() -> None:
    of = _at_noon()
    last = checkin("c1", _s(NOON) + 599)
    of.tell("checkins", last, last.received_at)
    of.restarted(core())
    assert types(tried(of, "c2", _s(NOON) + 800, 0.0, measures=NOBODY)) == ["checkin.rejected"], (
        "another, after the end"
    )
    assert not types(of.pass_time(instant(NOON + timedelta(seconds=900))))
    said = of.tell("face-results", examined(last), instant(NOON + timedelta(seconds=901)))
    assert (types(said), _events(said)) == (["checkin.done"], ["met"])
    assert "checkin.missed" not in types(of.pass_time(instant(NOON + timedelta(seconds=5000))))


def test_who_tried_in_vain_did_not_miss_it() -> None:
    """Tries that did not succeed are a matter for a human, with the link to a video check."""
    of = _at_noon()
    tried(of, "c1", _s(NOON), 0.0, measures=NOBODY)
    (doubt,) = messages(of.pass_time(instant(NOON + timedelta(seconds=700))), Incident)
    assert (doubt.type, doubt.evidence["reason"], doubt.evidence["tries"]) == (
        "identity.doubtful", "tried", ["face_found"],
    )  # fmt: skip
    assert doubt.evidence["join_link"].startswith("https://")


def test_a_checkin_outside_of_all_slots_meets_none() -> None:
    of = _at_noon()
    assert types(tried(of, "c1", _s(NOON) - 700)) == ["checkin.done"]
    of.pass_time(instant(NOON + timedelta(seconds=700)))
    assert types(of.said) == ["checkin.done", "checkin.missed"]


def test_a_window_over_midnight_is_one_slot() -> None:
    of = bench()
    of.tell("checkin-plans", plan(windows=[{"start": "23:30", "end": "00:30", "days": [0]}]))
    of.pass_time(shanghai("2026-11-24T00:10:00"))
    assert _events(of.said) == ["called"]
    tried(of, "c1", _s(shanghai("2026-11-24T00:20:00")))
    of.pass_time(shanghai("2026-11-25T12:00:00"))
    assert _events(of.said) == ["called", "met"]


def test_another_plan_takes_the_open_calls_of_the_old_one_back() -> None:
    of = _at_noon()
    of.pass_time(NOON)
    said = of.tell("checkin-plans", plan(plan_id="p2", fixed=[{"at": "18:00"}]), NOON)
    assert _events(said) == ["withdrawn"]
    of.pass_time(shanghai("2026-11-23T17:50:00"))
    assert _events(of.said) == ["called", "withdrawn", "called"]
    said = of.core.apply([_tombstone(of)], of.now)
    assert _events(said) == ["withdrawn"]
    assert of.core.next_wake() is None  # type: ignore[attr-defined]


def _tombstone(of: Bench) -> object:
    from pipeline.step import Record  # noqa: PLC0415

    return Record("checkin-plans", 0, 99, b"s1", b"", of.now.timestamp())


def test_the_same_plan_again_calls_nobody_twice() -> None:
    of = _at_noon()
    of.pass_time(NOON)
    of.tell("checkin-plans", plan(fixed=[{"at": "12:00", "early_s": 600, "late_s": 600}]), NOON)
    longer = plan(fixed=[{"at": "12:00", "early_s": 600, "late_s": 600}], ends_at=str(at(10 * 86400)))
    of.tell("checkin-plans", longer, NOON)
    assert _events(of.said) == ["called"]


def _enrolled(until: Instant) -> Enrolment:
    given = {"enrolment_id": "e", "subject_id": "s1", "event": "enrolled", "at": str(at(0)), "order_id": "o"}
    return convert(given | {"model": "Dlib", "model_version": "1", "retain_until": str(until)}, Enrolment)


@pytest.mark.parametrize("with_plan", [False, True])
def test_at_the_end_of_the_order_the_face_is_to_be_deleted_and_nothing_is_kept(with_plan: bool) -> None:
    of = bench()
    of.tell("enrolments", _enrolled(at(3600)))
    end = at(3600)
    if with_plan:  # the later of both
        of.tell("checkin-plans", plan(fixed=[{"at": "03:00"}], ends_at=str(at(86400)), keep_days=1))
        end = at(2 * 86400)
    assert not messages(of.pass_time(instant(end - timedelta(seconds=1))), Erasure)
    assert isinstance(of.core["s1"], Person)  # type: ignore[index]
    (due,) = messages(of.pass_time(end), Erasure)
    assert (due.event, due.order_id, due.at) == ("due", "o", end)
    assert len(of.core) == 0  # type: ignore[arg-type]
    assert of.core.next_wake() is None  # type: ignore[attr-defined]


def test_a_longer_order_keeps_the_face_longer() -> None:
    of = bench()
    of.tell("enrolments", _enrolled(at(3600)))
    of.tell("enrolments", _enrolled(at(7200)))
    assert not messages(of.pass_time(at(7199)), Erasure)
    assert messages(of.pass_time(at(7200)), Erasure)
