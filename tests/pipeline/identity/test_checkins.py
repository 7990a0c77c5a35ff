"""From a check-in and what was measured on it to incidents, results and doubts; doubts go to humans."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.checkin import CheckinResult
from schemas.command import CommandResult
from schemas.incident import Incident
from schemas.topics import INCIDENTS
from tests.support.faces_told import BETWEEN, NOBODY, OTHER, bench, checkin, core, examined, position, tried, types
from tests.support.office import Bench, at, command, messages


def _results(of: Bench) -> list[CheckinResult]:
    return messages(of.said, CheckinResult)


@pytest.mark.parametrize("order", sorted(permutations(("checkins", "face-results", "position-answers"))))
def test_the_parts_may_come_in_any_order_and_twice(order: tuple[str, ...]) -> None:
    """One result, one incident with the same id; also when the state is taken back from the changelog in between."""
    one = checkin("c1", at_m=30)
    parts = {"checkins": one, "face-results": examined(one), "position-answers": position(one)}
    of = bench()
    for topic in order:
        of.tell(topic, parts[topic])
        of.tell(topic, parts[topic])
        of.restarted(core())
    (done,) = messages(of.said, Incident)
    (result,) = _results(of)
    straight = bench()
    for topic, message in parts.items():
        straight.tell(topic, message)
    (wanted,) = messages(straight.said, Incident)
    assert (done.type, done.incident_id, done.evidence) == ("checkin.done", wanted.incident_id, wanted.evidence)
    assert done.evidence["position"]["verdict"] == "together"
    assert result.state == "done"


@pytest.mark.parametrize(
    ("distance", "measured", "type_", "reason"),
    [
        (OTHER, {}, "identity.doubtful", "no_match"),
        (BETWEEN, {}, "checkin.doubtful", "undetermined"),
        (0.0, {"measures": NOBODY}, "checkin.rejected", "face_found"),
        (0.0, {"problem": "unreadable", "detail": "the JPEG is damaged"}, "checkin.rejected", "unreadable"),
        (0.0, {"problem": "not_enrolled"}, "checkin.doubtful", "not_enrolled"),
    ],
)
def test_each_outcome_says_why(distance: float, measured: dict[str, Any], type_: str, reason: str) -> None:
    said = tried(bench(), "c1", 0, distance, **measured)
    (incident,) = [one for one in said if isinstance(one, Incident)]
    assert (incident.type, incident.evidence["reason"]) == (type_, reason)
    assert incident.attributable is (reason != "not_enrolled")
    (result,) = [one for one in said if isinstance(one, CheckinResult)]
    assert result.advice or result.state == "doubtful"


def test_whoever_is_told_of_a_doubt_is_not_told_how_near_it_was() -> None:
    """Who tries faces must not be guided."""
    of = bench()
    tried(of, "c1", 0, OTHER)
    (result,) = _results(of)
    assert result.reasons == ("a_person_will_look",)
    assert "distance" not in repr(result)


def test_five_failures_are_free_then_each_try_waits() -> None:
    """NIST SP 800-63B: after the fifth in a row 30 seconds; a try before that is refused and does not count."""
    of = bench()
    for number in range(5):
        assert types(tried(of, f"c{number}", number, 0.0, measures=NOBODY)) == ["checkin.rejected"]
    assert [one.retry_at for one in _results(of)] == [None] * 4 + [at(34)]
    early = of.tell("checkins", checkin("early", 33.9), at(33.9))
    assert types(early) == ["checkin.rejected"]
    assert _results(of)[-1].reasons == ("too_soon",)
    assert _results(of)[-1].retry_at == at(34)
    assert types(tried(of, "again", 34, 0.0, measures=NOBODY)) == ["checkin.rejected"]
    assert _results(of)[-1].failed_in_row == 6
    assert types(tried(of, "at last", 64)) == ["checkin.done"]
    assert types(tried(of, "next", 65, 0.0, measures=NOBODY)) == ["checkin.rejected"]
    assert (_results(of)[-1].failed_in_row, _results(of)[-1].retry_at) == (1, None)


def test_what_is_not_the_persons_doing_costs_no_try() -> None:
    of = bench()
    for number in range(7):
        tried(of, f"c{number}", number, 0.0, problem="gone")
    assert {(one.failed_in_row, one.retry_at) for one in _results(of)} == {(0, None)}


def test_pictures_that_were_sent_before_are_refused() -> None:
    of = bench()
    tried(of, "c1", 0)
    again = checkin("c2", 60, pictures=[checkin("c1").pictures[0]])
    assert types(of.tell("checkins", again, at(60))) == ["checkin.rejected"]
    assert _results(of)[-1].reasons == ("replayed",)
    assert of.tell("face-results", examined(again), at(61)) == []


def test_undetermined_three_times_in_a_row_goes_to_a_human() -> None:
    of = bench()
    found = [types(tried(of, f"c{number}", number, BETWEEN)) for number in range(3)]
    assert found == [["checkin.doubtful"], ["checkin.doubtful"], ["identity.doubtful"]]


def test_phone_and_bracelet_apart_is_a_doubt_and_no_position_is_none() -> None:
    """Three kilometres; the position is waited for ten seconds and no longer."""
    of = bench()
    far = checkin("far", at_m=3_000)
    of.tell("checkins", far)
    assert of.tell("face-results", examined(far)) == []
    assert types(of.tell("position-answers", position(far))) == ["identity.doubtful"]
    silent = checkin("silent", 100, at_m=3_000)
    of.tell("checkins", silent, at(100))
    assert of.tell("face-results", examined(silent), at(101)) == []
    assert of.pass_time(at(110.9)) == []
    assert types(of.pass_time(at(111))) == ["checkin.done"]


def test_what_nobody_examines_goes_to_a_human_and_is_nobodys_fault() -> None:
    of = bench()
    of.tell("checkins", checkin("c1"))
    (doubt,) = messages(of.pass_time(at(1800)), Incident)
    assert (doubt.type, doubt.attributable, doubt.evidence["reason"]) == ("identity.doubtful", False, "not_examined")
    assert of.tell("face-results", examined(checkin("c1")), at(1900)) == []


def _doubted() -> tuple[Bench, Incident]:
    of = bench()
    of.core._reference.learn("subjects", b"s1", b'{"subject_id":"s1","agency":"justice"}', at(0))  # type: ignore[attr-defined]
    said = tried(of, "c1", 0, OTHER)
    return of, next(one for one in said if isinstance(one, Incident))


def test_a_doubt_names_a_room_and_a_deadline() -> None:
    _, doubt = _doubted()
    assert doubt.severity == "high"
    assert doubt.evidence["join_link"] == f"https://meet.jit.si/fenceline-room-{doubt.incident_id[:8]}"
    assert doubt.evidence["deadline"] == str(doubt.detected_at + timedelta(seconds=1800)).replace(
        "+00:00", ".000Z"
    ).replace(" ", "T")


@pytest.mark.parametrize(
    ("verdict", "type_"), [("same_person", "identity.confirmed"), ("different_person", "identity.refuted")]
)
def test_an_officers_word_settles_a_doubt_once(verdict: str, type_: str) -> None:
    of, doubt = _doubted()
    word = command("identity.settle", 60, incident_id=doubt.incident_id, verdict=verdict, reason="seen live")
    said = of.command(word)
    (settled,) = messages(said, Incident)
    assert (settled.type, settled.evidence["settles"], settled.evidence["by"]) == (type_, doubt.incident_id, "o1")
    assert [one.outcome for one in messages(said, CommandResult)] == ["done"]
    assert of.command(word) == [], "the same command again"
    other = command("identity.settle", 90, incident_id=doubt.incident_id, verdict=verdict, reason="once more")
    assert [one.code for one in messages(of.command(other), CommandResult)] == ["unknown_incident"]


def test_who_may_not_settle_changes_nothing_and_hears_why() -> None:
    of, doubt = _doubted()
    word = {"incident_id": doubt.incident_id, "verdict": "same_person", "reason": "seen live"}
    for number, (fields, code) in enumerate(
        [({"agency": "court"}, "other_agency"), ({"role": "subject", "by": "s1"}, "no_authority")]
    ):
        said = of.command(command("identity.settle", 60 + number, **word, **fields))
        assert [one.code for one in messages(said, CommandResult)] == [code]
        assert not types(said)
    unclear = command("identity.settle", 70, **word | {"verdict": "undetermined"})
    said = of.command(unclear)
    assert [one.outcome for one in messages(said, CommandResult)] == ["done"]
    assert not types(said)
    assert types(of.command(command("identity.settle", 80, **word))) == ["identity.confirmed"]


def test_what_is_no_checkin_is_rejected_and_the_stream_goes_on() -> None:
    of = bench()
    (bad,) = of.tell("checkins", {"subject_id": "s1", "checkin_id": "c"})
    assert bad.topic == "checkins.rejected"
    (bad,) = of.tell(
        "checkin-plans", {"subject_id": "s1", "plan_id": "p", "time_zone": "Mars/Base", "starts_at": str(at(0))}
    )
    assert bad.topic == "checkin-plans.rejected"
    assert types(tried(of, "c1", 1)) == ["checkin.done"]
    assert {one.topic for one in of.said} >= {INCIDENTS.name}
