from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.partition import Faulty, Partition
from pipeline.step import Emission, Entry, Record
from schemas.times import from_epoch


class Echo:
    """Emits what it sees; a record sets a timer `delay_s` after itself, and "boom" raises."""

    def __init__(self, delay_s: float = 2.5) -> None:
        self.delay_s = delay_s
        self.due: list[tuple[float, str]] = []

    def restore(self, entries: Iterable[Entry]) -> None: ...

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        for record in batch:
            if record.value == b"boom":
                raise ValueError("boom")
            if self.delay_s:
                self.due.append((record.timestamp_s + self.delay_s, record.value.decode()))
        return [Emission("out", "k", b"", record.value.decode()) for record in batch]

    def wake(self, now: datetime) -> list[Emission]:
        fired = sorted(one for one in self.due if from_epoch(one[0]) <= now)
        self.due = [one for one in self.due if one not in fired]
        return [Emission("out", "k", b"", f"{name}!") for _, name in fired]

    def next_wake(self) -> datetime | None:
        return from_epoch(min(self.due)[0]) if self.due else None

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        return iter(())


def partition(core: Echo | None = None) -> Partition:
    return Partition("echo", 3, core or Echo(), {"in": -1}, 0.0)


def record(offset: int, at_s: float, value: str | None = None) -> Record:
    return Record("in", 3, offset, b"k", (value or f"r{offset}").encode(), at_s)


def told(emissions: Sequence[Emission]) -> list[str]:
    return [emission.id for emission in emissions]


def test_records_that_were_judged_are_skipped() -> None:
    one = partition(Echo(0))
    assert told(one.judge([record(0, 1), record(1, 1)], 100)) == ["r0", "r1"]
    assert told(one.judge([record(1, 1), record(2, 1)], 100)) == ["r2"]


def test_a_position_moves_only_when_what_follows_is_acknowledged() -> None:
    one = partition(Echo(0))
    one.judge([record(0, 1)], 100)
    assert (one.positions, one.reached) == ({"in": -1}, {"in": 0})
    one.settle()
    assert one.positions == {"in": 0}


def test_timers_fire_after_their_second_and_before_the_next_record() -> None:
    found = partition().judge([record(0, 10.0), record(1, 12.9), record(2, 13.0)], 100)
    assert told(found) == ["r0", "r1", "r0!", "r2"]


def test_the_wall_clock_fires_timers_a_second_late() -> None:
    one = partition()
    one.judge([record(0, 10.0)], 100)
    assert told(one.tick(13.9)) == []
    assert told(one.tick(14.0)) == ["r0!"]
    assert one.is_changed


def test_the_clock_of_a_partition_never_goes_back_nor_ahead_of_the_wall() -> None:
    one = partition(Echo(0))
    one.judge([record(0, 50.0), record(1, 40.0)], 100)
    assert one.clock_s == 50.0
    one.judge([record(2, 5000.0)], 100)
    assert one.clock_s == 100.0


def test_emissions_that_are_out_since_before_a_crash_are_not_given_again() -> None:
    one = partition()
    one.already = {"r0", "r0!"}
    assert told(one.judge([record(0, 10.0), record(1, 13.5)], 100)) == ["r1"]


def test_a_core_that_raises_is_told_with_what_it_was_judging() -> None:
    with pytest.raises(Faulty) as caught:
        partition().judge([record(0, 1.0), record(1, 1.0, "boom")], 100)
    assert [one.offset for one in caught.value.records] == [0, 1]


def test_poison_is_rejected_instead_of_judged() -> None:
    one = partition(Echo(0))
    one.poison = {("in", 1): "ValueError: boom"}
    found = one.judge([record(0, 1.0), record(1, 1.0, "boom"), record(2, 1.0)], 100)
    assert [emission.topic for emission in found] == ["in.rejected", "out", "out"]
    assert found[0].message.reason == "could not be judged: ValueError: boom"


def test_timers_that_raise_do_not_stop_records_and_are_tried_again() -> None:
    class Fragile(Echo):
        broken = True

        def wake(self, now: datetime) -> list[Emission]:
            if self.broken:
                raise ZeroDivisionError
            return super().wake(now)

    core = Fragile()
    one = partition(core)
    one.judge([record(0, 10.0)], 1000)
    assert told(one.judge([record(1, 20.0)], 1000)) == ["r1"]
    core.broken = False
    assert told(one.judge([record(2, 79.0)], 1000)) == ["r2"]
    assert told(one.judge([record(3, 81.0)], 1000)) == ["r0!", "r1!", "r3"]


@given(
    st.lists(st.floats(0, 4).map(lambda gap: round(gap, 3)), max_size=25),
    st.lists(st.integers(1, 6), min_size=25, max_size=25),
    st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_neither_batches_nor_ticks_change_what_follows(gaps: list[float], sizes: list[int], ticks: list[bool]) -> None:
    """Live, in small batches with the wall's clock between them, or all at once after a crash: the same, in the same
    order."""
    at_s, records = 1000.0, []
    for offset, gap_s in enumerate(gaps):
        at_s += gap_s
        records.append(record(offset, at_s))
    at_once = partition()
    wanted = at_once.judge(records, 1e9) + at_once.tick(at_s + 100)

    live, found, begin = partition(), [], 0
    for size, tick in zip(sizes, ticks, strict=True):
        batch = records[begin : begin + size]
        if not batch:
            break
        found += live.judge(batch, batch[-1].timestamp_s)
        begin += size
        until_s = records[begin].timestamp_s if begin < len(records) else batch[-1].timestamp_s
        if tick:  # the clock has gone on to just before the next record
            found += live.tick(until_s)
    found += live.judge(records[begin:], 1e9) + live.tick(at_s + 100)
    assert told(found) == told(wanted)
