"""What a person is told of their check-ins: what is open, how it ended, what comes; never what is drawn."""

from datetime import timedelta
from typing import Any

from pipeline.readmodel.checkins import due
from pipeline.readmodel.draft import Memory
from pipeline.readmodel.fold import read
from pipeline.readmodel.layout import of_subject
from schemas.checkin import CheckinCall
from schemas.message import decode
from schemas.plan import CheckinPlan, FixedTime, Sampling
from schemas.reference import Window
from tests.pipeline.readmodel.test_fold import model, record
from tests.support.office import START, at

TENS: dict[str, Any] = {"subject_id": "s1", "plan_id": "p", "time_zone": "UTC", "starts_at": START}


def call(event: Any, seconds: float, slot_id: str = "slot") -> CheckinCall:
    return CheckinCall(
        call_id=f"{slot_id}/{event}",
        slot_id=slot_id,
        subject_id="s1",
        event=event,
        at=at(seconds),
        opens_at=at(0),
        closes_at=at(1800),
    )


def kept(memory: Memory) -> tuple[CheckinCall, ...]:
    names = memory.indexes[of_subject("calls", "s1")]
    return tuple(decode(memory.rows["calls", name], CheckinCall) for name in names)


def test_how_a_check_in_ended_is_not_undone_by_the_call_that_comes_again() -> None:
    told = [call("called", 0), call("doubtful", 60), call("called", 0), call("met", 90), call("called", 100)]
    memory = model(*(record("checkin-calls", "s1", one, place) for place, one in enumerate(told)))
    assert [one.event for one in kept(memory)] == ["met"]


def test_the_day_tells_what_was_what_is_and_what_comes() -> None:
    plan = CheckinPlan(**TENS, fixed=(FixedTime(at=START.strftime("%H:%M")),))
    calls = (call("met", 0, "old"), call("called", 0), call("withdrawn", 0, "gone"))
    told = due(calls, plan, at(-3600), at(10), at(10) + timedelta(days=2))
    assert [(one.slot_id, one.state) for one in told[:2]] == [("old", "met"), ("slot", "called")]
    assert [one.state for one in told[2:]] == ["planned", "planned"], "tomorrow's and the day after"
    assert all(one.opens_at is not None and one.opens_at > at(10) for one in told[2:])
    assert due(calls, None, at(1800), at(1800), at(9000)) == (), "what is past is past"


def test_drawn_times_do_not_reach_the_model() -> None:
    drawn = Sampling(hours=(Window(start="08:00", end="20:00"),), seed_sha256="0" * 64, sealed=b"sealed")
    memory = model(record("checkin-plans", "s1", CheckinPlan(**TENS, sampling=drawn)))
    held = b"".join(memory.rows.values())
    assert b"plan_id" in held
    assert b"seal" not in held
    assert b"sampling" not in held
    memory.take([read(record("checkin-plans", "s1", None, 2))])
    assert ("plans", "s1") not in memory.rows
