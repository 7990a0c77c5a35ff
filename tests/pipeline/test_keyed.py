from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keyed import KeyedCore
from pipeline.step import Emission, Entry, Record, Step, Wake
from schemas.message import Invalid, Message, Moment
from schemas.times import Instant, from_epoch
from tests.support.cores import changes

NOW = from_epoch(1_000_000)


class Tally(Message, frozen=True):
    count: int
    since: Moment


def record(key: bytes, value: bytes = b"", offset: int = 0, at_s: float = 1000.0, topic: str = "incidents") -> Record:
    return Record(topic, 0, offset, key, value, at_s)


def decide(key: str, state: Tally | None, event: Record | Wake, reference: Any, now: datetime) -> Step[Tally]:
    """Counts; asks to be woken 10 s after the last record, and then forgets."""
    if isinstance(event, Wake):
        assert state is not None
        return Step(None, (Emission("out", key, b"", f"quiet {key} {event.due_at} {state.count} {state.since}"),))
    if event.value == b"bad":
        raise Invalid("not good", "$.it")
    if event.value == b"bug":
        raise KeyError("ours")
    tally = Tally(count=1 if state is None else state.count + 1, since=now if state is None else state.since)
    return Step(tally, (Emission("out", key, str(now).encode(), f"{key} {tally.count}"),), now + timedelta(seconds=10))


def core() -> KeyedCore[Tally]:
    return KeyedCore(decide, Tally, None)


def told(emissions: Sequence[Emission]) -> list[str]:
    return [emission.id for emission in emissions]


def test_each_key_has_a_state_of_its_own() -> None:
    assert told(core().apply([record(b"a"), record(b"b", offset=1), record(b"a", offset=2)], NOW)) == [
        "a 1",
        "b 1",
        "a 2",
    ]


def test_a_timer_fires_when_it_is_due_and_not_before() -> None:
    one = core()
    one.apply([record(b"a")], NOW)
    assert one.next_wake() == from_epoch(1010)
    assert one.wake(from_epoch(1009.999)) == []
    assert told(one.wake(from_epoch(1010))) == ["quiet a 1970-01-01T00:16:50.000Z 1 1970-01-01T00:16:40.000Z"]
    assert one.next_wake() is None


def test_timers_fire_in_the_order_in_which_they_are_due() -> None:
    one = core()
    one.apply([record(b"late", at_s=1005), record(b"early", offset=1, at_s=1001)], NOW)
    assert [emission.key for emission in one.wake(NOW)] == ["early", "late"]


def test_a_timer_that_was_due_fires_before_a_later_record_of_its_key() -> None:
    found = told(core().apply([record(b"a"), record(b"a", offset=1, at_s=1011)], NOW))
    assert found == ["a 1", "quiet a 1970-01-01T00:16:50.000Z 1 1970-01-01T00:16:40.000Z", "a 1"]


def test_a_timer_that_asks_for_itself_does_not_fire_for_ever() -> None:
    def stubborn(key: str, state: Tally | None, event: Record | Wake, reference: Any, now: datetime) -> Step[Tally]:
        return Step(Tally(count=0 if state is None else state.count + 1, since=now), (), from_epoch(1000))

    one = KeyedCore(stubborn, Tally, None)
    one.apply([record(b"a")], NOW)
    one.wake(from_epoch(1000.005))
    assert one["a"].count == 6


def test_bad_input_is_rejected_with_where_it_stands_and_changes_nothing() -> None:
    one = core()
    one.apply([record(b"a")], NOW)
    before = one["a"]
    (emission,) = one.apply([record(b"a", b"bad", offset=7)], NOW)
    assert emission.topic == "incidents.rejected"
    kept = emission.message
    assert (kept.source, kept.reason, kept.field) == ("incidents/0@7", "not good", "$.it")
    assert kept.raw == b"bad"
    assert one["a"] is before


@pytest.mark.parametrize(("key", "reason"), [(b"", "has no key"), (b"\xff", "not UTF-8")])
def test_a_record_without_a_usable_key_is_rejected(key: bytes, reason: str) -> None:
    (emission,) = core().apply([record(key)], NOW)
    assert reason in emission.message.reason


def test_a_fault_in_the_rule_is_rejected_and_told_and_the_stream_goes_on() -> None:
    one = core()
    found = one.apply([record(b"a", b"bug"), record(b"a", offset=1)], NOW)
    assert found[0].message.reason == "could not be judged: KeyError: 'ours'"
    assert found[1].id == "a 1"
    assert "KeyError" in one.faults[0]


