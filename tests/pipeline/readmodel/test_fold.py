"""The model by its fold: the latest holds, twice is once, and what is over is let go."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.readmodel.draft import Memory
from pipeline.readmodel.fold import read, retire
from pipeline.readmodel.layout import TIMELINE, index, of_subject
from pipeline.step import Record
from schemas.alert import Alert
from schemas.message import decode, encode
from schemas.reference import Fence, Leave, Subject
from schemas.task import Task
from tests.support.office import START, at, incident


def record(topic: str, key: str, message: Any, offset: int = 0) -> Record:
    value = b"" if message is None else encode(message)
    return Record(topic, 0, offset, key.encode(), value, START.timestamp() + offset)


def model(*records: Record) -> Memory:
    memory = Memory()
    memory.take(read(one) for one in records)
    return memory


def alert(seq: int, **fields: Any) -> Alert:
    known = {"alert_id": "a1", "change_id": f"c{seq}", "event": "raised", "state": "open", "at": at(seq)}
    known |= {"subject_id": "s1", "agency": "justice", "rule": "breach", "severity": "high", "seq": seq}
    known |= {"incident_type": "breach.opened", "raised_at": START, "first_occurred_at": START}
    return Alert(**{**known, "last_occurred_at": START, **fields})


def test_an_open_alert_stands_in_the_queue_and_a_closed_one_does_not() -> None:
    memory = model(record("alerts", "s1", alert(1)))
    assert list(memory.indexes[index("alerts-open", "justice")]) == ["a1"]
    memory.take([read(record("alerts", "s1", alert(2, event="resolved", state="resolved", outcome="true_breach")))])
    assert index("alerts-open", "justice") not in memory.indexes
    assert list(memory.indexes[index("alerts-closed", "justice")]) == ["a1"]
    memory.take([read(record("alerts", "s1", alert(1)))])
    assert decode(memory.rows["alerts", "a1"], Alert).state == "resolved", "an older one changes nothing"


def test_worse_alerts_come_before_older_ones() -> None:
    memory = model(
        record("alerts", "s1", alert(1, alert_id="old", severity="low", raised_at=at(0))),
        record("alerts", "s1", alert(1, alert_id="new", severity="critical", raised_at=at(900))),
        record("alerts", "s1", alert(1, alert_id="older", severity="critical", raised_at=at(300))),
    )
    queue = memory.indexes[index("alerts-open", "justice")]
    assert sorted(queue, key=queue.__getitem__) == ["older", "new", "old"]


def test_a_person_who_moves_to_another_agency_leaves_the_list_of_the_first() -> None:
    memory = model(
        record("subjects", "s1", Subject(subject_id="s1", agency="police", case_ref="B-7", contacts={"sms": "+86"})),
        record("subjects", "s1", Subject(subject_id="s1", agency="justice", case_ref="B-7")),
    )
    assert index("people", "police") not in memory.indexes
    assert list(memory.indexes[index("people", "justice")]) == ["s1"]
    assert b"+86" not in memory.rows["subjects", "s1"]
    assert {agency for told in memory.told for agency in told.agencies} == {"police", "justice"}


def test_a_breach_that_later_data_takes_back_is_open_no_longer() -> None:
    opened = incident("i1", 0, breach_id="b1", fence_id="f")
    memory = model(record("incidents", "s1", opened))
    assert len(memory.indexes[index("breaches-open", "justice")]) == 1
    memory.take([read(record("incidents", "s1", incident("i2", 60, "breach.corrected", breach_id="b1")))])
    assert index("breaches-open", "justice") not in memory.indexes
    assert len(memory.indexes[of_subject("incidents", "s1")]) == 2


def test_every_version_of_a_fence_stays_and_a_withdrawn_one_is_off_the_map() -> None:
    def fence(version: int) -> Fence:
        drawn = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [120, 30]},
            "properties": {"fence_id": "f", "version": version, "rule": "stay_in", "datum": "wgs84", "buffer_m": 100},
        }
        return decode(json.dumps(drawn).encode(), Fence)

    memory = model(
        record("fences", "f", fence(1)), record("fences", "f", fence(2), 1), record("fences", "f", fence(2), 2)
    )
    assert {key for table, key in memory.rows if table == "versions:f"} == {"1", "2"}
    assert [told.kind for told in memory.told] == ["fence"], "once a batch"
    memory.take([read(record("fences", "f", None, 3))])
    assert ("fences", "f") not in memory.rows
    assert ("versions:f", "1") in memory.rows


def test_what_is_over_for_long_is_let_go_with_all_its_places() -> None:
    leave = Leave(leave_id="l", subject_id="s1", starts_at=at(0), ends_at=at(60), state="approved")
    memory = model(record("leave-changes", "s1", leave))
    assert memory.rows
    memory.take(retire("leaves", ["l"]))
    assert memory.rows == {}
    assert set(memory.indexes) == {index(TIMELINE, "s1")}


def _day() -> list[Record]:
    """A troubled person's day."""
    facts = [incident("i1", 0, "device.tamper"), incident("i2", 5, breach_id="b", fence_id="f")]
    facts += [incident("i3", 90, "breach.closed", breach_id="b", fence_id="f")]
    task = {"task_id": "t", "change_id": "t1", "seq": 1, "event": "created", "state": "open", "at": at(7)}
    task |= {"subject_id": "s1", "kind": "visit", "agency": "police", "created_at": at(7), "created_by": "chen"}
    told: list[tuple[str, Any]] = [("incidents", one) for one in facts]
    told += [("alerts", alert(1)), ("alerts", alert(2, event="acknowledged", state="acknowledged"))]
    told += [("tasks", Task(**task)), ("tasks", Task(**{**task, "change_id": "t2", "seq": 2, "agency": "court"}))]
    return [record(topic, "s1", message, place) for place, (topic, message) in enumerate(told)]


@given(st.lists(st.integers(1, 4), max_size=8), st.integers(0, 6))
def test_neither_batches_nor_repeats_change_the_model(sizes: list[int], back: int) -> None:
    """As after a crash: some records are read again, cut otherwise."""
    records = _day()
    wanted = model(*records)
    memory, begin = Memory(), 0
    for size in [*sizes, len(records)]:
        memory.take(read(one) for one in records[begin : begin + size])
        begin += size
    for one in records[back:]:
        memory.take([read(one)])
    assert memory.rows == wanted.rows
    assert memory.indexes == wanted.indexes


def test_old_moments_are_of_the_time_that_they_tell() -> None:
    memory = model(record("incidents", "s1", incident("i1", 0, "device.tamper"), 5000))
    ((line, score),) = memory.indexes[index(TIMELINE, "s1")].items()
    assert score == START.timestamp()
    assert json.loads(line)["at"] == str(START)
