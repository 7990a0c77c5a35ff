"""The person is told that a check-in is due, and no longer when it is over."""

from schemas.checkin import CheckinCall
from schemas.message import Message
from tests.support.faces_told import bench, plan, tried
from tests.support.mailroom import Mailroom
from tests.support.office import Bench, at, messages


def _calls(of: Bench) -> list[CheckinCall]:
    return messages(of.said, CheckinCall)


def _called() -> Bench:
    """From 10:10 to 10:30 in Shanghai."""
    of = bench()
    of.tell("checkin-plans", plan(fixed=[{"at": "10:20", "early_s": 600, "late_s": 600}]))
    of.pass_time(at(600))
    return of


def _room(call: Message) -> Mailroom:
    room = Mailroom({})
    room.now = at(600)
    room.tell("checkin-calls", call)
    return room


def test_a_call_reaches_the_person_with_its_times() -> None:
    (call,) = _calls(_called())
    room = _room(call)
    room.tell("checkin-calls", call)
    assert room.states() == ["planned", "sending"], "once, though told twice"
    assert (room.last.recipient, room.last.channel, room.last.urgent) == ("s1", "sms", True)
    assert room.last.text.title == "请现在签到。"
    assert "10:10–10:30" in room.last.text.short


def test_what_was_not_sent_by_the_end_is_withdrawn() -> None:
    of = _called()
    room = _room(_calls(of)[0])
    tried(of, "c1", 700)
    met = _calls(of)[-1]
    assert met.event == "met"
    room.tell("checkin-calls", met)
    assert room.states()[-1] == "withdrawn"
    assert room.last.reason == "the check-in is met"