def test_a_timer_with_a_fault_is_tried_again_a_minute_later() -> None:
    def faulty(key: str, state: Tally | None, event: Record | Wake, reference: Any, now: datetime) -> Step[Tally]:
        if isinstance(event, Wake):
            raise ZeroDivisionError
        return Step(Tally(count=1, since=now), (), from_epoch(1001))

    one = KeyedCore(faulty, Tally, None)
    one.apply([record(b"a")], NOW)
    assert one.wake(from_epoch(1002)) == []
    assert one.next_wake() == from_epoch(1061)
    assert one.faults


def test_only_what_changed_is_given_out_once() -> None:
    one = core()
    one.apply([record(b"a"), record(b"b", offset=1)], NOW)
    assert [key for key, _ in changes(one)] == [b"a", b"b"]
    assert changes(one) == []
    one.apply([record(b"b", offset=2)], NOW)
    assert [key for key, _ in changes(one)] == [b"b"]
    one.wake(NOW)
    assert dict(changes(one)) == {b"a": None, b"b": None}


def test_a_state_handed_back_untouched_is_not_written() -> None:
    def idle(key: str, state: Tally | None, event: Record | Wake, reference: Any, now: datetime) -> Step[Tally]:
        return Step(state if state is not None else Tally(count=1, since=now))

    one = KeyedCore(idle, Tally, None)
    one.apply([record(b"a")], NOW)
    changes(one)
    one.apply([record(b"a", offset=1)], NOW)
    assert changes(one) == []


def test_a_state_with_a_moment_that_would_come_back_otherwise_is_refused() -> None:
    class Plain(msgspec.Struct, frozen=True):
        seen: dict[str, datetime]

    with pytest.raises(TypeError, match=r"Plain.seen: a moment in a state"):
        KeyedCore(decide, Plain, None)  # type: ignore[arg-type]


def test_moments_in_a_state_come_back_as_they_were() -> None:
    class Nested(msgspec.Struct, frozen=True):
        seen: dict[str, Instant]
        inner: tuple[Tally, ...]

    def keep(key: str, state: Nested | None, event: Record | Wake, reference: Any, now: datetime) -> Step[Nested]:
        at = from_epoch(1.125)
        return Step(Nested({"x": at}, (Tally(count=1, since=at),)))

    one = KeyedCore(keep, Nested, None)
    one.apply([record(b"a")], NOW)
    other = KeyedCore(keep, Nested, None)
    other.restore(Entry(key, value or b"") for key, value in changes(one))
    assert other["a"] == one["a"]
    assert type(other["a"].seen["x"]) is Instant
    assert str(other["a"].inner[0].since) == "1970-01-01T00:00:01.125Z"


def test_records_that_are_in_a_restored_state_are_skipped_for_that_key_only() -> None:
    one = core()
    one.apply([record(b"a", offset=5)], NOW)
    other = core()
    other.restore(Entry(key, value or b"", {"incidents": 5}) for key, value in changes(one))
    found = other.apply([record(b"a", offset=5), record(b"b", offset=5), record(b"a", offset=6)], NOW)
    assert told(found) == ["b 1", "a 2"]


def test_a_key_forgotten_as_of_an_offset_is_not_made_again_from_older_records() -> None:
    other = core()
    other.restore([Entry(b"a", b"", {"incidents": 5})])
    assert told(other.apply([record(b"a", offset=4), record(b"a", offset=6)], NOW)) == ["a 1"]


RECORDS = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c", b""]), st.sampled_from([b"", b"", b"bad", b"bug"]), st.floats(0, 8)),
    max_size=30,
)


@given(RECORDS, st.integers(0, 30), st.integers(1, 7))
def test_batches_and_a_crash_in_between_change_nothing(
    drawn: list[tuple[bytes, bytes, float]], crash_after: int, batch: int
) -> None:
    """Whatever the batches, and wherever a checkpoint and a new start fall: the same emissions, the same end."""
    at_s, records = 1000.0, []
    for offset, (key, value, gap_s) in enumerate(drawn):
        at_s += round(gap_s, 3)
        records.append(record(key, value, offset, at_s))
    end = from_epoch(at_s + 60)
    whole = core()
    wanted = whole.apply(records, NOW) + whole.wake(end)

    parts, found = core(), []
    for begin in range(0, crash_after, batch):
        found += parts.apply(records[begin : min(begin + batch, crash_after)], NOW)
    back = core()
    back.restore(Entry(key, value or b"", {"incidents": crash_after - 1}) for key, value in changes(parts))
    for begin in range(0, len(records), batch):  # from the start: what is in the state is skipped
        again = back.apply(records[begin : begin + batch], NOW)
        found += [one for one in again if one not in found]
    found += back.wake(end)
    assert sorted(told(found)) == sorted(told(wanted))
    assert len(back) == len(whole) == 0
