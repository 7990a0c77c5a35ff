"""A person's leaves start, end, and undo breaches; through the Core that the worker runs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.keyed import KeyedCore
from pipeline.step import Emission, Entry, Record
from pipeline.watch import KEEP, Watched, watch
from schemas.incident import Incident
from schemas.message import encode
from schemas.reference import Leave
from schemas.times import parse
from tests.support.cores import changes

NINE = parse("2026-11-23T09:00:00Z")


def hours(count: float) -> datetime:
    return NINE + timedelta(hours=count)


class Stream:
    def __init__(self) -> None:
        self.core = KeyedCore(watch, Watched, None)
        self.offset = 0

    def put(self, topic: str, message: Any, at: datetime, key: str = "s-1") -> list[Emission]:
        self.offset += 1
        value = message if isinstance(message, bytes) else encode(message)
        record = Record(topic, 0, self.offset, key.encode(), value, at.timestamp())
        return self.core.apply([record], at)

    def leave(self, at: datetime, state: str = "approved", **more: Any) -> list[Emission]:
        fields = {"leave_id": "l-1", "subject_id": "s-1", "starts_at": hours(0), "ends_at": hours(2), **more}
        return self.put("leave-changes", Leave(state=state, **fields), at)  # type: ignore[arg-type]

    def breach(
        self, occurred_at: datetime, rule: str = "stay_in", fixes: Any = (), breach_id: str = "b-1"
    ) -> list[Emission]:
        opened = Incident(
            incident_id=f"i-{breach_id}",
            type="breach.opened",
            subject_id="s-1",
            fence_id="home",
            breach_id=breach_id,
            occurred_at=occurred_at,
            detected_at=occurred_at + timedelta(seconds=30),
            evidence={"rule": rule, "fixes": list(fixes)},
        )
        return self.put("incidents", opened, occurred_at + timedelta(seconds=31))

    def restarted(self) -> "Stream":
        other = Stream()
        other.offset = self.offset
        other.core.restore(Entry(key, value or b"") for key, value in changes(self.core))
        return other


def told(emissions: list[Emission]) -> list[tuple[str, datetime, datetime]]:
    return [(e.message.type, e.message.occurred_at, e.message.detected_at) for e in emissions]


def test_a_leave_starts_and_ends_by_the_timer() -> None:
    stream = Stream()
    assert stream.leave(hours(-5)) == []
    assert stream.core.next_wake() == hours(0)
    assert told(stream.core.wake(hours(0))) == [("leave.started", hours(0), hours(0))]
    assert told(stream.core.wake(hours(9))) == [("leave.ended", hours(2), hours(2))]


def test_also_after_a_restart_in_between() -> None:
    stream = Stream()
    stream.leave(hours(-5))
    stream = stream.restarted()
    first = stream.core.wake(hours(1))
    second = stream.restarted().core.wake(hours(3))
    assert [*told(first), *told(second)] == [
        ("leave.started", hours(0), hours(0)),
        ("leave.ended", hours(2), hours(2)),
    ]


def test_approved_while_it_already_runs_it_starts_late() -> None:
    stream = Stream()
    (started,) = stream.leave(hours(1))
    assert told([started]) == [("leave.started", hours(0), hours(1))]
    assert started.message.late
    assert told(stream.core.wake(hours(3))) == [("leave.ended", hours(2), hours(2))]


def test_approved_when_it_is_over_both_are_told() -> None:
    assert [kind for kind, _, _ in told(Stream().leave(hours(5)))] == ["leave.started", "leave.ended"]


def test_withdrawn_while_it_runs_it_ends() -> None:
    stream = Stream()
    stream.leave(hours(-5))
    stream.core.wake(hours(0))
    assert told(stream.leave(hours(1), "withdrawn")) == [("leave.ended", hours(1), hours(1))]
    assert stream.core.wake(hours(9)) == []


def test_withdrawn_before_it_runs_nothing_is_told() -> None:
    stream = Stream()
    stream.leave(hours(-5))
    assert stream.leave(hours(-1), "withdrawn") == []
    assert stream.core.wake(hours(9)) == []
    assert len(stream.core) == 0


def test_told_twice_it_starts_once() -> None:
    stream = Stream()
    first = stream.leave(hours(1))
    assert stream.leave(hours(1.1)) == []
    assert first[0].id != ""


def test_a_breach_before_the_approval_is_corrected_by_it() -> None:
    stream = Stream()
    assert stream.breach(hours(0.5)) == []
    corrected = [e for e in stream.leave(hours(4)) if e.message.type == "breach.corrected"]
    assert len(corrected) == 1
    message = corrected[0].message
    assert (message.breach_id, message.occurred_at, message.detected_at) == ("b-1", hours(0.5), hours(4))
    assert (message.evidence["reason"], message.evidence["leave_id"]) == ("leave", "l-1")


def test_a_breach_told_after_the_approval_is_corrected_at_once() -> None:
    stream = Stream()
    stream.leave(hours(-1))
    stream.core.wake(hours(0))
    assert [e.message.type for e in stream.breach(hours(0.5))] == ["breach.corrected"]


def test_it_is_corrected_once() -> None:
    stream = Stream()
    stream.breach(hours(0.5))
    stream.leave(hours(4))
    again = stream.restarted()
    assert again.leave(hours(5), ends_at=hours(3)) == []
    assert again.breach(hours(0.5)) == []


@pytest.mark.parametrize("offset", [-0.1, 2.0])
def test_a_breach_that_began_outside_of_the_leave_stays(offset: float) -> None:
    stream = Stream()
    stream.breach(hours(offset))
    assert "breach.corrected" not in [e.message.type for e in stream.leave(hours(4))]


def test_a_closed_zone_stays_closed() -> None:
    stream = Stream()
    stream.breach(hours(0.5), rule="keep_out")
    assert "breach.corrected" not in [e.message.type for e in stream.leave(hours(4))]


def test_a_leave_to_one_place_excuses_only_there() -> None:
    ring = [[119.9, 29.9], [120.1, 29.9], [120.1, 30.1], [119.9, 30.1], [119.9, 29.9]]
    region = {"type": "Polygon", "coordinates": [ring]}
    stream = Stream()
    stream.breach(hours(0.5), fixes=[{"lat": 30.0, "lon": 120.0, "accuracy_m": 9}])
    stream.breach(hours(0.6), fixes=[{"lat": 31.0, "lon": 120.0, "accuracy_m": 9}], breach_id="b-2")
    stream.breach(hours(0.7), fixes="nonsense", breach_id="b-3")
    corrected = [e.message.breach_id for e in stream.leave(hours(4), region=region) if e.message.breach_id]
    assert corrected == ["b-1"]


def test_what_is_old_is_forgotten() -> None:
    stream = Stream()
    stream.breach(hours(0.5))
    stream.leave(hours(4))
    stream.core.wake(hours(3) + KEEP)
    assert len(stream.core) == 0


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("incidents", b"{"),
        ("leave-changes", b"{}"),
        ("leave-changes", Leave(leave_id="l", subject_id="s-2", starts_at=NINE, ends_at=hours(2), state="approved")),
        ("leave-changes", Leave(leave_id="l", subject_id="s-1", starts_at=NINE, ends_at=NINE, state="approved")),
    ],
)
def test_what_cannot_be_used_is_passed_over(topic: str, message: Any) -> None:
    """The agents of scores and tasks read these topics too, and one of them rejects it."""
    stream = Stream()
    assert stream.put(topic, message, hours(1)) == []
    assert len(stream.core) == 0
